# SPDX-License-Identifier: MIT
"""The API listener against the real daemon: whom it answers, what HTTP it takes, and what hostile
bytes do to it: nothing, while others are served and memory stays bounded."""
import contextlib
import os
import random
import socket
import stat
import tempfile
import threading
import time

import pytest

import wire
from daemon import Daemon, is_sanitized
from sandbox_client import wait_for
from wire import Peer, exchange

JSON = {"Content-Type": "application/json"}


def own_host(shop):
    return shop.address


# --- whom it answers -----------------------------------------------------------------------------

@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:1", "127.0.0.1", "127.0.0.1:80",
                                  "127.8.8.8:9", "[::1]", "[::1]:8787"])
def test_a_host_of_this_machine_is_answered(shop, host):
    assert shop.ask("GET", "/healthz", headers={"Host": host}).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8787", "localhost.evil.example",
                                  "127.0.0.1.evil.example", "evil.localhost", "192.0.2.1", "0.0.0.0",
                                  "[2001:db8::1]", "localhost."])
def test_another_host_is_forbidden(shop, host):
    answer = shop.ask("GET", "/v1/orders", headers={"Host": host})
    assert (answer.status, answer.problem) == (403, "forbidden")
    assert "Host" in answer.json["detail"]


def test_hosts_can_be_added(daemons):
    shop = daemons(BACKCHANNEL_HTTP_HOSTS="backchannel,bc.shop.example")
    for host in ("backchannel:8787", "BC.shop.example"):
        assert shop.ask("GET", "/healthz", headers={"Host": host}).status == 200
    assert shop.ask("GET", "/healthz", headers={"Host": "bc.shop.example.evil"}).status == 403


def test_a_request_without_a_host_reaches_nothing(shop):
    peer = exchange(shop.address, b"GET /v1/orders HTTP/1.0\r\n\r\n")
    assert [a.status for a in peer.answers()] == [403]


@pytest.mark.parametrize("origin", ["http://evil.example", "https://evil.example", "null", "",
                                    "http://localhost:1", "file://"])
def test_another_origin_is_forbidden(shop, unique, origin):
    for method, path, body in (("GET", "/v1/orders", None),
                               ("POST", "/v1/clicks", {"token": unique.token()})):
        answer = shop.ask(method, path, body, headers={"Origin": origin})
        assert (answer.status, answer.problem) == (403, "forbidden")


def test_its_own_origin_is_let_in(shop):
    answer = shop.ask("GET", "/v1/orders", headers={"Origin": "http://" + own_host(shop)})
    assert answer.status == 200


@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded",
                                   "multipart/form-data; boundary=x", "application/jsonp", "json", "",
                                   "text/plain; application/json"])
def test_a_body_of_another_type_is_forbidden(shop, unique, given):
    order = unique.order()
    answer = shop.ask("POST", "/v1/orders", {"order": order, "token": unique.token()},
                      headers={"Content-Type": given})
    assert (answer.status, answer.problem) == (403, "forbidden")
    assert shop.get("/v1/orders/" + order).status == 404


@pytest.mark.parametrize("given", ["application/json; charset=utf-8", "Application/JSON",
                                   " application/json ;x=y"])
def test_json_is_json_however_it_is_written(shop, unique, given):
    answer = shop.ask("POST", "/v1/clicks", {"token": unique.token()}, headers={"Content-Type": given})
    assert answer.status == 201


# --- the API token -------------------------------------------------------------------------------

API_TOKEN = "api-token-canary-0123456789"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, partner_process):
    with Daemon(tmp_path_factory.mktemp("guarded"), partner=partner_process,
                BACKCHANNEL_API_TOKEN=API_TOKEN) as shop:
        yield shop
        assert shop.stop() == 0


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {API_TOKEN}",
                                   API_TOKEN, f"Bearer {API_TOKEN}x", f"Bearer {API_TOKEN[:-1]}",
                                   f"Bearer {API_TOKEN.upper()}", f"Bearer x {API_TOKEN}"])
