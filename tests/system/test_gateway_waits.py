# SPDX-License-Identifier: MIT
"""When Commerce says no, not now, or nothing: what the gateway repeats, how long it waits, and what the
caller is told. Times are taken at the upstream."""
import email.utils
import socket
import threading
import time

import pytest

from daemon import note
from gateway import Gateway, Reader, request
from in_time import in_time, tried_again_if_late
from sandbox_client import wait_for
from upstream import answer_bytes, echo
from wire import Peer

YOUNG_SECONDS = 5.0  # a 401 to a token of less says nothing about its age
WAITERS = 60
LATE = 0.25  # what may be added to a time that was told


def throttled(*headers, status=429):
    """A script that answers so, and knows when."""
    def script(call):
        call.read()
        script.at = time.monotonic()
        call.answer(status, b'{"message": "slower"}', headers)
    script.at = None
    return script


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """Gateways whose tokens are old enough to be doubted; made first, used last, for that takes its
    time."""
    folder = tmp_path_factory.mktemp("aged")
    made = {name: Gateway(folder / name).start() for name in ("once", "storm", "upload", "together")}
    for gateway in made.values():
        gateway.wait_token("fresh")
    began = time.monotonic()
    yield lambda name: wait_for(lambda: time.monotonic() - began > YOUNG_SECONDS + 0.3) and made[name]
    for gateway in made.values():
        gateway.stop()


@pytest.fixture(autouse=True, scope="module")
def aging(aged):
    return aged


# --- 429 and 503 ---------------------------------------------------------------------------------

def dates(seconds, skew):
    now = int(time.time()) + skew
    return [f"Date: {email.utils.formatdate(now, usegmt=True)}",
            f"Retry-After: {email.utils.formatdate(now + seconds, usegmt=True)}"]


@pytest.mark.parametrize("headers, status, seconds", [
    pytest.param(["Retry-After: 1"], 429, 1, id="429 with seconds"),
    pytest.param(dates(1, 0), 429, 1, id="429 with a date"),
    pytest.param(dates(1, -86400 * 400), 429, 1, id="429 with a date, by a clock that is wrong"),
    pytest.param(["Retry-After: 1"], 503, 1, id="503 with seconds"),
    pytest.param(["Retry-After: 0"], 429, 0, id="429 with nothing to wait for"),
])
@tried_again_if_late
def test_a_call_waits_as_long_as_commerce_asks_and_is_repeated(gateways, headers, status, seconds):
    """Any method: a request that was refused was not done."""
    gateway = gateways()
    no = throttled(*headers, status=status)
    gateway.upstream.answers(no, echo)
    answer = gateway.ask("POST", "/V1/orders", {"order": 1})
    assert (answer.status, len(gateway.calls)) == (200, 2)
    first, second = gateway.calls
    assert (first.target, first.read(), first.field("x-request-id")) == (
        second.target, second.read(), second.field("x-request-id"))
    waited = second.at - no.at
    assert seconds <= waited
    in_time(waited, seconds + 0.5 + LATE, "the repeat")
    assert gateway.wait_event("gateway.call")["attempts"] == 2
    assert gateway.tokens.count == 1


@tried_again_if_late
def test_without_a_retry_after_it_is_five_seconds(gateways):
    gateway = gateways(BACKCHANNEL_GATEWAY_WAIT="1s")
    gateway.upstream.answers(throttled(), echo)
    began = time.monotonic()
    first, second = gateway.get(), gateway.get()
    in_time(time.monotonic() - began, 1, "both")
    assert (first.status, first.headers["retry-after"], first.json["message"]) == (429, "5", "slower")
    assert (second.status, second.headers["retry-after"], second.problem) == (429, "5", "busy")
    assert len(gateway.calls) == 1
    assert gateway.metric("upstream_refusals_total", code="429") == 1


@tried_again_if_late
def test_a_longer_sleep_than_gateway_wait_is_told_at_once_and_commerce_left_alone(gateways):
    gateway = gateways(BACKCHANNEL_GATEWAY_WAIT="2s")
    gateway.upstream.script = throttled("Retry-After: 30", "X-Rate: 7")
    began = time.monotonic()
    first = gateway.ask("POST", "/V1/orders", {})
    rest = [gateway.get() for _ in range(20)]
    in_time(time.monotonic() - began, 1.5, "all")
    assert (first.status, first.headers["retry-after"], first.headers["x-rate"]) == (429, "30", "7")
    assert {(answer.status, answer.problem) for answer in rest} == {(429, "busy")}
    assert {int(answer.headers["retry-after"]) for answer in rest} <= {29, 30}
    assert len(gateway.calls) == 1


