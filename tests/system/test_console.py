# SPDX-License-Identifier: MIT
"""The console in a real browser, on a real daemon: what each panel tells, what each action does, who may
look, what happens when the daemon refuses, goes away or comes back, and that everybody can use it: by
keyboard, with a screen reader, on a phone, in the dark.

Every test ends with the question whether the page had an error, broke its content security policy, or
asked another host than the daemon for anything.
"""
import datetime
import json
import pathlib
import re
import signal
import sqlite3
import statistics
import time
import urllib.parse

import pytest

import console_page
import wire
from conftest import ROOT
from console_page import KEPT, TOKEN, WIDTHS, assert_clean, browser, visit  # noqa: F401  (browser is a fixture)
from daemon import KEY, PRODUCT, Daemon, is_sanitized, note
from in_time import in_time, tried_again_if_late
from joined import Joined
from sandbox_client import wait_for

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the page is what is tested")

FILES = ["console.html", "console.css", "console.js", "console-base.js", "console-orders.js", "console-start.js"]
STATES = ["delivered", "pending", "rejected", "expired", "cancelled", "unattributed", "sending"]
MARKUP = "\"><img src=x onerror=\"window.hit=1\"><script>window.hit=1</script>"
MANY = 100_000
STREAMS = 16
PAINT_MS = 100
CALM_MS = 50  # an empty page that takes longer says that others have the processor
LOADS = 9
ROUNDS = 3
TRANSFER_BYTES = 150_000


