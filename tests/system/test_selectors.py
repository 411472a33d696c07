# SPDX-License-Identifier: MIT
"""One way of saying which orders: list, count, retry and export take the same selector, over the API
and on the command line; and an export is whole, each order once, without a token."""
import collections
import concurrent.futures
import csv
import io
import json
import subprocess

import pytest

import wire
from daemon import Daemon, binary
from sandbox_client import wait_for

DONE, FAILED, USAGE, REFUSED, UNREACHABLE = range(5)
COLUMNS = ["order", "state", "reason", "product", "lane", "kind", "amount", "currency",
           "attempt_count", "created_at", "updated_at", "finished_at", "next_attempt_at", "deadline_at",
           "revoked_at", "entity_id", "edition", "comment"]


def names(answer):
    return [order["order"] for order in answer.json["orders"]]


# --- the selector --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def two_lanes(tmp_path_factory, partner_process):
    """d0 to d5 of product default, s0 to s2 of shoes; d4, d5 and s2 rejected; n without a click."""
    partner_process.reset()
    with Daemon(tmp_path_factory.mktemp("two"), partner=partner_process) as base:
        base.stop()
        (base.work / "backchannel.conf").write_text(
            "[product shoes]\nid = shoe-1\nkey = shoe-key-000\n", encoding="ascii")
        base.start()
        partner_process.set_products({"shoe-1": "shoe-key-000",
                                      base.settings["SOVENDUS_PRODUCT_ID"]: base.settings["SOVENDUS_API_KEY"]})
        partner_process.set_faults("status=422 token=two-reject-*")
        for product, count, good in (("default", 6, 4), ("shoes", 3, 2)):
            for i in range(count):
                kind = "good" if i < good else "reject"
                base.order(f"{product[0]}{i}", wait="10s", product=product,
                           token=f"two-{kind}-{product}-{i:04d}")
        base.order("n")
        yield base
        assert base.stop() == 0


SELECTED = [
    ("", ["n", "s2", "s1", "s0", "d5", "d4", "d3", "d2", "d1", "d0"]),
    ("state=rejected", ["s2", "d5", "d4"]),
    ("lane=sovendus.shoes", ["s2", "s1", "s0"]),
    ("product=shoes", ["s2", "s1", "s0"]),
    ("product=shoes&state=delivered", ["s1", "s0"]),
    ("lane=sovendus.default&product=default&state=rejected", ["d5", "d4"]),
    ("lane=sovendus.gone", []),
    ("lane=other.default", []),
    ("until=1h", []),
    ("since=1h&until=2999-01-01T00:00:00Z&state=rejected", ["s2", "d5", "d4"]),
]


@pytest.mark.parametrize("query,expected", SELECTED)
def test_list_and_count_select_alike(two_lanes, query, expected):
    assert names(two_lanes.get("/v1/orders?" + query)) == expected
    assert two_lanes.get(f"/v1/orders?{query}&count=1").json == {"count": len(expected)}


@pytest.mark.parametrize("query,expected", [row for row in SELECTED if "state=rejected" in row[0]])
def test_a_retry_selects_as_a_list_does(two_lanes, query, expected):
    answer = two_lanes.post(f"/v1/orders/retry?{query}&dry_run=1")
    assert answer.json == {"count": len(expected)}


def test_until_is_exclusive_and_since_inclusive(two_lanes):
    at = two_lanes.story("s0")["created_at"]
    assert names(two_lanes.get("/v1/orders?until=" + at))[0] == "d5"
    assert names(two_lanes.get("/v1/orders?since=" + at))[-1] == "s0"
    both = set(names(two_lanes.get("/v1/orders?until=" + at)) + names(two_lanes.get("/v1/orders?since=" + at)))
    assert len(both) == 10


def test_pages_of_a_selection_are_full_and_meet_none_twice(two_lanes):
    seen, cursor = [], ""
    while cursor is not None:
        answer = two_lanes.get("/v1/orders?lane=sovendus.default&limit=2" +
                               (f"&cursor={cursor}" if cursor else ""))
        seen += names(answer)
        cursor = answer.json["next"]
        assert len(names(answer)) == 2 or cursor is None
    assert seen == ["d5", "d4", "d3", "d2", "d1", "d0"]


