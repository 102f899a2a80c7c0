#!/usr/bin/env python3
"""The Python client, installed by pip, with real nodes: over TLS, whom it trusts, what it shows, files that change, and
an example by the environment's variables; and with rights. tests/clients/python/access_test.py has the rest."""
import asyncio
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import python_package  # first: it puts the installed package on the path
from basics import BOUND, ENVIRONMENT, ROOT, SCRATCH, wait_for
from cluster import ClusterTest
from rights_test import RightsNode, grant, principal
from tls_test import Authority, TlsNode

import leasemap
from leasemap import aio

ASKS = "--tls-client-auth=require"
REFUSED_S = 1.5  # how long a client that no node takes tries it


class AccessTest(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.alice = dict(zip(("tls_cert", "tls_key"), map(str, cls.authority.client("alice"))))

    def setUp(self):
        super().setUp()
        self.trusts = {"tls_ca": str(self.authority.ca)}

    def nodes(self, *flags, size=1):
        nodes = [TlsNode(f"n{i}", self.authority, flags) for i in range(1, size + 1)]
        for node in nodes:
            node.shown = tuple(map(pathlib.Path, self.alice.values()))
        return self.cluster(nodes=nodes).nodes

    def map(self, target, **options):
        made = leasemap.SyncMap(target, lease=0, **options)
        self.addCleanup(made.close)
        return made

    def not_taken(self, target, **options):
        with self.assertRaises(leasemap.UnavailableError):
            leasemap.SyncMap(target, sync_timeout=REFUSED_S, **options)

    def test_a_map_trusts_its_authority_alone(self):
        a, b = self.nodes(size=2)
        one, two = [self.map(node.target, **self.trusts) for node in (a, b)]
        one["color"] = "blue"
        wait_for("the write is there, too", lambda: two.get("color") == "blue")
        with one.lease("job", duration=5) as lease:
            self.assertEqual(len(lease.fencing_token), 32)
        # No node knows this token; none is asked for one.
        self.map(a.target, token="some-token", **self.trusts)["shape"] = "round"
        self.not_taken(a.target)
        self.not_taken(a.target, tls_ca=str(Authority().ca))

    def test_a_client_shows_its_certificate(self):
        node, = self.nodes(ASKS)
        m = self.map(node.target, **self.trusts, **self.alice)
        m["color"] = "blue"
        self.assertEqual(m.fetch("color").value, "blue")
        self.not_taken(node.target, **self.trusts)
        stranger = dict(zip(("tls_cert", "tls_key"), map(str, Authority().client("alice"))))
        self.not_taken(node.target, **self.trusts, **stranger)

    def test_asyncio_does_the_same(self):
        node, = self.nodes(ASKS)

        async def run():
            async with aio.SyncMap(node.target, **self.trusts, **self.alice) as m:
                await m.set("color", "green")
                self.assertEqual((await m.fetch("color")).value, "green")
                async with m.lease("job") as lease:
                    self.assertTrue(lease.held)
            with self.assertRaises(leasemap.UnavailableError):
                await aio.SyncMap(node.target, sync_timeout=REFUSED_S, **self.trusts).open()
        asyncio.run(run())

    def test_a_node_is_of_the_name_that_it_was_given_by(self):
        node = TlsNode("n1", self.authority)
        node.put(*self.authority.node("n1", "--host", "map.example.com"))
        self.cluster(nodes=[node])
        look_up = socket.getaddrinfo

        def here(host, *arguments, **keywords):
            return look_up("127.0.0.1" if host.endswith(".example.com") else host, *arguments, **keywords)
        with mock.patch("socket.getaddrinfo", here):
            self.map(f"map.example.com:{node.port}", **self.trusts)["color"] = "blue"
            self.not_taken(f"other.example.com:{node.port}", **self.trusts)

            async def run():
                async with aio.SyncMap(f"map.example.com:{node.port}", **self.trusts) as m:
                    self.assertEqual(m["color"], "blue")
            asyncio.run(run())

    def test_certificates_that_were_replaced_count_for_the_next_connection(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="client-", dir=SCRATCH))

        def put(authority):
            for name, source in zip(("ca", "key", "cert"), (authority.ca, *reversed(authority.client("bob")))):
                shutil.copy(source, folder / f"{name}.new")
                (folder / f"{name}.new").rename(folder / name)
        put(self.authority)
        node, = self.nodes(ASKS)
        options = {f"tls_{name}": str(folder / name) for name in ("ca", "cert", "key")}
        m = self.map(node.target, **options)

        async def run():
            async with aio.SyncMap(node.target, **options) as other:
                node.kill()
                new = Authority()
                node.ca, node.shown = new.ca, new.client("alice")
                node.put(*new.node("n1"), new.ca)
                node.start()
                put(new)
                for each in (m, other):
                    end = asyncio.get_running_loop().time() + BOUND
                    while not each.synced:
                        self.assertLess(asyncio.get_running_loop().time(), end, "synced again")
                        await asyncio.sleep(0.02)
                await other.set("color", "blue", lease=0)
                await asyncio.to_thread(m.set, "color", "red")
        asyncio.run(run())
        self.assertEqual(node.get("color"), "red")

    def test_an_example_by_the_environments_variables(self):
        nodes = self.nodes(ASKS, size=2)
        variables = {"LEASEMAP_TLS_CA": self.trusts["tls_ca"], "LEASEMAP_TLS_CERT": self.alice["tls_cert"],
                     "LEASEMAP_TLS_KEY": self.alice["tls_key"], "LEASEMAP_TOKEN": "some-token"}
        done = subprocess.run([sys.executable, ROOT / "clients/python/examples/leader.py",
                               ",".join(node.target for node in nodes), "3"], capture_output=True, text=True,
                              timeout=BOUND, check=False,
                              env={**ENVIRONMENT, **variables, "PYTHONPATH": str(python_package.SITE)})
        self.assertEqual((done.returncode, done.stdout.count("work done by")), (0, 3), done.stderr)


