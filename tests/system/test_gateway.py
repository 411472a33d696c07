# SPDX-License-Identifier: MIT
"""The gateway as a program beside the daemon sees it, and as Commerce does: which fields pass, where a
path goes, what gateway.allow lets through, and who may call at all."""
import pytest

import wire
from gateway import API_TOKEN, ORG, Gateway, request
from upstream import answer_bytes
from wire import JSON, PROBLEM

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


# --- what is passed on ---------------------------------------------------------------------------

@pytest.mark.parametrize("method", METHODS)
def test_every_method_passes_with_its_body_and_its_answer(accs, method):
    body = None if method in ("GET", "HEAD") else '{"a": "ü"}'
    answer = accs.ask(method, "/V1/orders/1", body)
    (call,) = accs.calls
    assert (answer.status, call.method, call.target) == (200, method, "/tenant-1/V1/orders/1")
    assert call.body == (body or "").encode()
    assert (answer.json is None) == (method == "HEAD")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 205, 206, 299, 300, 301, 302, 304, 307, 308, 400, 402,
                                    403, 404, 405, 409, 410, 415, 418, 422, 451, 499, 500, 501, 502, 503, 504,
                                    505, 511, 599, 600, 999])
def test_every_status_comes_back_with_its_body(accs, status):
    """A redirect is not followed, an error not explained, a 503 without Retry-After not repeated."""
    body = b"" if status in (204, 205, 304) else b"what Commerce said"
    headers = ["Location: https://elsewhere.example/V1/orders", "X-Commerce: kept"]
    accs.upstream.script = lambda call: call.answer(status, body, headers,
                                                    length=False if status in (204, 304) else None)
    answer = accs.get()
    assert (answer.status, answer.body, len(accs.calls)) == (status, body, 1)
    assert answer.headers["location"] == "https://elsewhere.example/V1/orders"
    assert answer.headers["x-commerce"] == "kept"


def test_a_heads_length_is_that_of_the_body_it_stands_for(accs):
    accs.upstream.script = lambda call: call.answer(200, b"x" * 1234, ["Content-Type: text/csv"])
    answer = accs.ask("HEAD", "/V1/orders")
    assert (answer.headers["content-length"], answer.body) == ("1234", b"")
    assert answer.headers["content-type"] == "text/csv"


def test_ordinary_fields_pass_both_ways_as_they_are(accs):
    out = {"Accept": "application/json;q=0.9", "Accept-Language": "de", "If-None-Match": '"a,b"', "X-Empty": "",
           "Cookie": "a=b; c=d", "Cache-Control": "no-cache", "Accept-Encoding": "gzip, br",
           "User-Agent": "shop/1.0 (it's us)", "X-Latin": "gr\xfc\xdfe", "Prefer": "a, b", "Forwarded": "for=x"}
    back = ["Set-Cookie: a=b; HttpOnly", "Set-Cookie: c=d", 'ETag: "x:y"', "Vary: a", "X-Empty:", "Server: Varnish",
            "Date: Sun, 06 Nov 1994 08:49:37 GMT", "X-Latin: gr\xfc\xdfe", "Age: 7", "WWW-Authenticate: Bearer x"]
    accs.upstream.script = lambda call: call.answer(200, b"{}", back)
    head = accs.raw(request("GET", "/accs/V1/orders", "Connection: close",
                            *(f"{name}: {value}" for name, value in out.items()))).bytes
    (call,) = accs.calls
    assert {name: call.field(name) for name in out} == out
    lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    kept = [line for line in lines if line.split(":")[0] in {field.split(":")[0] for field in back}]
    assert [line.rstrip() for line in kept] == back


def test_fields_said_twice_arrive_twice_in_their_order(accs):
    accs.raw(request("GET", "/accs/V1/orders", "X-Many: 1", "x-many: 2", "X-MANY: 3", "Connection: close"))
    assert accs.calls[-1].all("x-many") == ["1", "2", "3"]


HOP_BY_HOP = ["Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authenticate: Basic",
              "Proxy-Authorization: Basic eDp5", "TE: trailers", "Trailer: X-Sum"]


