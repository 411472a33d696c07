# SPDX-License-Identifier: MIT
"""A daemon in front of a scripted Commerce and a counting token endpoint (upstream.py), for the tests of
the gateway."""
import contextlib
import socket
import threading
import time

import wire
from daemon import Daemon
from sandbox_client import wait_for
from upstream import TokenEndpoint, Upstream

API_TOKEN = "api-token-of-the-shop"
ORG = "0A1B2C@AdobeOrg"


class Gateway:
    """settings: as Daemon has them; None takes one out. `upstream` and `tokens` may be shared."""

    def __init__(self, folder, upstream=None, tokens=None, **settings):
        self.upstream, self.tokens = upstream or Upstream(), tokens or TokenEndpoint()
        self.own = [part for part, given in ((self.upstream, upstream), (self.tokens, tokens)) if not given]
        for part in self.own:
            part.start()
        self.daemon = Daemon(folder, **{
            "IMS_CLIENT_ID": TokenEndpoint.CLIENT, "IMS_CLIENT_SECRET": "secret-1", "IMS_ORG_ID": ORG,
            "IMS_BASE_URL": self.tokens.base, "API_ENDPOINT": self.upstream.base, **settings})

    def start(self):
        self.daemon.start()
        return self

    def stop(self):
        """Stops all three; the daemon has to end well, and no script may have failed."""
        was_running = self.daemon.running
        try:
            code = self.daemon.stop()
        finally:
            for part in self.own:
                part.stop()
        assert not was_running or code == 0, f"exit {code}:\n{self.daemon.log_text()}"
        assert self.upstream.errors == []

    @property
    def address(self):
        return self.daemon.address

    @property
    def calls(self):
        return self.upstream.calls

    def ask(self, method, path, body=None, headers=None, timeout=20):
        """path: as Commerce would have it."""
        return self.daemon.ask(method, "/accs" + path, body, headers, timeout)

    def get(self, path="/V1/orders", **more):
        return self.ask("GET", path, **more)

    def seen(self, method, path, body=None, headers=None):
        """The request as the upstream got it: a Call."""
        answer = self.ask(method, path, body, headers)
        assert answer.status == 200, answer
        return self.calls[-1]

    def raw(self, data, seconds=10.0):
        """Bytes to the listener, read to the end; the Peer."""
        return wire.exchange(self.address, data, seconds)

    def at_once(self, count, method="GET", path="/V1/orders", body=None, **more):
        """So many calls, each on a thread and a connection of its own; what has come back stands in
        `answers` of the result as it comes, and all of it after the with block."""
        return _AtOnce(self, count, method, path, body, more)

    def wait_calls(self, count, seconds=15.0):
        wait_for(lambda: len(self.calls) >= count, seconds, f"{count} requests at the upstream")

    def wait_event(self, event, seconds=5.0, **fields):
        """The log's newest such line; a line of a call is written when its answer is gone already."""
        def there():
            found = [row for row in self.daemon.events(event)
                     if all(row.get(name) == value for name, value in fields.items())]
            return found[-1] if found else None
        return wait_for(there, seconds, f"{event} {fields}")

    def token(self):
        return self.daemon.get("/v1/token").json

    def wait_token(self, *states, seconds=15.0):
        return wait_for(lambda: self.token()["state"] in states and self.token(), seconds,
                        f"the token to be {' or '.join(states)}")

    def metric(self, name, **labels):
        """A counter's or gauge's value; 0 when it is not there."""
        for line in self.daemon.get("/metrics").text.splitlines():
            head, _, value = line.rpartition(" ")
            if head.partition("{")[0] == "backchannel_" + name and all(
                    f'{key}="{wanted}"' in head for key, wanted in labels.items()):
                return float(value)
        return 0.0

    def reload(self):
        """SIGHUP, to its end; the event that tells of it."""
        return self.daemon.reload()


class _AtOnce:
    def __init__(self, gateway, count, method, path, body, more):
        self.answers, self.took, self.errors = [], [], []
        self.ask = lambda: gateway.ask(method, path, body, **more)
        self.threads = [threading.Thread(target=self._run) for _ in range(count)]

    def _run(self):
        began = time.monotonic()
        try:
            self.answers.append(self.ask())
            self.took.append(time.monotonic() - began)
        except Exception as error:  # pylint: disable=broad-except  # for the block's end
            self.errors.append(error)

    @property
    def statuses(self):
        return sorted(answer.status for answer in self.answers)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        for thread in self.threads:
            thread.join()
        if kind is None:
            assert self.errors == []


def request(method, target, *fields, body=b"", host="localhost"):
    """Bytes of a request; fields are whole lines."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Reader:
    """One call on a socket of its own, whose answer is read by the test's hand."""

    def __init__(self, address, data, receive_bytes=None, seconds=20.0):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(seconds)
        self.socket.connect(wire.split_address(address))
        self.socket.sendall(data)
        self.rest = b""

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            data = self.socket.recv(65536)
            assert data, f"no head, but the end, after {self.rest!r}"
            self.rest += data
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()
