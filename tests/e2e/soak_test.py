#!/usr/bin/env python3
"""All that goes wrong at the edges, at once and for long: memory, descriptors and threads of a node stay flat.

Three nodes in network namespaces, written to and watched all the time, while clients misbehave (stalled uploads, watches
that are never read, connections that say nothing, requests that inflate, health streams without end, pings) and the
network does (cuts, one-way losses, a thin link, large packets that vanish, a process that stands still). Every round the
nodes must agree again, and once all clients have gone nothing of theirs may be left.

SOAK_MINUTES=60 (or `make soak MINUTES=60`) goes on for so long and prints a line a minute; the gate plays one minute.
Needs root and `ip netns`; skipped, with a message, without.
"""
import collections
import contextlib
import os
import pathlib
import random
import signal
import socket
import statistics
import struct
import sys
import threading
import time
import unittest

import network_test
from basics import BOUND, grpc, mesh_pb, pb, sanitized, wait_for
from cluster import ClusterTest
from network_test import SIZE
from requests_test import MIB, frame

MINUTES = float(os.environ.get("SOAK_MINUTES", "1"))
ROUND = 20  # seconds from one fault of the network to the next
KEYS = 400
HEALTH = "/grpc.health.v1.Health/Watch"
Sample = collections.namedtuple("Sample", "seconds node rss fds threads")


