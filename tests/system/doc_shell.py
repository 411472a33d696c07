# SPDX-License-Identifier: MIT
"""Runs what the pages of documentation show, as a reader would: one shell a page, block by block.

A fenced block is read by its language:

sh        commands; each must exit 0
console   "$ command" ("> " continues it), and what it prints; compared, see `compare`. A command
          may be refused (the page shows what it says), but not be missing or crash
others    prose, unless a comment makes a file of them

A comment right above the fence says what differs on a machine that must not be touched:

<!-- test: printed -->       not commands: what the block of commands above it prints, compared as well
<!-- test: tree -->          runs in the source tree; else where the last block left the shell, which
                             begins in a folder of the page's own
<!-- test: root -->          `sudo` only runs its words; /etc, /var/lib, /var/backups and /usr/local are
                             folders of the test, also for `cmake --install`; `nginx` is a real one with a
                             configuration of its own, and https://shop.example is what it serves
<!-- test: installed -->     the same, where the Debian package is installed and its service runs, with
                             the sandbox as its partner: `systemctl` and `journalctl` know that service
<!-- test: exit N -->        the block's last command exits N, no other
<!-- test: file PATH -->     the block is the content of that file
<!-- test: not run: WHY -->  is shown only; the page's test has each of these in a table

What others do meanwhile (the partner goes down, a key arrives by mail) no reader has to type. It
stands in a comment of its own, and is run there; as one marked `installed`, if any of the page is:

<!-- test: meanwhile
curl -s -d 'status=503' http://127.0.0.1:8799/_sandbox/faults
-->

Ports 8787 and 8799 become free ones on the way in and are put back on the way out. A daemon or a
sandbox that a command leaves in the background is waited for: a reader is slower than its start.
"""
import os
import pathlib
import re
import select
import shlex
import subprocess
import urllib.error
import urllib.request

from daemon import clean_environment
from ports import own_address
from sandbox_client import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND_SECONDS = 900  # ./demo builds
START_SECONDS = 15
SYSTEM_FOLDERS = re.compile(r"(?<![\w.])/(etc|var/lib|var/backups|usr/local)/")

# --- reading a page ------------------------------------------------------------------------------

_BLOCK = re.compile(r"(?:^<!-- test: (?P<test>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$",
                    re.M | re.S)
_MEANWHILE = re.compile(r"^<!-- test: meanwhile\n(?P<body>.*?)^-->$", re.M | re.S)
_HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?")


class Command:
    def __init__(self, text, output=None):
        self.text, self.output = text, output  # output: lines, None when the page shows none


class Block:
    def __init__(self, page, line, language, test, body):
        self.page, self.line, self.language, self.body = page, line, language, body
        self.not_run = test[len("not run: "):] if test.startswith("not run: ") else None
        words = test.split() if not self.not_run else []
        self.installed, self.printed = "installed" in words, "printed" in words
        self.tree, self.root = "tree" in words, "root" in words or self.installed
        self.exit = int(words[words.index("exit") + 1]) if "exit" in words else None
        self.file = words[words.index("file") + 1] if "file" in words else None

    @property
    def is_commands(self):
        return self.language in ("sh", "console", "meanwhile")

    def commands(self):
        return _transcript(self.body) if self.language == "console" else _script(self.body)

    def __repr__(self):
        return f"{self.page}:{self.line}"


def _script(body):
    found, text, until = [], "", None
    for line in body.splitlines():
        text += line + "\n"
        if not until and _HERE_DOCUMENT.search(line):
            until = _HERE_DOCUMENT.search(line)[1]
        if until and line != until or line.endswith("\\"):
            continue
        until = None
        if text.strip() and not text.startswith("#"):
            found.append(Command(text))
        text = ""
    return found


def _transcript(body):
    found = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:] + "\n", []))
        elif line.startswith("> ") and found and not found[-1].output:
            found[-1].text += line[2:] + "\n"
        else:
            assert found, f"a console block begins with its command, not with {line!r}"
            found[-1].output.append(line)
    return found


