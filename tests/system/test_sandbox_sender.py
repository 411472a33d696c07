# SPDX-License-Identifier: MIT
"""The sandbox's sender of I/O Events, against a receiver that is not ours: the registration's
challenge, signed deliveries, retries, what goes wrong on purpose, and the key host."""
import json
import os
import pathlib
import threading
import time

import pytest

from event_receiver import Receiver, accept, answer_posts, verifies
from sandbox_client import Sandbox, wait_for


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def show(partner):
    return partner.control("GET", "/sender")


def counts(partner):
    return show(partner)["counts"]


def register(partner, receiver, **settings):
    """Sets the URL, waits until the challenge is over, forgets the challenge's request."""
    settings = {"url": receiver.url, "schedule_ms": [20], **settings}
    partner.control("PUT", "/sender", settings)
    wait_for(lambda: show(partner)["state"] != "Pending", what="the end of the challenge")
    receiver.requests[:] = [r for r in receiver.requests if r.method != "GET"]
    return show(partner)


def emit(partner, count=1):
    """So many events; the numbers of the first and the last."""
    got = partner.control("POST", "/events/emit", json.dumps({"count": count}))
    assert got["emitted"] == count
    return got["first"], got["last"]


def event_ids(partner):
    return [row["id"] for row in partner.control("GET", "/events?limit=1000")["events"]]


def settled(partner):
    """Nothing waits and nothing is under way."""
    wait_for(lambda: counts(partner)["pending"] == 0, what="the last delivery")
    return counts(partner)


# --- the registration ----------------------------------------------------------------------------

def test_a_url_that_gives_the_challenge_back_as_plain_text_is_active(partner, receiver):
    state = register(partner, receiver)
    assert (state["state"], state["reason"]) == ("Active", None)
    assert state["counts"]["challenges"] == 1 and state["counts"]["validations"] == 0


def test_a_url_that_gives_the_challenge_back_as_json_is_active(partner, receiver):
    receiver.answer = lambda request: (
        200, "application/json; charset=utf-8",
        json.dumps({"challenge": request.query["challenge"]}).encode())
    assert register(partner, receiver)["state"] == "Active"


@pytest.mark.parametrize("answer", [
    lambda r: (200, "text/plain", b"something else"),
    lambda r: (201, "text/plain", r.query["challenge"].encode()),
    lambda r: (200, "text/html", r.query["challenge"].encode()),
    lambda r: (200, None, r.query["challenge"].encode()),
    lambda r: (200, "application/json", r.query["challenge"].encode()),
    lambda r: (200, "text/plain", json.dumps({"challenge": r.query["challenge"]}).encode()),
])
def test_a_challenge_that_is_not_met_and_a_post_that_is_refused_disable_it(partner, receiver,
                                                                           answer):
    receiver.answer = lambda r: answer(r) if r.method == "GET" else (404, "text/plain", b"")
    state = register(partner, receiver)
    assert state["state"] == "Disabled"
    assert "the challenge was not met" in state["reason"] and "404" in state["reason"]
    emit(partner)
    assert counts(partner)["skipped"] == 1 and receiver.deliveries == []


def validation_urls(receiver):
    return [r.json["validationUrl"] for r in list(receiver.requests)
            if b"validationUrl" in r.body]


@pytest.mark.parametrize("validation", ["get", "post"])
def test_a_url_that_only_takes_posts_is_active_once_it_asked_for_the_validation_url(
        partner, receiver, validation):
    receiver.answer = lambda r: (200 if r.method == "POST" else 405, "text/plain", b"")
    partner.control("PUT", "/sender", {"url": receiver.url, "validation": validation})
    url = wait_for(lambda: validation_urls(receiver), what="the validation URL")[0]
    assert url.startswith(partner.base + "/csm/registrations/validate?id=")
    assert [r.method for r in receiver.requests] == (["GET", "POST"] if validation == "get"
                                                     else ["POST"])
    assert show(partner)["state"] == "Pending"
    path = url[len(partner.base):]
    assert partner.ask("GET", path[:-1] + "!")[0] == 404
    assert show(partner)["state"] == "Pending"
    assert partner.ask("GET", path)[0] == 200
    assert show(partner)["state"] == "Active"


