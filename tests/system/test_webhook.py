# SPDX-License-Identifier: MIT
"""The webhook of Commerce: answered at once whatever becomes of it, believed only when it is signed,
and never more than a click that is kept for the order to come."""
import base64
import json
import signal
import time

import pytest

import signer
import wire
from daemon import KEY, PRODUCT
from sandbox_client import Sandbox, wait_for
from signer import CLIENT, WEBHOOK, KeyHost, call_webhook, deliver, event

SUCCESS = b'{"op":"success"}'


@pytest.fixture
def commerce():
    return signer.key("000000000011")


@pytest.fixture
def renewed():
    return signer.key("000000000012")


@pytest.fixture
def adobe():
    return signer.key("000000000001")


def address_of(daemon):
    (listening,) = daemon.events("edge.listening", this_run=True)
    return listening["listen"]


@pytest.fixture
def make(daemons, tmp_path, commerce):
    """Starts daemons that know the key of Commerce by its file."""
    def start(key=commerce, key_next=None, **settings):
        for name, pair in (("KEY", key), ("KEY_NEXT", key_next)):
            if pair:
                path = tmp_path / f"{name}.pem"
                path.write_text(pair.pem, encoding="ascii")
                path.chmod(0o600)
                settings.setdefault(f"BACKCHANNEL_WEBHOOK_{name}_FILE", str(path))
        daemon = daemons(**{"BACKCHANNEL_EDGE": "127.0.0.1:0", **settings})
        daemon.edge = address_of(daemon)
        return daemon
    return start


@pytest.fixture
def shop(make):
    return make()


@pytest.fixture
def told(make, adobe):
    """A daemon that is told of orders by events, too."""
    with KeyHost(adobe) as host:
        daemon = make(BACKCHANNEL_EVENTS_CLIENT_ID=CLIENT, BACKCHANNEL_EVENTS_KEY_URL=host.base)
        yield daemon


def result(daemon, name):
    line = f'backchannel_webhooks_total{{result="{name}"}} '
    (found,) = [row for row in daemon.get("/metrics").text.splitlines() if row.startswith(line)]
    return int(found[len(line):])


def placing(token=None, **order):
    """What Commerce sends before it places an order: attributes are a map here."""
    if token:
        order["custom_attributes_serializable"] = {"bc_click": token}
    return {"subject": [], "eventName": "sales_order_place_before", "data": {"order": order}}


def is_success(answer):
    assert (answer.status, answer.body) == (200, SUCCESS), answer
    assert answer.headers["content-type"] == "application/json"
    return True


def orders_of(daemon):
    return daemon.get("/v1/orders?limit=1000").json["orders"]


# --- who is believed -----------------------------------------------------------------------------

