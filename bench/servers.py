# SPDX-License-Identifier: MIT
"""The processes that are measured, and the partner they hand tokens to.

A Site is one way to keep clicks and orders: its processes, all on one processor, and a way to count,
after every process was killed with SIGKILL, what is on its disk. Every site is started with an empty
folder of its own. Who starts a process here also ends it, by its own number.
"""
import contextlib
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import string
import subprocess
import time
import urllib.request

import machine

HERE = pathlib.Path(__file__).resolve().parent
NGINX_MODULES = "/usr/lib/nginx/modules"
PRODUCT = "9bc72425-902c-3abf-9db8-8b186d7cb160"
KEY = "example-key-000"
START_SECONDS = 20
STOP_SECONDS = 30
POLL_SECONDS = 0.0005
PENDING, SENDING, DELIVERED = 1, 2, 3


class Trouble(Exception):
    """Something that makes a figure worthless; the text says what to do."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(url, data=None, timeout=30, headers=None):
    request = urllib.request.Request(url, data=data, headers=headers or {})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read()


def fill(folder, template, **values):
    """A peer's configuration, with its values, in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / pathlib.Path(template).name
    text = string.Template(machine.read(HERE / "peers" / template))
    path.write_text(text.substitute(folder=folder, **values), encoding="utf-8")
    return path


def answers_200(port, path="/readyz"):
    """One small request without a library, so that asking costs next to nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
                      .encode())
            return s.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def wait_for(condition, what, seconds=START_SECONDS):
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Trouble(f"waited {seconds} s for {what}")
        time.sleep(POLL_SECONDS)


class Process:
    """One program on one processor, in a clean environment; its output goes to a file. Its input ends
    when this process ends it, or ends itself."""

    def __init__(self, name, command, folder, core, **environment):
        self.name, self.folder = name, folder
        folder.mkdir(parents=True, exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LD_LIBRARY_PATH")}
        clean.update({"HOME": str(folder), **environment})
        self.log = folder / f"{name}.log"
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                [str(word) for word in command], cwd=folder, env=clean, stdin=subprocess.PIPE,
                stdout=log, stderr=log, preexec_fn=lambda: os.sched_setaffinity(0, {core}))

    def pids(self):
        return machine.family(self.popen.pid)

    def check(self):
        if self.popen.poll() is not None:
            tail = "\n".join(machine.read(self.log).splitlines()[-5:])
            raise Trouble(f"{self.name} ended with {self.popen.returncode}:\n{tail}")

    def kill(self):
        """As a power cut would end it, as far as a process can tell."""
        if self.popen.poll() is None:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            self.popen.wait()
        self.popen.stdin.close()

    def stop(self):
        self.popen.terminate()
        self.finish()

    def finish(self):
        """It has nothing more to do, or was told to stop."""
        self.popen.stdin.close()
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Trouble(f"{self.name} did not stop in {STOP_SECONDS} s") from None


class Site:
    """What all sites share. A site that keeps nothing counts None."""
    key = title = None
    needs = ()  # programs, or patterns of files
    node = False  # also the npm packages

    def __init__(self, plan, folder):
        self.plan, self.folder = plan, folder
        self.port = free_port()
        self.processes = []

    @classmethod
    def missing(cls, plan):
        """Why it can't be measured here; None if it can."""
        for need in cls.needs:
            if not (shutil.which(need) or glob.glob(need)):
                return f"{need} is not installed (tools/deps --bench)"
        if cls.node and not plan.modules.is_dir():
            return f"{plan.modules} is not there (bench/run --setup)"
        return None

    def prepare(self):
        """What is there already when the site starts."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def launch(self):
        raise NotImplementedError

    def run(self, name, command, **environment):
        process = Process(name, command, self.folder, self.plan.server_core, **environment)
        self.processes.append(process)
        return process

    def start(self):
        try:
            self.launch()
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def wait_ready(self):
        def ready():
            for process in self.processes:
                process.check()
            return answers_200(self.port)
        wait_for(ready, f"{self.title} to be ready")

    def pids(self):
        return [pid for process in self.processes for pid in process.pids()]

    def end(self, way):
        processes, self.processes = self.processes, []
        for process in processes:
            getattr(process, way)()

    def kill(self):
        self.end("kill")

    def stop(self):
        self.end("stop")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def clicks_kept(self):
        return None

    def orders_kept(self):
        return None


class Backchannel(Site):
    key, title = "backchannel", "backchannel"

    def __init__(self, plan, folder, partner="http://127.0.0.1:9/ext", **settings):
        super().__init__(plan, folder)
        self.settings = {"SOVENDUS_BASE_URL": partner, **settings}

    def launch(self):
        self.run("backchannel", [self.plan.binary, "serve"], **{
            "SOVENDUS_PRODUCT_ID": PRODUCT, "SOVENDUS_API_KEY": KEY,
            "BACKCHANNEL_STATE": str(self.folder / "state"),
            "BACKCHANNEL_LISTEN": f"127.0.0.1:{self.port}", **self.settings})

    def count(self, query):
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "backchannel.db")) as store:
            return store.execute(query).fetchone()[0]

    def clicks_kept(self):
        return self.count("SELECT count(DISTINCT session) FROM clicks WHERE token <> ''")

    def orders_kept(self):
        return self.count(f"SELECT count(*) FROM orders WHERE state IN ({PENDING}, {SENDING})")

    def delivered(self):
        return self.count(f"SELECT count(*) FROM orders WHERE state = {DELIVERED}")


class NginxReturn(Site):
    key, title = "nginx-204", "nginx `return 204` (keeps nothing)"
    needs = ("nginx",)

    def launch(self):
        self.nginx("return.conf")

    def nginx(self, template, **values):
        path = fill(self.folder, f"nginx/{template}", **{"port": self.port, **values})
        self.run("nginx", ["nginx", "-e", self.folder / "nginx.log", "-c", path])


class Redis:
    """Redis that answers when it is on disk. Everything else is as Debian's redis-server has it."""

    def __init__(self, site):
        self.site, self.port = site, free_port()

    def launch(self):
        (self.site.folder / "redis").mkdir(parents=True, exist_ok=True)
        self.site.run("redis", [
            "redis-server", "--bind", "127.0.0.1", "--port", self.port, "--save", "",
            "--appendonly", "yes", "--appendfsync", "always", "--dir", self.site.folder / "redis"])
        return self

    def wait_ready(self):
        wait_for(lambda: self.command("PING") == "+PONG", "redis-server to be ready")
        return self

    def command(self, words):
        """One command whose answer is one line."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                s.sendall(words.encode() + b"\r\n")
                return s.recv(256).decode().strip()
        except OSError:
            return None

    def count(self, words):
        """Asks a new Redis that has read the append-only file of the killed one."""
        self.launch().wait_ready()
        answer = self.command(words)
        self.site.kill()
        return int(answer.removeprefix(":"))


class RedisSite(Site):
    """A site whose memory is Redis."""

    def __init__(self, plan, folder):
        super().__init__(plan, folder)
        self.redis = Redis(self)

    def launch(self):
        self.redis.launch()
        self.launch_front()

    def launch_front(self):
        raise NotImplementedError

    def clicks_kept(self):
        return self.redis.count("DBSIZE")

    def orders_kept(self):
        return self.redis.count("XLEN deliveries")


class Express(RedisSite):
    key, title, node = "express", "Express + Redis", True
    needs = ("node", "redis-server")

    def launch_front(self):
        self.run("node", ["node", self.plan.node_folder / "server.mjs", self.port, self.redis.port],
                 NODE_ENV="production")


class ExpressSample(RedisSite):
    """The guide's sample to the letter; its order is answered when the partner has answered."""
    key, title, node = "express-sample", "Express + Redis, the guide's sample as written", True
    needs = ("node", "redis-server")

    def __init__(self, plan, folder, partner="http://127.0.0.1:9/ext"):
        super().__init__(plan, folder)
        self.partner = partner

    def launch_front(self):
        self.run("node", ["node", self.plan.node_folder / "sample.mjs", self.port, self.redis.port,
                          f"{self.partner}/{PRODUCT}", KEY], NODE_ENV="production")