@tried_again_if_late
def test_who_sleeps_wakes_without_a_burst_and_not_too_early(gateways):
    """No more than half of them in the first 50 ms, all within 500 ms."""
    gateway = gateways()
    no = throttled("Retry-After: 1")
    gateway.upstream.answers(no, echo)
    with gateway.at_once(1):
        wait_for(lambda: no.at, what="the 429")
        with gateway.at_once(WAITERS - 1) as others:
            pass
    assert set(others.statuses) == {200} and len(gateway.calls) == WAITERS + 1
    woken = sorted(call.at - no.at - 1 for call in gateway.calls[1:])
    early = sum(after < 0.050 for after in woken)
    note(f"gateway: of {WAITERS} sleepers {early} woke within 50 ms, the first after {woken[0] * 1000:.0f} ms, "
         f"the last after {woken[-1] * 1000:.0f} ms")
    assert woken[0] >= 0, "never earlier than told"
    assert early <= WAITERS / 2
    in_time(woken[0], 0.1 + LATE, "the first")
    in_time(woken[-1], 0.5 + LATE, "the last")


def test_a_second_429_makes_the_sleep_longer_and_nothing_else(gateways):
    gateway = gateways()
    one, two = throttled("Retry-After: 1"), throttled("Retry-After: 1")
    gateway.upstream.answers(one, two, echo)
    assert gateway.get().status == 200
    assert [call.at for call in gateway.calls][1] - one.at >= 1
    assert [call.at for call in gateway.calls][2] - two.at >= 1


@tried_again_if_late
def test_a_sleeper_whose_time_is_over_gets_his_429_at_once_not_at_its_end(gateways):
    gateway = gateways(BACKCHANNEL_GATEWAY_WAIT="500ms")
    gateway.upstream.answers(throttled("Retry-After: 3"), echo)
    with gateway.at_once(1) as first:
        pass
    with gateway.at_once(30) as others:
        pass
    assert first.statuses + others.statuses == [429] * 31
    in_time(max(others.took), 0.45, "what is known from the start")


def test_a_client_that_leaves_while_it_sleeps_costs_commerce_nothing(gateways):
    gateway = gateways()
    no = throttled("Retry-After: 2")  # they leave before it is over
    gateway.upstream.answers(no, echo)
    peers = [Peer(gateway.address).send(request("GET", "/accs/V1/throttled"))]
    wait_for(lambda: no.at, what="the 429")
    peers += [Peer(gateway.address).send(request("GET", "/accs/V1/left")) for n in range(10)]
    stays = Peer(gateway.address).send(request("GET", "/accs/V1/stays", "Connection: close"))
    for peer in peers:
        peer.leave()
    assert stays.read().bytes.startswith(b"HTTP/1.1 200 ")
    assert [call.path.rpartition("/")[2] for call in gateway.calls] == ["throttled", "stays"]
    wait_for(lambda: gateway.metric("gateway_requests_total", method="GET", code="499") == 11)


@pytest.mark.parametrize("status", [429, 503])
def test_a_body_that_is_not_held_is_not_repeated_but_all_leave_commerce_alone(gateways, status):
    gateway = gateways(BACKCHANNEL_GATEWAY_HOLD="1KiB", BACKCHANNEL_GATEWAY_WAIT="500ms")
    gateway.upstream.answers(throttled("Retry-After: 9", status=status), echo)
    answer = gateway.ask("PUT", "/V1/products/1", b"x" * 2000)
    assert (answer.status, answer.headers["retry-after"], len(gateway.calls)) == (status, "9", 1)
    assert gateway.get().status == 429 and len(gateway.calls) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_what_gateway_hold_holds_is_repeated_and_what_is_larger_is_not(gateways, chunked):
    gateway = gateways(BACKCHANNEL_GATEWAY_HOLD="4KiB")
    for size, times in ((4096, 2), (4097, 1)):
        gateway.upstream.calls.clear()
        gateway.upstream.answers(throttled("Retry-After: 0"), echo)
        body = bytes(range(256)) * 17
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
        sent = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body[:size]) if chunked else body[:size]
        peer = gateway.raw(request("POST", "/accs/V1/orders", framing, "Connection: close", body=sent))
        assert peer.bytes.startswith(b"HTTP/1.1 200 " if times == 2 else b"HTTP/1.1 429 "), peer.bytes[:100]
        assert [call.read() for call in gateway.calls] == [body[:size]] * times


