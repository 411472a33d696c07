# SPDX-License-Identifier: MIT
"""Orders fetched from Commerce's REST API: found however they are paged, taken as events are, resumed
where the last pull ended, and reconciled with what was reported here."""
import time

import pytest

from joined import Joined, token
from sandbox_client import wait_for

PAGE = 100  # of a pull


@pytest.fixture
def join(tmp_path):
    with Joined(tmp_path) as made:
        yield made


def ago(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - seconds))


def test_a_completed_order_with_a_click_is_handed_back_once_however_often_it_is_pulled(join):
    click = token()
    order = join.place(f"t.{click}")
    assert join.pull("--since", "1h")["results"]["accepted"] == 1
    join.wait_state(order, "delivered")
    again = join.pull("--since", "1h")["results"]
    assert (again["accepted"], again["repeated"]) == (0, 1)
    assert join.sandbox.accepted(click) == 1


@pytest.mark.parametrize("state, becomes", [("new", "delivered"), ("processing", "delivered"),
                                            ("complete", "delivered"), ("pending_payment", None),
                                            ("holded", None), ("payment_review", None),
                                            ("canceled", "cancelled"), ("closed", "cancelled")])
def test_what_counts_is_the_orders_state(join, state, becomes):
    order = join.place(f"t.{token()}", state=state, status=state)
    join.pull("--since", "1h")
    if becomes:
        join.wait_state(order, becomes)
    else:
        assert join.state(order) is None


def test_an_order_that_is_completed_later_is_taken_then(join):
    order = join.place(f"t.{token()}", state="pending_payment")
    assert join.pull("--since", "1h")["results"]["open"] == 1
    join.change(order, state="processing")
    assert join.pull("--since", "1h")["results"]["accepted"] == 1
    join.wait_state(order, "delivered")


def test_a_click_id_from_the_cart_finds_its_click(join):
    click = token()
    captured = join.daemon.click(token=click)
    order = join.place(captured["click"])
    join.pull("--since", "1h")
    join.wait_state(order, "delivered")
    assert join.sandbox.accepted(click) == 1


def test_pages_that_share_one_second_are_read_to_their_end(join):
    """A bulk import: one updated_at for more orders than a page has, so only the second key parts them."""
    at = ago(1800)
    for _ in range(2 * PAGE + 7):
        join.place(created_at=at, updated_at=at)
    seen = join.pull("--since", "1h")
    assert seen["seen"] == 2 * PAGE + 7 and seen["pages"] == 3
    assert seen["results"]["unattributed"] == 2 * PAGE + 7


def test_a_page_past_the_end_that_repeats_the_last_one_changes_nothing(join):
    join.sandbox.set_commerce(repeat_last_page=True)
    at = ago(1800)
    for _ in range(PAGE):
        join.place(created_at=at, updated_at=at)
    assert join.pull("--since", "1h")["seen"] == PAGE


def test_the_next_pull_goes_on_where_the_last_one_ended_over_a_restart(join):
    join.place(f"t.{token()}", updated_at=ago(3 * 86400), created_at=ago(3 * 86400))
    last = join.place(f"t.{token()}")
    first = join.pull()
    join.daemon.kill9()
    join.daemon.start()
    second = join.pull()
    assert first["since"] < second["since"]
    # Five minutes of overlap, for transactions that were long.
    assert second["since"].replace("T", " ")[:19] <= last["updated_at"]
    assert second["results"]["accepted"] == 0 and second["seen"] < first["seen"]


def test_what_was_reported_here_and_commerce_does_not_know_is_named(join):
    known = join.place(f"t.{token()}")
    join.daemon.order(known["increment_id"], token=known["custom_attributes"][0]["value"][2:])
    for order in ("WEB-1", "with,comma", "ü-1"):
        assert join.daemon.order(order, token=token()).status == 202
    # The young ones are left for the next time.
    wait_for(lambda: sorted(join.pull("--since", "1h")["unknown_orders"]) == ["WEB-1", "with,comma", "ü-1"],
             20, "the unknown orders to be named")
    said = join.daemon.cli("pull", "--since", "1h")
    assert said.code == 0 and "3 reported here, and not known to Commerce:\n" in said.out
    assert join.daemon.events("pull.unknown")


