# SPDX-License-Identifier: MIT
"""`backchannel demo --compare` from outside: the guide's sample loses where it must, the daemon
loses nothing, the table in the documentation is the one that a run prints, a daemon that does not
hold makes it fail, and nothing stays behind."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import ROOT
from daemon import binary, clean_environment, is_sanitized, run
from in_time import best_time
from sandbox_client import wait_for
from test_demo import children_of, command_of, environment, folders, still_runs

MOST_SECONDS = 40
ORDERS = 10

# What the sample comes to: returned, lost, doubled, failures in its log.
SAMPLE = {
    "partner-down": (4, 6, 0, 6),
    "restart": (4, 6, 0, 0),
    "wrong-key": (4, 6, 0, 6),
    "login": (4, 6, 0, 0),
    "double-order": (10, 0, 6, 0),
    "answer-lost": (10, 0, 0, 6),
    "no-session": (4, 6, 0, 0),
    "dead-token": (10, 0, 0, 6),
}
TIMED_OUT_MS = 3000  # the sample's 30 s, at the speed of the comparison


class Comparison:
    """One on its way, with its output in files."""

    def __init__(self, tmp_path, *arguments):
        self.tmp_path = tmp_path
        self.paths = [tmp_path / "out", tmp_path / "err"]
        with open(self.paths[0], "wb") as out, open(self.paths[1], "wb") as err:
            self.process = subprocess.Popen([binary(), "demo", "--compare", *arguments],
                                            env=environment(tmp_path), cwd=tmp_path, stdout=out,
                                            stdin=subprocess.DEVNULL, stderr=err)

    @property
    def out(self):
        return self.paths[0].read_text()

    @property
    def err(self):
        return self.paths[1].read_text()

    def await_in(self, name, text):
        """Until a trace of the run has this text."""
        def there():
            assert self.process.poll() is None, self.out
            return any(text in path.read_text() for folder in folders(self.tmp_path)
                       for path in folder.glob(name))
        wait_for(there, 90, f"{text!r} in {name}")

    def daemon_pid(self):
        """The one daemon that runs now."""
        pid, = [pid for pid, _ in children_of(self.process.pid)
                if "serve" in command_of(pid)]
        return pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One whole run with --json, its children watched all the while."""
    tmp_path = tmp_path_factory.mktemp("compare")
    children, began = set(), time.monotonic()
    with Comparison(tmp_path, "--json") as comparison:
        while comparison.process.poll() is None:
            children |= children_of(comparison.process.pid)
            time.sleep(0.02)  # the pace of watching; what is waited for is the end
        comparison.seconds = time.monotonic() - began
        comparison.children = children
        comparison.code = comparison.process.returncode
        yield comparison


@pytest.fixture(scope="module")
def faults(whole):
    assert whole.code == 0, whole.err
    return {fault["name"]: fault for fault in json.loads(whole.out)["faults"]}


def table_of(text):
    return [line for line in text.splitlines() if line.startswith("|")]


# --- what each comes to --------------------------------------------------------------------------

def test_there_are_the_eight_faults_of_ten_orders(faults):
    assert list(faults) == list(SAMPLE)
    assert all(fault["orders"] == ORDERS for fault in faults.values())
    assert [name for name, fault in faults.items() if fault["dead"]] == ["dead-token"]


@pytest.mark.parametrize("name", SAMPLE)
def test_the_daemon_loses_nothing(faults, name):
    ours = faults[name]["backchannel"]
    assert (ours["returned"], ours["lost"]) == (ORDERS, 0)
    assert faults[name]["held"] is True


@pytest.mark.parametrize("name", SAMPLE)
def test_the_daemon_doubles_only_what_it_cannot_know(faults, name):
    ours = faults[name]["backchannel"]
    assert ours["doubled"] == ours["unknown"] == (6 if name == "answer-lost" else 0)


@pytest.mark.parametrize("name", SAMPLE)
def test_the_sample_comes_to_what_the_guides_lines_make_it(faults, name):
    sample = faults[name]["sample"]
    assert (sample["returned"], sample["lost"], sample["doubled"],
            sample["logged_failures"]) == SAMPLE[name]


@pytest.mark.parametrize("name", SAMPLE)
def test_the_sample_asks_once_for_each_token_that_it_finds(faults, name):
    """No failure is tried again: what is not lost without a request is one request."""
    asked = {"restart": 4, "login": 4, "no-session": 4, "double-order": 16, "dead-token": 16}
    assert faults[name]["sample"]["asked"] == asked.get(name, ORDERS)


@pytest.mark.parametrize("name", ["partner-down", "answer-lost"])
def test_a_checkout_of_the_sample_waits_for_the_partner_and_ours_does_not(faults, name):
    assert faults[name]["sample"]["longest_wait_ms"] >= TIMED_OUT_MS
    assert faults[name]["backchannel"]["longest_wait_ms"] < TIMED_OUT_MS / 2


def test_the_faults_reach_the_daemon_too(faults):
    """More requests than orders: each was sent again after the fault, or refused beside them."""
    for name in ("partner-down", "wrong-key", "answer-lost", "dead-token"):
        assert faults[name]["backchannel"]["asked"] > ORDERS, name


# --- how it is told ------------------------------------------------------------------------------

def test_json_stands_alone_on_standard_output(whole):
    told = json.loads(whole.out)
    assert told["held"] is True and told["speed"] == 10
    assert whole.out.count("\n") == 1


