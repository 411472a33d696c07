# SPDX-License-Identifier: MIT
"""What the pages show is what happens: each command of README.md, docs/operation.md,
docs/troubleshooting.md, docs/commerce.md and docs/orders.md is run, and what a page prints is compared with what was printed (see
doc_shell.py for how a page says what differs here). Other pages: test_tutorial.py."""
import http.server
import json
import re
import shutil
import subprocess
import threading

import pytest

import daemon
from doc_shell import ROOT, blocks, compare, walk
from sandbox_client import wait_for

PAGES = ["README.md", "docs/operation.md", "docs/troubleshooting.md", "docs/commerce.md", "docs/orders.md"]

# Each block that is only shown: its first command, and what makes that reason a true one.
NOT_RUN = {
    "bench/tokens --write": lambda block: "bench/tokens" in (
        ROOT / "tests/system/test_commerce_page.py").read_text(encoding="utf-8"),
    "./check": lambda block: "tests/system" in (ROOT / "check").read_text(encoding="utf-8"),
    "sudo useradd": lambda block: "it makes a user account" in (ROOT / "tests/fresh/run").read_text(
        encoding="utf-8"),
}


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=PAGES)
def walked(request, tmp_path_factory):
    return (request.param, *walk(request.param, tmp_path_factory.mktemp("page")))


def test_a_page_does_what_it_shows(walked):
    _, _, wrong = walked
    if wrong:
        raise wrong


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_stands_in_the_table_and_its_reason_holds(page):
    for block in blocks(page):
        if not block.is_commands or not block.not_run:
            continue
        first = block.commands()[0].text
        names = [name for name in NOT_RUN if first.startswith(name)]
        assert len(names) == 1, f"{block} is not run, and stands in no table: {first}"
        assert NOT_RUN[names[0]](block), f"{block}: {block.not_run}"


def test_nothing_in_the_table_is_left_over():
    shown = [block.commands()[0].text for page in PAGES for block in blocks(page)
             if block.is_commands and block.not_run]
    assert all(any(text.startswith(name) for text in shown) for name in NOT_RUN)


def test_the_steps_of_check_are_those_it_prints():
    """./check itself would come back here; its lines are compared with what its help says."""
    said = subprocess.run([ROOT / "check", "--help"], capture_output=True, text=True, check=True)
    steps = dict(re.findall(r"^(\w+) +\| \w+ +\| (.+)$", said.stdout, re.M))
    assert "--fast" in said.stdout and steps
    block = next(block for block in blocks("README.md") if block.body.startswith("$ ./check"))
    lines = [line for line in block.body.splitlines()[1:] if line != "..."]
    assert re.fullmatch(r"\d+ passed, 0 failed(, \d+ skipped)?", lines.pop())
    for line in lines:
        shown = re.fullmatch(r"(\w+) +(.+) \.\.\. \d+ passed, \d+ s", line)
        assert shown and steps.get(shown[1]) == shown[2], line


# --- the shop's own lines ------------------------------------------------------------------------

class _Ears(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers["Content-Type"], body))
        if not self.server.silent.is_set():
            self.send_response(202)
            self.end_headers()
        else:
            self.server.over.wait(20)

    def log_message(self, *_):
        pass


@pytest.fixture
def ears():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ears)
    server.heard, server.silent, server.over = [], threading.Event(), threading.Event()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


RUNNERS = {
    "php": ("php", "<?php $_COOKIE['bc_click'] = 't.abcd-1234'; {}\nreport_order('100045'); echo 'on';"),
    "js": ("node", "{}\nreportOrder(100045, 't.abcd-1234'); console.log('on');"),
}


def snippet(language):
    found = [block.body for block in blocks("README.md") if block.language == language]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("language", RUNNERS)
def test_the_order_snippet_is_short_and_names_what_the_api_takes(language):
    code = snippet(language)
    assert len(code.splitlines()) <= 8
    for word in ("http://127.0.0.1:8787/v1/orders", "300", "application/json", "order", "click"):
        assert word in code
    assert "bc_click" in code or language == "js"


