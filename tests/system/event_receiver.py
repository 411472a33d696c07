# SPDX-License-Identifier: MIT
"""A small HTTP server that receives what the sandbox sends: event deliveries and webhooks.

What it answers is a function of the request, to be replaced at any time; what it got is kept, in
the order of coming, bytes as they were. Signatures are checked by the openssl program.
"""
import base64
import http.server
import json
import subprocess
import tempfile
import threading
import time
import urllib.parse


class Request:
    def __init__(self, handler, body):
        self.at = time.monotonic()
        self.method = handler.command
        self.path, _, query = handler.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


def accept(request):
    """Meets the challenge, takes every delivery."""
    if request.method == "GET":
        return 200, "text/plain", request.query["challenge"].encode()
    return 200, "text/plain", b""


def answer_posts(*statuses):
    """Meets the challenge, answers deliveries with these statuses, the last again and again."""
    left = list(statuses)
    lock = threading.Lock()

    def answer(request):
        if request.method == "GET":
            return accept(request)
        with lock:
            status = left.pop(0) if len(left) > 1 else left[0]
        return status, "text/plain", b""
    return answer


class Receiver:
    def __init__(self):
        receiver = self
        self.answer = accept
        self.keep_alive = True
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self, body)
                receiver.requests.append(request)
                status, content_type, text = receiver.answer(request)
                self.send_response(status)
                if content_type:
                    self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(text)))
                if not receiver.keep_alive:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = handle_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # the sandbox went away; what it got then is its own test's concern

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Nobody listens any more; connections that are kept alive stay."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    @property
    def deliveries(self):
        return [request for request in list(self.requests)
                if request.method == "POST" and b"validationUrl" not in request.body]

    def clear(self):
        self.requests.clear()


def verifies(pem, signature, signed_bytes):
    """Is it the base64 of an RSA signature (PKCS#1 v1.5, SHA-256) over the bytes, by this key?"""
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as sig:
        key.write(pem.encode())
        key.flush()
        sig.write(base64.b64decode(signature, validate=True))
        sig.flush()
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key.name, "-signature",
                               sig.name], input=signed_bytes, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0 or b"Verification failure" in done.stdout, done.stdout
    return done.returncode == 0
