#!/usr/bin/env python3
"""leasemap lock in an interactive shell: the command has the terminal, Ctrl-C ends it, and Ctrl-Z never brings it past its
lease."""
import os
import pty
import re
import select
import signal
import time
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, wait_for
from shell_support import ShellTest


class Shell:
    """bash on a terminal of its own."""

    def __init__(self, server):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                       {**ENVIRONMENT, "LEASEMAP_SERVER": server, "TERM": "dumb", "PS1": "ready> ",
                        "PATH": f"{LEASEMAP.parent}:{os.environ['PATH']}"})
        self.seen = ""

    def type(self, text):
        os.write(self.terminal, text.encode())

    def until(self, pattern):
        """Waits until the terminal shows it, and forgets all output up to it."""
        end, found = time.monotonic() + BOUND, None
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < end, f"not within {BOUND} s: {pattern}; seen: {self.seen}"
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.seen += os.read(self.terminal, 65536).decode(errors="replace").replace("\r", "")
        self.seen = self.seen[found.end():]
        return found

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.terminal)


class TerminalTest(ShellTest):
    def setUp(self):
        super().setUp()
        self.shell = Shell(self.nodes[0].target)
        self.addCleanup(self.shell.close)
        self.shell.until("ready> ")

    def lock(self, ttl="10s"):
        self.shell.type(f"leasemap lock {self.key} --ttl {ttl} -- sh -c 'echo pid $$; exec cat'; echo code=$?\n")
        self.pid = int(self.shell.until(r"pid (\d+)\n")[1])
        self.echo("one")

    def echo(self, text):
        """The command reads the terminal: it is shown as typed, and by cat."""
        wait_for("it has the terminal", lambda: os.tcgetpgrp(self.shell.terminal) == self.pid)
        self.shell.type(text + "\n")
        self.shell.until(f"{text}\n{text}\n")

    def test_ctrl_c_and_the_end_of_input(self):
        self.lock()
        self.shell.type("\x03")
        self.shell.until("code=130\n")
        self.lock()
        self.shell.type("\x04")
        self.shell.until("code=0\n")
        self.assertIsNone(self.nodes[0].get(self.key))

    def test_ctrl_z_and_on(self):
        self.lock()
        self.shell.type("\x1a")
        self.shell.until("Stopped")
        self.shell.type("fg\n")
        self.echo("two")
        self.shell.type("\x04")
        self.shell.until("ready> ")

    def test_ctrl_z_past_the_lease(self):
        self.lock(ttl="2s")
        self.shell.type("\x1a")
        self.shell.until("Stopped")
        wait_for("the lease lapses", lambda: self.nodes[0].get(self.key) is None)
        self.shell.type("fg; echo code=$?\n")
        self.shell.until("the command gets TERM now")
        self.shell.until("code=123\n")

    def test_others_in_a_pipe_keep_the_terminal(self):
        self.shell.type(f"echo piped | leasemap lock {self.key} -- cat | cat; echo do''ne\n")
        self.shell.until("piped\ndone\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
