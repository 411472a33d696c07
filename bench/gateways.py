# SPDX-License-Identifier: MIT
"""The gateway and its peers: each takes a program's call, puts our access token in and asks the upstream
over a kept connection. Measured at full load, and at a steady rate, where latency says something.

The upstream is nginx with one small product, beside the load generator: a stand-in with more to do
would be what is measured. It refuses who has no token, and what is refused is no figure.
"""
import json
import shutil
import subprocess
import urllib.parse

import load
import machine
from servers import (Backchannel, NginxReturn, Process, Sandbox, Site, Trouble, answers_200, ask, fill,
                     free_port, wait_for)
from scenarios import emptied, measured

SKU = "MUG-BLUE"
PREFIX, BASE = "/accs", "/tenant"  # of our paths and of the upstream's
CALL = f"/V1/products/{SKU}"
CLIENT, SECRET, ORG = "client-1", "secret-1", "0A1B@AdobeOrg"
MODES = ("plain", "tls")
RATE = 10000
RATE_CONNECTIONS = 64
REACHED = 0.98  # of that rate; below, the latencies are those of a queue that grows
CERTIFICATE_DAYS = 2


# --- the other side ------------------------------------------------------------------------------

class Upstream:
    """Commerce's stand-in, and the token endpoint (of the sandbox): both on the load generator's
    processor."""

    def __init__(self, plan, folder):
        self.plan, self.folder = plan, folder
        self.ports = {"plain": free_port(), "tls": free_port()}
        self.certificate = folder / "certificate.pem"

    def make_certificate(self):
        done = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", str(CERTIFICATE_DAYS), "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.folder / "key.pem", "-out",
             self.certificate], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Trouble(f"openssl made no certificate: {done.stderr[-500:]}")

    def borrow(self):
        """A token as long as real ones, and a product, both from the sandbox."""
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": CLIENT,
                                       "client_secret": SECRET}).encode()
        self.token = json.loads(ask(self.sandbox.base + "/ims/token/v3", form))["access_token"]
        product = ask(self.sandbox.base + BASE + CALL, headers={"Authorization": f"Bearer {self.token}"})
        self.product = product.decode().replace("\\", "\\\\").replace("'", "\\'")  # as nginx quotes

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.make_certificate()
        self.sandbox = Sandbox(self.plan, self.folder / "sandbox").__enter__()
        self.process = None
        try:
            self.borrow()
            conf = fill(self.folder, "nginx/upstream.conf", port=self.ports["plain"],
                        tls_port=self.ports["tls"], path=BASE + CALL, product=self.product)
            self.process = Process("upstream", ["nginx", "-e", self.folder / "nginx.log", "-c", conf],
                                   self.folder, self.plan.load_core)
            wait_for(self.is_ready, "the upstream")
        except BaseException:
            self.__exit__()
            raise
        return self

    def is_ready(self):
        self.process.check()
        return answers_200(self.ports["plain"])

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
        self.sandbox.__exit__()

    def base(self, mode):
        """By its name: that is what the certificate is for."""
        return f"{'https' if mode == 'tls' else 'http'}://localhost:{self.ports[mode]}{BASE}"


# --- the gateways --------------------------------------------------------------------------------

class Gateway:
    """What they share: the upstream, and which of its doors they use."""

    def behind(self, upstream, mode):
        self.upstream, self.mode = upstream, mode
        return self

    def values(self):
        up = self.upstream
        return {"port": self.port, "upstream_port": up.ports[self.mode], "base": BASE, "token": up.token,
                "client": CLIENT, "org": ORG, "certificate": up.certificate,
                "scheme": "https" if self.mode == "tls" else "http"}

    @property
    def url(self):
        return super().url + PREFIX + CALL

    def lines(self):
        """Header lines that the caller has to send."""
        return ()


