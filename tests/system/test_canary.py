# SPDX-License-Identifier: MIT
"""Canaries: secrets that could not occur by chance are sent through whole journeys, failures
included, at the most talkative log level, with Commerce, alerts and the console on; then everything
that the program says, keeps and shows is searched for them: each route of its table, each command,
what the stream sends, metrics in both formats, what alert.url got, the log, the store.

Not covered, because it can't be: /proc/PID/environ shows what the environment held at the start to
whoever may look there (the same user and root; for others, and for the same user unless root, the
process is not dumpable). Where that matters, *_FILE or a systemd credential keeps secrets out of it.
"""
import base64
import hashlib
import pathlib
import re
import time

import pytest

import event_receiver
import wire
from daemon import PRODUCT, Daemon
from doc_shell import ROOT
from gateway import Gateway
from sandbox_client import wait_for

KEY = "CANARYkey-7f3a9c1e5b2d8f60"
API_TOKEN = "CANARYapi-94be02d7ac6613f8"
HASH_KEY = "CANARYhash-51f0aa97d3e8c426"
SESSION = "CANARYsession-c0ffee1234567890"
CLIENT_SECRET = "CANARYims-2d84e6b1f09c7a53"
ACCESS = "CANARYaccess-e1b7c39550fa8d26"  # every access token begins with it
HOOK = "CANARYhook-a90c55d2e8b17f34"
TOKENS = {name: f"CANARYtok-{name}-8d21" for name in
          ("click", "plain", "reject", "retry", "bad", "late", "parked", "cli", "cookie")}


def disguises(secret):
    """The secret, and the ways in which it might slip through."""
    raw = secret.encode()
    return {secret, secret.lower(), raw.hex(), raw.hex().upper(), secret[::-1],
            base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("="),
            hashlib.sha256(raw).hexdigest(), hashlib.md5(raw).hexdigest(), secret[:16], secret[-12:]}


def found(text, secrets):
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    folded = text.lower()
    return sorted(form for secret in secrets for form in disguises(secret)
                  if form in text or form.lower() in folded)


NEVER = [KEY, API_TOKEN, HASH_KEY, SESSION, CLIENT_SECRET, ACCESS, HOOK]
ALWAYS_HIDDEN = NEVER + list(TOKENS.values())


def routes():
    """(method, path) of every route, from the table that the daemon works by."""
    table = (ROOT / "src/daemon/api.c").read_text(encoding="utf-8")
    found_ = re.findall(r'^\t\{ "([A-Z]+)", "(/[^"]*)"', table, re.M)
    assert len(found_) > 20
    return found_


