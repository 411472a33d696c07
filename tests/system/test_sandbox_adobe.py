# SPDX-License-Identifier: MIT
"""The sandbox's IMS and Commerce over the wire: tokens and their end, rotation of secrets, data and
searches, writing, every fault with Adobe's own bodies, answers and bodies of any length in flat
memory. What the handlers decide case by case stands in tests/unit/test_sandbox_*.c.
"""
import base64
import hashlib
import http.client
import json
import socket
import time
import urllib.parse

import pytest

from sandbox_client import Sandbox, fingerprint, wait_for

CLIENT, FIRST, NEXT, ORG = "3c1f0a9be2d7", "p8e-first-secret", "p8e-next-secret", "0A1B@AdobeOrg"
BAD_SECRET = {"error": "invalid_client", "error_description": "invalid client_secret parameter"}
DEAD_TOKEN = {"error_code": "401013", "message": "Oauth token is not valid"}
NO_SUCH_ENTITY = {"message": "The entity that was requested doesn't exist. "
                             "Verify the entity and try again."}
LINE = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def strict():
    """A sandbox with one credential, two secrets and an organization."""
    with Sandbox(client_id=CLIENT, secret=FIRST, secret_next=NEXT, org=ORG) as sandbox:
        yield sandbox
        assert sandbox.stop() == 0, "a leak or a crash, in sanitizer builds"


@pytest.fixture
def sandbox(strict):
    strict.reset()
    yield strict
    strict.reset()


@pytest.fixture
def token(sandbox):
    status, answer = sandbox.token(FIRST, CLIENT)
    assert status == 200, answer
    return answer["access_token"]


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def memory_kib(sandbox):
    """The most memory the process ever held."""
    with open(f"/proc/{sandbox.process.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


# --- tokens --------------------------------------------------------------------------------------

def test_a_token_is_issued_recorded_and_good_for_a_call(sandbox):
    status, headers, text = sandbox.ask(
        "POST", "/ims/token/v3",
        f"grant_type=client_credentials&client_id={CLIENT}&client_secret={FIRST}&scope=openid"
        .encode(), "application/x-www-form-urlencoded")
    answer = json.loads(text)
    assert status == 200 and list(answer) == ["access_token", "token_type", "expires_in"]
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 86399)
    assert headers["Content-Type"] == "application/json;charset=UTF-8"
    assert headers["Cache-Control"] == "no-store" and headers["X-Debug-Id"]
    claims = claims_of(answer["access_token"])
    assert claims["client_id"] == CLIENT and claims["scope"] == "openid"
    assert abs(int(claims["created_at"]) / 1000 - time.time()) < 60
    assert claims["expires_in"] == "86399000"
    assert sandbox.requests()[-1]["accepted"] is True
    assert sandbox.call("GET", "/V1/orders/318/statuses", answer["access_token"]) == (
        200, "pending")


def test_no_two_tokens_are_alike(sandbox):
    tokens = {sandbox.token(FIRST, CLIENT, version=version)[1]["access_token"]
              for version in (2, 3, 4, 3)}
    assert len(tokens) == 4
    assert sandbox.token_requests() == 4


def test_a_token_dies_at_its_time(sandbox):
    sandbox.set_ims(lifetime="300ms")
    start = time.monotonic()
    _, answer = sandbox.token(FIRST, CLIENT)
    assert answer["expires_in"] == 0
    ask = ["GET", "/V1/store/storeViews", answer["access_token"]]
    status, _ = sandbox.call(*ask)
    assert status == 200 or time.monotonic() - start >= 0.3
    wait_for(lambda: sandbox.call(*ask) == (401, DEAD_TOKEN), what="the token's end")
    assert time.monotonic() - start >= 0.29  # a loop's clock has whole milliseconds
    assert sandbox.refusals()["expired"] == 1


