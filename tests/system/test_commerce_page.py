# SPDX-License-Identifier: MIT
"""What docs/commerce.md shows beside its commands (those are run by test_readme.py): the file .env is
the guide's, and the lines for Node do what the guide's example does. The table of token requests is
compared with a run of bench/tokens."""
import json
import pathlib
import re
import shutil
import subprocess

import pytest

import daemon
from doc_shell import ROOT, blocks
from sandbox_client import Sandbox

PAGE = "docs/commerce.md"
GUIDES_FILE = """IMS_CLIENT_ID=your_client_id
IMS_CLIENT_SECRET=your_client_secret
IMS_ORG_ID=your_org_id
"""


def block(language, file=None):
    found = [it for it in blocks(PAGE) if it.language == language and it.file == file]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as made:
        yield made


@pytest.fixture
def serving(sandbox, tmp_path):
    """A daemon that has nothing but the guide's own .env, and where IMS and Commerce are."""
    (tmp_path / "guide").mkdir()
    made = daemon.Daemon(tmp_path / "guide", SOVENDUS_PRODUCT_ID=None, SOVENDUS_API_KEY=None,
                         SOVENDUS_BASE_URL=None, IMS_BASE_URL=sandbox.base,
                         API_ENDPOINT=sandbox.base + "/your_tenant")
    file = made.work / ".env"
    file.write_text(GUIDES_FILE, encoding="ascii")
    file.chmod(0o600)
    made.start()
    yield made
    made.stop()


def test_the_env_file_is_the_guides_and_one_line_more():
    shown = block("sh", ".env").body
    assert shown.startswith(GUIDES_FILE)
    assert re.fullmatch(r"API_ENDPOINT=https://\S+\n", shown.removeprefix(GUIDES_FILE))


def test_the_guides_own_file_is_all_that_the_daemon_needs_to_know_of_the_credential(serving, sandbox):
    sandbox.clear_requests()
    answer = serving.get("/accs/rest/V1/products/MUG-BLUE")
    assert answer.status == 200 and answer.json["sku"] == "MUG-BLUE"
    seen = sandbox.requests(path="/your_tenant/")[-1]["headers"]
    assert (seen["x-api-key"], seen["x-gw-ims-org-id"]) == ("your_client_id", "your_org_id")


def test_the_lines_for_node_do_what_the_guides_example_does(serving, tmp_path):
    if not shutil.which("node"):
        pytest.skip("node is not here")
    script = tmp_path / "products.mjs"
    script.write_text(block("js").body.replace("127.0.0.1:8787", serving.address), encoding="utf-8")
    done = subprocess.run(["node", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    products, details = done.stdout.split("Product Details:")
    assert products.startswith("Products:") and "MUG-BLUE" in products and "250" in products
    assert "Blue mug" in details and "49.9" in details


def test_a_sku_with_a_slash_is_read_as_the_page_says(serving):
    assert "`CABLE%2FUSB-C%2F2m`" in (ROOT / PAGE).read_text(encoding="utf-8")
    answer = serving.get("/accs/V1/products/CABLE%2FUSB-C%2F2m?fields=sku")
    assert (answer.status, answer.json) == (200, {"sku": "CABLE/USB-C/2m"})


# --- token requests ------------------------------------------------------------------------------

CALLS = 100
CLIENTS = ["gateway", "library", "guide", "adobe"]


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """bench/tokens with fewer calls: (the table, the figures). npm's packages are used where it has put
    them before, and not fetched."""
    folder = tmp_path_factory.mktemp("tokens")
    for name in ("node", "adobe"):
        modules = ROOT / "build" / "bench" / name / "node_modules"
        if modules.is_dir():
            (folder / "work" / name).mkdir(parents=True)
            (folder / "work" / name / "node_modules").symlink_to(modules)
    done = subprocess.run(
        [ROOT / "bench" / "tokens", "--build", pathlib.Path(daemon.binary()).parent, "--calls", str(CALLS),
         "--work", folder / "work", "--no-install", "--json", folder / "figures.json"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "figures.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(daemon.is_sanitized(), reason="a plain program cannot be linked with a sanitized library")
def test_ours_cost_one_token_and_one_more_when_it_dies(counted):
    for client in ("gateway", "library"):
        assert counted[1]["results"][client] == [[1, 0], [1, 0], [1, 0], [2, 0]], client


@pytest.mark.skipif(daemon.is_sanitized(), reason="a plain program cannot be linked with a sanitized library")
def test_every_client_is_counted_or_named_with_the_reason_why_not(counted):
    page, figures = counted
    assert set(figures["results"]) | set(figures["missing"]) == set(CLIENTS)
    assert page.count("Not measured:") == len(figures["missing"])
    results = figures["results"]
    if "guide" in results:  # each that finds no token asks; a refused one is kept
        assert results["guide"] == [[1, 0], [50, 0], [100, 0], [1, CALLS // 2]]
    if "adobe" in results:  # one a call, whatever happens
        assert all(requests >= CALLS and not failed for requests, failed in results["adobe"])


def test_the_table_of_the_page_was_written_by_a_whole_run():
    """No figure of ours in it is another than what a short run gives: they do not depend on the calls."""
    shown = (ROOT / PAGE).read_text(encoding="utf-8").split("<!-- tokens -->")[1]
    assert "token requests per 1,000 calls" in shown and "Not measured" not in shown
    rows = [[cell.strip() for cell in line.split("|")[2:-1]] for line in shown.strip().splitlines()[2:]]
    assert rows[:2] == [["1", "1", "1", "2"]] * 2
    assert rows[2] == ["1", "50", "100", "1 (500 calls failed)"]
    assert all(int(cell.replace(",", "")) >= 1000 for cell in rows[3])
