# SPDX-License-Identifier: MIT
"""Orders as the API's contract says: how an order finds its click, what a repeat answers, one click
one order, late clicks, waiting, lists, stories, retry and cancel; and that no answer ever shows a
token or a session."""
import concurrent.futures
import datetime
import time
import urllib.parse

import pytest

import wire
from daemon import Daemon
from sandbox_client import wait_for

NO_SESSIONS = ["", "None", "null", "undefined", " "]
UNKNOWN_CLICK = "c." + "0" * 32


def stamp(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


# --- finding the click ---------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["token", "t.token", "bare token", "c.id", "bare id", "session"])
def test_each_way_of_naming_a_click_hands_its_token_back(shop, partner, unique, how):
    token, session, order = unique.token(), unique.session(), unique.order()
    click = shop.click(token=token, session=session)["click"]
    named = {"token": {"token": token}, "t.token": {"click": "t." + token},
             "bare token": {"click": token}, "c.id": {"click": click},
             "bare id": {"click": click[2:]}, "session": {"session": session}}[how]
    answer = shop.order(order, wait="10s", **named)
    assert (answer.status, answer.json["state"], answer.json["order"]) == (200, "delivered", order)
    assert partner.accepted(token) == 1


def test_the_token_wins_over_the_click_and_the_click_over_the_session(shop, partner, unique):
    tokens = {name: unique.token() for name in ("token", "click", "session")}
    session = unique.session()
    click = shop.click(token=tokens["click"])["click"]
    shop.click(token=tokens["session"], session=session)
    shop.order(unique.order(), wait="10s", token=tokens["token"], click=click, session=session)
    assert [partner.accepted(t) for t in tokens.values()] == [1, 0, 0]
    shop.order(unique.order(), wait="10s", click=click, session=session)
    assert [partner.accepted(t) for t in tokens.values()] == [1, 1, 0]
    shop.order(unique.order(), wait="10s", click=UNKNOWN_CLICK, session=session)
    assert [partner.accepted(t) for t in tokens.values()] == [1, 1, 1]


def test_an_order_is_answered_202_at_once(shop, partner, unique):
    partner.set_faults("delay=2s first=1")
    order = unique.order()
    answer = shop.order(order, token=unique.token())
    assert (answer.status, answer.json["state"]) == (202, "pending")
    assert shop.story(order)["state"] in ("pending", "sending"), "the partner has not answered yet"


@pytest.mark.parametrize("named,reason", [
    ({"click": UNKNOWN_CLICK}, "unknown click"),
    ({"session": "nobody-was-here"}, "session"),
    ({}, "no click named"),
])
def test_an_order_without_a_click_is_unattributed_and_says_why(shop, unique, named, reason):
    order = unique.order()
    answer = shop.order(order, wait="5s", **named)
    assert (answer.status, answer.json["state"]) == (200, "unattributed")
    assert reason in answer.json["reason"]
    assert set(answer.json) <= {"order", "state", "reason", "created_at", "updated_at"}
    assert shop.story(order)["attempts"] == []


# --- what is refused -----------------------------------------------------------------------------

@pytest.mark.parametrize("session", NO_SESSIONS)
def test_a_session_that_is_none_is_bad_session(shop, unique, session):
    order = unique.order()
    answer = shop.order(order, session=session)
    assert (answer.status, answer.problem) == (400, "bad-session")
    assert shop.get("/v1/orders/" + order).status == 404


@pytest.mark.parametrize("token", ["abc", "a/b/c", "", "x" * 129, "abcd\u0000efgh", "abcd efgh"])
def test_a_bad_token_is_bad_token(shop, unique, token):
    answer = shop.order(unique.order(), token=token)
    assert (answer.status, answer.problem) == (400, "bad-token")


@pytest.mark.parametrize("click", ["", "t.a/b", "c.zz", "../..", "t.", "no good"])
def test_a_click_of_no_known_form_is_a_bad_request(shop, unique, click):
    answer = shop.order(unique.order(), click=click)
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert '"click"' in answer.json["detail"]


@pytest.mark.parametrize("order", ["", "   ", "x" * 129, "a\nb", "a\u0000b", "a\u007fb", None])
def test_an_order_id_that_cannot_be_one_is_a_bad_request(shop, unique, order):
    answer = shop.order(order, token=unique.token())
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert '"order"' in answer.json["detail"]


def test_a_missing_order_id_is_a_bad_request(shop, unique):
    answer = shop.post("/v1/orders", {"token": unique.token()})
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert '"order"' in answer.json["detail"]


@pytest.mark.parametrize("field,values", [
    ("order", [1, 1.5, True, [], {}]),
    ("token", [1, True, [], {}]),
    ("click", [1, True, [], {}]),
    ("session", [1, True, [], {}]),
    ("product", [1, True, [], {}]),
    ("currency", [1, True, [], {}]),
    ("amount", [True, [], {}]),
])
def test_a_wrong_type_names_its_field(shop, unique, field, values):
    for value in values:
        answer = shop.post("/v1/orders", {"order": unique.order(), "token": "abcd-1234", field: value})
        assert (answer.status, answer.problem) == (400, "bad-request"), value
        assert f'"{field}"' in answer.json["detail"]


@pytest.mark.parametrize("field,value", [("amount", "1" * 33), ("amount", "1\u001b[2J"),
                                         ("currency", "E" * 17), ("currency", "E\u0000R")])
def test_amount_and_currency_are_short_and_plain(shop, unique, field, value):
    answer = shop.order(unique.order(), token=unique.token(), **{field: value})
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert f'"{field}"' in answer.json["detail"]


def test_null_is_absent(shop, unique):
    answer = shop.post("/v1/orders", {"order": unique.order(), "token": None, "click": None,
                                      "session": None, "product": None, "amount": None,
                                      "currency": None})
    assert (answer.status, answer.json["state"]) == (200, "unattributed")


def test_unknown_fields_are_ignored(shop, unique):
    answer = shop.order(unique.order(), token=unique.token(), email="a@b.example", items=[{"sku": 1}])
    assert answer.status == 202


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"order":"a"', b"\xff\xfe", b'{"order":"a"}x'])
def test_a_body_that_is_no_json_object_is_a_bad_request(shop, body):
    answer = shop.ask("POST", "/v1/orders", body)
    assert (answer.status, answer.problem) == (400, "bad-request")


# --- repeats -------------------------------------------------------------------------------------

def test_a_repeated_order_gets_the_stored_result(shop, partner, unique):
    order, token = unique.order(), unique.token()
    first = shop.order(order, wait="10s", token=token)
    for again in (shop.order(order, token=token), shop.order(order), shop.order(order, wait="5s"),
                  shop.order(order, click="t." + token)):
        assert again.status == 200
        assert again.json == first.json
    assert partner.accepted(token) == 1


def test_a_repeated_order_that_still_waits_is_200_pending(shop, partner, unique):
    partner.set_faults("status=503")
    order, token = unique.order(), unique.token()
    assert shop.order(order, token=token).status == 202
    again = shop.order(order, token=token)
    assert again.status == 200 and again.json["state"] in ("pending", "sending")


@pytest.mark.parametrize("form", ["token", "click"])
def test_the_same_order_with_another_token_is_a_conflict(shop, partner, unique, form):
    order, token, other = unique.order(), unique.token(), unique.token()
    shop.order(order, wait="10s", token=token)
    answer = shop.order(order, **({"token": other} if form == "token" else {"click": "t." + other}))
    assert (answer.status, answer.problem) == (409, "conflict")
    assert partner.accepted(other) == 0
    assert shop.story(order)["state"] == "delivered"


def test_many_reports_of_one_order_at_once_make_one_conversion(shop, partner, unique):
    order, token = unique.order(), unique.token()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.order(order, token=token), range(24)))
    assert {a.status for a in answers} <= {200, 202}
    assert [a.status for a in answers].count(202) == 1
    shop.wait_state(order, "delivered")
    assert partner.counts(token)["tokens"][token]["posts"] == 1


