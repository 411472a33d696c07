# SPDX-License-Identifier: MIT
"""The glue of examples/ for shops that report their orders themselves: Express and Django as whole little
shops beside a daemon, PHP against a stand-in for its shop's hooks. Whatever the daemon does or fails to
do, the order is placed, and no more than 300 ms later for it.
"""
import http.cookies
import json
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import xml.etree.ElementTree

import pytest

import wire
from conftest import ROOT
from daemon import clean_environment, is_sanitized
from sandbox_client import wait_for

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the shops are what is tested")

EXAMPLES = ROOT / "examples"
STUBS = pathlib.Path(__file__).parent / "php"
PYTHON = "/usr/bin/python3"
LIMIT = 0.3
MARGIN = 0.5  # for a machine that is busy with other tests
START_SECONDS = 30
API_TOKEN = "an-api-token-of-some-length"


@pytest.fixture
def reported(daemons):
    """The daemon that orders are reported to."""
    return daemons(BACKCHANNEL_API_TOKEN=API_TOKEN)


class Deaf:
    """Takes connections and never answers."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()


# --- Express and Django, two shops with the same paths -------------------------------------------

class Shop:
    def __init__(self, command, folder, home, **settings):
        self.errors = open(home / "shop.errors", "a+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
            env=clean_environment(home, PORT=0, BACKCHANNEL_API_TOKEN=API_TOKEN, PYTHONDONTWRITEBYTECODE=1,
                                  **settings))
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        port = self.process.stdout.readline()
        timer.cancel()
        self.errors.seek(0)
        assert port, self.errors.read()
        self.address = f"127.0.0.1:{int(port)}"

    def ask(self, method, path, click=None):
        """The answer, and the seconds it took."""
        start = time.monotonic()
        answer = wire.ask(self.address, method, path, headers={"Cookie": f"a=b; bc_click={click}; c=d"} if click else {})
        return answer, time.monotonic() - start

    def land(self, query):
        """The click cookie that a landing gets, None without one."""
        answer, _ = self.ask("GET", "/?" + query)
        assert answer.status == 200 and "Welcome" in answer.text
        return http.cookies.SimpleCookie(answer.headers.get("set-cookie", "")).get("bc_click")

    def check_out(self, click=None):
        answer, _ = self.ask("POST", "/checkout", click)
        assert answer.status == 201, answer
        return answer.json["order"]

    def pay(self, order):
        """As the payment provider tells it: without a cookie. The seconds it took."""
        answer, seconds = self.ask("POST", f"/paid/{order}")
        assert answer.status == 200, answer
        return seconds

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.errors.seek(0)
        errors = self.errors.read()
        self.errors.close()
        return errors


class Kind:
    def __init__(self, name, tmp_path, request):
        self.name, self.home, self.made = name, tmp_path, []
        if name == "express":
            self.folder = request.getfixturevalue("peers") / "glue-express"
            self.folder.mkdir(exist_ok=True)
            for file in (EXAMPLES / "express").iterdir():
                shutil.copy(file, self.folder)
            self.command = ["node", "shop.mjs"]
        else:
            if subprocess.run([PYTHON, "-c", "import django"], capture_output=True, check=False).returncode:
                pytest.skip("Django is not here: tools/deps --test")
            self.folder = EXAMPLES / "django"
            self.command = [PYTHON, "shop.py"]

    def __call__(self, address):
        """A shop that reports to this address."""
        self.made.append(Shop(self.command, self.folder, self.home, BACKCHANNEL_URL=f"http://{address}",
                              BACKCHANNEL_HOST=address, REPORT_AGAIN_MS=200,
                              SHOP_DATABASE=self.home / "shop.sqlite3"))
        return self.made[-1]

    def report_again(self, shop):
        """What a cron job does; the Express shop has a timer."""
        if self.name == "django":
            shop.ask("GET", "/report-again")


@pytest.fixture(params=["express", "django"])
def shops(request, tmp_path):
    kind = Kind(request.param, tmp_path, request)
    yield kind
    for shop in kind.made:
        errors = shop.stop()
        assert "Error" not in errors or "the shop fails" in errors, errors


def test_a_landing_and_its_order_end_at_the_partner_once(shops, reported, partner, unique):
    shop, token = shops(reported.address), unique.token()
    cookie = shop.land(f"utm=1&sovReqToken={token}")
    assert cookie.value == f"t.{token}"
    assert (cookie["path"], cookie["samesite"], cookie["max-age"]) == ("/", "Lax", "86400")
    assert cookie["httponly"] and cookie["secure"]
    order = shop.check_out(cookie.value)
    assert reported.get(f"/v1/orders/{order}").status == 404, "it is not paid yet"
    shop.pay(order)
    shop.pay(order)
    wait_for(lambda: reported.get(f"/v1/orders/{order}").status == 200, what="the report")
    reported.wait_state(order, "delivered")
    assert partner.accepted(token) == 1


@pytest.mark.parametrize("query, token", [
    ("sovReqToken=abcd-0001&sovReqToken=abcd-0002&sovReqToken=a/b", "abcd-0002"), ("sovReqToken=abc", None),
    ("sovReqToken[]=a/b", None), ("sovReqToken[x]=abcd-0001", None), ("sovReqToken=..%2F..%2Fx", None),
    ("sovReqToken=abcd%0d%0aX:1", None), ("sovReqToken=abcd%0a", None), ("sovReqToken=", None), ("other=undefined", None),
    ("sovreqtoken=abcd-0001", None), ("sovReqToken=" + "a" * 129, None)])
def test_only_a_token_becomes_a_cookie(shops, query, token):
    cookie = shops("127.0.0.1:9").land(query)
    assert (cookie.value if cookie else None) == (f"t.{token}" if token else None)


@pytest.mark.parametrize("click", [None, "x", "t.a/b", "t.", "undefined"])
def test_an_order_without_a_good_click_is_not_reported(shops, reported, click, unique):
    shop = shops(reported.address)
    shop.pay(shop.check_out(click))
    later = shop.check_out("t." + unique.token())
    shop.pay(later)
    wait_for(lambda: reported.get(f"/v1/orders/{later}").status == 200, what="the next order")
    assert [row["order"] for row in reported.get("/v1/orders").json["orders"]] == [later]


def test_a_stopped_daemon_costs_the_order_nothing_and_gets_it_later(shops, reported, partner, unique):
    shop, token = shops(reported.address), unique.token()
    reported.stop()
    order = shop.check_out(f"t.{token}")
    assert shop.pay(order) < LIMIT + MARGIN
    reported.start()
    shops.report_again(shop)
    wait_for(lambda: reported.get(f"/v1/orders/{order}").status == 200, what="the report")
    reported.wait_state(order, "delivered")
    assert partner.accepted(token) == 1


def test_a_daemon_that_hangs_costs_the_order_300_ms_at_most(shops, unique):
    with Deaf() as deaf:
        shop = shops(deaf.address)
        seconds = [shop.pay(shop.check_out("t." + unique.token())) for _ in range(3)]
        assert max(seconds) < LIMIT + MARGIN
        if shops.name == "express":
            assert min(seconds) < LIMIT, "nobody waits for it"


@pytest.mark.parametrize("shops", ["django"], indirect=True)
def test_an_order_that_is_rolled_back_is_not_reported(shops, reported, unique):
    shop = shops(reported.address)
    order = shop.check_out("t." + unique.token())
    answer, _ = shop.ask("POST", f"/paid/{order}?fail")
    assert answer.status == 500
    shops.report_again(shop)
    assert reported.get("/v1/orders").json["orders"] == []
    shop.pay(order)
    reported.wait_state(order, "delivered")


# --- PHP -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def php():
    if not shutil.which("php") or "curl" not in subprocess.run(["php", "-m"], text=True, capture_output=True,
                                                               check=True).stdout.split():
        pytest.skip("PHP with its curl extension is not here: tools/deps --test")

    def run(stub, example, *requests, **settings):
        done = subprocess.run(["php", STUBS / stub, EXAMPLES / example, *map(json.dumps, requests)], text=True,
                              capture_output=True, timeout=60, check=False,
                              env=clean_environment("/", BACKCHANNEL_API_TOKEN=API_TOKEN, http_proxy="http://127.0.0.1:9",
                                                    **settings))
        assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
        return json.loads(done.stdout)
    return run


def url_of(daemon):
    return f"http://{daemon.address}"


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.php")), ids=lambda path: path.name)
def test_php_takes_it(php, path):
    del php
    done = subprocess.run(["php", "-l", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


CLASSIC = "woocommerce_checkout_order_processed"
BLOCKS = "woocommerce_store_api_checkout_order_processed"
PAID = "woocommerce_payment_complete"


@pytest.mark.parametrize("hook, order", [(CLASSIC, 71), (BLOCKS, {"id": 71})], ids=["classic", "blocks"])
def test_woocommerce_reports_an_order_when_it_is_placed(php, reported, partner, unique, hook, order):
    token = unique.token()
    seen = php("woocommerce.php", "woocommerce/backchannel.php", {"hook": hook, "order": order, "cookie": f"t.{token}"},
               BACKCHANNEL_URL=url_of(reported))
    assert seen["meta"] == {"71": {"_bc_click": f"t.{token}"}} and seen["later"] == []
    reported.wait_state("71", "delivered")
    assert partner.accepted(token) == 1


def test_woocommerce_can_wait_for_the_payment_which_has_no_cookie(php, reported, partner, unique):
    token = unique.token()
    placed = {"hook": CLASSIC, "order": 72, "cookie": f"t.{token}"}
    seen = php("woocommerce.php", "woocommerce/backchannel.php", placed, BACKCHANNEL_URL=url_of(reported), BC_ONLY_PAID=1)
    assert seen["meta"]["72"] and reported.get("/v1/orders/72").status == 404
    php("woocommerce.php", "woocommerce/backchannel.php", placed, {"hook": PAID, "order": 72}, {"hook": PAID, "order": 72},
        BACKCHANNEL_URL=url_of(reported), BC_ONLY_PAID=1)
    reported.wait_state("72", "delivered")
    assert partner.accepted(token) == 1


@pytest.mark.parametrize("cookie", [None, "", "x", "t.a/b", "t.abcd\n"])
def test_woocommerce_reports_no_order_without_a_good_click(php, reported, cookie):
    seen = php("woocommerce.php", "woocommerce/backchannel.php", {"hook": CLASSIC, "order": 73, "cookie": cookie},
               BACKCHANNEL_URL=url_of(reported))
    assert seen["later"] == [] and not seen["meta"]["73"]
    assert reported.get("/v1/orders").json["orders"] == []


def test_woocommerce_asks_again_later_when_the_daemon_is_stopped_or_hangs(php, reported, partner, unique):
    token = unique.token()
    placed = {"hook": CLASSIC, "order": 74, "cookie": f"t.{token}"}
    reported.stop()
    seen = php("woocommerce.php", "woocommerce/backchannel.php", placed, BACKCHANNEL_URL=url_of(reported))
    assert seen["later"] == [[300, "bc_report_again", [74]]]
    with Deaf() as deaf:
        seen = php("woocommerce.php", "woocommerce/backchannel.php", placed, BACKCHANNEL_URL=f"http://{deaf.address}")
    assert len(seen["later"]) == 1
    assert LIMIT * 1000 * 0.9 <= seen["milliseconds"][0] < (LIMIT + MARGIN) * 1000
    reported.start()
    seen = php("woocommerce.php", "woocommerce/backchannel.php", placed, {"hook": "bc_report_again", "order": 74},
               BACKCHANNEL_URL=url_of(reported))
    assert seen["later"] == []
    reported.wait_state("74", "delivered")
    assert partner.accepted(token) == 1


SAVED, SUBMITTED = "sales_quote_save_before", "sales_model_service_quote_submit_success"


def declared(name):
    return xml.etree.ElementTree.parse(EXAMPLES / "magento" / "etc" / name).getroot()


@pytest.fixture
def magento(php):
    observers = {event.get("name"): event.find("observer").get("instance") for event in declared("events.xml")}

    def run(url, *requests):
        return php("magento.php", "magento", observers, *requests, BACKCHANNEL_URL=url)
    return run


def test_magento_finds_the_module_and_its_column(magento):
    seen = magento("http://127.0.0.1:9")
    assert seen["modules"] == [declared("module.xml").find("module").get("name")]
    (table,) = declared("db_schema.xml")
    assert table.get("name") == "quote" and table.find("column").get("name") == "bc_click"
    assert int(table.find("column").get("length")) == len("t.") + 128


def test_magento_reports_an_order_whose_payment_comes_without_a_cookie(magento, reported, partner, unique):
    token = unique.token()
    seen = magento(url_of(reported), {"event": SAVED, "cookie": f"t.{token}", "area": "webapi_rest"},
                   {"event": SAVED, "area": "frontend"}, {"event": SUBMITTED, "order": "000000171"},
                   {"event": SUBMITTED, "order": "000000171"})
    assert seen["click"] == f"t.{token}"
    reported.wait_state("000000171", "delivered")
    assert partner.accepted(token) == 1


@pytest.mark.parametrize("request_", [{"area": "adminhtml", "cookie": "t.abcd-1234"}, {"area": "frontend", "cookie": "x"},
                                      {"area": "frontend"}, {"cookie": "t.abcd-1234"}],
                         ids=["admin", "no token", "no cookie", "no area"])
def test_magento_reports_no_order_without_a_good_click_of_the_visitor(magento, reported, request_):
    seen = magento(url_of(reported), {"event": SAVED, **request_}, {"event": SUBMITTED, "order": "000000172"})
    assert seen["click"] is None
    assert reported.get("/v1/orders").json["orders"] == []


def test_magento_places_its_order_whether_the_daemon_is_stopped_or_hangs(magento, unique):
    requests = [{"event": SAVED, "cookie": "t." + unique.token(), "area": "frontend"},
                {"event": SUBMITTED, "order": "000000173"}]
    assert magento("http://127.0.0.1:9", *requests)["milliseconds"][1] < LIMIT * 1000
    with Deaf() as deaf:
        seen = magento(f"http://{deaf.address}", *requests)
    assert LIMIT * 1000 * 0.9 <= seen["milliseconds"][1] < (LIMIT + MARGIN) * 1000


# --- what is said of them ------------------------------------------------------------------------

def test_every_file_of_the_glue_is_named_and_short():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for folder in ("express", "django", "magento", "woocommerce"):
        for path in (EXAMPLES / folder).rglob("*"):
            if path.is_file():
                assert path.relative_to(EXAMPLES).as_posix() in re.findall(r"\]\(([^)]+)\)", text)
                assert len(path.read_text(encoding="utf-8").splitlines()) < 90
