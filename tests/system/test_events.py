# SPDX-License-Identifier: MIT
"""Events of Adobe, delivered to the public listener: who is believed, what is fetched for it, and what
Adobe is told, which decides whether it sends again. Every delivery is signed by the openssl program;
the last tests are the sandbox's sender's."""
import base64
import concurrent.futures
import json
import signal
import time

import pytest

import signer
import wire
from daemon import KEY, PRODUCT
from sandbox_client import Sandbox, wait_for
from signer import CLIENT, EVENTS, KEYS, KeyHost, click_of, deliver, event

ON = {"BACKCHANNEL_EDGE": "127.0.0.1:0", "BACKCHANNEL_EVENTS_CLIENT_ID": CLIENT}


@pytest.fixture
def first():
    return signer.key("000000000001")


@pytest.fixture
def second():
    return signer.key("000000000002")


@pytest.fixture
def stranger():
    return signer.key("00000000dead")


@pytest.fixture
def host(first, second):
    with KeyHost(first, second) as made:
        yield made


def address_of(daemon):
    (listening,) = daemon.events("edge.listening", this_run=True)
    return listening["listen"]


@pytest.fixture
def shop(daemons, host):
    return start(daemons, host)


def start(daemons, host, **settings):
    daemon = daemons(**{**ON, "BACKCHANNEL_EVENTS_KEY_URL": host.base, **settings})
    daemon.edge = address_of(daemon)
    return daemon


def result(daemon, name):
    """How many deliveries came out so."""
    line = f'backchannel_event_deliveries_total{{result="{name}"}} '
    (found,) = [row for row in daemon.get("/metrics").text.splitlines() if row.startswith(line)]
    return int(found[len(line):])


def orders_of(daemon):
    return daemon.get("/v1/orders?limit=1000").json["orders"]


# --- who is believed -----------------------------------------------------------------------------

VECTORS = signer.sample("signature-vectors")["io_events"]


@pytest.fixture
def vector_shop(daemons):
    with KeyHost() as host:
        host.keys = dict(VECTORS["public_keys"])
        daemon = start(daemons, host, BACKCHANNEL_COMMERCE_CLICK_ATTRIBUTE="click_token")
        daemon.host = host
        yield daemon


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_every_vector_comes_out_as_it_says(vector_shop, partner, case):
    body = base64.b64decode(VECTORS["body_b64"])
    answer = deliver(vector_shop.edge, body, headers=case["headers"])
    if case["valid"]:
        assert (answer.status, answer.json) == (200, {"events": 1, "orders": 1}), answer
        vector_shop.wait_state("000000318", "delivered")
        assert partner.accepted("clk_7Yq2mVd0Zk3s9Lx1") == 1
    else:
        assert (answer.status, answer.problem) == (401, "unauthorized"), answer
        assert orders_of(vector_shop) == []
    if any("attacker" in value for value in case["headers"].values()):
        assert vector_shop.host.asked == [], "a forged path was fetched"


