# SPDX-License-Identifier: MIT
"""How fast tokens are handed back: our daemon that drains a backlog from its store, libcurl alone, and
axios, all to the sandbox and with as many requests under way at once. The figure counts what the
sandbox got, from the first tenth (warming up) to the last.
"""
import os
import shutil
import time

import load
import machine
from scenarios import HUNG, Meter, emptied
from servers import KEY, PRODUCT, Backchannel, DeafPartner, Process, Sandbox, Trouble

WARM_SHARE = 10
POLL_SECONDS = 0.02
LONGEST_SECONDS = 300


def backlog(plan):
    """(folder, count): a store of ours with conversions that wait. Made once, copied for each run."""
    folder = emptied(plan.work / "backlog")
    with DeafPartner() as deaf:
        site = Backchannel(plan, folder, deaf.url, **HUNG)
        with site.start():
            load.run(site, "tokens", plan.connections[0], 0, LONGEST_SECONDS, plan.deliveries)
    return folder, site.orders_kept()


def wait_seen(sandbox, count, process):
    """(moment, number) of when the sandbox had seen so many."""
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        process.check()
        seen = sandbox.seen()
        if seen >= count:
            return time.monotonic(), seen
        time.sleep(POLL_SECONDS)
    raise Trouble(f"{sandbox.seen()} of {count} came in {LONGEST_SECONDS} s")


def timed(plan, sandbox, process, count):
    began, first = wait_seen(sandbox, max(count // WARM_SHARE, 1), process)
    meter, partner = Meter(plan, process.pids), machine.cpu_seconds(sandbox.process.pids())
    ended, last = wait_seen(sandbox, count, process)
    seconds, number = ended - began + 1e-9, max(last - first, 1)
    partner = machine.cpu_seconds(sandbox.process.pids()) - partner
    return {**meter.read(number), "rate": number / seconds, "partner_busy": min(1, partner / seconds)}


def check_books(sandbox, who, count):
    books = sandbox.books()
    if books["accepted"] != count or books["repeated"]:
        raise Trouble(f"{who}: the partner has {books['accepted']} of {count} tokens, "
                      f"{books['repeated']} of them twice")


def from_store(plan, sandbox, concurrency, prepared):
    source, count = prepared
    folder = plan.work / "deliveries" / "backchannel"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    os.sync()
    site = Backchannel(plan, folder, sandbox.url, BACKCHANNEL_LANE_CONCURRENCY=str(concurrency))
    site.start()
    try:
        got = timed(plan, sandbox, site.processes[0], count)
        site.stop()  # the last answers reach the store
    finally:
        site.kill()
    if site.delivered() != count:
        raise Trouble(f"backchannel: {site.delivered()} of {count} are delivered in its store")
    return got, count


def from_program(plan, sandbox, name, command, concurrency):
    folder, count = emptied(plan.work / "deliveries" / name), plan.deliveries
    process = Process(name, [*command, f"{sandbox.url}/{PRODUCT}", KEY, count, concurrency], folder,
                      plan.server_core)
    try:
        got = timed(plan, sandbox, process, count)
        process.finish()
    finally:
        process.kill()
    said = machine.read(process.log).split()[-1:]
    if said != [str(count)]:
        raise Trouble(f"{name}: counted {said} of {count} answers; see {process.log}")
    return got, count


def deliver(plan, who, concurrency, prepared):
    with Sandbox(plan, emptied(plan.work / "sandbox")) as sandbox:
        if who == "backchannel":
            got, count = from_store(plan, sandbox, concurrency, prepared)
        elif who == "curl":
            got, count = from_program(plan, sandbox, who, [plan.curl_post], concurrency)
        else:
            got, count = from_program(plan, sandbox, who,
                                      ["node", plan.node_folder / "post.mjs"], concurrency)
        check_books(sandbox, who, count)
    return got
