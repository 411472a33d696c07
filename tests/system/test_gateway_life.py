# SPDX-License-Identifier: MIT
"""The gateway from its start to its stop: settings that change under way, a stop with calls in every
state, what is counted, and where the credential shows: nowhere."""
import base64
import pathlib
import signal
import threading
import time

import pytest

import wire
from daemon import KEY, PRODUCT
from gateway import Gateway, Reader, request
from sandbox_client import wait_for
from upstream import Upstream, echo
from wire import Peer

OK = b"HTTP/1.1 200 OK\r\n"


class FromFile:
    """A gateway whose settings stand in a file, the client secret in one of its own."""

    def __init__(self, folder, gateways):
        self.path, self.secret = folder / "backchannel.conf", folder / "secret"
        self.secret.write_text("secret-1\n", encoding="ascii")
        self.path.touch()
        self.gateway = gateways.make(
            BACKCHANNEL_CONFIG=self.path, IMS_CLIENT_ID=None, IMS_CLIENT_SECRET=None, IMS_ORG_ID=None,
            IMS_BASE_URL=None, API_ENDPOINT=None, SOVENDUS_PRODUCT_ID=None, SOVENDUS_API_KEY=None)
        self.write()

    def write(self, gateway="", upstream=None, oauth=""):
        base = (upstream or self.gateway.upstream).base
        self.path.write_text(
            f"[sovendus]\nproduct_id = {PRODUCT}\napi_key = {KEY}\n[oauth]\nclient_id = client-1\n"
            f"client_secret_file = {self.secret}\nbase_url = {self.gateway.tokens.base}\n{oauth}\n"
            f"[commerce]\nbase_url = {base}\n[gateway]\n{gateway}\n", encoding="utf-8")


@pytest.fixture
def settings(tmp_path, gateways):
    made = FromFile(tmp_path, gateways)
    made.gateway.start()
    made.gateway.wait_token("fresh")
    return made


class HeldBack:
    """A script whose answer begins, and ends when the test says so."""

    def __init__(self):
        self.go, self.begun = threading.Event(), threading.Event()

    def __call__(self, call):
        call.read()
        call.send(OK + b"Content-Length: 9\r\n\r\nbegu")
        self.begun.set()
        assert self.go.wait(20)
        call.send(b"n-end")


# --- reload --------------------------------------------------------------------------------------

def test_gateway_allow_changes_for_new_calls_and_those_under_way_end_well(settings):
    gateway, held = settings.gateway, HeldBack()
    gateway.upstream.script = held
    with gateway.at_once(5) as calls:
        gateway.wait_calls(5)
        settings.write("allow = GET /V1/products")
        assert gateway.reload()["event"] == "settings.reloaded"
        answer = gateway.get()
        assert (answer.status, answer.problem, len(gateway.calls)) == (403, "forbidden", 5)
        gateway.upstream.script = echo
        assert gateway.get("/V1/products").status == 200
        held.go.set()
    assert calls.statuses == [200] * 5
    assert {answer.body for answer in calls.answers} == {b"begun-end"}
    settings.write("allow = * /")
    gateway.reload()
    assert gateway.get().status == 200


def test_another_base_takes_new_calls_and_those_under_way_end_at_the_old_one(settings):
    gateway, held = settings.gateway, HeldBack()
    gateway.upstream.script = held
    with Upstream() as other:
        with gateway.at_once(3) as calls:
            gateway.wait_calls(3)
            settings.write(upstream=other)
            assert gateway.reload()["event"] == "settings.reloaded"
            assert [gateway.get().status for _ in range(3)] == [200] * 3
            assert (len(other.calls), len(gateway.calls)) == (3, 3)
            held.go.set()
        assert calls.statuses == [200] * 3
        assert other.errors == []


def test_a_setting_that_is_wrong_changes_nothing(settings):
    gateway = settings.gateway
    settings.write("allow = GET V1/no/slash")
    assert gateway.reload()["event"] == "settings.kept"
    assert gateway.ask("DELETE", "/V1/orders/1").status == 200