MUTATIONS = {
    "a byte of the body": lambda b, h: (b.replace(b"64.28", b"64.29", 1), h),
    "a blank behind the body": lambda b, h: (b + b" ", h),
    "no body": lambda b, h: (b"", h),
    "the keys are swapped": lambda b, h: (b, {**h, "x-adobe-public-key1-path": h["x-adobe-public-key2-path"],
                                              "x-adobe-public-key2-path": h["x-adobe-public-key1-path"]}),
    "both are cut": lambda b, h: (b, {n: v[:-4] if "signature" in n else v for n, v in h.items()}),
    "both have a character more": lambda b, h: (b, {n: v + "A" if "signature" in n else v for n, v in h.items()}),
    "their padding is gone": lambda b, h: (b, {n: v.rstrip("=") if "signature" in n else v
                                               for n, v in h.items()}),
    "they are URL-safe base64": lambda b, h: (b, {n: v.replace("+", "-").replace("/", "_") if "signature" in n
                                                  else v for n, v in h.items()}),
    "they are quoted": lambda b, h: (b, {n: f'"{v}"' if "signature" in n else v for n, v in h.items()}),
    "there are no paths": lambda b, h: (b, {n: v for n, v in h.items() if "signature" in n}),
    "there are no signatures": lambda b, h: (b, {n: v for n, v in h.items() if "path" in n}),
    "they are empty": lambda b, h: (b, {n: "" for n in h}),
    "one for the other": lambda b, h: (b, {"x-adobe-digital-signature-1": h["x-adobe-digital-signature-2"],
                                           "x-adobe-public-key1-path": h["x-adobe-public-key1-path"]}),
    "their names have no hyphen": lambda b, h: (b, {n.replace("signature-", "signature"): v
                                                    for n, v in h.items()}),
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_every_mutation_of_a_good_vector_is_refused(vector_shop, mutation):
    body = base64.b64decode(VECTORS["body_b64"])
    body, headers = MUTATIONS[mutation](body, VECTORS["cases"][0]["headers"])
    answer = deliver(vector_shop.edge, body, headers=headers)
    assert (answer.status, answer.problem) == (401, "unauthorized"), answer
    assert orders_of(vector_shop) == []


def test_one_good_signature_is_enough(shop, first, second, stranger):
    body = signer.encoded(event(increment_id="1"))
    good = signer.signatures(body, first, second)
    wrong = {**good, "x-adobe-digital-signature-1": stranger.sign(body)}
    forged = {**good, "x-adobe-public-key1-path": "/prod/keys/../x.pem"}
    alone = signer.signatures(body, None, second)
    for headers in (good, wrong, forged, alone, signer.signatures(body, first)):
        assert deliver(shop.edge, body, headers=headers).status == 200
    assert len(orders_of(shop)) == 1


def test_a_stranger_who_names_our_keys_is_refused(shop, first, second, stranger):
    body = signer.encoded(event(increment_id="1"))
    headers = {**signer.signatures(body, first, second),
               "x-adobe-digital-signature-1": stranger.sign(body),
               "x-adobe-digital-signature-2": stranger.sign(body)}
    assert deliver(shop.edge, body, headers=headers).status == 401
    # A signature with another digest, and one over the base64 of the body, as webhooks have it.
    for text, digest in ((body, "sha1"), (body, "sha512"), (base64.b64encode(body), "sha256")):
        headers["x-adobe-digital-signature-1"] = first.sign(text, digest)
        assert deliver(shop.edge, body, headers=headers).status == 401
    assert result(shop, "bad-signature") == 4
    assert orders_of(shop) == []


FORGED = [".attacker.example/prod/keys/pub-key-a.pem", "@attacker.example/prod/keys/pub-key-a.pem",
          ":8443/prod/keys/pub-key-a.pem", "/prod/keys/../keys/pub-key-a.pem", "//attacker.example/pub-key-a.pem",
          "/prod/keys/pub-key-a.pem?x=.pem", "/prod/keys/pub-key-a/../b.pem", "/prod/keys/pub-key-a%2fb.pem",
          "/prod/keys/pub-key-.pem", "/stage/keys/pub-key-a.pem", "/prod/keys/other.pem",
          "https://static.adobeioevents.com/prod/keys/pub-key-a.pem", "/prod/keys/pub-key-a.pem.evil"]


def test_a_forged_path_is_refused_and_never_fetched(shop, host, stranger):
    for path in FORGED:
        body = signer.encoded(event(increment_id="1"))
        host.keys[path] = stranger.pem
        answer = deliver(shop.edge, body, headers={
            "x-adobe-digital-signature-1": stranger.sign(body), "x-adobe-public-key1-path": path,
            "x-adobe-digital-signature-2": stranger.sign(body), "x-adobe-public-key2-path": path})
        assert (answer.status, answer.problem) == (401, "unauthorized"), path
    assert host.asked == []
    assert result(shop, "unknown-key-path") == len(FORGED)


def test_paths_of_ten_letters_are_adobes_too(shop, host):
    short = signer.Key("IkpzhSpTw0")
    host.keys[short.path] = short.pem
    assert deliver(shop.edge, event(increment_id="1"), short).status == 200


def test_keys_of_the_stage_are_a_setting(daemons, host, first):
    daemon = start(daemons, host, BACKCHANNEL_EVENTS_KEY_PATH="/stage/keys")
    body = signer.encoded(event(increment_id="1"))
    headers = signer.signatures(body, first)
    assert deliver(daemon.edge, body, headers=headers).status == 401
    staged = first.path.replace("/prod/", "/stage/")
    host.keys[staged] = first.pem
    headers["x-adobe-public-key1-path"] = staged
    assert deliver(daemon.edge, body, headers=headers).status == 200
    assert host.asked == [staged]


def test_events_for_another_client_are_refused(shop, first):
    ours, other = event(increment_id="1"), event(client="somebody-else", increment_id="2")
    for content in (other, [ours, other], [other, ours], {**ours, "recipientclientid": "somebody-else"},
                    {**ours, "recipientclientid": CLIENT + "\0"}, event(client=None, increment_id="3"),
                    event(client=[CLIENT], increment_id="4"), event(client=CLIENT.upper(), increment_id="5")):
        answer = deliver(shop.edge, content, first)
        assert (answer.status, answer.problem) == (401, "unauthorized"), content
    assert result(shop, "other-client") == 8
    assert orders_of(shop) == []
    # Each of the two names alone will do; the former one goes away some day.
    for name in ("recipientclientid", "recipient_client_id"):
        alone = event(increment_id=name)
        del alone[name]
        assert deliver(shop.edge, alone, first).status == 200
    assert {row["order"] for row in orders_of(shop)} == {"recipientclientid", "recipient_client_id"}


# --- keys ----------------------------------------------------------------------------------------

def test_a_key_is_fetched_once_however_many_deliveries_wait_for_it(shop, host, first):
    host.gate.clear()
    bodies = [signer.encoded(event(increment_id=f"{n:09}")) for n in range(100)]
    with concurrent.futures.ThreadPoolExecutor(8) as signing:
        headers = list(signing.map(lambda body: signer.signatures(body, first), bodies))
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(deliver, shop.edge, body, headers=signed)
                   for body, signed in zip(bodies, headers)]
        wait_for(lambda: host.count() == 1, what="the fetch")
        host.gate.set()
        assert {answer.result().status for answer in answers} == {200}
    assert host.asked == [first.path]
    assert len(orders_of(shop)) == 100
    assert result(shop, "accepted") == 100


