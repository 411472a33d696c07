# SPDX-License-Identifier: MIT
"""The page: tables of medians with their spread, ratios round by round, the conditions, and what the
figures say and do not say. Nothing here measures.
"""
import statistics

import machine
import report_gateway
from figures import OURS, number, of, percent, ratios, spread, table, times
from servers import (Backchannel, Express, ExpressAlone, ExpressLanding, ExpressSample, NginxLua,
                     NginxReturn)

TITLES = {site.key: site.title for site in
          (Backchannel, NginxReturn, Express, ExpressLanding, ExpressSample, ExpressAlone, NginxLua)}
TITLES.update({"curl": "bare libcurl (keeps nothing)", "axios": "axios (keeps nothing)"})
MUST_TIMES = 4
WRK_IS_THE_LIMIT = 0.9
QUIET_LOAD = 0.5


# --- tables --------------------------------------------------------------------------------------

def load_table(runs):
    head = ["", "requests/s", "ours is × that", "p50 ms", "p99 ms", "CPU µs a request",
            "× that of ours", "its core busy", "wrk's core busy", "RSS MiB", "checked"]
    rows = []
    for key, its in runs.items():
        kept, ours = [run["kept"] for run in its], None if key == OURS else runs.get(OURS)
        rows.append([TITLES[key], spread(of(its, "rate")),
                     times(ratios(ours, its)) if ours else "",
                     spread(of(its, "p50_us", 1e-3)), spread(of(its, "p99_us", 1e-3)),
                     spread(of(its, "cpu_us")), times(ratios(its, ours, "cpu_us")) if ours else "",
                     percent(statistics.median(of(its, "core_busy"))),
                     percent(statistics.median(of(its, "wrk_busy"))), spread(of(its, "rss_mib")),
                     "answers" if None in kept else f"{sum(kept):,} on disk"])
    return table(head, rows)


def delivery_table(runs):
    head = ["", "deliveries/s", "ours is × that", "CPU µs a delivery", "its core busy",
            "sandbox's core busy", "RSS MiB"]
    rows = [[TITLES[key], spread(of(its, "rate")),
             "" if key == OURS or OURS not in runs else
             spread(ratios(runs[OURS], its), lambda value: f"{value:.2f}"),
             spread(of(its, "cpu_us")), percent(statistics.median(of(its, "core_busy"))),
             percent(statistics.median(of(its, "partner_busy"))), spread(of(its, "rss_mib"))]
            for key, its in runs.items()]
    return table(head, rows)


def sample_table(runs):
    head = ["", "acknowledged/s", "ours is × that", "handed back/s", "ours is × that", "p50 ms", "p99 ms",
            "CPU µs an order, to its end", "× that of ours", "RSS MiB"]
    rows = []
    for key, its in runs.items():
        ours = None if key == OURS else runs.get(OURS)
        rows.append([TITLES[key], spread(of(its, "rate")), times(ratios(ours, its)) if ours else "",
                     spread(of(its, "handed")),
                     times(ratios(ours, its, "handed")) if ours else "",
                     spread(of(its, "p50_us", 1e-3)), spread(of(its, "p99_us", 1e-3)),
                     spread(of(its, "cpu_us")), times(ratios(its, ours, "cpu_us")) if ours else "",
                     spread(of(its, "rss_mib"))])
    return table(head, rows)


def start_table(runs):
    head = ["", "first start ms", "next start ms", "of ours ×", "RSS idle MiB", "of ours ×"]
    rows = []
    for key, its in runs.items():
        ours = runs.get(OURS)
        rows.append([TITLES[key], spread(of(its, "first_ms")), spread(of(its, "again_ms")),
                     "" if key == OURS or not ours else times(ratios(its, ours, "again_ms")),
                     spread(of(its, "idle_mib")),
                     "" if key == OURS or not ours else times(ratios(its, ours, "idle_mib"))])
    return table(head, rows)


# --- conditions ----------------------------------------------------------------------------------

