# SPDX-License-Identifier: MIT
"""A store that a former release left, opened by this one: everything is there, what waited is
handed back, and nobody is left with half an upgrade. The stores were made by the programs of then
(store_samples.py)."""
import contextlib
import signal
import sqlite3
import subprocess

import pytest

import store_samples
from daemon import KEY, PRODUCT, binary
from store_samples import DELIVERED, FILLED, PARKED, UNUSED, WAITING, token

SAMPLES = sorted(store_samples.FOLDER.glob("schema-*.sql"))
FIRST = store_samples.FOLDER / "schema-1.sql"


def former(daemons, sample, shoe_key=store_samples.SHOE_KEY, **settings):
    """A daemon, not started, whose store is of then."""
    shop = daemons.make(**store_samples.settings(shoe_key), **settings)
    shop.state.mkdir(mode=0o700)
    store_samples.restore(sample, shop.state / "backchannel.db")
    return shop


def today(daemons):
    """The layout of a new store."""
    new = daemons()
    new.stop()
    return store_samples.layout(new.state / "backchannel.db")


@pytest.fixture
def partner_of_then(partner):
    partner.set_products({PRODUCT: KEY, store_samples.SHOES["id"]: store_samples.SHOE_KEY})
    return partner


def test_there_is_a_sample_of_the_first_release_and_of_every_layout_before_this(daemons):
    assert [s.stem for s in SAMPLES][:today(daemons) - 1] == \
        [f"schema-{n}" for n in range(1, today(daemons))]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.stem)
def test_everything_is_there_and_what_waited_is_handed_back(daemons, partner_of_then, sample):
    shop = former(daemons, sample).start()
    count = {state: list(FILLED.values()).count(state) for state in set(FILLED.values())}
    listed = {o["order"]: o["state"] for o in shop.get("/v1/orders?limit=100").json["orders"]}
    assert set(listed) == set(FILLED)
    for order in [*DELIVERED, "rejected", "expired", "cancelled", "nobody"]:
        story = shop.story(order)
        assert story["state"] == FILLED[order] and len(story["attempts"]) == story.get("attempt_count", 0)
    assert shop.story("expired")["attempts"] and shop.story("rejected")["reason"]
    # The key of the shoes was put right: their lane, which stood parked, opens by itself.
    for order in [*PARKED, "sending"]:
        assert shop.wait_state(order, "delivered")["attempts"][-1]["status"] == 200
    assert [a["outcome"] for a in shop.story("sending")["attempts"]] == ["unknown", "delivered"]
    assert shop.post("/v1/orders/retry?state=pending").status == 200
    for order in WAITING:
        assert len(shop.wait_state(order, "delivered")["attempts"]) > 1
    delivered = count["delivered"] + len(WAITING) + len(PARKED) + 1
    assert shop.get("/v1/orders?state=delivered&count=1").json["count"] == delivered
    assert all(partner_of_then.accepted(token(o)) == 0 for o in DELIVERED), "those were, then"
    for name in UNUSED:
        assert shop.order("of-" + name, session="s-" + name, wait="5s").json["state"] == "delivered"
        assert partner_of_then.accepted(token(name)) == 1
    assert shop.order("again", token=token(DELIVERED[0])).json["state"] == "unattributed"
    rates = {p["product"]: p["windows"]["24h"] for p in shop.get("/v1/summary").json["products"]}
    shoes = rates["shoes"]
    assert (shoes["orders"], shoes["delivered"], shoes["cancelled"]) == (len(PARKED), len(PARKED), 1)
    assert shop.post("/v1/orders/expired/retry").status == 200
    shop.wait_state("expired", "delivered")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.stem)
def test_a_lane_that_stood_stands_and_its_conversions_wait(daemons, partner_of_then, sample):
    shop = former(daemons, sample, shoe_key="wrong-key-000").start()
    lane = shop.wait_lane("parked", name="sovendus.shoes")
    assert lane["pending"] == len(PARKED) and lane["reason"]
    assert {shop.story(order)["state"] for order in PARKED} == {"pending"}
    shop.stop()
    assert store_samples.layout(shop.state / "backchannel.db") == today(daemons)
    with contextlib.closing(sqlite3.connect(shop.state / "backchannel.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_release_before_refuses_what_this_one_wrote_with_words(daemons):
    shop = daemons()
    shop.stop()
    with contextlib.closing(sqlite3.connect(shop.state / "backchannel.db")) as db:
        version, = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
    refused = shop.cli("serve")
    assert refused.code == 1
    assert f"written by a newer backchannel: layout {version + 1}, this one knows {version}" in refused.err
    assert "install that version again" in refused.err
    assert store_samples.layout(shop.state / "backchannel.db") == version + 1


def _start_and_die(shop, file_bytes):
    """Starts it as a machine would that dies in the middle: the kernel kills it at the first write
    that goes beyond so many bytes of a file."""
    limited = f"ulimit -c 0; ulimit -f {file_bytes // 1024}; exec \"$0\" orders --json"
    return subprocess.run(["bash", "-c", limited, binary()], env=shop.env, cwd=shop.work,
                          capture_output=True, text=True, timeout=60, check=False)


def test_an_upgrade_that_is_killed_leaves_the_former_store_or_the_new_one(daemons, partner_of_then):
    new, seen = today(daemons), set()
    shop = former(daemons, FIRST)
    path = shop.state / "backchannel.db"
    for kib in range(0, 4096, 16):
        done = _start_and_die(shop, kib * 1024)
        seen.add(layout_as_read(path))
        assert seen <= {1, new}, done
        if done.returncode == 0:
            break
        assert done.returncode in (1, -signal.SIGXFSZ, 128 + signal.SIGXFSZ), done
    assert seen == {1, new}, "it was killed before, and got through at last"
    shop.start()
    for order in [*PARKED, "sending"]:
        shop.wait_state(order, "delivered")
    assert {o["order"] for o in shop.get("/v1/orders?limit=100").json["orders"]} == set(FILLED)


def layout_as_read(path):
    """What a process that opens it finds, its log included; without bringing that in."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        return db.execute("PRAGMA user_version").fetchone()[0]