def test_a_key_host_that_is_down_leads_to_503_and_when_it_is_back_to_200(shop, host, first):
    host.stop()
    answer = deliver(shop.edge, event(increment_id="1"), first)
    assert (answer.status, answer.problem) == (503, "busy"), answer
    assert int(answer.headers["retry-after"]) > 0
    assert result(shop, "key-unavailable") == 1 and result(shop, "bad-signature") == 0
    assert shop.events("events.key_unavailable")
    host.start()
    wait_for(lambda: deliver(shop.edge, event(increment_id="1"), first).status == 200,
             what="the key host that is back")
    assert [row["order"] for row in orders_of(shop)] == ["1"]


@pytest.mark.parametrize("wrong", ["404", "500", "302", "no key", "too long", "a private key"])
def test_what_the_key_host_should_not_answer_is_503_and_not_asked_again_at_once(shop, host, first, wrong):
    if wrong.isdigit():
        host.status = int(wrong)
    elif wrong == "no key":
        host.keys[first.path] = "<html>welcome</html>"
    elif wrong == "too long":
        host.keys[first.path] = first.pem + "#" * 100000
    else:
        host.keys[first.path] = first.pem.replace("PUBLIC", "PRIVATE")
    for n in range(5):
        assert deliver(shop.edge, event(increment_id=str(n)), first).status == 503
    assert host.count() == 1
    assert orders_of(shop) == []