class Journey:
    """Everything that a shop does and that goes wrong, and every word that came of it."""

    def __init__(self, shop, partner, receiver):
        self.shop, self.partner, self.receiver, self.said = shop, partner, receiver, []

    def ask(self, method, path, body=None, **more):
        answer = self.shop.ask(method, path, body, **more)
        self.said.append((f"{method} {path}", answer.text + str(answer.headers)))
        return answer

    def cli(self, *arguments, **settings):
        done = self.shop.cli(*arguments, **settings)
        self.said.append((" ".join(("cli", *arguments[:1])), done.out + done.err))
        return done

    def clicks(self):
        landing = f"https://shop.example/l?sovReqToken={TOKENS['click']}"
        click = self.ask("POST", "/v1/clicks", {"url": landing, "session": SESSION}).json["click"]
        self.ask("POST", "/v1/clicks", {"token": TOKENS["bad"] + "/../x", "session": SESSION})
        self.ask("POST", "/v1/clicks", {"token": TOKENS["bad"], "session": SESSION + "\n"})
        self.ask("POST", "/v1/clicks", {"token": TOKENS["bad"], "click": "t." + TOKENS["bad"] + "!"})
        self.ask("POST", "/v1/clicks", {"token": TOKENS["bad"], "product": TOKENS["bad"][:3]})
        self.ask("DELETE", "/v1/clicks/t." + TOKENS["cookie"])
        return click

    def orders(self, click):
        self.partner.set_faults(
            f"status=422 token={TOKENS['reject']}, accept-reset token={TOKENS['retry']} first=1, "
            f"wrong-echo token={TOKENS['plain']}, status=403 token={TOKENS['cookie']}")
        self.ask("POST", "/v1/orders?wait=10s", {"order": "click", "session": SESSION})
        self.ask("POST", "/v1/orders", {"order": "again", "click": click, "session": SESSION})
        self.ask("POST", "/v1/orders", {"order": "click", "token": TOKENS["bad"]})
        self.ask("POST", "/v1/orders?wait=10s", {"order": "plain", "token": TOKENS["plain"]})
        self.ask("POST", "/v1/orders?wait=10s", {"order": "cookie", "click": "t." + TOKENS["cookie"]})
        self.ask("POST", "/v1/orders?wait=10s", {"order": "reject", "token": TOKENS["reject"]})
        self.ask("POST", "/v1/orders?wait=10s", {"order": "retry", "token": TOKENS["retry"]})
        self.ask("POST", "/v1/orders", {"order": "bad", "token": TOKENS["bad"] + "%0d%0a"})
        self.ask("POST", "/v1/orders", {"order": "bad", "session": SESSION + "\u0001"})
        self.ask("POST", "/v1/orders", {"order": "late", "session": SESSION + "-late"})
        self.ask("POST", "/v1/clicks", {"token": TOKENS["late"], "session": SESSION + "-late"})
        self.shop.wait_state("late", "delivered")

    def a_parked_lane(self):
        self.partner.set_faults("status=403")
        self.ask("POST", "/v1/orders", {"order": "parked", "token": TOKENS["parked"]})
        self.shop.wait_lane("parked")
        self.ask("GET", "/v1/lanes")
        self.ask("GET", "/v1/orders/parked")
        self.cli("explain", "parked")
        self.cli("explain", "parked", "--support")
        self.cli("check")
        self.cli("check", "--json")
        self.partner.clear_faults()
        self.shop.wait_state("parked", "delivered")

    def looking_around(self):
        names = [row["order"] for row in self.ask("GET", "/v1/orders").json["orders"]]
        for name in names:
            self.ask("GET", "/v1/orders/" + name)
            self.ask("POST", f"/v1/orders/{name}/retry")
            self.ask("POST", f"/v1/orders/{name}/cancel")
            self.cli("explain", name)
            self.cli("explain", name, "--json")
            self.cli("explain", name, "--support")
        for path in ("/none/" + API_TOKEN[:3], "/v1/orders?state=delivered", "/v1/orders?search=p",
                     "/v1/history?span=7d"):
            self.ask("GET", path)
        self.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
        self.cli("orders")
        self.cli("orders", "--json")
        self.cli("check")
        self.cli("config", "show")
        self.cli("config", "show", "--json")
        self.cli("config", "lint")
        self.cli("recipe", "nginx")
        self.cli("version")
        self.cli("lanes")
        self.cli("lanes", "--json")
        self.cli("orders", "--summary")
        self.cli("orders", "--export", "csv")
        self.cli("token")
        self.cli("token", "--json")
        self.cli("call", "GET", "/V1/orders")
        self.cli("pull")
        self.cli("backup", self.shop.folder / "copy.db")
        self.cli("capture", "https://shop.example/?sovReqToken=" + TOKENS["cli"], "--session", SESSION)
        self.cli("order", "cli", "--session", SESSION, "--wait", "5s")
        self.cli("order", "cli2", "--token", TOKENS["cli"])

    def every_route(self):
        """Each as its table has it; what would show tokens (tokens=1, show=1) is not asked for."""
        names = {"{lane}": "sovendus.default", "{order}": "plain", "{click}": "c." + 32 * "0"}
        for method, path in routes():
            for name, value in names.items():
                path = path.replace(name, value)
            assert "{" not in path, path
            if path == "/v1/stream":
                self.stream(path)
            else:
                self.ask(method, path, {} if method == "POST" else None)
                self.ask(method, path + "?limit=none&cursor=x&span=x", {"order": 7} if method == "POST" else None)

    def stream(self, path):
        conn = wire.connection(self.shop.address)
        conn.request("GET", path, headers=self.shop.headers)
        got = conn.getresponse()
        text = ""
        while got.status == 200 and not text.endswith("\n\n"):
            text += got.readline().decode()
        conn.close()
        assert "data: {" in text, got.status
        self.said.append(("the stream", text))

    def refusals(self):
        for headers in ({"Authorization": "Bearer " + API_TOKEN + "x"},
                        {"Authorization": "Basic " + API_TOKEN}, {"Host": API_TOKEN + ".example"},
                        {"Origin": "http://" + API_TOKEN}, {"Content-Type": API_TOKEN}):
            self.ask("POST", "/v1/orders", {"order": "x", "token": TOKENS["bad"]}, headers=headers)
        for raw in (b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + API_TOKEN.encode()
                    + b"\r\n folded\r\n\r\n",
                    b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length"
                    b": 3\r\nCookie: " + SESSION.encode() + b"\r\n\r\n{}"):
            peer = wire.exchange(self.shop.address, raw)
            self.said.append(("raw", peer.bytes.decode("latin-1")))

    def run(self):
        self.orders(self.clicks())
        self.a_parked_lane()
        self.looking_around()
        self.every_route()
        self.refusals()
        return self

    @property
    def alerts(self):
        return [request.body.decode() for request in self.receiver.requests]


