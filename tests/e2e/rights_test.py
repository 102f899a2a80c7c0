#!/usr/bin/env python3
"""Rights: who is known, who may do what, what is refused with which words, and a file of rights that changes."""
import hashlib
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, LEASEMAPD, SCRATCH, error_info, grpc, kv_grpc, mesh_grpc, mesh_pb, pb, wait_for
from cluster import ClusterTest, Node
from tls_test import Authority, TlsNode
from watcher import Watcher

DENIED, UNKNOWN = ("PERMISSION_DENIED", "PERMISSION_DENIED"), ("UNAUTHENTICATED", "UNAUTHENTICATED")
ROOT = 'principal { name: "root" token_sha256: "%s" grant { prefix: "" right: [READ, WRITE, ADMIN] } }\n'


def sha256(token):
    return hashlib.sha256(token.encode()).hexdigest()


def principal(name, *lines, token=None):
    return f'principal {{ name: "{name}" token_sha256: "{sha256(token or name)}" {" ".join(lines)} }}\n'


def grant(prefix, *rights):
    return f'grant {{ prefix: "{prefix}" right: [{", ".join(rights)}] }}'


ALICE = principal("alice", grant("a/", "READ", "WRITE"), grant("shared/", "READ"), 'lease_as: "job"')


class WithToken(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor,
                grpc.StreamUnaryClientInterceptor):
    """Shows a token with each call."""

    def __init__(self, token):
        self.token = token

    def intercept(self, go_on, details, request):
        metadata = [*(details.metadata or ()), ("authorization", f"Bearer {self.token}")]
        return go_on(details._replace(metadata=metadata), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept


class Client:
    """The stubs of one who shows this token; none shows none."""

    def __init__(self, node, token=None):
        self.channel = node.channel_to() if token is None else grpc.intercept_channel(node.channel_to(), WithToken(token))
        self.kv, self.mesh = kv_grpc.KeyValueStub(self.channel), mesh_grpc.MeshStub(self.channel)

    get, set, delete = Node.get, Node.set, Node.delete


class RightsNode(Node):
    """A node with a file of rights that a test may replace. Its own stubs are those of `root`, who may do all."""

    def __init__(self, name, rights, flags=()):
        self.file = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-rights-", dir=SCRATCH)) / "auth"
        self.put(rights)
        super().__init__(name, flags=(f"--auth-file={self.file}", *flags))

    def put(self, rights, root=True):
        part = self.file.with_suffix(".new")
        part.write_text((ROOT % sha256("root") if root else "") + rights, encoding="utf-8")
        part.rename(self.file)

    def connect(self, options):
        return grpc.intercept_channel(grpc.insecure_channel(self.target, options), WithToken("root"))

    def channel_to(self):
        return grpc.insecure_channel(self.target)

    def says(self, words, times=1):
        wait_for(f"the log says {words!r}", lambda: len(re.findall(words, self.log.read_text())) >= times)

    def audit(self):
        """The lines of the audit log."""
        return [json.loads(line[line.index("{"):]) for line in self.log.read_text().splitlines()
                if ' info {"call"' in line]


def leasemap(*arguments, variables=None):
    return subprocess.run([LEASEMAP, *map(str, arguments)], env={**ENVIRONMENT, **(variables or {})}, text=True,
                          capture_output=True, timeout=BOUND, check=False)


class RightsTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.node = RightsNode("n1", ALICE)
        self.cluster(nodes=[self.node])
        self.alice = Client(self.node, "alice")

    def denied(self, call, *words):
        return self.refused(call, *DENIED, *words)

    def test_who_is_not_known_is_asked_who_they_are(self):
        nobody, stranger = Client(self.node), Client(self.node, "stranger")
        for call in (lambda who: who.get("a/k"), lambda who: who.set("a/k", "v"),
                     lambda who: list(who.kv.Watch(pb.WatchRequest())),
                     lambda who: who.kv.BatchGet(pb.BatchGetRequest(requests=[pb.GetRequest(key="k")])),
                     lambda who: who.mesh.GetStatus(mesh_pb.GetStatusRequest()),
                     lambda who: who.mesh.ListMembers(mesh_pb.ListMembersRequest()),
                     lambda who: who.mesh.Leave(mesh_pb.LeaveRequest(node_id="n1")),
                     lambda who: list(who.mesh.Subscribe(mesh_pb.SubscribeRequest()))):
            self.refused(lambda call=call: call(nobody), *UNKNOWN, "authorization: Bearer TOKEN")
            self.refused(lambda call=call: call(stranger), *UNKNOWN, "nobody has this token")
        basic = [("authorization", "Basic YWxpY2U6")]
        self.refused(lambda: nobody.kv.Get(pb.GetRequest(key="k"), metadata=basic), *UNKNOWN)
        # A scheme's name has no case. What is not told about keys is open: whether the node serves.
        lower = [("authorization", "bearer alice")]
        self.refused(lambda: nobody.kv.Get(pb.GetRequest(key="a/k"), metadata=lower), "NOT_FOUND", "KEY_NOT_FOUND")
        self.assertEqual(leasemap("healthcheck", "--server", self.node.target).returncode, 0)

    def test_a_right_is_of_a_prefix(self):
        self.assertEqual(self.alice.set("a/k", "v").lease.holder, "alice")
        self.assertEqual(self.alice.get("a/k"), "v")
        self.node.set("shared/k", "s")
        self.assertEqual(self.alice.get("shared/k"), "s")
        self.denied(lambda: self.alice.set("shared/k", "v"), 'principal alice may not write the key "shared/k"')
        self.denied(lambda: self.alice.delete("shared/k"), "may not write")
        self.denied(lambda: self.alice.kv.Renew(pb.RenewRequest(key="shared/k")), "may not write")
        self.denied(lambda: self.alice.kv.Release(pb.ReleaseRequest(key="shared/k")), "may not write")
        self.denied(lambda: self.alice.get("b/k"), 'may not read the key "b/k"')
        self.denied(lambda: self.alice.mesh.Explain(mesh_pb.ExplainRequest(key="b/k")), "may not read")
        self.assertTrue(self.alice.mesh.Explain(mesh_pb.ExplainRequest(key="a/k")).views)

    def test_a_refusal_is_the_same_whether_there_is_a_key(self):
        self.node.set("b/k", "v")
        there, not_there = (self.denied(lambda key=key: self.alice.get(key)).details() for key in ("b/k", "b/x"))
        self.assertEqual(there, not_there.replace("b/x", "b/k"))
        # … and whatever else is wrong: no value, a wrong version, a key that is too long.
        self.denied(lambda: self.alice.kv.Set(pb.SetRequest(key="b/k")))
        self.denied(lambda: self.alice.kv.Get(pb.GetRequest(key="b/k", min_version="junk")))
        self.denied(lambda: self.alice.kv.Get(pb.GetRequest(key="b" * 5000)))

    def test_items_of_a_batch_are_refused_one_by_one(self):
        self.node.set("b/k", "v")
        answer = self.alice.kv.BatchSet(pb.BatchSetRequest(requests=[
            pb.SetRequest(key="a/1", value="v"), pb.SetRequest(key="b/1", value="v"),
            pb.SetRequest(key="a/2", value="v", holder="bob")]))
        self.assertEqual([result.status.reason for result in answer.results],
                         ["", "PERMISSION_DENIED", "PERMISSION_DENIED"])
        answer = self.alice.kv.BatchGet(pb.BatchGetRequest(requests=[
            pb.GetRequest(key="a/1"), pb.GetRequest(key="b/k"), pb.GetRequest(key="b/k", min_version="junk")]))
        self.assertEqual([result.status.reason for result in answer.results],
                         ["", "PERMISSION_DENIED", "PERMISSION_DENIED"])
        self.assertFalse(answer.results[1].HasField("entry"))
        answer = self.alice.kv.BatchRenew(pb.BatchRenewRequest(requests=[
            pb.RenewRequest(key="a/1"), pb.RenewRequest(key="b/k")]))
        self.assertEqual([result.status.reason for result in answer.results], ["", "PERMISSION_DENIED"])
        answer = self.alice.kv.BatchDelete(pb.BatchDeleteRequest(requests=[
            pb.DeleteRequest(key="a/1"), pb.DeleteRequest(key="b/k")]))
        self.assertEqual([result.status.reason for result in answer.results], ["", "PERMISSION_DENIED"])
        self.assertEqual(self.node.get("b/k"), "v")

    def test_what_is_listed_or_watched_must_lie_within_the_rights(self):
        self.alice.set("a/k", "v")
        for fields in ({"prefix": "a/"}, {"prefix": "a/k"}, {"start_key": "a/", "end_key": "a0"}):
            with self.subTest(fields):
                listed = self.alice.kv.List(pb.ListRequest(**fields))
                self.assertEqual([entry.key for entry in listed.entries], ["a/k"])
        for fields in ({}, {"prefix": "a"}, {"start_key": "a/"}, {"start_key": "a/", "end_key": "b"}):
            with self.subTest(fields):
                self.denied(lambda fields=fields: self.alice.kv.List(pb.ListRequest(**fields)), "may not read")
                self.denied(lambda: self.alice.mesh.ListConflicts(mesh_pb.ListConflictsRequest()), "the whole map")
        for fields in ({}, {"prefixes": ["a/", "b"]}, {"keys": ["a/k", "b"]}, {"prefixes_bytes": [b""]}):
            with self.subTest(fields):
                self.denied(lambda fields=fields: list(self.alice.kv.Watch(pb.WatchRequest(**fields))), "may not read")
        watch = Watcher(self.alice, prefixes=["a/", "shared/s"], keys=["a/k"], include_snapshot=True)
        watch.until("the snapshot", lambda watch: watch.snapshot)
        self.assertEqual([event[1] for event in watch.events], ["a/k"])
        watch.stop()

    def test_holders(self):
        self.assertEqual(self.alice.set("a/1", "v").lease.holder, "alice")
        for holder in ("alice", "alice/host-1", "job", "job/7"):
            self.assertEqual(self.alice.set(f"a/of-{holder}", "v", holder=holder).lease.holder, holder)
        for holder in ("bob", "alicia", "n1", "jobs"):
            self.denied(lambda holder=holder: self.alice.set("a/x", "v", holder=holder),
                        f'as the holder "{holder}", but as alice and alice/')
        # Another principal's lease is as good as any other's.
        self.node.set("a/held", "v")
        held = self.refused(lambda: self.alice.set("a/held", "mine"), "FAILED_PRECONDITION", "LEASE_HELD")
        self.assertEqual(error_info(held).metadata["holder"], "root")
        _, call = self.alice.kv.Get.with_call(pb.GetRequest(key="a/1"))
        self.assertEqual(dict(call.trailing_metadata())["leasemap-principal"], "alice")

    def test_what_is_for_administrators(self):
        for call in (lambda who: who.mesh.Broadcast(mesh_pb.BroadcastRequest(payload=b"p")),
                     lambda who: who.mesh.Forget(mesh_pb.ForgetRequest(node_id="n9")),
                     lambda who: who.mesh.Leave(mesh_pb.LeaveRequest(node_id="n1")),
                     lambda who: list(who.mesh.Backup(mesh_pb.BackupRequest())),
                     lambda who: who.mesh.Restore(iter([]))):
            self.denied(lambda call=call: call(self.alice), "may not administer")
        self.denied(lambda: list(self.alice.mesh.Subscribe(mesh_pb.SubscribeRequest())), "the whole map")
        self.assertTrue(self.alice.mesh.GetStatus(mesh_pb.GetStatusRequest()).ready)
        self.assertTrue(list(self.node.mesh.Backup(mesh_pb.BackupRequest())))

    def test_who_loses_a_right_loses_the_watch_after_a_cursor(self):
        self.alice.set("a/k", "v")
        mine, shared = Watcher(self.alice, prefixes=["a/"]), Watcher(self.alice, prefixes=["shared/"])
        for watch in (mine, shared):
            watch.until("a cursor", lambda watch: watch.cursor)
        heard = self.node.mesh.Subscribe(mesh_pb.SubscribeRequest())
        heard.initial_metadata()
        self.alice.set("a/k", "w")
        self.node.put(principal("alice", grant("a/", "READ")))
        wait_for("the watch ends", lambda: shared.error)
        self.assertEqual((shared.error.code().name, error_info(shared.error).reason), DENIED)
        self.assertTrue(shared.cursor)
        self.denied(lambda: self.alice.set("a/k", "x"), "may not write")
        # What is allowed still goes on.
        self.node.set("a/j", "v")
        mine.until("a later event", lambda watch: any(event[1] == "a/j" for event in watch.events))
        self.node.put("")
        wait_for("the watch ends", lambda: mine.error)
        self.assertEqual((mine.error.code().name, error_info(mine.error).reason), UNKNOWN)
        self.assertTrue(heard.is_active())
        self.node.put(principal("other"), root=False)
        self.refused(lambda: next(heard), *UNKNOWN)

    def test_who_loses_the_right_loses_the_backup_under_way(self):
        for i in range(40):  # pages of a MiB, which gRPC does not take all before they are read
            self.node.set(f"a/{i}", "x" * 500_000)
        keeper = Client(self.node, "keeper")
        self.node.put(principal("keeper", grant("", "ADMIN")))
        self.node.says("the rights were read again: 2 principals")
        backup = keeper.mesh.Backup(mesh_pb.BackupRequest())
        next(backup)
        self.node.put(principal("keeper", grant("", "READ")))
        self.node.says("the rights were read again: 2 principals", times=2)
        self.denied(lambda: list(backup), "may not administer")

    def test_a_bad_file_is_refused_and_the_rights_of_before_count_on(self):
        self.node.put("principal { nmae: 1 }")
        self.node.says(r'error .*auth: line 2, column \d+: .*nmae.*; the rights that were read before count on')
        self.assertEqual(self.alice.set("a/k", "v").lease.holder, "alice")
        self.node.put(ALICE + principal("bob", grant("b/", "WRITE")))
        self.node.says("the rights were read again: 3 principals")
        self.assertEqual(Client(self.node, "bob").set("b/k", "v").lease.holder, "bob")

    def test_the_audit_log(self):
        version = self.alice.set("a/k", "a secret value").version
        self.alice.set("a/acked", "v", ack=pb.ACK_ALL)
        self.denied(lambda: self.alice.get("b/k"))
        self.refused(lambda: Client(self.node, "a-secret-token").get("a/k"), *UNKNOWN)
        self.node.set("held", "v")
        self.alice.kv.BatchSet(pb.BatchSetRequest(requests=[pb.SetRequest(key="a/k", value="v", if_absent=True)]))
        self.node.mesh.Broadcast(mesh_pb.BroadcastRequest(payload=b"p"))
        self.refused(lambda: self.node.mesh.Forget(mesh_pb.ForgetRequest(node_id="n9")), "INVALID_ARGUMENT",
                     "REQUEST_INVALID")
        lines = wait_for("eight lines", lambda: (lambda lines: len(lines) >= 8 and lines)(self.node.audit()))
        for line in lines:
            self.assertRegex(line.pop("peer"), r"^ipv4:127\.0\.0\.1:\d+$")
        self.assertTrue(lines[1].pop("version") and lines[4].pop("version"))
        self.assertEqual(lines, [
            {"call": "Set", "principal": "alice", "key": "a/k", "holder": "alice", "version": version, "outcome": "OK"},
            {"call": "Set", "principal": "alice", "key": "a/acked", "holder": "alice", "outcome": "OK"},
            {"call": "Get", "principal": "alice", "key": "b/k", "outcome": "PERMISSION_DENIED"},
            {"call": "Get", "outcome": "UNAUTHENTICATED"},
            {"call": "Set", "principal": "root", "key": "held", "holder": "root", "outcome": "OK"},
            {"call": "BatchSet", "principal": "alice", "key": "a/k", "holder": "alice", "outcome": "VERSION_MISMATCH"},
            {"call": "Broadcast", "principal": "root", "outcome": "OK"},
            {"call": "Forget", "principal": "root", "node": "n9", "outcome": "REQUEST_INVALID"}])
        self.assertNotRegex(self.node.log.read_text(), "secret")

    def test_refusals_do_not_fill_the_log(self):
        nobody, total = Client(self.node), 500
        for call in [nobody.kv.Get.future(pb.GetRequest(key="k")) for _ in range(total)]:
            call.exception()

        def counted():
            self.refused(lambda: nobody.get("k"), *UNKNOWN)
            lines = [line for line in self.node.audit() if line["outcome"] == "UNAUTHENTICATED"]
            return len(lines) + sum(line.get("refusals_left_out", 0) for line in lines) > total and lines
        lines = wait_for("all are written or counted", counted)
        self.assertGreater(sum(line.get("refusals_left_out", 0) for line in lines), 0)

    def test_the_command_line(self):
        made = leasemap("token", "new")
        token = made.stdout.strip()
        self.assertRegex(token, r"^lm_[A-Za-z0-9_-]{43}$")
        self.assertEqual(made.stderr, f'token_sha256: "{sha256(token)}"\n')
        self.node.put(principal("carol", grant("c/", "READ", "WRITE"), token=token))
        self.node.says("the rights were read again")
        file = self.node.file.with_name("token")
        file.write_text(f"{token}\n", encoding="utf-8")
        server = ("--server", self.node.target)
        self.assertEqual(leasemap(*server, "--token-file", file, "set", "c/k", "v").returncode, 0)
        for variables in ({"LEASEMAP_TOKEN": token}, {"LEASEMAP_TOKEN_FILE": str(file)}):
            self.assertEqual(leasemap(*server, "get", "c/k", variables=variables).stdout, "v\n")
        none, denied = leasemap(*server, "get", "c/k"), leasemap(*server, "--token-file", file, "get", "k")
        self.assertEqual((none.returncode, denied.returncode), (1, 1))
        self.assertIn("show who you are", none.stderr)
        self.assertIn("principal carol may not read the key", denied.stderr)
        for arguments, words in ((("--token-file", "/no/such"), "/no/such cannot be read"),
                                 (("--token-file", file, "--server", "db.example.com"), "in plain text"),
                                 (("--token-file", self.node.log), "this is no token")):
            with self.subTest(words):
                wrong = leasemap(*server, *arguments, "get", "k")
                self.assertEqual(wrong.returncode, 2)
                self.assertIn(words, wrong.stderr)


    def test_leases_of_the_command_line(self):
        """Commands that hold leases do so below the name of the principal."""
        own = ("--server", self.node.target)
        variables = {"LEASEMAP_TOKEN": "alice"}
        for command in ("lock", "elect"):
            with self.subTest(command):
                done = leasemap(*own, command, "a/k", *(("--once",) if command == "elect" else ()), "--",
                                "/bin/sh", "-c", 'echo "$LEASEMAP_LEASE_HOLDER"; exit 3', variables=variables)
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertRegex(done.stdout, r"^alice/\S+-\d+-\w+$")
        denied = leasemap(*own, "lock", "b/k", "--", "true", variables=variables)
        self.assertEqual(denied.returncode, 125)  # no lease, as `leasemap lock --help` has it
        self.assertIn("principal alice may not write the key", denied.stderr)


class LimitsTest(ClusterTest):
    """What one principal may have at once."""

    def setUp(self):
        super().setUp()
        self.node = RightsNode("n1", principal("alice", grant("", "READ", "WRITE"),
                                               "limits { keys: 2 bytes: 3000 watches: 1 connections: 2 }"))
        self.cluster(nodes=[self.node])
        self.alice = Client(self.node, "alice")

    def use(self):
        use, = self.alice.mesh.GetStatus(mesh_pb.GetStatusRequest()).principals
        self.assertEqual((use.name, use.max_keys, use.max_bytes, use.max_watches, use.max_connections),
                         ("alice", 2, 3000, 1, 2))
        return use

    def full(self, call, reason):
        return self.refused(call, "RESOURCE_EXHAUSTED", reason, "alice", "limits in the --auth-file")

    def test_keys_and_bytes(self):
        self.alice.set("a", "v", holder="alice/1")
        self.alice.set("b", "v", holder="alice/2")
        self.assertEqual(self.use().keys, 2)
        error = self.full(lambda: self.alice.set("c", "v"), "KEY_LIMIT")
        self.assertEqual(error_info(error).metadata["principal"], "alice")
        self.alice.set("a", "w", holder="alice/1")  # it has that one
        self.node.set("c", "v")  # another's keys are not alice's …
        self.node.kv.Release(pb.ReleaseRequest(key="c"))
        self.full(lambda: self.alice.kv.Renew(pb.RenewRequest(key="c")), "KEY_LIMIT")  # … until she takes them
        self.alice.delete("b", holder="alice/2")
        self.full(lambda: self.alice.set("b", "x" * 3000), "BYTES_LIMIT")
        self.alice.set("b", "x" * 300)
        self.assertEqual(self.use().keys, 2)
        self.assertGreater(self.use().bytes, 1300)
        uses = {use.name: use.keys for use in self.node.status().principals}
        self.assertEqual(uses, {"alice": 2, "root": 1})

    def test_watches(self):
        watch = Watcher(self.alice, keys=["k"])
        watch.until("a cursor", lambda watch: watch.cursor)
        self.full(lambda: list(self.alice.kv.Watch(pb.WatchRequest(keys=["k"]))), "WATCH_LIMIT")
        self.assertEqual(self.use().watches, 1)
        watch.stop()
        wait_for("the watch is gone", lambda: self.use().watches == 0)
        Watcher(self.alice, keys=["k"]).until("a cursor", lambda watch: watch.cursor)

    def test_connections(self):
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.node.channel_to = lambda: grpc.insecure_channel(self.node.target, options)
        one, two, three = (Client(self.node, "alice") for _ in range(3))
        self.alice.channel.close()
        wait_for("the first is gone", lambda: [use.connections for use in self.node.status().principals][0] == 0)
        one.get("k"), two.get("k")
        self.full(lambda: three.get("k"), "CONNECTION_LIMIT")
        one.channel.close()

        def served():
            try:
                return three.get("k") is None
            except grpc.RpcError as error:
                self.assertEqual(error_info(error).reason, "CONNECTION_LIMIT")
                return False
        wait_for("the third is served in place of the first", served)

    def test_the_keys_of_all(self):
        node = Node("n2", flags=("--max-keys=2",))
        self.cluster(nodes=[node])
        node.set("a", "v"), node.set("b", "v")
        self.refused(lambda: node.set("c", "v"), "RESOURCE_EXHAUSTED", "KEY_LIMIT", "--max-keys")
        node.set("b", "w")
        self.assertEqual(node.status().max_keys, 2)


class FilesTest(ClusterTest):
    def test_members_with_other_rights_say_so(self):
        nodes = [RightsNode("n1", ALICE), RightsNode("n2", ALICE)]
        self.cluster(nodes=nodes)
        words = "n2 has not the same rights in its --auth-file as this node"
        self.assertNotIn(words, nodes[0].status().notes)
        nodes[1].put("# the order of lines and comments count for nothing\n" + ALICE)
        nodes[1].says("the rights were read again")
        self.assertNotIn(words, nodes[0].status().notes)
        nodes[1].put(ALICE + principal("bob"))
        wait_for("n1 says so", lambda: words in nodes[0].status().notes)
        nodes[0].put(ALICE + principal("bob"))
        wait_for("n1 does not say so any more", lambda: words not in nodes[0].status().notes)

    def test_a_node_does_not_start_with_a_bad_file(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        (folder / "bad").write_text("principal { name: \"a\" token_sha256: \"xyz\" }", encoding="utf-8")
        (folder / "empty").write_text("", encoding="utf-8")
        for name, words in (("bad", "principal a: token_sha256 is not 64 lower-case hex digits"),
                            ("empty", "names no principal, so nobody could do anything"),
                            ("none", "not a file that can be read"), (".", "not a file that can be read")):
            with self.subTest(name):
                done = subprocess.run([LEASEMAPD, f"--auth-file={folder / name}", "--listen=127.0.0.1:0",
                                       "--mesh-listen=127.0.0.1:0"], text=True, capture_output=True, timeout=BOUND,
                                      env=ENVIRONMENT, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("--auth-file: ", done.stderr)
                self.assertIn(words, done.stderr)

    def test_the_start_says_what_is_open(self):
        node = Node("n1", ip="0.0.0.0", flags=("--insecure",))
        node.start()
        self.addCleanup(node.kill)
        self.assertIn(f"there is no --auth-file: every client that reaches {node.ip}:0 may do everything",
                      node.log.read_text())
        guarded = RightsNode("n2", ALICE, flags=("--insecure", "--listen=0.0.0.0:0"))
        guarded.start()
        self.addCleanup(guarded.kill)
        self.assertIn("tokens come to 0.0.0.0:0 in plain text", guarded.log.read_text())
        self.assertNotIn("there is no --auth-file", guarded.log.read_text())

    def test_json_lines_of_the_audit_log(self):
        node = RightsNode("n1", ALICE, flags=("--log-format=json",))
        self.cluster(nodes=[node])
        Client(node, "alice").set('a/"quoted"', "v")
        lines = [json.loads(line) for line in node.log.read_text().splitlines()]
        audit, = [line for line in lines if "audit" in line]
        self.assertEqual(audit["audit"]["key"], 'a/"quoted"')
        self.assertNotIn("message", audit)


class CertificatesTest(ClusterTest):
    """Principals that show a client certificate, and no token."""

    def test_a_certificate_is_as_good_as_a_token(self):
        authority = Authority()
        file = authority.folder / "auth"
        file.write_text(ROOT % sha256("root") + 'principal { name: "alice" certificate: "alice-1" %s }\n' %
                        grant("a/", "READ", "WRITE"), encoding="utf-8")
        node = TlsNode("n1", authority, (f"--auth-file={file}", "--tls-client-auth=optional"))
        self.cluster(nodes=[node], wait=False)
        ca = authority.ca.read_bytes()

        def client(name=None, token=None):
            shown = [path.read_bytes() for path in reversed(authority.client(name))] if name else [None, None]
            channel = grpc.secure_channel(node.target, grpc.ssl_channel_credentials(ca, *shown))
            return kv_grpc.KeyValueStub(grpc.intercept_channel(channel, WithToken(token)) if token else channel)

        def holder(kv):
            return kv.Set(pb.SetRequest(key="a/k", value="v", lease_duration={}), timeout=BOUND).entry.lease.holder
        alice = client("alice-1")
        self.assertEqual(holder(alice), "alice")
        self.refused(lambda: alice.Get(pb.GetRequest(key="b")), *DENIED)
        self.refused(lambda: holder(client("bob")), *UNKNOWN, "leasemap://client/bob is of no principal")
        self.refused(lambda: holder(client()), *UNKNOWN, "show who you are")
        # A node's certificate is no client's, and the token counts if both are shown.
        authority.node("alice-1")
        theirs = [(authority.folder / f"node-alice-1.{kind}").read_bytes() for kind in ("key", "crt")]
        channel = grpc.secure_channel(node.target, grpc.ssl_channel_credentials(ca, *theirs))
        self.refused(lambda: holder(kv_grpc.KeyValueStub(channel)), *UNKNOWN, "leasemap://node/alice-1")
        self.assertEqual(holder(client("carol", token="root")), "root")


if __name__ == "__main__":
    unittest.main()
