# SPDX-License-Identifier: MIT
"""kill -9 at random moments under load. What was acknowledged is delivered in the end; what was
delivered twice was so because nobody knew about the first time, and the ledger says that.

Environment: KILL_ROUNDS, how often it is killed (20); KILL_SEED, other dice.
"""
import os
import pathlib
import random
import threading
import time

import wire
from daemon import until
from sandbox_client import wait_for

ROUNDS = int(os.environ.get("KILL_ROUNDS", "20"))
SEED = int(os.environ.get("KILL_SEED", "1"))
CLIENTS = 4
# Half of the orders come by a click that was acknowledged before, half in token mode.


class Clients:
    """Post clicks and orders through every death, and write down what was acknowledged."""

    def __init__(self, shop):
        self.shop = shop
        self.acknowledged = {}  # order: token
        self.lost_clicks, self.odd = [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]

    def _one(self, conn, name, by_click):
        token = f"kill-{name}-token"
        fields = {"order": f"kill-{name}", "token": token}
        if by_click:
            click = wire.send(conn, "POST", "/v1/clicks", {"token": token})
            if click.status != 201:
                return self.odd.append(click)
            fields = {"order": f"kill-{name}", "click": click.json["click"]}
        answer = wire.send(conn, "POST", "/v1/orders", fields)
        if answer.status != 202:
            return self.odd.append(answer)
        self.acknowledged[fields["order"]] = token
        return None

    def _run(self, number):
        count = 0
        while not self.over.is_set():
            try:
                conn = wire.connection(self.shop.address, timeout=10)
                while not self.over.is_set():
                    count += 1
                    self._one(conn, f"{number}-{count}", count % 2)
            except (OSError, wire.http.client.HTTPException):
                # Killed: what was under way has no answer, and this name is not used again.
                self.over.wait(0.005)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def kill_again_and_again(shop, dice):
    for _ in range(ROUNDS):
        until(time.monotonic() + dice.uniform(0.05, 0.4))
        assert shop.running, shop.log_text()[-2000:]
        shop.kill9()
        shop.start()


def nothing_waits(shop):
    return all(shop.get(f"/v1/orders?state={state}&limit=1").json["orders"] == []
               for state in ("pending", "sending"))


def note(line):
    """For ./check, which shows the notes of its tests; and for whoever runs this alone."""
    print(line)
    notes = os.environ.get("BACKCHANNEL_CHECK_NOTES")
    if notes:
        with open(pathlib.Path(notes), "a", encoding="utf-8") as file:
            file.write(line + "\n")


def test_killed_at_random_moments_nothing_acknowledged_is_lost(daemons, partner, capsys):
    # Answers that take a moment, and some failures, so that a kill meets every stage.
    partner.set_faults("status=503 probability=0.03, accept-reset probability=0.02, delay=5ms every=3")
    shop = daemons(BACKCHANNEL_LOG="info,json")
    with Clients(shop) as clients:
        wait_for(lambda: len(clients.acknowledged) > 20, what="load")
        kill_again_and_again(shop, random.Random(SEED))
    partner.clear_faults()
    wait_for(lambda: nothing_waits(shop), 40, "the last deliveries")

    taken = {token: row["accepted"] for token, row in partner.counts()["tokens"].items()}
    orders = clients.acknowledged
    lost = [order for order, token in orders.items() if taken.get(token, 0) == 0]
    repeated = [order for order, token in orders.items() if taken.get(token, 0) > 1]
    delivered = len(orders) - len(lost)
    with capsys.disabled():
        note(f"kill test: {ROUNDS} rounds, acknowledged {len(orders)}, delivered {delivered}, "
             f"repeated {len(repeated)}, lost {len(lost)}")

    assert len(orders) > ROUNDS * 10, "too little load to show anything"
    assert lost == []
    assert [answer for answer in clients.odd if answer.status != 503] == []
    for order in repeated:
        story = shop.story(order)
        token = orders[order]
        outcomes = [attempt["outcome"] for attempt in story["attempts"]]
        assert story["state"] == "delivered" and "unknown" in outcomes, (order, outcomes)
        # Each time but the last that it was taken, nobody was told.
        assert taken[token] <= outcomes.count("unknown") + outcomes.count("delivered")
        assert outcomes.count("delivered") == 1
    # What was never acknowledged may be there or not, but never in between.
    states = {row["state"] for row in shop.get("/v1/orders?limit=1000").json["orders"]}
    assert states <= {"delivered", "unattributed"}
