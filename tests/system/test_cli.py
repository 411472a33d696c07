# SPDX-License-Identifier: MIT
"""The command line as its contract says: help with an example, exit codes, JSON where data is
printed, words that say what to do next; and the nginx recipe, run by a real nginx."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import threading
import time

import pytest

import wire
from daemon import KEY, PRODUCT, clean_environment, run
from ports import Port
from sandbox_client import wait_for

COMMANDS = ["serve", "demo", "sandbox", "check", "ready", "capture", "order", "orders", "explain", "retry",
            "cancel", "lanes", "token", "call", "validate", "recipe", "config", "completion", "version", "help"]
DONE, FAILED, USAGE, REFUSED, UNREACHABLE = range(5)


@pytest.fixture
def bare(tmp_path):
    """Runs a command with no setting at all."""
    def bare_run(*arguments, stdin=None, **settings):
        return run(arguments, clean_environment(tmp_path, **settings), tmp_path, stdin)
    return bare_run


def is_advice(text):
    """A problem first, lower case, no full stop; what to do below it."""
    lines = text.splitlines()
    return (lines[0].startswith("backchannel: ") and not re.search(r"[^.]\.$", lines[0])
            and len(lines) >= 2)


# --- help and usage ------------------------------------------------------------------------------

@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(bare, command):
    asked = [bare(command, "--help"), bare(command, "-h"), bare("help", command)]
    for got in asked:
        assert (got.code, got.err) == (DONE, "") and got.out == asked[0].out
    usage, example = re.search(r"usage: (.*)", asked[0].out)[1], asked[0].out.split("example:\n")[1]
    assert usage.startswith(f"backchannel {command}")
    assert f"backchannel {command}" in example


def test_help_lists_every_command_and_the_exit_codes(bare):
    got = bare("help")
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", got.out, re.MULTILINE), command
    for words in ("0 done", "1 failed", "2 usage", "3 refused", "4 not reachable"):
        assert words in got.out
    assert bare("--help").out == bare("-h").out == got.out


def test_the_manual_page_has_every_command_with_every_option(bare):
    page = bare("help", "--man")
    assert page.code == DONE
    for command in COMMANDS:
        part = page.out.split(f".Ss {command}\n")[1].split("\n.Ss ")[0]
        helped = bare(command, "--help").out
        for option in set(re.findall(r"^ .{3} --([a-z-]+)", helped, re.MULTILINE)) - {"help", "config", "json"}:
            assert f"Fl -{option}" in part, (command, option)
        example = helped.split("example:\n")[1].split()[0]
        assert example in part.split("Example:")[1].replace("\\-", "-")
    for section in ("ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        assert f"\n.Sh {section}\n" in page.out


@pytest.mark.parametrize("page", [("help", "--man"), ("config", "man")])
def test_mandoc_finds_nothing_in_the_manual_pages(bare, page):
    linted = subprocess.run(["mandoc", "-Tlint"], input=bare(*page).out, text=True, capture_output=True, check=False)
    found = [line for line in (linted.stdout + linted.stderr).splitlines()
             if "referenced manual not found" not in line]  # neither is installed here
    assert not found, found


def test_config_show_tells_of_one_setting_or_a_group(bare):
    assert bare("config", "show", "click.ttl").out.split() == ["click.ttl", "24h", "default"]
    assert [line.split()[0] for line in bare("config", "show", "retry").out.splitlines()] == [
        "retry.base", "retry.cap", "retry.deadline"]
    (one,) = bare("config", "show", "click.ttl", "--json").json["settings"]
    assert one["name"] == "click.ttl" and one["value"] == "24h"
    for wrong in (("click.t",), ("click.t", "--json")):
        got = bare("config", "show", *wrong)
        assert got.code == USAGE and 'no setting "click.t"' in got.err and not got.out


@pytest.mark.parametrize("arguments", [
    [], ["nonsense"], ["order"], ["order", "a", "b"], ["order", "a", "--nope"], ["order", "--wait"],
    ["explain"], ["explain", "a", "b"], ["capture"], ["validate"], ["recipe"], ["recipe", "iis"],
    ["config", "frobnicate"], ["orders", "x"], ["version", "x"], ["help", "nonsense"],
    ["order", "a", "--wait", "soon"], ["serve", "--json"], ["explain", "x" * 5000],
    ["serve", "extra"], ["order", "a", "--config"], ["token", "x"], ["call", "GET"], ["call"],
])
def test_wrong_usage_is_2_and_says_how_it_is_used(bare, arguments):
    got = bare(*arguments)
    assert got.code == USAGE, got
    if arguments:
        assert got.out == "" and is_advice(got.err) and "help" in got.err


def test_version_is_told(bare):
    got = bare("version")
    assert got.code == DONE and re.match(r"backchannel \d+\.\d+\.\d+\n", got.out)
    assert bare("--version").out == bare("-V").out == got.out
    assert re.fullmatch(r"\d+\.\d+\.\d+", bare("version", "--json").json["version"])


def test_output_that_cannot_be_written_is_a_failure(bare, tmp_path):
    del bare
    with open("/dev/full", "w", encoding="ascii") as full:
        code = subprocess.run([os.environ["BACKCHANNEL_BIN"], "help"], stdout=full, check=False,
                              stderr=subprocess.DEVNULL, env=clean_environment(tmp_path)).returncode
    assert code == FAILED


# --- validate ------------------------------------------------------------------------------------

TOKENS = [
    ("12a3b-4c5d-6e7-8f9g0", "production"), ("1095752fb409-457a-af14-17a09e6be522", "production"),
    ("12345-prod-123-12345", "production"), ("test-token-123", "production"), ("abcd", "production"),
    ("A_b-", "production"), ("a" * 128, "production"), ("12345-TEST-123-12345", "production"),
    ("12345-test-123-1234", "production"), ("1234-test-123-12345", "production"),
    ("12345-test-1234-12345", "production"), ("x12345-test-123-12345", "production"),
    ("11111-test-111-11111", "test"), ("fffff-test-fff-fffff", "test"),
    ("12345-test-123-12345", "test"), ("1a2b3-test-1a2-1a2b3", "test"), ("ABCDE-test-XyZ-00000", "test"),
    ("abc", "invalid"), ("", "invalid"), ("a" * 129, "invalid"), ("../../etc", "invalid"),
    ("a/b/c/d", "invalid"), ("abcd efgh", "invalid"), ("abcd\n", "invalid"), ("abcd%20", "invalid"),
    ("a.b.c.d", "invalid"), ("t\u00f6ken", "invalid"), ("abcd;x=y", "invalid"), ("$(id)abcd", "invalid"),
]


@pytest.mark.parametrize("token,kind", TOKENS)
def test_each_token_is_classified(bare, token, kind):
    got = bare("validate", "--", token)
    assert got.code == (FAILED if kind == "invalid" else DONE)
    assert got.out.startswith(kind + "\t")
    strict = bare("validate", "--test", "--", token)
    assert strict.code == (DONE if kind == "test" else FAILED)


def test_validate_tells_all_in_order_as_json(bare):
    names = [token for token, _ in TOKENS]
    got = bare("validate", "--json", "--", *names)
    assert got.code == FAILED
    assert [(row["token"], row["kind"], row["valid"]) for row in got.json] == [
        (token, kind, kind != "invalid") for token, kind in TOKENS]
    assert bare("validate", "--json", "abcd").json == [
        {"token": "abcd", "kind": "production", "valid": True}]
    assert bare("validate", "--json", "--test", "abcd").json[0]["valid"] is False


# --- capture, order, orders, explain -------------------------------------------------------------

def test_the_journey_by_hand(shop, partner, unique):
    token, session, order = unique.token(), unique.session(), unique.order()
    captured = shop.cli("capture", f"https://s.example/?sovReqToken={token}", "--session", session)
    assert captured.code == DONE and re.search(r"click c\.[0-9a-f]{32}", captured.out)
    ordered = shop.cli("order", order, "--session", session, "--wait", "10s", "--amount", "12.50",
                       "--currency", "EUR")
    assert ordered.code == DONE and f"order {order}: delivered" in ordered.out
    listed = shop.cli("orders", "--state", "delivered", "-n", "1")
    (line,) = listed.out.splitlines()[:1]
    assert line.split()[1:] == [order, "delivered", "sovendus.default"]
    told = shop.cli("explain", order)
    assert told.code == DONE
    for words in (f"Order {order} was handed back", "12.50 EUR", "attempt 1", "200", "next"):
        assert words in told.out, told.out
    for got in (captured, ordered, listed, told):
        assert token not in got.out + got.err and session not in got.out + got.err
    assert partner.accepted(token) == 1


def test_json_is_the_apis(shop, unique):
    token, order = unique.token(), unique.order()
    captured = shop.cli("capture", f"/?sovReqToken={token}", "--json").json
    assert set(captured) == {"captured", "click", "kind", "expires_at"}
    ordered = shop.cli("order", order, "--click", captured["click"], "--wait", "10s", "--json").json
    assert ordered["state"] == "delivered"
    assert shop.cli("explain", order, "--json").json == shop.story(order)
    listed = shop.cli("orders", "--json", "--limit", "2").json
    assert set(listed) == {"orders", "next"} and listed["orders"][0]["order"] == order
    hops = shop.cli("check", "--json").json
    assert {"settings", "clock", "store", "daemon", "name look-up", "partner"} <= {h["hop"] for h in hops}
    assert all(set(h) == {"group", "hop", "verdict", "tried", "found", "hint", "ms"} for h in hops)
    settings = shop.cli("config", "show", "--json").json
    assert "example-key-000" not in json.dumps(settings)


def test_capture_without_a_token_fails_and_says_so(shop):
    for url, words in (("https://s.example/", "no token in url"),
                       ("https://s.example/?sovReqToken=a/b", "invalid token")):
        got = shop.cli("capture", url)
        assert got.code == FAILED and words in got.out + got.err


def test_order_exits_tell_how_it_ended(shop, partner, unique):
    partner.set_faults("status=422 token=*-reject, delay=700ms token=*-slow")
    rejected = shop.cli("order", unique.order(), "--token", unique.token() + "-reject", "--wait", "10s")
    assert rejected.code == REFUSED and "rejected" in rejected.out
    waiting = shop.cli("order", unique.order(), "--token", unique.token() + "-slow", "--wait", "50ms")
    assert waiting.code == FAILED and re.search("pending|sending", waiting.out)
    assert shop.cli("order", unique.order(), "--token", unique.token()).code == DONE
    bad = shop.cli("order", unique.order(), "--token", "a/b")
    assert bad.code == REFUSED and is_advice(bad.err + "\n") or "token" in bad.err
    order = unique.order()
    shop.cli("order", order, "--token", unique.token())
    conflict = shop.cli("order", order, "--token", unique.token())
    assert conflict.code == REFUSED and "another click token" in conflict.err


def test_an_order_id_may_begin_with_a_dash_and_hold_anything(shop, unique):
    order = "-" + unique.order() + "/\u00fc %"
    assert shop.cli("order", "--token", unique.token(), "--wait", "10s", "--", order).code == DONE
    assert f"Order {order} was handed back" in shop.cli("explain", "--", order).out


def test_explain_of_an_unknown_order_is_refused_and_says_what_to_do(shop):
    got = shop.cli("explain", "never-was")
    assert got.code == REFUSED and "no such order" in got.err and "backchannel orders" in got.err


def test_explain_tells_each_state_and_what_comes_next(daemons, partner, unique):
    partner.set_faults("status=422 token=*-reject, status=503 token=*-later, "
                       "hang token=*-hang")
    shop = daemons(BACKCHANNEL_RETRY_BASE="1h", BACKCHANNEL_RETRY_CAP="1h")
    shop.order("rejected", wait="10s", token=unique.token() + "-reject")
    shop.order("later", token=unique.token() + "-later")
    shop.order("hang", token=unique.token() + "-hang")
    shop.order("none")
    shop.order("gone", token=unique.token() + "-later")
    first = unique.token()
    shop.order("used1", wait="10s", token=first)
    shop.order("used2", token=first)
    wait_for(lambda: shop.story("later")["attempts"] and shop.story("later")["state"] == "pending")
    wait_for(lambda: shop.story("gone")["attempts"] and shop.story("gone")["state"] == "pending")
    shop.wait_state("hang", "sending")
    shop.post("/v1/orders/gone/cancel")
    expected = {
        "rejected": ["was refused by the partner", "422", "backchannel retry rejected"],
        "later": ["waits to be handed back", "503", "sent again in", "UTC"],
        "hang": ["is being handed back right now"],
        "none": ["has no click", "no click named", "recipe nginx"],
        "gone": ["was withdrawn", "backchannel retry gone"],
        "used2": ["has no click", "click used by order used1", "one click serves one order"],
    }
    for order, words in expected.items():
        told = shop.cli("explain", order).out
        for word in words:
            assert word in told, (order, word, told)
    shop.kill9()  # a graceful stop would wait for the one that hangs


def test_explain_tells_of_a_parked_lane(daemons, partner, unique):
    partner.set_faults("status=403")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    shop.order("o", token=unique.token())
    shop.wait_lane("parked")
    told = shop.cli("explain", "o").out
    for words in ("parked", "key", "Nothing is lost", "test token"):
        assert words in told, told


def test_orders_lines_up_and_filters(daemons, partner, unique):
    shop = daemons()
    assert shop.cli("orders").out == "no orders\n"
    partner.set_faults("status=422 token=*-reject")
    shop.order("good", wait="10s", token=unique.token())
    shop.order("bad", wait="10s", token=unique.token() + "-reject")
    shop.order("none")
    lines = shop.cli("orders").out.splitlines()
    assert [line.split()[1:3] for line in lines] == [["none", "unattributed"], ["bad", "rejected"],
                                                     ["good", "delivered"]]
    assert len({line.index(line.split()[2], 25) for line in lines}) == 1, "one column"
    assert [line.split()[1] for line in shop.cli("orders", "--state", "rejected").out.splitlines()] == ["bad"]
    assert "there are more" in shop.cli("orders", "--limit", "1").out
    assert shop.cli("orders", "--since", "2999-01-01T00:00:00Z").out == "no orders\n"
    for wrong in (("--state", "x"), ("--since", "x"), ("--limit", "0")):
        got = shop.cli("orders", *wrong)
        assert got.code == REFUSED and "parameter" in got.err


# --- check ---------------------------------------------------------------------------------------

def verdicts(got):
    return {hop["hop"]: hop["verdict"] for hop in got.json}


def test_check_of_a_good_shop_is_all_well(shop):
    got = shop.cli("check")
    assert got.code == DONE and got.out.endswith("all is well\n"), got
    hops = verdicts(shop.cli("check", "--json"))
    assert hops.pop("alerts") == "skipped"  # alert.url is not set
    assert set(hops.values()) == {"ok"}


@pytest.mark.parametrize("fault,words", [("status=403", "key"), ("status=404", "SOVENDUS_BASE_URL"),
                                         ('status=422 message="External product id not found."',
                                          "SOVENDUS_PRODUCT_ID")])
def test_check_names_what_the_partner_refuses(shop, partner, fault, words):
    partner.set_faults(fault)
    got = shop.cli("check")
    assert got.code == REFUSED and words in got.out and "something is wrong" in got.out
    assert verdicts(shop.cli("check", "--json"))["partner"] == "wrong"


def test_check_names_a_partner_that_is_not_there(shop):
    got = shop.cli("check", SOVENDUS_BASE_URL="http://127.0.0.1:9/ext")
    assert got.code == UNREACHABLE and re.search(r"wrong +partner", got.out)


def test_check_names_a_name_that_is_not_found(shop):
    got = shop.cli("check", SOVENDUS_BASE_URL="https://no-such-host.invalid/ext")
    assert got.code == UNREACHABLE and re.search(r"wrong +name look-up", got.out)


def test_check_works_without_a_daemon_and_says_so(daemons):
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9")
    got = shop.cli("check", "--json")
    assert got.code == DONE
    assert verdicts(got)["daemon"] == "skipped" and verdicts(got)["store"] == "ok"


def test_check_names_missing_credentials(bare):
    got = bare("check")
    assert got.code == FAILED and "SOVENDUS_PRODUCT_ID" in got.out and "missing" in got.out
    half = bare("check", SOVENDUS_PRODUCT_ID=PRODUCT)
    assert half.code == FAILED and "SOVENDUS_API_KEY" in half.out


COMMERCE_HOPS = ["oauth name", "oauth TLS", "oauth token", "commerce name", "commerce TLS", "commerce call"]
SECRET = "p8e-check-secret-0001"


def commerce_settings(partner, **more):
    partner.control("POST", "/ims", {"client_id": "client-1", "secrets": [SECRET]})
    return {"IMS_CLIENT_ID": "client-1", "IMS_CLIENT_SECRET": SECRET, "IMS_ORG_ID": "0A1B2C@AdobeOrg",
            "IMS_BASE_URL": partner.base, "API_ENDPOINT": partner.base + "/tenant-1", **more}


@pytest.fixture
def commerce(daemons, partner):
    """Runs check with Commerce set and no daemon; more settings by name."""
    shop = daemons.make(BACKCHANNEL_URL="http://127.0.0.1:9", **commerce_settings(partner))

    def check(**settings):
        told, listed = shop.cli("check", **settings), shop.cli("check", "--json", **settings)
        assert told.code == listed.code
        for got in (told, listed):
            assert SECRET not in got.out + got.err and "eyJ" not in got.out + got.err
        return told, {hop["hop"]: hop for hop in listed.json}
    return check


def test_check_walks_to_commerce_only_where_it_is_set(commerce, shop):
    told, hops = commerce()
    assert told.code == DONE and told.out.endswith("all is well\n"), told
    assert [hops[name]["verdict"] for name in COMMERCE_HOPS] == ["ok"] * len(COMMERCE_HOPS)
    assert "3 store view(s)" in hops["commerce call"]["found"] and hops["partner"]["verdict"] == "ok"
    assert not set(COMMERCE_HOPS) & set(verdicts(shop.cli("check", "--json")))


def test_check_of_commerce_alone_names_no_partner(commerce):
    told, hops = commerce(SOVENDUS_PRODUCT_ID=None, SOVENDUS_API_KEY=None)
    assert told.code == DONE and "Commerce (saas)" in hops["settings"]["found"]
    assert not {"name look-up", "partner"} & set(hops) and set(COMMERCE_HOPS) <= set(hops)


def test_check_asks_the_daemon_for_its_token_and_spends_none(daemons, partner):
    shop = daemons(**commerce_settings(partner))
    for _ in range(3):
        hops = {hop["hop"]: hop for hop in shop.cli("check", "--json").json}
        assert hops["oauth token"]["verdict"] == "ok" and "the daemon's" in hops["oauth token"]["found"]
        assert hops["commerce call"]["verdict"] == "ok"
    assert partner.control("GET", "/ims/counts")["requests"] == 1


def test_check_tells_a_daemon_that_goes_by_other_settings(daemons, partner):
    shop = daemons(**commerce_settings(partner, IMS_CLIENT_SECRET="p8e-old-secret-0000"))
    wait_for(lambda: shop.get("/v1/token").json["state"] == "refused")
    assert verdicts(shop.cli("check", "--json"))["oauth token"] == "wrong"
    got = shop.cli("check", IMS_CLIENT_SECRET=SECRET)
    assert got.code == DONE and re.search(r"warning +oauth token +.*the running daemon has none", got.out), got
    assert "reload" in got.out


@pytest.mark.parametrize("settings,hop,code,words", [
    ({"IMS_BASE_URL": "https://no-such-host.invalid"}, "oauth name", UNREACHABLE, ["resolv.conf"]),
    ({"IMS_BASE_URL": "http://127.0.0.1:9"}, "oauth TLS", UNREACHABLE, ["IMS_BASE_URL"]),
    ({"IMS_CLIENT_SECRET": "p8e-wrong-0001"}, "oauth token", REFUSED,
     ["invalid client_secret parameter", "IMS_CLIENT_SECRET"]),
    ({"IMS_CLIENT_ID": "other"}, "oauth token", REFUSED, ["invalid client_id parameter"]),
    ({"API_ENDPOINT": "https://no-such-host.invalid/t"}, "commerce name", UNREACHABLE, ["resolv.conf"]),
    ({"API_ENDPOINT": "http://127.0.0.1:9/t"}, "commerce TLS", UNREACHABLE, ["API_ENDPOINT"]),
])
def test_check_names_the_wrong_hop_to_commerce(commerce, settings, hop, code, words):
    told, hops = commerce(**settings)
    assert told.code == code and hops[hop]["verdict"] == "wrong", told
    for word in words:
        assert word in hops[hop]["found"] + hops[hop]["hint"], hops[hop]
    after = COMMERCE_HOPS[COMMERCE_HOPS.index(hop) + 1:]
    if hop.startswith("commerce"):
        assert all(hops[name]["verdict"] == "skipped" for name in after)
    assert hops["commerce call"]["verdict"] == "skipped" and hops["partner"]["verdict"] == "ok"


@pytest.mark.parametrize("fault,code,words", [
    ("status=401", REFUSED, ["401", "IMS_ORG_ID"]), ("status=403", REFUSED, ["403", "product profile"]),
    ("status=404", REFUSED, ["404", "commerce.flavor"]), ("html", FAILED, ["not the REST API", "API_ENDPOINT"]),
    ("redirect=301", REFUSED, ["301", "API_ENDPOINT"]), ("status=500", FAILED, ["500"]),
    ("close", UNREACHABLE, ["firewall"]), ("status=429", DONE, ["429", "less often"]),
])
def test_check_tells_by_the_answer_what_is_wrong_with_the_call(commerce, partner, fault, code, words):
    partner.set_faults(f"GET /tenant-1/* {fault}")
    told, hops = commerce()
    assert told.code == code, told
    assert hops["commerce call"]["verdict"] == ("warning" if code == DONE else "wrong")
    for word in words:
        assert word in hops["commerce call"]["found"] + hops["commerce call"]["hint"]


def test_check_tells_a_role_that_lacks_the_resource_from_a_bad_token(commerce, partner):
    partner.control("POST", "/commerce", {"acl": ["/V1/store*"]})
    told, hops = commerce()
    assert told.code == REFUSED and "isn't authorized to access" in hops["commerce call"]["found"]
    assert "role" in hops["commerce call"]["hint"]


def test_check_names_a_certificate_that_is_not_accepted(commerce, tmp_path):
    with untrusted_tls(tmp_path) as port:
        told, hops = commerce(API_ENDPOINT=f"https://localhost:{port}/t")
    assert told.code == UNREACHABLE and hops["commerce TLS"]["verdict"] == "wrong", told
    assert "certificate" in hops["commerce TLS"]["found"] and "ca-certificates" in hops["commerce TLS"]["hint"]


@contextlib.contextmanager
def untrusted_tls(folder):
    """The port of a server whose certificate nobody knows."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-subj", "/CN=localhost", "-keyout", folder / "key", "-out", folder / "cert"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_check_names_half_a_commerce_client(bare, tmp_path):
    got = bare("check", IMS_CLIENT_ID="client-1", BACKCHANNEL_STATE=str(tmp_path / "state"),
               BACKCHANNEL_URL="http://127.0.0.1:9")
    assert got.code == FAILED and "IMS_CLIENT_SECRET" in got.out, got


