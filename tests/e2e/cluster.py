"""Real leasemapd processes on loopback, and the tests that drive them.

A node starts on ports that the kernel chooses and that are read from its log; a restarted node takes the same ones
again, so that the others find it. Only processes that were started here are ever signalled, and they die with the test.
"""
import contextlib
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from basics import (BOUND, ENVIRONMENT, LEASEMAPD, SCRATCH, error_info, grpc, keyed, kv_grpc, mesh_grpc, mesh_pb, pb,
                    text, wait_for)


class Node:
    """One node: its process, its ports once they are known, and the stubs of a client. `prefix` is a command to run it
    under; `flags` and `variables` are its own."""

    def __init__(self, name, ip="127.0.0.1", prefix=(), flags=(), variables=None):
        self.name, self.ip, self.prefix, self.flags = name, ip, prefix, flags
        self.environment = {**ENVIRONMENT, **(variables or {})}
        self.port = self.mesh_port = 0
        self.log = pathlib.Path(tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=SCRATCH)[1])
        self.process = self.channel = None

    @property
    def target(self):
        return f"{self.ip}:{self.port}"

    @property
    def mesh_target(self):
        return f"{self.ip}:{self.mesh_port}"

    def start(self, seeds=()):
        before = self.log.stat().st_size
        command = ["setpriv", "--pdeathsig", "KILL", *self.prefix, str(LEASEMAPD), f"--node-id={self.name}",
                   f"--listen={self.target}", f"--mesh-listen={self.mesh_target}", f"--http-listen={self.ip}:0",
                   f"--seeds={','.join(seed.mesh_target for seed in seeds)}", *self.flags]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)

        def ports():
            assert self.process.poll() is None, f"{self.name} did not start: {self.log.read_text()[before:]}"
            return re.search(r"gRPC on port (\d+), mesh on port (\d+)", self.log.read_text()[before:])
        self.port, self.mesh_port = map(int, wait_for(f"{self.name} tells its ports", ports).groups())
        # The smaller one bounds how long one attempt to connect may last, the others the pause between two.
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 1000),
                   ("grpc.max_reconnect_backoff_ms", 500), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = self.connect(options)
        self.kv, self.mesh = kv_grpc.KeyValueStub(self.channel), mesh_grpc.MeshStub(self.channel)
        return self

    def connect(self, options):
        return grpc.insecure_channel(self.target, options)

    def kill(self, how=signal.SIGKILL, seconds=BOUND):
        """Ends the process and returns its exit status."""
        self.disconnect()
        self.process.send_signal(how)
        process, self.process = self.process, None
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s of {how.name}") from None

    def disconnect(self):
        if self.channel:
            self.channel.close()

    def pause(self):
        """Returns when all threads of the process are stopped: on a busy machine they run on for some time."""
        self.process.send_signal(signal.SIGSTOP)

        def stopped():
            try:
                tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/status")
                return all("State:\tT" in task.read_text() for task in tasks)
            except OSError:
                return False  # a thread ended meanwhile
        wait_for(f"{self.name} is stopped", stopped)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self):
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def rss_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def status(self):
        """GetStatus, or None while nothing answers."""
        try:
            return self.mesh.GetStatus(mesh_pb.GetStatusRequest(), timeout=5)
        except grpc.RpcError:
            return None

    def linked(self):
        """The names of the nodes it is linked with, its own included."""
        members = self.mesh.ListMembers(mesh_pb.ListMembersRequest(), timeout=BOUND).members
        return {member.node_id for member in members if member.state == mesh_pb.Member.STATE_ALIVE}

    def set(self, key, value, **fields):
        return self.kv.Set(pb.SetRequest(**keyed(key, value), **fields), timeout=BOUND).entry

    def delete(self, key, **fields):
        return self.kv.Delete(pb.DeleteRequest(**keyed(key), **fields), timeout=BOUND).entry

    def get(self, key):
        """The value, or None."""
        try:
            return text(self.kv.Get(pb.GetRequest(**keyed(key)), timeout=BOUND).entry)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def dump(self):
        """{key: (value, holder, version)} of the whole map."""
        found, token = {}, ""
        while True:
            page = self.kv.List(pb.ListRequest(page_size=1000, page_token=token), timeout=BOUND)
            found.update({text(e, "key"): (text(e), e.lease.holder, e.version) for e in page.entries})
            token = page.next_page_token
            if not token:
                return found

    def load(self, items, done=None, outstanding=64):
        """Sets many keys, some at a time; returns those that were acknowledged, which it puts into `done`."""
        done, gate = {} if done is None else done, threading.Semaphore(outstanding)

        def finish(call, key, value):
            if not call.exception():
                done[key] = value
            gate.release()
        for key, value in items:
            gate.acquire()
            try:
                call = self.kv.Set.future(pb.SetRequest(**keyed(key, value)), timeout=BOUND)
                call.add_done_callback(lambda call, key=key, value=value: finish(call, key, value))
            except ValueError:  # the channel was closed: the node was killed
                gate.release()
        for _ in range(outstanding):
            gate.acquire()
        return done


