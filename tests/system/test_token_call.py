# SPDX-License-Identifier: MIT
"""`backchannel token` and `backchannel call`: through a running daemon and without one, which has to
be the same to whoever calls. Commerce and the token endpoint are the sandbox's; where exact bytes
matter, a script."""
import contextlib
import functools
import json
import os
import pty
import re
import select
import stat
import subprocess
import time
import urllib.parse

import pytest

import upstream
from daemon import binary, clean_environment, is_sanitized, until
from sandbox_client import wait_for
from test_cli import is_advice

DONE, FAILED, USAGE, REFUSED, UNREACHABLE = range(5)
SECRET, NEXT, WRONG = "p8e-first-secret-0001", "p8e-next-secret-0002", "p8e-wrong-secret-0003"
NOBODY = "http://127.0.0.1:9"  # the port of a service that nobody runs


def settings_for(partner, **more):
    return {"IMS_CLIENT_ID": "client-1", "IMS_CLIENT_SECRET": SECRET,
            "IMS_ORG_ID": "0A1B2C@AdobeOrg", "IMS_BASE_URL": partner.base,
            "API_ENDPOINT": partner.base + "/tenant-1", **more}


def script_settings(commerce, tokens, **more):
    return {"IMS_CLIENT_ID": tokens.CLIENT, "IMS_CLIENT_SECRET": "secret-1", "IMS_ORG_ID": "0A1B2C@AdobeOrg",
            "IMS_BASE_URL": tokens.base, "API_ENDPOINT": commerce.base, **more}


@pytest.fixture
def sandbox(partner):
    partner.control("POST", "/ims", {"client_id": "client-1", "secrets": [SECRET]})
    return partner


class Place:
    """Where a command runs: beside a daemon, or alone."""

    def __init__(self, daemons, with_daemon):
        self.daemons, self.with_daemon = daemons, with_daemon
        self.shop = None

    def set(self, **settings):
        self.shop = self.daemons.make(**settings)
        if self.with_daemon:
            self.shop.start()
        else:
            self.shop.settings["BACKCHANNEL_URL"] = NOBODY
        return self

    def with_token(self):
        """Once there is one: a daemon that has just started asks for it beside."""
        wait_for(lambda: self("token", "--json").json["state"] == "fresh", what="an access token")
        return self

    def __call__(self, *arguments, **more):
        return self.shop.cli(*arguments, **more)


@pytest.fixture(params=["daemon", "alone"])
def place(request, daemons):
    return Place(daemons, request.param == "daemon")


@pytest.fixture
def shop(place, sandbox):
    return place.set(**settings_for(sandbox)).with_token()


@pytest.fixture
def alone(daemons, sandbox):
    return Place(daemons, False).set(**settings_for(sandbox))


@pytest.fixture
def beside(daemons, sandbox):
    return Place(daemons, True).set(**settings_for(sandbox)).with_token()


@pytest.fixture(name="script")
def scripted(place):
    """A Commerce that is a script; the command in front of it as `run`."""
    with upstream.Upstream() as commerce, upstream.TokenEndpoint() as tokens:
        commerce.run = place.set(**script_settings(commerce, tokens))
        commerce.tokens = tokens
        yield commerce
        assert not commerce.errors


def token_requests(sandbox):
    return sandbox.control("GET", "/ims/counts")["requests"]


def asked(sandbox, path="/tenant-1"):
    return sandbox.requests(path=path)


# --- token ---------------------------------------------------------------------------------------

def test_token_tells_in_words_how_long_it_is_good(shop):
    got = shop("token")
    assert got.code == DONE and got.err == ""
    assert re.match(r"fresh for 23 h 5\d min \(generation 1, [0-9a-f]{8}\)\n  another one is ", got.out)


def test_token_as_json_has_the_fields_of_the_api(shop):
    view = shop("token", "--json").json
    assert view["state"] == "fresh" and view["generation"] == 1
    assert 86000 < view["expires_in"] < 86400 and re.fullmatch("[0-9a-f]{8}", view["fingerprint"])
    assert "access_token" not in view


def test_show_prints_the_token_alone_and_it_works(shop, sandbox):
    got = shop("token", "--show")
    assert got.code == DONE and got.err == ""
    (token,) = got.out.splitlines()
    status, _, body = sandbox.ask("GET", "/ims/validate_token/v1?" + urllib.parse.urlencode(
        {"client_id": "client-1", "type": "access_token", "token": token}))
    assert status == 200 and json.loads(body)["valid"] is True
    assert shop("token", "--show", "--json").json["access_token"].count(".") == 2