# --- one click, one order ------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["click", "session", "token", "t.token"])
def test_a_used_click_serves_no_second_order(shop, partner, unique, how):
    token, session, first = unique.token(), unique.session(), unique.order()
    click = shop.click(token=token, session=session)["click"]
    named = {"click": {"click": click}, "session": {"session": session}, "token": {"token": token},
             "t.token": {"click": "t." + token}}[how]
    shop.order(first, wait="10s", **named)
    answer = shop.order(unique.order(), wait="5s", **named)
    assert (answer.status, answer.json["state"]) == (200, "unattributed")
    assert answer.json["reason"] == f"click used by order {first}"
    assert partner.counts(token)["tokens"][token]["posts"] == 1


def test_a_used_token_is_used_whatever_way_it_comes_again(shop, unique):
    token, session, first = unique.token(), unique.session(), unique.order()
    shop.order(first, wait="10s", token=token)
    click = shop.click(token=token, session=session)["click"]
    for named in ({"click": click}, {"session": session}, {"click": "t." + token}):
        answer = shop.order(unique.order(), **named)
        assert answer.json["reason"] == f"click used by order {first}"


def test_a_used_token_stays_used_after_a_restart_and_after_its_clearing(daemons, unique):
    shop, token = daemons(BACKCHANNEL_ORDER_KEEP="0"), unique.token()
    shop.order("first", wait="10s", token=token)
    assert shop.story("first")["click"]["token_kept"] is False
    shop.restart()
    assert shop.order("second", token=token).json["reason"] == "click used by order first"


