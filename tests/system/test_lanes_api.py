# SPDX-License-Identifier: MIT
"""What the operator may do to a lane, over the API and on the command line: pause, resume, probe;
and that `lanes` and `explain` say of each state why it is so and what comes next."""
import re

import pytest

import wire
from sandbox_client import wait_for

LANE = "/v1/lanes/sovendus.default"
DONE, FAILED, USAGE, REFUSED, UNREACHABLE = range(5)


def begun(shop):
    """Takes commands: it has read how its lanes stood."""
    wait_for(lambda: shop.post(LANE + "/resume").status != 503, what="the lanes to be read")
    return shop


@pytest.fixture
def parked(daemons, partner, unique):
    """A shop whose lane is parked with one order waiting, and probes by itself once an hour."""
    partner.set_faults("status=403")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    shop.order("waits", token=unique.token())
    shop.wait_lane("parked")
    return shop


# --- pause and resume ----------------------------------------------------------------------------

def test_a_paused_lane_keeps_accepting_and_drains_after_resume(daemons, partner, unique):
    shop = begun(daemons())
    answer = shop.post(LANE + "/pause")
    assert (answer.status, answer.json["state"], answer.json["name"]) == (200, "paused", "sovendus.default")
    assert "operator" in answer.json["reason"] and "probe" not in answer.json
    tokens = [unique.token() for _ in range(20)]
    for i, token in enumerate(tokens):
        assert shop.order(f"o{i}", token=token).status == 202
    assert shop.lane()["pending"] == 20
    assert shop.order("o0", wait="300ms").json["state"] == "pending"
    assert partner.requests() == []
    answer = shop.post(LANE + "/resume")
    assert (answer.status, answer.json["state"]) == (200, "open")
    for i, token in enumerate(tokens):
        shop.wait_state(f"o{i}", "delivered")
        assert partner.accepted(token) == 1


def test_a_pause_lasts_over_a_restart_and_costs_no_deadline(daemons, partner, unique):
    shop = begun(daemons(BACKCHANNEL_RETRY_DEADLINE="1s"))
    assert shop.post(LANE + "/pause").status == 200
    shop.order("o", token=unique.token())
    before = shop.lane()["since"]
    shop.kill9()
    shop.start()
    lane = shop.wait_lane("paused")
    assert lane["since"] == before and lane["pending"] == 1
    assert shop.order("o", wait="1s").json["state"] == "pending", "its time does not run"
    assert partner.requests() == []
    assert begun(shop).lane()["state"] == "open"  # its resume
    assert shop.wait_state("o", "delivered")


def test_a_pause_of_one_lane_leaves_the_other_alone(daemons, partner, unique):
    partner.set_products({"shoe-1": "shoe-key-000"})
    shop = daemons.make()
    (shop.work / "backchannel.conf").write_text("[product shoes]\nid = shoe-1\nkey = shoe-key-000\n",
                                                encoding="ascii")
    begun(shop.start())
    assert shop.post(LANE + "/pause").status == 200
    shop.order("held", token=unique.token())
    assert shop.order("goes", wait="10s", token=unique.token(),
                      product="shoes").json["state"] == "delivered"
    assert shop.story("held")["state"] == "pending"
    listed = {lane["name"]: lane["state"] for lane in shop.get("/v1/lanes").json["lanes"]}
    assert listed == {"sovendus.default": "paused", "sovendus.shoes": "open"}


# --- probe ---------------------------------------------------------------------------------------

def test_a_probe_of_a_parked_lane_tells_what_the_partner_says(parked, partner):
    answer = parked.post(LANE + "/probe")
    assert (answer.status, answer.json["state"]) == (200, "parked")
    probe = answer.json["probe"]
    assert set(probe) == {"status", "outcome", "meaning", "hint", "duration_ms"}
    assert (probe["status"], probe["outcome"]) == (403, "suspect")
    assert "key" in probe["meaning"] and "SOVENDUS_API_KEY" in probe["hint"]
    assert answer.json["next_probe_at"] and answer.json["pending"] == 1
    partner.clear_faults()
    probe = parked.post(LANE + "/probe").json["probe"]
    assert (probe["status"], probe["outcome"]) == (200, "delivered")
    assert parked.wait_state("waits", "delivered")
    assert parked.wait_lane("open")