def test_the_daemon_is_asked_for_its_own_token(beside, sandbox):
    shown = {beside("token", "--show").out for _ in range(3)}
    assert len(shown) == 1 and token_requests(sandbox) == 1


def test_without_a_daemon_it_is_said_that_the_token_is_forgotten(alone):
    assert "oauth.cache_file" in alone("token").out


def test_a_refused_credential_is_told_with_the_endpoints_own_words(shop, sandbox):
    sandbox.control("POST", "/ims", {"secrets": [NEXT]})
    if shop.with_daemon:
        shop.shop.restart()
    got = shop("token")
    assert got.code == REFUSED and got.out.startswith("refused: ")
    assert "invalid client_secret parameter" in got.out and "IMS_CLIENT_SECRET" in got.out
    for arguments in (("token", "--show"), ("call", "GET", "/V1/store/storeConfigs")):
        got = shop(*arguments)
        assert got.code == REFUSED and got.out == "" and is_advice(got.err), got
        assert "invalid client_secret parameter" in got.err
    assert SECRET not in got.err


def test_a_token_endpoint_that_is_away_is_not_reachable(place, sandbox):
    shop = place.set(**settings_for(sandbox, IMS_BASE_URL=NOBODY))
    got = shop("token")
    assert got.code == UNREACHABLE and got.out.startswith("none: "), got
    assert shop("token", "--show").code == UNREACHABLE
    got = shop("call", "GET", "/V1/store/storeConfigs", "--timeout", "1500ms")
    assert got.code == UNREACHABLE and got.out == "" and is_advice(got.err)


def test_the_second_secret_is_used_when_the_first_is_refused(place, sandbox):
    shop = place.set(**settings_for(sandbox, IMS_CLIENT_SECRET=WRONG, IMS_CLIENT_SECRET_NEXT=SECRET))
    assert shop.with_token()
    assert shop("call", "GET", "/V1/store/storeConfigs").code == DONE


def test_without_daemon_and_credential_it_is_said_what_is_missing(daemons):
    bare = Place(daemons, False).set()
    for arguments in (("token",), ("token", "--show"), ("call", "GET", "/V1/orders")):
        got = bare(*arguments)
        assert got.code == UNREACHABLE and got.out == "" and "IMS_CLIENT_ID" in got.err, got


def test_a_daemon_without_commerce_says_what_to_set(daemons):
    shop = daemons()
    got = shop.cli("token")
    assert got.code == REFUSED and "IMS_CLIENT_ID" in got.err
    assert shop.cli("call", "GET", "/V1/orders").code in (FAILED, REFUSED)


def test_another_machines_daemon_that_is_down_is_not_worked_around(alone):
    for arguments in (("token",), ("call", "GET", "/V1/store/storeConfigs")):
        got = alone(*arguments, BACKCHANNEL_URL="http://no-such-host.invalid:8787")
        assert got.code == UNREACHABLE and got.out == "" and "no-such-host.invalid" in got.err, got


def test_the_api_token_is_sent_and_its_lack_is_told(daemons, sandbox):
    shop = daemons(BACKCHANNEL_API_TOKEN="api-token-0001", **settings_for(sandbox))
    assert shop.cli("call", "GET", "/V1/store/storeConfigs").code == DONE
    assert shop.cli("token").code == DONE
    for arguments in (("token",), ("call", "GET", "/V1/store/storeConfigs")):
        got = shop.cli(*arguments, BACKCHANNEL_API_TOKEN="api-token-0002")
        assert got.code == REFUSED and "token" in got.err and got.out == ""
    for row in asked(sandbox):
        assert "api-token-0001" not in json.dumps(row)


def test_no_command_but_show_says_a_token_or_a_secret(shop, sandbox):
    token = shop("token", "--show").out.strip()
    sandbox.set_faults("GET /tenant-1/V1/orders/* status=401")
    said = ""
    for arguments in (("token",), ("token", "--json"), ("call", "-i", "GET", "/V1/store/storeConfigs"),
                      ("call", "GET", "/V1/orders/201"), ("check",), ("check", "--json")):
        got = shop(*arguments)
        said += got.out + got.err
    if shop.with_daemon:
        said += shop.shop.log_text()
    assert "storeConfigs" in said
    assert SECRET not in said and token not in said and "eyJ" not in said


