#!/usr/bin/env python3
"""The Go client against real nodes: calls, watches, the near cache, leases, elections and the registry, and what they
do while nodes are killed, drained or stand still."""
import pathlib
import re
import signal
import sys
import threading
import time
import unittest

import go_package
from basics import BOUND, wait_for
from cluster import ClusterTest, SharedClusterTest

ALL, MAJORITY = -2, -1  # acks


class GoTest(ClusterTest):
    """`client` makes a client in the driver's process; `home` finds its node. The tests of the C++ client are these, with
    a driver of its own."""
    DRIVER = go_package.Driver

    def setUp(self):
        super().setUp()
        self.driver = self.DRIVER(self)

    def client(self, nodes, **fields):
        return self.driver.make("new", endpoints=",".join(node.target for node in nodes), **fields)

    def refused_go(self, kind, call):
        """The call fails with an error of this kind; returns what it says."""
        with self.assertRaises(go_package.GoError, msg=f"{kind} was expected") as caught:
            call()
        self.assertIn(kind, caught.exception.kinds, str(caught.exception))
        return caught.exception.facts

    def see(self, map_, key, value):
        wait_for(lambda: f"{key} is {value!r} in {map_.call('read')}", lambda: map_.call("read").get(key) == value)


class CallsTest(GoTest, SharedClusterTest):
    def setUp(self):
        super().setUp()
        # Each at a node of its own, so that what one writes comes to the other through the mesh.
        self.a, self.b = self.client(self.nodes[:1]), self.client(self.nodes[1:2])

    def test_set_get_delete_list(self):
        entry = self.a.call("set", key="c/color", value="blue")
        self.assertEqual((entry["value"], entry["holder"], entry["origin"]), ("blue", self.a.made, "n1"))
        wait_for("it is there", lambda: self.nodes[1].get("c/color") == "blue")
        self.assertEqual(self.b.call("get", key="c/color")["version"], entry["version"])
        self.a.call("set", key="c/empty", value="")
        self.assertEqual(self.nodes[0].get("c/empty"), "")
        for i in range(5):
            self.a.call("set", key=f"c/{i}", value="x")
        self.assertEqual(self.a.call("list", key="c/"), ["c/0", "c/1", "c/2", "c/3", "c/4", "c/color", "c/empty"])
        self.a.call("delete", key="c/color")
        self.refused_go("key_not_found", lambda: self.a.call("get", key="c/color"))
        self.refused_go("key_not_found", lambda: self.a.call("delete", key="c/color"))
        self.a.call("delete", key="c/color", flags="missing")

    def test_errors_are_typed(self):
        entry = self.a.call("set", key="held", value="x")
        wait_for("it is there", lambda: self.nodes[1].get("held") == "x")
        facts = self.refused_go("lease_held", lambda: self.b.call("set", key="held", value="y"))
        self.assertEqual((facts["holder"], facts["expires"]), (self.a.made, entry["expires"]))
        self.refused_go("version_mismatch", lambda: self.a.call("set", key="held", value="y", flags="absent"))
        self.refused_go("invalid", lambda: self.a.call("set", key="k" * 5000, value="x"))
        self.refused_go("invalid", lambda: self.a.call("set", key="held", value="x", lease=0.5))
        self.refused_go("invalid", lambda: self.driver.make("new", endpoints="nowhere"))
        renewed = self.a.call("renew", key="held")
        self.assertEqual((renewed["start"], renewed["leased"]), (entry["start"], True))
        self.assertFalse(self.a.call("release", key="held")["leased"])
        wait_for("the release is there", lambda: not self.b.call("get", key="held")["leased"])
        self.b.call("set", key="held", value="z", ack=ALL)
        with self.nodes[2].paused():
            facts = self.refused_go("ack_incomplete",
                                    lambda: self.b.call("set", key="held", value="z", ack=ALL, timeout=1))
        self.assertIn("n1", facts["acked"])
        self.refused_go("invalid", lambda: self.b.call("set", key="held", value="z", ack=100))

    def test_batches(self):
        self.a.call("set", key="b/held", value="x")
        wait_for("it is there", lambda: self.nodes[1].get("b/held") == "x")
        values = {f"b/{i}": "v" * 1000 for i in range(2500)}
        facts = self.refused_go("lease_held", lambda: self.b.call("batch_set", values={**values, "b/held": "y"}))
        self.assertEqual(facts["failed"], ["b/held"])
        self.assertEqual(self.b.call("batch_get", keys=[*values, "b/missing"]), values)

    def test_a_watch(self):
        self.a.call("set", key="w/1", value="one")
        watch = self.a.make("watch", keys=["w/"], flags="snapshot")
        watch.until(("set", "w/1", "one"))
        self.a.call("set", key="w/2", value="two", lease=2, flags="ephemeral")
        watch.until(("set", "w/2", "two"), ("expired", "w/2", "two"))
        self.a.call("delete", key="w/1")
        watch.until(("deleted", "w/1", ""))
        cursor = wait_for("a cursor", lambda: [e["cursor"] for e in watch.call("events") if e["cursor"]])[-1]
        watch.call("stop")
        self.a.call("set", key="w/3", value="three", ack=ALL)
        again = self.b.make("watch", keys=["w/"], cursor=cursor)  # at another node
        again.until(("set", "w/3", "three"))
        self.refused_go("cursor", lambda: wait_for("an error", lambda: self.b.make(
            "watch", keys=["other/"], cursor=cursor).until(("set", "never", ""))))

    def test_a_map_reads_its_own_writes_at_once_and_others_soon(self):
        ours, theirs = self.a.make("map", key="m/"), self.b.make("map", key="m/")
        told = theirs.make("events")
        for i in range(50):
            self.a.call("set", key="m/own", value=f"{i}")
            self.assertEqual(ours.call("read"), {"m/own": f"{i}"})
        self.see(theirs, "m/own", "49")
        self.a.call("delete", key="m/own")
        self.assertEqual(ours.call("read"), {})
        told.until(("set", "m/own", "49"), ("deleted", "m/own", ""))
        self.assertTrue(ours.call("synced"))

    def test_a_lease_is_renewed_and_given_up(self):
        lease = self.a.make("lease", key="job", lease=3)
        wait_for("it is renewed past its duration",
                 lambda: lease.call("state")["expires"] - lease.made["expires"] > 3000)
        state = lease.call("state")
        self.assertEqual((state["held"], state["why"], state["start"]), (True, "", lease.made["start"]))
        self.assertLessEqual(state["left"], 2.25)
        self.assertEqual(self.nodes[0].get("job"), self.a.made)
        facts = self.refused_go("lease_held", lambda: self.b.make("lease", key="job"))
        self.assertEqual(facts["holder"], self.a.made)
        waiting = self.b.start("lease", key="job", flags="wait", timeout=BOUND)
        lease.call("release")
        self.assertGreater(waiting()["token"], state["token"])

    def test_a_loss_is_told_at_once(self):
        lease = self.a.make("lease", key="gone", lease=60)
        over = lease.start("wait")
        wait_for("the key is watched", lambda: self.nodes[0].status().watches > 0)
        begin = time.monotonic()
        self.nodes[0].delete("gone", holder=self.a.made)
        state = over()
        self.assertLess(time.monotonic() - begin, 10, "no renewal was due for 20 s")
        self.assertFalse(state["held"])
        self.assertRegex(state["why"], "the key (was deleted by another program of this holder|is gone)")
        self.refused_go("lease_lost", lambda: lease.call("set", value="too late"))
        self.refused_go("lease_lost", lambda: lease.call("release"))

    def test_registry(self):
        ours, theirs = self.a.make("registry", key="web"), self.b.make("registry", key="web")
        for name in ("one", "two"):
            ours.call("register", key=name, value=f"host:{name}")
        both = {"one": "host:one", "two": "host:two"}
        wait_for("both are there", lambda: theirs.call("instances") == both)
        self.refused_go("lease_held", lambda: theirs.call("register", key="one", value="x"))
        self.nodes[1].delete("services/web/one", holder=self.a.made)
        wait_for("it is back", lambda: self.nodes[1].get("services/web/one") and theirs.call("instances") == both)
        ours.call("unregister", key="one")
        wait_for("it is gone", lambda: theirs.call("instances") == {"two": "host:two"})
        self.a.call("close")
        wait_for("all are gone with their program", lambda: theirs.call("instances") == {})

    def test_a_name_and_what_no_node_answers(self):
        port = self.nodes[0].target.rpartition(":")[2]
        named = self.driver.make("new", endpoints=f"localhost:{port}")
        named.call("set", key="named", value="x")
        self.assertEqual(named.call("get", key="named")["holder"], named.made)
        dead = self.driver.make("new", endpoints="127.0.0.1:9", timeout=0.5)
        facts = self.refused_go("unavailable", lambda: dead.call("set", key="k", value="v"))
        self.assertIn("127.0.0.1:9", facts["text"])
        self.refused_go("unavailable", lambda: dead.make("map", timeout=0.5))

    def test_nothing_runs_on_after_close(self):
        before = self.driver.call("goroutines")
        for _ in range(3):
            client = self.client(self.nodes)
            client.make("map").make("events")
            client.make("lease", key="leak")
            client.make("watch")
            client.make("registry", key="leak").call("register", key="one", value="x")
            client.call("close")
        wait_for(lambda: f"{before} goroutines as before, not {self.driver.call('goroutines')}",
                 lambda: self.driver.call("goroutines") <= before)


