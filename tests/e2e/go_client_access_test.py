#!/usr/bin/env python3
"""The Go client's examples over TLS with real nodes that ask for a certificate, and with rights, by the environment's
variables; the C++ client's by cpp_client_access_test."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import go_package
from basics import BOUND, ENVIRONMENT, SCRATCH, wait_for
from cluster import ClusterTest
from rights_test import RightsNode, grant, principal
from tls_test import Authority, TlsNode


class AccessTest(ClusterTest):
    BINARIES = go_package.BINARIES

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.alice = cls.authority.client("alice")

    def nodes(self, size=2):
        nodes = [TlsNode(f"n{i}", self.authority, ["--tls-client-auth=require"]) for i in range(1, size + 1)]
        for node in nodes:
            node.shown = self.alice
        return self.cluster(nodes=nodes).nodes

    def run_example(self, name, *arguments, ca=None, shown=None, **more):
        variables = more if "LEASEMAP_TOKEN_FILE" in more else {
            "LEASEMAP_TLS_CA": ca or self.authority.ca, "LEASEMAP_TOKEN": "some-token", **more}
        if shown:
            variables["LEASEMAP_TLS_CERT"], variables["LEASEMAP_TLS_KEY"] = shown
        return subprocess.run([self.BINARIES / name, *arguments], capture_output=True, text=True, timeout=BOUND,
                              check=False, env={**ENVIRONMENT, **{key: str(value) for key, value in variables.items()}})

    def test_over_tls(self):
        endpoints = ",".join(node.target for node in self.nodes())
        done = self.run_example("leader", endpoints, "3", shown=self.alice)
        self.assertEqual((done.returncode, done.stdout.count("work done by")), (0, 3), done.stderr)
        done = self.run_example("counter", endpoints, "2", shown=self.alice)
        self.assertEqual(done.stdout.split(), ["1", "2"], done.stderr)

    def test_a_node_of_another_authority_and_a_client_without_a_certificate(self):
        endpoints = self.nodes()[0].target
        for options in ({"ca": Authority().ca, "shown": self.alice}, {"shown": Authority().client("alice")}, {}):
            done = self.run_example("config", endpoints, "set", "color", "red", **options)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertIn("unavailable", (done.stderr + done.stdout).lower())

    def test_certificates_that_were_replaced_count_for_the_next_connection(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="client-", dir=SCRATCH))

        def put(authority, shown):
            for name, source in zip(("ca", "cert", "key"), (authority.ca, *shown)):
                shutil.copy(source, folder / f"{name}.new")
                (folder / f"{name}.new").rename(folder / name)
        put(self.authority, self.alice)
        node, = self.nodes(1)
        files = {f"LEASEMAP_TLS_{name.upper()}": str(folder / name) for name in ("ca", "cert", "key")}
        output = SCRATCH / f"{type(self).__module__}-follow"
        with output.open("w") as out:
            follows = subprocess.Popen([self.BINARIES / "config", node.target], stdout=out, stderr=out,
                                       env={**ENVIRONMENT, **files})
        self.addCleanup(follows.wait)
        self.addCleanup(follows.kill)
        wait_for("it follows", lambda: "color" in output.read_text())
        node.kill()
        new = Authority()
        node.ca, node.shown = new.ca, new.client("alice")
        node.put(*new.node("n1"), new.ca)
        node.start()
        wait_for("the node is ready", lambda: node.status() and node.status().ready)
        put(new, node.shown)
        node.set("config/stop", "1")
        wait_for(lambda: f"it sees the key that ends it: {output.read_text()}", lambda: follows.poll() is not None)
        self.assertEqual(follows.returncode, 0, output.read_text())

    def test_rights(self):
        node = RightsNode("n1", principal("alice", grant("example/", "READ", "WRITE")))
        self.cluster(nodes=[node])
        file = pathlib.Path(tempfile.mkdtemp(prefix="token-", dir=SCRATCH)) / "token"
        file.write_text("alice\n")
        alice = {"LEASEMAP_TOKEN_FILE": file}
        done = self.run_example("leader", node.target, "2", **alice)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(re.findall("^leading as alice/.|^work done by alice/.", done.stdout, re.MULTILINE)), 3,
                         done.stdout)
        done = self.run_example("counter", node.target, "2", **alice)
        self.assertEqual((done.returncode, done.stdout.split()), (0, ["1", "2"]), done.stderr)
        for token, said in (("alice", "PERMISSION_DENIED"), ("unknown", "UNAUTHENTICATED")):
            file.write_text(f"{token}\n")
            for arguments in (("set", "color", "red"), ()):  # a write, and a map
                done = self.run_example("config", node.target, *arguments, **alice)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said, (done.stderr + done.stdout).upper())

    def test_wrong_options_are_said(self):
        for more, word in (({"shown": self.alice, "ca": pathlib.Path("/nowhere")}, "/nowhere"),
                           ({"LEASEMAP_TOKEN": "two words"}, "no token")):
            done = self.run_example("config", "127.0.0.1:9", "set", "color", "red", **more)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stderr + done.stdout)
            self.assertNotIn("two words", done.stderr + done.stdout)


if __name__ == "__main__":
    if go_package.why_not():
        print(f"go_client_access_test: skipped: {go_package.why_not()}")
        sys.exit(0)
    go_package.build()
    unittest.main(verbosity=2)