@pytest.mark.parametrize("query,name", [
    ("lane=", "lane"), ("lane=sovendus", "lane"), ("lane=A.b", "lane"), ("lane=a.b.c", "lane"),
    ("product=", "product"), ("product=%2e%2e", "product"),
    ("lane=sovendus.default&product=shoes", "product"), ("until=tomorrow", "until"),
    ("since=1h&until=2h", "until"), ("count=yes", "count"), ("cursor=0", "cursor")])
def test_a_wrong_part_of_a_selector_is_named(two_lanes, query, name):
    answer = two_lanes.get("/v1/orders?" + query)
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert f'"{name}"' in answer.json["detail"]


def test_the_command_line_takes_the_same_selector(two_lanes):
    def listed(*options):
        return [line.split()[1] for line in two_lanes.cli("orders", *options).out.splitlines()]
    assert listed("--lane", "sovendus.shoes", "--state", "delivered") == ["s1", "s0"]
    assert listed("--product", "shoes", "-n", "1")[0] == "s2"
    assert two_lanes.cli("orders", "--until", "1h").out == "no orders\n"
    assert two_lanes.cli("orders", "--count", "--lane", "sovendus.default").out == "6\n"
    assert two_lanes.cli("orders", "--count", "--json", "--since", "1h").json == {"count": 10}
    got = two_lanes.cli("orders", "--lane", "sovendus.default", "--product", "shoes")
    assert got.code == REFUSED and '"product"' in got.err


def test_a_retry_by_hand_says_how_many_of_which_and_asks(two_lanes, partner_process):
    select = ["--state", "rejected", "--lane", "sovendus.shoes", "--since", "1h"]
    refused = two_lanes.cli("retry", *select)
    assert refused.code == FAILED and "--yes" in refused.err
    assert refused.out == "1 rejected order(s) since 1h on lane sovendus.shoes\n"
    assert two_lanes.cli("retry", *select, stdin="n\n").code == FAILED
    assert two_lanes.story("s2")["state"] == "rejected"
    partner_process.clear_faults()
    done = two_lanes.cli("retry", *select, "--yes")
    assert done.code == DONE and done.out.endswith("1 will be handed back again\n")
    two_lanes.wait_state("s2", "delivered")
    assert two_lanes.story("d5")["state"] == "rejected", "it was not selected"
    got = two_lanes.cli("retry", "--state", "rejected", "--limit", "1", "--json", "--yes")
    assert got.json == {"count": 1} and "rejected order(s)" in got.err
    two_lanes.wait_state("d5", "delivered")
    assert two_lanes.story("d4")["state"] == "rejected", "the newest first"


@pytest.mark.parametrize("arguments", [["retry", "o1", "--lane", "a.b"], ["retry", "--lane", "a.b"],
                                       ["retry", "--since", "2h"], ["orders", "--count", "--export", "csv"],
                                       ["orders", "--export", "xml"], ["orders", "--export"],
                                       ["orders", "--json", "--export", "csv"],
                                       ["orders", "--with-tokens"], ["orders", "--with-tokens", "--count"],
                                       ["orders", "--revoked", "--summary"],
                                       ["orders", "--state", "x" * 9000]])
def test_what_cannot_be_meant_is_wrong_usage(daemons, arguments):
    got = daemons.make().cli(*arguments)
    assert got.code == USAGE and "--help" in got.err and got.out == ""


# --- export --------------------------------------------------------------------------------------

MANY = 3000


@pytest.fixture(scope="module")
def many(tmp_path_factory, partner_process):
    """A few thousand orders; every tenth has a click and is delivered."""
    partner_process.reset()

    def report(numbers):
        conn = wire.connection(shop.address)
        for i in numbers:
            fields = {"token": f"many-{i:06d}-token"} if i % 10 == 0 else {}
            answer = wire.send(conn, "POST", "/v1/orders",
                               {"order": f"m{i:05d}", "amount": "9.90", "currency": "EUR", **fields})
            assert answer.status in (200, 202), answer
        conn.close()

    with Daemon(tmp_path_factory.mktemp("many"), partner=partner_process,
                BACKCHANNEL_LOG="info,json") as shop:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for done in [pool.submit(report, range(k, MANY, 16)) for k in range(16)]:
                done.result()
        wait_for(lambda: shop.get("/v1/orders?state=delivered&count=1").json["count"] == MANY // 10,
                 60, "the orders with a click to be delivered")
        yield shop
        assert shop.stop() == 0


