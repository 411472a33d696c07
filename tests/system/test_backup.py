# SPDX-License-Identifier: MIT
"""`backchannel backup` and `restore`: a copy of a daemon at work that loses nothing acknowledged
before it, what is refused, and what a restore means for what happened after it."""
import contextlib
import os
import pty
import sqlite3
import stat
import subprocess
import threading
import time

import pytest

import store_samples
from daemon import binary
from in_time import in_time, tried_again_if_late
from sandbox_client import fingerprint, wait_for


def backup(daemon, file, *options, **settings):
    done = daemon.cli("backup", file, "--json", *options, **settings)
    assert done.code == 0, done
    return done.json


def restore(daemon, file, *options, **settings):
    done = daemon.cli("restore", file, "--json", *options, **settings)
    assert done.code == 0, done
    return done.json


def orders(facts):
    return sum(facts["orders"].values())


class Till:
    """Reports orders without a pause, in a few threads; knows when each was acknowledged, and how
    long the slowest took."""

    def __init__(self, daemon, name, threads=3):
        self.daemon, self.name = daemon, name
        self.acknowledged, self.slowest, self.errors = {}, 0.0, []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(threads)]

    def _run(self, number):
        count = 0
        while not self.over.is_set():
            order = f"{self.name}-{number}-{count}"
            started = time.monotonic()
            try:
                answer = self.daemon.order(order, token=f"tok{number}-{count:06d}-{self.name}")
            except OSError as error:
                self.errors.append(error)
                return
            if answer.status in (200, 202):
                self.acknowledged[order] = time.time()
            self.slowest = max(self.slowest, time.monotonic() - started)
            count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def here(tmp_path):
    return tmp_path / "shop.backup"


def test_a_backup_at_work_restored_elsewhere_has_all_that_was_acknowledged_before_it(
        daemons, partner, here):
    shop = daemons(BACKCHANNEL_LOG="info,json")
    shop.pour_orders({"order": f"old-{i}", "token": f"oldtoken-{i:06d}"} for i in range(8000))
    with Till(shop, "till") as till:
        wait_for(lambda: len(till.acknowledged) > 100, what="a till at work")
        began = time.time()
        facts = backup(shop, here)
        ended = time.time()
        wait_for(lambda: max(till.acknowledged.values()) > ended, what="an order after it")
        shop.kill9()
    assert facts["from"] == "daemon"
    before = [order for order, at in till.acknowledged.items() if at < began]
    assert len(before) > 100 and orders(facts) >= 8000 + len(before)
    assert till.slowest < 2.0, "nobody waits for a back-up"
    elsewhere = daemons.make()
    assert restore(elsewhere, here)["restored"] is True
    elsewhere.start()
    for order in before:
        assert elsewhere.get(f"/v1/orders/{order}").status == 200, order
    assert elsewhere.get("/v1/orders?count=1").json["count"] == orders(facts)
    wait_for(lambda: elsewhere.get("/v1/orders?count=1&state=delivered").json["count"]
             == orders(facts), 240, "all of them to be delivered")


@tried_again_if_late
def test_no_order_waits_long_while_a_copy_is_made(daemons, here):
    shop = daemons(BACKCHANNEL_LOG="info,json")
    shop.post("/v1/lanes/sovendus.default/pause")
    shop.pour_orders({"order": f"old-{i}", "token": f"oldtoken-{i:06d}"} for i in range(20000))
    with Till(shop, "alone", threads=1) as alone:
        wait_for(lambda: len(alone.acknowledged) > 200, what="orders before it")
    with Till(shop, "beside", threads=1) as beside:
        wait_for(lambda: beside.acknowledged, what="a till at work")
        backup(shop, here, "--force")
    assert not beside.errors and beside.acknowledged
    in_time(beside.slowest, alone.slowest + 0.7, "an order beside the copy")