def test_check_advises_30_days_where_it_matters(bare, tmp_path):
    got = bare("check", SOVENDUS_PRODUCT_ID=PRODUCT, SOVENDUS_API_KEY=KEY,
               SOVENDUS_BASE_URL="https://no-such-host.invalid/ext",
               BACKCHANNEL_STATE=str(tmp_path / "state"), BACKCHANNEL_URL="http://127.0.0.1:9")
    assert "click.ttl" in got.out and "30d" in got.out


# --- config --------------------------------------------------------------------------------------

def test_config_show_tells_each_value_and_its_source(bare, tmp_path):
    (tmp_path / "backchannel.conf").write_text("[click]\nttl = 30d\n", encoding="ascii")
    got = bare("config", "show", BACKCHANNEL_ORDER_ADOPT="1h", SOVENDUS_API_KEY=KEY)
    assert got.code == DONE and KEY not in got.out
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in got.out.splitlines() if line.strip()}
    assert rows["click.ttl"][0] == "30d" and "backchannel.conf" in rows["click.ttl"][1]
    assert rows["order.adopt"][0] == "1h" and "BACKCHANNEL_ORDER_ADOPT" in rows["order.adopt"][1]
    assert rows["retry.cap"] == ["1h", "default"]
    assert rows["sovendus.api_key"][0] == "set" and rows["api_token"][0] == "missing"


