# SPDX-License-Identifier: MIT
"""The capture recipes and the daemon: from the landing to the delivery, and what a visitor notices of
a daemon that is slow, stopped or was never there: nothing."""
import pathlib
import shutil
import tempfile

import pytest

from daemon import KEY, PRODUCT, note
from ports import own_address
from web_servers import SERVERS, Ears, Shop, recipe

BY_ID = [name for name in SERVERS if name.endswith("-log")]
INPUTS = [(name, kind) for name in BY_ID for kind in ("unix", "udp")]

ROUNDS, ROUNDS_MOST, PAGES = 4, 20, 60
BOUND_MS = 3.0  # what two medians of the same may differ by on a machine that does other things too


@pytest.fixture
def place():
    """A folder whose name is short enough for a socket, and open to the server's user."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bc-input-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def input_address(kind, place):
    return f"unix:{place}/in" if kind == "unix" else f"udp:{own_address()}"


def after_a_restart(name, server):
    """nginx keeps its socket open, and learns by the next datagram that nobody reads there any more:
    that one is lost. HAProxy loses none. docs/capture.md says so."""
    if name == "nginx-log":
        server.click("/page?sovReqToken=the-one-that-is-lost")


def serve(name, shop, folder, address):
    return SERVERS[name](shop, recipe(name, folder, BACKCHANNEL_INPUT=address))


# --- from the landing to the delivery ------------------------------------------------------------

@pytest.mark.parametrize("name", [name for name in SERVERS if name not in BY_ID])
def test_token_mode_an_order_with_the_cookie_is_delivered(name, shop, partner, unique, tmp_path):
    token, order = unique.token(), unique.order()
    with Shop() as application, serve(name, application, tmp_path, None) as server:
        click = server.click(f"/page?sovReqToken={token}")
    answer = shop.order(order, wait="10s", click=click)
    assert answer.json["state"] == "delivered" and partner.accepted(token) == 1


@pytest.mark.parametrize("name", [name for name in SERVERS if name not in BY_ID])
def test_token_mode_a_landing_while_the_daemon_is_stopped_is_not_lost(name, daemons, partner, unique,
                                                                      tmp_path):
    token, daemon = unique.token(), daemons()
    with Shop() as application, serve(name, application, tmp_path, None) as server:
        daemon.kill9()
        click = server.click(f"/page?sovReqToken={token}")
        daemon.start()
    answer = daemon.order(unique.order(), wait="10s", click=click)
    assert answer.json["state"] == "delivered" and partner.accepted(token) == 1


@pytest.mark.parametrize("name,kind", INPUTS)
def test_id_mode_an_order_with_the_cookie_is_delivered(name, kind, daemons, partner, unique, place):
    """The order may overtake the datagram: then it waits for the click (order.adopt)."""
    address = input_address(kind, place)
    daemon = daemons(BACKCHANNEL_INPUT=address)
    token, order = unique.token(), unique.order()
    with Shop() as application, serve(name, application, place, address) as server:
        click = server.click(f"/page?sovReqToken={token}")
        daemon.order(order, click=click)
        daemon.wait_state(order, "delivered")
    assert partner.accepted(token) == 1


@pytest.mark.parametrize("name,kind", INPUTS)
def test_id_mode_after_a_restart_of_the_daemon_clicks_arrive_again(name, kind, daemons, partner,
                                                                   unique, place):
    address = input_address(kind, place)
    daemon = daemons(BACKCHANNEL_INPUT=address)
    with Shop() as application, serve(name, application, place, address) as server:
        server.click(f"/page?sovReqToken={unique.token()}")
        for stop in (daemon.stop, daemon.kill9):
            stop()
            server.click(f"/page?sovReqToken={unique.token()}")  # while there is nobody
            daemon.start()
            after_a_restart(name, server)
            told = {unique.token(): unique.order() for _ in range(3)}
            for token, order in told.items():
                daemon.order(order, click=server.click(f"/page?sovReqToken={token}"))
            for token, order in told.items():
                daemon.wait_state(order, "delivered")
                assert partner.accepted(token) == 1


LANDING = "[product shoes]\nid = shoe-1\nkey = shoe-key-000\nlanding = /shoes/\n"


@pytest.mark.parametrize("name", BY_ID)
def test_id_mode_the_product_is_told_by_where_the_visitor_landed(name, daemons, partner, unique, place):
    """By the path alone: what else the landing was asked with stays with the web server."""
    address = input_address("unix", place)
    partner.set_products({PRODUCT: KEY, "shoe-1": "shoe-key-000"})
    daemon = daemons.make(BACKCHANNEL_INPUT=address)
    (daemon.work / "backchannel.conf").write_text(LANDING, encoding="ascii")
    printed = daemon.cli("recipe", name).out
    with Shop() as application, SERVERS[name](application, printed) as server:
        with Ears(address) as ears:
            server.click("/shoes/red?size=43&sovReqToken=path-is-sent")
            assert ears.wait("path-is-sent")["uri"] == "/shoes/red"
        daemon.start()
        after_a_restart(name, server)
        for path, product in (("/shoes/red", "shoes"), ("/hats", "default")):
            order = unique.order()
            daemon.order(order, click=server.click(f"{path}?size=43&sovReqToken={unique.token()}"))
            assert daemon.wait_state(order, "delivered")["product"] == product


@pytest.mark.parametrize("name", [name for name in SERVERS if name not in BY_ID])
def test_token_mode_says_that_its_cookie_does_not_tell_the_product(name, daemons):
    daemon = daemons.make()
    assert "where visitors land" not in daemon.cli("recipe", name).out
    (daemon.work / "backchannel.conf").write_text(LANDING, encoding="ascii")
    assert "where visitors land" in daemon.cli("recipe", name).out


# --- what the visitor notices --------------------------------------------------------------------

class _Inputs:
    """The daemon's input in each state that it can be in. Token mode knows none of them."""

    def __init__(self, address):
        self.address, self.ears = address, None

    def set(self, state):
        self.close()
        if state in ("present", "slow", "stopped"):
            self.ears = Ears(self.address, deaf=state == "slow")
        if state == "stopped":
            self.close()
        if state == "never there" and self.address.startswith("unix:"):
            pathlib.Path(self.address.removeprefix("unix:")).unlink(missing_ok=True)

    def close(self):
        if self.ears:
            self.ears.close()
            self.ears = None


