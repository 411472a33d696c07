# SPDX-License-Identifier: MIT
"""The hand-back itself: the exact request, and what each answer of the partner (documented, odd,
broken or missing) makes of the attempt, the order and the lane."""
import datetime
import hashlib
import json
import time

import pytest

from daemon import KEY, PRODUCT
from sandbox_client import wait_for

TOKEN = "1095752fb409-457a-af14-17a09e6be522"
TEST_TOKEN = "12345-test-123-12345"


def attempts(story):
    """(status, outcome) of each."""
    return [(a["status"], a["outcome"]) for a in story["attempts"]]


def handed_back(partner, token):
    """The requests that carried this token."""
    return [seen for seen in partner.requests() if f"/{token}/" in seen["path"]]


def stamp(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


# --- the request ---------------------------------------------------------------------------------

def test_the_request_is_the_guides_to_the_byte(shop, partner, unique):
    shop.order(unique.order(), wait="10s", token=TOKEN, amount=12.5, currency="EUR")
    (seen,) = partner.requests()
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", f"/ext/{PRODUCT}/{TOKEN}/api", None)
    assert seen["body"] == '{"apiKey":"example-key-000"}'
    lines = dict(line.split(": ", 1) for line in seen["lines"])
    assert lines.pop("User-Agent").startswith("backchannel/")
    assert lines == {"Host": f"127.0.0.1:{partner.port}", "Content-Type": "application/json",
                     "Content-Length": "28", "Accept": "*/*"}
    assert len(seen["lines"]) == 5, "nothing twice"


@pytest.mark.parametrize("key", ['quote"and\\slash', "\u00fcml\u00e4ut", "{}[]:,'"])
def test_any_key_arrives_whole(daemons, partner, unique, key):
    partner.set_products({PRODUCT: key})
    shop = daemons(SOVENDUS_API_KEY=key)
    assert shop.order("o", wait="10s", token=unique.token()).json["state"] == "delivered"
    (seen,) = partner.requests()
    assert json.loads(seen["body"]) == {"apiKey": key}
    assert shop.story("o")["attempts"][0]["key_fingerprint"] == hashlib.sha256(key.encode()).hexdigest()[:8]


@pytest.mark.parametrize("token", ["abcd", "A-Za-z0-9_-", "_" * 4, "-" * 128, "CaseKept-AbC", TEST_TOKEN])
def test_a_token_arrives_byte_for_byte(shop, partner, unique, token):
    assert shop.order(unique.order(), wait="10s", token=token).json["state"] == "delivered"
    (seen,) = partner.requests()
    assert seen["path"] == f"/ext/{PRODUCT}/{token}/api"


def test_a_base_url_with_a_slash_at_its_end_makes_the_same_request(daemons, partner, unique):
    shop, token = daemons(SOVENDUS_BASE_URL=partner.sovendus + "/"), unique.token()
    assert shop.order("o", wait="10s", token=token).json["state"] == "delivered"
    assert partner.requests()[0]["path"] == f"/ext/{PRODUCT}/{token}/api"


def test_proxy_variables_of_the_environment_are_not_honoured(daemons, partner, unique):
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    shop = daemons(**{name: "http://127.0.0.1:9" for name in names})
    assert shop.order("o", wait="10s", token=unique.token()).json["state"] == "delivered"


def test_connections_are_kept_between_orders(shop, partner, unique):
    for _ in range(5):
        assert shop.order(unique.order(), wait="10s", token=unique.token()).json["state"] == "delivered"
    assert len(partner.requests()) == 5


# --- what a final answer makes of it -------------------------------------------------------------

# fault, status and outcome of the attempt, state, words that the reason or error must have
FINAL = [
    ("status=200", 200, "delivered", "delivered", None),
    ("status=201", 201, "delivered", "delivered", None),
    ("status=204", 204, "delivered", "delivered", None),
    ("wrong-echo", 200, "delivered", "delivered", None),
    ("empty-body", 200, "delivered", "delivered", None),
    ("html", 200, "delivered", "delivered", None),
    ("half-body", 200, "delivered", "delivered", None),
    ("trickle=7/2ms", 200, "delivered", "delivered", None),
    ("status=200 body='{\"a\":1}'", 200, "delivered", "delivered", None),
    ("status=200 body='[[[[[[['", 200, "delivered", "delivered", None),
    ("status=422", 422, "reject", "rejected", "form of the token"),
    ('status=422 message="Token not found."', 422, "reject", "rejected", "does not know this token"),
    ('status=422 message="token NOT found"', 422, "reject", "rejected", "does not know this token"),
    ('status=422 message="Something new."', 422, "reject", "rejected", "do not name"),
    ("status=422 body=", 422, "reject", "rejected", "do not name"),
    ("status=400", 400, "reject", "rejected", "do not name"),
    ("status=402", 402, "reject", "rejected", "do not name"),
    ("status=410", 410, "reject", "rejected", "do not name"),
    ("status=418", 418, "reject", "rejected", "do not name"),
    ("status=451", 451, "reject", "rejected", "do not name"),
]


@pytest.mark.parametrize("fault,status,outcome,state,words", FINAL, ids=[row[0] for row in FINAL])
def test_a_final_answer(shop, partner, unique, fault, status, outcome, state, words):
    partner.set_faults(fault + " first=1")
    order, token = unique.order(), unique.token()
    answer = shop.order(order, wait="10s", token=token)
    assert (answer.status, answer.json["state"]) == (200, state)
    story = shop.story(order)
    assert attempts(story) == [(status, outcome)]
    assert (words or "") in story.get("reason", "")
    assert len(handed_back(partner, token)) == 1
    assert shop.lane()["state"] == "open"


@pytest.mark.parametrize("fault", ["wrong-echo", "empty-body", "html", "half-body", "status=204"])
def test_an_odd_body_of_a_good_answer_is_a_warning(shop, partner, unique, fault):
    partner.set_faults(fault)
    order = unique.order()
    shop.order(order, wait="10s", token=unique.token())
    (warning,) = [e for e in shop.events("conversion.odd_echo") if e["order"] == order]
    assert warning["level"] == "warning"
    assert shop.story(order)["attempts"][0]["error"]


# fault, status and outcome of the first attempt, whether it may have been counted
AGAIN = [
    ("status=500", 500, "retry"),
    ("status=502", 502, "retry"),
    ("status=503", 503, "retry"),
    ("status=504", 504, "retry"),
    ("status=599", 599, "retry"),
    ("status=408", 408, "retry"),
    ("status=429", 429, "retry"),
    ("status=500 taken", 500, "retry"),
    ("status=502 type=text/html body=<h1>Bad</h1>", 502, "retry"),
    ("close", None, "unknown"),
    ("close taken", None, "unknown"),
    ("reset-after", None, "unknown"),
    ("reset-after taken", None, "unknown"),
    ("accept-reset", None, "unknown"),
    ("half-head", None, "unknown"),
    ("garbage", None, "unknown"),
    ("garbage taken", None, "unknown"),
]


@pytest.mark.parametrize("fault,status,outcome", AGAIN, ids=[row[0] for row in AGAIN])
def test_an_answer_after_which_it_is_sent_again(shop, partner, unique, fault, status, outcome):
    partner.set_faults(fault + " first=1")
    order, token = unique.order(), unique.token()
    assert shop.order(order, wait="10s", token=token).json["state"] == "delivered"
    story = shop.story(order)
    assert [(a["status"] or None, a["outcome"]) for a in story["attempts"]] == [
        (status, outcome), (200, "delivered")]
    assert story["attempts"][0]["error"] and story["attempts"][0]["duration_ms"] >= 0
    assert len(handed_back(partner, token)) == 2
    assert shop.lane()["state"] == "open"


def test_a_connection_reset_before_anything_was_read_is_tried_again(daemons, partner, unique):
    partner.set_faults("reset-before times=2")
    shop, token = daemons(), unique.token()
    assert shop.order("o", wait="15s", token=token).json["state"] == "delivered"
    story = shop.story("o")
    assert attempts(story)[-1] == (200, "delivered")
    assert {outcome for _, outcome in attempts(story)[:-1]} <= {"retry", "unknown"}
    assert partner.accepted(token) == 1


def test_a_partner_that_hangs_is_given_up_and_tried_again(daemons, partner, unique):
    partner.set_faults("hang first=1")
    shop, token = daemons(BACKCHANNEL_DELIVERY_TIMEOUT="200ms"), unique.token()
    assert shop.order("o", wait="10s", token=token).json["state"] == "delivered"
    first, second = shop.story("o")["attempts"]
    assert (first["status"] or None, first["outcome"]) == (None, "unknown")
    assert 190 <= first["duration_ms"] < 2000
    assert second["outcome"] == "delivered"


def test_a_partner_that_trickles_for_ever_is_given_up(daemons, partner, unique):
    """The head came whole: the status counts, as with any body that breaks off."""
    partner.set_faults("trickle=1/50ms first=1")
    shop = daemons(BACKCHANNEL_DELIVERY_TIMEOUT="300ms")
    start = time.monotonic()
    assert shop.order("o", wait="10s", token=unique.token()).json["state"] == "delivered"
    assert time.monotonic() - start < 5
    assert shop.story("o")["attempts"][0]["duration_ms"] < 2000


def test_a_partner_that_is_not_there_is_tried_again(daemons, partner, unique):
    shop = daemons(SOVENDUS_BASE_URL="http://127.0.0.1:9/ext")
    shop.order("o", token=unique.token())
    story = wait_for(lambda: (s := shop.story("o"))["attempt_count"] >= 3 and s["state"] == "pending"
                     and s)
    assert {(a["status"] or None, a["outcome"]) for a in story["attempts"]} == {(None, "retry")}
    assert "could not be reached" in story["attempts"][0]["error"]


def test_a_name_that_does_not_resolve_is_tried_again(daemons, unique):
    shop = daemons(SOVENDUS_BASE_URL="https://no-such-host.invalid/ext")
    shop.order("o", token=unique.token())
    story = wait_for(lambda: (s := shop.story("o"))["attempts"] and s["state"] == "pending" and s,
                     seconds=30)
    assert (story["attempts"][0]["status"] or None, story["attempts"][0]["outcome"]) == (None, "retry")


def test_a_partner_without_good_tls_gets_nothing(daemons, partner, unique):
    """The sandbox speaks no TLS: nothing of the request leaves, not the token and not the key."""
    shop = daemons(SOVENDUS_BASE_URL=partner.sovendus.replace("http://", "https://"))
    shop.order("o", token=unique.token())
    wait_for(lambda: shop.story("o")["attempt_count"] >= 2)
    assert partner.requests() == []


# --- retries -------------------------------------------------------------------------------------

def test_retries_back_off(daemons, partner, unique):
    partner.set_faults("status=503 first=6")
    shop, token = daemons(BACKCHANNEL_RETRY_BASE="20ms", BACKCHANNEL_RETRY_CAP="80ms"), unique.token()
    assert shop.order("o", wait="15s", token=token).json["state"] == "delivered"
    story = shop.story("o")
    assert attempts(story) == [(503, "retry")] * 6 + [(200, "delivered")]
    assert [a["n"] for a in story["attempts"]] == list(range(1, 8))
    times = [seen["at"] for seen in handed_back(partner, token)]
    gaps = [stamp(b) - stamp(a) for a, b in zip(times, times[1:])]
    # Each wait is drawn, but never below retry.base and never above retry.cap; a busy machine adds to
    # some, and would have to add to all.
    assert min(gaps) >= 0.015 and sorted(gaps)[1] <= 0.08 + 0.5, gaps


@pytest.mark.parametrize("fault", ["status=429 retry-after=1", "status=503 retry-after=1",
                                   "status=429 retry-after=date:2s"])
def test_retry_after_is_honoured_by_the_whole_lane(daemons, partner, unique, fault):
    partner.set_faults(fault + " first=1")
    shop, first, other = daemons(), unique.token(), unique.token()
    shop.order("first", token=first)
    (told,) = wait_for(lambda: [e for e in shop.events("lane.state") if e["to"] == "throttled"], what="the pause")
    assert "Retry-After" in told["reason"]
    shop.order("other", token=other)
    shop.wait_state("first", "delivered")
    shop.wait_state("other", "delivered")
    asked, *later = [stamp(seen["at"]) for seen in partner.requests()]
    assert len(later) == 2 and all(at - asked >= 0.9 for at in later), (asked, later)
    assert shop.lane()["state"] == "open"


def test_a_retry_after_that_is_nonsense_is_an_ordinary_retry(daemons, partner, unique):
    partner.set_faults('status=503 retry-after="soon, I hope" first=1')
    shop = daemons()
    assert shop.order("o", wait="5s", token=unique.token()).json["state"] == "delivered"


def test_a_young_clicks_unknown_token_is_sent_once_more(daemons, partner, unique):
    partner.set_faults('status=422 message="Token not found." first=1')
    shop, token = daemons(), unique.token()
    click = shop.click(token=token)["click"]
    assert shop.order("o", wait="10s", click=click).json["state"] == "delivered"
    assert attempts(shop.story("o")) == [(422, "retry"), (200, "delivered")]


def test_a_young_clicks_unknown_token_is_sent_once_more_only(daemons, partner, unique):
    partner.set_tokens(unknown=["tok*"])
    shop = daemons()
    click = shop.click(token=unique.token())["click"]
    assert shop.order("o", wait="10s", click=click).json["state"] == "rejected"
    assert attempts(shop.story("o")) == [(422, "retry"), (422, "reject")]
    assert shop.lane()["state"] == "open"


def test_a_deadline_ends_the_retries(daemons, partner, unique):
    partner.set_faults("status=503")
    shop = daemons(BACKCHANNEL_RETRY_DEADLINE="300ms")
    shop.order("o", token=unique.token())
    deadline = time.time() + 0.4
    wait_for(lambda: time.time() > deadline)
    shop.stop()
    shop.settings["BACKCHANNEL_RETRY_DEADLINE"] = "1h"  # of what is asked from now on
    shop.start()
    assert shop.wait_state("o", "expired")
    posts = partner.counts()["posts"]
    partner.clear_faults()
    shop.order("new", wait="10s", token=unique.token())
    assert partner.counts()["posts"] == posts + 1


# --- answers that may be about us ----------------------------------------------------------------

SUSPECT = ["status=401", "status=403", "status=404", "status=405", "redirect", "redirect=301",
           "redirect=302", "redirect=303", "redirect=308",
           'status=422 message="External product id not found."',
           'status=404 message="External product id not found."']


@pytest.mark.parametrize("fault", SUSPECT)
def test_an_answer_that_may_be_about_us_is_tested_with_a_test_token(shop, partner, unique, fault):
    """Only this token is answered so, twice, and the test token is accepted each time: the conversion
    alone is at fault."""
    bad, good, order = unique.token(), unique.token(), unique.order()
    partner.set_faults(f"{fault} token={bad}")
    answer = shop.order(order, wait="10s", token=bad)
    assert answer.json["state"] == "rejected", answer
    assert "alone" in answer.json["reason"]
    assert [a["outcome"] for a in shop.story(order)["attempts"]] == ["suspect", "suspect"]
    assert [seen["path"].split("/")[3] for seen in partner.requests()] == [bad, TEST_TOKEN] * 2
    assert shop.lane()["state"] == "open"
    assert shop.order(unique.order(), wait="10s", token=good).json["state"] == "delivered"


@pytest.mark.parametrize("fault", SUSPECT)
def test_the_same_answer_to_the_test_token_parks_the_lane(daemons, partner, unique, fault):
    partner.set_faults(fault)
    shop, tokens = daemons(BACKCHANNEL_LANE_PROBE="1h"), [unique.token() for _ in range(3)]
    shop.order("o0", token=tokens[0])
    lane = shop.wait_lane("parked")
    assert lane["reason"] and lane["next_probe_at"]
    for i in (1, 2):
        assert shop.order(f"o{i}", token=tokens[i]).status == 202
    assert partner.counts()["posts"] <= 2
    for i in range(3):
        story = shop.story(f"o{i}")
        assert (story["state"], story["lane_state"]) == ("pending", "parked")
        assert story["lane_reason"] and story["lane_next_probe_at"]
    partner.clear_faults()
    shop.restart()
    for i in range(3):
        assert shop.wait_state(f"o{i}", "delivered")
    assert [partner.accepted(token) for token in tokens] == [1, 1, 1]


def test_redirects_are_not_followed(shop, partner, unique):
    token = unique.token()
    partner.set_faults(f"redirect to={partner.base}/redirected token={token}")
    shop.order(unique.order(), wait="10s", token=token)
    assert [seen for seen in partner.requests() if "redirected" in seen["path"]] == []


def test_a_wrong_key_parks_the_lane_within_two_requests(daemons, partner, unique):
    shop = daemons(SOVENDUS_API_KEY="a-wrong-key", BACKCHANNEL_LANE_PROBE="1h")
    for i in range(20):
        assert shop.order(f"o{i}", token=unique.token()).status == 202
    lane = shop.wait_lane("parked")
    assert "key" in lane["reason"]
    # The first, the test token, and those that were already under way beside the first.
    single = daemons(SOVENDUS_API_KEY="a-wrong-key", BACKCHANNEL_LANE_PROBE="1h")
    partner.clear_counts()
    single.order("alone", token=unique.token())
    single.wait_lane("parked")
    assert partner.counts()["posts"] + partner.counts()["test_posts"] == 2
    alarms = [e for e in shop.events("lane.state") if e["to"] == "parked"]
    assert [e["level"] for e in alarms] == ["error"]
    wait_for(lambda: {o["state"] for o in shop.get("/v1/orders").json["orders"]} == {"pending"})


def test_a_parked_lane_drains_by_itself_when_the_partner_is_well_again(daemons, partner, unique):
    partner.set_faults("status=403")
    shop, tokens = daemons(BACKCHANNEL_LANE_PROBE="100ms"), [unique.token() for _ in range(12)]
    for i, token in enumerate(tokens):
        shop.order(f"o{i}", token=token)
    shop.wait_lane("parked")
    wait_for(lambda: len(handed_back(partner, TEST_TOKEN)) >= 3, what="probes")
    partner.clear_faults()
    for i in range(12):
        shop.wait_state(f"o{i}", "delivered")
    assert [partner.accepted(token) for token in tokens] == [1] * 12
    assert shop.lane()["state"] == "open"


def test_a_parked_lane_drains_when_the_key_is_put_right(daemons, partner, unique):
    shop, token = daemons(SOVENDUS_API_KEY="old-key", BACKCHANNEL_LANE_PROBE="1h"), unique.token()
    shop.order("o", token=token)
    shop.wait_lane("parked")
    shop.stop()
    shop.settings["SOVENDUS_API_KEY"] = KEY
    shop.start()
    story = shop.wait_state("o", "delivered")
    prints = [a["key_fingerprint"] for a in story["attempts"]]
    assert prints[0] != prints[-1] and partner.accepted(token) == 1


def test_a_conversion_on_a_parked_lane_does_not_expire(daemons, partner, unique):
    partner.set_faults("status=403")
    shop = daemons(BACKCHANNEL_LANE_PROBE="200ms", BACKCHANNEL_RETRY_DEADLINE="700ms")
    shop.order("o", token=unique.token())
    shop.wait_lane("parked")
    over = time.time() + 1.6  # past its deadline, and past the first look for what has expired
    wait_for(lambda: time.time() > over)
    assert shop.story("o")["state"] == "pending"
    partner.clear_faults()
    assert shop.wait_state("o", "delivered")


def test_time_a_lane_stood_does_not_count_over_a_kill_either(daemons, partner, unique):
    partner.set_faults("status=403")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h", BACKCHANNEL_RETRY_DEADLINE="1s")
    shop.order("o", token=unique.token())
    shop.wait_lane("parked")
    shop.kill9()
    over = time.time() + 1
    wait_for(lambda: time.time() > over)
    shop.start()
    assert shop.wait_lane("parked")["reason"]
    over = time.time() + 1.6
    wait_for(lambda: time.time() > over)
    assert shop.story("o")["state"] == "pending"
    shop.kill9()
    partner.clear_faults()
    shop.start()  # the test token is tried at once, though lane.probe is an hour
    assert shop.wait_state("o", "delivered")
    assert shop.lane()["state"] == "open"


def test_one_parked_lane_leaves_the_others_alone(daemons, partner, unique):
    partner.set_products({PRODUCT: KEY, "shoe-1": "shoe-key-000"})
    shop = daemons.make(BACKCHANNEL_LANE_PROBE="1h")
    (shop.work / "backchannel.conf").write_text("[product shoes]\nid = shoe-1\nkey = wrong-key-000\n",
                                                encoding="ascii")
    shop.start()
    shop.order("bad", token=unique.token(), product="shoes")
    shop.wait_lane("parked", name="sovendus.shoes")
    assert shop.order("good", wait="5s", token=unique.token()).json["state"] == "delivered"
    assert shop.lane("sovendus.default")["state"] == "open"
    assert shop.story("bad")["state"] == "pending"


def test_a_slow_lane_does_not_slow_another(daemons, partner, unique):
    partner.set_products({PRODUCT: KEY, "slow-1": "slow-key-000"})
    shop = daemons.make(BACKCHANNEL_LANE_CONCURRENCY="4")
    (shop.work / "backchannel.conf").write_text("[product slow]\nid = slow-1\nkey = slow-key-000\n",
                                                encoding="ascii")
    shop.start()
    shop.order("proves", token=unique.token(), product="slow")
    shop.wait_state("proves", "delivered")  # before that, one leaves at a time
    partner.set_faults("hang product=slow-1")
    for i in range(20):
        shop.order(f"slow{i}", token=unique.token(), product="slow")
    wait_for(lambda: shop.lane("sovendus.slow")["in_flight"] == 4)
    for i in range(20):
        assert shop.order(f"fast{i}", wait="5s", token=unique.token()).json["state"] == "delivered"
    assert len([r for r in partner.requests() if "/slow-1/" in r["path"]]) == 1 + 4
    shop.kill9()  # a graceful stop would wait for the four


def test_forged_tokens_reject_themselves_and_the_lane_goes_on(daemons, partner, unique):
    """The attack: a stranger's landing URLs carry tokens that the partner answers with 404 or 403."""
    partner.set_faults("status=404 token=forged-a*, status=403 token=forged-b*")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    orders = []
    for i in range(10):
        orders += [(f"a{i}", f"forged-a-{i:04d}", "rejected"), (f"good{i}", unique.token(), "delivered"),
                   (f"b{i}", f"forged-b-{i:04d}", "rejected")]
    for order, token, _ in orders:
        assert shop.order(order, token=token).status == 202
    for order, _, state in orders:
        shop.wait_state(order, state)
    assert shop.lane()["state"] == "open"
    assert "parked" not in {e["to"] for e in shop.events("lane.state")}


def test_a_probe_that_tells_nothing_parks_nothing(daemons, partner, unique):
    partner.set_faults("status=403 first=1, status=503 first=1")
    shop, token = daemons(BACKCHANNEL_LANE_PROBE="1h"), unique.token()
    shop.order("o", token=token)
    story = shop.wait_state("o", "delivered")
    assert attempts(story) == [(403, "suspect"), (200, "delivered")]
    assert shop.lane()["state"] == "open"


# --- the ledger ----------------------------------------------------------------------------------

def test_an_attempt_under_way_stands_in_the_ledger_as_unknown(shop, partner, unique):
    partner.set_faults("delay=1s first=1")
    order = unique.order()
    shop.order(order, token=unique.token())
    story = shop.wait_state(order, "sending")
    assert attempts(story) in ([(None, "unknown")], [(0, "unknown")])
    assert attempts(shop.wait_state(order, "delivered")) == [(200, "delivered")]


def test_an_attempts_duration_is_measured(shop, partner, unique):
    partner.set_faults("delay=150ms first=1")
    order = unique.order()
    shop.order(order, wait="10s", token=unique.token())
    (attempt,) = shop.story(order)["attempts"]
    assert 140 <= attempt["duration_ms"] < 2000


def test_metrics_tell_of_it_all(daemons, partner, unique):
    partner.set_faults("status=503 first=1")
    shop = daemons()
    shop.order("o", wait="10s", token=unique.token())
    shop.order("none", wait="1s")
    text = shop.get("/metrics").text
    for line in ('backchannel_attempts_total{lane="sovendus.default",outcome="retry"} 1',
                 'backchannel_attempts_total{lane="sovendus.default",outcome="delivered"} 1',
                 "backchannel_attempt_duration_seconds_count 2",
                 'backchannel_lane_state{lane="sovendus.default",state="open"} 1',
                 "backchannel_store_writable 1"):
        assert line in text, line


def test_many_orders_share_the_lane_within_its_limit(daemons, partner, unique):
    partner.set_faults("delay=50ms")
    shop = daemons(BACKCHANNEL_LANE_CONCURRENCY="3")
    for i in range(30):
        shop.order(f"o{i}", token=unique.token())
    most = 0
    while {o["state"] for o in shop.get("/v1/orders").json["orders"]} != {"delivered"}:
        most = max(most, shop.lane()["in_flight"])
    assert most <= 3
    spans = [(stamp(r["at"]), stamp(r["at"]) + r["duration_ms"] / 1000) for r in partner.requests()]
    overlap = max(sum(1 for a, b in spans if a <= start < b - 0.002) for start, _ in spans)
    assert 1 <= overlap <= 3