def test_the_environment_wins_over_dotenv_over_the_file_over_the_default(bare, tmp_path):
    def ttl(**settings):
        return next(line.split()[1] for line in bare("config", "show", **settings).out.splitlines()
                    if line.startswith("click.ttl"))
    assert ttl() == "24h"
    (tmp_path / "backchannel.conf").write_text("[click]\nttl = 2h\n", encoding="ascii")
    assert ttl() == "2h"
    dotenv = tmp_path / ".env"
    dotenv.write_text("BACKCHANNEL_CLICK_TTL=3h\n", encoding="ascii")
    dotenv.chmod(0o600)
    assert ttl() == "3h"
    assert ttl(BACKCHANNEL_CLICK_TTL="4h") == "4h"


def test_config_lint_names_what_is_wrong_with_file_and_line(bare, tmp_path):
    file = tmp_path / "some.conf"
    file.write_text("[click]\nttl = soon\n[clik]\nttl = 1h\n[http]\nbody = 1\n", encoding="ascii")
    got = bare("config", "lint", file)
    assert got.code == FAILED
    for words in ("some.conf:2", "soon", "some.conf:4", "click.ttl", "some.conf:6"):
        assert words in got.err, got
    file.write_text("[click]\nttl = 30d\n[sovendus]\nproduct_id = p\napi_key = k\n", encoding="ascii")
    good = bare("config", "lint", file)
    assert good.code == DONE and "right" in good.out, good
    assert bare("config", "lint", tmp_path / "none.conf").code == FAILED


