# SPDX-License-Identifier: MIT
"""The datagram input: which lines become clicks, by whom the socket may be written to, what becomes of
datagrams while the store refuses or the daemon restarts, and that nothing is lost without a count."""
import contextlib
import grp
import json
import os
import socket
import stat
import tempfile

import pytest

from daemon import Daemon
from sandbox_client import wait_for
from test_edge import metric

HEX = "bc45f6e00123456789abcdef01234567"


class Input:
    """A daemon's socket, written to as a web server does, but for waiting when it is full."""

    def __init__(self, daemon):
        (listening,) = daemon.events("input.listening", this_run=True)
        self.daemon, self.address = daemon, listening["listen"]
        if self.address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.to = self.address[len("unix:"):]
        else:
            host, _, port = self.address[len("udp:"):].rpartition(":")
            self.socket = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET,
                                        socket.SOCK_DGRAM)
            self.to = (host.strip("[]"), int(port))

    def send(self, line):
        self.socket.sendto(line if isinstance(line, bytes) else line.encode(), self.to)

    def say(self, **fields):
        self.send("<190>Nov 21 23:17:43 bc: " + json.dumps({"v": 1, **fields}))

    @property
    def taken(self):
        return metric(self.daemon, "input_taken_total")

    def dropped(self, reason):
        return metric(self.daemon, "input_dropped_total", reason=reason)

    def wait_taken(self, count, seconds=15):
        wait_for(lambda: self.taken >= count, seconds, f"{count} taken; dropped: "
                 f"{[self.dropped(why) for why in ('malformed', 'busy', 'kernel')]}")
        assert self.taken == count


@pytest.fixture
def folder():
    """Short enough for a socket's path."""
    with tempfile.TemporaryDirectory() as made:
        yield made


@pytest.fixture(params=["unix", "udp", "udp6"])
def listen(request, folder):
    return {"unix": f"unix:{folder}/in.sock", "udp": "udp:127.0.0.1:0", "udp6": "udp:[::1]:0"}[request.param]


@pytest.fixture(scope="module")
def fed_process(tmp_path_factory, partner_process):
    with tempfile.TemporaryDirectory() as made:
        daemon = Daemon(tmp_path_factory.mktemp("fed"), partner_process,
                        BACKCHANNEL_INPUT=f"unix:{made}/in.sock").start()
        yield Input(daemon)
        assert daemon.stop() == 0, daemon.log_text()


@pytest.fixture
def fed(fed_process, partner):
    del partner
    return fed_process


def wait_order(fed, order, **fields):
    """Reports an order until its click has come in by the other way; its state then."""
    fed.daemon.order(order, **fields)
    return fed.daemon.wait_state(order, "delivered")


# --- lines ---------------------------------------------------------------------------------------

def test_a_click_by_datagram_is_handed_back_when_its_cookie_orders(daemons, partner, unique, listen):
    token, order = unique.token(), unique.order()
    fed = Input(daemons(BACKCHANNEL_INPUT=listen))
    fed.say(t=1795303063.221, click=HEX, tok=token, host="shop.example", sess="", newsess="")
    fed.wait_taken(1)
    wait_order(fed, order, click="c." + HEX)
    assert partner.accepted(token) == 1


@pytest.mark.parametrize("click", [HEX, HEX.upper(), "c." + HEX,
                                   "bc45f6e0-0123-4567-89ab-cdef01234567"])
@pytest.mark.parametrize("prefix", ["", "bc: ", "<134>1 2026-11-21T23:17:43Z web haproxy 9 - - bc: "])
def test_every_spelling_of_an_id_behind_every_prefix_is_the_same(daemons, unique, folder, prefix, click):
    token = unique.token()
    fed = Input(daemons(BACKCHANNEL_INPUT=f"unix:{folder}/in.sock"))
    fed.send(prefix + json.dumps({"click": click, "tok": token}) + "\n")
    fed.wait_taken(1)
    wait_order(fed, unique.order(), click="c." + HEX)


def test_the_token_may_stand_in_the_uri(fed, partner, unique):
    token, session = unique.token(), unique.session()
    before = fed.taken
    fed.say(uri=f"/shoes?a=b&sovReqToken={token}&c=%20", sess=session)
    fed.wait_taken(before + 1)
    wait_order(fed, unique.order(), session=session)
    assert partner.accepted(token) == 1


def test_the_session_of_the_answer_goes_before_that_of_the_request(fed, partner, unique):
    token, old, new = unique.token(), unique.session(), unique.session()
    before = fed.taken
    fed.say(tok=token, sess=old, newsess=new)
    fed.wait_taken(before + 1)
    assert fed.daemon.order(unique.order(), session=old).json["state"] == "unattributed"
    wait_order(fed, unique.order(), session=new)
    assert partner.accepted(token) == 1


@pytest.mark.parametrize("nothing", ["", "-", "None", "null", "undefined", "NONE", " null ", None, "x" * 300,
                                     "a\tb"])
