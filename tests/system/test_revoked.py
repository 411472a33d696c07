# SPDX-License-Identifier: MIT
"""Orders that the shop took back, as the API, the lists, explain and the exports tell of them; and
that click tokens are shown nowhere but where they are asked for.

How Adobe Commerce's news come to be rows is another matter; here the rows are written into the store
while no daemon has it."""
import csv
import io
import json
import sqlite3

import pytest

import wire
from daemon import Daemon
from sandbox_client import wait_for

DONE, FAILED, USAGE = range(3)
REASON = "canceled in Adobe Commerce"
API_TOKEN = "api-token-of-a-test-0123456789"


def take_back(shop, order, **columns):
    """As the intake leaves it; columns that are named besides are set as well."""
    with sqlite3.connect(shop.state / "backchannel.db") as db:
        sets = {"reason": REASON, **columns}
        done = db.execute(f"UPDATE orders SET revoked_ms = finished_ms + 60000, {', '.join(f'{c} = ?' for c in sets)}"
                          " WHERE order_id = ?", [*sets.values(), order])
        assert done.rowcount == 1
    db.close()


@pytest.fixture(scope="module")
def revoked(tmp_path_factory, partner_process):
    """late: delivered, then taken back; early: withdrawn; kept: delivered; gone: taken back and never known."""
    partner_process.reset()
    with Daemon(tmp_path_factory.mktemp("revoked"), partner=partner_process,
                BACKCHANNEL_API_TOKEN=API_TOKEN, BACKCHANNEL_ORDER_KEEP="90d") as base:
        for order in ("late", "kept"):
            base.order(order, wait="10s", token=f"revoked-token-{order}", amount="9.90", currency="EUR")
        base.order("gone")
        base.post("/v1/orders/gone/cancel")
        partner_process.set_faults("status=503 token=revoked-token-early")
        base.order("early", token="revoked-token-early")
        base.wait_state("early", "pending")
        wait_for(lambda: base.post("/v1/orders/early/cancel").status == 200, 10, "an order between two attempts")
        base.stop()
        partner_process.clear_faults()
        take_back(base, "late", entity_id=318, edition=2, comment=2)
        take_back(base, "early", entity_id=319)
        take_back(base, "gone")
        base.start()
        yield base
        assert base.stop() == 0


def test_the_story_says_when_and_of_what(revoked):
    late = revoked.story("late")
    assert (late["state"], late["reason"], late["entity_id"], late["edition"], late["comment"]) == \
        ("delivered", REASON, 318, 2, "done")
    assert late["revoked_at"] > late["finished_at"]
    assert revoked.story("early")["entity_id"] == 319
    assert not {"revoked_at", "entity_id", "edition", "comment"} & revoked.story("kept").keys()


def test_they_are_listed_counted_and_selected(revoked):
    def listed(query):
        return [order["order"] for order in revoked.get("/v1/orders?" + query).json["orders"]]
    assert listed("revoked=1") == ["early", "gone", "late"]
    assert listed("revoked=1&limit=1") == ["early"]
    assert listed("revoked=1&state=delivered") == ["late"]
    assert listed("revoked=1&until=1h") == []
    assert len(listed("revoked=0")) == 4
    assert revoked.get("/v1/orders?revoked=1&count=1").json == {"count": 3}
    wrong = revoked.get("/v1/orders?revoked=yes")
    assert (wrong.status, wrong.problem) == (400, "bad-request") and '"revoked"' in wrong.json["detail"]
    lines = revoked.cli("orders", "--revoked").out.splitlines()
    assert [line.split()[1] for line in lines] == ["early", "gone", "late"]
    assert "taken back 20" in lines[2] and REASON in lines[2]
    assert revoked.cli("orders", "--revoked", "--count").out == "3\n"


