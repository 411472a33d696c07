# SPDX-License-Identifier: MIT
"""What Adobe does, made anew for the tests: signs with the openssl program, serves the public keys,
sends deliveries and webhooks. Nothing of it is shared with the sandbox's sender or with the daemon.
"""
import base64
import functools
import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
import uuid

import wire

SAMPLES = pathlib.Path(__file__).resolve().parents[1] / "samples"
CLIENT = "3c1f0a9be2d74c5f8a6b7d0e9f112233"
COMMIT = "com.adobe.commerce.observer.sales_order_save_commit_after"
EVENTS, WEBHOOK = "/v1/events/adobe", "/v1/webhooks/commerce"
KEYS = "/prod/keys/"


def sample(name):
    return json.loads((SAMPLES / f"adobe-{name}.json").read_text(encoding="utf-8"))


class Key:
    """An RSA pair. path: where its public half is served."""

    def __init__(self, name=None, bits=2048):
        self.path = f"{KEYS}pub-key-{name or uuid.uuid4()}.pem"
        private = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt",
                                  f"rsa_keygen_bits:{bits}"], capture_output=True, check=True)
        self._file = tempfile.NamedTemporaryFile(suffix=".pem")  # as long as the key
        self._file.write(private.stdout)
        self._file.flush()
        self.pem = subprocess.run(["openssl", "pkey", "-pubout"], input=private.stdout,
                                  capture_output=True, check=True).stdout.decode()

    def sign(self, text, digest="sha256"):
        """In base64."""
        made = subprocess.run(["openssl", "dgst", f"-{digest}", "-sign", self._file.name],
                              input=text, capture_output=True, check=True)
        return base64.b64encode(made.stdout).decode()


@functools.cache
def key(name):
    """One of a few pairs that all tests share: making one takes a while."""
    return Key(f"0b7d1f9e-0000-4a4a-8b8b-{name}")


class KeyHost:
    """Serves keys by their paths and counts who asks. It can be down, slow, or wrong."""

    def __init__(self, *keys):
        host = self
        self.keys = {k.path: k.pem for k in keys}
        self.asked = []
        self.status = None  # instead of what is right
        self.gate = threading.Event()
        self.gate.set()
        self.port = 0
        self.server = None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                host.asked.append(self.path)
                host.gate.wait(20)
                pem = host.keys.get(self.path)
                status = host.status or (200 if pem else 404)
                body = (pem if status == 200 else "<html>no such key</html>").encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.handler = Handler

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def count(self, path=None):
        return len([asked for asked in self.asked if path in (None, asked)])

    def start(self):
        """On the port it had, if it was up before."""
        server = type("Server", (http.server.ThreadingHTTPServer,),
                      {"request_queue_size": 256, "daemon_threads": True})
        self.server = server(("127.0.0.1", self.port), self.handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.gate.set()
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


# --- what is sent --------------------------------------------------------------------------------

def event(client=CLIENT, kind=COMMIT, order="value", **value):
    """An envelope about an order of these fields; both spellings of ids, as on the wire."""
    name = str(uuid.uuid4())
    return {"specversion": "1.0", "id": str(uuid.uuid4()), "type": kind, "eventid": name,
            "event_id": name, "recipientclientid": client, "recipient_client_id": client,
            "data": {"key": str(uuid.uuid4()), "value": {"state": "new", **value},
                     "source": "mystore.prod", "_metadata": {"storeId": "1"}}}


def click_of(value, code="bc_click"):
    return [{"attribute_code": code, "value": value}]


def encoded(content):
    if isinstance(content, bytes):
        return content
    return json.dumps(content, separators=(",", ":")).encode()


def signatures(body, first=None, second=None):
    """The four headers, of the keys that are given."""
    headers = {}
    for n, signer in ((1, first), (2, second)):
        if signer:
            headers[f"x-adobe-digital-signature-{n}"] = signer.sign(body)
            headers[f"x-adobe-public-key{n}-path"] = signer.path
    return headers


def deliver(edge, content, first=None, second=None, headers=None, timeout=20):
    """Posts an event or a list of them as Adobe does. headers: instead of the signatures."""
    body = encoded(content)
    if headers is None:
        headers = signatures(body, first, second)
    return wire.ask(edge, "POST", EVENTS, body,
                    {"Content-Type": "application/json", "User-Agent": "Adobe/1.0",
                     "x-adobe-event-id": str(uuid.uuid4()), **headers}, timeout)


def webhook_signature(body, signer):
    return signer.sign(base64.b64encode(body))


def call_webhook(edge, content, signer=None, headers=None, timeout=20):
    """Posts a webhook as Commerce does. headers: instead of the signature."""
    body = encoded(content)
    if headers is None:
        headers = {"x-adobe-commerce-webhook-signature": webhook_signature(body, signer)}
    return wire.ask(edge, "POST", WEBHOOK, body,
                    {"Content-Type": "application/json",
                     "x-adobe-commerce-request-id": str(uuid.uuid4()), **headers}, timeout)