class RightsTest(ClusterTest):
    ALICE = principal("alice", grant("a/", "READ", "WRITE"))

    def setUp(self):
        super().setUp()
        self.node = RightsNode("n1", self.ALICE)
        self.cluster(nodes=[self.node])

    def map(self, **options):
        made = leasemap.SyncMap(self.node.target, **{"prefix": "a/", "token": "alice", **options})
        self.addCleanup(made.close)
        return made

    def test_what_the_rights_allow(self):
        m = self.map()
        self.assertRegex(m.holder, "^alice/.")
        m["a/color"] = "blue"
        m.update({"a/shape": "round"})
        m.release("a/color")
        del m["a/shape"]
        with leasemap.Lock(m, "a/lock"), m.lease("a/job", duration=5) as lease:
            self.assertEqual((lease.entry.holder, m["a/lock"]), (m.holder, m.holder))
        self.assertEqual(self.node.get("a/color"), "blue")

    def test_what_they_do_not_allow(self):
        with self.assertRaises(leasemap.UnauthenticatedError):
            self.map(token="unknown")
        with self.assertRaises(leasemap.PermissionDeniedError) as caught:
            self.map(prefix="")
        self.assertIn("alice may not read", str(caught.exception))
        m = self.map(prefix="", sync_timeout=0)
        m["a/color"] = "blue"
        with self.assertRaises(leasemap.PermissionDeniedError):
            m["b"] = "1"
        with self.assertRaises(leasemap.BatchError) as batch:
            m.update({"a/color": "red", "b": "1"})
        self.assertEqual({key: type(error) for key, error in batch.exception.failed.items()},
                         {"b": leasemap.PermissionDeniedError})
        with self.assertRaises(leasemap.PermissionDeniedError):
            self.map(holder="bob")["a/shape"] = "round"

    def test_rights_that_change(self):
        m = self.map()
        m["a/color"] = "blue"
        with m.lease("a/job", duration=30) as lease:
            self.node.put("")
            wait_for("the watch is refused", lambda: m.refused)
            self.assertIsInstance(m.refused, leasemap.UnauthenticatedError)
            self.assertEqual((m.synced, m["a/color"], lease.held), (False, "blue", True))
            with self.assertRaises(leasemap.UnauthenticatedError):
                m.wait_synced(BOUND)
            self.node.put(self.ALICE)

            def again():
                try:
                    m.wait_synced(BOUND)
                    return True
                except leasemap.UnauthenticatedError:
                    return False
            with self.assertLogs("leasemap", "ERROR"):  # one of each try
                wait_for("the node has read the file", again)
            m["a/color"] = "red"
        self.assertEqual((m.refused, self.node.get("a/color")), (None, "red"))

    def test_asyncio(self):
        async def run():
            async with aio.SyncMap(self.node.target, prefix="a/", token="alice") as m:
                self.assertRegex(m.holder, "^alice/.")
                await m.set("a/color", "blue")
                async with aio.Lock(m, "a/lock"):
                    self.assertEqual(m["a/lock"], m.holder)
                self.node.put("")
                end = asyncio.get_running_loop().time() + BOUND
                with self.assertRaises(leasemap.UnauthenticatedError):
                    while asyncio.get_running_loop().time() < end:  # until the node has read the file
                        await m.set("a/shape", "round")
        asyncio.run(run())


if __name__ == "__main__":
    unittest.main(verbosity=2)
