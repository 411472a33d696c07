# SPDX-License-Identifier: MIT
"""Completion in the real shells: what bash, zsh and fish offer behind what somebody has typed so far,
and that nothing of it waits, prints or makes anything where no daemon runs."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from daemon import binary, clean_environment, run
from sandbox_client import wait_for

STATES = "unattributed pending sending delivered rejected expired cancelled".split()
SHELLS = {"bash": "bash", "zsh": "zsh", "fish": "fish"}

BASH = """
source "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2)) COMPREPLY=()
function_name=$(complete -p backchannel | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
"$function_name" backchannel "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

# Its own line editor completes; what it would add is printed instead of shown.
ZSH = r"""
PS1= PS2= RPS1=
unsetopt prompt_cr prompt_sp
fpath=("$1" $fpath)
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' list-colors ''
compadd() {
    local -a found
    [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] && { builtin compadd "$@"; return }
    builtin compadd -O found "$@"
    print -rl -- "MATCH "${^found}
    builtin compadd "$@"
}
tell() { comppostfuncs=(said); _main_complete; }
said() { print -r -- SAID; exit }
zle -C tell complete-word tell
bindkey '^T' tell
print -r READY
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The scripts, by the names under which shells look for them."""
    folder = tmp_path_factory.mktemp("completion")
    for shell, name in (("bash", "backchannel"), ("zsh", "_backchannel"), ("fish", "backchannel.fish")):
        made = run(["completion", shell], clean_environment(folder), folder)
        assert made.code == 0 and not made.err, made
        (folder / shell).mkdir()
        (folder / shell / name).write_text(made.out, encoding="utf-8")
    return folder


class Typist:
    """Asks a shell what it offers behind these words, the last of which is only begun."""

    def __init__(self, shell, scripts, **env):
        if not shutil.which(shell):
            pytest.fail(f"{shell} is not installed; tools/deps --test installs it")
        self.shell, self.scripts = shell, scripts
        self.env = {**clean_environment(scripts), "TERM": "dumb",
                    "PATH": f"{pathlib.Path(binary()).parent}:{os.environ['PATH']}", **env}
        self.work = scripts / "work"
        self.work.mkdir(exist_ok=True)
        (self.work / "settings.conf").touch()

    def _run(self, *command):
        done = subprocess.run(command, env=self.env, cwd=self.work, capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, check=False)
        assert not done.stderr, done.stderr
        return done.stdout.splitlines()

    def bash(self, words):
        return self._run("bash", "--norc", "-c", BASH, "bash", str(self.scripts / "bash" / "backchannel"), *words)

    def fish(self, words):
        source = self.scripts / "fish" / "backchannel.fish"
        lines = self._run("fish", "--no-config", "-c", f'source {source}; complete -C "{" ".join(words)}"')
        return [line.split("\t")[0] for line in lines]

    def zsh(self, words):
        start = self.scripts / "start.zsh"
        start.write_text(ZSH.replace("$1", str(self.scripts / "zsh")), encoding="utf-8")
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.work)
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.env)
        try:
            os.write(fd, f"source {start}\n".encode())
            self._read(fd, b"\nREADY")
            os.write(fd, " ".join(words).encode() + b"\x14")
            said = self._read(fd, b"SAID")
        finally:
            os.close(fd)
            os.waitpid(pid, 0)
        return re.findall(r"MATCH (\S+)", said)

    @staticmethod
    def _read(fd, until):
        got, end = b"", time.monotonic() + 20
        while until not in got.replace(b"\r", b""):
            assert time.monotonic() < end, got
            if select.select([fd], [], [], 0.5)[0]:
                got += os.read(fd, 65536)
        return got.decode()

    def __call__(self, *words):
        offered = getattr(self, self.shell)(["backchannel", *words])
        return [word.rstrip("= ") for word in offered if word]


@pytest.fixture(params=SHELLS)
def typist(request, scripts):
    return Typist(request.param, scripts)


