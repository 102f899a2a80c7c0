#!/usr/bin/env python3
"""The Python client's five examples, and its leader in fifteen lines, each as the programs that its text speaks of, and
the ancestor's calls by leasemap.compat, against a real cluster."""
import contextlib
import io
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

import python_package  # first: it puts the installed package on the path
from basics import BOUND, ENVIRONMENT, ROOT, wait_for
from cluster import ClusterTest, SharedClusterTest
from fifteen import FifteenTest as EachFifteenTest
from fifteen import lines_of_code

import leasemap
from leasemap import compat as sync

EXAMPLES = ROOT / "clients/python/examples"


class Program:
    """An example that runs; `lines` are what it has printed."""

    def __init__(self, test, name, *arguments):
        self.lines = []
        self.process = subprocess.Popen([sys.executable, EXAMPLES / f"{name}.py", *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**ENVIRONMENT, "PYTHONPATH": str(python_package.SITE)})
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
    def setUp(self):
        super().setUp()
        self.endpoints = ",".join(node.target for node in self.nodes)

    def program(self, name, *arguments):
        return Program(self, name, self.endpoints, *arguments)

    def test_each_is_short(self):
        examples = sorted(EXAMPLES.glob("*.py"))
        self.assertEqual([each.stem for each in examples], ["config", "counter", "fifteen", "leader", "once", "registry"])
        for example in examples:
            self.assertLess(len(example.read_text().splitlines()), 60, example.name)
        self.assertLessEqual(len(lines_of_code(EXAMPLES / "fifteen.py", "#")), 15)

    def test_what_the_readmes_show(self):
        for readme in (ROOT / "README.md", ROOT / "clients/python/README.md"):
            blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
            for leader in blocks[1:]:
                self.assertIn(leader, (EXAMPLES / "fifteen.py").read_text())
            code = blocks[0].replace("127.0.0.1:7400,127.0.0.1:7410", self.endpoints)
            self.assertNotIn("7400", code)
            for _ in range(2):  # it can be run again
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    exec(compile(code, str(readme), "exec"), {"work": str})
                self.assertIn("blue", printed.getvalue())

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


class LeaderTest(ClusterTest):
    def test_a_leader_and_a_node_are_killed(self):
        nodes = self.cluster().nodes
        endpoints = ",".join(node.target for node in nodes)
        with leasemap.SyncMap(endpoints) as m:
            election = leasemap.Election(m, "example/leader")
            first = Program(self, "leader", endpoints)
            wait_for("the first leads", lambda: election.leader)
            second = Program(self, "leader", endpoints)
            leader = election.leader
            first.until(f"leading as {leader}", f"work done by {leader}")
            token = m.entry("example/leader").fencing_token
            first.kill()
            wait_for("the second leads", lambda: election.leader not in (leader, None))
            leader = election.leader
            second.until(f"work done by {leader}")
            self.assertGreater(m.entry("example/leader").fencing_token, token)
            nodes[0].kill(signal.SIGKILL)
            before = len(second.lines)
            wait_for("it goes on", lambda: len(second.lines) > before + 30)
            self.assertEqual(set(second.lines), {f"leading as {leader}", f"work done by {leader}"})


class FifteenTest(EachFifteenTest):
    def start(self, endpoints, name):
        return Program(self, "fifteen", endpoints, name)


del EachFifteenTest  # or unittest would run it, too