def test_a_validation_url_that_nobody_asks_for_disables_it(partner, receiver):
    receiver.answer = lambda r: (200, "text/plain", b"")
    state = register(partner, receiver, validate_ms=30)
    assert state["state"] == "Disabled" and "in time" in state["reason"]


def test_events_that_come_during_the_challenge_go_out_after_it(partner, receiver):
    receiver.answer = lambda r: (200, "text/plain", b"")
    partner.control("PUT", "/sender", {"url": receiver.url, "validation": "post"})
    url = wait_for(lambda: validation_urls(receiver), what="the validation URL")[0]
    emit(partner, 3)
    assert counts(partner)["pending"] == 3 and receiver.deliveries == []
    partner.ask("GET", url[len(partner.base):])
    assert settled(partner)["acknowledged"] == 3


def test_it_becomes_unstable_and_disabled_and_active_again_when_it_is_set_anew(partner, receiver):
    receiver.answer = answer_posts(503)
    register(partner, receiver, schedule_ms=[1])
    emit(partner)
    wait_for(lambda: show(partner)["state"] == "Unstable", what="an unstable registration")
    assert counts(partner)["attempts"] >= 10
    partner.control("PUT", "/sender", {"grace_ms": 0})
    wait_for(lambda: show(partner)["state"] == "Disabled", what="its end")
    assert counts(partner)["disabled"] == 1 and counts(partner)["pending"] == 0
    receiver.answer = accept
    register(partner, receiver)
    emit(partner)
    assert settled(partner)["acknowledged"] == 1 and show(partner)["state"] == "Active"


def test_an_unstable_registration_recovers_when_deliveries_succeed(partner, receiver):
    receiver.answer = answer_posts(*[503] * 10, 200)
    register(partner, receiver, schedule_ms=[1])
    emit(partner)
    wait_for(lambda: show(partner)["state"] == "Unstable", what="an unstable registration")
    emit(partner, 5)
    settled(partner)
    assert show(partner)["state"] == "Active"


def test_a_setting_that_does_not_fit_changes_nothing(partner, receiver):
    register(partner, receiver)
    before = show(partner)["settings"]
    for bad in ({"batch": 1}, {"keys": "good"}, {"schedule_ms": []}, {"schedule_ms": [0]},
                {"url": "http://example.com/"}, {"url": "ftp://127.0.0.1/"}, {"duplicates": -1},
                {"key_path": "/a\r\nb: c"}, {"unknown": 1}):
        status, _, text = partner.ask("PUT", "/_sandbox/sender",
                                      json.dumps({"reorder": True, **bad}).encode())
        assert status == 400 and b"hint" in text, bad
    assert show(partner)["settings"] == before


# --- deliveries ----------------------------------------------------------------------------------

def test_a_delivery_is_the_events_bytes_with_adobes_headers(partner, receiver):
    register(partner, receiver, client_id="client-of-the-test")
    emit(partner)
    settled(partner)
    (request,) = receiver.deliveries
    (row,) = partner.control("GET", "/events")["events"]
    assert request.json == row["event"]
    assert request.json["recipientclientid"] == "client-of-the-test"
    headers = request.headers
    assert headers["x-adobe-event-id"] == row["id"]
    assert headers["x-adobe-event-code"] == row["event"]["type"]
    assert headers["x-adobe-provider"] == row["event"]["source"].removeprefix("urn:uuid:")
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "Adobe/1.0"
    assert "x-adobe-retry-count" not in headers
    assert {"x-request-id", "x-adobe-delivery-id", "x-adobe-signature"} <= set(headers)
    (attempt,) = show(partner)["attempts"]
    assert attempt["status"] == 200 and attempt["event_id"] == row["id"]
    assert attempt["delivery_id"] == headers["x-adobe-delivery-id"]


