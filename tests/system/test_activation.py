# SPDX-License-Identifier: MIT
"""Sockets that a service manager passes: they are served as they are, wait while the daemon restarts
(no connection is refused, no datagram lost), and one that nobody here takes is refused in words."""
import json
import os
import socket
import stat
import tempfile
import threading
import time

import pytest

import wire
from activator import Activated, datagram, stream, written
from in_time import in_time, tried_again_if_late
from sandbox_client import wait_for

RESTARTS = 10


@pytest.fixture
def folder():
    """Short enough for a socket's path."""
    with tempfile.TemporaryDirectory() as made:
        yield made


@pytest.fixture
def activated(tmp_path, partner):
    """Makes a daemon with these sockets, not started; both are gone at the test's end."""
    made = []

    def make(*sockets, **settings):
        daemon = Activated(tmp_path / f"activated{len(made)}", partner, sockets, **settings)
        made.append(daemon)
        return daemon
    yield make
    for daemon in made:
        daemon.stop()
        for _, held in daemon.sockets:
            held.close()


@pytest.fixture(params=["127.0.0.1", "::1", "unix"])
def listen(request, folder):
    return f"unix:{folder}/api.sock" if request.param == "unix" else request.param


def words(daemon):
    """Starts it and waits for its refusal."""
    daemon.spawn()
    assert daemon.wait_exit() == 1
    return daemon.log_text(this_run=True)


# --- served as they are ---------------------------------------------------------------------------

def test_each_socket_is_served_wherever_its_setting_says(activated, partner, unique, folder):
    api, edge, lines = stream("127.0.0.1"), stream("127.0.0.1"), datagram(f"unix:{folder}/in.sock")
    daemon = activated(("edge", edge), ("input", lines), ("listen", api), BACKCHANNEL_LISTEN="127.0.0.1:9",
                       BACKCHANNEL_EDGE="127.0.0.1:9").start()
    assert daemon.address == written(api)
    token, order = unique.token(), unique.order()
    assert wire.ask(written(edge), "GET", f"/v1/c?u=https://shop.example/?sovReqToken={unique.token()}").status == 204
    lines_in = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    lines_in.sendto(json.dumps({"click": "a" * 32, "tok": token}).encode(), f"{folder}/in.sock")
    wait_for(lambda: daemon.order(order, click="c." + "a" * 32).json["state"] != "unattributed", 10, "the click")
    daemon.wait_state(order, "delivered")
    assert partner.accepted(token) == 1
    told = {event["where"]: event for event in daemon.events("settings.warning")}
    assert "127.0.0.1:9" not in daemon.address and not told  # said before the log begins
    assert f'"listen" is not used from here: the socket that was passed is at {daemon.address}' in daemon.log_text()
    lines_in.close()


def test_a_setting_that_says_the_same_is_not_spoken_of(activated, listen):
    api = stream(listen)
    daemon = activated(("listen", api), BACKCHANNEL_LISTEN=written(api)).start()
    assert daemon.address == written(api) and "socket that was passed" not in daemon.log_text()
    assert daemon.cli("orders").code == 0


def test_the_paths_are_the_managers(activated, folder):
    """Mode and owner stay, and the end of the daemon leaves them."""
    api, lines = stream(f"unix:{folder}/api.sock"), datagram(f"unix:{folder}/in.sock")
    for name in ("api", "in"):
        os.chmod(f"{folder}/{name}.sock", 0o621)
    daemon = activated(("listen", api), ("input", lines), BACKCHANNEL_INPUT_GROUP="root").start()
    assert daemon.stop() == 0
    assert [stat.S_IMODE(os.stat(f"{folder}/{name}.sock").st_mode) for name in ("api", "in")] == [0o621, 0o621]
    assert '"input.group" does nothing to a socket that was passed' in daemon.log_text()


def test_a_reload_goes_on_with_the_socket(activated, unique):
    daemon = activated(("listen", stream("127.0.0.1")), BACKCHANNEL_LISTEN="127.0.0.1:9").start()
    os.kill(daemon.pid, 1)
    wait_for(lambda: daemon.events("settings.reloaded"), 10, "the reload")
    assert not daemon.events("settings.warning")
    assert daemon.order(unique.order(), token=unique.token()).status == 202


def test_the_rules_go_by_the_socket_and_not_by_the_setting(activated):
    """An API that others can reach needs a token, whatever "listen" says."""
    public = socket.socket()
    public.bind(("0.0.0.0", 0))
    public.listen()
    assert "api_token" in words(activated(("listen", public), BACKCHANNEL_LISTEN="127.0.0.1:0"))


def test_what_was_passed_to_another_process_is_not_touched(activated):
    daemon = activated(("listen", stream("127.0.0.1")))
    daemon.pid_for = "1"
    daemon.start()
    assert daemon.address != written(daemon.sockets[0][1])


# --- refused in words -----------------------------------------------------------------------------

