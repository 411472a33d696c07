# SPDX-License-Identifier: MIT
"""/capture.js in a real browser: a shop's page on its own origin, the daemon's public listener behind two
paths of it, and the sandbox's GraphQL on another origin, as a headless storefront has it.

What it must not do is tested as much as what it does: no request without the parameter, nothing stored
and nothing sent without consent, no error in the page, no attribute of the cart lost.
"""
import json
import re
import shutil
import socket
import time
import urllib.parse

import pytest

import wire
from conftest import ROOT
from daemon import Daemon, is_sanitized
from in_time import in_time, tried_again_if_late
from sandbox_client import wait_for
from storefront import Browser, Storefront

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the script is what is tested")

LIMIT = 2048
CART = "sessionStorage.DROPINS_CART_ID = '{}'"


@pytest.fixture(scope="module")
def browser(peers):
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not here: tools/deps --test")
    started = Browser(peers)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def edge_process(tmp_path_factory, partner_process):
    """A daemon with its public listener open."""
    with Daemon(tmp_path_factory.mktemp("edge"), partner_process, BACKCHANNEL_EDGE="127.0.0.1:0") as daemon:
        (listening,) = daemon.events("edge.listening")
        daemon.edge = listening["listen"]
        yield daemon
        assert daemon.stop() == 0, daemon.log_text()


@pytest.fixture
def edge(edge_process, partner):
    del partner
    return edge_process


@pytest.fixture
def site(edge, browser):
    """The shop; the browser that visits it has never been there."""
    made = Storefront(edge.edge)
    made.page()
    browser.new()
    yield made
    assert browser.errors == [], "nothing of it may reach the page"
    made.stop()


# --- what the tests ask for ----------------------------------------------------------------------

class Shopping:
    """GraphQL as a storefront asks it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.url = sandbox.commerce() + "/graphql"

    def ask(self, query, **variables):
        _, _, text = self.sandbox.ask("POST", "/tenant/graphql",
                                      json.dumps({"query": query, "variables": variables}).encode(), "application/json")
        answer = json.loads(text)
        assert "errors" not in answer, answer
        return answer["data"]

    def new_cart(self, **attributes):
        cart = self.ask("mutation{createGuestCart{cart{id}}}")["createGuestCart"]["cart"]["id"]
        self.set(cart, **attributes)
        return cart

    def set(self, cart, **attributes):
        self.ask("mutation($i:CartCustomAttributesInput){setCustomAttributesOnCart(input:$i){cart{id}}}",
                 i={"cart_id": cart, "custom_attributes": [
                     {"attribute_code": code, "value": value} for code, value in attributes.items()]})

    def attributes(self, cart):
        rows = self.ask("query($c:String!){cart(cart_id:$c){custom_attributes{attribute_code value}}}",
                        c=cart)["cart"]["custom_attributes"]
        return {row["attribute_code"]: row["value"] for row in rows}

    def wait_for(self, cart, **attributes):
        wait_for(lambda: self.attributes(cart) == attributes, 10, f"the cart to have {attributes}")


@pytest.fixture
def shopping(partner):
    return Shopping(partner)


def beacon(site):
    """The one beacon that was sent."""
    wait_for(site.beacons, 10, "the beacon")
    (body,) = site.beacons()
    return body


def cookie(browser):
    return wait_for(lambda: browser.cookies.get("bc_click"), 10, "the click cookie")


def operations(browser):
    """GraphQL operations of this visitor, without the browser's own questions whether it may ask."""
    asked = [row["body"] for row in browser.requests("/graphql$") if row["method"] == "POST"]
    return ["mutation" if "mutation" in body else "query" for body in asked]


def turns(browser, count=2):
    """Waits until the script has looked again so often; for what is not to happen meanwhile. It asks for
    the consent that often, so that has to be the function consents()."""
    start = browser.run("window.asked || 0")
    wait_for(lambda: browser.run("window.asked || 0") >= start + count, 20, f"{count} turns")


COUNTING = "<script>window.asked = 0; function consents() {{ asked++; return {}; }}</script>"


# --- the file ------------------------------------------------------------------------------------