def test_what_belongs_to_the_clients_connection_stays_there(accs):
    accs.raw(request("GET", "/accs/V1/orders", *HOP_BY_HOP, "X-Mine: 1", "X-Yours: 2",
                     "Connection: close, X-Mine", "Connection: upgrade,x-other , te", "X-Other: 3", "X-Last: 4"))
    (call,) = accs.calls
    names = {name.lower() for name, _ in call.fields}
    gone = {line.split(":")[0].lower() for line in HOP_BY_HOP} | {"x-mine", "x-other"}
    assert names & (gone | {"connection"}) == set()
    assert (call.field("x-yours"), call.field("x-last")) == ("2", "4")


def test_what_belongs_to_commerces_connection_stays_there(accs):
    accs.upstream.script = lambda call: call.answer(200, b"{}", [
        *HOP_BY_HOP, "Upgrade: h2c", "Connection: keep-alive, X-Mine", "X-Mine: 1", "X-Yours: 2"])
    answer = accs.get()
    gone = {line.split(":")[0].lower() for line in HOP_BY_HOP} | {"x-mine", "connection", "upgrade"}
    assert set(answer.headers) & gone == set()
    assert answer.headers["x-yours"] == "2"


def test_connection_cannot_take_away_what_the_gateway_says(accs):
    call = accs.seen("GET", "/V1/orders", headers={
        "Connection": "authorization, x-api-key, x-gw-ims-org-id, via, x-request-id, host"})
    assert call.token and call.field("x-api-key") and call.field("x-gw-ims-org-id") and call.field("host")


def test_both_sides_see_via_and_one_request_id(accs):
    accs.upstream.script = lambda call: call.answer(200, b"{}", ["X-Request-Id: of-commerce", "Via: 1.1 fastly"])
    peer = accs.raw(request("GET", "/accs/V1/orders", "X-Request-Id: mine-1", "Via: 1.0 shop", "Connection: close"))
    head = peer.bytes.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    (call,) = accs.calls
    assert call.field("x-request-id") == "mine-1"
    assert sorted(call.all("via")) == ["1.0 shop", "1.1 backchannel"]
    assert [line for line in head if line.lower().startswith("x-request-id")] == ["X-Request-Id: mine-1"]
    assert sorted(line for line in head if line.startswith("Via")) == ["Via: 1.1 backchannel", "Via: 1.1 fastly"]


def test_a_request_without_an_id_gets_one_for_both_sides_and_the_log(accs):
    answer = accs.get("/V1/orders/17")
    id_ = answer.headers["x-request-id"]
    assert accs.calls[-1].field("x-request-id") == id_ and len(id_) >= 16
    event = accs.wait_event("gateway.call", id=id_)
    assert (event["method"], event["path"], event["status"], event["attempts"]) == ("GET", "/V1/orders/{id}", 200, 1)


def test_the_trace_goes_on(accs):
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1,b=2"}
    call = accs.seen("GET", "/V1/orders", headers=trace)
    assert {name: call.field(name) for name in trace} == trace


def test_commerce_gets_the_token_the_key_and_the_organisation(accs):
    call = accs.seen("GET", "/V1/orders")
    assert call.field("authorization") == "Bearer " + call.token and call.token in accs.tokens.issued
    assert call.field("x-api-key") == accs.tokens.CLIENT
    assert call.field("x-gw-ims-org-id") == ORG
    assert call.field("host") == accs.upstream.host
    assert call.version == "HTTP/1.1"


@pytest.mark.parametrize("name", ["Authorization", "AUTHORIZATION", "x-api-key", "X-Api-Key", "x-gw-ims-org-id",
                                  "X-GW-IMS-Org-Id", "Host-X"])
def test_a_caller_cannot_speak_in_the_gateways_name(accs, name):
    """Host-X is the counterexample: it passes."""
    accs.raw(request("GET", "/accs/V1/orders", f"{name}: forged-1", f"{name}: forged-2", "Connection: close"))
    (call,) = accs.calls
    assert (b"forged" in call.head) == (name == "Host-X")


