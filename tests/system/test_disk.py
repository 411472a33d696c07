# SPDX-License-Identifier: MIT
"""Disks that fail: full, read-only, damaged, locked by another process, unable to write or to sync.

Two things hold each time. Nobody is told that something is kept which is not: what cannot be stored
is answered 503 with Retry-After, or the daemon refuses to start and says what to do. And what was
acknowledged is handed back, once the disk is well again, by itself or after a restart.

The failures come from three sides: real file systems (a small tmpfs; needs root), the store engine
that fails on purpose (`fault:...`), and a library between SQLite and the C library (tests/shim).
"""
import contextlib
import errno
import os
import pathlib
import subprocess
import sys
import time

import pytest

import wire
from daemon import is_sanitized
from sandbox_client import wait_for
from workers import EvenWorkers

MIB = 1024 * 1024


# --- customers -----------------------------------------------------------------------------------

class Customers(EvenWorkers):
    """Threads that report orders as a shop does: one that was not acknowledged is put again, under
    the same number, until it is. Notes what was acknowledged, and every answer that refused."""

    def __init__(self, shop, name="", threads=4):
        super().__init__(threads)
        self.shop, self.name = shop, name
        self.acknowledged = {}  # order: token
        self.refused = []
        self.open = {}  # order: token, put and not acknowledged
        self.asked = {}  # order: when the request left that was acknowledged

    def _put(self, conn, order, token):
        self.open[order] = token
        while not self.over.is_set():
            asked = time.monotonic()
            answer = wire.send(conn, "POST", "/v1/orders", {"order": order, "token": token})
            if answer.status in (200, 202):
                self.asked[order] = asked
                self.acknowledged[order] = self.open.pop(order)
                return
            (self.refused if answer.status == 503 else self.odd).append(answer)
            self.over.wait(0.02)

    def run(self, number):
        count = 0
        with contextlib.suppress(OSError, wire.http.client.HTTPException):
            conn = wire.connection(self.shop.address, timeout=20)
            while not self.over.is_set():
                count += 1
                self._put(conn, f"disk-{self.name}{number}-{count}",
                          f"disk-token-{self.name}{number}-{count}")

    def wait_more(self, n, seconds=30):
        """Until so many more are acknowledged than now."""
        until = len(self.acknowledged) + n
        wait_for(lambda: len(self.acknowledged) >= until, seconds, f"{n} more acknowledged")

    def wait_refusals(self, n):
        until = len(self.refused) + n
        wait_for(lambda: len(self.refused) > until, what=f"{n} more refusals")

    def finish(self):
        """Puts what was left open, as the shop's own repetition would, when it is asked to stop."""
        conn = wire.connection(self.shop.address, timeout=20)
        for order, token in list(self.open.items()):
            def taken(order=order, token=token):
                answer = wire.send(conn, "POST", "/v1/orders", {"order": order, "token": token})
                return answer.status in (200, 202)
            wait_for(taken, 15, f"{order} to be acknowledged")
            self.acknowledged[order] = self.open.pop(order)


def assert_refusals_say_when_to_come_back(refused, problem="store-failed"):
    assert refused
    for answer in refused:
        assert answer.problem == problem
        assert int(answer.headers["retry-after"]) >= 1


def assert_all_handed_back(shop, partner, customers):
    """Each acknowledged order is delivered; more than once only where the ledger says that nobody
    knew of the first time."""
    wait_for(shop.nothing_waits, 40, "the last deliveries")
    taken = {token: row["accepted"] for token, row in partner.counts()["tokens"].items()}
    orders = customers.acknowledged
    assert [order for order, token in orders.items() if not taken.get(token)] == [], "lost"
    for order in [order for order, token in orders.items() if taken[token] > 1]:
        outcomes = [attempt["outcome"] for attempt in shop.story(order)["attempts"]]
        assert taken[orders[order]] <= outcomes.count("unknown") + 1, (order, outcomes)
    return orders


def is_ready(shop):
    return shop.get("/readyz").status == 200


def wait_not_ready(shop):
    return wait_for(lambda: not is_ready(shop) and shop.get("/readyz"), 30, "/readyz to fail")


# --- a small file system of its own --------------------------------------------------------------

