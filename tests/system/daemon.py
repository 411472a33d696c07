# SPDX-License-Identifier: MIT
"""Starts `backchannel serve` for the system tests and watches it from outside: its API, its log,
its files, its memory. Also runs the other commands, in the same environment.

One object is one daemon and one state directory; start, stop, kill9 and restart act on its own
process only. The environment holds nothing of the developer's, the working directory is empty.
"""
import functools
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import wire
from ports import Port
from sandbox_client import wait_for

PRODUCT = "9bc72425-902c-3abf-9db8-8b186d7cb160"
KEY = "example-key-000"
RELOADS = ("settings.reloaded", "settings.kept")
START_SECONDS = 15
STOP_SECONDS = 20

# What a process needs, and nothing that could be a setting.
PASSED_ON = ("PATH", "LANG", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
             "TSAN_OPTIONS", "LD_PRELOAD")


def binary():
    return os.environ["BACKCHANNEL_BIN"]


@functools.cache
def is_sanitized():
    """Memory is kept for the sanitizer then, and core dumps and the like are not switched off."""
    program = pathlib.Path(binary()).read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def clean_environment(home, **settings):
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env["HOME"] = str(home)
    env.update({name: str(value) for name, value in settings.items() if value is not None})
    return env


class Finished:
    """What a command left behind."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit {self.code}\n{self.out}\n{self.err}>"


def run(arguments, env, cwd, stdin=None, timeout=60):
    done = subprocess.run([binary(), *map(str, arguments)], env=env, cwd=cwd, text=True,
                          input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                          capture_output=True, timeout=timeout, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


class Daemon:
    """settings: environment variables by their full names; None takes one out."""

    def __init__(self, folder, partner=None, **settings):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.work = self.folder / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        self.port = Port()  # the same at each start, as a real one's is
        self.settings = {
            "SOVENDUS_PRODUCT_ID": PRODUCT,
            "SOVENDUS_API_KEY": KEY,
            "SOVENDUS_BASE_URL": partner.sovendus if partner else "http://127.0.0.1:9/ext",
            "BACKCHANNEL_STATE": str(self.state),
            "BACKCHANNEL_LISTEN": self.port.address,
            "BACKCHANNEL_RETRY_BASE": "20ms",
            "BACKCHANNEL_RETRY_CAP": "200ms",
            "BACKCHANNEL_LOG": "debug,json",
            **settings,
        }
        self.process = None
        self.address = None
        self.log_path = self.folder / "log"
        self.log_start = 0
        self.headers = {}
        if self.settings.get("BACKCHANNEL_API_TOKEN"):
            self.headers["Authorization"] = "Bearer " + self.settings["BACKCHANNEL_API_TOKEN"]

    @property
    def env(self):
        return clean_environment(self.folder, **self.settings)

    # --- the process -----------------------------------------------------------------------------

    def spawn(self):
        """Starts it and does not wait."""
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen([binary(), "serve"], env=self.env, cwd=self.work,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=log)
        return self

    def start(self):
        self.spawn()
        wait_for(self._is_up, START_SECONDS, "the daemon's start")
        # The next start takes the same address, as a real one would.
        self.settings["BACKCHANNEL_LISTEN"] = self.address
        return self

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.log_text()}")
        started = re.search(r'daemon\.started.*?\blisten"?[=:]"?([^\s",]+)', self.log_text(this_run=True))
        if not started:
            return False
        self.address = started[1]
        if not self.address.startswith("unix:") and self.address.startswith("/"):
            self.address = "unix:" + self.address
        return self.ask("GET", "/readyz").status == 200

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_exit(self, seconds=STOP_SECONDS):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"serve did not end in {seconds} s:\n{self.log_text()}") from None

    def stop(self, seconds=STOP_SECONDS):
        """Ends it as systemd would; the exit code."""
        if not self.running:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(seconds)

    def kill9(self):
        self.process.send_signal(signal.SIGKILL)
        return self.process.wait(STOP_SECONDS)

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        """SIGHUP, to its end; what the log says of it. Two may look alike, to the millisecond."""
        before = [len(self.events(kind)) for kind in RELOADS]

        def told():
            return [event for kind, known in zip(RELOADS, before) for event in self.events(kind)[known:]]
        self.process.send_signal(signal.SIGHUP)
        (new,) = wait_for(told, what="the reload")
        return new

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # --- its API ---------------------------------------------------------------------------------

    def ask(self, method, path, body=None, headers=None, timeout=20):
        return wire.ask(self.address, method, path, body, {**self.headers, **(headers or {})},
                        timeout)

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body=None):
        return self.ask("POST", path, body)

    def click(self, **fields):
        """Captures a click that has to succeed; what the API said."""
        answer = self.post("/v1/clicks", fields)
        assert answer.status == 201, answer
        return answer.json

    def order(self, order, wait=None, **fields):
        path = "/v1/orders" + (f"?wait={wait}" if wait else "")
        return self.post(path, {"order": order, **fields})

    def pour_orders(self, orders, seconds=60):
        """Reports many orders at once, each a dict; all of them have to be accepted."""
        def requests():
            for fields in orders:
                body = json.dumps(fields).encode()
                yield (f"POST /v1/orders HTTP/1.1\r\nHost: {self.address}\r\nContent-Type: application/json"
                       f"\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
        statuses = wire.pour(self.address, requests(), seconds=seconds)
        assert set(statuses) <= {202}, statuses
        return statuses[202]

    def story(self, order):
        answer = self.get(f"/v1/orders/{order}")
        assert answer.status == 200, answer
        return answer.json

    def wait_state(self, order, *states, seconds=15.0):
        """Waits for one of these states; the story."""
        def there():
            story = self.story(order)
            return story if story["state"] in states else None
        try:
            return wait_for(there, seconds, f"{order} to be {' or '.join(states)}")
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {self.story(order)}") from None

    def nothing_waits(self):
        """Counted in one look: what waits is sent and put back between two."""
        orders = self.get("/v1/summary").json["orders"]
        return orders["pending"] == orders["sending"] == 0

    def lane(self, name="sovendus.default"):
        lanes = {lane["name"]: lane for lane in self.get("/v1/lanes").json["lanes"]}
        return lanes[name]

    def wait_lane(self, *states, name="sovendus.default", seconds=15.0):
        def there():
            lane = self.lane(name)
            return lane if lane["state"] in states else None
        return wait_for(there, seconds, f"the lane to be {' or '.join(states)}")

    # --- what it leaves --------------------------------------------------------------------------

    def log_text(self, this_run=False):
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start if this_run else 0)
            return log.read().decode("utf-8", "replace")

    def events(self, event=None, this_run=False):
        """Log lines in order, parsed; needs a JSON log. Half a line at the end is not one yet."""
        found = []
        for line in self.log_text(this_run).splitlines(keepends=True):
            if line.endswith("\n") and line.startswith("{"):
                row = json.loads(line)
                if event is None or row["event"] == event:
                    found.append(row)
        return found

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0])

    def files(self):
        """{path: mode} of the state directory, itself included."""
        paths = [self.state, *self.state.rglob("*")]
        return {str(path.relative_to(self.folder)): stat.S_IMODE(path.stat().st_mode)
                for path in paths}

    # --- the other commands ----------------------------------------------------------------------

    def cli(self, *arguments, stdin=None, timeout=60, **settings):
        """Runs a command beside this daemon, which it finds by BACKCHANNEL_URL while it runs."""
        url = self.settings.get("BACKCHANNEL_URL")
        if not url and self.address:
            url = self.address if self.address.startswith("unix:") else f"http://{self.address}"
        env = clean_environment(self.folder, **{**self.settings, "BACKCHANNEL_URL": url,
                                                "BACKCHANNEL_LOG": "info,text", **settings})
        return run(arguments, env, self.work, stdin, timeout)


def note(line):
    """For ./check, which shows the notes of its tests; and for whoever runs a test alone."""
    print(line)
    notes = os.environ.get("BACKCHANNEL_CHECK_NOTES")
    if notes:
        with open(notes, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def until(moment):
    """Sleeps until a monotonic moment; for schedules that are part of a test's question, never to
    wait for something to happen."""
    left = moment - time.monotonic()
    if left > 0:
        time.sleep(left)