VECTORS = signer.sample("signature-vectors")["commerce_webhook"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_every_vector_comes_out_as_it_says(make, tmp_path, case):
    path = tmp_path / "vector.pem"
    path.write_text(VECTORS["public_key"], encoding="ascii")
    path.chmod(0o600)
    shop = make(key=None, BACKCHANNEL_WEBHOOK_KEY_FILE=str(path),
                BACKCHANNEL_COMMERCE_CLICK_ATTRIBUTE="click_token")
    answer = call_webhook(shop.edge, base64.b64decode(VECTORS["body_b64"]), headers=case["headers"])
    if case["valid"]:
        is_success(answer)
        wait_for(lambda: result(shop, "bound") == 1, what="the click")
    else:
        assert (answer.status, answer.problem) == (401, "unauthorized"), answer
        assert (result(shop, "bound"), result(shop, "bad-signature")) == (0, 1)


def test_every_mutation_is_refused_and_nothing_is_kept(told, commerce, renewed, adobe, unique):
    token = unique.token()
    body = signer.encoded(placing(token, increment_id="1", quote_id=7))
    good = signer.webhook_signature(body, commerce)
    refused = 0
    for text, signature in ((body + b" ", good), (body.replace(b"7", b"8"), good), (b"", good), (body, ""),
                            (body, good[:-4]), (body, good.rstrip("=")), (body, good + "AAAA"),
                            (body, good.replace("+", "-").replace("/", "_").replace("A", "B")),
                            (body, signer.webhook_signature(body, renewed)), (body, commerce.sign(body)),
                            (body, commerce.sign(base64.b64encode(body) + b"\n")),
                            (body, commerce.sign(base64.b64encode(body), "sha1")),
                            (body, signer.webhook_signature(body + b" ", commerce))):
        answer = call_webhook(told.edge, text, headers={"x-adobe-commerce-webhook-signature": signature})
        assert (answer.status, answer.problem) == (401, "unauthorized"), (text, signature)
        refused += 1
    assert call_webhook(told.edge, body, headers={}).status == 401
    assert result(told, "bad-signature") == refused + 1
    assert len(told.events("webhook.refused")) == 1, "once a minute"
    assert deliver(told.edge, event(increment_id="1", quote_id=7), adobe).status == 200
    assert told.story("1")["state"] == "unattributed"


def test_both_keys_are_good_while_the_pair_is_changed(make, commerce, renewed, adobe):
    shop = make(key_next=renewed)
    for pair in (commerce, renewed, commerce):
        is_success(call_webhook(shop.edge, placing(increment_id="1"), pair))
    assert call_webhook(shop.edge, placing(increment_id="1"), adobe).status == 401


def test_the_next_key_alone_is_a_key(make, commerce):
    shop = make(key=None, key_next=commerce)
    is_success(call_webhook(shop.edge, placing(increment_id="1"), commerce))


def test_keys_follow_a_reload(make, tmp_path, commerce, renewed):
    path = tmp_path / "webhook.pem"
    path.write_text(commerce.pem, encoding="ascii")
    path.chmod(0o600)
    config = tmp_path / "backchannel.conf"
    config.write_text(f"[webhook]\nkey_file = {path}\n", encoding="utf-8")
    shop = make(key=None, BACKCHANNEL_CONFIG=str(config))
    is_success(call_webhook(shop.edge, placing(increment_id="1"), commerce))
    path.write_text(renewed.pem, encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: shop.events("settings.reloaded"), what="the reload")
    is_success(call_webhook(shop.edge, placing(increment_id="1"), renewed))
    assert call_webhook(shop.edge, placing(increment_id="1"), commerce).status == 401
    # What is no key changes nothing.
    path.write_text("welcome, this is no key at all " * 4, encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: shop.events("settings.refused"), what="the refusal")
    is_success(call_webhook(shop.edge, placing(increment_id="1"), renewed))
    # Without any key there is no such path.
    config.write_text("", encoding="utf-8")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(shop.events("settings.reloaded")) == 2, what="the second reload")
    assert call_webhook(shop.edge, placing(increment_id="1"), renewed).status == 404


def test_a_key_that_is_none_refuses_to_start(daemons, tmp_path):
    path = tmp_path / "private.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC\n"
                    "-----END PRIVATE KEY-----\n", encoding="ascii")
    path.chmod(0o600)
    daemon = daemons.make(BACKCHANNEL_EDGE="127.0.0.1:0", BACKCHANNEL_WEBHOOK_KEY_FILE=str(path))
    daemon.spawn()
    assert daemon.wait_exit() != 0
    assert "is no public RSA key in PEM" in daemon.log_text()
    assert "MIIEvQ" not in daemon.log_text()


def test_without_keys_there_is_no_such_path(make, commerce):
    shop = make(key=None)
    assert call_webhook(shop.edge, placing(increment_id="1"), commerce).status == 404


# --- what comes of it ----------------------------------------------------------------------------

def test_a_click_is_bound_and_the_order_finds_it_by_its_cart(told, commerce, adobe, partner, unique):
    token = unique.token()
    is_success(call_webhook(told.edge, placing(token, increment_id="000000318", quote_id=1907), commerce))
    wait_for(lambda: result(told, "bound") == 1, what="the click")
    assert orders_of(told) == [], "nothing is placed yet"
    # Its event has no attributes: the cart's number is what both have.
    assert deliver(told.edge, event(increment_id="000000318", quote_id=1907), adobe).status == 200
    told.wait_state("000000318", "delivered")
    assert partner.accepted(token) == 1


def test_an_order_without_a_cart_finds_it_by_its_number(told, commerce, adobe, partner, unique):
    token = unique.token()
    is_success(call_webhook(told.edge, {"order": {"increment_id": "7", "quote_id": 3, "custom_attributes": {
        "bc_click": token}}}, commerce))
    wait_for(lambda: result(told, "bound") == 1, what="the click")
    assert deliver(told.edge, event(increment_id="7"), adobe).status == 200
    told.wait_state("7", "delivered")
    assert partner.accepted(token) == 1