def test_without_the_api_token_everything_but_health_is_unauthorized(guarded, given):
    headers = {} if given is None else {"Authorization": given}
    for method, path in (("GET", "/v1/orders"), ("POST", "/v1/orders"), ("GET", "/metrics"),
                         ("GET", "/v1/lanes"), ("GET", "/none"), ("GET", "/healthz/"),
                         ("GET", "/healthz/../v1/orders"), ("GET", "//healthz")):
        answer = wire.ask(guarded.address, method, path, headers=headers)
        assert (answer.status, answer.problem) == (401, "unauthorized"), path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert API_TOKEN not in answer.text
    for path in ("/healthz", "/readyz", "/healthz?x=y"):
        assert wire.ask(guarded.address, "GET", path, headers=headers).status == 200


@pytest.mark.parametrize("given", [f"Bearer {API_TOKEN}", f"bearer {API_TOKEN}",
                                   f"BEARER   {API_TOKEN}"])
def test_the_api_token_lets_in(guarded, given):
    assert wire.ask(guarded.address, "GET", "/v1/orders", headers={"Authorization": given}).status == 200


def test_the_command_line_sends_the_api_token(guarded):
    assert guarded.cli("orders").code == 0
    refused = guarded.cli("orders", BACKCHANNEL_API_TOKEN="another-token")
    assert refused.code == 3 and "API token" in refused.err


def test_an_address_that_others_reach_needs_an_api_token(daemons):
    for listen in ("0.0.0.0:0", "[::]:0"):
        shop = daemons.make(BACKCHANNEL_LISTEN=listen).spawn()
        assert shop.wait_exit() == 1
        assert "api_token" in shop.log_text() or "BACKCHANNEL_API_TOKEN" in shop.log_text()


def test_an_address_that_others_reach_works_with_an_api_token(daemons):
    shop = daemons(BACKCHANNEL_LISTEN="0.0.0.0:0", BACKCHANNEL_API_TOKEN=API_TOKEN)
    assert shop.address.startswith("0.0.0.0:")
    assert shop.get("/v1/orders").status == 200
    assert wire.ask(shop.address, "GET", "/v1/orders").status == 401


# --- plain HTTP ----------------------------------------------------------------------------------

def test_every_answer_carries_a_request_id(shop):
    seen = {shop.ask(method, path, headers=headers).headers["x-request-id"]
            for method, path, headers in (("GET", "/healthz", {}), ("GET", "/none", {}),
                                          ("PUT", "/v1/orders", {}), ("POST", "/v1/orders", {}),
                                          ("GET", "/healthz", {"Host": "evil.example"}))}
    assert len(seen) == 5
    for bad in (b"GET / HTTP/2.0\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"):
        (answer,) = exchange(shop.address, bad).answers()
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("given,kept", [("abc-123_X.y", True), ("a" * 32, True), ("a" * 33, False),
                                        ("a b", False), ("a;b", False), ("", False), ("a\tb", False)])
def test_a_callers_request_id_is_kept_if_it_is_harmless(shop, given, kept):
    got = shop.ask("GET", "/healthz", headers={"X-Request-Id": given}).headers["x-request-id"]
    assert (got == given) == kept and got


@pytest.mark.parametrize("method,path,allowed", [
    ("PUT", "/v1/orders", {"GET", "HEAD", "POST"}),
    ("DELETE", "/v1/orders", {"GET", "HEAD", "POST"}),
    ("GET", "/v1/clicks", {"POST"}),
    ("GET", "/v1/clicks/c.00", {"DELETE"}),
    ("POST", "/healthz", {"GET", "HEAD"}),
    ("OPTIONS", "/metrics", {"GET", "HEAD"}),
    ("PATCH", "/v1/orders/1", {"GET", "HEAD"}),
    ("GET", "/v1/orders/1/cancel", {"POST"}),
    ("DELETE", "/v1/orders/retry", {"GET", "HEAD", "POST"}),
])
def test_a_method_that_a_path_does_not_take_is_405_with_allow(shop, method, path, allowed):
    answer = shop.ask(method, path)
    assert (answer.status, answer.problem) == (405, "bad-request")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["//", "/v1", "/v1/", "/v1/order", "/healthz/", "/HEALTHZ", "/v1/orders/",
                                  "/v1//orders", "/v1/./orders", "/v1/%6frders", "/healthz%00", "/a" * 99])
