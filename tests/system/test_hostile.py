# SPDX-License-Identifier: MIT
"""Hostile input on the public listener and the datagram socket: however much of it, the daemon neither
ends nor grows, its log does not fill, and visitors are served meanwhile.

BACKCHANNEL_HOSTILE says how many requests and how many datagrams (10,000 of each; a whole run is
1000000, which takes some minutes).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse

import wire
from daemon import is_sanitized, note
from test_edge import address_of, click_of, metric
from test_input import Input

COUNT = int(os.environ.get("BACKCHANNEL_HOSTILE", "10000"))
MAKERS = 2
GROWTH_MIB = 48
LOG_BYTES = 256 * 1024
SLOWEST_SECONDS = 5
GENERATOR = pathlib.Path(__file__).with_name("hostile.py")


class Visitor:
    """Somebody real, again and again: tells of a landing, each time as somebody else, by the beacon and by
    the web server's log."""

    def __init__(self, daemon, fed):
        self.daemon, self.fed = daemon, fed
        self.clicks, self.slowest = [], 0

    def come(self):
        n = len(self.clicks)
        token = f"visitor-{n:06d}"
        url = urllib.parse.quote(f"https://shop.example/?sovReqToken={token}", safe="")
        began = time.monotonic()
        answer = wire.ask(self.daemon.edge, "GET", f"/v1/c?u={url}",
                          headers={"X-Forwarded-For": f"172.16.{n >> 8 & 255}.{n & 255}"})
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.clicks.append(click_of(answer))
        assert self.clicks[-1], "a visitor went uncounted"
        self.fed.say(click=f"{n:032x}", tok=f"logged-{n:06d}")
        self.clicks.append(f"c.{n:032x}")


def spawn(daemon, fed, number):
    share = str(COUNT // MAKERS)
    return subprocess.Popen([sys.executable, GENERATOR, daemon.edge, fed.to, str(number), share, share],
                            stdout=subprocess.PIPE, text=True)


def test_hostile_input_costs_nothing_but_itself(daemons):
    with tempfile.TemporaryDirectory() as folder:
        daemon = daemons(BACKCHANNEL_EDGE="127.0.0.1:0", BACKCHANNEL_INPUT=f"unix:{folder}/in.sock",
                         BACKCHANNEL_EVENTS_CLIENT_ID="a-client", BACKCHANNEL_LOG="info,json")
        daemon.edge, fed = address_of(daemon), Input(daemon)
        visitor = Visitor(daemon, fed)
        for _ in range(20):
            visitor.come()
        usual = highest = daemon.rss_kib()
        makers = [spawn(daemon, fed, number) for number in range(MAKERS)]
        while any(maker.poll() is None for maker in makers):
            visitor.come()
            highest = max(highest, daemon.rss_kib())
            time.sleep(0.02)  # a visitor, not a load
        made = [json.loads(maker.communicate()[0]) for maker in makers]
        assert [maker.returncode for maker in makers] == [0] * MAKERS
        assert [one["odd"] for one in made] == [[]] * MAKERS
        assert sum(one["requests"] for one in made) >= COUNT // MAKERS * MAKERS
        assert sum(one["datagrams"] for one in made) == COUNT // MAKERS * MAKERS
        assert daemon.log_path.stat().st_size < LOG_BYTES
        # Real traffic: none was lost, by either way, and each is somebody's to order with.
        assert daemon.running
        fed.wait_taken(len(visitor.clicks) // 2)
        orders = [{"order": f"hostile-{n}", "click": click} for n, click in enumerate(visitor.clicks)]
        assert daemon.pour_orders(orders) == len(orders)
        assert visitor.slowest < SLOWEST_SECONDS
        assert fed.dropped("busy") == 0
        assert fed.dropped("malformed") == COUNT // MAKERS * MAKERS
        assert metric(daemon, "edge_landings_total", result="cookie") == 0
        if not is_sanitized():
            assert highest - usual < GROWTH_MIB * 1024, (usual, highest)
        assert sum(one["statuses"].get("204", 0) for one in made) > COUNT / 10
        note(f"hostile input: {sum(one['requests'] for one in made)} requests and {COUNT} datagrams; "
             f"{len(visitor.clicks)} real clicks beside them, the slowest in {visitor.slowest * 1000:.0f} ms; "
             f"memory {usual // 1024} MiB, at most {highest // 1024}")
