"""Network namespaces for one run: one for each node, one for the clients, one for the bridge between them.

A cut gives a peer's address to a station that does not exist, in the sender's namespace: packets vanish silently, one
way, as behind a dead switch. The names hold this process's ID; a run deletes its own, and those of runs that are gone.
"""
import atexit
import collections
import ctypes
import os
import pathlib
import re
import shutil
import subprocess

PREFIX = "chaoslm"
NOWHERE = "02:00:00:00:00:01"
CLONE_NEWNET = 0x40000000
CLIENTS = 250  # the last number of the clients' address; nodes have 1 to 64


def ip(*words, check=True, lines=None):
    """Runs ip; with `lines` those are its commands."""
    words = [*map(str, words)] if lines is None else [*map(str, words), "-batch", "-"]
    done = subprocess.run(["ip", *words], input="\n".join(lines or ()), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def space(which):
    return f"{PREFIX}{os.getpid()}-{which}"


def address(i):
    return f"10.89.0.{i}"


def clean_up():
    for name in re.findall(rf"^{PREFIX}\d+-\S+", ip("netns", "list", check=False), re.MULTILINE):
        owner = int(re.search(r"\d+(?=-)", name)[0])
        if owner == os.getpid() or not pathlib.Path(f"/proc/{owner}").exists():
            ip("netns", "del", name, check=False)


def why_not():
    """Why there can be no such network here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "ip (iproute2) is not here"
    try:
        ip("netns", "add", space("try"))
        ip("netns", "del", space("try"))
    except RuntimeError as error:
        return f"no network namespaces here: {error}"
    return ""


class Network:
    """Makes it all, and moves this process into the clients' namespace: before it has other threads."""

    def __init__(self, size):
        clean_up()
        atexit.register(clean_up)
        self.size, self.lost = size, collections.Counter()
        ip("netns", "add", space("bridge"))
        ip("-n", space("bridge"), lines=["link add bridge type bridge", "link set bridge up"])
        for which, i in [*((f"n{i}", i) for i in range(1, size + 1)), ("clients", CLIENTS)]:
            here = space(which)
            ip("netns", "add", here)
            ip("-n", here, lines=[
                f"link add eth0 type veth peer name {which} netns {space('bridge')}",
                f"addr add {address(i)}/24 dev eth0", "link set eth0 up", "link set lo up"])
            ip("-n", space("bridge"), "link", "set", which, "master", "bridge", "up")
        with open(f"/run/netns/{space('clients')}", encoding="utf-8") as own:
            if ctypes.CDLL(None, use_errno=True).setns(own.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    @staticmethod
    def inside(i):
        """What to put before a command to run it at node i."""
        return ("nsenter", f"--net=/run/netns/{space(f'n{i}')}")

    def lose(self, pairs):
        """What i sends to j is lost from now on, for each (i, j). Faults may overlap: each is to be undone once."""
        self._apply(pairs, 1)

    def carry(self, pairs):
        self._apply(pairs, -1)

    def _apply(self, pairs, by):
        lines = collections.defaultdict(list)
        for i, j in pairs:
            before = self.lost[i, j]
            self.lost[i, j] = max(0, before + by)
            if not before and self.lost[i, j]:
                lines[i].append(f"neigh replace {address(j)} lladdr {NOWHERE} nud permanent dev eth0")
            elif before and not self.lost[i, j]:
                lines[i].append(f"neigh del {address(j)} dev eth0")
        for i, commands in lines.items():
            ip("-force", "-n", space(f"n{i}"), lines=commands)

    def heal(self):
        for pair in [pair for pair, count in self.lost.items() if count]:
            self.lost[pair] = 1
            self.carry([pair])
