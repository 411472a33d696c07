# SPDX-License-Identifier: MIT
"""SIGHUP: settings read again under load and nothing dropped, keys that are changed in their file,
products that come and go, and settings that are wrong, hidden, or wait for a restart."""
import contextlib
import datetime
import hashlib
import os
import signal
import socket
import subprocess

import pytest

import wire
from daemon import KEY, PRODUCT, Daemon, binary
from sandbox_client import wait_for
from workers import Workers

SHOES = "1d2c3b4a-902c-3abf-9db8-8b186d7cb160"
SHOES_KEY = "example-key-of-shoes"
# What the fixture gives by the environment, where no file could change it.
FROM_FILE = dict(SOVENDUS_PRODUCT_ID=None, SOVENDUS_API_KEY=None, BACKCHANNEL_LOG=None)


class Settings:
    """A settings file, the default product's key in a file of its own, and a daemon that reads
    both."""

    def __init__(self, folder, daemons, **environment):
        self.folder, self.path, self.key = folder, folder / "backchannel.conf", folder / "key"
        self.key.write_text(KEY + "\n", encoding="ascii")
        self.write()
        self.shop = daemons.make(BACKCHANNEL_CONFIG=self.path, **{**FROM_FILE, **environment})

    def write(self, first="", rest="", log="debug,json"):
        """first stands above the sections, rest below them. In one go: half a file is another."""
        new = self.folder / "new"
        new.write_text(f"log = {log}\n{first}\n[sovendus]\nproduct_id = {PRODUCT}\n"
                       f"api_key_file = {self.key}\n{rest}\n", encoding="utf-8")
        new.replace(self.path)

    def hup(self):
        self.shop.process.send_signal(signal.SIGHUP)

    def reload(self):
        return self.shop.reload()


@pytest.fixture
def settings(tmp_path, daemons):
    made = Settings(tmp_path, daemons)
    made.shop.start()
    return made


def product(label, id_, key, more=""):
    return f"[product {label}]\nid = {id_}\nkey = {key}\n{more}"


# --- nothing is dropped --------------------------------------------------------------------------

class Load(Workers):
    """Threads that report clicks and orders as fast as they are answered, each on one connection
    that has to last."""

    def __init__(self, shop, threads=3):
        super().__init__(threads)
        self.shop, self.tokens, self.answered = shop, [], 0

    def run(self, number):
        conn, count = wire.connection(self.shop.address), 0
        try:
            conn.connect()
            first = conn.sock
            while not self.over.is_set():
                count += 1
                token = f"hup-{number}-{count:06d}"
                got = wire.send(conn, "POST", "/v1/clicks", {"token": token})
                if got.status != 201:
                    self.odd.append(got)
                    continue
                got = wire.send(conn, "POST", "/v1/orders", {"order": f"hup-{number}-{count}",
                                                             "click": got.json["click"]})
                if got.status != 202:
                    self.odd.append(got)
                self.tokens.append(token)
                self.answered += 2
            if conn.sock is not first:
                self.odd.append("another connection")
        except (OSError, wire.http.client.HTTPException) as cut:
            self.odd.append(cut)


def test_twenty_reloads_under_load_drop_no_request_no_connection_and_no_conversion(settings, partner):
    shop = settings.shop
    with Load(shop) as load:
        for n in range(20):
            answered = load.answered
            wait_for(lambda: load.answered > answered + 50 or load.odd, what="load")
            settings.write(rest=f"[click]\nttl = {n + 1}d\n[lane]\nconcurrency = {n % 8 + 1}\n"
                                + (product("shoes", SHOES, SHOES_KEY) if n % 2 else ""))
            assert settings.reload()["event"] == "settings.reloaded"
    assert load.odd == []
    for state in ("pending", "sending"):
        wait_for(lambda: shop.get(f"/v1/orders?state={state}&limit=1").json["orders"] == [], 60,
                 "delivery")
    counts = partner.counts()["tokens"]
    assert {token: counts.get(token, {}).get("accepted") for token in load.tokens} == dict.fromkeys(
        load.tokens, 1)
    assert len(shop.events("settings.reloaded")) == 20


def test_an_attempt_under_way_ends_with_the_key_it_began_with(settings, partner):
    partner.set_faults("delay=500ms")
    shop = settings.shop
    shop.order("o", token="under-way-1")
    wait_for(partner.requests, what="the request")
    settings.key.write_text("another-key-000", encoding="ascii")
    settings.reload()
    story = shop.wait_state("o", "delivered")
    assert [attempt["outcome"] for attempt in story["attempts"]] == ["delivered"]