def fill_states(shop, sandbox):
    """An order in each state that lasts."""
    sandbox.set_faults("status=422 token=*-reject, status=503 token=*-later")
    shop.order("expired-1", token="00001-lapse-abc-later")
    shop.wait_state("expired-1", "expired")
    shop.stop()
    for name in ("BACKCHANNEL_RETRY_DEADLINE", "BACKCHANNEL_RETRY_BASE", "BACKCHANNEL_RETRY_CAP"):
        shop.settings[name] = None
    shop.settings["BACKCHANNEL_RETRY_BASE"] = shop.settings["BACKCHANNEL_RETRY_CAP"] = "1h"
    shop.start()
    click = shop.click(token="00002-first-abc-12345", session="session-of-the-first-1")["click"]
    shop.order("delivered-1", wait="10s", click=click, amount="49.90", currency="EUR")
    shop.order("rejected-1", wait="10s", token="00003-wrong-abc-reject")
    for name in ("pending-1", "cancelled-1"):
        shop.order(name, token=f"00004-{name}-abc-later")
        wait_for(lambda name=name: (s := shop.story(name))["attempts"] and s["state"] == "pending")
    assert shop.post("/v1/orders/cancelled-1/cancel").status == 200
    shop.order("unattributed-1")
    assert shop.order(MARKUP, wait="10s", token="00005-marks-abc-12345", amount="1.00", currency="EUR").status == 200
    for n in range(3):
        shop.order(f"parked-{n}", token=f"0001{n}-shoes-abc-12345", product="shoes")
    shop.wait_lane("parked", name="sovendus.shoes")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A shop with everything: two products, one of them with a wrong key; orders in all states; Commerce,
    an access token, calls through the gateway; and an API token."""
    folder = tmp_path_factory.mktemp("console")
    api_token = folder / "api-token"
    api_token.write_text(TOKEN, encoding="ascii")
    made = Joined(folder / "shop", BACKCHANNEL_API_TOKEN_FILE=str(api_token), BACKCHANNEL_RETRY_DEADLINE="300ms",
                  BACKCHANNEL_LANE_PROBE="1h")
    made.api_token = api_token
    made.sandbox.set_products({PRODUCT: KEY, "shoe-1": "the-right-key"})
    (made.daemon.work / "backchannel.conf").write_text("[product shoes]\nid = shoe-1\nkey = a-wrong-key-000\n", encoding="ascii")
    made.daemon.headers["Authorization"] = "Bearer " + TOKEN
    with made:
        fill_states(made.daemon, made.sandbox)
        for _ in range(3):
            assert made.daemon.get("/accs/V1/store/storeConfigs").status == 200
        yield made


@pytest.fixture
def shop(world):
    return world.daemon


@pytest.fixture
def console(browser, world):
    """The page, signed in."""
    yield visit(browser, world.daemon)
    assert_clean(browser, world.daemon)


# --- what is told ------------------------------------------------------------------------------------

def test_every_panel_tells_what_the_daemon_knows(console, shop):
    told = shop.get("/v1/summary").json
    day = {p["product"]: p["windows"]["24h"] for p in told["products"]}
    rate = f"{100 * day['default']['rate']:.1f} %"
    assert rate in console.text("#rates") and f"{day['default']['delivered']} of {day['default']['orders']}" in console.text("#rates")
    assert "shoes" in console.text("#rates") and "3 waiting" in console.text("#rates")
    assert console.run("document.querySelectorAll('#rates svg[role=img][aria-label*=\"Return rate by the hour\"]').length") == 2
    assert "thing" in console.text("h1") and "Lane sovendus.shoes is parked" in console.text("#standing")
    assert console.run("document.title").startswith("(")
    lanes = {lane["name"]: lane for lane in told["lanes"]}
    assert lanes["sovendus.shoes"]["reason"] in console.text("#lanes") and "Probe" in console.text("#lanes")
    assert re.search(r"Waiting\s+3", console.text("[id='lane-sovendus.shoes']"))
    assert re.search(r"Refreshes in \d+ h.*, valid 2[34] h", console.text("#token")) and "fresh" in console.text("#token")
    assert "GET /V1/store/storeConfigs" in console.text("#gateway") and re.search(r"Calls since start\s+3", console.text("#gateway"))
    assert "writable" in console.text("#store") and re.search(r"Free\s+\d", console.text("#store"))
    assert console.text("#journal") == "", "it is off"
    assert "backchannel " + told["version"] in console.text("footer")
    assert re.search(r"Oldest waits\s+\d+ (s|min)", console.text("#standing"))


def test_the_chart_has_its_numbers_in_a_table_and_a_switch(console, shop):
    day = shop.get("/v1/history?span=24h").json
    for name, label in (("clicks", "Clicks"), ("orders", "Orders"), ("conversions", "With a click"), ("delivered", "Handed back")):
        assert re.search(rf"{label}\s+{sum(day[name]):,}\b", console.text("#legend")), label
    console.wait("document.querySelector('#chart canvas')")
    label = console.run("document.getElementById('chart').getAttribute('aria-label')")
    assert "24 hours" in label and f"orders {sum(day['orders'])}" in label
    console.hover("#chart")
    console.wait_text("#reading", r"^30 min from \d\d:\d\d.*: clicks \d+, orders \d+, with a click \d+, handed back \d+$")
    console.hover("h1")
    wait_for(lambda: console.text("#reading") == "", what="the numbers to go with the pointer")
    console.click("#flow summary")
    rows = console.run("[...document.querySelectorAll('#flow-table tbody tr')].map((tr) => [...tr.cells].map((c) => c.textContent))")
    assert len(rows) == 24 and sum(int(row[2]) for row in rows) == sum(day["orders"])
    console.click("#flow button[data-span='7d']")
    console.wait("document.querySelectorAll('#flow-table tbody tr').length === 7")
    assert console.run("document.querySelector('#flow button[data-span=\"7d\"]').getAttribute('aria-pressed')") == "true"
    assert "7 days" in console.run("document.getElementById('chart').getAttribute('aria-label')")


def test_without_its_chart_the_page_has_its_table(browser, world):
    visit(browser, world.daemon, block="**/dygraph.js")
    browser.wait("document.getElementById('chart').hidden")
    assert "Orders" in browser.text("#legend")
    browser.click("#flow summary")
    browser.wait("document.querySelectorAll('#flow-table tbody tr').length === 24")
    assert_clean(browser, world.daemon)


def test_a_time_is_the_readers_and_has_utc_in_its_title(browser, world):
    visit(browser, world.daemon, timezoneId="Asia/Tokyo")
    lane = world.daemon.lane("sovendus.shoes")["since"]
    told = browser.run("(() => { const t = document.querySelector('[id=\"lane-sovendus.shoes\"] dd time'); return [t.dateTime, t.title]; })()")
    assert told[0] == lane
    there = datetime.datetime.fromisoformat(lane[:19]) + datetime.timedelta(hours=9)
    assert f"{lane[11:19]} UTC" in told[1] and f"{there:%H:%M} here" in told[1], told
    assert_clean(browser, world.daemon)


def test_the_page_follows_the_daemon_by_itself(console, shop):
    before = int(re.search(r"delivered ([\d,]+)", console.text("#store"))[1])
    shop.order("live-1", wait="10s", token="00020-alive-abc-12345")
    console.wait_text("#store", rf"delivered {before + 1}\b")
    console.wait_text("#rows", "live-1", seconds=15)


# --- orders ------------------------------------------------------------------------------------------

def open_story(console, order):
    console.fill("#search", order)
    console.wait(f"document.querySelector('#rows a')?.innerText === {json.dumps(order)}")
    console.click("#rows .row a")
    console.wait_text("#story-body", "What happens next")
    return console.text("#story")


def close_story(console):
    console.press("Escape")
    console.wait("!document.getElementById('story').open")


def plain(text):
    return re.sub(r"\s+", " ", text)


def test_an_order_of_each_state_opens_its_story_in_the_words_of_explain(console, shop, world):
    for state in STATES:
        order = f"{state}-1"
        if state == "sending":
            world.sandbox.set_faults("delay=6s token=*-slow")
            shop.order(order, token="00006-asnail-abc-slow")
            shop.wait_state(order, "sending")
        story = open_story(console, order)
        explained = plain(shop.cli("explain", order).out)
        headline = re.match(r"Order \S+ (.+?)(?: \d+ \S+ ago| just now)?(?: \(|\.)", explained)[1]
        assert f"Order {order} {headline}" in plain(story), (story, explained)
        # What comes next is told by the same words, but for the button that stands for a command.
        first = re.split(r"[.:;(]| backchannel ", re.search(r" next (.+)$", explained)[1])[0].strip()[:48]
        # A second may pass between the two.
        first, shown = (re.sub(r"\d+", "N", text.lower()) for text in (first, plain(console.text("#story-next"))))
        assert first in shown, (state, first)
        for attempt in shop.story(order)["attempts"]:
            assert f"{attempt['n']}, " in story and attempt["outcome"] in story
            assert str(attempt["status"] or "no answer") in story and (attempt["error"] or "") in story
        close_story(console)
    console.fill("#search", "sending-1")
    console.wait_text("#rows", "delivered", seconds=30)


def test_orders_are_found_by_their_beginning_and_by_state(console):
    console.fill("#search", "parked-")
    console.wait_text("#shown", "^3 orders read")
    console.fill("#search", "nothing-like-this")
    console.wait_text("#shown", "No order begins with “nothing-like-this”")
    console.fill("#search", "")
    console.run("(() => { const s = document.getElementById('state'); s.value = 'rejected'; s.dispatchEvent(new Event('change')); })()")
    console.wait_text("#shown", "^1 order read")
    assert "rejected-1" in console.text("#rows") and "rejected (1)" in console.text("#state")


def test_a_link_leads_to_an_order_and_to_a_lane(browser, world):
    visit(browser, world.daemon, at="#order=rejected-1")
    browser.wait_text("#story", "Order rejected-1 was refused by the partner")
    close_story(browser)
    browser.wait("!location.href.includes('#order')")
    browser.run("location.hash = '#lane=sovendus.shoes'")
    browser.wait("document.activeElement.id === 'lane-sovendus.shoes'")
    browser.run("location.hash = '#order=' + encodeURIComponent('no such/order')")
    browser.wait_text("#story-body", "no such order was reported")
    assert_clean(browser, world.daemon)


def test_what_a_shop_writes_is_text_and_nothing_else(console):
    story = open_story(console, MARKUP)
    assert MARKUP in story
    close_story(console)
    assert MARKUP in console.text("#rows")
    console.fill("#search", MARKUP + "<b>")
    console.wait_text("#shown", "No order begins with")
    assert "<b>" in console.text("#shown")
    assert not console.run("window.hit") and not console.run("document.querySelector('main img, main script, dialog img')")


def test_the_scripts_have_no_way_to_make_markup_of_text():
    for name in FILES:
        text = (ROOT / "web" / name).read_text(encoding="utf-8")
        found = re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|"
                          r"\beval\b|new Function|\bon\w+=\"|\bstyle=\"", text)
        assert not found, (name, found)


# --- what the reader may do ----------------------------------------------------------------------------

def test_a_lane_is_paused_after_a_question_and_resumed(console, shop):
    console.click("button[aria-label='Pause lane sovendus.default']")
    console.wait_text("#confirm", "Pause lane sovendus.default.*no deadline runs")
    assert console.focus() == "confirm-leave"
    console.press("Escape")
    console.wait("!document.getElementById('confirm').open")
    assert shop.lane()["state"] == "open"
    console.click("button[aria-label='Pause lane sovendus.default']")
    console.click("#confirm-do")
    console.wait_text("#note", "Lane sovendus.default is paused")
    console.wait_text("[id='lane-sovendus.default']", "paused by the operator")
    assert shop.lane()["state"] == "paused" and "Lane sovendus.default is paused" in console.text("#standing")
    console.click("button[aria-label='Resume lane sovendus.default']")
    console.wait_text("#note-text[role=status]", "Lane sovendus.default is open")
    assert shop.lane()["state"] == "open"


def test_a_waiting_order_is_sent_now_and_withdrawn_after_a_question(console, shop, world):
    world.sandbox.set_faults("status=503 token=*-later")
    shop.order("waits-1", token="00030-waits-abc-later")
    wait_for(lambda: shop.story("waits-1")["attempts"])
    open_story(console, "waits-1")
    console.click("button[data-order-action='retry']")
    console.wait_text("#confirm", "Send order waits-1 now")
    console.click("#confirm-do")
    wait_for(lambda: len(shop.story("waits-1")["attempts"]) == 2)
    console.wait_text("#story-body", "2, ")
    console.click("button[data-order-action='cancel']")
    console.click("#confirm-leave")
    assert shop.story("waits-1")["state"] == "pending"
    console.click("button[data-order-action='cancel']")
    console.click("#confirm-do")
    console.wait_text("#note", "Order waits-1 is cancelled")
    console.click("#note-close")
    assert console.text("#note") == "", "it was within reach, before the story"
    console.wait_text("#story-body", "withdrawn")
    world.sandbox.clear_faults()
    console.click("button[data-order-action='retry']")
    console.click("#confirm-do")
    console.wait_text("#story-body", "was handed back", seconds=15)


def test_a_probe_says_what_the_partner_says_and_the_lane_drains_when_the_cause_is_mended(console, shop, world):
    console.click("button[aria-label='Probe lane sovendus.shoes']")
    refused = console.wait_text("#note-alert[role=alert]", r"Test token: 403 after \d.*suspect: (.+)")[1]
    assert "key" in refused
    world.sandbox.set_products({PRODUCT: KEY, "shoe-1": "a-wrong-key-000"})
    console.click("button[aria-label='Probe lane sovendus.shoes']")
    console.wait_text("#note-text", "Test token: 200 after .*delivered")
    console.wait_text("[id='lane-sovendus.shoes']", "open", seconds=15)
    shop.wait_state("parked-0", "delivered")
    console.wait_text("h1", "All is well", seconds=15)
    # As it was, for the tests after this one.
    world.sandbox.set_products({PRODUCT: KEY, "shoe-1": "the-right-key"})
    shop.order("parked-3", token="00019-shoes-abc-12345", product="shoes")
    console.wait_text("[id='lane-sovendus.shoes']", "parked", seconds=15)


# --- when it does not go well ----------------------------------------------------------------------------

def test_a_refusal_is_shown_with_its_words_and_what_was_there_stays(console):
    problem = {"type": "urn:backchannel:store-failed", "status": 503, "detail": "the disk is full; make room, then try again"}
    console.wait_text("#rows", "delivered")
    console.answer("**/v1/orders?*", 503, problem)
    console.click("#refresh")
    console.wait_text("#shown", "could not be read: the disk is full; make room")
    assert "delivered" in console.text("#rows")
    console.answer("**/v1/lanes/**", 503, problem)
    console.click("button[aria-label='Pause lane sovendus.default']")
    console.click("#confirm-do")
    console.wait_text("#note-alert[role=alert]", "^the disk is full; make room, then try again$")
    console.answer("**/v1/lanes/**")
    console.answer("**/v1/orders?*")
    console.click("#more")
    console.wait_text("#shown", "orders? read")


def test_where_no_stream_is_free_the_page_asks_every_few_seconds(browser, world):
    head = (f"GET /v1/stream HTTP/1.1\r\nHost: {world.daemon.address}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").encode()
    address = urllib.parse.urlsplit(console_page.page_of(world.daemon)).netloc
    browser.new()  # the reader before leaves
    held = []

    def hold_all():
        peer = wire.Peer(address).send(head).read(until=b"\r\n\r\n")
        if peer.bytes.startswith(b"HTTP/1.1 200"):
            held.append(peer)
        return len(held) == STREAMS
    wait_for(hold_all, what="every stream to be taken")
    browser.new(init=f"sessionStorage['{KEPT}'] = '{TOKEN}'")
    browser.go(console_page.page_of(world.daemon))
    browser.wait_text("#link", "Every few seconds")
    assert "sovendus.shoes" in browser.text("#lanes")
    for peer in held:
        peer.socket.close()
    browser.wait_text("#link", "Live", seconds=20)
    assert_clean(browser, world.daemon)


def test_the_daemon_goes_away_and_comes_back(console, shop):
    shop.kill9()
    console.wait_text("#away[role=alert]", r"not reachable since \d\d:\d\d:\d\d")
    assert "Not reachable" in console.text("#link") and "sovendus.default" in console.text("#lanes")
    console.click("#refresh")
    console.wait_text("#shown", "the daemon does not answer")
    shop.start()
    console.wait_text("#link", "Live", seconds=25)
    assert console.text("#away") == ""
    shop.order("back-1", wait="10s", token="00040-again-abc-12345")
    console.wait_text("#rows", "back-1", seconds=15)


# --- who may look ------------------------------------------------------------------------------------------

def test_nobody_sees_anything_without_the_api_token(browser, world):
    visit(browser, world.daemon, token=None, at="#order=delivered-1")
    browser.wait_text("#sign-in", "API token")
    browser.wait("document.activeElement.id === 'token-field'")
    assert browser.text("#lanes") == "" and "sovendus" not in browser.run("document.body.textContent")
    browser.press("Escape", "Escape", "Escape")
    browser.wait("document.getElementById('sign-in').open", "there is no way round it")
    browser.fill("#token-field", "a-token-that-is-wrong-0000")
    browser.press("Enter")
    browser.wait_text("#sign-in-why", "does not take this token")
    browser.fill("#token-field", TOKEN)
    browser.click("#sign-in button")
    browser.wait_text("#story", "Order delivered-1 was handed back")
    close_story(browser)
    assert TOKEN not in browser.url and not any(TOKEN in row["url"] for row in browser.requests())
    assert browser.cookies == {} and browser.run("localStorage.length") == 0
    browser.click("#sign-out")
    browser.wait_text("#sign-in-why", "signed out")
    assert browser.run("sessionStorage.length") == 0 and "sovendus" not in browser.run("document.body.textContent")
    assert_clean(browser, world.daemon)


def test_a_changed_token_clears_what_was_shown_and_says_why(console, shop, world):
    console.wait_text("#rows", "delivered-1")
    changed = "console-token-of-the-tests-0002"
    try:
        world.api_token.write_text(changed, encoding="ascii")
        shop.process.send_signal(signal.SIGHUP)
        wait_for(lambda: shop.get("/v1/lanes").status == 401)
        # Its stream may have ended, and the sign-in stand there already.
        console.run("document.getElementById('refresh').click()")
        console.wait_text("#sign-in-why", "it was changed while you looked")
        held = console.run("document.body.textContent")
        assert "sovendus" not in held and "delivered-1" not in held and console.run("document.title") == "backchannel"
        console.fill("#token-field", changed)
        console.press("Enter")
        console.wait_text("#rows", "delivered-1")
    finally:
        world.api_token.write_text(TOKEN, encoding="ascii")
        shop.process.send_signal(signal.SIGHUP)
        wait_for(lambda: shop.get("/v1/lanes").status == 200)


# --- everybody can use it ------------------------------------------------------------------------------------

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_at_any_width(browser, world, scheme):
    def serious():
        return [finding for finding in browser.axe() if finding[0] in ("serious", "critical")]

    # Axe makes styles of its own in the page, which the policy forbids; so here, and here alone, it is off.
    visit(browser, world.daemon, colorScheme=scheme, bypassCSP=True)
    browser.wait_text("#rows", "delivered")
    for width in WIDTHS:
        browser.size(width)
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert serious() == [], width
    browser.size(360)
    browser.run("location.hash = '#order=pending-1'")
    browser.wait_text("#story-body", "What happens next")
    assert serious() == []
    assert browser.run("document.getElementById('story').scrollWidth <= 360")
    browser.click("button[data-order-action='retry']")
    browser.wait("document.getElementById('confirm').open")
    assert serious() == []
    browser.click("#confirm-leave")
    close_story(browser)
    browser.click("#sign-out")
    browser.wait_text("#sign-in", "API token")
    assert serious() == []
    assert_clean(browser, world.daemon)


def test_light_and_dark_are_the_readers_choice_and_reach_the_chart(console):
    def ground():
        return console.run("[getComputedStyle(document.body).backgroundColor, document.querySelector('#chart canvas').toDataURL()]")

    console.wait("document.querySelector('#chart canvas')")
    console.media(colorScheme="light")
    light = ground()
    console.media(colorScheme="dark")
    wait_for(lambda: all(a != b for a, b in zip(light, ground())), what="the dark page, and its chart")
    console.media(colorScheme="dark", reducedMotion="reduce")
    assert console.run("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_the_keyboard_reaches_everything_in_order_and_can_do_everything(console, shop):
    console.wait_text("#rows", "delivered-1")
    reached = []
    for _ in range(40):
        console.press("Tab")
        reached.append(console.focus())
        style, width = console.run("(({ outlineStyle, outlineWidth }) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))")
        assert style != "none" and float(width.removesuffix("px")) >= 2, reached
        if reached[-1] == "scroller":
            break
    wanted = ["Skip to the orders", "sign-out", "24 hours", "7 days", "Pause lane sovendus.default", "Probe lane sovendus.shoes", "search",
              "state", "refresh", "scroller"]
    assert [name for name in reached if name in wanted] == wanted
    console.press("Tab")
    first = console.focus()
    console.press("ArrowDown", "ArrowDown", "ArrowUp", "Enter")
    second = console.wait_text("#story-title", "Order (.+)")[1]
    assert second != first and second in console.text("#rows")
    assert console.focus() == "story-close"
    console.press("Enter")
    console.wait("!document.getElementById('story').open")
    assert console.focus() == second, "back where he was"
    console.press("Home")
    assert console.focus() == first


def test_what_is_said_aloud_is_said_once(console, shop):
    console.run("""window.aloud = []; new MutationObserver((rows) => rows.forEach((row) => {
        const live = row.target.parentElement?.closest?.('[role=status], [role=alert]') ?? row.target.closest?.('[role=status], [role=alert]');
        if (live) aloud.push(live.id + ': ' + live.textContent);
    })).observe(document.body, { subtree: true, childList: true, characterData: true })""")
    for n in range(5):
        shop.order(f"quiet-{n}", wait="10s", token=f"0005{n}-quiet-abc-12345")
    console.wait_text("#rows", "quiet-4", seconds=15)
    assert console.run("aloud") == [], "nothing, while all goes as it should"
    console.fill("#search", "quiet-")
    console.wait("aloud.length")
    assert console.run("aloud") == ["shown-aloud: 5 orders read, newest first"]


# --- fast, and small -------------------------------------------------------------------------------------------

def first_paint(browser, daemon, path=""):
    """When a new reader's page is painted first, and what it had asked for until then."""
    browser.new(viewport={"width": 1280, "height": 900})
    browser.go(console_page.page_of(daemon) + "healthz")  # the browser's own start is none of the page's
    browser.go(console_page.page_of(daemon) + path)
    return browser.wait("""(() => {
        const at = performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
        const asked = performance.getEntriesByType('resource').filter((e) => e.startTime < Math.min(at, 500) - 5);
        return at && [at, asked.map((e) => new URL(e.name).pathname)];
    })()""")


