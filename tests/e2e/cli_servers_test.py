#!/usr/bin/env python3
"""Several servers in --server: which one is asked, which calls go on to the next one, and a watch that moves."""
import contextlib
import json
import signal
import socket
import subprocess
import unittest
from concurrent import futures

from basics import BOUND, ENVIRONMENT, LEASEMAP, grpc, kv_grpc, wait_for
from cli_support import DONE, REFUSED, UNREACHABLE, WRONG_USE, CommandLineTest, Running
from cluster import Node


class BrokenNode(kv_grpc.KeyValueServicer):
    """Takes each call and ends it as a broken connection would: nobody can tell whether it was done."""

    def __init__(self):
        self.calls = []

    def fail(self, request, context):
        self.calls.append(type(request).__name__)
        context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")

    Get = Set = Delete = Renew = BatchSet = fail


@contextlib.contextmanager
def broken_node():
    broken, server = BrokenNode(), grpc.server(futures.ThreadPoolExecutor(2))
    kv_grpc.add_KeyValueServicer_to_server(broken, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield broken, f"127.0.0.1:{port}"
    finally:
        server.stop(None)


@contextlib.contextmanager
def nobody():
    """An address where nothing listens, and nothing will while it is used."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def ask(servers, *command, variables=None):
    done = subprocess.run([LEASEMAP, "--server", ",".join(servers), *command], input=b"", capture_output=True,
                          timeout=BOUND, env={**ENVIRONMENT, **(variables or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class ServersTest(CommandLineTest):
    def test_the_next_one_is_asked_where_nobody_listens(self):
        with nobody() as first, nobody() as second:
            servers = (first, self.nodes[0].target)
            self.assertEqual(ask(servers, "set", "n/1", "one")[0], DONE)
            self.assertEqual(ask(servers, "get", "n/1"), (DONE, "one\n", ""))
            self.assertEqual(ask(servers, "ls", "n/"), (DONE, "n/1\tone\n", ""))
            self.assertEqual(ask((f"{first}, {self.nodes[0].target}",), "healthcheck"), (DONE, "SERVING\n", ""))
            self.assertEqual(ask(servers, "renew", "n/1")[0], DONE)
            self.assertEqual(ask(servers, "get", "n/none")[0], REFUSED)
            code, out, error = ask(servers, "del", "n/1", "n/none")
            self.assertEqual((code, out.split(",")[0]), (REFUSED, "n/1: deleted"))
            for command in (("get", "k"), ("set", "k", "v"), ("del", "k"), ("watch",), ("members",)):
                code, out, error = ask((first, second), *command)
                self.assertEqual((code, out), (UNREACHABLE, ""), command)
                self.assertIn(first, error)
            self.assertIn(f"no answer from {first}, {second} (", ask((first, second), "get", "k")[2])

    def test_a_stopped_node_holds_nobody_up(self):
        stopped = self.cluster(1).nodes[0]
        servers = (stopped.target, self.nodes[0].target)
        with stopped.paused():
            self.assertEqual(ask(servers, "set", "stopped", "v")[0], DONE)
            self.assertEqual(ask(servers, "get", "stopped"), (DONE, "v\n", ""))

    def test_a_node_that_does_not_serve_yet_is_passed_over(self):
        alone = Node("waits", flags=["--min-members=2"])
        self.cluster(nodes=[alone], wait=False)
        self.assertEqual(ask((alone.target,), "set", "s", "v")[0], REFUSED)
        servers = (alone.target, self.nodes[0].target)
        self.assertEqual(ask(servers, "set", "s", "v")[0], DONE)
        self.assertEqual(ask(servers, "get", "s"), (DONE, "v\n", ""))
        self.assertEqual(ask(servers, "del", "s", "s", "--allow-missing")[0], DONE)
        with nobody() as silent:
            code, _, error = ask((alone.target, silent), "get", "s")
            self.assertEqual(code, REFUSED, "a refusal counts for more than silence")
            self.assertNotIn("no answer from", error)

    def test_a_write_that_may_have_been_done_is_not_repeated(self):
        node = self.nodes[0]
        with broken_node() as (broken, address):
            servers = (address, node.target)
            for command in (("set", "w/1", "v"), ("del", "w/1"), ("renew", "w/1")):
                code, _, error = ask(servers, *command)
                self.assertEqual(code, UNREACHABLE, command)
            self.assertIn("may have done the write or not", error)
            self.assertEqual(broken.calls, ["SetRequest", "DeleteRequest", "RenewRequest"])
            self.assertIsNone(node.get("w/1"))
            self.assertEqual(ask(servers, "set", "w/1", "named", "--request-id", "r1")[0], DONE)
            self.assertEqual(ask(servers, "get", "w/1"), (DONE, "named\n", ""))
            self.assertEqual(broken.calls[3:], ["SetRequest", "GetRequest"])

    def test_a_server_that_is_none_is_wrong_use(self):
        for server, says in (("::1", r"\[::1\]:7400"), ("node1:65536", "65535"), ("node1:0", "65535"),
                             ("http://node1", "URL"), ("a,b:x", '"b:x"'), (",", "names no server")):
            code, out, error = ask((server,), "get", "k")
            self.assertEqual((code, out), (WRONG_USE, ""))
            self.assertRegex(error, f"^leasemap: --server: .*{says}")
        done = subprocess.run([LEASEMAP, "get", "k"], capture_output=True, timeout=BOUND, text=True,
                              env={**ENVIRONMENT, "LEASEMAP_SERVER": "node1:0"})
        self.assertEqual(done.returncode, WRONG_USE)
        self.assertRegex(done.stderr, "^leasemap: LEASEMAP_SERVER: ")

    def test_a_watch_moves_on_with_its_cursor(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        a.set("m/1", "1")
        cluster.wait_equal()
        with nobody() as first:
            watch = Running("--server", f"{first},{b.target},{c.target}", "watch", "m/", "--snapshot", "-o", "json")
        self.addCleanup(watch.stop)
        told = lambda: [line["entry"]["key"] for line in map(json.loads, watch.out()) if "kind" in line]
        wait_for("the snapshot and a cursor", lambda: told() == ["m/1"] and '"cursor"' in watch.out()[-1])
        self.assertEqual(watch.error(), "", "that the first server was passed over is no news")
        a.set("m/2", "2")
        wait_for("m/2", lambda: told() == ["m/1", "m/2"])
        b.kill(signal.SIGKILL)
        wait_for("the move", lambda: "watching again" in watch.error())
        self.assertIn(f"reconnecting to {c.target}", watch.error())
        a.set("m/3", "3")
        wait_for("m/3", lambda: told() == ["m/1", "m/2", "m/3"])
        self.assertIsNone(watch.process.poll())
        cluster.restart(b)


if __name__ == "__main__":
    unittest.main(verbosity=2)