def test_a_secret_that_is_changed_in_its_file_is_tried_at_once(settings):
    gateway = settings.gateway
    gateway.tokens.secrets = {"secret-2"}
    settings.secret.write_text("secret-2\n", encoding="ascii")
    gateway.reload()
    wait_for(lambda: gateway.tokens.issued.get("token-2") == "secret-2", what="a token for the new secret")
    wait_for(lambda: gateway.seen("GET", "/V1/orders").token == "token-2", what="its use")
    assert gateway.tokens.count == 2


def test_a_wrong_secret_shows_at_once_and_the_token_in_hand_is_used_on(settings):
    gateway = settings.gateway
    settings.secret.write_text("wrong\n", encoding="ascii")
    gateway.reload()
    assert "client_secret" in gateway.wait_event("token.refused")["reason"]
    assert gateway.seen("GET", "/V1/orders").token == "token-1"
    settings.secret.write_text("secret-1\n", encoding="ascii")
    gateway.reload()
    wait_for(lambda: gateway.tokens.count == 3 and gateway.token()["state"] == "fresh")


def test_reloads_under_load_lose_no_call(settings):
    gateway = settings.gateway
    over, answers = threading.Event(), []

    def work():
        conn = wire.connection(gateway.address)
        while not over.is_set():
            answers.append(wire.send(conn, "POST", "/accs/V1/orders", {"a": 1}).status)
        conn.close()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(8):
        settings.write(f"allow = * /V1, GET /{n}\nwait = {n + 1}s")
        gateway.reload()
    over.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {200} and len(answers) > 20
    assert gateway.tokens.count == 1


# --- stop ----------------------------------------------------------------------------------------

def test_a_stop_lets_calls_end_that_are_under_way(gateways):
    gateway, held = gateways(), HeldBack()
    gateway.upstream.script = held
    with gateway.at_once(8) as calls:
        gateway.wait_calls(8)
        gateway.daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: gateway.daemon.events("daemon.stopping"), what="the stop's begin")
        held.go.set()
        assert gateway.daemon.wait_exit() == 0
    assert {answer.body for answer in calls.answers} == {b"begun-end"} and len(calls.answers) == 8


def test_a_stop_lets_an_upload_end_that_is_under_way(gateways):
    gateway = gateways()
    reader = Reader(gateway.address, request("PUT", "/accs/V1/x", "Content-Length: 600000", body=b"x" * 300000))
    gateway.wait_calls(1)
    gateway.daemon.process.send_signal(signal.SIGTERM)
    wait_for(lambda: gateway.daemon.events("daemon.stopping"), what="the stop's begin")
    reader.socket.sendall(b"x" * 300000)
    assert reader.head().startswith("HTTP/1.1 200 ")
    reader.close()
    assert gateway.daemon.wait_exit() == 0
    assert len(gateway.calls[0].body) == 600000


def callers(gateway, count=10):
    """So many calls that the daemon has read and not answered."""
    peers = [Peer(gateway.address).send(request("POST", "/accs/V1/x", "Content-Length: 2", body=b"{}"))
             for _ in range(count)]
    assert gateway.daemon.get("/healthz").status == 200  # who came before has been read as well
    return peers


def assert_told_at_once(gateway, peers):
    began = time.monotonic()
    assert gateway.daemon.stop() == 0
    assert time.monotonic() - began < 3
    for peer in peers:
        (answer,) = peer.read().answers()
        assert (answer.status, answer.problem) == (503, "busy")
        peer.close()


def test_a_stop_answers_at_once_who_waits_for_a_token(gateways):
    gateway = gateways.make()
    gateway.tokens.hold.clear()
    gateway.start()
    assert_told_at_once(gateway, callers(gateway))
    assert gateway.calls == []
    gateway.tokens.hold.set()


def test_a_stop_answers_at_once_who_is_still_sending_what_would_be_held(gateways):
    gateway = gateways()
    peer = Peer(gateway.address).send(request("POST", "/accs/V1/x", "Content-Length: 12", "Expect: 100-continue"))
    peer.read(b"\r\n\r\n").send(b"half")
    began = time.monotonic()
    assert gateway.daemon.stop() == 0
    assert time.monotonic() - began < 3
    assert b"HTTP/1.1 503 " in peer.read().bytes and gateway.calls == []
    peer.close()


