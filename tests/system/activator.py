# SPDX-License-Identifier: MIT
"""The end of a service manager that holds a daemon's sockets: makes them, passes them to each start,
and keeps them open in between, as socket units do."""
import fcntl
import os
import socket
import subprocess

from daemon import Daemon, binary

# Puts the sockets, which are named by number, where the protocol wants them, and becomes the daemon.
AS_MANAGER = """
fd=3
for from in $1; do eval "exec $fd<&$from $from<&-"; fd=$((fd + 1)); done
LISTEN_PID=${2:-$$} exec "$3" serve
"""


def stream(address):
    """A listening socket on "unix:PATH" or a loopback address with a port of the system's."""
    if address.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX)
        made.bind(address[len("unix:"):])
    else:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        made.bind((address, 0))
    made.listen(1024)
    return made


def datagram(address):
    if address.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(address[len("unix:"):])
    else:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, 0))
    return made


def written(made):
    """Its address as a setting would say it."""
    name = made.getsockname()
    if made.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if made.family == socket.AF_INET6 else name[0]
    return ("udp:" if made.type == socket.SOCK_DGRAM else "") + f"{host}:{name[1]}"


class Activated(Daemon):
    """sockets: pairs of name and socket, which stay the caller's to close."""

    def __init__(self, folder, partner, sockets, **settings):
        super().__init__(folder, partner, **settings)
        self.sockets = sockets
        self.passed = {"LISTEN_FDS": len(sockets), "LISTEN_FDNAMES": ":".join(name for name, _ in sockets)}
        self.pid_for = ""

    def spawn(self):
        # Out of the way of the numbers that they are to have.
        high = [fcntl.fcntl(made, fcntl.F_DUPFD, 100) for _, made in self.sockets]
        env = {**self.env, **{name: str(value) for name, value in self.passed.items() if value is not None}}
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                ["bash", "-c", AS_MANAGER, "manager", " ".join(map(str, high)), self.pid_for, binary()],
                env=env, cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                pass_fds=high)
        for fd in high:
            os.close(fd)
        return self

    def start(self):
        listen = self.settings["BACKCHANNEL_LISTEN"]
        super().start()
        self.settings["BACKCHANNEL_LISTEN"] = listen
        return self
