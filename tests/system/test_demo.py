# SPDX-License-Identifier: MIT
"""`backchannel demo` from outside: it walks the whole journey and says so, leaves nothing behind on
any way out, and when a step does not hold it says what was expected, what came, and where the logs
are."""
import os
import pathlib
import re
import resource
import shutil
import signal
import stat
import subprocess
import time

import pytest

from daemon import binary, clean_environment, is_sanitized, run
from in_time import best_time
from sandbox_client import wait_for

STEPS = 18
FACTS = 114  # whatever web server there is
MOST_SECONDS = 25


def environment(tmp_path, **more):
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return clean_environment(home, **{"TMPDIR": tmp_path, **more})


def folders(tmp_path):
    return list(tmp_path.glob("backchannel-demo-*"))


def stat_of(pid):
    """(state, parent, start time) of a process, or None."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1]), fields[19]


def command_of(pid):
    """Its command line; "" if it has ended meanwhile."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children_of(pid):
    found = set()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            seen = stat_of(int(entry.name))
            if seen and seen[1] == pid:
                found.add((int(entry.name), seen[2]))
    return found


def still_runs(child):
    pid, started = child
    seen = stat_of(pid)
    return seen is not None and seen[2] == started and seen[0] not in "ZX"


class Running:
    """A demo that is on its way, with its output in a file."""

    def __init__(self, tmp_path, **more):
        self.output = tmp_path / "output"
        self.tmp_path = tmp_path
        with self.output.open("wb") as out:
            self.process = subprocess.Popen([binary(), "demo"], env=environment(tmp_path, **more),
                                            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT)

    def text(self):
        return self.output.read_text()

    def await_text(self, text):
        def there():
            ended = self.process.poll() is not None
            assert text in self.text() or not ended, self.text()
            return text in self.text()
        wait_for(there, 90, repr(text))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """One whole run, its children watched all the while."""
    tmp_path = tmp_path_factory.mktemp("demo")
    children, began = set(), time.monotonic()
    with Running(tmp_path) as demo:
        while demo.process.poll() is None:
            children |= children_of(demo.process.pid)
            time.sleep(0.02)  # the pace of watching; what is waited for is the end
        seconds = time.monotonic() - began
        yield tmp_path, demo.process.returncode, demo.text(), children, seconds


def test_every_step_holds(walked):
    _, code, text, _, _ = walked
    assert code == 0, text
    assert re.findall(r"^(\d+)\. ", text, re.M) == [str(n) for n in range(1, STEPS + 1)]
    assert "✗" not in text
    closing = text.rstrip().splitlines()[-1]
    assert re.fullmatch(rf"{STEPS} of {STEPS} steps held: \d+ facts checked in [\d.]+ s\.", closing)
    assert text.count("✓") == int(re.search(r"(\d+) facts", closing)[1]) == FACTS


@pytest.mark.skipif(is_sanitized(), reason="a sanitized program takes its time")
def test_it_is_over_soon(walked, tmp_path):
    def again():
        began = time.monotonic()
        with Running(tmp_path) as demo:
            assert demo.process.wait(120) == 0
        return time.monotonic() - began
    assert best_time(walked[4], again, MOST_SECONDS) < MOST_SECONDS


@pytest.mark.parametrize("line", [
    "     | POST /ext/9bc72425-902c-3abf-9db8-8b186d7cb160/12345-test-123-12345/api HTTP/1.1",
    "     | Content-Type: application/json",
    '     | {"apiKey":"XXXX-XXXXX-XXXXXX-XXX"}',
])
def test_the_request_to_the_partner_is_shown_byte_for_byte(walked, line):
    assert line in walked[2].splitlines()