# --- the cache file ------------------------------------------------------------------------------

def test_many_runs_cost_one_token_request_with_a_cache_file(alone, sandbox):
    cache = alone.shop.folder / "token-cache"
    runs = functools.partial(alone, BACKCHANNEL_OAUTH_CACHE_FILE=cache)
    for _ in range(5):
        assert runs("call", "GET", "/V1/store/storeConfigs").code == DONE
    assert runs("token", "--show").code == DONE
    told = runs("token")
    assert "oauth.cache_file" in told.out and runs("check").code == DONE
    assert token_requests(sandbox) == 1
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600


def test_a_cache_file_that_cannot_be_used_is_told_and_the_call_is_done(alone):
    folder = alone.shop.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    for arguments in (("token",), ("call", "GET", "/V1/store/storeConfigs")):
        got = alone(*arguments, BACKCHANNEL_OAUTH_CACHE_FILE=folder / "token")
        assert got.code == DONE and got.out and str(folder) in got.err, got
    checked = {hop["hop"]: hop for hop in
               alone("check", "--json", BACKCHANNEL_OAUTH_CACHE_FILE=folder / "token").json}
    assert checked["oauth token"]["verdict"] == "warning"


# --- one call ------------------------------------------------------------------------------------

def test_in_a_pipe_every_byte_is_as_it_came(script):
    body = '{ "price":19.90,\n "big":1e2,"sl":"a\\/b" , "u":"\u00fc\u009b"}\r\n'.encode()
    script.script = lambda call: call.answer(200, body, ["Content-Type: application/json"])
    done = subprocess.run([binary(), "call", "GET", "/V1/x"], env=cli_env(script.run), check=False,
                          capture_output=True, cwd=script.run.shop.work, timeout=60)
    assert done.returncode == DONE and done.stdout == body and done.stderr == b""


def cli_env(place):
    url = NOBODY if not place.with_daemon else f"http://{place.shop.address}"
    return clean_environment(place.shop.folder, **{**place.shop.settings, "BACKCHANNEL_URL": url,
                                                   "BACKCHANNEL_LOG": "info,text", "TERM": "xterm"})


def test_a_call_says_who_asks_and_for_which_store(script):
    script.run("call", "get", "rest/default/V1/orders/1?fields=a[b]", "-H", "X-One: 1", "-H", "X-Two:2",
               "--store", "en")
    (call,) = script.calls
    assert (call.method, call.target) == ("GET", "/tenant-1/V1/orders/1?fields=a[b]")
    assert call.field("authorization") == "Bearer token-1" and call.field("x-api-key") == "client-1"
    assert call.field("x-gw-ims-org-id") == "0A1B2C@AdobeOrg"
    assert (call.field("store"), call.field("x-one"), call.field("x-two")) == ("en", "1", "2")


def test_on_paas_the_store_is_in_the_path(place):
    with upstream.Upstream() as commerce, upstream.TokenEndpoint() as tokens:
        run = place.set(**script_settings(commerce, tokens, BACKCHANNEL_COMMERCE_FLAVOR="paas"))
        assert run("call", "GET", "/V1/orders/1", "--store", "en").code == DONE
        assert run("call", "POST", "/graphql", "-d", "{}").code == DONE
        assert [call.target for call in commerce.calls] == [
            "/tenant-1/rest/en/V1/orders/1", "/tenant-1/graphql"]


def test_the_body_is_given_from_a_file_or_from_standard_input(script, tmp_path):
    (tmp_path / "body.json").write_bytes(b'{"file": "\xc3\xbc"}\n')
    for data, stdin, expected in (('{"text":1}', None, '{"text":1}'), ("", None, ""),
                                  (f"@{tmp_path}/body.json", None, '{"file": "\u00fc"}\n'),
                                  ("@-", '{"in":[]}', '{"in":[]}')):
        got = script.run("call", "POST", "/V1/x", "-d", data, stdin=stdin)
        assert got.code == DONE and got.json["body"].encode("latin-1").decode() == expected, got
        if expected:
            assert ["Content-Type", "application/json"] in got.json["fields"]
    got = script.run("call", "PUT", "/V1/x", "-d", "<a/>", "-H", "content-type: text/xml")
    types = [value for name, value in got.json["fields"] if name.lower() == "content-type"]
    assert types == ["text/xml"]
    got = script.run("call", "POST", "/V1/x", "-d", f"@{tmp_path}/none")
    assert got.code == FAILED and is_advice(got.err) and f"{tmp_path}/none" in got.err


