"""What the tests of the command line stand on: commands that end, commands that run on, and a terminal for them."""
import os
import pty
import select
import subprocess
import tempfile
import time

from basics import BOUND, ENVIRONMENT, LEASEMAP, SCRATCH
from cluster import SharedClusterTest

DONE, REFUSED, WRONG_USE, UNREACHABLE = 0, 1, 2, 3


class Running:
    """A command that runs on; what it prints is read from files."""

    def __init__(self, *command, stdin=None, variables=None):
        self.files = [tempfile.NamedTemporaryFile(dir=SCRATCH) for _ in range(2)]
        self.process = subprocess.Popen([LEASEMAP, *command], stdin=stdin, stdout=self.files[0], stderr=self.files[1],
                                        env={**ENVIRONMENT, **(variables or {})})

    def out(self):
        """The lines that are complete."""
        with open(self.files[0].name, encoding="utf-8") as file:
            return [line[:-1] for line in file if line.endswith("\n")]

    def events(self):
        """The events of a watch without their times and holders, as "SET key value"."""
        return [line.split(" ", 2)[2] for line in self.out() if not line.startswith("#")]

    def error(self):
        with open(self.files[1].name, encoding="utf-8") as file:
            return file.read()

    def stop(self):
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        for file in self.files:
            file.close()


def run_on_terminal(*command, variables=None):
    """Runs a command whose input, output and errors are one terminal; returns its exit code and all that it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([LEASEMAP, *command], stdin=theirs, stdout=theirs, stderr=theirs,
                               env={**ENVIRONMENT, "TERM": "xterm", **(variables or {})})
    os.close(theirs)
    shown, end = b"", time.monotonic() + BOUND
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                part = os.read(ours, 65536)
            except OSError:  # the command has ended, and all that it showed was read
                break
            if not part:
                break
            shown += part
        return process.wait(BOUND), shown.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


class CommandLineTest(SharedClusterTest):
    def run_it(self, *command, code=DONE, given=None, node=None, variables=None, raw=False, quiet=True):
        """Runs one command against a node (n1 if none is named) and returns its output and errors. A command that
        fails prints nothing on standard output, unless it is not `quiet`."""
        # The command's standard input is `given`, and empty by default.
        done = subprocess.run([LEASEMAP, "--server", (node or self.nodes[0]).target, *command], input=given or b"",
                              capture_output=True, timeout=BOUND, env={**ENVIRONMENT, **(variables or {})})
        out, error = done.stdout if raw else done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, code, f"leasemap {' '.join(map(str, command))}: {out}{error}")
        if code != DONE:
            if quiet:
                self.assertFalse(out, "an answer where there is none")
            self.assertRegex(error, r"^leasemap: .{10,}", "an error says what to do")
        return out, error

    def running(self, node, *command):
        running = Running("--server", node.target, *command)
        self.addCleanup(running.stop)
        return running
