#!/usr/bin/env python3
"""leasemap elect and leasemap keep: one leader after another, and keys that live as long as a script's standard input."""
import json
import signal
import subprocess
import unittest

from basics import BOUND, LEASEMAP, SCRATCH, pb, wait_for
from cli_support import DONE, REFUSED, UNREACHABLE, WRONG_USE
from shell_support import OWN_FAILURE, ShellTest


class ElectTest(ShellTest):
    def test_leaders_follow_each_other_with_greater_tokens(self):
        first = self.background("elect", self.key, "--value", "one")
        wait_for("the first leads", first.out)
        second = self.background("elect", self.key, "--value", "two", "-o", "json", node=self.nodes[1])
        self.assertEqual(self.nodes[2].get(self.key), "one")
        first.process.send_signal(signal.SIGTERM)
        self.assertEqual(first.process.wait(BOUND), 143)
        told = json.loads(wait_for("the second leads", second.out)[0])
        self.assertEqual((told["event"], told["key"]), ("elected", self.key))
        self.assertEqual(first.out()[0].split()[0], "elected")
        self.assertGreater(told["fencing_token"], first.out()[0].split()[1])
        wait_for("its value on n3", lambda: self.nodes[2].get(self.key) == "two")

    def test_a_lead_that_is_lost_is_told_and_taken_again(self):
        running = self.background("elect", self.key, "--holder", "me")
        wait_for("it leads", running.out)
        self.nodes[0].delete(self.key, holder="me")
        wait_for("it leads again", lambda: len(running.out()) == 3)
        words = [line.split()[0] for line in running.out()]
        self.assertEqual(words, ["elected", "lost", "elected"])
        self.assertGreater(running.out()[2], running.out()[0])

    def test_a_command_runs_while_it_leads_and_again_after_its_end(self):
        running = self.background("elect", self.key, "--", "sh", "-c", 'echo "$LEASEMAP_FENCING_TOKEN"; exit 3')
        wait_for("it ran twice", lambda: len(running.out()) >= 2)
        self.assertGreater(running.out()[1], running.out()[0])
        self.assertIn("the command ended with 3; campaigning again in 1s", running.error())
        running.process.send_signal(signal.SIGINT)
        self.assertIn(running.process.wait(BOUND), (130, 3))

    def test_a_lost_lead_stops_the_command_and_it_campaigns_again(self):
        running = self.background("elect", self.key, "--holder", "me", "--once", "--", "sh", "-c",
                                  "trap 'echo told; exit 9' TERM; echo in; while :; do sleep 100 & wait; done")
        wait_for("it leads", lambda: running.out() == ["in"])
        self.nodes[0].delete(self.key, holder="me")
        wait_for("it leads again", lambda: running.out() == ["in", "told", "in"])
        running.process.send_signal(signal.SIGTERM)
        self.assertEqual(running.process.wait(BOUND), 9)
        self.assertIn("campaigning again", running.error())

    def test_once(self):
        self.sh("elect", self.key, "--once", "--", "sh", "-c", "exit 6", code=6)
        self.sh("elect", self.key, "--", "/no/such/program", code=127)
        self.assertIsNone(self.nodes[0].get(self.key))

    def test_nobody_there(self):
        nobody = ["--server", "127.0.0.1:9", "--timeout", "300ms"]
        self.sh("elect", self.key, "--", "true", code=OWN_FAILURE, before=nobody)
        self.sh("elect", self.key, "--ttl", "1s", code=REFUSED)


class KeepTest(ShellTest):
    def keep(self, *words, **keywords):
        running = self.background("keep", *words, stdin=subprocess.PIPE, **keywords)
        wait_for("it has the keys", lambda: len(running.out()) == sum("/" in word for word in words))
        return running

    def test_a_key_lives_until_standard_input_ends(self):
        key = f"services/{self.key}"
        running = self.keep(f"{key}=10.0.0.1:80", f"{key}/2=a=b")
        self.assertEqual(self.nodes[0].get(key), "10.0.0.1:80")
        self.assertEqual(self.nodes[0].get(f"{key}/2"), "a=b")
        self.assertRegex("\n".join(running.out()), f"(?m)^{key}: kept by .* for 10s$")
        running.process.stdin.write(b"not read by anybody\n")
        running.process.stdin.flush()
        self.sh("keep", f"{key}=x", code=REFUSED)
        self.assertIsNone(running.process.poll())
        running.process.stdin.close()
        self.assertEqual(running.process.wait(BOUND), DONE)
        self.assertIsNone(self.nodes[0].get(key))
        self.assertIsNone(self.nodes[0].get(f"{key}/2"))

    def test_a_signal_gives_up_and_a_kill_lets_lapse(self):
        key = f"services/{self.key}"
        running = self.keep(f"{key}=v")
        running.process.send_signal(signal.SIGTERM)
        self.assertEqual(running.process.wait(BOUND), 143)
        self.assertIsNone(self.nodes[0].get(key))
        running = self.keep(f"{key}=v", "--ttl", "2s")
        running.process.kill()
        wait_for("it lapses", lambda: self.nodes[0].get(key) is None)

    def test_a_key_of_this_holder_keeps_its_value(self):
        key = f"keys/{self.key}"
        self.sh("--holder", "me", "set", key, "mine", "--lease", "2s")
        running = self.keep(key, "--ttl", "2s", variables={"LEASEMAP_HOLDER": "me"})
        lease = lambda: self.nodes[0].kv.Get(pb.GetRequest(key=key), timeout=BOUND).entry.lease
        first = lease().expire_time.ToMilliseconds()
        wait_for("renewals", lambda: lease().expire_time.ToMilliseconds() > first + 3000)
        running.process.stdin.close()
        self.assertEqual(running.process.wait(BOUND), DONE)
        self.assertEqual(self.nodes[0].get(key), "mine")
        self.sh("set", key, "anybody's")

    def test_a_lost_key_is_set_again(self):
        key = f"services/{self.key}"
        running = self.keep(f"{key}=v", "--holder", "me")
        self.nodes[0].delete(key, holder="me")
        wait_for("it is there again", lambda: len(running.out()) == 2 and self.nodes[0].get(key) == "v")
        self.assertIn("asking for it again", running.error())

    def test_wrong_use_nobody_there_and_input_that_ends_too_soon(self):
        for words in (("=v",), ("",), ("a", "a=b")):
            self.sh("keep", *words, code=WRONG_USE)
        nobody = self.background("--server", "127.0.0.1:9", "--timeout", "300ms", "keep", "k/x", stdin=subprocess.PIPE)
        self.assertEqual(nobody.process.wait(BOUND), UNREACHABLE, nobody.error())
        other = self.keep(f"k/{self.key}")
        waiting = self.background("keep", f"k/{self.key}", "--wait", "1h", stdin=subprocess.DEVNULL)
        self.assertEqual(waiting.process.wait(BOUND), REFUSED)
        self.assertIn("standard input ended before", waiting.error())
        self.assertIsNone(other.process.poll())

    def test_a_script_in_bash(self):
        key, server = f"services/{self.key}", self.nodes[0].target
        script = (f'export LEASEMAP_SERVER={server}\nexec 3> >({LEASEMAP} keep {key}=up > {SCRATCH}/kept)\n'
                  f'while ! [ -s {SCRATCH}/kept ]; do sleep 0.05; done\n'
                  f'{LEASEMAP} get {key}\n')
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=BOUND)
        self.assertEqual(done.stdout, "up\n", done.stderr)
        wait_for("it vanishes with the script", lambda: self.nodes[0].get(key) is None)


if __name__ == "__main__":
    unittest.main(verbosity=2)
