#!/usr/bin/env python3
"""leasemap bench: closed and open loops, what a node that stalls does to the latencies, and that no key remains."""
import json
import threading
import time
import unittest

from basics import wait_for
from cli_support import DONE, REFUSED, UNREACHABLE, WRONG_USE, CommandLineTest


class BenchTest(CommandLineTest):
    def bench(self, *options, code=DONE):
        return json.loads(self.run_it("bench", "-o", "json", *options, code=code, quiet=False)[0])

    def test_a_closed_loop_shows_a_histogram_and_leaves_no_key(self):
        out, _ = self.run_it("bench", "--duration", "500ms", "--keys", "50")
        self.assertRegex(out, r"^Get, 16 at a time, for 500ms, 50 keys of 100 bytes, at 127\.0\.0\.1:\d+\n"
                              r"  done     \d+ \(\d+ a second\), 0 failed, 0 not sent\n"
                              r"  latency  50% [\d.]+ ms, 90% [\d.]+ ms, 99% [\d.]+ ms, 99.9% [\d.]+ ms, most [\d.]+ ms\n\n"
                              r" +up to +calls\n(?: +[\d.]+ ms +\d+  #+\n)+$")
        self.assertFalse([key for key in self.nodes[0].dump() if key.startswith("bench/")])

    def test_sets(self):
        told = self.bench("--set", "--duration", "500ms", "--keys", "10", "--value-size", "0", "--concurrency", "4")
        self.assertEqual((told["operation"], told["loop"], told["failed"]), ("set", "closed", 0))
        self.assertGreater(told["done"], 10)

    def test_an_open_loop_sends_at_its_rate(self):
        told = self.bench("--rate", "100", "--duration", "1s", "--keys", "10")
        self.assertEqual((told["loop"], told["done"] + told["not_sent"], told["failed"]), ("open", 100, 0))
        self.assertLess(told["not_sent"], 10, "only this machine can be late")

    def test_a_stall_is_seen_by_all_calls_that_were_due_meanwhile(self):
        node, stalled = self.nodes[0], []

        def stall():
            wait_for("it began", lambda: any(key.startswith("bench/") for key in node.dump()))
            begin = time.monotonic()
            with node.paused():
                time.sleep(1)  # the fault itself
            stalled.append(time.monotonic() - begin)
        thread = threading.Thread(target=stall)
        thread.start()
        told = self.bench("--rate", "100", "--duration", "3s", "--keys", "10")
        thread.join()
        # A third of the time it stalled: 70 % of the calls may be quick, and a closed loop would show one slow call.
        self.assertEqual(told["done"] + told["not_sent"], 300)
        self.assertGreater(told["p90_ms"], 400 * stalled[0])
        self.assertGreater(told["max_ms"], 800)

    def test_wrong_use_and_nobody_there(self):
        for wrong in (("--rate", "0"), ("--rate", "fast"), ("--concurrency", "0"), ("--keys", "x"), ("--duration", "2h"),
                      ("--duration", "0"), ("--value-size", "2000000")):
            self.run_it("bench", *wrong, code=WRONG_USE)
        self.run_it("--server", "127.0.0.1:9", "--timeout", "300ms", "bench", code=UNREACHABLE)
        self.run_it("bench", "--prefix", "x" * 5000, code=REFUSED)


if __name__ == "__main__":
    unittest.main(verbosity=2)