def test_no_organisation_is_sent_where_none_is_set(gateways):
    gateway = gateways(IMS_ORG_ID=None)
    call = gateway.seen("GET", "/V1/orders", headers={"X-GW-IMS-Org-Id": "forged"})
    assert call.all("x-gw-ims-org-id") == []


@pytest.mark.parametrize("fields, body, wanted", [
    pytest.param([], b'{"a":1}', [JSON], id="a body without a type is taken to be JSON"),
    pytest.param(["Content-Type: text/csv"], b"a;b", ["text/csv"], id="a type is kept"),
    pytest.param(["content-type: multipart/form-data; boundary=x"], b"--x--", ["multipart/form-data; boundary=x"],
                 id="whatever it is"),
    pytest.param([], b"", [], id="no body has no type"),
])
def test_the_body_has_a_type(accs, fields, body, wanted):
    accs.raw(request("POST", "/accs/V1/orders", f"Content-Length: {len(body)}", *fields, "Connection: close",
                     body=body))
    (call,) = accs.calls
    assert (call.all("content-type"), call.read()) == (wanted, body)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_body_of_no_bytes_is_said_to_have_none(accs, method):
    accs.raw(request(method, "/accs/V1/orders", "Connection: close"))
    (call,) = accs.calls
    assert (call.field("content-length"), call.field("transfer-encoding")) == ("0", None)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_without_a_body_announces_none(accs, method):
    accs.raw(request(method, "/accs/V1/orders", "Connection: close"))
    (call,) = accs.calls
    assert (call.field("content-length") or "0", call.field("transfer-encoding")) == ("0", None)


def test_connections_to_commerce_are_kept_and_those_of_clients_as_well(accs):
    before = accs.upstream.connections
    conn = wire.connection(accs.address)
    for n in range(20):
        assert wire.send(conn, "GET", f"/accs/V1/orders/{n}").status == 200
    conn.close()
    assert accs.upstream.connections - before <= 1
    assert len({call.connection_number for call in accs.calls}) == 1


def test_an_answer_is_not_decoded(accs):
    packed = bytes(range(256)) * 4
    accs.upstream.script = lambda call: call.answer(200, packed, ["Content-Encoding: gzip"])
    answer = accs.get(headers={"Accept-Encoding": "gzip"})
    assert (answer.body, answer.headers["content-encoding"]) == (packed, "gzip")
    assert accs.calls[-1].field("accept-encoding") == "gzip"


def test_a_pipelined_call_waits_for_the_one_before_it(accs):
    ask = request("GET", "/accs/V1/a") + request("GET", "/v1/token") + request("GET", "/accs/V1/b", "Connection: close")
    answers = accs.raw(ask).answers()
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.json.get("target") for answer in answers] == ["/tenant-1/V1/a", None, "/tenant-1/V1/b"]


# --- where it goes -------------------------------------------------------------------------------

@pytest.mark.parametrize("path, target, store", [
    ("/V1/orders", "/V1/orders", None),
    ("/rest/V1/orders", "/V1/orders", None),
    ("/rest/default/V1/products/example-sku", "/V1/products/example-sku", "default"),
    ("/rest/all/async/V1/products", "/async/V1/products", "all"),
    ("/graphql", "/graphql", None),
    ("/V1/products/24%2F7%20Gr%C3%B6%C3%9Fe", "/V1/products/24%2F7%20Gr%C3%B6%C3%9Fe", None),
    ("/V1/products/a%2fb%5c", "/V1/products/a%2fb%5c", None),
    ("/V1//orders/", "/V1//orders/", None),
    ("/V1/%6Frders", "/V1/%6Frders", None),
    ("/V1/a;v=1/b:c,d@e!$&'()*+~", "/V1/a;v=1/b:c,d@e!$&'()*+~", None),
    ("/V1/orders?", "/V1/orders?", None),
    ("/V1/orders?searchCriteria[filter_groups][0][filters][0][field]=a", None, None),
    ("/V1/orders?searchCriteria%5BpageSize%5D=1&x=%20+%2B&like=%25shirt%", None, None),
    ("/V1/orders?a=../..&b=%2e%2e/&c={d}&e=|^`", None, None),
])
def test_a_path_arrives_byte_for_byte(accs, path, target, store):
    peer = accs.raw(request("GET", "/accs" + path, "Connection: close"))
    assert [answer.status for answer in peer.answers()] == [200]
    (call,) = accs.calls
    assert call.target == "/tenant-1" + (target or path)
    assert call.field("store") == store