def blocks(page):
    """Every fenced block of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, text.count("\n", 0, match.start()) + 1, match["language"],
                  match["test"] or "", match["body"]) for match in _BLOCK.finditer(text)]


def steps(page):
    """Its blocks, and between them what others do meanwhile."""
    shown = blocks(page)
    where = "installed" if any(block.installed for block in shown) else ""
    text = (ROOT / page).read_text(encoding="utf-8")
    hidden = [Block(page, text.count("\n", 0, match.start()) + 1, "meanwhile", where, match["body"])
              for match in _MEANWHILE.finditer(text)]
    return sorted(shown + hidden, key=lambda block: block.line)


# --- comparing what is printed -------------------------------------------------------------------

_SPAN = r"\d+(?:\.\d+)? (?:ms|s|min|h|days?)"
_MASKS = [
    (rf" \({_SPAN}\)$", ""),  # how long it took, where it took a while
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| UTC)?", "TIME"),
    (r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b", "ID"),
    (r"#[0-9a-f]{8}\b", "#HASH"),
    (r"\(key [0-9a-f]{8}\)", "(key HASH)"),
    (r'("token_hash":"|"key_fingerprint":")[0-9a-f]{8}', r"\1HASH"),
    (r'("?duration_ms"?[:=])\d+', r"\1N"),
    (rf"just now|in a moment|in {_SPAN}|{_SPAN} ago", "WHEN"),
    (rf"\b{_SPAN}\b", "SPAN"),
    (r"\bprocess \d+", "process N"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"(/tmp)/[\w./-]+", r"\1/FOLDER"),
]


def mask(line):
    for pattern, instead in _MASKS:
        line = re.sub(pattern, instead, line)
    return line.rstrip()


def compare(shown, printed):
    """None when a page shows what was printed: times, ids, hashes, durations and ports may differ,
    a line "..." stands for any lines and "..." in a line for any text. Else both, masked."""
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "..." else
                      ".*".join(re.escape(mask(part)) for part in line.split("...")) + r"\s*\n"
                      for line in shown)
    masked = "".join(mask(line) + "\n" for line in printed)
    if re.fullmatch(pattern, masked):
        return None
    return "shown:\n{}\nprinted:\n{}".format("".join(mask(line) + "\n" for line in shown), masked)


# --- the reader's shell --------------------------------------------------------------------------

class Shell:
    """One bash. `run` gives it a command and waits for its end."""

    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.system = self.folder / "system"
        self.work = self.folder / "work"
        self.temp = self.folder / "temp"  # shown as /tmp
        programs = self.folder / "programs"
        for made in (self.system / "usr/local/bin", self.system / "etc/backchannel",
                     self.system / "var/lib", self.system / "var/backups", self.work, self.temp, programs):
            made.mkdir(parents=True)
        (programs / "backchannel").symlink_to(os.environ["BACKCHANNEL_BIN"])
        self.ports = {"127.0.0.1:8787": own_address(),
                      "127.0.0.1:8799": own_address(),
                      "https://shop.example": f"http://{own_address()}"}
        library = self.system / "usr/local/lib"
        env = clean_environment(self.folder, **{
            "BACKCHANNEL_LISTEN": self.ports["127.0.0.1:8787"],
            "PKG_CONFIG_PATH": library / "pkgconfig", "LD_LIBRARY_PATH": library,
            "TMPDIR": self.temp, **settings})
        env["PATH"] = f"{programs}:{env['PATH']}:/usr/sbin:/sbin"
        self.nginx = self.installed = False
        self.log = self.system / "var/log/backchannel.log"
        self.here = self.work  # where it stands
        self.last = ""  # what the last block of commands printed
        self.bash = subprocess.Popen(["bash", "--norc"], env=env, cwd=self.work, text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)

    # What stands for the system in blocks marked root.
    ROOT_WORDS = ("sudo() {{ \"$@\"; }}\nldconfig() {{ :; }}\n"
                  "nginx() {{ command nginx -p {system} -c nginx.conf -e nginx.log \"$@\"; }}\n"
                  "export DESTDIR={system}\n")
    ROOT_END = "unset DESTDIR; unset -f sudo ldconfig nginx\n"
    # What stands for systemd where the package is installed: as its unit has it, credentials are
    # copied at a start, a start is over when the API answers, and a reload lints first.
    SERVICE = """
