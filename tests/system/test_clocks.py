# SPDX-License-Identifier: MIT
"""A wall clock that jumps neither resends nor strands anything. The real daemon runs under Debian's
libfaketime, which moves the wall clock while it runs and leaves the clocks alone that never jump.

Each product stands for a kind: its partner is well, down, slow, busy or has another key, or its
lane is held by the operator.
"""
import glob
import time

import pytest

import daemon as running
from daemon import KEY, PRODUCT, until
from sandbox_client import wait_for

LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or [None])[0]
LOOKS_SECONDS = 6  # the daemon looks at what is due, and at its clock, every 5 s at least
KINDS = ("down", "slow", "busy", "wrong", "held")

pytestmark = [
    pytest.mark.skipif(LIBRARY is None, reason="needs the package libfaketime: tools/deps --test"),
    pytest.mark.skipif(running.is_sanitized(),
                       reason="sanitizers and libfaketime both take over clock_gettime"),
]


class Clock:
    """The wall clock of what runs with its environment."""

    def __init__(self, folder):
        self.path = folder / "clock"
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset):
        """"+1d", "-1h": so far from the true time from now on."""
        new = self.path.with_suffix(".new")
        new.write_text(offset + "\n", encoding="ascii")
        new.replace(self.path)


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def make(daemons, clock, partner):
    def made(**settings):
        settings = {"BACKCHANNEL_RETRY_BASE": "2s", "BACKCHANNEL_RETRY_CAP": "1h",
                    "BACKCHANNEL_LANE_PROBE": "1s", **clock.environment, **settings}
        shop = daemons.make(**settings)
        products = "".join(f"[product {kind}]\nid = {kind}-1\nkey = {kind}-key-000\n" for kind in KINDS)
        (shop.work / "backchannel.conf").write_text(products, encoding="ascii")
        partner.set_products({PRODUCT: KEY, **{f"{kind}-1": f"{kind}-key-000" for kind in KINDS}})
        return shop.start()
    return made


TROUBLE = ("status=503 product=down-1, delay=3s product=slow-1, status=403 product=wrong-1, "
           "status=429 retry-after=3 product=busy-1 first=1")


def token_of(order):
    return f"tok-{order}-abcd"


def report(shop, kind, count=3):
    orders = [f"{kind}{i}" for i in range(count)]
    for order in orders:
        answer = shop.order(order, token=token_of(order), product="default" if kind == "well" else kind)
        assert answer.status == 202, answer
    return orders


def orders_of_every_kind(shop, partner):
    """{kind: orders}, each where its kind leaves it: delivered, waiting, on its way, standing."""
    assert shop.post("/v1/lanes/sovendus.held/pause").status == 200
    partner.set_faults(TROUBLE)
    made = {"well": report(shop, "well", 10)}
    made.update({kind: report(shop, kind) for kind in KINDS if kind != "slow"})
    for order in made["well"]:
        shop.wait_state(order, "delivered")
    shop.wait_lane("parked", name="sovendus.wrong")
    wait_for(lambda: [move for move in shop.events("lane.state")
                      if (move["lane"], move["to"]) == ("sovendus.busy", "throttled")], what="a pause")
    wait_for(lambda: any(shop.story(order)["attempts"] for order in made["down"]))
    made["slow"] = report(shop, "slow")
    wait_for(lambda: shop.lane("sovendus.slow")["in_flight"])
    return made


def well_again(shop, partner, made):
    """Everything is delivered, and what was delivered before not again."""
    partner.clear_faults()
    assert shop.post("/v1/lanes/sovendus.held/resume").status == 200
    for orders in made.values():
        for order in orders:
            shop.wait_state(order, "delivered", seconds=30)
    assert_each_was_taken_once(partner, made)


def assert_each_was_taken_once(partner, made):
    tokens = partner.counts()["tokens"]
    assert {order: tokens[token_of(order)] for orders in made.values() for order in orders
            if tokens[token_of(order)]["accepted"] != 1} == {}


def states(shop, orders):
    return {shop.story(order)["state"] for order in orders}


def posts(partner, orders):
    tokens = partner.counts()["tokens"]
    return {order: tokens.get(token_of(order), {"posts": 0})["posts"] for order in orders}


def wait_for_its_looks():
    until(time.monotonic() + LOOKS_SECONDS)