def signatures(partner, request):
    """Which of its two signatures hold, by the keys that its paths lead to."""
    held = []
    for i in ("1", "2"):
        status, _, pem = partner.ask("GET", request.headers[f"x-adobe-public-key{i}-path"])
        assert status == 200
        held.append(verifies(pem.decode(), request.headers[f"x-adobe-digital-signature-{i}"],
                             request.body))
    return held


@pytest.mark.parametrize("keys, held", [("ok", [True, True]), ("second-only", [False, True]),
                                        ("wrong", [False, False])])
def test_both_signatures_or_one_or_none_hold_for_the_raw_body(partner, receiver, keys, held):
    register(partner, receiver, keys=keys)
    emit(partner)
    settled(partner)
    (request,) = receiver.deliveries
    assert signatures(partner, request) == held
    pems = [key["pem"] for key in show(partner)["keys"]]
    assert not verifies(pems[1], request.headers["x-adobe-digital-signature-1"], request.body)
    assert not verifies(pems[0], request.headers["x-adobe-digital-signature-1"],
                        request.body + b" ")


def test_signatures_can_be_missing_and_key_paths_forged(partner, receiver):
    register(partner, receiver, keys="missing")
    emit(partner)
    settled(partner)
    assert not any("digital" in name or "key" in name for name in receiver.deliveries[0].headers)
    partner.control("PUT", "/sender", {"keys": "ok", "key_path": "@evil.example/x.pem"})
    emit(partner)
    settled(partner)
    headers = receiver.deliveries[1].headers
    assert headers["x-adobe-public-key1-path"] == "@evil.example/x.pem"
    assert headers["x-adobe-public-key2-path"] == "@evil.example/x.pem"


def test_a_failure_is_retried_on_the_schedule_with_the_same_event_id(partner, receiver):
    schedule = [40, 80, 160]
    receiver.answer = answer_posts(503, 500, 429, 503, 200)
    register(partner, receiver, schedule_ms=schedule)
    emit(partner)
    total = settled(partner)
    got = receiver.deliveries
    assert [r.headers.get("x-adobe-retry-count") for r in got] == [None, "1", "2", "3", "4"]
    assert len({r.headers["x-adobe-event-id"] for r in got}) == 1
    assert len({r.headers["x-adobe-delivery-id"] for r in got}) == 5
    assert len({r.headers["x-request-id"] for r in got}) == 5
    assert len({r.body for r in got}) == 1
    for i, wait_ms in enumerate(schedule + schedule[-1:]):  # the last one again
        assert (got[i + 1].at - got[i].at) * 1000 >= wait_ms - 2, i
    assert total["acknowledged"] == 1 and total["retries"] == 4
    assert total["answers"] == {"200": 1, "429": 1, "500": 1, "503": 2}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 301, 505])
def test_another_status_drops_the_delivery_for_good(partner, receiver, status):
    receiver.answer = answer_posts(status)
    register(partner, receiver, schedule_ms=[1])
    emit(partner)
    total = settled(partner)
    assert total["dropped"] == {str(status): 1} and total["acknowledged"] == 0
    assert len(receiver.deliveries) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_retried(partner, receiver, status):
    receiver.answer = answer_posts(status, 200)
    register(partner, receiver, schedule_ms=[1])
    emit(partner)
    assert settled(partner)["answers"] == {str(status): 1, "200": 1}


