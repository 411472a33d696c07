# SPDX-License-Identifier: MIT
"""The sandbox as its manual describes it: every documented answer, every fault seen on a raw
socket, the recorder and the partner's books. Other system tests trust it for what is proved here.
"""
import datetime
import email.utils
import hashlib
import json
import socket
import struct
import time

import pytest

from in_time import in_time, tried_again_if_late
from sandbox_client import Sandbox, wait_for

PRODUCT = "9bc72425-902c-3abf-9db8-8b186d7cb160"
KEY = "example-key-000"
TOKEN = "1095752fb409-457a-af14-17a09e6be522"
TEST_TOKEN = "1a2b3-test-1a2-1a2b3"

UNAUTHORIZED = '{"message":"This API call is unauthorized. Please contact your account manager."}'
INVALID_CALL = '{"message":"Invalid API call."}'
INVALID_PARAMETERS = '{"message":"Invalid API parameters."}'
NO_PRODUCT = '{"message":"External product id not found."}'
NO_TOKEN = '{"message":"Token not found."}'


def echo(token=TOKEN, product=PRODUCT):
    return f'{{"externalProductId":"{product}","sovReqToken":"{token}"}}'


@pytest.fixture(scope="module")
def strict():
    """A sandbox with one product and its key."""
    with Sandbox(product=PRODUCT, key=KEY) as sandbox:
        yield sandbox
        assert sandbox.stop() == 0, "a leak or a crash, in sanitizer builds"


@pytest.fixture
def sandbox(strict):
    strict.reset()
    yield strict
    strict.reset()


# --- raw sockets ---------------------------------------------------------------------------------

