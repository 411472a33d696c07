# SPDX-License-Identifier: MIT
"""The daemon under a service manager: what it says to NOTIFY_SOCKET and when, that its watchdog's
pings stop with either of its threads, and secrets that come as credentials."""
import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import time

import pytest

from daemon import KEY
from sandbox_client import wait_for

WATCHDOG_US = 200_000  # a ping is due each 100 ms
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WAIT_ALL = 0x4206, 0x4207, 17, 0x40000000


class Manager:
    """The end of systemd's that a service speaks to."""

    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name.replace("@", "\0", 1))
        self.socket.setblocking(False)
        self.lines = []

    def hear(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.lines.append(self.socket.recv(4096).decode().split("\n")[0])
        return self.lines

    def wait(self, line, count=1, seconds=15.0):
        wait_for(lambda: self.hear().count(line) >= count, seconds, f"{line}, {count} times")

    @property
    def told(self):
        """All but the pings."""
        return [line for line in self.hear() if line != "WATCHDOG=1"]

    @property
    def pings(self):
        return self.hear().count("WATCHDOG=1")


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    made = Manager(f"@{tmp_path}" if request.param == "abstract" else tmp_path / "notify")
    yield made
    made.socket.close()


@pytest.fixture
def watched(daemons, manager):
    return daemons.make(NOTIFY_SOCKET=manager.name, WATCHDOG_USEC=WATCHDOG_US)


def test_a_life_is_told_as_ready_and_stopping_and_ready_means_that_it_answers(watched, manager):
    watched.spawn()
    manager.wait("READY=1")
    started = wait_for(lambda: watched.events("daemon.started"), what="the log")
    watched.address = started[0]["listen"]
    assert watched.get("/readyz").status == 200
    assert watched.stop() == 0
    assert manager.told == ["READY=1", "STOPPING=1"]


def test_a_reload_is_told_from_its_begin_to_its_end(watched, manager):
    watched.start()
    manager.wait("READY=1")
    watched.process.send_signal(signal.SIGHUP)
    manager.wait("READY=1", count=2)
    watched.stop()
    assert manager.told == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_a_start_that_is_refused_is_never_ready(watched, manager):
    watched.settings["SOVENDUS_API_KEY"] = None
    assert watched.spawn().wait_exit() != 0
    assert manager.hear() == []


def test_stopping_is_told_while_a_hand_back_is_still_under_way(watched, manager, partner):
    partner.set_faults("delay=3s")
    watched.start()
    assert watched.order("slow-1", token="slow-token-1").status == 202
    wait_for(partner.requests, what="the request")
    watched.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING=1", seconds=2.0)
    assert watched.running, "it waits for the answer"
    assert watched.wait_exit() == 0


def test_pings_come_all_the_while_also_under_load(watched, manager):
    watched.start()
    manager.wait("WATCHDOG=1", count=3)
    for n in range(200):
        assert watched.order(f"ping-{n}", token=f"ping-token-{n:05d}").status == 202
    manager.wait("WATCHDOG=1", count=manager.pings + 3)


def test_without_a_watchdog_nothing_is_pinged(watched, manager):
    watched.settings["WATCHDOG_USEC"] = None
    watched.start()
    assert watched.order("quiet-1", wait="10s", token="quiet-token-1").json["state"] == "delivered"
    watched.stop()
    assert manager.hear() == ["READY=1", "STOPPING=1"]


def test_a_watchdog_that_is_meant_for_another_process_is_not_fed(watched, manager):
    watched.settings["WATCHDOG_PID"] = "1"
    watched.start()
    assert watched.order("other-1", wait="10s", token="other-token-1").json["state"] == "delivered"
    watched.stop()
    assert manager.pings == 0


def test_a_manager_that_went_away_harms_nobody(watched, manager):
    watched.start()
    manager.wait("WATCHDOG=1")
    manager.socket.close()
    wait_for(lambda: watched.events("notify.failed"), what="the log")
    assert watched.order("alone-1", wait="10s", token="alone-token-1").json["state"] == "delivered"


# --- a thread that hangs -------------------------------------------------------------------------

def thread_of(pid, name):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text(encoding="ascii").strip() == name:
            return int(task.name)
    raise AssertionError(f"no thread is called {name}")


@contextlib.contextmanager
def hanging(tid):
    """One thread stands still, the others run on: what a signal cannot do, a debugger can."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_SEIZE, tid, None, None) != 0:
        pytest.skip(f"this user may not stop a thread of the daemon: {os.strerror(ctypes.get_errno())}")
    assert libc.ptrace(PTRACE_INTERRUPT, tid, None, None) == 0
    assert os.waitpid(tid, WAIT_ALL)[0] == tid
    try:
        yield
    finally:
        assert libc.ptrace(PTRACE_DETACH, tid, None, None) == 0


@pytest.mark.parametrize("thread", ["delivery", "bc-store"])
def test_no_ping_leaves_while_one_thread_hangs_and_the_listener_still_answers(watched, manager, thread):
    watched.start()
    manager.wait("WATCHDOG=1")
    with hanging(thread_of(watched.pid, thread)):
        # What was asked before may still come home; what is asked from now on cannot.
        last = [manager.pings, time.monotonic()]

        def silent_for_five_rounds():
            assert watched.get("/healthz").status == 200
            if manager.pings != last[0]:
                last[:] = [manager.pings, time.monotonic()]
            return time.monotonic() - last[1] > 5 * WATCHDOG_US / 2 / 1e6

        before = manager.pings
        wait_for(silent_for_five_rounds, seconds=5.0, what="silence")
        assert manager.pings <= before + 1
    manager.wait("WATCHDOG=1", count=manager.pings + 2)


# --- credentials ---------------------------------------------------------------------------------

def test_the_key_and_the_api_token_come_as_credentials_and_are_never_shown(daemons, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "sovendus.api_key").write_text(KEY + "\n", encoding="ascii")
    (folder / "api_token").write_text("token-of-the-api\n", encoding="ascii")
    shop = daemons.make(SOVENDUS_API_KEY=None, CREDENTIALS_DIRECTORY=folder)
    shop.headers["Authorization"] = "Bearer token-of-the-api"
    shop.start()
    assert shop.order("cred-1", wait="10s", token="cred-token-1").json["state"] == "delivered"
    del shop.headers["Authorization"]
    assert shop.get("/v1/lanes").status == 401
    shown = shop.cli("config", "show")
    assert shown.code == 0
    for text in (shown.out, shop.log_text()):
        assert KEY not in text and "token-of-the-api" not in text


def test_a_credential_of_a_product_is_its_key(daemons, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "product.shoes.key").write_text(KEY, encoding="ascii")
    conf = tmp_path / "backchannel.conf"
    conf.write_text("[product shoes]\nid = 9bc72425-902c-3abf-9db8-8b186d7cb160\n", encoding="ascii")
    shop = daemons(SOVENDUS_PRODUCT_ID=None, SOVENDUS_API_KEY=None, BACKCHANNEL_CONFIG=conf,
                   CREDENTIALS_DIRECTORY=folder)
    answer = shop.order("shoe-1", wait="10s", token="shoe-token-1", product="shoes")
    assert answer.json["state"] == "delivered"
