#!/usr/bin/env python3
"""Networks that fail: links that never were, packets lost one way, a partition with writes on both sides, a thin link,
a path on which large packets vanish.

Each node has a network namespace of its own, on one bridge; the test sits in one more, which reaches them all. A cut
gives a peer's address to a station that does not exist: packets vanish silently, one way, as behind a dead switch.
Needs root and `ip netns`; skipped, with a message, without.
"""
import atexit
import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from basics import BOUND, pb, wait_for
from cluster import ClusterTest, Node
from watcher import Watcher, fold

SIZE = 3
PREFIX = "e2elm"  # of the namespaces' names: PREFIX, this process's ID, which one
NOWHERE = "02:00:00:00:00:01"
CLONE_NEWNET = 0x40000000


def ip(*words, check=True):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def space(which):
    return f"{PREFIX}{os.getpid()}-{which}"


def address(i):
    return f"10.88.0.{i}"


def clean_up():
    """Deletes our namespaces, and those that a killed run left behind."""
    for name in re.findall(rf"^{PREFIX}\d+-\S+", ip("netns", "list", check=False), re.MULTILINE):
        owner = int(re.search(r"\d+(?=-)", name)[0])
        if owner == os.getpid() or not pathlib.Path(f"/proc/{owner}").exists():
            ip("netns", "del", name, check=False)


def why_not():
    """Why the tests cannot run here; empty if they can."""
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


