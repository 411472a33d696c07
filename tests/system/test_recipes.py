# SPDX-License-Identifier: MIT
"""The capture recipes in the web servers they are for: what a landing brings, wherever it ends, and
what no request gets in. In token mode the cookie is looked at, in id mode the datagram too.
What becomes of it is in test_recipes_daemon.py."""
import os
import pathlib
import re
import shutil
import tempfile
import time

import pytest

from daemon import clean_environment, is_sanitized, run
from in_time import in_time, tried_again_if_late
from ports import own_address
from sandbox_client import wait_for
from web_servers import PAGE, SERVERS, SPA, Apache, Ears, Haproxy, Shop, recipe

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the web servers are what is tested")

ROOT = pathlib.Path(__file__).resolve().parents[2]
USAGE = 2
ATTRIBUTES = ["Path=/", "Max-Age=2592000", "HttpOnly", "Secure", "SameSite=Lax"]
SETTINGS = {"SOVENDUS_TOKEN_PARAM": "sovReqToken,sov.old", "BACKCHANNEL_CLICK_TTL": "30d"}
TOKEN = "1095752fb409-457a-af14-17a09e6be522"
BY_ID = [name for name in SERVERS if name.endswith("-log")]


class Landings:
    """A web server with a recipe, its shop, and who hears what it tells of."""

    def __init__(self, name, *options, more="", **settings):
        self.name, self.options, self.more, self.settings = name, options, more, settings
        self.by_id = name.endswith("-log")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bc-recipe-"))
        self.folder.chmod(0o755)
        self.parts = []

    def enter(self, part):
        self.parts.append(part)
        return part.__enter__()

    def __enter__(self):
        address = f"unix:{self.folder}/in"
        printed = recipe(self.name, self.folder, *self.options,
                         **{**SETTINGS, "BACKCHANNEL_INPUT": address, **self.settings})
        try:
            self.shop = self.enter(Shop())
            self.ears = self.enter(Ears(address))
            self.server = self.enter(SERVERS[self.name](self.shop, printed, self.more))
        except BaseException:
            self.__exit__()
            raise
        self.visit, self.cookies, self.click = (self.server.visit, self.server.cookies,
                                                self.server.click)
        return self

    def __exit__(self, *_):
        for part in reversed(self.parts):
            part.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def holds(self, click, token):
        """Does this click cookie lead to this token?"""
        if not self.by_id:
            return click == f"t.{token}"
        return click == "c." + self.ears.wait(token)["click"]

    def told(self):
        """The tokens that were told of, all that was sent before included: the datagram of one
        more landing is the last one. HAProxy tells of a request that it refuses as "-"."""
        if not self.by_id:
            return []
        self.click("/?sovReqToken=the-last-one-of-all")
        self.ears.wait("the-last-one-of-all")
        return [heard["tok"] for heard in self.ears.heard
                if heard["tok"] not in ("the-last-one-of-all", "-")]


@pytest.fixture(scope="module", params=SERVERS)
def landings(request):
    with Landings(request.param) as running:
        yield running


@pytest.fixture
def heard_of(landings):
    """Forgets what was told of before."""
    landings.ears.raw.clear()
    return landings


@pytest.fixture
def printed(tmp_path):
    def call(*arguments, **settings):
        return run(["recipe", *arguments], clean_environment(tmp_path, **settings), tmp_path)
    return call


# --- what is printed -----------------------------------------------------------------------------

@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("ttl,age", [(None, 86400), ("30d", 2592000), ("90s", 90)])
def test_a_recipe_carries_names_bounds_and_click_ttl(printed, name, ttl, age):
    got = printed(name, BACKCHANNEL_CLICK_TTL=ttl, SOVENDUS_TOKEN_PARAM="one,sov.two",
                  BACKCHANNEL_INPUT="udp:127.0.0.1:8788")
    assert got.code == 0 and got.err == ""
    assert f"Max-Age={age};" in got.out and "(?:one|sov[.]two)=" in got.out
    assert "{4,128}" in got.out and "@" not in got.out.replace("unix@", "")
    assert "# 1. " in got.out and "Check: " in got.out, "it says where it goes and what to look at"


