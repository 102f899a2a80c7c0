"""The leader in fifteen lines, which each library has: what its test is in every language."""
import re
import signal

from basics import BOUND, pb, wait_for
from cluster import ClusterTest


def lines_of_code(path, comment):
    """The lines of a program that are neither blank nor a comment."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith(comment)]


class FifteenTest(ClusterTest):
    """`start(endpoints, name)` starts the program; what it returns has its `lines`, and `kill`, which is kill -9."""

    def start(self, endpoints, name):
        raise NotImplementedError

    def tokens(self, program, name):
        """The fencing tokens with which it led."""
        return [match[1] for match in (re.fullmatch(f"{name} leads with token ([0-9a-f]{{32}})", line)
                                       for line in program.lines) if match]

    def test_leader_and_node_are_killed(self):
        cluster = self.cluster()
        endpoints = ",".join(node.target for node in cluster.nodes)
        alive = list(cluster.nodes)
        programs = {name: self.start(endpoints, name) for name in ("one", "two", "three")}

        def entry():
            return alive[0].kv.Get(pb.GetRequest(key="leader"), timeout=BOUND).entry

        def leader():
            value = alive[0].get("leader")
            return value if value in programs and self.tokens(programs[value], value) else None

        first = wait_for("one leads", leader)
        token = self.tokens(programs[first], first)[-1]
        programs.pop(first).kill()
        second = wait_for("another leads", leader)
        led = self.tokens(programs[second], second)
        self.assertGreater(led[-1], token)

        # The node that the leader asks is the one that its lease comes from.
        asked = next(node for node in alive if node.name == entry().origin)
        alive.remove(asked)
        asked.kill(signal.SIGKILL)
        wait_for("the lead is renewed through another node", lambda: entry().origin != asked.name)
        self.assertEqual(leader(), second)
        self.assertEqual(self.tokens(programs[second], second), led, "it led on, and did not have to be elected again")

        programs.pop(second).kill()
        third = wait_for("the last one leads", leader)
        self.assertGreater(self.tokens(programs[third], third)[-1], led[-1])