@pytest.mark.parametrize("seen", [
    r"\ttest\t1a2b3-test-1a2-1a2b3|test\t1a2b3-test-1a2-1a2b3",
    r"production\t12345-prod-123-12345\tnot a test token",
    r'< 201  \{"captured":true,"click":"c\.[0-9a-f]{32}","kind":"test"',
    r'"reason":"click expired"',
    r'"reason":"click used by order 100045"',
    r'< 409  \{"type":"urn:backchannel:conflict"',
    r'< 400  \{"type":"urn:backchannel:bad-token"',
    r"Order 100047 was refused by the partner",
    r"lane +sovendus\.default \(parked\)",
    r"attempt 1, [^\n]*: 503 [^\n]*, retry",
    r"attempt 2, [^\n]*: no answer [^\n]*, unknown",
    r"attempt 3, [^\n]*: 200 [^\n]*, delivered",
    r"✓ its first attempt stands as unknown",
    r"✓ the partner's books have each of these tokens once, and the test token of step 6",
    r"✓ the token that came with order 100051 is in no file of the store",
    r"\| IMS_CLIENT_ID=your_client_id\n     \| IMS_CLIENT_SECRET=your_client_secret\n"
    r"     \| IMS_ORG_ID=your_org_id\n",
    r'< 400  \{"message":"[^\n]*searchCriteria',
    r'< 200  \{"sku":"MUG-BLUE"',
    r"\| GET /your_tenant/V1/products/MUG-BLUE\?\S+ HTTP/1\.1",
    r"\| Authorization: Bearer eyJ\S{9}\.\.\.\n     \| x-api-key: your_client_id\n"
    r"     \| x-gw-ims-org-id: your_org_id\n",
    r"✓ all this while IMS was asked for a token once, at the start",
    r"< 200  [^\n]*\((?:1\d\d\d|[2-9]\d\d\d) ms\)\n[^\n]*\n   ✓ not before the second was over",
    r"✓ Commerce was asked twice: 429, then 200",
    r"✓ Commerce was asked twice: 401, then 200",
    r"✓ in between IMS was asked for another token, once",
    r"✓ of all calls meanwhile, none failed",
    r"✓ its challenge is answered, and the registration is Active",
    r'"custom_attributes":\[\{"attribute_code":"gift_wrap","value":"yes"\},'
    r'\{"attribute_code":"bc_click","value":"[tc]\.[0-9a-z-]+"\}\]\}\}\}',
    r'< 200  \{"data":\{"placeOrder":\{"errors":\[\],"orderV2":\{"number":"000000321"\}',
    r"\| type: com\.adobe\.commerce\.observer\.sales_order_save_commit_after\n",
    r"✓ the signed delivery of the event was answered 200",
    r"\| Click token handed back to sovendus \(product default\) on ",
    r"✓ and there is still one comment",
    r"Order 000000321 was handed back",
    r"✓ all this by the journal: the deliveries that failed still wait",
    r"\$ backchannel orders --revoked --state delivered\n[^\n]* 000000322 [^\n]*canceled in Commerce\n",
])
def test_it_shows_what_was_seen(walked, seen):
    assert re.search(seen, walked[2]), walked[2]


def test_the_commands_it_names_exist(walked, tmp_path):
    tail = walked[2].partition("Try next")[2]
    named = re.findall(r"^     (?:[A-Z_]+=\S+ )*backchannel (\w+)", tail, re.M)
    assert named == ["sandbox", "serve", "capture", "order", "explain", "pull", "recipe"]
    for command in named:
        done = run([command, "--help"], environment(tmp_path), tmp_path)
        assert done.code == 0 and f"usage: backchannel {command}" in done.out


def test_nothing_stays_behind(walked):
    tmp_path, _, _, children, _ = walked
    assert len(children) >= 12  # sandbox, four daemons, restarts, nginx, commands
    assert not [child for child in children if still_runs(child)]
    assert not folders(tmp_path)


def test_the_landing_is_nginxs_where_it_is_installed(walked):
    assert shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "run tools/deps --test"
    assert re.search(r"> GET /landingpage\?\S+\n     < 200  a page of the shop [^\n]*\n"
                     r"     < Set-Cookie: bc_click=t\.12a3b-4c5d-6e7-8f9g2; Path=/; ", walked[2]), walked[2]
    assert "recipe nginx >recipe.conf" in walked[2]


def fake_nginx(folder, script):
    """A PATH on which there is this nginx, or none."""
    folder.mkdir()
    if script:
        (folder / "nginx").write_text("#!/bin/sh\n" + script, encoding="ascii")
        (folder / "nginx").chmod(0o755)
    return folder


@pytest.mark.parametrize("script,said", [
    (None, "there is no nginx here, so the page itself tells of the landing"),
    ("echo no such module >&2; exit 1", "/nginx does not start here (see "),
])
def test_without_an_nginx_that_starts_the_pages_beacon_does_it(tmp_path, script, said):
    with Running(tmp_path, PATH=fake_nginx(tmp_path / "bin", script)) as demo:
        assert demo.process.wait(120) == 0, demo.text()
        text = demo.text()
    assert said in text
    assert re.search(r"> GET /v1/c\?u=\S+\n     < 204 [^\n]*\n"
                     r"     < Set-Cookie: bc_click=c\.[0-9a-f]{32}; Path=/; ", text), text
    assert text.rstrip().splitlines()[-1].startswith(f"{STEPS} of {STEPS} steps held: {FACTS} facts")
    assert not folders(tmp_path)


def test_it_prints_no_colour_into_a_file(walked):
    assert "\033" not in walked[2]


