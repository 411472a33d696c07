# SPDX-License-Identifier: MIT
"""The sandbox's caller of Commerce webhooks, by placing orders in its storefront with a hook that
is not ours: what the hook is told, how that is signed, and that a required hook can stop an order."""
import base64
import contextlib
import http.client
import json
import threading
import time

import pytest

from event_receiver import Receiver, verifies
from sandbox_client import Sandbox, wait_for

CLICK = "c.0123456789abcdef0123456789abcdef"
SUCCESS = (200, "application/json", b'{"op":"success"}')


@pytest.fixture
def hook():
    with Receiver() as made:
        made.answer = lambda request: SUCCESS
        yield made


def show(partner):
    return partner.control("GET", "/webhook")


def set_hook(partner, hook, **settings):
    return partner.control("PUT", "/webhook", {"url": hook.url, **settings})


def graphql(partner, query, **variables):
    status, _, text = partner.ask("POST", "/tenant/graphql",
                                  json.dumps({"query": query, "variables": variables}).encode(),
                                  "application/json", timeout=30)
    answer = json.loads(text)
    assert status == 200 and "errors" not in answer, answer
    return answer["data"]


def filled_cart(partner):
    cart = graphql(partner, "mutation { createGuestCart { cart { id } } }")
    cart = cart["createGuestCart"]["cart"]["id"]
    sku = partner.call("GET", "/V1/products?searchCriteria[pageSize]=1",
                       partner.token()[1]["access_token"])[1]["items"][0]["sku"]
    graphql(partner, """mutation ($cart: String!, $sku: String!) { addProductsToCart(cartId: $cart,
            cartItems: [{ sku: $sku, quantity: 1 }]) { user_errors { message } } }""",
            cart=cart, sku=sku)
    graphql(partner, """mutation ($cart: String!, $click: String!) { setCustomAttributesOnCart(input:
            { cart_id: $cart, custom_attributes: [{ attribute_code: "bc_click", value: $click }] })
            { cart { id } } }""", cart=cart, click=CLICK)
    graphql(partner, """mutation ($cart: String!) { setGuestEmailOnCart(input: { cart_id: $cart,
            email: "guest@example.com" }) { cart { email } } }""", cart=cart)
    return cart


def place(partner, cart):
    """(order number, errors)."""
    placed = graphql(partner, """mutation ($cart: String!) { placeOrder(input: { cart_id: $cart })
            { errors { code message } orderV2 { number } } }""", cart=cart)["placeOrder"]
    return placed["orderV2"] and placed["orderV2"]["number"], placed["errors"]


def test_without_a_hook_an_order_is_placed(partner):
    number, errors = place(partner, filled_cart(partner))
    assert number and not errors
    assert show(partner)["counts"]["asked"] == 0


@pytest.mark.parametrize("kind", ["plugin", "observer"])
def test_a_hook_is_told_the_order_with_its_attributes_as_a_map(partner, hook, kind):
    set_hook(partner, hook, kind=kind)
    number, _ = place(partner, filled_cart(partner))
    (request,) = hook.requests
    told = request.json
    if kind == "observer":
        assert told["subject"] == [] and told["eventName"] == "sales_order_place_before"
        told = told["data"]
    order = told["order"]
    assert order["increment_id"] == number
    assert order["custom_attributes_serializable"] == {"bc_click": CLICK}
    assert not {"entity_id", "custom_attributes", "created_at", "state"} & set(order)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-adobe-commerce-request-id"]


def signature_of(request):
    return request.headers["x-adobe-commerce-webhook-signature"]


def test_the_signature_holds_for_the_base64_text_of_the_body_and_for_nothing_else(partner, hook):
    pem = set_hook(partner, hook)["public_key"]
    place(partner, filled_cart(partner))
    (request,) = hook.requests
    assert verifies(pem, signature_of(request), base64.b64encode(request.body))
    assert not verifies(pem, signature_of(request), request.body)
    again = json.dumps(request.json, separators=(",", ":"), ensure_ascii=True).encode()
    assert b"\\/" in request.body and again != request.body
    assert not verifies(pem, signature_of(request), base64.b64encode(again))


