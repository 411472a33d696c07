# SPDX-License-Identifier: MIT
"""Comments on orders in Commerce: written once for each hand-back, however often anything is killed, and
never in its way."""
import pytest

from joined import Joined, token
from sandbox_client import wait_for


@pytest.fixture
def join(tmp_path):
    with Joined(tmp_path, BACKCHANNEL_COMMERCE_COMMENTS="delivered,rejected",
                BACKCHANNEL_LANE_PROBE="1s") as made:
        yield made


def comments(join, order):
    return [c["statusHistory"]["comment"] for c in join.sandbox.comments(order["entity_id"])]


def wait_comment(join, order, seconds=15):
    return wait_for(lambda: comments(join, order), seconds, "the comment")


def test_a_delivered_order_gets_one_comment_without_a_token(join):
    click = token()
    order = join.place(f"t.{click}")
    join.pull("--since", "1h")
    said = wait_comment(join, order)
    assert len(said) == 1 and said[0].startswith("Click token handed back to sovendus (product default) on ")
    assert click not in said[0]
    posted = join.sandbox.comments(order["entity_id"])[0]["statusHistory"]
    assert posted["is_customer_notified"] == 0 and posted["is_visible_on_front"] == 0


def test_a_rejected_one_says_why(join):
    click = "unknown-" + token()
    order = join.place(f"t.{click}")
    join.pull("--since", "1h")
    join.wait_state(order, "rejected")
    assert "not taken by sovendus" in wait_comment(join, order)[0]


def test_one_that_was_reported_by_the_shop_is_found_by_its_number(join):
    order = join.place()
    join.daemon.order(order["increment_id"], token=token(), wait="5s")
    assert len(wait_comment(join, order)) == 1


def test_one_that_commerce_does_not_know_is_given_up(join):
    join.daemon.order("WEB-1", token=token(), wait="5s")
    wait_for(lambda: join.daemon.events("comment.given_up"), 15, "the comment to be given up")
    assert join.daemon.story("WEB-1")["state"] == "delivered"


def test_while_commerce_is_down_deliveries_go_on_and_the_comment_comes_later(join):
    order = join.place(f"t.{token()}")
    join.pull("--since", "1h")
    wait_comment(join, order)
    join.sandbox.set_faults("/tenant/V1/orders* status=503")
    late = join.place(f"t.{token()}")
    assert join.daemon.order(late["increment_id"], token=token(), wait="5s").json["state"] == "delivered"
    wait_for(lambda: join.daemon.events("comment.later"), 40, "the failure to be told")
    join.sandbox.clear_faults()
    assert len(wait_comment(join, late, 90)) == 1


def test_a_kill_between_the_post_and_its_mark_doubles_nothing(join):
    """The answers are slow, so that the kill comes while a post is under way or not marked yet."""
    orders = [join.place(f"t.{token()}") for _ in range(6)]
    join.sandbox.set_faults("/tenant/V1/orders/*/comments delay=80ms")
    join.pull("--since", "1h")
    for _ in range(6):
        before = len(join.sandbox.comments())
        wait_for(lambda: len(join.sandbox.comments()) > before or before >= len(orders), 20, "a comment")
        join.daemon.kill9()
        join.daemon.start()
    join.sandbox.clear_faults()
    wait_for(lambda: all(comments(join, order) for order in orders), 30, "all comments")
    join.daemon.stop()
    assert [len(comments(join, order)) for order in orders] == [1] * len(orders)


def test_without_the_setting_nothing_is_written(tmp_path):
    with Joined(tmp_path) as join:
        order = join.place(f"t.{token()}")
        join.pull("--since", "1h")
        join.wait_state(order, "delivered")
        assert join.daemon.cli("explain", order["increment_id"]).code == 0
        assert comments(join, order) == []