def test_a_key_host_that_does_not_answer_costs_seconds_and_not_the_delivery(shop, host, first):
    host.gate.clear()
    began = time.monotonic()
    answer = deliver(shop.edge, event(increment_id="1"), first)
    assert answer.status == 503
    assert time.monotonic() - began < 8, "Adobe hangs up after ten"
    # Meanwhile the listener serves others.
    assert wire.ask(shop.edge, "GET", EVENTS + "?challenge=abc").status == 200


def test_one_key_that_is_known_is_enough_while_the_host_is_down(shop, host, first, second):
    assert deliver(shop.edge, event(increment_id="1"), None, second).status == 200
    host.stop()
    began = time.monotonic()
    assert deliver(shop.edge, event(increment_id="2"), first, second).status == 200
    assert time.monotonic() - began < 2, "it waited for the other key"


def test_a_bad_signature_beside_a_key_that_cannot_be_had_is_503(shop, host, first, second, stranger):
    body = signer.encoded(event(increment_id="1"))
    assert deliver(shop.edge, body, first).status == 200
    del host.keys[second.path]
    headers = {**signer.signatures(body, first, second), "x-adobe-digital-signature-1": stranger.sign(body)}
    assert deliver(shop.edge, body, headers=headers).status == 503


def test_keys_change_and_both_are_good_meanwhile(shop, host, first, second):
    third = signer.key("000000000003")
    for pair in ((first, second), (first, second), (second, third), (third, second)):
        host.keys[pair[1].path] = pair[1].pem
        assert deliver(shop.edge, event(increment_id="1"), *pair).status == 200
    assert sorted(set(host.asked)) == sorted(host.asked), "a key was fetched twice"
    assert host.count() <= 3


def test_a_stranger_cannot_make_us_flood_the_key_host(shop, host, first, stranger):
    assert deliver(shop.edge, event(increment_id="1"), first).status == 200
    body = signer.encoded(event(increment_id="2"))
    signature = stranger.sign(body)
    def request(n):
        return (f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                f"x-adobe-digital-signature-1: {signature}\r\n"
                f"x-adobe-public-key1-path: {KEYS}pub-key-{n:08x}.pem\r\n\r\n").encode() + body
    statuses = wire.pour(shop.edge, (request(n) for n in range(2000)))
    assert set(statuses) == {503} and statuses[503] == 2000
    assert host.count() <= 61
    # The key that is known is known still.
    host.stop()
    assert deliver(shop.edge, event(increment_id="3"), first).status == 200


def test_another_key_host_counts_after_a_reload(daemons, host, first, stranger, tmp_path):
    with KeyHost() as other:
        moved = signer.Key("moved")
        other.keys = {first.path: moved.pem}
        env = tmp_path / "backchannel.conf"
        env.write_text(f"[events]\nkey_url = {host.base}\n", encoding="utf-8")
        env.chmod(0o600)
        daemon = start(daemons, host, BACKCHANNEL_EVENTS_KEY_URL=None, BACKCHANNEL_CONFIG=str(env))
        assert deliver(daemon.edge, event(increment_id="1"), first).status == 200
        env.write_text(f"[events]\nkey_url = {other.base}\n", encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.events("settings.reloaded"), what="the reload")
        assert deliver(daemon.edge, event(increment_id="2"), first).status == 401
        assert other.asked == [first.path]


# --- what comes of a delivery --------------------------------------------------------------------

