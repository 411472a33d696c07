# SPDX-License-Identifier: MIT
"""One bad lane never slows another: with 100,000 conversions waiting for a partner that takes
connections and never answers, orders of the healthy lane are handed back as fast as in a shop whose
partners all answer.

Measured is what a shop sees: from the POST of an order with `wait` until it is told "delivered",
which is the acceptance on disk, the wait for the lane's turn, the attempt and its result on disk.

The baseline is a shop of the same age: it reported the same 100,000 orders, and they have been
handed back. So the stores are alike in size, and what differs is that nothing waits and nobody
hangs. What a large store itself costs, whatever its lanes do, is another question: the note tells it
beside, by a third shop whose store is empty. (The 99th percentile is where checkpoints of the log
show: about one order in a hundred meets one, and it lasts as long as it has pages to write.)

Two situations: as many requests as there may be hang, all the time; and they are given up, a few in
each round, which writes attempts, takes other leases and lets the lane break and try again.

Each client asks one shop after the other, in any order, so whatever else the machine does hits them
alike. And since a burst of that outweighs whatever else is measured, the figure is the median over
short rounds of the ratio of both 99th percentiles. Rounds are added until those above the bound and those below it are
too unlike in number for that to be chance, or until there are ROUNDS_MOST of them.

Environment: FAIRNESS_WAITING, how many wait (100000; 10000 in sanitizer builds).
"""
import concurrent.futures
import math
import os
import random
import statistics
import time

from daemon import KEY, PRODUCT, is_sanitized, note
from sandbox_client import wait_for
import wire

WAITING = int(os.environ.get("FAIRNESS_WAITING", "10000" if is_sanitized() else "100000"))
MOST = 1.2  # times the baseline
ROUNDS, ROUNDS_MOST = (10, 40) if is_sanitized() else (20, 200)
SURE = 2.5  # standard deviations of a tossed coin
CLIENTS = 4
TURNS = 100  # a client and round
DEAD_PRODUCT, DEAD_KEY, DEAD_LANE = "dead-1", "dead-key-000", "sovendus.dead"
CONCURRENCY = 8  # the default of lane.concurrency
HANG, GIVE_UP = "10m", "300ms"  # delivery.timeout: longer than it is measured; some in each round


# --- three shops ---------------------------------------------------------------------------------

def shop_with_two_products(daemons, **settings):
    # lane.probe bounds how long a broken lane waits before it lets another one out.
    shop = daemons.make(BACKCHANNEL_LOG="info,json", BACKCHANNEL_LANE_PROBE="100ms",
                        BACKCHANNEL_LANE_LEASE="15m", **settings)
    (shop.work / "backchannel.conf").write_text(
        f"[product dead]\nid = {DEAD_PRODUCT}\nkey = {DEAD_KEY}\n", encoding="ascii")
    return shop.start()


def pour(shop):
    # One more than wait in the end: see hang().
    poured = shop.pour_orders(({"order": f"dead-{i}", "token": f"dead-{i:06d}-token", "product": "dead"}
                               for i in range(WAITING + 1)), seconds=120)
    assert poured == WAITING + 1


def where_all_were_handed_back(daemons):
    shop = shop_with_two_products(daemons, BACKCHANNEL_LANE_CONCURRENCY=64)
    pour(shop)
    wait_for(lambda: (lane := shop.lane(DEAD_LANE))["pending"] + lane["in_flight"] == 0, 240, "deliveries")
    shop.settings["BACKCHANNEL_LANE_CONCURRENCY"] = None
    assert shop.stop() == 0
    return shop


def where_all_wait(daemons, partner):
    shop = shop_with_two_products(daemons)
    assert shop.post(f"/v1/lanes/{DEAD_LANE}/pause").status == 200
    pour(shop)
    partner.set_faults(f"hang product={DEAD_PRODUCT}")
    partner.clear_requests()
    assert shop.post(f"/v1/lanes/{DEAD_LANE}/resume").status == 200
    # Or it would get the one answer that hang() has for the next process.
    wait_for(lambda: partner.requests(path=f"/ext/{DEAD_PRODUCT}/"), 20, "the first request")
    return shop


def where_nothing_was(daemons):
    shop = shop_with_two_products(daemons)
    assert shop.stop() == 0
    return shop


def given_up(shop):
    line = f'backchannel_attempts_total{{lane="{DEAD_LANE}",outcome="unknown"}} '
    return int(shop.get("/metrics").text.partition(line)[2].split()[0])


# --- measuring -----------------------------------------------------------------------------------

def p99_ms(times):
    return statistics.quantiles(times, n=100)[98] * 1000