class OurGateway(Gateway, Backchannel):
    """As it is delivered, with a line in the log for each call."""

    def behind(self, upstream, mode):
        self.settings.update(IMS_BASE_URL=upstream.sandbox.base, IMS_CLIENT_ID=CLIENT,
                             IMS_CLIENT_SECRET=SECRET, IMS_ORG_ID=ORG, API_ENDPOINT=upstream.base(mode))
        if mode == "tls":
            self.settings["BACKCHANNEL_COMMERCE_CA_FILE"] = str(upstream.certificate)
        return super().behind(upstream, mode)


class NginxGateway(Gateway, NginxReturn):
    key, title = "nginx-proxy", "nginx `proxy_pass`"

    def launch(self):
        self.nginx("gateway.conf", **self.values())


class Haproxy(Gateway, Site):
    key, title = "haproxy", "haproxy"
    needs = ("haproxy",)

    def launch(self):
        tls = (f"ssl verify required ca-file {self.upstream.certificate} sni str(localhost) "
               "verifyhost localhost") if self.mode == "tls" else ""
        self.run("haproxy", ["haproxy", "-db", "-f",
                             fill(self.folder, "haproxy/gateway.cfg", tls=tls, **self.values())])


class NodeProxy(Gateway, Site):
    key, title, node = "http-proxy", "Node `http-proxy`", True
    needs = ("node",)
    connections = "kept"

    @classmethod
    def missing(cls, plan):
        why = super().missing(plan)
        if not why and not (plan.modules / "http-proxy").is_dir():
            why = f"{plan.modules / 'http-proxy'} is not there (bench/run --setup)"
        return why

    def launch(self):
        self.run("node", ["node", self.plan.node_folder / "proxy.mjs", self.port,
                          self.upstream.base(self.mode), self.upstream.certificate, self.upstream.token,
                          CLIENT, ORG, self.connections], NODE_ENV="production")


class NodeProxyDefault(NodeProxy):
    key, title = "http-proxy-default", "Node `http-proxy` without an agent, as its page shows it"
    connections = "default"


class Direct(Gateway, Site):
    """No gateway: what the upstream and the way there take. The load generator brings the token."""
    key, title = "direct", "no gateway"

    @property
    def url(self):
        return self.upstream.base(self.mode) + CALL

    def lines(self):
        return (f"Authorization: Bearer {self.upstream.token}", f"x-api-key: {CLIENT}")


SITES = (OurGateway, NginxGateway, Haproxy, NodeProxy, NodeProxyDefault)
UPSTREAM_NEEDS = ("nginx", "openssl")


def missing(plan):
    """Why none of it can be measured here; None if it can."""
    lacking = [need for need in UPSTREAM_NEEDS if not shutil.which(need)]
    return f"{lacking[0]} is not installed (tools/deps --bench)" if lacking else None


# --- measuring -----------------------------------------------------------------------------------

def paced(plan, site):
    """At RATE requests a second, or as near as the site comes to it."""
    def at_rate(seconds):
        return load.run(site, "products", RATE_CONNECTIONS, 0, seconds, plan.requests, RATE, site.lines())
    at_rate(plan.warmup)
    got = at_rate(plan.seconds)
    return {"paced_rate": got["rate"], "paced_p50_us": got["p50_us"], "paced_p99_us": got["p99_us"]}


def calls(plan, kind, upstream, mode, connections):
    site = kind(plan, emptied(plan.work / "gateway" / kind.key)).behind(upstream, mode)
    with site.start():
        load.run(site, "products", connections, 0, plan.warmup, plan.requests)
        core = machine.Core(plan.load_core)
        got = measured(plan, site, "products", connections, 0)
        got["load_busy"], got["kept"] = core.shares()[0], None
        got.update(paced(plan, site))
    return got


def direct(plan, upstream, mode):
    folder = emptied(plan.work / "gateway" / Direct.key)
    got = paced(plan, Direct(plan, folder).behind(upstream, mode))
    return {"rate": got["paced_rate"], **got}