def test_a_probe_that_hangs_does_not_hold_up_the_end(daemons, partner):
    partner.set_faults("hang")
    shop = begun(daemons())
    body = b"POST /v1/lanes/sovendus.default/probe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    with wire.Peer(shop.address) as peer:
        peer.send(body)
        wait_for(lambda: partner.requests(), what="the test token")
        assert shop.stop(seconds=13) == 0
        (answer,) = peer.read().answers()
    assert (answer.status, answer.problem) == (503, "busy")


# --- what is refused -----------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["sovendus.none", "none", "sovendus%2Fdefault", "x" * 400, "%ff", "."])
@pytest.mark.parametrize("action", ["pause", "resume", "probe"])
def test_an_unknown_lane_is_not_found(shop, name, action):
    begun(shop)
    answer = shop.post(f"/v1/lanes/{name}/{action}")
    assert (answer.status, answer.problem) == (404, "not-found")
    assert "lanes" in answer.json["detail"]


def test_what_its_state_does_not_allow_is_a_conflict_that_says_what_does(parked):
    answer = parked.post(LANE + "/resume")
    assert (answer.status, answer.problem) == (409, "conflict")
    assert "parked" in answer.json["detail"] and "probe" in answer.json["detail"]


def test_a_lanes_name_is_percent_decoded(shop):
    begun(shop)
    assert shop.post("/v1/lanes/%73ovendus%2Edefault/pause").json["state"] == "paused"
    assert shop.post(LANE + "/resume").json["state"] == "open"


# --- the command line ----------------------------------------------------------------------------

def test_lanes_are_paused_and_resumed_by_hand(daemons, unique):
    shop = begun(daemons())
    got = shop.cli("lanes", "pause", "sovendus.default")
    assert got.code == DONE and re.match(r"sovendus\.default +paused ", got.out), got
    shop.order("o", token=unique.token())
    listed = shop.cli("lanes").out
    for words in ("paused", "1 pending", "by the operator", "backchannel lanes resume sovendus.default"):
        assert words in listed, listed
    got = shop.cli("lanes", "resume", "sovendus.default", "--json")
    assert got.code == DONE and got.json["state"] == "open"
    again = shop.cli("lanes", "resume", "sovendus.default")
    assert again.code == REFUSED and "not paused" in again.err and again.out == ""


def test_a_probe_by_hand_exits_as_the_partner_answers(parked, partner):
    for words in ("parked", "API key", "test token is tried", "backchannel lanes probe sovendus.default"):
        assert words in parked.cli("lanes").out
    got = parked.cli("lanes", "probe", "sovendus.default")
    assert got.code == REFUSED and "403" in got.out and "SOVENDUS_API_KEY" in got.out, got
    partner.set_faults("close")
    got = parked.cli("lanes", "probe", "sovendus.default")
    assert got.code == UNREACHABLE and "no answer" in got.out, got
    partner.clear_faults()
    got = parked.cli("lanes", "probe", "sovendus.default", "--json")
    assert got.code == DONE and got.json["probe"]["outcome"] == "delivered"
    parked.wait_lane("open")


def test_a_lanes_command_needs_a_running_daemon_and_says_so(daemons):
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9")
    for action in ("pause", "resume", "probe"):
        got = shop.cli("lanes", action, "sovendus.default")
        assert got.code == UNREACHABLE and got.out == ""
        assert "no daemon answers at http://127.0.0.1:9" in got.err and "backchannel serve" in got.err
    listed = shop.cli("lanes")
    assert listed.code == DONE and "no daemon runs" in listed.out


