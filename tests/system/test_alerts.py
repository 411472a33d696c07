# SPDX-License-Identifier: MIT
"""alert.url: somebody is told when a lane parks and when it drains, once each, whatever the receiver
does; and delivery, stops and logs are as without it."""
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from daemon import KEY, PRODUCT
from doc_shell import ROOT
from sandbox_client import wait_for
from test_docs import table

HOOK = "/hook/canary-of-the-url"


class Receiver:
    """A chat's webhook. `answers` are the next statuses, then 204; None hangs until the end."""

    def __init__(self):
        self.bodies, self.heads, self.answers, self.statuses = [], [], [], []
        self.over = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heads.append((self.path, dict(self.headers)))
                receiver.bodies.append(json.loads(body))
                status = receiver.answers.pop(0) if receiver.answers else 204
                receiver.statuses.append(status)
                if status is None:
                    receiver.over.wait(60)
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}{HOOK}"

    def wait(self, count, seconds=15.0):
        wait_for(lambda: len(self.bodies) >= count, seconds, f"{count} alerts")
        return self.bodies

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def settled(shop, count, event="alert.sent"):
    wait_for(lambda: len(shop.events(event)) >= count, what=f"{count} {event}")


@pytest.fixture
def shop(daemons, receiver, partner):
    """Its key is wrong until partner.set_products says otherwise."""
    partner.set_products({PRODUCT: "the-right-key-000"})
    return daemons(BACKCHANNEL_ALERT_URL=receiver.url, BACKCHANNEL_LANE_PROBE="100ms")


def test_park_and_drain_are_told_once_each_in_words_and_in_fields(shop, receiver, partner):
    for n in range(5):
        assert shop.order(f"o-{n}", token=f"alert-token-{n}").status == 202
    shop.wait_lane("parked")
    (parked,) = receiver.wait(1)
    assert (parked["event"], parked["lane"], parked["to"]) == ("lane.state", "sovendus.default", "parked")
    assert 1 <= parked["pending"] <= 5
    assert parked["lane"] in parked["text"] and "parked" in parked["text"]
    assert parked["reason"] and parked["hint"] and parked["at"].endswith("Z") and parked["version"]
    path, head = receiver.heads[0]
    assert path == HOOK and head["Content-Type"] == "application/json"
    probes = len(partner.requests())
    wait_for(lambda: len(partner.requests()) >= probes + 5, what="probes, all refused")
    partner.set_products({PRODUCT: KEY})
    for n in range(5):
        shop.wait_state(f"o-{n}", "delivered")
    _, opened = receiver.wait(2)
    assert (opened["lane"], opened["from"], opened["to"]) == ("sovendus.default", "parked", "open")
    settled(shop, 2)
    assert shop.stop() == 0
    assert len(receiver.bodies) == 2
    told = json.dumps(receiver.bodies)
    for secret in (KEY, "the-right-key-000", "alert-token-", "canary-of-the-url", "o-0"):
        assert secret not in told
    for secret in (KEY, "alert-token-", "canary-of-the-url"):
        assert secret not in shop.log_text()


def test_a_restart_of_a_parked_lane_tells_nobody_again(shop, receiver, partner):
    shop.order("o", token="alert-token-1")
    receiver.wait(1)
    settled(shop, 1)
    shop.restart()
    shop.wait_lane("parked")
    partner.set_products({PRODUCT: KEY})
    shop.wait_state("o", "delivered")
    receiver.wait(2)
    assert [body["to"] for body in receiver.bodies] == ["parked", "open"]


def test_a_receiver_that_refuses_is_asked_three_times_in_all(shop, receiver, partner):
    receiver.answers = [500, 302]
    shop.order("o", token="alert-token-1")
    settled(shop, 1)
    assert receiver.statuses == [500, 302, 204]
    assert len({json.dumps(body) for body in receiver.bodies}) == 1
    assert shop.events("alert.sent")[0]["tries"] == 3
    receiver.answers = [429, 429, 429]
    partner.set_products({PRODUCT: KEY})
    settled(shop, 1, "alert.failed")
    (failed,) = shop.events("alert.failed")
    assert (failed["tries"], failed["status"], failed["level"]) == (3, 429, "warning")
    assert len(receiver.bodies) == 6
    assert "canary-of-the-url" not in shop.log_text()