def test_the_example_file_is_right_by_its_own_lint(bare, tmp_path):
    example = bare("config", "example")
    assert example.code == DONE
    (tmp_path / "example.conf").write_text(example.out, encoding="utf-8")
    got = bare("config", "lint", tmp_path / "example.conf", SOVENDUS_PRODUCT_ID=PRODUCT,
               SOVENDUS_API_KEY=KEY)
    assert got.code == DONE, got


def test_the_reference_and_the_manual_name_every_setting(bare):
    shown = [line.split()[0] for line in bare("config", "show").out.splitlines() if line.strip()]
    reference, page = bare("config", "reference").out, bare("config", "man").out
    assert len(shown) > 20
    for name in shown:
        assert name in reference, name
        assert name.split(".")[-1] in page, name


# --- sandbox -------------------------------------------------------------------------------------

def test_a_bad_fault_of_the_sandbox_is_explained(bare):
    got = bare("sandbox", "--listen", "127.0.0.1:0", "--faults", "stauts=503")
    assert got.code == USAGE and "stauts" in got.err and "status" in got.err


# --- recipe nginx --------------------------------------------------------------------------------

@pytest.mark.parametrize("settings,age", [({}, 24 * 3600), ({"BACKCHANNEL_CLICK_TTL": "30d"}, 2592000),
                                          ({"BACKCHANNEL_CLICK_TTL": "90s"}, 90)])