def test_an_order_is_on_disk_when_its_delivery_is_acknowledged(shop, first, partner, unique):
    token = unique.token()
    partner.set_faults("hang")  # what is under way at a kill may be sent once more
    answer = deliver(shop.edge, event(increment_id="000000318", quote_id=1907,
                                      custom_attributes=click_of(token)), first)
    assert (answer.status, answer.json) == (200, {"events": 1, "orders": 1})
    shop.kill9()
    partner.clear_faults()
    shop.start()
    shop.wait_state("000000318", "delivered")
    assert partner.accepted(token) == 1


def test_the_same_order_is_taken_once_however_often_it_is_told(shop, first, partner, unique):
    token = unique.token()
    same = event(increment_id="000000318", custom_attributes=click_of(token))
    for content in (same, same, [same, same], event(increment_id="000000318", state="processing",
                                                    custom_attributes=click_of(token))):
        assert deliver(shop.edge, content, first).status == 200
    assert len(orders_of(shop)) == 1
    shop.wait_state("000000318", "delivered")
    assert partner.accepted(token) == 1
    # A shop that reports it as well reports the same one.
    assert shop.order("000000318", token=token).status == 200


def test_a_batch_is_taken_as_a_whole(shop, first, unique):
    tokens = [unique.token() for _ in range(20)]
    batch = [event(increment_id=f"{n:09}", custom_attributes=click_of(token))
             for n, token in enumerate(tokens)]
    answer = deliver(shop.edge, batch, first)
    assert (answer.status, answer.json) == (200, {"events": 20, "orders": 20})
    for n in range(20):
        shop.wait_state(f"{n:09}", "delivered")


def test_samples_are_orders_and_an_edited_one_is_the_same(daemons, host, first, partner):
    shop = start(daemons, host, BACKCHANNEL_COMMERCE_CLICK_ATTRIBUTE="click_token")
    for name in ("event-order-created", "event-order-updated", "event-order-place-plugin",
                 "event-order-no-token", "event-batch"):
        assert deliver(shop.edge, signer.sample(name), first).status == 200, name
    edited = signer.sample("event-order-created")
    edited["data"]["value"].update(increment_id="000000318-1", original_increment_id="000000318")
    assert deliver(shop.edge, edited, first).status == 200
    assert sorted(row["order"] for row in orders_of(shop)) == ["000000318", "000000319"]
    shop.wait_state("000000318", "delivered")
    assert partner.accepted("clk_7Yq2mVd0Zk3s9Lx1") == 1
    assert shop.story("000000319")["state"] == "unattributed"


def test_the_click_may_stand_in_the_quote(shop, first, unique):
    token = unique.token()
    content = event(kind="com.adobe.commerce.observer.checkout_submit_all_after")
    content["data"]["value"] = {"order": {"increment_id": "7", "state": "new"},
                                "quote": {"entity_id": 1907, "custom_attributes": click_of(token)}}
    assert deliver(shop.edge, content, first).status == 200
    shop.wait_state("7", "delivered")


def test_what_is_no_order_is_acknowledged_and_left_alone(shop, first):
    for content in (event(kind="com.adobe.commerce.observer.sales_order_invoice_save_after", increment_id="1"),
                    event(kind="com.example.other", increment_id="1"), [], {"recipientclientid": CLIENT},
                    event(increment_id="1", state="pending_payment"), event(increment_id="bad\nnumber"),
                    event(entity_id=318), {**event(), "data": None}):
        assert deliver(shop.edge, content, first).status == 200, content
    assert orders_of(shop) == []
    assert {row["problem"] for row in shop.events("events.order_unreadable")} == {
        '"increment_id" of the order is no order number', 'the order has no "increment_id"'}


@pytest.mark.parametrize("content", [b"not json", b"", b'{"a":', b"7", b"[[]]", b"[7]", b'"text"', b"\xff\xfe",
                                     b"[" * 100000])
def test_what_is_signed_and_no_event_is_dropped_for_good_and_told(shop, first, content):
    answer = deliver(shop.edge, content, first)
    assert (answer.status, answer.problem) == (400, "bad-request"), answer
    (told,) = shop.events("events.refused")
    assert told["result"] == "malformed" and "journal" in told["hint"]
    assert result(shop, "malformed") == 1


