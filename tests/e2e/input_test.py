#!/usr/bin/env python3
"""Bad input of clients: each is refused with its code, reason and the field's name, and changes nothing anywhere."""
import unittest

from basics import BOUND, error_info, grpc, mesh_pb, pb, text, wait_for
from cluster import SharedClusterTest
from watcher import Watcher

INVALID = "INVALID_ARGUMENT"
MIB = 1 << 20
LONGEST_LEASE_S = 100 * 366 * 24 * 3600


class InputTest(SharedClusterTest):
    def setUp(self):
        super().setUp()
        self.node = self.nodes[0]
        self.node.set("here", "1")
        wait_for("equal vectors", lambda: len({str(state[0]) for state in self.states()}) == 1)
        self.before = self.states()

    def tearDown(self):
        self.assertEqual(self.states(), self.before, "a refused request changed something")

    def states(self):
        """What each node covers and holds: a write, even one that changed no value, would show in both."""
        found = [node.status() for node in self.nodes]
        return [([(v.node_id, v.incarnation, v.prefix, v.exceptions) for v in status.vector], status.map_hash)
                for status in found]

    def bad(self, rpc, request, code, reason, *words):
        """The call, unary or a stream, is refused."""
        def call():
            answer = getattr(self.node.kv, rpc)(request, timeout=BOUND)
            if rpc == "Watch":
                next(answer)
        with self.subTest(rpc=rpc, request=str(request)[:100]):
            return self.refused(call, code, reason, *words)

    def bad_set(self, code, reason, *words, key="k", value="v", **fields):
        return self.bad("Set", pb.SetRequest(key=key, value=value, **fields), code, reason, *words)

    def test_keys(self):
        too_long = "k" * 4097
        for rpc in ("Get", "Set", "Delete", "Renew", "Release"):
            request = getattr(pb, rpc + "Request")
            value = {"value": "v"} if rpc == "Set" else {}
            for key in ({}, {"key": ""}, {"key_bytes": b""}):
                self.bad(rpc, request(**key, **value), INVALID, "KEY_INVALID", "empty")
            for key in ({"key": too_long}, {"key_bytes": too_long.encode()}, {"key": "测" * 1366}):
                self.bad(rpc, request(**key, **value), INVALID, "KEY_INVALID", "4096")
        self.bad("Watch", pb.WatchRequest(keys=[""]), INVALID, "KEY_INVALID")
        self.bad("Watch", pb.WatchRequest(keys=[too_long]), INVALID, "KEY_INVALID")
        for rpc, request in (("Get", pb.GetRequest), ("Delete", pb.DeleteRequest), ("Renew", pb.RenewRequest),
                             ("Release", pb.ReleaseRequest)):
            self.bad(rpc, request(key="k" * 4096), "NOT_FOUND", "KEY_NOT_FOUND")

    def test_values(self):
        self.bad("Set", pb.SetRequest(key="k"), INVALID, "REQUEST_INVALID", "value")
        self.bad("Set", pb.SetRequest(key="k", value_bytes=bytes(MIB + 1)), INVALID, "VALUE_TOO_LARGE", "1048577")
        self.bad("Set", pb.SetRequest(key="k", value="v" * (3 * MIB)), INVALID, "VALUE_TOO_LARGE")

    def test_leases(self):
        durations = ({"seconds": -1}, {"nanos": -1}, {"nanos": 1}, {"seconds": 1, "nanos": 999_999_999},
                     {"seconds": LONGEST_LEASE_S + 1}, {"seconds": 1 << 62}, {"seconds": 5, "nanos": 2_000_000_000},
                     {"seconds": 5, "nanos": -5})
        for duration in durations:
            self.bad_set(INVALID, "LEASE_INVALID", "lease_duration", lease_duration=duration)
            self.bad("Renew", pb.RenewRequest(key="here", lease_duration=duration), INVALID, "LEASE_INVALID")

    def test_holders(self):
        for holder in ("h" * 256, "a\nb", "a\x7f"):
            self.bad_set(INVALID, "REQUEST_INVALID", "holder", holder=holder)
            for rpc in ("Delete", "Renew", "Release"):
                request = getattr(pb, rpc + "Request")
                self.bad(rpc, request(key="here", holder=holder), INVALID, "REQUEST_INVALID", "holder")

    def test_conditions(self):
        self.bad_set("ABORTED", "VERSION_MISMATCH", if_version="made-up")
        self.bad_set("ABORTED", "VERSION_MISMATCH", key="here", if_version="made-up")
        self.bad_set("ABORTED", "VERSION_MISMATCH", key="here", if_absent=True)
        self.bad("Delete", pb.DeleteRequest(key="here", if_version="made-up"), "ABORTED", "VERSION_MISMATCH")
        for rpc in ("Set", "Delete", "Renew", "Release"):
            value = {"value": "v"} if rpc == "Set" else {}
            request = getattr(pb, rpc + "Request")(key="here", holder="other", **value)
            error = self.bad(rpc, request, "FAILED_PRECONDITION", "LEASE_HELD", "leased by n1", "name n1 as the holder")
            metadata = error_info(error).metadata
            self.assertEqual((metadata["holder"], metadata["key"]), ("n1", "here"))
            self.assertRegex(metadata["expire_time"], r"^20\d\d-.*Z$")

    def test_arguments_are_checked_before_the_lease_and_that_before_conditions(self):
        everything = {"key": "here", "holder": "other", "if_version": "made-up"}
        self.bad_set(INVALID, "LEASE_INVALID", **everything, lease_duration={"seconds": -1})
        self.bad_set("FAILED_PRECONDITION", "LEASE_HELD", **everything)
        self.bad_set("ABORTED", "VERSION_MISMATCH", **{**everything, "holder": "n1"})

    def test_lists(self):
        self.bad("List", pb.ListRequest(page_size=-1), INVALID, "REQUEST_INVALID", "page_size")
        self.bad("List", pb.ListRequest(prefix="a", start_key="b"), INVALID, "REQUEST_INVALID", "start_key")
        self.bad("List", pb.ListRequest(prefix="a", end_key="b"), INVALID, "REQUEST_INVALID", "end_key")
        self.bad("List", pb.ListRequest(prefix="k" * 4097), INVALID, "REQUEST_INVALID")

    def test_page_tokens(self):
        node = self.cluster(1).nodes[0]
        for name in ("a/1", "a/2", "b/1", "b/2"):
            node.set(name, "v")
        page = lambda **fields: node.kv.List(pb.ListRequest(page_size=1, **fields), timeout=BOUND)
        token = page(prefix="a/").next_page_token
        self.assertEqual([text(entry, "key") for entry in page(prefix="a/", page_token=token).entries], ["a/2"])
        self.node = node
        wrong = [token[:-1], token + "A", token[::-1], "junk", "AAAA", "x" * 20000, "\u20ac"]
        wrong += [token[:i] + ("B" if token[i] == "A" else "A") + token[i + 1:] for i in range(len(token))]
        for each in wrong:
            self.bad("List", pb.ListRequest(prefix="a/", page_token=each), INVALID, "REQUEST_INVALID", "page_token")
        for fields in ({"prefix": "b/"}, {}, {"start_key": "a/"}):
            self.bad("List", pb.ListRequest(page_token=token, **fields), INVALID, "REQUEST_INVALID", "page_token")

    def test_cursors(self):
        watch = Watcher(self.node, prefixes=["a/", "b/"], include_snapshot=True)
        watch.until("a cursor", lambda w: w.cursor)
        cursor, _ = watch.stop()
        same = {"prefixes": ["b/", "a/"]}
        wrong = [cursor[:-1], cursor + "A", cursor[::-1], "junk", "AAAA", "\u20ac", "x" * 300_000]
        wrong += [cursor[:i] + ("B" if cursor[i] == "A" else "A") + cursor[i + 1:] for i in range(0, len(cursor), 3)]
        for each in wrong:
            self.bad("Watch", pb.WatchRequest(cursor=each, **same), INVALID, "CURSOR_INVALID")
        for other in ({}, {"prefixes": ["a/"]}, {"prefixes": ["a/", "b/"], "keys": ["c"]}, {"keys": ["a/", "b/"]},
                      {**same, "kinds": [pb.Event.KIND_SET]}):
            self.bad("Watch", pb.WatchRequest(cursor=cursor, **other), INVALID, "CURSOR_INVALID", "other keys")
        self.bad("Watch", pb.WatchRequest(cursor=cursor, include_snapshot=True, **same), INVALID, "REQUEST_INVALID",
                 "include_snapshot")
        again = Watcher(self.nodes[1], cursor=cursor, **same)
        again.until("the order of prefixes is no difference", lambda w: w.cursor)
        again.stop()
        strangers = self.cluster(1, flags=["--cluster=other"])
        self.node = strangers.nodes[0]
        self.bad("Watch", pb.WatchRequest(cursor=cursor, **same), INVALID, "CURSOR_INVALID", "another cluster")

    def test_watches(self):
        self.bad("Watch", pb.WatchRequest(prefixes=[f"{i}" for i in range(65)]), INVALID, "REQUEST_INVALID", "prefixes")
        self.bad("Watch", pb.WatchRequest(keys=[f"{i}" for i in range(1001)]), INVALID, "REQUEST_INVALID", "keys")
        self.bad("Watch", pb.WatchRequest(prefixes=["k" * 4097]), INVALID, "REQUEST_INVALID", "prefixes")
        self.bad("Watch", pb.WatchRequest(kinds=[99]), INVALID, "REQUEST_INVALID", "kinds")
        self.bad("Watch", pb.WatchRequest(kinds=[0]), INVALID, "REQUEST_INVALID", "kinds")

    def test_batches(self):
        many = [pb.SetRequest(key="k", value="v")] * 1001
        self.bad("BatchSet", pb.BatchSetRequest(requests=many), INVALID, "REQUEST_INVALID", "requests", "1000")
        gets = [pb.GetRequest(key="here")] * 1001
        self.bad("BatchGet", pb.BatchGetRequest(requests=gets), INVALID, "REQUEST_INVALID", "requests", "1000")
        bad = [pb.SetRequest(value="v"), pb.SetRequest(key="k"), pb.SetRequest(key="here", value="2", holder="other"),
               pb.SetRequest(key="k", value="v", ack=pb.ACK_ALL, ack_nodes=1)]
        answer = self.node.kv.BatchSet(pb.BatchSetRequest(requests=bad), timeout=BOUND)
        self.assertEqual([(result.status.code, result.status.reason) for result in answer.results],
                         [(3, "KEY_INVALID"), (3, "REQUEST_INVALID"), (9, "LEASE_HELD"), (3, "REQUEST_INVALID")])
        self.assertTrue(all(result.status.message and not result.HasField("entry") for result in answer.results))

    def test_acks_and_requests(self):
        for fields in ({"ack": 77}, {"on_lapse": 77}, {"request_id": "x" * 65}, {"request_id": "a\nb"}):
            self.bad_set(INVALID, "REQUEST_INVALID", next(iter(fields)), **fields)
        for fields in ({"ack": pb.ACK_ALL, "ack_nodes": 1}, {"ack_nodes": 130}, {"ack_nodes": 2 ** 32 - 1}):
            self.bad_set(INVALID, "REQUEST_INVALID", "ack_nodes", **fields)
            self.bad("Delete", pb.DeleteRequest(key="here", **fields), INVALID, "REQUEST_INVALID", "ack_nodes")
        for version in ("v", "x" * 5000):
            self.bad("Get", pb.GetRequest(key="here", min_version=version), INVALID, "REQUEST_INVALID", "min_version")
        explain = lambda: self.node.mesh.Explain(mesh_pb.ExplainRequest(), timeout=BOUND)
        self.refused(explain, INVALID, "KEY_INVALID")

    def test_what_later_versions_will_do(self):
        requests = iter([pb.WriteRequest(set=pb.SetRequest(key="k", value="v"))])
        self.refused(lambda: next(self.node.kv.Write(requests, timeout=BOUND)), "UNIMPLEMENTED", "UNSUPPORTED", "Write")

    def test_whom_to_forget(self):
        for node_id in ("", "nobody", self.node.name, "\x00"):
            forget = lambda: self.node.mesh.Forget(mesh_pb.ForgetRequest(node_id=node_id), timeout=BOUND)
            self.refused(forget, INVALID, "REQUEST_INVALID", "node_id")

    def test_broadcasts(self):
        send = lambda **fields: self.node.mesh.Broadcast(mesh_pb.BroadcastRequest(**fields), timeout=BOUND)
        self.refused(lambda: send(payload=bytes(65537)), INVALID, "REQUEST_INVALID", "payload")
        self.refused(lambda: send(payload=b"x", to_node="nobody"), INVALID, "REQUEST_INVALID", "to_node")
        self.assertEqual(send(payload=bytes(65536)).sent, 2)

    def test_bytes_that_are_no_request(self):
        call = self.node.channel.unary_unary("/leasemap.v1.KeyValue/Set")
        for body in (b"\xff\xff\xff\xff", b"\x0a\x02\xff\xfe\x1a\x01v", b"\x0a\x7f"):
            with self.assertRaises(grpc.RpcError) as caught:
                call(body, timeout=BOUND)
            self.assertIn(caught.exception.code().name, ("UNIMPLEMENTED", "INTERNAL"))
        with self.assertRaises(grpc.RpcError) as caught:
            self.node.channel.unary_unary("/leasemap.v1.KeyValue/NoSuch")(b"", timeout=BOUND)
        self.assertEqual(caught.exception.code().name, "UNIMPLEMENTED")


if __name__ == "__main__":
    unittest.main(verbosity=2)
