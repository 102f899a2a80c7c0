#!/usr/bin/env python3
"""The Python client in networks that fail: a partition whose sides each grant a lease on one key, and a client that is
cut off from its node without a word. Needs root and `ip netns`; skipped, with a message, without."""
import asyncio
import sys
import unittest

import python_package  # noqa: F401 (first: it puts the installed package on the path)
import network_test
from basics import BOUND, wait_for
from cluster import ClusterTest
from network_test import NOWHERE, address, ip, space

import leasemap
from leasemap import aio


class PartitionTest(ClusterTest):
    # The network of network_test, without its tests.
    lose, cut, heal, start = (getattr(network_test.NetworkTest, name) for name in ("lose", "cut", "heal", "start"))

    @classmethod
    def setUpClass(cls):
        network_test.make_network()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.heal)
        self.nodes = self.start().nodes

    def map(self, *nodes, **options):
        made = leasemap.SyncMap([node.target for node in nodes], **options)
        self.addCleanup(made.close)
        return made

    def split(self):
        """n1 alone on one side, n2 and n3 on the other; returns once both sides know it."""
        for j in (2, 3):
            self.cut(1, j)
        wait_for("n1 is alone", lambda: self.nodes[0].linked() == {"n1"})
        wait_for("n2 is without n1", lambda: self.nodes[1].linked() == {"n2", "n3"})

    def test_both_sides_grant_a_lease_and_one_loses_it(self):
        a, b = self.map(self.nodes[0]), self.map(self.nodes[1])
        lost = {map_.holder: [] for map_ in (a, b)}
        for map_ in (a, b):
            map_.on("lost", lost[map_.holder].append)
        self.split()
        leases = {a.holder: a.lease("job", "of a").acquire(), b.holder: b.lease("job", "of b").acquire()}
        tokens = {holder: lease.fencing_token for holder, lease in leases.items()}
        self.assertTrue(all(lease.held for lease in leases.values()), "both sides go on")
        self.heal()
        self.clusters[0].wait_linked()
        wait_for("one of them is lost", lambda: sum(lease.held for lease in leases.values()) == 1)
        (winner, kept), = [each for each in leases.items() if each[1].held]
        loser = a.holder if winner == b.holder else b.holder
        self.assertFalse(leases[loser].wait(0))
        with self.assertRaisesRegex(leasemap.LeaseLostError, winner):
            leases[loser].check()
        wait_for("the loser is told of its write", lambda: lost[loser])
        self.assertEqual({(event.key, event.value, event.winner.holder) for event in lost[loser]},
                         {("job", "of a" if loser == a.holder else "of b", winner)})
        self.assertEqual(lost[winner], [])
        self.assertGreaterEqual(tokens[winner], tokens[loser], "what the winner wrote outside is not refused")
        for map_ in (a, b):
            wait_for("all read the winner's", lambda map_=map_: map_["job"] == ("of a" if winner == a.holder else "of b"))
        renewed = kept.expires
        wait_for("the winner's is renewed", lambda: kept.expires > renewed)

    def test_the_smaller_side_grants_nothing_for_a_majority(self):
        a, b = self.map(self.nodes[0], timeout=1), self.map(self.nodes[1])
        self.split()
        with self.assertRaises(leasemap.AckIncompleteError):
            a.lease("job", ack="majority").acquire()
        with b.lease("job", ack="majority") as lease:
            self.assertTrue(lease.held)
        wait_for("nothing of it is left", lambda: "job" not in a)

    def test_an_asyncio_block_is_cancelled_when_its_side_loses(self):
        async def work(node):
            async with aio.SyncMap(node.target) as m:
                async with m.lease("job", node.name):
                    granted.append(node.name)
                    while "stop" not in m:
                        await asyncio.sleep(0.02)
            return node.name

        async def both():
            tasks = [asyncio.create_task(work(node)) for node in self.nodes[:2]]
            while len(granted) < 2:
                await asyncio.sleep(0.02)
            self.heal()
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.assertEqual([type(task.exception()) for task in done], [leasemap.LeaseLostError])
            self.nodes[2].set("stop", "1")
            done, _ = await asyncio.wait(tasks)
            self.assertEqual(sum(task.exception() is None for task in done), 1)
        granted = []
        self.split()
        asyncio.run(asyncio.wait_for(both(), 2 * BOUND))

    def test_a_client_that_is_cut_off_from_its_node_goes_on_at_another(self):
        m, told = self.map(*self.nodes), []
        m.on("update", lambda event: told.append(event.key))
        home = next(i for i, node in enumerate(self.nodes, 1) if node.target == m.node)
        other = self.map(*(node for i, node in enumerate(self.nodes, 1) if i != home))
        with m.lease("job", duration=12) as lease:
            for here, there in (("test", home), (f"n{home}", 250)):  # 250 is the test's own
                self.addCleanup(ip, "-n", space(here), "neigh", "del", address(there), "dev", "eth0", check=False)
                ip("-n", space(here), "neigh", "replace", address(there), "lladdr", NOWHERE, "nud", "permanent", "dev",
                   "eth0")
            other["meanwhile"] = "1"
            wait_for("the map moved and has what it missed", lambda: m.get("meanwhile") == "1")
            self.assertNotEqual(m.node, self.nodes[home - 1].target)
            renewed = lease.expires
            wait_for("the lease is renewed there", lambda: lease.expires > renewed)
            self.assertTrue(lease.held)
            wait_for("the change is told", lambda: "meanwhile" in told)
            self.assertEqual(told.count("meanwhile"), 1)


if __name__ == "__main__":
    reason = network_test.why_not()
    if reason:
        print(f"python_client_network_test: skipped: {reason}")
        sys.exit(0)
    unittest.main(verbosity=2)
