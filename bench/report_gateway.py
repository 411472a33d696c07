# SPDX-License-Identifier: MIT
"""The page's section on the gateway. Nothing here measures."""
import statistics

import gateways
from figures import OURS, number, of, percent, ratios, spread, table, times

TITLES = {site.key: site.title for site in (*gateways.SITES, gateways.Direct)}
NODE = gateways.NodeProxy.key
MODE_TITLES = {"plain": "Plain upstream", "tls": "TLS upstream"}
BUSY = 0.9

TEXT = f"""`GET /accs{gateways.CALL}`: the caller has no token; the gateway puts it in, with the two headers that Adobe
asks for, and asks the upstream over a kept connection. The upstream is nginx with one small product:
the cheapest there is, so that the gateways are compared and not Commerce. It has the other core,
together with the load generator, and where that core is the busier one, **the requests a second are a limit
of that core, and the processor time a request is the figure to compare**. Every answer was a 200 from the
upstream, which refuses who has no token. "TLS upstream" is checked against a certificate made for the run.

At a steady {gateways.RATE:,} requests a second, on {gateways.RATE_CONNECTIONS} connections, "added" is the latency less that of the upstream
when it is asked directly at that rate, round by round; who does not come to that rate has none. The requests
are sent at whole milliseconds, some {gateways.RATE // 1000} at a time, so they wait for each other a little."""

NOT_SAID = """- The peers write no line for a call, and carry a token that somebody else gave them; ours logs each call with
  its route and duration, counts it by route shape, keeps the token fresh, holds the request until the answer
  is there in case it has to be repeated, and refuses what is ambiguous.
- Our daemon's gateway works on one thread, nginx has one worker, haproxy one thread, Node one process:
  what one core gives."""


def added(its, direct, name):
    """Round by round, where the rate was reached."""
    both = list(zip(its, direct or []))
    if not both:
        return "not measured"
    reached = statistics.median(run["paced_rate"] for run, _ in both)
    if reached < gateways.RATE * gateways.REACHED:
        return f"only {number(reached)}/s"
    return spread([run[name] - bare[name] for run, bare in both], lambda value: f"{value:.0f}")


def gateway_table(runs):
    head = ["", "requests/s", "ours is × that", "p50 ms", "p99 ms", "CPU µs a request", "× that of ours",
            "its core busy", "other core busy", f"added p50 µs at {gateways.RATE:,}/s", "added p99 µs",
            "RSS MiB"]
    direct, rows = runs.get(gateways.Direct.key), []
    for key, its in runs.items():
        if key == gateways.Direct.key:
            continue
        ours = None if key == OURS else runs.get(OURS)
        rows.append([TITLES[key], spread(of(its, "rate")), times(ratios(ours, its)) if ours else "",
                     spread(of(its, "p50_us", 1e-3)), spread(of(its, "p99_us", 1e-3)),
                     spread(of(its, "cpu_us")), times(ratios(its, ours, "cpu_us")) if ours else "",
                     percent(statistics.median(of(its, "core_busy"))),
                     percent(statistics.median(of(its, "load_busy"))), added(its, direct, "paced_p50_us"),
                     added(its, direct, "paced_p99_us"), spread(of(its, "rss_mib"))])
    return table(head, rows)


def bare(runs):
    its = runs.get(gateways.Direct.key)
    if not its:
        return ""
    return (f"The upstream itself at {number(statistics.median(of(its, 'paced_rate')))}/s: p50 "
            f"{spread(of(its, 'paced_p50_us'))} µs, p99 {spread(of(its, 'paced_p99_us'))} µs.")


def limits(runs):
    return "\n".join(
        f"- {TITLES[key]}: the core of upstream and load generator was "
        f"{percent(statistics.median(of(its, 'load_busy')))} busy: the gateway may do more."
        for key, its in runs.items() if key != gateways.Direct.key
        and statistics.median(of(its, "load_busy")) >= BUSY > statistics.median(of(its, "core_busy")))


def part(plan, results):
    if not results:
        return []
    parts = [f"## The gateway to Commerce\n\n{TEXT}"]
    for mode, runs in results.items():
        parts += [f"### {MODE_TITLES[mode]}, {plan.connections[0]} connections\n\n{gateway_table(runs)}",
                  bare(runs), limits(runs)]
    return parts + [NOT_SAID]


def must_ratios(results):
    """{mode: ours against Node's http-proxy, round by round}"""
    return {mode: ratios(runs[OURS], runs[NODE]) for mode, runs in results.items()
            if runs.get(OURS) and runs.get(NODE)}


def verdict(results, must):
    parts = []
    for mode, found in must_ratios(results).items():
        held = "held" if statistics.median(found) >= must else "**not held**"
        parts.append(f"Gateway, {MODE_TITLES[mode].lower()}: {times(found)} times Node's `http-proxy`; it is "
                     f"to be at least {must} times: {held}.")
        shown = results[mode].get(gateways.NodeProxyDefault.key)
        if shown:
            parts.append(f"{times(ratios(results[mode][OURS], shown))} times when that keeps no "
                         "connections, as its page shows it.")
    return " ".join(parts)