# --- no answer -----------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "GET", "DELETE"])
@pytest.mark.parametrize("reused", [False, True])
def test_a_request_that_may_have_arrived_is_not_sent_again(gateways, method, reused):
    """Reset after the whole request was read; also on a kept connection, where it could have been an
    idle one that was closed."""
    def reset(call):
        call.read()
        call.reset()
    gateway = gateways()
    if reused:
        assert gateway.get("/V1/first").status == 200
    gateway.upstream.script = reset
    answer = gateway.ask(method, "/V1/orders", None if method in ("GET", "DELETE") else {"order": 1})
    assert (answer.status, answer.problem) == (503, "upstream-unreachable")
    assert "look before you repeat" in answer.json["detail"]
    assert len(gateway.calls) == 1 + reused


def test_an_idle_connection_that_commerce_closed_costs_no_call(gateways):
    gateway = gateways()

    def last(call):
        echo(call)
        call.over = True
    gateway.upstream.script = last
    for n in range(10):
        answer = gateway.ask("POST", "/V1/orders", {"n": n})
        assert answer.status == 200, answer
        wait_for(lambda: not gateway.upstream.open, what="the close")
    assert len(gateway.calls) == 10


@tried_again_if_late
def test_commerce_that_is_down_is_told_in_time(gateways):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gateway = gateways(API_ENDPOINT=f"http://127.0.0.1:{closed.getsockname()[1]}/t")
        for method in ("GET", "POST"):
            began = time.monotonic()
            answer = gateway.ask(method, "/V1/orders", "{}" if method == "POST" else None)
            in_time(time.monotonic() - began, 1)
            assert (answer.status, answer.problem) == (503, "upstream-unreachable")
            assert "API_ENDPOINT" in answer.json["detail"], "nothing was sent: what to check"
        assert gateway.wait_event("gateway.failed")["reason"]
        assert gateway.wait_event("gateway.call")["attempts"] == 2, "what never left is tried once more"


@tried_again_if_late
def test_silence_is_a_504_and_ends_the_request(gateways):
    gateway = gateways(BACKCHANNEL_GATEWAY_TIMEOUT="300ms")
    gateway.upstream.script = lambda call: call.wait_gone(10)
    began = time.monotonic()
    answer = gateway.ask("POST", "/V1/orders", {})
    took = time.monotonic() - began
    assert (answer.status, answer.problem) == (504, "upstream-timeout") and 0.3 <= took
    in_time(took, 1.5)
    assert "look before you repeat" in answer.json["detail"]
    wait_for(lambda: gateway.calls[0].gone.is_set(), what="the upstream request's end")
    assert len(gateway.calls) == 1