def make_network():
    """The namespaces and the bridge; every interface is made inside them. This process moves into the tests' own."""
    clean_up()
    atexit.register(clean_up)
    ip("netns", "add", space("bridge"))
    ip("-n", space("bridge"), "link", "add", "bridge", "type", "bridge")
    ip("-n", space("bridge"), "link", "set", "bridge", "up")
    for which, i in [*((f"n{i}", i) for i in range(1, SIZE + 1)), ("test", 250)]:
        here = space(which)
        ip("netns", "add", here)
        ip("-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", which, "netns", space("bridge"))
        ip("-n", space("bridge"), "link", "set", which, "master", "bridge", "up")
        ip("-n", here, "addr", "add", f"{address(i)}/24", "dev", "eth0")
        for interface in ("eth0", "lo"):
            ip("-n", here, "link", "set", interface, "up")
    with open(f"/run/netns/{space('test')}", encoding="utf-8") as own:
        if ctypes.CDLL(None, use_errno=True).setns(own.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


class NetworkTest(ClusterTest):
    @classmethod
    def setUpClass(cls):
        make_network()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.heal)

    def lose(self, i, j):
        """What n<i> sends to n<j> is lost from now on."""
        ip("-n", space(f"n{i}"), "neigh", "replace", address(j), "lladdr", NOWHERE, "nud", "permanent", "dev", "eth0")

    def cut(self, i, j):
        self.lose(i, j)
        self.lose(j, i)

    def thin(self, i, kbit):
        """What n<i> sends passes at so many thousand bits a second."""
        subprocess.run(["tc", "-n", space(f"n{i}"), "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", f"{kbit}kbit",
                        "burst", "16kb", "latency", "400ms"], check=True)

    def lose_large(self, i):
        """Packets above 1,280 bytes to n<i> vanish in the bridge. What the kernel keeps together it does not drop."""
        for j in range(1, SIZE + 1):
            subprocess.run(["ip", "netns", "exec", space(f"n{j}"), "ethtool", "-K", "eth0", "tso", "off"], check=True)
        ip("-n", space("bridge"), "link", "set", f"n{i}", "mtu", 1280)

    def heal(self):
        for i in range(1, SIZE + 1):
            subprocess.run(["tc", "-n", space(f"n{i}"), "qdisc", "del", "dev", "eth0", "root"], capture_output=True,
                           check=False)
            ip("-n", space("bridge"), "link", "set", f"n{i}", "mtu", 1500)
            for j in range(1, SIZE + 1):
                ip("-n", space(f"n{i}"), "neigh", "del", address(j), "dev", "eth0", check=False)

    def start(self, seeds=None, wait=True):
        nodes = [Node(f"n{i}", ip=address(i), prefix=("ip", "netns", "exec", space(f"n{i}")), flags=["--insecure"])
                 for i in range(1, SIZE + 1)]
        return self.cluster(nodes=nodes, seeds=seeds, wait=wait)

    def see(self, node, key, value, seconds=30):
        wait_for(f"{key}={value} on {node.name}", lambda: node.get(key) == value, seconds)

    def test_a_line_converges_through_the_middle(self):
        self.cut(1, 3)
        cluster = self.start(seeds=[[], [0], [1]], wait=False)
        a, b, c = cluster.nodes
        for nodes in ([a, b], [b, c]):
            cluster.wait_linked(nodes)
        watch = Watcher(c, include_snapshot=True)
        watch.until("the snapshot", lambda w: w.snapshot)
        a.set("from-1", "a")
        c.set("from-3", "c")
        self.see(c, "from-1", "a")
        self.see(a, "from-3", "c")
        error = self.refused(lambda: c.set("from-1", "x"), "FAILED_PRECONDITION", "LEASE_HELD")
        self.assertIn("n1", error.details())
        load = [(f"k/{i}", f"{i}") for i in range(500)]
        a.load(load[:250])
        c.load(load[250:])
        a.delete("from-1")
        held, _ = cluster.wait_equal()
        self.assertEqual({key: entry[0] for key, entry in held.items()}, {"from-3": "c", **dict(load)})
        watch.until("all of it", lambda w: fold(w.events) == {"from-3": "c", **dict(load)})
        watch.stop()
        self.assertNotIn("n3", a.linked(), "the cut was none")
        self.heal()
        cluster.wait_linked()

    def test_a_joiner_that_reaches_only_one_member(self):
        self.cut(1, 3)
        cluster = self.start(seeds=[[], [0], []], wait=False)
        a, b, c = cluster.nodes
        c.kill()
        cluster.wait_linked([a, b])
        a.load([(f"k/{i}", "v") for i in range(300)])
        c.start([a, b])
        cluster.wait_linked([b, c])
        self.assertEqual(len(cluster.wait_equal()[0]), 300)

    def test_packets_lost_one_way(self):
        cluster = self.start()
        a, b, c = cluster.nodes
        self.lose(1, 2)
        # Neither end of such a link is of use: both give it up, and what they write goes through n3.
        wait_for("the link is given up", lambda: "n2" not in a.linked() and "n1" not in b.linked())
        a.set("from-1", "a")
        b.set("from-2", "b")
        self.see(b, "from-1", "a")
        self.see(a, "from-2", "b")
        cluster.wait_equal()
        self.heal()
        cluster.wait_linked()
        a.set("from-1", "again")
        self.see(b, "from-1", "again")

    def test_a_thin_link_brings_large_values(self):
        cluster = self.start()
        a, b, c = cluster.nodes
        c.kill()
        self.thin(1, 256)
        a.kv.Set(pb.SetRequest(key="large", value_bytes=os.urandom(300_000)), timeout=BOUND)  # ten seconds, over three times what a link may be silent
        a.set("small", "1")
        self.see(b, "small", "1", 40)
        wait_for("the large value is there", lambda: b.status().keys == 2, 40)
        log = a.log.read_text() + b.log.read_text()
        self.assertNotIn("lost n1", log)
        self.assertNotIn("lost n2", log)

    def test_a_path_on_which_large_packets_vanish(self):
        cluster = self.start()
        a, b, c = cluster.nodes
        c.kill()
        self.lose_large(2)
        a.kv.Set(pb.SetRequest(key="large", value_bytes=os.urandom(20_000)), timeout=BOUND)
        wait_for("the large value is there", lambda: b.status().keys == 1, 60)
        a.set("small", "1")
        self.see(b, "small", "1")
        note = next(note for note in a.status().notes if "large packets" in note)
        self.assertIn(address(2), note)
        self.assertIn("segments of 1200 bytes", note)
        self.assertIn(note, a.log.read_text())

    def test_a_short_loss_goes_by_unnoticed(self):
        cluster = self.start()
        a, b, c = cluster.nodes
        self.lose(1, 2)
        a.set("k", "1")
        self.see(c, "k", "1")
        self.heal()
        self.see(b, "k", "1")
        cluster.wait_linked()
        cluster.wait_equal()

    def test_cut_and_heal_with_writes_on_both_sides(self):
        cluster = self.start()
        a, b, c = cluster.nodes
        a.set("gone", "1")
        a.set("free", "0", lease_duration={"seconds": 0})
        cluster.wait_equal()
        self.cut(1, 2)
        self.cut(1, 3)
        wait_for("the cut is noticed", lambda: a.linked() == {"n1"} and "n1" not in b.linked() | c.linked())
        right, left = Watcher(b, include_snapshot=True), Watcher(a, include_snapshot=True)
        for watch in (left, right):
            watch.until("its snapshot", lambda w: w.snapshot and w.cursor)
        a.load([(f"left/{i}", "l") for i in range(300)] + [("both", "left"), ("free", "left")])
        a.delete("gone")
        b.load([(f"right/{i}", "r") for i in range(300)] + [("both", "right"), ("free", "right")])
        self.see(c, "both", "right")
        self.assertEqual([a.get("right/0"), c.get("left/0"), c.get("gone")], [None, None, "1"])
        cursor, seen = right.stop()
        self.heal()
        held, took = cluster.wait_equal()
        print(f"equal {took:.1f} s after healing", flush=True)
        values = {key: entry[0] for key, entry in held.items()}
        self.assertEqual(len(held), 602)
        self.assertNotIn("gone", held)
        self.assertIn(values["both"], ("left", "right"))
        left.until("what the other side wrote", lambda w: fold(w.events) == values)
        left.stop()
        # The watch of one side goes on at a node of the other: nothing is missed, nothing comes twice.
        then = Watcher(a, cursor=cursor)
        then.until("what the other side wrote", lambda w: w.cursor and fold(seen + w.events) == values)
        seen += then.stop()[1]
        self.assertEqual(len(seen), len({event[3] for event in seen}), "an event came twice")
        cluster.wait_linked()
        b.set("healed", "1")
        self.see(a, "healed", "1")


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"network_test: skipped: {reason}")
        sys.exit(0)
    unittest.main(verbosity=2)
