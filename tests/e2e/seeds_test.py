#!/usr/bin/env python3
"""Seeds that lead nowhere, members that are away, and nodes that are not ready: what a node says of them."""
import unittest

from basics import BOUND, keyed, pb, wait_for
from cluster import ClusterTest, Node


class SeedsTest(ClusterTest):
    def alone(self, *flags, name="alone"):
        node = Node(name, flags=flags)
        self.cluster(nodes=[node], wait=False)
        return node

    def warned(self, node, *words):
        """A line of the log has all of these words, soon; at least one of them names the seed."""
        wait_for(f"a warning with {words}", lambda: any(
            all(word in line for word in words) for line in node.log.read_text().splitlines() if " warning " in line))

    def test_a_seed_that_leads_nowhere_is_named(self):
        other = self.alone(name="other")
        gone = self.alone(name="gone")
        refused = gone.mesh_target
        gone.kill()
        seeds = {other.target: "HTTP/2", refused: "refused", "no-such-host.invalid:7401": "not known"}
        node = self.alone(f"--seeds={','.join(seeds)}")
        for seed, cause in seeds.items():
            with self.subTest(seed=seed):
                self.warned(node, seed, cause if cause != "not known" else "seed")
        status = node.status()
        self.assertEqual(sorted(status.unlinked_seeds), sorted(seeds))
        for seed in seeds:
            self.assertTrue(any(seed in note for note in status.notes), status.notes)

    def test_a_member_that_is_away_is_named(self):
        a, b = nodes = [Node("a"), Node("b")]
        self.cluster(nodes=nodes)
        self.assertFalse(a.status().unreachable_members)
        b.kill()
        wait_for("b is unreachable", lambda: list(a.status().unreachable_members) == ["b"])
        b.start([a])
        wait_for("b is back", lambda: not a.status().unreachable_members)

    def test_what_a_node_waits_for_is_in_the_answer(self):
        other = self.alone("--cluster=another", name="other")
        node = self.alone(f"--seeds={other.mesh_target}")

        wait_for("the refusal is noted", lambda: any("CLUSTER_MISMATCH" in note for note in node.status().notes))
        self.refused(lambda: node.kv.Get(pb.GetRequest(**keyed("k")), timeout=BOUND), "UNAVAILABLE", "SYNCING",
                     "CLUSTER_MISMATCH")

    def test_a_node_waits_for_as_many_members_as_asked(self):
        a = self.alone("--min-members=2", name="a")
        self.assertFalse(a.status().ready)
        b = self.clusters[-1].add(Node("b"))
        wait_for("both are ready", lambda: a.status().ready and b.status().ready)


if __name__ == "__main__":
    unittest.main()
