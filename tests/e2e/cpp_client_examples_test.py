#!/usr/bin/env python3
"""The C++ client's five examples, and its leader in fifteen lines, each as the programs that its text speaks of, against a
real cluster."""
import re
import signal
import unittest

import cpp_package
import go_client_examples_test
from basics import ROOT, wait_for
from cluster import ClusterTest
from go_client_examples_test import Program

SOURCES = ROOT / "clients/cpp/examples"


class ExamplesTest(go_client_examples_test.ExamplesTest):
    BINARIES = cpp_package.EXAMPLES

    def test_each_is_short(self):
        examples = {each.stem: len(each.read_text().splitlines()) for each in SOURCES.glob("*.cc")}
        self.assertEqual(sorted(examples), ["config", "counter", "fifteen", "leader", "once", "registry"])
        self.assertLess(max(examples.values()), 60, examples)
        self.assertLessEqual(examples["fifteen"], 15)

    def test_what_the_readme_shows(self):
        """The leader in fifteen lines; cpp_client_install_test has the other program."""
        readme = (ROOT / "clients/cpp/README.md").read_text()
        programs = re.findall(r"```cpp\n(#include.*?)\n```", readme, re.DOTALL)
        self.assertEqual(len(programs), 2)
        self.assertIn(programs[1], (SOURCES / "fifteen.cc").read_text())


class LeaderTest(go_client_examples_test.LeaderTest):
    BINARIES = cpp_package.EXAMPLES


class FifteenTest(ClusterTest):
    BINARIES = cpp_package.EXAMPLES

    def leads(self, program, name):
        """The fencing tokens with which it led."""
        return [match[1] for match in (re.fullmatch(f"{name} leads with token ([0-9a-f]{{32}})", line)
                                       for line in program.lines) if match]

    def test_leader_and_node_are_killed(self):
        nodes = self.cluster().nodes
        endpoints = ",".join(node.target for node in nodes)
        programs = {name: Program(self, "fifteen", endpoints, name) for name in ("one", "two", "three")}

        def leader():
            value = nodes[1].get("leader")
            return value if value in programs and self.leads(programs[value], value) else None
        first = wait_for("one leads", leader)
        token = self.leads(programs[first], first)[-1]
        programs.pop(first).kill()
        second = wait_for("another leads", leader)
        self.assertGreater(self.leads(programs[second], second)[-1], token)
        nodes[0].kill(signal.SIGKILL)
        wait_for("the lead is renewed on the nodes that are left", lambda: nodes[1].get("leader") == second)
        token = self.leads(programs[second], second)[-1]
        programs.pop(second).kill()
        third = wait_for("the last one leads", leader)
        self.assertGreater(self.leads(programs[third], third)[-1], token)


if __name__ == "__main__":
    unittest.main(verbosity=2)
