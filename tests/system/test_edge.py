# SPDX-License-Identifier: MIT
"""The public listener: what its beacon takes from whom, the cookie byte for byte, how many landings
one address may tell of, and that nobody learns anything from an answer, or reaches the API."""
import contextlib
import re
import signal
import socket
import tempfile
import time
import urllib.parse

import pytest

import wire
from daemon import Daemon
from ports import Port
from sandbox_client import wait_for

PLENTY = {"BACKCHANNEL_EDGE": "127.0.0.1:0", "BACKCHANNEL_EDGE_RATE": "100000/s",
          "BACKCHANNEL_EDGE_BURST": "1000000"}
COOKIE = re.compile(r"bc_click=(c\.[0-9a-f]{32}); Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TEXT = {"Content-Type": "text/plain;charset=UTF-8"}
SHOP = "https://shop.example/shoes"


def address_of(daemon):
    (listening,) = daemon.events("edge.listening", this_run=True)
    return listening["listen"]


@pytest.fixture(scope="module")
def edged(tmp_path_factory, partner_process):
    daemon = Daemon(tmp_path_factory.mktemp("edged"), partner_process, **PLENTY).start()
    daemon.edge = address_of(daemon)
    yield daemon
    assert daemon.stop() == 0, daemon.log_text()


def start(daemons, **settings):
    daemon = daemons(**{**PLENTY, **settings})
    daemon.edge = address_of(daemon)
    return daemon


def landing(token):
    return f"{SHOP}?utm_source=a&sovReqToken={token}"


def tell(daemon, url=None, method="GET", headers=None, body=None):
    path = "/v1/c" + (f"?u={urllib.parse.quote(url, safe='')}" if url is not None else "")
    return wire.ask(daemon.edge, method, path, body, headers)


def click_of(answer):
    """The id in its cookie, which has to be well formed; None without one."""
    assert answer.status == 204, answer
    cookie = answer.headers.get("set-cookie")
    if cookie is None:
        return None
    found = COOKIE.fullmatch(cookie)
    assert found, cookie
    return found[1]


def metric(daemon, name, **labels):
    wanted = "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else ""
    for line in daemon.get("/metrics").text.splitlines():
        if line.startswith(f"backchannel_{name}{wanted} "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no metric {name}{wanted}")


# --- the cookie ----------------------------------------------------------------------------------

def test_the_whole_answer_is_as_documented_byte_for_byte(edged, unique):
    request = (f"GET /v1/c?u={urllib.parse.quote(landing(unique.token()), safe='')} HTTP/1.1\r\n"
               "Host: shop.example\r\nX-Request-Id: r-1\r\nConnection: close\r\n\r\n")
    peer = wire.exchange(edged.edge, request.encode())
    assert re.fullmatch(
        b"HTTP/1\\.1 204 No Content\r\nX-Request-Id: r-1\r\nConnection: close\r\n"
        b"Cache-Control: no-store\r\n"
        b"Set-Cookie: bc_click=c\\.[0-9a-f]{32}; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax\r\n"
        b"\r\n", peer.bytes), peer.bytes


def test_its_age_is_click_ttl_and_its_domain_a_setting(daemons, unique):
    shop = start(daemons, BACKCHANNEL_CLICK_TTL="30d", BACKCHANNEL_EDGE_COOKIE_DOMAIN="shop.example")
    cookie = tell(shop, landing(unique.token())).headers["set-cookie"]
    assert re.fullmatch(r"bc_click=c\.[0-9a-f]{32}; Path=/; Max-Age=2592000; HttpOnly; Secure; "
                        r"SameSite=Lax; Domain=shop\.example", cookie), cookie


def test_an_order_with_the_cookie_is_handed_back(edged, partner, unique):
    token, order = unique.token(), unique.order()
    assert edged.order(order, click=click_of(tell(edged, landing(token)))).status == 202
    edged.wait_state(order, "delivered")
    assert partner.accepted(token) == 1


def test_a_known_visitor_keeps_his_id_and_his_last_click_wins(edged, partner, unique):
    first, second, order = unique.token(), unique.token(), unique.order()
    click = click_of(tell(edged, landing(first)))
    headers = {"Cookie": f"a=b; bc_click={click}; bc_click2=c.0"}
    assert click_of(tell(edged, landing(second), headers=headers)) == click
    edged.order(order, click=click)
    edged.wait_state(order, "delivered")
    assert (partner.accepted(first), partner.accepted(second)) == (0, 1)


@pytest.mark.parametrize("cookie", [
    "bc_click=t.12345-test-abc-00000", "bc_click=", "bc_click", "bc_click=c.", "bc_click=c.zz",
    "bc_click=" + "a" * 32, "bc_click=c." + "a" * 31, "bc_click=c." + "a" * 33, "Bc_click=c." + "a" * 32,
    "bc_click=c." + "a" * 32 + "x", 'bc_click="c.' + "a" * 32 + '"', "x=bc_click=c." + "a" * 32])
def test_a_cookie_that_names_no_id_is_replaced(edged, unique, cookie):
    click = click_of(tell(edged, landing(unique.token()), headers={"Cookie": cookie}))
    assert click and click != "c." + "a" * 32


def test_an_id_in_capitals_is_the_same_id(edged, unique):
    click = click_of(tell(edged, landing(unique.token()), headers={"Cookie": "bc_click=c." + "AB" * 16}))
    assert click == "c." + "ab" * 16


# --- where the URL stands ------------------------------------------------------------------------

def taken(daemon, partner, unique, token, **request):
    order = unique.order()
    click = click_of(tell(daemon, **request))
    assert click, request
    daemon.order(order, click=click)
    daemon.wait_state(order, "delivered")
    return partner.accepted(token) == 1


@pytest.mark.parametrize("headers, form", [(FORM, True), (TEXT, True), (TEXT, False), ({}, True),
                                           ({"Content-Type": "application/json"}, False)])
def test_a_post_carries_it_as_a_form_or_as_text(edged, partner, unique, headers, form):
    token = unique.token()
    body = "x=1&u=" + urllib.parse.quote_plus(landing(token)) if form else f" {landing(token)}\n"
    assert taken(edged, partner, unique, token, method="POST", headers=headers, body=body)


def test_a_path_alone_is_a_url_too(edged, partner, unique):
    token = unique.token()
    assert taken(edged, partner, unique, token, method="POST", headers=TEXT,
                 body=f"/shoes?sovReqToken={token}")


def test_without_one_the_referer_counts(edged, partner, unique):
    token = unique.token()
    assert taken(edged, partner, unique, token, headers={"Referer": landing(token)})


def test_the_query_goes_before_the_body_and_the_body_before_the_referer(edged, partner, unique):
    query, body, referer = (unique.token() for _ in range(3))
    form = "u=" + urllib.parse.quote_plus(landing(body))
    headers = {**FORM, "Referer": landing(referer)}
    assert taken(edged, partner, unique, query, url=landing(query), method="POST", headers=headers, body=form)
    assert taken(edged, partner, unique, body, method="POST", headers=headers, body=form)
    assert taken(edged, partner, unique, referer, url="", method="POST", headers=headers, body="u=")


def test_a_post_that_is_chunked_is_read_too(edged, unique):
    body = ("u=" + urllib.parse.quote_plus(landing(unique.token()))).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    peer = wire.exchange(edged.edge, b"POST /v1/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                         b"Connection: close\r\n\r\n" + chunks + b"0\r\n\r\n")
    (answer,) = peer.answers()
    assert click_of(answer)


def test_the_landings_path_chooses_the_product(daemons, partner, unique):
    partner.set_products({"P-shoes": "key-shoes", "P-default": "key-default"})
    shop = start(daemons, SOVENDUS_PRODUCT_ID="P-default", SOVENDUS_API_KEY="key-default",
                 BACKCHANNEL_PRODUCT_SHOES_PARTNER="sovendus", BACKCHANNEL_PRODUCT_SHOES_ID="P-shoes",
                 BACKCHANNEL_PRODUCT_SHOES_KEY="key-shoes", BACKCHANNEL_PRODUCT_SHOES_LANDING="/shoes")
    order = unique.order()
    shop.order(order, click=click_of(tell(shop, landing(unique.token()))))
    assert shop.wait_state(order, "delivered")["product"] == "shoes"


# --- Sec-Fetch -----------------------------------------------------------------------------------

@pytest.mark.parametrize("site, dest, counts", [
    (None, None, True),
    ("same-origin", "empty", True),
    ("same-site", "empty", True),
    ("same-origin", "image", True),
    ("same-origin", "script", True),
    ("same-site", "iframe", True),
    ("none", "document", True),
    ("cross-site", "document", True),
    (None, "document", True),
    ("same-origin", None, True),
    ("cross-site", "image", False),
    ("cross-site", "iframe", False),
    ("cross-site", "frame", False),
    ("cross-site", "empty", False),
    ("cross-site", "script", False),
    ("cross-site", "style", False),
    ("cross-site", None, False),
    ("none", "image", False),
    ("none", "empty", False),
    ("none", None, False),
    (None, "empty", False),
    (None, "image", False),
    ("", "", False),
    ("SAME-ORIGIN", "empty", False),
    ("same-origin, cross-site", "empty", False),
    ("evil", "evil", False),
])
def test_whether_a_request_counts_by_what_the_browser_says(edged, unique, site, dest, counts):
    headers = {name: value for name, value in (("Sec-Fetch-Site", site), ("Sec-Fetch-Dest", dest))
               if value is not None}
    for method in ("GET", "POST"):
        before = metric(edged, "edge_landings_total", result="foreign")
        click = click_of(tell(edged, landing(unique.token()), method=method, headers=headers))
        assert bool(click) == counts
        assert metric(edged, "edge_landings_total", result="foreign") - before == (not counts)


# --- how many, and whose they are ----------------------------------------------------------------

TIGHT = {"BACKCHANNEL_EDGE_RATE": "1/h", "BACKCHANNEL_EDGE_BURST": "1",
         "BACKCHANNEL_EDGE_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8"}


def forwarded(*fields):
    """Raw header lines: a name may stand more than once."""
    return "".join(f"X-Forwarded-For: {field}\r\n" for field in fields)


def tell_forwarded(daemon, unique, *fields):
    peer = wire.exchange(daemon.edge, (
        f"GET /v1/c?u={urllib.parse.quote(landing(unique.token()), safe='')} HTTP/1.1\r\nHost: x\r\n"
        f"{forwarded(*fields)}Connection: close\r\n\r\n").encode())
    (answer,) = peer.answers()
    return answer


def told(daemon, unique, *fields):
    """Is a landing that comes with these fields kept?"""
    return click_of(tell_forwarded(daemon, unique, *fields)) is not None


@pytest.mark.parametrize("first, second", [
    (["203.0.113.1"], ["203.0.113.1"]),
    (["203.0.113.1"], ["9.9.9.9, 203.0.113.1"]),  # what stands further left, the visitor wrote
    (["203.0.113.1"], ["203.0.113.1, 10.1.1.1"]),
    (["203.0.113.1"], ["9.9.9.9,203.0.113.1 ,\t10.1.1.1,10.2.2.2, fd00::5"]),
    (["203.0.113.1"], ["9.9.9.9", "203.0.113.1"]),
    (["203.0.113.1"], ["203.0.113.1", "10.1.1.1"]),
    (["203.0.113.1"], ["203.0.113.1, 127.0.0.1"]),
    (["203.0.113.1"], ["203.0.113.1:4711"]),
    (["203.0.113.1"], ["::ffff:203.0.113.1"]),
    (["2001:db8::1"], ["[2001:db8::1]:4711"]),
    (["2001:db8::1"], ["[2001:db8::2]"]),  # a customer has a whole /64
    (["2001:db8::1"], ["2001:db8:0:0:ffff::"]),
    (["10.1.1.1"], ["10.1.1.1, 10.2.2.2"]),  # nobody but proxies: the first of them
    ([], []),
    ([], ["unknown"]),
    ([], [""]),
    ([], ["203.0.113.1, garbage"]),
    ([], ["203.0.113.1;10.1.1.1"]),
    pytest.param([], ["x" * 4000], id="long"),
])
def test_two_landings_of_one_visitor_share_a_limit(daemons, unique, first, second):
    shop = start(daemons, **TIGHT)
    assert told(shop, unique, *first)
    assert not told(shop, unique, *second)


@pytest.mark.parametrize("first, second", [
    (["203.0.113.1"], ["203.0.113.2"]),
    (["203.0.113.1"], ["203.0.113.1, 203.0.113.2"]),
    (["203.0.113.1"], []),
    (["2001:db8::1"], ["2001:db8:0:1::1"]),
    (["10.1.1.1"], ["11.1.1.1, 10.1.1.1"]),
    (["203.0.113.1"], ["garbage, 10.1.1.1"]),
])
def test_two_visitors_do_not(daemons, unique, first, second):
    shop = start(daemons, **TIGHT)
    assert told(shop, unique, *first)
    assert told(shop, unique, *second)


def own_address():
    """An address of this machine that is not loopback, if it has one."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address = probe.getsockname()[0]
        return None if address.startswith("127.") else address
    return None


def test_who_is_no_proxy_cannot_say_who_he_is(daemons, unique):
    here = own_address()
    if not here:
        pytest.skip("this machine has no address but loopback")
    shop = start(daemons, **{**TIGHT, "BACKCHANNEL_EDGE": f"{here}:0",
                             "BACKCHANNEL_EDGE_TRUSTED_PROXIES": None})
    assert told(shop, unique, "203.0.113.1")
    assert not told(shop, unique, "203.0.113.2")
    proxied = start(daemons, **{**TIGHT, "BACKCHANNEL_EDGE": f"{here}:0",
                                "BACKCHANNEL_EDGE_TRUSTED_PROXIES": here})
    assert told(proxied, unique, "203.0.113.1")
    assert told(proxied, unique, "203.0.113.2")


def test_behind_a_unix_socket_the_proxy_is_believed(daemons, unique):
    with tempfile.TemporaryDirectory() as folder:
        shop = start(daemons, **{**TIGHT, "BACKCHANNEL_EDGE": f"unix:{folder}/edge.sock"})
        assert shop.edge == f"unix:{folder}/edge.sock"
        assert told(shop, unique, "203.0.113.1")
        assert told(shop, unique, "203.0.113.2")
        assert not told(shop, unique, "203.0.113.1")
        assert told(shop, unique) and not told(shop, unique)


def test_the_burst_is_kept_then_the_rate_and_no_more(daemons, unique):
    shop = start(daemons, BACKCHANNEL_EDGE_RATE="2/s", BACKCHANNEL_EDGE_BURST="5")
    began, kept = time.monotonic(), []
    while kept.count(False) < 3:
        kept.append(told(shop, unique, "203.0.113.1"))
        assert kept.count(True) <= 5 + 2 * (time.monotonic() - began), kept
    assert kept[:5] == [True] * 5
    wait_for(lambda: told(shop, unique, "203.0.113.1"), 5, "a permit to come back")
    assert metric(shop, "edge_landings_total", result="limited") >= 3
    (warned,) = shop.events("edge.limited")
    assert warned["landings"] == 1 and "edge.trusted_proxies" in warned["hint"]
    assert "203.0.113.1" not in shop.log_text()


def test_visitors_that_a_proxy_does_not_name_are_one_and_the_log_says_so(daemons, unique):
    shop = start(daemons, **TIGHT)
    assert told(shop, unique) and not told(shop, unique)
    (warned,) = shop.events("edge.limited")
    assert "X-Forwarded-For" in warned["hint"]


def test_rate_proxies_and_domain_change_without_a_restart(daemons, unique):
    shop = daemons.make(BACKCHANNEL_EDGE="127.0.0.1:0", BACKCHANNEL_CONFIG="bc.conf")
    conf = shop.work / "bc.conf"
    conf.write_text("[edge]\nrate = 1/h\nburst = 1\n", encoding="ascii")
    shop.start()
    shop.edge = address_of(shop)
    assert told(shop, unique, "203.0.113.1, 10.1.1.1")
    assert not told(shop, unique, "203.0.113.2, 10.1.1.1")
    conf.write_text("[edge]\nrate = 1/h\nburst = 2\ntrusted_proxies = 10.1.1.1\n"
                    "cookie_domain = shop.example\n", encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: shop.events("settings.reloaded"), 5, "the reload")
    kept = tell_forwarded(shop, unique, "203.0.113.2, 10.1.1.1").headers.get("set-cookie", "")
    assert kept.endswith("; Domain=shop.example")
    assert "edge" not in " ".join(warning["problem"] for warning in shop.events("settings.warning"))


# --- never an oracle -----------------------------------------------------------------------------

def plain(answer):
    """All but what is each answer's own."""
    return answer.status, {k: v for k, v in answer.headers.items()
                           if k not in ("x-request-id", "set-cookie", "connection")}, answer.body


def test_every_answer_is_the_same_but_for_the_cookie(daemons, unique):
    shop = start(daemons, BACKCHANNEL_EDGE_RATE="1/h", BACKCHANNEL_EDGE_BURST="20")
    good = tell(shop, landing(unique.token()))
    assert click_of(good)
    others = {
        "bad token": tell(shop, landing("a;b")), "short token": tell(shop, landing("abc")),
        "no token": tell(shop, SHOP), "no url": tell(shop), "empty": tell(shop, ""),
        "no scheme": tell(shop, "garbage"), "nul": tell(shop, "/?sovReqToken=a\0b"),
        "long url": tell(shop, landing("a" * 9000)), "post": tell(shop, method="POST", body=""),
        "json": tell(shop, method="POST", body={"u": landing(unique.token())}),
        "large": tell(shop, method="POST", headers=TEXT, body="u=" + "a" * 5000),
        "large with a good query": tell(shop, landing(unique.token()), method="POST", body="a" * 3000),
        "foreign": tell(shop, landing(unique.token()), headers={"Sec-Fetch-Site": "cross-site"}),
    }
    while click_of(tell(shop, landing(unique.token()))):
        pass
    others["limited"] = tell(shop, landing(unique.token()))
    others["limited and bad"] = tell(shop, landing("a;b"))
    for name, answer in others.items():
        assert plain(answer) == plain(good), name
        assert "set-cookie" not in answer.headers, name
    assert plain(good) == (204, {"cache-control": "no-store"}, b"")


def test_where_the_store_refuses_the_cookie_carries_the_token(daemons, partner, unique):
    shop = daemons.make(**PLENTY)
    shop.settings["BACKCHANNEL_STORE"] = f"fault:put-click@1-1000=refuse:sqlite:{shop.folder / 'shop.db'}"
    shop.start()
    shop.edge = address_of(shop)
    token, order = unique.token(), unique.order()
    answer = tell(shop, landing(token), headers={"Cookie": "bc_click=c." + "a" * 32})
    assert answer.headers["set-cookie"] == (f"bc_click=t.{token}; Path=/; Max-Age=86400; HttpOnly; "
                                            "Secure; SameSite=Lax")
    assert metric(shop, "edge_landings_total", result="cookie") == 1
    assert "set-cookie" not in tell(shop, landing("a;b")).headers
    assert shop.order(order, click="t." + token).status == 202
    shop.wait_state(order, "delivered")
    assert partner.accepted(token) == 1
    assert token not in shop.log_text()


# --- what else there is: nothing -----------------------------------------------------------------

@pytest.mark.parametrize("method, path", [
    ("GET", "/"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/openapi.yaml"),
    ("POST", "/v1/clicks"), ("DELETE", "/v1/clicks/c." + "a" * 32), ("GET", "/v1/orders"),
    ("POST", "/v1/orders"), ("GET", "/v1/orders/1"), ("POST", "/v1/orders/1/retry"),
    ("POST", "/v1/orders/retry"), ("GET", "/v1/lanes"), ("POST", "/v1/lanes/sovendus.default/pause"),
    ("GET", "/v1/token"), ("GET", "/v1/token?show=1"), ("GET", "/v1/summary"), ("GET", "/v1/stream"),
    ("GET", "/accs/V1/orders"), ("GET", "/v1/c/"), ("GET", "/v1//c"), ("GET", "/v1/%63"),
    ("GET", "/v1/c/../orders"), ("GET", "/V1/C"), ("GET", "//v1/c"), ("GET", "/.env"),
    ("GET", "/capture.js/"), pytest.param("GET", "/" + "a" * 8000, id="long")])
def test_nothing_else_is_reachable_and_the_answer_names_nothing(edged, method, path):
    answer = wire.ask(edged.edge, method, path, {} if method == "POST" else None)
    assert (answer.status, answer.problem) == (404, "not-found")
    assert answer.json["detail"] == "no such path"
    assert set(answer.headers) <= {"x-request-id", "content-type", "content-length", "connection"}


def test_a_large_body_for_nothing_is_not_read(edged):
    with wire.Peer(edged.edge) as peer:
        peer.send(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1000)
        peer.read()
        assert [a.status for a in peer.answers()] == [404] and peer.ended == "eof"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"])
def test_the_beacon_takes_get_and_post_only(edged, unique, method):
    answer = tell(edged, landing(unique.token()), method=method,
                  headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
    assert answer.status == 405 and answer.headers["allow"] == "GET, POST"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "set-cookie" not in answer.headers


def test_the_api_does_not_know_the_edges_paths_and_stands_elsewhere(edged, unique):
    assert edged.edge != edged.address
    for path in ("/v1/c?u=" + landing(unique.token()), "/capture.js"):
        assert edged.get(path).status == 404


def test_the_script_may_be_cached_and_is_asked_for_again_by_its_tag(edged):
    answer = wire.ask(edged.edge, "GET", "/capture.js")
    assert answer.status == 200 and 0 < len(answer.body) <= 2048
    assert answer.headers["content-type"] == "text/javascript"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = wire.ask(edged.edge, "GET", "/capture.js", headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert wire.ask(edged.edge, "GET", "/capture.js", headers={"If-None-Match": '"x"'}).body == answer.body
    head = wire.ask(edged.edge, "HEAD", "/capture.js")
    assert head.status == 200 and head.headers["content-length"] == str(len(answer.body))
    assert wire.ask(edged.edge, "POST", "/capture.js", "").headers["allow"] == "GET, HEAD"


# --- HTTP, start and end -------------------------------------------------------------------------

@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /v1/c HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/c HTTP/2.0\r\nHost: x\r\n\r\n", 400),
    (b"GET /v1/c\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"POST /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    (b"POST /v1/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x, chunked\r\n\r\n", 400),
    (b"POST /v1/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    pytest.param(b"GET /v1/c HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431, id="long"),
    (b"GET /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", 413),
])
def test_what_is_no_proper_request_is_refused_as_on_the_api(edged, request_bytes, status):
    (answer,) = wire.exchange(edged.edge, request_bytes).answers()
    assert answer.status in (status, 501) and answer.problem in ("bad-request", "too-large")
    assert "http." not in answer.text  # no setting of ours


def test_connections_have_a_limit(daemons):
    shop = start(daemons, BACKCHANNEL_HTTP_CONNECTIONS="3")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(wire.Peer(shop.edge)).send(b"GET ")
        (answer,) = wire.exchange(shop.edge, b"GET /v1/c HTTP/1.1\r\nHost: x\r\n\r\n").answers()
        assert (answer.status, answer.problem) == (503, "busy")
        assert shop.get("/healthz").status == 200  # the API counts its own


def test_an_address_in_use_refuses_the_start_and_says_which(daemons, edged):
    second = daemons.make(**{**PLENTY, "BACKCHANNEL_EDGE": edged.edge}).spawn()
    assert second.wait_exit() == 4
    assert edged.edge in second.log_text()


def test_a_restart_listens_at_the_same_place_and_knows_the_clicks(daemons, partner, unique):
    token, order = unique.token(), unique.order()
    port = Port()
    shop = start(daemons, BACKCHANNEL_EDGE=port.address)
    click = click_of(tell(shop, landing(token)))
    with wire.Peer(shop.edge) as idle:
        idle.send(b"GET /v1/c HTTP/1.1\r\nHost: x\r\n\r\n").read(b"\r\n\r\n")
        assert shop.stop() == 0
        assert idle.read().ended == "eof"
    shop.start()
    assert address_of(shop) == shop.edge == port.address
    assert shop.order(order, click=click).status == 202
    shop.wait_state(order, "delivered")
    assert partner.accepted(token) == 1


def test_it_is_off_unless_it_is_set(daemons):
    shop = daemons()
    assert not shop.events("edge.listening") and not shop.events("input.listening")
