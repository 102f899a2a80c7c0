#!/usr/bin/env python3
"""leasemap watch --exec: one command for each event, and a cursor file by which nothing is lost and nothing done twice."""
import signal
import unittest

from basics import BOUND, LEASEMAP, SCRATCH, wait_for
from cli_support import WRONG_USE
from shell_support import ShellTest


class ExecTest(ShellTest):
    def setUp(self):
        super().setUp()
        self.file = SCRATCH / f"{self.key}.cursor"
        self.prefix = f"{self.key}/"
        # A line for each event that is done; fails while there is a file of this name.
        self.broken = SCRATCH / f"{self.key}.broken"
        self.command = f'[ ! -e {self.broken} ] && echo "$LEASEMAP_EVENT_KIND ${{LEASEMAP_EVENT_KEY##*/}} $LEASEMAP_EVENT_VALUE"'

    def watch(self, *options, command=None, node=None):
        return self.background("watch", self.prefix, *options, "--exec", command or self.command, node=node)

    def set(self, name, value):
        self.sh("set", self.prefix + name, value)

    def test_a_command_gets_each_event(self):
        self.set("1", "one")
        shown = ('echo "$LEASEMAP_EVENT_KIND|$LEASEMAP_EVENT_KEY|${LEASEMAP_EVENT_VALUE-none}|$LEASEMAP_EVENT_HOLDER|'
                 '$LEASEMAP_EVENT_VERSION|$(cat)|' f'$({LEASEMAP} get $LEASEMAP_EVENT_KEY 2>&1)"')
        watch = self.watch("--snapshot", command=shown)
        wait_for("the snapshot", lambda: len(watch.out()) == 1)
        kind, key, value, holder, version, given, got = watch.out()[0].split("|")
        self.assertEqual((kind, key, value, holder, given, got), ("SET", self.prefix + "1", "one", "n1", "one", "one"))
        self.assertTrue(version)
        self.sh("del", self.prefix + "1")
        wait_for("the delete", lambda: len(watch.out()) == 2)
        self.assertEqual(watch.out()[1].split("|")[:3], ["DELETED", self.prefix + "1", "none"])
        wait_for("no command runs", lambda: not self.children(watch))
        watch.process.send_signal(signal.SIGTERM)
        self.assertEqual(watch.process.wait(BOUND), -signal.SIGTERM)

    def test_a_value_is_on_standard_input_byte_for_byte(self):
        target = SCRATCH / f"{self.key}.value"
        watch = self.watch(command=f'cat > {target}; echo "${{LEASEMAP_EVENT_VALUE-none}}"', *["--snapshot"])
        for value in (b"\x00\xff" * 10, b"x" * (1 << 20), b""):
            before = len(watch.out())
            self.nodes[0].set(self.prefix + "v", value)
            wait_for("the event", lambda before=before: len(watch.out()) == before + 1)
            self.assertEqual(target.read_bytes(), value)
        self.assertEqual(watch.out(), ["none", "none", ""])

    def test_a_failure_ends_the_watch_and_the_next_begins_there(self):
        watch = self.watch("--cursor-file", str(self.file))
        wait_for("a cursor", lambda: self.file.exists() and self.file.read_text().strip())
        self.set("1", "one")
        wait_for("the first event", lambda: watch.out() == ["SET 1 one"])
        self.broken.touch()
        self.set("2", "two")
        self.assertEqual(watch.process.wait(BOUND), 1)
        self.assertIn(f'the command for key "{self.prefix}2" ended with 1', watch.error())
        self.set("3", "three")
        self.broken.unlink()
        wait_for("the last key on n2", lambda: self.nodes[1].get(self.prefix + "3"))
        again = self.watch("--cursor-file", str(self.file), node=self.nodes[1])
        wait_for("the rest", lambda: again.out() == ["SET 2 two", "SET 3 three"])

    def test_a_snapshot_that_broke_off_is_continued(self):
        """No cursor is there yet: the file knows what was done. A key that went meanwhile is told as deleted."""
        for i in range(6):
            self.set(str(i), "v")
        fails = self.watch("--snapshot", "--cursor-file", str(self.file),
                           command=f'[ "${{LEASEMAP_EVENT_KEY##*/}}" != 3 ] && {self.command}')
        self.assertEqual(fails.process.wait(BOUND), 1)
        done = fails.out()
        self.assertNotIn("SET 3 v", done)
        gone = done[0].split()[1]
        self.sh("del", self.prefix + gone)
        again = self.watch("--snapshot", "--cursor-file", str(self.file))
        wait_for("all of it", lambda: len(again.out()) == 6 - len(done) + 1)
        self.assertEqual(sorted(done + again.out()), sorted([f"SET {i} v" for i in range(6)] + [f"DELETED {gone} "]))
        self.set("last", "v")
        wait_for("the last one", lambda: again.out()[-1] == "SET last v")
        self.assertEqual(len(again.out()), 6 - len(done) + 2)

    def test_killed_at_any_time_nothing_is_done_twice_or_lost(self):
        """It is killed while a command waits, so never between an end of a command and the file."""
        log, gate = SCRATCH / f"{self.key}.log", SCRATCH / f"{self.key}.gate"
        command = (f'while [ -e {gate} ]; do sleep 0.02; done; echo "$LEASEMAP_EVENT_KEY" >> {log}')
        start = lambda i: self.watch("--cursor-file", str(self.file), command=command, node=self.nodes[i % 3])
        watch = start(0)
        wait_for("a cursor", lambda: self.file.exists() and self.file.read_text().strip())
        for i in range(4):
            self.set(f"{i}a", "v")
            wait_for("it is done", lambda i=i: log.exists() and len(log.read_text().split()) == 2 * i + 1)
            gate.touch()
            self.set(f"{i}b", "v")
            wait_for("the command waits", lambda: self.children(watch))
            watch.process.kill()
            watch.process.wait()
            gate.unlink()
            wait_for("the key on all nodes", lambda i=i: all(node.get(f"{self.prefix}{i}b") for node in self.nodes))
            watch = start(i + 1)
            wait_for("it is done after all", lambda i=i: len(log.read_text().split()) == 2 * i + 2)
        self.assertEqual(log.read_text().split(), [f"{self.prefix}{i}{which}" for i in range(4) for which in "ab"])

    @staticmethod
    def children(running):
        pid = running.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return file.read().split()

    def test_keep_going(self):
        watch = self.watch("--snapshot", "--keep-going", "--cursor-file", str(self.file),
                           command='echo "${LEASEMAP_EVENT_KEY##*/}"; exit 4')
        for name in ("1", "2"):
            self.set(name, "v")
            wait_for("the event", lambda name=name: watch.out()[-1:] == [name])
        wait_for("the report", lambda: watch.error().count("ended with 4") == 2)
        self.assertIsNone(watch.process.poll())

    def test_a_signal_reaches_the_command_and_its_event_counts(self):
        polite = "trap 'echo bye; exit 0' TERM; echo in; while :; do sleep 100 & wait; done"
        watch = self.watch("--cursor-file", str(self.file), command=polite)
        wait_for("a cursor", lambda: self.file.exists() and self.file.read_text().strip())
        self.set("1", "v")
        wait_for("it runs", lambda: watch.out() == ["in"])
        watch.process.send_signal(signal.SIGTERM)
        self.assertEqual(watch.process.wait(BOUND), 143)
        self.assertEqual(watch.out(), ["in", "bye"])
        again = self.watch("--cursor-file", str(self.file))
        self.set("2", "v")
        wait_for("the next one", again.out)
        self.assertEqual(again.out(), ["SET 2 v"])

    def test_it_outlives_its_node(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        watch = self.background("watch", "--server", f"{b.target},{c.target}", "--exec",
                                'echo "$LEASEMAP_EVENT_KEY"', "--snapshot", "--cursor-file", str(self.file))
        a.set("k1", "v")
        wait_for("the first", lambda: watch.out() == ["k1"])
        b.kill(signal.SIGKILL)
        a.set("k2", "v")
        wait_for("the second", lambda: watch.out() == ["k1", "k2"])

    def test_wrong_use(self):
        for wrong in (("--exec", "true", "-o", "json"), ("--exec", "true", "--show-cursor"), ("--keep-going",)):
            self.sh("watch", *wrong, code=WRONG_USE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