def test_it_is_small_and_made_of_the_source(edge):
    answer = wire.ask(edge.edge, "GET", "/capture.js")
    assert answer.status == 200
    assert "javascript" in answer.headers["content-type"]
    assert 1000 < len(answer.body) < LIMIT
    assert answer.body.isascii() and b"//" not in answer.body
    source = (ROOT / "web" / "capture.js").read_text(encoding="ascii")
    code = "".join(line for line in source.splitlines() if not line.strip().startswith("//"))
    assert "".join(code.split()).replace(";}", "}") == "".join(answer.text.split())


# --- the landing ---------------------------------------------------------------------------------

@pytest.mark.parametrize("query", ["", "?sovreqtoken=abcd-1234", "?sovReqToken=", "?sovReqToken=abc",
                                   "?sovReqToken=../../x", "?sovReqToken=a%2Fb%3Fcdef", "?sovReqToken[]=abcd-1234",
                                   "?x=%E0%A4%A&sovReqToken=abcd%0d%0aSet-Cookie:x", "#sovReqToken=abcd-1234",
                                   "?sovReqToken=" + "a" * 129])
def test_without_a_good_parameter_there_is_no_request(site, browser, shopping, query):
    site.page(graphql=shopping.url)
    browser.go(site.base + "/" + query)
    browser.go(site.base + "/second")
    paths = [path.split("?")[0] for _, path, _, _ in site.seen]
    assert sorted(paths) == ["/", "/capture.js", "/second"] or \
        sorted(paths) == ["/", "/capture.js", "/capture.js", "/second"], "nothing but the pages and the script"
    assert browser.requests("/graphql") == []
    assert browser.kept() == ({}, [])


def test_a_landing_becomes_a_cookie_and_its_order_is_handed_back(site, browser, edge, partner, unique):
    token = unique.token()
    browser.go(f"{site.base}/shoes?utm=1&sovReqToken={token}&email=a%40b.example#top")
    kept = cookie(browser)
    assert kept["httpOnly"] and kept["secure"] and kept["sameSite"] == "Lax" and kept["path"] == "/"
    assert browser.run("document.cookie") == "" and browser.kept()[0] == {}
    assert "email" not in beacon(site) and "utm" not in beacon(site), "no more than says which click it is"
    order = unique.order()
    assert edge.order(order, click=kept["value"]).status == 202
    edge.wait_state(order, "delivered")
    assert partner.accepted(token) == 1


def test_the_last_good_value_of_a_parameter_counts(site, browser):
    browser.go(site.base + "/?sovReqToken=first-1&sovReqToken=last-22&sovReqToken=a/b")
    assert beacon(site).endswith("sovReqToken%3Dlast-22")


def test_the_parameter_can_have_other_names(site, browser):
    site.page(param="tok,other.token")
    browser.go(site.base + "/?sovReqToken=abcd-0001")
    browser.go(site.base + "/?other.token=abcd-0002")
    assert beacon(site).endswith("other.token%3Dabcd-0002")


def test_a_page_that_is_left_at_once_has_told_of_its_landing(site, browser):
    site.page("<script>onload = function () { location = '/next'; }</script>", path="/leave")
    browser.go(site.base + "/leave?sovReqToken=abcd-1234", until="commit")
    wait_for(lambda: any(path == "/next" for _, path, _, _ in site.seen), 10, "the next page")
    assert beacon(site).endswith("abcd-1234")
    assert cookie(browser)