def test_many_orders_on_one_click_at_once_make_one_conversion(shop, partner, unique):
    token = unique.token()
    click = shop.click(token=token)["click"]
    orders = [unique.order() for _ in range(16)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda o: shop.order(o, wait="10s", click=click).json, orders))
    states = sorted(a["state"] for a in answers)
    assert states == ["delivered"] + ["unattributed"] * 15
    assert partner.counts(token)["tokens"][token]["posts"] == 1


# --- late clicks ---------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["click", "session"])
def test_a_late_click_joins_its_order(shop, partner, unique, how):
    order, token = unique.order(), unique.token()
    named = {"click": "c." + f"{abs(hash(order)):032x}"} if how == "click" else \
        {"session": unique.session()}
    assert shop.order(order, **named).json["state"] == "unattributed"
    shop.click(token=token, **named)
    story = shop.wait_state(order, "delivered")
    assert partner.accepted(token) == 1 and "reason" not in story


def test_a_click_later_than_order_adopt_joins_nothing(daemons, partner, unique):
    shop, token, session = daemons(BACKCHANNEL_ORDER_ADOPT="50ms"), unique.token(), unique.session()
    created = stamp(shop.order("early", session=session).json["created_at"])
    time.sleep(max(created + 0.1 - time.time(), 0))  # the passing of this time is asked about
    shop.click(token=token, session=session)
    assert shop.order("fresh", wait="10s", session=session).json["state"] == "delivered"
    assert shop.story("early")["state"] == "unattributed"
    assert partner.accepted(token) == 1


def test_a_late_click_goes_to_one_order_only(shop, partner, unique):
    session, token = unique.session(), unique.token()
    orders = [unique.order() for _ in range(3)]
    for order in orders:
        shop.order(order, session=session)
    shop.click(token=token, session=session)
    shop.wait_state(orders[-1], "delivered")
    assert [shop.story(o)["state"] for o in orders] == ["unattributed"] * 2 + ["delivered"]
    assert partner.accepted(token) == 1


def test_an_order_refused_a_used_click_adopts_no_later_one(shop, unique):
    session, token = unique.session(), unique.token()
    shop.click(token=token, session=session)
    first, second = unique.order(), unique.order()
    shop.order(first, wait="10s", session=session)
    assert shop.order(second, session=session).json["reason"] == f"click used by order {first}"
    shop.click(token=unique.token(), session=session)
    assert shop.story(second)["state"] == "unattributed"


def test_an_unattributed_order_reported_again_with_a_token_is_handed_back(shop, partner, unique):
    order, token = unique.order(), unique.token()
    shop.order(order)
    answer = shop.order(order, wait="10s", token=token)
    assert (answer.status, answer.json["state"]) == (200, "delivered")
    assert partner.accepted(token) == 1


# --- waiting -------------------------------------------------------------------------------------

