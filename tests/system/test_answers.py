# SPDX-License-Identifier: MIT
"""Every answer that the partner is known to give, times every way in which an answer can go wrong
on the wire, times what comes after it: the attempt is judged as the documents say, and the
conversion ends where nothing is forgotten: delivered, rejected with a reason, or waiting with a
time at which it goes on. Then the partner is well again, and in the end everything is delivered.

What is expected stands in ROWS and end(), by the partner's documents and not by the program's own
table. Each case has a product, and so a lane, of its own.
"""
import collections

import pytest

import wire
from daemon import note
from scripted_partner import NOTHING, SHAPES, STATUS, WHOLE, Reply, ScriptedPartner
from sandbox_client import wait_for

TEST_TOKEN = "12345-test-123-12345"
TIMEOUT_MS = 3000
PRODUCTS_A_DAEMON = 180  # of 256 that the settings allow


def said(text):
    return f'{{"message":"{text}"}}'


UNAUTHORIZED = said("This API call is unauthorized. Please contact your account manager.")
NO_CALL = said("Invalid API call.")
NO_TOKEN = said("Token not found.")
NO_PRODUCT = said("External product id not found.")

# whole: what an answer that came whole says. again: the same at the second attempt, where it differs.
# status: what its status alone says, which is all that is left of it when the body broke off.
Row = collections.namedtuple("Row", "name code body whole status again headers young")


def row(name, code, body, whole, status=None, again=None, headers=(), young=False):
    return Row(name, code, body, whole, status or whole, again or whole, headers, young)


ROWS = [
    row("200 echo", 200, None, "delivered"),  # the body is the documented echo
    row("200 another's echo", 200, '{"externalProductId":"x","sovReqToken":"y"}', "delivered"),
    row("200 page", 200, "<!doctype html><title>Welcome</title>", "delivered"),
    row("200 empty", 200, "", "delivered"),
    row("201", 201, "{}", "delivered"),
    # It has no body to break off: nobody is to reuse the connection on which one was meant to.
    row("204", 204, "", "delivered", headers=("Connection: close",)),
    row("301", 301, "moved", "suspect", headers=("Location: http://127.0.0.1:9/",)),
    row("302", 302, "moved", "suspect", headers=("Location: /elsewhere",)),
    row("307", 307, "moved", "suspect", headers=("Location: /elsewhere",)),
    row("400", 400, said("Bad request."), "reject"),
    row("401", 401, said("Who are you?"), "suspect"),
    row("403 key", 403, UNAUTHORIZED, "suspect"),
    row("403 page of a firewall", 403, "<h1>Forbidden</h1>", "suspect"),
    row("404 path", 404, NO_CALL, "suspect"),
    row("405 method", 405, NO_CALL, "suspect"),
    row("408", 408, said("Too slow."), "retry"),
    row("410", 410, said("Gone."), "reject"),
    row("418", 418, "short and stout", "reject"),
    row("422 form", 422, said("Invalid API parameters."), "reject"),
    # Without its words a 422 is any 422: it rejects the one, and a replay brings it back.
    row("422 product", 422, NO_PRODUCT, "suspect", status="reject"),
    row("422 token", 422, NO_TOKEN, "reject"),
    row("422 token, young click", 422, NO_TOKEN, "retry", status="reject", again="reject", young=True),
    row("422 something new", 422, said("Something new."), "reject"),
    row("422 empty", 422, "", "reject"),
    row("429", 429, said("Too many."), "retry"),
    row("429 Retry-After", 429, said("Too many."), "retry", headers=("Retry-After: 1",)),
    row("500", 500, said("Internal error."), "retry"),
    row("502 page", 502, "<h1>Bad Gateway</h1>", "retry"),
    row("503", 503, "down", "retry"),
    row("503 Retry-After", 503, "down", "retry", headers=("Retry-After: 1",)),
    row("504", 504, "", "retry"),
]

# What comes after the first request. Each: does the trouble on the wire stay, is a test token taken.
Sequel = collections.namedtuple("Sequel", "stays test_token_taken")
SEQUELS = {
    "trouble once, a test token is taken": Sequel(False, True),
    "trouble once, a test token gets the same answer": Sequel(False, False),
    "trouble for ever, for a test token too": Sequel(True, False),
}

Case = collections.namedtuple("Case", "number name product order token row shape")


def first_outcome(case):
    return {WHOLE: case.row.whole, STATUS: case.row.status, NOTHING: "unknown"}[SHAPES[case.shape][1]]


def next_outcome(case, sequel):
    """Of a second attempt, when the first one led to it."""
    if not sequel.stays:
        return case.row.again
    return {WHOLE: case.row.again, STATUS: case.row.status, NOTHING: "unknown"}[SHAPES[case.shape][1]]