def test_the_first_paint_is_under_100_ms_and_waits_for_the_page_alone(browser, world):
    """Half of the loads are under the bound, beside as many of a page with next to nothing in it. Where that
    one was late in every round as well, the machine is too busy to tell, and that is said; what makes the
    page fast, that nothing else is asked for before, is so at every load."""
    calm = []
    for _ in range(ROUNDS):
        paints = []
        for _ in range(LOADS):
            console, asked = first_paint(browser, world.daemon)
            assert set(asked) <= {"/console-start.js"}, "nothing else is asked for before"
            paints.append((console, first_paint(browser, world.daemon, "readyz")[0]))
        console, empty = map(statistics.median, zip(*paints))
        told = f"first paint of the console: {console:.0f} ms, of an empty page {empty:.0f} ms"
        if console < PAINT_MS:
            note(told)
            return
        if empty <= CALM_MS:
            calm.append((told, paints))
    assert not calm, calm
    note(f"{told}: the machine is too busy to tell")
    pytest.skip(f"the machine is too busy to tell; {told}")


def test_a_page_that_is_told_of_no_paint_starts_all_the_same(browser, world):
    visit(browser, world.daemon, init="PerformanceObserver.prototype.observe = () => {};")
    assert "sovendus.default" in browser.text("#lanes")
    assert_clean(browser, world.daemon)


