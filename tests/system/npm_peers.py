# SPDX-License-Identifier: MIT
"""The npm packages that tests run beside us: exactly those of peers/package-lock.json, in build/peers,
with the scripts of peers/ beside them."""
import fcntl
import hashlib
import json
import pathlib
import shutil
import subprocess

import pytest

from daemon import clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "tests" / "system" / "peers"
SECONDS = 60


@pytest.fixture(scope="session")
def peers():
    """The folder of the packages and of the scripts."""
    folder = ROOT / "build" / "peers"
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("Node.js and npm are not here: tools/deps --test")
    folder.mkdir(parents=True, exist_ok=True)
    lock = hashlib.sha256((PEERS / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    with open(folder / "lock", "w", encoding="ascii") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        for file in PEERS.iterdir():
            shutil.copy(file, folder / ".new")
            (folder / ".new").replace(folder / file.name)  # another worker may be reading the old one
        if not stamp.exists() or stamp.read_text(encoding="ascii") != lock:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder,
                                  capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.skip(f"npm cannot fetch the packages: {done.stderr.strip().splitlines()[-1:]}")
            stamp.write_text(lock, encoding="ascii")
    return folder


def node(folder, *arguments, **environment):
    """Runs a script to its end; what it printed, parsed."""
    done = subprocess.run(["node", *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False,
                          env=clean_environment(folder, **environment), timeout=SECONDS)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])