def test_a_stop_answers_at_once_who_was_told_to_sleep(gateways):
    gateway = gateways()
    gateway.upstream.script = lambda call: (call.read(), call.answer(429, b"{}", ["Retry-After: 10"]))
    first = callers(gateway, 1)
    gateway.wait_calls(1)
    wait_for(lambda: gateway.metric("upstream_refusals_total", code="429") == 1, what="the 429")
    assert_told_at_once(gateway, first + callers(gateway))
    assert len(gateway.calls) == 1


def test_a_stop_does_not_wait_for_ever_for_a_client_that_does_not_read(gateways):
    gateway = gateways()
    gateway.upstream.script = lambda call: (call.read(), call.send(OK + b"Content-Length: 500000000\r\n\r\n"),
                                            call.pour(500000000))
    readers = [Reader(gateway.address, request("GET", "/accs/V1/x"), receive_bytes=4096) for _ in range(3)]
    for reader in readers:
        reader.head()
    assert gateway.daemon.stop(seconds=40) == 0
    for reader in readers:
        reader.close()


def test_a_kill_in_the_middle_leaves_nothing_that_hinders_the_next_start(gateways, tmp_path):
    cache = tmp_path / "token"
    gateway, held = gateways(BACKCHANNEL_OAUTH_CACHE_FILE=cache), HeldBack()
    gateway.upstream.script = held
    peers = [Peer(gateway.address).send(request("GET", "/accs/V1/x")) for _ in range(5)]
    gateway.wait_calls(5)
    wait_for(cache.exists, what="the cache file")
    gateway.daemon.kill9()
    held.go.set()
    for peer in peers:
        peer.read().close()
        assert peer.ended in ("eof", "reset")
    gateway.upstream.script = echo
    gateway.daemon.start()
    assert gateway.get().status == 200
    assert gateway.tokens.count == 1, "the cache file outlives the process"


# --- what shows ----------------------------------------------------------------------------------

SECRET = "CANARYsecret-2f9d1c6b7e804a35"
ACCESS = "CANARYaccess-77ab0c91d3f24e58"
API_TOKEN = "CANARYapi-c4d81e5f9a6b2037"


def disguises(secret):
    raw = secret.encode()
    return [secret, raw.hex(), base64.b64encode(raw).decode().rstrip("="), secret[6:]]


def shows(text, *secrets):
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    return [secret for secret in secrets for form in disguises(secret) if form.lower() in text.lower()]


@pytest.fixture(scope="module", params=["debug,json", "debug,text"])
def journey(request, tmp_path_factory):  # pylint: disable=redefined-outer-name
    """A gateway through which everything has gone wrong, and every word that came of it."""
    folder = tmp_path_factory.mktemp("canary")
    gateway = Gateway(folder / "d", BACKCHANNEL_LOG=request.param, IMS_CLIENT_SECRET=SECRET,
                      IMS_CLIENT_SECRET_NEXT=SECRET[::-1], BACKCHANNEL_API_TOKEN=API_TOKEN,
                      BACKCHANNEL_GATEWAY_WAIT="300ms", BACKCHANNEL_GATEWAY_TIMEOUT="300ms")
    gateway.tokens.secrets, gateway.tokens.name = {SECRET}, ACCESS
    gateway.start()
    gateway.said = []

    def ask(method, path, body=None, **more):
        answer = gateway.daemon.ask(method, path, body, **more)
        gateway.said.append((f"{method} {path}", answer.text + str(answer.headers)))
        return answer
    through_commerce(gateway, ask)
    for path in ("/metrics", "/v1/summary", "/v1/token", "/v1/lanes", "/healthz", "/readyz", "/v1/none"):
        ask("GET", path)
    for command in (["config", "show"], ["config", "show", "--json"], ["config", "lint"], ["check"],
                    ["check", "--json"]):
        done = gateway.daemon.cli(*command)
        gateway.said.append((" ".join(command), done.out + done.err))
    yield gateway
    gateway.stop()


