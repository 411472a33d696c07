# SPDX-License-Identifier: MIT
"""Bodies through the gateway: any size in little memory, both ways; who is slow slows the other side of
the same call and nobody else; who leaves ends it. A sanitizer's build gets smaller bodies, and is not
asked about memory."""
import contextlib
import hashlib
import random
import threading
import time

import pytest

from daemon import is_sanitized, note
from gateway import Reader, request
from sandbox_client import wait_for
from wire import Peer

MIB = 1024 * 1024
FACTOR = 16 if is_sanitized() else 1
LARGE = 1024 * MIB // FACTOR
UPLOAD = 256 * MIB // FACTOR
MANY = 64
HELD_KIB = 2048
IN_SOCKETS = 24 * MIB  # what the kernel may hold of one call, on the way from end to end

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def gateway(gateways):
    made = gateways()
    for _ in range(3):  # what is allocated once, is
        assert made.ask("PUT", "/V1/warm", b"x" * 300000).status == 200
    return made


def download(size, chunked=False):
    """A script: so many zeros."""
    def script(call):
        call.read()
        if not chunked:
            call.send(OK + f"Content-Length: {size}\r\n\r\n".encode())
            call.pour(size)
            return
        call.send(OK + b"Transfer-Encoding: chunked\r\n\r\n" + f"{size:x}\r\n".encode())
        call.pour(size)
        if not call.over:
            call.send(b"\r\n0\r\n\r\n")
    return script


def take(reader, size, buffer=None):
    """Reads so many bytes of a body and throws them away."""
    left = size - len(reader.rest)
    reader.rest = b""
    buffer = buffer or bytearray(MIB)
    while left:
        count = reader.socket.recv_into(buffer, min(left, len(buffer)))
        assert count, f"it broke off {left} bytes before its end"
        left -= count


class Watch:
    """The daemon's memory during a with block: `grown_kib` is the most that it had more than before."""

    def __init__(self, gateway):
        self.daemon = gateway.daemon
        self.before = self.most = self.daemon.rss_kib()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.wait(0.005):
            self.most = max(self.most, self.daemon.rss_kib())

    @property
    def grown_kib(self):
        return max(self.most, self.daemon.rss_kib()) - self.before

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@contextlib.contextmanager
def readers(gateway, count, path="/accs/V1/export", **more):
    """So many calls whose answers have begun and are not read."""
    made = [Reader(gateway.address, request("GET", path), **{"seconds": 60, **more}) for _ in range(count)]
    try:
        for reader in made:
            reader.head()
        yield made
    finally:
        for reader in made:
            reader.close()


def standing(gateway, calls):
    """Waits until no more bytes leave the upstream: the way is full from end to end."""
    seen = [None, 0.0]

    def still():
        now = [call.poured for call in calls]
        if now != seen[0]:
            seen[:] = [now, time.monotonic()]
        return time.monotonic() - seen[1] > 0.3
    wait_for(still, 20, "the upstream to stand")
    return [call.poured for call in calls]


# --- memory --------------------------------------------------------------------------------------

def test_a_download_of_a_gibibyte_needs_little_memory(gateway):
    gateway.upstream.script = download(LARGE)
    began = time.monotonic()
    with Watch(gateway) as watch, readers(gateway, 1) as (reader,):
        take(reader, LARGE)
    took = time.monotonic() - began
    note(f"gateway: {LARGE // MIB} MiB through it in {took:.1f} s, {watch.grown_kib} KiB more memory")
    assert watch.grown_kib < HELD_KIB