def test_a_body_of_a_megabyte_arrives_whole(script):
    body = "x" * (1 << 20)
    script.script = lambda call: call.answer(200, {"bytes": len(call.read())})
    assert script.run("call", "POST", "/V1/x", "-d", "@-", stdin=body).json == {"bytes": 1 << 20}


def test_an_order_is_commented_and_a_sku_with_a_slash_is_read(shop, sandbox):
    history = {"comment": "c", "is_customer_notified": 0, "is_visible_on_front": 0, "parent_id": 201}
    got = shop("call", "POST", "/V1/orders/201/comments", "-d", json.dumps({"statusHistory": history}))
    assert (got.code, got.out) == (DONE, "true")
    comments = sandbox.control("GET", "/commerce/comments?order=201")["comments"]
    assert [row["statusHistory"]["comment"] for row in comments] == ["c"]
    made = shop("call", "POST", "/V1/products", "-d", json.dumps(
        {"product": {"sku": "a/b c", "name": "n", "price": 1, "attribute_set_id": 4, "type_id": "simple"}}))
    assert made.code == DONE, made
    assert shop("call", "GET", "/V1/products/a%2Fb%20c").json["sku"] == "a/b c"


@pytest.mark.parametrize("fault,path,code,words", [
    ("", "/V1/orders/999", REFUSED, ["404", "doesn't exist", "entity_id"]),
    ("", "/V1/nothing", REFUSED, ["404", "does not match any route", "commerce.flavor"]),
    ("", "/V1/orders", REFUSED, ["400", '"searchCriteria" is required', "--paginate"]),
    ("status=403", "/V1/orders/201", REFUSED, ["403", "IMS_ORG_ID"]),
    ("status=500", "/V1/orders/201", FAILED, ["500", "try again later"]),
    ("redirect=302", "/V1/orders/201", REFUSED, ["302", "API_ENDPOINT"]),
])
def test_what_commerce_refuses_is_printed_with_what_helps(shop, sandbox, fault, path, code, words):
    if fault:
        sandbox.set_faults(f"GET /tenant-1/V1/* {fault}")
    got = shop("call", "GET", path)
    assert got.code == code and is_advice(got.err), got
    for word in ("Commerce answers", *words):
        assert word in got.err, (word, got.err)
    assert fault == "redirect=302" or json.loads(got.out)["message"]


def test_a_role_that_lacks_the_resource_is_told_apart_from_a_bad_token(shop, sandbox):
    sandbox.control("POST", "/commerce", {"acl": ["/V1/orders*"]})
    got = shop("call", "GET", "/V1/orders/201")
    assert got.code == REFUSED and "isn't authorized to access Magento_Sales::" in got.err
    assert "role" in got.err and token_requests(sandbox) <= 2


def test_a_commerce_that_is_away_is_not_reachable(place, sandbox):
    shop = place.set(**settings_for(sandbox, API_ENDPOINT=NOBODY + "/tenant-1"))
    got = shop("call", "GET", "/V1/store/storeConfigs")
    assert got.code == UNREACHABLE and got.out == "" and is_advice(got.err), got


def test_what_may_be_repeated_is_repeated_and_nothing_else(shop, sandbox):
    sandbox.set_faults("/tenant-1/* status=503 first=2")
    assert shop("call", "GET", "/V1/store/storeConfigs").code == DONE
    assert len(asked(sandbox)) == 3
    sandbox.clear_requests()
    sandbox.set_faults("/tenant-1/* status=503 first=2")
    got = shop("call", "POST", "/V1/products", "-d", "{}")
    assert got.code == FAILED and len(asked(sandbox)) == 1


def test_an_answer_that_was_lost_is_asked_for_again_when_it_may_be(shop, sandbox):
    sandbox.set_faults("/tenant-1/* close first=1")
    assert shop("call", "GET", "/V1/store/storeConfigs").code == DONE
    sandbox.set_faults("/tenant-1/* close")
    got = shop("call", "POST", "/V1/products", "-d", "{}")
    assert got.code == UNREACHABLE and "look before you repeat it" in got.err, got


