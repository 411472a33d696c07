# SPDX-License-Identifier: MIT
"""Whose fault is it? A stranger's token that the partner answers like a wrong key or a wrong address
stops nobody else's orders; a key that is really wrong is found out by two requests, however many
wait, and costs none of them."""
import pytest

from daemon import KEY
from sandbox_client import wait_for

TEST_TOKEN = "12345-test-123-12345"
GOOD = 200
WAITING = 1000


def states(shop):
    """{state: how many}, of all orders."""
    counts, cursor = {}, ""
    while cursor is not None:
        page = shop.get(f"/v1/orders?limit=1000{cursor}").json
        for row in page["orders"]:
            counts[row["state"]] = counts.get(row["state"], 0) + 1
        cursor = f"&cursor={page['next']}" if page.get("next") else None
    return counts


def times_each_was_taken(partner):
    return {row["accepted"] for token, row in partner.counts()["tokens"].items()
            if token.startswith("good-")}


@pytest.mark.parametrize("fault", ["status=403", "status=404", "status=401", "redirect",
                                   'status=422 message="External product id not found."'])
def test_one_forged_token_among_two_hundred_stops_nobody(daemons, partner, fault):
    partner.set_faults(f"{fault} token=forged-*")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    orders = [{"order": f"o{i}", "token": f"good-{i:04d}-token"} for i in range(GOOD)]
    orders.insert(GOOD // 2, {"order": "forged", "token": "forged-0000-token"})
    shop.pour_orders(orders)
    wait_for(lambda: states(shop) == {"delivered": GOOD, "rejected": 1}, 30, "200 delivered and 1 rejected")
    story = shop.story("forged")
    assert story["state"] == "rejected" and "alone" in story["reason"]
    assert times_each_was_taken(partner) == {1}
    assert shop.lane()["state"] == "open"
    assert "parked" not in {event["to"] for event in shop.events("lane.state")}


def test_the_first_of_all_may_be_the_forged_one(daemons, partner):
    """Nothing is known of the lane yet: the test token speaks for it."""
    partner.set_faults("status=403 token=forged-*")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    shop.order("forged", token="forged-0000-token")
    shop.wait_state("forged", "rejected")
    shop.pour_orders({"order": f"o{i}", "token": f"good-{i:04d}-token"} for i in range(GOOD))
    wait_for(lambda: states(shop) == {"delivered": GOOD, "rejected": 1}, 30, "200 delivered and 1 rejected")


def test_a_key_that_is_mended_just_after_it_was_refused_costs_no_order(daemons, partner):
    """The refusal is of before, the accepted test token of after: neither is about the order."""
    partner.set_faults("status=403 times=1")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    shop.order("mine", token="good-0000-token")
    shop.wait_state("mine", "delivered")
    assert asked(partner) == ["good-0000-token", TEST_TOKEN, "good-0000-token"]
    assert [a["outcome"] for a in shop.story("mine")["attempts"]] == ["suspect", "delivered"]
    assert shop.lane()["state"] == "open"


def test_a_failure_of_the_partner_between_two_refusals_begins_anew(daemons, partner):
    """What is refused, then fails, then is refused was not refused twice in a row: it is tried again."""
    partner.set_faults("\n".join(f"status={status} token=good-* times=1" for status in (403, 500, 403)))
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h", BACKCHANNEL_RETRY_BASE="50ms")
    shop.order("mine", token="good-0000-token")
    shop.wait_state("mine", "delivered")
    assert [a["outcome"] for a in shop.story("mine")["attempts"]] == [
        "suspect", "retry", "suspect", "delivered"]


def test_many_forged_ones_are_rejected_one_by_one_and_hold_up_nobody_for_good(daemons, partner):
    partner.set_faults("status=403 token=forged-*")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    shop.pour_orders({"order": f"o{i}", "token": f"{'good' if i % 2 else 'forged'}-{i:04d}-token"}
                     for i in range(GOOD))
    wait_for(lambda: states(shop) == {"delivered": GOOD // 2, "rejected": GOOD // 2}, 30,
             "half delivered and half rejected")
    assert times_each_was_taken(partner) == {1}


def with_many_waiting(daemons, partner):
    """A shop that died with a thousand conversions waiting on an open lane."""
    partner.set_faults("hang")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    shop.pour_orders({"order": f"o{i}", "token": f"good-{i:04d}-token"} for i in range(WAITING))
    wait_for(lambda: shop.lane()["in_flight"], what="one on its way")
    shop.kill9()
    partner.clear_faults()
    partner.clear_requests()
    return shop


def asked(partner):
    """The tokens that it was asked with."""
    return [seen["path"].split("/")[3] for seen in partner.requests("/ext/")]


def test_a_wrong_key_is_found_out_by_two_requests_with_a_thousand_waiting(daemons, partner):
    shop = with_many_waiting(daemons, partner)
    shop.settings["SOVENDUS_API_KEY"] = "a-wrong-key"
    shop.start()
    shop.wait_lane("parked")
    assert states(shop) == {"pending": WAITING}
    first, *rest = asked(partner)
    assert first.startswith("good-") and rest == [TEST_TOKEN]
    # Each start tells the partner once, by the test token alone.
    partner.clear_requests()
    shop.restart()
    wait_for(lambda: asked(partner), what="the test token")
    assert asked(partner) == [TEST_TOKEN] and states(shop) == {"pending": WAITING}
    shop.stop()
    shop.settings["SOVENDUS_API_KEY"] = KEY
    shop.start()
    wait_for(lambda: states(shop) == {"delivered": WAITING}, 60, "all delivered with the right key")
    assert times_each_was_taken(partner) == {1}


def test_a_key_that_turns_wrong_under_load_costs_nothing(daemons, partner):
    """Those that were under way beside the first meet the same answer; none is rejected."""
    shop = daemons(BACKCHANNEL_LANE_PROBE="100ms")
    partner.set_faults("delay=20ms")
    assert shop.order("first", wait="10s", token="good-first-token").json["state"] == "delivered"
    partner.set_faults("delay=20ms, status=403 for=1500ms skip=40")
    shop.pour_orders({"order": f"o{i}", "token": f"good-{i:04d}-token"} for i in range(GOOD))
    shop.wait_lane("parked")
    wait_for(lambda: states(shop) == {"delivered": GOOD + 1}, 30, "all delivered")
    assert times_each_was_taken(partner) == {1}
    assert len([e for e in shop.events("lane.state") if e["to"] == "parked"]) == 1