def test_a_new_session_that_is_none_leaves_the_old_one(fed, unique, nothing):
    token, session = unique.token(), unique.session()
    before = fed.taken
    fed.say(tok=token, sess=session, newsess=nothing)
    fed.wait_taken(before + 1)
    wait_order(fed, unique.order(), session=session)


def test_a_click_without_a_session_that_can_be_one_is_kept_by_its_id(fed, unique):
    click = unique.session().encode().hex().ljust(32, "0")[-32:]
    before = fed.taken
    fed.say(click=click, tok=unique.token(), sess="None", newsess="undefined")
    fed.wait_taken(before + 1)
    wait_order(fed, unique.order(), click="c." + click)


@pytest.mark.parametrize("line", [
    b"", b"hello", b"{", b"[]", b"\x00", b"\xff" * 100, b'{"v":2,"click":"%s","tok":"abcdef"}' % HEX.encode(),
    b'{"click":7,"tok":"abcdef"}', b'{"click":"%s","tok":"a;b"}' % HEX.encode(),
    b'{"click":"%s","tok":""}' % HEX.encode(), b'{"click":"%s"}' % HEX.encode(),
    b'{"click":"%s","uri":"/"}' % HEX.encode(), b'{"tok":"abcdef"}',
    b'{"tok":"abcdef","sess":"None","newsess":"-"}', b'{"click":"x","tok":"abcdef"}',
    pytest.param(b'{"click":"%s","tok":"abcdef","more":"%s"}' % (HEX.encode(), b"a" * 20000), id="long"),
    pytest.param(b'{"click":"%s","uri":"/?sovReqToken=abcdef&%s"}' % (HEX.encode(), b"a" * 9000), id="long-uri"),
])
def test_a_line_that_is_none_is_counted_and_no_click(fed, line):
    taken, before = fed.taken, fed.dropped("malformed")
    clicks = fed.daemon.get("/v1/summary").json
    fed.send(line)
    wait_for(lambda: fed.dropped("malformed") == before + 1, 5, "the drop to be counted")
    assert fed.taken == taken and clicks


def test_hostile_lines_do_not_fill_the_log_and_are_not_shown_in_it(daemons, unique, folder):
    fed = Input(daemons(BACKCHANNEL_INPUT=f"unix:{folder}/in.sock"))
    secret = unique.token()
    for _ in range(2000):
        fed.say(click="nonsense", tok=secret)
    wait_for(lambda: fed.dropped("malformed") == 2000, 15, "2,000 drops")
    (told,) = fed.daemon.events("input.dropped")
    assert told["malformed"] == 1 and "click" in told["problem"] and told["level"] == "warning"
    assert fed.daemon.stop() == 0
    assert sum(event["malformed"] for event in fed.daemon.events("input.dropped")) == 2000
    assert secret not in fed.daemon.log_text() and "nonsense" not in fed.daemon.log_text()


# --- many ----------------------------------------------------------------------------------------

def test_ten_thousand_datagrams_are_ten_thousand_clicks(daemons, unique, listen):
    fed = Input(daemons(BACKCHANNEL_INPUT=listen))
    for n in range(10000):
        fed.send('bc: {"v":1,"click":"%032x","tok":"%s"}' % (n, f"many-{n:05d}"))
    fed.wait_taken(10000, 60)
    assert [fed.dropped(why) for why in ("malformed", "busy", "kernel")] == [0, 0, 0]
    orders = [{"order": f"many-{n}", "click": f"c.{n:032x}"} for n in range(0, 10000, 100)]
    assert fed.daemon.pour_orders(orders) == 100


def test_the_api_answers_while_datagrams_pour_in(daemons, folder):
    fed = Input(daemons(BACKCHANNEL_INPUT=f"unix:{folder}/in.sock"))
    slowest = 0
    for n in range(3000):
        fed.send('{"click":"%032x","tok":"%s"}' % (n, f"pour-{n:05d}"))
        if n % 300 == 0:
            answer = fed.daemon.ask("GET", "/healthz", timeout=5)
            assert answer.status == 200
            slowest = max(slowest, n)
    fed.wait_taken(3000, 30)
    assert slowest == 2700


# --- the socket ----------------------------------------------------------------------------------

def test_only_owner_and_group_may_write_and_the_group_is_a_setting(daemons, folder):
    path = f"{folder}/in.sock"
    daemons(BACKCHANNEL_INPUT=f"unix:{path}").stop()
    assert not os.path.exists(path)
    groups = [grp.getgrnam("www-data")] if os.geteuid() == 0 else \
             [grp.getgrgid(gid) for gid in os.getgroups() if gid != os.getegid()]
    if not groups:
        pytest.skip("this user is in one group only")
    daemons(BACKCHANNEL_INPUT=f"unix:{path}", BACKCHANNEL_INPUT_GROUP=groups[0].gr_name)
    there = os.stat(path)
    assert (stat.S_IMODE(there.st_mode), there.st_gid) == (0o660, groups[0].gr_gid)