def test_a_click_that_was_captured_is_bound_by_its_id(told, commerce, adobe, partner, unique):
    token = unique.token()
    click = told.click(token=token)["click"]
    is_success(call_webhook(told.edge, placing(click, increment_id="8", quote_id=4), commerce))
    wait_for(lambda: result(told, "bound") == 1, what="the click")
    assert deliver(told.edge, event(increment_id="8", quote_id=4), adobe).status == 200
    told.wait_state("8", "delivered")
    assert partner.accepted(token) == 1


def test_a_webhook_that_comes_after_its_event_is_in_time(told, commerce, adobe, partner, unique):
    token = unique.token()
    assert deliver(told.edge, event(increment_id="9", quote_id=5), adobe).status == 200
    assert told.story("9")["state"] == "unattributed"
    is_success(call_webhook(told.edge, placing(token, increment_id="9", quote_id=5), commerce))
    told.wait_state("9", "delivered")
    assert partner.accepted(token) == 1


def test_an_order_that_is_never_placed_is_never_handed_back(told, commerce, partner, unique):
    token = unique.token()
    is_success(call_webhook(told.edge, placing(token, increment_id="10", quote_id=6), commerce))
    wait_for(lambda: result(told, "bound") == 1, what="the click")
    told.stop()
    told.start()
    assert orders_of(told) == []
    assert partner.accepted(token) == 0


def test_the_samples_are_taken(make, commerce):
    shop = make(BACKCHANNEL_COMMERCE_CLICK_ATTRIBUTE="click_token")
    for n, name in enumerate(("webhook-order-management-place", "webhook-sales-order-place-before",
                              "webhook-configured-minimal"), 1):
        is_success(call_webhook(shop.edge, signer.sample(name), commerce))
        wait_for(lambda n=n: result(shop, "bound") == n, what=name)


@pytest.mark.parametrize("content", [
    b"", b"not json", b"[]", b"7", b"[" * 50000, b'{"order":[]}', {"data": {"cart": {}}}, placing("token-of-it"),
    placing("token-of-it", increment_id="bad\nnumber"), placing(increment_id="1"),
    placing("no click at all", increment_id="1"), placing("c." + "0" * 32, increment_id="1", quote_id=1),
    {"order": {"increment_id": "1", "custom_attributes": "x" * 100000}}])
def test_whatever_is_signed_the_checkout_goes_on(shop, commerce, content):
    is_success(call_webhook(shop.edge, content, commerce))
    wait_for(lambda: result(shop, "nothing") + result(shop, "bound") == 1, what="the count")
    assert shop.get("/readyz").status == 200


def test_it_is_answered_at_once_while_the_store_is_slow(make, commerce, tmp_path, unique):
    store = f"fault:put-click@1=stall-3s:sqlite:{tmp_path / 'slow.db'}"
    shop = make(BACKCHANNEL_STORE=store)
    bodies = [signer.encoded(placing(unique.token(), increment_id=str(n), quote_id=n)) for n in range(8)]
    signed = [{"x-adobe-commerce-webhook-signature": signer.webhook_signature(b, commerce)} for b in bodies]
    first = time.monotonic()
    for body, headers in zip(bodies, signed):
        is_success(call_webhook(shop.edge, body, headers=headers))
    assert time.monotonic() - first < 2.9, "all of them before the store had the first"
    wait_for(lambda: result(shop, "bound") == 8, 30, "the store")


def test_more_than_is_good_under_way_is_dropped_and_counted(make, commerce, tmp_path, unique):
    store = f"fault:put-click@1-3=stall-1500ms:sqlite:{tmp_path / 'slow.db'}"
    shop = make(BACKCHANNEL_STORE=store)
    body = signer.encoded(placing(unique.token(), increment_id="1", quote_id=1))
    signature = signer.webhook_signature(body, commerce)
    request = (f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
               f"x-adobe-commerce-webhook-signature: {signature}\r\n\r\n").encode() + body
    statuses = wire.pour(shop.edge, (request for _ in range(1000)))
    assert statuses == {200: 1000}
    wait_for(lambda: result(shop, "bound") + result(shop, "dropped") == 1000, 30, "all of them")
    assert result(shop, "dropped") > 0 and result(shop, "bound") >= 256
    assert len(shop.events("webhook.dropped")) == 1


