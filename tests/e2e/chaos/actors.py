"""The processes of a run: nodes with their proxies and clocks, and the driver. Each dies with the test."""
import atexit
import glob
import os
import pathlib
import shutil
import signal
import subprocess

from basics import BUILD, SCRATCH, grpc, kv_grpc, mesh_grpc, mesh_pb, pb
from cluster import Node
from file_system import FileSystem
from network import Network, address

GRPC_PORT, MESH_PORT = 7400, 7401  # each node has a network of its own
CLOCK_LAG = 1  # seconds that faketime may take to see another offset


def spawn(command, **more):
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)], **more)


def drop_clock_files(pid):
    """What the library that moves clocks leaves behind of a process that was killed."""
    for left in glob.glob(f"/dev/shm/*faketime_*_{pid}"):
        os.unlink(left)


class Talker:
    """A process that is told lines and answers each with one."""

    def __init__(self, command, log):
        self.log = open(log, "ab")
        self.process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.name = os.path.basename(str(command[0] if "netns" not in command else command[4]))
        self.hear()

    def hear(self):
        line = self.process.stdout.readline().strip()
        if not line or line.startswith("wrong"):
            raise AssertionError(f"{self.name} says {line!r}, and {pathlib.Path(self.log.name).read_text()}")
        return line

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def tell(self, line):
        self.say(line)
        return self.hear()

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.stdin.close()
        self.process.wait(15)
        self.log.close()


class Disk(FileSystem):
    """With a node's data directory."""

    def __init__(self, mount):
        super().__init__(mount, 320)
        self.folder, self.older = mount / "data", mount.with_name(mount.name + "-older")

    def keep(self):
        """A copy of what is there, once; while no process uses it."""
        if self.folder.exists() and not self.older.exists():
            shutil.copytree(self.folder, self.older, ignore=shutil.ignore_patterns("reserve", "damaged-*"))

    def wipe(self):
        self.empty()  # on a full disk a node without files does not start
        shutil.rmtree(self.folder, ignore_errors=True)

    def roll_back(self):
        """What was there when it was kept; nothing, if that was never."""
        self.wipe()
        if self.older.exists():
            shutil.copytree(self.older, self.folder)
            shutil.rmtree(self.older)
            # What is not on the device yet would be lost with it when it breaks down.
            subprocess.run(["sync", "-f", self.folder], check=True)


class ChaosNode(Node):
    """A node in a namespace. `process` is None while it is killed. `paused` counts the faults that hold it."""

    def __init__(self, i, size, flags, proxied, clocked, disk=False):
        super().__init__(f"n{i:02d}", ip=address(i), prefix=Network.inside(i), flags=("--insecure", *flags))
        self.number, self.port, self.mesh_port = i, GRPC_PORT, MESH_PORT
        self.seeds = [f"{address(j)}:{MESH_PORT}" for j in range(1, size + 1) if j != i]
        self.proxy, self.clock, self.paused, self.log_begin = None, None, 0, 0
        self.exits = []  # what went wrong at an end
        if proxied:
            # The proxy has the port that the others dial; the node listens beside it, on loopback.
            self.flags += (f"--mesh-listen=127.0.0.1:{MESH_PORT}", f"--advertise={self.mesh_target}")
            self.proxy = Talker([*self.prefix, BUILD / "tests/e2e/chaos/chaos_proxy", self.ip, MESH_PORT, "127.0.0.1",
                                 MESH_PORT], SCRATCH / f"proxy{i}.log")
        if clocked:
            self.clock = SCRATCH / f"clock{i}"
            self.set_clock(0)
            libraries = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
            assert libraries, "libfaketime is missing: tools/install-deps.sh"
            self.environment.update(
                LD_PRELOAD=libraries[0], FAKETIME_TIMESTAMP_FILE=str(self.clock),
                FAKETIME_CACHE_DURATION=str(CLOCK_LAG), FAKETIME_DONT_FAKE_MONOTONIC="1")
        self.disk = Disk(SCRATCH / f"disk{i}") if disk else None
        if disk:
            self.flags += (f"--data-dir={self.disk.folder}",)
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 1000),
                   ("grpc.max_reconnect_backoff_ms", 500), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(self.target, options)
        self.kv, self.mesh = kv_grpc.KeyValueStub(self.channel), mesh_grpc.MeshStub(self.channel)

    def set_clock(self, offset):
        """The file is replaced in one step: the library may read it at any time."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{offset:+g}\n")
        new.rename(self.clock)

    def begin(self):
        """Starts the process and does not wait for it."""
        command = [*self.prefix, BUILD / "server/leasemapd", f"--node-id={self.name}", f"--listen={self.target}",
                   f"--mesh-listen={self.mesh_target}", "--http-listen=", f"--seeds={','.join(self.seeds)}",
                   *self.flags]
        with self.log.open("ab") as log:
            self.log_begin = log.tell()
            self.process = spawn(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment)
        if self.clock:
            atexit.register(drop_clock_files, self.process.pid)
        self.paused = 0

    def end(self, how):
        """Ends the process by a signal; notes an exit that is not what the signal brings. Waits for it to be gone."""
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            status = process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "nothing: it had to be killed after 10 s"
        # Before it serves, a signal ends a process as it ends any other.
        serves = b"gRPC on port" in self.log.read_bytes()[self.log_begin:]
        if status != (-how if how == signal.SIGKILL or not serves else 0):
            self.exits.append(f"{self.name} answered {how.name} with {status}")
        drop_clock_files(process.pid)

    def died(self):
        """What it ended by itself with, or None."""
        if self.process is None or self.process.poll() is None:
            return None
        status = self.process.returncode
        self.process = None
        return f"{self.name} ended by itself with {status}"

    def hold(self):
        self.paused += 1
        self.pause()

    def release(self):
        self.paused = max(0, self.paused - 1)
        if self.process and not self.paused:
            self.resume()

    def ask(self):
        """GetStatus as a future, or None."""
        return self.mesh.GetStatus.future(mesh_pb.GetStatusRequest(), timeout=2) if self.process else None

    def entries(self):
        """{key: Entry} of the whole map, values included."""
        found, token = {}, ""
        while True:
            page = self.kv.List(pb.ListRequest(page_size=1000, page_token=token), timeout=20)
            found.update((entry.key, entry) for entry in page.entries)
            token = page.next_page_token
            if not token:
                return found

    def conflicts(self):
        """The conflicts that it tells of, or None if it cannot."""
        try:
            return self.mesh.ListConflicts(mesh_pb.ListConflictsRequest(), timeout=5).conflicts
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return None
            raise


def statuses(nodes):
    """GetStatus of all at once; None for those that do not answer."""
    calls, out = [node.ask() for node in nodes], []
    for call in calls:
        try:
            out.append(call.result() if call else None)
        except grpc.RpcError:
            out.append(None)
    return out
