# SPDX-License-Identifier: MIT
"""kill -9 at random moments under load, while the weather changes: keys go wrong and right again, the
partner fails, asks for a pause, resets connections after it took what they carried, and the operator
holds lanes and lets them go. What was acknowledged is delivered in the end, whatever a lane stood in
when the process died; what was delivered twice was so because nobody knew about the first time, and
the ledger says that; nothing is rejected but the forged tokens that are meant to be.

Environment: KILL_ROUNDS, how often it is killed (20); KILL_SEED, other dice.
"""
import json
import os
import random
import time

import wire
from daemon import KEY, PRODUCT, note, until
from sandbox_client import wait_for
from workers import Workers

ROUNDS = int(os.environ.get("KILL_ROUNDS", "20"))
SEED = int(os.environ.get("KILL_SEED", "1"))
CLIENTS = 4
SHOES, SHOES_KEY = "shoe-1", "shoe-key-000"
LANES = ("sovendus.default", "sovendus.shoes")
FORGED_EVERY = 50  # orders
ROUND_MOST = 700  # orders, or the sandbox's books, which hold a million, would be full in 1,000 rounds


class Clients(Workers):
    """Post clicks and orders through every death, and write down what was acknowledged. Half of the
    orders come by a click that was acknowledged before, half in token mode; half a product."""

    def __init__(self, shop):
        super().__init__(CLIENTS)
        self.shop = shop
        self.acknowledged = {}  # order: token
        self.most = ROUND_MOST

    def _one(self, conn, number, count):
        kind = "forged" if count % FORGED_EVERY == 0 else "kill"
        order = f"{kind}-{number}-{count}"
        token = f"{order}-token"
        product = "shoes" if count // 2 % 2 else "default"
        fields = {"order": order, "token": token, "product": product}
        if count % 2:
            click = wire.send(conn, "POST", "/v1/clicks", {"token": token, "product": product})
            if click.status != 201:
                return self.odd.append(click)
            fields = {"order": order, "click": click.json["click"]}
        answer = wire.send(conn, "POST", "/v1/orders", fields)
        if answer.status != 202:
            return self.odd.append(answer)
        self.acknowledged[order] = token
        return None

    def run(self, number):
        count = 0
        while not self.over.is_set():
            try:
                conn = wire.connection(self.shop.address, timeout=10)
                while not self.over.is_set():
                    if len(self.acknowledged) >= self.most:
                        self.over.wait(0.005)
                        continue
                    count += 1
                    self._one(conn, number, count)
            except (OSError, wire.http.client.HTTPException):
                # Killed: what was under way has no answer, and this name is not used again.
                self.over.wait(0.005)


class Weather:
    """What partner and operator do in a round. A pause is the operator's until the lane is resumed,
    everything else lasts until the next change."""

    # Answers that take a moment, and some failures, so that a kill meets every stage.
    CALM = "status=503 probability=0.03, accept-reset probability=0.02, delay=5ms every=3"
    FORGED = "status=404 token=forged-*"

    def __init__(self, shop, partner, dice):
        self.shop, self.partner, self.dice = shop, partner, dice
        self.paused = None  # the lane that is
        self.deck = []

    def _set(self, faults, **keys):
        self.partner.set_products({PRODUCT: keys.get("key", KEY), SHOES: keys.get("shoes", SHOES_KEY)})
        self.partner.set_faults(", ".join(filter(None, (self.FORGED, faults))))

    def calm(self):
        self._set(self.CALM)

    def wrong_key(self):
        lane = LANES[self.paused == LANES[0]]
        self._set(self.CALM, **{"key" if lane == LANES[0] else "shoes": "another-key-000"})

    def failing(self):
        self._set("status=500")

    def one_fails(self):
        self._set(f"status=502 product={self.dice.choice((PRODUCT, SHOES))}, {self.CALM}")

    def busy(self):
        self._set(f"status=429 retry-after=1 probability=0.05, {self.CALM}")

    def silent(self):
        """It takes everything and never says so."""
        self._set("hang taken probability=0.2, delay=5ms every=3")

    def pause(self):
        self.resume()
        self.paused = self.dice.choice(LANES)
        assert self.shop.post(f"/v1/lanes/{self.paused}/pause").status == 200

    def resume(self):
        if self.paused:
            assert self.shop.post(f"/v1/lanes/{self.paused}/resume").status == 200
        self.paused = None

    def change(self):
        if not self.deck:
            self.deck = [self.calm, self.wrong_key, self.failing, self.busy, self.calm, self.one_fails,
                         self.silent, self.wrong_key, self.pause, self.resume]
            self.dice.shuffle(self.deck)
        self.deck.pop()()

    def clear_up(self):
        self.resume()
        self._set("")