def test_a_body_over_the_ceiling_is_413(shop, first):
    answer = deliver(shop.edge, b" " * (2 * 1024 * 1024 + 1), headers={})
    assert answer.status == 413


def test_a_store_that_refuses_is_503_and_the_order_comes_again(daemons, host, first, tmp_path, unique):
    store = f"fault:take-page@1-3=refuse:sqlite:{tmp_path / 'shop.db'}"
    shop = start(daemons, host, BACKCHANNEL_STORE=store)
    content = event(increment_id="1", custom_attributes=click_of(unique.token()))
    answers = []
    def taken():
        answers.append(deliver(shop.edge, content, first))
        return answers[-1].status == 200
    wait_for(taken, what="a store that takes it")
    assert answers[0].status == 503 and answers[0].problem == "store-failed", answers[0]
    assert int(answers[0].headers["retry-after"]) > 0
    assert result(shop, "store-refused") >= 1
    shop.wait_state("1", "delivered")


def test_nothing_of_the_body_or_of_the_settings_reaches_answers_and_log(shop, first, unique):
    token = unique.token()
    broken = signer.encoded(event(increment_id="1", custom_attributes=click_of(token)))[:-1]
    answers = [deliver(shop.edge, broken, first),
               deliver(shop.edge, event(client="x", custom_attributes=click_of(token)), first),
               deliver(shop.edge, event(increment_id="2", custom_attributes=click_of(token)), headers={})]
    assert [answer.status for answer in answers] == [400, 401, 401]
    for answer in answers:
        assert CLIENT not in answer.text and token not in answer.text
    assert token not in shop.log_text()


def test_refusals_are_told_once_a_minute(shop):
    for n in range(50):
        assert deliver(shop.edge, event(increment_id=str(n)), headers={}).status == 401
    assert len(shop.events("events.refused")) == 1
    assert result(shop, "bad-signature") == 50


def test_without_a_client_id_there_is_no_such_path(daemons, host, first):
    daemon = start(daemons, host, BACKCHANNEL_EVENTS_CLIENT_ID=None)
    assert deliver(daemon.edge, event(increment_id="1"), first).status == 404
    assert wire.ask(daemon.edge, "GET", EVENTS + "?challenge=abc").status == 404
    assert host.asked == []


# --- the registration ----------------------------------------------------------------------------

@pytest.mark.parametrize("value", ["8ec8d794-e0ab-42df-9017-e3dada8e84f7", "abc", "a.b_c~d", "x" * 256])
def test_a_challenge_is_answered_with_itself(shop, value):
    answer = wire.ask(shop.edge, "GET", f"{EVENTS}?challenge={value}")
    assert (answer.status, answer.text) == (200, value)
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("query", ["", "?challenge=", "?other=1", "?challenge=%3Cscript%3Ealert(1)%3C/script%3E",
                                   "?challenge=a%0d%0aX-Y:%20z", "?challenge=a%00", "?challenge=%c3%a4",
                                   "?challenge=a+b", "?challenge=" + "x" * 257, "?challenge=%22"])
def test_what_is_no_challenge_is_not_reflected(shop, query):
    answer = wire.ask(shop.edge, "GET", EVENTS + query)
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert "script" not in answer.text and "xxx" not in answer.text
    assert "x-y" not in answer.headers


def validate(daemon, url):
    return wire.ask(daemon.edge, "POST", EVENTS, json.dumps({"validationUrl": url}).encode(),
                    {"Content-Type": "application/json"})


