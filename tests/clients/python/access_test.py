"""Tokens and refusals, against a node that is a gRPC server in this process and looks at what each call shows; files
that change; and which name a map takes. TLS with real nodes is in tests/e2e/python_client_access_test.py."""
import asyncio
import concurrent.futures
import os
import pathlib
import tempfile
import threading
import unittest
from unittest import mock

from support import World, entry, pb, refusal, status_details

import grpc

import leasemap
from leasemap import aio, flows
from leasemap.access import Access
from leasemap.core import PRINCIPAL, holder_of
from leasemap.retry import elsewhere, refuses
from leasemap.v1 import key_value_pb2_grpc

BOUND = 20  # seconds for what takes a millisecond
SECRET = "s3cret-token"


class Known(key_value_pb2_grpc.KeyValueServicer):
    """A node that knows callers by their tokens. `calls` has the method, token and holder of each call."""

    def __init__(self):
        self.principals = {SECRET: "alice"}  # of each token; empty: the node says none
        self.calls, self.denied = [], set()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        key_value_pb2_grpc.add_KeyValueServicer_to_server(self, self.server)
        status = grpc.unary_unary_rpc_method_handler(lambda request, context: self.answer("GetStatus", context, b""))
        healthy = grpc.unary_stream_rpc_method_handler(self.healthy)
        self.server.add_generic_rpc_handlers((
            grpc.method_handlers_generic_handler("leasemap.v1.Mesh", {"GetStatus": status}),
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Watch": healthy})))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(None).wait(BOUND)

    def answer(self, method, context, answer, holder=""):
        shown = dict(context.invocation_metadata()).get("authorization", "")
        token = shown.removeprefix("Bearer ")
        self.calls.append((method, token, holder))
        if token not in self.principals:
            self.refuse(context, grpc.StatusCode.UNAUTHENTICATED)
        name = self.principals[token]
        context.set_trailing_metadata((("leasemap-principal", name),) if name else ())
        if method in self.denied:
            self.refuse(context, grpc.StatusCode.PERMISSION_DENIED, (("leasemap-principal", name),) if name else ())
        return answer

    @staticmethod
    def refuse(context, code, more=()):
        context.set_trailing_metadata((("grpc-status-details-bin", status_details(code.name)), *more))
        context.abort(code, "a test says so")

    def methods(self, method):
        return [call for call in self.calls if call[0] == method]

    @staticmethod
    def until_over(context):
        over = threading.Event()
        if context.add_callback(over.set):
            over.wait(BOUND)

    # The services.

    def healthy(self, _, context):
        yield b"\x08\x01"  # SERVING
        self.until_over(context)

    def Watch(self, request, context):
        yield self.answer("Watch", context, pb.WatchResponse(cursor="c1", snapshot_end=True))
        self.until_over(context)

    def Set(self, request, context):
        return self.answer("Set", context, pb.SetResponse(entry=entry(request.key, holder=request.holder)),
                           request.holder)

    def BatchSet(self, request, context):
        results = [pb.BatchResult(entry=entry(each.key, holder=each.holder)) for each in request.requests]
        return self.answer("BatchSet", context, pb.BatchSetResponse(results=results), request.requests[0].holder)

    def Delete(self, request, context):
        return self.answer("Delete", context, pb.DeleteResponse(), request.holder)


class NodeTest(unittest.TestCase):
    def setUp(self):
        self.node = Known()
        self.addCleanup(self.node.close)
        self.target = f"127.0.0.1:{self.node.port}"

    def map(self, *arguments, **options):
        made = leasemap.SyncMap(self.target, *arguments, **options)
        self.addCleanup(made.close)
        return made


class TokenTest(NodeTest):
    def test_it_goes_with_each_call_and_names_the_holder(self):
        m = self.map(token=SECRET)
        self.assertRegex(m.holder, r"^alice/.+-\d+-[0-9a-f]{8}$")
        m["color"] = "blue"
        m.update(a="1")
        m.delete("a", missing_ok=True)
        self.assertEqual(self.node.calls, [
            ("Watch", SECRET, ""), ("GetStatus", SECRET, ""), ("Set", SECRET, m.holder), ("BatchSet", SECRET, m.holder),
            ("Delete", SECRET, m.holder)])

    def test_the_name_is_asked_for_before_the_first_write_if_nothing_was_waited_for(self):
        m = self.map(token=SECRET, sync_timeout=0)
        m["color"] = "blue"
        self.assertTrue(m.holder.startswith("alice/"))
        self.assertEqual((len(self.node.methods("GetStatus")), self.node.methods("Set")),
                         (1, [("Set", SECRET, m.holder)]))

    def test_a_holder_that_is_given_stays(self):
        m = self.map("me", token=SECRET)
        m["color"] = "blue"
        self.assertEqual((m.holder, self.node.methods("GetStatus")), ("me", []))

    def test_a_node_that_knows_no_names_changes_nothing(self):
        self.node.principals[SECRET] = ""
        self.assertNotIn("/", self.map(token=SECRET).holder)
        self.node.denied.add("GetStatus")
        self.assertNotIn("/", self.map(token=SECRET).holder)

    def test_a_refusal_tells_the_name_too(self):
        self.node.denied.add("GetStatus")
        self.assertTrue(self.map(token=SECRET).holder.startswith("alice/"))

    def test_without_a_token_nobody_asks_for_a_name(self):
        self.node.principals[""] = ""
        self.assertNotIn("/", self.map().holder)
        self.assertEqual(self.node.methods("GetStatus"), [])

    def test_a_file_is_read_again_when_it_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            file, new = pathlib.Path(folder, "token"), pathlib.Path(folder, "new")
            file.write_text(f"{SECRET}\n")
            m = self.map(token_file=str(file))
            self.node.principals["another"] = "alice"
            new.write_text("another\n")
            new.rename(file)
            m["a"] = "1"
            file.unlink()
            with self.assertLogs("leasemap", "WARNING") as logged:
                m["b"] = "1"
                m["c"] = "1"
        self.assertEqual([token for _, token, _ in self.node.methods("Set")], ["another"] * 3)
        self.assertEqual(len(logged.output), 1, "it is said once")
        self.assertNotIn("another", logged.output[0])

    def test_asyncio_does_the_same(self):
        async def run():
            async with aio.SyncMap(self.target, token=SECRET) as m:
                await m.set("color", "blue")
                self.assertRegex(m.holder, r"^alice/.+-\d+-[0-9a-f]{8}$")
                self.assertEqual(self.node.calls, [("Watch", SECRET, ""), ("GetStatus", SECRET, ""),
                                                   ("Set", SECRET, m.holder)])
                self.node.denied.add("Set")
                with self.assertRaises(leasemap.PermissionDeniedError):
                    await m.set("color", "red")
                self.assertEqual(len(self.node.methods("Set")), 2)
            self.node.denied.add("GetStatus")
            async with aio.SyncMap(self.target, token=SECRET) as m:
                self.assertTrue(m.holder.startswith("alice/"))
        asyncio.run(run())


class RefusalTest(NodeTest):
    def refused(self, kind, make):
        """It is refused at once, and asked once."""
        with self.assertLogs("leasemap", "ERROR"), self.assertRaises(kind) as caught:
            make()
        self.assertEqual(caught.exception.reason, caught.exception.code)
        self.assertEqual(len(self.node.methods("Watch")), 1)

    def test_a_map_of_nobody_is_refused_at_once(self):
        self.refused(leasemap.UnauthenticatedError, lambda: leasemap.SyncMap(self.target, token="unknown"))
        self.assertEqual(self.node.calls, [("Watch", "unknown", "")])

    def test_so_is_one_that_may_not_watch(self):
        self.node.denied.add("Watch")
        self.refused(leasemap.PermissionDeniedError, lambda: leasemap.SyncMap(self.target, token=SECRET))

    def test_so_are_those_of_asyncio(self):
        async def opened():
            await aio.SyncMap(self.target, token="unknown").open()
        self.refused(leasemap.UnauthenticatedError, lambda: asyncio.run(opened()))

    def test_a_write_is_not_tried_again(self):
        m = self.map(token=SECRET)
        self.node.denied |= {"Set", "Delete"}
        for write in (lambda: m.set("k", "v"), lambda: m.delete("k"), lambda: m.setdefault("k", "v"),
                      lambda: m.lease("k", "v", ack="all").acquire()):
            before = len(self.node.methods("Set")) + len(self.node.methods("Delete"))
            with self.assertRaises(leasemap.PermissionDeniedError):
                write()
            self.assertLessEqual(len(self.node.methods("Set")) + len(self.node.methods("Delete")) - before, 1)
        self.assertTrue(m.synced, "the watch goes on")

    def test_a_watch_that_was_refused_waits_until_it_is_asked_for(self):
        self.node.denied.add("Watch")
        m = self.map(token=SECRET, sync_timeout=0)
        for tries in (2, 3):
            with self.assertLogs("leasemap", "ERROR"), self.assertRaises(leasemap.PermissionDeniedError):
                m.wait_synced(BOUND)
            # The first wait may come before the first try has ended, or after that.
            self.assertLessEqual(len(self.node.methods("Watch")), tries)
        self.assertEqual((m.refused.reason, m.synced), ("PERMISSION_DENIED", False))
        m["k"] = "v"  # what the rights allow goes on
        self.node.denied.clear()
        m.wait_synced(BOUND)
        self.assertEqual((m.refused, m.synced), (None, True))

    def test_closing_ends_a_watch_that_waits(self):
        self.node.denied.add("Watch")
        with self.assertLogs("leasemap", "ERROR"):
            m = self.map(token=SECRET, sync_timeout=0)
            with self.assertRaises(leasemap.PermissionDeniedError):
                m.wait_synced(BOUND)
        m.close()
        self.assertFalse(any(thread.is_alive() for thread in m._threads))


class PlainTextTest(unittest.TestCase):
    def test_a_token_stays_on_this_machine(self):
        for target in ("10.0.0.1:7400", "[2001:db8::1]:7400", "no-such-name.invalid:7400", "127.0.0.1:1,10.0.0.1:7400"):
            with self.assertRaisesRegex(leasemap.InvalidError, "plain text") as caught:
                leasemap.SyncMap(target, token=SECRET)
            self.assertNotIn(SECRET, str(caught.exception))

    def test_with_asyncio_too(self):
        async def run():
            with self.assertRaisesRegex(leasemap.InvalidError, "plain text"):
                await aio.SyncMap("10.0.0.1:7400", token=SECRET).open()
        asyncio.run(run())

    def test_unless_the_caller_takes_that_on_itself_or_uses_tls(self):
        for options in ({"insecure_token": True}, {"credentials": grpc.ssl_channel_credentials()}):
            Access(token=SECRET, **options).check(["10.0.0.1:7400"])
        Access(token=SECRET).check(["127.0.0.1:7400", "127.1.2.3:7400", "[::1]:7400"])
        Access().check(["10.0.0.1:7400"])

    def test_no_channel_sends_it_although_a_name_means_another_address_now(self):
        made = World(targets=("10.0.0.1:7400",), holder="", asks_name=True)
        with self.assertRaisesRegex(leasemap.InvalidError, "plain text") as caught:
            from leasemap.drive import Shell
            Shell(made.core, Access(token=SECRET)).run(flows.named(made.core))
        self.assertTrue(refuses(caught.exception))
        self.assertFalse(elsewhere(caught.exception))


class OptionsTest(unittest.TestCase):
    def test_what_does_not_go_together_is_refused(self):
        for options in ({"tls_cert": "c"}, {"tls_key": "k"}, {"token": "t", "token_file": "f"},
                        {"credentials": object(), "tls_ca": "ca"}, {"token": "two words"}, {"token": "line\n"},
                        {"token": "ünïcode"}):
            with self.assertRaises(ValueError, msg=options) as caught:
                Access(**options)
            self.assertNotIn("two words", str(caught.exception))

    def test_bad_files_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            missing, empty = f"{folder}/missing", pathlib.Path(folder, "empty")
            empty.write_text("")
            for options in ({"tls_ca": missing}, {"token_file": missing}, {"tls_cert": missing, "tls_key": missing}):
                with self.assertRaisesRegex(FileNotFoundError, "missing"):
                    Access(**options)
            for options in ({"tls_ca": str(empty)}, {"token_file": str(empty)},
                            {"tls_cert": str(empty), "tls_key": str(empty)}):
                with self.assertRaisesRegex(ValueError, "empty"):
                    Access(**options)

    def test_the_environment_is_read_where_it_is_asked_for(self):
        with mock.patch.dict(os.environ, {"LEASEMAP_TLS_CA": "ca", "LEASEMAP_TLS_CERT": "", "LEASEMAP_TOKEN": "t"}):
            self.assertEqual(leasemap.from_environment(), {"tls_ca": "ca", "token": "t"})
        with mock.patch.dict(os.environ, {"LEASEMAP_TLS_CERT": "c", "LEASEMAP_TLS_KEY": "k", "LEASEMAP_TOKEN": "t",
                                          "LEASEMAP_TOKEN_FILE": "f"}, clear=True):
            self.assertEqual(leasemap.from_environment(), {"tls_cert": "c", "tls_key": "k", "token_file": "f"})


class NameTest(unittest.TestCase):
    def test_long_names_keep_the_random_bits(self):
        self.assertEqual(holder_of("alice", "host-1-abcdef01"), "alice/host-1-abcdef01")
        for length in (230, 245, 253, 254, 255):
            holder = holder_of("p" * length, "höst-4711-abcdef01")
            self.assertLessEqual(len(holder.encode()), 255)
            self.assertTrue(holder.startswith("p" * length))
            self.assertTrue("host-4711-abcdef01".endswith(holder[length + 1:][-10:]))

    def test_it_is_asked_at_the_next_node_where_one_fails(self):
        world = World(holder="", asks_name=True)

        def nodes(call):
            if call.target == "a:1":
                raise refusal("UNAVAILABLE")
            return "alice" if call.method == PRINCIPAL else pb.SetResponse(entry=entry("k", holder=call.request.holder))
        world.nodes = nodes
        world.run(flows.set_(world.core, "k", "v"))
        self.assertEqual([(call.target, call.method) for call in world.calls],
                         [("a:1", PRINCIPAL), ("b:1", PRINCIPAL), ("b:1", "Set")])
        self.assertTrue(world.calls[-1].request.holder.startswith("alice/"))
        self.assertEqual(world.core.cache.holder, world.core.holder)


if __name__ == "__main__":
    unittest.main(verbosity=2)