def test_no_answer_in_time_and_no_listener_are_retried_with_adobes_numbers(partner, receiver):
    def slow(request):
        if request.method == "POST":
            deadline = time.monotonic() + 5
            wait_for(lambda: counts(partner)["attempts"] > 0 or time.monotonic() > deadline)
        return accept(request)

    receiver.answer, receiver.keep_alive = slow, False
    register(partner, receiver)
    partner.control("PUT", "/sender", {"timeout_ms": 200})
    emit(partner)
    total = settled(partner)
    assert total["answers"]["200"] == 1 and total["answers"]["604"] >= 1
    assert show(partner)["attempts"][0]["duration_ms"] >= 195
    receiver.stop()
    emit(partner)
    wait_for(lambda: counts(partner)["answers"].get("602"), what="a refused connection")
    assert counts(partner)["pending"] == 1


def test_a_delivery_is_given_up_at_last(partner, receiver):
    receiver.answer = answer_posts(503)
    register(partner, receiver, schedule_ms=[20], give_up_ms=100)
    emit(partner)
    total = settled(partner)
    assert total["expired"] == 1 and 2 <= total["attempts"] <= 6


def test_duplicates_are_deliveries_of_their_own_of_the_same_event(partner, receiver):
    register(partner, receiver, duplicates=2)
    emit(partner, 2)
    total = settled(partner)
    assert (total["events"], total["deliveries"], total["acknowledged"]) == (2, 6, 6)
    got = [r.headers["x-adobe-event-id"] for r in receiver.deliveries]
    assert sorted(got) == sorted(event_ids(partner) * 3)
    assert len({r.headers["x-adobe-delivery-id"] for r in receiver.deliveries}) == 6


def test_a_batch_is_an_array_of_up_to_twenty_signed_as_a_whole_and_retried_as_a_whole(partner,
                                                                                      receiver):
    receiver.answer = answer_posts(503, 200)
    register(partner, receiver, batch=True, concurrency=1)
    emit(partner, 45)
    total = settled(partner)
    got = receiver.deliveries
    assert sorted(len(r.json) for r in got) == [5, 20, 20, 20]
    assert total["acknowledged"] == 45 and total["attempts"] == 4
    first = got[0]
    (again,) = [r for r in got[1:] if r.body == first.body]
    assert again.headers["x-adobe-retry-count"] == "1"
    assert "x-adobe-event-id" not in first.headers
    assert signatures(partner, first) == [True, True]
    seen = [event["eventid"] for r in got[1:] for event in r.json]
    assert sorted(seen) == sorted(event_ids(partner))


def test_reordered_deliveries_come_all_in_another_order_that_is_the_same_on_every_run(partner,
                                                                                      receiver):
    orders = []
    for _ in range(2):
        partner.reset()
        receiver.clear()
        register(partner, receiver, reorder=True, concurrency=1)
        emit(partner, 20)
        settled(partner)
        ids = event_ids(partner)
        orders.append([ids.index(r.headers["x-adobe-event-id"]) for r in receiver.deliveries])
    assert sorted(orders[0]) == list(range(20)) and orders[0] != sorted(orders[0])
    assert orders[0] == orders[1]


def test_without_reordering_and_one_at_a_time_they_come_in_order(partner, receiver):
    register(partner, receiver, concurrency=1)
    emit(partner, 20)
    settled(partner)
    assert [r.headers["x-adobe-event-id"] for r in receiver.deliveries] == event_ids(partner)


# --- bounds --------------------------------------------------------------------------------------

def test_what_there_is_no_room_for_is_dropped_and_counted(partner, receiver):
    receiver.answer = answer_posts(503)
    register(partner, receiver, schedule_ms=[60000], queue_bytes=20000)
    emit(partner, 100)
    total = counts(partner)
    assert total["events"] + total["overflow"] == 100 and 1 <= total["events"] < 100
    assert total["queued_bytes"] <= 20000


