#!/usr/bin/env python3
"""What somebody sees who knows nothing of Leasemap but a node's port, and has grpcurl: the services by reflection, keys
and values as text, errors with their reasons, health, and a watch that goes on at another node."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import unittest

from basics import BOUND, ENVIRONMENT, ROOT, wait_for
from cluster import SharedClusterTest

KEY_VALUE, HEALTH = "leasemap.v1.KeyValue/", "grpc.health.v1.Health/"


def find_grpcurl():
    places = [os.environ["PATH"], pathlib.Path.home() / "go/bin", ROOT / "build/tools/bin"]
    found = shutil.which("grpcurl", path=os.pathsep.join(map(str, places)))
    assert found, "grpcurl is missing: tools/get-grpcurl.sh brings it"
    return found


def snake(fields):
    """Field names as in the protos: some versions of grpcurl write them so, others as startTime."""
    return {re.sub("(?<=[a-z])([A-Z])", lambda upper: "_" + upper[1].lower(), name): value
            for name, value in fields.items()}


class Stream:
    """A call whose answers come one after the other, until it is stopped."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
        self.shown = ""
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while piece := os.read(self.process.stdout.fileno(), 65536):
            self.shown += piece.decode()

    def answers(self):
        """The complete answers so far."""
        found, at, decoder = [], 0, json.JSONDecoder(object_hook=snake)
        shown = self.shown.strip()
        while at < len(shown):
            try:
                answer, at = decoder.raw_decode(shown, at)
            except json.JSONDecodeError:
                break
            found.append(answer)
            while at < len(shown) and shown[at].isspace():
                at += 1
        return found

    def events(self):
        return [event for answer in self.answers() for event in answer.get("events", [])]

    def last_cursor(self):
        """The last cursor, and the events before it as (kind, key, value)."""
        answers = self.answers()
        last = max(i for i, answer in enumerate(answers) if "cursor" in answer)
        events = [event for answer in answers[:last + 1] for event in answer.get("events", [])]
        return answers[last]["cursor"], [(e["kind"], e["entry"]["key"], e["entry"].get("value")) for e in events]

    def stop(self):
        self.process.kill()
        self.thread.join()
        self.process.communicate()