class SmallDisk:
    def __init__(self, path):
        self.path = path
        self.ballast = path / "ballast"

    def fill(self, leave):
        """Leaves only so many bytes, also while others write."""
        with open(self.ballast, "wb") as file, contextlib.suppress(OSError):
            while (now := os.statvfs(self.path)).f_bavail * now.f_frsize > leave:
                file.write(b"\0" * 65536)
                file.flush()

    def empty(self):
        self.ballast.unlink()

    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=0700", "tmpfs", path],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.strip()}")
    yield SmallDisk(path)
    subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_refuses_and_goes_on_by_itself_when_there_is_room(daemons, partner, disk):
    shop = daemons(BACKCHANNEL_STATE=disk.path / "state")
    with Customers(shop) as customers:
        customers.wait_more(50)
        disk.fill(leave=MIB)
        ready = wait_not_ready(shop)
        assert ready.problem == "store-failed" and "free space" in ready.json["detail"]
        wait_for(lambda: customers.refused, what="a refusal")
        # What is known can still be asked for.
        order = next(iter(customers.acknowledged))
        assert shop.story(order)["order"] == order
        assert shop.get("/healthz").status == 200
        refused, known = len(customers.refused), len(customers.acknowledged)
        wait_for(lambda: len(customers.refused) > refused + 20, what="more refusals")
        assert len(customers.acknowledged) <= known + len(customers.threads)
        (told,) = wait_for(lambda: shop.events("store.refuses"), 10, "the log to say so")
        disk.empty()
        wait_for(lambda: is_ready(shop), 10, "/readyz to be well again")
        customers.wait_more(50)
    assert_refusals_say_when_to_come_back(customers.refused)
    assert "no space left" in told["error"] and "free space" in told["hint"]
    wait_for(lambda: shop.events("store.writable"), 10, "the log to say that it writes again")
    assert not shop.events("store.broken")
    customers.finish()
    assert_all_handed_back(shop, partner, customers)


def test_a_daemon_that_is_killed_on_a_full_disk_comes_back_with_everything(daemons, partner, disk):
    shop = daemons(BACKCHANNEL_STATE=disk.path / "state")
    with Customers(shop) as customers:
        customers.wait_more(50)
        disk.fill(leave=MIB)
        wait_not_ready(shop)
    shop.kill9()
    disk.empty()
    shop.start()
    customers.finish()
    assert_all_handed_back(shop, partner, customers)


def test_a_start_on_a_full_disk_tells_what_it_knows_and_waits_for_room(daemons, partner, disk,
                                                                       unique):
    shop, token = daemons(BACKCHANNEL_STATE=disk.path / "state"), unique.token()
    partner.set_faults("status=503")
    shop.order("o", token=token)
    shop.stop()
    partner.clear_faults()
    disk.fill(leave=0)
    shop.spawn()
    (told,) = wait_for(lambda: shop.events("store.refuses", this_run=True), 10, "the log to say so")
    assert "free space" in told["hint"]
    assert shop.get("/readyz").status == 503 and shop.story("o")["state"] == "pending"
    refused = shop.order("late", token=unique.token())
    assert_refusals_say_when_to_come_back([refused])
    assert partner.accepted(token) == 0, "nothing is sent before its attempt is on disk"
    disk.empty()
    shop.wait_state("o", "delivered")
    assert partner.accepted(token) == 1
    assert shop.order("late", wait="10s", token=unique.token()).json["state"] == "delivered"


def test_a_first_start_on_a_full_disk_is_refused_with_what_to_do(daemons, disk):
    disk.fill(leave=0)
    shop = daemons.make(BACKCHANNEL_STATE=disk.path / "state").spawn()
    assert shop.wait_exit() == 1
    said = shop.log_text()
    assert "space" in said and str(disk.path) in said
    disk.empty()
    shop.start()


def test_a_read_only_state_directory_is_refused_with_what_to_do(daemons, disk, unique):
    shop = daemons(BACKCHANNEL_STATE=disk.path / "state")
    shop.order("o", wait="10s", token=unique.token())
    shop.stop()
    disk.remount("ro")
    assert shop.spawn().wait_exit() == 1
    said = shop.log_text(this_run=True)
    assert "Read-only file system" in said and "writable" in said
    disk.remount("rw")
    shop.start()
    assert shop.story("o")["state"] == "delivered"


def test_a_read_only_store_is_refused_with_what_to_do(daemons, disk, unique):
    path = disk.path / "shop.db"
    shop = daemons(BACKCHANNEL_STORE=f"sqlite:{path}")
    shop.order("o", wait="10s", token=unique.token())
    shop.stop()
    disk.remount("ro")
    assert shop.spawn().wait_exit() == 1
    said = shop.log_text(this_run=True)
    assert str(path) in said and "read-only" in said.lower() and "mounted" in said
    disk.remount("rw")
    shop.start()
    assert shop.story("o")["state"] == "delivered"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_of_somebody_elses_is_refused_with_what_to_do(daemons, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o500)
    shop = daemons.make(BACKCHANNEL_STORE=f"sqlite:{folder}/shop.db").spawn()
    assert shop.wait_exit() == 1
    assert "owner and mode" in shop.log_text()