def literal(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


REQUEST = b"".join(literal(*pair) for pair in (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/leasemap.v1.KeyValue/BatchSet"), (b":authority", b"x"),
    (b"te", b"trailers"), (b"content-type", b"application/grpc")))
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(4, 1, 0, b"")


def upload(client, size, most):
    """Begins a request of `size` bytes and sends `most` of them, as far as the node's windows allow within two seconds.
    Nothing is sent after that."""
    client.sendall(HELLO + frame(1, 4, 1, REQUEST) + frame(0, 0, 1, b"\x00" + struct.pack(">I", size)))
    windows, seen, sent, end = {0: 65535 - 5, 1: 65535 - 5}, b"", 0, time.monotonic() + 2
    client.settimeout(0.1)
    while sent < most and time.monotonic() < end:
        part = min(16384, most - sent, *windows.values())
        if part > 0:
            client.sendall(frame(0, 0, 1, bytes(part)))
            sent, windows = sent + part, {stream: left - part for stream, left in windows.items()}
            continue
        try:
            came = client.recv(65536)
        except socket.timeout:
            continue
        if not came:
            return  # the node ended the connection
        seen += came
        while len(seen) >= 9 and len(seen) >= 9 + int.from_bytes(seen[:3], "big"):
            length, kind, stream = int.from_bytes(seen[:3], "big"), seen[3], int.from_bytes(seen[5:9], "big")
            if kind == 8:
                windows[stream] = windows.get(stream, 0) + int.from_bytes(seen[9:13], "big")
            seen = seen[9 + length:]


class Soak(ClusterTest):
    lose, cut, thin, lose_large, heal, start = (
        getattr(network_test.NetworkTest, name) for name in ("lose", "cut", "thin", "lose_large", "heal", "start"))

    @classmethod
    def setUpClass(cls):
        network_test.make_network()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.heal)
        self.nodes, self.over = self.start().nodes, threading.Event()
        self.samples, self.counts, self.failed = [], collections.Counter(), []
        self.began = time.monotonic()

    # --- actors: each goes on until it is over; what a node refuses is no failure of theirs

    def act(self, every, action, *arguments):
        """A thread that does this again and again, with a pause of `every` seconds between two."""
        def run():
            while not self.over.wait(every):
                try:
                    action(*arguments)
                    self.counts[action.__name__] += 1
                except (grpc.RpcError, OSError, ValueError):
                    self.counts[f"{action.__name__}, refused"] += 1
                except Exception as error:  # pylint: disable=broad-except
                    self.failed.append(f"{action.__name__}: {error!r}")
                    return
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def channel(self, node, **options):
        return grpc.insecure_channel(node.target, [("grpc.use_local_subchannel_pool", 1)], **options)

    def write(self, node, chance):
        key, which = f"k/{chance.randrange(KEYS)}", chance.random()
        if which < 0.1:
            node.kv.Delete(pb.DeleteRequest(key=key, holder="soak"), timeout=5)
        elif which < 0.2:
            node.kv.Set(pb.SetRequest(key=f"e/{chance.randrange(KEYS)}", value="here", holder="soak", ephemeral=True,
                                      lease_duration_ms=2000), timeout=5)
        elif which < 0.25:
            node.kv.Set(pb.SetRequest(key=key, value="acked", holder="soak", ack=pb.ACK_ALL, ack_timeout_ms=2000), timeout=5)
        else:
            node.kv.Set(pb.SetRequest(key=key, value="x" * chance.randrange(1, 20_000), holder="soak"), timeout=5)

    def read(self, node, chance):
        node.kv.Get(pb.GetRequest(key=f"k/{chance.randrange(KEYS)}"), timeout=5)
        if chance.random() < 0.05:
            node.kv.List(pb.ListRequest(page_size=100), timeout=5)

    def watch(self, node, chance):
        """Some streams that are read slowly or never; half of them go without a word."""
        with self.channel(node) as channel:
            calls = [channel.unary_stream("/leasemap.v1.KeyValue/Watch",
                                          request_serializer=pb.WatchRequest.SerializeToString,
                                          response_deserializer=pb.WatchResponse.FromString)(
                pb.WatchRequest(include_snapshot=True)) for _ in range(10)]
            for _ in range(20):
                next(calls[0])
                self.over.wait(chance.random())
            for call in calls[::2]:
                call.cancel()

    def stall(self, node, chance):
        clients = []
        try:
            for _ in range(5):
                clients.append(socket.create_connection((node.ip, node.port), 3))
                upload(clients[-1], 4 * MIB, chance.randrange(100_000, MIB))
            self.over.wait(5)
        finally:
            for client in clients:
                if chance.random() < 0.5:  # a reset instead of an end
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()

    def say_nothing(self, node, chance):
        with contextlib.ExitStack() as clients:
            for _ in range(30):
                port = chance.choice([node.port, node.mesh_port])
                client = clients.enter_context(socket.create_connection((node.ip, port), 3))
            client.sendall(os.urandom(2000))
            self.over.wait(3)

    def inflate(self, node, _):
        with self.channel(node, compression=grpc.Compression.Gzip) as channel:
            channel.unary_unary("/leasemap.v1.KeyValue/Set", request_serializer=pb.SetRequest.SerializeToString)(
                pb.SetRequest(key="bomb", value_bytes=bytes(30 * MIB)), timeout=10)

    def watch_health(self, node, _):
        with self.channel(node) as channel:
            calls = [channel.unary_stream(HEALTH)(b"") for _ in range(30)]
            next(calls[0])
            self.over.wait(5)
            del calls

    def ping(self, node, _):
        with socket.create_connection((node.ip, node.port), 3) as client:
            client.sendall(HELLO + frame(6, 0, 0, bytes(8)))
            self.over.wait(8)

    def hang_up_signal(self, node, _):
        node.process.send_signal(signal.SIGHUP)

    # --- faults of the network, one a round

    def fault(self, chance):
        i, j = chance.sample(range(1, SIZE + 1), 2)
        kind = chance.choice(["cut", "lose", "thin", "lose_large", "stand still"])
        self.counts[kind] += 1
        if kind == "stand still":
            self.nodes[i - 1].pause()
            self.over.wait(4)
            self.nodes[i - 1].resume()
        elif kind == "thin":
            self.thin(i, 256)
        elif kind == "lose_large":
            self.lose_large(i)
        else:
            getattr(self, kind)(i, j)

    # --- what is measured

    def sample(self):
        for node in self.nodes:
            process = pathlib.Path(f"/proc/{node.process.pid}")
            self.samples.append(Sample(time.monotonic() - self.began, node.name, node.rss_mib(),
                                       len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))))

    def between(self, begin, end, field):
        """The median of a figure in this part of the run, over all nodes."""
        return statistics.median(getattr(sample, field) for sample in self.samples
                                 if begin * self.lasted <= sample.seconds <= end * self.lasted)

    def report(self):
        print(f"{len(self.samples) // SIZE} samples; {dict(self.counts)}")
        print("minute  rss MiB  fds  threads   (medians over the nodes)")
        for minute in range(int(self.lasted // 60) + 1):
            part = [sample for sample in self.samples if sample.seconds // 60 == minute]
            if part:
                print(f"{minute:6}  {statistics.median(s.rss for s in part):7.1f}  {statistics.median(s.fds for s in part):3.0f}"
                      f"  {statistics.median(s.threads for s in part):7.0f}", flush=True)

    def quiet(self):
        """Descriptors and threads as they are with nobody there, once the channels of this test are closed."""
        return [(len(os.listdir(f"/proc/{node.process.pid}/fd")), len(os.listdir(f"/proc/{node.process.pid}/task")))
                for node in self.nodes]

    def test_memory_descriptors_and_threads_stay_flat(self):
        chance = random.Random(int(os.environ.get("SOAK_SEED", "1")))
        before, threads = self.quiet(), []
        for node in self.nodes:
            for every, action in [(0.02, self.write), (0.02, self.read), (1, self.watch), (2, self.stall),
                                  (4, self.say_nothing), (5, self.inflate), (3, self.watch_health), (1, self.ping),
                                  (7, self.hang_up_signal)]:
                threads.append(self.act(every, action, node, random.Random(chance.random())))
        end = self.began + 60 * MINUTES
        while time.monotonic() < end:
            self.fault(chance)
            for _ in range(ROUND // 2):
                self.over.wait(1)
                self.sample()
            self.heal()
            wait_for("they are linked", lambda: all(len(node.linked()) == SIZE for node in self.nodes), 60)
        self.over.set()
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive(), "a client hangs")
        self.lasted = time.monotonic() - self.began
        self.assertEqual(self.failed, [])
        self.clusters[0].wait_linked()
        self.clusters[0].wait_equal(seconds=60)
        self.report()

        # Nothing is left of those who went. (Links are dialled by either side, and gRPC keeps some threads.)
        def gone():
            return all(now[0] <= then[0] + 4 for now, then in zip(self.quiet(), before))
        wait_for(lambda: f"descriptors {before} again: {self.quiet()}", gone, 60)
        for node in self.nodes:
            status = node.mesh.GetStatus(mesh_pb.GetStatusRequest(), timeout=BOUND)
            self.assertEqual((status.watches, status.connections), (0, 1))
        if MINUTES >= 10:
            for field, ratio, more in (("rss", 1.1, 16), ("fds", 1.1, 8), ("threads", 1.0, 4)):
                early, late = self.between(0.25, 0.5, field), self.between(0.75, 1, field)
                self.assertLessEqual(late, early * ratio + more, f"{field} grows")
        elif not sanitized():
            self.assertLess(max(sample.rss for sample in self.samples), 400)


if __name__ == "__main__":
    missing = network_test.why_not()
    if missing:
        print(f"soak_test: skipped: {missing}")
        sys.exit(0)
    unittest.main(verbosity=2)