def test_explain_says_what_it_means_before_and_after_the_hand_back(revoked):
    late = revoked.cli("explain", "late").out
    for words in ("Order late was handed back", "the shop took the order back", REASON, "order 318 there, edited 2 times",
                  "comment done", "the partner has it", "Sovendus publishes no call", "account manager",
                  "backchannel orders --revoked"):
        assert words in late, words
    early = revoked.cli("explain", "early").out
    for words in ("Order early was withdrawn before it was handed back", "the shop took the order back",
                  "the partner never had it", "backchannel retry early"):
        assert words in early, words
    assert "account manager" not in early
    gone = revoked.cli("explain", "gone").out
    assert "the partner never had it" in gone and "backchannel retry" not in gone
    assert "took the order back" not in revoked.cli("explain", "kept").out
    for told in (late, early, gone):
        assert "revoked-token" not in told


def export(shop, *options):
    got = shop.cli("orders", "--revoked", "--export", *options)
    assert got.code == DONE, got
    return got


def test_the_export_is_what_the_account_manager_asks_for(revoked):
    rows = list(csv.DictReader(io.StringIO(export(revoked, "csv", "--state", "delivered").out, newline="")))
    assert [(row["order"], row["amount"], row["currency"], row["entity_id"], row["edition"]) for row in rows] == \
        [("late", "9.90", "EUR", "318", "2")]
    assert rows[0]["revoked_at"] == revoked.story("late")["revoked_at"]
    assert "token" not in rows[0]
    lines = [json.loads(line) for line in export(revoked, "json").out.splitlines()]
    assert [line["order"] for line in lines] == ["early", "gone", "late"]
    assert "revoked-token" not in json.dumps(lines)


def test_tokens_are_shown_where_they_are_asked_for_and_it_says_so(revoked):
    before = len(revoked.events("orders.tokens_shown"))
    got = export(revoked, "csv", "--with-tokens")
    rows = list(csv.DictReader(io.StringIO(got.out, newline="")))
    assert [(row["order"], row["token"]) for row in rows] == \
        [("early", "revoked-token-early"), ("gone", ""), ("late", "revoked-token-late")]
    assert "in clear" in got.err and "revoked-token" not in got.err
    shown = revoked.events("orders.tokens_shown")[before:]
    assert [(row["level"], int(row["tokens"]), int(row["orders"])) for row in shown] == [("warning", 2, 3)]
    lines = [json.loads(line) for line in export(revoked, "json", "--with-tokens").out.splitlines()]
    assert {line["order"]: line.get("token") for line in lines} == \
        {"early": "revoked-token-early", "gone": None, "late": "revoked-token-late"}
    assert "revoked-token" not in revoked.log_text()


def test_nothing_else_takes_that_wish(revoked):
    for path in ("/v1/orders/late?tokens=1", "/v1/orders?revoked=1", "/v1/orders?count=1&tokens=1",
                 "/v1/orders?tokens=0", "/v1/summary?tokens=1"):
        answer = revoked.get(path)
        assert answer.status == 200 and "revoked-token" not in json.dumps(answer.json), path
    assert revoked.get("/v1/orders?tokens=please").status == 400
    refused = wire.ask(revoked.address, "GET", "/v1/orders?tokens=1", None, {})
    assert refused.status == 401 and "revoked-token" not in json.dumps(refused.json)
    for arguments in (["--with-tokens"], ["--with-tokens", "--count"], ["--with-tokens", "--summary"]):
        got = revoked.cli("orders", *arguments)
        assert got.code == USAGE and "revoked-token" not in got.out


def test_a_retry_by_state_leaves_them_and_by_number_takes_them(revoked, partner_process):
    assert revoked.cli("retry", "--state", "cancelled", "--yes").out.startswith("0 cancelled order(s)")
    assert revoked.story("early")["state"] == "cancelled"
    assert revoked.cli("retry", "early").code == DONE
    story = revoked.wait_state("early", "delivered")
    assert "revoked_at" not in story and "reason" not in story
    assert partner_process.accepted("revoked-token-early") == 1


def test_without_a_daemon_it_is_the_same(revoked):
    revoked.stop()
    try:
        got = export(revoked, "csv", "--with-tokens", "--state", "delivered")
        rows = list(csv.DictReader(io.StringIO(got.out, newline="")))
        assert [(row["order"], row["token"]) for row in rows] == [("late", "revoked-token-late")]
        assert "in clear" in got.err
        assert "Sovendus publishes no call" in revoked.cli("explain", "late").out
    finally:
        revoked.start()
