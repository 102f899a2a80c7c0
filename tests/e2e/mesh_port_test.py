#!/usr/bin/env python3
"""Strangers on the mesh port: junk, lengths of 4 GiB, half a handshake, a thousand sockets that say nothing. All are
closed within 5 s, cost little memory, and the members notice nothing."""
import random
import selectors
import socket
import struct
import time
import unittest

from basics import BOUND, sanitized, wait_for
from cluster import ClusterTest, Node
from leasemap.peer.v1 import peer_pb2

CLOSED_S = 8  # 5 s are promised; the rest is for a busy machine
GROWTH_MIB = 64
GROWTH_SANITIZED_MIB = 400  # AddressSanitizer holds up to 256 MiB of freed memory back


def frame(envelope):
    body = envelope.SerializeToString()
    return struct.pack(">I", len(body)) + body


def hello(**changes):
    """A Hello as a member would say it."""
    fields = {"protocol_min": 6, "protocol_max": 6, "cluster": "leasemap", "leasing": True, "period_ms": 3_600_000,
              "self": {"node": "stranger", "incarnation": 1}, "wall_ms": int(time.time() * 1000),
              "advertise": "127.0.0.1:1", **changes}
    return frame(peer_pb2.Envelope(hello=fields))


def accept():
    return frame(peer_pb2.Envelope(accept={"wall_ms": int(time.time() * 1000)}))


class Strangers:
    """Sockets to the mesh port of a node, and which of them it closed after how long."""

    def __init__(self, node):
        self.address = (node.ip, node.mesh_port)
        self.selector = selectors.DefaultSelector()
        self.open, self.closed, self.dripping = {}, {}, []

    def connect(self, name, said=b"", drips=False):
        stranger = socket.create_connection(self.address, BOUND)
        self.open[stranger] = (name, time.monotonic())
        try:
            stranger.sendall(said)
        except ConnectionError:
            pass  # it was closed on the way: found below
        stranger.setblocking(False)
        self.selector.register(stranger, selectors.EVENT_READ)
        if drips:
            self.dripping.append(stranger)

    def step(self):
        """Takes what happened in the last moment; true if all are closed."""
        for key, _ in self.selector.select(0.05):
            try:
                if key.fileobj.recv(65536):
                    continue
            except BlockingIOError:
                continue
            except ConnectionError:
                pass
            self.end(key.fileobj)
        for stranger in self.dripping:
            if stranger in self.open:
                try:
                    stranger.send(b"x")
                except OSError:
                    pass
        return not self.open

    def end(self, stranger):
        name, begin = self.open.pop(stranger)
        self.closed[name] = max(self.closed.get(name, 0), time.monotonic() - begin)
        self.selector.unregister(stranger)
        stranger.close()

    def close(self):
        for stranger in list(self.open):
            self.end(stranger)
        self.selector.close()


class MeshPortTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.nodes = self.cluster().nodes
        self.strangers = Strangers(self.nodes[0])
        self.addCleanup(self.strangers.close)
        self.rss = self.nodes[0].rss_mib()

    def seen(self, node, key, value):
        self.strangers.step()
        return node.get(key) == value

    def see_them_closed(self):
        """Until all are closed; meanwhile each write on the attacked node is seen on another one, and back."""
        a, b = self.nodes[:2]
        begin, turn = time.monotonic(), 0
        while turn == 0 or not self.strangers.step():
            turn += 1
            a.set("there", f"{turn}")
            wait_for("the write on n2", lambda: self.seen(b, "there", f"{turn}"))
            b.set("back", f"{turn}")
            wait_for("the write on n1", lambda: self.seen(a, "back", f"{turn}"))
            late = {name for name, _ in self.strangers.open.values()}
            self.assertLess(time.monotonic() - begin, BOUND, f"still open: {late}")
        self.assertLess(max(self.strangers.closed.values()), CLOSED_S, self.strangers.closed)
        grown = a.rss_mib() - self.rss
        print(f"closed after {max(self.strangers.closed.values()):.1f} s at most, {grown:.0f} MiB more", flush=True)
        self.assertLess(grown, GROWTH_SANITIZED_MIB if sanitized() else GROWTH_MIB)
        for node in self.nodes:
            self.assertEqual(node.linked(), {each.name for each in self.nodes})
            self.assertNotIn("lost n", node.log.read_text())

    def test_junk(self):
        junk, four_gib = random.Random(7), b"\xff\xff\xff\xff"
        for turn in range(20):
            self.strangers.connect("random bytes", junk.randbytes(1 << 20))
            self.strangers.connect("a frame of random bytes", struct.pack(">I", 1000) + junk.randbytes(1000))
            self.strangers.connect("a length of 4 GiB", four_gib + b"x" * 100_000)
            self.strangers.connect("a length of 2 GiB", b"\x7f\xff\xff\xff")
            self.strangers.connect("a length of 1 MiB from a stranger", struct.pack(">I", 1 << 20) + b"x" * 100_000)
            self.strangers.connect("a length of zero", bytes(4))
            self.strangers.connect("HTTP", b"GET / HTTP/1.1\r\nHost: n1\r\n\r\n")
            self.strangers.connect("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + junk.randbytes(512))
            self.strangers.connect("a length of 4 GiB after a Hello", hello() + four_gib)
            self.strangers.connect("junk after a Hello", hello() + struct.pack(">I", 500) + junk.randbytes(500))
        self.see_them_closed()

    def test_half_a_handshake(self):
        for turn in range(5):
            self.strangers.connect("half a length", b"\x00\x00")
            self.strangers.connect("half a frame", struct.pack(">I", 100) + b"x" * 50)
            self.strangers.connect("half a Hello", hello()[:20])
            self.strangers.connect("a Hello and no more", hello())
            self.strangers.connect("a byte now and then", struct.pack(">I", 10_000), drips=True)
            self.strangers.connect("two Hellos", hello() * 2)
            self.strangers.connect("an Accept first", accept())
            self.strangers.connect("an entry too early", hello() + frame(peer_pb2.Envelope(live={"entries": [{}]})))
        self.see_them_closed()

    def test_handshakes_that_are_refused(self):
        for name, changes in (("another cluster", {"cluster": "other"}), ("leasing off", {"leasing": False}),
                              ("another period", {"period_ms": 1}), ("a later protocol", {"protocol_min": 1000,
                                                                                        "protocol_max": 1001}),
                              ("the node's own name", {"self": {"node": "n1", "incarnation": 1}}),
                              ("no name", {"self": {"node": "", "incarnation": 1}}),
                              ("a name of 300 bytes", {"self": {"node": "x" * 300, "incarnation": 1}})):
            self.strangers.connect(name, hello(**changes))
        self.see_them_closed()
        log = self.nodes[0].log.read_text()
        for reason in ("CLUSTER_MISMATCH", "LEASING_MISMATCH", "PROTOCOL_MISMATCH", "DUPLICATE_NODE_ID"):
            self.assertIn(reason, log)

    def test_a_thousand_idle_sockets(self):
        for _ in range(1000):
            self.strangers.connect("idle")
        joiner = Node("n4")
        self.clusters[0].add(joiner)
        wait_for("n4 is let in meanwhile", lambda: self.strangers.step() or "n1" in joiner.linked())
        self.clusters[0].wait_linked()
        self.see_them_closed()


if __name__ == "__main__":
    unittest.main(verbosity=2)