@pytest.mark.parametrize("name", BY_ID)
def test_a_recipe_by_datagram_names_the_input_or_says_what_is_missing(printed, name):
    for address, shown in (("unix:/run/backchannel/in.sock", "/run/backchannel/in.sock"),
                           ("udp:127.0.0.1:8788", "127.0.0.1:8788")):
        assert shown in printed(name, BACKCHANNEL_INPUT=address).out
    got = printed(name)
    assert got.code == 1 and got.out == ""
    assert '"input" is not set' in got.err and "input = unix:" in got.err
    got = printed(name, BACKCHANNEL_INPUT="unix:/run/back channel;x/in")
    assert got.code == 1 and got.out == "" and "letters" in got.err


@pytest.mark.parametrize("arguments,words", [
    (["iis"], ["iis", *SERVERS]), (["apache-log"], ["apache-log", *SERVERS]),
    (["nginx", "--session", "PHPSESSID"], ["--session", "nginx"]),
    (["nginx-log", "--session", "a;b"], ["a;b"]), (["nginx-log", "--session", ""], ["cookie"]),
    (["haproxy", "--consent", ""], ["cookie"]), (["haproxy", "--consent", "a b"], ["a b"]),
    (["apache", "--consent", "c=it's"], ["it's"]), (["nginx", "--consent", 'c="'], ["[.]"]),
    (["nginx", "--consent", "c=a\\.b"], ["[.]"]), (["nginx", "--consent", "c=a#b"], ["[.]"]),
    (["apache", "--consent", "c=${PATH}"], ["${PATH}"]), (["nginx", "--consent", "c="], ["pattern"]),
    (["nginx", "--consent", "c=a\nb"], ["pattern"]), (["nginx", "--consent", "c=a@b"], ["pattern"]),
    (["nginx", "--domain", "x; Secure"], ["x; Secure"]), (["nginx", "--domain", ""], ["domain"]),
    (["nginx", "--domain", ".."], [".shop.example"]),
])
def test_what_no_recipe_can_hold_is_refused(printed, arguments, words):
    got = printed(*arguments, BACKCHANNEL_INPUT="udp:127.0.0.1:8788")
    assert got.code == USAGE and got.out == ""
    for word in words:
        assert word in got.err


def test_the_checkers_have_nothing_to_say(landings):
    said = landings.server.checker_said
    assert "warn" not in said.lower() and re.search("successful|valid|Syntax OK", said)


# --- wherever a landing ends ---------------------------------------------------------------------

def test_a_first_visit_without_any_cookie_gets_one_with_its_attributes(landings, unique):
    token = unique.token()
    status, cookies, body = landings.visit(f"/page?channel=sovendus&sovReqToken={token}&utm=x")
    assert status == 200 and body == PAGE and len(cookies) == 1
    value, *attributes = cookies[0].split("; ")
    assert landings.holds(value.removeprefix("bc_click="), token)
    assert attributes == ATTRIBUTES


def test_a_visit_without_the_parameter_leaves_the_cookie_alone(landings, unique):
    first = landings.click(f"/?sovReqToken={unique.token()}")
    assert landings.visit("/page", cookie=f"bc_click={first}")[1] == []
    assert landings.visit("/page")[1] == []


def test_the_last_click_wins(landings, unique):
    """In id mode under the id that the browser has already, in token mode as the token."""
    first, second = unique.token(), unique.token()
    before = landings.click(f"/?sovReqToken={first}")
    after = landings.click(f"/?sovReqToken={second}", cookie=f"theme=dark; bc_click={before}; a=b")
    assert landings.holds(before, first) and landings.holds(after, second)
    assert (before == after) == landings.by_id


@pytest.mark.parametrize("path,status", [
    ("/", 200), ("/deep/down/there", 200), ("/login", 200), ("/go", 302), ("/moved", 301),
    ("/gone", 404), ("/spa/some/view", 200), ("/cached/first", 200),
])
def test_a_landing_may_end_anywhere(landings, unique, path, status):
    token = unique.token()
    answered, cookies, body = landings.visit(f"{path}?sovReqToken={token}")
    ours = [cookie for cookie in cookies if cookie.startswith("bc_click=")]
    assert answered == status and len(ours) == 1
    assert landings.holds(ours[0].split(";")[0].removeprefix("bc_click="), token)
    if path == "/login":
        assert len(cookies) == 4, "those of the application stay"
    if path.startswith("/spa"):
        assert body.strip() == SPA


