# SPDX-License-Identifier: MIT
"""The tables of the documentation and the source say the same, in both directions: log events, lane and
order states, reasons, settings, what is said of a token or a call that was refused (metrics, routes and
problem types are written from the program's tables: tests/unit/test_docs_tables.c); and every link
leads somewhere, every test that is named as a proof exists."""
import pathlib
import re

import pytest

import daemon
from doc_shell import ROOT, blocks

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in
               [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted(path for folder in ("src", "sandbox") for path in (ROOT / folder).rglob("*.c"))


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def source(path):
    return (ROOT / "src" / path).read_text(encoding="utf-8")


def section(page, heading):
    """The text below a heading, to the next of its level or above."""
    level, text = heading.split(" ", 1)[0], read(page)
    start = text.index(f"\n{heading}\n") + len(heading) + 2
    end = re.search(rf"^#{{1,{len(level)}}} ", text[start:], re.M)
    return text[start:start + end.start()] if end else text[start:]


def table(page, heading):
    """The rows of the first table below a heading, as lists of cells."""
    lines = section(page, heading).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|--"))
    rows = []
    for line in lines[first + 1:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def first_words(rows):
    """What stands in backquotes at the head of each row."""
    return [re.match(r"`([^`]+)`", row[0])[1] for row in rows]


def same(shown, real):
    assert len(shown) == len(set(shown)), "a row stands twice"
    missing, invented = sorted(set(real) - set(shown)), sorted(set(shown) - set(real))
    assert not missing, "in the source, and not in the documentation"
    assert not invented, "in the documentation, and not in the source"


# --- operation.md against the source -------------------------------------------------------------

def log_calls():
    """{event: levels} of every call that logs."""
    found = {}
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if path.parts[-2:] == ("base", "log.c"):
            continue
        for call in re.finditer(r"\bbc_log_(at|error|warning|info|debug)\(", text):
            head = text[call.end():call.end() + 220]
            head = head[:re.search(r"BC_L[A-Z0-9]*\(", head).start()]
            events = re.findall(r'"([a-z_]+\.[a-z_]+)"', head)
            assert events, f"{path}: which event is this? {head}"
            levels = {call[1]} if call[1] != "at" else set(
                name.lower() for name in re.findall(r"BC_LOG_([A-Z]+)", head))
            if "].level" in head:  # it stands in a table of that file
                levels |= {name.lower() for name in re.findall(r"\.level = BC_LOG_([A-Z]+)", text)}
            for event in events:
                found.setdefault(event, set()).update(levels)
    return found


def test_every_log_event_has_a_row_with_its_level_and_every_row_is_one():
    rows = table("docs/operation.md", "## Log")
    real = log_calls()
    same(first_words(rows), real)
    for row in rows:
        shown = set(re.findall(r"error|warning|info|debug", row[1]))
        assert shown == real[row[0].strip("`")], row
        assert row[2], f"{row[0]} means nothing"


def test_the_metrics_of_a_running_daemon_are_those_of_the_page(shop, accs):
    """Those of Commerce are there only where it is on. (The page's table is written from the
    program's: tests/unit/test_docs_tables.c.)"""
    def printed(text):
        return set(re.findall(r"^# TYPE (\w+)", text, re.M))
    without, everything = printed(shop.get("/metrics").text), printed(accs.daemon.get("/metrics").text)
    same(first_words(table("docs/operation.md", "## Metrics")), everything)
    assert {name for name in everything - without} == {
        f"backchannel_{name.lower()}" for name in
        re.findall(r'page_family\(p, METRIC_(\w+)\)', source("daemon/metrics_commerce.c"))}


def test_every_lane_state_and_order_state_has_a_row_and_every_row_is_one():
    lanes = re.findall(r'\[BC_LANE_\w+\] = "(\w+)"', source("core/lanes.c"))
    same(first_words(table("docs/operation.md", "## Lanes")), lanes)
    orders = re.findall(r'\[BC_ORDER_\w+\] = "(\w+)"', source("store/names.c"))
    same(first_words(table("docs/operation.md", "## Orders")), orders)


# --- troubleshooting.md against the guide and the source -----------------------------------------

def test_every_reason_of_an_order_without_a_click_has_a_row():
    real = re.findall(r'#define BC_REASON_\w+\s+"([^"]+)"', source("store/rules.h"))
    assert real
    shown = first_words(table("docs/troubleshooting.md", "## No click"))
    same([reason.removesuffix("X") for reason in shown],
         [reason for reason in real if reason != "deadline passed"])


def test_every_answer_of_the_guide_has_a_row():
    rows = table("docs/troubleshooting.md", "## What Sovendus answered")
    shown = " ".join(row[0] for row in rows)
    for answer in ("200", "403", "404", "405", "422 `External product id not found.`",
                   "422 `Invalid API parameters.`", "422 `Token not found.`", "500", "no answer"):
        assert answer in shown


def test_the_messages_of_the_table_are_those_that_the_program_reads():
    rules = source("protocol/sovendus.c")
    for message in re.findall(r'\.message = "([^"]+)"', rules):
        assert f"`{message}.`" in read("docs/troubleshooting.md")


def test_each_of_the_21_traps_has_its_row():
    rows = table("docs/troubleshooting.md", "## The traps of the guide")
    assert [row[0] for row in rows] == [str(n) for n in range(1, 22)]
    assert all(row[1] and row[2] for row in rows)


def quoted(rows, column):
    """Every text in backquotes of one column."""
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row[column])]


