# SPDX-License-Identifier: MIT
"""A daemon that is joined to the sandbox's Commerce: orders come from there, and go to the sandbox's
Sovendus. For the tests of pull, journal, events and comments."""
import itertools

from daemon import Daemon
from sandbox_client import Sandbox, wait_for

CLIENT, SECRET, ORG = "3c1f0a9be2d74c5f8a6b7d0e9f112233", "secret-of-the-client", "0A1B2C@AdobeOrg"
_numbers = itertools.count(1)


def token():
    """One that nobody else uses."""
    return f"{next(_numbers):05d}-join-abc-12345"


class Joined:
    """settings: environment variables of the daemon; None takes one out."""

    def __init__(self, folder, **settings):
        self.sandbox = Sandbox(client_id=CLIENT, secret=SECRET, org=ORG).start()
        self.daemon = Daemon(folder, partner=self.sandbox, **{
            "IMS_BASE_URL": self.sandbox.base, "IMS_CLIENT_ID": CLIENT, "IMS_CLIENT_SECRET": SECRET,
            "IMS_ORG_ID": ORG, "API_ENDPOINT": self.sandbox.base + "/tenant", **settings})

    def start(self):
        self.daemon.start()
        return self

    def stop(self):
        was_running = self.daemon.running
        try:
            code = self.daemon.stop()
        finally:
            self.sandbox.stop()
        assert not was_running or code == 0, f"exit {code}:\n{self.daemon.log_text()}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # --- the shop's side -------------------------------------------------------------------------

    def place(self, click=None, **members):
        """An order in Commerce, with a click attribute if one is given; as Commerce has it."""
        if click:
            members.setdefault("custom_attributes", [{"attribute_code": "bc_click", "value": click}])
        return self.sandbox.control("POST", "/orders", members)

    def change(self, order, **members):
        return self.sandbox.control("PUT", f"/orders/{order['entity_id']}", members)

    # --- ours ------------------------------------------------------------------------------------

    def pull(self, *arguments):
        done = self.daemon.cli("pull", "--json", *arguments)
        assert done.code == 0, done
        return done.json

    def state(self, order):
        """Of an order as Commerce has it; None if it is not known here."""
        answer = self.daemon.get(f"/v1/orders/{order['increment_id']}")
        return answer.json["state"] if answer.status == 200 else None

    def wait_state(self, order, state, seconds=15):
        wait_for(lambda: self.state(order) == state, seconds, f"{order['increment_id']} to be {state}")