def conditions(plan, facts):
    mount = machine.mount_of(plan.work)
    journal = {True: ", with a journal", False: ", without a journal", None: ""}
    rows = [
        ["date", facts["date"]],
        ["command", f"`{facts['command']}`"],
        ["processor", f"{machine.processor()}, {facts['cores']} cores; server on {plan.server_core} "
                      f"(shares hardware with {machine.siblings(plan.server_core)}), load on "
                      f"{plan.load_core} (with {machine.siblings(plan.load_core)})"],
        ["memory", f"{machine.memory_mib():,} MiB"],
        ["system", f"{machine.system()}, Linux {facts['kernel']}"],
        ["file system", f"{mount[1]}{journal[machine.has_journal(mount)]}, on {mount[2]}: for every "
                        "store and for Redis's append-only file"],
        ["an fsync", f"append of 4 KiB and fdatasync: median {number(facts['fsync_p50'])} µs, 99th "
                     f"percentile {number(facts['fsync_p99'])} µs ({facts['fsync_count']:,}, before "
                     "every round)"],
        ["machine otherwise", f"load average {facts['load']:.2f} at the start; "
                              f"{percent(facts['stolen'])} of the time stolen by the hypervisor"],
        ["rounds", f"{plan.rounds}, interleaved; {plan.warmup} s warm-up and {plan.seconds} s each, "
                   f"{plan.deliveries:,} deliveries, {plan.starts} starts"],
        *([name, version] for name, version in facts["versions"].items()),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


# --- reading -------------------------------------------------------------------------------------

def main_clicks(plan, results):
    return results["clicks"].get(plan.connections[0], {})


def musts(plan, results):
    """(what, ours, the peer's) of each bound that can be judged: like is held against like, what is on
    disk against what is on disk."""
    pairs = ((f"Durable clicks, {plan.connections[0]} connections", main_clicks(plan, results)),
             ("Durable orders", results["orders"]))
    return [(what, runs[OURS], runs["express"]) for what, runs in pairs
            if runs.get(OURS) and runs.get("express")]


def beside_the_sample(runs):
    ours, sample = runs.get(OURS), runs.get("express-sample")
    if not ours or not sample:
        return []
    return [f"Orders beside the guide's sample as written: {times(ratios(ours, sample))} times as many are "
            f"acknowledged, though it acknowledges what is handed back and ours what is on disk; "
            f"{times(ratios(ours, sample, 'handed'))} times as many are handed back, for which it needs "
            f"{times(ratios(sample, ours, 'cpu_us'))} times the processor time."]


def verdict(plan, results):
    said = []
    for what, ours, theirs in musts(plan, results):
        held = statistics.median(ratios(ours, theirs)) >= MUST_TIMES
        said.append(f"{what}: {times(ratios(ours, theirs))} times Express + Redis; it is to be at least "
                    f"{MUST_TIMES} times: {'held' if held else '**not held**'}. Processor time a request: "
                    f"Express + Redis need {times(ratios(theirs, ours, 'cpu_us'))} times ours.")
    return "\n\n".join(said + beside_the_sample(results["sample"]) or ["Clicks and orders: not measured."])


def limits(runs):
    """What the figures of a table are limits of, where it was not the server."""
    said = []
    for key, its in runs.items():
        busy, wrk = (statistics.median(of(its, name)) for name in ("core_busy", "wrk_busy"))
        if wrk >= WRK_IS_THE_LIMIT:
            said.append(f"{TITLES[key]}: wrk's core was {percent(wrk)} busy, so this figure is a limit "
                        "of the load generator and the server may do more.")
        elif busy < WRK_IS_THE_LIMIT and its[0]["kept"] is not None:
            said.append(f"{TITLES[key]}: its core was {percent(busy)} busy; for the rest of the time it "
                        "waited for the disk, and so did all that had asked.")
    return "\n".join(f"- {line}" for line in said)


HOW = """Each figure is the median of the rounds with (smallest..largest); ratios are taken round by round, so that
what slowed the machine for a while slowed both sides. In each round every row is measured in turn: started
with an empty folder, warmed up, measured, killed with SIGKILL, and what is then on its disk is counted: it
has to be at least what was answered. A run with one refused answer, one broken connection or one missing
row has no figure, and then no page is written. All processes of a row share one core: nginx with its worker
and Redis, Node with Redis, our daemon with all its threads; wrk has the other core. wrk is a closed loop:
each connection asks again when it was answered, so the latencies are those at full load."""

NOT_SAID = """- One core a side, loopback, no TLS, one host: real sites are slower everywhere, and less far apart.
- nginx's `return 204` drops what it is sent and keeps nothing. It is the price of HTTP alone, not a rival.
- Node and Redis are two processes and our daemon has three threads; here each row has one core. Where there
  are more, the processor time a request says what each costs.
- "Express + Redis" is Express at its best: no session middleware, no check of the token, no log line
  a click, a queue in place of the partner. The guide's sample as written has a table of its own. `GET` without a body is the guide's own way to ask; it saves Express
  the parsing of JSON, and ours has no such route, so it is compared with our `POST`.
- Ours does more for a click than the others: it checks token and session, keys the hash of both, mints an
  id, keeps the click in indexed tables on disk. It also logs each order. Redis holds everything in memory;
  ours needs little, however much waits.
- For an order, the peers put the order and an entry of a queue into Redis, in one transaction; a worker that
  reads the queue, retries, and keeps what was answered is still to be written, and is not measured.
- With the disk as the limit all come closer to each other: everyone waits for the same fsync, and each fsync
  serves all that wait, so more connections are more requests a second."""

SAMPLE = """The guide's sample as it is written: the handler of an order finds the token, posts it to the partner, and
answers when the partner has; a failure is logged and forgotten. Ours answers when the order is on disk and
hands it back beside. Both are measured until the partner, the sandbox on the other core, has every token of
what was acknowledged exactly once: so the processor time is that of the whole way, and what is acknowledged
faster than it is handed back shows as such."""

DELIVERIES = """The sandbox is the partner of all three and has the other core. **Ours makes each attempt durable twice**:
it takes the conversion from its store, writes down that an attempt begins, asks, and writes down what came
of it, so that a kill at any moment loses none. libcurl alone and axios keep nothing: what was under way when
they are killed is lost. Afterwards the sandbox has to have every token exactly once, and our store has to
say the same. With few requests under way ours waits for its own commits; with more, each commit serves more
of them."""


def clicks_part(results):
    if not results["clicks"]:
        return []
    parts = ["## Durable clicks\n\n`POST /v1/clicks` with a landing URL and a session, each with a token "
             "and a session of its own; answered when it is on disk."]
    for connections, runs in results["clicks"].items():
        parts.append(f"### {connections} connections\n\n{load_table(runs)}")
        parts.append(limits(runs))
    return parts


def orders_part(plan, results):
    if not results["orders"]:
        return []
    return ["## Durable orders\n\nClicks are captured first; then `POST /v1/orders` names their sessions. "
            "The token is found, the order kept once, and queued for its delivery, in one transaction; "
            f"no partner is called. {plan.connections[0]} connections.",
            load_table(results["orders"]), limits(results["orders"])]


def sample_part(plan, results):
    if not results["sample"]:
        return []
    return ["## Orders against the guide's sample\n\n" + SAMPLE + f" {plan.connections[0]} connections.",
            sample_table(results["sample"])]


def deliveries_part(results):
    if not results["deliveries"]:
        return []
    parts = [f"## Deliveries\n\n{DELIVERIES}"]
    for concurrency, runs in results["deliveries"].items():
        parts.append(f"### {concurrency} at once\n\n{delivery_table(runs)}")
    return parts


def starts_part(results):
    if not results["starts"]:
        return []
    return ["## Start and memory\n\nFrom the first `exec` to the first 200 of `/readyz`; memory a second "
            "later, of all processes of the row. Memory under load stands in the tables above.",
            start_table(results["starts"])]


def warnings(plan, facts):
    said = []
    if plan.quick:
        said.append("**A quick run, which shows that everything works and no more: its figures mean "
                    "nothing.** `bench/run` measures.")
    if facts["load"] > QUIET_LOAD:
        said.append(f"**The machine was not quiet** (load average {facts['load']:.1f} before anything "
                    "was started here): expect wide spreads.")
    if facts["no_disk"]:
        said.append(f"**The stores were on {facts['no_disk']}, which is no disk**: what durability "
                    "costs was not measured.")
    titles = {**report_gateway.TITLES, **TITLES}
    return said + [f"Not measured: {titles[key]}: {why}."
                   for key, why in sorted(facts["missing"].items())]


def musts_held(plan, results):
    """Of those that were measured."""
    found = [statistics.median(its) for its in report_gateway.must_ratios(results["gateway"]).values()]
    found += [statistics.median(ratios(ours, theirs)) for _, ours, theirs in musts(plan, results)]
    return all(ratio >= MUST_TIMES for ratio in found)


def page(plan, results, facts):
    parts = ["# Performance",
             "Written by `bench/run`, which measures all of it in one run: do not edit, run it again.",
             *warnings(plan, facts), "" if plan.quick else verdict(plan, results),
             "" if plan.quick else report_gateway.verdict(results["gateway"], MUST_TIMES),
             "## How\n\n" + HOW,
             *clicks_part(results), *orders_part(plan, results), *sample_part(plan, results), *deliveries_part(results),
             *report_gateway.part(plan, results["gateway"]), *starts_part(results), "## What this does not say\n\n" + NOT_SAID,
             "## Conditions\n\n" + conditions(plan, facts)]
    return "\n\n".join(part for part in parts if part) + "\n"