def kill_again_and_again(shop, clients, weather, dice):
    for _ in range(ROUNDS):
        weather.change()
        clients.most = len(clients.acknowledged) + ROUND_MOST
        until(time.monotonic() + dice.uniform(0.05, 0.4))
        assert shop.running, shop.log_text()[-2000:]
        shop.kill9()
        if dice.random() < 0.2:  # in the middle of its start, too
            shop.spawn()
            until(time.monotonic() + dice.uniform(0, 0.08))
            shop.kill9()
        shop.start()


def every_row(shop, state):
    cursor = ""
    while cursor is not None:
        page = shop.get(f"/v1/orders?state={state}&limit=1000{cursor}").json
        yield from page["orders"]
        cursor = f"&cursor={page['next']}" if page.get("next") else None


def lane_moves(shop):
    """{state: how often a lane entered it}; the log is too long to be held at once."""
    entered = {}
    with open(shop.log_path, encoding="utf-8", errors="replace") as log:
        for line in log:
            if '"lane.state"' in line and line.endswith("}\n") and line.startswith("{"):
                to = json.loads(line)["to"]
                entered[to] = entered.get(to, 0) + 1
    return entered


def check_repeats(shop, orders, taken, repeated):
    """Each time but the last that it was taken, nobody was told; how many were under way at a kill."""
    killed = 0
    for order in repeated:
        story = shop.story(order)
        unknown = [attempt for attempt in story["attempts"] if attempt["outcome"] == "unknown"]
        delivered = [attempt for attempt in story["attempts"] if attempt["outcome"] == "delivered"]
        assert story["state"] == "delivered" and len(delivered) == 1, (order, story)
        assert taken[orders[order]] <= len(unknown) + 1, (order, story)
        # The ledger has no word on what no process lived to see.
        killed += any(not attempt["error"] for attempt in unknown)
    return killed


def test_killed_at_random_moments_nothing_acknowledged_is_lost(daemons, partner, capsys):
    dice = random.Random(SEED)
    shop = daemons.make(BACKCHANNEL_LOG="info,json", BACKCHANNEL_LANE_PROBE="100ms",
                        BACKCHANNEL_DELIVERY_TIMEOUT="1s")
    (shop.work / "backchannel.conf").write_text(
        f"[product shoes]\nid = {SHOES}\nkey = {SHOES_KEY}\n", encoding="ascii")
    shop.start()
    weather = Weather(shop, partner, dice)
    weather.calm()
    with Clients(shop) as clients:
        wait_for(lambda: len(clients.acknowledged) > 20, what="load")
        kill_again_and_again(shop, clients, weather, dice)
    weather.clear_up()
    wait_for(shop.nothing_waits, 60 + ROUNDS, "the last deliveries")

    _, _, books = partner.ask("GET", "/_sandbox/counts", timeout=120)
    taken = {token: row["accepted"] for token, row in json.loads(books)["tokens"].items()}
    orders = {order: token for order, token in clients.acknowledged.items() if order.startswith("kill")}
    forged = set(clients.acknowledged) - set(orders)
    lost = [order for order, token in orders.items() if taken.get(token, 0) == 0]
    repeated = [order for order, token in orders.items() if taken.get(token, 0) > 1]
    rejected = {row["order"] for row in every_row(shop, "rejected")}
    killed = check_repeats(shop, orders, taken, repeated)
    moves = lane_moves(shop)
    with capsys.disabled():
        note(f"kill test: {ROUNDS} rounds, acknowledged {len(orders)}, delivered {len(orders) - len(lost)}, "
             f"lost {len(lost)}, repeated {len(repeated)} ({killed} under way at a kill, the others' answers "
             f"lost), each unknown in the ledger; {len(forged)} forged ones rejected; lanes "
             f"{', '.join(f'{state} {count}' for state, count in sorted(moves.items()))}")

    assert len(orders) > ROUNDS * 10, "too little load to show anything"
    assert lost == []
    assert [answer for answer in clients.odd if answer.status != 503] == []
    assert [order for order in rejected if not order.startswith("forged")] == []
    assert [shop.story(order) for order in forged - rejected] == []
    # What was never acknowledged may be there or not, but never in between.
    for state in ("expired", "cancelled"):
        assert list(every_row(shop, state)) == []
    assert moves.get("parked") and moves.get("paused"), "the weather was too good to show anything"
