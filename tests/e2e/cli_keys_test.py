#!/usr/bin/env python3
"""Several keys in one command (get and del of a list, del of a prefix), and the leases that get, ls and watch show."""
import json
import unittest

from basics import wait_for
from cli_support import REFUSED, WRONG_USE, CommandLineTest, run_on_terminal


class SeveralKeysTest(CommandLineTest):
    def test_get_shows_several_keys_in_the_order_of_the_arguments(self):
        for key, value in (("g/1", "one"), ("g/2", "two\nlines"), ("g/3", "three")):
            self.run_it("put", key, value)
        self.assertEqual(self.run_it("get", "g/3", "g/1", "g/2", "g/1")[0],
                         "g/3\tthree\ng/1\tone\ng/2\ttwo\\nlines\ng/1\tone\n")
        lines = [json.loads(line) for line in self.run_it("get", "g/2", "g/1", "-o", "json")[0].splitlines()]
        self.assertEqual([line["value"] for line in lines], ["two\nlines", "one"])
        out, error = self.run_it("get", "g/1", "g/none", "g/3", code=REFUSED, quiet=False)
        self.assertEqual(out, "g/1\tone\ng/3\tthree\n")
        self.assertIn('"g/none" does not exist', error)

    def test_get_asks_again_for_what_did_not_fit_into_an_answer(self):
        value = "v" * 700_000
        for i in range(3):
            self.run_it("set", f"large/{i}", "-", given=value.encode())
        out, _ = self.run_it("get", *(f"large/{i}" for i in range(3)))
        self.assertEqual(out, "".join(f"large/{i}\t{value}\n" for i in range(3)))
        many = [f"m/{i}" for i in range(1100)]
        self.run_it("batch", given="".join(f"{key}\t{key}\n" for key in many).encode())
        self.assertEqual(self.run_it("get", *many)[0], "".join(f"{key}\t{key}\n" for key in many))

    def test_words_with_brackets_are_words(self):
        for key in ("[a,b]", "[]", "{}", "%%", "[", "\x01[x]"):
            self.run_it("set", key, f"<{key}>")
            self.run_it("set", "bracketed", key)
            self.assertEqual(self.run_it("get", key)[0], f"<{key}>\n")
            self.assertEqual(self.run_it("get", "bracketed")[0], f"{key}\n")
            self.run_it("rm", key, "bracketed", "--holder", "n1")

    def test_del_of_several_keys_goes_on_after_a_refusal(self):
        self.run_it("set", "d/1", "1")
        self.run_it("set", "d/2", "2", "--holder", "other")
        self.run_it("set", "d/3", "3")
        out, error = self.run_it("del", "d/3", "d/2", "d/none", "d/1", code=REFUSED, quiet=False)
        self.assertRegex(out, r"^d/3: deleted, version \S+\nd/1: deleted, version \S+\n$")
        self.assertIn('"d/2" is leased by other', error.splitlines()[0])
        self.assertIn('"d/none" does not exist', error.splitlines()[1])
        self.run_it("del", "d/none", "d/none", "--allow-missing")
        self.assertEqual(self.run_it("ls", "d/")[0], "d/2\t2\n")

    def test_del_of_a_prefix_says_how_many(self):
        lines = "".join(f"p/{i:04d}\tv\n" for i in range(1500))
        self.run_it("batch", given=lines.encode())
        self.run_it("set", "p/held", "1", "--holder", "other")
        self.run_it("set", "q", "stays")
        out, error = self.run_it("del", "--prefix", "p/", code=REFUSED, quiet=False)
        self.assertEqual(out, "1500 deleted, 1 failed\n")
        self.assertIn('"p/held" is leased by other', error)
        self.assertEqual(self.run_it("list", "p/", "--keys-only")[0], "p/held\n")
        self.assertEqual(json.loads(self.run_it("del", "--prefix", "p/", "--holder", "other", "-o", "json")[0]),
                         {"deleted": 1, "failed": 0})
        self.assertEqual(self.run_it("del", "--prefix", "p/")[0], "0 deleted\n")
        self.assertEqual(self.run_it("get", "q")[0], "stays\n")
        wait_for("the deletes on n3", lambda: not self.run_it("ls", "p/", node=self.nodes[2])[0])