@pytest.mark.parametrize("name,make,problem", [
    ("backchannel.socket", stream, 'passed as "backchannel.socket" is for nobody here'),
    ("", stream, "is for nobody here"),
    ("listen", datagram, 'passed as "listen" is of another kind'),
    ("input", stream, 'passed as "input" is of another kind'),
    ("edge", lambda address: socket.socket(), 'passed as "edge" does not listen'),
    ("listen", lambda address: _abstract(), "has no address that a setting could say"),
])
def test_a_socket_that_cannot_serve_is_refused_and_the_hint_names_the_directive(activated, name, make, problem):
    said = words(activated((name, make("127.0.0.1"))))
    assert problem in said, said
    assert "FileDescriptorName=" in said or "Listen" in said


def _abstract():
    made = socket.socket(socket.AF_UNIX)
    made.bind(f"\0backchannel-test-{os.getpid()}")
    made.listen()
    return made


def test_two_sockets_of_one_name_are_refused(activated):
    said = words(activated(("listen", stream("127.0.0.1")), ("listen", stream("127.0.0.1"))))
    assert 'passed as "listen" is the second of that name' in said


@pytest.mark.parametrize("count,problem", [("2", "is not there"), ("x", "is no number of sockets"),
                                           ("-1", "is no number of sockets")])
def test_a_count_that_is_wrong_is_refused(activated, count, problem):
    daemon = activated(("listen", stream("127.0.0.1")))
    daemon.passed = {"LISTEN_FDS": count, "LISTEN_FDNAMES": "listen:edge"}
    assert problem in words(daemon)


# --- a restart under load -------------------------------------------------------------------------

class Load:
    """Reports orders, each on a connection of its own and once, until it is told to stop."""

    def __init__(self, address, unique, threads=4):
        self.address, self.unique = address, unique
        self.accepted, self.failed = [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self):
        while not self.over.is_set():
            order = self.unique.order()
            try:
                answer = wire.ask(self.address, "POST", "/v1/orders", {"order": order, "token": self.unique.token()})
            except OSError as error:
                self.failed.append(repr(error))
                continue
            (self.accepted if answer.status == 202 else self.failed).append(order)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_no_request_is_refused_while_the_daemon_restarts(activated, unique, listen):
    api = stream(listen)
    daemon = activated(("listen", api), BACKCHANNEL_LISTEN=written(api)).start()
    with Load(written(api), unique) as load:
        for _ in range(RESTARTS):
            wait_for(lambda seen=len(load.accepted): len(load.accepted) > seen + 50, 20, "orders to be taken")
            daemon.restart()
    print("N", len(load.accepted), len(load.failed))
    assert not load.failed, load.failed[:3]
    assert len(load.accepted) > RESTARTS * 50
    for order in load.accepted[::20]:
        daemon.wait_state(order, "delivered", seconds=30)


def test_no_datagram_is_lost_while_the_daemon_restarts(activated, unique, folder):
    lines = datagram(f"unix:{folder}/in.sock")
    daemon = activated(("listen", stream("127.0.0.1")), ("input", lines)).start()
    writer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    writer.connect(f"{folder}/in.sock")  # a web server connects once, and never again
    sent, over = [], threading.Event()

    def write():
        while not over.is_set():
            click = f"{len(sent):032x}"
            writer.send(json.dumps({"click": click, "tok": unique.token()}).encode())  # waits when it is full
            sent.append(click)
            time.sleep(0.002)  # the pace of a busy shop's landings

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(RESTARTS):
            wait_for(lambda seen=len(sent): len(sent) > seen + 50, 20, "datagrams to be sent")
            daemon.restart()
    finally:
        over.set()
        thread.join()
        writer.close()
    orders = {click: {"order": unique.order(), "click": "c." + click} for click in sent}
    wait_for(lambda: daemon.order("last-" + sent[-1], click="c." + sent[-1]).json["state"] != "unattributed"
             or daemon.get("/healthz").status != 200, 15, "the last one to be stored")
    del orders[sent[-1]]
    daemon.pour_orders(orders.values())
    summary = daemon.get("/v1/orders?state=unattributed&limit=10").json["orders"]
    assert not [order for order in summary if not order["order"].startswith("last-")], len(sent)


@tried_again_if_late
def test_who_has_connected_and_not_sent_yet_is_still_answered(activated, unique):
    """The daemon stops between a client's connect and its request, which it awaits for 250 ms."""
    api = stream("127.0.0.1")
    daemon = activated(("listen", api)).start()
    peer = wire.Peer(written(api))
    wait_for(lambda: daemon.get("/healthz").status == 200, 5, "it to have been accepted")
    body = json.dumps({"order": unique.order(), "token": unique.token()})
    began = time.monotonic()
    daemon.process.terminate()
    wait_for(lambda: daemon.events("daemon.stopping"), 5, "the stop to begin")
    peer.send(f"POST /v1/orders HTTP/1.1\r\nHost: {written(api)}\r\nContent-Type: application/json\r\n"
              f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    in_time(time.monotonic() - began, 0.2, "the request")
    assert b" 202 " in peer.read().bytes
    assert daemon.wait_exit() == 0
