#!/usr/bin/env python3
"""`leasemap backup` and `restore`: the map as a file, into empty clusters and living ones, whole and damaged."""
import pathlib
import subprocess
import tempfile
import threading
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, SCRATCH, mesh_pb, pb, wait_for
from cluster import ClusterTest, Node


def leasemap(node, *arguments):
    done = subprocess.run([LEASEMAP, "--server", node.target, "--holder", "cli", *map(str, arguments)],
                          capture_output=True, timeout=3 * BOUND, env=ENVIRONMENT, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class BackupTest(ClusterTest):
    def file(self):
        return pathlib.Path(tempfile.mkdtemp(dir=SCRATCH)) / "map.backup"

    def filled(self):
        """A cluster with keys of each kind."""
        cluster = self.cluster(2)
        node = cluster.nodes[0]
        node.load([(f"k/{i:04d}", f"v{i}") for i in range(3000)])
        node.set("big", b"\xff" * (1 << 20), holder="h")
        node.set("leased", "1", holder="h", lease_duration={"seconds": 7200})
        node.set("none", "1", lease_duration={})
        node.set("gone", "1", holder="h")
        node.delete("gone", holder="h")
        node.set("there while it lives", "1", holder="h", on_lapse=pb.ON_LAPSE_DELETE)
        node.set("renewed", "1", holder="h")
        node.kv.Renew(pb.RenewRequest(key="renewed", holder="h"), timeout=BOUND)
        cluster.wait_equal()
        return cluster

    def backup(self, node):
        file = self.file()
        code, out, err = leasemap(node, "backup", file)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("entries saved in", out)
        self.assertEqual([path.name for path in file.parent.iterdir()], [file.name])
        return file

    def test_an_empty_cluster_gets_the_map_as_it_was(self):
        old = self.filled()
        held = old.nodes[0].dump()
        lease = old.nodes[1].kv.Get(pb.GetRequest(key="leased"), timeout=BOUND).entry.lease
        file = self.backup(old.nodes[1])
        new = self.cluster(nodes=[Node(f"n{i}", flags=("--cluster=new",)) for i in (1, 2, 3)])
        code, out, err = leasemap(new.nodes[2], "restore", file)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, f"{len(held)} keys restored\n")
        self.assertEqual(new.wait_equal()[0], held)
        self.assertEqual(old.nodes[0].status().map_hash, new.nodes[0].status().map_hash)
        self.assertEqual(new.nodes[0].kv.Get(pb.GetRequest(key="leased"), timeout=BOUND).entry.lease, lease)
        self.refused(lambda: new.nodes[0].set("leased", "2", holder="other"), "FAILED_PRECONDITION", "LEASE_HELD")
        new.nodes[1].set("leased", "2", holder="h")
        # Only once: the map is not empty any more.
        for node in new.nodes:
            code, _, err = leasemap(node, "restore", file)
            self.assertEqual(code, 1)
            self.assertIn("is not empty", err)
        # What is restored can be saved again.
        again = self.backup(new.nodes[0])
        self.assertGreater(again.stat().st_size, 1 << 20)

    def test_the_name_of_the_old_cluster_takes_force(self):
        old = self.filled()
        held, file = old.nodes[0].dump(), self.backup(old.nodes[0])
        for node in old.nodes:
            node.kill()
        old.nodes.clear()
        new = self.cluster(1)
        code, _, err = leasemap(new.nodes[0], "restore", file)
        self.assertEqual(code, 1)
        self.assertIn("the backup is of a cluster of this name, leasemap", err)
        self.assertEqual(leasemap(new.nodes[0], "restore", "--force", file)[0], 0)
        self.assertEqual(new.nodes[0].dump(), held)

    def test_a_living_cluster_gets_it_as_new_writes(self):
        old = self.filled()
        file = self.backup(old.nodes[0])
        node = old.nodes[0]
        for i in range(100):
            node.delete(f"k/{i:04d}", holder="n1")
        node.set("big", "smaller", holder="h")
        node.kv.Release(pb.ReleaseRequest(key="leased", holder="h"), timeout=BOUND)
        node.set("leased", "taken", holder="another")
        code, out, err = leasemap(node, "restore", "--as-new-writes", file)
        self.assertEqual(code, 1)
        self.assertIn('key "leased" is leased by another', err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn("3004 set, 1 failed", out)
        held, _ = old.wait_equal()
        self.assertEqual((held["k/0007"][0], held["k/0007"][1]), ("v7", "n1"))
        self.assertEqual(held["big"][0], b"\xff" * (1 << 20))
        self.assertEqual(held["leased"][0], "taken")
        self.assertNotIn("gone", held)

    def test_it_is_whole_while_others_write(self):
        cluster = self.filled()
        node = cluster.nodes[0]
        before, stop = node.dump(), threading.Event()

        def churn():
            round_ = 0
            while not stop.is_set():
                round_ += 1
                node.load([(f"k/{i:04d}", f"round {round_}") for i in range(0, 3000, 7)])
        writer = threading.Thread(target=churn)
        writer.start()
        file = self.backup(node)
        stop.set()
        writer.join()
        new = self.cluster(nodes=[Node("m1", flags=("--cluster=new",))])
        self.assertEqual(leasemap(new.nodes[0], "restore", file)[0], 0)
        held = new.nodes[0].dump()
        self.assertEqual(set(held), set(before))
        # What the churn did not touch is as it was.
        for key, entry in held.items():
            if not str(entry[0]).startswith("round"):
                self.assertEqual(entry, before[key])

    def test_a_damaged_file_changes_nothing(self):
        file = self.backup(self.filled().nodes[0])
        good = file.read_bytes()
        new = self.cluster(nodes=[Node("m1", flags=("--cluster=new",))])
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        for name, damaged, words in (("a bit flipped", flipped, "damaged"), ("cut", good[:-10], "ends too soon"),
                                     ("empty", b"", "ends too soon"), ("something after it", good + b"\x02ab", "after its end"),
                                     ("another file", b"PK\x03\x04" + bytes(100), "no backup"),
                                     ("a later format", good.replace(b"BACKUP 1", b"BACKUP 2", 1), "reads format 1")):
            with self.subTest(name):
                file.write_bytes(damaged)
                for flags in ((), ("--as-new-writes",)):
                    code, _, err = leasemap(new.nodes[0], "restore", *flags, file)
                    self.assertEqual(code, 1, err)
                    self.assertIn(words, err)
        self.assertEqual(new.nodes[0].status().keys, 0)
        self.assertEqual(leasemap(new.nodes[0], "restore", file.parent / "none")[0], 2)
        file.write_bytes(good)
        self.assertEqual(leasemap(new.nodes[0], "restore", file)[0], 0)

    def test_more_backups_than_a_node_runs(self):
        node = self.filled().nodes[0]
        for i in range(40):  # more than is on its way to a client that does not read
            node.set(f"large/{i}", bytes(1 << 20))
        streams = [node.mesh.Backup(mesh_pb.BackupRequest()) for _ in range(4)]
        for stream in streams:
            next(stream)
        self.refused(lambda: next(node.mesh.Backup(mesh_pb.BackupRequest())), "RESOURCE_EXHAUSTED", "WAIT_LIMIT")
        for stream in streams:
            stream.cancel()

        def one_more():
            code, _, _ = leasemap(node, "backup", self.file())
            return code == 0
        wait_for("room for a backup", one_more)


if __name__ == "__main__":
    unittest.main()