def end(case, sequel):
    """(state of the conversion, state of the lane) before the partner is well again."""
    outcome = first_outcome(case)
    if outcome in ("retry", "unknown"):
        outcome = next_outcome(case, sequel)
    return {"delivered": ("delivered", {"open"}),
            "reject": ("rejected", {"open"}),
            "retry": ("pending", {"open", "throttled"}),
            "unknown": ("pending", {"open"}),
            "suspect": ("rejected", {"open"}) if sequel.test_token_taken else ("pending", {"parked"}),
            }[outcome]


def cases_of(rows, shapes):
    pairs = [(one, shape) for one in rows for shape in shapes]
    return [Case(n, f"{one.name} / {shape}", f"p{n:03d}", f"o{n:03d}", f"tok{n:03d}-abcd-123-answers",
                 one, shape)
            for n, (one, shape) in enumerate(pairs)]


class Script:
    """What the partner does in a case, until it is well."""

    def __init__(self, cases, sequel):
        self.cases = {case.product: case for case in cases}
        self.sequel = sequel
        self.well = False

    def reply(self, case, token):
        body = case.row.body
        if body is None:
            body = f'{{"externalProductId":"{case.product}","sovReqToken":"{token}"}}'
        return Reply(case.row.code, body, case.row.headers)

    def __call__(self, product, token, n):
        case = self.cases[product]
        good = Reply(200, f'{{"externalProductId":"{product}","sovReqToken":"{token}"}}')
        if self.well or (token == TEST_TOKEN and self.sequel.test_token_taken):
            return good, "plain"
        trouble = self.sequel.stays or (n == 1 and token != TEST_TOKEN)
        return self.reply(case, token), case.shape if trouble else "plain"


class Shops:
    """As many daemons as the products need, behind one partner."""

    def __init__(self, daemons, cases, partner):
        self.shop_of = {}
        for at in range(0, len(cases), PRODUCTS_A_DAEMON):
            part = cases[at:at + PRODUCTS_A_DAEMON]
            shop = self._make(daemons, part, partner)
            self.shop_of.update({case: shop for case in part})
        self.shops = list(dict.fromkeys(self.shop_of.values()))
        self.conns = {shop: wire.connection(shop.address) for shop in self.shops}

    @staticmethod
    def _make(daemons, cases, partner):
        shop = daemons.make(partner=partner, BACKCHANNEL_DELIVERY_TIMEOUT=f"{TIMEOUT_MS}ms",
                            BACKCHANNEL_RETRY_BASE="500ms", BACKCHANNEL_RETRY_CAP="1s",
                            BACKCHANNEL_LANE_PROBE="500ms", BACKCHANNEL_LOG="info,json",
                            SOVENDUS_PRODUCT_ID=None, SOVENDUS_API_KEY=None)
        lines = [f"[product {case.product}]\nid = {case.product}\nkey = key-{case.product}-000\n"
                 for case in cases]
        (shop.work / "backchannel.conf").write_text("".join(lines), encoding="ascii")
        return shop.start()

    def ask(self, case, method, path, body=None):
        return wire.send(self.conns[self.shop_of[case]], method, path, body)

    def report(self, case):
        fields = {"order": case.order, "token": case.token, "product": case.product}
        if case.row.young:
            click = self.ask(case, "POST", "/v1/clicks", {"token": case.token, "product": case.product})
            fields = {"order": case.order, "click": click.json["click"]}
        answer = self.ask(case, "POST", "/v1/orders", fields)
        assert (answer.status, answer.json["state"]) == (202, "pending"), (case.name, answer)

    def lanes(self):
        """By product."""
        return {lane["name"].partition(".")[2]: lane
                for shop in self.shops for lane in shop.get("/v1/lanes").json["lanes"]}

    def story(self, case):
        return self.ask(case, "GET", f"/v1/orders/{case.order}").json

    def stories(self, cases, is_there, seconds, what):
        """Waits until is_there(case, story) for each of them; the stories."""
        found = {}

        def all_there():
            for case in cases:
                if case not in found:
                    story = self.story(case)
                    if is_there(case, story):
                        found[case] = story
            return len(found) == len(cases)
        try:
            wait_for(all_there, seconds, what)
        except AssertionError as late:
            missing = [(case.name, self.story(case)) for case in cases if case not in found]
            raise AssertionError(f"{late}: {len(missing)} of {len(cases)}: {missing[:5]}") from None
        return found


def outcomes(story):
    return [(a["status"] or None, a["outcome"]) for a in story["attempts"]]


def finished(story):
    return story["state"] != "sending" and story["attempts"]


def what_is_wrong(case, story, lane, sequel):
    """Of a case before the partner is well: words, or None."""
    state, lane_states = end(case, sequel)
    outcome = first_outcome(case)
    first = (None if outcome == "unknown" else case.row.code, outcome)
    stands = "parked" in lane_states
    checks = [
        (outcomes(story)[0] == first, f"its first attempt is {outcomes(story)[0]}, not {first}"),
        (story["state"] == state, f"it is {story['state']}, not {state}"),
        (lane["state"] in lane_states, f"its lane is {lane['state']}, not {lane_states}"),
        (state != "rejected" or story.get("reason"), "it is rejected without a reason"),
        (not stands or (lane["reason"] and lane["next_probe_at"]), "its lane stands without an end"),
        (state != "pending" or stands or story.get("next_attempt_at"), "it waits without an end"),
    ]
    return "; ".join(words for holds, words in checks if not holds) or None


