# SPDX-License-Identifier: MIT
"""What is measured, once: each function starts what it needs, warms it up, measures, kills it, counts
what is on the disk, and returns the figures; or raises Trouble, and then there is no figure.
"""
import os
import shutil
import time

import load
import machine
from servers import Backchannel, DeafPartner, Sandbox, Trouble

# Sessions named by orders stay so many connections' worth below those that were captured last: the
# answers to those may not have come.
CAPTURE_MARGIN = 16
LONGEST_SECONDS = 300
HUNG = {"BACKCHANNEL_LANE_CONCURRENCY": "1", "BACKCHANNEL_DELIVERY_TIMEOUT": "10m",
        "BACKCHANNEL_LANE_LEASE": "1h"}


def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.sync()  # what was written before is not this one's burden
    return folder


class Meter:
    """Processor time of a site between two moments."""

    def __init__(self, plan, pids):
        self.plan, self.pids = plan, pids
        self.core = machine.Core(plan.server_core)
        self.cpu = machine.cpu_seconds(pids())

    def read(self, count):
        pids = self.pids()
        busy, stolen = self.core.shares()
        return {"cpu_us": (machine.cpu_seconds(pids) - self.cpu) * 1e6 / count, "core_busy": busy,
                "stolen": stolen, "rss_mib": machine.rss_mib(pids)}


def measured(plan, site, kind, connections, first, limit=None):
    """plan.requests, if it is not 0, ends a run before plan.seconds do."""
    stops = [n for n in (first + plan.requests if plan.requests else None, limit) if n]
    meter = Meter(plan, site.pids)
    got = load.run(site, kind, connections, first, plan.seconds, min(stops, default=0))
    return {**got, **meter.read(got["requests"])}


def check_kept(site, what, kept, answered, sent):
    if kept is not None and not answered <= kept <= sent:
        raise Trouble(f"{site.title}: {answered} {what} were acknowledged, {sent} sent, and after a "
                      f"kill {kept} are on the disk")


def clicks(plan, kind, connections):
    site = kind(plan, emptied(plan.work / "clicks" / kind.key))
    request = "landing" if kind.key == "express-get" else "clicks"
    with site.start():
        warm = load.run(site, request, connections, 0, plan.warmup, plan.requests)
        got = measured(plan, site, request, connections, warm["next"])
    got["kept"] = site.clicks_kept()
    check_kept(site, "clicks", got["kept"], warm["requests"] + got["requests"], got["next"])
    return got


def ordered(plan, site, connections):
    """The figures, and how many were acknowledged with those of the warm-up."""
    captured = load.run(site, "clicks", connections, 0, round(1.5 * (plan.warmup + plan.seconds)),
                        3 * plan.requests)
    limit = captured["next"] - CAPTURE_MARGIN * connections
    if limit <= 0:
        raise Trouble(f"{site.title}: {captured['next']} captures are too few; give --seconds more")
    os.sync()
    warm = load.run(site, "orders", connections, 0, plan.warmup, min(plan.requests or limit, limit // 3 or 1))
    got = measured(plan, site, "orders", connections, warm["next"], limit)
    return got, warm["requests"] + got["requests"]


def orders(plan, kind, connections):
    """Captures first, then reports orders of those sessions. The partner of ours is deaf: one
    request is under way and stays so, as at the peers nothing leaves the queue."""
    site = kind(plan, emptied(plan.work / "orders" / kind.key))
    with DeafPartner() as deaf:
        if kind is Backchannel:
            site.settings.update(HUNG, SOVENDUS_BASE_URL=deaf.url)
        with site.start():
            got, answered = ordered(plan, site, connections)
    got["kept"] = site.orders_kept()
    check_kept(site, "orders", got["kept"], answered, got["next"])
    return got


# --- orders with a partner that answers ----------------------------------------------------------

def handed_back(plan, kind, connections):
    """The whole way: orders of sessions that were captured, to a partner that answers. "rate" is what
    was acknowledged, "handed" what the partner had taken a second when it had all of them, and
    "cpu_us" what one order cost from its report to its end."""
    site = kind(plan, emptied(plan.work / "sample" / kind.key))
    with Sandbox(plan, emptied(plan.work / "sandbox")) as sandbox:
        if kind is Backchannel:
            site.settings["SOVENDUS_BASE_URL"] = sandbox.url
            site.settings["BACKCHANNEL_LANE_CONCURRENCY"] = str(plan.concurrency[-1])
        else:
            site.partner = sandbox.url
        with site.start():
            captured = load.run(site, "clicks", connections, 0, round(1.5 * plan.seconds),
                                2 * plan.requests)
            limit = captured["next"] - CAPTURE_MARGIN * connections
            os.sync()
            meter, began = Meter(plan, site.pids), time.monotonic()
            got = load.run(site, "orders", connections, 0, plan.seconds,
                           min(plan.requests or limit, limit))
            while sandbox.seen() < got["requests"]:
                if time.monotonic() > began + LONGEST_SECONDS:
                    raise Trouble(f"the partner saw {sandbox.seen()} of {got['requests']} tokens")
                time.sleep(0.05)
            taken, ended = sandbox.seen(), time.monotonic()
            got = {**got, **meter.read(taken), "handed": taken / (ended - began)}
            books = sandbox.books()
            taken = books["accepted"]
    if books["repeated"] or not got["requests"] <= taken <= got["next"]:
        raise Trouble(f"{site.title}: {got['requests']} orders were acknowledged, {got['next']} sent; "
                      f"the partner has {taken} tokens, {books['repeated']} of them twice")
    got["kept"] = taken
    return got


# --- start and memory ----------------------------------------------------------------------------

def start(plan, kind):
    """From the first exec to the first 200 of /readyz, with an empty folder and again with what the
    first start left there; memory a second later."""
    site = kind(plan, emptied(plan.work / "start" / kind.key))
    got = {}
    for name in ("first_ms", "again_ms"):
        with site:
            site.prepare()
            began = time.monotonic()
            site.start()
            got[name] = (time.monotonic() - began) * 1e3
            time.sleep(plan.idle)
            got["idle_mib"] = machine.rss_mib(site.pids())
    return got
