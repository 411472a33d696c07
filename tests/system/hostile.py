# SPDX-License-Identifier: MIT
"""Makes hostile requests and datagrams, as many as it is told, and looks at what comes back: never a
5xx, never an answer too many or too few, never an end that does not come. Runs as a program beside the
test, so that several make them at once:

    hostile.py EDGE-ADDRESS DATAGRAM-SOCKET SEED REQUESTS DATAGRAMS

Prints one JSON object: what was sent, what was answered, and what should not have happened.
"""
import collections
import contextlib
import json
import os
import random
import socket
import struct
import sys

import wire

PIPELINE = 50
TENTH = 0.1  # of the requests are none: each costs its connection

WORDS = ["", "sovReqToken", "=", "&", "?", "#", "%", "%0d%0a", "%00", "%ff", "+", ";", "/", "../", "c.", "t.",
         "a" * 300, "a" * 4000, "\u00e4", "'", "\\", "<script>", "{", "}", "\"", "null", "-", "0", "127.0.0.1",
         "::1", "https://shop.example/", "bc_click=", "\t", "%2e%2e%2f", "SELECT", "${jndi:x}"]
READING = ["/v1/c", "/v1/events/adobe", "/v1/webhooks/commerce"]  # their bodies are read, others' are not
PATHS = READING + ["/v1/c"] * 6 + ["/capture.js", "/v1/orders", "/metrics",
         "/", "//", "/v1/c/", "/%2fv1/c", "*"]
