# SPDX-License-Identifier: MIT
"""Clicks as the API's contract says: capture from a URL or a token, the forms of the `click` field,
what is refused, what outlives what, and that no answer ever shows a token or a session."""
import datetime
import re
import time

import pytest

from daemon import Daemon

CLICK = re.compile(r"^c\.[0-9a-f]{32}$")
HEX = "0123456789abcdef0123456789abcdef"
LANDING = "https://www.shop.example/landing?channel=sovendus&sovReqToken="

NO_SESSIONS = ["", "None", "none", "null", "NULL", "undefined", " ", " None "]


def click_age(answer):
    """Seconds from now to its expiry."""
    end = datetime.datetime.strptime(answer["expires_at"], "%Y-%m-%dT%H:%M:%S.%f%z")
    return end.timestamp() - time.time()


# --- capture -------------------------------------------------------------------------------------

def test_a_landing_url_is_captured_and_a_click_id_is_minted(shop, unique):
    answer = shop.post("/v1/clicks", {"url": LANDING + unique.token()})
    assert answer.status == 201, answer
    assert set(answer.json) == {"captured", "click", "kind", "expires_at"}
    assert answer.json["captured"] is True and answer.json["kind"] == "production"
    assert CLICK.match(answer.json["click"])
    assert abs(click_age(answer.json) - 24 * 3600) < 30
    again = shop.click(url=LANDING + unique.token())
    assert again["click"] != answer.json["click"]


@pytest.mark.parametrize("token,kind", [
    ("12a3b-4c5d-6e7-8f9g0", "production"),
    ("1095752fb409-457a-af14-17a09e6be522", "production"),
    ("12345-prod-123-12345", "production"),
    ("test-token-123", "production"),
    ("11111-test-111-11111", "test"),
    ("fffff-test-fff-fffff", "test"),
    ("12345-test-123-12345", "test"),
    ("1a2b3-test-1a2-1a2b3", "test"),
    ("abcd", "production"),
    ("a" * 128, "production"),
])
def test_the_kind_of_each_token_is_told(shop, token, kind):
    assert shop.click(token=token)["kind"] == kind
    assert shop.click(url=LANDING + token)["kind"] == kind


@pytest.mark.parametrize("url,reason", [
    ("https://www.shop.example/", "no token in url"),
    ("", "no token in url"),
    ("/landing?sovreqtoken=abcd-1234", "no token in url"),
    ("/landing#sovReqToken=abcd-1234", "no token in url"),
    ("/landing?sovReqToken=", "no token in url"),
    ("/landing?sovReqToken=abc", "invalid token"),
    ("/landing?sovReqToken=../../etc", "invalid token"),
    ("/landing?sovReqToken=a%2Fb%2Fc%2Fd", "invalid token"),
    ("/landing?sovReqToken=abcd%0d%0aX-Evil:1", "invalid token"),
    ("/landing?sovReqToken=abcd%00efgh", "invalid token"),
    ("/landing?sovReqToken=%20abcd-1234%20", "invalid token"),
    ("/landing?sovReqToken=abcd+1234", "invalid token"),
    ("/landing?sovReqToken=" + "a" * 129, "invalid token"),
])
def test_a_url_without_a_good_token_is_no_error(shop, url, reason):
    answer = shop.post("/v1/clicks", {"url": url})
    assert answer.status == 200, answer
    assert answer.json == {"captured": False, "reason": reason}


@pytest.mark.parametrize("query", [
    "sovReqToken={t}", "a=b&sovReqToken={t}&c=d", "sovReqToken=%GOOD%", "sovReqToken={t}#part",
    "sovReqToken=bad!&sovReqToken={t}", "sovReqToken={t}&sovReqToken=no%2Fgood",
    "sovReqToken=first-1234&sovReqToken={t}",
])
def test_the_last_valid_repeat_wins_and_encoding_is_undone(shop, partner, unique, query):
    token, order = unique.token(), unique.order()
    encoded = "".join(f"%{ord(c):02X}" for c in token)
    got = shop.click(url="/l?" + query.replace("{t}", token).replace("%GOOD%", encoded))
    assert shop.order(order, wait="10s", click=got["click"]).json["state"] == "delivered"
    assert partner.accepted(token) == 1


def test_a_given_token_wins_over_the_url(shop, partner, unique):
    token, other = unique.token(), unique.token()
    got = shop.click(token=token, url=LANDING + other)
    shop.order(unique.order(), wait="10s", click=got["click"])
    assert (partner.accepted(token), partner.accepted(other)) == (1, 0)


