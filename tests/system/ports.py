# SPDX-License-Identifier: MIT
"""Ports of the tests' own. A port that is looked up and let go of may be the next one that somebody else
on the machine is given, and so may one whose daemon is being restarted: each is held here by a socket
that is bound and never listens. The system gives it to nobody who asks for any port, nobody is reached
there, and who asks for it by name and with SO_REUSEADDR, as every server does, gets it."""
import socket


class Port:
    """One that is ours for as long as this object lives."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.number}"

    def __del__(self):
        self.socket.close()


_KEPT = []


def own_port():
    """A number that is ours until the tests end; for servers of which there are few."""
    _KEPT.append(Port())
    return _KEPT[-1].number


def own_address():
    return f"127.0.0.1:{own_port()}"