def test_every_token_dies_when_a_test_says_so(sandbox, token):
    assert sandbox.call("GET", "/V1/orders/318", token)[0] == 200
    sandbox.expire_tokens()
    assert sandbox.call("GET", "/V1/orders/318", token) == (401, DEAD_TOKEN)
    other = sandbox.token(NEXT, CLIENT)[1]["access_token"]
    assert sandbox.call("GET", "/V1/orders/318", other)[0] == 200
    sandbox.expire_tokens(other)
    assert sandbox.call("GET", "/V1/orders/318", other) == (401, DEAD_TOKEN)
    assert sandbox.call("GET", "/V1/orders/318", "unheard-of") == (401, DEAD_TOKEN)
    assert sandbox.call("GET", "/V1/orders/318")[0] == 401
    assert sandbox.refusals() == {"missing": 1, "unknown": 1, "expired": 2, "api_key": 0,
                                  "org": 0, "acl": 0}


def test_a_secret_is_rotated_while_it_runs(sandbox):
    assert sandbox.ims_settings()["secrets"] == [fingerprint(FIRST), fingerprint(NEXT)]
    sandbox.delete_secret(FIRST)
    assert sandbox.token(FIRST, CLIENT) == (400, BAD_SECRET)
    assert sandbox.token(NEXT, CLIENT)[0] == 200
    sandbox.add_secret("p8e-third")
    assert sandbox.token("p8e-third", CLIENT)[0] == 200
    assert sandbox.ims_counts()["secrets"] == {
        fingerprint(FIRST): {"issued": 0, "refused": 1},
        fingerprint(NEXT): {"issued": 1, "refused": 0},
        fingerprint("p8e-third"): {"issued": 1, "refused": 0}}
    sandbox.clear_ims_counts()
    assert sandbox.token_requests() == 0


def test_the_forms_of_adobe_s_library_and_of_basic_are_taken(sandbox):
    boundary = "--------------------------012345678901234567890123"
    fields = [("grant_type", "client_credentials"), ("client_id", CLIENT),
              ("client_secret", FIRST), ("org_id", ORG), ("scope", "openid,commerce.accs")]
    body = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                   f"{value}\r\n" for name, value in fields) + f"--{boundary}--\r\n"
    status, _, text = sandbox.ask("POST", "/ims/token/v2", body.encode(),
                                  f"multipart/form-data;boundary={boundary}")
    assert status == 200
    assert claims_of(json.loads(text)["access_token"])["scope"] == "openid,commerce.accs"
    pair = base64.b64encode(f"{CLIENT}:{urllib.parse.quote(FIRST)}".encode()).decode()
    status, _, _ = sandbox.ask("POST", "/ims/token/v3", b"grant_type=client_credentials",
                               "application/x-www-form-urlencoded",
                               headers={"Authorization": f"Basic {pair}"})
    assert status == 200
    status, _, _ = sandbox.ask("POST", "/ims/token/v4?" + urllib.parse.urlencode(dict(fields)))
    assert status == 200
    assert sandbox.ims_counts()["forms"] == {"query": 1, "urlencoded": 1, "multipart": 1,
                                             "basic": 1}


def test_scopes_can_be_listed_and_others_are_refused(sandbox):
    sandbox.set_ims(scopes=["openid", "AdobeID"])
    assert sandbox.token(FIRST, CLIENT, "openid AdobeID")[0] == 200
    status, answer = sandbox.token(FIRST, CLIENT, "openid,admin")
    assert (status, answer["error"]) == (400, "invalid_scope")
    sandbox.set_ims(scopes=None)
    assert sandbox.token(FIRST, CLIENT, "openid,admin")[0] == 200


def test_discovery_names_the_token_endpoint(sandbox):
    _, _, text = sandbox.ask("GET", "/ims/.well-known/openid-configuration")
    assert json.loads(text)["token_endpoint"] == sandbox.base + "/ims/token/v3"


