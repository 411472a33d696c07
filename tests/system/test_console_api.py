# SPDX-License-Identifier: MIT
"""What the daemon does for its console: the files of the page, the summary and its stream, the history,
the search; and that nobody gets at them who should not."""
import base64
import contextlib
import gzip
import hashlib
import json
import pathlib
import re
import signal
import socket
import threading
import time

import pytest

import wire
from conftest import ROOT
from daemon import KEY, PRODUCT, is_sanitized, note
from in_time import in_time, tried_again_if_late
from sandbox_client import wait_for

TOKEN = "api-token-of-the-console"
STREAMS = 16
STYLE = "\n" + (ROOT / "web" / "console.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
FILES = {
    "/": "text/html; charset=utf-8",
    "/console.js": "text/javascript; charset=utf-8",
    "/console-base.js": "text/javascript; charset=utf-8",
    "/console-orders.js": "text/javascript; charset=utf-8",
    "/console-start.js": "text/javascript; charset=utf-8",
    "/dygraph.css": "text/css; charset=utf-8",
    "/dygraph.js": "text/javascript; charset=utf-8",
    "/openapi.yaml": "application/yaml",
}
SAFETY = {
    "content-security-policy":
        f"default-src 'none'; script-src 'self'; style-src 'self' 'sha256-{STYLE_HASH}'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Stream:
    """A reader of GET /v1/stream. small: a socket that holds next to nothing."""

    def __init__(self, shop, small=False, seconds=10, headers=None):
        self.connection = wire.connection(shop.address, seconds)
        if small:
            self.connection.sock = socket.socket()
            self.connection.sock.settimeout(seconds)
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self.connection.sock.connect(wire.split_address(shop.address))
        self.connection.request("GET", "/v1/stream", headers={**shop.headers, **(headers or {})})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def block(self):
        """The lines up to an empty one; [] at the end of the stream."""
        lines = []
        while (line := self.answer.readline().decode()) not in ("", "\n"):
            lines.append(line.rstrip("\n"))
        return lines

    def event(self):
        """The next summary; None at the end of the stream."""
        while lines := self.block():
            if not lines[0].startswith(":"):
                assert lines[0] == "event: summary" and len(lines) == 2, lines
                return json.loads(lines[1].removeprefix("data: "))
        return None

    def until(self, there):
        """Reads to the first summary of which this is true."""
        while summary := self.event():
            if there(summary):
                return summary
        raise AssertionError("the stream ended")

    def close(self):
        with contextlib.suppress(OSError, AttributeError):  # another thread may be reading
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def captured(summary):
    return sum(summary["clicks"][kind] for kind in ("production", "test"))


def cpu_seconds(pid):
    """Of all its threads, to the nanosecond."""
    spent = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            spent += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return spent / 1e9


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, partner_process):
    """One with an API token, for the whole file."""
    from conftest import _Daemons
    made = _Daemons(tmp_path_factory.mktemp("guarded"), partner_process)
    yield made(BACKCHANNEL_API_TOKEN=TOKEN)
    made.stop_all()


# --- files -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", FILES)
def test_a_file_comes_without_a_token_plain_or_as_gzip_and_is_asked_for_once(guarded, path):
    plain = wire.ask(guarded.address, "GET", path)
    assert plain.status == 200 and plain.body and plain.headers["content-type"] == FILES[path]
    assert "content-encoding" not in plain.headers and plain.headers["vary"] == "Accept-Encoding"
    assert plain.headers["cache-control"] == "no-cache"
    small = wire.ask(guarded.address, "GET", path, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert small.headers["content-encoding"] == "gzip" and gzip.decompress(small.body) == plain.body
    assert small.headers["etag"] != plain.headers["etag"]
    for answer in (plain, small):
        assert {name: answer.headers.get(name) for name in SAFETY} == SAFETY
        assert re.fullmatch(r'"[0-9a-f]{32}(-z)?"', answer.headers["etag"])
        encoding = {"Accept-Encoding": "gzip" if answer is small else "identity"}
        for known in (answer.headers["etag"], 'W/"x", W/' + answer.headers["etag"], "*"):
            again = wire.ask(guarded.address, "GET", path, headers={**encoding, "If-None-Match": known})
            assert again.status == 304 and not again.body and again.headers["etag"] == answer.headers["etag"]
        other = wire.ask(guarded.address, "GET", path, headers={**encoding, "If-None-Match": '"0"'})
        assert other.status == 200
    head = wire.ask(guarded.address, "HEAD", path)
    assert head.status == 200 and not head.body
    assert int(head.headers["content-length"]) == len(plain.body)


@pytest.mark.parametrize("accepted, gzipped", [
    ("gzip", True), ("GZIP", True), ("*", True), ("gzip;q=1", True), ("identity, *;q=0.1", True),
    ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("*;q=0", False),
    ("gzip;q=0, *", False), ("x-gzip2", False)])
def test_gzip_goes_to_whom_it_suits(guarded, accepted, gzipped):
    answer = wire.ask(guarded.address, "GET", "/console.js", headers={"Accept-Encoding": accepted})
    assert ("content-encoding" in answer.headers) == gzipped


def test_the_files_are_those_of_the_tree_and_the_page_names_no_other_host(guarded):
    for path, file in (("/console.js", "web/console.js"), ("/console-base.js", "web/console-base.js"),
                       ("/console-orders.js", "web/console-orders.js"), ("/console-start.js", "web/console-start.js"),
                       ("/openapi.yaml", "docs/openapi.yaml")):
        assert wire.ask(guarded.address, "GET", path).body == (ROOT / file).read_bytes(), path
    page = wire.ask(guarded.address, "GET", "/").text
    link = '<link rel="stylesheet" href="/console.css">'
    assert page == (ROOT / "web" / "console.html").read_text(encoding="utf-8").replace(link, f"<style>{STYLE}</style>")
    assert link not in page
    for found in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert found in FILES or found.startswith(("#", "data:")), found
    whole = sum(len(wire.ask(guarded.address, "GET", path, headers={"Accept-Encoding": "gzip"}).body)
                for path in FILES if path != "/openapi.yaml")
    assert whole < 150 * 1000


@pytest.mark.parametrize("path", ["/v1/summary", "/v1/stream", "/v1/history", "/v1/orders", "/v1/token",
                                  "/metrics", "/console", "/favicon.ico", "//", "/console.js/"])
def test_nothing_else_is_told_without_the_token(guarded, path):
    answer = wire.ask(guarded.address, "GET", path)
    assert answer.status == 401 and answer.problem == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"
    wrong = wire.ask(guarded.address, "GET", path, headers={"Authorization": "Bearer nonsense"})
    assert wrong.status == 401


# --- who may ask -----------------------------------------------------------------------------------

CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}


@pytest.mark.parametrize("method, path, headers", [
    ("GET", "/", {"Host": "evil.example"}),
    ("GET", "/v1/stream", {"Host": "evil.example"}),
    ("GET", "/v1/summary", {"Origin": "https://evil.example"}),
    ("POST", "/v1/lanes/sovendus.default/pause", {"Origin": "https://evil.example"}),
    ("POST", "/v1/lanes/sovendus.default/pause", {"Origin": "null"}),
    ("POST", "/v1/lanes/sovendus.default/pause", {"Sec-Fetch-Site": "same-site"}),
    ("GET", "/v1/stream", CROSS_SITE),
    ("GET", "/v1/summary", {**CROSS_SITE, "Sec-Fetch-Dest": "script"}),
    ("GET", "/", {**CROSS_SITE, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
    ("POST", "/v1/lanes/sovendus.default/pause",
     {**CROSS_SITE, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}),
])
def test_a_page_of_another_site_gets_nothing_and_does_nothing(shop, method, path, headers):
    answer = shop.ask(method, path, headers=headers)
    assert answer.status == 403 and answer.problem == "forbidden"
    assert shop.lane()["state"] == "open"


def test_the_console_itself_and_a_link_to_it_are_let_in(shop):
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    for scheme in ("http", "https"):  # https: of a proxy in front of it
        done = shop.ask("POST", "/v1/lanes/sovendus.default/pause",
                        headers={**own, "Origin": f"{scheme}://{shop.address}"})
        assert done.status == 200 and done.json["state"] == "paused"
        assert shop.post("/v1/lanes/sovendus.default/resume").json["state"] == "open"
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert shop.ask("GET", "/", headers=link).status == 200
    assert shop.ask("GET", "/v1/summary", headers=own).status == 200
    assert shop.ask("GET", "/", headers={"Sec-Fetch-Site": "none"}).status == 200


# --- summary ---------------------------------------------------------------------------------------

def test_the_summary_tells_of_the_shop_and_its_store(shop, unique):
    before = shop.get("/v1/summary").json
    shop.click(token=unique.token())
    shop.click(token=unique.test_token())
    shop.post("/v1/clicks", {"token": "no token"})
    after = shop.get("/v1/summary").json
    assert {kind: after["clicks"][kind] - n for kind, n in before["clicks"].items()} == {
        "production": 1, "test": 1, "refused": 1}
    assert before["started_at"] == after["started_at"] < before["at"] < after["at"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", after["version"])
    store = after["store"]
    assert set(store) == {"writable", "error", "hint", "commit_ms", "batch_size", "bytes", "free_bytes"}
    assert store["writable"] is True and store["error"] is None and store["hint"] is None
    assert 0 < store["commit_ms"]["p50"] <= store["commit_ms"]["p99"] < 10000 and store["batch_size"] >= 1
    files = sum(path.stat().st_size for path in shop.state.glob("backchannel.db*"))
    assert 0 < store["bytes"] <= files and store["free_bytes"] > 0
    assert "token" not in after and "gateway" not in after
    metrics = shop.get("/metrics").text
    told = {name: int(value) for name, value in
            re.findall(r"^backchannel_(store_bytes|store_free_bytes|streams) (\d+)$", metrics, re.M)}
    assert told["store_bytes"] > 0 and told["store_free_bytes"] > 0 and told["streams"] == 0


def test_what_waits_longest_is_told_and_nothing_is_null(daemons, partner, unique):
    partner.set_faults("status=503")
    shop = daemons(BACKCHANNEL_RETRY_BASE="1h", BACKCHANNEL_RETRY_CAP="1h")
    assert shop.get("/v1/summary").json["pending_oldest_seconds"] is None
    shop.order(unique.order(), token=unique.token())
    wait_for(lambda: (shop.get("/v1/summary").json["pending_oldest_seconds"] or 0) >= 1)


def test_a_store_that_refuses_says_why_and_what_to_do(daemons, unique):
    shop = daemons.make()
    shop.settings["BACKCHANNEL_STORE"] = f"fault:put-click@2+=full:sqlite:{shop.state}/backchannel.db"
    shop.start()
    shop.click(token=unique.token())

    def refused():  # what else it writes goes well, and may come in between
        assert shop.post("/v1/clicks", {"token": unique.token()}).status == 503
        told = shop.get("/v1/summary").json["store"]
        return told["writable"] is False and told
    store = wait_for(refused)
    assert "full" in store["error"] and store["hint"]
    wait_for(lambda: shop.get("/v1/summary").json["store"]["writable"], what="the store's own try")
    assert shop.get("/v1/summary").json["store"]["error"] is None


def test_the_summary_tells_of_the_token_and_of_the_gateway(accs):
    accs.wait_token("fresh")
    assert accs.get("/V1/orders/1").status == 200
    accs.ask("GET", "/V1/orders/2")
    accs.ask("GET", "/V1/products/x")
    wait_for(lambda: accs.daemon.get("/v1/summary").json["gateway"]["in_flight"] == 0)
    summary = accs.daemon.get("/v1/summary").json
    token = summary["token"]
    assert token["state"] == "fresh" and token["last_error"] is None
    assert 0 < token["refresh_in"] < token["expires_in"] and token["refresh_at"] > summary["at"]
    asked = accs.token()
    assert set(asked) == set(token) and asked["refresh_at"] == token["refresh_at"]
    assert abs(asked["refresh_in"] - token["refresh_in"]) <= 2
    gateway = summary["gateway"]
    assert set(gateway) == {"calls", "errors", "in_flight", "p50_ms", "p99_ms", "paths", "refusals"}
    assert gateway["calls"] >= 3 and set(gateway["refusals"]) == {"401", "429"}
    assert 0 <= gateway["p50_ms"] <= gateway["p99_ms"]
    paths = {(row["method"], row["path"]): row for row in gateway["paths"]}
    assert paths["GET", "/V1/orders/{id}"]["calls"] >= 2
    assert [row["calls"] for row in gateway["paths"]] == sorted(
        (row["calls"] for row in gateway["paths"]), reverse=True)


# --- history ---------------------------------------------------------------------------------------

def total(history, name):
    return sum(history[name])


def test_the_history_has_a_number_a_step_and_survives_a_kill(daemons, unique):
    shop = daemons()
    for _ in range(3):
        shop.click(token=unique.token())
    shop.click(token=unique.test_token())
    assert shop.order("with", wait="10s", token=unique.token()).json["state"] == "delivered"
    shop.order("without")
    shop.kill9()
    shop.start()
    for query, step, count in (("", 300, 288), ("?span=24h", 300, 288), ("?span=7d", 1800, 336)):
        history = shop.get("/v1/history" + query).json
        assert history["step_seconds"] == step and history["from"].endswith(":00.000Z")
        names = ("clicks", "test_clicks", "orders", "conversions", "delivered")
        assert all(len(history[name]) == count for name in names)
        assert [total(history, name) for name in names] == [4, 1, 2, 1, 1]
        (product,) = history["products"]
        assert product["product"] == "default" and product["lane"] == "sovendus.default"
        assert len(product["orders"]) == len(product["delivered"]) == count
        assert total(product, "orders") == total(product, "delivered") == 1
    wrong = shop.get("/v1/history?span=1h")
    assert wrong.status == 400 and "24h or 7d" in wrong.json["detail"]


# --- search ----------------------------------------------------------------------------------------

@pytest.fixture
def full(daemons):
    """10,000 orders without a click, S00000 to S09999."""
    shop = daemons(BACKCHANNEL_LOG="info,json")
    bodies = (json.dumps({"order": f"S{n:05d}"}).encode() for n in range(10000))
    statuses = wire.pour(shop.address, (
        f"POST /v1/orders HTTP/1.1\r\nHost: {shop.address}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies), seconds=60)
    assert statuses == {200: 10000}
    return shop


@tried_again_if_late
def test_a_search_of_ten_thousand_orders_is_at_once_and_its_pages_go_on(full):
    def found(query):
        answer = full.get("/v1/orders?" + query)
        assert answer.status == 200, answer
        return [order["order"] for order in answer.json["orders"]], answer.json["next"]
    began = time.monotonic()
    assert found("search=S01234") == (["S01234"], None)
    whole, end = found("search=S0001")
    assert sorted(whole) == [f"S{n:05d}" for n in range(10, 20)] and end is None
    first, cursor = found("search=S0001&limit=6")
    assert first == whole[:6] and found(f"search=S0001&limit=6&cursor={cursor}") == (whole[6:], None)
    assert found("search=nobody") == found("search=S0001&state=delivered") == ([], None)
    in_time(time.monotonic() - began, 1, "the search")
    # many: not by the index
    assert len(found("search=S0&limit=1000")[0]) == 1000
    assert full.get("/v1/orders?search=S0&count=1").json == {"count": 10000}
    told = full.cli("orders", "--search", "S0001", "--json")
    assert [order["order"] for order in told.json["orders"]] == whole


def test_an_empty_search_lists_all_and_changes_nothing(full):
    assert full.get("/v1/orders?search=&count=1").json == {"count": 10000}
    for path in ("/v1/orders/retry?state=rejected&search=", "/v1/orders/retry?state=rejected&search=" + "x" * 129):
        refused = full.post(path)
        assert refused.status == 400 and '"search"' in refused.json["detail"]
    assert full.get("/v1/orders?search=" + "x" * 129).status == 400
    assert full.post("/v1/orders/retry?state=rejected&search=S1&dry_run=1").json == {"count": 0}


# --- the stream ------------------------------------------------------------------------------------

def test_a_stream_tells_the_summary_at_once_and_then_when_it_changed(shop, unique):
    with Stream(shop) as stream, Stream(shop) as other:
        assert stream.status == 200 and stream.answer.headers["Content-Type"] == "text/event-stream"
        first = stream.event()
        now = shop.get("/v1/summary").json
        assert set(first) == set(now) and first["started_at"] == now["started_at"]
        other.event()
        began, seen = time.monotonic(), []
        for _ in range(8):
            shop.click(token=unique.token())
            seen.append(captured(stream.until(lambda s: captured(s) > (seen or [captured(first)])[-1])))
            if seen[-1] == captured(first) + 8 or time.monotonic() - began > 2.5:
                break
        # one a second at most
        assert len(seen) <= time.monotonic() - began + 2
        assert captured(other.until(lambda s: captured(s) == seen[-1])) == seen[-1]
        assert shop.get("/metrics").text.count("\nbackchannel_streams 2\n") == 1


def test_a_head_of_the_stream_is_a_head(shop):
    head = shop.ask("HEAD", "/v1/stream")
    assert head.status == 200 and head.headers["content-type"] == "text/event-stream"


def no_stream(shop):
    return "\nbackchannel_streams 0\n" in shop.get("/metrics").text


def test_the_seventeenth_stream_waits_for_a_place(shop, unique):
    wait_for(lambda: no_stream(shop), 10, "the other tests' streams to be closed")
    with contextlib.ExitStack() as opened:
        streams = [opened.enter_context(Stream(shop)) for _ in range(STREAMS)]
        assert {stream.status for stream in streams} == {200}
        refused = shop.get("/v1/stream")
        assert refused.status == 503 and refused.problem == "busy" and refused.headers["retry-after"]
        assert "16" in refused.json["detail"]
        streams[3].close()  # an idle shop: nobody writes to it
        again = wait_for(lambda: (s := Stream(shop)).status == 200 and s, 10, "a place")
        opened.enter_context(again)
        assert again.event()
        shop.click(token=unique.token())
    wait_for(lambda: no_stream(shop), 10, "all to be closed")


@pytest.fixture
def wide(tmp_path, daemons):
    """Its summary has some hundred kilobytes."""
    config = tmp_path / "backchannel.conf"
    config.write_text("".join(f"[product p{i:03d}]\nid = {PRODUCT}\nkey = {KEY}\n" for i in range(200)),
                      encoding="utf-8")
    config.chmod(0o600)
    return daemons(BACKCHANNEL_CONFIG=config)


def test_a_slow_reader_holds_no_memory_and_gets_the_newest_next(wide, unique):
    stop = threading.Event()

    def visit():
        while not stop.wait(0.1):
            wide.click(token=unique.token())
    with contextlib.ExitStack() as opened:
        slow = [opened.enter_context(Stream(wide, small=True)) for _ in range(8)]
        quick = opened.enter_context(Stream(wide))
        quick.event()
        before = wide.rss_kib()
        visitors = threading.Thread(target=visit)
        visitors.start()
        try:
            sizes = [len(json.dumps(quick.event())) for _ in range(3)]
        finally:
            stop.set()
            visitors.join()
        if not is_sanitized():
            # what was not taken would be 8 times 3 events
            assert wide.rss_kib() - before < 8 * sum(sizes) / 1024 / 2
        last = captured(wide.get("/v1/summary").json)
        # The first is what was on its way; the next one is of now.
        held = [slow[0].event(), slow[0].until(lambda s: captured(s) == last)]
        assert captured(held[0]) < last
        assert captured(quick.until(lambda s: captured(s) == last)) == last


def test_a_daemon_that_stops_ends_its_streams(daemons):
    shop = daemons()
    with Stream(shop) as stream, Stream(shop) as other:
        assert stream.event() and other.event()
        began = time.monotonic()
        assert shop.stop() == 0
        assert time.monotonic() - began < 5
        for ended in (stream, other):
            while ended.event():  # one more may have been on its way
                pass


def test_another_token_ends_the_streams_of_the_old_one(tmp_path, daemons):
    config, secret = tmp_path / "backchannel.conf", tmp_path / "token"
    secret.write_text("the-first-token-of-this-shop\n", encoding="ascii")
    secret.chmod(0o600)
    config.write_text(f"api_token_file = {secret}\n", encoding="utf-8")
    shop = daemons.make(BACKCHANNEL_CONFIG=config)
    shop.headers = {"Authorization": "Bearer the-first-token-of-this-shop"}
    shop.start()

    def reload():
        before = len(shop.events("settings.reloaded"))
        shop.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(shop.events("settings.reloaded")) > before, what="the reload")
    with Stream(shop) as stream:
        stream.event()
        reload()
        with Stream(shop) as other:  # the same token: nothing ends
            assert other.event()
            assert "\nbackchannel_streams 2\n" in shop.get("/metrics").text
        secret.write_text("the-second-token-of-this-shop\n", encoding="ascii")
        reload()
        assert stream.event() is None
        with Stream(shop) as refused:
            assert refused.status == 401
    shop.headers = {"Authorization": "Bearer the-second-token-of-this-shop"}
    with Stream(shop) as stream:
        assert stream.event()


@pytest.mark.skipif(is_sanitized(), reason="a sanitized program takes its time")
def test_an_open_console_costs_less_than_a_hundredth_of_a_core(daemons, unique):
    shop = daemons(BACKCHANNEL_LOG="info,json")
    span, stop = 2.0, threading.Event()

    def visit():
        while not stop.wait(0.05):
            shop.click(token=unique.token(), session=unique.session())

    def share():
        began, spent = time.monotonic(), cpu_seconds(shop.pid)
        time.sleep(span)
        return (cpu_seconds(shop.pid) - spent) / (time.monotonic() - began)

    def listened(stream):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            while stream.event():
                pass
    visitors = threading.Thread(target=visit)
    visitors.start()
    try:
        alone = share()
        with Stream(shop, seconds=60) as stream:
            threading.Thread(target=listened, args=(stream,), daemon=True).start()
            watched = share()
            stop.set()
            visitors.join()
            idle = share()
    finally:
        stop.set()
        visitors.join()
    note(f"an open console: {idle:.2%} of a core while nothing happens, {watched - alone:.2%} in a busy shop")
    assert idle < 0.01, f"{idle:.2%} of a core while nothing happens"
    assert watched - alone < 0.01, f"{watched:.2%} of a core, {alone:.2%} of it the shop's"