class Race:
    """Rounds in which clients hand orders to the shops, one to each in a turn: the times of each shop,
    a list a round."""

    def __init__(self, name, **shops):
        self.name, self.shops = name, shops
        self.rounds = []

    def _client(self, number, times):
        conns = {label: wire.connection(shop.address) for label, shop in self.shops.items()}
        labels, name = list(self.shops), f"{self.name}-{len(self.rounds)}-{number}"
        dice = random.Random(name)
        for turn in range(TURNS):
            dice.shuffle(labels)  # what one leaves to do when it has answered falls to any other
            for label in labels:
                order = f"{name}-{turn}"
                begin = time.perf_counter()
                answer = wire.send(conns[label], "POST", "/v1/orders?wait=20s",
                                   {"order": order, "token": f"tok-{order}-abcd"})
                times[label].append(time.perf_counter() - begin)
                assert answer.json["state"] == "delivered", answer
        for conn in conns.values():
            conn.close()

    def run(self, rounds):
        for _ in range(rounds):
            times = {label: [] for label in self.shops}
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(lambda number: self._client(number, times), range(CLIENTS)))
            self.rounds.append(times)
        return self

    def p99_ms(self, label):
        return p99_ms([seconds for times in self.rounds for seconds in times[label]])

    def ratios(self, label, baseline):
        return [p99_ms(times[label]) / p99_ms(times[baseline]) for times in self.rounds]

    def ratio(self, label, baseline):
        return statistics.median(self.ratios(label, baseline))

    def is_open(self):
        """Could as many rounds be above the bound as below it?"""
        balance = sum(1 if ratio > MOST else -1 for ratio in self.ratios("beside", "alone"))
        return abs(balance) < SURE * math.sqrt(len(self.rounds))


def race(name, shops):
    Race(f"{name}-warm", **shops).run(2)
    measured = Race(name, **shops).run(ROUNDS)
    while measured.is_open() and len(measured.rounds) < ROUNDS_MOST:
        measured.run(ROUNDS // 4)
    return measured


def tell(measured, what):
    note(f"fairness: p99 of a healthy lane {measured.p99_ms('alone'):.1f} ms alone, "
         f"{measured.p99_ms('beside'):.1f} ms beside {WAITING} waiting for a dead partner whose "
         f"requests {what}: {measured.ratio('beside', 'alone'):.2f} times, the median of "
         f"{len(measured.rounds)} rounds")


def tell_what_a_large_store_costs(measured):
    note(f"fairness: p99 of a healthy lane {measured.p99_ms('empty'):.1f} ms in an empty store: after "
         f"{WAITING} orders {measured.ratio('alone', 'empty'):.2f} times that, with those orders waiting "
         f"for a dead partner {measured.ratio('beside', 'empty'):.2f} times")


def hang(partner, shops, seconds):
    """Starts the shops anew, with so long a delivery.timeout and a partner who is dead from now on,
    but for one answer: a lane that was never answered sends one at a time."""
    for shop in shops.values():
        if shop.running:
            shop.kill9()  # a stop would wait for those that hang
    partner.set_faults(f"hang product={DEAD_PRODUCT} skip=1")
    for shop in shops.values():
        shop.settings["BACKCHANNEL_DELIVERY_TIMEOUT"] = seconds
        shop.start()


def test_a_partner_that_never_answers_slows_nobody_elses_orders(daemons, partner, capsys):
    partner.set_products({PRODUCT: KEY, DEAD_PRODUCT: DEAD_KEY})
    shops = {"alone": where_all_were_handed_back(daemons), "empty": where_nothing_was(daemons),
             "beside": where_all_wait(daemons, partner)}
    beside = shops["beside"]

    hang(partner, shops, HANG)
    wait_for(lambda: beside.lane(DEAD_LANE)["in_flight"] == CONCURRENCY, 20, "requests that hang")
    hanging = race("hang", shops)
    lane = beside.lane(DEAD_LANE)
    assert (lane["in_flight"], lane["pending"]) == (CONCURRENCY, WAITING - CONCURRENCY)
    assert given_up(beside) == 0

    assert shops.pop("empty").stop() == 0
    hang(partner, shops, GIVE_UP)
    wait_for(lambda: given_up(beside) >= CONCURRENCY, 20, "requests that are given up")
    before = given_up(beside)
    giving_up = race("give-up", shops)
    assert given_up(beside) >= before + ROUNDS / 2

    with capsys.disabled():
        tell_what_a_large_store_costs(hanging)
        tell(hanging, "hang")
        tell(giving_up, "are given up")
    beside.kill9()
    assert hanging.ratio("beside", "alone") <= MOST
    assert giving_up.ratio("beside", "alone") <= MOST