def test_tokens_of_another_server_can_be_let_in(sandbox):
    sandbox.set_commerce(tokens="any")
    assert sandbox.call("GET", "/V1/orders/318", "from-elsewhere")[0] == 200
    assert sandbox.call("GET", "/V1/orders/318")[0] == 401
    sandbox.set_commerce(tokens="none")
    assert sandbox.call("GET", "/V1/orders/318")[0] == 200


# --- Commerce ------------------------------------------------------------------------------------

@pytest.mark.parametrize("base", ["/tenant", "/AbC123", "/rest", "/rest/default", "/t/rest",
                                  "/t/rest/all"])
def test_every_base_leads_to_the_same_data(sandbox, token, base):
    status, product = sandbox.call("GET", "/V1/products/CABLE%2FUSB-C%2F2m", token, base=base,
                                   headers={"Store": "all", "x-api-key": CLIENT,
                                            "x-gw-ims-org-id": ORG})
    assert status == 200 and product["sku"] == "CABLE/USB-C/2m"
    seen = sandbox.requests()[-1]
    assert seen["headers"]["Store"] == "all"
    assert seen["path"] == base + "/V1/products/CABLE%2FUSB-C%2F2m"
    assert sandbox.calls("/V1/products/{sku}", 200) == 1


def test_a_wrong_key_and_a_wrong_organization_are_refused(sandbox, token):
    ask = ["GET", "/V1/orders/318", token]
    assert sandbox.call(*ask, headers={"x-api-key": "other"})[0] == 401
    assert sandbox.call(*ask, headers={"x-gw-ims-org-id": "other"})[0] == 403
    refused = sandbox.refusals()
    assert (refused["api_key"], refused["org"]) == (1, 1)


def test_brackets_may_be_raw_or_encoded(sandbox, token):
    criteria = ("searchCriteria[filter_groups][0][filters][0][field]=updated_at"
                "&searchCriteria[filter_groups][0][filters][0][value]=2026-11-20%2014:00:00"
                "&searchCriteria[filter_groups][0][filters][0][condition_type]=gteq"
                "&searchCriteria[sortOrders][0][field]=updated_at"
                "&searchCriteria[sortOrders][0][direction]=DESC&searchCriteria[pageSize]=1")
    raw = sandbox.call("GET", "/V1/orders?" + criteria, token)
    encoded = sandbox.call("GET", "/V1/orders?" + criteria.replace("[", "%5B")
                           .replace("]", "%5D"), token)
    assert raw == encoded and raw[0] == 200
    assert [order["entity_id"] for order in raw[1]["items"]] == [320]
    assert raw[1]["total_count"] == 2
    assert raw[1]["search_criteria"]["page_size"] == 1


def test_a_client_that_pages_by_total_count_sees_each_product_once(sandbox, token):
    seen, page, total = [], 1, 1
    while len(seen) < total:
        status, answer = sandbox.call(
            "GET", f"/V1/products?searchCriteria[pageSize]=60&searchCriteria[currentPage]={page}"
            "&fields=items[sku],total_count", token)
        assert status == 200
        seen += [item["sku"] for item in answer["items"]]
        total, page = answer["total_count"], page + 1
    assert len(seen) == len(set(seen)) == total == 250
    past = f"/V1/products?searchCriteria[pageSize]=60&searchCriteria[currentPage]={page + 5}"
    _, answer = sandbox.call("GET", past, token)
    assert [item["sku"] for item in answer["items"]] == seen[240:], "the last page, again"
    sandbox.set_commerce(repeat_last_page=False)
    assert sandbox.call("GET", past, token)[1]["items"] == []


def test_the_page_cap_has_adobe_s_message(sandbox, token):
    assert sandbox.call("GET", "/V1/orders?searchCriteria[pageSize]=301", token) == (
        400, {"message": "Maximum SearchCriteria pageSize is %max", "parameters": {"max": 300}})
    assert sandbox.call("GET", "/V1/orders", token) == (
        400, {"message": '"%fieldName" is required. Enter and try again.',
              "parameters": {"fieldName": "searchCriteria"}})


