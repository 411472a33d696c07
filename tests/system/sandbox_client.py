# SPDX-License-Identifier: MIT
"""Starts `backchannel sandbox` and speaks to its control routes, for the system tests.

One object is one process of its own, on a free port of loopback, with an environment in which no
credential of the developer's shows up. What a method returns is what the sandbox answered, parsed.
"""
import json
import os
import select
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

FIRST_LINE = "sandbox listening on "
START_SECONDS = 10
STOP_SECONDS = 10


def wait_for(condition, seconds=10.0, what="the condition"):
    """Asks until condition() is true and returns what it gave; fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.01)


class Sandbox:
    def __init__(self, faults=None, product=None, key=None, binary=None, listen="127.0.0.1:0"):
        self.binary = binary or os.environ["BACKCHANNEL_BIN"]
        self.arguments = [self.binary, "sandbox", "--listen", listen]
        if faults:
            self.arguments += ["--faults", faults]
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("SOVENDUS_", "IMS_", "BACKCHANNEL_"))}
        if product is not None:
            self.environment["SOVENDUS_PRODUCT_ID"] = product
        if key is not None:
            self.environment["SOVENDUS_API_KEY"] = key
        self.process = None
        self.base = None
        self.errors = None

    # --- the process -----------------------------------------------------------------------------

    def start(self):
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(self.arguments, env=self.environment, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line.startswith(FIRST_LINE):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the sandbox did not start: {line!r} {self.error_text()}")
        self.base = line[len(FIRST_LINE):].strip()
        return self

    def stop(self):
        """Ends it as a user would; returns its exit code."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the sandbox did not stop: {self.error_text()}") from None
        finally:
            self.process.stdout.close()
            self.process = None
        return code

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def host(self):
        return urllib.parse.urlsplit(self.base).hostname

    @property
    def port(self):
        return urllib.parse.urlsplit(self.base).port

    @property
    def sovendus(self):
        """What SOVENDUS_BASE_URL is to be."""
        return self.base + "/ext"

    # --- HTTP ------------------------------------------------------------------------------------

    def ask(self, method, path, body=None, content_type=None, timeout=10):
        """(status, headers, body as bytes); a redirect is an answer like any other."""
        request = urllib.request.Request(self.base + path, data=body, method=method)
        if content_type:
            request.add_header("Content-Type", content_type)
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read()

    def hand_back(self, token, product="P1", key="a-key", timeout=10):
        """What the daemon sends; (status, body as text)."""
        status, _, body = self.ask("POST", f"/ext/{product}/{token}/api",
                                   json.dumps({"apiKey": key}).encode(), "application/json",
                                   timeout)
        return status, body.decode()

    def control(self, method, path, body=None):
        """A control route's answer, which has to be a good one."""
        if isinstance(body, (dict, list)):
            status, _, text = self.ask(method, "/_sandbox" + path, json.dumps(body).encode(),
                                       "application/json")
        else:
            status, _, text = self.ask(method, "/_sandbox" + path,
                                       body.encode() if body is not None else None, "text/plain")
        assert status in (200, 204), f"{method} {path}: {status} {text.decode()}"
        return json.loads(text) if text else None

    # --- what it was asked -----------------------------------------------------------------------

    def requests(self, path=None, since=None):
        query = {name: value for name, value in (("path", path), ("since", since))
                 if value is not None}
        return self.control("GET", "/requests?" + urllib.parse.urlencode(query))["requests"]

    def clear_requests(self):
        self.control("DELETE", "/requests")

    def counts(self, token=None):
        query = "?" + urllib.parse.urlencode({"token": token}) if token is not None else ""
        return self.control("GET", "/counts" + query)

    def accepted(self, token):
        """How often this token was taken."""
        return self.counts(token)["tokens"].get(token, {}).get("accepted", 0)

    def clear_counts(self):
        self.control("DELETE", "/counts")

    def health(self):
        return self.control("GET", "/health")

    # --- how it is to behave ---------------------------------------------------------------------

    def set_faults(self, spec):
        """These rules instead of those in force."""
        return self.control("POST", "/faults", spec)["faults"]

    def faults(self):
        return self.control("GET", "/faults")["faults"]

    def clear_faults(self):
        self.control("DELETE", "/faults")

    def set_tokens(self, unknown=(), known=()):
        return self.control("POST", "/tokens", {"unknown": list(unknown), "known": list(known)})

    def set_products(self, products):
        """{id: key or None}: the only good ones from now on."""
        rows = [{"id": id_} if key is None else {"id": id_, "key": key}
                for id_, key in products.items()]
        return self.control("POST", "/products", {"products": rows})["products"]

    def reset(self):
        """Everything as at the start, without faults."""
        self.control("DELETE", "")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args, **_kwargs):
        return None
