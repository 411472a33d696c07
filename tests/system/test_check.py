# SPDX-License-Identifier: MIT
"""`backchannel check` beyond the ways that test_cli.py walks: each hop of this machine and of the
daemon, and --landing: a page of a shop, in front of which a real web server has the recipe, or has
it wrong."""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import socketserver
import tempfile
import threading
import time
import urllib.parse

import pytest

import store_samples
from daemon import KEY, PRODUCT, is_sanitized
from ports import own_address
from sandbox_client import wait_for
from web_servers import Nginx, Shop, recipe

DONE, FAILED, USAGE, REFUSED, UNREACHABLE = range(5)
TTL = "30d"
COOKIE = "Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"


def hops(got):
    return {hop["hop"]: hop for hop in got.json}


def verdicts(got):
    return {name: hop["verdict"] for name, hop in hops(got).items()}


# --- this machine, the daemon --------------------------------------------------------------------

def test_each_hop_says_its_group_what_was_tried_and_how_long_it_took(shop):
    got = shop.cli("check", "--json")
    assert got.code == DONE, got
    found = hops(got)
    assert {"files", "state directory", "open files", "lanes", "oldest pending", "partner TLS"} <= set(found)
    assert {hop["group"] for hop in found.values()} <= {"settings", "machine", "store", "daemon", "partner",
                                                       "intake"}
    assert found["partner"]["tried"].startswith("the documented test token")
    assert all(isinstance(hop["ms"], int) for hop in found.values())
    assert KEY not in got.out


def test_only_some_hops_by_name_or_group(shop, partner):
    partner.clear_requests()
    got = shop.cli("check", "--json", "--only", "machine", "--only", "partner TLS")
    assert got.code == DONE
    assert {hop["group"] for hop in got.json} == {"machine", "partner"}
    assert [r for r in partner.requests() if r["method"] == "POST"] == [], "no token was sent"
    wrong = shop.cli("check", "--only", "weather")
    assert wrong.code == USAGE and 'no hop or group "weather"' in wrong.err


def test_it_ends_when_its_time_is_over(daemons, partner):
    partner.set_faults("hang")
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9")
    started = time.monotonic()
    got = shop.cli("check", "--json", "--deadline", "300ms")
    assert time.monotonic() - started < 10 and got.code == UNREACHABLE
    assert "wrong" in verdicts(got).values()
    assert shop.cli("check", "--deadline", "soon").code == USAGE


def test_secrets_that_others_can_read_are_told(daemons):
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9", SOVENDUS_API_KEY=None)
    key = shop.work / "key"
    key.write_text(KEY, encoding="ascii")
    key.chmod(0o644)
    got = shop.cli("check", "--json", "--only", "settings", SOVENDUS_API_KEY_FILE=key)
    assert got.code == DONE and hops(got)["files"]["verdict"] == "warning", got
    assert hops(got)["files"]["hint"] and KEY not in got.out
    key.chmod(0o600)
    assert verdicts(shop.cli("check", "--json", "--only", "settings",
                             SOVENDUS_API_KEY_FILE=key))["files"] == "ok"


def test_a_state_directory_that_others_can_read_is_told(daemons):
    shop = daemons()
    shop.state.chmod(0o755)
    hop = hops(shop.cli("check", "--json", "--only", "machine"))["state directory"]
    assert hop["verdict"] == "warning" and "chmod 700" in hop["hint"]


def test_a_lane_that_stands_is_told_with_what_helps(daemons, partner, unique):
    shop = daemons(SOVENDUS_API_KEY="wrong-key-000")
    shop.click(token=unique.token(), session="s")
    shop.order("o", session="s")
    shop.wait_lane("parked")
    got = shop.cli("check", "--json")
    lanes = hops(got)["lanes"]
    assert got.code == REFUSED and lanes["verdict"] == "wrong"
    assert "sovendus.default is parked since 2" in lanes["found"] and "1 wait: the API key" in lanes["found"]
    assert "backchannel lanes probe sovendus.default" in lanes["hint"]
    shop.post("/v1/lanes/sovendus.default/pause")
    paused = hops(shop.cli("check", "--json", "--only", "daemon"))["lanes"]
    assert paused["verdict"] == "warning" and "lanes resume sovendus.default" in paused["hint"]