def test_a_strict_policy_of_the_page_is_enough(site, browser, shopping):
    site.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; img-src data:; require-trusted-types-for 'script'; "
        f"connect-src 'self' {shopping.sandbox.base}")
    cart = shopping.new_cart()
    site.page(graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    assert cookie(browser)
    browser.run(CART.format(cart))
    shopping.wait_for(cart, bc_click="t.abcd-1234")


@pytest.mark.parametrize("obstacle", [
    {"block": "**/v1/c"}, {"init": "delete Navigator.prototype.sendBeacon"},
    {"init": "navigator.sendBeacon = () => { throw 1 }"}], ids=["blocked", "missing", "throwing"])
def test_a_beacon_that_is_blocked_breaks_nothing(site, browser, shopping, obstacle):
    browser.new(**obstacle)
    cart = shopping.new_cart()
    site.page(graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    browser.run(CART.format(cart))
    wait_for(lambda: shopping.attributes(cart) == {"bc_click": "t.abcd-1234"}, 20, "the cart")
    assert site.beacons() == []


def test_a_daemon_that_is_not_there_breaks_nothing(site, browser):
    site.edge = "127.0.0.1:9"
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    assert browser.run("document.body.textContent") == "Welcome."


@tried_again_if_late
def test_a_daemon_that_hangs_holds_no_page_up(site, browser):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        site.edge = "127.0.0.1:%d" % deaf.getsockname()[1]
        start = time.monotonic()
        browser.go(site.base + "/?sovReqToken=abcd-1234", until="domcontentloaded")
        assert browser.run("document.body.textContent") == "Welcome."
        took = time.monotonic() - start
        browser.new()
    in_time(took, 2, "the page")


def test_where_storage_is_forbidden_the_landing_is_told_all_the_same(site, browser):
    browser.new(init="Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('no') } })")
    site.page(graphql="http://127.0.0.1:9/graphql")
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    assert beacon(site)


# --- consent -------------------------------------------------------------------------------------

GIVEN = {  # data-consent: (what the page has from the start, what gives consent)
    "cookie": ("consent", "", "document.cookie = 'consent=yes; path=/'"),
    "refusing cookie": ("consent", "<script>document.cookie = 'consent=denied; path=/'</script>",
                        "document.cookie = 'consent=granted; path=/'"),
    "pattern": ("groups=C0004:1", "<script>document.cookie = 'groups=C0001:1,C0004:0; path=/'</script>",
                "document.cookie = 'groups=C0001:1,C0004:1; path=/'"),
    "function": ("mayTrack", "<script>function mayTrack() { return window.yes; }</script>", "window.yes = true"),
    "late function": ("mayTrack", "", "window.mayTrack = () => true"),
    "promise of a function": ("mayTrack", "<script>function mayTrack() { return Promise.resolve(window.yes); }</script>",
                              "window.yes = true"),
    "promise": ("consent", "<script>var consent = new Promise(function (good) { window.good = good; });</script>",
                "good(true)"),
    "element": ("consent", "<form id=consent></form>", "document.cookie = 'consent=1; path=/'"),
    "throwing function": ("mayTrack", "<script>function mayTrack() { throw 1; }</script>", "window.mayTrack = () => true"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_nothing_is_stored_or_sent_before_consent_and_all_of_it_after(site, browser, shopping, case):
    consent, head, give = GIVEN[case]
    cart = shopping.new_cart()
    site.page(head + f"<script>{CART.format(cart)}</script>", consent=consent, graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    before = browser.run("performance.now()")
    wait_for(lambda: browser.run("performance.now()") > before + 1500, 10, "another turn")
    storage, cookies = browser.kept()
    assert list(storage) == ["DROPINS_CART_ID"] and "bc_click" not in cookies
    assert site.beacons() == [] and browser.requests("/graphql") == []
    browser.run(f"{{ {give} }}")
    wait_for(site.beacons, 20, "the beacon")
    assert cookie(browser)
    shopping.wait_for(cart, bc_click="t.abcd-1234")


def test_consent_that_is_withdrawn_drops_what_was_kept(site, browser, shopping):
    site.page(COUNTING.format("!window.no"), consent="consents", graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    wait_for(lambda: browser.kept()[0] == {"bc_click": "t.abcd-1234"}, 10, "the click to be kept")
    browser.run("window.no = true")
    wait_for(lambda: browser.kept()[0] == {}, 10, "the click to be dropped")
    cart = shopping.new_cart()
    browser.run(f"{{ window.no = false; {CART.format(cart)} }}")
    browser.go(site.base + "/second")
    assert shopping.attributes(cart) == {} and operations(browser) == []


def test_a_page_without_consent_drops_what_an_earlier_one_kept_and_sends_none_of_it(site, browser, shopping):
    cart = shopping.new_cart()
    site.page(COUNTING.format("location.pathname == '/'"), consent="consents", graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    wait_for(lambda: browser.kept()[0], 10, "the click to be kept")
    browser.go(site.base + "/second")
    browser.run(CART.format(cart))
    wait_for(lambda: "bc_click" not in browser.kept()[0], 20, "the click to be dropped")
    assert operations(browser) == [] and shopping.attributes(cart) == {}


# --- the cart ------------------------------------------------------------------------------------

def test_a_cart_keeps_its_other_attributes_and_is_written_once(site, browser, shopping):
    cart = shopping.new_cart(gift_wrap="yes", note='a "quoted" note, ünïcode')
    site.page(COUNTING.format("1"), consent="consents", graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    browser.run(CART.format(cart))
    everything = {"gift_wrap": "yes", "note": 'a "quoted" note, ünïcode', "bc_click": "t.abcd-1234"}
    shopping.wait_for(cart, **everything)
    turns(browser)
    assert operations(browser) == ["query", "mutation"]
    for path in ("/second", "/third?sovReqToken=abcd-1234"):
        browser.go(site.base + path)
        turns(browser)
    assert operations(browser) == ["query", "mutation", "query", "query"], "it is there already"
    assert shopping.attributes(cart) == everything


def test_the_last_click_wins(site, browser, shopping):
    cart = shopping.new_cart(bc_click="t.older-1")
    site.page(f"<script>{CART.format(cart)}</script>", graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=newer-2")
    shopping.wait_for(cart, bc_click="t.newer-2")


def test_the_click_is_dropped_once_the_cart_has_it_at_the_checkout(site, browser, shopping):
    """Not before: a login merges the guest's cart into another, which has to get it again."""
    guest, customer = shopping.new_cart(), shopping.new_cart(wish="list")
    site.page(f"<script>if (!sessionStorage.DROPINS_CART_ID) {CART.format(guest)}</script>", graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    shopping.wait_for(guest, bc_click="t.abcd-1234")
    browser.run(CART.format(customer))
    browser.go(site.base + "/checkout")
    shopping.wait_for(customer, wish="list", bc_click="t.abcd-1234")
    wait_for(lambda: browser.kept()[0] == {"DROPINS_CART_ID": customer}, 10, "the click to be dropped")
    assert "t.abcd-1234" not in browser.run("document.cookie")


def test_a_login_at_the_checkout_moves_the_click_along(site, browser, shopping):
    guest, customer = shopping.new_cart(), shopping.new_cart()
    site.page(path="/kasse", checkout="/kasse", graphql=shopping.url)
    site.pages["/kasse"] = site.pages["/kasse"].replace("<title>", f"<script>{CART.format(guest)}</script><title>")
    browser.go(site.base + "/kasse?sovReqToken=abcd-1234")
    shopping.wait_for(guest, bc_click="t.abcd-1234")
    browser.run(CART.format(customer))
    shopping.wait_for(customer, bc_click="t.abcd-1234")


def test_the_drop_ins_tell_of_the_checkout(site, browser, shopping):
    """Their bus is a channel of this name; the cart's id stands in their cookie."""
    cart = shopping.new_cart()
    site.page(graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    browser.run(f"document.cookie = 'DROPIN__CART__CART-ID={cart}; path=/'")
    shopping.wait_for(cart, bc_click="t.abcd-1234")
    assert "bc_click" in browser.kept()[0]
    shopping.set(cart, other="script")  # another one, that does not read before it writes
    browser.run("new BroadcastChannel('ElsieSDK/EventBus').postMessage("
                "{ event: 'checkout/initialized', identifier: 'x', payload: {} })")
    shopping.wait_for(cart, other="script", bc_click="t.abcd-1234")
    wait_for(lambda: browser.kept()[0] == {}, 10, "the click to be dropped")


@pytest.mark.parametrize("cart_option, give", [
    ("myCart", "sessionStorage.myCart = '{}'"), ("myCart", "document.cookie = 'myCart={}; path=/'"),
    ("myCart", "window.myCart = () => '{}'")], ids=["storage", "cookie", "function"])
def test_a_cart_is_found_where_the_option_says(site, browser, shopping, cart_option, give):
    cart = shopping.new_cart()
    site.page(graphql=shopping.url, cart=cart_option, attribute="click_token")
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    browser.run(f"{{ {give.format(cart)} }}")
    shopping.wait_for(cart, click_token="t.abcd-1234")


def test_a_cart_that_appears_on_a_later_page_gets_the_click(site, browser, shopping):
    cart = shopping.new_cart()
    site.page(graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    cookie(browser)
    browser.go(site.base + "/product")
    assert operations(browser) == []
    browser.run(CART.format(cart))
    shopping.wait_for(cart, bc_click="t.abcd-1234")


def test_what_could_not_be_read_is_not_written(site, browser, shopping):
    site.page(f"<script>{CART.format('no-such-cart')}</script>", graphql=shopping.url)
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    wait_for(lambda: operations(browser), 10, "the question")
    cart = shopping.new_cart(gift_wrap="yes")
    browser.run(CART.format(cart))
    shopping.ask("query($c:String!){cart(cart_id:$c){id}}", c=cart)
    wait_for(lambda: "mutation" in operations(browser), 20, "the next turn")
    shopping.wait_for(cart, gift_wrap="yes", bc_click="t.abcd-1234")
    assert operations(browser) == ["query", "query", "mutation"]


def test_half_an_answer_is_not_taken_for_an_empty_set(site, browser):
    site.pages["/graphql"] = json.dumps({"errors": [{"message": "Internal server error"}],
                                         "data": {"cart": {"custom_attributes": None}}})
    site.page(f"<script>{CART.format('c1')}</script>", graphql=site.base + "/graphql")
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    wait_for(lambda: len(operations(browser)) == 2, 20, "the second question")
    assert operations(browser) == ["query", "query"]


def test_the_store_and_the_customer_are_named_to_commerce(site, browser, shopping):
    cart = shopping.new_cart()
    site.page(graphql=site.base + "/graphql", store="de")  # a server that answers with a page: no GraphQL
    browser.go(site.base + "/")
    browser.run(f"{{ {CART.format(cart)}; document.cookie = 'auth_dropin_user_token=jwt.of.a-customer; path=/' }}")
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    asked = wait_for(lambda: [row for row in site.seen if row[1] == "/graphql"], 10, "the question")
    headers, body = asked[0][2], json.loads(asked[0][3])
    assert (headers["Store"], headers["Authorization"]) == ("de", "Bearer jwt.of.a-customer")
    assert body["variables"] == {"x": cart}


def test_an_empty_endpoint_is_no_beacon(site, browser, shopping):
    cart = shopping.new_cart()
    site.page(graphql=shopping.url, endpoint="")
    browser.go(site.base + "/?sovReqToken=abcd-1234")
    browser.run(CART.format(cart))
    shopping.wait_for(cart, bc_click="t.abcd-1234")
    assert site.beacons() == [] and browser.cookies == {}


def test_an_order_of_a_headless_shop_carries_the_click(browser, edge, partner, unique):
    """In a page that is not ours to write, with the script and its beacon on the daemon's own port."""
    browser.new()
    token = unique.token()
    options = urllib.parse.urlencode({"capture": f"http://{edge.edge}/capture.js", "data-graphql": "/graphql"})
    browser.go(f"{partner.base}/shop?{options}&sovReqToken={token}")
    assert cookie(browser)["value"].startswith("c.")
    browser.run("document.getElementById('add').click()")
    wait_for(lambda: browser.run("sessionStorage.DROPINS_CART_ID"), 10, "the cart")
    browser.go(f"{partner.base}/shop/checkout?{options}")
    wait_for(lambda: "bc_click" not in browser.kept()[0], 10, "the cart to have the click")
    browser.run("document.getElementById('order').click()")
    number = wait_for(lambda: re.search(r"Order (\d+)", browser.run("document.getElementById('number').textContent")),
                      10, "the order")[1]
    _, issued = partner.token()
    _, found = partner.call("GET", "/V1/orders?searchCriteria[filterGroups][0][filters][0][field]=increment_id"
                            f"&searchCriteria[filterGroups][0][filters][0][value]={number}", issued["access_token"])
    assert found["items"][0]["custom_attributes"] == [{"attribute_code": "bc_click", "value": f"t.{token}"}]
    assert browser.errors == []