def test_an_answer_that_stands_still_is_cut_and_one_that_moves_is_not(gateways):
    gateway = gateways(BACKCHANNEL_GATEWAY_TIMEOUT="300ms")

    def moves(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for byte in b"progress":
            time.sleep(0.1)  # the schedule is what is tested
            call.send(bytes([byte]))

    def stands(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nprog")
        call.wait_gone(10)
    gateway.upstream.answers(moves, stands)
    assert gateway.get().body == b"progress"
    peer = gateway.raw(request("GET", "/accs/V1/orders"))
    assert peer.bytes.endswith(b"prog") and peer.ended in ("eof", "reset")


@tried_again_if_late
def test_a_slow_commerce_stalls_nobody_but_its_caller(gateways):
    gateway = gateways()
    go = threading.Event()

    def script(call):
        if call.path.endswith("slow"):
            go.wait(10)
        echo(call)
    gateway.upstream.script = script
    with gateway.at_once(20, path="/V1/slow") as slow:
        gateway.wait_calls(20)
        began = time.monotonic()
        assert [gateway.get("/V1/fast").status for _ in range(20)] == [200] * 20
        assert gateway.daemon.get("/readyz").status == 200
        took = time.monotonic() - began
        go.set()
    assert slow.statuses == [200] * 20
    in_time(took, 1, "the fast ones")


def test_no_more_than_256_calls_are_under_way_and_the_others_have_their_turn(gateways):
    gateway = gateways()
    go = threading.Event()

    def script(call):
        go.wait(10)
        echo(call)
    gateway.upstream.script = script
    with gateway.at_once(300) as calls:
        gateway.wait_calls(256)
        assert gateway.daemon.get("/readyz").status == 200
        time.sleep(0.2)
        assert len(gateway.calls) == 256
        go.set()
    assert calls.statuses == [200] * 300


def test_who_stands_in_line_for_too_long_is_told(gateways):
    gateway = gateways(BACKCHANNEL_GATEWAY_WAIT="300ms")
    go = threading.Event()

    def script(call):
        go.wait(10)
        echo(call)
    gateway.upstream.script = script
    with gateway.at_once(256) as calls:
        gateway.wait_calls(256)
        late = gateway.get()
        go.set()
    assert late.status == 503 and late.json["type"] == "urn:backchannel:busy"
    assert "under way" in late.json["detail"] and late.headers["retry-after"] == "1"
    assert calls.statuses == [200] * 256


def test_a_client_that_leaves_ends_its_request_at_commerce(gateways):
    gateway = gateways()

    def script(call):
        call.wait_gone(10)
    gateway.upstream.script = script
    reader = Reader(gateway.address, request("GET", "/accs/V1/orders"))
    gateway.wait_calls(1)
    reader.close()
    assert gateway.calls[0].gone.wait(5)
    assert gateway.wait_event("gateway.call")["status"] == 499
    gateway.upstream.script = lambda call: call.send(answer_bytes(200, b"{}"))
    assert gateway.get().status == 200


# --- 401: last, for their tokens have to age -----------------------------------------------------

def dead_token(call):
    """401 to the first token, an answer to any other."""
    if call.token.endswith("-1"):
        call.read()
        call.answer(401, {"error_code": "401013", "message": "Oauth token is not valid"})
    else:
        echo(call)


def test_a_young_token_that_is_refused_is_the_callers_to_know(gateways):
    """A missing role does not heal by another token."""
    gateway = gateways()
    gateway.upstream.answers(401)
    assert [gateway.get().status for _ in range(5)] == [401] * 5
    assert (len(gateway.calls), gateway.tokens.count) == (5, 1)


def test_a_dead_token_is_replaced_once_and_the_call_repeated(aged):
    gateway = aged("once")
    gateway.upstream.script = dead_token
    answer = gateway.ask("POST", "/V1/orders", {"order": 1})
    assert (answer.status, gateway.tokens.count) == (200, 2)
    assert [(call.token, call.read()) for call in gateway.calls] == [
        ("token-1", b'{"order": 1}'), ("token-2", b'{"order": 1}')]
    assert gateway.get().status == 200 and gateway.tokens.count == 2


def test_many_calls_with_a_dead_token_cost_one_new_one_and_none_of_them_fails(aged):
    gateway = aged("together")
    gateway.tokens.delay = 0.1
    gateway.upstream.script = dead_token
    with gateway.at_once(60, "POST", body="{}") as calls:
        pass
    assert set(calls.statuses) == {200} and gateway.tokens.count == 2


def test_a_storm_of_401s_makes_no_more_than_one_token_request(aged):
    """A scope is missing: every token is refused."""
    gateway = aged("storm")
    gateway.upstream.script = lambda call: (call.read(), call.answer(401, {
        "message": "The consumer isn't authorized to access %resources.", "parameters": {"resources": "Sales"}}))
    statuses = []
    for _ in range(5):
        with gateway.at_once(40) as calls:
            pass
        statuses += calls.statuses
    assert statuses == [401] * 200
    assert gateway.tokens.count <= 2, "the first, and one in 10 s"
    assert gateway.metric("upstream_refusals_total", code="401") == len(gateway.calls)
    note(f"gateway: 200 calls refused with 401 made {gateway.tokens.count - 1} token request, "
         f"{len(gateway.calls)} requests to Commerce")


def test_an_upload_that_is_not_held_gets_its_401_and_is_not_repeated(aged):
    gateway = aged("upload")
    gateway.upstream.script = dead_token
    answer = gateway.ask("PUT", "/V1/products/1", b"x" * 300000)
    assert (answer.status, len(gateway.calls)) == (401, 1)
    assert gateway.get().status == 200, "the next one profits"