def test_a_429_is_waited_out(shop, sandbox):
    sandbox.set_faults("/tenant-1/* status=429 retry-after=1 first=1")
    began = time.monotonic()
    assert shop("call", "POST", "/V1/orders/201/comments", "-d", "{}").code == REFUSED  # 400 for {}
    assert time.monotonic() - began > 1 and len(asked(sandbox)) == 2


def test_a_dead_token_is_replaced_within_the_call(beside, sandbox):
    assert beside("call", "GET", "/V1/store/storeConfigs").code == DONE
    until(time.monotonic() + 5.2)  # a token younger than 5 s is not replaced
    sandbox.control("POST", "/ims/expire")
    assert beside("call", "GET", "/V1/store/storeConfigs").code == DONE
    assert token_requests(sandbox) == 2


def test_include_shows_status_and_head_first(shop):
    for path, status in (("/V1/store/storeConfigs", 200), ("/V1/nothing", 404)):
        head, _, body = shop("call", "-i", "GET", path).out.partition("\n\n")
        assert head.startswith(f"HTTP {status}\n") and "Content-Type: application/json" in head
        assert json.loads(body)


def test_output_goes_to_a_file(shop, tmp_path):
    got = shop("call", "GET", "/V1/store/storeConfigs", "-o", tmp_path / "out")
    assert (got.code, got.out) == (DONE, "") and len(json.loads((tmp_path / "out").read_bytes())) == 3
    got = shop("call", "GET", "/V1/store/storeConfigs", "-o", tmp_path / "none" / "out")
    assert got.code == FAILED and is_advice(got.err)
    with open("/dev/full", "wb") as full:
        code = subprocess.run([binary(), "call", "GET", "/V1/store/storeConfigs"], env=cli_env(shop),
                              stdout=full, stderr=subprocess.DEVNULL, check=False, timeout=60,
                              cwd=shop.shop.work).returncode
    assert code == FAILED


@pytest.mark.parametrize("arguments", [
    ("GET",), ("G T", "/V1/x"), ("GET", "/V1/x", "-H", "no-colon"), ("GET", "/V1/x", "-H", ": v"),
    ("GET", "/V1/x", "-H", "Authorization: Bearer x"), ("GET", "/V1/x", "-H", "host: x"),
    ("POST", "/V1/x", "--paginate"), ("GET", "/V1/x", "--paginate", "-d", "{}"),
    ("GET", "/V1/x", "--lines"), ("GET", "/V1/x", "--timeout", "soon"), ("GET", "/V1/x?searchCriteria[pageSize]=301", "--paginate"),
    ("GET", "/V1/x?searchCriteria%5BcurrentPage%5D=0", "--paginate"),
    ("GET", "/V1/x", *(["-H", "a: b"] * 33)),
])
def test_wrong_usage_of_call_is_2_and_nothing_is_sent(shop, sandbox, arguments):
    got = shop("call", *arguments)
    assert got.code == USAGE and got.out == "" and is_advice(got.err), got
    assert asked(sandbox) == []


@pytest.mark.parametrize("path", ["", "/V1/../x", "/V1/%2e%2e/x", "http://evil.example/V1/x",
                                  "/V1/a b", "/V1/x\r\nX-Evil: 1"])
def test_a_path_that_is_none_is_refused_before_anything_is_sent(shop, sandbox, path):
    got = shop("call", "GET", path)
    assert got.code == FAILED and got.out == "" and is_advice(got.err), got
    assert asked(sandbox) == []


# --- a terminal ----------------------------------------------------------------------------------