service_start() {{
    rm -rf {credentials}; mkdir -p {credentials} {state}
    for file in {system}/etc/credstore/backchannel.*; do
        [ ! -e "$file" ] || cp "$file" {credentials}/"${{file##*/backchannel.}}"; done
    CREDENTIALS_DIRECTORY={credentials} STATE_DIRECTORY={state} backchannel serve --config {conf} 2>>{log} &
    service=$!
    until curl -fs -o /dev/null http://{listen}/readyz || ! kill -0 $service 2>/dev/null; do sleep 0.02; done
    kill -0 $service
}}
service_stop() {{ kill $service; wait $service; }}
service_reload() {{
    backchannel config lint {conf} || return
    local before=$(grep -c -e '"settings.reloaded' -e '"settings.kept' {log})
    kill -HUP $service
    until [ "$(grep -c -e '"settings.reloaded' -e '"settings.kept' {log})" != "$before" ]; do sleep 0.02; done
}}
systemctl() {{
    case $1 in
    start) service_start ;;
    stop) service_stop ;;
    restart) service_stop; service_start ;;
    reload) service_reload ;;
    is-active) kill -0 $service && echo active ;;
    *) return 1 ;;
    esac
}}
journalctl() {{ cat {log}; }}
"""
    SETTINGS = """[sovendus]
