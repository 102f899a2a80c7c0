#!/usr/bin/env python3
"""What goes wrong with processes: killed under load, stopped for a while, drained; and what watches make of it."""
import signal
import socket
import subprocess
import threading
import time
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, error_info, mesh_pb, pb, wait_for
from cluster import ClusterTest, Node
from watcher import Watcher, fold


class Load(threading.Thread):
    """Sets keys through one node in a thread; `done` are those acknowledged."""

    def __init__(self, node, items):
        super().__init__()
        self.node, self.items, self.done = node, items, {}
        self.start()

    def run(self):
        self.node.load(self.items, self.done)


def items(first, end, value="v"):
    return [(f"k/{i:05d}", f"{value}{i}") for i in range(first, end)]


class FaultsTest(ClusterTest):
    def assert_holds(self, held, wanted):
        missing = [key for key, value in wanted.items() if held.get(key, (None,))[0] != value]
        self.assertFalse(missing, f"{len(missing)} acknowledged writes are gone or wrong, as {missing[:3]}")

    def test_kill_9_under_load(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        loads = [Load(a, items(0, 4000)), Load(b, items(4000, 6000)), Load(c, items(6000, 10000))]
        wait_for("a quarter of the load", lambda: min(len(load.done) for load in loads) >= 500)
        b.kill()
        loads[1].join()
        cluster.restart(b)
        for load in loads:
            load.join()
        held, took = cluster.wait_equal(seconds=15)
        print(f"equal {took:.2f} s after restart and load; {len(loads[1].done)} of 2000 were taken before the kill",
              flush=True)
        self.assertEqual([len(load.done) for load in (loads[0], loads[2])], [4000, 4000])
        self.assert_holds(held, {**loads[0].done, **loads[2].done})
        again = b.load(items(4000, 6000, "again"))
        held, _ = cluster.wait_equal()
        self.assert_holds(held, again)
        # n2 holds the leases that n2 took: the same node, though another process.
        self.assertEqual((len(again), len(held)), (2000, 10000))
        listed = {subprocess.run([LEASEMAP, "--server", node.target, "ls", "-o", "json"], env=ENVIRONMENT,
                                 capture_output=True, timeout=BOUND, check=True).stdout for node in cluster.nodes}
        self.assertEqual(len(listed), 1, "`leasemap ls -o json` differs")

    def test_kill_9_and_restart_of_everyone_in_turn(self):
        cluster = self.cluster()
        acknowledged = {}
        for turn, node in enumerate(cluster.nodes * 2):
            others = [other for other in cluster.nodes if other is not node]
            node.kill()
            # The keys of this turn go through one node, so no lease is in the way.
            acknowledged.update(others[turn % 2].load(items(100 * turn, 100 * turn + 100)))
            cluster.restart(node)
            cluster.wait_linked()
        held, _ = cluster.wait_equal()
        self.assertEqual(len(acknowledged), 600)
        self.assert_holds(held, acknowledged)

    def test_stopped_for_a_moment(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        b.pause()
        written = {**a.load(items(0, 500)), **c.load(items(500, 1000))}
        b.resume()
        held, _ = cluster.wait_equal()
        self.assert_holds(held, written)
        self.assertEqual(len(written), 1000)

    def test_stopped_until_it_counts_as_lost(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        written = {**a.load(items(0, 200)), **b.load(items(200, 400))}
        cluster.wait_equal()
        b.pause()
        wait_for("n2 counts as lost", lambda: "n2" not in a.linked() and "n2" not in c.linked())
        written.update({**a.load(items(0, 200, "new")), **c.load(items(400, 1000))})
        a.delete("k/00007")
        written.pop("k/00007")
        b.resume()
        cluster.wait_linked()
        held, _ = cluster.wait_equal()
        self.assert_holds(held, written)
        self.assertNotIn("k/00007", held, "a delete came back")
        b.set("back", "1")
        for node in (a, c):
            wait_for(f"the new write of n2 on {node.name}", lambda node=node: node.get("back"))

    def test_watch_moves_on_when_its_node_is_killed(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        a.load(items(0, 300, "old"))
        cluster.wait_equal()
        watch, seen = Watcher(b, prefixes=["k/"], include_snapshot=True), []
        watch.until("the snapshot and its cursor", lambda w: len(fold(w.events[:w.sure])) == 300)
        load = Load(a, [item for turn in range(5) for item in items(0, 300, f"{turn}-")])
        watch.until("some of the load", lambda w: len(w.events) > 400)
        b.kill()
        for node in (c, a):
            cursor, sure = watch.stop()
            seen += sure
            watch = Watcher(node, prefixes=["k/"], cursor=cursor)
            watch.until("the first cursor here", lambda w: w.cursor)
        load.join()
        a.delete("k/00000")
        held, _ = cluster.wait_equal([a, c])
        wanted = {key: value for key, (value, _, _) in held.items()}
        watch.until("all of it", lambda w: w.sure and fold(seen + w.events[:w.sure]) == wanted)
        seen += watch.stop()[1]
        versions = [event[3] for event in seen]
        self.assertEqual(len(versions), len(set(versions)), "an event came twice")
        self.assertEqual(fold(seen), wanted)
        self.assertEqual(len(wanted), 299)

    def test_a_cursor_of_writes_that_died_unshared_is_expired(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        a.set("shared", "1")
        cluster.wait_equal()
        for other in (a, c):
            other.pause()
        # Once the links are given up, nothing of what n2 takes is on its way to anybody.
        wait_for("n2 is alone", lambda: b.linked() == {"n2"})
        b.set("unshared", "1")
        watch = Watcher(b, include_snapshot=True)
        watch.until("the snapshot", lambda w: w.sure == 2)
        cursor, _ = watch.stop()
        b.kill()
        for other in (a, c):
            other.resume()
        cluster.wait_linked([a, c])
        for node in (a, c):
            self.refused(lambda node=node: next(node.kv.Watch(pb.WatchRequest(cursor=cursor), timeout=BOUND)),
                         "OUT_OF_RANGE", "CURSOR_EXPIRED", "include_snapshot")
        self.assertIsNone(a.get("unshared"))
        cluster.restart(b)
        cluster.wait_linked()
        self.refused(lambda: next(b.kv.Watch(pb.WatchRequest(cursor=cursor), timeout=BOUND)), "OUT_OF_RANGE",
                     "CURSOR_EXPIRED")
        anew = Watcher(b, include_snapshot=True)
        anew.until("a snapshot anew", lambda w: w.snapshot)
        self.assertEqual(fold(anew.events), {"shared": "1"})
        anew.stop()

    def test_drain_with_streams_open(self):
        cluster = self.cluster()
        a, b, _ = cluster.nodes
        a.set("k", "1")
        b.set("j", "1")
        cluster.wait_equal()
        watches = [Watcher(a, include_snapshot=True), Watcher(a, keys=["nothing"])]
        for watch in watches:
            watch.until("its first cursor", lambda w: w.cursor)
        heard = a.mesh.Subscribe(mesh_pb.SubscribeRequest())
        heard.initial_metadata()
        idle = socket.create_connection((a.ip, a.port), BOUND)
        self.addCleanup(idle.close)
        a.set("last", "1")
        begin = time.monotonic()
        a.process.send_signal(signal.SIGTERM)
        for watch in watches:
            watch.thread.join(BOUND)
            self.assertEqual((watch.error.code().name, error_info(watch.error).reason), ("UNAVAILABLE", "DRAINING"))
            self.assertEqual(watch.sure, len(watch.events), "the last message had no cursor, at the head")
        self.refused(lambda: next(heard), "UNAVAILABLE", "DRAINING")
        self.assertEqual(a.kill(signal.SIGTERM), 0)
        took = time.monotonic() - begin
        print(f"drained in {took:.2f} s", flush=True)
        self.assertLess(took, 5)
        self.assertEqual(fold(watches[0].events), {"k": "1", "j": "1", "last": "1"})
        b.set("after", "1")
        then = Watcher(b, cursor=watches[0].cursor)
        then.until("what came after the cursor", lambda w: [event[:3] for event in w.events] == [("SET", "after", "1")])
        then.stop()

    def test_large_values(self):
        cluster = self.cluster()
        watch = Watcher(cluster.nodes[0], prefixes=["large/"], keys_only=True)
        watch.until("its first cursor", lambda w: w.cursor)
        values = {f"large/{i:02d}": bytes([i]) * (1 << 20) for i in range(30)}
        for i, (key, value) in enumerate(values.items()):
            cluster.nodes[i % 3].set(key, value)
        held, _ = cluster.wait_equal()
        self.assertTrue(all(held[key][0] == value for key, value in values.items()), "a large value changed on its way")
        watch.until("every key", lambda w: len(w.events) == 30)
        self.assertEqual({value for _, _, value, _ in watch.events}, {None})
        watch.stop()
        joiner = cluster.add(Node("n4"))
        cluster.wait_linked()
        held, _ = cluster.wait_equal()
        self.assertEqual(joiner.get("large/29"), values["large/29"])
        for node in cluster.nodes:
            self.assertNotIn("lost n", node.log.read_text(), "large values held up the heartbeats")


if __name__ == "__main__":
    unittest.main(verbosity=2)
