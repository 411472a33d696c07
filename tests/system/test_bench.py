# SPDX-License-Identifier: MIT
"""bench/run: a quick run works from end to end and prints a page that can be read, and no figure stands
for answers that were wrong or not kept. How fast anything is, is not for a test."""
import functools
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import types

import pytest

import daemon

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
RUN_SECONDS = 300
PEERS = {"clicks": ["backchannel", "nginx-204", "express", "express-get", "nginx-lua"],
         "orders": ["backchannel", "nginx-204", "express", "nginx-lua"],
         "sample": ["backchannel", "express-sample"],
         "deliveries": ["backchannel", "curl", "axios"],
         "gateway": ["backchannel", "nginx-proxy", "haproxy", "http-proxy",
                     "http-proxy-default", "direct"],
         "starts": ["backchannel", "express", "express-alone", "nginx-lua"]}

pytestmark = [
    pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed (tools/deps --bench)"),
    pytest.mark.skipif(daemon.is_sanitized(), reason="a sanitized program is not what is measured"),
]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """(the page, the figures) of a quick run. npm's packages are used where bench/run --setup has put
    them, and not fetched."""
    folder = tmp_path_factory.mktemp("bench")
    modules = ROOT / "build" / "bench" / "node" / "node_modules"
    if modules.is_dir():
        (folder / "work" / "node").mkdir(parents=True)
        (folder / "work" / "node" / "node_modules").symlink_to(modules)
    done = subprocess.run(
        [BENCH / "run", "--quick", "--build", pathlib.Path(daemon.binary()).parent, "--work",
         folder / "work", "--output", folder / "page.md", "--json", folder / "figures.json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    page = (folder / "page.md").read_text(encoding="utf-8")
    assert page == done.stdout.removesuffix("\n"), "it prints what it writes"
    return page, json.loads((folder / "figures.json").read_text(encoding="utf-8"))


def measured(figures):
    """(part, peer, its runs) of all that was measured."""
    results = figures["results"]
    for part, runs in (*(("clicks", r) for r in results["clicks"].values()),
                       ("orders", results["orders"]), ("sample", results["sample"]),
                       *(("deliveries", r) for r in results["deliveries"].values()),
                       *(("gateway", r) for r in results["gateway"].values()),
                       ("starts", results["starts"])):
        yield from ((part, peer, its) for peer, its in runs.items())


def test_every_peer_is_measured_or_named_with_the_reason_why_not(quick):
    page, figures = quick
    missing = figures["facts"]["missing"]
    found = {(part, peer) for part, peer, _ in measured(figures)}
    assert found == {(part, peer) for part, peers in PEERS.items() for peer in peers
                     if peer not in missing}
    assert page.count("Not measured:") == len(missing)


def test_every_figure_is_one(quick):
    _, figures = quick
    for part, peer, runs in measured(figures):
        for run in runs:
            for name in (("first_ms", "again_ms", "idle_mib") if part == "starts" else
                         ("rate", "paced_p50_us") if peer == "direct" else ("rate", "rss_mib")):
                assert run[name] > 0, (part, peer, name)
            for name in ("core_busy", "wrk_busy", "partner_busy", "load_busy"):
                assert 0 <= run.get(name, 0) <= 1, (part, peer, name)


def test_what_was_acknowledged_was_counted_on_the_disk_after_a_kill(quick):
    _, figures = quick
    for part, peer, runs in measured(figures):
        if part in ("clicks", "orders") and peer != "nginx-204":
            assert all(run["kept"] >= run["requests"] for run in runs), (part, peer)


def test_the_page_has_whole_tables_and_says_that_it_was_quick(quick):
    page, _ = quick
    assert "its figures mean\nnothing" in page or "its figures mean nothing" in page
    for heading in ("## How", "## Durable clicks", "## Durable orders", "## Deliveries",
                    "## The gateway to Commerce", "## Start and memory", "## What this does not say", "## Conditions"):
        assert f"\n{heading}\n" in page
    for table in re.findall(r"(?:^\|.*\n)+", page, re.M):
        widths = {len(line.split("|")) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "nan" not in page.lower().split() and str(ROOT) not in page


def test_each_gateway_is_measured_with_and_without_tls(quick):
    _, figures = quick
    if "nginx-proxy" in figures["facts"]["missing"]:
        pytest.skip("there is no nginx for the upstream")
    plain, tls = (figures["results"]["gateway"][mode] for mode in ("plain", "tls"))
    assert plain.keys() == tls.keys() >= {"backchannel", "nginx-proxy", "direct"}


# --- what must not become a figure ---------------------------------------------------------------

@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import load
    import scenarios
    import servers
    return load, scenarios, servers


class _Refuses(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_server_that_answers_errors_fast_has_no_figure(bench, tmp_path):
    load, _, servers = bench
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refuses) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        site = servers.Site(None, tmp_path)
        site.port = server.server_port
        try:
            with pytest.raises(servers.Trouble, match="refused"):
                load.run(site, "clicks", 2, 0, 1, 20)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("kept, stands", [(100, True), (105, True), (99, False), (106, False)])
def test_a_site_that_lost_or_invented_a_row_has_no_figure(bench, tmp_path, kept, stands):
    _, scenarios, servers = bench
    site = servers.Site(None, tmp_path)
    if stands:
        scenarios.check_kept(site, "clicks", kept, 100, 105)
    else:
        with pytest.raises(servers.Trouble, match="after a kill"):
            scenarios.check_kept(site, "clicks", kept, 100, 105)


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")),
                    reason="nginx or openssl is not installed (tools/deps --bench)")
@pytest.mark.parametrize("mode", ["plain", "tls"])
def test_a_gateway_that_puts_no_token_in_has_no_figure(bench, tmp_path, mode):
    load, _, servers = bench
    import gateways
    plan = types.SimpleNamespace(binary=daemon.binary(), load_core=min(os.sched_getaffinity(0)))

    class Forgets(gateways.Direct):
        def lines(self):
            return ()

    with gateways.Upstream(plan, tmp_path) as upstream:
        for kind, stands in ((gateways.Direct, True), (Forgets, False)):
            site = kind(plan, tmp_path).behind(upstream, mode)
            ask = functools.partial(load.run, site, "products", 2, 0, 1, 20, lines=site.lines())
            if stands:
                assert ask()["refused"] == 0
            else:
                with pytest.raises(servers.Trouble, match="refused"):
                    ask()


# --- what the page says of a gateway's figures ---------------------------------------------------

def _run(rate, **more):
    return {"rate": rate, "p50_us": 100, "p99_us": 300, "cpu_us": 1e6 / rate, "core_busy": 1.0,
            "load_busy": 0.5, "rss_mib": 10.0, "kept": None, "paced_rate": 10000.0, "paced_p50_us": 250,
            "paced_p99_us": 900, **more}


def _gateway(ours, node, **more):
    return {"plain": {"backchannel": [_run(rate) for rate in ours],
                      "http-proxy": [_run(rate, **more) for rate in node],
                      "direct": [_run(10000, paced_p50_us=100, paced_p99_us=400) for _ in ours]}}


def test_added_latency_is_told_only_of_who_came_to_the_rate(bench):
    import report_gateway
    runs = _gateway([40000], [8000], paced_rate=7900.0)["plain"]
    rows = {line.split(" | ")[0].strip("| "): line for line in report_gateway.gateway_table(runs).splitlines()}
    assert " 150 | 500 " in rows["backchannel"]
    assert "only 7,900/s | only 7,900/s" in rows["Node `http-proxy`"]


@pytest.mark.parametrize("ours, held", [([40000, 36000, 20000], True), ([40000, 31000, 30000], False)])
def test_the_gateways_bound_is_judged_by_the_median_of_the_rounds(bench, ours, held):
    import report
    import report_gateway
    results = {"clicks": {}, "orders": {}, "sample": {}, "gateway": _gateway(ours, [8000, 8000, 8000])}
    plan = types.SimpleNamespace(connections=[64])
    assert report.musts_held(plan, results) is held
    assert ("**not held**" in report_gateway.verdict(results["gateway"], report.MUST_TIMES)) is not held


@pytest.mark.parametrize("ours, held", [(44000, True), (29000, False)])
def test_the_orders_bound_is_judged_by_what_is_on_disk_alone(bench, ours, held):
    import report
    results = {"clicks": {}, "orders": {"backchannel": [_run(ours)], "express": [_run(10000)]}, "gateway": {},
               "sample": {"backchannel": [_run(90000, handed=9000)],
                          "express-sample": [_run(3000, handed=3000)]}}
    plan = types.SimpleNamespace(connections=[64])
    assert report.musts_held(plan, results) is held
    assert ("**not held**" in report.verdict(plan, results)) is not held
    assert "3.0 times as many are handed back" in report.verdict(plan, results)


def test_a_figure_that_the_load_generators_core_limits_is_named(bench):
    import report_gateway
    runs = {"haproxy": [_run(50000, load_busy=0.99, core_busy=0.7)], "backchannel": [_run(20000)]}
    assert report_gateway.limits(runs).startswith("- haproxy: ") and "backchannel" not in report_gateway.limits(runs)
