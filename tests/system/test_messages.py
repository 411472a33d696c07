# SPDX-License-Identifier: MIT
"""Every message that a person can see says what happened, what it means and what to do. Errors that the
code makes are held to it by tools/check_hints; here are the tables: what an answer of somebody else
means, what is answered here, what a log line asks for. Where two rows give the same advice, it is
because the same thing helps, and they stand in a list."""
import re
import subprocess

import pytest

from doc_shell import ROOT
from test_docs import c_texts, section, source, table


def test_no_error_of_the_source_is_without_a_hint():
    done = subprocess.run([ROOT / "tools/check_hints"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rows_of(path, start, texts):
    """The texts of each row of a table of rows in braces, without macros that stand for a text."""
    code = source(path)
    body = code[code.index(start):]
    body = body[:body.index("\n};")]
    found = [c_texts(row) for row in re.findall(r"^\t\{(.*?)\},?$", body, re.M | re.S)]
    assert len(found) > 3, f"{path}: the table was not read"
    return [row[-texts:] for row in found]


TABLES = {
    "what the journal answers": ("core/journal_call.c", "} meanings[] = {"),
    "what Commerce answers a call": ("cli/call_advice.c", "static const struct call_advice rows[]"),
}
# The same thing helps.
SHARED = {
    "copy the journaling endpoint of the event registration into journal.url":
        "400, 404 and a redirect all say that journal.url is not the endpoint",
}


@pytest.mark.parametrize("name", TABLES)
def test_every_answer_has_a_hint_of_its_own(name):
    path, start = TABLES[name]
    rows = rows_of(path, start, 2)
    hints = [row[-1] for row in rows]
    assert all(len(hint) > 12 for hint in hints)
    assert {hint for hint in hints if hints.count(hint) > 1} <= set(SHARED)
    for row in rows:
        assert len(set(row)) == len(row), f"the hint repeats what happened: {row}"


def test_every_status_that_the_server_refuses_by_itself_has_a_hint_of_its_own():
    code = source("daemon/listener.c")
    rows = re.findall(r'^\t\{ (\d+), BC_PROBLEM_\w+, "([^"]+)" \},$', code, re.M)
    assert len(rows) >= 6 and len({hint for _, hint in rows}) == len(rows)


def test_what_the_gateway_and_the_edge_log_of_refusals_says_what_to_do():
    """The rows of what came of an event, as they stand in the source."""
    code = source("daemon/edge_events.c")
    rows = re.findall(r"^\t\[BC_EVENTS_(\w+)\] = \{(.*?)\n?\s*\},?$", code, re.M | re.S)
    assert len(rows) >= 6
    hints = [c_texts(body)[-1] for name, body in rows if name != "ACCEPTED" and c_texts(body)]
    assert len(hints) >= 5 and len(set(hints)) == len(hints)
    assert all(len(hint) > 12 for hint in hints)


def test_every_lane_that_does_not_send_says_what_helps():
    """`backchannel lanes` has a line for each state but `open`."""
    states = set(re.findall(r'\[BC_LANE_\w+\] = "(\w+)"', source("core/lanes.c"))) - {"open"}
    code = source("cli/lanes_command.c")
    assert set(re.findall(r'\{ "(\w+)", next_\w+ \}', code)) == states


def test_every_problem_type_says_what_it_means():
    rows = table("docs/http.md", "## Problems")
    assert len({row[2] for row in rows}) == len(rows) and all(len(row[2]) > 12 for row in rows)


def test_every_warning_and_error_of_the_log_says_what_to_do():
    """By its row in the documentation, or by a hint in the line."""
    hinted = set()
    for path in sorted((ROOT / "src").rglob("*.c")):
        for call in re.finditer(r"\bbc_log_(?:at|error|warning)\(", path.read_text(encoding="utf-8")):
            text = path.read_text(encoding="utf-8")[call.end():]
            text = text[:text.index(";\n")]
            if '"hint"' in text:
                hinted |= set(re.findall(r'"([a-z_]+\.[a-z_]+)"', text))
    needs = [row for row in table("docs/operation.md", "## Log") if re.search("warning|error", row[1])]
    assert len(needs) > 40
    silent = [row[0] for row in needs if not row[3] and row[0].strip("`") not in hinted]
    assert silent == []


def test_every_state_of_an_order_that_did_not_arrive_is_explained():
    said = section("docs/operation.md", "## Orders")
    for state in re.findall(r'\[BC_ORDER_\w+\] = "(\w+)"', source("store/names.c")):
        assert f"`{state}`" in said
