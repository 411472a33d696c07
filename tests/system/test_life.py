# SPDX-License-Identifier: MIT
"""Starting, stopping and dying: what is refused at a start and in which words, what a stop and a
kill leave behind, one daemon a store, and the commands without a daemon."""
import os
import signal
import sqlite3
import threading
import time

import pytest

import wire
from daemon import is_sanitized
from in_time import in_time, tried_again_if_late
from sandbox_client import wait_for
from workers import EvenWorkers


# --- stopping ------------------------------------------------------------------------------------

class Load(EvenWorkers):
    """Threads that post orders until told to stop, and note what was acknowledged."""

    def __init__(self, shop, unique, threads=4):
        super().__init__(threads)
        self.shop, self.unique = shop, unique
        self.acknowledged = {}

    def run(self, number):
        count = 0
        while not self.over.is_set():
            try:
                conn = wire.connection(self.shop.address, timeout=10)
                while not self.over.is_set():
                    count += 1
                    order, token = f"load-{number}-{count}", f"load-token-{number}-{count}"
                    answer = wire.send(conn, "POST", "/v1/orders", {"order": order, "token": token})
                    if answer.status == 202:
                        self.acknowledged[order] = token
                    elif answer.status != 503:
                        self.odd.append(answer)
            except (OSError, wire.http.client.HTTPException):
                time.sleep(0.005)  # refused or cut: it is stopping, or not up yet


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_loses_nothing_and_repeats_nothing(daemons, partner, unique, how):
    shop = daemons()
    with Load(shop, unique) as load:
        wait_for(lambda: len(load.acknowledged) > 300, what="load")
        shop.process.send_signal(how)
        assert shop.wait_exit() == 0
    assert shop.events("daemon.stopped")
    shop.start()
    wait_for(shop.nothing_waits, 30, "delivery")
    counts = partner.counts()["tokens"]
    assert {t: counts.get(t, {}).get("accepted", 0) for t in load.acknowledged.values()} == dict.fromkeys(
        load.acknowledged.values(), 1)


def test_a_stop_waits_for_what_is_under_way(daemons, partner, unique):
    partner.set_faults("delay=1s")
    shop, token = daemons(), unique.token()
    shop.order("o", token=token)
    shop.wait_state("o", "sending")
    assert shop.stop() == 0
    posts = partner.counts(token)["tokens"][token]["posts"]
    partner.clear_faults()
    shop.start()
    story = shop.wait_state("o", "delivered")
    assert (posts, partner.counts(token)["tokens"][token]["posts"]) == (1, 1)
    assert [a["outcome"] for a in story["attempts"]] == ["delivered"]


@tried_again_if_late
def test_a_stop_answers_those_that_wait(daemons, partner, unique):
    partner.set_faults("delay=2s")
    shop, got = daemons(), []
    waiting = threading.Thread(target=lambda: got.append(shop.order("o", wait="30s", token=unique.token())))
    waiting.start()
    wait_for(lambda: shop.get("/v1/orders/o").status == 200 and shop.story("o")["state"] == "sending")
    start = time.monotonic()
    shop.process.send_signal(signal.SIGTERM)
    waiting.join(10)
    took = time.monotonic() - start
    assert (got[0].status, got[0].json["state"]) == (202, "sending")
    assert shop.wait_exit() == 0
    in_time(took, 1.5, "the answer")


def test_a_second_signal_ends_it_at_once_and_loses_nothing(daemons, partner, unique):
    partner.set_faults("hang")
    shop, token = daemons(), unique.token()
    shop.order("o", token=token)
    shop.wait_state("o", "sending")
    shop.process.send_signal(signal.SIGTERM)
    wait_for(lambda: shop.events("daemon.stopping"))
    start = time.monotonic()
    shop.process.send_signal(signal.SIGTERM)
    shop.wait_exit(8)
    assert time.monotonic() - start < 5
    partner.clear_faults()
    shop.start()
    assert shop.wait_state("o", "delivered")


def test_sighup_does_not_end_it(daemons):
    shop = daemons()
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: shop.events("settings.reloaded"))
    assert shop.get("/healthz").status == 200


# --- dying ---------------------------------------------------------------------------------------

def test_a_kill_between_order_and_delivery_loses_nothing(daemons, partner, unique):
    partner.set_faults("status=503")
    shop, token = daemons(), unique.token()
    click = shop.click(token=token)["click"]
    assert shop.order("o", click=click).status == 202
    shop.kill9()
    partner.clear_faults()
    shop.start()
    assert shop.wait_state("o", "delivered")
    assert partner.accepted(token) == 1