METHODS = ["GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]
NAMES = ["Cookie", "Referer", "X-Forwarded-For", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Content-Type", "Origin",
         "Authorization", "x-adobe-signature", "x-adobe-digital-signature-1", "x-adobe-public-key1-path",
         "If-None-Match", "X-Request-Id", "Accept", "User-Agent", "X-A"]
BROKEN_HEADS = [b"", b"\r\n", b"\0" * 100, b"\x16\x03\x01\x02\x00\x01", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/9.9",
                b"GET /v1/c HTTP/1.1\r\nHost: a\r\nHost: b", b"GET /v1/c HTTP/1.1\r\n: x",
                b"GET /v1/c HTTP/1.1\r\nHost: x\r\n folded", b"GET /v1/c HTTP/1.1\r\nHost x",
                b"POST /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: -1",
                b"POST /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999",
                b"POST /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
                b"POST /v1/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
                b"POST /v1/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxxx\r\n",
                b"POST /v1/events/adobe HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000",
                b"POST /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"u=" * 2500,
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /v1/c HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20000,
                b"GET /" + b"a" * 20000, b"CONNECT x:1 HTTP/1.1\r\nHost: x", b"get /v1/c HTTP/1.1\r\nhost: x"]
FIELDS = ["v", "t", "click", "tok", "uri", "host", "sess", "newsess", "more", ""]
PREFIXES = ["", "bc: ", "<190>Nov 21 23:17:43 bc: ", "<", "x" * 600, "\n", "\0"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def words(self, most=6):
        return "".join(self.random.choices(WORDS, k=self.random.randrange(most)))

    def visitor(self):
        r = self.random
        return r.choice([f"10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(256)}",
                         f"2001:db8:{r.randrange(65536):x}::{r.randrange(65536):x}", self.words(3)])

    def header_value(self, name):
        text = self.visitor() if name == "X-Forwarded-For" else self.words(4)
        return "".join(c for c in text if c >= " ")[:3000]

    def request(self, last):
        """One that is HTTP, whatever it says; and whether an answer ends the connection."""
        r = self.random
        method, path = r.choice(METHODS), r.choice(PATHS)
        body = self.words().encode()[:1500] if method == "POST" and path in READING else b""
        if path == "*":
            method = "OPTIONS"
        else:
            query = "".join(c if c > " " and c not in "#\u00e4" else "+" for c in self.words(4))[:6000]
            path += "?u=" + query if r.random() < 0.7 else ""
        names = r.sample(NAMES, r.randrange(5))
        lines = [f"{method} {path} HTTP/1.1", "Host: " + r.choice(["x", "shop.example", "127.0.0.1"])]
        lines += [f"{name}: {self.header_value(name)}" for name in names]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        if last:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def broken(self):
        """Bytes that are no request, or half of one."""
        r = self.random
        if r.random() < 0.6:
            made = r.choice(BROKEN_HEADS) + r.choice([b"", b"\r\n\r\n", b"\n\n"])
        elif r.random() < 0.5:
            made = bytes(r.getrandbits(8) for _ in range(r.randrange(1, 400)))
        else:
            made = bytearray(self.request(True))
            for _ in range(r.randrange(1, 6)):
                made[r.randrange(len(made))] = r.getrandbits(8)
            made = bytes(made[:r.randrange(1, len(made) + 1)])
        return made

    def value(self, depth=0):
        r = self.random
        made = r.choice([lambda: self.words(), lambda: r.randrange(-5, 5), lambda: r.random() * 1e300,
                         lambda: None, lambda: True, lambda: "%032x" % r.getrandbits(128),
                         lambda: [self.value(depth + 1)] if depth < 4 else [],
                         lambda: {self.words(2): self.value(depth + 1)} if depth < 4 else {}])
        return made()

    def datagram(self):
        """Never a click: what could name one has no token."""
        r = self.random
        line = json.dumps({name: self.value() for name in r.sample(FIELDS, r.randrange(len(FIELDS)))
                           if name not in ("tok", "uri")}, ensure_ascii=r.random() < 0.5)
        data = (r.choice(PREFIXES) + line).encode()
        if r.random() < 0.5:
            data = bytearray(data)
            for _ in range(r.randrange(1, 8)):
                data[r.randrange(len(data))] = r.getrandbits(8)
        elif r.random() < 0.2:
            data = bytes(r.getrandbits(8) for _ in range(r.randrange(300)))
        elif r.random() < 0.02:
            data += b"x" * 20000
        return bytes(data)


class Sender:
    def __init__(self, edge, inbox, seed):
        self.edge, self.inbox, self.maker = edge, inbox, Maker(seed)
        self.statuses = collections.Counter()
        self.odd = []
        self.requests = self.datagrams = 0

    def note_odd(self, what, detail):
        if len(self.odd) < 20:
            self.odd.append(f"{what}: {detail!r}"[:600])

    def read_all(self, sock):
        """All that comes until the other side closes."""
        parts = []
        try:
            while True:
                part = sock.recv(1 << 16)
                if not part:
                    break
                parts.append(part)
        except ConnectionResetError:
            pass
        except TimeoutError:
            return None
        return b"".join(parts)

    def count(self, data):
        """The statuses of whole heads in it, in order."""
        found = [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]
        self.statuses.update(found)
        return found

    def pipeline(self, made):
        """Sends them on one connection; how many were dealt with: one that is refused as HTTP ends the
        connection, and those behind it have to come again."""
        with socket.create_connection(wire.split_address(self.edge), timeout=60) as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(b"".join(made))
            data = self.read_all(sock)
        if data is None:
            self.note_odd("no end", made)
            return len(made)
        found = self.count(data)
        if len(found) > len(made) or any(status >= 500 and status != 501 for status in found):
            self.note_odd("odd answers", found)
        self.requests += max(len(found), 1)
        return max(len(found), 1)

    def breakage(self):
        data = self.maker.broken()
        self.requests += 1
        with socket.create_connection(wire.split_address(self.edge), timeout=60) as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(data)
            manner = self.maker.random.random()
            if manner < 0.3:  # leaves at once
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
            got = self.read_all(sock)
        if got is None:
            self.note_odd("no end", data)
        elif any(status >= 500 and status != 501 for status in self.count(got)):
            self.note_odd("odd answer", got)

    def run(self, requests, datagrams):
        inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        inbox.connect(self.inbox)
        while self.requests < requests or self.datagrams < datagrams:
            if self.requests < requests:
                made = [self.maker.request(n == PIPELINE - 1) for n in range(PIPELINE)]
                while made:
                    made = made[self.pipeline(made):]
                for _ in range(int(PIPELINE * TENTH)):
                    self.breakage()
            for _ in range(min(PIPELINE, datagrams - self.datagrams)):
                inbox.send(self.maker.datagram())
                self.datagrams += 1


def main():
    edge, inbox, seed, requests, datagrams = sys.argv[1:]
    sender = Sender(edge, inbox, int(seed))
    sender.run(int(requests), int(datagrams))
    print(json.dumps({"pid": os.getpid(), "requests": sender.requests, "datagrams": sender.datagrams,
                      "statuses": sender.statuses, "odd": sender.odd}))


if __name__ == "__main__":
    main()