@pytest.mark.parametrize("token", ["abc", "a" * 129, "a/b/c/d", "../../x", "abcd efgh", "abcd\r\nX: y",
                                   "abcd%20", "t\u00f6ken-1234", "", "abcd\u0000efgh", "a.b.c.d"])
def test_a_bad_token_field_is_bad_token(shop, token):
    answer = shop.post("/v1/clicks", {"token": token})
    assert (answer.status, answer.problem) == (400, "bad-token")
    assert "token" in answer.json["detail"]


@pytest.mark.parametrize("session", NO_SESSIONS)
def test_a_session_that_is_none_is_bad_session(shop, unique, session):
    answer = shop.post("/v1/clicks", {"token": unique.token(), "session": session})
    assert (answer.status, answer.problem) == (400, "bad-session")
    assert "session" in answer.json["detail"]


def test_a_refused_session_is_refused_whatever_the_url_says(shop):
    answer = shop.post("/v1/clicks", {"url": "/no-token", "session": "None"})
    assert (answer.status, answer.problem) == (400, "bad-session")


@pytest.mark.parametrize("session", ["a\nb", "a\u0000b", "x" * 5000])
def test_a_session_that_cannot_be_one_is_bad_session(shop, unique, session):
    answer = shop.post("/v1/clicks", {"token": unique.token(), "session": session})
    assert (answer.status, answer.problem) == (400, "bad-session")


def test_neither_url_nor_token_is_a_bad_request(shop):
    answer = shop.post("/v1/clicks", {"session": "abc-def"})
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert "url" in answer.json["detail"] and "token" in answer.json["detail"]


def test_null_is_absent(shop, unique):
    got = shop.post("/v1/clicks", {"token": unique.token(), "url": None, "session": None,
                                   "click": None, "product": None})
    assert got.status == 201 and CLICK.match(got.json["click"])


def test_unknown_fields_are_ignored(shop, unique):
    got = shop.post("/v1/clicks", {"token": unique.token(), "ip": "192.0.2.1", "more": {"a": [1]}})
    assert got.status == 201


@pytest.mark.parametrize("field", ["url", "token", "session", "click", "product"])
@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["abcd-1234"]])
def test_a_wrong_type_names_its_field(shop, field, value):
    body = {"token": "abcd-1234-567", field: value}
    answer = shop.post("/v1/clicks", body)
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert f'"{field}"' in answer.json["detail"]


@pytest.mark.parametrize("body", ["", "[]", "1", "null", '"x"', "{", '{"token":"abcd-1234"', "\xff",
                                  '{"token":"abcd-1234"}}', '{"token":"abcd-1234","token":"efgh-5678"}'])
def test_a_body_that_is_no_json_object_is_a_bad_request(shop, body):
    answer = shop.ask("POST", "/v1/clicks", body.encode("latin-1"))
    assert (answer.status, answer.problem) == (400, "bad-request")


# --- the click field -----------------------------------------------------------------------------

@pytest.mark.parametrize("given", ["c." + HEX, HEX, HEX.upper(), "c." + HEX.upper()])
def test_a_given_id_is_kept_in_its_one_form(shop, unique, given):
    assert shop.click(token=unique.token(), click=given)["click"] == "c." + HEX


def test_a_click_cookie_in_token_mode_still_gets_an_id(shop, unique):
    token = unique.token()
    for cookie in ("t." + token, token):
        got = shop.click(token=unique.token(), click=cookie)
        assert CLICK.match(got["click"]) and token not in str(got)


@pytest.mark.parametrize("click", ["", "c.", "t.", "c.0123", "c." + HEX + "0", "c." + "g" * 32,
                                   "t.abc", "t.a/b/c/d", "x y z w", "../../x"])
def test_a_click_field_of_no_known_form_is_a_bad_request(shop, unique, click):
    answer = shop.post("/v1/clicks", {"token": unique.token(), "click": click})
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert '"click"' in answer.json["detail"]


def test_the_last_click_of_an_id_wins(shop, partner, unique):
    first, second, mine = unique.token(), unique.token(), "c." + "ab" * 16
    shop.click(token=first, click=mine)
    shop.click(token=second, click=mine)
    assert shop.order(unique.order(), wait="10s", click=mine).json["state"] == "delivered"
    assert (partner.accepted(first), partner.accepted(second)) == (0, 1)


