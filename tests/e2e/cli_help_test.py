#!/usr/bin/env python3
"""The command line as a newcomer meets it: its helps, and what it says to wrong use."""
import subprocess
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP
from cli_support import DONE, WRONG_USE

COMMANDS = ("get set del renew release explain ls watch batch export import backup restore lock elect keep members forget leave "
            "conflicts status bench healthcheck help completion version").split()
ALIASES = {"put": "set", "rm": "del", "list": "ls"}
SHARED = ("--server", "--holder", "--output", "--timeout", "--color")


def run(*command):
    done = subprocess.run([LEASEMAP, *command], input="", capture_output=True, timeout=BOUND, env=ENVIRONMENT,
                          text=True)
    return done.returncode, done.stdout, done.stderr


class HelpTest(unittest.TestCase):
    def test_without_a_command_it_shows_the_help(self):
        code, shown, error = run()
        self.assertEqual((code, error), (DONE, ""))
        for form in (("--help",), ("-h",), ("help",)):
            self.assertEqual(run(*form), (DONE, shown, ""))
        for word in (*COMMANDS, *ALIASES, *SHARED, "Exit codes"):
            self.assertIn(word, shown)

    def test_each_command_shows_its_options_those_of_all_commands_and_examples(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                code, shown, error = run(command, "--help")
                self.assertEqual((code, error), (DONE, ""))
                self.assertEqual(run("help", command), (DONE, shown, ""))
                self.assertIn(f"Usage: leasemap {command}", shown)
                self.assertRegex(shown, r"\nExamples?:\n  leasemap ")
                for option in SHARED:
                    self.assertIn(f" {option} ", shown)

    def test_an_alias_has_the_help_of_its_command(self):
        for alias, command in ALIASES.items():
            self.assertEqual(run("help", alias), run("help", command))
            self.assertIn(f"Also: leasemap {alias}", run(alias, "--help")[1])

    def test_no_help_is_wider_than_80_columns(self):
        for command in ((), *((command,) for command in COMMANDS)):
            wide = [line for line in run(*command, "--help")[1].splitlines() if len(line) > 80]
            self.assertEqual(wide, [], command)

    def test_the_options_of_single_commands(self):
        for command, options in (("renew", "--lease --only-if-held --if-version --min-version"),
                                 ("set", "--lease --ephemeral --if-absent --ack --request-id --validate-only"),
                                 ("del", "--prefix --allow-missing"), ("ls", "--start --end --limit --keys-only")):
            shown = run(command, "--help")[1]
            for option in options.split():
                self.assertIn(f"  {option}", shown, command)
        self.assertNotIn("--ephemeral", run("renew", "--help")[1])

    def test_version(self):
        self.assertRegex(run("version")[1], r"^leasemap \d+\.\d+\.\d+\n$")
        self.assertEqual(run("version"), run("--version"))


class WrongUseTest(unittest.TestCase):
    def wrong(self, *command):
        code, shown, error = run(*command)
        self.assertEqual((code, shown), (WRONG_USE, ""), command)
        self.assertRegex(error, r"^leasemap: .{10,}\nleasemap: see `leasemap (\w+ )?--help`\n$")
        return error.splitlines()[0]

    def test_wrong_use_exits_2(self):
        for command in (("frobnicate",), ("-o", "json"), ("get",), ("set",), ("del",), ("get", "a", "b", "--raw"), ("get", "a", "--raw", "-o", "json"), ("del", "--prefix", ""),
                        ("del", "a", "--prefix", "b"), ("del", "a", "b", "--if-version", "v"),
                        ("set", "k", "v", "w"), ("set", "k", "v", "--no-such"), ("set", "k", "v", "--lease", "soon"),
                        ("set", "k", "v", "--lease=-5s"), ("ls", "--limit", "0"), ("get", "k", "-o", "xml"),
                        ("get", "k", "--timeout", "0"), ("watch", "--kinds", "eaten"), ("help", "nonsense")):
            with self.subTest(command=command):
                self.wrong(*command)

    def test_a_mistyped_word_gets_the_one_that_was_meant(self):
        for command, meant in ((("sett", "a", "b"), "set"), (("gte", "a"), "get"), (("lst",), "ls"),
                               (("stauts",), "status"), (("help", "wacth"), "watch"),
                               (("set", "a", "b", "--leese", "3s"), "--lease"), (("get", "a", "--srever=x"), "--server"),
                               (("del", "--perfix", "a"), "--prefix")):
            with self.subTest(command=command):
                self.assertTrue(self.wrong(*command).endswith(f"; is {meant} meant?"), self.wrong(*command))
        for command in (("frobnicate",), ("get", "a", "--frobnicate")):
            self.assertNotIn("meant", self.wrong(*command))

    def test_arguments_are_named_in_the_order_of_the_user(self):
        self.assertIn('"one" "two" "three"', self.wrong("status", "one", "two", "three"))
        self.assertIn('"w" "[x,y]" "z"', self.wrong("set", "k", "v", "w", "[x,y]", "z"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