@pytest.mark.parametrize("arguments", [["pause"], ["resume"], ["probe"], ["stop", "sovendus.default"],
                                       ["pause", "a.b", "c.d"], ["sovendus.default"]])
def test_a_lanes_command_that_is_none_is_wrong_usage(daemons, arguments):
    got = daemons.make().cli("lanes", *arguments)
    assert got.code == USAGE and "lanes --help" in got.err


def test_an_unknown_lane_is_refused_by_hand_too(shop):
    begun(shop)
    got = shop.cli("lanes", "pause", "sovendus.n\u00f6 lane/?")
    assert got.code == REFUSED and "backchannel lanes names them" in got.err, got


# --- explain -------------------------------------------------------------------------------------

def test_explain_tells_of_a_paused_lane_and_what_helps(daemons, unique):
    shop = begun(daemons())
    shop.post(LANE + "/pause")
    shop.order("o", token=unique.token())
    told = shop.cli("explain", "o").out
    for words in ("(paused)", "paused by the operator", "Nothing is lost", "its time does not run",
                  "backchannel lanes resume sovendus.default"):
        assert words in told, told
    support = shop.cli("explain", "o", "--support").out
    assert "Lane:            sovendus.default (paused: " in support
    assert "none until the lane is resumed" in support
    assert shop.story("o")["lane_since"]


def test_explain_tells_of_a_broken_lane_and_when_it_is_tried(daemons, partner, unique):
    shop = daemons(BACKCHANNEL_RETRY_BASE="2s", BACKCHANNEL_RETRY_CAP="1h", BACKCHANNEL_LANE_PROBE="1h")
    shop.order("first", wait="10s", token=unique.token())
    partner.set_faults("status=503")
    for i in range(30):
        shop.order(f"o{i}", token=unique.token())
    lane = shop.wait_lane("broken")
    assert lane["reason"]
    # What was beside the one that broke it comes back first; the two numbers are of two moments.
    wait_for(lambda: (lane := shop.lane())["pending"] + lane["in_flight"] == 30, what="all to wait")
    told = wait_for(lambda: (got := shop.cli("explain", "o29").out) and "waits" in got and got)
    for words in ("(broken)", "is broken: half of", "One order is tried", "goes out by itself",
                  "It is given up in"):
        assert words in told, told
    assert "one order is tried" in shop.cli("lanes").out
    partner.clear_faults()
    assert shop.cli("lanes", "probe", "sovendus.default").code == DONE
    for i in range(30):
        assert shop.post(f"/v1/orders/o{i}/retry").status in (200, 409)
        shop.wait_state(f"o{i}", "delivered")


def test_explain_tells_of_a_throttled_lane_and_until_when(daemons, partner, unique):
    partner.set_faults("status=429 retry-after=600")
    shop = daemons()
    shop.order("o", token=unique.token())
    lane = shop.wait_lane("throttled")
    assert lane["next_probe_at"]
    told = wait_for(lambda: (got := shop.cli("explain", "o").out) and "throttled" in got and got)
    for words in ("(throttled)", "Retry-After", "It goes on in", "It is given up"):
        assert words in told, told
    assert "goes on by itself at" in shop.cli("lanes").out
    assert "Next request:    the lane's at 2" in shop.cli("explain", "o", "--support").out


def test_every_attempt_is_told_with_the_key_that_it_used(daemons, partner, unique):
    partner.set_faults("status=503 first=1")
    shop = daemons()
    shop.order("o", wait="10s", token=unique.token())
    keys = {attempt["key_fingerprint"] for attempt in shop.story("o")["attempts"]}
    assert len(keys) == 1
    (key,) = keys
    for got in (shop.cli("explain", "o"), shop.cli("explain", "o", "--support")):
        assert got.out.count(f"(key {key})") == 2, got