def test_the_last_click_of_a_session_wins(shop, partner, unique):
    first, second, session = unique.token(), unique.token(), unique.session()
    shop.click(token=first, session=session)
    shop.click(token=second, session=session)
    assert shop.order(unique.order(), wait="10s", session=session).json["state"] == "delivered"
    assert (partner.accepted(first), partner.accepted(second)) == (0, 1)


def test_sessions_are_compared_byte_by_byte(shop, unique):
    session = unique.session()
    shop.click(token=unique.token(), session=session)
    for other in (session.upper(), session + " ", session[:-1]):
        assert shop.order(unique.order(), session=other).json["state"] == "unattributed"


# --- expiry --------------------------------------------------------------------------------------

def test_an_expired_click_is_not_used(daemons, unique):
    shop = daemons(BACKCHANNEL_CLICK_TTL="1s")
    session = unique.session()
    got = shop.click(token=unique.token(), session=session)
    assert 0 < click_age(got) <= 1
    time.sleep(max(click_age(got), 0) + 0.05)  # the passing of this time is what is asked about
    by_id = shop.order(unique.order(), click=got["click"])
    by_session = shop.order(unique.order(), session=session)
    for answer in (by_id, by_session):
        assert answer.status == 200 and answer.json["state"] == "unattributed"
        assert re.search("expired|unknown|no click", answer.json["reason"])


def test_a_click_within_its_time_survives_a_restart(daemons, partner, unique):
    shop, token = daemons(BACKCHANNEL_CLICK_TTL="1h"), unique.token()
    got = shop.click(token=token)
    shop.restart()
    assert shop.order("kept", wait="10s", click=got["click"]).json["state"] == "delivered"
    assert partner.accepted(token) == 1


def test_an_expired_click_cannot_eat_a_paid_order(daemons, partner, unique):
    partner.set_faults("status=503")
    shop, token = daemons(BACKCHANNEL_CLICK_TTL="1s"), unique.token()
    got = shop.click(token=token)
    shop.order("paid", click=got["click"])
    time.sleep(max(click_age(got), 0) + 0.05)  # as above
    partner.clear_faults()
    assert shop.wait_state("paid", "delivered")
    assert partner.accepted(token) == 1


# --- consent withdrawn ---------------------------------------------------------------------------

def test_a_deleted_click_is_gone_by_id_and_by_session(shop, partner, unique):
    token, session = unique.token(), unique.session()
    got = shop.click(token=token, session=session)
    answer = shop.ask("DELETE", "/v1/clicks/" + got["click"])
    assert (answer.status, answer.body) == (204, b"")
    for how in ({"click": got["click"]}, {"session": session}):
        assert shop.order(unique.order(), wait="2s", **how).json["state"] == "unattributed"
    assert partner.accepted(token) == 0


def test_deleting_works_without_the_prefix_and_only_once(shop, unique):
    bare = shop.click(token=unique.token())["click"][2:]
    assert shop.ask("DELETE", "/v1/clicks/" + bare).status == 204
    again = shop.ask("DELETE", "/v1/clicks/" + bare)
    assert (again.status, again.problem) == (404, "not-found")


@pytest.mark.parametrize("name,status,problem", [
    ("c." + "0" * 32, 404, "not-found"),
    ("t.abcd-1234-567", 404, "not-found"),
    ("c.12", 400, "bad-request"),
    ("%2e%2e%2f", 400, "bad-request"),
])
def test_deleting_what_is_not_there_says_so(shop, name, status, problem):
    answer = shop.ask("DELETE", "/v1/clicks/" + name)
    assert (answer.status, answer.problem) == (status, problem)
    assert "abcd-1234-567" not in answer.text


def test_deleting_a_click_leaves_its_order_alone(shop, partner, unique):
    token, order = unique.token(), unique.order()
    partner.set_faults("status=503 first=1")
    got = shop.click(token=token)
    shop.order(order, click=got["click"])
    assert shop.ask("DELETE", "/v1/clicks/" + got["click"]).status == 204
    assert shop.wait_state(order, "delivered")


# --- products ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def shoe_shop(tmp_path_factory, partner_process):
    folder = tmp_path_factory.mktemp("products")
    shop = Daemon(folder, partner=partner_process)
    (shop.work / "backchannel.conf").write_text(
        "[product shoes]\nid = shoe-1\nkey = shoe-key-000\nlanding = /shoes/\n"
        "[product gold]\nid = gold-1\nkey = gold-key-000\nlanding = /shoes/gold/\n"
        "[product named]\nid = named-1\nkey = named-key-000\n", encoding="ascii")
    with shop:
        yield shop
        assert shop.stop() == 0


