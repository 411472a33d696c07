# SPDX-License-Identifier: MIT
"""Fixtures of the system tests. They drive the real program: BACKCHANNEL_BIN, or what ./check
builds.

partner  a sandbox with one product and its key, as new for each test
daemons  makes daemons in a folder of the test's own; what still runs at its end is stopped, and has
         to stop cleanly
shop     one daemon for a whole file, for tests that need no settings of their own; they use order
         ids, sessions and tokens of their own (see unique)
accs     one daemon for a whole file in front of a scripted Commerce, whose script is as new for each
         test
gateways makes such daemons, each with a Commerce and a token endpoint of its own
peers    the folder of the npm packages
"""
import itertools
import os
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("BACKCHANNEL_BIN", str(ROOT / "build" / "gcc" / "backchannel"))

from daemon import KEY, PRODUCT, Daemon  # noqa: E402  (needs BACKCHANNEL_BIN)
from gateway import Gateway  # noqa: E402
from npm_peers import peers  # noqa: E402,F401  (a fixture)
from sandbox_client import Sandbox  # noqa: E402


def pytest_sessionstart(session):
    del session
    if not os.access(os.environ["BACKCHANNEL_BIN"], os.X_OK):
        pytest.exit(f"{os.environ['BACKCHANNEL_BIN']} is not there; build it with ./check build, "
                    "or name another one in BACKCHANNEL_BIN", returncode=2)


# Where the minutes go. They begin first, so that none of them is still alone at the end.
LONGEST = ("clocks", "capture_js", "fairness", "demo", "journal", "bench", "commerce_page", "answers",
           "compare", "readme", "console", "cleanup", "disk", "gateway_tokens", "token_call", "canary")


def pytest_collection_modifyitems(items):
    rank = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def partner_process():
    with Sandbox(product=PRODUCT, key=KEY) as sandbox:
        yield sandbox
        assert sandbox.stop() == 0, "a leak or a crash, in sanitizer builds"


@pytest.fixture
def partner(partner_process):
    partner_process.reset()
    yield partner_process
    partner_process.reset()


class _Daemons:
    def __init__(self, folder, partner):
        self.folder, self.partner = folder, partner
        self.made = []

    def make(self, **settings):
        """A daemon that is not started yet."""
        settings.setdefault("partner", self.partner)
        made = Daemon(self.folder / f"daemon{len(self.made)}", **settings)
        self.made.append(made)
        return made

    def __call__(self, **settings):
        return self.make(**settings).start()

    def stop_all(self):
        for daemon in self.made:
            was_running = daemon.running
            code = daemon.stop()
            assert not was_running or code == 0, f"exit {code}:\n{daemon.log_text()}"


@pytest.fixture
def daemons(tmp_path, partner):
    made = _Daemons(tmp_path, partner)
    yield made
    made.stop_all()


@pytest.fixture(scope="module")
def shop_process(tmp_path_factory, partner_process):
    made = _Daemons(tmp_path_factory.mktemp("shop"), partner_process)
    yield made()
    made.stop_all()


@pytest.fixture
def shop(shop_process, partner):
    del partner
    yield shop_process
    if not shop_process.running:  # the others in the file are not to fail with this one
        code = shop_process.process.returncode
        shop_process.start()
        pytest.fail(f"the daemon ended with {code}")


class _Gateways:
    def __init__(self, folder):
        self.folder, self.made = folder, []

    def make(self, **settings):
        """One whose daemon is not started yet."""
        made = Gateway(self.folder / f"gateway{len(self.made)}", **settings)
        self.made.append(made)
        return made

    def __call__(self, **settings):
        return self.make(**settings).start()

    def stop_all(self):
        for gateway in self.made:
            gateway.stop()


@pytest.fixture
def gateways(tmp_path):
    made = _Gateways(tmp_path)
    yield made
    made.stop_all()


@pytest.fixture(scope="module")
def accs_process(tmp_path_factory):
    made = _Gateways(tmp_path_factory.mktemp("accs"))
    yield made()
    made.stop_all()


@pytest.fixture
def accs(accs_process):
    accs_process.upstream.reset()
    yield accs_process
    errors, accs_process.upstream.errors = accs_process.upstream.errors, []
    assert errors == []
    if not accs_process.daemon.running:  # the others in the file are not to fail with this one
        code = accs_process.daemon.process.returncode
        accs_process.daemon.start()
        pytest.fail(f"the daemon ended with {code}")


class _Unique:
    """Names that no other test uses."""

    numbers = itertools.count(1)

    def __init__(self, name):
        self.name = re.sub(r"[^a-z0-9]", "", name.lower())[-24:]

    def order(self):
        return f"o-{next(self.numbers)}-{self.name}"

    def session(self):
        return f"session-{next(self.numbers)}-{self.name}"

    def token(self):
        return f"tok{next(self.numbers):05d}-abcd-123-{self.name[:12]}"

    def test_token(self):
        return f"{next(self.numbers):05d}-test-abc-00000"


@pytest.fixture
def unique(request):
    return _Unique(request.node.name)