@contextlib.contextmanager
def terminal():
    """(our end, theirs)."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        for end in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(end)


def read_terminal(ours):
    said = b""
    while select.select([ours], [], [], 0)[0]:
        said += os.read(ours, 65536)
    return said.decode().replace("\r\n", "\n")


def on_terminal(place, *arguments, stream="stdout"):
    """What the command says there, and what it says on the other stream."""
    with terminal() as (ours, theirs):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: theirs}
        process = subprocess.Popen([binary(), *arguments], env=cli_env(place), cwd=place.shop.work,
                                   stdin=subprocess.DEVNULL, **streams)
        out, err = process.communicate(timeout=60)
        assert process.returncode == DONE, (out, err)
        return read_terminal(ours), (err if stream == "stdout" else out).decode()


def test_on_a_terminal_json_is_laid_out_and_cannot_steer_it(script):
    body = '{"a":19.90,"b":[],"c":{"d":"\u009b2J \u00fc \x7f","e":[1,{}]}}'.encode()
    script.script = lambda call: call.answer(200, body, ["Content-Type: application/json"])
    said, _ = on_terminal(script.run, "call", "GET", "/V1/x")
    assert said == ('{\n  "a": 19.90,\n  "b": [],\n  "c": {\n    "d": "\\u009b2J \u00fc \\u007f",\n'
                    '    "e": [\n      1,\n      {}\n    ]\n  }\n}\n')
    script.script = lambda call: call.answer(200, b"no \x1b[2J json", ["Content-Type: text/plain"])
    assert on_terminal(script.run, "call", "GET", "/V1/x")[0] == "no ?[2J json\n"


def test_a_progress_bar_is_shown_to_who_watches_and_to_nobody_else(shop):
    arguments = ("call", "GET", "/V1/products?fields=items[id],total_count", "--paginate")
    bar, out = on_terminal(shop, *arguments, stream="stderr")
    assert len(json.loads(out)["items"]) == 250
    assert "100 of 250" in bar and re.search(r"\[#+\] 250 of 250\n$", bar)
    said, err = on_terminal(shop, *arguments)
    assert err == "" and " of " not in said and len(json.loads(said)["items"]) == 250


def test_who_shows_a_token_to_himself_is_told_that_it_is_a_secret(alone):
    said, out = on_terminal(alone, "token", "--show", stream="stderr")
    assert "secret" in said and out.count("\n") == 1


# --- paginate ------------------------------------------------------------------------------------

def pages_of(items, size_of=None, total=True, past_end="last"):
    """A list of Commerce as a script; items are JSON texts."""
    def script(call):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(call.target).query,
                                            keep_blank_values=True))
        size = int(query.get("searchCriteria[pageSize]", 20))
        page = int(query.get("searchCriteria[currentPage]", 1))
        last = max(1, -(-len(items) // size))
        if page > last and past_end == "last":
            page = last
        shown = items[(page - 1) * size:page * size]
        text = '{"items":[' + ",".join(shown) + '],"search_criteria":{}'
        text += f',"total_count":{size_of or len(items)}}}' if total else "}"
        call.answer(200, text.encode(), ["Content-Type: application/json"])
    return script


def test_all_pages_come_as_one_document(shop, sandbox):
    whole = json.loads(shop("call", "GET", "/V1/products?searchCriteria[pageSize]=250").out)
    for size in (None, 1, 7, 125, 250, 300):
        query = f"?searchCriteria[pageSize]={size}" if size else ""
        if size == 1:
            query += ("&searchCriteria[filter_groups][0][filters][0][field]=sku&searchCriteria[filter_groups]"
                      "[0][filters][0][condition_type]=like&searchCriteria[filter_groups][0][filters][0]"
                      "[value]=MUG%25")
        sandbox.clear_requests()
        got = shop("call", "GET", "/V1/products" + query, "--paginate")
        document = json.loads(got.out)
        assert got.code == DONE and list(document) == ["items", "total_count"] and got.out[-1] == "\n"
        assert len(document["items"]) == document["total_count"] > 0
        assert len(asked(sandbox)) == -(-document["total_count"] // (size or 100)), "no page too many"
        if size != 1:
            assert document["items"] == whole["items"]


def test_items_keep_their_bytes_and_their_order(script):
    items = [f'{{"entity_id":{n}, "price":{n}.90,"s":"],}}\\"{{["}}' for n in range(1, 8)]
    script.script = pages_of(items)
    path = "/V1/orders?searchCriteria[pageSize]=3"
    got = script.run("call", "GET", path, "--paginate")
    assert got.out == '{"items":[' + ",".join(items) + '],"total_count":7}\n'
    lines = script.run("call", "GET", path, "--paginate", "--lines").out.splitlines()
    assert lines == [item.replace(', "price"', ',"price"') for item in items]


def test_a_search_may_begin_in_the_middle_and_spell_itself_as_it_likes(script):
    script.script = pages_of([f'{{"id":{n}}}' for n in range(10)])
    got = script.run("call", "GET", "/V1/x?a=b&searchCriteria%5BpageSize%5D=4&searchCriteria[current_page]=2",
                     "--paginate")
    assert [item["id"] for item in got.json["items"]] == [4, 5, 6, 7, 8, 9]
    assert len(script.calls) == 2 and all("a=b&" in call.target for call in script.calls)
    script.calls.clear()
    script.script = lambda call: call.answer(200, {"items": [], "total_count": 0})
    got = script.run("call", "GET", "/V1/x?search_criteria[page_size]=5&search_criteria[a]=1", "--paginate")
    assert got.json == {"items": [], "total_count": 0}
    (call,) = script.calls
    assert "searchCriteria" not in call.target and "search_criteria%5BpageSize%5D=5" in call.target


def test_a_repeated_last_page_is_not_printed_again(script):
    items = [f'{{"entity_id":{n}}}' for n in range(7)]
    for script.script in (pages_of(items, size_of=9), pages_of(items, size_of=9, past_end="empty"),
                          pages_of([item.replace("entity_id", "sku") for item in items], size_of=9)):
        script.calls.clear()
        got = script.run("call", "GET", "/V1/x?searchCriteria[pageSize]=3", "--paginate")
        assert got.code == DONE and len(got.json["items"]) == 7 and got.json["total_count"] == 9
        assert len(script.calls) == 4


def test_without_a_total_the_last_page_is_the_short_one(script):
    for count in (0, 5, 6):
        script.script = pages_of([f'{{"id":"x{n}"}}' for n in range(count)], total=False)
        got = script.run("call", "GET", "/V1/x?searchCriteria[pageSize]=3", "--paginate")
        assert got.code == DONE and len(got.json["items"]) == count == got.json["total_count"]


def test_an_item_that_wandered_to_the_next_page_is_printed_once(script):
    answers = iter([[1, 2, 3], [3, 4, 5], [6]])
    script.script = lambda call: call.answer(200, {"items": [{"id": n} for n in next(answers)],
                                                   "total_count": 7})
    got = script.run("call", "GET", "/V1/x?searchCriteria[pageSize]=3", "--paginate")
    assert [item["id"] for item in got.json["items"]] == [1, 2, 3, 4, 5, 6]


def test_equal_items_without_ids_are_all_printed(script):
    script.script = pages_of(['{"status":"pending"}'] * 10)
    got = script.run("call", "GET", "/V1/x?searchCriteria[pageSize]=3", "--paginate")
    assert len(got.json["items"]) == 10


def test_a_page_that_fails_once_is_asked_for_again(shop, sandbox):
    sandbox.set_faults("/tenant-1/V1/products status=503 skip=1 times=2")
    got = shop("call", "GET", "/V1/products", "--paginate")
    assert got.code == DONE and len(got.json["items"]) == 250 and got.err == ""


def test_a_page_that_keeps_failing_ends_it_and_is_named(shop, sandbox):
    sandbox.set_faults("/tenant-1/V1/products status=503 skip=1")
    got = shop("call", "GET", "/V1/products", "--paginate")
    assert got.code == FAILED and "503" in got.err and "page 2" in got.err and "not whole" in got.err
    with pytest.raises(ValueError):
        json.loads(got.out)
    sandbox.set_faults("/tenant-1/V1/products status=403")
    got = shop("call", "GET", "/V1/products", "--paginate")
    assert got.code == REFUSED and got.out == "" and "page 1" in got.err and "not whole" not in got.err


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"items":{}}', b"<html>", b"", b'{"items":[1,'])
def test_what_is_no_search_is_said_to_be_none(script, body):
    script.script = lambda call: call.answer(200, body)
    got = script.run("call", "GET", "/V1/x", "--paginate")
    assert got.code == FAILED and got.out == "" and "search" in got.err


def test_a_large_search_is_not_kept_in_memory(script):
    filler = "x" * 20000
    script.script = pages_of([f'{{"id":{n},"f":"{filler}"}}' for n in range(3000)])
    process = subprocess.Popen(
        [binary(), "call", "GET", "/V1/x?searchCriteria[pageSize]=100", "--paginate"],
        env=cli_env(script.run), cwd=script.run.shop.work, stdout=subprocess.PIPE)
    length = most_kib = 0
    while data := process.stdout.read(1 << 20):
        length += len(data)
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            most_kib = max([most_kib, *map(int, re.findall(r"VmHWM:\s+(\d+)", file.read()))])
    process.stdout.close()
    assert process.wait(60) == DONE and length > 3000 * 20000
    assert 0 < most_kib < 48 * 1024 or is_sanitized()
