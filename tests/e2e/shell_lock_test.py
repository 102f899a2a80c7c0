#!/usr/bin/env python3
"""leasemap lock: codes and signals of the command, one holder at a time, and the end of a lease under a command."""
import os
import signal
import subprocess
import time
import unittest

from basics import BOUND, LEASEMAP, SCRATCH, pb, wait_for
from cli_support import UNREACHABLE, WRONG_USE, Running
from cluster import ClusterTest
from shell_support import HELD, LOST, OWN_FAILURE, ShellTest


class LockTest(ShellTest):
    def lock(self, *command, code=0, **keywords):
        return self.sh("lock", self.key, *command, code=code, **keywords)

    def test_the_command_has_its_code_its_output_and_its_arguments(self):
        for script, code in (("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)):
            self.lock("--", "sh", "-c", script, code=code)
        self.assertEqual(self.lock("--", "echo", "a b", "", "[c,d]", "{}", "--", "--help", "-x"),
                         "a b  [c,d] {} -- --help -x\n")
        self.assertEqual(self.lock("--", "cat", given=b"passed on"), "passed on")
        self.assertIsNone(self.nodes[0].get(self.key), "the lock's key vanishes with the lock")

    def test_a_command_that_cannot_be_run(self):
        self.lock("--", "/no/such/program", code=127)
        self.lock("--", "no-such-program", code=127)
        self.lock("--", str(SCRATCH), code=126)

    def test_the_command_gets_a_token_that_grows_its_key_and_its_holder(self):
        script = 'echo "$LEASEMAP_FENCING_TOKEN $LEASEMAP_LEASE_KEY $LEASEMAP_LEASE_HOLDER"'
        tokens = []
        for name in ("one", "two", "one"):
            token, key, holder = self.lock("--holder", name, "--", "sh", "-c", script).split()
            self.assertEqual((key, holder), (self.key, name))
            self.assertRegex(token, "^[0-9a-f]{32}$")
            tokens.append(token)
        self.assertTrue(tokens[0] < tokens[1] < tokens[2], tokens)

    def test_the_command_writes_under_its_own_lease(self):
        self.lock("--", "sh", "-c", f'{LEASEMAP} --holder "$LEASEMAP_LEASE_HOLDER" set "$LEASEMAP_LEASE_KEY" x --lease 10s')
        self.lock("--", "sh", "-c", f'! {LEASEMAP} --holder another set "$LEASEMAP_LEASE_KEY" x 2>/dev/null')

    def test_another_holder_is_waited_for_or_not(self):
        first = self.background("lock", self.key, "--", "sh", "-c", "echo in; cat", stdin=subprocess.PIPE)
        wait_for("the first has the lock", lambda: first.out() == ["in"])
        self.lock("--no-wait", "--", "true", code=HELD)
        self.lock("--wait", "300ms", "--", "true", code=HELD)
        second = self.background("lock", self.key, "--", "echo", "in")
        third = self.background("lock", self.key, "--", "echo", "in")
        for each in (second, third):
            wait_for("it waits", lambda each=each: "waiting for key" in each.error())
        third.process.send_signal(signal.SIGTERM)
        self.assertEqual(third.process.wait(BOUND), 143, "one that waits ends by a signal")
        self.assertEqual(second.out(), [])
        first.process.stdin.close()
        self.assertEqual(first.process.wait(BOUND), 0)
        self.assertEqual(second.process.wait(BOUND), 0)
        self.assertEqual(second.out(), ["in"])

    def test_many_lockers_count_to_the_end(self):
        counter = SCRATCH / "counter"
        counter.write_text("0")
        script = f'n=$(cat {counter}); echo $((n + 1)) > {counter}'
        # Of several that race at different nodes at most one gets the ack of all; a majority may be told to two, and the
        # one that loses is stopped.
        rounds = [self.background("lock", self.key, "--ack", "all", "--", "sh", "-c", script, node=self.nodes[i % 3])
                  for i in range(9)]
        for each in rounds:
            self.assertEqual(each.process.wait(BOUND), 0, each.error())
        self.assertEqual(counter.read_text(), "9\n")

    def test_signals_are_passed_on(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)):
            plain = self.background("lock", self.key, "--", "sh", "-c", "echo in; exec sleep 100")
            wait_for("it runs", lambda: plain.out() == ["in"])
            plain.process.send_signal(number)
            self.assertEqual(plain.process.wait(BOUND), code)
        polite = self.background("lock", self.key, "--", "sh", "-c",
                                 "trap 'echo bye; exit 5' TERM; echo in; while :; do sleep 100 & wait; done")
        wait_for("it runs", lambda: polite.out() == ["in"])
        polite.process.send_signal(signal.SIGTERM)
        self.assertEqual(polite.process.wait(BOUND), 5)
        self.assertEqual(polite.out(), ["in", "bye"])
        self.lock("--no-wait", "--", "true")

    def test_the_command_does_not_outlive_a_killed_leasemap(self):
        running = self.background("lock", self.key, "--", "sh", "-c", "echo $$; exec sleep 100")
        pid = int(wait_for("it runs", running.out)[0])
        running.process.kill()

        def ended():
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            return False
        wait_for("the kernel ended the command", ended)

    def test_a_lost_lease_ends_the_command(self):
        running = self.background("lock", self.key, "--holder", "one", "--", "sh", "-c",
                                  "trap 'echo told; exit 0' TERM; echo in; while :; do sleep 100 & wait; done")
        wait_for("it runs", lambda: running.out() == ["in"])
        self.nodes[0].delete(self.key, holder="one")
        self.assertEqual(running.process.wait(BOUND), LOST)
        self.assertEqual(running.out(), ["in", "told"])
        self.assertIn("the command gets TERM now, and KILL", running.error())

    def test_what_the_command_started_ends_too(self):
        stubborn = "trap '' TERM; echo in; while :; do sleep 1; done"
        running = self.background("lock", self.key, "--holder", "one", "--", "sh", "-c",
                                  f'echo $$; sh -c "{stubborn}" & wait')
        wait_for("it runs", lambda: running.out()[1:] == ["in"])
        begin = time.monotonic()
        self.nodes[0].delete(self.key, holder="one")
        self.assertEqual(running.process.wait(BOUND), LOST)
        self.assertGreater(time.monotonic() - begin, 1, "it had its grace of an eighth of 10 s")
        with self.assertRaises(ProcessLookupError):
            os.killpg(int(running.out()[0]), 0)

    def test_wrong_use_and_nobody_there(self):
        for wrong in (("lock",), ("lock", "k"), ("lock", "k", "--no-wait", "--wait", "1s", "--", "true"),
                      ("lock", "k", "--grace", "3s", "--", "true"), ("lock", "k", "--ttl", "soon", "--", "true"),
                      ("elect", "k", "--once"), ("elect", "k", "--grace", "1s"), ("elect", "k", "--ttl", "1ms")):
            self.sh(*wrong, code=WRONG_USE)
        self.lock("--ttl", "1s", "--", "true", code=OWN_FAILURE)
        nobody = ["--server", "127.0.0.1:9", "--timeout", "300ms"]
        self.lock("--", "true", code=OWN_FAILURE, before=nobody)
        self.sh("elect", "k", code=UNREACHABLE, before=nobody)


class NodesTest(ClusterTest):
    def start(self, nodes, *command):
        running = Running("--server", ",".join(node.target for node in nodes), "lock", *command)
        self.addCleanup(running.stop)
        return running

    def test_a_lock_outlives_a_node(self):
        nodes = self.cluster().nodes
        running = self.start(nodes, "k", "--ttl", "4s", "--", "sh", "-c", "echo in; exec sleep 100")
        wait_for("it runs", lambda: running.out() == ["in"])
        holder = nodes[1].get("k")
        lease_end = lambda: nodes[1].kv.Get(pb.GetRequest(key="k"), timeout=BOUND).entry.lease.expire_time.ToMilliseconds()
        first_end = lease_end()
        nodes[0].kill(signal.SIGKILL)
        wait_for("renewals after the first lease would have ended", lambda: lease_end() > first_end + 5000)
        self.assertEqual(nodes[2].get("k"), holder)
        self.assertIsNone(running.process.poll())
        running.process.send_signal(signal.SIGTERM)
        self.assertEqual(running.process.wait(BOUND), 143)

    def test_without_nodes_the_command_ends_before_its_lease(self):
        """The command writes when it was told. All by one clock, of this machine."""
        nodes = self.cluster().nodes
        # It ignores TERM but for noting the time, so that KILL has to end it.
        script = "trap 'date +%s%N' TERM; echo in; while :; do sleep 0.05; done"
        running = self.start(nodes, "k", "--ttl", "4s", "--", "sh", "-c", script)
        wait_for("it runs", lambda: running.out()[:1] == ["in"])
        for node in nodes:
            node.pause()
        try:
            # Read of a node's log or answer is not possible now: the last renewal was before this moment.
            last = time.time()
            self.assertEqual(running.process.wait(BOUND), LOST)
            over = time.time()
        finally:
            for node in nodes:
                node.resume()
        told = int(running.out()[1]) / 1e9
        # Renewed at the latest when the nodes stopped: the local deadline is 3 s after that, the lease's end 4 s.
        self.assertLess(told, last + 3.0)
        self.assertLess(over, last + 3.9)
        self.assertGreater(over, told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
