#!/usr/bin/env python3
"""The cluster of docker-compose.yml on a real Docker engine: it starts, syncs, and survives a kill and a cut network.

The compose file is used as it is but for its name of the image and its range of ports, which become the test's own.
The image holds the release binaries of LEASEMAP_BUILD (build/release by default); LEASEMAP_TEST_IMAGE names another
image to test in its place. Skipped, with a message, where no Docker engine or no docker-compose runs.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("LEASEMAP_BUILD", "build/release")).resolve()
PROJECT = f"leasemap-test-{os.getpid()}"
PORTS = 10  # as many as the file publishes


def run(*command, check=True, timeout=120):
    """Runs a command to its end. With `check`, a failure shows all it said."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_for(what, condition, seconds):
    """Polls until the condition holds, and returns what it gave and after how long."""
    begin = time.monotonic()
    while True:
        got = condition()
        if got:
            return got, time.monotonic() - begin
        if time.monotonic() - begin > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def compose_command():
    """Compose as a command: Docker's plugin, or docker-compose. None if there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and run(*command, "version", check=False).returncode == 0:
            return command
    return None


def why_not():
    """Why the test cannot run here; empty if it can."""
    if not shutil.which("docker") or run("docker", "info", check=False).returncode:
        return "no Docker engine answers here"
    if not compose_command():
        return "neither docker compose nor docker-compose is here"
    return ""


def free_range():
    """A port from which PORTS ports in a row are free just now."""
    for _ in range(100):
        held = []
        try:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                first = probe.getsockname()[1]
            if first + PORTS > 65536:
                continue
            for port in range(first, first + PORTS):
                held.append(socket.socket())
                held[-1].bind(("0.0.0.0", port))
            return first
        except OSError:
            continue
        finally:
            for taken in held:
                taken.close()
    raise AssertionError("no free range of ports")


def make_image(tag):
    """An image with the binaries that are built already."""
    binaries = [BUILD / "server/leasemapd", BUILD / "clients/cli/leasemap"]
    for binary in binaries:
        assert binary.exists(), f"{binary} is not built"
    run(ROOT / "docker/base-image.sh", timeout=600)
    run("docker", "build", "-q", "--target", "runtime", "-t", f"{tag}-runtime", "-f", ROOT / "docker/Dockerfile", ROOT,
        timeout=600)
    with tempfile.TemporaryDirectory() as context:
        for binary in binaries:
            run("install", "-s", "-m", "755", binary, context)
        run("docker", "build", "-q", "--build-arg", f"RUNTIME={tag}-runtime", "-t", tag,
            "-f", ROOT / "docker/Dockerfile.prebuilt", context, timeout=600)


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.image = os.environ.get("LEASEMAP_TEST_IMAGE") or "leasemap-compose-test"
        if "LEASEMAP_TEST_IMAGE" not in os.environ:
            make_image(cls.image)
        cls.first_port = free_range()
        cls.folder = tempfile.TemporaryDirectory()
        text = (ROOT / "docker-compose.yml").read_text()
        for ours, theirs in (("image: leasemap\n", f"image: {cls.image}\n"),
                             ("7400-7409:7400", f"{cls.first_port}-{cls.first_port + PORTS - 1}:7400")):
            assert text.count(ours) == 1, f"docker-compose.yml has no single {ours!r}"
            text = text.replace(ours, theirs)
        cls.file = pathlib.Path(cls.folder.name) / "docker-compose.yml"
        cls.file.write_text(text)
        cls.command = compose_command() + ["-f", cls.file, "--project-directory", ROOT, "-p", PROJECT]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.addCleanup(self.clean_up)
        self.compose("up", "-d", "--no-build")
        self.nodes = self.containers()
        self.assertEqual(len(self.nodes), 3)
        self.wait_healthy(self.nodes, 10)

    def clean_up(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            sys.stderr.write(self.compose("logs", "--no-color", "--tail", "60", check=False).stdout)
        self.compose("down", "-v", "-t", "5")

    def compose(self, *arguments, check=True):
        return run(*self.command, *arguments, check=check, timeout=180)

    def containers(self):
        return sorted(self.compose("ps", "-q", "node").stdout.split())

    def inspect(self, container, form):
        return run("docker", "inspect", "-f", form, container).stdout.strip()

    def wait_healthy(self, containers, seconds):
        healthy = lambda: all(self.inspect(c, "{{.State.Health.Status}}") == "healthy" for c in containers)
        wait_for("all nodes healthy", healthy, seconds)

    def leasemap(self, container, *arguments, check=True):
        """The command line inside the container: it reaches its node whatever the network is."""
        return run("docker", "exec", container, "leasemap", *arguments, check=check, timeout=30)

    def wait_value(self, container, key, value, seconds):
        read = lambda: self.leasemap(container, "get", key, check=False).stdout == value + "\n"
        return wait_for(f"{key}={value} on {container[:12]}", read, seconds)[1]

    def wait_converged(self, containers, count, seconds):
        """Until all nodes list the same map of `count` keys."""
        def same():
            maps = {self.leasemap(c, "ls", "-o", "json", check=False).stdout for c in containers}
            return len(maps) == 1 and len(next(iter(maps)).splitlines()) == count
        wait_for(f"the same {count} keys on all nodes", same, seconds)

    def linked(self, container):
        """How many members the node is linked with, itself included."""
        members = self.leasemap(container, "members", "-o", "json").stdout.splitlines()
        return sum(json.loads(member)["state"] == "STATE_ALIVE" for member in members)

    def test_set_on_one_get_on_another(self):
        a, b, c = self.nodes
        self.leasemap(a, "set", "color", "blue")
        self.wait_value(b, "color", "blue", 5)
        self.wait_value(c, "color", "blue", 5)
        refused = self.leasemap(b, "set", "color", "red", check=False)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn(a[:12], refused.stderr, "the holder is named: the node, which is named by its container")
        # From outside, by the ports of the range.
        published = [run("docker", "port", node, "7400/tcp").stdout.split()[0] for node in self.nodes]
        ports = {int(address.rsplit(":", 1)[1]) for address in published}
        self.assertEqual(len(ports), 3)
        self.assertLessEqual(ports, set(range(self.first_port, self.first_port + PORTS)))
        client = BUILD / "clients/cli/leasemap"
        if client.exists():
            for port in ports:
                self.assertEqual(run(client, "--server", f"127.0.0.1:{port}", "get", "color").stdout, "blue\n")
        self.assertNotEqual(run("docker", "exec", a, "id", "-u").stdout.strip(), "0", "the node runs as root")

    def test_kill_one_and_start_it_again(self):
        a, b, c = self.nodes
        self.leasemap(a, "set", "before", "1")
        self.wait_value(b, "before", "1", 5)
        run("docker", "kill", b)
        self.leasemap(a, "set", "meanwhile", "2")
        run("docker", "start", b)
        self.wait_healthy([b], 15)
        self.wait_value(b, "before", "1", 5)
        self.wait_value(b, "meanwhile", "2", 5)
        self.leasemap(b, "set", "after", "3")
        self.wait_value(c, "after", "3", 5)
        self.wait_converged(self.nodes, 3, 10)

    def test_disconnect_and_connect(self):
        a, b, c = self.nodes
        self.leasemap(a, "set", "shared", "0")
        self.wait_converged(self.nodes, 1, 5)
        started = [self.inspect(node, "{{.State.StartedAt}}") for node in self.nodes]
        network = f"{PROJECT}_mesh"
        run("docker", "network", "disconnect", network, b)
        wait_for("the cut is noticed on both sides", lambda: self.linked(b) == 1 and self.linked(a) == 2, 10)
        self.leasemap(a, "set", "contested", "by-a")
        self.leasemap(b, "set", "contested", "by-b")
        for i in range(20):
            self.leasemap(a, "set", f"left-{i}", str(i))
            self.leasemap(b, "set", f"right-{i}", str(i))
        self.assertEqual(self.leasemap(c, "get", "right-0", check=False).returncode, 1)
        run("docker", "network", "connect", network, b)
        self.wait_converged(self.nodes, 42, 30)
        contested = {self.leasemap(node, "get", "contested").stdout for node in self.nodes}
        self.assertIn(contested, ({"by-a\n"}, {"by-b\n"}), "one of the two stands, everywhere the same")
        # Writes flow both ways again, and it was no restart that healed it.
        self.leasemap(b, "set", "healed-b", "1")
        self.leasemap(c, "set", "healed-c", "1")
        self.wait_value(c, "healed-b", "1", 5)
        self.wait_value(b, "healed-c", "1", 5)
        self.assertEqual(started, [self.inspect(node, "{{.State.StartedAt}}") for node in self.nodes])

    def test_scale_to_five(self):
        self.leasemap(self.nodes[0], "set", "color", "blue")
        self.compose("up", "-d", "--no-build", "--scale", "node=5")
        nodes = self.containers()
        self.assertEqual(len(nodes), 5)
        self.assertLessEqual(set(self.nodes), set(nodes), "the first three run on")
        self.wait_healthy(nodes, 10)
        for node in nodes:
            self.wait_value(node, "color", "blue", 5)
        wait_for("a full mesh of five", lambda: all(self.linked(node) == 5 for node in nodes), 15)

    def names(self, containers):
        return sorted(json.loads(self.leasemap(node, "status", "-o", "json").stdout)["node_id"] for node in containers)

    def check_map(self, containers, names):
        self.assertEqual(len(containers), 3)
        self.wait_healthy(containers, 30)
        for node in containers:
            self.assertEqual(self.leasemap(node, "get", "color").stdout, "blue\n")
        self.assertEqual(self.names(containers), names)

    def volumes(self, containers):
        return {self.inspect(node, "{{range .Mounts}}{{.Name}}{{end}}") for node in containers}

    def test_the_map_stays_over_restart_and_stop_until_down_v(self):
        self.leasemap(self.nodes[0], "set", "color", "blue", "--ack", "all")
        names = self.names(self.nodes)
        self.compose("restart")
        self.check_map(self.containers(), names)
        self.compose("stop")
        self.compose("start")
        self.check_map(self.containers(), names)
        volumes = self.volumes(self.nodes)
        self.assertEqual(len(volumes), 3)
        self.compose("down", "-v", "-t", "5")
        self.assertFalse(volumes & set(run("docker", "volume", "ls", "-q").stdout.split()))

    def test_the_map_stays_when_all_are_killed_and_made_again(self):
        """As `up` does it after a change of the image."""
        self.leasemap(self.nodes[0], "set", "color", "blue", "--ack", "all")
        names, volumes = self.names(self.nodes), self.volumes(self.nodes)
        # To docker-compose 1.29 they are not the new containers' own: it leaves them behind.
        self.addCleanup(run, "docker", "volume", "rm", "-f", *volumes)
        self.addCleanup(self.compose, "down", "-v", "-t", "5")
        run("docker", "kill", *self.nodes)
        self.compose("up", "-d", "--no-build", "--force-recreate")
        renewed = self.containers()
        self.assertFalse(set(renewed) & set(self.nodes))
        self.check_map(renewed, names)
        self.assertEqual(self.volumes(renewed), volumes)

    def test_all_are_replaced_and_the_map_stays(self):
        """As the README says: as many new ones beside the old, then the old ones leave."""
        self.leasemap(self.nodes[0], "set", "color", "blue")
        self.wait_converged(self.nodes, 1, 5)
        self.compose("up", "-d", "--no-build", "--no-recreate", "--scale", "node=6")
        new = sorted(set(self.containers()) - set(self.nodes))
        self.assertEqual(len(new), 3)
        self.wait_healthy(new, 15)
        for node in self.nodes:
            self.assertIn("leaves the cluster", self.leasemap(node, "leave").stdout)
        run("docker", "wait", *self.nodes)
        run("docker", "rm", "-v", *self.nodes)
        self.wait_converged(new, 1, 5)
        for node in new:
            self.assertEqual(self.leasemap(node, "get", "color").stdout, "blue\n")
            wait_for("the old ones left", lambda node=node: self.linked(node) == 3, 10)
            self.assertNotIn("unreachable", self.leasemap(node, "status").stdout)
        # Compose goes on with what there is.
        self.compose("up", "-d", "--no-build", "--no-recreate")
        self.assertEqual(sorted(self.containers()), new)


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"compose_test: skipped: {reason}")
        sys.exit(0)
    unittest.main(verbosity=2)
