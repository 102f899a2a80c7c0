#!/usr/bin/env python3
"""The cluster of docker-compose.tls.yml on a real Docker engine: it makes its certificates, and all ports are TLS."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from compose_test import BUILD, ROOT, compose_command, free_range, make_image, run, wait_for, why_not

PROJECT = f"leasemap-tls-test-{os.getpid()}"
LEASEMAP = BUILD / "clients/cli/leasemap"


class ComposeTlsTest(unittest.TestCase):
    def setUp(self):
        image = os.environ.get("LEASEMAP_TEST_IMAGE") or "leasemap-compose-test"
        if "LEASEMAP_TEST_IMAGE" not in os.environ:
            make_image(image)
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.first_port = free_range()
        text = (ROOT / "docker-compose.tls.yml").read_text()
        self.assertEqual(text.count("image: leasemap\n"), 2)
        text = text.replace("image: leasemap\n", f"image: {image}\n")
        for i in range(3):
            self.assertEqual(text.count(f'"{7400 + i}:7400"'), 1)
            text = text.replace(f'"{7400 + i}:7400"', f'"{self.first_port + i}:7400"')
        file = self.folder / "docker-compose.yml"
        file.write_text(text)
        self.command = compose_command() + ["-f", file, "--project-directory", ROOT, "-p", PROJECT]
        self.addCleanup(self.compose, "down", "-v", "-t", "5")
        self.compose("up", "-d", "--no-build")

    def compose(self, *arguments, check=True):
        return run(*self.command, *arguments, check=check, timeout=180)

    def inside(self, node, *arguments):
        """`leasemap` in a container; the variables of the node tell it of TLS."""
        return self.compose("exec", "-T", node, "leasemap", *arguments).stdout

    def outside(self, node, *arguments):
        return subprocess.run([LEASEMAP, "--server", f"localhost:{self.first_port + node - 1}", "--timeout", "3s",
                               *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)

    def wait_healthy(self):
        def healthy():
            ids = self.compose("ps", "-q", "n1", "n2", "n3").stdout.split()
            states = [run("docker", "inspect", "-f", "{{.State.Health.Status}}", each).stdout.strip() for each in ids]
            return states == ["healthy"] * 3
        wait_for("three healthy nodes", healthy, 30)

    def test_all_ports_are_tls(self):
        self.wait_healthy()
        self.inside("n1", "set", "color", "blue", "--ack", "all")
        self.assertEqual(self.inside("n3", "get", "color"), "blue\n")
        ca = self.folder / "ca.crt"
        ca.write_text(self.compose("exec", "-T", "n1", "cat", "/etc/leasemap/tls/ca.crt").stdout)
        for node in (1, 2, 3):
            self.assertEqual(self.outside(node, "--tls-ca", ca, "get", "color").stdout, "blue\n")
        self.assertEqual(self.outside(1, "get", "color").returncode, 3)
        # The certificates are made once: what starts again goes on with them.
        self.compose("restart", "-t", "5", "n2")
        self.compose("up", "-d", "--no-build")
        self.wait_healthy()
        self.assertEqual(self.outside(2, "--tls-ca", ca, "get", "color").stdout, "blue\n")


if __name__ == "__main__":
    if reason := why_not():
        print(f"compose_tls_test: skipped: {reason}")
        sys.exit(0)
    unittest.main()