def test_a_path_that_is_none_is_not_found(shop, path):
    answer = shop.get(path)
    assert (answer.status, answer.problem) == (404, "not-found")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/orders", "/v1/lanes", "/none"])
def test_head_answers_as_get_without_a_body(shop, path):
    got, head = shop.get(path), shop.ask("HEAD", path)
    assert (head.status, head.body) == (got.status, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]
    peer = exchange(shop.address, f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close"
                                  "\r\n\r\n".encode())
    assert peer.bytes.endswith(b"\r\n\r\n")


def test_one_connection_serves_many_requests(shop, unique):
    conn = wire.connection(shop.address)
    for _ in range(50):
        assert wire.send(conn, "GET", "/healthz").status == 200
        assert wire.send(conn, "POST", "/v1/clicks", {"token": unique.token()}).status == 201
        assert wire.send(conn, "POST", "/v1/clicks", {"token": "!"}).status == 400
    conn.close()


def test_pipelined_requests_are_answered_in_order(shop, unique):
    orders = [unique.order() for _ in range(20)]
    data = b""
    for order in orders:
        body = f'{{"order":"{order}"}}'
        data += (f"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
    peer = exchange(shop.address, data + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                         b"Connection: close\r\n\r\n")
    answers = peer.answers()
    assert [a.json["order"] for a in answers[:-1]] == orders
    assert answers[-1].text == "ok\n" and peer.ended == "eof"


@pytest.mark.parametrize("request_text", ["GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
                                          "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close"
                                          "\r\n\r\n",
                                          "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                          "Connection: foo, Close\r\n\r\n"])
def test_a_client_that_wants_one_answer_gets_one_and_the_end(shop, request_text):
    peer = exchange(shop.address, request_text.encode())
    assert [a.status for a in peer.answers()] == [200] and peer.ended == "eof"


def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_413(shop, unique):
    limit = 64 * 1024
    base = '{"token":"' + unique.token() + '","x":"'
    fits = base + "a" * (limit - len(base) - 2) + '"}'
    assert shop.ask("POST", "/v1/clicks", fits).status == 201
    answer = shop.ask("POST", "/v1/clicks", fits + " ")
    assert (answer.status, answer.problem) == (413, "too-large")


def test_a_chunked_body_over_the_limit_is_413(shop):
    head = (b"POST /v1/clicks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n")
    peer = exchange(shop.address, head + b"8000\r\n" + b"a" * 0x8000 + b"\r\n" + b"8001\r\n"
                    + b"a" * 0x8001 + b"\r\n0\r\n\r\n")
    (answer,) = peer.answers()
    assert (answer.status, answer.problem) == (413, "too-large")


def test_the_body_limit_is_a_setting(daemons, unique):
    shop = daemons(BACKCHANNEL_HTTP_BODY="2KiB")
    assert shop.post("/v1/clicks", {"token": unique.token(), "x": "a" * 1500}).status == 201
    assert shop.post("/v1/clicks", {"token": unique.token(), "x": "a" * 2100}).status == 413


def test_a_chunked_body_is_read(shop, unique):
    body = f'{{"token":"{unique.token()}"}}'.encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:3], body[3:4], body[4:]))
    peer = exchange(shop.address, b"POST /v1/clicks HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                    b"application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    + chunks + b"0\r\n\r\n")
    assert [a.status for a in peer.answers()] == [201]