def run_snippet(language, address, folder):
    program, frame = RUNNERS[language]
    script = folder / f"order.{language}"
    script.write_text(frame.format(snippet(language).replace("127.0.0.1:8787", address)),
                      encoding="utf-8")
    done = subprocess.run([program, script], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "on", "")


@pytest.mark.parametrize("language", RUNNERS)
def test_the_order_snippet_reports_and_never_throws(language, ears, tmp_path):
    if not shutil.which(RUNNERS[language][0]):
        pytest.skip(f"{RUNNERS[language][0]} is not here; the snippet's text was looked at")
    address = f"127.0.0.1:{ears.server_port}"

    def reported():
        """It gives up after 300 ms, which on a busy machine may be before its request has left."""
        run_snippet(language, address, tmp_path)
        return ears.heard
    path, kind, body = wait_for(reported, 30, "the report")[0]
    assert (path, kind) == ("/v1/orders", "application/json")
    assert json.loads(body) == {"order": "100045", "click": "t.abcd-1234"}
    ears.silent.set()
    run_snippet(language, address, tmp_path)  # a daemon that hangs
    run_snippet(language, "127.0.0.1:9", tmp_path)  # and none at all


# --- what the pages left behind ------------------------------------------------------------------

TOKEN = re.compile(r"(?<![\w-])(?:[0-9a-z]{5,12}-(?:test|4c5d|457a)-[0-9a-z]{3,4}-[0-9a-z]{5,12}|abcd-[a-z0-9]+)")


JWT = re.compile(r"eyJ[\w-]{8}")


def test_no_log_has_a_token_or_the_key(walked):
    """All that the pages make happen, refusals and failures included, and not a trace of either:
    not the first characters of a token, not the last ones of the key; no client secret and no
    access token."""
    page, shell, _ = walked
    text = shell.logs()
    work_done = "gateway.call" if page == "docs/commerce.md" else "conversion.final"
    assert work_done in text, f"{page} logged nothing of what it is about"
    shown = read(page)
    for token in set(TOKEN.findall(shown)):
        assert token not in text and token[:8] not in text
    keys = re.findall(r"(?:api_key = |SOVENDUS_API_KEY=)(\S+)", shown)
    secrets = re.findall(r"IMS_CLIENT_SECRET(?:_NEXT)?=(\w+)|api_token = (\S+)\\n", shown)
    assert keys or secrets
    for key in keys:
        assert key not in text and key[-4:] not in text
    for secret in filter(None, (word for pair in secrets for word in pair)):
        assert secret not in text
    assert not JWT.search(text), "an access token"


# --- the comparing itself ------------------------------------------------------------------------

@pytest.mark.parametrize("shown, printed", [
    (["a", "...", "c"], ["a", "c"]),
    (["a", "...", "c"], ["a", "b", "b", "c"]),
    (["a ... c"], ["a b c"]),
    (["at 2026-11-22T01:47:33.169Z"], ["at 2027-01-01T00:00:00.000Z"]),
    (["sent again in 2 s, 3 ms"], ["sent again in a moment, 1 min"]),
    (["c." + "0" * 32 + " #01234567"], ["c." + "f" * 32 + " #89abcdef"]),
])
def test_comparing_lets_through(shown, printed):
    assert compare(shown, printed) is None


@pytest.mark.parametrize("shown, printed", [
    (["a"], ["b"]), (["a"], ["a", "b"]), (["a", "b"], ["a"]), (["a"], []), ([], ["a"]),
    (["a", "...", "c"], ["a", "b"]), (["a.c"], ["abc"]), (["answered 403"], ["answered 422"]),
    (["1 pending"], ["2 pending"]),
])
def test_comparing_does_not_let_through(shown, printed):
    assert compare(shown, printed) is not None
