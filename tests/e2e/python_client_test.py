#!/usr/bin/env python3
"""The Python client, installed by pip, against real nodes: the dict, leases, lock, election, registry, asyncio, and
what they do while nodes are killed, drained or stand still."""
import asyncio
import datetime
import pathlib
import random
import re
import signal
import threading
import unittest
from unittest import mock

import python_package  # first: it puts the installed package on the path
from basics import BOUND, wait_for
from cluster import ClusterTest, SharedClusterTest

import leasemap
from leasemap import aio, lease_flows


def targets(nodes):
    return [node.target for node in nodes]


class Events:
    """What a map's handlers were told."""

    def __init__(self, map_, *kinds):
        self.seen = []
        for kind in kinds or ("update", "delete", "expired", "lost"):
            map_.on(kind, lambda event: self.seen.append((event.kind, event.key, event.value)))

    def until(self, *wanted):
        wait_for(lambda: f"{wanted} among {self.seen[-10:]}", lambda: all(each in self.seen for each in wanted))


class MapTest(ClusterTest):
    def map(self, nodes, **options):
        made = leasemap.SyncMap(targets(nodes), **options)
        self.addCleanup(made.close)
        return made

    def see(self, map_, key, value):
        wait_for(lambda: f"{key!r} is {value!r}, not {map_.get(key)!r}", lambda: map_.get(key) == value)