def resident_bytes(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_hundred_thousand_events_that_nobody_takes_stay_within_their_bound(partner, receiver):
    receiver.answer = answer_posts(503)
    register(partner, receiver, schedule_ms=[60000])
    emit(partner, 100000)
    total = counts(partner)
    assert total["events"] + total["overflow"] == 100000
    assert total["queued_bytes"] <= 256 * 1024 * 1024
    assert total["queued_bytes"] > 50 * 1024 * 1024
    assert resident_bytes(partner.process.pid) < 900 * 1024 * 1024
    partner.control("DELETE", "/sender")
    assert counts(partner)["queued_bytes"] == 0 and show(partner)["state"] == "None"


def test_it_ends_cleanly_while_deliveries_are_under_way(receiver):
    release = threading.Event()

    def hold(request):
        if request.method == "POST":
            release.wait(10)
        return accept(request)

    receiver.answer = hold
    with Sandbox() as sandbox:
        register(sandbox, receiver)
        emit(sandbox, 50)
        wait_for(lambda: receiver.deliveries, what="the first delivery")
        assert sandbox.stop() == 0
    release.set()


def test_a_reset_ends_what_is_under_way(partner, receiver):
    register(partner, receiver)
    receiver.answer = answer_posts(503)
    emit(partner, 50)
    partner.reset()
    state = show(partner)
    assert state["state"] == "None" and state["attempts"] == []
    assert state["counts"]["pending"] == 0 and state["counts"]["queued_bytes"] == 0
    assert state["settings"]["url"] is None and state["settings"]["schedule_ms"][0] == 60000


# --- the key host --------------------------------------------------------------------------------

def key_paths(partner):
    return [key["path"] for key in show(partner)["keys"]]


def test_keys_are_given_out_and_every_fetch_is_counted(partner, receiver):
    register(partner, receiver)
    first, second = key_paths(partner)
    assert partner.ask("GET", first)[2].decode() == show(partner)["keys"][0]["pem"]
    partner.ask("GET", second)
    partner.ask("GET", second)
    assert [key["fetches"] for key in show(partner)["keys"]] == [1, 2]
    assert counts(partner)["strange_fetches"] == 0


@pytest.mark.parametrize("path", [
    "/prod/keys/pub-key-00000000-0000-4000-8000-000000000000.pem", "/prod/keys/", "/prod/keys/a/b",
    "/.evil.example/x.pem", "/prod/keys/..%2fx.pem",
])
def test_a_key_that_is_none_is_404_and_counted(partner, path):
    before = counts(partner)["strange_fetches"]
    assert partner.ask("GET", path)[0] == 404
    assert counts(partner)["strange_fetches"] == before + 1


def test_the_key_host_can_be_down_and_slow_and_give_garbage(partner, receiver):
    register(partner, receiver, key_host="down")
    path = key_paths(partner)[0]
    assert partner.ask("GET", path)[0] == 503
    partner.control("PUT", "/sender", {"key_host": "garbage"})
    status, _, text = partner.ask("GET", path)
    assert status == 200 and text.decode() != show(partner)["keys"][0]["pem"]
    partner.control("PUT", "/sender", {"key_host": "slow", "slow_ms": 150})
    began = time.monotonic()
    assert partner.ask("GET", path)[2].decode() == show(partner)["keys"][0]["pem"]
    assert time.monotonic() - began >= 0.149
    assert show(partner)["keys"][0]["fetches"] == 3


def test_new_keys_stand_at_new_paths_and_sign_from_then_on(partner, receiver):
    register(partner, receiver)
    old = key_paths(partner)
    partner.control("POST", "/sender/rotate")
    assert not set(old) & set(key_paths(partner))
    assert partner.ask("GET", old[0])[0] == 404
    emit(partner)
    settled(partner)
    assert signatures(partner, receiver.deliveries[0]) == [True, True]


def test_a_fault_of_the_sandbox_strikes_the_key_host_too(partner, receiver):
    register(partner, receiver)
    partner.set_faults("GET /prod/keys/* status=502 times=1")
    assert [partner.ask("GET", key_paths(partner)[0])[0] for _ in range(2)] == [502, 200]