def test_the_paths_store_wins_over_a_store_field_which_else_passes(accs):
    assert accs.seen("GET", "/rest/de/V1/orders", headers={"Store": "fr"}).all("store") == ["de"]
    assert accs.seen("GET", "/V1/orders", headers={"Store": "fr"}).all("store") == ["fr"]


@pytest.mark.parametrize("path, target", [
    ("/V1/orders", "/rest/V1/orders"),
    ("/rest/V1/orders?a[b]=c", "/rest/V1/orders?a[b]=c"),
    ("/rest/default/V1/products/24%2F7", "/rest/default/V1/products/24%2F7"),
    ("/graphql", "/graphql"),
])
def test_on_paas_the_store_is_a_part_of_the_path(gateways, path, target):
    gateway = gateways(AIO_COMMERCE_API_FLAVOR="paas")
    call = gateway.seen("GET", path)
    assert (call.target, call.field("store")) == ("/tenant-1" + target, None)


@pytest.mark.parametrize("path", [
    "/V1/../admin", "/../tenant-2/V1/orders", "/V1/./orders", "/V1/..", "/V1/.", "/..", "/.", "/V1/%2e%2e/admin",
    "/V1/%2E%2e/admin", "/V1/.%2e/admin", "/V1/%252e%252e/admin", "/V1/..%2Fadmin", "/V1/..%5Cadmin",
    "/V1/x%2F..%2F..%2Fadmin", "/V1/..;x/admin", "/V1/%2e", "/V1/orders/%2E?a", "/rest/../V1/orders",
    "/V1/x%252f..%252fadmin", "/rest/default/..%2f..%2fV1/orders",
])
def test_a_dot_segment_in_any_spelling_is_refused(accs, path):
    (answer,) = accs.raw(request("GET", "/accs" + path, "Connection: close")).answers()
    assert (answer.status, answer.problem, accs.calls) == (400, "bad-request", [])


@pytest.mark.parametrize("path", [
    "/", "//", "/rest", "/rest/default/", "//evil.example/V1/orders", "/https://evil.example/V1/orders",
    "/rest/de-at/V1/orders", "/V1/a%00b", "/V1/a%0d%0aX:y", "/V1/50%", "/V1/a\\b", "/V1/<x>", "/%72est/V1/orders",
    "/V1%2Forders", "/V1/{id}",
])
def test_a_path_that_means_nothing_or_two_things_is_refused(accs, path):
    (answer,) = accs.raw(request("GET", "/accs" + path, "Connection: close")).answers()
    assert (answer.status, answer.problem, accs.calls) == (400, "bad-request", [])
    assert answer.json["detail"]


@pytest.mark.parametrize("target", ["/accs", "/accsV1/orders", "/Accs/V1/orders", "/%61ccs/V1/orders",
                                    "/accs%2FV1/orders", "//accs/V1/orders", "/x/../accs/V1/orders"])
def test_only_what_lies_below_accs_is_the_gateways(accs, target):
    (answer,) = accs.raw(request("GET", target, "Connection: close")).answers()
    assert answer.status in (400, 404) and accs.calls == []


def test_a_request_target_in_absolute_form_reaches_nobody_else(accs):
    """A client that takes the gateway for a proxy."""
    (answer,) = accs.raw(request("GET", "http://evil.example/accs/V1/orders", "Connection: close",
                                 host="evil.example")).answers()
    assert answer.status in (400, 403, 404) and accs.calls == []