def test_a_redirect_that_drops_the_query_brings_the_cookie_itself(landings, unique):
    got = landings.server.raw(f"GET /go?sovReqToken={unique.token()} HTTP/1.1\r\nHost: shop.example\r\n"
                              "Connection: close\r\n\r\n".encode()).decode().lower()
    assert re.search(r"^location: \S*/landing\r$", got, re.M) and "set-cookie: bc_click=" in got


def test_each_visitor_of_a_cached_page_gets_a_cookie_of_his_own(landings, unique):
    asked, tokens = f"/cached/{unique.order()}", [unique.token() for _ in range(3)]
    clicks = [landings.click(f"{asked}?sovReqToken={token}") for token in tokens]
    assert landings.visit(asked)[1] == [], "nobody's cookie stays with the page"
    assert sum(asked in seen for seen in landings.shop.seen) == 1, "it was not cached"
    assert all(map(landings.holds, clicks, tokens)) and len(set(clicks)) == 3


# --- which token ---------------------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    "sovReqToken={}", "sovReqToken={}&a=b", "a=b&sovReqToken={}", "a=b&sovReqToken={}&c", "&&sovReqToken={}&&",
    "x=y?z&sovReqToken={}", "?sovReqToken=no&sovReqToken={}", "sov.old={}", "sovReqToken=first-1234&sov.old={}",
    "sov.old=first-1234&sovReqToken={}", "sovReqToken=first-1234&sovReqToken={}",
    "sovReqToken={}&sovReqToken=", "sovReqToken={}&sovReqToken=a%2Fb", "sovReqToken={}&sovReqToken=abc",
    "sovReqToken={}&sov.old=" + "a" * 129, "sovReqToken=a;b&sovReqToken={}", "sovreqtoken=other-1234&sovReqToken={}",
])
def test_the_last_valid_token_of_any_name_counts(landings, unique, query):
    token = unique.token()
    assert landings.holds(landings.click("/page?" + query.format(token)), token)


@pytest.mark.parametrize("length", [4, 128])
def test_a_token_may_be_as_short_and_as_long_as_a_token_is(landings, length):
    token = "Az_-" + "9" * (length - 4)
    assert landings.holds(landings.click(f"/?sovReqToken={token}"), token)


@pytest.mark.parametrize("query", ["sovReqToken={}&" + "sovReqToken=abc&" * 400, "sovReqToken=abc&" * 400 +
                                   "sovReqToken={}", "&" * 7000 + "sov.old={}", "sovReqToken={}" + "&" * 7000,
                                   "sovReqToken={}&" + "sovReqToken=" * 500],
                         ids=range(5))
@tried_again_if_late
def test_a_long_query_is_searched_to_its_end_and_in_no_time(landings, unique, query):
    token = unique.token()
    start = time.monotonic()
    assert landings.holds(landings.click("/page?" + query.format(token)), token)
    in_time(time.monotonic() - start, 2)


HOSTILE = [
    "", "abc", "a" * 129, "a" * 4000, "abcd;Domain=evil.example", "abcd%3BDomain=evil", "abcd;",
    "abcd%0d%0aX-Evil:%201", "abcd%0aSet-Cookie:%20a=b", "abcd%20efgh", "abcd+efgh", "../../etc", "abcd%00",
    "abcd,efgh", 'abcd"efgh', "abcd'efgh", "$bc_tok", "%{bc_tok}e", "%[var(txn.bc_tok)]", "abcd=efgh", "abcd\\",
    "abcd|efgh", "<script>", "a.b.c.d", "%61%62%63%64", "abcd%", f"{TOKEN}x%3B", '","tok":"abcd', "{abcd}",
    "ab\tcd", "abcd\x0b", "abcd\x00", "abcd\xff", "abcd\u00e9fg",
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[1:25])
def test_nothing_else_gets_in(heard_of, value):
    """No cookie, no header, no datagram; and the server goes on."""
    status, cookies, _ = heard_of.visit(f"/page?sovReqToken={value}")
    assert cookies == [] and status < 500
    assert heard_of.told() == []


@pytest.mark.parametrize("value", ["abcd\r", "abcd\nX-Evil: 1", "abcd\r\nX-Evil: 1\r\nA:", "abcd\r\n\r\nX"])
def test_a_line_break_in_the_request_is_never_one_in_the_answer(landings, value):
    """What stands behind it is another line of the request; `visit` fails for an X-Evil."""
    status, cookies, _ = landings.visit(f"/page?sovReqToken={value}")
    assert status < 500 and cookies in ([], landings.cookies("/page?sovReqToken=abcd")) or landings.by_id


