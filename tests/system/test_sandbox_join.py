# SPDX-License-Identifier: MIT
"""The sandbox's storefront and journal over the wire: a cart's attributes on their way into an order,
what a save of an order tells, the Journaling API to its end and beyond, orders and events that a test
makes itself. How the events are sent is tests/system/test_sandbox_sender.py's.
"""
import html.parser
import json
import re
import socket
import time
import urllib.parse

import pytest

from sandbox_client import Sandbox, wait_for

CLIENT, SECRET, ORG = "3c1f0a9be2d7", "p8e-first-secret", "0A1B@AdobeOrg"
JOURNAL = "/events/organizations/23294/integrations/54108/f89067f2-0d50-4bb2-bf78-209d0eacb6eb"
TYPE = "com.adobe.commerce.observer.sales_order_save_commit_after"
SET = """mutation($i: CartCustomAttributesInput) {
  setCustomAttributesOnCart(input: $i) { cart { id custom_attributes { attribute_code value } } } }"""
READ = "query($id: String!) { cart(cart_id: $id) { custom_attributes { attribute_code value } } }"
PLACE = """mutation { placeOrder(input: { cart_id: "%s" }) {
  errors { code message } orderV2 { number custom_attributes { attribute_code value } } } }"""


@pytest.fixture(scope="module")
def strict():
    with Sandbox(client_id=CLIENT, secret=SECRET, org=ORG) as sandbox:
        yield sandbox
        assert sandbox.stop() == 0, "a leak or a crash, in sanitizer builds"


@pytest.fixture
def sandbox(strict):
    strict.reset()
    yield strict
    strict.reset()


@pytest.fixture
def token(sandbox):
    status, answer = sandbox.token(SECRET, CLIENT)
    assert status == 200, answer
    return answer["access_token"]


def graphql(sandbox, query, variables=None, path="/tenant/graphql"):
    """The whole answer, errors too."""
    body = {"query": query} if variables is None else {"query": query, "variables": variables}
    status, headers, text = sandbox.ask("POST", path, json.dumps(body).encode(),
                                        "application/json")
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "*", (status, text)
    return json.loads(text)


def data(sandbox, query, variables=None):
    answer = graphql(sandbox, query, variables)
    assert "errors" not in answer, answer
    return answer["data"]


def attributes(**values):
    return [{"attribute_code": code, "value": value} for code, value in values.items()]


def new_cart(sandbox, products=True):
    cart = data(sandbox, "mutation { createGuestCart { cart { id } } }")
    cart = cart["createGuestCart"]["cart"]["id"]
    if products:
        added = data(sandbox, """mutation($id: String!, $items: [CartItemInput!]!) {
            addProductsToCart(cartId: $id, cartItems: $items) {
              cart { total_quantity } user_errors { code message } } }""",
                     {"id": cart, "items": [{"sku": "MUG-BLUE", "quantity": 2}]})
        assert added["addProductsToCart"] == {"cart": {"total_quantity": 2}, "user_errors": []}
    return cart


def set_attributes(sandbox, cart, **values):
    answer = data(sandbox, SET, {"i": {"cart_id": cart, "custom_attributes": attributes(**values)}})
    return answer["setCustomAttributesOnCart"]["cart"]["custom_attributes"]


def place(sandbox, cart):
    return data(sandbox, PLACE % cart)["placeOrder"]


class Journal:
    """A client of the Journaling API that follows links as RFC 8288 has them."""

    def __init__(self, sandbox, token):
        self.sandbox = sandbox
        self.headers = {"Authorization": f"Bearer {token}", "x-api-key": CLIENT,
                        "x-ims-org-id": ORG}

    def ask(self, path):
        return self.sandbox.ask("GET", path, headers=self.headers, timeout=30)

    def get(self, path=JOURNAL, status=200):
        """(page or text, link by relation, headers)."""
        got, headers, text = self.ask(path)
        assert got == status, (got, text[:200])
        links = {}
        for line in headers.get_all("Link", []):
            for target, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', line):
                links[rel] = target
        return json.loads(text) if got == 200 else text.decode(), links, headers

    def read_all(self, path=JOURNAL):
        """Every event there is, in order, and the link at the end."""
        events = []
        while True:
            status, headers, text = self.ask(path)
            assert status in (200, 204), (status, text[:200])
            path = re.search(r'<([^>]*)>; rel="next"', "\n".join(headers.get_all("Link"))).group(1)
            if status == 204:
                return events, path
            page = json.loads(text)
            assert page["_page"] == {"last": page["events"][-1]["position"],
                                     "count": len(page["events"])}
            events += page["events"]