STATES = ["present", "never there", "stopped", "slow"]


def even(found, base):
    """Is the best round of no other slower than that of base?"""
    return all(min(medians) <= min(found[base]) + BOUND_MS for medians in found.values())


def measure(server, inputs):
    """{state: medians, one a round}; every page has to come, and none may wait. Some rounds more where
    the best ones differ."""
    found, number = {state: [] for state in STATES}, 0
    server.page_times(["/warm"] * PAGES)
    while len(found["slow"]) < ROUNDS or not (even(found, "present") or len(found["slow"]) >= ROUNDS_MOST):
        for state in STATES:
            inputs.set(state)
            targets = [f"/page?sovReqToken=measured-{number + i}" for i in range(PAGES)]
            number += PAGES
            found[state].append(server.median(targets))
    return found


@pytest.mark.parametrize("name,kind", [*((name, "unix") for name in SERVERS), *(
    (name, "udp") for name in BY_ID)])
def test_no_page_waits_for_a_daemon_that_is_slow_or_stopped_or_never_was_there(name, kind, place):
    """One connection asks for the pages, so a delay of the next one would show as well. The best
    round of each counts: the machine may be busy, a wait would be in all of them."""
    inputs = _Inputs(input_address(kind, place))
    with Shop() as application, serve(name, application, place, inputs.address) as server:
        try:
            found = measure(server, inputs)
        finally:
            inputs.close()
    best = {state: min(medians) for state, medians in found.items()}
    note(f"{name} ({kind}), median of a landing: " + ", ".join(
        f"{best[state]:.2f} ms {state}" for state in STATES))
    assert even(found, "present"), found


@pytest.mark.parametrize("name", SERVERS)
def test_a_landing_takes_no_longer_than_another_page(name, place):
    address = input_address("unix", place)
    with Shop() as application, Ears(address), serve(name, application, place, address) as server:
        plain, landing = [], []
        server.page_times(["/warm"] * PAGES)
        found = {"plain": plain, "landing": landing}
        while len(plain) < ROUNDS or not (even(found, "plain") or len(plain) >= ROUNDS_MOST):
            number = len(plain)
            plain.append(server.median([f"/page?plain={number}"] * PAGES))
            landing.append(server.median([f"/page?sovReqToken=compared-{number}"] * PAGES))
    assert even(found, "plain"), found


@pytest.mark.parametrize("name,kind", INPUTS)
def test_an_input_that_was_full_or_gone_hears_again_when_it_is_back(name, kind, place):
    """As a daemon that restarts: its socket is another one under the same name."""
    inputs = _Inputs(input_address(kind, place))
    with Shop() as application, serve(name, application, place, inputs.address) as server:
        for number, state in enumerate(["never there", "slow", "stopped", "present"]):
            inputs.set(state)
            server.page_times([f"/page?sovReqToken=missed-{i}" for i in range(400)])
            inputs.set("present")
            after_a_restart(name, server)
            for again in range(3):
                token = f"back-again-{number}-{again}"
                click = server.click(f"/page?sovReqToken={token}")
                assert click == "c." + inputs.ears.wait(token)["click"]
        inputs.close()