def test_settings_of_the_caller_take_no_part(tmp_path):
    (tmp_path / ".env").write_text("SOVENDUS_API_KEY=somebodys-real-key\n"
                                   "IMS_CLIENT_ID=somebodys-client\n")
    (tmp_path / "backchannel.conf").write_text("[click]\nttl = not a duration\n")
    state = tmp_path / "state-of-the-caller"
    with Running(tmp_path, SOVENDUS_BASE_URL="https://press-order-api.invalid/ext",
                 SOVENDUS_API_KEY="somebodys-real-key", BACKCHANNEL_STATE=state,
                 IMS_CLIENT_SECRET="somebodys-secret", IMS_BASE_URL="https://ims.invalid",
                 BACKCHANNEL_RETRY_BASE="nonsense") as demo:
        assert demo.process.wait(120) == 0, demo.text()
        assert "somebodys-real-key" not in demo.text()
    assert not state.exists()


def test_its_folder_is_its_own_alone(tmp_path):
    with Running(tmp_path) as demo:
        demo.await_text("1. ")
        folder, = folders(tmp_path)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert demo.process.wait(120) == 0


def family_of(pid):
    """Its children, and theirs: nginx has a worker."""
    children = children_of(pid)
    return children.union(*(children_of(child) for child, _ in children))


def all_ended(family):
    return not [child for child in family if still_runs(child)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nginx_and_its_worker_end_with_the_demo(tmp_path, number):
    with Running(tmp_path) as demo:
        demo.await_text("16. ")
        family = family_of(demo.process.pid)
        names = [command_of(pid) for pid, _ in family]
        assert sum("nginx: " in name for name in names) == 2, names
        demo.process.send_signal(number)
        demo.process.wait(10)
        wait_for(lambda: all_ended(family), 10, "their end")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_what_it_started_and_clears_up(tmp_path, number):
    with Running(tmp_path) as demo:
        demo.await_text("2. ")
        children = children_of(demo.process.pid)
        assert len(children) == 4  # the sandbox and three daemons
        demo.process.send_signal(number)
        assert demo.process.wait(10) == 1
        assert "backchannel: interrupted; what was started is ended" in demo.text()
        assert not [child for child in children if still_runs(child)]
    assert not folders(tmp_path)


def test_a_reader_that_goes_away_ends_it_and_nothing_stays(tmp_path):
    with subprocess.Popen([binary(), "demo"], env=environment(tmp_path), cwd=tmp_path,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        while not process.stdout.readline().startswith("1. "):
            assert process.poll() is None
        children = children_of(process.pid)
        process.stdout.close()
        assert process.wait(30) == 1
        assert "standard output could not be written" in process.stderr.read()
    assert not [child for child in children if still_runs(child)]
    assert not folders(tmp_path)


def test_a_killed_demo_takes_its_children_along(tmp_path):
    with Running(tmp_path) as demo:
        demo.await_text("2. ")
        children = children_of(demo.process.pid)
        assert len(children) == 4
        demo.process.kill()
        demo.process.wait()
        wait_for(lambda: not [child for child in children if still_runs(child)], 10, "their end")


def test_without_a_place_for_its_folder_it_says_what_to_do(tmp_path):
    missing = tmp_path / "missing"
    done = run(["demo"], environment(tmp_path, TMPDIR=missing), tmp_path)
    assert done.code == 1
    assert done.err == (f'backchannel: cannot make a temporary folder in "{missing}": '
                        "No such file or directory\n"
                        "  set TMPDIR to a folder that exists and that you may write to\n")


def no_file_above(limit):
    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return apply


def test_a_daemon_that_cannot_start_fails_with_its_log(tmp_path):
    """Files may not grow beyond 4 KiB here, so no store can be made."""
    done = subprocess.run([binary(), "demo"], env=environment(tmp_path), cwd=tmp_path, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                          preexec_fn=no_file_above(4096))
    assert done.returncode == 1
    assert "expected: the daemon starts and says where it listens" in done.stdout
    assert "came:     it ended with exit code " in done.stdout
    folder, = folders(tmp_path)
    assert f"the log of the daemon ends ({folder}/daemon.log):" in done.stdout
    assert f"Everything is kept in {folder}" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith(f"0 of {STEPS} steps held")
    assert (folder / "daemon.log").read_text().strip()


def kill_the_sandbox(demo):
    for pid, _ in children_of(demo.process.pid):
        if "sandbox" in command_of(pid):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def test_a_step_that_does_not_hold_says_what_was_expected_and_what_came(tmp_path):
    """The partner's process is gone, so step 2 cannot know that it was not asked."""
    with Running(tmp_path) as demo:
        demo.await_text("2. ")
        assert kill_the_sandbox(demo)
        assert demo.process.wait(60) == 1
        text = demo.text()
    assert "✗ this did not hold" in text
    assert "expected: the sandbox answers GET /_sandbox/requests?path=/ext/" in text
    assert re.search(r"^     came:     no answer: ", text, re.M), text
    folder, = folders(tmp_path)
    assert f"({folder}/sandbox.log)" in text
    assert text.rstrip().splitlines()[-1].startswith(f"1 of {STEPS} steps held")
    assert not children_of(demo.process.pid)