def test_the_scripts_have_the_syntax_of_their_shell(scripts):
    for shell, name in (("bash", "backchannel"), ("zsh", "_backchannel"), ("fish", "backchannel.fish")):
        done = subprocess.run([shell, "-n", scripts / shell / name], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, (shell, done.stderr)


def test_commands_are_offered(typist):
    assert sorted(typist("or")) == ["order", "orders"]
    everything = typist("")
    assert {"serve", "check", "completion", "help"} <= set(everything) and len(everything) >= 20


def test_every_command_of_the_help_is_offered(typist):
    helped = run(["help"], typist.env, typist.work).out
    listed = set(re.findall(r"^  ([a-z]+) +\S", helped, re.MULTILINE))
    assert listed == {word for word in typist("") if not word.startswith("-")}


def test_the_options_of_a_command_are_offered_and_no_others(typist):
    offered = typist("explain", "--")
    assert set(offered) == {"--support", "--config", "--help", "--json"}


def test_the_states_are_offered_where_a_state_is_wanted(typist):
    assert sorted(typist("orders", "--state", "")) == sorted(STATES)
    assert typist("retry", "--state", "del") == ["delivered"]


def test_a_state_may_stand_behind_an_equals_sign(typist):
    words = ("--state", "=", "rej") if typist.shell == "bash" else ("--state=rej",)
    assert [word.removeprefix("--state=") for word in typist("orders", *words)] == ["rejected"]


def test_what_may_be_the_first_operand_is_offered(typist):
    assert set(typist("config", "")) == {"show", "lint", "example", "reference", "man"}
    assert set(typist("recipe", "nginx")) == {"nginx", "nginx-log"}
    assert "orders" in typist("help", "or")


def test_each_recipe_that_is_offered_is_one(typist):
    for recipe in typist("recipe", ""):
        done = run(["recipe", recipe], {**typist.env, "BACKCHANNEL_INPUT": "udp:127.0.0.1:8788"}, typist.work)
        assert done.code == 0, done


def test_an_option_with_its_value_does_not_count_as_the_operand(typist):
    if typist.shell == "fish":
        pytest.skip("fish counts what follows an option as an operand; it offers nothing then")
    assert set(typist("lanes", "--config", "settings.conf", "")) == {"pause", "resume", "probe"}


def test_settings_are_offered_to_show(typist):
    assert typist("config", "show", "click.t") == ["click.ttl"]
    assert {"order.adopt", "order.keep"} <= set(typist("config", "show", "order."))


def test_files_are_offered_where_a_file_is_wanted(typist):
    assert typist("config", "lint", "sett") == ["settings.conf"]
    assert typist("serve", "--config", "sett") == ["settings.conf"]


def test_nothing_is_offered_for_what_only_its_user_knows(typist):
    assert typist("explain", "1") == []


def test_lanes_are_those_of_the_running_daemon(scripts, shop):
    url = f"http://{shop.address}"
    for shell in SHELLS:
        typist = Typist(shell, scripts, BACKCHANNEL_URL=url)
        # A shell does not wait long for the daemon, and on a busy machine not long enough now and then.
        for words in (("lanes", "pause", ""), ("orders", "--lane", "sov")):
            wait_for(lambda: typist(*words) == ["sovendus.default"], what=f"{shell} to offer the lane")


def test_where_no_daemon_runs_no_lane_is_offered_and_nothing_is_made(scripts, tmp_path):
    env = {**clean_environment(tmp_path, BACKCHANNEL_URL="http://127.0.0.1:9", HOME=str(tmp_path)),
           "XDG_STATE_HOME": str(tmp_path / "state")}
    asked = run(["completion", "lanes"], env, tmp_path)
    assert (asked.code, asked.out, asked.err) == (0, "", "")
    assert not list(tmp_path.iterdir())
    broken = run(["completion", "lanes"], {**env, "BACKCHANNEL_CLICK_TTL": "soon"}, tmp_path)
    assert (broken.code, broken.out, broken.err) == (0, "", "")


def test_an_unknown_shell_is_a_usage_error(scripts):
    done = run(["completion", "tcsh"], clean_environment(scripts), scripts)
    assert done.code == 2 and "bash, zsh and fish" in done.err