def test_a_store_that_refuses_costs_the_click_and_not_the_checkout(make, commerce, tmp_path, unique):
    shop = make(BACKCHANNEL_STORE=f"fault:put-click@1-1000=refuse:sqlite:{tmp_path / 'x.db'}")
    is_success(call_webhook(shop.edge, placing(unique.token(), increment_id="1", quote_id=1), commerce))
    wait_for(lambda: result(shop, "store-refused") == 1, what="the refusal")
    (told,) = shop.events("webhook.not_kept")
    assert told["problem"]


def test_what_is_under_way_is_kept_before_the_daemon_ends(make, commerce, tmp_path, unique):
    shop = make(BACKCHANNEL_STORE=f"fault:put-click=stall-300ms:sqlite:{tmp_path / 'x.db'}")
    is_success(call_webhook(shop.edge, placing(unique.token(), increment_id="1", quote_id=1), commerce))
    assert shop.stop() == 0


def test_no_token_reaches_the_log(shop, commerce, unique):
    token = unique.token()
    is_success(call_webhook(shop.edge, placing(token, increment_id="1", quote_id=1), commerce))
    body = signer.encoded(placing(token, increment_id="1"))[:-1]
    is_success(call_webhook(shop.edge, body, commerce))
    call_webhook(shop.edge, body, headers={})
    wait_for(lambda: result(shop, "bound") == 1, what="the click")
    assert token not in shop.log_text()


# --- the sandbox's Commerce ----------------------------------------------------------------------

def graphql(sandbox, query, **variables):
    status, _, text = sandbox.ask("POST", "/tenant/graphql",
                                  json.dumps({"query": query, "variables": variables}).encode(),
                                  "application/json", timeout=30)
    answer = json.loads(text)
    assert status == 200 and "errors" not in answer, answer
    return answer["data"]


def check_out(sandbox, click):
    """A guest's order, from an empty cart to its number."""
    cart = graphql(sandbox, "mutation { createGuestCart { cart { id } } }")["createGuestCart"]["cart"]["id"]
    graphql(sandbox, """mutation($cart: String!) { addProductsToCart(cartId: $cart, cartItems:
            [{ sku: "MUG-BLUE", quantity: 1 }]) { user_errors { message } } }""", cart=cart)
    graphql(sandbox, """mutation($cart: String!, $click: String!) { setCustomAttributesOnCart(input:
            { cart_id: $cart, custom_attributes: [{ attribute_code: "bc_click", value: $click }] })
            { cart { id } } }""", cart=cart, click=click)
    graphql(sandbox, """mutation($cart: String!) { setGuestEmailOnCart(input: { cart_id: $cart,
            email: "guest@example.com" }) { cart { email } } }""", cart=cart)
    placed = graphql(sandbox, """mutation($cart: String!) { placeOrder(input: { cart_id: $cart }) {
            errors { code message } orderV2 { number } } }""", cart=cart)["placeOrder"]
    assert not placed["errors"], placed
    return placed["orderV2"]["number"]


@pytest.mark.parametrize("kind", ["plugin", "observer"])
def test_the_sandboxs_checkout_goes_on_and_its_order_is_handed_back_once(daemons, tmp_path, unique, kind):
    with Sandbox(client_id=CLIENT, secret="a-secret-of-its", org="0A1B@AdobeOrg", product=PRODUCT,
                 key=KEY) as adobe:
        path = tmp_path / "webhook.pem"
        path.write_text(adobe.control("GET", "/webhook")["public_key"], encoding="ascii")
        path.chmod(0o600)
        shop = daemons(partner=adobe, BACKCHANNEL_EDGE="127.0.0.1:0", BACKCHANNEL_EVENTS_CLIENT_ID=CLIENT,
                       BACKCHANNEL_EVENTS_KEY_URL=adobe.base, BACKCHANNEL_WEBHOOK_KEY_FILE=str(path))
        shop.edge = address_of(shop)
        adobe.control("PUT", "/webhook", {"url": f"http://{shop.edge}{WEBHOOK}", "required": True, "kind": kind})
        adobe.control("PUT", "/sender", {"url": f"http://{shop.edge}{signer.EVENTS}", "schedule_ms": [50]})
        token = unique.token()
        order = check_out(adobe, token)
        wait_for(lambda: shop.get(f"/v1/orders/{order}").status == 200, what="the event")
        shop.wait_state(order, "delivered")
        assert adobe.accepted(token) == 1
        wait_for(lambda: result(shop, "bound") == 1, what="the click")
        assert result(shop, "bad-signature") == 0
