#!/usr/bin/env python3
"""Requests that a node should not have to take as they come: compressed ones that inflate to much, batches and lines
that are too large, clients that ping, and one that never reads."""
import os
import re
import socket
import struct
import subprocess
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, grpc, pb, sanitized, wait_for
from cluster import ClusterTest, Node

MIB = 1 << 20
# AddressSanitizer keeps what was freed, 256 MiB of it; the most memory that a node had would say nothing.
KEEP_LITTLE = {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=1"}


def peak_mib(node):
    """The most memory that the process ever had."""
    with open(f"/proc/{node.process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class RequestsTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.node = self.cluster(nodes=[Node("n1", variables=KEEP_LITTLE)]).nodes[0]

    def test_compressed_requests_are_taken(self):
        for how in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            with self.subTest(how=how):
                value = f"{how}" * 100_000
                self.node.kv.Set(pb.SetRequest(key="packed", value=value), timeout=BOUND, compression=how)
                found = self.node.kv.Get(pb.GetRequest(key="packed"), timeout=BOUND, compression=how).entry
                self.assertEqual(found.value, value)

    def test_what_inflates_to_much_is_refused_before_it_does(self):
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.node.target, options, compression=grpc.Compression.Gzip) as channel:
            before, bomb = peak_mib(self.node), pb.SetRequest(key="bomb", value_bytes=bytes(100 * MIB))
            for method in ("KeyValue/Set", "KeyValue/Get", "Mesh/GetStatus"):
                call = channel.unary_unary(f"/leasemap.v1.{method}", request_serializer=lambda m: m.SerializeToString())
                calls = [call.future(bomb, timeout=BOUND) for _ in range(3)]
                for one in calls:
                    self.assertIsInstance(one.exception(BOUND), grpc.RpcError)
        self.assertLess(peak_mib(self.node) - before, 120, "100 MiB were inflated, or several at once")
        self.assertIsNone(self.node.get("bomb"))
        self.node.set("still", "here")

    def test_a_large_batch_is_done_or_refused_item_by_item(self):
        def batch(count):
            items = [pb.SetRequest(key=f"k{i}", value_bytes=bytes([i]) * MIB) for i in range(count)]
            return [result.status.reason for result in
                    self.node.kv.BatchSet(pb.BatchSetRequest(requests=items), timeout=BOUND).results]
        self.assertEqual(batch(5), [""] * 5)
        self.assertEqual(batch(12), [""] * 7 + ["BYTES_LIMIT"] * 5)

    def test_a_line_that_is_too_large_stops_no_batch(self):
        lines = "a\t1\n" + "b\t" + "x" * (20 * 1000 * 1000) + "\n" + "c\t" + "x" * 2 * MIB + "\nd\t4\n"
        done = subprocess.run([LEASEMAP, "--server", self.node.target, "batch"], input=lines, capture_output=True,
                              text=True, timeout=BOUND, env=ENVIRONMENT)
        self.assertEqual((done.returncode, done.stdout), (1, "2 set, 2 failed\n"), done.stderr)
        for line in (2, 3):
            self.assertIn(f"leasemap: line {line}: ", done.stderr)
        self.assertEqual((self.node.get("a"), self.node.get("d")), ("1", "4"))

    def test_a_full_map_refuses_sets_and_takes_deletes(self):
        node = Node("full", flags=["--max-bytes=16MiB"])
        self.cluster(nodes=[node], wait=False)
        wait_for("it serves", lambda: node.status().ready)
        keys = iter(range(1000))

        def fill():
            while True:
                node.set(f"k{next(keys)}", "x" * 500_000)
        self.refused(fill, "RESOURCE_EXHAUSTED", "BYTES_LIMIT", "--max-bytes")
        status = node.status()
        self.assertLessEqual(status.held_bytes, status.max_bytes)
        self.assertEqual(status.max_bytes, 16 * MIB)
        self.assertGreater(status.memory_limit, status.memory_used)
        for i in range(4):
            node.delete(f"k{i}")
        node.set("again", "x" * 500_000)

    def test_a_client_without_calls_may_ping(self):
        with socket.create_connection(("127.0.0.1", self.node.port)) as client:
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(4, 1, 0, b""))
            client.settimeout(5.1)  # what a client waits between two pings at least
            seen = b""
            for number in range(5):
                client.sendall(frame(6, 0, 0, struct.pack(">Q", number)))
                try:
                    while part := client.recv(65536):
                        seen += part
                    self.fail(f"it was turned away after {number} pings: {seen}")
                except socket.timeout:
                    self.assertIn(frame(6, 1, 0, struct.pack(">Q", number)), seen)

    def test_watchers_that_never_read_hold_little(self):
        node = Node("small")
        self.cluster(nodes=[node], wait=False)
        wait_for("it serves", lambda: node.status().ready)
        for i in range(64):
            node.set(f"k{i}", "x" * 100_000)
        before = node.rss_mib()
        # gRPC for Python reads ahead little: what it has not asked for stays with the node.
        streams = [node.kv.Watch(pb.WatchRequest(include_snapshot=True)) for _ in range(100)]
        wait_for("they are open", lambda: node.status().watches == 100)
        # A sanitizer keeps up to 256 MiB of what was freed (ASan's quarantine_size_mb).
        most = 60 + (256 if sanitized() else 0)
        self.assertLess(node.rss_mib() - before, most, "a stream holds two messages at most")
        for stream in streams:
            stream.cancel()


if __name__ == "__main__":
    unittest.main(verbosity=2)
