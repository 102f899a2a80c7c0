#!/usr/bin/env python3
"""The C++ client's five examples, and its leader in fifteen lines, each as the programs that its text speaks of, against a
real cluster."""
import re
import unittest

import cpp_package
import go_client_examples_test
from basics import ROOT
from fifteen import lines_of_code

SOURCES = ROOT / "clients/cpp/examples"


class ExamplesTest(go_client_examples_test.ExamplesTest):
    BINARIES = cpp_package.EXAMPLES

    def test_each_is_short(self):
        examples = {each.stem: len(each.read_text().splitlines()) for each in SOURCES.glob("*.cc")}
        self.assertEqual(sorted(examples), ["config", "counter", "fifteen", "leader", "once", "registry"])
        self.assertLess(max(examples.values()), 60, examples)
        self.assertLessEqual(len(lines_of_code(SOURCES / "fifteen.cc", "//")), 15)

    def test_what_the_readme_shows(self):
        """The leader in fifteen lines; cpp_client_install_test has the other program."""
        readme = (ROOT / "clients/cpp/README.md").read_text()
        programs = re.findall(r"```cpp\n(#include.*?)\n```", readme, re.DOTALL)
        self.assertEqual(len(programs), 2)
        self.assertIn(programs[1], (SOURCES / "fifteen.cc").read_text())


class LeaderTest(go_client_examples_test.LeaderTest):
    BINARIES = cpp_package.EXAMPLES


class FifteenTest(go_client_examples_test.FifteenTest):
    BINARIES = cpp_package.EXAMPLES


if __name__ == "__main__":
    unittest.main(verbosity=2)
