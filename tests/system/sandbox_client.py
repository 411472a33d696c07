# SPDX-License-Identifier: MIT
"""Starts `backchannel sandbox` and speaks to its control routes, for the system tests.

One object is one process of its own, on a free port of loopback, with an environment in which no
credential of the developer's shows up. What a method returns is what the sandbox answered, parsed.
"""
import hashlib
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
    def __init__(self, faults=None, product=None, key=None, binary=None, listen="127.0.0.1:0",
                 client_id=None, secret=None, secret_next=None, org=None):
        self.binary = binary or os.environ["BACKCHANNEL_BIN"]
        self.arguments = [self.binary, "sandbox", "--listen", listen]
        if faults:
            self.arguments += ["--faults", faults]
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("SOVENDUS_", "IMS_", "BACKCHANNEL_"))}
        for name, value in (("SOVENDUS_PRODUCT_ID", product), ("SOVENDUS_API_KEY", key),
                            ("IMS_CLIENT_ID", client_id), ("IMS_CLIENT_SECRET", secret),
                            ("IMS_CLIENT_SECRET_NEXT", secret_next), ("IMS_ORG_ID", org)):
            if value is not None:
                self.environment[name] = value
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

    @property
    def ims(self):
        """What IMS_BASE_URL is to be."""
        return self.base

    def commerce(self, tenant="tenant"):
        """What API_ENDPOINT is to be; any tenant will do."""
        return f"{self.base}/{tenant}"

    # --- HTTP ------------------------------------------------------------------------------------

    def ask(self, method, path, body=None, content_type=None, timeout=30, headers=None):
        """(status, headers, body as bytes); a redirect is an answer like any other."""
        request = urllib.request.Request(self.base + path, data=body, method=method,
                                         headers=headers or {})
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

    def token(self, secret="a-secret", client_id="a-client", scope="openid,AdobeID", version=3,
              **more):
        """Asks IMS for a token; (status, answer parsed)."""
        fields = {"grant_type": "client_credentials", "client_id": client_id,
                  "client_secret": secret, "scope": scope, **more}
        body = urllib.parse.urlencode({k: v for k, v in fields.items() if v is not None})
        status, _, text = self.ask("POST", f"/ims/token/v{version}", body.encode(),
                                   "application/x-www-form-urlencoded")
        return status, json.loads(text)

    def call(self, method, path, token=None, body=None, headers=None, base="/tenant"):
        """Calls Commerce, path from "/V1" on; (status, answer parsed, or None without a body)."""
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        status, _, text = self.ask(method, base + path,
                                   json.dumps(body).encode() if body is not None else None,
                                   "application/json" if body is not None else None,
                                   headers=headers)
        return status, json.loads(text) if text else None

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

    def calls(self, route=None, answered=None, method=None):
        """How often a route was asked and answered so, since the start or clear_calls. route is
        as GET /_sandbox has it ("/V1/products/{sku}"); answered a status or a fault's name."""
        return sum(row["count"] for row in self.control("GET", "/calls")["calls"]
                   if (route is None or row["route"] == route)
                   and (answered is None or row["answered"] == answered)
                   and (method is None or row["method"] == method))

    def clear_calls(self):
        self.control("DELETE", "/calls")

    def ims_counts(self):
        """Token requests by result, secret (its fingerprint) and form."""
        return self.control("GET", "/ims/counts")

    def token_requests(self):
        """How many token requests came in, those included that a fault answered."""
        return self.ims_counts()["requests"]

    def clear_ims_counts(self):
        self.control("DELETE", "/ims/counts")

    def refusals(self):
        """How often Commerce refused a call: missing, unknown, expired, api_key, org, acl."""
        return self.control("GET", "/commerce")["refusals"]

    def comments(self, order=None):
        """The order comments that were posted, by entity_id if one is given."""
        query = f"?order={order}" if order is not None else ""
        return self.control("GET", "/commerce/comments" + query)["comments"]

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

    def set_ims(self, **settings):
        """client_id, org_id, secrets, scopes, lifetime ("1500ms"), expires_in ("absent"), opaque,
        granted; all that is in force then."""
        return self.control("POST", "/ims", settings)

    def ims_settings(self):
        return self.control("GET", "/ims")

    def reset_ims(self):
        """As at the start; every token is forgotten."""
        self.control("DELETE", "/ims")

    def add_secret(self, secret):
        return self.control("POST", "/ims/secrets", {"secret": secret})["secrets"]

    def delete_secret(self, secret):
        self.control("DELETE", "/ims/secrets/" + fingerprint(secret))

    def expire_tokens(self, token=None):
        """Every token issued so far is dead at once, or this one."""
        self.control("POST", "/ims/expire", {"token": token} if token is not None else None)

    def set_commerce(self, **settings):
        """tokens ("issued", "any", "none"), acl, repeat_last_page, page_size, page_size_max; all
        that is in force then."""
        return self.control("POST", "/commerce", settings)

    def reset_commerce(self):
        """As at the start, the data too."""
        self.control("DELETE", "/commerce")

    def reset(self):
        """Everything as at the start, without faults."""
        self.control("DELETE", "")


def fingerprint(secret):
    """How the sandbox and the logs name a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args, **_kwargs):
        return None
