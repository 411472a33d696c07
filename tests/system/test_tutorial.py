# SPDX-License-Identifier: MIT
"""The tutorial, the how-to pages and the sandbox's do what they show: every command is run as it is
written and what it prints is compared (see doc_shell.py). An alert leads somebody to a how-to page at
night, so each has the same four parts."""
import re

import pytest

from doc_shell import ROOT, blocks, walk

HOW_TO = sorted(f"docs/howto/{path.name}" for path in (ROOT / "docs/howto").glob("*.md"))
PAGES = ["docs/tutorial.md", "docs/sandbox.md", *HOW_TO]
PARTS = ["When you need this", "Steps", "How you know that it worked", "What can go wrong"]


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


# Each block that is only shown: how it begins, and what makes its reason a true one.
NOT_RUN = {
    "tools/deps &&": lambda: "cmake -S . -B" in text_of("check"),
    "sudo apt install": lambda: "apt" in text_of("tests/fresh/package"),
    "sudo systemctl disable": lambda: True,  # one machine, and no systemd
    "sudo systemctl enable": lambda: True,
    "sudo scp": lambda: True,
    "curl -si 'https://YOUR.SHOP": lambda: "--consent" in text_of("tests/system/test_recipes.py"),
}

# What must not be in a log of theirs, whatever goes wrong on a page.
TOKEN = re.compile(r"(?<![\w-])12a3b-4c5d-6e7-8f9g\w+")
SECRETS = re.compile(r"(?:api_key|client_secret) = (\S+)|\b([XY]{4}-[XY]{5}-[XY]{6}-[XY]{3})\b")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_shows_and_no_log_has_a_token_or_a_key(page, tmp_path):
    shell, wrong = walk(page, tmp_path)
    if wrong:
        raise wrong
    log, shown = shell.logs(), text_of(page)
    assert ("daemon.started" in log) == (page != "docs/sandbox.md")
    for token in set(TOKEN.findall(shown)):
        assert token not in log and token[:8] not in log
    for secret in {found[0] or found[1] for found in SECRETS.findall(shown)}:
        assert secret not in log


@pytest.mark.parametrize("page", HOW_TO)
def test_a_how_to_page_says_when_what_how_one_knows_and_what_goes_wrong(page):
    assert re.findall(r"^## (.+)$", text_of(page), re.M) == PARTS
    last = text_of(page).split(f"## {PARTS[-1]}\n")[1]
    assert "| you see | because | do |" in last and last.count("\n|") >= 4


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_stands_in_the_table_and_its_reason_holds(page):
    for block in blocks(page):
        if block.is_commands and block.not_run:
            first = block.commands()[0].text
            reasons = [NOT_RUN[name] for name in NOT_RUN if first.startswith(name)]
            assert len(reasons) == 1, f"{block} is not run, and stands in no table: {first}"
            assert reasons[0](), f"{block}: {block.not_run}"


def test_nothing_in_the_table_is_left_over():
    shown = [block.commands()[0].text for page in PAGES for block in blocks(page)
             if block.is_commands and block.not_run]
    assert all(any(text.startswith(name) for text in shown) for name in NOT_RUN)