def test_many_downloads_at_once_need_little_memory_each(gateway):
    size = LARGE // MANY
    gateway.upstream.script = download(size)
    with Watch(gateway) as watch, readers(gateway, MANY) as made:
        threads = [threading.Thread(target=take, args=(reader, size)) for reader in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    note(f"gateway: {MANY} downloads of {size // MIB} MiB at once, {watch.grown_kib // MANY} KiB more memory each")
    assert watch.grown_kib < MANY * HELD_KIB
    assert sum(call.poured for call in gateway.calls) == MANY * size


def test_many_downloads_that_nobody_reads_need_little_memory_each(gateway):
    gateway.upstream.script = download(LARGE)
    with Watch(gateway) as watch, readers(gateway, MANY, receive_bytes=4096):
        sent = standing(gateway, gateway.calls[-MANY:])
    note(f"gateway: {MANY} downloads that stand, {watch.grown_kib // MANY} KiB more memory each")
    assert watch.grown_kib < MANY * HELD_KIB
    assert max(sent) < IN_SOCKETS


def upload(gateway, size, chunked=True):
    """Sends a body of unknown length; what the upstream made of it."""
    piece = b"z" * (1 << 18)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    with Peer(gateway.address, 60) as peer:
        peer.send(request("PUT", "/accs/V1/import", framing, "Connection: close"))
        for _ in range(size // len(piece)):
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        return peer.send(b"0\r\n\r\n" if chunked else b"").read()


def count_body(call):
    call.body = b""
    call.answer(200, str(sum(map(len, call.pieces()))).encode())


@pytest.mark.parametrize("chunked", [True, False])
def test_an_upload_of_many_mebibytes_needs_little_memory(gateway, chunked):
    gateway.upstream.script = count_body
    began = time.monotonic()
    with Watch(gateway) as watch:
        peer = upload(gateway, UPLOAD, chunked)
    took = time.monotonic() - began
    note(f"gateway: {UPLOAD // MIB} MiB up, {'of unknown length' if chunked else 'announced'}, in {took:.1f} s, "
         f"{watch.grown_kib} KiB more memory")
    assert peer.bytes.endswith(str(UPLOAD).encode())
    assert watch.grown_kib < HELD_KIB


def test_uploads_that_commerce_does_not_read_need_little_memory_each(gateway):
    go, piece = threading.Event(), b"z" * (1 << 16)

    def script(call):
        assert go.wait(30)
        count_body(call)
    gateway.upstream.script = script
    size = 32 * MIB
    head = request("PUT", "/accs/V1/x", f"Content-Length: {size}", "Connection: close")
    peers = [Peer(gateway.address, 30).send(head) for _ in range(8)]
    sent = [0] * len(peers)

    def push():
        """As much as goes, without waiting; true when nothing went for a while."""
        moved = False
        for n, peer in enumerate(peers):
            peer.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while sent[n] < size:
                    sent[n] += peer.socket.send(piece[:size - sent[n]])
                    moved = True
        if moved:
            push.at = time.monotonic()
        return time.monotonic() - push.at > 0.3
    push.at = time.monotonic()
    with Watch(gateway) as watch:
        wait_for(push, 20, "the clients to stand")
        assert max(sent) < IN_SOCKETS and min(sent) > 0
    note(f"gateway: 8 uploads that stand, {watch.grown_kib // 8} KiB more memory each")
    assert watch.grown_kib < 8 * HELD_KIB
    go.set()
    for n, peer in enumerate(peers):
        peer.socket.settimeout(30)
        peer.send(b"z" * (size - sent[n])).read()
        assert peer.bytes.endswith(str(size).encode())
        peer.close()


def test_memory_does_not_grow_with_clients_that_leave_in_the_middle(gateway):
    gateway.upstream.script = download(LARGE)
    with readers(gateway, MANY):
        pass
    before = gateway.daemon.rss_kib()
    for _ in range(4):
        with readers(gateway, MANY):
            pass
    wait_for(lambda: all(call.gone.is_set() for call in gateway.calls if call.method == "GET"), 60)
    assert gateway.daemon.rss_kib() - before < 4 * HELD_KIB


# --- the bytes -----------------------------------------------------------------------------------

def test_a_download_arrives_as_it_was_sent_in_whatever_pieces(accs):
    rng = random.Random(7)
    body = rng.randbytes(3 * MIB)

    def script(call):
        call.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        at = 0
        while at < len(body):
            piece = body[at:at + rng.choice([1, 2, 100, 16383, 16384, 16385, 65536, 200000])]
            call.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            at += len(piece)
        call.send(b"0\r\n\r\n")
    accs.upstream.script = script
    assert hashlib.sha256(accs.get().body).digest() == hashlib.sha256(body).digest()


@pytest.mark.parametrize("chunked", [True, False])
def test_an_upload_arrives_as_it_was_sent_in_whatever_pieces(accs, chunked):
    rng = random.Random(8)
    body = rng.randbytes(3 * MIB)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    with Peer(accs.address) as peer:
        peer.send(request("PUT", "/accs/V1/x", framing, "Connection: close"))
        at = 0
        while at < len(body):
            piece = body[at:at + rng.choice([1, 2, 100, 16383, 16384, 16385, 65536, 200000])]
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            at += len(piece)
        peer.send(b"0\r\n\r\n" if chunked else b"").read(b"\r\n\r\n")
    (call,) = accs.calls
    assert hashlib.sha256(call.body).digest() == hashlib.sha256(body).digest()


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 65535, 65536, 65537, 262143, 262144, 262145, 500000])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_of_any_size_arrives_whole(accs, size, chunked):
    """Around the borders of what is held, gathered and read at once."""
    body = random.Random(size).randbytes(size)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    sent = (b"%x\r\n%s\r\n" % (size, body) if size else b"") + b"0\r\n\r\n" if chunked else body
    peer = accs.raw(request("PUT", "/accs/V1/x", framing, "Connection: close", body=sent))
    assert peer.bytes.startswith(b"HTTP/1.1 200 ")
    (call,) = accs.calls
    assert call.body == body
    wanted = "chunked" if chunked and size > 262144 else None
    assert call.field("transfer-encoding") == wanted, "what is held has a length"