def through_commerce(gateway, ask):
    def fail(call):
        call.read()
        call.reset()
    own = {"Authorization": "Bearer " + API_TOKEN}
    ask("GET", "/accs/V1/orders?token=x", headers={**own, "X-Own": "1"})
    for script in (401, 403, 500, fail, lambda call: call.wait_gone(2),
                   lambda call: call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")):
        gateway.upstream.answers(script)
        ask("GET", "/accs/V1/orders")
        ask("POST", "/accs/V1/orders", {"a": 1})
    ask("GET", "/accs/V1/../orders")
    ask("GET", "/accs/V1/orders", headers={"Authorization": "Bearer " + API_TOKEN + "x"})
    gateway.upstream.script = lambda call: call.answer(429, b"{}", ["Retry-After: 1"])
    ask("GET", "/accs/V1/orders")
    ask("GET", "/accs/V1/orders")


def test_the_journey_used_what_it_looks_for(journey):
    assert {call.token for call in journey.calls if call.path.endswith("/V1/orders")} == {ACCESS + "-1"}
    assert journey.tokens.requests[0][2] == SECRET
    shown = journey.daemon.get("/v1/token?show=1").json
    assert shown["access_token"] == ACCESS + "-1", "the one answer that has it"


def test_no_log_line_shows_the_secret_the_token_or_the_api_token(journey):
    assert len(journey.daemon.log_text()) > 3000
    assert shows(journey.daemon.log_text(), SECRET, SECRET[::-1], ACCESS, API_TOKEN) == []


def test_no_answer_and_no_command_shows_them(journey):
    """Commerce's own answers do not hold them either: its echo is not among them."""
    leaks = [(what, shows(text, SECRET, SECRET[::-1], ACCESS, API_TOKEN)) for what, text in journey.said[1:]]
    assert [leak for leak in leaks if leak[1]] == []


def test_no_file_and_no_command_line_holds_them(journey):
    files = [path for path in journey.daemon.folder.rglob("*") if path.is_file()]
    assert any(path.name == "backchannel.db" for path in files)
    for path in [*files, pathlib.Path(f"/proc/{journey.daemon.pid}/cmdline")]:
        assert shows(path.read_bytes(), SECRET, SECRET[::-1], ACCESS, API_TOKEN) == [], path


def test_commerce_never_sees_the_client_secret_or_the_api_token(journey):
    for call in journey.calls:
        assert shows(call.head, SECRET, SECRET[::-1], API_TOKEN) == []


def test_the_cache_file_is_for_its_owner_alone(gateways, tmp_path):
    cache = tmp_path / "cache" / "token"
    cache.parent.mkdir(mode=0o700)
    gateway = gateways(BACKCHANNEL_OAUTH_CACHE_FILE=cache)
    assert gateway.get().status == 200
    wait_for(cache.exists, what="the cache file")
    assert cache.stat().st_mode & 0o777 == 0o600


def test_calls_are_counted_by_method_and_what_the_caller_got(gateways):
    gateway = gateways(BACKCHANNEL_GATEWAY_ALLOW="* /V1")
    for status in (200, 200, 404, 500):
        gateway.upstream.answers(status)
        gateway.ask("PUT", "/V1/orders/7", {})
    gateway.ask("PURGE", "/V1/orders/7")
    wait_for(lambda: gateway.metric("gateway_requests_total", method="PUT", code="500") == 1)
    assert gateway.metric("gateway_requests_total", method="PUT", code="200") == 2
    assert gateway.metric("gateway_requests_total", method="PUT", code="404") == 1
    assert gateway.metric("gateway_duration_seconds_count", method="PUT", path="/V1/orders/{id}") == 4


def test_paths_without_number_need_no_memory_and_make_no_metrics_without_number(gateways):
    gateway = gateways()
    gateway.upstream.script = lambda call: call.answer(404)
    conn = wire.connection(gateway.address)
    for n in range(300):
        name = "".join(chr(97 + int(digit)) for digit in str(n))
        assert wire.send(conn, "GET", f"/accs/V1/{name}/x{name}").status == 404
    conn.close()
    rows = [line for line in gateway.daemon.get("/metrics").text.splitlines()
            if line.startswith("backchannel_gateway_duration_seconds_count")]
    assert len(rows) <= 64
    assert sum(float(row.rpartition(" ")[2]) for row in rows) == 300
