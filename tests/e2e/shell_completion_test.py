#!/usr/bin/env python3
"""The completion of command lines in bash, zsh and fish: commands, options, values and keys, and no key that does harm."""
import os
import pty
import select
import shutil
import subprocess
import time
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, SCRATCH
from cli_support import WRONG_USE
from shell_support import ShellTest

PATH = f"{LEASEMAP.parent}:{os.environ['PATH']}"


class CompletionTest(ShellTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        node = cls.nodes[0]
        for key in ("color", "jobs/a/1", "jobs/a/2", "jobs/b", "x:y/1", "x:y/2", "$(touch evil)", "a b", "-rf"):
            node.set(key, "v")
        for i in range(150):
            node.set(f"many/{i:03}", "v")

    def variables(self):
        return {**ENVIRONMENT, "PATH": PATH, "LEASEMAP_SERVER": self.nodes[0].target}

    def words(self, *words):
        """The kind, and what is offered, without explanations."""
        done = subprocess.run([LEASEMAP, "completion", "words", "--", *words], capture_output=True, text=True,
                              timeout=BOUND, env=self.variables())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        kind, *found = done.stdout.splitlines()
        return kind, [line.split("\t")[0] for line in found]

    def test_words(self):
        for words, found in ((("lo",), ["lock"]), (("-o", ""), ["text", "json"]), (("lock", "--no"), ["--no-wait"]),
                             (("set", "--ack=m"), ["--ack=majority"]), (("set", "--ack", "a"), ["all"]),
                             (("help", "elec"), ["elect"]), (("completion", "z"), ["zsh"]), (("get", "col"), ["color"]),
                             (("-o", "json", "get", "jobs/"), ["jobs/a/", "jobs/b"]), (("get", "jobs/a/1"), ["jobs/a/1"]),
                             (("ls", "jobs/a/"), ["jobs/a/1", "jobs/a/2"]), (("set", "color", "jo"), []),
                             (("get", ""), ["color", "jobs/", "many/", "x:y/"]), (("lock", "k", "--ttl", "1"), []),
                             (("frobnicate", ""), []), (("watch", "--key", "c"), ["color"])):
            with self.subTest(words=words):
                self.assertEqual(self.words(*words), ("words", found))
        self.assertIn("set", self.words("")[1])
        self.assertIn("--server", self.words("get", "--")[1])
        self.assertNotIn("--ttl", self.words("get", "--")[1])
        self.assertEqual(self.words("import", ""), ("files", []))
        self.assertEqual(self.words("lock", "k", "--", "ec"), ("commands", []))
        self.assertEqual(self.words("lock", "k", "--", "echo", ""), ("files", []))

    def test_it_is_quick_and_bounded(self):
        kind, found = self.words("get", "many/")
        self.assertEqual((kind, len(found), found[-1]), ("words", 101, "many/"))
        with self.nodes[0].paused():
            begin = time.monotonic()
            self.assertEqual(self.words("get", "c"), ("words", []))
            self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.words("--server", "127.0.0.1:9", "get", "c"), ("words", []))
        self.assertEqual(self.words("--server", self.nodes[1].target, "get", "co"), ("words", ["color"]))

    def test_wrong_use(self):
        self.sh("completion", code=WRONG_USE)
        self.sh("completion", "tcsh", code=WRONG_USE)

    def test_bash(self):
        def bash(line):
            script = ('source <(leasemap completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _leasemap 2>/dev/null; '
                      'printf "%s\\n" "${COMPREPLY[@]}"')
            done = subprocess.run(["bash", "-c", script, "bash", line], capture_output=True, text=True, timeout=BOUND,
                                  env=self.variables(), cwd=SCRATCH)
            return done.stdout.split()
        self.assertEqual(bash("leasemap lo"), ["lock"])
        self.assertEqual(bash("leasemap  get jobs/"), ["jobs/a/", "jobs/b"])
        self.assertEqual(bash("leasemap get "), ["color", "jobs/", "many/", "x:y/"])
        # Bash has x: already, and --ack= likewise.
        self.assertEqual(bash("leasemap get x:y/"), ["y/1", "y/2"])
        self.assertEqual(bash("leasemap set --ack=m"), ["majority"])
        (SCRATCH / "a-file").touch()
        self.assertEqual(bash("leasemap import a-f"), ["a-file"])
        self.assertIn("sleep", bash("leasemap lock k -- slee"))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed: tools/install-deps.sh")
    def test_fish(self):
        def fish(line):
            done = subprocess.run(["fish", "--no-config", "-c", "leasemap completion fish | source; complete -C $argv[1]",
                                   line], capture_output=True, text=True, timeout=BOUND, cwd=SCRATCH,
                                  env={**self.variables(), "HOME": str(SCRATCH)})
            return [each.split("\t")[0] for each in done.stdout.splitlines()]
        self.assertEqual(fish("leasemap lo"), ["lock"])
        self.assertEqual(fish("leasemap get jobs/"), ["jobs/a/", "jobs/b"])
        self.assertEqual(fish("leasemap get co"), ["color"])
        (SCRATCH / "b-file").touch()
        self.assertEqual(fish("leasemap import b-f"), ["b-file"])
        self.assertIn("sleep", fish("leasemap lock k -- slee"))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed: tools/install-deps.sh")
    def test_zsh(self):
        """On a terminal, since zsh completes nowhere else; once with the script in a folder of $fpath."""
        folder = SCRATCH / "functions"
        folder.mkdir()
        with (folder / "_leasemap").open("w") as file:
            subprocess.run([LEASEMAP, "completion", "zsh"], stdout=file, check=True, timeout=BOUND)
        self.assertIn("leasemap get color ", self.zsh("leasemap get col\t", "leasemap get color ",
                                                      f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D"))
        for typed, shown in (("leasemap loc\t", "leasemap lock "), ("leasemap get jobs/a/\t", "jobs/a/1"),
                             ("leasemap get col\t", "leasemap get color "), ("leasemap get job\t", "leasemap get jobs/"),
                             ("leasemap get x:\t", "leasemap get x:y/"), ("leasemap set --ack=ma\t", "--ack=majority ")):
            with self.subTest(typed=typed):
                self.assertIn(shown, self.zsh(typed, shown))

    def zsh(self, typed, until, begin="autoload -Uz compinit; compinit -u -D; source <(leasemap completion zsh)"):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=SCRATCH,
                                   env={**self.variables(), "TERM": "dumb", "HOME": str(SCRATCH)}, start_new_session=True)
        os.close(theirs)
        os.write(ours, f"{begin}; PS1='type''> '\n".encode())
        seen, end, wrote = "", time.monotonic() + BOUND, False
        try:
            while not (wrote and until in seen.replace("\x07", "")) and time.monotonic() < end:
                if not wrote and "type> " in seen:
                    os.write(ours, typed.encode())
                    wrote = True
                if select.select([ours], [], [], 0.1)[0]:
                    seen += os.read(ours, 65536).decode(errors="replace")
            return seen.replace("\x07", "")
        finally:
            process.kill()
            process.wait()
            os.close(ours)


if __name__ == "__main__":
    unittest.main(verbosity=2)