@pytest.mark.parametrize("jump", ["-1h", "+1d"])
def test_a_jump_of_the_wall_clock_resends_and_strands_nothing(make, clock, partner, jump):
    shop = make()
    made = orders_of_every_kind(shop, partner)
    clock.set(jump)
    wait_for_its_looks()
    assert posts(partner, made["well"]) == {order: 1 for order in made["well"]}
    assert states(shop, made["wrong"]) == {"pending"} and shop.lane("sovendus.wrong")["state"] == "parked"
    assert states(shop, made["held"]) == {"pending"} and sum(posts(partner, made["held"]).values()) == 0
    assert states(shop, made["down"]) <= {"pending", "sending"}
    for order in made["slow"] + made["busy"]:
        shop.wait_state(order, "delivered", seconds=30)
    # What was on its way when the clock jumped was on its way once.
    assert posts(partner, made["slow"]) == {order: 1 for order in made["slow"]}
    well_again(shop, partner, made)
    # The clock is put right, which is a jump as well.
    clock.set("+0")
    assert shop.order("after", wait="10s", token=token_of("after")).json["state"] == "delivered"
    wait_for_its_looks()
    assert_each_was_taken_once(partner, made)


@pytest.mark.parametrize("jump", ["-1h", "+1d"])
def test_a_wall_clock_that_was_moved_while_it_was_dead_strands_nothing(make, clock, partner, jump):
    shop = make()
    made = orders_of_every_kind(shop, partner)
    shop.kill9()
    clock.set(jump)
    shop.start()
    wait_for_its_looks()
    assert posts(partner, made["well"]) == {order: 1 for order in made["well"]}
    assert shop.lane("sovendus.wrong")["state"] == "parked" and shop.lane("sovendus.held")["state"] == "paused"
    partner.clear_faults()
    assert shop.post("/v1/lanes/sovendus.held/resume").status == 200
    for orders in made.values():
        for order in orders:
            shop.wait_state(order, "delivered", seconds=30)


def test_a_clock_that_jumps_to_and_fro_under_load_delivers_each_once(make, clock, partner):
    shop = make()
    orders = []
    for number, jump in enumerate(["-1h", "+1d", "-30m", "+3h", "-1h", "+0"]):
        clock.set(jump)
        for i in range(30):
            orders.append(f"o{number}-{i}")
            assert shop.order(orders[-1], token=token_of(orders[-1])).status == 202
    for order in orders:
        shop.wait_state(order, "delivered")
    wait_for_its_looks()
    assert {order: n for order, n in posts(partner, orders).items() if n != 1} == {}


def test_a_day_does_not_end_a_deadline_of_three(make, clock, partner):
    partner.set_faults("status=503 product=down-1, status=403 product=wrong-1")
    shop = make(BACKCHANNEL_RETRY_DEADLINE="72h")
    made = {kind: report(shop, kind) for kind in ("down", "wrong")}
    shop.wait_lane("parked", name="sovendus.wrong")
    clock.set("+1d")
    shop.restart()  # which looks at deadlines at once
    wait_for_its_looks()
    assert states(shop, made["down"]) <= {"pending", "sending"}
    clock.set("+4d")
    shop.restart()
    for order in made["down"]:
        assert shop.wait_state(order, "expired", seconds=20)
    assert states(shop, made["wrong"]) == {"pending"}, "its lane stands: its time does not run"
    partner.clear_faults()
    for order in made["wrong"]:
        shop.wait_state(order, "delivered", seconds=30)
    assert shop.post("/v1/orders/retry?state=expired").status in (200, 202)
    for order in made["down"]:
        shop.wait_state(order, "delivered", seconds=30)


def test_a_lane_that_stood_while_the_clock_was_set_back_loses_no_deadline(make, clock, partner):
    partner.set_faults("status=403 product=wrong-1")
    shop = make(BACKCHANNEL_RETRY_DEADLINE="2h")
    orders = report(shop, "wrong")
    shop.wait_lane("parked", name="sovendus.wrong")
    clock.set("-1h")
    shop.restart()
    shop.wait_lane("parked", name="sovendus.wrong")
    clock.set("+90m")
    shop.restart()
    wait_for_its_looks()
    assert states(shop, orders) == {"pending"}
    partner.clear_faults()
    for order in orders:
        shop.wait_state(order, "delivered", seconds=30)


def test_clicks_expire_by_the_wall_clock_and_no_earlier(make, clock, partner):
    del partner
    shop = make(BACKCHANNEL_CLICK_TTL="24h")
    clicks = {name: shop.click(token=token_of(name))["click"] for name in ("before", "back", "day", "late")}
    assert shop.order("before", wait="10s", click=clicks["before"]).json["state"] == "delivered"
    clock.set("-1h")
    assert shop.order("back", wait="10s", click=clicks["back"]).json["state"] == "delivered"
    clock.set("+23h")
    assert shop.order("day", wait="10s", click=clicks["day"]).json["state"] == "delivered"
    clock.set("+25h")
    late = shop.order("late", click=clicks["late"]).json
    assert late["state"] == "unattributed" and "expired" in late["reason"]
    young = shop.click(token=token_of("young"))["click"]
    assert shop.order("young", wait="10s", click=young).json["state"] == "delivered"
