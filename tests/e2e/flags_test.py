#!/usr/bin/env python3
"""leasemapd as whoever starts it sees it: its flags, variables and configuration file, what it refuses to start with,
and a port that is taken."""
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

from basics import BOUND, ENVIRONMENT, LEASEMAP, LEASEMAPD, SCRATCH, mesh_pb, wait_for
from cluster import ClusterTest, Node


def frame(kind, flags, stream, body):
    """A frame of HTTP/2."""
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def make_grpc_complain(node):
    """A call whose timeout is no number; returns when the node has read it."""
    def field(name, value):
        return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    call = b"\x83\x86" + field(b":path", b"/x/y") + field(b"te", b"trailers") + field(b"grpc-timeout", b"soon")
    with socket.create_connection((node.ip, node.port), timeout=BOUND) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, call) +
                           frame(6, 0, 0, b"ping-ack"))
        got = b""
        while frame(6, 1, 0, b"ping-ack") not in got:
            more = connection.recv(4096)
            assert more, f"the node closed the connection: {got}"
            got += more


FREE = ("--listen=127.0.0.1:0", "--mesh-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0")


class FlagsTest(ClusterTest):
    def run_it(self, *flags, variables=None, prefix=()):
        """A leasemapd that should end by itself; `prefix` is a command to run it under."""
        return subprocess.run([*prefix, LEASEMAPD, *flags], capture_output=True, text=True, timeout=BOUND,
                              env={**ENVIRONMENT, **(variables or {})})

    def wrong(self, *flags, names, status=2, variables=None):
        done = self.run_it(*flags, variables=variables)
        self.assertEqual(done.returncode, status, f"{flags}: {done.stderr}")
        for name in names:
            self.assertIn(name, done.stderr, f"{flags}")
        self.assertEqual(done.stdout, "")
        return done

    def config(self, text):
        file = tempfile.NamedTemporaryFile("w", dir=SCRATCH, suffix=".conf", delete=False)
        with file:
            file.write(text)
        return file.name

    def started(self, *flags, variables=None):
        """The status of a node that runs with these flags and variables besides its name and ports."""
        node = Node("plain", flags=flags, variables=variables)
        cluster = self.cluster(nodes=[node], wait=False)
        status = node.status()
        cluster.close()
        return status

    def test_help_and_version(self):
        shown = self.run_it("--help")
        self.assertEqual(shown.returncode, 0)
        for flag in ("node-id cluster listen mesh-listen advertise http-listen seeds leasing lease-duration data-dir "
                     "fsync check-data min-members max-clock-skew forget-after insecure log-level log-format max-bytes max-connections max-watches config version help").split():
            self.assertIn(f"--{flag}", shown.stdout)
        version = self.run_it("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout, r"^\d+\.\d+\.\d+\n$")
        client = subprocess.run([LEASEMAP, "--version"], capture_output=True, text=True, timeout=BOUND)
        self.assertEqual(client.stdout, f"leasemap {version.stdout}")

    def test_wrong_flags_exit_2_and_are_named(self):
        for flag, value in (("listen", "nonsense"), ("listen", "127.0.0.1:65536"), ("mesh-listen", "127.0.0.1"),
                            ("http-listen", "x"), ("advertise", ":::"), ("seeds", "a:1,b"), ("leasing", "maybe"),
                            ("lease-duration", "1"), ("lease-duration", "1s"), ("lease-duration", "-1h"),
                            ("lease-duration", "9000h"), ("min-members", "0"), ("min-members", "two"), ("max-clock-skew", "0"), ("max-clock-skew", "2m"),
                            ("node-id", "n" * 256), ("node-id", "a\nb"), ("cluster", "\x01"), ("insecure", "perhaps"),
                            ("fsync", "sometimes"), ("check-data", "on")):
            with self.subTest(flag=flag, value=value):
                self.wrong(f"--{flag}={value}", *([] if flag == "listen" else FREE[:1]), names=[f"--{flag}"])
        self.wrong("--no-such-flag=1", names=["--no-such-flag", "--help"])
        self.wrong("stray", names=["stray"])

    def test_flags_of_tls_are_given_together(self):
        for flag, value in (("tls-cert", "c"), ("tls-key", "k"), ("tls-ca", "a")):
            with self.subTest(flag=flag):
                self.wrong(*FREE, f"--{flag}={value}", names=["--tls-cert", "--tls-key", "--tls-ca", "together"])
        self.wrong(*FREE, names=["--tls-cert"], variables={"LEASEMAP_TLS_CERT": "c"})
        self.wrong(*FREE, "--tls-client-auth=require", names=["--tls-client-auth", "--tls-cert"])
        self.wrong(*FREE, "--tls-client-auth=perhaps", names=["--tls-client-auth"])

    def test_beyond_loopback_needs_insecure(self):
        for flag in ("listen", "mesh-listen", "http-listen"):
            with self.subTest(flag=flag):
                self.wrong(*[free for free in FREE if not free.startswith(f"--{flag}=")], f"--{flag}=0.0.0.0:0",
                           names=[f"--{flag}", "--insecure"])
        node = Node("open", ip="0.0.0.0", flags=["--insecure"])
        self.cluster(nodes=[node], wait=False)
        self.assertTrue(node.status())

    def test_every_address_is_not_shown_as_one(self):
        def addresses(node):
            members = node.mesh.ListMembers(mesh_pb.ListMembersRequest(), timeout=BOUND).members
            return {member.node_id: member.address for member in members}
        for every in ("0.0.0.0", "[::]") if socket.has_dualstack_ipv6() else ("0.0.0.0",):
            with self.subTest(every=every):
                a = Node("a", ip=every, flags=["--insecure"])
                cluster = self.cluster(nodes=[a], wait=False)
                self.assertEqual(addresses(a), {"a": f"any:{a.mesh_port}"})
                found = f"127.0.0.1:{a.mesh_port}"
                b = cluster.add(Node("b", flags=[f"--seeds={found}"]))
                cluster.wait_linked()
                both = {"a": found, "b": b.mesh_target}
                self.assertEqual((addresses(a), addresses(b)), (both, both))
                self.assertNotIn("::ffff:", a.log.read_text() + b.log.read_text())
                cluster.close()

    def test_flag_then_variable_then_file_then_default(self):
        file = self.config("\ufeff# a comment\n\ncluster = \"of-the-file\" # one more\n--lease-duration = 30s\nseeds =\n")
        status = self.started(f"--config={file}")
        self.assertEqual((status.node_id, status.cluster, status.lease_duration.seconds), ("plain", "of-the-file", 30))
        status = self.started(f"--config={file}", variables={"LEASEMAP_CLUSTER": "of-the-variable"})
        self.assertEqual((status.cluster, status.lease_duration.seconds), ("of-the-variable", 30))
        status = self.started("--cluster=first", "--cluster=last", "--leasing", "off",
                              variables={"LEASEMAP_CLUSTER": "of-the-variable", "LEASEMAP_CONFIG": file})
        self.assertEqual((status.cluster, status.leasing), ("last", False))
        # Empty is unset, and a variable that no flag has is none of ours.
        status = self.started("--cluster=", variables={"LEASEMAP_CLUSTER": "", "LEASEMAP_NONSENSE": "1"})
        self.assertEqual((status.cluster, status.leasing, status.lease_duration.seconds), ("leasemap", True, 3600))

    def test_a_misspelt_variable_is_told(self):
        node = Node("plain", variables={"LEASEMAP_SEED": "127.0.0.1:1", "LEASEMAP_PORT": "tcp://10.0.0.1:7400"})
        self.cluster(nodes=[node], wait=False)
        log = node.log.read_text()
        self.assertRegex(log, r"warning leasemapd does not know the variable LEASEMAP_SEED and .* is LEASEMAP_SEEDS meant\?")
        self.assertNotIn("LEASEMAP_PORT", log)

    def test_SIGHUP_reads_seeds_and_log_level_again(self):
        file = pathlib.Path(self.config(""))
        a, b = Node("a"), Node("b", flags=[f"--config={file}"])
        cluster = self.cluster(nodes=[a, b], seeds=[[], []], wait=False)
        wait_for("b serves alone", lambda: b.status().ready)

        def reload(text, says):
            before = len(b.log.read_text())
            file.write_text(text)
            b.process.send_signal(signal.SIGHUP)
            return wait_for(f"the log says {says}", lambda: re.search(says, b.log.read_text()[before:]))
        reload(f"seeds = {a.mesh_target}\nlog-level = warn\ncluster = other\n", "--cluster was changed")
        cluster.wait_linked()
        self.assertEqual(b.status().cluster, "leasemap")
        reload("seeds = nonsense\n", r"error SIGHUP: --seeds \(line 1 of .*\): .* no flag was changed")
        # The level was still warn, until this file was read.
        self.assertNotIn("info", reload("cluster = third\n", "--cluster was changed").string)
        reload("log-level = trace\n", "info SIGHUP: .* trace")
        self.assertEqual(b.linked(), {"a", "b"})

    def test_the_log_as_json_and_its_levels(self):
        node = Node("n1", variables={"LEASEMAP_NONSENSE": "1"},
                    flags=["--log-format=json", "--log-level=trace"])
        # The ports are read from the log, which is JSON here as well.
        cluster = self.cluster(nodes=[node], wait=False)
        self.assertTrue(node.status())
        cluster.close()
        lines = [json.loads(line) for line in node.log.read_text().splitlines()]
        self.assertGreater(len(lines), 3)
        for line in lines:
            self.assertEqual(list(line), ["time", "level", "message"])
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(line["level"], ("trace", "debug", "info", "warn", "error"))
        self.assertIn(("warn", True), {(line["level"], "LEASEMAP_NONSENSE" in line["message"]) for line in lines})
        self.wrong(*FREE, "--log-format=xml", names=["--log-format", "text, json"])
        self.wrong(*FREE, "--log-level=loud", names=["--log-level", "trace, debug, info, warn, error"])

    def test_what_gRPC_logs_is_for_debugging(self):
        for level, form, shown in (("info", "text", False), ("info", "json", False),
                                   ("debug", "text", True), ("debug", "json", True)):
            with self.subTest(level=level, form=form):
                node = Node("n1", flags=[f"--log-level={level}", f"--log-format={form}"])
                cluster = self.cluster(nodes=[node], wait=False)
                make_grpc_complain(node)
                cluster.close()
                log = node.log.read_text()
                said = r"Z debug gRPC: .*grpc-timeout" if form == "text" else r'"debug","message":"gRPC: .*grpc-timeout'
                self.assertEqual(bool(re.search(said, log)), shown, log)
                self.assertEqual("grpc-timeout" in log, shown, log)
                for line in log.splitlines():
                    self.assertRegex(line, r'^20\d\d-' if form == "text" else r'^{"time":"20\d\d-')

    def test_wrong_variables_and_files_are_named(self):
        self.wrong(*FREE, names=["--leasing (LEASEMAP_LEASING)"], variables={"LEASEMAP_LEASING": "maybe"})
        self.wrong(*FREE, "--config=/no/such/file", names=["--config", "/no/such/file"])
        self.wrong(*FREE, f"--config={SCRATCH}", names=["--config"])
        self.wrong(*FREE, f"--config={self.config('cluster = c' + chr(10) + 'nonsense = 1')}",
                   names=["--config", "line 2"])
        self.wrong(*FREE, f"--config={self.config('cluster')}", names=["--config", "line 1"])
        self.wrong(*FREE, f"--config={self.config('max-clock-skew = 9h')}", 
                   names=["--max-clock-skew (line 1 of"])

    def test_a_taken_port_exits_1_and_says_so(self):
        for flag in ("listen", "mesh-listen"):
            with self.subTest(flag=flag), socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                address = f"127.0.0.1:{taken.getsockname()[1]}"
                free = [free for free in FREE if not free.startswith(f"--{flag}=")]
                done = self.run_it(*free, f"--{flag}={address}")
                self.assertEqual(done.returncode, 1, done.stderr)
                said = [line for line in done.stderr.splitlines() if re.search(r"\berror\b", line)]
                self.assertTrue(any(address in line and f"--{flag}" in line for line in said), done.stderr)
                self.assertIn("the port is taken", done.stderr)

    def test_other_addresses_that_cannot_be_listened_on_say_why(self):
        for flag in ("listen", "mesh-listen"):
            free = [free for free in FREE if not free.startswith(f"--{flag}=")]
            # An address for documentation (RFC 5737), and a name that never is one (RFC 2606).
            for address, says in (("203.0.113.1:0", "this machine has no such address"),
                                  ("nowhere.invalid:0", "name an address of this machine in")):
                with self.subTest(flag=flag, address=address):
                    done = self.wrong(*free, "--insecure", f"--{flag}={address}", status=1,
                                      names=[address.split(":")[0], says, f"--{flag}"])
                    self.assertNotIn("taken", done.stderr)

    def test_a_port_for_the_privileged_says_so(self):
        first = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        if os.getuid() != 0 or int(first.read_text()) < 2:
            self.skipTest("takes root, and ports that are kept from others")
        for flag in ("listen", "mesh-listen"):
            free = [free for free in FREE if not free.startswith(f"--{flag}=")]
            with self.subTest(flag=flag):
                done = self.run_it(*free, f"--{flag}=127.0.0.1:1",
                                   prefix=["setpriv", "--bounding-set=-net_bind_service"])
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, f"127.0.0.1:1: Permission denied; ports below 1024 .* --{flag}\n")

    def test_a_second_node_on_the_ports_of_the_first(self):
        node = self.cluster(1).nodes[0]
        done = self.run_it(f"--listen={node.target}", *FREE[1:])
        self.assertEqual(done.returncode, 1, done.stderr)
        done = self.run_it(FREE[0], f"--mesh-listen={node.mesh_target}", FREE[2])
        self.assertEqual(done.returncode, 1, done.stderr)
        node.set("still", "here")


if __name__ == "__main__":
    unittest.main(verbosity=2)