def test_a_kill_while_it_is_sent_leaves_the_attempt_unknown_and_sends_again(daemons, partner, unique):
    partner.set_faults("hang taken first=1")
    shop, token = daemons(), unique.token()
    shop.order("o", token=token)
    wait_for(lambda: partner.accepted(token) == 1, what="the request")
    shop.kill9()
    shop.start()
    story = shop.wait_state("o", "delivered")
    assert [(a["status"] or None, a["outcome"]) for a in story["attempts"]] == [
        (None, "unknown"), (200, "delivered")]
    assert partner.accepted(token) == 2
    assert [e["conversions"] for e in shop.events("delivery.released")] == [1]


def test_a_click_acknowledged_is_there_after_a_kill(daemons, partner, unique):
    shop, token = daemons(), unique.token()
    click = shop.click(token=token)["click"]
    shop.kill9()
    shop.start()
    assert shop.order("o", wait="10s", click=click).json["state"] == "delivered"
    assert partner.accepted(token) == 1


# --- one daemon a store --------------------------------------------------------------------------

def test_a_second_daemon_on_the_state_refuses_and_names_the_first(daemons):
    shop = daemons()
    other = daemons.make(BACKCHANNEL_STATE=str(shop.state)).spawn()
    assert other.wait_exit() == 4
    said = other.log_text()
    assert f"process {shop.pid}" in said and shop.address in said and str(shop.state) in said
    assert "BACKCHANNEL_STATE" in said, "what to do"
    assert shop.get("/readyz").status == 200


def test_the_lock_of_a_killed_daemon_is_free(daemons):
    shop = daemons()
    shop.kill9()
    assert shop.start().get("/readyz").status == 200


def test_an_address_in_use_is_refused_by_name(daemons):
    shop = daemons()
    other = daemons.make(BACKCHANNEL_LISTEN=shop.address).spawn()
    assert other.wait_exit() in (1, 4)
    assert shop.address in other.log_text() and "in use" in other.log_text()


# --- without a daemon ----------------------------------------------------------------------------

def test_the_commands_work_on_the_store_when_no_daemon_runs(daemons, partner, unique):
    shop, token = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9"), unique.token()
    got = shop.cli("capture", f"https://shop.example/?sovReqToken={token}", "--session", "sess-1")
    assert got.code == 0 and "no daemon runs" in got.out, got
    got = shop.cli("order", "o", "--session", "sess-1")
    assert got.code == 0 and "goes out when" in got.out, got
    assert partner.accepted(token) == 0
    assert "o" in shop.cli("orders").out
    assert "waits to be handed back" in shop.cli("explain", "o").out
    del shop.settings["BACKCHANNEL_URL"]
    shop.start()
    assert shop.wait_state("o", "delivered")
    assert partner.accepted(token) == 1


def test_an_order_with_wait_is_handed_back_without_a_daemon(daemons, partner, unique):
    shop, token = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9"), unique.token()
    got = shop.cli("order", "o", "--token", token, "--wait", "10s")
    assert got.code == 0 and "delivered" in got.out, got
    assert partner.accepted(token) == 1


def test_the_commands_exit_4_when_the_store_is_locked_and_its_daemon_not_reachable(daemons):
    shop = daemons()
    for command in (["orders"], ["explain", "o"], ["order", "o"], ["capture", "/?sovReqToken=abcd"]):
        got = shop.cli(*command, BACKCHANNEL_URL="http://127.0.0.1:9")
        assert got.code == 4, got
        assert f"process {shop.pid}" in got.err and "127.0.0.1:9" in got.err


def test_a_url_where_something_else_listens_is_4(daemons, partner):
    partner.set_faults("GET /v1/* garbage")
    shop = daemons()
    got = shop.cli("orders", BACKCHANNEL_URL=partner.base)
    assert got.code == 4 and "BACKCHANNEL_URL" in got.err, got


# --- files ---------------------------------------------------------------------------------------