def c_texts(code):
    """String literals, those that stand next to each other put together, as C does it."""
    return ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', found)) for found in
            re.findall(r'"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*', code)]


def oauth_meanings():
    """What bc_oauth_rules says of each answer but the good one."""
    rows = re.findall(r"^\t\{ (.+?) \},$", source("protocol/oauth_rules.c"), re.M | re.S)
    assert len(rows) > 30
    meanings = set()
    for row in rows:
        head, meaning = re.match(r"(.*?(?:NULL|\"), (?:NULL|\"[a-z_]*\"),)\s+(\".*)", row, re.S).groups()
        if "BC_OAUTH_GRANTED" not in head:
            meanings.add(c_texts(meaning)[0])
    return meanings


def test_every_refusal_of_a_token_has_a_row_and_every_row_is_one():
    own = {"no access token came in time", "the access token had run out when it came"}
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/core").glob("tokens*.c"))
    assert own <= set(c_texts(code))
    same(quoted(table("docs/troubleshooting.md", "### No access token"), 0), oauth_meanings() | own)


def test_every_meaning_of_an_answer_of_commerce_has_a_row_and_every_row_is_one():
    code = source("cli/call_advice.c")
    real = re.findall(r'^\t\{ \d+, \d+, (?:NULL|"[^"]*"),\s+"([^"]+)",', code, re.M)
    assert len(real) > 8
    shown = quoted(table("docs/troubleshooting.md", "### What Commerce answered"), 1)
    assert "200, but no list of store views" in shown
    assert '": 200, but no list of store views"' in source("cli/check_commerce.c")
    shown.remove("200, but no list of store views")
    same(shown, real)


def test_every_refusal_of_the_gateway_has_a_row_with_its_status_and_every_row_is_one():
    code = source("core/gateway.c") + source("core/gateway_call.c")
    real = set(re.findall(r'BC_GATEWAY_\w+,\s*"([^"]+)"', code))
    real |= set(re.findall(r': "(there is no access token)"', code))
    assert len(real) > 4
    rows = table("docs/troubleshooting.md", "### What the gateway answers itself")
    assert real == set(quoted(rows, 1)) - {"gateway.timeout", "gateway.wait"}
    statuses = dict(re.findall(r"\[BC_GATEWAY_(\w+)\]\s*=\s*(\d+)", code))
    problems = dict(re.findall(r"\[BC_GATEWAY_(\w+)\]\s*=\s*BC_PROBLEM_(\w+)", source("daemon/app_commerce.c")))
    assert len(statuses) == len(problems) > 4
    answers = {f"`{name.lower().replace('_', '-')}` {statuses[refusal]}" for refusal, name in problems.items()}
    same([row[0] for row in rows], answers)


