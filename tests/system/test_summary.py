# SPDX-License-Identifier: MIT
"""The shop at a glance: return rates by product and window on /v1/summary, in `orders --summary` and
as a metric; and that /metrics is text that Prometheus takes."""
import concurrent.futures
import re

import pytest

from sandbox_client import wait_for

WINDOWS = ["1h", "24h", "7d"]
DONE, FAILED, USAGE, REFUSED, UNREACHABLE = range(5)
STATES = {"unattributed", "pending", "sending", "delivered", "rejected", "expired", "cancelled"}


def window(shop, span="24h", product="default"):
    products = {row["product"]: row for row in shop.get("/v1/summary").json["products"]}
    return products[product]["windows"][span]


@pytest.fixture
def mixed(daemons, partner, unique):
    """4 delivered, 1 rejected, 1 waiting, 1 withdrawn, 1 without a click: a rate of 4 in 6."""
    partner.set_faults("status=422 token=*-reject, status=503 token=*-later")
    shop = daemons(BACKCHANNEL_RETRY_BASE="1h", BACKCHANNEL_RETRY_CAP="1h")
    for i in range(4):
        assert shop.order(f"good{i}", wait="10s", token=unique.token()).json["state"] == "delivered"
    shop.order("rejected", wait="10s", token=unique.token() + "-reject")
    for name in ("waits", "gone"):
        shop.order(name, token=unique.token() + "-later")
        wait_for(lambda name=name: (s := shop.story(name))["attempts"] and s["state"] == "pending")
    assert shop.post("/v1/orders/gone/cancel").status == 200
    shop.order("none")
    return shop


def test_the_summary_has_its_shape_and_its_numbers(mixed):
    answer = mixed.get("/v1/summary")
    assert answer.status == 200 and set(answer.json) == {
        "at", "version", "started_at", "products", "orders", "lanes", "clicks", "pending_oldest_seconds", "store"}
    (product,) = answer.json["products"]
    assert (product["product"], product["lane"]) == ("default", "sovendus.default")
    assert list(product["windows"]) == WINDOWS
    for span in WINDOWS:
        assert product["windows"][span] == {
            "orders": 6, "delivered": 4, "pending": 1, "rejected": 1, "expired": 0, "cancelled": 1,
            "rate": 0.666667}
    assert set(answer.json["orders"]) == STATES
    assert {state: n for state, n in answer.json["orders"].items() if n} == {
        "delivered": 4, "rejected": 1, "pending": 1, "cancelled": 1, "unattributed": 1}
    assert answer.json["lanes"] == mixed.get("/v1/lanes").json["lanes"]


def test_a_product_without_orders_has_no_rate(daemons):
    shop = daemons()
    assert window(shop) == {"orders": 0, "delivered": 0, "pending": 0, "rejected": 0, "expired": 0,
                            "cancelled": 0, "rate": None}
    assert "backchannel_return_rate{" not in shop.get("/metrics").text
    assert "# TYPE backchannel_return_rate gauge" in shop.get("/metrics").text
    told = shop.cli("orders", "--summary").out
    assert re.search(r"sovendus\.default +1h( +0){6} +-$", told, re.M) and "no orders" in told, told


def test_what_was_withdrawn_is_counted_again_when_it_comes_back(mixed, partner):
    partner.clear_faults()
    assert mixed.post("/v1/orders/retry?state=cancelled").json == {"count": 1}
    mixed.wait_state("gone", "delivered")
    row = window(mixed)
    assert (row["orders"], row["delivered"], row["cancelled"], row["rate"]) == (7, 5, 0, 0.714286)


def test_the_summary_outlives_a_kill_and_is_told_without_a_daemon(mixed):
    before = mixed.get("/v1/summary").json
    mixed.kill9()
    offline = mixed.cli("orders", "--summary", "--json")
    assert offline.code == DONE, offline
    assert offline.json["products"] == before["products"] and offline.json["orders"] == before["orders"]
    told = mixed.cli("orders", "--summary")
    assert told.code == DONE
    assert re.search(r"^sovendus\.default +1h +6 +4 +1 +1 +0 +1 +66\.7 %$", told.out, re.M), told
    assert re.search(r"^in the store: .*4 delivered", told.out, re.M)


def test_the_table_tells_of_a_lane_that_stands(mixed):
    wait_for(lambda: mixed.post("/v1/lanes/sovendus.default/pause").status == 200)
    told = mixed.cli("orders", "--summary").out
    assert "lane sovendus.default is paused: paused by the operator" in told
    lines = told.splitlines()
    assert len({len(line) for line in lines[:4]}) == 1, "columns line up"


