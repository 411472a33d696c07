# SPDX-License-Identifier: MIT
"""The gateway between two sides that speak odd HTTP, byte by byte: what could be understood in two ways
goes to nobody, what breaks off is seen to have broken off, and who answers early is heard."""
import re
import socket
import threading

import pytest

import wire
from gateway import Reader, request
from upstream import answer_bytes, echo
from wire import Peer

BODY = b'{"order": 1}'
HIDDEN = b"GET /accs/V1/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(*fields, body=BODY, method="POST"):
    return request(method, "/accs/V1/orders", *fields, body=body)


def is_cut(peer):
    """The client can tell that this is not the whole answer."""
    head, _, body = peer.bytes.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    if b"chunked" in head:
        return not body.endswith(b"0\r\n\r\n") and peer.ended != "open"
    if length:
        return len(body) < int(length[1]) and peer.ended != "open"
    return peer.ended == "reset"


# --- requests ------------------------------------------------------------------------------------

@pytest.mark.parametrize("fields, body", [
    pytest.param(["Content-Length: 12", "Transfer-Encoding: chunked"], b"0\r\n\r\n" + HIDDEN,
                 id="a length and chunks"),
    pytest.param(["Transfer-Encoding: chunked", "Content-Length: 5"], b"0\r\n\r\n" + HIDDEN, id="chunks and a length"),
    pytest.param(["Content-Length: 12", "Content-Length: 2"], BODY, id="two lengths"),
    pytest.param(["Content-Length: 12, 2"], BODY, id="two lengths in a field"),
    pytest.param(["Content-Length: +12"], BODY, id="a sign"),
    pytest.param(["Content-Length: 0x0c"], BODY, id="another base"),
    pytest.param(["Content-Length: 1 2"], BODY, id="a blank in it"),
    pytest.param(["Content-Length:"], BODY, id="an empty length"),
    pytest.param(["Content-Length: 99999999999999999999999"], BODY, id="a length that is none"),
    pytest.param(["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], b"0\r\n\r\n", id="chunked twice"),
    pytest.param(["Transfer-Encoding: chunked, identity"], b"0\r\n\r\n", id="chunked, but not last"),
    pytest.param(["Transfer-Encoding: xchunked"], b"0\r\n\r\n", id="almost chunked"),
    pytest.param(["Transfer-Encoding: \x0bchunked"], b"0\r\n\r\n", id="chunked behind a control byte"),
    pytest.param(["Transfer-Encoding : chunked"], b"0\r\n\r\n", id="a blank before the colon"),
    pytest.param(["Content-Length : 12"], BODY, id="a blank before the length's colon"),
    pytest.param([" Content-Length: 12"], BODY, id="a folded line"),
    pytest.param(["X-Folded: a", "\tb: c", "Content-Length: 12"], BODY, id="a folded value"),
    pytest.param(["X-NUL: a\0b", "Content-Length: 12"], BODY, id="a NUL"),
    pytest.param(["X-CR: a\rb", "Content-Length: 12"], BODY, id="a bare CR"),
    pytest.param(["X\n-LF: a", "Content-Length: 12"], BODY, id="a bare LF in a name"),
    pytest.param(["No colon", "Content-Length: 12"], BODY, id="a line without a colon"),
    pytest.param(["Host: other", "Content-Length: 12"], BODY, id="two hosts"),
])
def test_a_request_that_two_readers_understand_differently_reaches_nobody(accs, fields, body):
    peer = accs.raw(post(*fields, "X-Last: 1", body=body))
    assert [answer.status // 100 for answer in peer.answers()] in ([4], [5]), peer.bytes
    assert peer.ended in ("eof", "reset") and accs.calls == []


def test_lines_that_end_in_a_bare_lf_reach_commerce_properly_or_not_at_all(accs):
    peer = accs.raw(post("Content-Length: 12", "Connection: close").replace(b"\r\n", b"\n", 3))
    assert len(peer.answers()) == 1
    for call in accs.calls:
        assert b"\n" not in call.head.replace(b"\r\n", b"") and call.read() == BODY


@pytest.mark.parametrize("body", [
    b"zz\r\n", b"-1\r\nab\r\n0\r\n\r\n", b"0x2\r\nab\r\n0\r\n\r\n", b"2\r\nabX\r\n0\r\n\r\n", b"2\nab\n0\n\n",
    b"ffffffffffffffffff\r\nab", b"2\r\nab\r\n0\r\nX-Folded: a\r\n\tb\r\n\r\n",
])
def test_chunks_that_two_readers_understand_differently_are_never_whole_at_commerce(accs, body):
    seen = []

    def script(call):
        seen.append(call.read())
        echo(call)
    accs.upstream.script = script
    peer = accs.raw(post("Transfer-Encoding: chunked", body=b"3\r\nabc\r\n" + body))
    assert [answer.status for answer in peer.answers()] in ([400], [413]), peer.bytes
    assert seen == []


def test_bytes_behind_a_message_are_the_next_request_and_no_part_of_this_one(accs):
    peer = accs.raw(post("Content-Length: 12", body=BODY + HIDDEN) + request("GET", "/healthz", "Connection: close"))
    assert [answer.status for answer in peer.answers()] == [200, 200, 200]
    assert [(call.method, call.target, call.read()) for call in accs.calls] == [
        ("POST", "/tenant-1/V1/orders", BODY), ("GET", "/tenant-1/V1/hidden", b"")]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_of_either_version_gets_an_answer_that_ends(accs, version):
    """Commerce is spoken to in HTTP/1.1 all the same."""
    def script(call):
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    accs.upstream.script = script
    data = request("GET", "/accs/V1/orders", "Connection: close").replace(b"HTTP/1.1", f"HTTP/{version}".encode())
    head, _, body = accs.raw(data).bytes.partition(b"\r\n\r\n")
    assert body == (b"abc" if version == "1.0" else b"3\r\nabc\r\n0\r\n\r\n")
    assert (b"Transfer-Encoding" in head) == (version == "1.1")
    assert accs.calls[0].version == "HTTP/1.1"


def test_a_body_in_chunks_arrives_whole_and_its_trailer_does_not(accs):
    body = b"5;x=y\r\n{\"a\":\r\n2\r\n1}\r\n0\r\nX-Sum: 1\r\nAuthorization: Bearer forged\r\n\r\n"
    accs.raw(post("Transfer-Encoding: chunked", "Trailer: X-Sum", "Connection: close", body=body))
    (call,) = accs.calls
    assert call.read() == b'{"a":1}' and call.field("trailer") is None
    assert b"forged" not in call.head


def test_a_client_that_waits_for_100_gets_it_and_commerce_is_asked_without(accs):
    with Peer(accs.address) as peer:
        peer.send(post("Content-Length: 12", "Expect: 100-continue", "Connection: close", body=b""))
        assert peer.read(b"\r\n\r\n").bytes.startswith(b"HTTP/1.1 100 ")
        assert accs.calls == []
        peer.send(BODY).read()
    assert b"HTTP/1.1 200 " in peer.bytes
    (call,) = accs.calls
    assert (call.field("expect"), call.read()) == (None, BODY)


def test_any_other_expectation_is_refused(accs):
    (answer,) = accs.raw(post("Content-Length: 12", "Expect: 200-ok", "Connection: close")).answers()
    assert (answer.status, accs.calls) == (417, [])


def test_a_head_of_a_few_kilobytes_passes_and_a_huge_one_is_refused(accs):
    assert len(accs.seen("GET", "/V1/orders", headers={"X-Long": "x" * 12000}).field("x-long")) == 12000
    accs.upstream.calls.clear()
    (answer,) = accs.raw(request("GET", "/accs/V1/orders", "X-Long: " + "x" * 70000)).answers()
    assert (answer.status, accs.calls) == (431, [])


def test_many_fields_pass(accs):
    call = accs.seen("GET", "/V1/orders", headers={f"X-{n}": str(n) for n in range(60)})
    assert [call.field(f"x-{n}") for n in range(60)] == [str(n) for n in range(60)]


def test_a_body_that_breaks_off_breaks_the_request_at_commerce_off(accs):
    """Above gateway.hold it has been begun; Commerce must not take the half for the whole."""
    broken = threading.Event()

    def script(call):
        try:
            call.read()
        except ConnectionError:
            broken.set()
            call.over = True
            return
        echo(call)
    accs.upstream.script = script
    with Peer(accs.address) as peer:
        peer.send(post("Transfer-Encoding: chunked", body=b"80000\r\n" + b"x" * 0x80000 + b"\r\n"))
        accs.wait_calls(1)
        peer.leave()
    assert broken.wait(10)
    assert accs.get().status == 200


def test_a_held_body_that_breaks_off_is_never_sent(accs):
    with Peer(accs.address) as peer:
        peer.send(post("Content-Length: 12", body=BODY[:5]))
        peer.socket.shutdown(socket.SHUT_WR)
        peer.read()
    assert [answer.status for answer in peer.answers()] in ([400], [])
    assert accs.get().status == 200 and len(accs.calls) == 1


# --- answers -------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
TWO = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

AMBIGUOUS = {
    "a length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + TWO,
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + TWO,
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}" + TWO,
    "two equal lengths": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a length of words": OK + b"Content-Length: two\r\n\r\n{}",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n{}",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\n{}",
    "a length too large": OK + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a folded line": OK + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a NUL": OK + b"X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}",
    "a bare CR": OK + b"X-A: b\rX-B: c\r\nContent-Length: 2\r\n\r\n{}",
    "a line without a colon": OK + b"No colon\r\nContent-Length: 2\r\n\r\n{}",
    "a blank in a name": OK + b"X A: b\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/0.9": b"<html>" + b"x" * 500,
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "noise": bytes(range(256)),
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
    "an upgrade that nobody asked for":
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "only interim heads": b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 3,
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_an_answer_that_cannot_be_trusted_is_not_passed_on(accs, what):
    def script(call):
        call.send(AMBIGUOUS[what])
        call.over = True
    accs.upstream.answers(script, echo)
    answer = accs.ask("POST", "/V1/orders", "{}")
    assert (answer.status, answer.problem) == (503, "upstream-unreachable"), answer
    assert "look before you repeat" in answer.json["detail"]
    assert len(accs.calls) == 1, "a POST that was sent is not sent again"
    assert "forged" not in answer.text
    assert accs.get().json["method"] == "GET", "and the connection is not used again"


def test_an_answer_in_lines_that_end_in_a_bare_lf_is_passed_on_properly_or_not_at_all(accs):
    accs.upstream.script = lambda call: call.send(b"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\n{}")
    peer = accs.raw(request("GET", "/accs/V1/orders", "Connection: close"))
    assert b"\n" not in peer.bytes.replace(b"\r\n", b"")
    assert peer.answers()[0].status in (200, 503)


@pytest.mark.parametrize("what, sent", [
    ("a length", b"Content-Length: 100\r\n\r\n" + b"x" * 50),
    ("a length, one byte missing", b"Content-Length: 100\r\n\r\n" + b"x" * 99),
    ("a length and no byte", b"Content-Length: 100\r\n\r\n"),
    ("chunks", b"Transfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n"),
    ("half a chunk", b"Transfer-Encoding: chunked\r\n\r\n5\r\nxxx"),
    ("chunks without the last line", b"Transfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n0\r\n"),
    ("a chunk of nonsense", b"Transfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\nzz\r\n"),
])
@pytest.mark.parametrize("resets", [False, True])
def test_a_client_sees_that_an_answer_broke_off(accs, what, sent, resets):
    del what

    def script(call):
        call.send(OK + sent)
        if resets:
            call.reset()
        call.over = True
    accs.upstream.script = script
    peer = accs.raw(request("GET", "/accs/V1/orders", "X-Request-Id: broke-off"))
    if resets and b" 503 " in peer.bytes:
        return  # the reset overtook the head
    assert peer.bytes.startswith(b"HTTP/1.1 200 ") and is_cut(peer), peer.bytes
    assert accs.wait_event("gateway.failed", id="broke-off")["reason"]


def test_a_body_that_ends_with_its_connection_is_passed_on_whole(accs):
    def script(call):
        call.send(OK + b"Connection: close\r\n\r\n" + b"abc" * 1000)
        call.over = True
    accs.upstream.script = script
    answer = accs.get()
    assert (answer.status, answer.body) == (200, b"abc" * 1000)


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n",
                                     b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nX-Early: 1\r\n\r\n"])
def test_interim_answers_stay_at_the_gateway(accs, interim):
    accs.upstream.script = lambda call: call.send(interim * 5 + answer_bytes(201, b"{}", ["X-Late: 1"]))
    answer = accs.ask("POST", "/V1/orders", "{}")
    assert (answer.status, answer.body, answer.headers["x-late"]) == (201, b"{}", "1")
    assert "x-early" not in answer.headers and "link" not in answer.headers


def test_a_trailer_of_commerces_stays_at_the_gateway(accs):
    accs.upstream.script = lambda call: call.send(
        OK + b"Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\n\r\n")
    peer = accs.raw(request("GET", "/accs/V1/orders", "Connection: close"))
    assert peer.bytes.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert b"X-Sum" not in peer.bytes and b"Set-Cookie" not in peer.bytes


@pytest.mark.parametrize("status, field", [
    (204, b""), (304, b'ETag: "1"\r\n'), (304, b"Content-Length: 100\r\n"), (204, b"Content-Length: 0\r\n"),
])
def test_an_answer_without_a_body_ends_with_its_head(accs, status, field):
    accs.upstream.script = lambda call: call.send(f"HTTP/1.1 {status} X\r\n".encode() + field + b"\r\n")
    conn = wire.connection(accs.address)
    for _ in range(2):
        assert wire.send(conn, "GET", "/accs/V1/orders").status == status
    conn.close()


def test_bytes_behind_an_answer_are_nobodys(accs):
    """Commerce says more than it announced: the next caller must not get it."""
    accs.upstream.answers(lambda call: call.send(answer_bytes(200, b"{}") + TWO), echo)
    assert accs.get("/V1/a").body == b"{}"
    for path in ("/V1/b", "/V1/c"):
        answer = accs.get(path)
        assert answer.status in (200, 503) and b"forged" not in answer.body
        if answer.status == 200:
            assert answer.json["target"] == "/tenant-1" + path


def test_a_body_behind_the_answer_to_head_is_nobodys(accs):
    accs.upstream.answers(lambda call: call.send(answer_bytes(200, b"forged")), echo)
    assert accs.ask("HEAD", "/V1/a").status == 200
    for path in ("/V1/b", "/V1/c"):
        answer = accs.get(path)
        assert answer.status in (200, 503) and b"forged" not in answer.body


def test_a_large_head_of_commerces_passes_and_a_huge_one_does_not(accs):
    accs.upstream.answers(lambda call: call.answer(200, b"{}", [f"X-{n}: {'x' * 900}" for n in range(30)]),
                          lambda call: call.answer(200, b"{}", [f"X-{n}: {'x' * 9000}" for n in range(90)]), echo)
    answer = accs.get()
    assert answer.status == 200 and len(answer.headers["x-29"]) == 900
    assert accs.get().status == 503
    assert accs.get().status == 200


def test_a_head_without_end_is_cut_and_needs_no_memory(accs):
    def script(call):
        call.send(OK)
        try:
            for n in range(20000):
                call.send(f"X-{n}: {'x' * 1000}\r\n".encode())
        finally:
            call.over = True
    accs.get()
    before = accs.daemon.rss_kib()
    accs.upstream.answers(script, echo)
    assert accs.get().status == 503
    assert accs.daemon.rss_kib() - before < 4096


# --- early answers -------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [200, 401, 403, 413, 503])
@pytest.mark.parametrize("closes", [False, True])
def test_an_answer_that_comes_before_the_body_is_heard(accs, status, closes):
    """Commerce refuses an upload at its head; the client learns it while it still sends."""
    def script(call):
        call.over = closes
        call.answer(status, b'{"message": "no"}', ["Connection: close"] if closes else [])
        call.read()  # to its end, or until the gateway gives up
    accs.upstream.script = script
    with Peer(accs.address) as peer:
        sender = threading.Thread(target=peer.send, args=(
            post("Content-Length: 8000000", "Connection: close", body=b"x" * 8000000),))
        sender.start()
        peer.read(b'"no"}')
        sender.join()
    assert peer.bytes.startswith(f"HTTP/1.1 {status} ".encode()), peer.bytes[:200]
    assert peer.bytes.endswith(b'{"message": "no"}')


def test_an_answer_may_begin_before_the_request_is_whole_and_both_go_on(accs):
    """A 200 that streams while the body still comes."""
    def script(call):
        call.send(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n")
        body = call.read()
        call.send(f"6\r\n{len(body):06d}\r\n0\r\n\r\n".encode())
    accs.upstream.script = script
    reader = Reader(accs.address, post("Content-Length: 600000", body=b"x" * 300000))
    assert reader.head().startswith("HTTP/1.1 200 ")
    reader.socket.sendall(b"x" * 300000)
    while not reader.rest.endswith(b"0\r\n\r\n"):
        data = reader.socket.recv(65536)
        assert data, reader.rest
        reader.rest += data
    assert reader.rest == b"5\r\nbegun\r\n6\r\n600000\r\n0\r\n\r\n"
    reader.close()