@pytest.fixture
def journal(sandbox, token):
    return Journal(sandbox, token)


def emit(sandbox, body):
    return sandbox.control("POST", "/events/emit", body)


def resident_kib(sandbox):
    with open(f"/proc/{sandbox.process.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def values(events):
    return [event["event"]["data"]["value"] for event in events]


# --- the cart ------------------------------------------------------------------------------------

def test_setting_attributes_replaces_the_whole_set(sandbox):
    cart = new_cart(sandbox)
    assert re.fullmatch(r"[A-Za-z0-9]{32}", cart)
    assert set_attributes(sandbox, cart, gift="yes", bc_click="t.abcd") == \
        attributes(gift="yes", bc_click="t.abcd")
    assert set_attributes(sandbox, cart, bc_click="t.efgh") == attributes(bc_click="t.efgh")
    answer = data(sandbox, READ, {"id": cart})
    assert answer["cart"]["custom_attributes"] == attributes(bc_click="t.efgh")
    assert set_attributes(sandbox, cart) == []


def test_operations_with_literals_aliases_and_get_are_read(sandbox):
    cart = graphql(sandbox, "mutation { made: createEmptyCart }", path="/graphql")["data"]["made"]
    answer = graphql(sandbox, f"""
        # a comment, and "commas" that count as blanks
        mutation Named {{ setCustomAttributesOnCart(input: {{ cart_id: "{cart}",
          custom_attributes: [{{attribute_code: "a", value: "\\u00fc \\"q\\""}},] }})
          {{ cart {{ custom_attributes {{ code: attribute_code value }} }} }} }}""")
    assert answer["data"]["setCustomAttributesOnCart"]["cart"]["custom_attributes"] == [
        {"code": "a", "value": 'ü "q"'}]
    query = urllib.parse.urlencode({"query": READ, "variables": json.dumps({"id": cart})})
    status, _, text = sandbox.ask("GET", "/tenant/graphql?" + query)
    assert status == 200
    assert json.loads(text)["data"]["cart"]["custom_attributes"][0]["attribute_code"] == "a"


@pytest.mark.parametrize("query, variables, message", [
    ("{ cart(cart_id: 1", None, "Syntax Error: Expected Name, found <EOF>"),
    ("query { cart(cart_id: $id) { id } }", None, 'Variable "$id" is not defined.'),
    ("query($id: String!) { cart(cart_id: $id) { id } }", {},
     'Variable "$id" of a required type was not provided.'),
    ("{ products { sku } }", None, 'Cannot query field "products" on type "Query".'),
    ("{ createEmptyCart }", None, 'Cannot query field "createEmptyCart" on type "Query".'),
    ("{ ...Cart }", None, "Syntax Error: Expected Name, found ..."),
    ("mutation { createGuestCart }", None,
     'Field "createGuestCart" of type "CartOutput" must have a selection of subfields.'),
    ("mutation { createGuestCart { cart { id nothing } } }", None,
     'Cannot query field "nothing" on type "Cart".'),
    ("mutation { createEmptyCart { id } }", None,
     'Field "createEmptyCart" must not have a selection since it has no subfields.'),
    ("mutation { setCustomAttributesOnCart(input: {cart_id: \"x\", attributes: []}) "
     "{ cart { id } } }", None, 'Field "attributes" is not defined by the type of "input".'),
])
def test_an_operation_that_is_wrong_is_told_so_in_a_200(sandbox, query, variables, message):
    answer = graphql(sandbox, query, variables)
    assert "data" not in answer
    assert answer["errors"][0]["message"] == message
    assert answer["errors"][0]["extensions"]["category"].startswith("graphql")


def test_an_unknown_cart_and_a_value_that_is_no_text_are_errors(sandbox):
    answer = graphql(sandbox, READ, {"id": "x" * 32})
    assert answer["data"] == {"cart": None}
    assert answer["errors"][0]["path"] == ["cart"]
    assert answer["errors"][0]["extensions"]["category"] == "graphql-no-such-entity"
    cart = new_cart(sandbox, products=False)
    answer = graphql(sandbox, SET, {"i": {"cart_id": cart, "custom_attributes": [
        {"attribute_code": "a", "value": 5}]}})
    assert "data" not in answer and "custom_attributes[0]" in answer["errors"][0]["message"]
    assert data(sandbox, READ, {"id": cart})["cart"]["custom_attributes"] == []


def test_a_browser_of_another_origin_may_ask(sandbox):
    status, headers, body = sandbox.ask("OPTIONS", "/tenant/graphql", headers={
        "Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,store"})
    assert (status, body) == (204, b"")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert {"POST", "GET"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
    assert {"content-type", "store", "authorization"} <= set(
        headers["Access-Control-Allow-Headers"].lower().split(", "))


def test_faults_strike_graphql_in_its_own_shape(sandbox):
    sandbox.set_faults("POST */graphql status=429 times=1")
    status, headers, text = sandbox.ask("POST", "/tenant/graphql", b"{}", "application/json")
    assert status == 429 and headers["Access-Control-Allow-Origin"] == "*"
    assert json.loads(text)["errors"][0]["extensions"] == {"category": "graphql-too-many-requests"}


# --- the order -----------------------------------------------------------------------------------

def test_placing_an_order_copies_the_attributes_and_rest_shows_it(sandbox, token):
    cart = new_cart(sandbox)
    set_attributes(sandbox, cart, bc_click="t.clk_7Yq2mVd0", gift="yes")
    placed = place(sandbox, cart)
    number = placed["orderV2"]["number"]
    assert placed["errors"] == []
    assert placed["orderV2"]["custom_attributes"] == attributes(bc_click="t.clk_7Yq2mVd0",
                                                                gift="yes")
    status, found = sandbox.call(
        "GET", "/V1/orders?searchCriteria[filter_groups][0][filters][0][field]=increment_id"
        f"&searchCriteria[filter_groups][0][filters][0][value]={number}", token)
    assert status == 200 and found["total_count"] == 1
    order = found["items"][0]
    assert sandbox.call("GET", f"/V1/orders/{order['entity_id']}", token) == (200, order)
    assert re.fullmatch(r"\d{9}", number) and int(number) == order["entity_id"] == 321
    assert (order["state"], order["status"]) == ("new", "pending")
    assert order["custom_attributes"] == attributes(bc_click="t.clk_7Yq2mVd0", gift="yes")
    assert isinstance(order["quote_id"], int)
    assert order["created_at"] == order["updated_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", order["created_at"])
    assert [(item["sku"], item["qty_ordered"], item["order_id"]) for item in order["items"]] == [
        ("MUG-BLUE", 2, 321)]
    assert order["grand_total"] == pytest.approx(
        order["subtotal"] + order["tax_amount"] + order["shipping_amount"])
    assert order["subtotal"] == 99.8 and order["base_grand_total"] == order["grand_total"]


def test_a_cart_is_gone_once_it_is_ordered(sandbox):
    cart = new_cart(sandbox)
    assert place(sandbox, cart)["orderV2"]
    again = place(sandbox, cart)
    assert again["orderV2"] is None and again["errors"][0]["code"] == "CART_NOT_FOUND"
    assert graphql(sandbox, READ, {"id": cart})["data"] == {"cart": None}
    assert sandbox.control("GET", "/events")["count"] == 1


def test_an_empty_cart_is_not_ordered(sandbox):
    cart = new_cart(sandbox, products=False)
    answer = place(sandbox, cart)
    assert answer["orderV2"] is None
    assert answer["errors"][0]["code"] == "UNABLE_TO_PLACE_ORDER"
    assert "empty" in answer["errors"][0]["message"]
    assert sandbox.control("GET", "/events")["count"] == 0


def test_an_order_makes_an_event_of_adobe_s_shape(sandbox, journal):
    cart = new_cart(sandbox)
    set_attributes(sandbox, cart, bc_click="t.clk_7Yq2mVd0")
    number = place(sandbox, cart)["orderV2"]["number"]
    page, _, _ = journal.get()
    event = page["events"][0]["event"]
    value = event["data"]["value"]
    assert (event["specversion"], event["type"]) == ("1.0", TYPE)
    assert event["eventid"] == event["event_id"] != event["id"]
    assert event["recipientclientid"] == event["recipient_client_id"] == CLIENT
    assert set(event["data"]) == {"key", "value", "source", "_metadata"}
    assert value["increment_id"] == value["real_order_id"] == number
    assert value["custom_attributes"] == attributes(bc_click="t.clk_7Yq2mVd0")
    assert value["_isNew"] is True and isinstance(value["grand_total"], float)
    assert "entity_id" not in value and "extension_attributes" not in value
    assert value["payment"]["parent_id"] == value["items"][0]["order_id"] == int(number)


def test_each_save_of_an_order_makes_an_event(sandbox, journal, token):
    order = sandbox.control("POST", "/orders", {"custom_attributes": {"bc_click": "t.abcd"},
                                                "created_at": "2026-11-20 14:03:11",
                                                "grand_total": 64.28})
    sandbox.control("PUT", f"/orders/{order['entity_id']}", {"state": "complete"})
    comment = {"statusHistory": {"comment": "handed back", "is_customer_notified": 0,
                                 "is_visible_on_front": 0, "parent_id": 1}}
    assert sandbox.call("POST", f"/V1/orders/{order['entity_id']}/comments", token,
                        comment) == (200, True)
    first, second, third = values(journal.read_all()[0])
    assert (first["_isNew"], second["_isNew"], third["_isNew"]) == (True, False, False)
    assert (first["state"], second["state"], second["status"]) == ("new", "complete", "complete")
    assert first["created_at"] == first["updated_at"] == "2026-11-20 14:03:11"
    assert second["updated_at"] > first["updated_at"]
    # Read back, totals are texts.
    assert (first["grand_total"], second["grand_total"]) == (64.28, "64.2800")
    assert second["custom_attributes"] == attributes(bc_click="t.abcd")


def test_what_events_say_about_themselves_is_a_setting(sandbox, journal):
    sandbox.control("POST", "/events", {
        "client_id": "somebody", "spelling": "new",
        "type": "com.adobe.commerce.app1.plugin.sales.api.order_management.place"})
    sandbox.control("POST", "/orders", {})
    event = journal.get()[0]["events"][0]["event"]
    assert event["type"].startswith("com.adobe.commerce.app1.")
    assert event["recipientclientid"] == "somebody" and "eventid" in event
    assert "event_id" not in event and "recipient_client_id" not in event
    assert event["data"]["value"]["entity_id"] == 321
    sandbox.control("POST", "/events", {"spelling": "old"})
    sandbox.control("POST", "/orders", {})
    event = journal.read_all()[0][1]["event"]
    assert "event_id" in event and "eventid" not in event


# --- while the webhook thinks ---------------------------------------------------------------------

class Silence:
    """A server that takes connections and never answers; asked() says that somebody waits."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/hook"
        self.connection = None

    def asked(self):
        self.server.settimeout(10)
        self.connection, _ = self.server.accept()
        return self.connection.recv(65536)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection:
            self.connection.close()
        self.server.close()


def place_unanswered(sandbox, cart):
    """Asks for an order and does not wait; the connection."""
    body = json.dumps({"query": PLACE % cart})
    connection = socket.create_connection((sandbox.host, sandbox.port))
    connection.sendall(f"POST /graphql HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection


def test_a_cart_is_not_ordered_twice_while_the_hook_is_asked(sandbox):
    cart = new_cart(sandbox)
    with Silence() as hook:
        sandbox.control("PUT", "/webhook", {"url": hook.url, "required": False})
        with place_unanswered(sandbox, cart) as first:
            assert hook.asked()
            again = place(sandbox, cart)
            assert again["orderV2"] is None and "being ordered" in again["errors"][0]["message"]
            hook.connection.close()  # an optional hook that fails does not stop the order
            assert b'"number":"000000321"' in first.recv(65536)
    assert sandbox.control("GET", "/events")["count"] == 1


def test_the_sandbox_stops_cleanly_while_a_hook_is_asked():
    with Silence() as hook, Sandbox() as sandbox:
        cart = new_cart(sandbox)
        sandbox.control("PUT", "/webhook", {"url": hook.url})
        with place_unanswered(sandbox, cart):
            assert hook.asked()
            assert sandbox.stop() == 0


# --- orders from behind the counter --------------------------------------------------------------

def test_orders_are_made_with_the_members_that_are_given(sandbox, token):
    order = sandbox.control("POST", "/orders", {
        "increment_id": "B000500", "state": "processing", "quote_id": 77, "grand_total": "12.5000",
        "custom_attributes": attributes(bc_click="t.abcd"), "updated_at": "2026-11-21 00:00:00"})
    assert order["status"] == "processing" and order["base_grand_total"] == "12.5000"
    assert sandbox.call("GET", f"/V1/orders/{order['entity_id']}", token) == (200, order)
    status, _, text = sandbox.ask("POST", "/_sandbox/orders", b'{"increment_id":"B000500"}',
                                  "application/json")
    assert status == 409 and b"already" in text
    status, _, text = sandbox.ask("POST", "/_sandbox/orders", b'{"entity_id":5}',
                                  "application/json")
    assert status == 400 and b"entity_id" in text
    made = sandbox.control("POST", "/orders", [{"increment_id": "000000900"}, {}])
    assert [row["increment_id"] for row in made["orders"]] == ["000000900", "000000901"]


def test_many_orders_are_made_from_a_template(sandbox, token):
    made = sandbox.control("POST", "/orders?event=0", {"count": 500, "template": {
        "state": "complete", "custom_attributes": {"bc_click": "t.click-{n}"}}})
    assert made["total"] == len({row["increment_id"] for row in made["orders"]}) == 500
    last = made["orders"][-1]
    order = sandbox.call("GET", f"/V1/orders/{last['entity_id']}", token)[1]
    assert order["custom_attributes"] == attributes(bc_click="t.click-" + last["increment_id"])
    assert sandbox.control("GET", "/events")["count"] == 0, "?event=0 tells nobody"


def test_editing_an_order_cancels_it_and_makes_a_new_one(sandbox, journal, token):
    first = sandbox.control("POST", "/orders", {"custom_attributes": {"bc_click": "t.abcd"}})
    edited = sandbox.control("POST", f"/orders/{first['entity_id']}/edit")
    old, new = edited["old"], edited["new"]
    number = first["increment_id"]
    assert (old["state"], old["status"]) == ("canceled", "canceled")
    assert (old["increment_id"], new["increment_id"]) == (number, number + "-1")
    assert old["relation_child_real_id"] == number + "-1"
    assert new["relation_parent_real_id"] == new["original_increment_id"] == number
    assert new["edit_increment"] == 1 and new["entity_id"] != old["entity_id"]
    assert new["items"][0]["order_id"] == new["payment"]["parent_id"] == new["entity_id"]
    assert sandbox.call("GET", f"/V1/orders/{old['entity_id']}", token)[1] == old
    twice = sandbox.control("POST", f"/orders/{new['entity_id']}/edit", {"state": "processing"})
    assert twice["new"]["increment_id"] == number + "-2"
    assert twice["new"]["original_increment_id"] == number
    assert twice["new"]["status"] == "processing"
    told = [(value["increment_id"], value["state"]) for value in values(journal.read_all()[0])]
    assert told == [(number, "new"), (number + "-1", "new"), (number, "canceled"),
                    (number + "-2", "processing"), (number + "-1", "canceled")]


# --- the journal ---------------------------------------------------------------------------------

def test_the_journal_asks_who_reads_it(sandbox, journal, token):
    assert journal.ask(JOURNAL)[0] == 204
    for drop, status, code in (("Authorization", 401, "401010"), ("x-api-key", 403, "403000"),
                               ("x-ims-org-id", 403, "403025")):
        headers = {name: value for name, value in journal.headers.items() if name != drop}
        got, _, text = sandbox.ask("GET", JOURNAL, headers=headers)
        assert (got, json.loads(text)["error_code"]) == (status, code)
    sandbox.control("POST", "/journal", {"need_scope": True})
    assert journal.ask(JOURNAL)[0] == 403
    scoped = sandbox.token(SECRET, CLIENT, scope="openid,adobeio_api")[1]["access_token"]
    assert Journal(sandbox, scoped).ask(JOURNAL)[0] == 204
    sandbox.expire_tokens(token)
    got, _, text = journal.ask(JOURNAL)
    assert (got, json.loads(text)["error_code"]) == (401, "401013")
    assert sandbox.control("GET", "/journal")["requests"]["refused"] == 5


def test_the_journal_is_read_page_by_page_to_its_end(sandbox, journal):
    emit(sandbox, {"count": 7})
    page, links, headers = journal.get(JOURNAL + "?limit=3")
    assert [value["increment_id"] for value in values(page["events"])] == [
        "000000001", "000000002", "000000003"]
    assert len(headers.get_all("Link")) == 2 and set(links) >= {"next", "latest", "count"}
    assert links["next"] == f"{JOURNAL}?since={page['_page']['last']}&limit=3"
    page, links, _ = journal.get(links["next"])
    page, links, _ = journal.get(links["next"])
    assert page["_page"]["count"] == 1
    text, links, headers = journal.get(links["next"], status=204)
    assert text == "" and headers["Retry-After"] == "10"
    assert set(links) == {"next", "validate"} and links["next"].endswith("&limit=3")
    again = journal.get(links["next"], status=204)[1]
    assert again["next"] == links["next"], "the link of an end leads to the same place"
    emit(sandbox, {"count": 1, "first": 8})
    assert values(journal.get(links["next"])[0]["events"])[0]["increment_id"] == "000000008"
    counts = sandbox.control("GET", "/journal")["requests"]
    assert (counts["pages"], counts["events"], counts["empty"]) == (4, 8, 2)


def test_pages_have_a_ceiling_of_events_and_of_bytes(sandbox, journal):
    sandbox.control("POST", "/journal", {"page_max": 2})
    emit(sandbox, {"count": 3})
    assert journal.get(JOURNAL + "?limit=50")[0]["_page"]["count"] == 2
    sandbox.control("POST", "/journal", {"page_max": 1000})
    emit(sandbox, {"count": 100, "template": {"data": {"value": {"note": "x" * 40000}}}})
    status, _, text = journal.ask(JOURNAL)
    assert status == 200 and 1_400_000 < len(text) <= 1_600_000
    assert len(journal.read_all()[0]) == 103


def test_a_journal_may_be_read_from_its_end_or_from_some_time_ago(sandbox, journal):
    emit(sandbox, {"count": 3})
    _, links, _ = journal.get(JOURNAL + "?latest=true", status=204)
    start = time.time()
    wait_for(lambda: time.time() - start > 1.2, what="a second to pass")
    emit(sandbox, {"count": 1, "first": 4})
    newest = ["000000004"]
    assert [v["increment_id"] for v in values(journal.get(links["next"])[0]["events"])] == newest
    page = journal.get(JOURNAL + "?seek=-PT1S")[0]
    assert [v["increment_id"] for v in values(page["events"])] == newest
    assert journal.get(JOURNAL + "?seek=-P1DT2H30M")[0]["_page"]["count"] == 4
    for wrong in ("seek=2h", "seek=-PT", "seek=-P2", "limit=0", "since=here",
                  "since=camel:1:2&seek=-PT2H"):
        journal.get(f"{JOURNAL}?{wrong}", status=400)


def test_a_position_that_is_too_old_is_gone(sandbox, journal):
    emit(sandbox, {"count": 5})
    positions = [event["position"] for event in journal.read_all()[0]]
    sandbox.control("POST", "/journal/forget", {"oldest": 3})
    text, links, _ = journal.get(f"{JOURNAL}?since={positions[1]}", status=410)
    assert text == f"Events at position {positions[1]} have expired." and links == {}
    assert journal.get(f"{JOURNAL}?since={positions[3]}")[0]["_page"]["count"] == 1
    assert journal.get()[0]["events"][0]["position"] == positions[3], "the oldest there is"
    sandbox.control("POST", "/journal", {"keep_ms": 1})
    wait_for(lambda: sandbox.control("GET", "/journal")["held"] == 0, what="the events' age")
    journal.get(f"{JOURNAL}?since={positions[3]}", status=410)
    journal.get(f"{JOURNAL}?since={positions[4]}", status=204)
    sandbox.control("DELETE", "")
    _, answer = sandbox.token(SECRET, CLIENT)
    Journal(sandbox, answer["access_token"]).get(f"{JOURNAL}?since={positions[4]}", status=410)


def test_the_next_page_may_move_and_a_204_may_not_say_when(sandbox, journal):
    sandbox.control("POST", "/journal", {"next_moves": True, "hide_retry_after": True})
    emit(sandbox, {"count": 3})
    _, links, _ = journal.get(JOURNAL + "?limit=2")
    assert links["next"].startswith("/events-fast/organizations/23294/integrations/54108/f89067f2")
    page, links, _ = journal.get(links["next"])
    assert page["_page"]["count"] == 1 and links["next"].startswith("/events-fast/")
    _, links, headers = journal.get(links["next"], status=204)
    assert "Retry-After" not in headers and links["next"].startswith("/events-fast/")
    sandbox.control("POST", "/journal", {"next_moves": False, "hide_retry_after": False,
                                         "retry_after": 1})
    _, links, headers = journal.get(links["next"], status=204)
    assert headers["Retry-After"] == "1" and links["next"].startswith("/events/")


def test_raw_envelopes_come_out_as_they_went_in(sandbox, journal):
    raw = [{"eventid": "evt-1", "data": {"value": {"increment_id": "X-1", "gross": 12.5}}},
           {"nonsense": [1, None, "ü/"]}]
    assert emit(sandbox, raw)["emitted"] == 2
    assert emit(sandbox, raw[0]) == {"emitted": 1, "first": 3, "last": 3}
    events = journal.read_all()[0]
    assert [event["event"] for event in events] == [raw[0], raw[1], raw[0]]
    assert len({event["position"] for event in events}) == 3
    rows = sandbox.control("GET", "/events?since=1")["events"]
    assert [(row["number"], row["event"]) for row in rows] == [(2, raw[1]), (3, raw[0])]
    assert rows[1]["id"] == "evt-1"


def test_a_hundred_thousand_events_are_made_and_read_through(sandbox, journal):
    started, before = time.monotonic(), resident_kib(sandbox)
    made = emit(sandbox, {"count": 100_000, "template": {"data": {"value": {
        "state": "complete", "custom_attributes": attributes(bc_click="t.click-{n}")}}}})
    assert made == {"emitted": 100_000, "first": 1, "last": 100_000}
    grown = resident_kib(sandbox) - before
    seen, ids, positions, path = 0, set(), set(), JOURNAL + "?limit=500"
    while True:
        status, headers, text = journal.ask(path)
        path = re.search(r'<([^>]*)>; rel="next"', "\n".join(headers.get_all("Link"))).group(1)
        if status == 204:
            break
        for event in json.loads(text)["events"]:
            seen += 1
            value = event["event"]["data"]["value"]
            assert value["increment_id"] == f"{seen:09}"
            assert value["custom_attributes"][0]["value"] == f"t.click-{seen:09}"
            ids.add(event["event"]["eventid"])
            positions.add(event["position"])
    assert seen == len(ids) == len(positions) == 100_000
    assert time.monotonic() - started < 60
    assert grown < 100 * 1024, "their texts alone would be 110 MiB"


# --- the shop ------------------------------------------------------------------------------------

class _Scripts(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.links = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "script" and dict(attrs).get("src"):
            self.tags.append(dict(attrs))
        if tag == "a":
            self.links.append(dict(attrs)["href"])


def shop_page(sandbox, query="", path="/shop"):
    status, headers, text = sandbox.ask("GET", path + query)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8", text
    return _Scripts(text.decode()), text.decode()


def test_the_shop_loads_the_script_that_its_address_names(sandbox):
    page, text = shop_page(sandbox)
    assert page.tags == [] and 'const GRAPHQL = "/graphql"' in text
    query = "?sovReqToken=abcd1234&" + urllib.parse.urlencode({
        "capture": 'http://127.0.0.1:8788/capture.js?a="<b>',
        "data-consent": "bcConsent", "data-param": "a,b"})
    page, _ = shop_page(sandbox, query)
    assert page.tags == [{"defer": None, "src": 'http://127.0.0.1:8788/capture.js?a="<b>',
                          "data-graphql": "/graphql", "data-consent": "bcConsent",
                          "data-param": "a,b"}]
    assert page.links[1].startswith("/shop/checkout?capture=") and "sovReqToken" not in page.links[1]
    again, _ = shop_page(sandbox, path=page.links[1])
    assert again.tags == page.tags, "the next page loads it too"
    page, _ = shop_page(sandbox, "?capture=/capture.js&data-graphql=")
    assert page.tags == [{"defer": None, "src": "/capture.js"}]


@pytest.mark.parametrize("url", [
    "https://evil.example/x.js", "//evil.example/x.js", "http://127.0.0.1.evil.example/x.js",
    "http://127.0.0.1@evil.example/x.js", "http://127.0.0.1:1@evil.example/x.js",
    "javascript:alert(1)", "/\\evil.example/x.js", "http://[::1].evil.example/"])
def test_the_shop_loads_no_script_of_another_machine(sandbox, url):
    """Its origin is the sandbox's, whose recorder shows credentials."""
    query = urllib.parse.urlencode({"capture": url})
    assert sandbox.ask("GET", "/shop?" + query)[0] == 400