def test_wait_answers_as_soon_as_it_is_final(shop, partner, unique):
    partner.set_faults("delay=200ms")
    start = time.monotonic()
    answer = shop.order(unique.order(), wait="20s", token=unique.token())
    assert 0.2 <= time.monotonic() - start < 5
    assert (answer.status, answer.json["state"]) == (200, "delivered")


def test_wait_ends_when_its_time_is_over(shop, partner, unique):
    partner.set_faults("delay=3s first=1")
    start = time.monotonic()
    answer = shop.order(unique.order(), wait="100ms", token=unique.token())
    assert 0.1 <= time.monotonic() - start < 2.5
    assert answer.status == 202 and answer.json["state"] in ("pending", "sending")


def test_wait_counts_for_a_repeat_too(shop, partner, unique):
    partner.set_faults("delay=200ms")
    order, token = unique.order(), unique.token()
    assert shop.order(order, token=token).status == 202
    again = shop.order(order, wait="10s", token=token)
    assert (again.status, again.json["state"]) == (200, "delivered")


def test_wait_tells_of_a_rejection(shop, partner, unique):
    partner.set_faults("status=422")
    answer = shop.order(unique.order(), wait="10s", token=unique.token())
    assert (answer.status, answer.json["state"]) == (200, "rejected")
    assert answer.json["reason"]


@pytest.mark.parametrize("wait", ["x", "5", "-1s", "5s5", "s", "1e3s"])
def test_a_wait_that_is_no_duration_is_a_bad_request(shop, unique, wait):
    order = unique.order()
    answer = shop.order(order, wait=wait, token=unique.token())
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert '"wait"' in answer.json["detail"]
    assert shop.get("/v1/orders/" + order).status == 404


