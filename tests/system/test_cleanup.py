# SPDX-License-Identifier: MIT
"""What the clean-up takes, and what an order that comes afterwards is told."""
import itertools
import time

from sandbox_client import wait_for


def files_hold(shop, text):
    return any(text.encode() in path.read_bytes() for path in shop.state.iterdir() if path.is_file())


def reason(answer):
    assert (answer.status, answer.json["state"]) == (200, "unattributed"), answer
    return answer.json["reason"]


def test_with_order_keep_0_a_token_is_gone_and_its_click_still_used(daemons, partner, unique):
    shop = daemons(BACKCHANNEL_ORDER_KEEP="0")
    older, token, session = unique.token(), unique.token(), unique.session()
    shop.click(token=older, session=session)
    shop.click(token=token, session=session)  # and the landing page loaded again:
    click = shop.click(token=token, session=session)["click"]
    assert shop.order("first", wait="10s", session=session).json["state"] == "delivered"
    wait_for(lambda: not files_hold(shop, token), 15, "the token's end in every file")
    shop.click(token=token, session=session)  # and once more, after the purchase
    assert not files_hold(shop, token)
    for again in range(2):
        assert reason(shop.order(f"session{again}", session=session)) == "click used by order first"
        assert reason(shop.order(f"click{again}", click=click)) == "click used by order first"
        assert reason(shop.order(f"token{again}", token=token)) == "click used by order first"
        shop.restart()
    assert (partner.accepted(token), partner.accepted(older)) == (1, 0)


def test_an_order_soon_after_its_click_expired_is_told_so(daemons, unique):
    """Also when the clean-up has run meanwhile, which the unknown one of two clicks shows."""
    numbers = itertools.count()
    shop = daemons(BACKCHANNEL_CLICK_TTL="1s")
    long_ago = shop.click(token=unique.token())["click"]
    shop.stop()
    shop.settings["BACKCHANNEL_CLICK_TTL"] = "6s"
    shop.start()
    recent = shop.click(token=unique.token())["click"]
    over = time.time() + 6.1
    shop.stop()
    wait_for(lambda: time.time() > over)
    shop.start()  # it cleans up soon after a start
    wait_for(lambda: reason(shop.order(f"old{next(numbers)}", click=long_ago)) == "unknown click", 4)
    assert reason(shop.order("recent", click=recent)) == "click expired"