@pytest.mark.parametrize("target", [
    f"/?sovreqtoken={TOKEN}", f"/?SOVREQTOKEN={TOKEN}", f"/?xsovReqToken={TOKEN}", f"/?sovXold={TOKEN}",
    f"/page&sovReqToken={TOKEN}", f"/sovReqToken={TOKEN}", f"/?sovReqToken[]={TOKEN}", f"/?sovReqToken%3D{TOKEN}",
    f"/?a=b;sovReqToken={TOKEN}", f"/?{TOKEN}", "/?abcd", f"/?sovReqToken&{TOKEN}", f"/?a#&sovReqToken={TOKEN}",
])
def test_no_other_parameter_is_taken_for_it(landings, target):
    assert landings.cookies(target) == []


def test_what_a_header_says_is_no_token(landings):
    assert landings.cookies("/", Referer=f"https://x.example/?sovReqToken={TOKEN}") == []
    assert landings.cookies("/", X_Original_URL=f"/?sovReqToken={TOKEN}") == []
    assert landings.cookies("/", Sec_Fetch_Dest=f"document /?sovReqToken={TOKEN}") == []


# --- what is a landing ---------------------------------------------------------------------------

@pytest.mark.parametrize("destination", ["image", "iframe", "script", "empty", "frame", "", "DOCUMENT"])
def test_what_a_page_loads_by_the_way_plants_nothing(landings, destination):
    if destination:
        assert landings.cookies(f"/?sovReqToken={TOKEN}", Sec_Fetch_Dest=destination) == []
    else:
        assert len(landings.cookies(f"/?sovReqToken={TOKEN}")) == 1, "older browsers do not say"


def test_what_is_opened_as_a_page_is_a_landing(landings, unique):
    token = unique.token()
    assert landings.holds(landings.click(f"/?sovReqToken={token}", Sec_Fetch_Dest="document"), token)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS"])
def test_only_a_get_is_a_landing(landings, method):
    assert landings.cookies(f"/page?sovReqToken={TOKEN}", method=method, Content_Length="0") == []


# --- consent, domain, sessions -------------------------------------------------------------------

CONSENT = {"yes": ["shop.consent=yes", "a=b; shop.consent=all:true; c=d"],
           "no": [None, "shop.consent=", "shop.consent=no", "shop.consent=not-yes", "other=yes",
                  "xshop.consent=yes", "shopxconsent=yes", "a=shop.consent=yes", "Shop.Consent=yes"]}


@pytest.mark.parametrize("name", SERVERS)
def test_without_the_consent_cookie_nothing_is_set_and_nothing_is_told(name):
    with Landings(name, "--consent", "shop.consent=^(yes|all:)") as asked:
        for number, cookie in enumerate(CONSENT["no"]):
            assert asked.cookies(f"/?sovReqToken=refused-{number}", cookie=cookie) == [], cookie
        for number, cookie in enumerate(CONSENT["yes"]):
            click = asked.click(f"/?sovReqToken=agreed-{number}", cookie=cookie)
            assert asked.holds(click, f"agreed-{number}")
        assert not [heard for heard in asked.ears.heard if heard["tok"].startswith("refused")]


@pytest.mark.parametrize("name", SERVERS)
def test_a_consent_cookie_without_pattern_has_to_be_there_with_a_value(name):
    with Landings(name, "--consent", "cmplz_marketing") as asked:
        assert asked.cookies(f"/?sovReqToken={TOKEN}") == []
        assert asked.cookies(f"/?sovReqToken={TOKEN}", cookie="cmplz_marketing=") == []
        assert len(asked.cookies(f"/?sovReqToken={TOKEN}", cookie="cmplz_marketing=allow")) == 1


@pytest.mark.parametrize("name", SERVERS)
def test_a_domain_is_named_when_asked_for_or_set(name):
    with Landings(name, "--domain", ".shop.example") as asked:
        assert asked.cookies(f"/?sovReqToken={TOKEN}")[0].split("; ")[1:] == [
            *ATTRIBUTES, "Domain=.shop.example"]


def test_the_domain_of_the_settings_is_the_default(printed):
    got = printed("nginx", BACKCHANNEL_EDGE_COOKIE_DOMAIN="shop.example")
    assert "SameSite=Lax; Domain=shop.example\"" in got.out
    got = printed("nginx", "--domain", "b.example", BACKCHANNEL_EDGE_COOKIE_DOMAIN="shop.example")
    assert "; Domain=b.example\"" in got.out and "shop.example\"" not in got.out