class Cluster:
    """Nodes n1, n2 …, or those given. Each has the first as its seed, or else those whose numbers `seeds` gives it."""

    def __init__(self, size=3, flags=(), nodes=None, seeds=None):
        self.nodes = nodes or [Node(f"n{i}", flags=flags) for i in range(1, size + 1)]
        self.seeds = seeds or [[]] + [[0]] * (len(self.nodes) - 1)

    def start(self):
        for node, seeds in zip(self.nodes, self.seeds):
            node.start([self.nodes[i] for i in seeds])
        return self

    def add(self, node):
        """One node more, with the first as its seed."""
        self.nodes.append(node)
        return node.start(self.nodes[:1])

    def wait_linked(self, nodes=None, seconds=BOUND):
        """Until these nodes (or all) serve and each is linked with all others of them."""
        nodes = nodes or self.nodes
        names = {node.name for node in nodes}

        def whole(node):
            status = node.status()
            return status and status.ready and names <= node.linked()
        for node in nodes:
            wait_for(f"{node.name} is ready and linked with {names}", lambda node=node: whole(node), seconds)

    def restart(self, node):
        return node.start([other for other in self.nodes if other is not node])

    def wait_equal(self, nodes=None, seconds=BOUND):
        """Until all these nodes (or all) hold the same map; returns it and the seconds it took."""
        begin, nodes = time.monotonic(), nodes or self.nodes

        def hashes():
            states = [node.status() for node in nodes]
            return [state and state.map_hash for state in states]

        def same():
            found = hashes()
            return None not in found and len(set(found)) == 1
        wait_for(lambda: f"equal maps, {hashes()}", same, seconds)
        took = time.monotonic() - begin
        maps = [node.dump() for node in nodes]
        assert all(each == maps[0] for each in maps), "equal fingerprints, but the maps differ"
        return maps[0], took

    def close(self):
        """Ends all that runs; each has to end cleanly, and none may have ended before."""
        running = [node for node in self.nodes if node.process]
        said = [f"{node.name} ended by itself with {node.process.returncode}" for node in running
                if node.process.poll() is not None]
        for node in running:
            node.resume()
            node.disconnect()
            node.process.send_signal(signal.SIGTERM)
        for node in running:
            status = node.kill(signal.SIGTERM)
            if status:
                said.append(f"{node.name} ended with {status} on SIGTERM")
        assert not said, "; ".join(said)

    def logs(self, lines=60):
        return "".join(f"--- {node.name}\n" + "".join(node.log.read_text(errors="replace").splitlines(True)[-lines:])
                       for node in self.nodes)


class ClusterTest(unittest.TestCase):
    """A test with nodes, which end with it; their logs are shown when it fails."""

    def run(self, result=None):
        result = result or self.defaultTestResult()
        self.clusters, before = [], len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            sys.stderr.write("".join(cluster.logs() for cluster in self.clusters))
        return result

    def cluster(self, *arguments, wait=True, **keywords):
        cluster = Cluster(*arguments, **keywords)
        self.clusters.append(cluster)
        self.addCleanup(cluster.close)
        cluster.start()
        if wait:
            cluster.wait_linked()
        return cluster

    def refused(self, call, code, reason, *words):
        """The call fails with this code and reason, and its message holds the words; returns the error."""
        with self.assertRaises(grpc.RpcError, msg=f"{reason} was expected") as caught:
            call()
        error = caught.exception
        self.assertEqual((error.code().name, error_info(error).reason), (code, reason), error.details())
        self.assertGreater(len(error.details()), 10, "the message says too little")
        for word in words:
            self.assertIn(word, error.details())
        return error


class SharedClusterTest(ClusterTest):
    """Tests that share one cluster of three: self.nodes, n1 to n3. Each uses keys of its own."""

    @classmethod
    def setUpClass(cls):
        cls.shared = Cluster()
        cls.addClassCleanup(cls.shared.close)
        try:
            cls.shared.start().wait_linked()
        except AssertionError:
            sys.stderr.write(cls.shared.logs())
            raise
        cls.nodes = cls.shared.nodes

    def setUp(self):
        super().setUp()
        self.clusters.append(self.shared)