def test_a_new_key_pair_makes_the_old_one_worthless(partner, hook):
    old = set_hook(partner, hook)["public_key"]
    new = partner.control("POST", "/webhook/rotate")["public_key"]
    assert old != new
    place(partner, filled_cart(partner))
    signed = base64.b64encode(hook.requests[0].body)
    assert verifies(new, signature_of(hook.requests[0]), signed)
    assert not verifies(old, signature_of(hook.requests[0]), signed)
    set_hook(partner, hook, signed=False)
    place(partner, filled_cart(partner))
    assert "x-adobe-commerce-webhook-signature" not in hook.requests[1].headers


@pytest.mark.parametrize("answer, result", [
    ((503, "application/json", b'{"op":"success"}'), "status"),
    ((200, "text/plain", b"ok"), "malformed"),
])
def test_a_required_hook_that_fails_stops_the_order_and_an_optional_one_does_not(
        partner, hook, answer, result):
    hook.answer = lambda request: answer
    set_hook(partner, hook)
    cart = filled_cart(partner)
    number, errors = place(partner, cart)
    assert number is None
    assert "Cannot perform the operation due to an error." in errors[0]["message"]
    set_hook(partner, hook, required=False)
    number, errors = place(partner, cart)
    assert number and not errors
    counts = show(partner)["counts"]
    assert (counts["asked"], counts["allowed"], counts["refused"]) == (2, 1, 1)
    assert counts["results"][result] == 2


def test_an_exception_stops_the_order_with_its_own_words(partner, hook):
    hook.answer = lambda request: (200, "application/json", json.dumps(
        [{"op": "success"}, {"op": "exception", "message": "not in this country"}]).encode())
    set_hook(partner, hook, required=False)
    number, errors = place(partner, filled_cart(partner))
    assert number is None and "not in this country" in errors[0]["message"]


def test_the_shopper_waits_for_the_hook_and_no_longer_than_its_timeout(partner, hook):
    release = threading.Event()

    def slow(_):
        release.wait(10)
        return SUCCESS

    hook.answer = slow
    set_hook(partner, hook, timeout_ms=150, soft_timeout_ms=50)
    cart = filled_cart(partner)
    began = time.monotonic()
    number, _ = place(partner, cart)
    assert number is None and 0.149 <= time.monotonic() - began < 5
    release.set()
    state = show(partner)
    assert state["counts"]["results"]["timeout"] == 1 and state["counts"]["slow"] == 1
    assert state["calls"][0]["result"] == "timeout" and not state["calls"][0]["allowed"]
    assert state["calls"][0]["duration_ms"] >= 145


def test_a_reset_while_a_hook_is_asked_ends_the_shoppers_wait(partner, hook):
    release = threading.Event()

    def slow(_):
        release.wait(10)
        return SUCCESS

    hook.answer = slow
    set_hook(partner, hook)
    cart, answers = filled_cart(partner), []
    shopper = threading.Thread(target=lambda: answers.append(place(partner, cart)))
    shopper.start()
    wait_for(lambda: hook.requests, what="the hook to be asked")
    partner.control("DELETE", "/webhook")
    shopper.join(10)
    release.set()
    assert answers and answers[0][0] is None


def test_it_ends_cleanly_while_a_hook_is_asked(hook):
    release = threading.Event()

    def slow(_):
        release.wait(10)
        return SUCCESS

    def shop(sandbox, cart):
        with contextlib.suppress(OSError, http.client.HTTPException):
            place(sandbox, cart)

    hook.answer = slow
    with Sandbox() as sandbox:
        set_hook(sandbox, hook)
        shopper = threading.Thread(target=shop, args=(sandbox, filled_cart(sandbox)))
        shopper.start()
        wait_for(lambda: hook.requests, what="the hook to be asked")
        assert sandbox.stop() == 0
    release.set()
    shopper.join(10)
    assert not shopper.is_alive()


def test_a_setting_of_the_hook_that_does_not_fit_changes_nothing(partner, hook):
    before = set_hook(partner, hook)["settings"]
    for bad in ({"kind": "other"}, {"timeout_ms": -1}, {"url": "http://example.com/"},
                {"signed": 1}, {"nothing": 1}):
        status, _, text = partner.ask("PUT", "/_sandbox/webhook",
                                      json.dumps({"required": False, **bad}).encode())
        assert status == 400 and b"hint" in text, bad
    assert show(partner)["settings"] == before