def test_a_receiver_that_never_answers_holds_up_neither_delivery_nor_a_stop(shop, receiver, partner):
    receiver.answers = [None, None]
    shop.order("o", token="alert-token-1")
    receiver.wait(1)
    partner.set_products({PRODUCT: KEY})
    shop.wait_state("o", "delivered")
    for n in range(20):
        answer = shop.order(f"fast-{n}", wait="10s", token=f"alert-fast-{n}")
        assert answer.json["state"] == "delivered"
    start = time.monotonic()
    assert shop.stop() == 0
    assert time.monotonic() - start < 6
    assert len(shop.events("alert.dropped")) == 2
    assert shop.events("daemon.stopped")


def test_nobody_at_the_url_is_a_warning_and_nothing_else(daemons, partner):
    partner.set_products({PRODUCT: "the-right-key-000"})
    shop = daemons(BACKCHANNEL_ALERT_URL="http://127.0.0.1:9" + HOOK, BACKCHANNEL_LANE_PROBE="100ms")
    shop.order("o", token="alert-token-1")
    settled(shop, 1, "alert.failed")
    partner.set_products({PRODUCT: KEY})
    assert shop.wait_state("o", "delivered")
    assert "canary-of-the-url" not in shop.log_text()


def test_the_url_comes_and_goes_by_reload(tmp_path, daemons, receiver, partner):
    conf, url = tmp_path / "backchannel.conf", tmp_path / "url"
    url.write_text(receiver.url + "\n", encoding="ascii")
    conf.write_text("", encoding="ascii")
    partner.set_products({PRODUCT: "the-right-key-000"})
    shop = daemons(BACKCHANNEL_CONFIG=conf, BACKCHANNEL_LANE_PROBE="100ms")

    def reload(text):
        done = len(shop.events("settings.reloaded"))
        conf.write_text(text, encoding="ascii")
        shop.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(shop.events("settings.reloaded")) > done, what="the reload")
        return shop.events("settings.reloaded")[-1]["changed"]

    shop.order("o", token="alert-token-1")
    shop.wait_lane("parked")
    assert reload(f"[alert]\nurl_file = {url}\n") == "alert.url"
    partner.set_products({PRODUCT: KEY})
    receiver.wait(1)
    settled(shop, 1)
    assert [body["to"] for body in receiver.bodies] == ["open"], "it was parked before there was a url"
    assert reload("") == "alert.url"
    partner.set_products({PRODUCT: "the-right-key-000"})
    shop.order("p", token="alert-token-2")
    shop.wait_lane("parked")
    shop.stop()
    assert len(receiver.bodies) == 1
    assert "canary-of-the-url" not in shop.log_text()


def test_a_low_return_rate_is_told_once_and_once_when_it_is_over(tmp_path, daemons, receiver, partner):
    conf, key = tmp_path / "backchannel.conf", tmp_path / "key"
    key.write_text("the-wrong-key-000\n", encoding="ascii")
    product = f"[sovendus]\nproduct_id = {PRODUCT}\napi_key_file = {key}\n"
    conf.write_text(product, encoding="ascii")
    shop = daemons(BACKCHANNEL_CONFIG=conf, BACKCHANNEL_ALERT_URL=receiver.url, SOVENDUS_API_KEY=None,
                   SOVENDUS_PRODUCT_ID=None, BACKCHANNEL_LANE_PROBE="100ms")

    def told():
        return [body for body in receiver.bodies if body["event"] == "return_rate.state"]

    def look():
        """A reload looks at the rate at once, not at the end of the minute."""
        shop.process.send_signal(signal.SIGHUP)

    for n in range(5):
        assert shop.order(f"o-{n}", token=f"alert-token-{n}").status == 202
    shop.wait_lane("parked")
    conf.write_text(product + "[alert]\nreturn_rate = 80\nreturn_rate_orders = 5\n", encoding="ascii")
    look()
    (low,) = wait_for(told, what="the alert")
    assert (low["lane"], low["product"]) == ("sovendus.default", "default")
    assert (low["from"], low["to"]) == ("normal", "low")
    assert low["reason"] == "0 of 5 conversions of the last 24 h delivered" and low["pending"] == 5
    assert low["reason"] in low["text"] and "backchannel lanes" in low["hint"]

    key.write_text(KEY + "\n", encoding="ascii")
    look()
    for n in range(5):
        shop.wait_state(f"o-{n}", "delivered")
    look()
    _, normal = wait_for(lambda: told() if len(told()) > 1 else None, what="the alert that it is over")
    assert (normal["lane"], normal["from"], normal["to"]) == ("sovendus.default", "low", "normal")
    settled(shop, len(receiver.bodies))
    assert shop.stop() == 0
    assert [body["to"] for body in told()] == ["low", "normal"]
    assert [(event["to"], event["level"]) for event in shop.events("return_rate.state")] == [
        ("low", "error"), ("normal", "info")]
    assert "alert-token-" not in json.dumps(receiver.bodies) and KEY not in json.dumps(receiver.bodies)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of which less is free than an alert asks for."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=0700", "tmpfs", path],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_disk_that_fills_up_is_told_once_and_once_when_there_is_room(daemons, receiver, small_disk):
    shop = daemons(BACKCHANNEL_STATE=small_disk / "state", BACKCHANNEL_ALERT_URL=receiver.url)
    (low,) = receiver.wait(1)
    assert (low["event"], low["from"], low["to"]) == ("disk.state", "normal", "low")
    assert re.fullmatch(r"\d+ MiB are free where the store is", low["reason"]) and "lane" not in low
    assert low["reason"] in low["text"] and "make room" in low["hint"]
    assert low["runbook"] == "docs/howto/disk-filling.md"
    subprocess.run(["mount", "-o", "remount,size=1g", small_disk], check=True)
    wait_for(lambda: shop.get("/v1/lanes").status == 200 and len(receiver.bodies) > 1, what="the second alert")
    assert [body["to"] for body in receiver.bodies] == ["low", "normal"]
    assert receiver.bodies[1]["hint"] == "nothing to do"
    wait_for(lambda: len(shop.events("watch.state")) > 1, what="the log to say so")
    assert [(event["watch"], event["to"], event["level"]) for event in shop.events("watch.state")] == [
        ("disk.state", "low", "error"), ("disk.state", "normal", "info")]