@pytest.mark.parametrize("head", [b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                  b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 17000 + b"\r\n\r\n",
                                  b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n"])
def test_a_head_over_its_limit_is_431(shop, head):
    peer = exchange(shop.address, head)
    (answer,) = peer.answers()
    assert (answer.status, answer.problem) == (431, "too-large")
    assert peer.ended == "eof"


def test_expect_100_continue_is_met_and_any_other_expectation_refused(shop, unique):
    body = f'{{"token":"{unique.token()}"}}'.encode()
    head = (b"POST /v1/clicks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nExpect: %s\r\nConnection: close\r\n\r\n")
    with Peer(shop.address) as peer:
        peer.send(head % (len(body), b"100-continue")).read(b"\r\n\r\n")
        assert peer.bytes == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.bytes = b""
        assert peer.send(body).read().answers()[0].status == 201
    (answer,) = exchange(shop.address, head % (len(body), b"200-ok")).answers()
    assert (answer.status, answer.problem) == (417, "bad-request")
    (answer,) = exchange(shop.address, head % (10 ** 6, b"100-continue")).answers()
    assert answer.status == 413


# --- a Unix socket -------------------------------------------------------------------------------

@pytest.fixture
def socket_path():
    """A short one: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="bc-") as folder:
        yield folder + "/api.sock"


def test_a_unix_socket_serves_as_well(daemons, partner, unique, socket_path):
    path = socket_path
    shop, token = daemons(BACKCHANNEL_LISTEN=f"unix:{path}"), unique.token()
    mode = os.stat(path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) & 0o007 == 0
    assert shop.order("o", wait="10s", token=token).json["state"] == "delivered"
    told = shop.cli("explain", "o", BACKCHANNEL_URL=None)
    assert told.code == 0 and "was handed back" in told.out
    assert shop.stop() == 0
    assert not os.path.exists(path)


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(daemons, unique, socket_path):
    path = socket_path
    shop = daemons(BACKCHANNEL_LISTEN=f"unix:{path}")
    other = daemons.make(BACKCHANNEL_LISTEN=f"unix:{path}").spawn()
    assert other.wait_exit() != 0 and path in other.log_text()
    assert shop.get("/healthz").status == 200
    shop.kill9()
    assert os.path.exists(path)
    shop.start()
    assert shop.order("o", wait="10s", token=unique.token()).json["state"] == "delivered"


# --- what llhttp lets pass and we do not; smuggling ----------------------------------------------

ORDER = '{"order":"smuggled-%s","token":"smuggled-token-1"}'


def post(headers, body="", line="POST /v1/orders HTTP/1.1", host="Host: localhost\r\n"):
    return (f"{line}\r\n{host}Content-Type: application/json\r\n{headers}\r\n{body}").encode("latin-1")


def hidden(name):
    """A whole request, as it would stand in another one's body."""
    body = ORDER % name
    return post(f"Content-Length: {len(body)}\r\n", body)


# name, bytes, status
HOSTILE = [
    # DESIGN section 4: what llhttp 8.1 takes by default
    ("obs-fold", post("X: a\r\n b\r\nContent-Length: 2\r\n", "{}"), 400),
    ("obs-fold with a tab", post("X: a\r\n\tb\r\nContent-Length: 2\r\n", "{}"), 400),
    ("a folded first header", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
    ("an empty header name", post(": a\r\nContent-Length: 2\r\n", "{}"), 400),
    ("no version", b"GET /healthz\r\nHost: localhost\r\n\r\n", 400),
    ("no version and no header", b"GET /healthz\r\n\r\n", 400),
    ("HTTP/2.0", b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 400),
    ("HTTP/1.2", b"GET /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /healthz HTTP/0.9\r\nHost: localhost\r\n\r\n", 400),
    ("http/1.1 in small letters", b"GET /healthz http/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    ("two coding names", post("Transfer-Encoding: x, chunked\r\n", "0\r\n\r\n"), 400),
    ("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400),
    ("gzip", post("Transfer-Encoding: gzip\r\n", "0\r\n\r\n"), 400),
    ("identity", post("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "{}"), 400),
    ("chunked on HTTP/1.0", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n",
                                 line="POST /v1/orders HTTP/1.0"), 400),
    # two framings
    ("CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                       "0\r\n\r\n" + hidden("cl-te").decode()), 400),
    ("TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                       "60\r\n" + hidden("te-cl").decode() + "\r\n0\r\n\r\n"), 400),
    ("two different lengths", post("Content-Length: 2\r\nContent-Length: 100\r\n", "{}"), 400),
    ("two equal lengths", post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), 400),
    ("a list of lengths", post("Content-Length: 2, 2\r\n", "{}"), 400),
    ("a signed length", post("Content-Length: +2\r\n", "{}"), 400),
    ("a negative length", post("Content-Length: -2\r\n", "{}"), 400),
    ("a hexadecimal length", post("Content-Length: 0x2\r\n", "{}"), 400),
    ("an empty length", post("Content-Length: \r\n", "{}"), 400),
    ("a length beyond 64 bit", post("Content-Length: 18446744073709551618\r\n", "{}"), 400),
    ("a huge length", post("Content-Length: 9999999999\r\n", "{}"), 413),
    ("blank before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400),
    ("blank in a name", post("Transfer Encoding: chunked\r\n", "0\r\n\r\n"), 400),
    ("tab in a coding", post("Transfer-Encoding:\tchunked\x0b\r\n", "0\r\n\r\n"), 400),
    ("two codings in two lines", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
                                      "0\r\n\r\n"), 400),
    # line ends and bytes
    ("a bare LF", b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    ("a bare CR", post("X: a\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n", "{}"), 400),
    ("a NUL in a value", post("X: a\x00b\r\nContent-Length: 2\r\n", "{}"), 400),
    ("a NUL in a name", post("X\x00Y: a\r\nContent-Length: 2\r\n", "{}"), 400),
    ("a control byte", post("X: \x01\r\nContent-Length: 2\r\n", "{}"), 400),
    ("no colon", post("Content-Length 2\r\n", "{}"), 400),
    ("two empty lines in front", b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    # request line
    ("four words", b"GET / x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("two blanks", b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("no slash", b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a star", b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a fragment", b"GET /healthz#x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("raw UTF-8 in the path", "GET /v1/orders/\u00fc HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), 400),
    ("another host in the target", b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("user in the target", b"GET http://a@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a Host of blanks", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("a Host with a path", b"GET / HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400),
    ("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 501),
    ("Upgrade", b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 501),
    ("an empty method", b" / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    # chunks
    ("a chunk size with a sign", post("Transfer-Encoding: chunked\r\n", "+2\r\n{}\r\n0\r\n\r\n"), 400),
    ("a chunk size with 0x", post("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"), 400),
    ("an empty chunk size", post("Transfer-Encoding: chunked\r\n", "\r\n{}\r\n0\r\n\r\n"), 400),
    ("a chunk size beyond 64 bit", post("Transfer-Encoding: chunked\r\n",
                                        "10000000000000002\r\n{}\r\n0\r\n\r\n"), (400, 413)),
    ("a chunk longer than its size", post("Transfer-Encoding: chunked\r\n",
                                          "2\r\n{}x\r\n0\r\n\r\n"), 400),
    ("a chunk ended by LF", post("Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n"), 400),
    ("a huge chunk size", post("Transfer-Encoding: chunked\r\n", "fffffff\r\n"), 413),
    # other protocols, and noise
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)), 400),
    ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    ("JSON", b'{"order":"1"}\r\n\r\n', 400),
    ("SMTP", b"EHLO evil.example\r\nMAIL FROM:<a@b>\r\n", 400),
    ("NULs", b"\x00" * 64, 400),
    ("0xff", b"\xff" * 64, 400),
]


@pytest.mark.parametrize("name,data,status", HOSTILE, ids=[row[0] for row in HOSTILE])
def test_what_is_ambiguous_or_malformed_is_refused_and_the_connection_closed(shop, name, data, status):
    allowed = status if isinstance(status, tuple) else (status,)
    # Whatever follows must not be taken for a request of its own.
    peer = exchange(shop.address, data + hidden(name.replace(" ", "-")))
    answers = peer.answers()
    assert [a.status in allowed for a in answers] == [True], (name, peer.bytes)
    assert answers[0].problem in ("bad-request", "too-large")
    assert peer.ended in ("eof", "reset")
    assert "smuggled" not in shop.get("/v1/orders").text
    assert shop.get("/healthz").status == 200


@pytest.mark.parametrize("lead", ["", "\r\n"])
def test_one_empty_line_in_front_is_forgiven(shop, lead):
    peer = exchange(shop.address, f"{lead}GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n".encode())
    assert [a.status for a in peer.answers()] == [200]


def test_an_absolute_target_of_this_host_is_taken(shop):
    peer = exchange(shop.address, b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n"
                                  b"Connection: close\r\n\r\n")
    assert [a.status for a in peer.answers()] == [200]


def test_a_request_cut_anywhere_is_the_same_request(shop, unique):
    body = f'{{"token":"{unique.token()}"}}'
    data = post(f"Content-Length: {len(body)}\r\nConnection: close\r\n", body,
                line="POST /v1/clicks HTTP/1.1")
    for cut in range(1, len(data), 7):
        with Peer(shop.address) as peer:
            peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.send(data[:cut]).send(data[cut:])
            assert [a.status for a in peer.read().answers()] == [201], cut


# --- under attack --------------------------------------------------------------------------------

class Bystander:
    """Another client, which asks again and again and must be served all the while."""

    def __init__(self, shop):
        self.shop, self.answers, self.slowest, self.failure = shop, 0, 0.0, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            conn = wire.connection(self.shop.address, timeout=10)
            while not self.over.is_set():
                start = time.monotonic()
                answer = wire.send(conn, "POST", "/v1/clicks", {"token": "bystander-token-1"})
                assert answer.status == 201, answer
                self.slowest = max(self.slowest, time.monotonic() - start)
                self.answers += 1
            conn.close()
        except Exception as failure:  # noqa: BLE001  (told by __exit__)
            self.failure = failure

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.answers or self.failure, what="the bystander's first answer")
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            wait_for(lambda: self.answers > 5 or self.failure, what="more answers for the bystander")
        self.over.set()
        self.thread.join()
        assert self.failure is None, self.failure
        assert self.answers > 5 and self.slowest < 2, (self.answers, self.slowest)


def grown_kib(shop, before):
    """How much more memory it has; nothing in sanitizer builds, which keep what is freed."""
    return 0 if is_sanitized() else shop.rss_kib() - before


def test_slow_heads_are_closed_while_others_are_served(daemons):
    shop = daemons(BACKCHANNEL_HTTP_HEAD_TIMEOUT="300ms")
    with contextlib.ExitStack() as stack:
        stack.enter_context(Bystander(shop))
        peers = [stack.enter_context(Peer(shop.address, 10)) for _ in range(200)]
        start = time.monotonic()
        for peer in peers:
            peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        while time.monotonic() - start < 0.6:  # one byte at a time, as slowloris does
            for peer in peers:
                peer.send(b"a")
        for peer in peers:
            peer.read()
            assert peer.ended in ("eof", "reset")
            assert [a.status for a in peer.answers()] in ([408], [])
        assert time.monotonic() - start < 8


def test_silent_connections_are_closed(daemons):
    shop = daemons(BACKCHANNEL_HTTP_HEAD_TIMEOUT="200ms")
    with contextlib.ExitStack() as stack:
        for peer in [stack.enter_context(Peer(shop.address, 10)) for _ in range(20)]:
            assert (peer.read().ended, peer.bytes) == ("eof", b"")


def test_a_body_that_does_not_come_is_closed_while_others_are_served(daemons):
    shop = daemons(BACKCHANNEL_HTTP_HEAD_TIMEOUT="200ms")
    head = post("Content-Length: 60000\r\n")
    with Bystander(shop), contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(shop.address, 15)) for _ in range(50)]
        for peer in peers:
            peer.send(head + b'{"order":')
        for peer in peers:
            peer.read()
            assert peer.ended in ("eof", "reset") and [a.status for a in peer.answers()] in ([408], [])


def test_memory_stays_bounded_under_many_half_sent_requests(daemons):
    shop = daemons()
    with Bystander(shop), contextlib.ExitStack() as stack:
        before = shop.rss_kib()
        head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 15000
        body = post("Content-Length: 65536\r\n", "[" * 60000)
        for i in range(400):
            peer = stack.enter_context(Peer(shop.address))
            peer.send(head if i % 2 else body)
        shop.get("/healthz")
        # 200 times 16 KiB and 200 times 64 KiB, buffers that double, and some room.
        assert grown_kib(shop, before) < 64 * 1024
    assert wait_for(lambda: "backchannel_http_connections 1\n" in shop.get("/metrics").text)


def test_memory_stays_bounded_under_endless_input(daemons):
    """Bodies without end, headers without end, one line without end; nobody reads the answers."""
    shop = daemons()
    endless = [b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"a" * 4096 + b"\r\n",
               b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 700, b"G" * 4096, b"GET /" + b"a" * 4096,
               b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n" * 90]
    with Bystander(shop):
        before = shop.rss_kib()
        for data in endless:
            for _ in range(4):
                with Peer(shop.address, 0.5) as peer:
                    with contextlib.suppress(OSError):
                        for _ in range(1024):
                            peer.socket.sendall(data)
        assert grown_kib(shop, before) < 32 * 1024


def test_random_bytes_do_no_harm(daemons):
    shop = daemons()
    dice = random.Random(20261122)
    seeds = [row[1] for row in HOSTILE] + [hidden("seed")]
    with Bystander(shop):
        before = shop.rss_kib()
        for _ in range(400):
            data = bytearray(dice.choice(seeds))
            for _ in range(dice.randint(0, 12)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            data = data[:dice.randint(1, len(data))]
            with Peer(shop.address, 0.02) as peer:
                peer.send(bytes(data))
                peer.read() if dice.random() < 0.5 else peer.leave()
        assert grown_kib(shop, before) < 32 * 1024
    assert shop.running


def test_connections_over_the_limit_are_busy_and_the_rest_is_served(daemons):
    shop = daemons(BACKCHANNEL_HTTP_CONNECTIONS="20")
    with contextlib.ExitStack() as stack:
        held = []

        def hold_one():  # those of the start may take a moment to be forgotten
            peer = stack.enter_context(Peer(shop.address))
            peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").read(b"ok\n")
            held.extend([peer] if peer.bytes.endswith(b"ok\n") else [])
            return len(held) == 20
        wait_for(hold_one, what="20 connections")
        peer = exchange(shop.address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        (answer,) = peer.answers()
        assert (answer.status, answer.problem) == (503, "busy")
        held[0].bytes = b""
        held[0].send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").read(b"ready\n")
        assert held[0].answers()[0].status == 200
    wait_for(lambda: shop.get("/healthz").status == 200, what="a free place")


def test_clients_that_reset_are_forgotten(daemons, unique):
    shop = daemons()
    for _ in range(100):
        peer = Peer(shop.address)
        peer.send(post("Content-Length: 50\r\n", ORDER % "x")[:-10])
        peer.leave()
    wait_for(lambda: "backchannel_http_connections 1\n" in shop.get("/metrics").text)
    assert shop.order("o", wait="10s", token=unique.token()).json["state"] == "delivered"


def test_no_web_page_is_let_in_by_a_hostile_name_in_any_spelling(shop):
    for line in (b"Host: evil.example", b"host: evil.example", b"HOST:evil.example",
                 b"Host:\tevil.example\t"):
        peer = exchange(shop.address, b"GET /v1/orders HTTP/1.1\r\n" + line
                        + b"\r\nConnection: close\r\n\r\n")
        assert [a.status for a in peer.answers()] == [403]
