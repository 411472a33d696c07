# SPDX-License-Identifier: MIT
"""Stores of former releases as SQL text, tests/samples/store/schema-N.sql: making one with the
program that had that layout, and making a file of it again whose times are of now.

A new layout gets its sample once, by the program that introduces it:

    BACKCHANNEL_BIN=DIR/backchannel python3 tests/system/store_samples.py > \\
        tests/samples/store/schema-4.sql

What each holds stands in FILLED; what it is worth is that no program of today wrote it.
"""
import contextlib
import pathlib
import re
import sqlite3
import sys
import tempfile
import time

from daemon import KEY, PRODUCT, Daemon
from sandbox_client import Sandbox, wait_for

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "samples" / "store"
HASH_KEY = "store-sample-0123456789abcdef"
SHOE_KEY = "shoe-key-000"
SHOES = {"id": "shoe-1", "key": SHOE_KEY}
DELIVERED = [f"delivered-{i}" for i in range(3)]
WAITING = [f"waiting-{i}" for i in range(2)]       # the partner was away when they were tried
PARKED = [f"parked-{i}" for i in range(2)]         # on sovendus.shoes, whose key was wrong
FILLED = {**{order: "delivered" for order in DELIVERED}, **{order: "pending" for order in WAITING},
          **{order: "pending" for order in PARKED}, "rejected": "rejected", "expired": "expired",
          "cancelled": "cancelled", "nobody": "unattributed", "sending": "sending"}
UNUSED = [f"unused-{i}" for i in range(4)]         # sessions whose clicks were not used
CLICKS = len(FILLED) - 1 + len(UNUSED)
NAME_OF_TIME = re.compile(r"_ms$")
TIMES_FROM = 1_600_000_000_000                     # numbers above are times, below durations


def token(name):
    return f"{name.replace('-', '')}-sample-0001"


def settings(shoe_key):
    return {"BACKCHANNEL_HASH_KEY": HASH_KEY, "BACKCHANNEL_PRODUCT_SHOES_PARTNER": "sovendus",
            "BACKCHANNEL_PRODUCT_SHOES_ID": SHOES["id"], "BACKCHANNEL_PRODUCT_SHOES_KEY": shoe_key,
            "BACKCHANNEL_LANE_PROBE": "1h", "BACKCHANNEL_CLICK_TTL": "30d"}


def _report(shop, order, **click):
    session = "s-" + order
    shop.click(token=token(order), session=session, **click)
    answer = shop.order(order, session=session)
    assert answer.status == 202, answer


def _fill(shop, partner):
    for name in UNUSED:
        shop.click(token=token(name), session="s-" + name)
    for order in DELIVERED:
        _report(shop, order)
        shop.wait_state(order, "delivered")
    assert shop.order("nobody", session="s-nobody").json["state"] == "unattributed"
    for order in [*PARKED, "cancelled"]:
        _report(shop, order, product="shoes")
    shop.wait_lane("parked", name="sovendus.shoes")
    assert shop.post("/v1/orders/cancelled/cancel").status == 200
    partner.set_faults('status=422 message="Token not found." first=3')
    _report(shop, "rejected")
    shop.wait_state("rejected", "rejected")


def _expire(shop, partner):
    partner.set_faults("status=503")
    shop.settings["BACKCHANNEL_RETRY_DEADLINE"] = "1s"
    shop.restart()
    _report(shop, "expired")
    over = time.time() + 1.1
    wait_for(lambda: time.time() > over)
    shop.restart()  # what is past its deadline is looked for at the start
    shop.wait_state("expired", "expired")
    del shop.settings["BACKCHANNEL_RETRY_DEADLINE"]


def _die(shop, partner):
    """Some wait for the partner, one is under way, and then the process is gone."""
    shop.settings["BACKCHANNEL_RETRY_BASE"] = shop.settings["BACKCHANNEL_RETRY_CAP"] = "1h"
    shop.restart()
    for order in WAITING:
        _report(shop, order)
        wait_for(lambda o=order: "next_attempt_at" in shop.story(o) and shop.story(o)["attempts"],
                 what="an attempt")
    partner.set_faults("hang")
    _report(shop, "sending")
    shop.wait_state("sending", "sending")
    for order, state in FILLED.items():
        assert shop.story(order)["state"] == state, order
    shop.kill9()


def _dump(path, made_ms):
    with contextlib.closing(sqlite3.connect(path)) as db:
        version, = db.execute("PRAGMA user_version").fetchone()
        application, = db.execute("PRAGMA application_id").fetchone()
        yield f"-- A store of layout {version}. See tests/system/store_samples.py."
        yield f"-- made_ms {made_ms}"
        yield f"PRAGMA application_id = {application};"
        yield f"PRAGMA user_version = {version};"
        yield from db.iterdump()


def make():
    with tempfile.TemporaryDirectory() as folder, Sandbox() as partner:
        partner.set_products({PRODUCT: KEY, SHOES["id"]: SHOE_KEY})
        shop = Daemon(folder, partner, **settings("wrong-key-000"))
        shop.start()
        _fill(shop, partner)
        _expire(shop, partner)
        _die(shop, partner)
        return list(_dump(shop.state / "backchannel.db", int(time.time() * 1000)))


# --- using one -----------------------------------------------------------------------------------

def _shift(db, by_ms):
    """All its times, as if it had been made that much later. Buckets are five minutes."""
    tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for _, column, *_ in db.execute(f"PRAGMA table_info({table})").fetchall():
            if NAME_OF_TIME.search(column):
                db.execute(f"UPDATE {table} SET {column} = {column} + ? WHERE {column} > ?",
                           (by_ms, TIMES_FROM))
            elif column == "bucket":
                db.execute(f"UPDATE {table} SET bucket = bucket + ?", (by_ms // 300_000,))


def restore(sample, path):
    """Makes a store of the sample, with the times of one that was killed just now."""
    text = sample.read_text(encoding="utf-8")
    made_ms = int(re.search(r"^-- made_ms (\d+)$", text, re.M)[1])
    by_ms = (int(time.time() * 1000) - made_ms) // 300_000 * 300_000
    db = sqlite3.connect(path)
    db.executescript(text)
    _shift(db, by_ms)
    db.commit()
    db.execute("PRAGMA journal_mode = WAL")  # as backchannel leaves it
    db.close()
    path.chmod(0o600)


def layout(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


if __name__ == "__main__":
    sys.stdout.write("\n".join(make()) + "\n")