product_id = 9bc72425-902c-3abf-9db8-8b186d7cb160
base_url = http://127.0.0.1:8799/ext
[click]
ttl = 30d
[lane]
probe = 1s
[retry]
base = 200ms
"""

    def install(self):
        """What `apt install` and the first pages leave: settings, a key, the service; and a partner."""
        self.installed = True
        self.log.parent.mkdir(parents=True)
        self.write("/etc/backchannel/backchannel.conf", self.SETTINGS)
        self.write("/etc/credstore/backchannel.sovendus.api_key", "XXXX-XXXXX-XXXXXX-XXX\n")
        words = {"system": self.system, "conf": self.system / "etc/backchannel/backchannel.conf",
                 "credentials": self.folder / "credentials", "state": self.system / "var/lib/backchannel",
                 "log": self.log, "listen": self.ports["127.0.0.1:8787"]}
        self.run(self.SERVICE.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
        self.run("backchannel sandbox --listen 127.0.0.1:8799 >sandbox.log &\n")
        self.run("""curl -s -o /dev/null http://127.0.0.1:8799/_sandbox/products -d '{"products":"""
                 """[{"id":"9bc72425-902c-3abf-9db8-8b186d7cb160","key":"XXXX-XXXXX-XXXXXX-XXX"}]}'\n""")
        status, printed = self.run("systemctl start backchannel\n")
        assert status == 0, printed + self.log.read_text(encoding="utf-8")
    NGINX = """daemon on; pid nginx.pid; worker_processes 1; {user}
events {{}}
http {{ access_log off; {temp} include etc/nginx/conf.d/*.conf;
  server {{ listen {listen}; include etc/nginx/shop/*.conf; location / {{ return 200 "hello"; }} }} }}
"""

    def start_nginx(self):
        """A shop's web server that knows nothing of backchannel yet."""
        temp = " ".join(f"{kind}_temp_path temp;" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        listen = self.ports["https://shop.example"].removeprefix("http://")
        user = "user root;" if os.geteuid() == 0 else ""
        for made in ("etc/nginx/conf.d", "etc/nginx/shop"):
            (self.system / made).mkdir(parents=True)
        (self.system / "nginx.conf").write_text(
            self.NGINX.format(user=user, temp=temp, listen=listen), encoding="ascii")
        status, printed = self.run("nginx\n", root=True)
        assert status == 0, printed
        self.nginx = True

    def _nginx_workers(self):
        if not self.nginx:
            return set()
        pid = (self.system / "nginx.pid").read_text(encoding="ascii").strip()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        return set(children.read_text(encoding="ascii").split())

    def inward(self, text, root=False):
        for shown, real in self.ports.items():
            text = text.replace(shown, real)
        return SYSTEM_FOLDERS.sub(rf"{self.system}/\1/", text) if root else text

    def outward(self, text):
        for shown, real in self.ports.items():
            text = text.replace(real, shown)
        return text.replace(str(self.system), "").replace(str(self.temp), "/tmp")

    def run(self, command, tree=False, root=False):
        """(exit status, what it printed)."""
        source, printed = self.folder / "command", self.folder / "printed"
        text = self.inward(command, root)
        lead = self.ROOT_WORDS.format(system=shlex.quote(str(self.system))) if root else ""
        tail = self.ROOT_END if root else ""
        source.write_text(text, encoding="utf-8")
        workers = self._nginx_workers()
        there = f"came_from=$PWD; cd {shlex.quote(str(ROOT))}\n" if tree else ""
        back = 'cd "$came_from"\n' if tree else ""
        self.bash.stdin.write(f"{there}{lead}"
                              f"{{ . {source}; }} >{printed} 2>&1 </dev/null\n"
                              f"status=$?\n{back}{tail}printf 'END %d %s\\n' $status \"$PWD\"\n")
        self.bash.stdin.flush()
        ready, _, _ = select.select([self.bash.stdout], [], [], COMMAND_SECONDS)
        assert ready, f"not over in {COMMAND_SECONDS} s: {command}"
        said = self.bash.stdout.readline()
        shown = self.outward(printed.read_text(encoding="utf-8", errors="replace"))
        assert said.startswith("END "), f"{command}{said}{shown}"
        _, status, self.here = said.rstrip("\n").split(" ", 2)
        self._wait_for_background(command)
        if "nginx -s reload" in command:  # returns before it is done
            wait_for(lambda: self._nginx_workers() and not self._nginx_workers() & workers,
                     START_SECONDS, "nginx to take its new configuration")
        return int(status), shown

    def _wait_for_background(self, command):
        for word, shown, path in (("backchannel serve", "127.0.0.1:8787", "/readyz"),
                                  ("backchannel sandbox", "127.0.0.1:8799", "/_sandbox/health")):
            if word in command and command.rstrip().endswith("&"):
                url = f"http://{self.ports[shown]}{path}"
                wait_for(lambda: _answers(url), START_SECONDS, f"an answer from {url}")

    def write(self, path, text):
        real = pathlib.Path(self.inward(path, root=True))
        real = real if real.is_absolute() else pathlib.Path(self.here) / real
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(self.inward(text, root=True), encoding="utf-8")
        real.chmod(0o640)
        if path == "/etc/backchannel/backchannel.conf":
            self.run(f"export BACKCHANNEL_CONFIG={shlex.quote(str(real))}\n")

    def logs(self):
        """All that daemons of this page logged."""
        files = [*self.work.rglob("backchannel*.log"), *([self.log] if self.installed else [])]
        return "".join(log.read_text(encoding="utf-8") for log in files)

    def close(self):
        if self.nginx:
            self.run("nginx -s stop\n", root=True)
        self.bash.stdin.write("kill $(jobs -p) 2>/dev/null; wait; exit\n")
        self.bash.stdin.close()
        self.bash.stdout.close()
        self.bash.wait(60)


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def run_block(shell, block):
    """Runs one block as its page says it is run; fails with what differed."""
    if block.file:
        shell.write(block.file, block.body)
        return
    if block.printed:
        differs = compare(block.body.splitlines(), shell.last.splitlines())
        assert not differs, f"{block}: {differs}"
        return
    if block.installed and not shell.installed:
        shell.install()
    commands, shell.last = block.commands(), ""
    for command in commands:
        status, printed = shell.run(command.text, block.tree, block.root)
        allowed = (0,) if block.language == "sh" else range(5)
        if block.exit is not None and command is commands[-1]:
            allowed = (block.exit,)
        assert status in allowed, f"{block}: exit {status}: {command.text}{printed}"
        shell.last += printed
        if command.output is not None:
            differs = compare(command.output, printed.splitlines())
            assert not differs, f"{block}: {command.text}{differs}"


def walk(page, folder):
    """Runs a whole page, once: (its shell, over, what went wrong or None)."""
    shell = Shell(folder)
    try:
        if page == "README.md":
            shell.start_nginx()
        for block in steps(page):
            if block.file or block.printed or block.is_commands and not block.not_run:
                run_block(shell, block)
    except AssertionError as wrong:
        return shell, wrong
    finally:
        shell.close()
    return shell, None
