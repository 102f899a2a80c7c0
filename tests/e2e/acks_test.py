#!/usr/bin/env python3
"""Writers are told: acks, who replaced a write, conflicts after a partition, retries and Explain; with the command line
beside."""
import json
import signal
import socket
import subprocess
import threading
import types
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, error_info, grpc, keyed, mesh_pb, pb, text, wait_for
from cluster import ClusterTest, Node


class Gate:
    """An address that leads nowhere until it is opened, and to a node's mesh port then."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.mesh_target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.to = None
        threading.Thread(target=self.run, daemon=True).start()

    def open(self, node):
        self.to = (node.ip, node.mesh_port)

    def run(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.to is None:
                near.close()
                continue
            far = socket.create_connection(self.to)
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        finally:
            for end in (a, b):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class AcksTest(ClusterTest):
    def run_it(self, node, *command, code=0):
        done = subprocess.run([LEASEMAP, "--server", node.target, *command], capture_output=True, timeout=BOUND,
                              env=ENVIRONMENT, text=True)
        self.assertEqual(done.returncode, code, f"leasemap {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout if code == 0 else done.stderr

    def test_acks(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        for ack in ({"ack": pb.ACK_MAJORITY}, {"ack": pb.ACK_ALL}, {"ack_nodes": 3}):
            entry = a.set("k", "v", **ack)
            if ack != {"ack": pb.ACK_MAJORITY}:
                for node in (b, c):
                    self.assertEqual(node.kv.Get(pb.GetRequest(key="k"), timeout=BOUND).entry.version, entry.version)
        self.assertRegex(self.run_it(a, "set", "k", "v", "--ack", "all"), r"^k: leased by n1 for 1h, version \S+\n$")
        self.assertRegex(self.run_it(b, "--holder", "n1", "del", "k", "--ack", "3"), r"^k: deleted, version \S+\n$")

        c.kill(signal.SIGKILL)
        self.run_it(a, "set", "k", "v", "--ack", "majority")
        error = self.run_it(a, "set", "k", "v", "--ack", "all", "--timeout", "1s", code=1)
        self.assertIn("acked by n1, n2; not by n3", error)
        # A replaced write is told by whom, at once.
        waiting = a.kv.Set.future(pb.SetRequest(key="r", value="1", ack=pb.ACK_ALL), timeout=BOUND)
        wait_for("the first write", lambda: a.get("r"))
        second = a.set("r", "2", holder="n1")
        error = waiting.exception()
        self.assertEqual((error.code().name, error_info(error).reason), ("ABORTED", "SUPERSEDED"), error.details())
        self.assertEqual(dict(error_info(error).metadata)["winner_version"], second.version)
        self.assertEqual(dict(error_info(error).metadata)["winner_holder"], "n1")
        # Two of three: the only one left is no majority.
        b.kill(signal.SIGKILL)
        self.refused(lambda: a.kv.Set(pb.SetRequest(key="k", value="v", ack=pb.ACK_MAJORITY), timeout=2),
                     "DEADLINE_EXCEEDED", "ACK_INCOMPLETE", "1 of the 2", "not by n2, n3")

    def test_of_racing_holders_at_most_one_has_all_acks(self):
        nodes = self.cluster().nodes
        for race in range(20):
            key = f"race-{race}"
            calls = [node.kv.Set.future(pb.SetRequest(key=key, value=node.name, ack=pb.ACK_ALL), timeout=BOUND)
                     for node in nodes]
            outcomes = [call.exception() for call in calls]
            winners = [node for node, error in zip(nodes, outcomes) if error is None]
            self.assertLessEqual(len(winners), 1, outcomes)
            for error in filter(None, outcomes):
                self.assertIn(error_info(error).reason, ("SUPERSEDED", "LEASE_HELD"), error)
            for winner in winners:
                for node in nodes:
                    self.assertEqual(node.get(key), winner.name)

    def test_a_conflict_is_told_where_the_losing_write_was_taken(self):
        gate = Gate()
        self.addCleanup(gate.listener.close)
        nodes = [Node("n1"), Node("n2")]
        cluster = self.cluster(nodes=nodes, seeds=[[], []], wait=False)
        a, b = nodes
        b.kill(signal.SIGKILL)
        b.start([types.SimpleNamespace(mesh_target=gate.mesh_target)])
        for node in nodes:
            wait_for(f"{node.name} is ready", lambda node=node: (node.status() or mesh_pb.GetStatusResponse()).ready)
        a.set("k", "of a", holder="first")
        wait_for("another second", lambda: a.set("clock", "").update_time.seconds > a.kv.Get(
            pb.GetRequest(key="k"), timeout=BOUND).entry.update_time.seconds)
        lost = b.set("k", "of b", holder="second")  # the same period, and a later start: it will lose
        lost_here, usual, others = [], [], []
        for into, fields in ((lost_here, {"kinds": [pb.Event.KIND_LOST]}), (usual, {}),
                             (others, {"kinds": [pb.Event.KIND_LOST], "keys": ["other"]})):
            call = b.kv.Watch(pb.WatchRequest(**fields))
            next(call)
            self.addCleanup(call.cancel)
            threading.Thread(target=self.collect, args=(call, into), daemon=True).start()
        self.assertEqual(self.run_it(b, "conflicts").splitlines()[1:], [])
        gate.open(a)
        cluster.wait_linked()
        wait_for("of a on n2", lambda: b.get("k") == "of a")
        wait_for("the LOST event", lambda: lost_here)
        self.assertEqual([(pb.Event.Kind.Name(event.kind), text(event.entry), event.entry.version, text(event.winner))
                          for event in lost_here], [("KIND_LOST", "of b", lost.version, "of a")])
        wait_for("the usual event", lambda: any(text(event.entry, "key") == "k" for event in usual))
        self.assertNotIn(pb.Event.KIND_LOST, [event.kind for event in usual])
        self.assertEqual(others, [])
        for node, count in ((a, 0), (b, 1)):
            answer = node.mesh.ListConflicts(mesh_pb.ListConflictsRequest(), timeout=BOUND)
            self.assertEqual((answer.total, len(answer.conflicts)), (count, count))
        listed = self.run_it(b, "conflicts").splitlines()
        self.assertEqual(listed[0].split()[:3], ["FOUND", "KEY", "LOSER"])
        self.assertEqual(listed[1].split()[1:5:2], ["k", lost.version])
        found = json.loads(self.run_it(b, "conflicts", "-o", "json"))
        self.assertEqual((found["loser"]["value"], found["winner"]["lease"]["holder"]), ("of b", "first"))

    @staticmethod
    def collect(call, into):
        try:
            for response in call:
                into += response.events
        except grpc.RpcError:
            pass

    def test_a_retry_is_answered_and_not_done_again(self):
        a, b, _ = self.cluster().nodes
        first = a.set("k", "1", holder="job", request_id="r1", ack=pb.ACK_ALL)
        self.assertEqual(b.set("k", "1", holder="job", request_id="r1").version, first.version)
        self.assertIn(first.version, self.run_it(a, "--holder", "job", "set", "k", "1", "--request-id", "r1"))
        a.set("k", "2", holder="job")
        self.assertEqual(a.set("k", "1", holder="job", request_id="r1").version, first.version)
        self.assertEqual(a.get("k"), "2")
        self.refused(lambda: a.set("k", "3", holder="job", request_id="r1"), "INVALID_ARGUMENT", "REQUEST_INVALID",
                     "request_id")
        said = self.run_it(a, "--holder", "job", "set", "new", "1", "--validate-only")
        self.assertRegex(said, "^new: leased by job .*not written\n$")
        self.assertIsNone(a.get("new"))

    def test_min_version(self):
        a, b, c = self.cluster().nodes
        for i in range(30):
            version = a.set("k", str(i)).version
            got = b.kv.Get(pb.GetRequest(key="k", min_version=version), timeout=BOUND).entry
            self.assertEqual((text(got), got.version), (str(i), version))
        self.assertEqual(self.run_it(c, "get", "k", "--min-version", version), "29\n")
        alone = self.cluster(1).nodes[0]
        self.refused(lambda: alone.kv.Get(pb.GetRequest(key="k", min_version=version), timeout=1), "UNAVAILABLE",
                     "NOT_CAUGHT_UP")
        self.assertIn("min_version", self.run_it(a, "get", "k", "--min-version", "nonsense", code=1))

    def test_explain(self):
        cluster = self.cluster()
        a, b, c = cluster.nodes
        version = a.set("k", "v", ack=pb.ACK_ALL).version
        views = [json.loads(line) for line in self.run_it(b, "explain", "k", "-o", "json").splitlines()]
        self.assertEqual([view["node_id"] for view in views], ["n2", "n1", "n3"])
        self.assertEqual({(view["entry"]["version"], view["rank"], view["lag"]) for view in views},
                         {(version, views[0]["rank"], "0")})
        c.pause()
        lines = self.run_it(a, "explain", "k").splitlines()
        c.resume()
        self.assertEqual(lines[0].split(), ["NODE", "ANSWER", "HOLDER", "VERSION", "LAG", "RANK"])
        self.assertEqual([line.split()[0] for line in lines[1:]], ["n1", "n2", "n3"])
        self.assertIn("has it", lines[2])
        self.assertIn("silent", lines[3])
        none = a.mesh.Explain(mesh_pb.ExplainRequest(**keyed("nothing")), timeout=BOUND).views
        self.assertEqual([view.HasField("entry") for view in none], [False] * len(none))


if __name__ == "__main__":
    unittest.main(verbosity=2)
