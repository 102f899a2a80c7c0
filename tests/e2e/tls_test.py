#!/usr/bin/env python3
"""TLS for clients and for the mesh: certificates from `leasemap tls`, who is taken and who is not, and files that change."""
import pathlib
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, LEASEMAPD, SCRATCH, grpc, kv_grpc, mesh_pb, pb, wait_for
from cluster import ClusterTest, Node
from watcher import Watcher


def leasemap(*arguments, variables=None):
    return subprocess.run([LEASEMAP, *map(str, arguments)], env={**ENVIRONMENT, **(variables or {})}, text=True,
                          capture_output=True, timeout=BOUND, check=False)


class Authority:
    """A folder that `leasemap tls` fills."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tls-", dir=SCRATCH))
        self.make("init")

    def make(self, *arguments):
        done = leasemap("tls", *arguments, "--dir", self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def ca(self):
        return self.folder / "ca.crt"

    def node(self, name, *flags):
        self.make("node", name, "--force", *flags)
        return self.folder / f"node-{name}.crt", self.folder / f"node-{name}.key"

    def client(self, name):
        self.make("client", name)
        return self.folder / f"client-{name}.crt", self.folder / f"client-{name}.key"


class TlsNode(Node):
    """A node with files of its own, which a test may replace, and the channel of a client that trusts `ca`."""

    def __init__(self, name, authority, flags=()):
        self.files = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-tls-", dir=SCRATCH))
        self.ca, self.shown = authority.ca, (None, None)
        self.put(*authority.node(name), authority.ca)
        super().__init__(name, flags=(*self.tls_flags(), *flags))

    def tls_flags(self):
        return [f"--tls-cert={self.files / 'cert'}", f"--tls-key={self.files / 'key'}", f"--tls-ca={self.files / 'ca'}"]

    def put(self, certificate, key, ca=None):
        """Puts files in the place of the node's."""
        for name, source in (("ca", ca), ("key", key), ("cert", certificate)):
            if source:
                shutil.copy(source, self.files / f"{name}.new")
                (self.files / f"{name}.new").rename(self.files / name)

    def connect(self, options):
        files = [path.read_bytes() if path else None for path in (self.ca, self.shown[1], self.shown[0])]
        return grpc.secure_channel(self.target, grpc.ssl_channel_credentials(*files), options)

    def serial(self, ca=None):
        """Of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=ca or self.ca)
        context.set_alpn_protocols(["h2"])
        with socket.create_connection((self.ip, self.port), timeout=BOUND) as plain:
            with context.wrap_socket(plain, server_hostname=self.ip) as secure:
                return secure.getpeercert()["serialNumber"]


    def is_trusted(self, ca):
        """Whether a new connection of a client that trusts `ca` alone comes about."""
        try:
            return bool(self.serial(ca))
        except ssl.SSLError:
            return False


class CommandTest(unittest.TestCase):
    """`leasemap tls` alone."""

    def test_files_and_their_rights(self):
        authority = Authority()
        self.assertEqual(authority.make("node", "n1", "n2", "--host", "map.example.com").count("\n"), 4)
        authority.make("client", "alice")
        names = sorted(path.name for path in authority.folder.iterdir())
        self.assertEqual(names, ["ca.crt", "ca.key", "client-alice.crt", "client-alice.key", "node-n1.crt",
                                 "node-n1.key", "node-n2.crt", "node-n2.key"])
        for path in authority.folder.glob("*.key"):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_nothing_is_replaced_unasked(self):
        authority = Authority()
        before = authority.ca.read_bytes()
        again = leasemap("tls", "init", "--dir", authority.folder)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already; --force replaces it", again.stderr)
        self.assertEqual(authority.ca.read_bytes(), before)
        authority.make("init", "--force")
        self.assertNotEqual(authority.ca.read_bytes(), before)

    def test_bad_use(self):
        empty = tempfile.mkdtemp(dir=SCRATCH)
        for command, code, words in ((("node", "n1"), 1, "leasemap tls init"), (("node",), 2, "needs a NAME"),
                                     (("client", "a", "--host", "h"), 2, "--host is for"), (("other",), 2, "other"),
                                     (("init", "a", "b"), 2, "one NAME at most")):
            with self.subTest(command):
                done = leasemap("tls", *command, "--dir", empty)
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertIn(words, done.stderr)
        authority = Authority()
        bad = leasemap("tls", "node", "n1", "--host", "a b", "--dir", authority.folder)
        self.assertEqual(bad.returncode, 1)
        self.assertIn("neither a DNS name nor an IP address", bad.stderr)


class TlsTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority()

    def node(self, *flags, shown=(None, None)):
        node = TlsNode("n1", self.authority, flags)
        node.shown = shown  # by the client of the test
        self.cluster(nodes=[node])
        return node

    def says(self, node, text):
        wait_for(f"the log says {text!r}", lambda: text in node.log.read_text())

    def test_clients_that_trust_the_authority_are_served(self):
        node = self.node()
        node.set("k", "v")
        self.assertEqual(node.get("k"), "v")
        tls = ("--server", node.target, "--tls-ca", self.authority.ca)
        self.assertEqual(leasemap("get", "k", *tls).stdout, "v\n")
        self.assertEqual(leasemap("healthcheck", *tls).returncode, 0)
        named = leasemap("get", "k", "--server", f"localhost:{node.port}",
                         variables={"LEASEMAP_TLS_CA": str(self.authority.ca)})
        self.assertEqual(named.stdout, "v\n", named.stderr)
        # Neither a plain one, nor one that trusts another authority.
        self.assertEqual(leasemap("get", "k", "--server", node.target, "--timeout", "2s").returncode, 3)
        other = leasemap("get", "k", "--server", node.target, "--tls-ca", Authority().ca, "--timeout", "2s")
        self.assertEqual(other.returncode, 3)
        missing = leasemap("get", "k", "--server", node.target, "--tls-ca", "/no/such/file")
        self.assertEqual(missing.returncode, 2)
        self.assertIn("--tls-ca: /no/such/file cannot be read", missing.stderr)

    def test_a_command_under_a_lease_asks_the_same_node(self):
        node = self.node()
        tls = ("--server", node.target, "--tls-ca", self.authority.ca)
        script = f'test -n "$LEASEMAP_FENCING_TOKEN" && {LEASEMAP} set inner v && exit 7'
        done = leasemap("lock", "job", *tls, "--", "sh", "-c", script)
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertEqual(node.get("inner"), "v")

    def test_clients_show_a_certificate_where_one_is_required(self):
        certificate, key = self.authority.client("alice")
        node = self.node("--tls-client-auth=require", shown=(certificate, key))
        node.set("k", "v")
        tls = ("--server", node.target, "--tls-ca", self.authority.ca, "--timeout", "2s")
        mine = ("--tls-cert", certificate, "--tls-key", key)
        self.assertEqual(leasemap("get", "k", *tls, *mine).stdout, "v\n")
        self.assertEqual(leasemap("get", "k", *tls).returncode, 3)
        stranger = Authority().client("mallory")
        self.assertEqual(leasemap("get", "k", *tls, "--tls-cert", stranger[0], "--tls-key", stranger[1]).returncode, 3)
        half = leasemap("get", "k", *tls, "--tls-cert", certificate)
        self.assertEqual(half.returncode, 2)
        self.assertIn("--tls-cert and --tls-key are given together", half.stderr)

    def test_an_optional_certificate_must_be_good(self):
        node = self.node("--tls-client-auth=optional")
        node.set("k", "v")
        tls = ("--server", node.target, "--tls-ca", self.authority.ca, "--timeout", "2s")
        for certificate, key, code in ((*self.authority.client("alice"), 0), (*Authority().client("mallory"), 3)):
            done = leasemap("get", "k", *tls, "--tls-cert", certificate, "--tls-key", key)
            self.assertEqual(done.returncode, code, done.stderr)

    def test_files_that_change_are_read_again(self):
        node = self.node()
        node.set("before", "v")
        watcher = Watcher(node)
        first = node.serial()
        node.put(*self.authority.node("n1"))
        wait_for("the new certificate", lambda: node.serial() != first)
        self.says(node, "the certificates were read again")
        second = node.serial()
        # A bad file changes nothing, and is told.
        (node.files / "cert.new").write_text("nonsense")
        (node.files / "cert.new").rename(node.files / "cert")
        self.says(node, "has no certificate in PEM form")
        self.says(node, "the certificates that were read before are used on")
        self.assertEqual(node.serial(), second)
        node.put(*self.authority.node("n2"))
        self.says(node, "is the certificate of node n2, and this is node n1")
        self.assertEqual(node.serial(), second)
        # A signal reads them at once, changed or not; the watch goes on all the time.
        node.put(*self.authority.node("n1"))
        node.process.send_signal(signal.SIGHUP)
        wait_for("the third certificate", lambda: node.serial() != second)
        node.set("after", "v")
        watcher.until("the later write", lambda w: any(event[:2] == ("SET", "after") for event in w.events))
        watcher.stop()

    def test_an_authority_is_replaced_without_a_stop(self):
        old_client = self.authority.client("a")
        node = self.node("--tls-client-auth=require", shown=old_client)
        new = Authority()
        both = SCRATCH / "both.crt"
        both.write_bytes(self.authority.ca.read_bytes() + new.ca.read_bytes())
        new_client = new.client("b")

        def served(ca, client):
            channel = grpc.secure_channel(node.target, grpc.ssl_channel_credentials(
                ca.read_bytes(), client[1].read_bytes(), client[0].read_bytes()),
                [("grpc.use_local_subchannel_pool", 1)])
            try:
                kv_grpc.KeyValueStub(channel).List(pb.ListRequest(), timeout=2)
                return True
            except grpc.RpcError:
                return False
            finally:
                channel.close()
        self.assertTrue(served(self.authority.ca, old_client))
        self.assertFalse(served(self.authority.ca, new_client))
        # Both are trusted; then the node shows a certificate of the new one; then the old one goes.
        node.put(None, None, both)
        wait_for("clients of both", lambda: served(both, old_client) and served(both, new_client))
        node.put(*new.node("n1"))
        wait_for("the new one's certificate", lambda: served(new.ca, new_client))
        self.assertTrue(served(both, old_client))
        node.put(None, None, new.ca)
        wait_for("the old one is gone", lambda: not served(both, old_client))
        self.assertTrue(served(new.ca, new_client))

    def test_a_certificate_that_ends_soon_is_told(self):
        node = TlsNode("n1", self.authority)
        node.put(*self.authority.node("n1", "--valid", "150h"))
        self.cluster(nodes=[node])
        self.says(node, "expires in 6 days")
        self.assertTrue([note for note in node.status().notes if "expires in 6 days" in note])
        node.put(*self.authority.node("n1"))
        wait_for("no note", lambda: not [note for note in node.status().notes if "expires" in note])

    def test_what_refuses_to_start(self):
        node = TlsNode("n1", self.authority)

        def start(*flags):
            command = [LEASEMAPD, "--listen=127.0.0.1:0", "--mesh-listen=127.0.0.1:0", *node.tls_flags(), *flags]
            return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=BOUND, check=False)
        other = start("--node-id=n2")
        self.assertEqual(other.returncode, 1)
        self.assertIn("is the certificate of node n1, and this is node n2", other.stderr)
        node.put(*self.authority.client("alice"))
        self.assertIn("is the certificate of client alice", start("--node-id=n1").stderr)
        (node.files / "key").unlink()
        gone = start("--node-id=n1")
        self.assertEqual(gone.returncode, 1)
        self.assertIn(f"{node.files / 'key'} cannot be read", gone.stderr)


class MeshTest(ClusterTest):
    """The mesh over TLS."""

    def setUp(self):
        super().setUp()
        self.authority = Authority()

    def says(self, node, text):
        wait_for(f"the log of {node.name} says {text!r}", lambda: text in node.log.read_text())

    def test_nodes_of_one_authority_are_a_cluster(self):
        cluster = self.cluster(nodes=[TlsNode(f"n{i}", self.authority) for i in (1, 2, 3)])
        done = cluster.nodes[0].load([(f"k/{i}", f"v{i}") for i in range(2000)])
        held, _ = cluster.wait_equal()
        self.assertEqual({key: entry[0] for key, entry in held.items()}, done)
        cluster.nodes[1].set("acked", "v", ack=pb.ACK_ALL)

    def test_who_is_refused_and_that_both_say_so(self):
        cluster = self.cluster(nodes=[TlsNode("n1", self.authority)])
        good = cluster.nodes[0]
        # A certificate of another authority.
        stranger = cluster.add(TlsNode("n2", Authority()))
        self.says(good, "TLS_FAILED")
        self.says(stranger, "TLS_FAILED")
        # A node without TLS.
        plain = cluster.add(Node("n3"))
        wait_for("its status", lambda: any("is not linked" in note for note in plain.status().notes))
        self.assertEqual(len([m for m in good.status().notes if "n3" in m]), 0)
        self.assertEqual(good.get("k"), None)
        self.assertEqual(len(good.mesh.ListMembers(mesh_pb.ListMembersRequest(), timeout=BOUND).members), 1)

    def test_links_stay_while_certificates_and_authorities_change(self):
        nodes = [TlsNode(f"n{i}", self.authority) for i in (1, 2)]
        cluster = self.cluster(nodes=nodes)
        new = Authority()
        both = SCRATCH / "mesh-both.crt"
        both.write_bytes(self.authority.ca.read_bytes() + new.ca.read_bytes())
        seen = nodes[0].log.stat().st_size
        for node in nodes:
            node.ca = both
            node.put(None, None, both)
        for node in nodes:
            self.says(node, "the certificates were read again")
        for node in nodes:
            node.put(*new.node(node.name))
        for node in nodes:
            wait_for("the new certificate", lambda node=node: node.is_trusted(new.ca))
        self.assertNotIn("lost", nodes[0].log.read_text()[seen:])
        # What comes later links by the new ones.
        nodes[0].set("k", "v", ack=pb.ACK_ALL)
        nodes[1].kill()
        cluster.restart(nodes[1])
        cluster.wait_linked()
        third = cluster.add(TlsNode("n3", new))
        cluster.wait_linked()
        self.assertEqual(third.get("k"), "v")


class WalkingNode(TlsNode):
    """Has the files, and speaks what its steps say: PLAIN, BOTH or TLS."""

    PLAIN, BOTH, TLS = "plain", "both", "TLS"

    def __init__(self, name, authority):
        super().__init__(name, authority)
        self.step = self.PLAIN
        self.flags = ()

    def take(self, cluster, step):
        """Restarts with this step, as an operator does: ended by SIGTERM, and back."""
        self.kill(signal.SIGTERM)
        self.step = step
        flags = {self.PLAIN: (), self.BOTH: (*self.tls_flags(), "--tls-transition"), self.TLS: self.tls_flags()}
        self.flags = flags[step]
        cluster.restart(self)
        cluster.wait_linked()

    def connect(self, options):
        return super().connect(options) if self.step == self.TLS else grpc.insecure_channel(self.target, options)

    def serves(self, *flags):
        done = leasemap("get", "first", "--server", self.target, "--timeout", "2s", *flags)
        return done.stdout == "v\n"

    def transition(self):
        """The note of its status."""
        return next((note for note in self.status().notes if note.startswith("--tls-transition")), None)


class TransitionTest(ClusterTest):
    """From plain text to TLS, and back, without a stop of the cluster."""

    def test_there_and_back(self):
        authority = Authority()
        nodes = [WalkingNode(f"n{i}", authority) for i in (1, 2, 3)]
        cluster = self.cluster(nodes=nodes)
        tls = ("--tls-ca", authority.ca)
        nodes[0].set("first", "v")
        written, writes = {"first": "v"}, 0
        for step in (WalkingNode.BOTH, WalkingNode.TLS, WalkingNode.BOTH, WalkingNode.PLAIN):
            for node in nodes:
                node.take(cluster, step)
                writes += 1
                node.set(f"k/{writes}", "v", ack=pb.ACK_ALL)
                written[f"k/{writes}"] = "v"
            for node in nodes:
                self.assertEqual(node.serves(), step != WalkingNode.TLS, (node.name, step))
                self.assertEqual(node.serves(*tls), step != WalkingNode.PLAIN, (node.name, step))
                self.assertEqual(node.transition() is not None, step == WalkingNode.BOTH)
            if step == WalkingNode.BOTH:  # what still speaks plain text is this test
                for node in nodes:
                    wait_for(f"all members of {node.name} speak TLS",
                             lambda node=node: "by no member; connections of clients that speak it: 1" in node.transition())
        held, _ = cluster.wait_equal()
        self.assertEqual({key: entry[0] for key, entry in held.items()}, written)

    def test_a_member_in_plain_text_is_named(self):
        authority = Authority()
        both, plain = WalkingNode("n1", authority), WalkingNode("n2", authority)
        cluster = self.cluster(nodes=[both, plain])
        both.take(cluster, WalkingNode.BOTH)
        self.assertIn("spoken by members n2", both.transition())
        self.assertIn("both ports take plain text as well as TLS", both.log.read_text())

    def test_beyond_loopback_it_takes_insecure(self):
        node = TlsNode("n1", Authority(), ("--tls-transition",))
        command = [LEASEMAPD, "--node-id=n1", "--listen=0.0.0.0:0", *node.flags]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=BOUND, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("with --tls-transition it takes plain text, too", done.stderr)
        alone = subprocess.run([LEASEMAPD, "--tls-transition"], env=ENVIRONMENT, capture_output=True, text=True,
                               timeout=BOUND, check=False)
        self.assertEqual(alone.returncode, 2)
        self.assertIn("--tls-transition: needs --tls-cert", alone.stderr)


if __name__ == "__main__":
    unittest.main()
