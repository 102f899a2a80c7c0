#!/usr/bin/env python3
"""The Go client's five examples, and its leader in fifteen lines, each as the programs that its text speaks of, and the
programs that its README shows, against a real cluster."""
import re
import signal
import subprocess
import sys
import threading
import unittest

import go_package
from basics import BOUND, ENVIRONMENT, ROOT, SCRATCH, pb, wait_for
from cluster import ClusterTest, SharedClusterTest
from fifteen import FifteenTest as EachFifteenTest
from fifteen import lines_of_code

EXAMPLES = go_package.SOURCES / "examples"


class Program:
    """An example that runs, of the test's folder of binaries; `lines` are what it has printed."""

    def __init__(self, test, name, *arguments):
        self.lines = []
        self.process = subprocess.Popen([test.BINARIES / name, *arguments], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        test.addCleanup(self.kill)

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until(self, *lines):
        wait_for(lambda: f"{lines} in {self.lines[-10:]}", lambda: all(line in self.lines for line in lines))

    def end(self):
        """Waits until it ends by itself; returns its lines."""
        self.process.stdin.close()
        status = self.process.wait(BOUND)
        self.reader.join(BOUND)
        assert status == 0, f"it ended with {status}: {self.lines}"
        return self.lines

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(BOUND)
        self.process.stdout.close()
        self.process.stdin.close()


class ExamplesTest(SharedClusterTest):
    BINARIES = go_package.BINARIES

    def setUp(self):
        super().setUp()
        self.endpoints = ",".join(node.target for node in self.nodes)

    def program(self, name, *arguments):
        return Program(self, name, self.endpoints, *arguments)

    def test_each_is_short(self):
        examples = sorted(EXAMPLES.glob("*/main.go"))
        self.assertEqual([each.parent.name for each in examples], ["config", "counter", "fifteen", "leader", "once",
                                                                    "registry"])
        for example in examples:
            self.assertLess(len(example.read_text().splitlines()), 60, example)
        self.assertLessEqual(len(lines_of_code(EXAMPLES / "fifteen/main.go", "//")), 15)

    def test_registry(self):
        watch = self.program("registry", "watch", "2")
        watch.until("none")
        one, two = [self.program("registry", "serve", name, f"host:{name}") for name in ("one", "two")]
        self.assertEqual(watch.end()[-1], "one at host:one, two at host:two")
        again = self.program("registry", "watch", "1")
        again.until("one at host:one, two at host:two")
        one.kill()  # its key vanishes when its lease lapses
        self.assertEqual(again.end()[-1], "two at host:two")
        two.end()

    def test_config(self):
        follow = self.program("config")
        follow.until("color blue, workers 4")
        self.program("config", "set", "color", "red").end()
        follow.until("config/color is now red; color red")
        self.program("config", "set", "stop", "1").end()
        follow.end()

    def test_counter(self):
        programs = [self.program("counter", "5") for _ in range(3)]
        counted = [int(line) for program in programs for line in program.end()]
        self.assertEqual(sorted(counted), list(range(1, 16)))

    def test_once(self):
        programs = [self.program("once", "report", "2030-01-02", "echo", "the report") for _ in range(3)]
        lines = [line for program in programs for line in program.end()]
        self.assertEqual(sorted(lines), ["report of 2030-01-02 was run already"] * 2 + ["the report"])
        self.assertEqual(self.program("once", "report", "2030-01-03", "echo", "the next").end(), ["the next"])

    def test_what_the_readme_shows(self):
        """The README's map compiles as it stands, and prints what its comment says; its leader is the example."""
        readme = (go_package.SOURCES / "README.md").read_text()
        programs = [block for block in re.findall(r"```go\n(.*?)```", readme, re.DOTALL)
                    if block.startswith("package main")]
        self.assertEqual(len(programs), 2)
        self.assertIn(programs[1], (EXAMPLES / "fifteen/main.go").read_text())
        self.assertIn("127.0.0.1:7400,127.0.0.1:7410", programs[0])
        name = go_package.compile_program("readme",
                                          programs[0].replace("127.0.0.1:7400,127.0.0.1:7410", self.endpoints))
        Program(self, name).until(*re.findall(r'// prints "(.*)"', programs[0]))


class InstallTest(unittest.TestCase):
    def test_a_new_module_by_the_commands_of_the_readme(self):
        readme = (go_package.SOURCES / "README.md").read_text()
        commands = re.findall("^    (go mod .*)$", readme, re.MULTILINE)
        self.assertEqual(len(commands), 2)
        module = SCRATCH / "new-module"
        module.mkdir()
        (module / "main.go").write_text((EXAMPLES / "fifteen/main.go").read_text())
        for command in ["go mod init example.com/new", *commands, "go build -o program ."]:
            command = command.replace("/path/to/the/tree", str(ROOT))
            done = subprocess.run(command.split(), cwd=module, capture_output=True, text=True, check=False,
                                  timeout=go_package.COMPILED_S,
                                  env={**ENVIRONMENT, "PATH": go_package.PATH, "GOTOOLCHAIN": "local"})
            self.assertEqual(done.returncode, 0, command + done.stdout + done.stderr)
        self.assertTrue((module / "program").exists())


class LeaderTest(ClusterTest):
    BINARIES = go_package.BINARIES

    def leader(self, node):
        return node.get("example/leader")

    def token(self, node):
        return node.kv.Get(pb.GetRequest(key="example/leader"), timeout=BOUND).entry.lease.fencing_token

    def test_a_leader_and_a_node_are_killed(self):
        nodes = self.cluster().nodes
        endpoints = ",".join(node.target for node in nodes)
        first = Program(self, "leader", endpoints)
        leader = wait_for("the first leads", lambda: self.leader(nodes[1]))
        second = Program(self, "leader", endpoints)
        first.until(f"leading as {leader}", f"work done by {leader}")
        token = self.token(nodes[1])
        first.kill()
        killed = leader
        leader = wait_for("the second leads", lambda: next(
            (now for now in [self.leader(nodes[1])] if now not in (killed, None)), None))
        second.until(f"work done by {leader}")
        self.assertGreater(self.token(nodes[1]), token)
        nodes[0].kill(signal.SIGKILL)
        before = len(second.lines)
        wait_for("it goes on", lambda: len(second.lines) > before + 30)
        self.assertEqual(set(second.lines), {f"leading as {leader}", f"work done by {leader}"})


class FifteenTest(EachFifteenTest):
    BINARIES = go_package.BINARIES

    def start(self, endpoints, name):
        return Program(self, "fifteen", endpoints, name)


del EachFifteenTest  # or unittest would run it, too


if __name__ == "__main__":
    reason = go_package.why_not()
    if reason:
        print(f"go_client_examples_test: skipped: {reason}")
        sys.exit(0)
    go_package.build()
    unittest.main(verbosity=2)