@pytest.fixture
def shoes(shoe_shop, partner):
    partner.set_products({"9bc72425-902c-3abf-9db8-8b186d7cb160": "example-key-000",
                          "shoe-1": "shoe-key-000", "gold-1": "gold-key-000",
                          "named-1": "named-key-000"})
    return shoe_shop


@pytest.mark.parametrize("fields,label,product_id", [
    ({"url": "https://x.example/shoes/red?sovReqToken={t}"}, "shoes", "shoe-1"),
    ({"url": "/shoes/?sovReqToken={t}"}, "shoes", "shoe-1"),
    ({"url": "https://x.example/shoes/gold/1?sovReqToken={t}"}, "gold", "gold-1"),
    ({"url": "https://x.example/hats?sovReqToken={t}"}, "default",
     "9bc72425-902c-3abf-9db8-8b186d7cb160"),
    ({"url": "https://x.example/shoes/?sovReqToken={t}", "product": "named"}, "named", "named-1"),
    ({"token": "{t}", "product": "shoes"}, "shoes", "shoe-1"),
    ({"token": "{t}"}, "default", "9bc72425-902c-3abf-9db8-8b186d7cb160"),
])
def test_the_product_comes_from_the_name_else_the_landing_path(shoes, partner, unique, fields, label,
                                                               product_id):
    token, order = unique.token(), unique.order()
    got = shoes.click(**{name: text.replace("{t}", token) for name, text in fields.items()})
    answer = shoes.order(order, wait="10s", click=got["click"])
    assert (answer.json["state"], answer.json["product"], answer.json["lane"]) == (
        "delivered", label, "sovendus." + label)
    (seen,) = [r for r in partner.requests() if token in r["path"]]
    assert seen["path"] == f"/ext/{product_id}/{token}/api"


def test_the_clicks_product_stands_whatever_the_order_says(shoes, unique):
    order = unique.order()
    got = shoes.click(token=unique.token(), product="shoes")
    answer = shoes.order(order, wait="10s", click=got["click"], product="named")
    assert answer.json["product"] == "shoes"
    (warning,) = [e for e in shoes.events("order.product_ignored") if e["order"] == order]
    assert (warning["reported"], warning["kept"]) == ("named", "shoes")


def test_an_order_in_token_mode_names_its_own_product(shoes, partner, unique):
    token = unique.token()
    answer = shoes.order(unique.order(), wait="10s", token=token, product="named")
    assert (answer.json["state"], answer.json["product"]) == ("delivered", "named")
    assert partner.requests(path="/ext/named-1/" + token)


def test_another_product_reported_later_is_ignored(shoes, unique):
    order, token = unique.order(), unique.token()
    shoes.order(order, wait="10s", token=token, product="named")
    again = shoes.order(order, token=token, product="shoes")
    assert (again.status, again.json["product"]) == (200, "named")
    assert [e for e in shoes.events("order.product_ignored") if e["order"] == order]


@pytest.mark.parametrize("route", ["/v1/clicks", "/v1/orders"])
def test_an_unknown_product_is_a_bad_request_naming_it(shoes, unique, route):
    answer = shoes.post(route, {"order": unique.order(), "token": unique.token(), "product": "hats"})
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert "hats" in answer.json["detail"]


# --- nothing is shown ----------------------------------------------------------------------------

def test_no_answer_shows_a_token_or_a_session(shop, unique):
    token, session = unique.token(), unique.session()
    seen = [shop.post("/v1/clicks", {"url": LANDING + token, "session": session}),
            shop.post("/v1/clicks", {"token": token, "click": "t." + token, "session": session}),
            shop.post("/v1/clicks", {"token": token + "!", "session": session}),
            shop.post("/v1/clicks", {"token": token, "session": session + "\n"}),
            shop.post("/v1/clicks", {"token": token, "click": "t." + token + "!"}),
            shop.post("/v1/clicks", {"token": token, "product": 5}),
            shop.ask("DELETE", "/v1/clicks/t." + token),
            shop.ask("DELETE", "/v1/clicks/" + token + "%21")]
    for answer in seen:
        for secret in (token, session):
            assert secret not in answer.text and secret not in str(answer.headers), answer
    for secret in (token, session):
        assert secret not in shop.log_text()