def test_a_comment_is_posted_once_for_each_request(sandbox, token):
    history = {"comment": "Handed back (ref 2f6c).", "is_customer_notified": 0,
               "is_visible_on_front": 0, "parent_id": 318, "status": "processing"}
    for _ in range(2):
        assert sandbox.call("POST", "/V1/orders/318/comments", token,
                            {"statusHistory": history}) == (200, True)
    assert [row["statusHistory"] for row in sandbox.comments(318)] == [history] * 2
    assert sandbox.comments(319) == []
    assert sandbox.call("GET", "/V1/orders/318/statuses", token) == (200, "processing")
    assert sandbox.call("POST", "/V1/orders/999999/comments", token,
                        {"statusHistory": history}) == (404, NO_SUCH_ENTITY)
    assert sandbox.requests()[-1]["accepted"] is False


def test_products_are_written(sandbox, token):
    status, made = sandbox.call("POST", "/V1/products", token,
                                {"product": {"sku": "x/ü 1", "name": "X", "price": 1.5}})
    assert status == 200 and (made["sku"], made["price"]) == ("x/ü 1", 1.5)
    path = "/V1/products/" + urllib.parse.quote("x/ü 1", safe="")
    assert sandbox.call("PUT", path, token, {"product": {"price": 2}})[1]["price"] == 2
    assert sandbox.call("GET", path + "?fields=price", token) == (200, {"price": 2})
    assert sandbox.call("DELETE", path, token) == (200, True)
    assert sandbox.call("GET", path, token)[0] == 404
    sandbox.reset_commerce()
    assert sandbox.call("DELETE", "/V1/products/MUG-BLUE", token) == (200, True)
    sandbox.reset_commerce()
    assert sandbox.call("GET", "/V1/products/MUG-BLUE", token)[0] == 200


def test_a_permission_can_be_taken_away(sandbox, token):
    sandbox.set_commerce(acl=["/V1/orders*"])
    assert sandbox.call("GET", "/V1/orders/318", token) == (
        401, {"message": "The consumer isn't authorized to access %resources.",
              "parameters": {"resources": "Magento_Sales::actions_view"}})
    assert sandbox.call("GET", "/V1/products/MUG-BLUE", token)[0] == 200
    assert sandbox.refusals()["acl"] == 1


def test_unknown_paths_and_methods_are_named(sandbox, token):
    assert sandbox.call("GET", "/V1/nothing", token) == (
        404, {"message": "Request does not match any route."})
    status, headers, _ = sandbox.ask("PATCH", "/t/V1/products/MUG-BLUE",
                                     headers={"Authorization": f"Bearer {token}"})
    assert status == 405 and headers["Allow"] == "GET, PUT, DELETE"
    status, headers, text = sandbox.ask("HEAD", "/t/V1/products/MUG-BLUE",
                                        headers={"Authorization": f"Bearer {token}"})
    assert status == 200 and int(headers["Content-Length"]) > 500 and text == b""


def test_asynchronous_calls_are_accepted_and_done(sandbox, token):
    status, answer = sandbox.call("POST", "/V1/async/bulk/products", token,
                                  [{"product": {"sku": f"bulk-{i}", "name": "B"}}
                                   for i in range(3)])
    assert status == 202 and answer["errors"] is False
    assert [(item["id"], item["status"]) for item in answer["request_items"]] == [
        (i, "accepted") for i in range(3)]
    _, bulk = sandbox.call("GET", f"/V1/bulk/{answer['bulk_uuid']}/status", token)
    assert [row["status"] for row in bulk["operations_list"]] == [1, 1, 1]
    assert bulk["operation_count"] == 3
    assert sandbox.call("GET", "/V1/products/bulk-2", token)[0] == 200


# --- faults --------------------------------------------------------------------------------------

