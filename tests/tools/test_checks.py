# SPDX-License-Identifier: MIT
"""The checks of the build must refuse what they promise to refuse: each row is a bad tree."""
import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"

GOOD = {
    "src/base/buf.h": "#include <stddef.h>\n",
    "src/base/buf.c": '#include "base/buf.h"\n#include <string.h>\nint bc_one(void)\n{\n\treturn 1;\n}\n',
    "src/net/loop.h": '#include "base/buf.h"\n',
    "src/net/loop.c": '#include "net/loop.h"\n#include <uv.h>\n',
    "src/store/sqlite.c": '#include <sqlite3.h>\n#include "base/buf.h"\n',
    "src/core/orders.c": '#include "net/loop.h"\n#include <backchannel/token.h>\n',
    "src/protocol/token.c": "#include <backchannel/token.h>\n#include <string.h>\n",
    "src/cli/main.c": '#include "sandbox/partner.h"\n#include "core/orders.h"\n',
    "sandbox/partner.h": '#include "net/loop.h"\n',
    "include/backchannel/token.h": "#include <stddef.h>\n#include <backchannel/error.h>\n",
    "include/backchannel/error.h": "#include <stddef.h>\n",
}


def plant(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(tool, tree):
    done = subprocess.run([TOOLS / tool, tree], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("tool", ["check_includes", "check_lengths", "check_hints"])
def test_a_clean_tree_passes(tool, tmp_path):
    code, said = run(tool, plant(tmp_path, GOOD))
    assert code == 0, said


@pytest.mark.parametrize("tool", ["check_includes", "check_lengths", "check_hints"])
def test_an_empty_tree_is_no_clean_tree(tool, tmp_path):
    code, said = run(tool, tmp_path)
    assert code != 0 and "found" in said


BAD_INCLUDES = [
    ("base sees protocol", "src/base/a.c", '#include "protocol/url.h"\n', "not below base"),
    ("base sees a public header of protocol", "src/base/a.c", "#include <backchannel/token.h>\n", "not for base"),
    ("protocol sees net", "src/protocol/a.h", '#include "net/loop.h"\n', "not below protocol"),
    ("protocol sees store", "src/protocol/a.c", '#include "store/store.h"\n', "not below protocol"),
    ("net sees store", "src/net/a.c", '#include "store/store.h"\n', "not below net"),
    ("net sees protocol", "src/net/a.c", '#include "protocol/url.h"\n', "not below net"),
    ("net sees a partner", "src/net/a.c", "#include <backchannel/partner.h>\n", "not for net"),
    ("store sees net", "src/store/a.c", '#include "net/loop.h"\n', "not below store"),
    ("core sees daemon", "src/core/a.c", '#include "daemon/settings.h"\n', "not below core"),
    ("core sees sandbox", "src/core/a.c", '#include "sandbox/partner.h"\n', "not below core"),
    ("daemon sees cli", "src/daemon/a.c", '#include "cli/command.h"\n', "not below daemon"),
    ("sandbox sees core", "sandbox/a.c", '#include "core/orders.h"\n', "not below sandbox"),
    ("sandbox sees store", "sandbox/a.c", '#include "store/store.h"\n', "not below sandbox"),
    ("libuv in the daemon", "src/daemon/a.c", "#include <uv.h>\n", "wrapped by net"),
    ("libuv in the sandbox", "sandbox/a.c", "#include <uv.h>\n", "wrapped by net"),
    ("curl in core", "src/core/a.c", "#include <curl/curl.h>\n", "wrapped by net"),
    ("SQLite in core", "src/core/a.c", "#include <sqlite3.h>\n", "wrapped by store"),
    ("a socket in protocol", "src/protocol/a.c", "#include <sys/socket.h>\n", "touch the world"),
    ("a file in protocol", "src/protocol/a.c", "#include <stdio.h>\n", "touch the world"),
    ("a clock in protocol", "src/protocol/a.h", "#include <time.h>\n", "touch the world"),
    ("spaces do not hide one", "src/protocol/a.c", "  #  include <netinet/in.h>\n", "touch the world"),
    ("another header before the own", "src/base/buf.c", '#include <string.h>\n#include "base/buf.h"\n', "own header first"),
    ("another before the public own", "src/protocol/token.c", "#include <string.h>\n#include <backchannel/token.h>\n", "own header first"),
    ("a path of no layer", "src/core/a.c", '#include "orders.h"\n', "no path"),
    ("a path that climbs", "src/base/a.c", '#include "../net/loop.h"\n', "no path"),
    ("a public header of inner words", "include/backchannel/a.h", '#include "base/buf.h"\n', "public header includes only"),
    ("an unlisted public header", "src/core/a.c", "#include <backchannel/news.h>\n", "does not list"),
]


@pytest.mark.parametrize("path,text,reason", [row[1:] for row in BAD_INCLUDES], ids=[row[0] for row in BAD_INCLUDES])
def test_an_include_that_points_up_or_out_is_refused(path, text, reason, tmp_path):
    code, said = run("check_includes", plant(tmp_path, {**GOOD, path: text}))
    assert code == 1
    assert [line for line in said.splitlines() if line.startswith(f"{path}:") and reason in line], said


def function(name, lines, head="int"):
    return f"{head} {name}(void)\n{{\n" + "\t;\n" * (lines - 3) + "}\n"


BAD_LENGTHS = [
    ("one function of 81 lines", {"src/core/a.c": function("bc_a", 81)}, "bc_a has 81 lines"),
    ("one behind attributes", {"src/core/a.c": function("bc_a", 81, "BC_MUST_CHECK BC_PRINTF(1, 2) int")}, "bc_a has 81 lines"),
    ("one of the sandbox", {"sandbox/a.c": function("a", 81)}, "a has 81 lines"),
    ("one of the tests", {"tests/unit/test_a.c": function("a", 81)}, "a has 81 lines"),
    ("one that ctags cannot see", {"src/core/a.c": "FUNCTION_HEAD\n{\n" + "\t;\n" * 90 + "}\n"}, "ctags sees 0"),
    ("a source of 601 lines", {"src/core/a.c": "\n" * 601}, "601 lines, 600 are the most"),
    ("a header of 401 lines", {"src/core/a.h": "\n" * 401}, "401 lines, 400 are the most"),
    ("a median of 16", {f"src/core/{n}.c": function(f"bc_{n}", 16) for n in "abc"}, "the median function has 16"),
    ("a heavy tail", {f"src/core/{n}.c": function(f"bc_{n}", 53 if n in "ab" else 3) for n in "abcdefgh"},
     "the 90th percentile's function has 53"),
]


@pytest.mark.parametrize("files,reason", [row[1:] for row in BAD_LENGTHS], ids=[row[0] for row in BAD_LENGTHS])
def test_what_has_grown_too_long_is_refused(files, reason, tmp_path):
    code, said = run("check_lengths", plant(tmp_path, {**GOOD, **files}))
    assert code == 1 and reason in said, said


def test_the_longest_that_is_allowed_passes(tmp_path):
    files = {"src/core/a.c": function("bc_a", 80) + "\n" * 520, "src/core/a.h": "\n" * 400}
    few = {f"src/base/{n}.c": function(f"bc_{n}", 3) for n in "bcdefghijklm"}
    code, said = run("check_lengths", plant(tmp_path, {**GOOD, **few, **files}))
    assert code == 0, said


def body(*lines):
    return "int bc_a(struct bc_err *err)\n{\n" + "".join(f"\t{line}\n" for line in lines) + "}\n"


TEXT = 'bc_err_set(err, BC_EIO, "it broke");'
BAD_HINTS = [
    ("a text alone", body(TEXT, "return BC_EIO;"), "bc_a: no hint follows"),
    ("one that is returned at once", body("if (x)", "\treturn " + TEXT, 'bc_err_hint(err, "mend it");', "return 0;"),
     "bc_a: no hint follows"),
    ("an empty hint", body('return bc_err_tell(err, BC_EIO, "", "it broke");'), "is no hint for"),
    ("a hint that is the text", body('return bc_err_tell(err, BC_EIO, "it broke, somehow", "it broke, somehow");'),
     "is no hint for"),
    ("one hint for everything", body(*[f'bc_err_tell(err, BC_EIO, "try again later", "problem {n}");' for n in range(9)]),
     "9 texts share the hint"),
    ("a hop that is wrong without advice", body('check_say(h, CHECK_WRONG, "it broke");'), "nothing is advised"),
    ("a problem without a hint", body('call_problem(call, BC_PROBLEM_BUSY, "it broke", NULL);'), "no hint in call_problem"),
    ("a function that cannot be read", f"FUNCTION_HEAD\n{{\n\t{TEXT}\n}}\n", "in no function"),
]


@pytest.mark.parametrize("text,reason", [row[1:] for row in BAD_HINTS], ids=[row[0] for row in BAD_HINTS])
def test_an_error_that_does_not_say_what_to_do_is_refused(text, reason, tmp_path):
    code, said = run("check_hints", plant(tmp_path, {**GOOD, "src/core/a.c": text}))
    assert code == 1 and reason in said, said


GOOD_HINTS = {
    "told at once": body('return bc_err_tell(err, BC_EIO, "mend it, then try", "it broke (%s)", f(")"));'),
    "after the text": body(TEXT, 'bc_err_hint(err, "mend it");', "return BC_EIO;"),
    "before the text": body('bc_err_hint(err, "mend it");', "return " + TEXT),
    "one for two branches": body("if (x)", "\t" + TEXT, "else", "\t" + TEXT, 'bc_err_hint(err, "mend it");', "return 1;"),
    "an advised hop": body('check_say(h, CHECK_WRONG, "it broke");', 'check_advise(h, "mend it");'),
}


@pytest.mark.parametrize("text", GOOD_HINTS.values(), ids=GOOD_HINTS.keys())
def test_an_error_that_says_what_to_do_passes(text, tmp_path):
    code, said = run("check_hints", plant(tmp_path, {**GOOD, "src/core/a.c": text}))
    assert code == 0, said


# --- tools/deps, against a package manager that only takes notes ---

FAKES = {
    "id": "echo ${FAKE_UID}",
    "dpkg-query": 'echo "$FAKE_INSTALLED" | tr " " "\\n" | sed "/./s/^/installed /"',
    "apt-get": 'echo "apt-get $*" >>"$NOTES"; exit ${FAKE_APT:-0}',
    "sudo": 'echo "sudo $*" >>"$NOTES"; exec "$@"',
}


def deps(tmp_path, *args, uid=0, installed="", without=(), apt=0):
    """(exit code, what it printed, the package manager's notes)"""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for tool in ["awk", "bash", "cat", "cut", "dirname", "env", "mktemp", "rm", "sed", "tail", "tr"]:
        (bin_ / tool).symlink_to(next(p for p in [Path("/usr/bin") / tool, Path("/bin") / tool] if p.exists()))
    for name, body in FAKES.items():
        if name not in without:
            (bin_ / name).write_text(f"#!/bin/sh\n{body}\n")
            (bin_ / name).chmod(0o755)
    notes = tmp_path / "notes"
    notes.touch()
    env = {"PATH": str(bin_), "FAKE_UID": str(uid), "FAKE_INSTALLED": installed, "NOTES": str(notes), "FAKE_APT": str(apt)}
    done = subprocess.run([TOOLS / "deps", *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout, notes.read_text().splitlines()


def listed(*args):
    out = subprocess.run([TOOLS / "deps", "--list", *args], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(line.split(maxsplit=1) for line in out.splitlines())


def test_every_package_has_a_reason_and_stands_in_one_list():
    everything = listed("--test", "--fresh")
    assert len(everything) > len(listed()) > 5
    out = subprocess.run([TOOLS / "deps", "--list", "--test", "--fresh"], stdout=subprocess.PIPE, text=True).stdout
    assert len(out.splitlines()) == len(everything)


def test_deps_does_nothing_when_all_is_there(tmp_path):
    assert deps(tmp_path, installed=" ".join(listed())) == (0, "", [])


def test_deps_says_what_it_installs_and_why_and_installs_only_that(tmp_path):
    packages = listed()
    have = " ".join(p for p in packages if p not in ("cmake", "libinih-dev"))
    code, said, notes = deps(tmp_path, installed=have)
    assert code == 0
    assert packages["cmake"] in said and packages["libinih-dev"] in said and packages["gcc"] not in said
    assert notes == ["apt-get -q -y update", "apt-get -q -y install --no-install-recommends cmake libinih-dev"]


def test_deps_of_an_ordinary_user_goes_through_sudo(tmp_path):
    code, _, notes = deps(tmp_path, uid=1000)
    assert code == 0
    assert [n for n in notes if n.startswith("sudo ") and " install " in n]


def test_deps_without_root_and_sudo_says_what_root_must_type(tmp_path):
    code, said, notes = deps(tmp_path, uid=1000, without=["sudo"])
    assert code == 1 and notes == []
    assert "needs root" in said and "apt-get install --no-install-recommends gcc" in said


def test_deps_away_from_debian_points_to_the_list(tmp_path):
    code, said, _ = deps(tmp_path, without=["apt-get"])
    assert code == 1 and "tools/deps --list" in said


def test_deps_reports_packages_that_could_not_be_installed(tmp_path):
    code, said, _ = deps(tmp_path, apt=100)
    assert code == 1 and "could not be installed" in said


def test_deps_refuses_an_unknown_option(tmp_path):
    assert deps(tmp_path, "--all")[0] == 2


def test_scripts_are_executable():
    for name in ["demo", "check", ".ci/run", "tools/deps", "tools/check_includes", "tools/check_lengths",
                 "tests/fresh/run", "tests/headers/run"]:
        assert os.access(TOOLS.parent / name, os.X_OK), name