class AncestorTest(SharedClusterTest):
    """Each call of the ancestor's page about sync_socket, with its words."""

    def sock(self, node=0, leasing=True, **options):
        addr, port = self.nodes[node].target.split(":")
        made = sync.sync_socket(addr, int(port), leasing, **options)
        self.addCleanup(made.close)
        return made

    def see(self, sock, key, value):
        wait_for(f"{key} is {value} there", lambda: sock.get(key) == value)

    def test_the_pages_construction(self):
        """The page listens on all addresses, without leases, and stores its two keys."""
        sock = sync.sync_socket("0.0.0.0", self.nodes[0].port, False)
        self.addCleanup(sock.close)
        sock.set("page key", "value")
        self.assertEqual((sock.get("page key", None), sock["page key"]), (b"value", b"value"))
        with self.assertRaises(leasemap.errors.LeasemapError):
            sync.sync_socket("127.0.0.1", 9, sync_timeout=0.3)

    def test_a_tie_of_the_same_second_is_settled_by_a_compare_of_ids(self):
        smaller, larger = self.sock(0, holder="A tie"), self.sock(1, holder="a tie")
        self.assertEqual((smaller.id, larger.id), ("A tie", "a tie"))

        def tie():
            """A new key that both set at once, each at its node, if both were granted it in one second."""
            key, begin, granted = f"tie/{time.monotonic_ns()}", threading.Barrier(2), []

            def set_it(sock):
                begin.wait(BOUND)
                with contextlib.suppress(leasemap.LeaseHeldError):
                    sock.set(key, sock.id)
                    granted.append(sock._map.entry(key).lease_start)
            threads = [threading.Thread(target=set_it, args=(sock,)) for sock in (smaller, larger)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(BOUND)
            return key if len(granted) == 2 and granted[0] == granted[1] else None
        key = wait_for("both set one key in the same second", tie)
        for sock in (smaller, larger):
            self.see(sock, key, b"A tie")

    def test_get(self):
        sock = self.sock()
        self.assertIs(sock.get("test key", None), None)
        self.assertIs(sock.get("test key"), None)
        self.assertEqual(sock.get("test key", "fallback"), "fallback")
        sock.set("test key", "value")
        self.assertEqual(sock.get("test key", None), b"value")
        self.assertEqual(sock.get(b"test key"), b"value", "keys are all translated to bytes")

    def test_set(self):
        sock, other = self.sock(), self.sock(1)
        sock.set("测试", "test")
        self.assertEqual(sock.get("测试".encode()), b"test")
        self.see(other, "测试", b"test")

    def test_an_error_if_another_has_set_this_value_already(self):
        sock, other = self.sock(), self.sock(1)
        sock.set("held", "mine")
        self.see(other, "held", b"mine")
        with self.assertRaises(KeyError) as caught:
            other.set("held", "theirs")
        self.assertIsInstance(caught.exception, leasemap.LeaseHeldError)
        self.assertEqual(caught.exception.holder, sock.id)
        self.assertAlmostEqual(caught.exception.retry_after, 3600, delta=60, msg="the lease lasts an hour")

    def test_changing_the_value_renews_the_lease(self):
        sock = self.sock()
        sock.set("renewed", "1")
        before = sock._map.entry("renewed")

        def renewed():  # a millisecond later at the earliest
            sock.set("renewed", "2")
            return sock._map.entry("renewed").expire_ms > before.expire_ms
        wait_for("the lease ends later", renewed)
        self.assertEqual(sock._map.entry("renewed").lease_start, before.lease_start)

    def test_without_leasing_others_change_values(self):
        sock, other = self.sock(leasing=False), self.sock(1, leasing=False)
        sock.set("open", "1")
        self.see(other, "open", b"1")
        other.set("open", "2")
        self.see(sock, "open", b"2")

    def test_update_del_and_keys(self):
        sock = self.sock()
        sock.update({"u/1": "a", "u/2": b"b"})
        sock["u/3"] = "c"
        self.assertEqual((sock["u/1"], sock["u/2"], "u/3" in sock), (b"a", b"b", True))
        self.assertEqual(sorted(key for key in sock.keys() if key.startswith(b"u/")), [b"u/1", b"u/2", b"u/3"])
        self.assertEqual({key: value for key, value in sock.items() if key.startswith(b"u/")},
                         {b"u/1": b"a", b"u/2": b"b", b"u/3": b"c"})
        self.assertIn(b"a", sock.values())
        self.assertEqual(len(sock), len(list(sock)))
        del sock["u/1"]
        getattr(sock, "del")("u/2")
        self.assertEqual((sock.get("u/1"), sock.get("u/2"), sock.pop("u/3"), sock.pop("u/3", 7)), (None, None, b"c", 7))
        with self.assertRaises(KeyError):
            del sock["u/1"]

    def test_on(self):
        sock, other, told = self.sock(), self.sock(1), []
        other.on("update", lambda conn, key, value, meta: told.append((conn, key, value, meta[0])))
        other.on("delete", lambda conn, key: told.append((conn, key)))
        sock.set("told", "1")
        wait_for("the update is told", lambda: (other, b"told", b"1", sock.id) in told)
        sock.delete("told")
        wait_for("the delete is told", lambda: (other, b"told") in told)
        with self.assertRaises(ValueError):
            sock.on("message", print)


if __name__ == "__main__":
    unittest.main(verbosity=2)
