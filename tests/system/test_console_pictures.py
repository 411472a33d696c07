# SPDX-License-Identifier: MIT
"""Takes the pictures of docs/console.md anew, at three widths, of a shop with a week of trade behind it and
one product whose key is wrong. Only when asked to:

    BACKCHANNEL_SCREENSHOTS=1 python3 -m pytest tests/system/test_console_pictures.py
"""
import math
import os
import sqlite3
import time

import pytest

from conftest import ROOT
from console_page import WIDTHS, browser, visit  # noqa: F401  (browser is a fixture)
from daemon import KEY, PRODUCT, is_sanitized
from joined import Joined

pytestmark = [
    pytest.mark.skipif(is_sanitized(), reason="the page is what is shown"),
    pytest.mark.skipif(not os.environ.get("BACKCHANNEL_SCREENSHOTS"), reason="takes the pictures of the docs, when asked to"),
]

STEP_MS = 5 * 60 * 1000


def draw_a_week(path):
    """A week of trade, as the store would have it: what came by five minutes, and the orders themselves."""
    now_ms = int(time.time() * 1000)
    with sqlite3.connect(path) as db:
        for back in range(1, 7 * 288):
            bucket = now_ms // STEP_MS - back
            busy = 1.3 + math.sin((back / 288 + 0.35) * 2 * math.pi) + 0.3 * math.sin(back * 0.7) * math.sin(back * 0.13)
            clicks, orders = max(0, round(9 * busy)), max(0, round(2.2 * busy))
            returned = max(0, orders - (back % 3 == 0))
            db.execute("INSERT INTO tally VALUES(?, ?, 0, ?)", [bucket, clicks, orders])
            # The lane of one product stands since two hours ago.
            for product, n in (("default", returned - returned // 3), ("shoes", returned // 3 if back > 24 else 0)):
                rejected = int(n > 0 and product == "default" and back % 61 == 0)
                if n:
                    db.execute("INSERT INTO returns VALUES(?, 'sovendus', ?, 0, 0, ?, ?, 0, 0)",
                               [bucket, product, n - rejected, rejected])
        rest = ", ".join(name for _, name, *_ in db.execute("PRAGMA table_info(orders)")
                         if name not in ("row", "order_id", "created_ms", "finished_ms", "token", "token_hash"))
        db.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2900) "
                   f"INSERT INTO orders(order_id, created_ms, finished_ms, {rest}) SELECT printf('%09d', 100000 + i), "
                   f"?1 - (2901 - i) * 200000, ?1 - (2901 - i) * 200000 + 400, {rest} FROM orders, n", [now_ms - 7_000_000])
        db.execute("DELETE FROM orders WHERE order_id = 'template'")
        db.execute("UPDATE counts SET n = 2900 WHERE name LIKE '%delivered'")
    db.close()


def spread(path):
    """What was reported just now came over the last two hours."""
    with sqlite3.connect(path) as db:
        (last,) = db.execute("SELECT max(row) FROM orders").fetchone()
        db.execute("UPDATE orders SET created_ms = created_ms - (? - row) * 331000 - 35000 WHERE order_id > '000102900'", [last])
        db.execute("UPDATE tally SET orders = orders + 20 WHERE bucket = (SELECT max(bucket) FROM tally)")
        db.execute("UPDATE lanes SET since_ms = since_ms - 7300000 WHERE since_ms > 0")
    db.close()


def test_pictures_for_the_docs(browser, tmp_path):
    made = Joined(tmp_path / "shop", BACKCHANNEL_LANE_PROBE="1h", BACKCHANNEL_RETRY_BASE="1h", BACKCHANNEL_RETRY_CAP="1h")
    made.sandbox.set_products({PRODUCT: KEY, "shoe-1": "the-right-key"})
    (made.daemon.work / "backchannel.conf").write_text("[product shoes]\nid = shoe-1\nkey = a-wrong-key-000\n", encoding="ascii")
    with made:
        shop = made.daemon
        shop.order("template", wait="10s", token="00001-first-abc-12345", amount="64.50", currency="EUR")
        shop.stop()
        draw_a_week(shop.state / "backchannel.db")
        shop.start()
        made.sandbox.set_faults("status=422 token=*-reject, status=503 token=*-later")
        kinds = {16: "reject", 20: "later"}
        for n in range(24):
            named = {} if n % 5 == 4 else {"token": f"001{n:02d}-order-abc-{kinds.get(n, '12345')}",
                                           "product": "shoes" if n % 2 else "default"}
            shop.order(f"{102_901 + n:09d}", wait="1s", amount=f"{17 + n * 37 % 160}.90", currency="EUR", **named)
        for n in range(240):
            shop.get(f"/accs/V1/{('orders/201', 'products/24-MB01', 'orders/201/comments')[n % 7 % 3]}")
        shop.stop()
        spread(shop.state / "backchannel.db")
        shop.start()
        for n in range(60):
            shop.get(f"/accs/V1/{('orders/201', 'store/storeConfigs', 'orders/201/comments')[n % 7 % 3]}")
            shop.click(token=f"002{n:02d}-click-abc-12345")
        for width, height in zip(WIDTHS, (1320, 1250, 1250)):
            visit(browser, shop, token=None, viewport={"width": width, "height": height}, colorScheme="dark" if width == 768 else "light")
            browser.wait_text("#shown", "newest first")
            browser.wait("document.querySelector('#legend li') && document.querySelector('#chart canvas')")
            path = ROOT / "docs" / f"console-{width}.png"
            browser.shot(path)
            assert path.stat().st_size < 150_000
