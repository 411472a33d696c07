# SPDX-License-Identifier: MIT
"""Partners as data: one daemon hands back to Awin, impact.com and TUNE, each by its definition, and to a
definition of the shop's own; what it sends is compared byte by byte with what it should. Their
answers are scripted: TUNE's success stands in the body of a 200. And the command `partners`."""
import base64
import json
import pathlib
import re
import signal

import pytest
from daemon import Daemon, clean_environment, run, wait_for
from scripted_partner import Reply, ScriptedPartner

ROOT = pathlib.Path(__file__).resolve().parents[2]
AWC = "1001_1403695822_a430d81e22c9e8687f423efcf024fbaa"
CLICK_ID = "xgMQ4KWb:xyIWO7Uo7Vva0OcUkGQgW2aEwvr1c0"
TRANSACTION = "102656693ac3ca6e0cdafbfe89ab99"

OWN = """
[partner]
name = own
title = Our own network
[landing]
param = own_click
[request]
id = shop
method = PUT
path = /own/{shop}/{token}
content_type = text/plain
body = {order}
[answer 200-299]
outcome = delivered
meaning = the network has taken it
source = unverified
[answer 100-999]
outcome = retry
meaning = the network has not taken it
hint = nothing to do: it is sent again by itself
source = unverified
[test 200]
outcome = delivered
"""


class Partners(ScriptedPartner):
    """All of them on one port, told apart by their paths; keeps what it was sent."""

    def __init__(self):
        super().__init__(self.answer, timeout=5)
        self.requests = []
        self.replies = {}  # what stands in the request: body of a 200, or a Reply

    async def _request(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)^content-length: *(\d+)", head, re.M)
        body = (await reader.readexactly(int(length[1]))).decode() if length else None
        lines = head.split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        self.requests.append((method, target, headers, body))
        return target, body or ""

    def answer(self, target, body, n):
        del n
        for part, reply in self.replies.items():
            if part in target or part in body:
                return (reply if isinstance(reply, Reply) else Reply(200, reply)), "plain"
        return Reply(500, "unscripted"), "plain"

    def of(self, part):
        return [r for r in self.requests if part in r[1] or part in (r[3] or "")]


@pytest.fixture(scope="module")
def partners():
    with Partners() as scripted:
        yield scripted
    assert scripted.errors == []


@pytest.fixture(scope="module")
def shop(partners, tmp_path_factory):
    folder = tmp_path_factory.mktemp("partners")
    base = f"http://127.0.0.1:{partners.port}"
    (folder / "partners").mkdir()
    (folder / "partners" / "own.conf").write_text(OWN, encoding="ascii")
    (folder / "backchannel.conf").write_text(f"""
[product uk]
partner = awin
id = 1001
key = awin-key-000
base_url = {base}/s2s/advertiser
[product us]
partner = impact
id = IRabc:1000:4000
key = impact-token-000
base_url = {base}
[product net]
partner = tune
id = 26
base_url = {base}
[product own]
partner = own
id = s1
base_url = {base}
""", encoding="ascii")
    with Daemon(folder, BACKCHANNEL_CONFIG=str(folder / "backchannel.conf"),
                SOVENDUS_BASE_URL=f"{base}/ext", BACKCHANNEL_LANE_PROBE="300ms") as daemon:
        yield daemon


def land(shop, url, order, **fields):
    click = shop.click(url=url)["click"]
    answer = shop.order(order, click=click, **fields)
    assert answer.status == 202, answer


def test_awin_gets_the_order_in_a_batch_of_one(shop, partners):
    partners.replies["a-1"] = '{"successfulOrders":[{"orderReference":"a-1"}],"failedOrders":[]}'
    land(shop, f"https://shop.example/?awc={AWC}", "a-1", amount=49.9, currency="EUR")
    story = shop.wait_state("a-1", "delivered")
    assert story["lane"] == "awin.uk" and story["product"] == "uk"
    [(method, target, headers, body)] = partners.of("a-1")
    assert (method, target) == ("POST", "/s2s/advertiser/1001/orders")
    assert headers["x-api-key"] == "awin-key-000"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"orders": [{
        "orderReference": "a-1", "amount": 49.9, "channel": "aw", "currency": "EUR", "awc": AWC,
        "commissionGroups": [{"code": "DEFAULT", "amount": 49.9}], "isTest": False}]}


def test_an_order_without_its_amount_is_rejected_with_words(shop, partners):
    land(shop, f"https://shop.example/?awc={AWC}x", "a-2", currency="EUR")
    story = shop.wait_state("a-2", "rejected")
    assert story["reason"] == "the order came without an amount"
    assert partners.of("a-2") == []


