# SPDX-License-Identifier: MIT
"""One order by all the ways at once: the shop's own report, signed events (each twice, reordered), the
journal, Commerce's webhook and pulls, while the daemon is killed again and again: one conversion, one
delivery, and none is lost."""
import threading

import pytest

from joined import CLIENT, Joined, token
from ports import own_address
from sandbox_client import wait_for

ORDERS, KILLS = 60, 6
JOURNAL = "/events/organizations/1/integrations/2/3"


@pytest.fixture
def join(tmp_path):
    made = Joined(tmp_path, BACKCHANNEL_COMMERCE_COMMENTS="delivered")
    key = tmp_path / "webhook.pem"
    key.write_text(made.sandbox.control("GET", "/webhook")["public_key"], encoding="ascii")
    edge = own_address()
    made.daemon.settings.update({
        "BACKCHANNEL_EDGE": edge, "BACKCHANNEL_EVENTS_KEY_URL": made.sandbox.base,
        "BACKCHANNEL_EVENTS_VALIDATE_URL": made.sandbox.base, "BACKCHANNEL_WEBHOOK_KEY_FILE": str(key),
        "BACKCHANNEL_JOURNAL_URL": made.sandbox.base + JOURNAL})
    made.edge = edge
    made.sandbox.control("PUT", "/events", {"client_id": CLIENT})
    made.sandbox.control("PUT", "/journal", {"retry_after": 1, "page_max": 7})
    made.start()
    made.sandbox.control("PUT", "/webhook", {"url": f"http://{edge}/v1/webhooks/commerce", "timeout_ms": 2000,
                                             "required": False})
    made.sandbox.control("PUT", "/sender", {"url": f"http://{edge}/v1/events/adobe", "schedule_ms": [100],
                                            "duplicates": 1, "reorder": True})
    wait_for(lambda: made.sandbox.control("GET", "/sender")["state"] == "Active", 10, "the registration")
    yield made
    made.stop()


def checkout(join, click):
    """A visitor's way through the storefront: webhook, order, event. The order as Commerce has it."""
    def graphql(query):
        status, answer = join.sandbox.call("POST", "/graphql", body={"query": query})
        assert status == 200 and "errors" not in answer, answer
        return answer["data"]
    cart = graphql("mutation { createGuestCart { cart { id } } }")["createGuestCart"]["cart"]["id"]
    graphql(f'mutation {{ addProductsToCart(cartId: "{cart}", cartItems: [{{sku: "MUG-BLUE", quantity: 1}}])'
            ' { cart { id } } }')
    graphql(f'mutation {{ setCustomAttributesOnCart(input: {{cart_id: "{cart}", custom_attributes: '
            f'[{{attribute_code: "bc_click", value: "t.{click}"}}]}}) {{ cart {{ id }} }} }}')
    placed = graphql(f'mutation {{ placeOrder(input: {{cart_id: "{cart}"}}) {{ orderV2 {{ number }} }} }}')
    return {"increment_id": placed["placeOrder"]["orderV2"]["number"]}


def reported(join, order, click):
    """What the shop's own code would do; a daemon that is away is its own affair."""
    try:
        return join.daemon.order(order["increment_id"], click=f"t.{click}").status
    except OSError:
        return None


def test_an_order_that_comes_by_all_ways_through_kills_is_handed_back_once(join):
    clicks, orders, done = {}, [], threading.Event()

    def shop():
        try:
            for _ in range(ORDERS):
                click = token()
                order = checkout(join, click)
                clicks[order["increment_id"]] = click
                orders.append(order)
                reported(join, order, click)
        finally:
            done.set()

    visitors = threading.Thread(target=shop)
    visitors.start()
    for number in range(KILLS):
        wait_for(lambda n=number: done.is_set() or len(orders) > (n + 1) * ORDERS // (KILLS + 2), 60, "orders")
        join.daemon.kill9()
        join.daemon.start()
        join.daemon.cli("pull", "--since", "1h")
    visitors.join()
    join.pull("--since", "1h")
    for order in orders:
        join.wait_state(order, "delivered", 30)
    wait_for(lambda: join.sandbox.control("GET", "/sender")["counts"]["pending"] == 0, 60, "all deliveries")
    join.pull("--since", "1h")
    unknown = sum(attempt["outcome"] == "unknown" for order in orders
                  for attempt in join.daemon.story(order["increment_id"])["attempts"])
    counts = [join.sandbox.accepted(click) for click in clicks.values()]
    assert len(orders) == ORDERS and min(counts) == 1, "one was lost"
    # A kill between the request and its answer is in the ledger, as unknown; nothing else repeats.
    assert sum(counts) - ORDERS <= unknown
    states = [join.state(order) for order in orders]
    assert states == ["delivered"] * ORDERS


@pytest.mark.parametrize("first", ["cancel", "order"])
def test_a_cancel_before_or_after_its_order_makes_no_conversion_it_should_not(join, first):
    """Events come in any order: one that was taken back before anybody told of it stays so."""
    click = token()
    order = join.sandbox.control("POST", "/orders?event=0",
                                 {"custom_attributes": {"bc_click": f"t.{click}"}, "state": "pending_payment"})
    if first == "cancel":
        join.change(order, state="canceled", status="canceled")
        wait_for(lambda: join.state(order) == "cancelled", 15, "the cancel")
        join.change(order, state="processing", status="processing")
        wait_for(lambda: join.sandbox.control("GET", "/sender")["counts"]["pending"] == 0, 15, "the event")
        assert join.state(order) == "cancelled" and join.sandbox.accepted(click) == 0
    else:
        join.change(order, state="processing", status="processing")
        join.wait_state(order, "delivered")
        join.change(order, state="canceled", status="canceled")
        listed = wait_for(lambda: join.daemon.get("/v1/orders?revoked=1").json["orders"], 15, "the cancel")
        assert [o["order"] for o in listed] == [order["increment_id"]]
        assert join.sandbox.accepted(click) == 1
