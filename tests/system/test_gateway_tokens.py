# SPDX-License-Identifier: MIT
"""What callers of the gateway notice of access tokens, and what the token endpoint does: one request for
however many callers, none with a token that has run out, and a bounded number when something is wrong.
Lives are short here: a token of 4 s may be sent for 3, and is replaced after 1.5 to 2.4."""
import asyncio
import resource
import selectors
import socket
import threading
import time

import pytest

import wire
from daemon import is_sanitized, note, until
from gateway import request
from in_time import in_time, tried_again_if_late
from sandbox_client import wait_for
from upstream import answer_bytes
from workers import Workers

LIFE = 4
GOOD = 3.0  # of it, a token may be sent
CALLERS = 1000 if is_sanitized() else 10000


def quick(call):
    call.send(answer_bytes(200, b"{}"))


class Traffic(Workers):
    """Callers on kept connections, one call after another."""

    def __init__(self, gateway, threads=6):
        super().__init__(threads)
        self.gateway, self.took, self.answers = gateway, [], []

    def run(self, number):
        conn = wire.connection(self.gateway.address)
        while not self.over.is_set():
            began = time.monotonic()
            answer = wire.send(conn, "POST", f"/accs/V1/orders/{number}", {"n": number})
            self.took.append((time.monotonic(), time.monotonic() - began))
            self.answers.append((time.monotonic(), answer.status, answer.json))
            time.sleep(0.002)
        conn.close()

    @property
    def statuses(self):
        return {status for _, status, _ in list(self.answers)}


def issued_at(gateway):
    """{token: when its request came in}, which is not after the token's life began."""
    return {f"token-{n}": row[0] for n, row in enumerate(gateway.tokens.requests, 1)}


def assert_no_dead_token_was_sent(gateway, life=LIFE):
    began = issued_at(gateway)
    for call in gateway.calls:
        assert call.at < began[call.token] + life, call.token


# --- many at once --------------------------------------------------------------------------------

def crowd(address, count, data):
    """So many connections, each with its request sent."""
    sockets = []
    for _ in range(count):
        one = socket.create_connection(wire.split_address(address), timeout=20)
        one.sendall(data)
        one.setblocking(False)
        sockets.append(one)
    return sockets


def first_lines(sockets, seconds):
    """{first line of the answer: how many}, when all have one."""
    counts, end = {}, time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(1)
            assert ready or time.monotonic() < end, f"{len(selector.get_map())} without an answer: {counts}"
            for key, _ in ready:
                line = key.fileobj.recv(65536).partition(b"\r\n")[0]
                counts[line] = counts.get(line, 0) + 1
                selector.unregister(key.fileobj)
                key.fileobj.close()
    return counts


class _Quick(asyncio.Protocol):
    """Answers each head; for thousands of connections, which threads are not."""

    transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(answer_bytes(200, b"{}") * data.count(b"\r\n\r\n"))


