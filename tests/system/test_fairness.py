# SPDX-License-Identifier: MIT
"""One bad lane never slows another: with 100,000 conversions waiting for a partner that takes
connections and never answers, orders of the healthy lane are handed back as fast as in a shop that
has no such lane.

Measured is what a shop sees: from the POST of an order with `wait` until it is told "delivered",
which is the acceptance on disk, the wait for the lane's turn, the attempt and its result on disk.
The baseline is a second daemon without the dead lane and its load. Each client asks the two in
turn, so whatever else the machine does hits both alike.

Environment: FAIRNESS_WAITING, how many wait (100000; 10000 in sanitizer builds).
"""
import os
import statistics
import threading
import time

from daemon import KEY, PRODUCT, is_sanitized, note
from sandbox_client import wait_for
import wire

WAITING = int(os.environ.get("FAIRNESS_WAITING", "10000" if is_sanitized() else "100000"))
MOST = 1.2  # times the baseline
ROUNDS, ROUNDS_MOST = 3, 12  # more until some were given up, and where noise leaves it open
PAIRS = 300  # a client and round
CLIENTS = 4
DEAD_PRODUCT, DEAD_KEY, DEAD_LANE = "dead-1", "dead-key-000", "sovendus.dead"
CONCURRENCY = 8  # the default of lane.concurrency


class Pairs:
    """Clients that hand an order to each of two daemons in turn, and take the times."""

    def __init__(self, daemons, name):
        self.daemons, self.name = daemons, name
        self.times = [[], []]
        self.odd = []

    def _client(self, number):
        conns = [wire.connection(daemon.address) for daemon in self.daemons]
        for i in range(PAIRS):
            for which in (0, 1) if i % 2 else (1, 0):
                order = f"{self.name}-{number}-{i}-{which}"
                begin = time.perf_counter()
                answer = wire.send(conns[which], "POST", "/v1/orders?wait=20s",
                                   {"order": order, "token": f"tok-{order}-abcd"})
                self.times[which].append(time.perf_counter() - begin)
                if answer.json.get("state") != "delivered":
                    self.odd.append(answer)

    def run(self):
        threads = [threading.Thread(target=self._client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.odd == []
        return self.times


def p99_ms(times):
    return statistics.quantiles(times, n=100)[98] * 1000


def with_a_dead_lane(daemons, partner):
    """A daemon with so many conversions on the dead lane, and with as many requests hanging there as
    there may be; they are given up while the test measures, and others take their place."""
    shop = daemons.make(BACKCHANNEL_LOG="info,json", BACKCHANNEL_DELIVERY_TIMEOUT="3s")
    (shop.work / "backchannel.conf").write_text(
        f"[product dead]\nid = {DEAD_PRODUCT}\nkey = {DEAD_KEY}\n", encoding="ascii")
    shop.start()
    assert shop.post(f"/v1/lanes/{DEAD_LANE}/pause").status == 200
    poured = shop.pour_orders(({"order": f"dead-{i}", "token": f"dead-{i:06d}-token", "product": "dead"}
                               for i in range(WAITING + 1)), seconds=120)
    assert poured == WAITING + 1
    return shop


def wake_the_dead(shop, partner):
    # A lane that was never answered sends one at a time: one is answered.
    partner.set_faults(f"hang product={DEAD_PRODUCT} skip=1")
    assert shop.post(f"/v1/lanes/{DEAD_LANE}/resume").status == 200
    wait_for(lambda: shop.lane(DEAD_LANE)["in_flight"] == CONCURRENCY, 20, "requests that hang")


def given_up(shop):
    line = f'backchannel_attempts_total{{lane="{DEAD_LANE}",outcome="unknown"}} '
    return int(shop.get("/metrics").text.partition(line)[2].split()[0])


def test_a_partner_that_never_answers_slows_nobody_elses_orders(daemons, partner, capsys):
    partner.set_products({PRODUCT: KEY, DEAD_PRODUCT: DEAD_KEY})
    baseline = daemons(BACKCHANNEL_LOG="info,json")
    loaded = with_a_dead_lane(daemons, partner)
    Pairs((baseline, loaded), "warm").run()
    wake_the_dead(loaded, partner)
    alone, beside = [], []
    for number in range(ROUNDS_MOST):
        for all_times, times in zip((alone, beside), Pairs((baseline, loaded), f"round{number}").run()):
            all_times += times
        measured = number + 1 >= ROUNDS and given_up(loaded) >= CONCURRENCY
        if measured and p99_ms(beside) <= MOST * p99_ms(alone):
            break
    lane = loaded.lane(DEAD_LANE)
    before, with_it = p99_ms(alone), p99_ms(beside)
    with capsys.disabled():
        note(f"fairness: p99 of a healthy lane {before:.1f} ms alone, {with_it:.1f} ms beside "
             f"{lane['pending']} waiting for a dead partner: {with_it / before:.2f} times "
             f"({len(alone)} orders each)")
    assert lane["pending"] + lane["in_flight"] == WAITING and given_up(loaded) >= CONCURRENCY
    assert with_it <= MOST * before
    loaded.kill9()  # a graceful stop would wait for those that hang