def test_the_recipe_carries_click_ttl(bare, settings, age):
    got = bare("recipe", "nginx", **settings)
    assert got.code == DONE and f"Max-Age={age};" in got.out


class Nginx:
    """A real one, with the recipe as it is printed, on a free port."""

    def __init__(self, folder, recipe):
        self.folder = pathlib.Path(folder)
        self.port = Port()
        self.address = self.port.address
        (self.folder / "conf.d").mkdir()
        (self.folder / "conf.d" / "backchannel.conf").write_text(recipe, encoding="ascii")
        (self.folder / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/error.log;
            events {{}}
            http {{
                access_log off; client_body_temp_path {self.folder}/a; proxy_temp_path {self.folder}/b;
                fastcgi_temp_path {self.folder}/c; uwsgi_temp_path {self.folder}/d;
                scgi_temp_path {self.folder}/e;
                include {self.folder}/conf.d/*.conf;
                server {{
                    listen {self.address};
                    add_header Set-Cookie $bc_cookie;
                    location / {{ return 200 "page"; }}
                    location /moved {{ return 302 /landing; }}
                    location /app {{ try_files /none /index.php$is_args$args; }}
                    location = /index.php {{ return 200 "app"; }}
                }}
            }}""", encoding="ascii")
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(["nginx", "-p", str(self.folder), "-c", "nginx.conf",
                                         "-e", str(self.folder / "error.log")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(self._is_up, what="nginx")
        return self

    def _is_up(self):
        log = self.folder / "error.log"
        assert self.process.poll() is None, log.read_text() if log.exists() else "nginx ended"
        try:
            return wire.ask(self.address, "GET", "/").status
        except OSError:
            return None

    def cookie(self, target):
        """The Set-Cookie of a landing, None without one."""
        answer = wire.ask(self.address, "GET", target)
        assert answer.status in (200, 302), answer
        return answer.headers.get("set-cookie")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    env = clean_environment(folder, SOVENDUS_TOKEN_PARAM="sovReqToken,sov.old", BACKCHANNEL_CLICK_TTL="30d")
    with Nginx(folder, run(["recipe", "nginx"], env, folder).out) as running:
        yield running


GOOD = "1095752fb409-457a-af14-17a09e6be522"


@pytest.mark.parametrize("target", [
    f"/?sovReqToken={GOOD}", f"/landing?channel=sovendus&sovReqToken={GOOD}",
    f"/?sovReqToken={GOOD}&utm=x", f"/?sov.old={GOOD}", f"/moved?sovReqToken={GOOD}",
    f"/app/deep?a=b&sovReqToken={GOOD}", f"/?sovReqToken=first-1234&sovReqToken={GOOD}",
    f"/?sovReqToken=a%2Fb&sovReqToken={GOOD}", f"/?x=y?z&sovReqToken={GOOD}",
])
def test_nginx_puts_the_token_into_the_click_cookie(nginx, target):
    assert nginx.cookie(target) == (f"bc_click=t.{GOOD}; Path=/; Max-Age=2592000; HttpOnly; Secure; "
                                    "SameSite=Lax")


@pytest.mark.parametrize("target", [
    "/", "/?sovReqToken=", "/?sovReqToken=abc", "/?sovReqToken=" + "a" * 129, f"/?sovreqtoken={GOOD}",
    f"/?xsovReqToken={GOOD}", f"/?sovXold={GOOD}", f"/path&sovReqToken={GOOD}",
    "/?sovReqToken=abcd;Domain=evil.example", "/?sovReqToken=abcd%3BDomain=evil",
    "/?sovReqToken=abcd%0d%0aX-Evil:%201", "/?sovReqToken=abcd%20efgh", "/?sovReqToken=../../etc",
    "/?sovReqToken=abcd%00", "/?sovReqToken=abcd,efgh", '/?sovReqToken=abcd"efgh', "/?sovReqToken[]=abcd1",
    f"/?sovReqToken={GOOD}x%3B", "/?sovReqToken=$bc_tok", "/?sovReqToken=abcd=efgh",
])
def test_nginx_sets_no_cookie_for_anything_else(nginx, target):
    answer = wire.ask(nginx.address, "GET", target)
    assert "set-cookie" not in answer.headers and "x-evil" not in answer.headers


def test_what_nginx_sets_is_what_an_order_takes(nginx, shop, partner, unique):
    token = unique.token()
    cookie = nginx.cookie(f"/?sovReqToken={token}").split(";")[0].split("=", 1)[1]
    answer = shop.order(unique.order(), wait="10s", click=cookie)
    assert answer.json["state"] == "delivered" and partner.accepted(token) == 1


# --- serve ---------------------------------------------------------------------------------------

def test_serve_logs_json_where_nobody_watches(daemons):
    shop = daemons(BACKCHANNEL_LOG="info")
    rows = [json.loads(line) for line in shop.log_text().splitlines()]
    assert all({"ts", "level", "event"} <= set(row) for row in rows)
    stamp = rows[0]["ts"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert abs(time.time() - time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
               + time.timezone) < 60


def test_serve_logs_text_when_told(daemons):
    shop = daemons(BACKCHANNEL_LOG="info,text")
    first = shop.log_text().splitlines()[0]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO +daemon\.started version=", first), first


def test_an_order_id_forges_no_log_line(daemons, unique):
    shop = daemons(BACKCHANNEL_LOG="debug,text")
    shop.order('x" level=error event=forged y="\u2028\u0085 z', wait="5s", token=unique.token())
    assert not [line for line in shop.log_text().splitlines() if line.startswith("forged")
                or re.match(r"\S+ +ERROR", line)]
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in shop.log_text().split("\n") if line)


def test_validate_answers_for_each_argument_even_one_that_is_no_utf8(bare):
    got = bare("validate", "--json", "good-token-1", "bad\udcff")
    assert got.code == FAILED
    assert [(row["token"], row["kind"]) for row in got.json] == [
        ("good-token-1", "production"), ("bad?", "invalid")]