def canary_settings(**more):
    return {"SOVENDUS_API_KEY": KEY, "BACKCHANNEL_API_TOKEN": API_TOKEN, "BACKCHANNEL_HASH_KEY": HASH_KEY,
            "BACKCHANNEL_LANE_PROBE": "100ms", **more}


@pytest.fixture(scope="module", params=["debug,json", "debug,text"])
def journey(request, tmp_path_factory, partner_process):
    partner_process.reset()
    partner_process.set_products({PRODUCT: KEY})
    with event_receiver.Receiver() as receiver:
        gateway = Gateway(tmp_path_factory.mktemp("canary"), partner=partner_process, **canary_settings(
            BACKCHANNEL_LOG=request.param, BACKCHANNEL_ALERT_URL=f"{receiver.url}/{HOOK}",
            IMS_CLIENT_SECRET=CLIENT_SECRET, IMS_CLIENT_SECRET_NEXT=CLIENT_SECRET + "-next",
            BACKCHANNEL_EDGE="127.0.0.1:0"))
        gateway.tokens.secrets, gateway.tokens.name = {CLIENT_SECRET}, ACCESS
        gateway.upstream.answers(200)  # it repeats nothing of what it was asked
        gateway.start()
        made = Journey(gateway.daemon, partner_process, receiver).run()
        wait_for(lambda: len(made.alerts) >= 2, what="the alerts that the lane parked and drained")
        yield made
        gateway.stop()
    partner_process.reset()


def test_the_journey_was_one(journey):
    """What the other tests of this file search is worth searching."""
    states = {row["order"]: row["state"] for row in journey.shop.get("/v1/orders").json["orders"]}
    assert states["click"] == states["retry"] == states["late"] == states["parked"] == "delivered"
    first = {name: journey.shop.story(name)["attempts"][0]["outcome"]
             for name in ("reject", "retry", "cookie", "parked")}
    assert first == {"reject": "reject", "retry": "unknown", "cookie": "suspect", "parked": "suspect"}
    assert len(journey.said) > 120 and len(journey.shop.log_text()) > 5000
    asked = {what.split("?")[0] for what, _ in journey.said}
    for path in ("/", "/console.js", "/metrics", "/openapi.yaml", "/v1/history", "/v1/summary", "/v1/token"):
        assert f"GET {path}" in asked, path
    assert "the stream" in asked and "cli backup" in asked
    assert {r["path"].split("/")[3] for r in journey.partner.requests() if r["path"].startswith("/ext/")} >= {
        TOKENS[name] for name in ("click", "plain", "retry", "late", "parked", "cookie")}


def test_no_log_line_holds_a_secret_a_token_or_a_session(journey):
    assert found(journey.shop.log_text(), ALWAYS_HIDDEN) == []


def test_no_answer_and_no_output_holds_a_secret_a_token_or_a_session(journey):
    leaks = [(what, found(text, ALWAYS_HIDDEN)) for what, text in journey.said]
    assert [leak for leak in leaks if leak[1]] == []


def test_no_alert_holds_a_secret_a_token_or_a_session(journey):
    assert any('"parked"' in text for text in journey.alerts)
    assert [text for text in journey.alerts if found(text, ALWAYS_HIDDEN)] == []
    for text in journey.alerts:
        assert '"hint":"' in text and '"runbook":"docs/howto/' in text