class GrpcurlTest(SharedClusterTest):
    def command(self, node, *words, data=None):
        data = [] if data is None else ["-d", json.dumps(data)]
        return [find_grpcurl(), "-plaintext", *data, node.target, *words]

    def run_it(self, node, *words, data=None):
        return subprocess.run(self.command(node, *words, data=data), capture_output=True, text=True, timeout=BOUND,
                              env=ENVIRONMENT)

    def call(self, node, method, **data):
        done = self.run_it(node, method, data=data)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout, object_hook=snake)

    def fails(self, node, method, *words, **data):
        done = self.run_it(node, method, data=data)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)
        return done.stderr

    def stream(self, node, method, **data):
        stream = Stream(self.command(node, method, data=data))
        self.addCleanup(stream.stop)
        return stream

    def test_list_and_describe(self):
        node = self.nodes[0]
        services = self.run_it(node, "list").stdout.split()
        self.assertLessEqual({"leasemap.v1.KeyValue", "leasemap.v1.Mesh", "grpc.health.v1.Health"}, set(services))
        methods = self.run_it(node, "list", "leasemap.v1.KeyValue").stdout.split()
        for name in "Get Set Delete Renew Release List BatchGet BatchSet Write Watch".split():
            self.assertIn(f"leasemap.v1.KeyValue.{name}", methods)
        request = self.run_it(node, "describe", "leasemap.v1.SetRequest").stdout
        for field in ("string key = 1", "bytes value_bytes = 4", ".google.protobuf.Duration lease_duration = 5"):
            self.assertIn(field, request)
        self.assertIn("stream .leasemap.v1.WatchResponse", self.run_it(node, "describe", KEY_VALUE[:-1]).stdout)
        for message in ("google.rpc.ErrorInfo", "google.rpc.Status", "grpc.health.v1.HealthCheckRequest"):
            self.assertIn("is a message", self.run_it(node, "describe", message).stdout)

    def test_set_and_get(self):
        a, b, c = self.nodes
        first = self.call(a, KEY_VALUE + "Set", key="color", value="blue")["entry"]
        self.assertEqual((first["lease"]["holder"], first["origin"]), ("n1", "n1"))
        self.assertNotIn("value", first, "a write is answered without its value")
        wait_for("color on n2", lambda: b.get("color"))
        self.assertEqual(self.call(b, KEY_VALUE + "Get", key="color")["entry"]["value"], "blue")
        again = self.call(a, KEY_VALUE + "Set", key="color", value="green")["entry"]
        self.assertEqual(again["lease"]["start_time"], first["lease"]["start_time"], "a renewal keeps the start")
        self.assertNotEqual(again["version"], first["version"])
        wait_for("green on n3", lambda: c.get("color") == "green")
        # The same bytes are the same key; 0xff is no text and comes back as bytes.
        self.assertEqual(self.call(a, KEY_VALUE + "Get", key_bytes="Y29sb3I=")["entry"]["key"], "color")
        self.call(a, KEY_VALUE + "Set", key_bytes="/w==", value_bytes="AP8=")
        entry = self.call(a, KEY_VALUE + "Get", key_bytes="/w==")["entry"]
        self.assertEqual((entry["key_bytes"], entry["value_bytes"]), ("/w==", "AP8="))

    def test_errors_say_what_and_why(self):
        a, b, _ = self.nodes
        self.call(a, KEY_VALUE + "Set", key="held", value="1", holder="somebody")
        wait_for("held on n2", lambda: b.get("held"))
        self.fails(b, KEY_VALUE + "Set", "FailedPrecondition", "LEASE_HELD", "leased by somebody for", "name somebody as the holder",
                   "expire_time", "google.rpc.RetryInfo", key="held", value="2")
        self.fails(a, KEY_VALUE + "Get", "NotFound", "KEY_NOT_FOUND", key="nothing")
        self.fails(a, KEY_VALUE + "Set", "InvalidArgument", "KEY_INVALID", value="1")
        self.fails(a, KEY_VALUE + "Set", "InvalidArgument", "REQUEST_INVALID", "value", key="k")
        self.fails(a, KEY_VALUE + "Set", "InvalidArgument", "LEASE_INVALID", key="k", value="1", lease_duration="1s")
        self.fails(a, KEY_VALUE + "Watch", "InvalidArgument", "CURSOR_INVALID", cursor="junk")
        self.fails(a, KEY_VALUE + "Set", "InvalidArgument", "REQUEST_INVALID", "ack_nodes", key="k", value="1",
                   ack="ACK_ALL", ack_nodes=2)
        self.fails(a, KEY_VALUE + "Set", "Aborted", "VERSION_MISMATCH", key="held", value="2", holder="somebody",
                   if_absent=True)

    def test_health(self):
        node = self.nodes[0]
        for service in ("", "leasemap.v1.KeyValue", "leasemap.v1.Mesh", "liveness"):
            self.assertEqual(self.call(node, HEALTH + "Check", service=service), {"status": "SERVING"})
        self.fails(node, HEALTH + "Check", "NotFound", "liveness", service="nothing")
        watch, unknown = self.stream(node, HEALTH + "Watch"), self.stream(node, HEALTH + "Watch", service="nothing")
        self.assertEqual(wait_for("the state", watch.answers), [{"status": "SERVING"}])
        self.assertEqual(wait_for("the state", unknown.answers), [{"status": "SERVICE_UNKNOWN"}])

    def test_health_tells_of_a_drain(self):
        node = self.cluster(1).nodes[0]
        ready, alive = self.stream(node, HEALTH + "Watch"), self.stream(node, HEALTH + "Watch", service="liveness")
        wait_for("both states", lambda: ready.answers() and alive.answers())
        self.assertEqual(node.kill(15), 0)
        wait_for("the end of the streams", lambda: not ready.thread.is_alive() and not alive.thread.is_alive())
        self.assertEqual(ready.answers(), [{"status": "SERVING"}, {"status": "NOT_SERVING"}])
        self.assertEqual(alive.answers(), [{"status": "SERVING"}])

    def test_a_watch_goes_on_at_another_node(self):
        a, b, c = self.nodes
        a.set("w/1", "one")
        wait_for("w/1 on n2", lambda: b.get("w/1"))
        first = self.stream(b, KEY_VALUE + "Watch", prefixes=["w/"], include_snapshot=True)
        wait_for("the snapshot", lambda: any(answer.get("snapshot_end") for answer in first.answers()))
        a.set("w/2", "two")
        a.set("w/1", "uno")
        wait_for("three events", lambda: len(first.events()) == 3)
        wait_for("a cursor after them", lambda: len(first.last_cursor()[1]) == 3)
        first.stop()
        self.assertEqual([event["kind"] for event in first.events()], ["KIND_SET"] * 3)
        cursor, seen = first.last_cursor()
        a.delete("w/2")
        a.set("w/3", "three")
        then = self.stream(c, KEY_VALUE + "Watch", prefixes=["w/"], cursor=cursor)
        wait_for("two events", lambda: len(then.events()) >= 2)
        a.set("w/end", "end")
        wait_for("the last event", lambda: then.events()[-1]["entry"]["key"] == "w/end")
        wait_for("a cursor after it", lambda: len(then.last_cursor()[1]) == len(then.events()))
        seen += then.last_cursor()[1]
        self.assertEqual(seen, [("KIND_SET", "w/1", "one"), ("KIND_SET", "w/2", "two"), ("KIND_SET", "w/1", "uno"),
                                ("KIND_DELETED", "w/2", None), ("KIND_SET", "w/3", "three"),
                                ("KIND_SET", "w/end", "end")])


if __name__ == "__main__":
    unittest.main(verbosity=2)