@pytest.mark.parametrize("method", ["get", "Get", "GETX"])
def test_a_method_in_another_case_is_not_the_allowed_one(guarded, method):
    guarded.upstream.reset()
    (answer,) = guarded.raw(request(method, "/accs/V1/orders", "Connection: close")).answers()
    assert answer.status in (400, 403, 501) and guarded.calls == []


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "BREW", "get", "G\xcbT"])
def test_a_method_that_commerce_has_none_of_does_no_harm(accs, method):
    target = "accs:443" if method == "CONNECT" else "/accs/V1/orders"
    (answer,) = accs.raw(request(method, target, "Connection: close")).answers()
    assert answer.status in (200, 400, 404, 405, 501)
    assert accs.get().status == 200


# --- what is allowed -----------------------------------------------------------------------------

ALLOW = "GET /V1/orders, POST /V1/orders/comments, * /V1/stores/, PATCH /"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("guarded"), BACKCHANNEL_GATEWAY_ALLOW=ALLOW).start()
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("method, path, allowed", [
    ("GET", "/V1/orders", True), ("GET", "/V1/orders/1", True), ("GET", "/V1/orders?a=b", True),
    ("HEAD", "/V1/orders/1", True), ("GET", "/rest/default/V1/orders/1", True), ("GET", "/rest/V1/orders", True),
    ("POST", "/V1/orders/comments", True), ("DELETE", "/V1/stores/1", True), ("PATCH", "/anything", True),
    ("GET", "/V1/orders/1%2Fx", True), ("GET", "/V1/orders//x", True),
    ("POST", "/V1/orders", False), ("PUT", "/V1/orders/1", False), ("DELETE", "/V1/orders/1", False),
    ("OPTIONS", "/V1/orders", False), ("HEAD", "/V1/orders/comments", True), ("HEAD", "/V1/customers", False),
    ("GET", "/V1/customers", False), ("GET", "/V1/ordersX", False), ("GET", "/V1/order", False), ("GET", "/V1", False),
    ("GET", "/v1/orders", False), ("GET", "/V1/Orders", False), ("GET", "/V1//orders", False),
    ("GET", "/V1/%6Frders", False), ("GET", "/V1/orders%2F1", False), ("GET", "/V1/orders;x=1/y", False),
    ("GET", "/V1/customers?x=/V1/orders", False), ("GET", "/V1/orders%3Fx", False), ("DELETE", "/V1/stores", False),
("GET", "/async/V1/orders", False), ("GET", "/graphql", False),
    ("POST", "/V1/orders/commentsx", False), ("GET", "/rest/V1x/V1/customers", False),
])
def test_gateway_allow_lets_through_what_it_names_and_nothing_else(guarded, method, path, allowed):
    guarded.upstream.reset()
    answer = guarded.ask(method, path)
    assert (answer.status, len(guarded.calls)) == ((200, 1) if allowed else (403, 0)), answer
    if not allowed and method != "HEAD":
        assert answer.problem == "forbidden" and "gateway.allow" in answer.text


@pytest.mark.parametrize("path", [
    "/V1/orders/../customers", "/V1/orders/%2e%2e/customers", "/V1/orders%2F..%2Fcustomers",
    "/V1/orders/..%2Fcustomers", "/V1/orders/.%252e/customers", "/V1/orders/..;/customers",
    "/rest/../V1/customers", "/rest/V1%2Fcustomers", "/V1/orders/..%5ccustomers",
])
def test_no_spelling_of_a_dot_segment_leads_around_gateway_allow(guarded, path):
    guarded.upstream.reset()
    (answer,) = guarded.raw(request("GET", "/accs" + path, "Connection: close")).answers()
    assert (answer.status, guarded.calls) == (400, [])


@pytest.mark.parametrize("field", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL",
                                   "X-Rewrite-URL"])
def test_no_field_makes_another_request_of_an_allowed_one(guarded, field):
    """Frameworks behind Commerce's edge honour some of these."""
    guarded.upstream.reset()
    guarded.raw(request("GET", "/accs/V1/orders", f"{field}: DELETE", "Connection: close"))
    assert all(call.all(field) == [] for call in guarded.calls)