def test_both_files_are_whole_and_nobody_elses_to_read(daemons, partner, here, unique):
    shop = daemons()
    shop.click(token=unique.token(), session="s")
    assert shop.order("o", session="s", wait="5s").json["state"] == "delivered"
    facts = backup(shop, here)
    key = here.with_name(here.name + ".key")
    for path in here, key:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.read_bytes() == (shop.state / "hash.key").read_bytes()
    assert sorted(os.listdir(here.parent)) == ["daemon0", here.name, key.name]
    assert facts["key_file"] == str(key) and facts["file"] == str(here)
    assert (facts["clicks"], facts["orders"]["delivered"], facts["attempts"]) == (1, 1, 1)
    assert facts["bytes"] == here.stat().st_size
    with contextlib.closing(sqlite3.connect(here)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert "backup" not in str(shop.files()), "the daemon's own copy is gone"
    assert [e["path"] for e in shop.events("backup.begun")] == \
        [str(shop.state.resolve() / "backchannel.db.backup")]


def test_what_is_there_is_replaced_only_by_force(shop, tmp_path):
    file = tmp_path / "b"
    first = backup(shop, file)
    again = shop.cli("backup", file)
    assert again.code == 1 and "there already" in again.err and "--force" in again.err
    assert backup(shop, file, "--force")["made_at"] > first["made_at"]
    file.unlink()  # the key alone is as much in the way
    assert shop.cli("backup", file).code == 1


def test_a_killed_daemons_store_is_copied_as_it_is(daemons, here, unique):
    shop = daemons(SOVENDUS_BASE_URL="http://127.0.0.1:9/ext")
    shop.click(token=unique.token(), session="s")
    assert shop.order("o", session="s").status == 202
    shop.kill9()
    before = {path.name: path.read_bytes() for path in shop.state.glob("backchannel.db*")}
    facts = backup(shop, here)
    assert facts["from"] == "store" and orders(facts) == 1
    assert {p.name: p.read_bytes() for p in shop.state.glob("backchannel.db*")} == before
    restored = daemons.make()
    assert restore(restored, here)["orders"] == facts["orders"]
    restored.start()
    assert restored.wait_state("o", "delivered")


@pytest.mark.parametrize("sample", sorted(store_samples.FOLDER.glob("*.sql")), ids=lambda s: s.stem)
def test_a_backup_without_a_daemon_upgrades_nothing(daemons, here, sample):
    shop = daemons.make(**store_samples.settings(store_samples.SHOE_KEY))
    shop.state.mkdir(mode=0o700)
    path = shop.state / "backchannel.db"
    store_samples.restore(sample, path)
    was = store_samples.layout(path)
    facts = backup(shop, here)
    assert facts["layout"] == was == store_samples.layout(here) == store_samples.layout(path)
    assert facts["clicks"] == store_samples.CLICKS
    assert facts["key_file"] is None and facts["hash_key"] == fingerprint(store_samples.HASH_KEY)
    told = shop.cli("backup", here, "--force").out
    assert "which is a setting (hash.key)" in told and store_samples.HASH_KEY not in told


def test_what_was_handed_back_since_goes_out_once_more_and_the_ledger_says_so(
        daemons, partner, here, unique):
    token = unique.token()
    shop = daemons()
    shop.post("/v1/lanes/sovendus.default/pause")
    shop.click(token=token, session="s")
    assert shop.order("o", session="s").status == 202
    backup(shop, here)
    shop.post("/v1/lanes/sovendus.default/resume")
    shop.wait_state("o", "delivered")
    shop.order("late", token=unique.token(), wait="5s")
    shop.kill9()
    restored = daemons.make()
    told = restored.cli("restore", here)
    assert told.code == 0 and "1 of them had not been handed back" in told.out
    assert "pull --since 2" in told.out
    restored.start()
    assert restored.get("/v1/orders/late").status == 404
    wait_for(lambda: restored.lane()["state"] == "paused", what="the lane to stand as it stood")
    restored.post("/v1/lanes/sovendus.default/resume")
    story = restored.wait_state("o", "delivered")
    assert [a["n"] for a in story["attempts"]] == [1]
    assert partner.accepted(token) == 2


def test_restore_checks_first_and_changes_nothing_then(daemons, here):
    shop = daemons()
    facts = backup(shop, here)
    shop.stop()
    other = daemons.make()
    seen = restore(other, here, "--check")
    assert seen["restored"] is False and seen["made_at"] == facts["made_at"]
    assert not other.state.exists()
    assert "is whole" in other.cli("restore", "--check", here).out


def test_restore_takes_no_place_that_is_taken(daemons, here):
    shop = daemons()
    backup(shop, here)
    running = shop.cli("restore", here)
    assert running.code == 4 and "is in use by process" in running.err and "stop" in running.err
    shop.stop()
    there = shop.cli("restore", here)
    assert there.code == 1 and "there is a store already" in there.err
    (shop.state / "backchannel.db").unlink()
    (shop.state / "backchannel.db-wal").write_bytes(b"x")
    log = shop.cli("restore", here)
    assert log.code == 1 and "the log of another store" in log.err
    (shop.state / "backchannel.db-wal").unlink()
    (shop.state / "hash.key").write_bytes(bytes(32))
    key = shop.cli("restore", here)
    assert key.code == 1 and "another hash key" in key.err
    (shop.state / "hash.key").unlink()
    assert restore(shop, here)["key"] == "file"
    shop.start()


def _cut(path):
    path.write_bytes(path.read_bytes()[:8192])


def _spoil(path):
    content = bytearray(path.read_bytes())
    content[4096:4160] = b"\xff" * 64  # the head of a page
    path.write_bytes(content)


def _newer(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("harm, words", [
    (_cut, "is damaged"), (_spoil, "is damaged"), (_newer, "was written by a newer backchannel"),
    (lambda p: p.write_text("hello" * 2000), "is no store of backchannel"),
    (lambda p: p.write_bytes(b""), "is no store of backchannel"),
    (lambda p: p.unlink(), "cannot read"),
    (lambda p: p.with_name(p.name + ".key").unlink(), "that is not beside it"),
    (lambda p: p.with_name(p.name + ".key").write_bytes(bytes(32)), "the one beside it is another"),
    (lambda p: p.with_name(p.name + ".key").write_bytes(b"short"), "is damaged: 5 bytes"),
], ids=["cut", "spoiled", "newer", "text", "empty", "gone", "no key", "other key", "short key"])
def test_what_is_no_whole_backup_is_refused_with_words(shop, daemons, tmp_path, harm, words):
    file = tmp_path / "b"
    backup(shop, file)
    harm(file)
    other = daemons.make()
    refused = other.cli("restore", file)
    assert refused.code == 1 and words in refused.err, refused
    assert len(refused.err.strip().splitlines()) == 2, "a hint below it"
    assert not other.state.exists() or not list(other.state.glob("*.db"))


def test_a_store_in_memory_is_refused(daemons, here):
    running = daemons(BACKCHANNEL_STORE="memory:")
    for _ in range(2):
        refused = running.cli("backup", here)
        assert refused.code == 1 and "memory" in refused.err and "sqlite:PATH" in refused.err
        assert not here.exists()
        running.stop()


def test_where_there_is_nothing_to_copy_it_says_so(daemons, here):
    refused = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9").cli("backup", here)
    assert refused.code == 1 and "there is no store" in refused.err
    away = daemons.make(BACKCHANNEL_URL="http://shop.invalid:8787").cli("backup", here)
    assert away.code == 4 and "no daemon answers" in away.err
    assert not here.exists()


def test_a_copy_that_nobody_fetched_is_gone_at_the_next_start(daemons):
    shop = daemons()
    assert shop.post("/v1/backup").status == 202
    wait_for(lambda: shop.get("/v1/backup").json["state"] == "done", what="the copy")
    copy = shop.state / "backchannel.db.backup"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert shop.ask("DELETE", "/v1/backup").status == 204
    assert not copy.exists() and shop.get("/v1/backup").json["state"] == "none"
    shop.post("/v1/backup")
    wait_for(lambda: shop.get("/v1/backup").json["state"] == "done", what="the copy")
    shop.kill9()
    assert copy.exists()
    shop.start()
    assert not copy.exists()


def test_the_answers_hold_neither_store_nor_key(daemons, here, unique):
    shop = daemons(BACKCHANNEL_API_TOKEN="api-token-0123456789")
    token = unique.token()
    shop.click(token=token, session="s")
    assert shop.ask("POST", "/v1/backup", headers={"Authorization": "Bearer wrong"}).status == 401
    shop.post("/v1/backup")
    wait_for(lambda: shop.get("/v1/backup").json["state"] == "done", what="the copy")
    answer = shop.get("/v1/backup")
    assert token not in answer.text
    assert set(answer.json) == {"state", "pages", "of", "path", "hash_key"}
    assert backup(shop, here)["clicks"] == 1
    assert shop.cli("backup", here, "--force", BACKCHANNEL_API_TOKEN="api-token-wrong").code == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_belongs_to_the_daemons_user(daemons, here):
    shop = daemons()
    backup(shop, here)
    other = daemons.make()
    other.state.mkdir(mode=0o700)
    os.chown(other.state, 65534, 65534)
    restore(other, here)
    assert {path.name: path.stat().st_uid for path in other.state.iterdir()} == \
        {"backchannel.db": 65534, "hash.key": 65534, "lock": 65534}
    assert os.stat(here).st_uid == 0


def test_a_bar_is_drawn_on_a_terminal_alone(daemons, here):
    shop = daemons()
    assert shop.cli("backup", here).err == ""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run([binary(), "backup", here, "--force"], stderr=theirs, check=True, timeout=60,
                              stdout=subprocess.PIPE, cwd=shop.work, stdin=subprocess.DEVNULL,
                              env={**shop.env, "BACKCHANNEL_URL": f"http://{shop.address}"})
        shown = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"copying" in shown and b"[###" in shown and shown.endswith(b"\r"), "and wiped at the end"
    assert b"copying" not in done.stdout