def test_the_last_of_many_signals_is_not_lost(settings):
    shop = settings.shop
    for n in range(30):
        settings.write(rest=f"[click]\nttl = {n + 1}h")
        settings.hup()
    settings.write(rest="[click]\nttl = 77h")
    settings.hup()
    click = {}

    def lives_77_hours():
        click.update(shop.click(token="signals-1"))
        done = shop.events("settings.reloaded")
        return done and all(event["changed"] in ("click.ttl", "nothing") for event in done) and (
            77 * 3600 - 60 < seconds_left(click["expires_at"]) <= 77 * 3600)
    wait_for(lives_77_hours, what="the last settings")
    assert shop.events("settings.kept") == []


def seconds_left(text):
    then = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (then - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


@pytest.mark.parametrize("round_", range(3))
def test_a_stop_amid_a_reload_is_a_clean_stop(settings, round_):
    del round_
    settings.shop.order("o", token="stopped-1")
    settings.write(rest="[click]\nttl = 3d\n" + product("shoes", SHOES, SHOES_KEY))
    settings.hup()
    settings.hup()
    settings.shop.process.send_signal(signal.SIGTERM)
    settings.hup()
    assert settings.shop.wait_exit() == 0


def test_each_reload_is_told_to_the_service_manager_begin_and_end(tmp_path, daemons):
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        made = Settings(tmp_path, daemons, NOTIFY_SOCKET=tmp_path / "notify")
        made.shop.start()
        assert manager.recv(999) == b"READY=1"
        for text in ("", "nonsense"):
            made.write(first=text)
            made.reload()
            assert manager.recv(999).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(999) == b"READY=1"
        made.shop.stop()
        assert manager.recv(999) == b"STOPPING=1"


# --- keys ----------------------------------------------------------------------------------------

def fingerprint(key):
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def test_a_key_that_is_put_right_in_its_file_drains_a_parked_lane_at_once(tmp_path, daemons, partner):
    settings = Settings(tmp_path, daemons, BACKCHANNEL_LANE_PROBE="1h")
    settings.key.write_text("wrong-key-canary", encoding="ascii")
    shop = settings.shop.start()
    tokens = [f"parked-{n}" for n in range(20)]
    for token in tokens:
        assert shop.order(f"o-{token}", token=token).status == 202
    shop.wait_lane("parked")
    asked = len(partner.requests())
    assert settings.reload()["changed"] == "nothing"
    assert shop.lane()["state"] == "parked" and len(partner.requests()) == asked
    settings.key.write_text(KEY, encoding="ascii")
    told = settings.reload()
    assert told["changed"] == (f"sovendus.api_key ({fingerprint('wrong-key-canary')} to "
                               f"{fingerprint(KEY)})")
    for token in tokens:
        shop.wait_state(f"o-{token}", "delivered", seconds=10)
    assert shop.lane()["state"] == "open"
    assert {partner.accepted(token) for token in tokens} == {1}
    for key in ("wrong-key-canary", KEY):
        assert key not in shop.log_text()


def test_a_wrong_key_by_reload_parks_and_costs_no_conversion(settings, partner):
    shop = settings.shop
    settings.key.write_text("wrong-key-000", encoding="ascii")
    settings.reload()
    shop.order("o", token="wrong-key-1")
    shop.wait_lane("parked")
    settings.key.write_text(KEY, encoding="ascii")
    settings.reload()
    assert shop.wait_state("o", "delivered")
    assert partner.accepted("wrong-key-1") == 1


def test_credentials_of_systemd_are_read_again(tmp_path, daemons, partner):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "sovendus.api_key").write_text("wrong-key-000", encoding="ascii")
    shop = daemons(SOVENDUS_API_KEY=None, CREDENTIALS_DIRECTORY=folder, BACKCHANNEL_LANE_PROBE="1h")
    shop.order("o", token="credential-1")
    shop.wait_lane("parked")
    (folder / "sovendus.api_key").write_text(KEY, encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    assert shop.wait_state("o", "delivered")
    assert partner.accepted("credential-1") == 1


# --- products ------------------------------------------------------------------------------------

def test_a_product_that_is_added_takes_orders_at_once(settings, partner):
    shop = settings.shop
    partner.set_products({PRODUCT: KEY, SHOES: SHOES_KEY})
    assert shop.order("early", token="early-1", product="shoes").status == 400
    settings.write(rest=product("shoes", SHOES, SHOES_KEY, "landing = /shoes/\n"))
    told = settings.reload()
    assert (told["changed"], told["products"]) == ("product.shoes added", 2)
    assert shop.order("o", wait="10s", token="shoes-1", product="shoes").json["state"] == "delivered"
    click = shop.click(url="https://shop.example/shoes/?sovReqToken=shoes-2")["click"]
    assert shop.order("p", wait="10s", click=click).json["product"] == "shoes"
    assert shop.lane("sovendus.shoes")["state"] == "open"


def test_what_waits_for_a_product_that_left_waits_until_it_is_back(settings, partner):
    shop = settings.shop
    partner.set_products({PRODUCT: KEY, SHOES: SHOES_KEY})
    with_shoes = product("shoes", SHOES, SHOES_KEY)
    settings.write(rest=with_shoes)
    settings.reload()
    partner.set_faults(f"status=503 product={SHOES}")
    shop.order("waits", token="shoes-waits-1", product="shoes")
    wait_for(lambda: shop.story("waits")["attempts"], what="an attempt")
    settings.write()
    assert settings.reload()["changed"] == "product.shoes removed"
    wait_for(lambda: shop.story("waits")["state"] == "pending", what="the end of an attempt under way")
    partner.clear_faults()
    assert shop.order("o", wait="10s", token="other-1").json["state"] == "delivered"
    assert shop.order("no", token="shoes-no-1", product="shoes").status == 400
    assert shop.story("waits")["state"] == "pending" and partner.accepted("shoes-waits-1") == 0
    settings.write(rest=with_shoes)
    settings.reload()
    assert shop.wait_state("waits", "delivered")
    assert partner.accepted("shoes-waits-1") == 1


# --- the rest takes effect too -------------------------------------------------------------------

def test_the_api_token_changes_on_connections_that_are_open(settings):
    shop = settings.shop
    conn = wire.connection(shop.address)
    assert wire.send(conn, "GET", "/v1/lanes").status == 200
    kept = conn.sock
    for token in ("token-one-canary", "token-two-canary"):
        settings.write(first=f"api_token = {token}")
        assert settings.reload()["changed"] == "api_token"
        good = {"Authorization": f"Bearer {token}"}
        assert wire.send(conn, "GET", "/v1/lanes").status == 401
        assert wire.send(conn, "GET", "/v1/lanes", headers=good).status == 200
    assert wire.send(conn, "GET", "/v1/lanes",
                     headers={"Authorization": "Bearer token-one-canary"}).status == 401
    assert conn.sock is kept
    conn.close()
    assert "canary" not in shop.log_text()


def test_a_host_name_is_known_from_the_reload_on(settings):
    shop = settings.shop
    assert shop.ask("GET", "/healthz", headers={"Host": "shop.internal"}).status == 403
    settings.write(rest="[http]\nhosts = shop.internal\n")
    settings.reload()
    assert shop.ask("GET", "/healthz", headers={"Host": "shop.internal"}).status == 200


def test_the_log_changes_its_level_and_its_form(settings):
    shop = settings.shop
    settings.write(log="error,json")
    assert settings.reload()["changed"] == "log"
    before = len(shop.events())
    assert shop.order("quiet", wait="10s", token="quiet-1").json["state"] == "delivered"
    assert len(shop.events()) == before
    settings.write(log="debug,text")
    settings.hup()
    wait_for(lambda: "INFO settings.reloaded changed=log" in shop.log_text()
             or "info settings.reloaded changed=log" in shop.log_text(), what="the text line")
    shop.order("loud", wait="10s", token="loud-1")
    wait_for(lambda: "order=loud" in shop.log_text(), what="a line")


def test_click_ttl_and_retry_take_effect(settings, partner):
    shop = settings.shop
    settings.write(rest="[click]\nttl = 2d\n")
    settings.reload()
    assert 2 * 86400 - 60 < seconds_left(shop.click(token="ttl-1")["expires_at"]) <= 2 * 86400


# --- what does not -------------------------------------------------------------------------------

def test_settings_that_are_wrong_are_all_named_and_the_old_ones_stay(settings, partner):
    shop = settings.shop
    settings.write(rest="[click]\nttl = soon\n[lane]\nconcurrency = 0\n[product shoes]\nid = x\n")
    kept = settings.reload()
    assert kept["event"] == "settings.kept" and kept["errors"] == 2
    found = shop.events("settings.refused")
    assert [event["level"] for event in found] == ["error", "error"]
    assert found[0]["where"].endswith("backchannel.conf:7")
    assert '"click.ttl" = "soon" is not a duration' in found[0]["problem"]
    assert "such as 90s or 24h" in found[0]["hint"]
    assert "lane.concurrency" in found[1]["problem"]
    assert shop.order("o", wait="10s", token="kept-1").json["state"] == "delivered"
    settings.write(rest="[product shoes]\nid = x\n")
    settings.reload()
    assert 'the product "shoes" has no key' in shop.events("settings.refused")[-1]["problem"]
    settings.path.unlink()
    assert settings.reload()["event"] == "settings.kept"
    assert "No such file" in shop.events("settings.refused")[-1]["problem"]
    settings.write(rest="[click]\nttl = 3d\n")
    assert settings.reload()["changed"] == "click.ttl"
    assert shop.stop() == 0


def test_a_pipe_cannot_be_read_twice_and_stops_nothing(tmp_path, daemons):
    settings = Settings(tmp_path, daemons)
    settings.shop.start()
    settings.path.unlink()
    os.mkfifo(settings.path)
    assert settings.reload()["event"] == "settings.kept"
    assert "not a regular file" in settings.shop.events("settings.refused")[-1]["problem"]
    assert settings.shop.get("/readyz").status == 200


def test_what_waits_for_a_restart_is_named_each_time_until_it_is_put_back(tmp_path, daemons):
    settings = Settings(tmp_path, daemons, BACKCHANNEL_LISTEN=None)
    settings.write(first="listen = 127.0.0.1:0")
    shop = settings.shop.start()
    del shop.settings["BACKCHANNEL_LISTEN"]  # of the next start

    def reloaded(**text):
        before = len(shop.events("settings.warning"))
        settings.write(**text)
        told = settings.reload()
        return told["changed"], [event["problem"].split('"')[1]
                                 for event in shop.events("settings.warning")[before:]]

    changed = dict(first="listen = 127.0.0.1:1\nstore = memory:",
                   rest="[http]\nconnections = 7\nbody = 1MiB\nhead_timeout = 1s\n[hash]\n"
                        "key = 0123456789abcdef\n[delivery]\nproxy = http://127.0.0.1:1\n")
    names = ["listen", "store", "http.connections", "http.body", "http.head_timeout", "hash.key",
             "delivery.proxy"]
    assert reloaded(**changed) == ("nothing", names)
    assert reloaded(**changed) == ("nothing", names)
    assert reloaded(first="listen = 127.0.0.1:0") == ("nothing", [])
    assert shop.order("o", wait="10s", token="restart-1").json["state"] == "delivered"


def test_a_file_that_differs_from_the_environment_changes_nothing_and_that_is_said_once(settings):
    shop = settings.shop  # base_url and retry.base come from the environment
    settings.write(rest="[retry]\nbase = 3s\n")
    assert settings.reload()["changed"] == "nothing"
    (warning,) = shop.events("settings.warning")
    assert '"retry.base" is not used from here: environment BACKCHANNEL_RETRY_BASE goes first' in (
        warning["problem"])
    assert "restart backchannel" in warning["hint"]
    settings.reload()
    assert len(shop.events("settings.warning")) == 1


# --- where the settings are ----------------------------------------------------------------------

class WithOption(Daemon):
    """Started with --config, and a name relative to the working directory."""

    def spawn(self):
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen([binary(), "serve", "--config", "../mine.conf"],
                                            env=self.env, cwd=self.work, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=log)
        return self


def test_the_file_of_the_option_is_the_one_that_is_read_again(tmp_path, partner):
    shop = WithOption(tmp_path / "daemon", partner)
    (shop.work / "backchannel.conf").write_text("[click]\nttl = 9d\n", encoding="ascii")
    (shop.folder / "mine.conf").write_text("[click]\nttl = 1d\n", encoding="ascii")
    with shop:
        (shop.folder / "mine.conf").write_text("[click]\nttl = 2d\n", encoding="ascii")
        shop.process.send_signal(signal.SIGHUP)
        wait_for(lambda: shop.events("settings.reloaded"), what="the reload")
        assert 86400 < seconds_left(shop.click(token="option-1")["expires_at"]) <= 2 * 86400
        assert shop.stop() == 0


def test_a_dotenv_is_read_again(daemons):
    shop = daemons.make()
    dotenv = shop.work / ".env"
    dotenv.write_text("BACKCHANNEL_CLICK_TTL=1d\n", encoding="ascii")
    dotenv.chmod(0o600)
    shop.start()
    dotenv.write_text("BACKCHANNEL_CLICK_TTL=2d\n", encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: shop.events("settings.reloaded"), what="the reload")
    assert 86400 < seconds_left(shop.click(token="dotenv-1")["expires_at"]) <= 2 * 86400
