# SPDX-License-Identifier: MIT
"""HTTP for the system tests: whole requests for what is ordinary, raw sockets for what no client
library would send. Neither follows redirects, honours proxies or repeats anything by itself."""
import collections
import http.client
import itertools
import json
import selectors
import socket
import struct

JSON = "application/json"
PROBLEM = "application/problem+json"


class Answer:
    """What came back. `json` is the parsed body, None where there is none or it is no JSON."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body
        self.text = body.decode("utf-8", "replace")

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def problem(self):
        """The problem's short type, such as "bad-token"; fails if it is not a proper one."""
        assert self.headers.get("content-type") == PROBLEM, self
        found = self.json
        assert found["status"] == self.status and found["title"] and found["detail"], self
        prefix = "urn:backchannel:"
        assert found["type"].startswith(prefix), self
        return found["type"][len(prefix):]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.text}>"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def split_address(address):
    """"127.0.0.1:80" or "[::1]:80" as (host, port)."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def connection(address, timeout=20):
    if address.startswith("unix:"):
        return _UnixConnection(address[len("unix:"):], timeout)
    host, port = split_address(address)
    return http.client.HTTPConnection(host, port, timeout=timeout)


def send(conn, method, path, body=None, headers=None):
    """One request on a connection that stays open. A dict or list becomes JSON."""
    sent = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    if body is not None and not any(name.lower() == "content-type" for name in sent):
        sent["Content-Type"] = JSON
    conn.request(method, path, body=body, headers=sent)
    got = conn.getresponse()
    return Answer(got.status, got.getheaders(), got.read())


def ask(address, method, path, body=None, headers=None, timeout=20):
    """One request on a connection of its own."""
    conn = connection(address, timeout)
    try:
        return send(conn, method, path, body, headers)
    finally:
        conn.close()


class Peer:
    """One connection, bytes as they come. `ended` is "eof", "reset" or, when the time was up,
    "open"."""

    def __init__(self, address, seconds=10.0):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(seconds)
            self.socket.connect(address[len("unix:"):])
        else:
            self.socket = socket.create_connection(split_address(address), timeout=seconds)
        self.bytes = b""
        self.ended = "open"

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer says why, or the end does
        return self

    def read(self, until=None):
        """Reads to the end, or until these bytes have come."""
        try:
            while until is None or until not in self.bytes:
                chunk = self.socket.recv(65536)
                if not chunk:
                    self.ended = "eof"
                    break
                self.bytes += chunk
        except ConnectionResetError:
            self.ended = "reset"
        except TimeoutError:
            pass
        return self

    def answers(self):
        """Every whole answer read so far."""
        found, rest = [], self.bytes
        while rest:
            answer, rest = take_answer(rest)
            if answer is None:
                break
            found.append(answer)
        return found

    def close(self):
        self.socket.close()

    def leave(self):
        """Closes with a reset, as a process that dies with unread bytes does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def take_answer(data):
    """(the first answer or None, what follows it)."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None, data
    lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
    status = int(lines[0].split()[1])
    length = 0
    for name, value in headers:
        if name.lower() == "content-length":
            length = int(value)
    if len(rest) < length:
        return None, data
    return Answer(status, headers, rest[:length]), rest[length:]


def exchange(address, data, seconds=10.0):
    """Sends bytes, reads until the other side closes; the peer, closed."""
    with Peer(address, seconds) as peer:
        return peer.send(data).read()


class _Poured:
    """One connection of pour: so many requests ahead of their answers."""

    def __init__(self, address, window, seconds):
        self.socket = socket.create_connection(split_address(address), timeout=seconds)
        self.rest, self.ahead, self.window = b"", 0, window

    def fill(self, waiting):
        batch = list(itertools.islice(waiting, self.window - self.ahead))
        self.ahead += len(batch)
        self.socket.sendall(b"".join(batch))
        return self.ahead > 0

    def answers(self):
        data = self.socket.recv(1 << 16)
        assert data, "the connection was closed under way"
        self.rest += data
        while self.rest:
            answer, self.rest = take_answer(self.rest)
            if answer is None:
                break
            self.ahead -= 1
            yield answer


def pour(address, requests, connections=48, window=8, seconds=60):
    """Sends whole requests (bytes) as fast as they are answered, a few ahead on each of many
    connections; {status: how many}."""
    waiting, counts = iter(requests), collections.Counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            one = _Poured(address, window, seconds)
            if one.fill(waiting):
                selector.register(one.socket, selectors.EVENT_READ, one)
            else:
                one.socket.close()
        while selector.get_map():
            ready = selector.select(seconds)
            assert ready, f"no answer within {seconds} s"
            for one in [key.data for key, _ in ready]:
                counts.update(answer.status for answer in one.answers())
                if not one.fill(waiting):
                    selector.unregister(one.socket)
                    one.socket.close()
    return counts
