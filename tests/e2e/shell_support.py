"""What the tests of lock, elect, keep and watch --exec stand on: commands that have the cluster's first node, a key of
each test's own, and processes that run on."""
import subprocess

from basics import BOUND, ENVIRONMENT, LEASEMAP
from cli_support import Running
from cluster import SharedClusterTest

LOST, HELD, OWN_FAILURE = 123, 124, 125


class ShellTest(SharedClusterTest):
    def setUp(self):
        super().setUp()
        self.key = self._testMethodName

    def sh(self, *command, code=0, given=b"", node=None, before=None):
        """Runs one command to its end; returns what it printed."""
        before = before or ["--server", (node or self.nodes[0]).target]
        done = subprocess.run([LEASEMAP, *before, *command], input=given, capture_output=True, timeout=BOUND,
                              env=ENVIRONMENT)
        self.assertEqual(done.returncode, code, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout.decode()

    def background(self, *command, node=None, **keywords):
        running = Running("--server", (node or self.nodes[0]).target, *command, **{"stdin": subprocess.DEVNULL, **keywords})
        self.addCleanup(running.stop)
        return running