def test_the_state_directory_is_ours_alone(daemons, unique):
    shop = daemons.make()
    os.umask(0)
    try:
        shop.start()
    finally:
        os.umask(0o022)
    shop.order("o", wait="10s", token=unique.token())
    modes = shop.files()
    assert modes.pop("state") == 0o700
    assert {"state/backchannel.db", "state/hash.key", "state/lock"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes


def test_the_commands_leave_no_file_that_others_read(daemons, unique):
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9")
    os.umask(0)
    try:
        assert shop.cli("order", "o", "--token", unique.token()).code == 0
    finally:
        os.umask(0o022)
    modes = shop.files()
    assert modes.pop("state") == 0o700
    assert set(modes.values()) == {0o600}, modes


def test_a_state_directory_that_others_may_write_is_refused(daemons):
    shop = daemons.make()
    shop.state.mkdir()
    shop.state.chmod(0o777)
    assert shop.spawn().wait_exit() == 1
    assert str(shop.state) in shop.log_text() and "chmod 700" in shop.log_text()


def test_a_state_directory_that_is_a_file_is_refused(daemons):
    shop = daemons.make()
    shop.state.write_text("x")
    assert shop.spawn().wait_exit() == 1 and str(shop.state) in shop.log_text()


def test_the_hash_key_belongs_to_its_store(daemons):
    shop = daemons()
    shop.stop()
    (shop.state / "hash.key").unlink()
    assert shop.spawn().wait_exit() == 1
    assert "hash key" in shop.log_text(this_run=True)


def test_a_damaged_hash_key_is_refused(daemons):
    shop = daemons()
    shop.stop()
    (shop.state / "hash.key").write_bytes(b"short")
    assert shop.spawn().wait_exit() == 1
    assert "damaged" in shop.log_text(this_run=True)


def test_a_file_that_is_no_store_is_refused_and_left_alone(daemons):
    shop = daemons.make()
    shop.state.mkdir(mode=0o700)
    (shop.state / "backchannel.db").write_bytes(b"this is no database" * 1000)
    assert shop.spawn().wait_exit() == 1
    assert "backchannel.db" in shop.log_text()
    assert (shop.state / "backchannel.db").read_bytes() == b"this is no database" * 1000


def test_the_store_passes_sqlites_own_check_after_a_kill(daemons, unique):
    shop = daemons()
    for i in range(50):
        shop.order(f"o{i}", token=unique.token())
    shop.kill9()
    db = sqlite3.connect(shop.state / "backchannel.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("SELECT count(*) FROM orders").fetchall() == [(50,)]
    db.close()


# --- what is refused at a start ------------------------------------------------------------------

REFUSED = [
    ("no credentials", {"SOVENDUS_PRODUCT_ID": None, "SOVENDUS_API_KEY": None},
     ["SOVENDUS_PRODUCT_ID", "SOVENDUS_API_KEY", "missing"]),
    ("no key", {"SOVENDUS_API_KEY": None}, ["SOVENDUS_API_KEY is missing"]),
    ("no product", {"SOVENDUS_PRODUCT_ID": None}, ["SOVENDUS_PRODUCT_ID is missing"]),
    ("an empty key", {"SOVENDUS_API_KEY": ""}, ["SOVENDUS_API_KEY"]),
    ("a key with a line break", {"SOVENDUS_API_KEY": "abc\ndef"}, ["SOVENDUS_API_KEY", "line"]),
    ("a product that is a path", {"SOVENDUS_PRODUCT_ID": "../x"}, ["SOVENDUS_PRODUCT_ID"]),
    ("plain http", {"SOVENDUS_BASE_URL": "http://shop.example/ext"}, ["SOVENDUS_BASE_URL", "https"]),
    ("a user in the URL", {"SOVENDUS_BASE_URL": "https://a:b@shop.example/ext"}, ["SOVENDUS_BASE_URL"]),
    ("a query in the URL", {"SOVENDUS_BASE_URL": "https://shop.example/ext?x=y"}, ["query"]),
    ("no URL", {"SOVENDUS_BASE_URL": "shop"}, ["SOVENDUS_BASE_URL"]),
    ("no duration", {"BACKCHANNEL_CLICK_TTL": "soon"}, ["BACKCHANNEL_CLICK_TTL", "soon"]),
    ("a click.ttl below a second", {"BACKCHANNEL_CLICK_TTL": "999ms"}, ["BACKCHANNEL_CLICK_TTL"]),
    ("no port", {"BACKCHANNEL_LISTEN": "127.0.0.1"}, ["BACKCHANNEL_LISTEN"]),
    ("a port too large", {"BACKCHANNEL_LISTEN": "127.0.0.1:70000"}, ["BACKCHANNEL_LISTEN"]),
    ("an unknown engine", {"BACKCHANNEL_STORE": "mysql://x"}, ["BACKCHANNEL_STORE"]),
    ("an unknown level", {"BACKCHANNEL_LOG": "loud"}, ["BACKCHANNEL_LOG"]),
    ("a cap below the base", {"BACKCHANNEL_RETRY_BASE": "30m", "BACKCHANNEL_RETRY_CAP": "10m"},
     ["retry.base", "retry.cap"]),
    ("a lease below the timeout", {"BACKCHANNEL_LANE_LEASE": "1s"}, ["lane.lease", "delivery.timeout"]),
    ("a bad parameter name", {"SOVENDUS_TOKEN_PARAM": "a b"}, ["SOVENDUS_TOKEN_PARAM"]),
    ("two names that differ", {"BACKCHANNEL_SOVENDUS_API_KEY": "another"}, ["SOVENDUS_API_KEY"]),
    ("no file", {"BACKCHANNEL_CONFIG": "/nonexistent/backchannel.conf"},
     ["/nonexistent/backchannel.conf"]),
    ("a key file that is not there", {"SOVENDUS_API_KEY": None,
                                      "SOVENDUS_API_KEY_FILE": "/nonexistent/key"}, ["/nonexistent/key"]),
]


@pytest.mark.parametrize("name,settings,words", REFUSED, ids=[row[0] for row in REFUSED])
def test_a_setting_that_cannot_be_is_refused_by_name(daemons, name, settings, words):
    shop = daemons.make(**settings).spawn()
    assert shop.wait_exit() == 1
    said = shop.log_text()
    for word in words:
        assert word in said, said
    assert "example-key-000" not in said and "abc\ndef" not in said
    assert not shop.state.exists(), "nothing is made before the settings are right"


def test_a_misspelt_setting_of_a_file_is_warned_of_with_the_right_name(daemons):
    """Only warned of: a file may be meant for a newer version too. `config lint` refuses it."""
    shop = daemons.make()
    (shop.work / "backchannel.conf").write_text("[clik]\nttl = 30d\n", encoding="ascii")
    shop.start()
    assert "clik.ttl" in shop.log_text() and "click.ttl" in shop.log_text()
    linted = shop.cli("config", "lint")
    assert linted.code == 1 and "clik.ttl" in linted.err and "click.ttl" in linted.err


def test_half_a_further_product_is_refused_by_its_label(daemons):
    shop = daemons.make()
    (shop.work / "backchannel.conf").write_text("[product shoes]\nid = 1\n", encoding="ascii")
    assert shop.spawn().wait_exit() == 1
    assert '"shoes"' in shop.log_text() and "key" in shop.log_text()


def test_the_credentials_may_come_from_files(daemons, partner, unique):
    shop = daemons.make(SOVENDUS_API_KEY=None)
    key = shop.folder / "key"
    key.write_text("example-key-000\n", encoding="ascii")
    key.chmod(0o600)
    shop.settings["SOVENDUS_API_KEY_FILE"] = str(key)
    shop.start()
    assert shop.order("o", wait="10s", token=unique.token()).json["state"] == "delivered"


def test_a_dotenv_of_the_working_directory_is_read_unless_others_may_write_it(daemons, partner, unique):
    shop = daemons.make(SOVENDUS_API_KEY=None)
    dotenv = shop.work / ".env"
    dotenv.write_text("SOVENDUS_API_KEY=example-key-000\n", encoding="ascii")
    dotenv.chmod(0o666)
    assert shop.spawn().wait_exit() == 1
    assert ".env" in shop.log_text()
    dotenv.chmod(0o600)
    shop.start()
    assert shop.order("o", wait="10s", token=unique.token()).json["state"] == "delivered"


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer build may be dumped and debugged")
def test_no_core_dump_and_no_look_at_its_memory(daemons):
    shop = daemons()
    with open(f"/proc/{shop.pid}/limits", encoding="ascii") as limits:
        (core,) = [line for line in limits if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    if os.geteuid() != 0:  # what may not be dumped belongs to root under /proc
        assert os.stat(f"/proc/{shop.pid}/environ").st_uid == 0


def test_the_hash_key_can_be_changed_when_the_former_one_is_named(daemons, unique):
    former, new = "former-hash-key-000", "another-hash-key-000"
    shop = daemons(BACKCHANNEL_HASH_KEY=former)
    session, used = unique.session(), unique.token()
    shop.click(token=unique.token(), session=session)
    shop.order("before", wait="5s", token=used)
    shop.stop()
    shop.settings["BACKCHANNEL_HASH_KEY"] = new
    shop.spawn()
    assert shop.wait_exit() == 1
    assert "another hash key" in shop.log_text() and "hash.key_previous" in shop.log_text()
    shop.settings["BACKCHANNEL_HASH_KEY_PREVIOUS"] = former
    shop.start()
    assert shop.order("after", wait="5s", session=session).json["state"] == "delivered"
    assert shop.order("again", token=used).json["reason"] == "click used by order before"
    shop.stop()
    del shop.settings["BACKCHANNEL_HASH_KEY_PREVIOUS"]
    shop.start()  # from now on the store answers to the new one
    assert shop.story("after")["state"] == "delivered"