class Peer:
    """One connection, bytes as they come. `ended` is "eof", "reset" or, when the time was up,
    "open"."""

    def __init__(self, sandbox, seconds=10.0):
        self.socket = socket.create_connection((sandbox.host, sandbox.port), timeout=seconds)
        self.bytes = b""
        self.ended = "open"

    def send(self, data):
        self.socket.sendall(data)
        return self

    def read(self, until=None):
        """Reads to the end, or until these bytes have come."""
        try:
            while until is None or until not in self.bytes:
                chunk = self.socket.recv(65536)
                if not chunk:
                    self.ended = "eof"
                    break
                self.bytes += chunk
        except ConnectionResetError:
            self.ended = "reset"
        except TimeoutError:
            pass
        return self

    def close(self):
        self.socket.close()

    def leave(self):
        """Closes with a reset, as a process that dies with unread bytes does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def post_bytes(token=TOKEN, product=PRODUCT, key=KEY, connection="close"):
    body = json.dumps({"apiKey": key}, separators=(",", ":"))
    return (f"POST /ext/{product}/{token}/api HTTP/1.1\r\nHost: press-order-api.sovendus.com\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Connection: {connection}\r\n\r\n{body}").encode()


def hand_back_raw(sandbox, seconds=10.0, **what):
    with Peer(sandbox, seconds) as peer:
        return peer.send(post_bytes(**what)).read()


def split_answer(data):
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip()
                                      for line in lines[1:]}, body.decode()


# --- answers -------------------------------------------------------------------------------------

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
GOOD = json.dumps({"apiKey": KEY})
PATH = f"/ext/{PRODUCT}/{TOKEN}/api"

ANSWERS = [
    ("all is well", "POST", PATH, JSON, GOOD, 200, echo()),
    ("a charset", "POST", PATH, "Application/JSON; charset=utf-8", GOOD, 200, echo()),
    ("a form", "POST", PATH, FORM, f"a=b&apiKey={KEY}", 200, echo()),
    ("an encoded form", "POST", PATH, FORM, "apiKey=example%2Dkey%2D000", 200, echo()),
    ("a test token", "POST", f"/ext/{PRODUCT}/{TEST_TOKEN}/api", JSON, GOOD, 200,
     echo(TEST_TOKEN)),
    ("the guide's shape", "POST", f"/ext/{PRODUCT}/12a3b-4c5d-6e7-8f9g0/api", JSON, GOOD, 200,
     echo("12a3b-4c5d-6e7-8f9g0")),
    ("a token that needs no decoding is decoded", "POST", f"/ext/{PRODUCT}/%31095/api", JSON, GOOD,
     200, echo("1095")),
    ("more fields", "POST", PATH, JSON, '{"x":[1],"apiKey":"' + KEY + '"}', 200, echo()),

    ("a wrong key", "POST", PATH, JSON, '{"apiKey":"other"}', 403, UNAUTHORIZED),
    ("half a key", "POST", PATH, JSON, '{"apiKey":"example-key"}', 403, UNAUTHORIZED),
    ("an empty key", "POST", PATH, JSON, '{"apiKey":""}', 403, UNAUTHORIZED),
    ("a key that is a number", "POST", PATH, JSON, '{"apiKey":1}', 403, UNAUTHORIZED),
    ("another field", "POST", PATH, JSON, '{"apikey":"' + KEY + '"}', 403, UNAUTHORIZED),
    ("broken JSON", "POST", PATH, JSON, GOOD[:-1], 403, UNAUTHORIZED),
    ("a list", "POST", PATH, JSON, f"[{GOOD}]", 403, UNAUTHORIZED),
    ("an empty body", "POST", PATH, JSON, "", 403, UNAUTHORIZED),
    ("another type", "POST", PATH, "text/plain", GOOD, 403, UNAUTHORIZED),
    ("JSON called a form", "POST", PATH, FORM, GOOD, 403, UNAUTHORIZED),
    ("a wrong key before a wrong product", "POST", f"/ext/nobody/{TOKEN}/api", JSON,
     '{"apiKey":"other"}', 403, UNAUTHORIZED),

    ("another path", "POST", "/", JSON, GOOD, 404, INVALID_CALL),
    ("a longer path", "POST", PATH + "/more", JSON, GOOD, 404, INVALID_CALL),
    ("a slash behind it", "POST", PATH + "/", JSON, GOOD, 404, INVALID_CALL),
    ("no token", "POST", f"/ext/{PRODUCT}//api", JSON, GOOD, 404, INVALID_CALL),
    ("no product", "POST", f"/ext/{TOKEN}/api", JSON, GOOD, 404, INVALID_CALL),
    ("another case", "POST", f"/Ext/{PRODUCT}/{TOKEN}/api", JSON, GOOD, 404, INVALID_CALL),
    ("the browser's pixel", "GET", f"/ext/image?sovReqToken={TOKEN}", None, None, 404,
     INVALID_CALL),

    ("GET", "GET", PATH, None, None, 405, INVALID_CALL),
    ("PUT", "PUT", PATH, JSON, GOOD, 405, INVALID_CALL),
    ("DELETE", "DELETE", PATH, None, None, 405, INVALID_CALL),

    ("a frontend's test token", "POST", f"/ext/{PRODUCT}/test-token-123/api", JSON, GOOD, 422,
     INVALID_PARAMETERS),
    ("a short test token", "POST", f"/ext/{PRODUCT}/1234-test-123-12345/api", JSON, GOOD, 422,
     INVALID_PARAMETERS),
    ("a short token", "POST", f"/ext/{PRODUCT}/abc/api", JSON, GOOD, 422, INVALID_PARAMETERS),
    ("a long token", "POST", f"/ext/{PRODUCT}/{'a' * 129}/api", JSON, GOOD, 422,
     INVALID_PARAMETERS),
    ("the longest token", "POST", f"/ext/{PRODUCT}/{'a' * 128}/api", JSON, GOOD, 200,
     echo("a" * 128)),
    ("a dot", "POST", f"/ext/{PRODUCT}/abc.def/api", JSON, GOOD, 422, INVALID_PARAMETERS),
    ("an encoded slash", "POST", f"/ext/{PRODUCT}/abc%2Fdef/api", JSON, GOOD, 422,
     INVALID_PARAMETERS),
    ("an encoded line end", "POST", f"/ext/{PRODUCT}/abc%0d%0adef/api", JSON, GOOD, 422,
     INVALID_PARAMETERS),
    ("an encoded NUL", "POST", f"/ext/{PRODUCT}/abc%00def/api", JSON, GOOD, 422,
     INVALID_PARAMETERS),

    ("another product", "POST", f"/ext/nobody/{TOKEN}/api", JSON, GOOD, 422, NO_PRODUCT),
    ("a product in other case", "POST", f"/ext/{PRODUCT.upper()}/{TOKEN}/api", JSON, GOOD, 422,
     NO_PRODUCT),
    ("an unknown token", "POST", f"/ext/{PRODUCT}/unknown-1/api", JSON, GOOD, 422, NO_TOKEN),
]


@pytest.mark.parametrize("name,method,path,content_type,body,status,expected", ANSWERS,
                         ids=[row[0] for row in ANSWERS])
def test_each_documented_answer(sandbox, name, method, path, content_type, body, status, expected):
    got, headers, text = sandbox.ask(method, path, body.encode() if body is not None else None,
                                     content_type)
    assert (got, text.decode()) == (status, expected)
    assert headers["Content-Type"] == "application/json"
    assert headers.get("Allow") == ("POST" if status == 405 else None)
    seen = sandbox.requests()[-1]
    assert seen["answered"] == status
    assert seen["accepted"] == (status == 200)


def test_without_credentials_any_will_do_but_none_will_not():
    with Sandbox() as any_sandbox:
        assert any_sandbox.hand_back(TOKEN, "p", "k") == (200, echo(TOKEN, "p"))
        assert any_sandbox.hand_back(TOKEN, "q", "other") == (200, echo(TOKEN, "q"))
        assert any_sandbox.hand_back(TOKEN, "p", "") == (403, UNAUTHORIZED)
        assert any_sandbox.stop() == 0


# --- what it knows -------------------------------------------------------------------------------

def test_tokens_can_be_made_unknown_and_known_again(sandbox):
    assert sandbox.set_tokens(unknown=["lost-*"]) == {"unknown": ["lost-*"], "known": []}
    assert sandbox.hand_back("lost-1", PRODUCT, KEY) == (422, NO_TOKEN)
    assert sandbox.hand_back("unknown-1", PRODUCT, KEY)[0] == 200
    sandbox.set_tokens(known=["mine-*"])
    assert sandbox.hand_back("mine-1", PRODUCT, KEY)[0] == 200
    assert sandbox.hand_back("yours-1", PRODUCT, KEY) == (422, NO_TOKEN)
    assert sandbox.hand_back(TEST_TOKEN, PRODUCT, KEY)[0] == 200
    sandbox.control("DELETE", "/tokens")
    assert sandbox.control("GET", "/tokens") == {"unknown": ["unknown*"], "known": []}
    assert sandbox.hand_back("yours-1", PRODUCT, KEY)[0] == 200


def test_products_and_keys_can_be_changed_and_come_back(sandbox):
    assert sandbox.set_products({PRODUCT: "a-new-key", "second": None}) == [
        {"id": PRODUCT, "key": "set"}, {"id": "second", "key": "any"}]
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY) == (403, UNAUTHORIZED)
    assert sandbox.hand_back(TOKEN, PRODUCT, "a-new-key")[0] == 200
    assert sandbox.hand_back(TOKEN, "second", "whatever")[0] == 200
    sandbox.set_products({"second": KEY})
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY) == (422, NO_PRODUCT)
    sandbox.set_products({})
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY) == (422, NO_PRODUCT)
    sandbox.control("DELETE", "/products")
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY)[0] == 200


# --- the recorder --------------------------------------------------------------------------------

def test_a_request_is_recorded_as_it_was_sent(sandbox):
    sent = post_bytes()
    with Peer(sandbox) as peer:
        assert peer.send(sent).read().ended == "eof"
    (seen,) = sandbox.requests()
    head = f"{seen['method']} {seen['path']} HTTP/1.1\r\n"
    head += "".join(line + "\r\n" for line in seen["lines"])
    assert (head + "\r\n" + seen["body"]).encode() == sent
    assert seen["headers"]["Content-Type"] == "application/json"
    assert (seen["answered"], seen["fault"], seen["accepted"]) == (200, None, True)
    at = datetime.datetime.fromisoformat(seen["at"].replace("Z", "+00:00"))
    assert abs(time.time() - at.timestamp()) < 60


def test_repeated_headers_and_odd_bytes_are_recorded(sandbox):
    with Peer(sandbox) as peer:
        peer.send(b"POST /odd?a=b&c HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-b: \xe9\r\nX-A: 2\r\n"
                  b"Content-Length: 3\r\nConnection: close\r\n\r\n\x00\xff\x01").read()
    (seen,) = sandbox.requests()
    assert seen["path"] == "/odd" and seen["query"] == "a=b&c"
    assert seen["headers"]["X-A"] == "1, 2" and seen["headers"]["x-b"] == "\u00e9"
    assert seen["lines"] == ["Host: x", "X-A: 1", "x-b: \u00e9", "X-A: 2", "Content-Length: 3",
                             "Connection: close"]
    assert seen["body"] is None and seen["body_hex"] == "00ff01"


def test_the_list_can_be_narrowed_and_cleared(sandbox):
    for path in ("/one", "/two", "/two/more"):
        sandbox.ask("GET", path)
    everything = sandbox.control("GET", "/requests")
    assert [seen["path"] for seen in everything["requests"]] == ["/one", "/two", "/two/more"]
    numbers = [seen["n"] for seen in everything["requests"]]
    assert everything["last"] == numbers[-1]
    assert [seen["path"] for seen in sandbox.requests(path="/two")] == ["/two", "/two/more"]
    assert [seen["n"] for seen in sandbox.requests(since=numbers[0])] == numbers[1:]
    assert sandbox.requests(since=numbers[-1]) == []
    assert sandbox.requests(since=2**64 - 1) == []
    assert sandbox.ask("GET", "/_sandbox/requests?since=x")[0] == 400
    sandbox.clear_requests()
    assert sandbox.requests() == []
    sandbox.ask("GET", "/three")
    assert sandbox.requests()[0]["n"] == numbers[-1] + 1


def test_only_the_newest_ten_thousand_are_kept(sandbox):
    start = sandbox.control("GET", "/requests")["last"]
    with Peer(sandbox, 60) as peer:
        for _ in range(101):
            peer.send(b"GET /many HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        peer.send(b"GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert peer.read().ended == "eof"
    answer = sandbox.control("GET", "/requests")
    assert answer["last"] - start == 10101
    assert len(answer["requests"]) == 10000
    assert answer["forgotten"] == 101
    assert answer["requests"][0]["n"] == start + 102
    assert answer["requests"][-1]["path"] == "/end"


# --- the books -----------------------------------------------------------------------------------

def test_the_books_tell_taken_and_taken_again_apart(sandbox):
    for token in ("once-1", "twice-1", "twice-1", "unknown-1", TEST_TOKEN, TEST_TOKEN):
        sandbox.hand_back(token, PRODUCT, KEY)
    assert sandbox.counts() == {
        "tokens": {"once-1": {"posts": 1, "accepted": 1},
                   "twice-1": {"posts": 2, "accepted": 2},
                   "unknown-1": {"posts": 1, "accepted": 0},
                   TEST_TOKEN: {"posts": 2, "accepted": 2, "test": True}},
        "posts": 4, "accepted": 2, "repeated": 1, "test_posts": 2, "test_accepted": 2}
    assert sandbox.counts("twice-1")["tokens"] == {"twice-1": {"posts": 2, "accepted": 2}}
    assert sandbox.counts("never-1")["tokens"] == {}
    sandbox.clear_counts()
    assert sandbox.counts()["tokens"] == {}


# --- faults --------------------------------------------------------------------------------------

def half(text):
    return text[:len(text) // 2]


HTML = "<!doctype html>"

# spec, how the connection ends, status or None, body, counted as taken, what the recorder says
FAULTS = [
    ("status=503", "eof", 503, '{"message":"Service Unavailable"}', False, 503),
    ("status=403", "eof", 403, UNAUTHORIZED, False, 403),
    ("status=404", "eof", 404, INVALID_CALL, False, 404),
    ("status=405", "eof", 405, INVALID_CALL, False, 405),
    ("status=422", "eof", 422, INVALID_PARAMETERS, False, 422),
    ('status=422 message="Token not found."', "eof", 422, NO_TOKEN, False, 422),
    ("status=204", "eof", 204, "", False, 204),
    ("status=500 taken", "eof", 500, '{"message":"Internal Server Error"}', True, 500),
    ("status=200 body='{\"a\": 1}'", "eof", 200, '{"a": 1}', False, 200),
    ("status=502 type=text/html body=<h1>Bad</h1>", "eof", 502, "<h1>Bad</h1>", False, 502),
    ("redirect", "eof", 307, "", False, 307),
    ("redirect=302 taken", "eof", 302, "", True, 302),
    ("wrong-echo", "eof", 200,
     '{"externalProductId":"somebody-else","sovReqToken":"another-token"}', True, 200),
    ("empty-body", "eof", 200, "", True, 200),
    ("html", "eof", 200, HTML, True, 200),
    ("half-body", "eof", 200, half(echo()), True, "half-body"),
    ("trickle=7/1ms", "eof", 200, echo(), True, "trickle"),
    ("half-head", "eof", None, None, True, "half-head"),
    ("garbage", "eof", None, None, False, "garbage"),
    ("garbage taken", "eof", None, None, True, "garbage"),
    ("close", "eof", None, None, False, "close"),
    ("close taken", "eof", None, None, True, "close"),
    ("reset-after", "reset", None, None, False, "reset-after"),
    ("reset-after taken", "reset", None, None, True, "reset-after"),
    ("accept-reset", "reset", None, None, True, "accept-reset"),
    ("delay=30ms", "eof", 200, echo(), True, 200),
    ("delay=30ms, status=503", "eof", 503, '{"message":"Service Unavailable"}', False, 503),
]


@pytest.mark.parametrize("spec,ended,status,body,taken,answered", FAULTS,
                         ids=[row[0] for row in FAULTS])
def test_each_fault_on_the_wire(sandbox, spec, ended, status, body, taken, answered):
    sandbox.set_faults(spec)
    peer = hand_back_raw(sandbox)
    assert peer.ended == ended
    if status is not None:
        got, headers, text = split_answer(peer.bytes)
        assert got == status
        assert text.startswith(HTML) if body == HTML else text == body
        if answered == "half-body":
            assert int(headers["content-length"]) == len(echo())
    assert sandbox.accepted(TOKEN) == int(taken)
    assert sandbox.counts()["posts"] == 1
    (seen,) = sandbox.requests()
    assert (seen["answered"], seen["accepted"]) == (answered, taken)
    assert seen["fault"] == spec.split(",")[-1].split()[0].split("=")[0]
    sandbox.clear_faults()
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY)[0] == 200


def test_a_fault_without_an_answer_sends_no_byte(sandbox):
    for spec in ("close", "reset-after", "accept-reset"):
        sandbox.set_faults(spec)
        assert hand_back_raw(sandbox).bytes == b""


def test_half_a_head_has_no_end_and_garbage_is_no_http(sandbox):
    sandbox.set_faults("half-head first=1, garbage")
    data = hand_back_raw(sandbox).bytes
    assert data.startswith(b"HTTP/1.1 200") and b"\r\n\r\n" not in data
    data = hand_back_raw(sandbox).bytes
    assert data and not data.startswith(b"HTTP")


def test_a_faulty_answer_to_a_bad_request_is_not_taken(sandbox):
    sandbox.set_faults("accept-reset")
    assert hand_back_raw(sandbox, key="other").ended == "reset"
    assert sandbox.accepted(TOKEN) == 0


def test_a_reset_before_reading_leaves_no_trace(sandbox):
    sandbox.set_faults("reset-before times=1")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):  # on whichever call meets it
        with Peer(sandbox) as peer:
            peer.send(post_bytes())
            assert peer.socket.recv(1) == b""
    assert sandbox.requests() == []
    (rule,) = sandbox.faults()
    assert (rule["fired"], rule["over"]) == (1, True)


def test_a_hanging_request_is_under_way_until_the_client_leaves(sandbox):
    sandbox.set_faults("hang")
    with Peer(sandbox, 0.3) as peer:
        peer.send(post_bytes())
        seen = wait_for(sandbox.requests, what="the request")[0]
        assert (seen["answered"], seen["duration_ms"]) == (None, None)
        assert peer.read().ended == "open" and peer.bytes == b""
    seen = wait_for(lambda: [s for s in sandbox.requests() if s["answered"]],
                    what="the end of the hanging request")[0]
    assert (seen["answered"], seen["client_left"], seen["accepted"]) == ("hang", True, False)


def test_a_hanging_request_may_be_taken(sandbox):
    sandbox.set_faults("hang taken")
    with Peer(sandbox) as peer:
        peer.send(post_bytes())
        wait_for(lambda: sandbox.accepted(TOKEN) == 1, what="the books")


@tried_again_if_late
def test_a_delay_takes_its_time_and_spares_others(sandbox):
    sandbox.set_faults("delay=400ms token=slow-*")
    with Peer(sandbox) as peer:
        start = time.monotonic()
        peer.send(post_bytes("slow-1"))
        assert sandbox.hand_back(TOKEN, PRODUCT, KEY)[0] == 200
        others = time.monotonic() - start
        assert split_answer(peer.read().bytes)[0] == 200
        assert time.monotonic() - start >= 0.39  # a loop's clock has whole milliseconds
    slow = sandbox.requests(path=f"/ext/{PRODUCT}/slow")[0]
    assert slow["duration_ms"] >= 390 and slow["fault"] == "delay"
    in_time(others, 0.4, "another's")


def test_a_partner_takes_what_the_client_no_longer_waits_for(sandbox):
    sandbox.set_faults("delay=200ms")
    with Peer(sandbox) as peer:
        peer.send(post_bytes())
        wait_for(sandbox.requests, what="the request")
        peer.leave()
    wait_for(lambda: sandbox.accepted(TOKEN) == 1, what="the books")
    seen = sandbox.requests()[0]
    assert (seen["answered"], seen["accepted"], seen["client_left"]) == (200, True, True)


def test_a_trickle_comes_in_pieces(sandbox):
    sandbox.set_faults("trickle=40/20ms")
    with Peer(sandbox) as peer:
        start = time.monotonic()
        peer.send(post_bytes()).read()
    assert time.monotonic() - start >= 0.02 * (len(peer.bytes) // 40 - 1)
    assert split_answer(peer.bytes)[2] == echo()


def test_retry_after_in_its_forms(sandbox):
    sandbox.set_faults('status=429 retry-after=2 first=1, status=503 retry-after=date:90s times=1, '
                       'status=503 retry-after="soon, I hope" header="X-More: yes"')
    assert split_answer(hand_back_raw(sandbox).bytes)[1]["retry-after"] == "2"
    text = split_answer(hand_back_raw(sandbox).bytes)[1]["retry-after"]
    ahead = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    assert text.endswith(" GMT") and 85 < ahead <= 90
    headers = split_answer(hand_back_raw(sandbox).bytes)[1]
    assert (headers["retry-after"], headers["x-more"]) == ("soon, I hope", "yes")


def test_a_redirect_leads_where_followers_are_recorded(sandbox):
    sandbox.set_faults("POST /ext/* redirect")
    _, headers, _ = split_answer(hand_back_raw(sandbox).bytes)
    assert headers["location"] == "/redirected"
    assert sandbox.ask("POST", headers["location"], GOOD.encode(), JSON)[0] == 404
    assert sandbox.requests()[-1]["path"] == "/redirected"
    sandbox.set_faults("redirect=308 to=http://127.0.0.1:9/x")
    status, headers, _ = split_answer(hand_back_raw(sandbox).bytes)
    assert (status, headers["location"]) == (308, "http://127.0.0.1:9/x")


def test_a_fault_can_look_at_the_key(sandbox):
    fingerprint = hashlib.sha256(KEY.encode()).hexdigest()[:8]
    sandbox.set_faults(f"status=500 key={fingerprint}")
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY)[0] == 500
    assert sandbox.hand_back(TOKEN, PRODUCT, "other")[0] == 403


def test_faults_are_given_as_text_or_json_and_spare_the_control_routes(sandbox):
    rules = sandbox.set_faults("hang first=1\nstatus=503, ")
    assert [rule["rule"] for rule in rules] == ["hang first=1", "status=503"]
    rules = sandbox.control("POST", "/faults", {"faults": "GET status=418"})["faults"]
    assert rules == [{"rule": "GET status=418", "seen": 0, "fired": 0, "over": False}]
    sandbox.set_faults("* status=500")
    assert sandbox.health()["status"] == "ok"
    assert sandbox.health()["faults"] == 1
    sandbox.clear_faults()
    assert sandbox.faults() == []


def test_a_bad_fault_is_refused_and_the_old_ones_stay(sandbox):
    sandbox.set_faults("status=503")
    for body in (b"stauts=1", b"hang fist=1", b'{"faults":1}', b'{"fault":"hang"}', b'{"faults"'):
        status, _, text = sandbox.ask("POST", "/_sandbox/faults", body, "text/plain")
        answer = json.loads(text)
        assert status == 400 and answer["message"] and answer["hint"]
    assert [rule["rule"] for rule in sandbox.faults()] == ["status=503"]


def test_faults_from_the_command_line_are_in_force_at_once():
    with Sandbox(faults="status=503 first=2") as faulty:
        assert [faulty.hand_back("abcd-1")[0] for _ in range(3)] == [503, 503, 200]


def test_a_schedule_ends_by_itself(sandbox):
    sandbox.set_faults("status=503 for=300ms")
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY)[0] == 503
    wait_for(lambda: sandbox.hand_back(TOKEN, PRODUCT, KEY)[0] == 200, what="the partner's return")
    assert sandbox.faults()[0]["over"] is True


# --- the sandbox itself --------------------------------------------------------------------------

def test_unknown_control_routes_say_where_the_list_is(sandbox):
    status, _, text = sandbox.ask("GET", "/_sandbox/nothing")
    assert status == 404 and "GET /_sandbox" in json.loads(text)["hint"]
    status, _, text = sandbox.ask("PATCH", "/_sandbox/faults")
    assert status == 405 and "GET /_sandbox" in json.loads(text)["hint"]
    for body in (b'{"unknown":1}', b'{"known":[1]}', b"x"):
        assert sandbox.ask("POST", "/_sandbox/tokens", body)[0] == 400
    for body in (b'{}', b'{"products":[{}]}', b'{"products":[{"id":"a","key":1}]}', b"x"):
        assert sandbox.ask("POST", "/_sandbox/products", body)[0] == 400


def test_the_help_names_every_route_and_fault(sandbox):
    _, headers, text = sandbox.ask("GET", "/_sandbox")
    assert headers["Content-Type"].startswith("text/plain")
    for word in ("/ext/{product}/{token}/api", "/_sandbox/requests", "accept-reset",
                 "trickle=BYTES/DURATION", "probability=P"):
        assert word in text.decode()


def test_reset_puts_everything_back(sandbox):
    sandbox.set_faults("status=503 token=x*")
    sandbox.set_tokens(unknown=["a*"])
    sandbox.set_products({"b": None})
    sandbox.hand_back(TOKEN, PRODUCT, KEY)
    sandbox.reset()
    assert sandbox.faults() == [] and sandbox.requests() == []
    assert sandbox.counts()["posts"] == 0
    assert sandbox.control("GET", "/tokens")["unknown"] == ["unknown*"]
    assert sandbox.control("GET", "/products")["products"] == [{"id": PRODUCT, "key": "set"}]


def test_it_stops_at_once_whatever_is_under_way():
    with Sandbox(faults="hang token=hang*, delay=1h token=slow*, trickle=1/1h") as busy:
        peers = [Peer(busy) for _ in range(3)]
        for peer, token in zip(peers, ("hang-1", "slow-1", "drop-1")):
            peer.send(post_bytes(token))
        wait_for(lambda: len(busy.requests()) == 3, what="all three requests")
        start = time.monotonic()
        assert busy.stop() == 0
        assert time.monotonic() - start < 5
        for peer in peers:
            assert peer.read().ended == "reset"
            peer.close()


def test_a_client_that_resets_while_it_is_served_hurts_nobody(sandbox):
    sandbox.set_faults("trickle=1/1ms token=leave*")
    for i in range(20):
        peer = Peer(sandbox)
        peer.send(post_bytes(f"leave-{i}")).read(until=b"HTTP")
        peer.leave()
    wait_for(lambda: all(s["answered"] for s in sandbox.requests()), what="the end of all")
    assert all(s["client_left"] for s in sandbox.requests())
    assert sandbox.hand_back(TOKEN, PRODUCT, KEY)[0] == 200