class ExpressLanding(Express):
    """The same program, asked the guide's own way."""
    key, title = "express-get", "Express + Redis, `GET` without a body"


class ExpressAlone(Express):
    """Only for its start: Redis runs already."""
    key, title = "express-alone", "Express, Redis runs already"

    def prepare(self):
        self.redis.launch().wait_ready()

    def launch(self):
        self.launch_front()


class NginxLua(RedisSite, NginxReturn):
    key, title = "nginx-lua", "nginx + Lua + Redis"
    needs = ("nginx", "redis-server", f"{NGINX_MODULES}/ngx_http_lua_module.so",
             "/usr/share/lua/5.1/nginx/redis.lua", "/usr/lib/*/lua/5.1/cjson.so")

    def launch_front(self):
        self.nginx("lua.conf", modules=NGINX_MODULES, peers=HERE / "peers" / "nginx",
                   redis_port=self.redis.port)


# --- the partner ---------------------------------------------------------------------------------

class DeafPartner:
    """Takes connections and never answers: what is accepted stays where it is."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(8)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/ext"
        return self

    def __exit__(self, *_):
        self.socket.close()


class Sandbox:
    """The partner's stand-in, on the load generator's processor."""

    def __init__(self, plan, folder):
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = self.base + "/ext"
        self.process = Process("sandbox", [plan.binary, "sandbox", "--listen",
                                           f"127.0.0.1:{self.port}"], folder, plan.load_core)

    def __enter__(self):
        wait_for(lambda: answers_200(self.port, "/_sandbox/health"), "the sandbox")
        return self

    def __exit__(self, *_):
        self.process.kill()

    def seen(self):
        return json.loads(ask(self.base + "/_sandbox/health"))["requests"]

    def books(self):
        return json.loads(ask(self.base + "/_sandbox/counts"))