class DictTest(MapTest, SharedClusterTest):
    def setUp(self):
        super().setUp()
        # Each at a node of its own, so that what one writes comes to the other through the mesh.
        self.a, self.b = self.map(self.nodes[:1]), self.map(self.nodes[1:2])

    def test_it_is_the_installed_package(self):
        self.assertTrue(leasemap.__file__.startswith(str(python_package.SITE)), leasemap.__file__)

    def test_writes_are_read_at_once_here_and_soon_there(self):
        a, b = self.a, self.b
        a["color"], a[b"\xff\x00"], a["blob"] = "blue", "text", b"\x00\xff"
        self.assertEqual((a["color"], a[b"\xff\x00"], a["blob"]), ("blue", "text", b"\x00\xff"))
        for key in ("color", b"\xff\x00", "blob"):
            self.see(b, key, a[key])
        self.assertEqual(self.nodes[2].get("color"), "blue")
        del a["color"]
        self.assertNotIn("color", a)
        self.see(b, "color", None)
        with self.assertRaises(KeyError):
            a["color"]
        with self.assertRaises(KeyError):
            del a["color"]

    def test_every_thread_reads_what_any_wrote(self):
        def write(i):
            for j in range(50):
                self.a[f"t/{i}"] = f"{j}"
                if self.a[f"t/{i}"] != f"{j}":
                    wrong.append((i, j, self.a[f"t/{i}"]))
        wrong = []
        threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        self.assertEqual(wrong, [])
        self.assertEqual({self.a[f"t/{i}"] for i in range(4)}, {"49"})

    def test_the_rest_of_a_dict(self):
        m = self.map(self.nodes[:1], prefix="d/")
        other = self.map(self.nodes[1:2], prefix="d/")
        m.update({"d/a": "1", "d/b": "2"}, **{"d/c": "3"})
        self.assertEqual(sorted(m), ["d/a", "d/b", "d/c"])
        self.assertEqual(dict(m), {"d/a": "1", "d/b": "2", "d/c": "3"})
        self.assertEqual((len(m), sorted(m.keys()), sorted(m.values())), (3, ["d/a", "d/b", "d/c"], ["1", "2", "3"]))
        self.assertEqual((m.setdefault("d/a", "x"), m.setdefault("d/new", "x")), ("1", "x"))
        self.assertEqual((m.pop("d/a"), m.pop("d/a", None), m.get("d/a", "none")), ("1", None, "none"))
        key, value = m.popitem()
        self.assertNotIn(key, m)
        self.assertIn(value, ("2", "3", "x"))
        self.see(other, "d/a", None)
        wait_for("both have the same", lambda: dict(other) == dict(m))
        with self.assertRaises(leasemap.LeaseHeldError):
            other.popitem()
        m.clear()
        self.assertEqual((len(m), list(m)), (0, []))
        with self.assertRaises(ValueError):
            m["elsewhere"] = "x"

    def test_errors_are_typed(self):
        self.a["held"] = "x"
        self.see(self.b, "held", "x")
        with self.assertRaises(leasemap.LeaseHeldError) as caught:
            self.b["held"] = "y"
        self.assertEqual(caught.exception.holder, self.a.holder)
        self.assertEqual(caught.exception.expires, self.b.entry("held").expires)
        with self.assertRaises(leasemap.VersionMismatchError):
            self.a.set("held", "y", if_absent=True)
        with self.assertRaises(leasemap.InvalidError):
            self.a["k" * 5000] = "x"
        with self.assertRaises(leasemap.InvalidError):
            self.a.set("held", "x", lease=0.5)
        with self.assertRaises(leasemap.BatchError) as batch:
            self.b.update({"held": "y", "free": "y"})
        self.assertEqual(list(batch.exception.failed), ["held"])
        self.assertEqual(self.b["free"], "y")
        self.a.release("held")
        wait_for("the release is there", lambda: not self.b.entry("held").leased)
        self.b.set("held", "z", ack="all")
        with self.nodes[2].paused(), self.assertRaises(leasemap.AckIncompleteError):
            self.b.set("held", "z", ack="all", timeout=1)
        with self.assertRaises(leasemap.InvalidError):
            self.b.set("held", "z", ack=100)  # never

    def test_handlers(self):
        events = Events(self.b)
        self.a["h"] = "1"
        events.until(("update", "h", "1"))
        self.a.set("h", "2", lease=2, ephemeral=True)
        events.until(("update", "h", "2"), ("expired", "h", "2"))
        self.a["h2"] = "x"
        events.until(("update", "h2", "x"))  # or the node may pass over it
        del self.a["h2"]
        events.until(("delete", "h2", None))

    def test_a_name_and_a_proxy(self):
        port = self.nodes[0].target.rpartition(":")[2]
        with mock.patch.dict("os.environ", http_proxy="http://127.0.0.1:9", grpc_proxy="http://127.0.0.1:9"):
            named = leasemap.SyncMap(f"localhost:{port}")
        self.addCleanup(named.close)
        named["named"] = "x"
        self.assertEqual(named.fetch("named").holder, named.holder)

    def test_what_no_node_answers(self):
        with self.assertRaisesRegex(leasemap.UnavailableError, "127.0.0.1:9"):
            leasemap.SyncMap("127.0.0.1:9", sync_timeout=0.5)
        dead = leasemap.SyncMap("127.0.0.1:9", sync_timeout=0, timeout=0.5)
        self.assertFalse(dead.synced)
        with self.assertRaises(leasemap.UnavailableError):
            dead["k"] = "v"
        dead.close()
        with self.assertRaises(leasemap.ClosedError):
            dead["k"] = "v"