def test_impact_gets_a_form_with_basic_authentication(shop, partners):
    partners.replies["OrderId=i-1&"] = '{"Status":"QUEUED","QueuedUri":"/x"}'
    land(shop, "https://shop.example/?irclickid=" + CLICK_ID.replace(":", "%3A"), "i-1", amount=10,
         currency="USD")
    shop.wait_state("i-1", "delivered")
    [(method, target, headers, body)] = partners.of("OrderId=i-1&")
    assert (method, target) == ("POST", "/Advertisers/IRabc/Conversions")
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"IRabc:impact-token-000").decode()
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert re.fullmatch(r"CampaignId=1000&ActionTrackerId=4000&EventDate=\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A"
                        r"[\d.]+Z&OrderId=i-1&ClickId=" + CLICK_ID.replace(":", "%3A")
                        + "&OrderSubTotal=10&CurrencyCode=USD", body)


def test_tunes_success_stands_in_the_body(shop, partners):
    partners.replies["adv_sub=t-1"] = "success=true;"
    partners.replies["adv_sub=t-2"] = "success=false; err_msg=Invalid Trans. ID #1027c.;"
    partners.replies["adv_sub=t-3"] = "success=false; err_msg=Duplicate conversion;"
    for n in (1, 2, 3):
        land(shop, f"https://shop.example/o?transaction_id={TRANSACTION}{n}", f"t-{n}", amount=5)
    shop.wait_state("t-1", "delivered")
    [(method, target, headers, body)] = partners.of("adv_sub=t-1")
    assert (method, body) == ("GET", None)
    assert target == f"/aff_lsr?offer_id=26&transaction_id={TRANSACTION}1&adv_sub=t-1&amount=5"
    assert "Content-Type" not in headers and "Authorization" not in headers
    # A young click is tried once more, then that one alone is given up.
    story = shop.wait_state("t-2", "rejected")
    assert [a["outcome"] for a in story["attempts"]] == ["retry", "reject"]
    assert "Invalid Trans. ID" in story["attempts"][1]["error"]
    assert shop.wait_state("t-3", "delivered")["attempts"][0]["status"] == 200


def test_a_success_without_the_word_is_no_delivery(shop, partners):
    partners.replies["adv_sub=t-4"] = "<html>this domain is parked</html>"
    land(shop, f"https://shop.example/o?transaction_id={TRANSACTION}4", "t-4")
    wait_for(lambda: len(partners.of("adv_sub=t-4")) >= 3, 15, "the third attempt")
    story = shop.story("t-4")
    assert story["state"] in ("pending", "sending")
    assert {a["outcome"] for a in story["attempts"] if a["status"] == 200} == {"retry"}
    partners.replies["adv_sub=t-4"] = "success=true;"
    shop.wait_state("t-4", "delivered")


def test_a_refusal_of_all_parks_the_lane_and_rejects_none(shop, partners):
    words = "success=false; err_msg=Invalid Advertiser security token;"
    for n in (5, 6, 7):
        partners.replies[f"adv_sub=t-{n}"] = words
        land(shop, f"https://shop.example/o?transaction_id={TRANSACTION}{n}", f"t-{n}")
    lane = shop.wait_lane("parked", name="tune.net")
    assert "did not take the conversion" in lane["reason"]
    assert shop.lane("awin.uk")["state"] == "open"
    for n in (5, 6, 7):
        assert shop.story(f"t-{n}")["state"] in ("pending", "sending")
    for n in (5, 6, 7):
        partners.replies[f"adv_sub=t-{n}"] = "success=true;"
    for n in (5, 6, 7):
        shop.wait_state(f"t-{n}", "delivered")
    assert shop.lane("tune.net")["state"] == "open"


def test_a_definition_of_ones_own_is_a_file(shop, partners):
    partners.replies["/own/s1/abcd-own"] = "fine"
    land(shop, "https://shop.example/?own_click=abcd-own", "o-1")
    shop.wait_state("o-1", "delivered")
    [(method, _, headers, body)] = partners.of("/own/s1/abcd-own")
    assert (method, headers["Content-Type"], body) == ("PUT", "text/plain", "o-1")