def test_a_validation_url_is_followed_below_its_base_and_nowhere_else(daemons, host):
    with KeyHost() as csm, KeyHost() as elsewhere:
        good = "/csm/registrations/validate?id=1&challenge=2"
        csm.keys = {good: "ok"}
        daemon = start(daemons, host, BACKCHANNEL_EVENTS_VALIDATE_URL=csm.base)
        assert validate(daemon, csm.base + good).status == 200
        wait_for(lambda: csm.asked == [good], what="the validation")
        wait_for(lambda: daemon.events("events.validated"), what="its end")
        port = csm.port
        for url in (elsewhere.base + good, f"http://127.0.0.1:{port}@127.0.0.1:{elsewhere.port}/",
                    f"http://localhost:{port}/", f"https://127.0.0.1:{port}/", "file:///etc/passwd", "/csm",
                    f"http://user@127.0.0.1:{port}/", csm.base + "/../x", csm.base + "/a b"):
            assert validate(daemon, url).status == 400, url
        assert validate(daemon, ["x"]).status == 401
        assert validate(daemon, "").status == 401
        assert csm.asked == [good] and elsewhere.asked == []
        assert daemon.events("events.validation_refused")


def test_a_validation_that_fails_is_told_and_many_at_once_are_not_followed(daemons, host):
    with KeyHost() as csm:
        csm.gate.clear()
        daemon = start(daemons, host, BACKCHANNEL_EVENTS_VALIDATE_URL=csm.base)
        statuses = [validate(daemon, f"{csm.base}/validate?id={n}").status for n in range(30)]
        assert 200 in statuses and 503 in statuses
        assert statuses.count(200) <= 4
        csm.gate.set()
        wait_for(lambda: len(daemon.events("events.validation_failed")) == statuses.count(200),
                 what="all of them")
        assert csm.count() == statuses.count(200)


# --- the sandbox's sender ------------------------------------------------------------------------

@pytest.fixture
def adobe():
    with Sandbox(client_id=CLIENT, secret="a-secret-of-its", org="0A1B@AdobeOrg", product=PRODUCT,
                 key=KEY) as sandbox:
        yield sandbox


def register(adobe, daemon, **settings):
    adobe.control("PUT", "/sender", {"url": f"http://{daemon.edge}{EVENTS}", "schedule_ms": [50], **settings})
    state = wait_for(lambda: (lambda s: s["state"] != "Pending" and s)(adobe.control("GET", "/sender")),
                     what="the end of the registration")
    assert state["state"] == "Active", state


def joined(daemons, adobe, **settings):
    return start(daemons, adobe, partner=adobe, BACKCHANNEL_EVENTS_VALIDATE_URL=adobe.base, **settings)


@pytest.mark.parametrize("validation", ["get", "post"])
def test_the_sandbox_registers_us_in_both_ways(daemons, adobe, validation):
    daemon = joined(daemons, adobe)
    register(adobe, daemon, validation=validation)
    wait_for(lambda: daemon.events("events.challenged" if validation == "get" else "events.validated"))


def place(adobe, token):
    return adobe.control("POST", "/orders", {"custom_attributes": click_of(token)})["increment_id"]


def test_orders_of_the_sandbox_come_as_events_and_are_handed_back_once(daemons, adobe, unique):
    daemon = joined(daemons, adobe)
    register(adobe, daemon)
    placed = {place(adobe, token): token for token in (unique.token() for _ in range(10))}
    for order, token in placed.items():
        wait_for(lambda o=order: daemon.get(f"/v1/orders/{o}").status == 200, what="the event")
        daemon.wait_state(order, "delivered")
        assert adobe.accepted(token) == 1


def test_the_sender_sends_again_what_we_could_not_take(daemons, adobe, unique, tmp_path):
    daemon = joined(daemons, adobe, BACKCHANNEL_STORE=f"fault:take-page@1-2=refuse:sqlite:{tmp_path / 'x.db'}")
    register(adobe, daemon)
    token = unique.token()
    order = place(adobe, token)
    wait_for(lambda: daemon.get(f"/v1/orders/{order}").status == 200, what="the second attempt")
    daemon.wait_state(order, "delivered")
    assert adobe.accepted(token) == 1
