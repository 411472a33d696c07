# SPDX-License-Identifier: MIT
"""Orders from Adobe's journal: a real daemon in front of the sandbox's Journaling API, token endpoint
and partner. What must hold is that every order that completed is handed back once, whatever happens to
the daemon, the journal and the order of the events in between."""
import json
import pathlib
import re
import signal

import pytest

from daemon import KEY, PRODUCT, is_sanitized, note
from sandbox_client import Sandbox, wait_for

CLIENT, SECRET, ORG = "3c1f0a9be2d7", "p8e-first-secret", "0A1B@AdobeOrg"
JOURNAL = "/events/organizations/23294/integrations/54108/f89067f2-0d50-4bb2-bf78-209d0eacb6eb"
TYPE = "com.adobe.commerce.observer.sales_order_save_commit_after"
MANY = 10000 if is_sanitized() else 100000


@pytest.fixture(scope="module")
def adobe_process():
    with Sandbox(client_id=CLIENT, secret=SECRET, org=ORG, product=PRODUCT, key=KEY) as sandbox:
        yield sandbox
        assert sandbox.stop() == 0, "a leak or a crash, in sanitizer builds"


@pytest.fixture
def adobe(adobe_process):
    adobe_process.reset()
    adobe_process.control("PUT", "/journal", {"retry_after": 1})
    yield adobe_process
    adobe_process.reset()


@pytest.fixture
def reader(daemons, adobe):
    """Makes daemons that read the sandbox's journal; not started yet."""
    def make(**settings):
        return daemons.make(**{
            "partner": adobe, "IMS_CLIENT_ID": CLIENT, "IMS_CLIENT_SECRET": SECRET, "IMS_ORG_ID": ORG,
            "IMS_BASE_URL": adobe.ims, "API_ENDPOINT": adobe.commerce(),
            "BACKCHANNEL_JOURNAL_URL": adobe.base + JOURNAL, "BACKCHANNEL_LOG": "info,json",
            **settings})
    return make


# --- what the tests say and ask ------------------------------------------------------------------

def emit(adobe, count, first=1, **value):
    """So many orders of the usual kind, "{n}" being the number of each."""
    template = {"data": {"value": {"increment_id": "{n}", "state": "new", "quote_id": 5, **value}}}
    body = json.dumps({"count": count, "first": first, "template": template, "send": False}).encode()
    status, _, text = adobe.ask("POST", "/_sandbox/events/emit", body, "application/json", timeout=60)
    assert status == 200, text


def click(value):
    return [{"attribute_code": "bc_click", "value": value}]


def tell(adobe, *values, client=CLIENT, kind=TYPE):
    """Events of these orders, in this order, as they are."""
    adobe.control("POST", "/events/emit", [
        {"specversion": "1.0", "type": kind, "recipientclientid": client, "eventid": f"e-{n}",
         "data": {"value": {"quote_id": 1000 + n, **value}}} for n, value in enumerate(values)])


def wait_order(daemon, order, state, seconds=15.0):
    """Until it is there and in this state."""
    def there():
        answer = daemon.get(f"/v1/orders/{order}")
        return answer.status == 200 and answer.json["state"] == state and answer.json
    return wait_for(there, seconds, f"{order} to be {state}")


def journal_of(daemon):
    return daemon.get("/v1/summary").json["journal"]


def wait_read(daemon, events, seconds=60.0):
    """Until so many events were read since the daemon's start, and there are no more."""
    def there():
        journal = journal_of(daemon)
        return journal if journal["events"] >= events and journal["state"] == "idle" else None
    return wait_for(there, seconds, f"{events} events to be read")


def metric(daemon, name, **labels):
    for line in daemon.get("/metrics").text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.partition("{")[0] == "backchannel_" + name and all(
                f'{key}="{wanted}"' in head for key, wanted in labels.items()):
            return float(value)
    raise AssertionError(f"there is no {name} {labels}")


