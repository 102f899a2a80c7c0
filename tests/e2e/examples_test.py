#!/usr/bin/env python3
"""The example clients in Python, Go, C++, Ruby and Java: each, against real clusters, sets, gets, watches and is
refused; in plain text, and over TLS with a certificate and a token."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from google.protobuf import descriptor_pb2

from basics import BUILD, ENVIRONMENT, ROOT, SCRATCH
from cluster import Cluster, ClusterTest, SharedClusterTest
from rights_test import grant, principal
from tls_test import Authority, TlsNode

PATH = f"{os.environ['PATH']}:/usr/local/go/bin"
COMPILED_S = 150  # what needs a compiler takes its time, the first time
EXAMPLES = ROOT / "clients/examples"


def run(example, *targets, variables=None):
    return subprocess.run([example, *targets], capture_output=True, text=True, timeout=COMPILED_S, check=False,
                          env={**ENVIRONMENT, "PATH": PATH, **{name: str(value) for name, value in
                                                               (variables or {}).items()}})


def cpp():
    """The build has it already; run.sh would build it, in whatever folder."""
    binary = BUILD / "clients/examples/cpp/example_cpp"
    return binary if binary.exists() else EXAMPLES / "cpp/run.sh"


class EachLanguage:
    """One test of each language: `check` of what runs its example."""

    def test_python(self):
        self.check(EXAMPLES / "python/run.sh")

    def test_cpp(self):
        self.check(cpp())

    def test_ruby(self):
        self.check(EXAMPLES / "ruby/run.sh")

    def test_java(self):
        self.check(EXAMPLES / "java/run.sh")

    def test_go(self):
        if not shutil.which("go", path=PATH):
            self.skipTest("no Go here: the Go example is not run")
        self.check(EXAMPLES / "go/run.sh")

    def runs(self, example, nodes, holder, variables=None):
        """It prints what it must; `holder` gets the lease."""
        done = run(example, *(node.target for node in nodes), variables={"LEASEMAP_BUILD": BUILD, **(variables or {})})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 4, done.stdout)
        self.assertEqual(lines[0], "set color=blue")
        self.assertRegex(lines[1], f"^get color=blue(, leased by {holder})?$")
        self.assertEqual(lines[2], "watch saw color=blue")
        self.assertRegex(lines[3], f'^refused: LEASE_HELD: key "color" is leased by {holder} for ')
        self.assertEqual(nodes[1].get("color"), "blue")


class PlainTest(EachLanguage, SharedClusterTest):
    def check(self, example, variables=None):
        self.runs(example, self.nodes[:2], "n1", variables)

    def test_a_proxy_for_the_web_is_not_asked(self):
        for example in (EXAMPLES / "python/run.sh", EXAMPLES / "ruby/run.sh", EXAMPLES / "java/run.sh", cpp()):
            with self.subTest(example=example):
                self.nodes[0].delete("color", allow_missing=True)
                self.check(example, {name: "http://127.0.0.1:9" for name in ("http_proxy", "grpc_proxy")})


class ProvenTest(EachLanguage, ClusterTest):
    """Nodes that ask for a certificate, and know who calls by a token."""

    @classmethod
    def setUpClass(cls):
        authority = Authority()
        rights = pathlib.Path(tempfile.mkdtemp(prefix="rights-", dir=SCRATCH)) / "auth"
        rights.write_text('principal { name: "root" certificate: "root" grant { prefix: "" right: [READ, WRITE] } }\n' +
                          principal("alice", grant("color", "READ", "WRITE"), 'lease_as: "someone-else"'))
        cls.nodes = [TlsNode(name, authority, ["--tls-client-auth=require", f"--auth-file={rights}"])
                     for name in ("n1", "n2")]
        for node in cls.nodes:
            node.shown = authority.folder / "client-root.crt", authority.folder / "client-root.key"
        authority.client("root")
        cert, key = authority.client("somebody")
        cls.proofs = {"LEASEMAP_TLS_CA": authority.ca, "LEASEMAP_TLS_CERT": cert, "LEASEMAP_TLS_KEY": key}
        cls.shared = Cluster(nodes=cls.nodes)
        cls.addClassCleanup(cls.shared.close)
        cls.shared.start().wait_linked()

    def setUp(self):
        super().setUp()
        self.clusters.append(self.shared)

    def check(self, example):
        self.runs(example, self.nodes, "alice", {**self.proofs, "LEASEMAP_TOKEN": "alice"})
        done = run(example, self.nodes[0].target, variables={"LEASEMAP_BUILD": BUILD, **self.proofs})
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout + done.stderr, re.compile("nobody|no principal|unauthenticated", re.IGNORECASE))

    def test_a_token_stays_on_this_machine_in_plain_text(self):
        for language in ("python", "cpp", "ruby", "java", *(["go"] if shutil.which("go", path=PATH) else [])):
            example = cpp() if language == "cpp" else EXAMPLES / language / "run.sh"
            with self.subTest(language=language):
                done = run(example, "192.0.2.1:7400", variables={"LEASEMAP_BUILD": BUILD, "LEASEMAP_TOKEN": "secret"})
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertRegex(done.stdout + done.stderr, "LEASEMAP_TLS_CA|transport level security")
                self.assertNotIn("secret", done.stdout + done.stderr)


class ProtosForJavaTest(unittest.TestCase):
    """The copy of the protos that Java's code is made of."""

    def fields(self, protos):
        """(message, number) of each field to its name, type and label."""
        made = pathlib.Path(tempfile.mkdtemp(prefix="protos-", dir=SCRATCH)) / "set"
        subprocess.run(["protoc", "-I", protos, f"--descriptor_set_out={made}", "leasemap/v1/key_value.proto",
                        "leasemap/v1/mesh.proto", "google/rpc/status.proto", "google/rpc/error_details.proto",
                        "grpc/health/v1/health.proto"], check=True)
        found = {}

        def take(path, message):
            for field in message.field:
                found[path, field.number] = (field.name, field.type, field.label, field.type_name)
            for nested in message.nested_type:
                take(f"{path}.{nested.name}", nested)
        for file in descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes()).file:
            for message in file.message_type:
                take(f"{file.package}.{message.name}", message)
        return found

    def test_nothing_but_names_differs_and_none_clashes(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="java-", dir=SCRATCH)) / "not/there/yet"
        subprocess.run([ROOT / "clients/java/protos.sh", folder], check=True)
        ours, javas = self.fields(ROOT / "protos"), self.fields(folder)
        self.assertEqual(ours.keys(), javas.keys())
        renamed = {}
        for at, (name, *rest) in ours.items():
            self.assertEqual(rest, list(javas[at][1:]), at)
            if name != javas[at][0]:
                renamed[name] = javas[at][0]
        self.assertEqual(renamed["key_bytes"], "key_as_bytes")
        self.assertNotIn("max_bytes", renamed)
        names = {(message, name) for (message, _), (name, *_) in javas.items()}
        self.assertFalse({(message, name) for message, name in names if (message, f"{name}_bytes") in names})

    def test_it_says_what_it_needs(self):
        done = subprocess.run([ROOT / "clients/java/protos.sh"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (2, "usage: protos.sh FOLDER\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