def test_a_call_that_is_not_allowed_is_answered_before_its_body_is_sent(guarded):
    """Whoever sends 100 MB learns at once that they are not wanted."""
    guarded.upstream.reset()
    with wire.Peer(guarded.address) as peer:
        peer.send(request("PUT", "/accs/V1/orders/1", "Content-Length: 100000000", "Expect: 100-continue"))
        assert peer.read(b"\r\n\r\n").bytes.startswith(b"HTTP/1.1 403 ")
    assert guarded.calls == []


# --- who may call --------------------------------------------------------------------------------

@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Host": "accs.evil.example:80"},
    {"Host": "127.0.0.1.evil.example"}, {"Origin": "http://localhost:1"},
])
def test_a_web_page_cannot_use_the_gateway(accs, headers):
    for method, body in (("GET", None), ("POST", "{}"), ("OPTIONS", None)):
        answer = accs.ask(method, "/V1/orders", body, headers={"Access-Control-Request-Method": "PUT", **headers})
        assert (answer.status, answer.problem) == (403, "forbidden")
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert accs.calls == []


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("locked"), BACKCHANNEL_API_TOKEN=API_TOKEN).start()
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Bearer x", "Bearer " + API_TOKEN + "x",
                                   "Bearer " + API_TOKEN[:-1], "Basic " + API_TOKEN, API_TOKEN,
                                   "Bearer " + API_TOKEN.upper()])
def test_without_the_api_token_nothing_reaches_commerce(locked, value):
    locked.upstream.reset()
    fields = [] if value is None else [f"Authorization: {value}"]
    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        peer = locked.raw(request(method, "/accs/V1/orders", *fields, "Connection: close"))
        assert peer.bytes.startswith(b"HTTP/1.1 401 "), peer.bytes
    assert locked.calls == []


def test_the_api_token_opens_the_gateway_and_stays_with_it(locked):
    locked.upstream.reset()
    call = locked.seen("GET", "/V1/orders")
    assert API_TOKEN.encode() not in call.head and call.token in locked.tokens.issued


def test_the_api_token_is_asked_for_before_the_body_comes(locked):
    locked.upstream.reset()
    with wire.Peer(locked.address) as peer:
        peer.send(request("PUT", "/accs/V1/orders/1", "Transfer-Encoding: chunked"))
        assert peer.read(b"\r\n\r\n").bytes.startswith(b"HTTP/1.1 401 ")
    assert locked.calls == []


def test_without_an_oauth_client_there_is_no_gateway(gateways):
    gateway = gateways(IMS_CLIENT_ID=None, IMS_CLIENT_SECRET=None, IMS_ORG_ID=None, IMS_BASE_URL=None)
    answer = gateway.get()
    assert (answer.status, answer.problem, gateway.calls, gateway.tokens.count) == (404, "not-found", [], 0)
    assert gateway.daemon.get("/v1/token").status == 404


def test_a_problem_of_the_gateway_is_one_of_the_apis(accs):
    answer = accs.get("/V1/./x")
    assert answer.headers["content-type"] == PROBLEM and answer.headers["x-request-id"]
    assert "; " in answer.json["detail"], "what to do about it"


def test_route_shapes_are_few_and_hold_no_ids(accs):
    for path in ("/V1/orders/1", "/V1/orders/2?x=1", "/V1/products/Sku%2F1", "/V1/products/other",
                 "/V1/orders/3/comments"):
        accs.upstream.script = lambda call: call.send(answer_bytes(200, b"{}"))
        assert accs.get(path).status == 200
    shapes = {line.split('path="')[1].split('"')[0] for line in accs.daemon.get("/metrics").text.splitlines()
              if line.startswith("backchannel_gateway_duration_seconds_count")}
    assert {"/V1/orders/{id}", "/V1/products/{key}", "/V1/orders/{id}/comments"} <= shapes
    assert not {"/V1/orders/1", "/V1/products/Sku%2F1", "/V1/products/other"} & shapes