def test_all_that_is_sent_is_under_150_kb(browser, world):
    visit(browser, world.daemon)
    browser.wait("document.querySelector('#chart canvas')")
    sent = browser.run("['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type)).map((e) => [e.name, e.transferSize])")
    assert {urllib.parse.urlsplit(name).path for name, _ in sent} >= {"/", "/console.js", "/dygraph.css", "/dygraph.js", "/v1/history"}
    assert 20_000 < sum(size for _, size in sent) < TRANSFER_BYTES, sent
    assert_clean(browser, world.daemon)


def test_an_open_console_costs_the_daemon_less_than_one_percent_of_a_core(console, shop):
    def spent():
        tasks = pathlib.Path(f"/proc/{shop.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9

    console.wait_text("#rows", "delivered")
    began, before = time.monotonic(), spent()
    wait_for(lambda: time.monotonic() - began > 2.5, what="some time of looking")
    assert (spent() - before) / (time.monotonic() - began) < 0.01
    assert "Live" in console.text("#link")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A shop with a hundred thousand orders: one that was reported, and copies of it under other numbers."""
    with Daemon(tmp_path_factory.mktemp("large")) as daemon:
        assert daemon.order(f"{0:06d}").status == 200
        daemon.stop()
        with sqlite3.connect(daemon.state / "backchannel.db") as db:
            rest = ", ".join(name for _, name, *_ in db.execute("PRAGMA table_info(orders)") if name not in ("row", "order_id"))
            db.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY - 1}) "
                       f"INSERT INTO orders(order_id, {rest}) SELECT printf('%06d', i), {rest} FROM orders, n")
            assert db.execute("UPDATE counts SET n = ? WHERE name LIKE '%unattributed'", [MANY]).rowcount == 1
        db.close()
        yield daemon.start()


@tried_again_if_late
def test_a_list_of_100_000_orders_stays_smooth(browser, large):
    browser.new(viewport={"width": 1280, "height": 900})
    browser.go(console_page.page_of(large))
    browser.wait_text("#shown", "of 100,000, newest first")
    assert browser.text("#sign-in") == "", "a daemon without an API token asks for none"
    browser.wait_text("#rows", "099999")
    browser.run("""(async () => { const s = document.getElementById('scroller'); window.frames_ms = []; window.ended = false;
        let last = performance.now();
        const turn = (now) => { frames_ms.push(now - last); last = now; s.scrollTop = s.scrollHeight; ended || requestAnimationFrame(turn); };
        requestAnimationFrame(turn); })()""")
    browser.wait("Number(/^[\\d,]+/.exec(document.getElementById('shown').textContent)[0].replace(',', '')) >= 5000", seconds=30)
    browser.run("window.ended = true")
    assert browser.run("document.querySelectorAll('#rows .row').length") < 80
    frames = sorted(browser.run("frames_ms"))
    in_time(frames[len(frames) * 95 // 100] / 1000, 0.1, "of twenty frames the longest but one")
    browser.run("document.querySelector('#rows .row:last-child a').focus()")
    browser.press("Home")
    assert browser.focus() == "099999"
    browser.fill("#search", "04217")
    browser.wait_text("#shown", "^10 orders read")
    assert "042179" in browser.text("#rows")
    assert_clean(browser, large)
