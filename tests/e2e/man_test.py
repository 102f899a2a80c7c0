#!/usr/bin/env python3
"""Manual pages and completions: installed with the programs, with all that the helps have, and without a fault that man finds."""
import re
import shutil
import subprocess
import unittest

from basics import BOUND, BUILD, ENVIRONMENT, LEASEMAP, LEASEMAPD, SCRATCH


def run(*command, **keywords):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=BOUND, check=True,
                          **keywords)


class ManTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = SCRATCH / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.pages = {name: cls.prefix / f"share/man/man{section}/{name}.{section}"
                     for name, section in (("leasemap", 1), ("leasemapd", 8))}

    def test_programs_are_installed(self):
        for program in (LEASEMAP, LEASEMAPD):
            self.assertRegex(run(self.prefix / "bin" / program.name, "--version").stdout, r"\d\.\d\.\d")

    def test_completions_are_where_shells_look_for_them(self):
        for shell, path in (("bash", "bash-completion/completions/leasemap"), ("zsh", "zsh/site-functions/_leasemap"),
                            ("fish", "fish/vendor_completions.d/leasemap.fish")):
            self.assertEqual((self.prefix / "share" / path).read_text(), run(LEASEMAP, "completion", shell).stdout)

    def test_all_options_and_commands_are_there(self):
        node = self.pages["leasemapd"].read_text().replace("\\-", "-")
        flags = re.findall(r"^  (?:-h,)?(--[a-z-]+)", run(LEASEMAPD, "--help", env=ENVIRONMENT).stdout, re.M)
        self.assertGreater(len(flags), 20)
        for flag in flags:
            self.assertRegex(node, rf"(?m)^\.TP\n\.B (-h,)?{flag}( .*)?\n\S")
        page = self.pages["leasemap"].read_text().replace("\\-", "-").replace("\\e", "\\")
        commands = re.findall(r"^  ([a-z]+)", run(LEASEMAP, "--help", env=ENVIRONMENT).stdout, re.M)
        self.assertGreater(len(commands), 20)
        for command in commands:
            text = run(LEASEMAP, "help", command, env=ENVIRONMENT).stdout
            usage, notes = re.search(r"^Usage: .*$", text, re.M)[0], text[text.rindex("\n\n"):].strip()
            self.assertIn(f".SS {command}\n", page)
            self.assertIn(usage, page)
            self.assertIn(notes, page)

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "man or groff is not installed")
    def test_man_finds_no_fault(self):
        for page in self.pages.values():
            done = run("man", "--warnings", "-l", page, env={**ENVIRONMENT, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
            self.assertEqual(done.stderr, "")
            self.assertGreater(len(done.stdout.splitlines()), 50)


if __name__ == "__main__":
    unittest.main(verbosity=2)