def test_an_old_order_that_commerce_knows_is_no_unknown_one(join):
    """It did not change within the time of the pull, so it is looked up by its number."""
    old = join.place(created_at=ago(40 * 86400), updated_at=ago(40 * 86400))
    join.daemon.order(old["increment_id"], token=token())
    got = wait_for(lambda: (lambda g: g if g["checked"] else None)(join.pull("--since", "1h")), 20,
                   "the order to be old enough")
    assert got["checked"] >= 1 and old["increment_id"] not in got["unknown_orders"]


def test_an_edited_order_counts_once(join):
    click = token()
    order = join.place(f"t.{click}")
    join.pull("--since", "1h")
    join.wait_state(order, "delivered")
    edited = join.sandbox.control("POST", f"/orders/{order['entity_id']}/edit")
    assert edited["new"]["increment_id"] == order["increment_id"] + "-1"
    results = join.pull("--since", "1h")["results"]
    assert results["accepted"] == 0 and results["revoked"] == 0, results
    assert join.state(order) == "delivered" and join.sandbox.accepted(click) == 1


def test_an_order_cancelled_after_delivery_is_listed(join):
    order = join.place(f"t.{token()}")
    join.pull("--since", "1h")
    join.wait_state(order, "delivered")
    join.change(order, state="canceled", status="canceled")
    assert join.pull("--since", "1h")["results"]["revoked"] == 1
    assert join.state(order) == "delivered"
    listed = join.daemon.cli("orders", "--revoked", "--json").json
    assert order["increment_id"] in [o["order"] for o in (listed if isinstance(listed, list)
                                                          else listed["orders"])]


@pytest.mark.parametrize("faults, hint", [("GET /tenant/V1/orders* status=500", "500"),
                                          ("GET /tenant/V1/orders* status=403", "403")])
def test_a_pull_that_fails_says_why_and_keeps_its_place(join, faults, hint):
    join.pull()
    join.sandbox.set_faults(faults)
    failed = join.daemon.cli("pull")
    assert failed.code == 1 and hint in failed.err, failed
    assert join.daemon.events("pull.failed")
    join.sandbox.clear_faults()
    assert join.pull()["state"] == "done"


def test_without_commerce_it_says_what_is_missing(daemons):
    shop = daemons()
    said = shop.cli("pull")
    assert said.code == 3 and "Commerce is off" in said.err and "IMS_CLIENT_ID" in said.err


def test_help_shows_how_it_is_used(daemons):
    said = daemons().cli("pull", "--help")
    assert said.code == 0 and "--since TIME" in said.out and "backchannel pull --since 24h" in said.out


def test_where_no_daemon_runs_the_command_does_it_itself(tmp_path):
    join = Joined(tmp_path)
    try:
        order = join.place(f"t.{token()}")
        got = join.pull("--since", "1h")
        assert got["results"]["accepted"] == 1
        join.start()
        join.wait_state(order, "delivered")
    finally:
        join.stop()


def test_the_command_alone_does_not_leave_before_what_it_handed_back_is_answered(tmp_path):
    join = Joined(tmp_path)
    try:
        join.sandbox.set_faults("*/api delay=700ms")
        order = join.place(f"t.{token()}")
        assert join.pull("--since", "1h")["results"]["accepted"] == 1
        story = join.daemon.cli("explain", "--json", order["increment_id"]).json
        assert (story["state"], len(story["attempts"])) == ("delivered", 1)
    finally:
        join.stop()


def test_the_daemon_pulls_by_itself_when_told_to(tmp_path):
    with Joined(tmp_path, BACKCHANNEL_COMMERCE_PULL="300ms") as join:
        order = join.place(f"t.{token()}")
        join.wait_state(order, "delivered")
        wait_for(lambda: join.daemon.events("pull.done"), what="its end to be told of")