def test_a_daemon_that_wants_a_token_is_told(daemons):
    shop = daemons(BACKCHANNEL_API_TOKEN="api-token-0123456789")
    got = shop.cli("check", "--json", "--only", "daemon", BACKCHANNEL_API_TOKEN=None)
    daemon = hops(got)["daemon"]
    assert got.code == REFUSED and daemon["verdict"] == "wrong" and "401" in daemon["found"]
    assert "BACKCHANNEL_API_TOKEN" in daemon["hint"]
    assert verdicts(shop.cli("check", "--json", "--only", "daemon"))["daemon"] == "ok"


def test_a_store_of_an_older_version_is_left_as_it_is(daemons):
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9",
                        **store_samples.settings(store_samples.SHOE_KEY))
    shop.state.mkdir(mode=0o700)
    path = shop.state / "backchannel.db"
    store_samples.restore(store_samples.FOLDER / "schema-1.sql", path)
    hop = hops(shop.cli("check", "--json", "--only", "store"))["store"]
    assert hop["verdict"] == "warning" and "layout 1" in hop["found"] and "backchannel backup" in hop["hint"]
    assert store_samples.layout(path) == 1


def test_every_product_is_tried(daemons, partner):
    partner.set_products({PRODUCT: KEY, "shoe-1": "shoe-key-000"})
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9", BACKCHANNEL_PRODUCT_SHOES_ID="shoe-1",
                        BACKCHANNEL_PRODUCT_SHOES_PARTNER="sovendus",
                        BACKCHANNEL_PRODUCT_SHOES_KEY="wrong-key-000")
    got = shop.cli("check", "--json", "--only", "partner")
    assert got.code == REFUSED
    assert [(h["hop"], h["verdict"]) for h in got.json] == [
        ("name look-up", "ok"), ("partner TLS", "ok"), ("partner", "ok"), ("partner", "wrong")]
    assert "product shoes: answered 403" in got.json[-1]["found"]