def test_every_fault_is_told_step_by_step(whole):
    assert re.findall(r"^(\d)\. ", whole.err, re.M) == [str(n) for n in range(1, 9)]
    assert whole.err.count("✓ backchannel: 10 returned, 0 lost, ") == 8
    assert "✗" not in whole.err and "\033" not in whole.err
    closing = whole.err.rstrip().splitlines()[-1]
    assert re.fullmatch(r"Of 80 orders backchannel lost 0 and the guide's sample 30; "
                        r"it held in 8 of 8 faults, in [\d.]+ s\.", closing)


def test_the_table_has_the_numbers_of_the_json(whole, faults):
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table_of(whole.err)[2:]]
    assert [row[0] for row in rows] == [f["title"] for f in faults.values()] + ["together"]
    for row, fault in zip(rows, faults.values()):
        numbers = [fault["orders"]] + [fault[side][what] for side in ("sample", "backchannel")
                                       for what in ("returned", "lost", "doubled")]
        assert [int(cell.split()[0]) for cell in row[1:]] == numbers
    for column in range(1, 8):
        cells = [int(row[column].split()[0]) for row in rows]
        assert cells[-1] == sum(cells[:-1])


def test_what_is_doubled_and_unknown_has_a_footnote(whole):
    marked = [line for line in table_of(whole.err) if "(1)" in line]
    assert [line.split("|")[1].strip() for line in marked] == ["taken, and the answer is lost",
                                                               "together"]
    assert "\n(1) A request that was taken and never answered " in whole.err


def documented():
    """{page: the lines of its table}, of each page that has one between the marks."""
    found = {}
    for page in ("docs/compare.md", "README.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        between = re.search(r"^<!-- compare -->\n(.*?)^<!-- compare -->$", text, re.M | re.S)
        if between:
            found[page] = table_of(between[1])
    return found


def test_the_table_of_the_documentation_is_the_one_that_a_run_prints(whole):
    pages = documented()
    assert "docs/compare.md" in pages
    for page, lines in pages.items():
        assert lines == table_of(whole.err), page


def test_every_fault_is_explained(faults):
    text = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\*\*(.+?)\.\*\* ", text.partition("## The rows")[2], re.M)
    assert [title.lower() for title in explained] == [f["title"].lower() for f in faults.values()]


def test_the_durations_that_are_cut_are_the_defaults(tmp_path):
    """The comparison names them itself, so that it says what it does."""
    source = (ROOT / "src" / "cli" / "demo_compare.c").read_text(encoding="utf-8")
    cut = re.findall(r'\{ "(BACKCHANNEL_\w+)", ([\d *]+) \}', source)
    assert len(cut) >= 6
    reference = run(["config", "reference"], clean_environment(tmp_path), tmp_path).out
    units = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    for name, product in cut:
        default = re.search(rf"^\| `[\w.]+` \| `{name}` \| `(\d+)(\w+)` ", reference, re.M)
        assert default, name
        number = 1
        for factor in product.split("*"):
            number *= int(factor)
        assert number == int(default[1]) * units[default[2]], name


# --- how it ends ---------------------------------------------------------------------------------

@pytest.mark.skipif(is_sanitized(), reason="a sanitized program takes its time")
def test_it_is_over_soon(whole, tmp_path):
    def again():
        began = time.monotonic()
        with Comparison(tmp_path) as comparison:
            assert comparison.process.wait(4 * MOST_SECONDS) == 0
        return time.monotonic() - began
    assert best_time(whole.seconds, again, MOST_SECONDS) < MOST_SECONDS


def test_nothing_stays_behind(whole):
    assert len(whole.children) >= 2 + 8 + 3  # sandboxes, a daemon a fault, three started again
    assert not [child for child in whole.children if still_runs(child)]
    assert not folders(whole.tmp_path)


def test_a_daemon_that_loses_orders_fails_the_comparison_and_the_rest_is_still_counted(tmp_path):
    """It is killed when it has acknowledged orders that the partner would not take yet."""
    with Comparison(tmp_path) as comparison:
        comparison.await_in("daemon-of-fault-1.log", "order=100003")
        os.kill(comparison.daemon_pid(), signal.SIGKILL)
        assert comparison.process.wait(2 * MOST_SECONDS) == 1
        out = comparison.out
    assert "the daemon is gone: it was ended by signal 9 (Killed)" in out
    assert "expected: backchannel: 10 returned, 0 lost, 0 doubled" in out
    rows = table_of(out)[2:]
    assert len(rows) == 9
    lost = [int(line.split("|")[7]) for line in rows]
    assert lost[0] > 0 and lost[1:8] == [0] * 7 and lost[8] == lost[0]
    assert "it held in 7 of 8 faults" in out
    folder, = folders(tmp_path)
    assert f"Everything is kept in {folder}" in out
    assert not children_of(comparison.process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_comparison_ends_what_it_started_and_clears_up(tmp_path, number):
    with Comparison(tmp_path) as comparison:
        comparison.await_in("daemon-of-fault-1.log", "order=100003")
        children = children_of(comparison.process.pid)
        assert len(children) == 3
        comparison.process.send_signal(number)
        assert comparison.process.wait(10) == 1
        assert comparison.err == "backchannel: interrupted; what was started is ended\n"
    assert not [child for child in children if still_runs(child)]
    assert not folders(tmp_path)


def test_json_without_the_comparison_is_wrong_usage(tmp_path):
    done = run(["demo", "--json"], environment(tmp_path), tmp_path)
    assert done.code == 2
    assert done.err.startswith("backchannel: --json goes with --compare\n")
    assert not folders(tmp_path)