# --- all pages -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Every setting's name, as the program's own reference has it."""
    home = tmp_path_factory.mktemp("reference")
    printed = daemon.run(["config", "reference"], daemon.clean_environment(home), home)
    assert printed.code == 0
    return printed.out


def prose(page):
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S)


def names_of(settings):
    names = set(re.findall(r"^\| `([a-z_.]+)`", settings, re.M))
    names |= {f"{name}_file" for name in re.findall(r"^\| `([a-z_.]+)` \|[^|]*…_FILE", settings, re.M)}
    variables = set(re.findall(r"\b(?:BACKCHANNEL|SOVENDUS)_[A-Z_]+", settings))
    return names, variables | {f"{variable}_FILE" for variable in variables}


SCOPES = ("commerce.accs",)
NO_SETTINGS = re.compile(r"\.(?:md|c|h|py|db|conf|key|svg|pc|txt|so|a)$")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/settings.md"])
def test_every_setting_that_a_page_names_exists(page, settings):
    names, variables = names_of(settings)
    sections = {name.split(".")[0] for name in names if "." in name}
    for word in re.findall(r"`([a-z]+\.[a-z_]+)(?: = [^`]*)?`", prose(page)):
        if word in log_calls() or word in SCOPES:
            continue
        if word.split(".")[0] in sections and not NO_SETTINGS.search(word):
            assert word in names, f"{page}: there is no setting {word}"
    known = variables | {"BACKCHANNEL_BIN"}
    for word in re.findall(r"\b(?:BACKCHANNEL|SOVENDUS)_[A-Z_]+\b", read(page)):
        assert word in known, f"{page}: there is no variable {word}"


def anchors(page):
    """What GitHub makes of a page's headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.M):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), f"{page}: {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.resolve().relative_to(ROOT).as_posix()), f"{page}: {target}"


def test_every_page_stands_in_the_index():
    index = read("docs/README.md")
    for page in PAGES:
        if page.startswith("docs/") and page != "docs/README.md":
            assert f"({page.removeprefix('docs/')})" in index, page


def names_of_tests():
    """{test: the modules that have it}; C tests are functions without the word."""
    tests = {}
    for path in (ROOT / "tests").rglob("test_*"):
        pattern = {".py": r"^def (test_\w+)", ".c": r"^static void (\w+)\(void \*\*state\)"}
        for name in re.findall(pattern.get(path.suffix, "$^"), path.read_text(encoding="utf-8"), re.M):
            tests.setdefault(name, set()).add(path.stem)
    return tests


@pytest.mark.parametrize("page, heading", [
    ("README.md", "## What the guide's sample leaves open"),
    ("docs/commerce.md", "## Beside the guide's sample"),
    ("docs/commerce.md", "## The guide's best practices"),
])
def test_every_test_that_is_named_as_a_proof_exists(page, heading):
    tests = names_of_tests()
    for row in table(page, heading):
        named = re.findall(r"`(\w+)`", row[-1])
        assert named, f"nothing proves {row[0]}"
        for name in named:
            assert name in tests, f"there is no test {name}"
        for module in re.findall(r"\[(test_\w+)\]", row[-1]):
            assert any(module in tests[name] for name in named)


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 220


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_of_a_page_is_closed_and_named(page):
    fences = re.findall(r"^```.*$", read(page), re.M)
    assert len(fences) % 2 == 0
    assert all(fence != "```" for fence in fences[::2]), "a block names its language"
    assert len(blocks(page)) == len(fences) // 2