class LeasesTest(CommandLineTest):
    def test_get_shows_what_an_entry_carries_besides_its_value(self):
        version = json.loads(self.run_it("set", "meta", "v", "--lease", "10m", "--holder", "me", "-o", "json")[0])["version"]
        value, *meta = self.run_it("get", "meta", "--meta")[0].splitlines()
        self.assertEqual(value, "v")
        names = dict(line[2:].split("  ", 1) for line in meta)
        self.assertEqual([*names], ["holder", "lease", "version", "updated", "origin", "fencing token"])
        names = {name: text.strip() for name, text in names.items()}
        self.assertEqual((names["holder"], names["version"], names["origin"]), ("me", version, "n1"))
        self.assertRegex(names["lease"], r"^9m\d+(\.\d+)?s left, until 20\d\d-\d\d-\d\dT[\d:]+Z$")
        self.assertRegex(names["fencing token"], "^[0-9a-f]{32}$")
        self.run_it("renew", "meta", "--holder", "me")
        self.assertIn("only the lease changed since", self.run_it("get", "meta", "--meta")[0])
        self.run_it("release", "meta", "--holder", "me")
        self.assertRegex(self.run_it("get", "meta", "--meta")[0], r"\n  lease +none\n")
        self.run_it("set", "meta", "-", given=b"\xff")
        self.assertTrue(self.run_it("get", "meta", "--meta")[0].startswith("\\xff\n  holder"))

    def test_ls_shows_a_table(self):
        self.run_it("set", "l/long", "x" * 100)
        self.run_it("set", "l/1", "one", "--lease", "30m", "--holder", "job-7")
        self.run_it("set", "l/值", "值", "--lease", "0")
        heading, one, long, free = self.run_it("ls", "l/", "-l")[0].splitlines()
        self.assertEqual(heading.split(), ["KEY", "VALUE", "HOLDER", "LEFT", "VERSION"])
        self.assertRegex(one, r"^l/1     one {39}job-7   29m\d+s  \S+$")
        self.assertRegex(long, r"^l/long  x{39}…  n1      59m\d+s  \S+$")
        self.assertRegex(free, r"^l/值    值 {40}-       - {7}\S+$")
        self.assertEqual(self.run_it("ls", "l/", "--long", "--keys-only")[0].split()[:4],
                         ["KEY", "HOLDER", "LEFT", "VERSION"])
        self.assertEqual(len(self.run_it("ls", "l/", "-l", "--limit", "2")[0].splitlines()), 3)
        _, shown = run_on_terminal("ls", "l/", "-l", "--server", self.nodes[0].target, "--color=never")
        self.assertEqual(shown.splitlines()[0].split(), ["KEY", "VALUE", "HOLDER", "LEFT", "VERSION"])

    def test_watch_shows_when_and_who(self):
        watch = self.running(self.nodes[1], "watch", "who/", "--snapshot")
        wait_for("the snapshot's end", lambda: "# snapshot end" in watch.out())
        self.run_it("set", "who/a b", "two words", "--holder", "the boss")
        wait_for("the event", watch.events)
        self.assertRegex(next(line for line in watch.out() if not line.startswith("#")),
                         r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z the\\x20boss SET who/a\\x20b two words$")


class ColorTest(CommandLineTest):
    def test_colors_are_for_terminals(self):
        self.run_it("set", "c/1", "1")
        command = ("ls", "c/", "-l", "--server", self.nodes[0].target)
        colored = "\x1b[1mKEY"
        self.assertTrue(run_on_terminal(*command)[1].startswith(colored))
        for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
            self.assertNotIn("\x1b", run_on_terminal(*command, variables=variables)[1])
        self.assertTrue(run_on_terminal(*command, variables={"NO_COLOR": ""})[1].startswith(colored))
        self.assertNotIn("\x1b", run_on_terminal(*command, "--color", "never")[1])
        self.assertNotIn("\x1b", self.run_it(*command)[0])
        self.assertTrue(self.run_it(*command, "--color=always", variables={"NO_COLOR": "1"})[0].startswith(colored))
        code, shown = run_on_terminal("get", "c/none", "--server", self.nodes[0].target)
        self.assertEqual((code, shown[:18]), (REFUSED, "\x1b[31mleasemap:\x1b[0m"))
        self.run_it("get", "c/1", "--color", "sometimes", code=WRONG_USE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
