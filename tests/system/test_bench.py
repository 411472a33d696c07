# SPDX-License-Identifier: MIT
"""bench/run: a quick run works from end to end and prints a page that can be read, and no figure stands
for answers that were wrong or not kept. How fast anything is, is not for a test."""
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import pytest

import daemon

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
RUN_SECONDS = 300
PEERS = {"clicks": ["backchannel", "nginx-204", "express", "express-get", "nginx-lua"],
         "orders": ["backchannel", "nginx-204", "express", "nginx-lua"],
         "deliveries": ["backchannel", "curl", "axios"],
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
                       ("orders", results["orders"]),
                       *(("deliveries", r) for r in results["deliveries"].values()),
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
            for name in ("first_ms", "again_ms", "idle_mib") if part == "starts" else ("rate", "rss_mib"):
                assert run[name] > 0, (part, peer, name)
            for name in ("core_busy", "wrk_busy", "partner_busy"):
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
                    "## Start and memory", "## What this does not say", "## Conditions"):
        assert f"\n{heading}\n" in page
    for table in re.findall(r"(?:^\|.*\n)+", page, re.M):
        widths = {len(line.split("|")) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "nan" not in page.lower().split() and str(ROOT) not in page


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