ABSENT = ("", "-")


@pytest.mark.parametrize("name", BY_ID)
@pytest.mark.parametrize("session,fresh", [("PHPSESSID", "fresh123"), ("connect.sid", "s%3Afresh")])
def test_the_session_of_request_and_answer_goes_along(name, session, fresh):
    with Landings(name, "--session", session) as asked:
        asked.click("/?sovReqToken=no-session", cookie=f"x{session}=no; y=z")
        asked.click("/?sovReqToken=old-session", cookie=f"a=b; {session}=old%2Fone; c=d")
        asked.click("/login?sovReqToken=new-session", cookie="a=b")
        heard = asked.ears.wait("no-session")
        assert heard["sess"] in ABSENT and heard["newsess"] in ABSENT
        heard = asked.ears.wait("old-session")
        assert heard["sess"] == "old%2Fone" and heard["newsess"] in ABSENT
        heard = asked.ears.wait("new-session")
        # nginx 1.22 shows the first Set-Cookie of a name that is no word of its own.
        if name == "haproxy-log" or session == "PHPSESSID":
            assert heard["sess"] in ABSENT and heard["newsess"] == fresh


# --- the datagram --------------------------------------------------------------------------------

@pytest.fixture(scope="module", params=BY_ID)
def by_id(request):
    with Landings(request.param, "--session", "PHPSESSID") as running:
        yield running


def test_a_datagram_is_as_the_input_reads_it(by_id, unique):
    token = unique.token()
    click = by_id.click(f"/?sovReqToken={token}")
    heard = by_id.ears.wait(token)
    assert set(heard) == {"v", "t", "click", "tok", "host", "sess", "newsess"}
    assert heard["v"] == 1 and re.fullmatch("[0-9a-f]{32}", heard["click"])
    assert click == "c." + heard["click"] and heard["host"] == "shop.example"
    assert 1.7e9 < heard["t"] < 4e9


@pytest.mark.parametrize("known", [
    "c.", "c." + "a" * 31, "c." + "a" * 33, "c." + "A" * 32, "c." + "g" * 32, "a" * 32, f"t.{TOKEN}", "t.",
    'c."' + "a" * 31, 'c.aa","tok":"evil', "c.%0d%0aX-Evil:1", "c." + "a" * 32 + "%3B", "c-" + "a" * 32,
])
def test_an_id_that_is_none_is_not_taken_over(by_id, unique, known):
    token = unique.token()
    click = by_id.click(f"/?sovReqToken={token}", cookie=f"bc_click={known}")
    assert re.fullmatch(r"c[.][0-9a-f]{32}", click) and click != known
    assert by_id.holds(click, token)


def test_two_click_cookies_make_no_third_thing(by_id, unique):
    good = "c." + "ab" * 16
    for pair in (f'bc_click={good}; bc_click=t.","x":"y', f'bc_click=t.","x":"y; bc_click={good}'):
        token = unique.token()
        click = by_id.click(f"/?sovReqToken={token}", cookie=pair)
        assert re.fullmatch(r"c[.][0-9a-f]{32}", click) and by_id.holds(click, token)


@pytest.mark.parametrize("value", ['","tok":"evil-token', "a\\", 'a\\"', "{}", "a\tb", "\u00e9", "a" * 900],
                         ids=lambda value: ascii(value)[1:20])
def test_a_hostile_session_is_a_string_in_the_datagram_and_no_more(by_id, unique, value):
    token = unique.token()
    by_id.click(f"/?sovReqToken={token}", cookie=f"PHPSESSID={value}")
    heard = by_id.ears.wait(token)
    assert heard["tok"] == token and isinstance(heard["sess"], str)
    assert not [one for one in by_id.ears.heard if one["tok"] == "evil-token"]


def test_ids_are_unlike_each_other(by_id):
    clicks = {by_id.click(f"/?sovReqToken=like-{number}") for number in range(40)}
    assert len(clicks) == 40
    for place in range(2, 34):
        assert len({click[place] for click in clicks}) > 3, "a digit that hardly changes"


# --- traps of one server each --------------------------------------------------------------------

def test_nginx_an_inner_location_with_an_add_header_of_its_own_needs_the_line_again():
    with Landings("nginx") as trap:
        assert trap.cookies(f"/inner?sovReqToken={TOKEN}") == []
        assert trap.click(f"/mended?sovReqToken={TOKEN}") == f"t.{TOKEN}"


