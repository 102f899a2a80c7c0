#!/usr/bin/env python3
"""The Go client in networks that fail: a partition whose sides each grant a lease on one key, and a client that is cut
off from its node without a word. Needs root and `ip netns`; skipped, with a message, without."""
import sys
import unittest

import go_package
import network_test
from basics import wait_for
from go_client_test import MAJORITY, GoTest
from network_test import NOWHERE, address, ip, space


class PartitionTest(GoTest):
    # The network of network_test, without its tests.
    lose, cut, heal, start = (getattr(network_test.NetworkTest, name) for name in ("lose", "cut", "heal", "start"))

    @classmethod
    def setUpClass(cls):
        network_test.make_network()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.heal)
        self.nodes = self.start().nodes

    def split(self):
        """n1 alone on one side, n2 and n3 on the other; returns once both sides know it."""
        for j in (2, 3):
            self.cut(1, j)
        wait_for("n1 is alone", lambda: self.nodes[0].linked() == {"n1"})
        wait_for("n2 is without n1", lambda: self.nodes[1].linked() == {"n2", "n3"})

    def test_both_sides_grant_a_lease_and_one_loses_it(self):
        clients = [self.client([node]) for node in self.nodes[:2]]
        maps = [client.make("map") for client in clients]
        events = [map_.make("events") for map_ in maps]
        self.split()
        leases = [client.make("lease", key="job", value=f"of {client.made}") for client in clients]
        overs = [lease.start("wait") for lease in leases]
        self.assertTrue(all(lease.call("state")["held"] for lease in leases), "both sides go on")
        self.heal()
        self.clusters[0].wait_linked()
        wait_for("one of them is lost", lambda: sum(lease.call("state")["held"] for lease in leases) == 1)
        winner = next(i for i in (0, 1) if leases[i].call("state")["held"])
        loser = 1 - winner
        self.assertIn(clients[winner].made, overs[loser]()["why"])
        lost = wait_for("the loser is told of its write",
                        lambda: [e for e in events[loser].call("events") if e["kind"] == "lost"])
        self.assertEqual([(e["key"], e["value"], e["winner"]) for e in lost],
                         [("job", f"of {clients[loser].made}", clients[winner].made)])
        self.assertEqual([e for e in events[winner].call("events") if e["kind"] == "lost"], [])
        self.assertGreaterEqual(leases[winner].made["token"], leases[loser].made["token"],
                                "what the winner wrote outside is not refused")
        for map_ in maps:
            self.see(map_, "job", f"of {clients[winner].made}")
        expires = leases[winner].call("state")["expires"]
        wait_for("the winner's is renewed", lambda: leases[winner].call("state")["expires"] > expires)

    def test_the_smaller_side_grants_nothing_for_a_majority(self):
        a, b = self.client(self.nodes[:1], timeout=1), self.client(self.nodes[1:2])
        self.split()
        self.refused_go("ack_incomplete", lambda: a.make("lease", key="job", ack=MAJORITY))
        self.assertTrue(b.make("lease", key="job", ack=MAJORITY).call("state")["held"])
        wait_for("nothing of it is left", lambda: not self.nodes[0].get("job"))

    def test_a_client_that_is_cut_off_from_its_node_goes_on_at_another(self):
        c = self.client(self.nodes)
        m = c.make("map")
        told, target = m.make("events"), c.call("node")
        home = next(i for i, node in enumerate(self.nodes, 1) if node.target == target)
        other = self.client([node for i, node in enumerate(self.nodes, 1) if i != home])
        lease = c.make("lease", key="job", lease=12)
        for here, there in (("test", home), (f"n{home}", 250)):  # 250 is the test's own
            self.addCleanup(ip, "-n", space(here), "neigh", "del", address(there), "dev", "eth0", check=False)
            ip("-n", space(here), "neigh", "replace", address(there), "lladdr", NOWHERE, "nud", "permanent", "dev",
               "eth0")
        other.call("set", key="meanwhile", value="1")
        self.see(m, "meanwhile", "1")
        self.assertNotEqual(c.call("node"), target)
        expires = lease.call("state")["expires"]
        wait_for("the lease is renewed there", lambda: lease.call("state")["expires"] > expires)
        self.assertTrue(lease.call("state")["held"])
        self.assertEqual(told.until(("set", "meanwhile", "1")).count(("set", "meanwhile", "1")), 1)


if __name__ == "__main__":
    reason = network_test.why_not() or go_package.why_not()
    if reason:
        print(f"go_client_network_test: skipped: {reason}")
        sys.exit(0)
    go_package.build()
    unittest.main(verbosity=2)