def test_a_definition_that_is_mended_takes_effect_at_a_reload(shop, partners):
    file = shop.folder / "partners" / "own.conf"
    partners.replies["/own/s1/abcd-two"] = "fine"
    partners.replies["/mine/s1/abcd-three"] = "fine"
    file.write_text(OWN.replace("/own/", "/mine/"), encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: [e for e in shop.events("settings.reloaded")
                      if e["changed"] == "product.own.partner (its definition)"], 10, "the reload")
    land(shop, "https://shop.example/?own_click=abcd-three", "o-3")
    shop.wait_state("o-3", "delivered")
    assert [r[1] for r in partners.of("abcd-three")] == ["/mine/s1/abcd-three"]
    file.write_text("[partner]\n", encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: shop.events("settings.kept"), 10, "the refusal")
    file.write_text(OWN, encoding="ascii")
    shop.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(shop.events("settings.reloaded")) == 2, 10, "the second reload")
    land(shop, "https://shop.example/?own_click=abcd-two", "o-2")
    shop.wait_state("o-2", "delivered")


def test_support_is_told_where_it_was_sent(shop):
    told = shop.cli("explain", "t-1", "--support")
    assert told.code == 0 and "/aff_lsr" in told.out and "Endpoint:        GET http://" in told.out, told
    assert TRANSACTION not in told.out


def test_nothing_of_a_key_is_in_the_log(shop):
    text = shop.log_text()
    assert "awin-key-000" not in text and "impact-token-000" not in text
    assert base64.b64encode(b"IRabc:impact-token-000").decode() not in text


def test_partners_lists_them_and_who_uses_them(shop):
    done = shop.cli("partners", "--json")
    assert done.code == 0, done
    listed = {p["name"]: p for p in json.loads(done.out)["partners"]}
    assert set(listed) == {"awin", "impact", "own", "sovendus", "tune"}
    assert listed["awin"]["products"] == ["uk"] and listed["sovendus"]["products"] == ["default"]
    assert listed["own"]["from"].endswith("/partners/own.conf") and listed["awin"]["from"] == "built in"


def test_what_show_prints_is_what_lint_takes(shop, tmp_path):
    for name in ("awin", "impact", "tune", "sovendus", "own"):
        shown = shop.cli("partners", "show", name)
        assert shown.code == 0, shown
        file = tmp_path / f"{name}.conf"
        file.write_text(shown.out, encoding="utf-8")
        linted = shop.cli("partners", "lint", file)
        assert linted.code == 0, linted
        assert "answers has one of them" in linted.out
    assert shop.cli("partners", "show", "awin").out == (ROOT / "partners" / "awin.conf").read_text("utf-8")


def test_lint_names_each_fault_with_its_line(shop, tmp_path):
    file = tmp_path / "bad.conf"
    file.write_text(OWN.replace("outcome = retry", "outcome = perhaps").replace("{shop}/", "{key}/"),
                    encoding="ascii")
    done = shop.cli("partners", "lint", file)
    assert done.code == 1, done
    assert f'error: {file}:10: "path" has the key in it' in done.err
    assert f'error: {file}:18: "perhaps" is no outcome of an answer' in done.err
    found = json.loads(shop.cli("partners", "lint", file, "--json").out)
    assert found["errors"] == len([f for f in found["findings"] if f["kind"] == "error"]) >= 2
    assert all(f["hint"] for f in found["findings"])


def test_lint_works_where_a_definition_keeps_settings_from_loading(tmp_path):
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / "bad.conf").write_text("[partner]\nname = bad\n", encoding="ascii")
    config = tmp_path / "backchannel.conf"
    config.write_text("[product p]\npartner = bad\nid = 1\n", encoding="ascii")
    env = clean_environment(tmp_path, BACKCHANNEL_CONFIG=str(config))
    refused = run(["config", "lint"], env, tmp_path)
    assert refused.code == 1 and '"product.p.partner" = "bad" cannot be used' in refused.err
    done = run(["partners", "lint"], env, tmp_path)
    assert done.code == 1 and f"error: {tmp_path}/partners/bad.conf" in done.err
    assert run(["partners", "show", "nobody"], env, tmp_path).code == 1
    assert run(["partners", "dance"], env, tmp_path).code == 2
    assert run(["partners", "show"], env, tmp_path).code == 2


def test_the_example_in_the_documentation_is_right(tmp_path):
    page = (ROOT / "docs" / "partners.md").read_text("utf-8")
    [example] = [block for block in re.findall(r"```ini\n(.*?)```", page, re.S) if "[partner]" in block]
    file = tmp_path / "mynet.conf"
    file.write_text(example, encoding="utf-8")
    done = run(["partners", "lint", file], clean_environment(tmp_path), tmp_path)
    assert done.code == 0 and "advice" not in done.out and "2 of its own tests hold" in done.out, done