def is_at_its_end(case, story, sequel):
    """Where what waits for ever shows: it was tried again, or its lane stands."""
    state, lane_states = end(case, sequel)
    if not finished(story) or story["state"] != state:
        return False
    if "parked" in lane_states:
        return story.get("lane_state") == "parked"
    return state != "pending" or story["attempt_count"] >= 2


def everything_is_delivered_in_the_end(shops, cases, script):
    script.well = True
    for case in cases:
        if shops.story(case)["state"] == "rejected":
            assert shops.ask(case, "POST", f"/v1/orders/{case.order}/retry").status in (200, 202)
    return shops.stories(cases, lambda _, story: story["state"] == "delivered", 25,
                         "what was put off or rejected to be delivered")


def untold(cases, stories, partner):
    """The cases in which the partner saw more requests than the ledger tells of."""
    return [(case.name, partner.seen[case.product, case.token], stories[case]["attempts"])
            for case in cases
            if partner.seen[case.product, case.token] > stories[case]["attempt_count"]]


@pytest.mark.parametrize("sequel", SEQUELS)
def test_no_answer_in_any_shape_makes_it_forget(daemons, capsys, sequel):
    cases, rules = cases_of(ROWS, SHAPES), SEQUELS[sequel]
    script = Script(cases, rules)
    with ScriptedPartner(script, TIMEOUT_MS / 1000) as partner:
        shops = Shops(daemons, cases, partner)
        for case in cases:
            shops.report(case)
        stories = shops.stories(cases, lambda case, story: is_at_its_end(case, story, rules), 90,
                                "the cases to come to their ends")
        lanes = shops.lanes()
        wrong = {case.name: what_is_wrong(case, stories[case], lanes[case.product], rules)
                 for case in cases}
        assert {name: words for name, words in wrong.items() if words} == {}
        assert len(wrong) == len(ROWS) * len(SHAPES)
        stories = everything_is_delivered_in_the_end(shops, cases, script)
        assert untold(cases, stories, partner) == []
        assert [outcomes(story)[-1] for story in stories.values()
                if outcomes(story)[-1][1] != "delivered"] == []
        assert partner.errors == []
    with capsys.disabled():
        note(f"answers: {len(ROWS)} answers in {len(SHAPES)} shapes, {sequel}: none forgotten")


def test_a_reset_before_anything_is_read_is_followed_by_the_answer_itself(daemons):
    """The partner's machine resets every new connection for a while."""
    cases = [case._replace(name=f"{case.row.name} / reset before the request")
             for case in cases_of(ROWS, ["plain"])]
    rules = SEQUELS["trouble once, a test token is taken"]
    script = Script(cases, rules)
    with ScriptedPartner(script, TIMEOUT_MS / 1000) as partner:
        partner.resets = True
        shops = Shops(daemons, cases, partner)
        for case in cases:
            shops.report(case)
        before = shops.stories(cases, lambda _, story: finished(story), 20, "a first attempt")
        # What was not read may still have left us, so both words are right; a state is not.
        for case in cases:
            assert before[case]["state"] == "pending" and before[case]["next_attempt_at"], case.name
            assert {outcome for _, outcome in outcomes(before[case])} <= {"retry", "unknown"}, case.name
        assert not partner.seen
        partner.resets = False
        shops.stories(cases, lambda case, story: finished(story) and story["state"] == end(case, rules)[0]
                      and partner.seen[case.product, case.token] > 0, 20, "the answers themselves")
        lanes = shops.lanes()
        assert {case.name: lanes[case.product]["state"] for case in cases
                if lanes[case.product]["state"] not in end(case, rules)[1]} == {}
        everything_is_delivered_in_the_end(shops, cases, script)


def test_the_request_is_not_sent_twice_when_a_kept_connection_breaks(daemons):
    """The trap of every HTTP library: a kept connection that dies is tried again behind one's back."""
    taken = []

    class Once:
        def __call__(self, product, token, n):
            taken.append((product, token))
            good = Reply(200, f'{{"externalProductId":"{product}","sovReqToken":"{token}"}}')
            return good, "reset after the request" if token.startswith("bad") and n == 1 else "plain"

    with ScriptedPartner(Once(), TIMEOUT_MS / 1000) as partner:
        shop = daemons(partner=partner)
        for i in range(10):
            assert shop.order(f"good{i}", wait="10s", token=f"good{i}-abcd").json["state"] == "delivered"
            assert shop.order(f"bad{i}", wait="10s", token=f"bad{i}-abcd").json["state"] == "delivered"
        for i in range(10):
            assert [outcome for _, outcome in outcomes(shop.story(f"bad{i}"))] == ["unknown", "delivered"]
            assert sum(1 for _, token in taken if token == f"bad{i}-abcd") == 2
