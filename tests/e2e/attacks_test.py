#!/usr/bin/env python3
"""A node under attack, with a normal client beside it: none of its calls fails, and the node's memory grows by no more than
docs/security.md states. Its latencies are shown and not judged.

ATTACK_SECONDS is for how long each attack lasts: 3 in the gate."""
import os
import re
import threading
import time
import unittest

import attackers
from basics import BOUND, grpc, pb, sanitized, wait_for
from cluster import ClusterTest, Node
from requests_test import KEEP_LITTLE
from tls_test import Authority, TlsNode

SECONDS = float(os.environ.get("ATTACK_SECONDS", "3"))
PER_SECOND = 100  # calls of the normal client: far below what a node can do
GROWTH_MIB = 384  # docs/security.md, "Under attack"


def memory_mib(node, which):
    with open(f"/proc/{node.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(rf"{which}:\s+(\d+)", status.read())[1]) / 1024


class NormalClient:
    """Sets and gets, one call at a time and at an even rate, until it is told to stop."""

    def __init__(self, node):
        self.node, self.times, self.errors, self.over = node, [], [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(BOUND)

    def run(self):
        number = 0
        while not self.over.wait(1 / PER_SECOND):
            number += 1
            begin = time.monotonic()
            try:
                if number % 2:
                    self.node.kv.Set(pb.SetRequest(key=f"normal/{number % 10}", value=str(number)), timeout=BOUND)
                else:
                    self.node.kv.Get(pb.GetRequest(key=f"normal/{(number - 1) % 10}"), timeout=BOUND)
            except grpc.RpcError as error:
                self.errors.append(error)
            self.times.append(time.monotonic() - begin)

    def p99_ms(self):
        times = sorted(self.times)
        return 1000 * times[int(len(times) * 0.99)]


class AttacksTest(ClusterTest):
    def node(self):
        return Node("n1", variables=KEEP_LITTLE)

    def setUp(self):
        super().setUp()
        self.under, = self.cluster(nodes=[self.node()], wait=False).nodes
        wait_for("it serves", lambda: self.under.status() and self.under.status().ready)

    def attack(self, name, attack, happened):
        """`happened` says whether the attack did what it was to do."""
        with NormalClient(self.under) as quiet:
            wait_for("calls without an attack", lambda: len(quiet.times) > PER_SECOND)
        before = memory_mib(self.under, "VmRSS")
        with attack, NormalClient(self.under) as client:
            end = time.monotonic() + SECONDS
            wait_for(f"{name} is under way", lambda: happened(attack) and time.monotonic() > end and len(client.times) > 20)
        wait_for("the node takes calls without an attack", lambda: self.under.status())
        grown = memory_mib(self.under, "VmHWM") - before
        print(f"{name}: {attack.done} rounds, {attack.sent >> 20} MiB sent; {len(client.times)} calls beside it, p99 "
              f"{client.p99_ms():.1f} ms ({quiet.p99_ms():.1f} ms without); memory grew by {grown:.0f} MiB", flush=True)
        self.assertEqual(client.errors, [])
        if not sanitized():
            self.assertLess(grown, GROWTH_MIB)
        self.assertIsNone(self.under.process.poll())

    def test_junk(self):
        self.attack("junk for gRPC", attackers.Junk(self.under.port), lambda attack: attack.done > 64)
        self.attack("junk for the mesh", attackers.Junk(self.under.mesh_port), lambda attack: attack.done > 64)
        self.attack("junk after the preface", attackers.Junk(self.under.port, begin=attackers.PREFACE),
                    lambda attack: attack.done > 64)

    def test_lengths_of_a_gibibyte(self):
        self.attack("lengths of 1 GiB", attackers.DeclaredLength(self.under.port), lambda attack: attack.sent > 20_000)
        junk = attackers.Junk(self.under.mesh_port, begin=b"\x40\0\0\0")
        self.attack("lengths of 1 GiB on the mesh", junk, lambda attack: attack.done > 64)

    def test_rapid_resets(self):
        self.attack("rapid resets", attackers.RapidReset(self.under.port), lambda attack: attack.sent > 1 << 20)

    def test_slow_readers(self):
        for i in range(200):
            self.under.set(f"filler/{i}", "x" * 5000)
        watches = 2000
        self.attack("slow readers", attackers.SlowReaders(self.under.port, 20, watches // 20),
                    lambda attack: self.under.status().watches >= watches * 0.9)

    def test_connects(self):
        self.attack("connects", attackers.Connects(self.under.port), lambda attack: attack.done > 1000)
        self.attack("connects to the mesh", attackers.Connects(self.under.mesh_port), lambda attack: attack.done > 1000)

    def test_keys_that_are_alike(self):
        self.attack("keys that are alike", attackers.AlikeKeys(self.under.port), lambda attack: attack.sent > 20 << 20)

    def test_bombs(self):
        self.attack("gzip bombs", attackers.Bombs(self.under.port), lambda attack: attack.done > 4)


class TlsAttacksTest(AttacksTest):
    """Over TLS: the handshakes are under attack, too."""

    def node(self):
        node = TlsNode("n1", Authority())
        node.environment.update(KEEP_LITTLE)
        return node

    test_lengths_of_a_gibibyte = test_rapid_resets = test_slow_readers = test_bombs = test_connects = \
        test_keys_that_are_alike = None

    def test_handshakes_that_never_end(self):
        self.attack("half handshakes", attackers.HalfHandshakes(self.under.port), lambda attack: attack.sent > 20_000)
        self.attack("half handshakes on the mesh", attackers.HalfHandshakes(self.under.mesh_port),
                    lambda attack: attack.sent > 20_000)


class TransitionAttacksTest(TlsAttacksTest):
    """A node that looks at the first byte of each connection, since it takes TLS and plain text."""

    def node(self):
        node = TlsNode("n1", Authority(), ("--tls-transition",))
        node.environment.update(KEEP_LITTLE)
        return node

    def test_connections_that_say_nothing(self):
        self.attack("silent connections", attackers.Silent(self.under.port),
                    lambda attack: self.under.status().connections >= attackers.Silent.WORKERS * 0.9)
        self.attack("silent connections to the mesh", attackers.Silent(self.under.mesh_port),
                    lambda attack: attack.done > attackers.Silent.WORKERS)

    def test_connects(self):
        AttacksTest.test_connects(self)

    test_junk = None


if __name__ == "__main__":
    unittest.main()
