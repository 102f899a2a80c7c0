#!/usr/bin/env python3
"""The example clients in Python, Go and C++: each, against a real cluster, sets, gets, watches and is refused."""
import os
import shutil
import subprocess
import unittest

from basics import BUILD, ENVIRONMENT, ROOT
from cluster import SharedClusterTest

PATH = f"{os.environ['PATH']}:/usr/local/go/bin"
COMPILED_S = 150  # what needs a compiler takes its time, the first time


class ExamplesTest(SharedClusterTest):
    def check(self, command, variables=None):
        a, b, _ = self.nodes
        done = subprocess.run([command, a.target, b.target], capture_output=True, text=True, timeout=COMPILED_S,
                              env={**ENVIRONMENT, "PATH": PATH, **(variables or {})})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 4, done.stdout)
        self.assertEqual(lines[0], "set color=blue")
        self.assertRegex(lines[1], "^get color=blue(, leased by n1)?$")
        self.assertEqual(lines[2], "watch saw color=blue")
        self.assertRegex(lines[3], '^refused: LEASE_HELD: key "color" is leased by n1 for ')
        self.assertEqual(b.get("color"), "blue")

    def test_python(self):
        self.check(ROOT / "clients/examples/python/run.sh")

    def test_cpp(self):
        # The build has it already; run.sh would build it, in whatever folder.
        binary = BUILD / "clients/examples/cpp/example_cpp"
        self.check(binary if binary.exists() else ROOT / "clients/examples/cpp/run.sh", {"LEASEMAP_BUILD": str(BUILD)})

    def test_a_proxy_for_the_web_is_not_asked(self):
        binary = BUILD / "clients/examples/cpp/example_cpp"
        for example in (ROOT / "clients/examples/python/run.sh", *([binary] if binary.exists() else [])):
            with self.subTest(example=example):
                self.nodes[0].delete("color", allow_missing=True)
                self.check(example, {name: "http://127.0.0.1:9" for name in ("http_proxy", "grpc_proxy")})

    def test_go(self):
        if not shutil.which("go", path=PATH):
            self.skipTest("no Go here: the Go example is not run")
        self.check(ROOT / "clients/examples/go/run.sh")


if __name__ == "__main__":
    unittest.main(verbosity=2)