# --- what stands in the file ---------------------------------------------------------------------

DAMAGES = {
    "its middle": lambda text: text[:4096] + b"\x5a" * 8192 + text[12288:],
    "its head": lambda text: b"\0" * 100 + text[100:],
    "its end is missing": lambda text: text[:len(text) // 2 - 1000],
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_store_is_refused_with_what_to_do_and_left_alone(daemons, unique, how):
    shop = daemons()
    for n in range(5):
        shop.order(f"o{n}", wait="10s", token=unique.token())
    shop.stop()
    path = shop.state / "backchannel.db"
    damaged = DAMAGES[how](path.read_bytes())
    path.write_bytes(damaged)
    assert shop.spawn().wait_exit() == 1
    said = shop.log_text(this_run=True)
    assert str(path) in said and "damaged" in said
    assert ".recover" in said or "put a copy back" in said
    assert path.read_bytes() == damaged


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_store_that_another_process_holds_is_refused_and_the_holder_named(daemons, unique):
    shop = daemons()
    shop.order("o", wait="10s", token=unique.token())
    shop.stop()
    with subprocess.Popen([sys.executable, "-c", HOLDER, shop.state / "backchannel.db"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == "held\n"
        assert shop.spawn().wait_exit() == 4
        said = shop.log_text(this_run=True)
        holder.stdin.close()
    assert f"in use by process {holder.pid}" in said and "stop that process" in said
    shop.start()
    assert shop.story("o")["state"] == "delivered"


def test_a_store_that_another_daemon_holds_is_refused_and_the_daemon_named(daemons):
    first = daemons()
    second = daemons.make(BACKCHANNEL_STORE=f"sqlite:{first.state}/backchannel.db",
                          BACKCHANNEL_STATE=first.folder / "other").spawn()
    assert second.wait_exit() == 4
    assert f"in use by process {first.pid}" in second.log_text()
    assert is_ready(first)


# --- the engine that fails on purpose ------------------------------------------------------------

def faulty(shop_folder, rules):
    return f"fault:{rules}:sqlite:{shop_folder / 'shop.db'}"


def test_a_daemon_on_faults_says_so_and_its_settings_are_checked(daemons):
    shop = daemons.make()
    shop.settings["BACKCHANNEL_STORE"] = faulty(shop.folder, "")
    shop.start()
    (told,) = shop.events("store.faults")
    assert told["level"] == "warning" and "tests" in told["meaning"]
    assert shop.cli("config", "lint").code == 0
    wrong = shop.cli("config", "lint", BACKCHANNEL_STORE=faulty(shop.folder, "comit@3=eio"))
    assert wrong.code == 1 and "comit@3=eio" in wrong.err and "commit" in wrong.err


@pytest.mark.parametrize("rules", [
    "commit@40-60=eio", "commit@40-60=full", "begin@40-60=full", "accept-order@40-90=refuse",
    "write@60-160=nomem", "commit@30-60=unsure-lost", "commit@30-60=unsure-landed",
    "commit@30-40=unsure-landed,commit@50-60=unsure-lost,commit@/13=eio", "commit@/6=stall-30ms"])
def test_a_failure_that_passes_is_answered_503_and_costs_nothing(daemons, partner, rules):
    shop = daemons.make()
    shop.settings["BACKCHANNEL_STORE"] = faulty(shop.folder, rules)
    shop.start()
    with Customers(shop) as customers:
        if "stall" not in rules:
            wait_for(lambda: customers.refused, 30, "a refusal")
        customers.wait_more(100)
    if "stall" not in rules:
        assert_refusals_say_when_to_come_back(customers.refused,
                                              "busy" if "nomem" in rules else "store-failed")
    customers.finish()
    wait_for(lambda: is_ready(shop), 10, "/readyz to be well again")
    assert_all_handed_back(shop, partner, customers)
    assert not shop.events("store.broken")


def assert_takes_nothing_more(shop, customers):
    """Final: no write is acknowledged, whatever the disk does now; the log says so, once."""
    ready = shop.get("/readyz")
    assert ready.problem == "store-failed" and "restart" in ready.json["detail"]
    known = time.monotonic()
    customers.wait_refusals(20)
    late = [order for order, asked in list(customers.asked.items()) if asked > known]
    assert late == []  # what had left before may have been answered before, and its answer be read after
    (told,) = wait_for(lambda: shop.events("store.broken"), 10, "the log to say so")
    assert told["level"] == "error" and "restart" in told["hint"] and told["error"]
    order = next(iter(customers.acknowledged))
    assert shop.story(order)["order"] == order and shop.get("/healthz").status == 200


def restart_well(shop, partner, customers, **settings):
    """After a restart on a disk that is well, nothing is missing."""
    assert [row["event"] for row in shop.events() if row["level"] == "error"] == ["store.broken"]
    assert shop.stop() == 0
    for name, value in settings.items():
        shop.settings[name] = value
    shop.start()
    customers.finish()
    orders = assert_all_handed_back(shop, partner, customers)
    assert len(orders) > 20


@pytest.mark.parametrize("rules", ["commit@60=fsync", "commit@60=fsync-landed", "begin@60=fsync",
                                   "tend@60=fsync", "finish@30=fsync"])
def test_after_a_failed_fsync_nothing_is_acknowledged_until_a_restart(daemons, partner, rules):
    shop = daemons.make()
    shop.settings["BACKCHANNEL_STORE"] = faulty(shop.folder, rules)
    shop.start()
    with Customers(shop) as customers:
        wait_not_ready(shop)
        assert_takes_nothing_more(shop, customers)
    assert_refusals_say_when_to_come_back(customers.refused)
    restart_well(shop, partner, customers, BACKCHANNEL_STORE=faulty(shop.folder, ""))


@pytest.mark.parametrize("rule,code,words", [
    ("busy", 4, "in use by another process"), ("eio", 1, "Input/output error"),
    ("damaged", 1, "is damaged"), ("full", 1, "no space left")])
def test_a_store_that_does_not_open_is_a_refusal_to_start(daemons, rule, code, words):
    shop = daemons.make()
    shop.settings["BACKCHANNEL_STORE"] = faulty(shop.folder, f"open={rule}")
    assert shop.spawn().wait_exit() == code
    assert words in shop.log_text()


# --- the calls themselves ------------------------------------------------------------------------

class Shim:
    """The library that stands before the disk, and its switch."""

    def __init__(self, folder, state):
        self.trigger = folder / "trigger"
        self.library = pathlib.Path(os.environ["BACKCHANNEL_BIN"]).parent / "tests" / "disk_shim.so"
        self.settings = {"LD_PRELOAD": self.library, "DISK_SHIM_PREFIX": state,
                         "DISK_SHIM_TRIGGER": self.trigger}

    def fail(self, what, number):
        written = self.trigger.with_suffix(".new")
        written.write_text(f"{what} {number}", encoding="ascii")
        written.rename(self.trigger)

    def mend(self):
        self.trigger.unlink()


@pytest.fixture
def shim(tmp_path):
    if is_sanitized():
        pytest.skip("a sanitizer's own library must be loaded first, so none can be put before it")
    made = Shim(tmp_path, tmp_path / "daemon0" / "state")
    if not made.library.exists():
        pytest.skip(f"{made.library} is not there: this program was built without BC_TESTS")
    return made


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG],
                         ids=lambda number: errno.errorcode[number])
def test_writes_without_room_are_refused_until_there_is_some(daemons, partner, shim, number):
    shop = daemons(**shim.settings)
    with Customers(shop) as customers:
        customers.wait_more(50)
        shim.fail("write", number)
        assert "free space" in wait_not_ready(shop).json["detail"]
        wait_for(lambda: customers.refused, what="a refusal")
        shim.mend()
        wait_for(lambda: is_ready(shop), 10, "/readyz to be well again")
        customers.wait_more(50)
    assert_refusals_say_when_to_come_back(customers.refused)
    assert not shop.events("store.broken")
    customers.finish()
    assert_all_handed_back(shop, partner, customers)


@pytest.mark.parametrize("what,number", [("sync", errno.EIO), ("sync", errno.ENOSPC),
                                         ("write", errno.EIO)],
                         ids=["fsync EIO", "fsync ENOSPC", "write EIO"])
def test_after_a_disk_error_nothing_is_acknowledged_until_a_restart(daemons, partner, shim, what,
                                                                    number):
    shop = daemons(**shim.settings)
    with Customers(shop) as customers:
        customers.wait_more(50)
        shim.fail(what, number)
        wait_not_ready(shop)
        shim.mend()  # a disk that is well again changes nothing: what it lost is not known
        assert_takes_nothing_more(shop, customers)
    assert_refusals_say_when_to_come_back(customers.refused)
    (told,) = shop.events("store.broken")
    assert os.strerror(number) in told["error"] and str(shop.state) in told["error"]
    restart_well(shop, partner, customers)