def orders_in(daemon):
    return {state: n for state, n in daemon.get("/v1/summary").json["orders"].items() if n}


def asked(adobe):
    """How often the journal was asked, by answer."""
    return adobe.control("GET", "/journal")["requests"]


def journal_paths(adobe):
    return [row["path"] for row in adobe.requests("/events")]


# --- many ----------------------------------------------------------------------------------------

def test_a_long_journal_is_read_with_flat_memory_and_its_pace_is_told(adobe, reader):
    emit(adobe, MANY)
    daemon = reader()
    daemon.start()
    samples = []

    def read():
        journal = journal_of(daemon)
        samples.append((journal["events"], daemon.rss_kib()))
        return journal if journal["events"] >= MANY and journal["state"] == "idle" else None
    journal = wait_for(read, 300, "the journal to be read")
    assert (journal["events"], journal["orders"], journal["failures"]) == (MANY, MANY, 0)
    assert journal["lag_ms"] == 0 and journal["last_event_at"]
    assert orders_in(daemon) == {"unattributed": MANY}
    [told] = wait_for(lambda: daemon.events("journal.read"), what="the log to say so")
    assert told["events"] == MANY and told["events_per_minute"] > 60 * 100
    assert metric(daemon, "journal_events_per_minute") > 60 * 100
    assert metric(daemon, "journal_events_total") == MANY
    assert metric(daemon, "intake_total", source="journal", result="unattributed") == MANY
    assert metric(daemon, "journal_state", state="idle") == 1
    assert metric(daemon, "journal_lag_seconds") == 0
    if is_sanitized():
        return
    # The store's page cache fills during the first half.
    half = max(rss for events, rss in samples if events <= MANY * 0.6)
    whole = max(rss for _, rss in samples)
    note(f"journal: {MANY} events in {told['took_ms'] / 1000:.1f} s, "
         f"{MANY * 1000 / told['took_ms']:.0f} a second; resident {half} KiB at half, {whole} KiB at most")
    assert whole < 64 * 1024
    assert whole - half < 8 * 1024