@pytest.mark.parametrize("setting, problem", [
    ({"BACKCHANNEL_INPUT_GROUP": "no-such-group"}, "no group \"no-such-group\""),
    ({"BACKCHANNEL_INPUT": "unix:/no/such/folder/in.sock"}, "folder must exist"),
    ({"BACKCHANNEL_INPUT": "udp:192.0.2.1:8788"}, "loopback"),
    ({"BACKCHANNEL_INPUT": "tcp:127.0.0.1:1"}, "datagram socket"),
])
def test_what_cannot_be_opened_refuses_the_start_and_says_why(daemons, folder, setting, problem):
    shop = daemons.make(**{"BACKCHANNEL_INPUT": f"unix:{folder}/in.sock", **setting}).spawn()
    assert shop.wait_exit() != 0
    assert problem in shop.log_text().replace('\\"', '"'), shop.log_text()
    assert os.listdir(folder) == []


def test_a_socket_in_use_is_not_taken_and_a_stale_one_is(daemons, folder):
    listen = f"unix:{folder}/in.sock"
    first = daemons(BACKCHANNEL_INPUT=listen)
    second = daemons.make(BACKCHANNEL_INPUT=listen).spawn()
    assert second.wait_exit() == 4
    assert "another process" in second.log_text()
    first.kill9()
    assert os.path.exists(f"{folder}/in.sock")
    fed = Input(daemons(BACKCHANNEL_INPUT=listen))
    fed.say(click=HEX, tok="stale-token")
    fed.wait_taken(1)


def test_a_writer_goes_on_after_a_restart(daemons, unique, folder):
    shop = daemons(BACKCHANNEL_INPUT=f"unix:{folder}/in.sock")
    fed = Input(shop)
    fed.say(click=HEX, tok=unique.token())
    fed.wait_taken(1)
    shop.stop()
    with contextlib.suppress(OSError):  # nobody is there: the web server drops it, the page does not wait
        fed.say(click=HEX, tok=unique.token())
    shop.start()
    fed.say(click=HEX[::-1], tok=unique.token())
    fed.wait_taken(1)
    for click in (HEX, HEX[::-1]):
        wait_order(fed, unique.order(), click="c." + click)


def test_what_came_before_a_stop_is_stored(daemons, unique, folder):
    shop = daemons(BACKCHANNEL_INPUT=f"unix:{folder}/in.sock")
    fed = Input(shop)
    for n in range(500):
        fed.send('{"click":"%032x","tok":"%s"}' % (n, f"stop-{n:05d}"))
    assert shop.stop() == 0
    shop.start()
    order = unique.order()
    shop.order(order, click=f"c.{499:032x}")
    shop.wait_state(order, "delivered")


def test_a_small_queue_of_the_system_is_told(daemons, folder):
    with open("/proc/sys/net/unix/max_dgram_qlen", encoding="ascii") as setting:
        queue = int(setting.read())
    shop = daemons(BACKCHANNEL_INPUT=f"unix:{folder}/in.sock")
    told = shop.events("input.small_queue")
    assert [event["datagrams"] for event in told] == ([queue] if queue < 128 else [])
    assert not daemons(BACKCHANNEL_INPUT="udp:127.0.0.1:0").events("input.small_queue")


# --- a store that refuses ------------------------------------------------------------------------

def faulty(daemons, folder, rules):
    shop = daemons.make(BACKCHANNEL_INPUT=f"unix:{folder}/in.sock")
    shop.settings["BACKCHANNEL_STORE"] = f"fault:{rules}:sqlite:{shop.folder / 'shop.db'}"
    return Input(shop.start())


def test_clicks_wait_while_the_store_refuses_for_a_moment(daemons, unique, folder):
    fed = faulty(daemons, folder, "put-click@1-25=refuse")
    for n in range(20):
        fed.send('{"click":"%032x","tok":"%s"}' % (n, f"wait-{n:05d}"))
    fed.wait_taken(20)
    assert fed.dropped("busy") == 0
    wait_order(fed, unique.order(), click=f"c.{19:032x}")


def test_no_more_than_a_thousand_wait_and_the_rest_is_counted(daemons, folder):
    fed = faulty(daemons, folder, "put-click@1+=refuse")
    for n in range(3000):
        fed.send('{"click":"%032x","tok":"%s"}' % (n, f"full-{n:05d}"))
    wait_for(lambda: fed.dropped("busy") >= 3000 - 1024, 20, "the rest to be dropped")
    assert fed.taken == 0
    assert fed.daemon.stop() == 0
    told = fed.daemon.events("input.dropped")
    assert sum(event["busy"] for event in told) == 3000
    assert all("told to" in event["problem"] or "refuses" in event["problem"] for event in told)


def test_a_store_that_stalls_loses_nothing_of_what_udp_holds(daemons):
    shop = daemons.make(BACKCHANNEL_INPUT="udp:127.0.0.1:0")
    shop.settings["BACKCHANNEL_STORE"] = f"fault:commit@/2=stall-200ms:sqlite:{shop.folder / 'shop.db'}"
    fed = Input(shop.start())
    for n in range(4000):
        fed.send('{"click":"%032x","tok":"%s"}' % (n, f"stall-{n:05d}"))
    fed.wait_taken(4000, 60)
    assert [fed.dropped(why) for why in ("malformed", "busy", "kernel")] == [0, 0, 0]
