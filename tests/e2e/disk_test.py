#!/usr/bin/env python3
"""Nodes with a data directory: what is there again after a restart, a kill, damage, and on a full disk."""
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import file_system
from basics import BOUND, ENVIRONMENT, LEASEMAPD, SCRATCH, error_info, grpc, mesh_pb, pb, wait_for
from cluster import ClusterTest, Node
from watcher import Watcher


class DiskNode(Node):
    """A node with a data directory of its own."""

    def __init__(self, name, flags=(), folder=None):
        self.folder = folder or pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-data-", dir=SCRATCH))
        super().__init__(name, flags=(f"--data-dir={self.folder}", *flags))

    def aside(self):
        return list(self.folder.glob("damaged-*"))


def check_data(folder):
    return subprocess.run([LEASEMAPD, "--check-data", f"--data-dir={folder}"], env=ENVIRONMENT, capture_output=True,
                          text=True, timeout=BOUND, check=False)


class DiskTest(ClusterTest):
    def file_system(self, mib):
        """Of its own, for one node; needs root."""
        if why_not := file_system.why_not():
            self.skipTest(why_not)
        return file_system.FileSystem(pathlib.Path(tempfile.mkdtemp(prefix="disk-", dir=SCRATCH)) / "mount", mib)

    def disks(self, size, **keywords):
        return self.cluster(nodes=[DiskNode(f"n{i}", **keywords) for i in range(1, size + 1)])

    def test_a_node_alone_goes_on_after_kill_9(self):
        cluster = self.disks(1)
        node = cluster.nodes[0]
        kept = node.set("kept", "1", holder="h", lease_duration={"seconds": 3600})
        node.set("gone", "x")
        node.delete("gone", holder="n1")
        node.set("short", "y", holder="h", lease_duration={"seconds": 2}, on_lapse=pb.ON_LAPSE_DELETE)
        watcher = Watcher(node)
        watcher.until("a cursor", lambda w: w.cursor)
        cursor, _ = watcher.stop()
        first = node.status().incarnation
        node.kill()
        ended = time.monotonic() + 2
        wait_for("the end of the short lease", lambda: time.monotonic() > ended)
        cluster.restart(node)
        cluster.wait_linked()
        self.assertGreater(node.status().incarnation, first)
        self.assertEqual(node.get("kept"), "1")
        self.assertIsNone(node.get("gone"))
        wait_for("the ephemeral key vanishes", lambda: node.get("short") is None)
        # The lease goes on, for the same holder, with the same version.
        self.refused(lambda: node.set("kept", "2", holder="other"), "FAILED_PRECONDITION", "LEASE_HELD")
        self.assertEqual(node.dump()["kept"][2], kept.version)
        node.set("kept", "2", holder="h")
        # A watch resumes with nothing repeated: the deleted key was told, and the lapse comes once.
        resumed = Watcher(node, cursor=cursor)
        resumed.until("the later write", lambda w: any(event[:2] == ("SET", "kept") for event in w.events))
        resumed.until("the lapse", lambda w: any(event[0] == "EXPIRED" for event in w.events))
        resumed.until("a cursor", lambda w: w.sure == len(w.events))
        _, events = resumed.stop()
        self.assertEqual(sorted(event[:3] for event in events), [("EXPIRED", "short", "y"), ("SET", "kept", "2")])

    def test_every_answered_write_survives_kill_9_at_any_moment(self):
        cluster = self.disks(1)
        node, done = cluster.nodes[0], {}
        for life in range(4):
            items = [(f"{life}/{i:05d}", f"v{i}") for i in range(20000)]
            load = threading.Thread(target=node.load, args=(items, done))
            load.start()
            goal = len(done) + 300 + 500 * life
            wait_for("some of the load", lambda goal=goal: len(done) >= goal)
            node.kill()
            load.join()
            cluster.restart(node)
            cluster.wait_linked()
            held = node.dump()
            missing = [key for key, value in done.items() if held.get(key, (None,))[0] != value]
            self.assertFalse(missing, f"{len(missing)} of {len(done)} answered writes are gone, as {missing[:3]}")
        print(f"{len(done)} answered writes survived 4 kills", flush=True)

    def test_all_nodes_killed_at_once(self):
        cluster = self.disks(3)
        done = cluster.nodes[0].load([(f"k/{i}", f"v{i}") for i in range(1000)])
        acked = cluster.nodes[1].set("acked", "all", ack=pb.ACK_ALL)
        for node in cluster.nodes:
            node.kill()
        for node in cluster.nodes:
            cluster.restart(node)
        cluster.wait_linked()
        held, _ = cluster.wait_equal()
        self.assertEqual({key: entry[0] for key, entry in held.items()}, {**done, "acked": "all"})
        self.assertEqual(held["acked"][2], acked.version)
        self.assertEqual(len(done), 1000)

    def test_a_stop_does_not_leave_and_the_id_is_kept(self):
        cluster = self.disks(2)
        a, b = cluster.nodes
        a.set("k", "v")
        cluster.wait_equal()
        self.assertEqual(b.kill(signal.SIGTERM), 0)

        def state_of_b():
            members = a.mesh.ListMembers(mesh_pb.ListMembersRequest(), timeout=BOUND).members
            return next(member.state for member in members if member.node_id == "n2")
        wait_for("the link is gone", lambda: state_of_b() != mesh_pb.Member.STATE_ALIVE)
        self.assertEqual(state_of_b(), mesh_pb.Member.STATE_SUSPECT)
        # The host has another name now, and no --node-id is given.
        b.name = ""
        cluster.restart(b)
        b.name = "n2"
        cluster.wait_linked()
        self.assertEqual((b.status().node_id, b.get("k")), ("n2", "v"))
        self.assertEqual(a.status().resets + b.status().resets, 0)

    def test_what_refuses_to_start(self):
        cluster = self.disks(1)
        node = cluster.nodes[0]

        def start(*flags):
            command = [LEASEMAPD, "--listen=127.0.0.1:0", "--mesh-listen=127.0.0.1:0", f"--data-dir={node.folder}"]
            return subprocess.run([*command, *flags], env=ENVIRONMENT, capture_output=True, text=True, timeout=BOUND,
                                  check=False)
        second = start()
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"locked by another process, ID {node.process.pid}", second.stderr)
        self.assertIn("end that process, or name another folder in --data-dir", second.stderr)
        self.assertEqual(check_data(node.folder).returncode, 1)
        node.kill(signal.SIGTERM)
        other = start("--node-id=other")
        self.assertEqual(other.returncode, 1)
        self.assertIn("has the map of node n1, not of other", other.stderr)
        self.assertIn("has a map of cluster leasemap, not of c2", start("--cluster=c2").stderr)
        form = node.folder / "FORMAT"
        good = form.read_text()
        form.write_text(good.replace("format 1", "format 7"))
        self.assertIn("it has format 7; this version reads 1 to 1", start().stderr)
        form.write_text(good)
        cluster.restart(node)

    def test_damage_is_repaired_from_the_others(self):
        cluster = self.disks(3)
        a, b, c = cluster.nodes
        a.load([(f"k/{i}", f"v{i}") for i in range(500)])
        held, _ = cluster.wait_equal()
        b.kill(signal.SIGTERM)
        whole = check_data(b.folder)
        self.assertEqual((whole.returncode, whole.stderr), (0, ""))
        self.assertIn("node n2 of cluster leasemap, format 1: 500 records, none damaged", whole.stdout)
        log = max((b.folder / "map").glob("*.log"), key=lambda path: path.stat().st_size)
        data = bytearray(log.read_bytes())
        data[len(data) // 3] ^= 1
        log.write_bytes(data)
        damaged = check_data(b.folder)
        self.assertEqual(damaged.returncode, 1)
        self.assertIn("damaged: ", damaged.stderr)
        self.assertEqual(b.aside(), [])
        # Alone it does not start: nothing could take the map's place.
        alone = subprocess.run([LEASEMAPD, "--listen=127.0.0.1:0", "--mesh-listen=127.0.0.1:0",
                                f"--data-dir={b.folder}"], env=ENVIRONMENT, capture_output=True, text=True,
                               timeout=BOUND, check=False)
        self.assertEqual(alone.returncode, 1)
        self.assertIn("name other nodes that have the map in --seeds", alone.stderr)
        # With seeds that do not answer it starts, and never serves.
        a.kill()
        c.kill()
        cluster.restart(b)
        wait_for("what it waits for", lambda: any("damaged on its disk" in note for note in b.status().notes))
        self.assertFalse(b.status().ready)
        self.refused(lambda: b.get("k/1"), "UNAVAILABLE", "SYNCING")
        self.assertEqual(len(b.aside()), 1)
        cluster.restart(a)
        cluster.restart(c)
        cluster.wait_linked()
        self.assertEqual(cluster.wait_equal()[0], held)
        b.kill()
        self.assertIn("500 records, none damaged\n", check_data(b.folder).stdout)
        cluster.restart(b)
        cluster.wait_linked()

    def test_a_full_disk_refuses_sets_and_can_be_emptied(self):
        disk = self.file_system(200)
        node = DiskNode("n1", folder=disk.mount / "data")
        cluster = self.cluster(nodes=[node])
        other = cluster.add(DiskNode("n2"))
        cluster.wait_linked()
        done = {}

        def fill():
            for i in range(300):
                try:
                    node.set(f"big/{i:03d}", os.urandom(1 << 20))  # which no compression makes smaller
                    done[f"big/{i:03d}"] = True
                except grpc.RpcError as error:
                    return error
            return None
        error = fill()
        self.assertIsNotNone(error, "300 MiB fit on a disk of 200")
        self.assertEqual((error.code().name, error_info(error).reason), ("RESOURCE_EXHAUSTED", "DISK_FULL"))
        self.assertGreater(len(done), 10)
        # Reads go on, health stays, the status says it, and what the others write comes.
        self.assertTrue(node.status().ready)
        wait_for("the status", lambda: any("the disk is full" in note for note in node.status().notes))
        other.set("from another", "v")
        wait_for("another's write", lambda: node.get("from another") == "v")
        self.refused(lambda: node.set("small", "v"), "RESOURCE_EXHAUSTED", "DISK_FULL", "delete keys")
        # Renew, Release and Delete work, so that it can be emptied.
        first = sorted(done)[0]
        node.kv.Renew(pb.RenewRequest(key=first), timeout=BOUND)
        node.kv.Release(pb.ReleaseRequest(key=first), timeout=BOUND)
        for key in done:
            node.delete(key)
        node.kill()
        cluster.restart(node)
        cluster.wait_linked()
        held, _ = cluster.wait_equal()
        self.assertFalse([key for key in done if key in held])
        self.assertEqual(held["from another"][0], "v")

    def test_a_disk_that_another_program_fills_recovers_by_itself(self):
        disk = self.file_system(300)
        node = DiskNode("n1", folder=disk.mount / "data")
        self.cluster(nodes=[node])
        node.set("before", "v")
        disk.fill()

        def refused():
            try:
                node.set(os.urandom(8), os.urandom(100_000))
                return False
            except grpc.RpcError as error:
                return error_info(error).reason == "DISK_FULL"
        wait_for("DISK_FULL", refused)
        self.assertEqual(node.get("before"), "v")
        node.delete("before")
        disk.empty()

        def taken():
            try:
                return node.set("after", "v")
            except grpc.RpcError:
                return False
        wait_for("writes are taken again", taken)
        self.assertFalse([note for note in node.status().notes if "disk" in note])
        node.kill()
        node.start()
        wait_for("ready", lambda: node.status() and node.status().ready)
        self.assertEqual((node.get("before"), node.get("after")), (None, "v"))

    def test_a_disk_that_breaks_down_keeps_what_was_answered(self):
        disk = self.file_system(200)
        node = DiskNode("n1", folder=disk.mount / "data")
        cluster = self.cluster(nodes=[node])
        done = node.load([(f"k/{i}", f"v{i}") for i in range(300)])
        self.assertEqual(len(done), 300)
        disk.break_down()
        self.refused(lambda: node.set("first", "v"), "UNAVAILABLE", "DISK_FAILED", "may be lost")
        self.refused(lambda: node.set("second", "v"), "UNAVAILABLE", "DISK_FAILED")
        self.refused(lambda: node.delete("k/1"), "UNAVAILABLE", "DISK_FAILED")
        self.assertEqual(node.get("k/1"), "v1")
        status = node.status()
        self.assertTrue(status.ready)
        self.assertTrue([note for note in status.notes if "the disk fails" in note], status.notes)
        # It can't come back while the process has files of it open.
        node.kill(signal.SIGTERM)
        disk.mend()
        cluster.restart(node)
        cluster.wait_linked()
        held = node.dump()
        self.assertEqual({key: entry[0] for key, entry in held.items() if key in done}, done)
        self.assertFalse(node.aside())
        node.set("after", "v")

    def test_sync_at_an_interval_or_never_survives_kill_9_too(self):
        for fsync in ("interval", "never"):
            with self.subTest(fsync):
                cluster = self.disks(1, flags=(f"--fsync={fsync}",))
                node = cluster.nodes[0]
                done = node.load([(f"k/{i}", f"v{i}") for i in range(500)])
                node.kill()
                cluster.restart(node)
                cluster.wait_linked()
                self.assertEqual({key: entry[0] for key, entry in node.dump().items()}, done)
                self.assertEqual(len(done), 500)

    def test_the_room_of_many_keys(self):
        """MANY_KEYS of them: 50,000 in the gate. docs/operations.md has the figures of a million."""
        keys, each = int(os.environ.get("MANY_KEYS", "50000")), 16 + 100
        node = self.disks(1, flags=("--fsync=interval",)).nodes[0]
        for first in range(0, keys, 1000):
            batch = [pb.SetRequest(key=f"key-{i:012}", value_bytes=os.urandom(100)) for i in range(first, first + 1000)]
            results = node.kv.BatchSet(pb.BatchSetRequest(requests=batch), timeout=BOUND).results
            self.assertEqual({result.status.code for result in results}, {0})
        node.kill(signal.SIGTERM)
        size = sum(file.stat().st_size for file in (node.folder / "map").iterdir())
        begin = time.monotonic()
        self.clusters[0].restart(node)
        wait_for("it is ready", lambda: node.status() and node.status().ready)
        print(f"{keys} keys take {size / keys / each:.2f} times their size, and were read back in "
              f"{time.monotonic() - begin:.2f} s", flush=True)
        self.assertEqual(node.status().keys, keys)
        self.assertLess(size, 1.5 * keys * each)


if __name__ == "__main__":
    unittest.main()
