# SPDX-License-Identifier: MIT
"""What stands behind the gateway in its tests: a Commerce that is a script, byte by byte, and a token
endpoint that counts. For what the sandbox cannot do: ambiguous framing, answers that break off, exact
bytes, bodies of any size.

Both know nothing of backchannel's code. Each connection is a thread; a script that fails is told at
the end of the test (`errors`).
"""
import base64
import contextlib
import http.server
import json
import socket
import struct
import threading
import time
import urllib.parse

CHUNK = b"\0" * (256 * 1024)
WAIT_SECONDS = 20.0


def answer_bytes(status=200, body=b"", headers=(), length=None):
    """A whole answer. length: what is said instead of the body's; False: nothing is said of it."""
    lines = [f"HTTP/1.1 {status} Any Reason", *headers]
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Call:
    """One request that reached the upstream."""

    def __init__(self, connection, number, head):
        self.connection, self.connection_number = connection, number
        self.at = time.monotonic()
        self.head = head
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
        self.rest = b""
        self.body = None
        self.poured = 0
        self.over = False  # the connection is not used again
        self.gone = threading.Event()  # the other side has closed it, or was seen to

    @property
    def path(self):
        return self.target.partition("?")[0]

    def field(self, name):
        """The one value, None without; twice the same field is an error of whoever sent it."""
        found = self.all(name)
        assert len(found) <= 1, self.fields
        return found[0] if found else None

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def token(self):
        return (self.field("authorization") or "").removeprefix("Bearer ")

    # --- its body --------------------------------------------------------------------------------

    def _more(self, most=1 << 18):
        data = self.connection.recv(most)
        if not data:
            self.gone.set()
            raise ConnectionResetError("the other side left")
        return data

    def _line(self):
        while b"\r\n" not in self.rest:
            self.rest += self._more()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def _take(self, length):
        while length:
            data = self.rest[:length] if self.rest else self._more(min(length, 1 << 18))
            self.rest = self.rest[len(data):]
            length -= len(data)
            yield data

    def pieces(self):
        """The body as it comes, without its coding."""
        if self.field("transfer-encoding"):
            while size := int(self._line(), 16):
                yield from self._take(size)
                self._line()
            while self._line():
                pass
        else:
            yield from self._take(int(self.field("content-length") or 0))

    def read(self):
        if self.body is None:
            self.body = b"".join(self.pieces())
        return self.body

    # --- its answer ------------------------------------------------------------------------------

    def send(self, data):
        self.connection.sendall(data)

    def answer(self, status=200, body=b"", headers=(), **more):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = [*headers, "Content-Type: application/json"]
        self.send(answer_bytes(status, body if self.method != "HEAD" else b"", headers,
                               **({"length": len(body), **more} if self.method == "HEAD" else more)))

    def pour(self, bytes_in_all):
        """So many zeros. `poured` counts them; they are fewer when the other side leaves."""
        try:
            while self.poured < bytes_in_all:
                self.poured += self.connection.send(CHUNK[:bytes_in_all - self.poured])
        except OSError:
            self.gone.set()
            self.over = True

    def wait_gone(self, seconds=WAIT_SECONDS):
        """Until the other side has closed the connection."""
        self.connection.settimeout(seconds)
        with contextlib.suppress(ConnectionError):
            while self.connection.recv(65536):
                pass
        self.gone.set()
        self.over = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True


def echo(call):
    """What came, as the upstream saw it."""
    call.answer(200, {"method": call.method, "target": call.target, "fields": call.fields,
                      "body": call.read().decode("latin-1")})


class _Listener:
    """Threads that serve connections; a with block."""

    def __init__(self):
        self.lock = threading.Lock()
        self.errors = []
        self.open, self.threads = set(), []
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]
        self.connections = 0

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection, number):
        try:
            self.serve(connection, number)
        except (ConnectionError, TimeoutError):
            pass  # the other side left; whoever wants to know has asked
        except Exception as error:  # pylint: disable=broad-except  # for the test's end
            self.errors.append(error)
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    def serve(self, connection, number):
        raise NotImplementedError

    def stop(self):
        self.socket.close()
        with self.lock:
            left = list(self.open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Upstream(_Listener):
    """Commerce, as `script(call)` has it: from the test's side another function for each test, `echo`
    without one. `calls` are the requests in the order they came."""

    BASE = "/tenant-1"

    def __init__(self):
        super().__init__()
        self.script = echo
        self.calls = []

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}{self.BASE}"

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def reset(self):
        self.script = echo
        self.calls = []

    def answers(self, *scripts):
        """The nth request gets the nth of these (an int is a status), the last one for ever."""
        numbers = iter(range(len(scripts) - 1))

        def script(call):
            with self.lock:
                chosen = scripts[next(numbers, len(scripts) - 1)]
            if isinstance(chosen, int):
                call.read()
                call.answer(chosen, {"message": f"status {chosen}"})
            else:
                chosen(call)
        self.script = script

    def serve(self, connection, number):
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                data = connection.recv(1 << 16)
                if not data:
                    return
                rest += data
            head, _, rest = rest.partition(b"\r\n\r\n")
            call = Call(connection, number, head)
            call.rest = rest
            with self.lock:
                self.calls.append(call)
            self.script(call)
            if call.over:
                return
            call.read()
            rest = call.rest


class TokenEndpoint:
    """OAuth client credentials at /ims/token/v3. Tokens are "token-1", "token-2", ... and counted;
    `script(n)` may answer the nth request in another way: (status, body, headers), or None."""

    CLIENT = "client-1"

    def __init__(self):
        self.requests = []  # (when, client id, secret)
        self.issued = {}  # token: the secret it was given for
        self.secrets = {"secret-1"}
        self.life = 86400
        self.delay = 0.0
        self.script = None
        self.name = "token"
        self.hold = threading.Event()
        self.hold.set()
        self.lock = threading.Lock()
        self.server = None

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def count(self):
        return len(self.requests)

    def since(self, moment):
        return [row for row in list(self.requests) if row[0] >= moment]

    def reset(self):
        self.secrets, self.life, self.delay, self.script = {"secret-1"}, 86400, 0.0, None
        self.hold.set()

    def _who(self, headers, form):
        client, secret = form.get("client_id", [""])[0], form.get("client_secret", [""])[0]
        basic = headers.get("Authorization", "")
        if basic.startswith("Basic "):
            parts = base64.b64decode(basic[6:]).decode().split(":")
            client, secret = (urllib.parse.unquote_plus(part) for part in parts)
        return client, secret

    def grant(self, headers, body):
        """(status, body, headers) of one request."""
        form = urllib.parse.parse_qs(body.decode())
        client, secret = self._who(headers, form)
        with self.lock:
            self.requests.append((time.monotonic(), client, secret))
            number = len(self.requests)
        self.hold.wait(WAIT_SECONDS)
        time.sleep(self.delay)
        scripted = self.script(number) if self.script else None
        if scripted:
            return scripted
        if client != self.CLIENT or secret not in self.secrets:
            return 400, {"error": "invalid_client", "error_description": "invalid client_secret parameter"}, {}
        token = f"{self.name}-{number}"
        self.issued[token] = secret
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": self.life}, {}

    def start(self):
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer, headers = endpoint.grant(self.headers, body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    for name, value in {"Content-Type": "application/json", **headers}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()
        return self

    def stop(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