@pytest.fixture
def quick_base():
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(_Quick, "127.0.0.1", 0, backlog=4096))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/tenant-1"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@pytest.fixture
def callers():
    """How many there can be: each is a connection of the test's, and with its way on one more of each
    side's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = CALLERS * 3 if hard == resource.RLIM_INFINITY else min(CALLERS * 3, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))
    yield min(CALLERS, (files - 1000) // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_thousands_of_callers_at_the_start_cost_one_token_request(gateways, quick_base, callers):
    gateway = gateways.make(BACKCHANNEL_HTTP_CONNECTIONS=callers + 100, BACKCHANNEL_GATEWAY_WAIT="2m",
                            BACKCHANNEL_OAUTH_TIMEOUT="2m", BACKCHANNEL_LOG="info,json", API_ENDPOINT=quick_base)
    gateway.tokens.hold.clear()
    gateway.start()
    began = time.monotonic()
    sockets = crowd(gateway.address, callers, request("GET", "/accs/V1/orders"))
    gateway.tokens.hold.set()
    counts = first_lines(sockets, 60)
    note(f"gateway: {callers} callers at the start, {gateway.tokens.count} token request, "
         f"all answered {time.monotonic() - began:.1f} s after the first one asked")
    assert counts == {b"HTTP/1.1 200 OK": callers}
    assert gateway.tokens.count == 1


@tried_again_if_late
def test_at_expiry_under_load_one_request_is_made_and_nobody_waits(gateways):
    gateway = gateways.make()
    gateway.tokens.life = LIFE
    gateway.upstream.script = quick
    gateway.start()
    gateway.wait_token("fresh")
    gateway.tokens.delay = 0.5
    with Traffic(gateway) as traffic:
        wait_for(lambda: gateway.tokens.count == 2, 5, "the second token request")
        asked = time.monotonic()
        until(asked + 1.2)
        later = [row[0] for row in gateway.tokens.requests][1:]
    assert all(b - a > 1.2 for a, b in zip(later, later[1:])), "less than a token's least time to its replacement"
    waited = max(took for at, took in traffic.took if asked - 0.1 < at < asked + 0.6)
    note(f"gateway: {len(traffic.answers)} calls across a token's end, one token request of 0.5 s, "
         f"the longest call beside it {waited * 1000:.0f} ms")
    assert traffic.statuses == {200}
    in_time(waited, 0.4, "the longest call")
    assert {call.token for call in gateway.calls} >= {"token-1", "token-2"}
    assert_no_dead_token_was_sent(gateway)


# --- trouble -------------------------------------------------------------------------------------

@tried_again_if_late
def test_while_the_endpoint_is_down_calls_go_on_then_fail_at_once_then_go_on(gateways):
    gateway = gateways.make()
    gateway.tokens.life = LIFE
    gateway.upstream.script = quick
    gateway.start()
    gateway.wait_token("fresh")
    began = gateway.tokens.requests[0][0]
    gateway.tokens.script = lambda n: (503, b"<html>down</html>", {"Content-Type": "text/html"})
    with Traffic(gateway, 3) as traffic:
        wait_for(lambda: gateway.tokens.count == 4, 10, "the third failure: more than a hiccup")
        wait_for(lambda: 503 in traffic.statuses)
        lasting = time.monotonic() + 0.1
        until(lasting + 0.5)
        gateway.tokens.script = None
        down, up = gateway.tokens.count - 1, time.monotonic()
        wait_for(lambda: traffic.answers[-1][1] == 200, 20, "the calls to go on")
    recovered = next(at for at, status, _ in traffic.answers if at > up and status == 200)
    early = {status for at, status, _ in traffic.answers if at < began + GOOD - 0.1}
    failed = [(at, body) for at, status, body in traffic.answers if status == 503]
    assert early == {200} and traffic.statuses == {200, 503}
    assert began + GOOD - 0.05 <= failed[0][0]
    assert {body["type"] for _, body in failed} == {"urn:backchannel:upstream-unreachable"}
    late = [took for at, took in traffic.took if lasting < at < up]
    assert len(late) > 10
    in_time(max(late), 0.4, "what should fail at once, not after gateway.wait,")
    note(f"gateway: token endpoint down for {up - began:.1f} s: {down} token requests, calls failed from "
         f"{failed[0][0] - began:.2f} s on, went on {recovered - up:.1f} s after it was back")
    assert down <= 12
    assert_no_dead_token_was_sent(gateway)
    assert gateway.wait_event("token.gone") and gateway.wait_event("token.recovered")


@pytest.mark.parametrize("answer", [
    pytest.param((200, b"<html>login</html>", {"Content-Type": "text/html"}), id="a web page"),
    pytest.param((200, b'{"access_token": "abc", "expir', {}), id="half an answer"),
    pytest.param((200, b'{"access_token": "", "expires_in": 100}', {}), id="an empty token"),
    pytest.param((200, b'{"access_token": "a\\r\\nX: y", "expires_in": 100}', {}), id="a token with a line end"),
    pytest.param((500, b"", {}), id="500"),
    pytest.param((404, b"{}", {}), id="404"),
    pytest.param((302, b"", {"Location": "http://127.0.0.1:9/"}), id="a redirect"),
])
@tried_again_if_late
def test_an_answer_that_holds_no_token_is_the_callers_503(gateways, answer):
    gateway = gateways.make(BACKCHANNEL_GATEWAY_WAIT="1s")
    gateway.tokens.script = lambda n: answer
    gateway.start()
    wait_for(lambda: "problem" in gateway.token(), what="the first failure")
    began = time.monotonic()
    got = gateway.get()
    assert got.status == 503 and got.problem in ("upstream-unreachable", "credential-refused"), got
    assert gateway.calls == []
    in_time(time.monotonic() - began, 1 + 0.5)
    assert gateway.token()["problem"] and gateway.token()["hint"]


def test_a_refused_client_is_told_at_once_and_not_asked_for_again(gateways):
    gateway = gateways.make(IMS_CLIENT_SECRET="wrong-secret")
    gateway.start()
    gateway.wait_token("refused")
    began = time.monotonic()
    with gateway.at_once(50) as calls:
        pass
    assert calls.statuses == [503] * 50 and {answer.problem for answer in calls.answers} == {"credential-refused"}
    assert time.monotonic() - began < 3
    assert gateway.tokens.count == 1 and gateway.calls == []
    assert "wrong-secret" not in calls.answers[0].text
    assert gateway.metric("token_state", state="refused") == 1


@tried_again_if_late
def test_a_throttled_token_endpoint_is_left_alone_as_long_as_it_says(gateways):
    gateway = gateways.make()
    gateway.tokens.script = lambda n: (429, b"{}", {"Retry-After": "1"}) if n == 1 else None
    gateway.start()
    with gateway.at_once(20) as calls:
        pass
    assert calls.statuses == [200] * 20
    first, second = (row[0] for row in gateway.tokens.requests)
    assert 0.998 <= second - first, "its clock counts whole milliseconds"
    in_time(second - first, 2.5)


@tried_again_if_late
def test_a_token_endpoint_that_says_nothing_is_not_waited_for_longer_than_gateway_wait(gateways):
    gateway = gateways.make(BACKCHANNEL_GATEWAY_WAIT="300ms")
    gateway.tokens.hold.clear()
    gateway.start()
    with gateway.at_once(20) as calls:
        pass
    assert calls.statuses == [503] * 20 and 0.29 <= min(calls.took)
    in_time(max(calls.took), 1.5)
    gateway.tokens.hold.set()
    gateway.wait_token("fresh")
    assert gateway.get().status == 200 and gateway.tokens.count == 1


# --- secrets -------------------------------------------------------------------------------------

def test_a_secret_that_is_deleted_under_load_costs_no_call_when_the_next_one_is_set(gateways):
    gateway = gateways.make(IMS_CLIENT_SECRET_NEXT="secret-2")
    gateway.tokens.life = LIFE
    gateway.tokens.secrets = {"secret-1", "secret-2"}
    gateway.upstream.script = quick
    gateway.start()
    gateway.wait_token("fresh")
    with Traffic(gateway) as traffic:
        gateway.tokens.secrets = {"secret-2"}
        wait_for(lambda: list(gateway.tokens.issued.values())[-1] == "secret-2", 5, "a token for the second secret")
        end = time.monotonic() + GOOD
        wait_for(lambda: time.monotonic() > end and gateway.calls[-1].token != "token-1")
    note(f"gateway: secret rotated under load: {len(traffic.answers)} calls, "
         f"{sum(status != 200 for _, status, _ in traffic.answers)} failed, {gateway.tokens.count} token requests")
    assert traffic.statuses == {200}
    assert gateway.metric("token_requests_total", result="client_refused") == 1
    assert_no_dead_token_was_sent(gateway)


def test_v1_token_tells_and_shows_only_when_it_is_asked_to(gateways):
    gateway = gateways()
    gateway.wait_token("fresh")
    told, shown = gateway.token(), gateway.daemon.get("/v1/token?show=1")
    assert told["state"] == "fresh" and told["generation"] == 1 and 80000 < told["expires_in"] <= 86400
    assert "token-1" not in str(told) and shown.json["access_token"] == "token-1"
    assert gateway.tokens.count == 1


def test_v1_token_waits_for_one_when_it_is_to_show_it(gateways):
    gateway = gateways.make()
    gateway.tokens.delay = 0.3
    gateway.start()
    assert gateway.daemon.get("/v1/token").json["state"] in ("none", "fresh")
    assert gateway.daemon.get("/v1/token?show=1").json["access_token"] == "token-1"
    assert gateway.tokens.count == 1