@pytest.mark.parametrize("spec,status,body", [
    ("status=400", 400, BAD_SECRET),
    ("status=400 message=unauthorized_client", 400, {"error": "unauthorized_client"}),
    ("status=429 retry-after=30", 429, {"error": "too_many_requests"}),
    ("status=500", 500, {"error": "internal_error",
                         "error_description": "Please try again later"}),
])
def test_ims_fails_in_adobe_s_words(sandbox, spec, status, body):
    sandbox.set_faults("POST /ims/* " + spec)
    assert sandbox.token(FIRST, CLIENT) == (status, body)
    assert sandbox.token_requests() == 1
    assert sandbox.ims_counts()["results"]["issued"] == 0
    sandbox.clear_faults()
    assert sandbox.token(FIRST, CLIENT)[0] == 200


@pytest.mark.parametrize("spec,status,body,retry_after", [
    ("status=401", 401, DEAD_TOKEN, None),
    ("status=429", 429, {"message": "Too Many Requests", "trace": None}, None),
    ("status=429 retry-after=5", 429, {"message": "Too Many Requests"}, "5"),
    ("status=503 retry-after=2", 503, {"message": "Service Unavailable"}, "2"),
    ("status=500", 500, {"message": "Internal Error. Details are available in Magento log file. "
                                    "Report ID: webapi-0000000000000"}, None),
    ("wrong-echo", 200, "pending", None),
])
def test_commerce_fails_in_adobe_s_words(sandbox, token, spec, status, body, retry_after):
    sandbox.set_faults("/tenant/V1/orders/* " + spec)
    got, headers, text = sandbox.ask("GET", "/tenant/V1/orders/318/statuses",
                                     headers={"Authorization": f"Bearer {token}"})
    assert (got, json.loads(text), headers["Retry-After"]) == (status, body, retry_after)
    if status == 429:
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("spec", ["half-body", "half-head", "garbage", "close", "reset-after",
                                  "html", "empty-body", "trickle=100/1ms"])
def test_ordinary_answers_break_in_every_way(sandbox, token, spec):
    sandbox.set_faults("/tenant/* " + spec)
    good = json.dumps(sandbox.call("GET", "/V1/orders/318", token, base="/other")[1])
    try:
        status, answer = sandbox.call("GET", "/V1/orders/318", token)
    except (http.client.HTTPException, OSError, json.JSONDecodeError) as broken:
        assert spec in ("half-body", "half-head", "garbage", "close", "reset-after",
                        "html"), broken
    else:
        assert status == 200
        assert (json.dumps(answer) == good) if spec.startswith("trickle") else answer is None
    wait_for(lambda: sandbox.requests()[-1]["fault"] == spec.split("=")[0],
             what="the end of the answer")


def test_a_write_may_be_taken_without_anybody_being_told(sandbox, token):
    sandbox.set_faults("POST /tenant/* accept-reset times=1")
    history = {"statusHistory": {"comment": "x", "is_customer_notified": 0,
                                 "is_visible_on_front": 0, "parent_id": 318}}
    with pytest.raises(OSError):
        sandbox.call("POST", "/V1/orders/318/comments", token, history)
    assert len(sandbox.comments(318)) == 1
    seen = sandbox.requests()[-1]
    assert (seen["answered"], seen["accepted"]) == ("accept-reset", True)


def test_a_fault_can_look_at_the_client_secret(sandbox):
    sandbox.set_faults(f"POST /ims/* status=500 key={fingerprint(FIRST)}")
    assert sandbox.token(FIRST, CLIENT)[0] == 500
    assert sandbox.token(NEXT, CLIENT)[0] == 200


# --- any length ----------------------------------------------------------------------------------

def open_stream(sandbox, token, path):
    connection = http.client.HTTPConnection(sandbox.host, sandbox.port, timeout=30)
    connection.request("GET", "/tenant" + path, headers={"Authorization": f"Bearer {token}"})
    return connection, connection.getresponse()