@contextlib.contextmanager
def saying(date):
    """A host whose clock says so."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def date_time_string(self, timestamp=None):
            return date

        def do_HEAD(self):
            self.send_response(404)
            self.end_headers()

        do_POST = do_HEAD

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ext"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_clock_that_is_off_is_told_by_the_others(daemons):
    with saying("Thu, 01 Jan 2026 00:00:00 GMT") as base:
        shop = daemons.make(SOVENDUS_BASE_URL=base, BACKCHANNEL_URL="http://127.0.0.1:9")
        skew = hops(shop.cli("check", "--json"))["clock skew"]
    assert skew["verdict"] == "warning" and "ahead of" in skew["found"] and "set-ntp" in skew["hint"]


def test_what_comes_in_is_tried_where_it_is_set(daemons):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bc-check-"))
    edge = own_address()
    try:
        shop = daemons(BACKCHANNEL_EDGE=edge, BACKCHANNEL_INPUT=f"unix:{folder}/in")
        found = hops(shop.cli("check", "--json", "--only", "intake"))
        assert (found["public listener"]["verdict"], found["datagram input"]["verdict"]) == ("ok", "ok")
        other = verdicts(shop.cli("check", "--json", BACKCHANNEL_EDGE=own_address(),
                                  BACKCHANNEL_INPUT=f"unix:{folder}/other"))
        assert (other["public listener"], other["datagram input"]) == ("wrong", "wrong")
        shop.stop()
        gone = verdicts(shop.cli("check", "--json", "--only", "intake"))
        assert (gone["public listener"], gone["datagram input"]) == ("skipped", "skipped")
    finally:
        shutil.rmtree(folder)


def test_alerts_that_reach_nobody_are_told_and_not_where_they_go(shop):
    got = shop.cli("check", "--json", BACKCHANNEL_ALERT_URL="http://127.0.0.1:9/secret-path")
    alerts = hops(got)["alerts"]
    assert got.code == DONE and alerts["verdict"] == "warning"
    assert "secret-path" not in got.out and "alert.url" in alerts["hint"]


# --- a landing page ------------------------------------------------------------------------------

class Pages(http.server.BaseHTTPRequestHandler):
    """A shop with a capture of its own, in the ways in which one can be wrong: /NAME has it so."""
    protocol_version = "HTTP/1.1"
    COOKIES = {"good": COOKIE, "visit": "Path=/; HttpOnly; Secure; SameSite=Lax",
               "short": COOKIE.replace("2592000", "3600"), "long": COOKIE.replace("2592000", "9999999"),
               "here": COOKIE.replace("Path=/", "Path=/shop"), "open": COOKIE.replace("HttpOnly; ", ""),
               "clear": COOKIE.replace("Secure; ", ""), "anywhere": COOKIE.replace("Lax", "None")}
    PAGES = {"scripted": '<html><script async src="/capture.js"></script></html>'}

    def cookies(self, name, token):
        if name in self.COOKIES:
            return [f"bc_click=t.{token}; {self.COOKIES[name]}"]
        return {"shared": [f"bc_click=t.one-for-all; {COOKIE}"],
                "odd": [f"bc_click={token}; {COOKIE}"],
                "twice": [f"bc_click=t.{token}; {COOKIE}"] * 2}.get(name, [])

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        token = urllib.parse.parse_qs(parts.query).get("sovReqToken", [""])[0]
        name = parts.path.strip("/")
        self.server.seen.append((self.path, dict(self.headers)))
        body = self.PAGES.get(name, "a page").encode()
        status = {"go": 302, "round": 302, "gone": 404}.get(name, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/round?" + parts.query if name == "round" else "/page")
        if name == "kept":
            self.send_header("Age", "12")
        for cookie in self.cookies(name, token):
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Site(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __enter__(self):
        self.seen = []
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


@pytest.fixture(scope="module")
def site():
    with Site(("127.0.0.1", 0), Pages) as made:
        yield made


def landing(shop, url, **settings):
    got = shop.cli("check", "--json", "--landing", url, BACKCHANNEL_CLICK_TTL=TTL, **settings)
    for hop in got.json:
        assert hop["hint"] or hop["verdict"] in ("ok", "skipped"), hop
    return got


@pytest.mark.parametrize("page,code,hop,verdict,words", [
    ("good", DONE, "click cookie", "ok", "the token itself"),
    ("page", FAILED, "click cookie", "wrong", "no bc_click came, and the page has no capture.js"),
    ("visit", FAILED, "click cookie", "wrong", "no Max-Age"),
    ("here", FAILED, "click cookie", "wrong", "Path is not /"),
    ("short", DONE, "click cookie", "warning", "shorter than click.ttl"),
    ("long", DONE, "click cookie", "warning", "longer than click.ttl"),
    ("open", DONE, "click cookie", "warning", "not HttpOnly"),
    ("clear", DONE, "click cookie", "warning", "not Secure"),
    ("anywhere", DONE, "click cookie", "warning", "not SameSite=Lax"),
    ("twice", DONE, "click cookie", "warning", "more than once"),
    ("odd", FAILED, "click cookie", "wrong", "neither the token nor an id"),
    ("shared", FAILED, "cache", "wrong", "two visits got one cookie"),
    ("kept", FAILED, "cache", "warning", "Age: 12"),
    ("go", FAILED, "query", "wrong", "drops sovReqToken, and no cookie came before"),
    ("gone", REFUSED, "landing page", "wrong", "404"),
    ("round", FAILED, "landing page", "wrong", "302"),
    ("scripted", FAILED, "capture script", "wrong", "something else"),
])
def test_a_landing_is_told_what_is_wrong_with_it(shop, site, page, code, hop, verdict, words):
    got = landing(shop, f"http://127.0.0.1:{site.server_port}/{page}?a=b")
    assert got.code == code, got
    assert hops(got)[hop]["verdict"] == verdict and words in hops(got)[hop]["found"], hops(got)[hop]


def test_nothing_but_a_test_token_leaves(shop, site):
    site.seen.clear()
    landing(shop, f"http://127.0.0.1:{site.server_port}/page?a=b&c=d#part")
    assert len(site.seen) == 2, "one visit after the other"
    for path, headers in site.seen:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        assert query.keys() == {"a", "c", "sovReqToken"} and "-test-" in query["sovReqToken"][0]
        assert KEY not in path + json.dumps(headers) and "Authorization" not in headers


def test_a_landing_that_cannot_be_reached_or_is_none(shop):
    nowhere = landing(shop, "http://127.0.0.1:9/")
    assert nowhere.code == UNREACHABLE and hops(nowhere)["landing page"]["verdict"] == "wrong"
    assert verdicts(nowhere)["click cookie"] == "skipped"
    assert landing(shop, "not a url").code == FAILED


# --- a landing page behind nginx -----------------------------------------------------------------

class Front:
    """nginx with a recipe in front of a shop, and the daemon that it is for."""

    def __init__(self, shop, name, more="", **settings):
        self.stack = contextlib.ExitStack()
        behind = self.stack.enter_context(Shop())
        printed = recipe(name, shop.work, **{"SOVENDUS_TOKEN_PARAM": "sovReqToken",
                                             "BACKCHANNEL_CLICK_TTL": TTL, **settings})
        self.server = self.stack.enter_context(Nginx(behind, printed, more))
        self.url = f"http://{self.server.address}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()


nginx_runs = pytest.mark.skipif(is_sanitized() or not shutil.which("nginx"), reason="nginx is what is tested")


@nginx_runs
def test_nginx_with_the_recipe_is_well_also_where_a_redirect_drops_the_query(shop):
    kept = """location /kept/ {
        proxy_pass http://SHOP/cached/; proxy_cache pages; proxy_cache_key $uri;
        add_header X-Cache-Status $upstream_cache_status;
    }"""
    with Shop() as behind, Front(shop, "nginx", more=kept.replace("SHOP", behind.address)) as front:
        page = landing(shop, front.url + "/page")
        assert page.code == DONE and set(verdicts(page).values()) == {"ok"}, page
        assert "the token itself" in hops(page)["click cookie"]["found"]
        away = landing(shop, front.url + "/go")
        assert away.code == DONE and "but sets the cookie" in hops(away)["query"]["found"], away
        moved = landing(shop, front.url + "/moved")
        assert moved.code == DONE, moved
        cached = landing(shop, front.url + "/cached/page")
        assert cached.code == DONE, "the cache is behind the recipe"
        lost = landing(shop, front.url + "/kept/page")  # an add_header of its own drops ours
        assert lost.code == FAILED and hops(lost)["cache"]["verdict"] == "warning", lost
        assert "X-Cache-Status: HIT" in hops(lost)["cache"]["found"]
        older = landing(shop, front.url + "/page", BACKCHANNEL_TEST=None)
        assert older.code == DONE
        changed = shop.cli("check", "--json", "--landing", front.url + "/page", BACKCHANNEL_CLICK_TTL="1d")
        assert "longer than click.ttl" in hops(changed)["click cookie"]["found"]


@nginx_runs
def test_nginx_by_datagram_is_well_where_the_daemon_hears_it(daemons):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bc-check-"))
    folder.chmod(0o755)
    address = f"unix:{folder}/in"
    try:
        shop = daemons(BACKCHANNEL_INPUT=address)
        with Front(shop, "nginx-log", BACKCHANNEL_INPUT=address) as front:
            os.chmod(folder / "in", 0o666)
            good = landing(shop, front.url + "/page")
            assert good.code == DONE and "a click id" in hops(good)["click cookie"]["found"], good
            assert "had the click; it is deleted again" in hops(good)["click stored"]["found"]
            wait_for(lambda: "backchannel_clicks_total{kind=\"test\"} 2" in shop.get("/metrics").text,
                     what="both visits")
            deaf = daemons()
            wrong = landing(deaf, front.url + "/page", BACKCHANNEL_INPUT=address)
            assert wrong.code == FAILED and "no such click" in hops(wrong)["click stored"]["found"]
            shop.stop()
            alone = landing(shop, front.url + "/page", BACKCHANNEL_URL="http://127.0.0.1:9")
            assert alone.code == DONE and verdicts(alone)["click stored"] == "skipped", alone
    finally:
        shutil.rmtree(folder)


@nginx_runs
def test_nginx_that_leads_to_the_script_is_well_and_one_that_forgets_the_beacon_is_not(daemons):
    edge = own_address()
    shop = daemons(BACKCHANNEL_EDGE=edge)
    led = f"""location = /capture.js {{ proxy_pass http://{edge}; }}
        location = /v1/c {{ proxy_pass http://{edge}; }}
        location = /scripted {{ default_type text/html; add_header X-Own 1;
            return 200 '<script async src="/capture.js"></script>'; }}"""
    forgot = led.replace("location = /v1/c", "location = /v1/other")
    with Front(shop, "nginx", more=led) as front:
        good = landing(shop, front.url + "/scripted")
        assert good.code == DONE and "its beacon sets the cookie" in hops(good)["capture script"]["found"], good
        assert "deleted again" in hops(good)["click stored"]["found"]
    with Front(shop, "nginx", more=forgot) as front:
        bad = landing(shop, front.url + "/scripted")
        assert bad.code == FAILED and "without the cookie" in hops(bad)["capture script"]["found"], bad
        assert "storefront.md" in hops(bad)["capture script"]["hint"]