def run_raw(shop, *arguments):
    """stdout as it is, line ends too; it has to succeed."""
    env = {**shop.env, "BACKCHANNEL_URL": f"http://{shop.address}"}
    got = subprocess.run([binary(), *arguments], env=env, cwd=shop.work, stdin=subprocess.DEVNULL,
                         capture_output=True, timeout=60, check=False)
    assert got.returncode == DONE, got.stderr
    return got.stdout.decode()


def csv_rows(text):
    assert text.endswith("\r\n")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[0] == COLUMNS
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


def test_a_csv_export_has_every_order_once_newest_first(many):
    got = run_raw(many, "orders", "--export", "csv")
    rows = csv_rows(got)
    assert len(rows) == MANY and len({row["order"] for row in rows}) == MANY
    made = [row["created_at"] for row in rows]
    assert made == sorted(made, reverse=True)
    assert collections.Counter(row["state"] for row in rows) == {"delivered": 300, "unattributed": 2700}
    assert {row["amount"] + row["currency"] for row in rows} == {"9.90EUR"}
    assert "-token" not in got


def test_a_json_export_is_one_object_a_line_and_the_same(many):
    got = run_raw(many, "orders", "--export", "json")
    rows = [json.loads(line) for line in got.splitlines()]
    assert [row["order"] for row in rows] == [row["order"] for row in
                                              csv_rows(run_raw(many, "orders", "--export", "csv"))]
    assert rows[:9] == many.get("/v1/orders?limit=9").json["orders"]
    assert "-token" not in got


def test_an_export_takes_the_selector_and_a_limit(many):
    rows = csv_rows(run_raw(many, "orders", "--export", "csv", "--state", "delivered"))
    assert len(rows) == 300 and {row["state"] for row in rows} == {"delivered"}
    assert {row["lane"] for row in rows} == {"sovendus.default"}
    assert len(csv_rows(run_raw(many, "orders", "--export", "csv", "-n", "7"))) == 7
    assert run_raw(many, "orders", "--export", "csv", "--until", "1d") == ",".join(COLUMNS) + "\r\n"
    assert run_raw(many, "orders", "--export", "json", "--until", "1d") == ""


def test_a_selection_that_the_api_refuses_exports_nothing(many):
    got = many.cli("orders", "--export", "csv", "--state", "done")
    assert got.code == REFUSED and got.out == "" and '"state"' in got.err


def test_counts_are_of_all_of_them(many):
    assert many.get("/v1/orders?count=1").json == {"count": MANY}
    assert many.get("/v1/orders?state=unattributed&count=1&limit=5").json == {"count": 2700}
    assert len(many.get("/v1/orders?state=delivered&limit=1000").json["orders"]) == 300
    assert len(many.get("/v1/orders?limit=1000").json["orders"]) == 1000


def test_an_export_shows_no_progress_where_nobody_watches(many):
    assert many.cli("orders", "--export", "json").err == ""


def test_an_export_works_without_a_daemon(daemons, partner, unique):
    del partner
    shop = daemons()
    odd = ['plain', 'a,b', 'say "hi"', "\u00fcber", "=1+1", " lead"]
    for order in odd:
        shop.order(order, wait="10s", token=unique.token(), amount="1,5")
    shop.stop()
    rows = csv_rows(run_raw(shop, "orders", "--export", "csv"))
    assert [row["order"] for row in rows] == odd[::-1] and {row["amount"] for row in rows} == {"1,5"}
    assert '"say ""hi"""' in run_raw(shop, "orders", "--export", "csv")
    lines = run_raw(shop, "orders", "--export", "json").splitlines()
    assert [json.loads(line)["order"] for line in lines] == odd[::-1]
    assert shop.cli("orders", "--count").out == f"{len(odd)}\n"
    assert "formula" in shop.cli("orders", "--help").out