# --- who is slow, who leaves ---------------------------------------------------------------------

def test_a_client_that_does_not_read_slows_its_own_call_and_no_other(gateway):
    gateway.upstream.script = download(LARGE)
    with readers(gateway, 3, receive_bytes=4096) as slow:
        stood = standing(gateway, gateway.calls[-3:])
        gateway.upstream.script = download(32 * MIB)
        with readers(gateway, 1, "/accs/V1/fast") as (fast,):
            take(fast, 32 * MIB)
        slow_calls = [call for call in gateway.calls if call.path.endswith("export")]
        assert [call.poured for call in slow_calls] == stood and max(stood) < IN_SOCKETS
        assert gateway.daemon.get("/readyz").status == 200
        take(slow[0], 2 * IN_SOCKETS)
        wait_for(lambda: max(call.poured for call in slow_calls) > IN_SOCKETS, what="the upstream to go on")


def test_a_client_that_leaves_ends_the_download_at_commerce(gateway):
    gateway.upstream.script = download(LARGE)
    for leave in ("close", "reset"):
        gateway.upstream.calls.clear()
        peers = [Peer(gateway.address).send(request("GET", "/accs/V1/export")) for _ in range(8)]
        for peer in peers:
            peer.read(b"\r\n\r\n")
        for peer in peers:
            peer.close() if leave == "close" else peer.leave()
        wait_for(lambda: len(gateway.calls) == 8 and all(call.gone.is_set() for call in gateway.calls),
                 5, "the end at the upstream")
        assert max(call.poured for call in gateway.calls) < LARGE
    wait_for(lambda: gateway.metric("gateway_requests_total", code="499") == 16)


def test_a_client_that_leaves_in_its_upload_ends_it_at_commerce(gateway):
    ended = threading.Event()

    def script(call):
        try:
            for _ in call.pieces():
                pass
        except ConnectionError:
            ended.set()
            raise
    gateway.upstream.script = script
    with Peer(gateway.address) as peer:
        peer.send(request("PUT", "/accs/V1/x", "Content-Length: 900000000", body=b"x" * 2 * MIB))
        gateway.wait_calls(4)
        peer.leave()
    assert ended.wait(5)


def test_commerce_that_leaves_ends_an_upload_with_an_answer_or_a_cut(gateway):
    def script(call):
        for piece in call.pieces():
            if len(piece) > 1:
                break
        call.reset()
    gateway.upstream.script = script
    with Peer(gateway.address) as peer:
        peer.send(request("PUT", "/accs/V1/x", "Content-Length: 40000000", body=b"x" * 40000000)).read()
    assert peer.bytes.startswith(b"HTTP/1.1 503 ") or peer.ended == "reset"
    assert gateway.wait_event("gateway.failed")["reason"]
    assert gateway.ask("PUT", "/V1/x", b"y").status == 503 and gateway.daemon.get("/readyz").status == 200