class FaultsTest(GoTest):
    """A program that writes, reads, watches and holds a lease while its nodes go."""

    def setUp(self):
        super().setUp()
        self.nodes = self.cluster().nodes
        self.c, self.other = self.client(self.nodes), self.client(self.nodes)
        self.m = self.c.make("map")
        self.told, self.watch = self.m.make("events"), self.c.make("watch")

    def home(self, client=None):
        target = (client or self.c).call("node")
        return next(node for node in self.nodes if node.target == target)

    def pause(self, node):
        """Until none of its threads runs."""
        node.pause()
        self.addCleanup(node.resume)
        tasks = pathlib.Path(f"/proc/{node.process.pid}/task")
        wait_for("it stands still", lambda: all(re.search(r"^State:\s+T", (task / "status").read_text(), re.MULTILINE)
                                               for task in tasks.iterdir()))

    def check_it_goes_on(self, lease, left):
        """The client moved to another node: its lease lives, nothing was missed and nothing told twice."""
        left[0].set("meanwhile", "0")  # before the client noticed that its node stands still
        self.c.call("set", key="after", value="2")
        self.assertIn(self.home(), left)
        wait_for("the map's watch lives again", lambda: self.m.call("synced"))
        left[0].set("from-elsewhere", "3")
        wanted = [("set", key, value) for key, value in (
            ("before", "1"), ("meanwhile", "0"), ("after", "2"), ("from-elsewhere", "3"))]
        for watch in (self.told, self.watch):
            watch.until(*wanted)
        expires = lease.call("state")["expires"]
        wait_for("the lease is renewed there", lambda: lease.call("state")["expires"] > expires)
        self.assertTrue(lease.call("state")["held"])
        self.refused_go("lease_held", lambda: self.other.make("lease", key="job"))
        versions = [event["version"] for event in self.watch.call("events") if event["version"]]
        self.assertEqual(len(versions), len(set(versions)), "an event came twice")
        told = [event for event in self.told.until(*wanted) if event[0] == "set"]
        self.assertEqual(len(told), len(set(told)), told)

    def start(self, duration):
        lease = self.c.make("lease", key="job", lease=duration)
        self.c.call("set", key="before", value="1", ack=ALL)
        return lease

    def test_a_node_is_killed(self):
        lease = self.start(8)
        home = self.home()
        home.kill(signal.SIGKILL)
        self.check_it_goes_on(lease, [node for node in self.nodes if node is not home])

    def test_a_node_drains(self):
        lease, home = self.start(8), self.home()
        stop = threading.Thread(target=home.kill, args=(signal.SIGTERM,))
        stop.start()
        for i in range(50):  # meanwhile
            self.c.call("set", key=f"drain/{i}", value="x")
        stop.join(BOUND)
        self.check_it_goes_on(lease, [node for node in self.nodes if node is not home])
        self.assertEqual(sum(key.startswith("drain/") for key in self.m.call("read")), 50)

    def test_a_node_that_stands_still_is_left(self):
        lease, home = self.start(12), self.home()
        self.pause(home)
        self.check_it_goes_on(lease, [node for node in self.nodes if node is not home])

    def test_a_lease_that_no_node_renews_is_lost_before_others_may_have_it(self):
        lease = self.c.make("lease", key="job", lease=6)
        over = lease.start("wait")
        for node in self.nodes:
            self.pause(node)
        state = over()
        self.assertFalse(state["held"])
        self.assertLess(time.time() * 1000, lease.call("state")["expires"], "the cluster's end had passed")
        for node in self.nodes:
            node.resume()
        theirs = self.other.make("lease", key="job", flags="wait", timeout=BOUND)
        self.assertTrue(theirs.call("state")["held"])
        self.assertFalse(lease.call("state")["held"])

    def test_copies_and_what_was_told_end_like_the_clusters_map(self):
        """Three programs write at random, while each node in turn is killed and comes back."""
        clients = [self.client(self.nodes, lease=0) for _ in range(3)]
        maps = [client.make("map", key="r/") for client in clients]
        told = [map_.make("events") for map_ in maps]
        watches = [client.make("watch", keys=["r/"]) for client in clients]
        churns = [client.make("churn", key="r/") for client in clients]
        for node in self.nodes:
            before = [churn.call("done") for churn in churns]
            wait_for("all of them write", lambda: all(churn.call("done") > then + 500
                                                      for churn, then in zip(churns, before)))
            node.kill(signal.SIGKILL)
            node.start([each for each in self.nodes if each is not node])
            self.clusters[0].wait_linked()
        for churn in churns:
            churn.call("stop")

        def fold(events):
            found = {}
            for event in events:
                if event["kind"] == "set":
                    found[event["key"]] = event["value"]
                elif event["kind"] in ("deleted", "expired"):
                    found.pop(event["key"], None)
            return found

        def apart():  # what the nodes do not all have
            dumps = [set(node.dump().items()) for node in self.nodes]
            return [sorted(each - set.intersection(*dumps)) for each in dumps]

        def differences():
            dump = {key: entry[0] for key, entry in self.nodes[0].dump().items() if key.startswith("r/")}
            seen = [("copy", map_.call("read")) for map_ in maps]
            seen += [("told", fold(each.call("events"))) for each in told + watches]
            return [(name, set(each.items()) ^ set(dump.items())) for name, each in seen if each != dump]
        wait_for(lambda: f"no differences: {differences()}; the nodes' maps: {apart()}", lambda: not differences())

    def test_the_whole_cluster_is_replaced(self):
        """Node by node, while a counter is counted up under a lease by two programs, and maps follow."""
        counted, stop, errors = [], threading.Event(), []
        maps = [self.m, self.other.make("map")]

        def work(client):
            try:
                while not stop.is_set():
                    counted.append(client.call("count", key="counter", timeout=BOUND))
            except (go_package.GoError, OSError) as error:
                errors.append(error)
        threads = [threading.Thread(target=work, args=(client,)) for client in (self.c, self.other)]
        for thread in threads:
            thread.start()
        for node in self.nodes:
            node.kill(signal.SIGTERM)
            before = len(counted)
            wait_for(lambda: f"it goes on: {counted[-5:]}, {errors}", lambda: len(counted) > before + 2 or errors)
            node.start([each for each in self.nodes if each is not node])
            self.clusters[0].wait_linked()
        stop.set()
        for thread in threads:
            thread.join(2 * BOUND)
        self.assertEqual(errors, [])
        self.assertEqual(sorted(counted), list(range(1, len(counted) + 1)))
        for map_ in maps:
            self.see(map_, "counter", str(len(counted)))


if __name__ == "__main__":
    reason = go_package.why_not()
    if reason:
        print(f"go_client_test: skipped: {reason}")
        sys.exit(0)
    go_package.build()
    unittest.main(verbosity=2)
