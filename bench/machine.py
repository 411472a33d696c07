# SPDX-License-Identifier: MIT
"""What the machine is and what it did meanwhile: processors, file system, the price of an fsync,
versions, processor time and memory of processes. Reads /proc; Linux only.
"""
import os
import pathlib
import platform
import re
import shutil
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
FSYNC_BYTES = 4096
# What forgets at power loss, or asks somebody else to remember.
NO_DISK = ("tmpfs", "ramfs", "overlay", "nfs", "nfs4", "9p", "virtiofs")


def read(path):
    return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")


# --- processes -----------------------------------------------------------------------------------

def family(pid):
    """The process and everything below it that lives."""
    pids, rest = [], [pid]
    while rest:
        one = rest.pop()
        try:
            tasks = os.listdir(f"/proc/{one}/task")
            rest += [int(child) for task in tasks
                     for child in read(f"/proc/{one}/task/{task}/children").split()]
        except OSError:
            continue
        pids.append(one)
    return pids


def cpu_seconds(pids):
    """Processor time that these used so far, in user and kernel."""
    total = 0
    for pid in pids:
        fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_mib(pids):
    return sum(int(read(f"/proc/{pid}/statm").split()[1]) for pid in pids) * PAGE / 2**20


# --- processors ----------------------------------------------------------------------------------

class Core:
    """How busy one processor was since this object was made, whoever used it."""

    def __init__(self, number):
        self.number = number
        self.start = self._times()

    def _times(self):
        line = re.search(rf"^cpu{self.number} (.*)$", read("/proc/stat"), re.M)[1]
        return [int(word) for word in line.split()[:8]]

    def shares(self):
        """(busy, stolen by the hypervisor), each from 0 to 1."""
        used = [now - then for now, then in zip(self._times(), self.start)]
        total = sum(used) or 1
        return 1 - (used[3] + used[4]) / total, used[7] / total


def siblings(core):
    try:
        return read(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").strip()
    except OSError:
        return str(core)


def load_average():
    return os.getloadavg()[0]


# --- the disk ------------------------------------------------------------------------------------

def mount_of(folder):
    """(mount point, type, device, options) of the file system that a folder is on."""
    folder, best = os.path.realpath(folder), ("", "?", "?", "?")
    for line in read("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        point, options = left.split()[4].replace("\\040", " "), left.split()[5]
        below = folder == point or folder.startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(best[0]):
            kind, device, superblock = right.split()[:3]
            best = (point, kind, device, options + "," + superblock)
    return best


def has_journal(mount):
    """Whether an ext4 journals; without one an fsync is cheaper. None: it is no ext4."""
    if mount[1] != "ext4":
        return None
    return any(path.name.startswith(os.path.basename(mount[2]) + "-")
               for path in pathlib.Path("/proc/fs/jbd2").glob("*"))


def fsync_us(folder, times):
    """Sorted times of appending a page to a file and fdatasync."""
    path = os.path.join(folder, "fsync")
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    page, took = b"\x5a" * FSYNC_BYTES, []
    try:
        for _ in range(times):
            os.write(file, page)
            start = time.perf_counter()
            os.fdatasync(file)
            took.append((time.perf_counter() - start) * 1e6)
    finally:
        os.close(file)
        os.unlink(path)
    return sorted(took)


# --- names and versions --------------------------------------------------------------------------

def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "not there"
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), "?")


def version_of(*command):
    """The first thing in what it says that looks like one."""
    line = first_line(*command)
    found = re.search(r"\d+\.\d+(\.\d+)?", line)
    return found[0] if found else line


def processor():
    model = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    return model[1] if model else platform.machine()


def memory_mib():
    return int(re.search(r"^MemTotal:\s*(\d+) kB", read("/proc/meminfo"), re.M)[1]) // 1024


def system():
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release"), re.M)
    return name[1] if name else platform.system()


def package_version(name):
    if not shutil.which("dpkg-query"):
        return "?"
    return first_line("dpkg-query", "-W", "-f=${Version}\n", name)
