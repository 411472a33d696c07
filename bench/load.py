# SPDX-License-Identifier: MIT
"""The load generator: wrk on its own processor, with the requests of wrk.lua."""
import json
import pathlib
import resource
import signal
import subprocess

from servers import Trouble

SCRIPT = pathlib.Path(__file__).resolve().parent / "wrk.lua"
ANSWER_SECONDS = 10


def said_by(command):
    """The lines it printed; ended by a signal once it says that it stopped."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT) as wrk:
        lines = []
        for line in wrk.stdout:
            lines.append(line.strip())
            if lines[-1] == "stopped":
                wrk.send_signal(signal.SIGINT)
        return [line for line in lines if line]


def run(site, kind, connections, first, seconds, stop_at=0, rate=0, lines=()):
    """What wrk measured, with the share of its processor that it used: near 1, the figure is wrk's
    own and not the server's. Refuses a run in which anything was not answered well. rate: requests a
    second at most, 0: as many as are answered; lines: header lines of the kinds that take some."""
    command = ["wrk", "-t", "1", "-c", connections, "-d", f"{seconds}s", "--timeout",
               f"{ANSWER_SECONDS}s", "-s", SCRIPT, site.url, "--", kind, first, stop_at, rate, *lines]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = said_by([str(word) for word in command])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not said[-1:] or not said[-1].startswith("{"):
        raise Trouble(f"wrk failed: {said[-5:]}")
    got = json.loads(said[-1])
    if got["refused"] or got["broken"] or not got["requests"]:
        raise Trouble(f"{site.title}: of {got['requests']} {kind} requests {got['refused']} were "
                      f"refused and {got['broken']} connections broke; see {site.folder}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    got["seconds"] = got["duration_us"] / 1e6
    got["rate"] = got["requests"] / got["seconds"]
    got["wrk_busy"] = min(1, cpu / got["seconds"])
    return got
