#!/usr/bin/env python3
"""The README's commands print what it says, against three nodes on ports that the kernel chooses."""
import os
import re
import sys
import unittest

from basics import BUILD, ENVIRONMENT, ROOT, SCRATCH
from cluster import ClusterTest, Node

sys.path.insert(0, str(ROOT / "tools"))
import check_readme  # noqa: E402

PATH = f"{BUILD}/clients/cli:{ROOT}/build/tools/bin:{os.environ['PATH']}"


class ReadmeTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.nodes = self.cluster(nodes=[Node(f"node-{i}") for i in (1, 2, 3)]).nodes

    def here(self, text):
        """The README's text, with the addresses of these nodes, and with a folder of this test's own."""
        for i, node in enumerate(self.nodes):  # 7400, 7410, 7420; on the mesh one more
            text = text.replace(f"127.0.0.1:74{i}0", node.target).replace(f"127.0.0.1:74{i}1", node.mesh_target)
        return text.replace("build/python", str(SCRATCH / "python"))

    @staticmethod
    def spaced(text):
        """Columns are as wide as their widest address."""
        return re.sub(" {2,}", "  ", text)

    def test_its_commands_print_what_it_says(self):
        env = {**ENVIRONMENT, "PATH": PATH, "LEASEMAP_SERVER": self.nodes[0].target,
               "PYTHONPATH": str(SCRATCH / "python")}
        tried = 0
        for block in check_readme.blocks():
            for command, expected in check_readme.commands(self.here(block)):
                good, said = check_readme.attempt(command, self.spaced(expected), env, self.spaced)
                self.assertTrue(good, f"{command}\nexpected:\n{expected}\ngot:\n{said}")
                tried += 1
        self.assertGreater(tried, 20, "it has more")


if __name__ == "__main__":
    unittest.main(verbosity=2)