def test_the_summary_takes_no_selection(daemons):
    shop = daemons.make()
    for wrong in (["--state", "pending"], ["--since", "2h"], ["--count"], ["--export", "csv"]):
        got = shop.cli("orders", "--summary", *wrong)
        assert got.code == USAGE and "orders --help" in got.err


def test_the_numbers_add_up_at_every_moment_while_orders_move(daemons, partner, unique):
    partner.set_faults("status=422 token=*-reject, status=503 every=3")
    shop = daemons()
    tokens = [unique.token() + ("-reject" if i % 5 == 0 else "") for i in range(200)]
    done = []

    def report(i):
        assert shop.order(f"o{i}", token=tokens[i]).status == 202
        done.append(i)

    def look():
        row = window(shop, "1h")
        assert row["orders"] == sum(row[s] for s in ("delivered", "pending", "rejected", "expired")), row
        assert row["rate"] is None or abs(row["rate"] - row["delivered"] / row["orders"]) < 1e-5
        return row

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reports = [pool.submit(report, i) for i in range(200)]
        last = (0, 0, 0)
        while not all(r.done() for r in reports):
            acknowledged = len(done)
            row = look()
            assert acknowledged <= row["orders"] <= 200, "what is acknowledged counts"
            now = (row["orders"], row["delivered"], row["rejected"])
            assert all(a <= b for a, b in zip(last, now)), "none is taken back"
            last = now
        for r in reports:
            r.result()

    def settled():
        row = look()
        return row if row["delivered"] + row["rejected"] == 200 else None
    row = wait_for(settled, 60, "all orders to be settled")
    assert (row["delivered"], row["rejected"], row["rate"]) == (160, 40, 0.8)
    assert [window(shop, span) for span in WINDOWS] == [row] * 3
    orders = shop.get("/v1/summary").json["orders"]
    assert {state: n for state, n in orders.items() if n} == {"delivered": 160, "rejected": 40}


# --- metrics -------------------------------------------------------------------------------------

SAMPLE = re.compile(r'(?P<name>[a-z_:][a-z0-9_:]*)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)')
PARTS = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


def families(text):
    """{name: (type, {series: value})}; fails on what promtool refuses."""
    found, name = {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in found, f"{name} stands twice"
            assert len(line.split(maxsplit=3)[3]) > 10
            found[name] = [None, {}]
        elif line.startswith("# TYPE "):
            assert line.split()[2] == name and found[name][0] is None
            found[name][0] = line.split()[3]
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            kind = found[name][0]
            assert sample["name"] in [name + part for part in PARTS[kind]], line
            series = (sample["name"], sample["labels"])
            assert series not in found[name][1], f"{series} stands twice"
            found[name][1][series] = float(sample["value"])
    for family, (kind, _) in found.items():
        assert kind and (kind == "counter") == family.endswith("_total"), family
    return found


def test_the_metrics_are_well_formed_and_each_family_stands_once(mixed):
    answer = mixed.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = families(answer.text)
    for name, (kind, series) in found.items():
        if kind == "histogram":
            buckets = [v for (n, _), v in series.items() if n.endswith("_bucket")]
            assert buckets == sorted(buckets) and buckets[-1] == series[(name + "_count", None)]
    rate = found["backchannel_return_rate"][1]
    assert rate == {("backchannel_return_rate", f'product="default",window="{span}"'): 0.666667
                    for span in WINDOWS}


def test_the_metrics_count_what_a_lane_went_through(daemons, partner, unique):
    partner.set_faults("status=403")
    shop = daemons(BACKCHANNEL_LANE_PROBE="1h")
    shop.order("o", token=unique.token())
    shop.wait_lane("parked")
    partner.clear_faults()
    assert shop.post("/v1/lanes/sovendus.default/probe").status == 200
    shop.wait_lane("open")

    def entered(state):
        series = families(shop.get("/metrics").text)["backchannel_lane_transitions_total"][1]
        return series[("backchannel_lane_transitions_total", f'lane="sovendus.default",to="{state}"')]
    assert [entered(state) for state in ("suspect", "parked", "open", "paused", "broken")] == [1, 1, 1, 0, 0]
    assert shop.post("/v1/lanes/sovendus.default/pause").status == 200
    assert entered("paused") == 1


def test_alerts_are_counted_even_where_none_are_sent(shop):
    alerts = families(shop.get("/metrics").text)["backchannel_alerts_total"][1]
    assert {labels: value for (_, labels), value in alerts.items()} == {
        'result="sent"': 0, 'result="failed"': 0, 'result="dropped"': 0}