@pytest.mark.parametrize("times", [6])
def test_a_daemon_that_is_killed_again_and_again_leaves_no_gap_and_repeats_nothing(
        adobe, reader, times):
    """The lane is paused meanwhile: a hand-back that is cut by a kill goes out again, by design."""
    many = 6000
    daemon = reader()
    daemon.start()
    assert daemon.post("/v1/lanes/sovendus.default/pause").status == 200
    adobe.control("PUT", "/journal", {"page_max": 10, "retry_after": 1})
    part = many // (times + 1)
    for n in range(times + 1):
        # Some more each time: there is always a part to be read, however late the kill comes.
        emit(adobe, part if n < times else many - times * part, first=1 + n * part,
             custom_attributes=click("t.tok-{n}-abcd"))
        if n > 0:
            daemon.start()
        if n < times:
            wait_for(lambda: journal_of(daemon)["events"] >= part // 2, 60, "a part to be read")
            daemon.kill9()
    wait_read(daemon, 1)
    wait_for(lambda: orders_in(daemon).get("pending") == many, 60, "all orders")
    assert orders_in(daemon) == {"pending": many}
    # Pages that were under way are asked for again, nothing else is.
    assert asked(adobe)["events"] <= many + 2 * 10 * times
    assert asked(adobe)["gone"] == asked(adobe)["bad"] == 0
    assert daemon.post("/v1/lanes/sovendus.default/resume").status == 200
    wait_for(lambda: orders_in(daemon) == {"delivered": many}, 120, "all to be handed back")
    tokens = adobe.counts()["tokens"]
    assert len(tokens) == many
    assert {row["accepted"] for row in tokens.values()} == {1}


def test_what_came_while_the_daemon_was_away_is_read_when_it_is_back(adobe, reader):
    daemon = reader()
    emit(adobe, 30)
    daemon.start()
    wait_read(daemon, 30)
    daemon.stop()
    emit(adobe, 20, first=31)
    daemon.start()
    assert wait_read(daemon, 20)["events"] == 20
    assert orders_in(daemon) == {"unattributed": 50}
    first, second = daemon.events("journal.begins")
    assert first["after"] == "nothing" and second["after"].startswith("camel:")


# --- where it is ---------------------------------------------------------------------------------

def test_a_journal_that_forgot_the_position_is_read_from_its_oldest_event(adobe, reader):
    daemon = reader()
    emit(adobe, 30)
    daemon.start()
    wait_read(daemon, 30)
    daemon.stop()
    emit(adobe, 40, first=31)
    adobe.control("POST", "/journal/forget", {"oldest": 50})
    daemon.start()
    assert wait_read(daemon, 20)["expired"] == 1
    assert orders_in(daemon) == {"unattributed": 50}  # 31 to 50 are gone
    [told] = daemon.events("journal.expired")
    assert told["level"] == "warning" and "backchannel pull" in told["hint"]
    assert metric(daemon, "journal_expired_total") == 1
    assert metric(daemon, "journal_failures_total") == 0


def test_a_next_link_that_moved_is_followed_and_outlives_a_restart(adobe, reader):
    adobe.control("PUT", "/journal", {"next_moves": True, "page_max": 10})
    emit(adobe, 50)
    daemon = reader()
    daemon.start()
    wait_read(daemon, 50)
    paths = journal_paths(adobe)
    assert paths[0] == JOURNAL
    assert {path.split("/")[1] for path in paths[1:]} == {"events-fast"}
    daemon.stop()
    adobe.clear_requests()
    emit(adobe, 50, first=51)
    daemon.start()
    wait_read(daemon, 50)
    assert {path.split("/")[1] for path in journal_paths(adobe)} == {"events-fast"}
    assert orders_in(daemon) == {"unattributed": 100}


def test_another_journal_is_read_from_its_beginning(adobe, reader):
    emit(adobe, 30)
    daemon = reader()
    daemon.start()
    wait_read(daemon, 30)
    daemon.stop()
    daemon.settings["BACKCHANNEL_JOURNAL_URL"] += "-another"
    daemon.start()
    assert wait_read(daemon, 30)["events"] == 30
    assert orders_in(daemon) == {"unattributed": 30}
    assert metric(daemon, "intake_total", source="journal", result="repeated") == 30


# --- rests and failures --------------------------------------------------------------------------

def test_an_empty_journal_is_asked_as_often_as_it_says(adobe, reader):
    daemon = reader()
    daemon.start()
    wait_for(lambda: asked(adobe)["empty"] >= 3, 10, "three questions")
    first, second, third = [row["at"] for row in adobe.requests("/events")][:3]
    assert seconds_between(first, second) >= 0.9 and seconds_between(second, third) >= 0.9
    assert asked(adobe)["pages"] == journal_of(daemon)["failures"] == 0


def test_without_a_retry_after_it_is_asked_every_ten_seconds(adobe, reader):
    adobe.control("PUT", "/journal", {"hide_retry_after": True})
    daemon = reader()
    daemon.start()
    wait_for(lambda: asked(adobe)["empty"] == 1, 10, "the first question")
    began = daemon.events("journal.begins")[0]["ts"]
    wait_for(lambda: asked(adobe)["empty"] == 2, 15, "the second one")
    first, second = (row["at"] for row in adobe.requests("/events"))
    assert 9 <= seconds_between(first, second) <= 12, (began, first, second)


def seconds_between(a, b):
    def of(text):
        hours, minutes, seconds = re.search(r"T(\d+):(\d+):([\d.]+)Z", text).groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return (of(b) - of(a)) % 86400


def test_a_journal_that_is_down_for_a_while_costs_nothing_but_time(adobe, reader):
    daemon = reader()
    daemon.start()
    wait_for(lambda: asked(adobe)["empty"] >= 1, 10, "a question")
    adobe.set_faults("/events* status=503")
    emit(adobe, 20, custom_attributes=click("t.tok-{n}-abcd"))
    wait_for(lambda: journal_of(daemon)["failures"] >= 5, 20, "some failures")
    journal = journal_of(daemon)
    assert journal["state"] == "waiting" and "(503)" in journal["error"] and journal["hint"]
    assert metric(daemon, "journal_state", state="waiting") == 1
    wait_for(lambda: metric(daemon, "journal_lag_seconds") > 0, 5, "a lag")
    adobe.set_faults("/events* close")
    failures = journal_of(daemon)["failures"]
    wait_for(lambda: journal_of(daemon)["failures"] >= failures + 5, 20, "more failures")
    adobe.clear_faults()
    wait_for(lambda: orders_in(daemon) == {"delivered": 20}, 30, "the orders")
    assert journal_of(daemon)["error"] is None
    told = daemon.events("journal.failed")
    assert len(told) == 2 and all(row["level"] == "warning" for row in told)  # one a kind
    [healed] = wait_for(lambda: daemon.events("journal.recovered"), what="the log to say so")
    assert healed["failures"] >= 10


@pytest.mark.parametrize("fault", ["half-body", "garbage", "status=200 body='<html></html>'", "hang"])
def test_a_page_that_is_none_is_read_again(adobe, reader, fault):
    emit(adobe, 20)
    adobe.set_faults(f"/events* {fault} first=3")
    daemon = reader(BACKCHANNEL_OAUTH_TIMEOUT="300ms")
    daemon.start()
    assert wait_read(daemon, 20)["failures"] >= 3
    assert orders_in(daemon) == {"unattributed": 20}


def test_a_token_that_was_withdrawn_is_replaced(adobe, reader):
    daemon = reader()
    daemon.start()
    wait_for(lambda: daemon.get("/v1/token").json["state"] == "fresh", 10, "a token")
    # A token younger than five seconds is not believed to be at fault.
    wait_for(lambda: asked(adobe)["empty"] >= 7, 15, "time to pass")
    adobe.expire_tokens()
    tell(adobe, {"increment_id": "000000700", "state": "new"})
    wait_read(daemon, 1)
    assert journal_of(daemon)["failures"] == 0
    assert daemon.get("/v1/token").json["generation"] == 2
    assert asked(adobe)["refused"] == 1


def test_the_scope_that_the_journal_needs_is_asked_for_by_itself(adobe, reader):
    adobe.control("PUT", "/journal", {"need_scope": True})
    emit(adobe, 5)
    daemon = reader()
    daemon.start()
    wait_read(daemon, 5)
    assert asked(adobe)["refused"] == 0


def test_a_missing_scope_is_named(adobe, reader):
    adobe.control("PUT", "/journal", {"need_scope": True})
    emit(adobe, 5)
    daemon = reader(IMS_SCOPES="openid,AdobeID,commerce.accs")
    daemon.start()
    wait_for(lambda: journal_of(daemon)["failures"] >= 2, 20, "failures")
    assert "adobeio_api" in journal_of(daemon)["hint"]
    assert orders_in(daemon) == {}


def test_another_client_s_api_key_is_named(adobe, reader):
    daemon = reader(BACKCHANNEL_EVENTS_CLIENT_ID="another-client")
    emit(adobe, 1)
    daemon.start()
    wait_for(lambda: journal_of(daemon)["failures"] >= 1, 20, "a failure")
    assert "Developer Console" in journal_of(daemon)["hint"]


def test_a_daemon_whose_journal_hangs_stops_at_once(adobe, reader):
    adobe.set_faults("/events* hang")
    daemon = reader()
    daemon.start()
    wait_for(lambda: adobe.faults()[0]["fired"] >= 1, 10, "the question")
    assert daemon.stop(seconds=5) == 0


# --- what becomes of the orders ------------------------------------------------------------------

def test_completed_orders_are_handed_back_and_open_ones_are_not(adobe, reader):
    daemon = reader()
    daemon.start()
    tell(adobe,
         {"increment_id": "000000001", "state": "pending_payment", "custom_attributes": click("t.tok-1-a")},
         {"increment_id": "000000002", "state": "processing", "custom_attributes": click("tok-2-a"),
          "grand_total": "64.2800", "order_currency_code": "EUR"},
         {"increment_id": "000000003", "state": "complete"})
    wait_read(daemon, 3)
    wait_order(daemon, "000000002", "delivered")
    assert daemon.get("/v1/orders/000000001").status == 404
    assert daemon.story("000000003")["state"] == "unattributed"
    reported = {row["order"]: row for row in daemon.events("order.reported")}
    assert reported["000000002"]["source"] == "journal"
    assert reported["000000002"]["result"] == "accepted"
    for result in ("accepted", "unattributed", "open"):
        assert metric(daemon, "intake_total", source="journal", result=result) == 1
    tell(adobe, {"increment_id": "000000001", "state": "new", "custom_attributes": click("t.tok-1-a")})
    wait_order(daemon, "000000001", "delivered")
    assert adobe.accepted("tok-1-a") == adobe.accepted("tok-2-a") == 1


def test_a_cancellation_that_overtakes_its_order_leaves_no_conversion(adobe, reader):
    daemon = reader()
    daemon.start()
    order = {"increment_id": "000000001", "custom_attributes": click("t.tok-1-abcd")}
    tell(adobe, {**order, "state": "canceled"}, {**order, "state": "new"},
         {"increment_id": "000000002", "state": "new", "custom_attributes": click("t.tok-2-abcd")})
    wait_order(daemon, "000000002", "delivered")
    assert daemon.story("000000001")["state"] == "cancelled"
    assert adobe.accepted("tok-1-abcd") == 0
    assert metric(daemon, "intake_total", source="journal", result="withdrawn") == 1


def test_an_order_that_commerce_edited_counts_once(adobe, reader):
    daemon = reader()
    daemon.start()
    order = adobe.control("POST", "/orders", {"custom_attributes": {"bc_click": "t.tok-1-abcd"}})
    number = order["increment_id"]
    wait_order(daemon, number, "delivered")
    adobe.control("POST", f"/orders/{order['entity_id']}/edit", {})
    wait_read(daemon, 3)
    assert orders_in(daemon) == {"delivered": 1}
    assert adobe.accepted("tok-1-abcd") == 1
    story = daemon.story(number)
    assert story["state"] == "delivered"
    assert daemon.get(f"/v1/orders/{number}-1").status == 404


def test_an_order_that_is_edited_before_it_was_handed_back_counts_once(adobe, reader):
    daemon = reader()
    daemon.start()
    daemon.post("/v1/lanes/sovendus.default/pause")
    order = adobe.control("POST", "/orders", {"custom_attributes": {"bc_click": "t.tok-1-abcd"}})
    wait_order(daemon, order["increment_id"], "pending")
    adobe.control("POST", f"/orders/{order['entity_id']}/edit", {})
    wait_read(daemon, 3)
    daemon.post("/v1/lanes/sovendus.default/resume")
    wait_order(daemon, order["increment_id"], "delivered")
    assert orders_in(daemon) == {"delivered": 1}
    assert adobe.accepted("tok-1-abcd") == 1


def test_an_order_that_the_shop_reports_too_counts_once(adobe, reader):
    daemon = reader()
    daemon.start()
    answer = daemon.order("000000318", token="tok-1-abcd")
    assert answer.status == 202
    order = {"increment_id": "000000318", "state": "new", "custom_attributes": click("t.tok-1-abcd")}
    tell(adobe, order, {**order, "state": "processing"}, {**order, "state": "complete"})
    wait_read(daemon, 3)
    assert daemon.order("000000318", token="tok-1-abcd").status == 200
    wait_order(daemon, "000000318", "delivered")
    assert orders_in(daemon) == {"delivered": 1}
    assert adobe.accepted("tok-1-abcd") == 1
    assert metric(daemon, "intake_total", source="journal", result="repeated") == 3


def test_events_for_others_and_unreadable_ones_are_told_of_and_passed_over(adobe, reader):
    daemon = reader()
    tell(adobe, {"increment_id": "000000001", "state": "new"}, client="another-client")
    tell(adobe, {"increment_id": "000000002", "state": "new"},
         kind="com.adobe.commerce.observer.catalog_product_save_after")
    tell(adobe, {"state": "new"})
    tell(adobe, {"increment_id": "000000004", "state": "new", "custom_attributes": click("c.none")})
    daemon.start()
    wait_read(daemon, 4)
    assert orders_in(daemon) == {"unattributed": 1}
    assert daemon.events("journal.foreign_events")[0]["client_id"] == "another-client"
    assert "increment_id" in daemon.events("journal.event_unreadable")[0]["problem"]
    [ignored] = daemon.events("order.field_ignored")
    assert (ignored["order"], ignored["field"]) == ("000000004", "click")


# --- settings ------------------------------------------------------------------------------------

def test_what_counts_as_completed_follows_a_reload(adobe, reader):
    daemon = reader()
    (daemon.work / "backchannel.conf").write_text("[commerce]\ncompleted = complete\n", encoding="utf-8")
    daemon.start()
    tell(adobe, {"increment_id": "000000001", "state": "new"})
    wait_read(daemon, 1)
    assert orders_in(daemon) == {}
    (daemon.work / "backchannel.conf").write_text("[commerce]\ncompleted = new\n", encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.events("settings.reloaded"), 10, "the reload")
    tell(adobe, {"increment_id": "000000002", "state": "new"})
    wait_for(lambda: orders_in(daemon) == {"unattributed": 1}, 10, "the order")
    assert daemon.story("000000002")["state"] == "unattributed"


def test_another_url_waits_for_a_restart_and_says_so(adobe, reader):
    daemon = reader(BACKCHANNEL_JOURNAL_URL=None)
    conf = daemon.work / "backchannel.conf"
    conf.write_text(f"[journal]\nurl = {adobe.base}{JOURNAL}\n", encoding="utf-8")
    daemon.start()
    conf.write_text(f"[journal]\nurl = {adobe.base}{JOURNAL}-another\n", encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.events("settings.reloaded"), 10, "the reload")
    assert any("journal.url" in row["problem"] for row in daemon.events("settings.warning"))
    tell(adobe, {"increment_id": "000000001", "state": "new"})
    wait_read(daemon, 1)
    assert set(journal_paths(adobe)) == {JOURNAL}


def test_without_a_journal_nothing_is_said_of_it(adobe, reader):
    daemon = reader(BACKCHANNEL_JOURNAL_URL=None)
    daemon.start()
    assert "journal" not in daemon.get("/v1/summary").json
    assert metric(daemon, "journal_state", state="idle") == 0
    assert journal_paths(adobe) == []


def test_whatever_a_failure_says_stands_in_the_troubleshooting():
    root = pathlib.Path(__file__).resolve().parents[2]
    source = "".join((root / "src" / "core" / name).read_text(encoding="utf-8")
                     for name in ("journal_call.c", "journal_page.c"))
    told = set(re.findall(r'"((?:the journal|there is no|a page of the journal)[^"%:]*)', source))
    # Of warnings, which stand in the page of operation.
    told -= {"the journal no longer has what came after the last event ",
             "the journal's next link leads to another host, or "}
    told = {text.removesuffix(" (") for text in told}
    page = (root / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([^`]+)`", page[page.index("### The journal"):], re.M))
    assert len(told) > 10
    assert {text for text in told if text not in rows} == set()
