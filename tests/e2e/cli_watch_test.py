#!/usr/bin/env python3
"""leasemap watch: what it prints, its cursors on the screen and in a file, and how it outlives its node."""
import json
import signal
import unittest

from basics import SCRATCH, wait_for
from cli_support import REFUSED, WRONG_USE, CommandLineTest


class WatchTest(CommandLineTest):
    def test_watch_prints_changes_and_its_cursor_goes_on_elsewhere(self):
        a, b, c = self.nodes
        self.run_it("set", "w/1", "one")
        wait_for("w/1 on n2", lambda: b.get("w/1"))
        watch = self.running(b, "watch", "w/", "--snapshot", "--show-cursor")
        wait_for("the snapshot's end", lambda: "# snapshot end" in watch.out())
        self.assertEqual(watch.events()[0], "SET w/1 one")
        self.run_it("set", "w/2", "two words")
        self.run_it("del", "w/1")
        wait_for("a cursor", lambda: watch.out()[-1].startswith("# cursor ") and "DELETED w/1" in watch.events())
        self.assertIn("SET w/2 two words", watch.events())
        cursor = watch.out()[-1].split()[2]
        self.run_it("set", "w/3", "three")
        then = self.running(c, "watch", "w/", "--cursor", cursor)
        wait_for("what came after", lambda: then.out())
        self.assertEqual(then.events()[0], "SET w/3 three")
        self.run_it("watch", "other/", "--cursor", cursor, code=REFUSED)
        self.run_it("watch", "--cursor", "junk", code=REFUSED)

    def test_watch_outlives_its_node(self):
        cluster = self.cluster()
        a, b, _ = cluster.nodes
        a.set("r/1", "1")
        cluster.wait_equal()
        watch = self.running(b, "watch", "r/", "--snapshot", "-o", "json")
        told = lambda: [line for line in map(json.loads, watch.out()) if "kind" in line]
        wait_for("the snapshot", lambda: any("snapshot_end" in line for line in watch.out()))
        a.set("r/2", "2")
        wait_for("r/2", lambda: len(told()) == 2)
        b.kill(signal.SIGKILL)
        wait_for("the break is told", lambda: "reconnecting" in watch.error())
        a.set("r/3", "3")
        a.delete("r/1")
        cluster.restart(b)
        wait_for("what it missed", lambda: len(told()) >= 4)
        a.set("r/4", "4")
        wait_for("what came then", lambda: told()[-1]["entry"]["key"] == "r/4")
        events = [(line["kind"], line["entry"]["key"]) for line in told()]
        self.assertEqual(events[:2] + events[4:], [("KIND_SET", "r/1"), ("KIND_SET", "r/2"), ("KIND_SET", "r/4")])
        # A node that comes back may get what it missed in another order.
        self.assertEqual(set(events[2:4]), {("KIND_SET", "r/3"), ("KIND_DELETED", "r/1")})
        self.assertIn("watching again", watch.error())
        self.assertIsNone(watch.process.poll())

    def test_renewals_are_told_to_those_who_ask(self):
        node = self.nodes[0]
        self.run_it("set", "k/1", "v")
        quiet, told = (self.running(node, "watch", "k/", "--snapshot", *kinds) for kinds in ((), ("--kinds=set,lease",)))
        for watch in (quiet, told):
            wait_for("the snapshot's end", lambda watch=watch: "# snapshot end" in watch.out())
        self.run_it("renew", "k/1")
        wait_for("the renewal", lambda: "LEASE k/1 v" in told.events())
        self.run_it("set", "k/2", "v")
        wait_for("the next key", lambda: "SET k/2 v" in quiet.events())
        self.assertEqual(quiet.events(), ["SET k/1 v", "SET k/2 v"])

    def test_cursors_are_shown_to_those_who_ask(self):
        node = self.nodes[0]
        quiet, shown, raw = (self.running(node, "watch", "s/", *options)
                             for options in (("--snapshot",), ("--show-cursor",), ("-o", "json")))
        wait_for("the first watch", lambda: "# snapshot end" in quiet.out())
        wait_for("a cursor", lambda: any(line.startswith("# cursor ") for line in shown.out()))
        wait_for("a cursor in JSON", lambda: any("cursor" in json.loads(line) for line in raw.out()))
        for i in range(3):
            self.run_it("set", f"s/{i}", "v")
            wait_for("the event", lambda: f"SET s/{i} v" in quiet.events())
        self.assertEqual(len(quiet.out()), 4)


class CursorFileTest(CommandLineTest):
    def setUp(self):
        super().setUp()
        self.file = SCRATCH / f"{self.id()}.cursor"

    def watched(self, node, *options, until):
        """The events of a watch that runs until it has printed this one, and its cursor is in the file."""
        before = self.file.read_text() if self.file.exists() else ""
        watch = self.running(node, "watch", "f/", "--cursor-file", str(self.file), *options)
        wait_for(lambda: f"{until}, {watch.out()} {watch.error()}", lambda: until in watch.events())
        wait_for("another cursor in the file", lambda: self.file.exists() and self.file.read_text() != before)
        events = watch.events()
        watch.stop()
        return events

    def test_a_watch_goes_on_where_its_file_says_on_any_node(self):
        a, b, c = self.nodes
        self.run_it("set", "f/1", "one")
        wait_for("f/1 on n2", lambda: b.get("f/1"))
        self.assertEqual(self.watched(b, "--snapshot", until="SET f/1 one"), ["SET f/1 one"])
        self.run_it("set", "f/2", "two")
        self.assertEqual(self.watched(c, "--snapshot", until="SET f/2 two"), ["SET f/2 two"])
        self.assertFalse(self.file.with_name(self.file.name + ".tmp").exists())
        _, error = self.run_it("watch", "other/", "--cursor-file", self.file, code=REFUSED)
        self.assertIn(f"the cursor is in {self.file}", error)

    def test_without_a_file_and_without_a_snapshot_it_starts_now(self):
        self.run_it("set", "f/old", "1")
        self.file.touch()
        watch = self.running(self.nodes[0], "watch", "f/", "--cursor-file", str(self.file))
        wait_for("a cursor in the file", self.file.read_text)
        self.run_it("set", "f/new", "2")
        wait_for("the new key", lambda: watch.events() == ["SET f/new 2"])

    def test_a_file_that_is_of_no_use_is_named(self):
        self.file.write_text("  \n")
        for file in (self.file, SCRATCH, "/no/such/folder/cursor"):
            _, error = self.run_it("watch", "--cursor-file", file, code=WRONG_USE)
            self.assertRegex(error, f"^leasemap: --cursor-file: .*{file}")
        self.run_it("watch", "--cursor-file", self.file, "--cursor", "c", code=WRONG_USE)

    def test_an_expired_cursor_is_told_with_what_to_do(self):
        cluster = self.cluster(1)
        node, = cluster.nodes
        node.set("f/1", "gone with its node")
        watch = self.running(node, "watch", "--cursor-file", str(self.file), "--snapshot")
        wait_for("a cursor in the file", self.file.exists)
        watch.stop()
        node.kill(signal.SIGKILL)
        cluster.restart(node)
        cluster.wait_linked()
        _, error = self.run_it("watch", "--cursor-file", self.file, node=node, code=REFUSED)
        self.assertIn(f"the cursor has expired: the node no longer knows all changes since then; remove {self.file}"
                      " and start again, with --snapshot", error)
        _, error = self.run_it("watch", "--cursor", self.file.read_text().strip(), node=node, code=REFUSED)
        self.assertIn("start again without --cursor, with --snapshot", error)


if __name__ == "__main__":
    unittest.main(verbosity=2)
