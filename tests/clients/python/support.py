"""What the client's unit tests stand on: the package with its generated code, entries as a server sends them, and a
world for flows, in which time passes only when a flow pauses.

Imported before leasemap, whose code it makes importable.
"""
import atexit
import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
SITE = pathlib.Path(tempfile.mkdtemp(prefix="leasemap-unit-"))
atexit.register(shutil.rmtree, SITE, True)


def make_package():
    shutil.copytree(ROOT / "clients/python/leasemap", SITE / "leasemap",
                    ignore=shutil.ignore_patterns("__pycache__", "*_pb2*"))
    subprocess.run([sys.executable, str(ROOT / "clients/python/generate.py"), str(SITE)], check=True)
    sys.path.insert(0, str(SITE))


make_package()
from leasemap import errors  # noqa: E402
from leasemap.core import Call, Core, Pause, Spawn  # noqa: E402
from leasemap.v1 import key_value_pb2 as pb  # noqa: E402

T0_S = 1_700_000_000  # the servers' time at which the tests begin
BASE_EPOCH = 1 << 40


def entry(key, value=None, holder="other", start=T0_S, expire=T0_S + 3600, version="v1", written=T0_S, epoch=BASE_EPOCH,
          deleted=False):
    """An entry of an answer or event. Times are seconds."""
    made = pb.Entry(version=version, origin="n1", deleted=deleted)
    if isinstance(key, str):
        made.key = key
    else:
        made.key_bytes = key
    if isinstance(value, str):
        made.value = value
    elif value is not None:
        made.value_bytes = value
    made.lease.holder, made.lease.epoch = holder, epoch
    made.lease.start_time.seconds = start
    made.lease.expire_time.FromMilliseconds(round(expire * 1000))
    made.lease.fencing_token = f"{epoch:016x}{(1 << 64) - 1 - start:016x}"
    made.update_time.FromMilliseconds(round(written * 1000))
    return made


def event(kind, *arguments, **keywords):
    return pb.Event(kind=getattr(pb.Event, f"KIND_{kind}"), entry=entry(*arguments, **keywords))


def message(*events, cursor="", end=False):
    return pb.WatchResponse(events=events, cursor=cursor, snapshot_end=end)


def snapshot(*events, cursor="c1"):
    return message(*events, cursor=cursor, end=True)


def status_details(reason, metadata=(), retry_s=None):
    """The bytes of a grpc-status-details-bin trailer."""
    from leasemap.internal import status_pb2
    status = status_pb2.Status()
    info = status_pb2.ErrorInfo(reason=reason, domain="leasemap", metadata=dict(metadata))
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
    if retry_s is not None:
        delay = status_pb2.Delay(seconds=int(retry_s), nanos=round(retry_s % 1 * 1e9))
        retry = status_pb2.RetryInfo(retry_delay=delay)
        status.details.add(type_url="type.googleapis.com/google.rpc.RetryInfo", value=retry.SerializeToString())
    return status.SerializeToString()


def refusal(code, reason="", retry_s=None, **metadata):
    details = status_details(reason, metadata, retry_s) if reason else b""
    return errors.decode(code, f"a test says {reason or code}", details)


class World:
    """Performs the effects of flows. `nodes` answers calls: a function of the Call that returns an answer or raises a
    LeasemapError; a call takes `call_s` seconds, and a pause as long as it says, or no time if its signal is set."""

    def __init__(self, targets=("a:1", "b:1", "c:1"), holder="me", **options):
        self.time, self.call_s = 100.0, 0.001
        self.calls, self.pauses = [], []
        self.nodes = lambda call: self.fail(call)
        self.at = []  # (time, action): what happens while flows pause
        self.spawned = collections.deque()
        self.core = Core(targets, holder, now=lambda: self.time, chance=lambda: 0.0, **options)

    def fail(self, call):
        raise AssertionError(f"unexpected call {call}")

    def run(self, flow):
        """Carries a flow through; what it spawns goes to `spawned`."""
        step, value = flow.send, None
        while True:
            try:
                effect = step(value)
            except StopIteration as done:
                return done.value
            try:
                step, value = flow.send, self.perform(effect)
            except errors.LeasemapError as error:
                step, value = flow.throw, error

    def run_spawned(self):
        while self.spawned:
            self.run(self.spawned.popleft())

    def perform(self, effect):
        if isinstance(effect, Call):
            self.calls.append(effect)
            self.time += self.call_s
            return self.nodes(effect)
        if isinstance(effect, Spawn):
            self.spawned.append(effect.flow)
            return None
        assert isinstance(effect, Pause), effect
        self.pauses.append(effect.seconds)
        end, woken = self.time + effect.seconds, []
        if effect.signal:
            effect.signal.on_set(lambda: woken.append(True))
        while not woken and self.at and self.at[0][0] <= end:
            self.time, action = self.at.pop(0)
            action()
        if effect.signal:
            effect.signal.on_set(None)
        if not woken:
            self.time = end
        return None

    def methods(self):
        return [call.method for call in self.calls]
