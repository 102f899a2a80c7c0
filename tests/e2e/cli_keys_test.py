#!/usr/bin/env python3
"""Several keys in one command: get and del of a list, and del of a prefix."""
import json
import unittest

from basics import wait_for
from cli_support import REFUSED, CommandLineTest


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


if __name__ == "__main__":
    unittest.main(verbosity=2)