def test_the_settings_say_set_and_not_what(journey):
    shown = journey.shop.cli("config", "show").out
    for name in ("sovendus.api_key", "api_token", "hash.key", "oauth.client_secret", "alert.url"):
        (line,) = [row for row in shown.splitlines() if row.split()[:1] == [name]]
        assert " set" in line, line


def store_files(shop):
    files = {path.name: path.read_bytes() for path in pathlib.Path(shop.state).iterdir() if path.is_file()}
    assert "backchannel.db" in files
    return files


def test_the_stores_files_hold_no_secret_and_no_session(journey):
    for name, data in store_files(journey.shop).items():
        assert found(data, NEVER) == [], name


def test_the_command_line_of_the_process_holds_nothing(journey):
    cmdline = pathlib.Path(f"/proc/{journey.shop.pid}/cmdline").read_bytes()
    assert found(cmdline, ALWAYS_HIDDEN) == []
    assert cmdline.split(b"\0")[1:2] == [b"serve"]


# --- clean-up ------------------------------------------------------------------------------------
# The log of the database is cut some seconds after something was removed; all wait for that at once.

GONE = {"order": "CANARYgone-order-8d21", "deleted": "CANARYgone-deleted-8d21",
        "kept": "CANARYgone-kept-8d21", "expired": "CANARYgone-expired-8d21"}


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory, partner_process):
    """Shops by what was cleaned up in them."""
    partner_process.reset()
    partner_process.set_products({PRODUCT: KEY})
    settings = {"order": {"BACKCHANNEL_ORDER_KEEP": "0", "BACKCHANNEL_ORDER_ADOPT": "0"}, "deleted": {},
                "kept": {"BACKCHANNEL_ORDER_KEEP": "0"}, "expired": {"BACKCHANNEL_CLICK_TTL": "1s"}}
    shops = {name: Daemon(tmp_path_factory.mktemp(name), partner=partner_process,
                          **canary_settings(**more)).start() for name, more in settings.items()}
    answer = shops["order"].order("o", wait="10s", token=GONE["order"])
    assert answer.json["state"] == "delivered"
    click = shops["deleted"].click(token=GONE["deleted"], session=SESSION)["click"]
    assert shops["deleted"].ask("DELETE", "/v1/clicks/" + click).status == 204
    shops["kept"].click(token=GONE["kept"], session=SESSION)
    assert shops["kept"].order("o", wait="10s", session=SESSION).json["state"] == "delivered"
    shops["expired"].click(token=GONE["expired"], session=SESSION)
    over = time.time() + 1.1
    wait_for(lambda: time.time() > over)
    shops["expired"].restart()  # expired clicks go soon after a start, then once a minute
    yield shops
    for shop in shops.values():
        assert shop.stop() == 0
    partner_process.reset()


@pytest.mark.parametrize("name", [
    pytest.param("order", id="an order's token, at its delivery, with order.keep = 0"),
    pytest.param("kept", id="its click's token as well"),
    pytest.param("deleted", id="a deleted click's token"),
    pytest.param("expired", id="an expired click's token"),
])
def test_what_is_cleaned_up_is_gone_from_every_file(cleaned, name):
    secret = GONE[name].encode()
    wait_for(lambda: not [file for file, data in store_files(cleaned[name]).items() if secret in data], 20,
             "the token's end in every file, the log of the database included")


def test_an_order_whose_token_is_cleared_is_still_known(cleaned):
    shop = cleaned["order"]
    assert shop.story("o")["click"]["token_kept"] is False
    assert shop.story("o")["attempts"][0]["outcome"] == "delivered"


def test_an_order_whose_token_is_cleared_is_not_handed_back_again(cleaned, partner_process):
    """Its row outlives the clean-up that comes soon after a start, then once a minute."""
    shop = cleaned["order"]
    shop.restart()
    over = time.time() + 2.2
    wait_for(lambda: time.time() > over)
    again = shop.order("o", wait="5s", token=GONE["order"])
    other = shop.order("other", wait="5s", token=GONE["order"])
    assert (again.status, again.json["state"]) == (200, "delivered")
    assert other.json.get("reason") == "click used by order o"
    assert partner_process.counts(GONE["order"])["tokens"][GONE["order"]]["posts"] == 1