def test_a_client_that_leaves_while_it_waits_changes_nothing(shop, partner, unique):
    partner.set_faults("delay=200ms")
    order = unique.order()
    body = f'{{"order":"{order}","token":"{unique.token()}"}}'
    peer = wire.Peer(shop.address)
    peer.send(f"POST /v1/orders?wait=10s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
              f"application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    wait_for(lambda: shop.get("/v1/orders/" + order).status == 200, what="the order")
    peer.leave()
    assert shop.wait_state(order, "delivered")


# --- the story -----------------------------------------------------------------------------------

def test_a_story_has_its_shape(shop, partner, unique):
    partner.set_faults("status=503 first=1")
    order, token, session = unique.order(), unique.token(), unique.session()
    click = shop.click(token=token, session=session)["click"]
    shop.order(order, session=session, amount=12.5, currency="EUR")
    story = shop.wait_state(order, "delivered")
    assert set(story) == {"order", "state", "product", "lane", "kind", "attempt_count", "amount",
                          "currency", "created_at", "updated_at", "finished_at", "click", "attempts",
                          "lane_state"}
    assert (story["order"], story["product"], story["lane"], story["kind"]) == (
        order, "default", "sovendus.default", "production")
    assert set(story["click"]) == {"id", "token_hash", "captured_at", "by_session", "token_kept"}
    assert story["click"]["id"] == click and story["click"]["by_session"] is True
    assert [set(a) for a in story["attempts"]] == [
        {"n", "at", "status", "outcome", "duration_ms", "error", "key_fingerprint"}] * 2
    assert [(a["n"], a["status"], a["outcome"]) for a in story["attempts"]] == [
        (1, 503, "retry"), (2, 200, "delivered")]
    assert story["attempts"][0]["error"] and story["attempts"][1]["error"] is None
    times = [story["click"]["captured_at"], story["created_at"], story["attempts"][0]["at"],
             story["attempts"][1]["at"], story["finished_at"]]
    assert times == sorted(times)


def test_a_waiting_order_says_when_it_goes_out_and_when_it_is_given_up(daemons, partner, unique):
    partner.set_faults("status=503")
    shop = daemons(BACKCHANNEL_RETRY_BASE="1h", BACKCHANNEL_RETRY_CAP="1h",
                   BACKCHANNEL_RETRY_DEADLINE="2h")
    shop.order("o", token=unique.token())
    story = wait_for(lambda: (s := shop.story("o"))["attempts"] and s["state"] == "pending" and s)
    now = time.time()
    assert now < stamp(story["next_attempt_at"]) <= now + 3600
    assert abs(stamp(story["deadline_at"]) - now - 7200) < 30


def test_an_unknown_order_is_not_found(shop):
    for method, path in (("GET", "/v1/orders/none"), ("POST", "/v1/orders/none/retry"),
                         ("POST", "/v1/orders/none/cancel")):
        answer = shop.ask(method, path)
        assert (answer.status, answer.problem) == (404, "not-found"), path


@pytest.mark.parametrize("amount,kept", [(12.5, "12.5"), (12, "12"), (0.1, "0.1"), (99.99, "99.99"),
                                         ("1.234,00", "1.234,00"), (19.99, "19.99"), (-3, "-3")])
def test_amount_and_currency_are_kept_as_given_and_not_sent(shop, partner, unique, amount, kept):
    order = unique.order()
    shop.order(order, wait="10s", token=unique.token(), amount=amount, currency="EUR")
    story = shop.story(order)
    assert (story["amount"], story["currency"]) == (kept, "EUR")
    assert all(kept not in (seen["body"] or "") for seen in partner.requests())


@pytest.mark.parametrize("order", ["2026/00 1", "a?b#c", "50%", "100%25", "\u00fcber-\u6ce8\u6587",
                                   "a+b&c=d", "..", ".", "retry", "cancel", "a/cancel", "%2e%2e",
                                   '"quoted"', "x" * 128, "\u00fc" * 64, "O'Brien; DROP TABLE"])
def test_any_order_id_can_be_named_in_a_path(shop, unique, order):
    path = "/v1/orders/" + urllib.parse.quote(order, safe="")
    shop.order(order, wait="10s", token=unique.token())
    assert shop.get(path).json["order"] == order
    assert shop.get(path).json["state"] == "delivered"
    for verb in ("/cancel", "/retry"):
        answer = shop.post(path + verb)
        assert (answer.status, answer.problem) == (409, "conflict")


@pytest.mark.parametrize("path", ["/v1/orders/a%00b", "/v1/orders/%zz", "/v1/orders/%", "/v1/orders/",
                                  "/v1/orders/%ff", "/v1/orders/" + "x" * 129,
                                  "/v1/orders/a/b", "/v1/orders/a/b/c"])
def test_a_path_that_names_no_possible_order_is_refused(shop, path):
    answer = shop.get(path)
    assert (answer.status, answer.problem) in ((404, "not-found"), (400, "bad-request"))


# --- lists ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def listed(tmp_path_factory, partner_process):
    """A shop with nine orders in four states, oldest first: o0 to o8."""
    partner_process.reset()
    with Daemon(tmp_path_factory.mktemp("listed"), partner=partner_process) as shop:
        partner_process.set_faults("status=422 token=list-reject-*")
        for i in range(9):
            kind = ("good", "reject", None)[i % 3]
            fields = {"token": f"list-{kind}-{i:04d}"} if kind else {}
            shop.order(f"o{i}", wait="10s", **fields)
        shop.post("/v1/orders/o2/cancel")
        yield shop
        assert shop.stop() == 0


def names(answer):
    return [order["order"] for order in answer.json["orders"]]


def test_the_list_is_newest_first(listed):
    answer = listed.get("/v1/orders")
    assert names(answer) == [f"o{i}" for i in range(8, -1, -1)]
    assert answer.json["next"] is None


@pytest.mark.parametrize("state,expected", [("delivered", ["o6", "o3", "o0"]),
                                            ("rejected", ["o7", "o4", "o1"]),
                                            ("unattributed", ["o8", "o5"]), ("cancelled", ["o2"]),
                                            ("pending", []), ("sending", []), ("expired", [])])
def test_the_list_by_state(listed, state, expected):
    assert names(listed.get("/v1/orders?state=" + state)) == expected


def test_the_list_in_pages(listed):
    seen, cursor, pages = [], None, 0
    while True:
        answer = listed.get("/v1/orders?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        seen += names(answer)
        pages += 1
        cursor = answer.json["next"]
        if cursor is None:
            break
        assert len(names(answer)) == 2 and isinstance(cursor, str)
    assert (seen, pages) == ([f"o{i}" for i in range(8, -1, -1)], 5)


def test_pages_of_a_state(listed):
    first = listed.get("/v1/orders?state=rejected&limit=2")
    second = listed.get(f"/v1/orders?state=rejected&limit=2&cursor={first.json['next']}")
    assert (names(first), names(second)) == (["o7", "o4"], ["o1"])


def test_the_list_since_an_age_or_a_time(listed):
    fourth = listed.story("o4")["created_at"]
    assert names(listed.get("/v1/orders?since=2h")) == names(listed.get("/v1/orders"))
    assert names(listed.get("/v1/orders?since=" + fourth))[-1] == "o4"
    assert names(listed.get("/v1/orders?since=2999-01-01T00:00:00Z")) == []
    offset = "2999-01-01T00:00:00%2B02:00"
    assert names(listed.get("/v1/orders?since=" + offset)) == []


@pytest.mark.parametrize("query,name", [
    ("state=done", "state"), ("state=%ff", "state"), ("limit=0", "limit"), ("limit=1001", "limit"),
    ("limit=x", "limit"), ("limit=-1", "limit"), ("cursor=x", "cursor"), ("since=yesterday", "since"),
    ("since=2026-13-01T00:00:00Z", "since"), ("state=" + "\u00fc" * 200, "state")])
def test_a_wrong_parameter_is_a_bad_request_naming_it(listed, query, name):
    answer = listed.get("/v1/orders?" + urllib.parse.quote(query, safe="=&%"))
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert f'"{name}"' in answer.json["detail"]


def test_unknown_parameters_are_ignored(listed):
    assert len(names(listed.get("/v1/orders?page=3&x"))) == 9


# --- retry and cancel ----------------------------------------------------------------------------

def test_retry_makes_a_waiting_order_due_at_once(daemons, partner, unique):
    partner.set_faults("status=503 first=1")
    shop = daemons(BACKCHANNEL_RETRY_BASE="1h", BACKCHANNEL_RETRY_CAP="1h")
    shop.order("o", token=unique.token())
    wait_for(lambda: shop.story("o").get("attempts") and shop.story("o")["state"] == "pending")
    answer = shop.post("/v1/orders/o/retry")
    assert (answer.status, answer.json["state"]) == (200, "pending")
    assert shop.wait_state("o", "delivered", seconds=5)["attempt_count"] == 2


def test_retry_brings_a_rejected_order_back(shop, partner, unique):
    partner.set_faults("status=422 first=1")
    order = unique.order()
    assert shop.order(order, wait="10s", token=unique.token()).json["state"] == "rejected"
    assert shop.post(f"/v1/orders/{order}/retry").json["state"] == "pending"
    story = shop.wait_state(order, "delivered")
    assert [a["outcome"] for a in story["attempts"]] == ["reject", "delivered"]
    assert "reason" not in story


def test_retry_brings_an_expired_order_back(daemons, partner, unique):
    partner.set_faults("status=503")
    shop = daemons(BACKCHANNEL_RETRY_DEADLINE="300ms")
    shop.order("o", token=unique.token())
    deadline = stamp(shop.story("o").get("deadline_at") or shop.story("o")["finished_at"])
    wait_for(lambda: time.time() > deadline, what="the deadline")
    shop.stop()  # what is past its time is noticed soon after a start, then once a minute
    shop.settings["BACKCHANNEL_RETRY_DEADLINE"] = "1h"  # of what is asked from now on
    shop.start()
    story = shop.wait_state("o", "expired")
    assert "deadline" in story["reason"]
    partner.clear_faults()
    assert shop.post("/v1/orders/o/retry").json["state"] == "pending"
    assert shop.wait_state("o", "delivered")


def test_cancel_withdraws_a_waiting_order_and_retry_brings_it_back(daemons, partner, unique):
    partner.set_faults("status=503")
    shop, token = daemons(BACKCHANNEL_RETRY_BASE="1h", BACKCHANNEL_RETRY_CAP="1h"), unique.token()
    shop.order("o", token=token)
    wait_for(lambda: shop.story("o").get("attempts") and shop.story("o")["state"] == "pending")
    for _ in range(2):
        answer = shop.post("/v1/orders/o/cancel")
        assert (answer.status, answer.json["state"]) == (200, "cancelled")
    partner.clear_faults()
    shop.order("another", wait="10s", token=unique.token())
    assert shop.story("o")["state"] == "cancelled" and partner.accepted(token) == 0
    assert shop.order("o", token=token).json["state"] == "cancelled"
    assert shop.post("/v1/orders/o/retry").json["state"] == "pending"
    assert shop.wait_state("o", "delivered")


def test_what_is_delivered_can_neither_be_retried_nor_cancelled(shop, partner, unique):
    order, token = unique.order(), unique.token()
    shop.order(order, wait="10s", token=token)
    for verb in ("retry", "cancel"):
        answer = shop.post(f"/v1/orders/{order}/{verb}")
        assert (answer.status, answer.problem) == (409, "conflict")
        assert "handed back already" in answer.json["detail"]
    assert partner.counts(token)["tokens"][token]["posts"] == 1


def test_what_is_under_way_can_neither_be_retried_nor_cancelled(shop, partner, unique):
    partner.set_faults("delay=1s first=1")
    order = unique.order()
    shop.order(order, token=unique.token())
    shop.wait_state(order, "sending")
    for verb in ("retry", "cancel"):
        answer = shop.post(f"/v1/orders/{order}/{verb}")
        assert (answer.status, answer.problem) == (409, "conflict")
    assert shop.wait_state(order, "delivered")["attempt_count"] == 1


def test_an_order_without_a_click_has_nothing_to_retry(shop, unique):
    order = unique.order()
    shop.order(order)
    answer = shop.post(f"/v1/orders/{order}/retry")
    assert (answer.status, answer.problem) == (409, "conflict")
    assert "no click" in answer.json["detail"]


def test_retry_by_state_counts_first_and_then_does(daemons, partner, unique):
    partner.set_faults("status=422 first=3")
    shop = daemons()
    for i in range(3):
        shop.order(f"r{i}", wait="10s", token=unique.token())
    shop.order("good", wait="10s", token=unique.token())
    assert shop.post("/v1/orders/retry?state=rejected&dry_run=1").json == {"count": 3}
    assert len(names(shop.get("/v1/orders?state=rejected"))) == 3
    assert shop.post("/v1/orders/retry?state=rejected&since=2999-01-01T00:00:00Z").json["count"] == 0
    assert shop.post("/v1/orders/retry?state=rejected&since=1h").json == {"count": 3}
    wait_for(lambda: len(names(shop.get("/v1/orders?state=delivered"))) == 4)


def test_retry_by_state_needs_a_state(shop):
    for query in ("", "?state=", "?since=2h", "?state=sideways"):
        answer = shop.post("/v1/orders/retry" + query)
        assert (answer.status, answer.problem) == (400, "bad-request")


# --- nothing is shown ----------------------------------------------------------------------------

def test_no_answer_shows_a_token_or_a_session(shop, partner, unique):
    partner.set_faults("status=422 token=*never*, status=503 first=1")
    token, session, used = unique.token(), unique.session(), unique.token()
    bad = token + "!"
    orders = [unique.order() for _ in range(5)]
    click = shop.click(token=token, session=session)["click"]
    seen = [shop.order(orders[0], wait="10s", session=session),
            shop.order(orders[1], click="t." + token),
            shop.order(orders[0], token=used),
            shop.order(orders[2], wait="10s", token=used),
            shop.order(orders[3], session=session),
            shop.order(orders[4], wait="10s", token="never-" + token),
            shop.order(orders[4], token=bad), shop.order(orders[4], click="t." + bad),
            shop.order(orders[4], session=session + "\n"), shop.get("/v1/orders"),
            shop.get("/v1/lanes"), shop.get("/metrics"), shop.order(orders[4], click=click)]
    seen += [shop.get("/v1/orders/" + order) for order in orders]
    seen += [shop.post(f"/v1/orders/{order}/{verb}") for order in orders for verb in ("retry", "cancel")]
    for answer in seen:
        for secret in (token, used, session):
            assert secret not in answer.text and secret not in str(answer.headers), answer
    for secret in (token, used, session):
        assert secret not in shop.log_text()