class LeasesTest(MapTest, SharedClusterTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.map(self.nodes[:1]), self.map(self.nodes[1:2])

    def test_a_lease_is_renewed_and_given_up(self):
        with self.a.lease("job", duration=3) as lease:
            first = lease.expires
            wait_for("it is renewed past its duration",
                     lambda: (lease.expires - first).total_seconds() > 3 and lease.held)
            self.see(self.b, "job", self.a.holder)
            with self.assertRaises(leasemap.LeaseHeldError):
                self.b.lease("job").acquire()
            lease.set("halfway")
            self.assertEqual(lease.entry.lease_start, self.a.entry("job").lease_start)
            token = lease.fencing_token
        with self.b.lease("job", wait=BOUND) as lease:
            self.assertGreater(lease.fencing_token, token)

    def test_many_leases_are_kept_by_one_call_after_another(self):
        with mock.patch("leasemap.lease_flows._renew", wraps=lease_flows._renew) as renew:
            leases = [self.a.lease(f"many/{i}", duration=3).acquire() for i in range(200)]
            first = [lease.expires for lease in leases]
            wait_for("all are renewed past their duration",
                     lambda: all((lease.expires - before).total_seconds() > 3 for lease, before in zip(leases, first)))
            self.assertTrue(all(lease.held for lease in leases))
            sizes = [len(call.args[2]) for call in renew.call_args_list]
        self.assertEqual(max(sizes), 200, f"by one call in the end: {sizes}")
        self.assertLess(len(sizes), 30, f"a call for each third of the duration: {sizes}")
        for lease in leases:
            lease.release()

    def test_a_lease_on_a_key_that_exists_keeps_its_value(self):
        self.a.set("config", "x", lease=0)
        with self.a.lease("config"):
            self.assertEqual(self.a["config"], "x")
        self.assertEqual(self.a.fetch("config").value, "x")
        wait_for("the release is there", lambda: self.b.entry("config") and not self.b.entry("config").leased)
        self.b.set("config", "y", ack="all")

    def test_a_loss_is_told(self):
        told = []
        with self.assertRaisesRegex(leasemap.LeaseLostError, "another program of this holder"):
            with self.a.lease("gone") as lease:
                lease.on_lost(told.append)
                self.nodes[0].delete("gone", holder=self.a.holder)
                self.assertFalse(lease.wait(BOUND))
                with self.assertRaises(leasemap.LeaseLostError):
                    lease.set("too late")
        wait_for("the handler was called", lambda: told == [lease])

    def test_lock(self):
        locks = [leasemap.Lock(map_, "lock", ack="all") for map_ in (self.a, self.a, self.b)]
        count, errors = [0, 0], []

        def work(lock):
            for _ in range(5):
                with lock as lease:
                    count[0] += 1
                    if count[0] != 1 or not lease.held:
                        errors.append(count[0])
                    count[1] += 1
                    count[0] -= 1
        threads = [threading.Thread(target=work, args=(lock,)) for lock in locks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        self.assertEqual((errors, count), ([], [0, 15]))
        self.assertTrue(locks[0].acquire(timeout=BOUND))
        self.assertFalse(locks[2].acquire(blocking=False))
        self.assertFalse(locks[2].acquire(timeout=0.2))
        locks[0].release()
        with self.assertRaises(RuntimeError):
            locks[0].release()

    def test_election(self):
        first, second = leasemap.Election(self.a, "leader", "A"), leasemap.Election(self.b, "leader", "B")
        seen = []
        second.on_change(seen.append)
        lead = first.campaign(BOUND)
        wait_for("B sees A", lambda: second.leader == "A")
        with self.assertRaises(leasemap.LeaseHeldError):
            second.campaign(0.1)
        lead.release()
        with second.campaign(BOUND):
            wait_for("A sees B", lambda: first.leader == "B")
        wait_for("nobody leads", lambda: first.leader is None)
        wait_for(lambda: f"B was told: {seen}", lambda: "A" in seen and None in seen)

    def test_registry(self):
        ours, theirs = leasemap.Registry(self.a, "web"), leasemap.Registry(self.b, "web")
        changes = []
        theirs.on_change(changes.append)
        ours.register("one", "host:1")
        ours.register("two", "host:2")
        wait_for("both are there", lambda: theirs.instances() == {"one": "host:1", "two": "host:2"})
        with self.assertRaises(leasemap.LeaseHeldError):
            theirs.register("one", "elsewhere")
        self.nodes[1].delete("services/web/one", holder=self.a.holder)
        wait_for("the delete is seen", lambda: {"two": "host:2"} in changes)
        wait_for("it is back", lambda: theirs.instances() == {"one": "host:1", "two": "host:2"})
        ours.unregister("one")
        wait_for("it is gone", lambda: theirs.instances() == {"two": "host:2"})
        self.a.close()
        wait_for("all are gone with their program", lambda: theirs.instances() == {})


class AsyncTest(SharedClusterTest):
    def test_the_same_for_asyncio(self):
        asyncio.run(asyncio.wait_for(self.everything(), 2 * BOUND))

    async def everything(self):
        async with aio.SyncMap(targets(self.nodes[:1])) as a, aio.SyncMap(targets(self.nodes[1:2])) as b:
            seen = asyncio.Queue()
            b.on("update", seen.put)
            await a.set("async", "1")
            self.assertEqual(a["async"], "1")
            while (await seen.get()).key != "async":
                pass
            self.assertEqual(b["async"], "1")
            await a.update({"async/2": b"2"})
            self.assertEqual((await a.pop("async/2"), await a.setdefault("async", "x")), (b"2", "1"))
            with self.assertRaises(leasemap.LeaseHeldError):
                await b.set("async", "y")
            await self.leases(a, b)

    async def leases(self, a, b):
        async with aio.Lock(a, "async-lock") as lease:
            while "async-lock" not in b:  # its node may not be of the majority
                await asyncio.sleep(0.02)
            self.assertFalse(await aio.Lock(b, "async-lock").acquire(timeout=0.1))
            self.assertTrue(lease.held)
        with self.assertRaises(leasemap.LeaseLostError):
            async with a.lease("async-job") as lease:
                self.nodes[0].delete("async-job", holder=a.holder)
                await asyncio.Event().wait()
        election = aio.Election(b, "async-leader", "B")
        async with await election.campaign():
            self.assertEqual(election.leader, "B")
        registry, changed = aio.Registry(a, "async-web"), asyncio.Queue()
        aio.Registry(b, "async-web").on_change(changed.put)
        await registry.register("one", "host:1")
        self.assertEqual(await changed.get(), {"one": "host:1"})
        await registry.unregister("one")
        self.assertEqual(await changed.get(), {})


class FaultsTest(MapTest):
    """A program that writes, reads and holds a lease while its nodes go."""

    def setUp(self):
        super().setUp()
        self.nodes = self.cluster().nodes
        self.m, self.other = self.map(self.nodes), self.map(self.nodes)
        self.events = Events(self.m)

    def home(self):
        return next(node for node in self.nodes if node.target == self.m.node)

    def pause(self, node):
        """Until none of its threads runs."""
        node.pause()
        self.addCleanup(node.resume)
        tasks = pathlib.Path(f"/proc/{node.process.pid}/task")
        wait_for("it stands still", lambda: all(re.search(r"^State:\s+T", (task / "status").read_text(), re.MULTILINE)
                                               for task in tasks.iterdir()))

    def check_it_goes_on(self, lease, left):
        """The map moved to another node: its lease lives, nothing was missed and nothing told twice."""
        self.see(self.other, "before", "1")
        self.m["after"] = "2"
        self.assertIn(self.m.node, targets(left))
        wait_for("the watch lives again", lambda: self.m.synced)
        left[0].set("from-elsewhere", "3")
        self.events.until(("update", "before", "1"), ("update", "after", "2"), ("update", "from-elsewhere", "3"))
        renewed = lease.expires
        wait_for("the lease is renewed there", lambda: lease.expires > renewed)
        self.assertTrue(lease.held)
        with self.assertRaises(leasemap.LeaseHeldError):
            self.other.lease("job").acquire()
        told = [event for event in self.events.seen if event[0] == "update"]
        self.assertEqual(len(told), len(set(told)), told)

    def test_a_node_is_killed(self):
        with self.m.lease("job", duration=8) as lease:
            self.m.set("before", "1", ack="all")
            self.see(self.m, "before", "1")
            home = self.home()
            home.kill(signal.SIGKILL)
            self.check_it_goes_on(lease, [node for node in self.nodes if node is not home])

    def test_a_node_drains(self):
        with self.m.lease("job", duration=8) as lease:
            self.m["before"] = "1"
            home = self.home()
            stop = threading.Thread(target=home.kill, args=(signal.SIGTERM,))
            stop.start()
            for i in range(50):  # meanwhile
                self.m[f"drain/{i}"] = "x"
            stop.join(BOUND)
            self.check_it_goes_on(lease, [node for node in self.nodes if node is not home])
            self.assertEqual(sum(key.startswith("drain/") for key in self.m), 50)

    def test_a_node_that_stands_still_is_left(self):
        with self.m.lease("job", duration=12) as lease:
            self.m.set("before", "1", ack="all")
            home = self.home()
            self.pause(home)
            self.check_it_goes_on(lease, [node for node in self.nodes if node is not home])

    def test_a_lease_that_no_node_renews_is_lost_before_others_may_have_it(self):
        lease = self.m.lease("job", duration=6).acquire()
        expires = lease.expires
        for node in self.nodes:
            self.pause(node)
        self.assertFalse(lease.wait(BOUND))
        self.assertLess(datetime.datetime.now(datetime.timezone.utc), expires, "the cluster's end had passed")
        for node in self.nodes:
            node.resume()
        with self.other.lease("job", wait=BOUND) as theirs:
            self.assertTrue(theirs.held)
            self.assertFalse(lease.held)

    def test_copies_and_what_was_told_end_like_the_clusters_map(self):
        """Three programs write at random, while each node in turn is killed and comes back."""
        maps = [self.map(self.nodes, lease=0, prefix="r/") for _ in range(3)]
        folds, stop, strange, done = [dict() for _ in maps], threading.Event(), [], [0] * len(maps)
        for map_, fold in zip(maps, folds):
            map_.on("update", lambda event, fold=fold: fold.__setitem__(event.key, event.value))
            for kind in ("delete", "expired"):
                map_.on(kind, lambda event, fold=fold: fold.pop(event.key, None))

        def write(i, map_, chance):
            while not stop.is_set():
                key = f"r/{chance.randrange(40)}"
                try:
                    what = chance.randrange(8)
                    if what == 0:
                        map_.delete(key, missing_ok=True)
                    elif what == 1:
                        map_.set(key, f"{chance.random()}", lease=2, ephemeral=True)
                    else:
                        map_[key] = f"{chance.random()}"
                except (leasemap.LeaseHeldError, leasemap.UnavailableError):
                    pass  # another's ephemeral key; or no node for a moment
                except leasemap.LeasemapError as error:
                    strange.append(error)
                done[i] += 1
        threads = [threading.Thread(target=write, args=(i, map_, random.Random(i))) for i, map_ in enumerate(maps)]
        for thread in threads:
            thread.start()
        for node in self.nodes:
            before = list(done)
            wait_for("all of them write", lambda: all(now > then + 100 for now, then in zip(done, before)))
            node.kill(signal.SIGKILL)
            node.start([each for each in self.nodes if each is not node])
            self.clusters[0].wait_linked()
        stop.set()
        for thread in threads:
            thread.join(BOUND)
        self.assertEqual(strange, [])

        def differences():
            dump = {key: entry[0] for key, entry in self.nodes[0].dump().items() if key.startswith("r/")}
            return [(name, i, set(each.items()) ^ set(dump.items())) for name, all_ in (("copy", maps), ("told", folds))
                    for i, each in enumerate(all_) if each.items() != dump.items()]
        wait_for(lambda: f"no differences: {differences()}", lambda: not differences())

    def test_the_whole_cluster_is_replaced(self):
        """Node by node, while a counter is counted up under a lease by two programs."""
        count, stop, errors = [0], threading.Event(), []

        def work(map_):
            try:
                while not stop.is_set():
                    with map_.lease("counter", duration=6, ephemeral=False, wait=BOUND, ack="all") as lease:
                        value = map_.fetch("counter", min_version=lease.entry.version).value
                        lease.set(str(int(value) + 1 if value.isdigit() else 1))
                        count[0] += 1
            except leasemap.LeasemapError as error:
                errors.append(error)
        threads = [threading.Thread(target=work, args=(map_,)) for map_ in (self.m, self.other)]
        for thread in threads:
            thread.start()
        for node in self.nodes:
            node.kill(signal.SIGTERM)
            before = count[0]
            wait_for(lambda: f"it goes on: {count}, {errors}", lambda: count[0] > before + 2 or errors)
            node.start([each for each in self.nodes if each is not node])
            self.clusters[0].wait_linked()
        stop.set()
        for thread in threads:
            thread.join(BOUND)
        self.assertEqual(errors, [])
        self.assertEqual(int(self.m.fetch("counter").value), count[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
