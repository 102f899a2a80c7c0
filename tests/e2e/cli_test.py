#!/usr/bin/env python3
"""The command line against real nodes: what each command prints, and its exit code."""
import base64
import json
import os
import socket
import subprocess
import tempfile
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, SCRATCH, wait_for
from cli_support import DONE, REFUSED, UNREACHABLE, CommandLineTest


class KeysAndNodesTest(CommandLineTest):
    def test_a_health_check_finds_the_node_by_the_nodes_own_variables(self):
        a = self.nodes[0]
        config = tempfile.NamedTemporaryFile("w", dir=SCRATCH, suffix=".conf", delete=False)
        with config:
            config.write(f"cluster = c\nlisten = 0.0.0.0:{a.port}\n")

        def check(variables, *options):
            done = subprocess.run([LEASEMAP, "healthcheck", *options], capture_output=True, timeout=BOUND, text=True,
                                  env={**ENVIRONMENT, **variables})
            return done.returncode, done.stdout
        serving, nowhere = (DONE, "SERVING\n"), "127.0.0.1:9"
        self.assertEqual(check({"LEASEMAP_LISTEN": f"0.0.0.0:{a.port}"}), serving)
        self.assertEqual(check({"LEASEMAP_LISTEN": "", "LEASEMAP_CONFIG": config.name}), serving)
        self.assertEqual(check({"LEASEMAP_LISTEN": nowhere, "LEASEMAP_SERVER": a.target}), serving)
        self.assertEqual(check({"LEASEMAP_LISTEN": nowhere}, "--server", a.target), serving)
        self.assertEqual(check({"LEASEMAP_LISTEN": nowhere, "LEASEMAP_CONFIG": config.name}), (UNREACHABLE, ""))

    def test_a_proxy_for_the_web_is_not_asked(self):
        proxy = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "grpc_proxy")}
        self.run_it("healthcheck", variables=proxy)
        self.run_it("set", "proxied", "no", variables=proxy)
        port = self.nodes[0].port
        self.assertEqual(self.run_it("--server", f"localhost:{port}", "get", "proxied", variables=proxy)[0], "no\n")

    def test_set_get_del(self):
        a, b, _ = self.nodes
        out, _ = self.run_it("set", "color", "blue")
        self.assertRegex(out, r"^color: leased by n1 for 1h, version \S+\n$")
        wait_for("color on n2", lambda: b.get("color"))
        self.assertEqual(self.run_it("get", "color", node=b)[0], "blue\n")
        entry = json.loads(self.run_it("get", "color", "-o", "json", node=b)[0])
        self.assertEqual((entry["key"], entry["value"], entry["lease"]["holder"]), ("color", "blue", "n1"))
        _, error = self.run_it("get", "nothing", code=REFUSED)
        self.assertIn('"nothing" does not exist', error)
        self.assertRegex(self.run_it("del", "color")[0], r"^color: deleted, version \S+\n$")
        self.run_it("get", "color", code=REFUSED)
        self.run_it("del", "color", code=REFUSED)
        self.assertEqual(self.run_it("del", "color", "--allow-missing")[0], "")

    def test_values_of_every_kind(self):
        for key, value in (("测试", "值 ✓"), ("empty", ""), ("-dash", "-v"), ("lines", "a\nb\tc")):
            self.run_it("set", "--", key, value)
            self.assertEqual(self.run_it("get", "--", key)[0], value + "\n")
        blob = os.urandom(1 << 20)
        self.run_it("set", "blob", "-", given=blob)
        self.assertEqual(self.run_it("get", "blob", raw=True)[0], blob)
        _, error = self.run_it("set", "blob", "-", given=blob + b"x", code=REFUSED)
        self.assertIn("1048577", error)
        os_key = b"\xff\x01"
        subprocess.run([LEASEMAP, "--server", self.nodes[0].target, "set", os_key, b"\xfe"], check=True, timeout=BOUND,
                       capture_output=True)
        self.assertEqual(self.nodes[0].get(os_key), b"\xfe")
        self.assertIn("\\xff\\x01\t\\xfe\n", self.run_it("ls")[0])

    def test_a_held_lease_is_refused_with_what_to_do(self):
        a, b, c = self.nodes
        self.run_it("set", "held", "1")
        wait_for("held on n3", lambda: c.get("held"))
        _, error = self.run_it("set", "held", "2", node=c, code=REFUSED)
        self.assertRegex(error, r'^leasemap: key "held" is leased by n1 for 59m\d+s; write through n1, wait, or, if '
                                r'the lease is yours, name n1 as the holder \(--holder n1\)\n$')
        for command in (("del", "held"), ("renew", "held"), ("release", "held")):
            self.run_it(*command, node=c, code=REFUSED)
        self.run_it("set", "held", "2", "--holder", "n1", node=c)
        self.run_it("set", "--holder=n1", "held", "3", node=c)
        self.run_it("set", "held", "4", node=c, variables={"LEASEMAP_HOLDER": "n1"})
        wait_for("the last write on n2", lambda: b.get("held") == "4")

    def test_renew_and_release(self):
        c = self.nodes[2]
        self.run_it("set", "lent", "1", "--lease", "10m")
        self.assertRegex(self.run_it("renew", "lent")[0], "^lent: leased by n1 for 10m, ")
        self.assertRegex(self.run_it("renew", "lent", "--lease=20m")[0], "^lent: leased by n1 for 20m, ")
        self.assertRegex(self.run_it("release", "lent")[0], "^lent: no lease, ")
        released = json.loads(self.run_it("get", "lent", "-o", "json")[0])["version"]
        wait_for("the release on n3", lambda: released in self.run_it("get", "lent", "-o", "json", node=c)[0])
        self.assertRegex(self.run_it("set", "lent", "2", "--lease", "0", node=c)[0], "^lent: no lease, ")
        self.assertIn("holds no lease", self.run_it("renew", "lent", "--only-if-held", code=REFUSED)[1])
        self.run_it("renew", "lent", "--if-version", "other", code=REFUSED)
        self.run_it("renew", "no-such-key", code=REFUSED)
        self.run_it("release", "no-such-key", code=REFUSED)
        self.run_it("set", "lent", "3", "--lease", "1s", node=c, code=REFUSED)

    def test_an_ephemeral_key_vanishes_everywhere(self):
        a, b, _ = self.nodes
        watch = self.running(b, "watch", "eph/", "--snapshot")
        wait_for("the snapshot's end", lambda: "# snapshot end" in watch.out())
        self.run_it("set", "eph/lapses", "1", "--lease", "2s", "--ephemeral")
        self.run_it("set", "eph/released", "2", "--ephemeral")
        wait_for("both on n2", lambda: {"SET eph/lapses 1", "SET eph/released 2"} <= set(watch.events()))
        self.run_it("release", "eph/released")
        self.run_it("get", "eph/released", code=REFUSED)
        wait_for("both gone", lambda: {"EXPIRED eph/lapses 1", "EXPIRED eph/released 2"} <= set(watch.events()))
        for node in (a, b):
            wait_for("an empty list", lambda: not self.run_it("ls", "eph/", node=node)[0])
        self.run_it("set", "eph/none", "3", "--lease", "0", "--ephemeral", code=REFUSED)

    def test_conditions(self):
        version = json.loads(self.run_it("set", "if", "1", "--if-absent", "-o", "json")[0])["version"]
        self.run_it("set", "if", "2", "--if-absent", code=REFUSED)
        self.run_it("set", "if", "2", "--if-version", version)
        self.run_it("set", "if", "3", "--if-version", version, code=REFUSED)
        self.run_it("del", "if", "--if-version", version, code=REFUSED)

    def test_ls(self):
        for name in "abcde":
            self.run_it("set", f"ls/{name}", name)
        every = [f"ls/{name}\t{name}\n" for name in "abcde"]
        self.assertEqual(self.run_it("ls", "ls/")[0], "".join(every))
        self.assertEqual(self.run_it("ls", "ls/", "--limit", "2")[0], "".join(every[:2]))
        self.assertEqual(self.run_it("ls", "--start", "ls/b", "--end", "ls/d")[0], "".join(every[1:3]))
        self.assertEqual(self.run_it("ls", "ls/", "--keys-only")[0], "".join(f"ls/{name}\n" for name in "abcde"))
        self.assertEqual(self.run_it("ls", "nothing/")[0], "")

    def test_batch_and_ls_of_many_pages_are_equal_everywhere(self):
        lines = "".join(f"many/{i:04d}\tvalue {i}\n" for i in range(2500))
        self.assertEqual(self.run_it("batch", given=lines.encode(), node=self.nodes[1])[0], "2500 set, 0 failed\n")
        self.shared.wait_equal()
        listed = {self.run_it("ls", "many/", "-o", "json", node=node)[0] for node in self.nodes}
        self.assertEqual(len(listed), 1)
        self.assertEqual([json.loads(line)["key"] for line in listed.pop().splitlines()],
                         [f"many/{i:04d}" for i in range(2500)])
        self.assertEqual(self.run_it("ls", "many/")[0], lines)

    def test_batch_reports_each_bad_line(self):
        held = ('{"key":"b/held","value":"1","holder":"other","lease":"1h"}\n'
                '{"key_bytes":"%s","value_bytes":"AA=="}\n' % base64.b64encode(b"b/\xff").decode())
        self.assertEqual(self.run_it("batch", given=held.encode())[0], "2 set, 0 failed\n")
        out, error = self.run_it("batch", given=b"b/1\tone\nno tab\nb/held\t2\n\n{\"key\":1}\nb/2\ttwo\n", code=REFUSED,
                                 quiet=False)
        self.assertEqual(out, "2 set, 3 failed\n")
        said = error.splitlines()
        self.assertEqual([line.split(":")[1] for line in said], [" line 2", " line 5", " line 3"])
        self.assertIn("leased by other", said[2])
        self.assertEqual(self.run_it("get", "b/2")[0], "two\n")

    def test_members_status_healthcheck(self):
        out, _ = self.run_it("members")
        self.assertEqual([line.split()[0] for line in out.splitlines()], ["NODE", "n1", "n2", "n3"])
        self.assertEqual([line.split()[2] for line in out.splitlines()[1:]], ["ALIVE"] * 3)
        members = [json.loads(line) for line in self.run_it("members", "-o", "json")[0].splitlines()]
        self.assertEqual({m["node_id"]: m["address"] for m in members}, {n.name: n.mesh_target for n in self.nodes})
        status = dict(line.split(maxsplit=1) for line in self.run_it("status")[0].splitlines())
        self.assertEqual((status["node"], status["cluster"], status["ready"]), ("n1", "leasemap", "yes"))
        self.assertEqual(json.loads(self.run_it("status", "-o", "json")[0])["members"], 3)
        self.assertEqual(self.run_it("healthcheck")[0], "SERVING\n")
        self.assertEqual(self.run_it("healthcheck", "--service", "liveness")[0], "SERVING\n")
        self.run_it("healthcheck", "--service", "nothing", code=REFUSED)

    def test_no_node_exits_3(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{nobody.getsockname()[1]}"
            for command in (("get", "k"), ("set", "k", "v"), ("ls",), ("members",), ("healthcheck",), ("watch",)):
                _, error = self.run_it(*command, "--server", address, code=UNREACHABLE)
                self.assertIn(address, error)
                self.assertIn("LEASEMAP_SERVER", error)
        found = subprocess.run([LEASEMAP, "status"], capture_output=True, timeout=BOUND,
                               env={**ENVIRONMENT, "LEASEMAP_SERVER": self.nodes[1].target}, check=True).stdout
        self.assertIn(b"n2", found)


if __name__ == "__main__":
    unittest.main(verbosity=2)