@pytest.mark.parametrize("how,length", [("", str(5 * MIB + 7)), ("&chunked=1", None)])
def test_a_large_answer_comes_whole(sandbox, token, how, length):
    connection, answer = open_stream(sandbox, token, f"/V1/_large?bytes={5 * MIB + 7}" + how)
    assert answer.getheader("Content-Length") == length
    body = answer.read()
    connection.close()
    assert body == (LINE * (5 * MIB // len(LINE) + 1))[:5 * MIB + 7]
    assert sandbox.requests()[-1]["answered"] == 200
    assert sandbox.calls("/V1/_large", 200) == 1


def test_an_empty_large_answer_is_an_answer(sandbox, token):
    connection, answer = open_stream(sandbox, token, "/V1/_large")
    assert (answer.status, answer.read()) == (200, b"")
    connection.close()
    assert sandbox.call("GET", "/V1/_large?bytes=many", token)[0] == 400


@pytest.mark.parametrize("how", ["", "&chunked=1"])
def test_a_large_answer_breaks_off_where_it_is_told_to(sandbox, token, how):
    connection, answer = open_stream(sandbox, token, f"/V1/_large?bytes={MIB}&cut=100000" + how)
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    connection.close()
    came = broken.value.partial  # of chunks, the whole ones
    assert 0 < len(came) <= 100000 and (LINE * 2000).startswith(came)
    assert how or len(came) == 100000
    assert sandbox.requests()[-1]["answered"] == "nothing"


def test_faults_strike_a_large_answer(sandbox, token):
    sandbox.set_faults("/tenant/V1/_large half-body times=1, /tenant/V1/_large status=503 times=1,"
                       "/tenant/V1/_large trickle=30000/10ms")
    connection, answer = open_stream(sandbox, token, f"/V1/_large?bytes={MIB}")
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    connection.close()
    assert len(broken.value.partial) == MIB // 2
    assert sandbox.call("GET", "/V1/_large?bytes=1MiB", token)[0] == 503
    start = time.monotonic()
    connection, answer = open_stream(sandbox, token, "/V1/_large?bytes=90000")
    assert len(answer.read()) == 90000 and time.monotonic() - start >= 0.02
    connection.close()


def post_stream(sandbox, token, pieces, path="/tenant/V1/_sink"):
    connection = http.client.HTTPConnection(sandbox.host, sandbox.port, timeout=30)
    connection.request("POST", path, body=pieces, encode_chunked=True,
                       headers={"Authorization": f"Bearer {token}",
                                "Content-Type": "application/octet-stream",
                                "Transfer-Encoding": "chunked"})
    answer = connection.getresponse()
    status, text = answer.status, answer.read()
    connection.close()
    return status, json.loads(text) if text else None


def test_a_sink_takes_any_body_and_says_what_it_was(sandbox, token):
    pieces = [bytes([i]) * 100000 for i in range(50)]
    status, answer = post_stream(sandbox, token, iter(pieces))
    assert (status, answer["bytes"]) == (200, 5000000)
    assert answer["sha256"] == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert sandbox.requests()[-1]["accepted"] is True
    status, answer = sandbox.call("POST", "/V1/_sink", token)
    assert (status, answer["bytes"]) == (200, 0)
    assert post_stream(sandbox, "dead", iter([b"x"]))[0] == 401
    sandbox.set_faults("POST * status=503")
    assert post_stream(sandbox, token, iter([b"x"]))[0] == 503


def test_length_costs_no_memory(sandbox, token):
    sandbox.call("GET", "/V1/products/MUG-BLUE", token)  # the data is made
    before = memory_kib(sandbox)
    connection, answer = open_stream(sandbox, token, "/V1/_large?bytes=256MiB")
    got = 0
    while block := answer.read(MIB):
        got += len(block)
    connection.close()
    status, taken = post_stream(sandbox, token, (bytes(MIB) for _ in range(128)))
    assert (got, status, taken["bytes"]) == (256 * MIB, 200, 128 * MIB)
    assert memory_kib(sandbox) - before < 8 * 1024


def test_a_reader_who_leaves_ends_the_answer(sandbox, token):
    with socket.create_connection((sandbox.host, sandbox.port), timeout=10) as peer:
        peer.sendall(f"GET /tenant/V1/_large?bytes=1GiB HTTP/1.1\r\nHost: x\r\n"
                     f"Authorization: Bearer {token}\r\n\r\n".encode())
        assert peer.recv(100).startswith(b"HTTP/1.1 200")
    wait_for(lambda: [s for s in sandbox.requests("/tenant/V1/_large")
                      if s["duration_ms"] is not None], what="the end of the answer")
    assert sandbox.requests()[-1]["client_left"] is True


def test_it_stops_at_once_whatever_streams():
    with Sandbox() as busy:
        busy.set_commerce(tokens="none")
        peers = [socket.create_connection((busy.host, busy.port), timeout=10) for _ in range(3)]
        peers[0].sendall(b"GET /t/V1/_large?bytes=1GiB HTTP/1.1\r\nHost: x\r\n\r\n")
        peers[1].sendall(b"POST /t/V1/_sink HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        peers[2].sendall(b"POST /t/V1/_sink HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert peers[2].recv(100).startswith(b"HTTP/1.1 200")
        wait_for(lambda: len(busy.requests()) == 3, what="all three requests")
        start = time.monotonic()
        assert busy.stop() == 0
        assert time.monotonic() - start < 5
        for peer in peers:
            peer.close()


# --- the sandbox itself --------------------------------------------------------------------------

def test_without_a_credential_any_will_do_but_none_will_not():
    with Sandbox() as any_sandbox:
        status, answer = any_sandbox.token("whatever", "whoever")
        assert status == 200
        assert any_sandbox.call("GET", "/V1/orders/318", answer["access_token"])[0] == 200
        assert any_sandbox.token("")[0] == 400
        assert any_sandbox.ims_settings()["secrets"] is None
        assert any_sandbox.stop() == 0


def test_what_was_asked_is_counted_by_route_and_answer(sandbox, token):
    for path in ("/V1/orders/318", "/V1/orders/319", "/V1/orders/1", "/V1/nothing"):
        sandbox.call("GET", path, token)
    sandbox.set_faults("/tenant/V1/orders/* reset-after")
    with pytest.raises(OSError):
        sandbox.call("GET", "/V1/orders/318", token)
    assert sandbox.calls("/V1/orders/{id}", 200) == 2
    assert sandbox.calls("/V1/orders/{id}", 404) == 1
    assert sandbox.calls("/V1/orders/{id}", "reset-after") == 1
    assert sandbox.calls("/ims/token/v3", 200) == 1
    assert sandbox.calls() == 6
    assert {"method": None, "route": None, "answered": 404, "count": 1} in \
        sandbox.control("GET", "/calls")["calls"]
    sandbox.clear_calls()
    assert sandbox.calls() == 0


def test_reset_puts_everything_back(sandbox, token):
    sandbox.set_ims(secrets=["x"], lifetime="1s", opaque=True)
    sandbox.set_commerce(tokens="none", acl=["*"], page_size=1)
    sandbox.call("DELETE", "/V1/products/MUG-BLUE")
    sandbox.reset()
    assert sandbox.ims_settings() == {
        "client_id": CLIENT, "org_id": ORG, "secrets": [fingerprint(FIRST), fingerprint(NEXT)],
        "scopes": None, "lifetime": "86399s", "expires_in": "seconds", "opaque": False,
        "granted": True}
    assert sandbox.control("GET", "/commerce") == {
        "tokens": "issued", "acl": [], "repeat_last_page": True, "page_size": 20,
        "page_size_max": 300, "refusals": {name: 0 for name in (
            "missing", "unknown", "expired", "api_key", "org", "acl")}}
    assert sandbox.call("GET", "/V1/products/MUG-BLUE", token) == (401, DEAD_TOKEN)
    assert sandbox.calls() == 1