def test_nginx_an_inner_access_log_of_its_own_needs_the_line_again():
    with Landings("nginx-log", more="location /off { access_log off; return 200 off; }") as trap:
        assert len(trap.cookies(f"/off?sovReqToken={TOKEN}")) == 1
        assert trap.told() == []


def test_nginx_keeps_its_ordinary_log():
    with Landings("nginx-log") as asked:
        asked.visit("/page?plain=1")
        asked.click(f"/page?sovReqToken={TOKEN}")
        log = (asked.server.folder / "access.log").read_text()
        assert "/page?plain=1" in log and log.count(TOKEN) == 1


def test_apache_where_it_keeps_pages_by_default_a_cookie_would_stay_with_them(monkeypatch):
    """Why the recipe has a second step."""
    monkeypatch.setattr(Apache, "CACHE", "")
    with Landings("apache") as trap:
        assert trap.click("/cached/x?sovReqToken=first-visitor") == "t.first-visitor"
        assert trap.click("/cached/x?sovReqToken=second-visitor") == "t.first-visitor"


def test_apache_takes_the_recipe_from_htaccess_too(tmp_path):
    """Shared hosting: an .htaccess with the rewriting that a shop's own has."""
    text = recipe("apache", tmp_path, **SETTINGS)
    rules = "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule . /index.html [L]\n"
    with Shop() as shop:
        server = Apache(shop, "", "ProxyPass /files !\n    Alias /files " + str(tmp_path))
        server.more = "ProxyPass /spa2 !"
        (server.folder / "www" / ".htaccess").write_text(text + rules, encoding="ascii")
        with server:
            status, cookies, body = server.visit(f"/spa2/view?sovReqToken={TOKEN}")
            assert (status, body.strip(), len(cookies)) == (200, SPA, 1)
            assert cookies[0].startswith(f"bc_click=t.{TOKEN}; ")
            assert server.cookies("/spa2/view?sovReqToken=ab;cd") == []


def test_no_recipe_changes_what_caches_know_a_page_by(landings):
    """No Vary, which Apache's %{HTTP:...} would add."""
    got = landings.server.raw(f"GET /page?sovReqToken={TOKEN} HTTP/1.1\r\nHost: a\r\nConnection: close"
                              "\r\n\r\n".encode())
    assert b"\r\nvary:" not in got.lower()


def test_haproxy_sends_clicks_to_the_daemon_alone_and_not_to_the_ordinary_log(tmp_path):
    address = "udp:" + own_address()
    with Ears(address) as ordinary:
        Haproxy.ordinary_log = address.removeprefix("udp:")
        try:
            with Landings("haproxy-log", "--session", "PHPSESSID") as asked:
                asked.click("/?sovReqToken=click-number-1", cookie="PHPSESSID=secret")
                asked.ears.wait("click-number-1")
                asked.visit("/page")
                assert asked.told() == ["click-number-1"]
                assert not [d for d in asked.ears.heard if d["tok"] == "-"], "other requests"
        finally:
            Haproxy.ordinary_log = "127.0.0.1:9"
    assert not [data for data in ordinary.raw if b"secret" in data or b"click-number" in data]


def test_haproxy_a_frontend_in_front_keeps_the_ordinary_log():
    """As docs/capture.md shows it; `shop` there is a name in the kernel's own space."""
    page = (ROOT / "docs" / "capture.md").read_text(encoding="utf-8")
    shown = re.search(r"```haproxy\n(.*?)```", page, re.S)[1]
    below = shown.partition("recipe prints\n")[2].replace("abns@shop", f"abns@bc-test-{os.getpid()}")
    address = "udp:" + own_address()
    more = f"{below}    log {address.removeprefix('udp:')} local0\n    option httplog\n"
    with Ears(address) as ordinary, Landings("haproxy-log", more=more) as asked:
        assert asked.holds(asked.click(f"/page?sovReqToken={TOKEN}"), TOKEN)
        asked.visit("/page?plain=1")
        assert asked.told() == [TOKEN]
        log = wait_for(lambda: b"\n".join(ordinary.raw) if b"/page?plain=1" in b"".join(ordinary.raw)
                       else None, what="the ordinary log")
        assert TOKEN.encode() in log and b"127.0.0.1:" in log, "where the visitor came from"