def test_a_store_that_is_broken_is_told_at_once_and_once(daemons, receiver, tmp_path):
    shop = daemons(BACKCHANNEL_STORE=f"fault:commit@5=fsync:sqlite:{tmp_path}/shop.db", BACKCHANNEL_ALERT_URL=receiver.url)
    for n in range(5):
        shop.order(f"o-{n}", token=f"alert-token-{n}")
    (broken,) = receiver.wait(1)
    assert (broken["event"], broken["from"], broken["to"]) == ("store.state", "writable", "broken")
    assert broken["hint"] and broken["runbook"] == "docs/howto/disk-filling.md"
    settled(shop, 1)
    assert shop.stop() == 0
    assert len(receiver.bodies) == 1 and len(shop.events("store.broken")) == 1
    assert "alert-token-" not in json.dumps(receiver.bodies)


def test_every_alert_stands_in_the_documentation_and_every_one_of_it_is_raised():
    code = "".join((ROOT / "src/core" / name).read_text(encoding="utf-8") for name in
                   ("alerts.c", "lanes.c", "return_rate.c", "watch.c"))
    events = set(re.findall(r'(?:\.event = |^\t\[[A-Z]+\] = \{ )"([a-z_.]+)"', code, re.M))
    assert len(events) > 8
    rows = table("docs/operation.md", "## Alerts")
    assert {row[0].strip("`") for row in rows} == events
    described = (ROOT / "docs/openapi.yaml").read_text(encoding="utf-8")
    listed = re.search(r"    Alert:\n.*?enum: \[(.*?)\]", described, re.S)[1]
    assert set(re.split(r",\s*", listed)) == events
    pages = {path.stem for path in (ROOT / "docs/howto").glob("*.md")}
    assert set(re.findall(r'\.page = "([a-z-]+)"', code)) <= pages


def test_check_says_that_there_is_a_url_and_sends_nothing_to_it(shop, receiver, partner):
    partner.set_products({PRODUCT: KEY})
    got = shop.cli("check")
    assert got.code == 0 and "alert.url is set; nothing was sent to it" in got.out, got
    assert "canary" not in got.out + got.err
    without = shop.cli("check", "--json", BACKCHANNEL_ALERT_URL=None)
    (row,) = [row for row in without.json if row["hop"] == "alerts"]
    assert row["verdict"] == "skipped" and "nobody is told" in row["found"]
    assert "alerts" not in shop.cli("check", BACKCHANNEL_ALERT_URL=None).out
    assert receiver.bodies == []


def test_a_url_that_is_not_private_is_refused_without_being_shown(daemons):
    shop = daemons.make(BACKCHANNEL_ALERT_URL="http://chat.example/canary-of-the-url").spawn()
    assert shop.wait_exit() == 1
    said = shop.log_text()
    assert '"alert.url" is not https' in said and "canary" not in said
