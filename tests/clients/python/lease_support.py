"""A cluster with one key, and a map that keeps leases there."""
import unittest

from support import BASE_EPOCH, T0_S, World, entry, pb, refusal

from leasemap import entry as entries
from leasemap import lease_flows


def grant(start=T0_S, version="v1", written=T0_S, holder="me", epoch=BASE_EPOCH, expire=None):
    return entries.from_proto(entry("k", holder=holder, start=start, version=version, written=written, epoch=epoch,
                                    expire=written + 10 if expire is None else expire))


CODES = {"NOT_FOUND": 5, "PERMISSION_DENIED": 7, "FAILED_PRECONDITION": 9, "UNAVAILABLE": 14}


def result(code, reason, message="a test says so"):
    """A refusal of one item of a batch."""
    return pb.BatchResult(status=pb.ItemStatus(code=CODES[code], reason=reason, message=message))


class Node:
    """One key with a lease, as the cluster has it."""

    def __init__(self, world):
        self.world, self.holder, self.start, self.version, self.value = world, "", T0_S, 0, None
        self.down, self.done = set(), {}
        world.nodes = self

    def __call__(self, call):
        if call.target in self.down:
            raise refusal("UNAVAILABLE")
        return getattr(self, call.method.lower())(call.request)

    def entry(self, expire=None):
        self.version += 1
        at = T0_S + self.world.time - 100
        return entry("k", holder=self.holder, start=self.start, version=f"v{self.version}", written=at,
                     expire=at + 10 if expire is None else at + expire)

    def refuse(self, request):
        if self.holder and self.holder != request.holder:
            raise refusal("FAILED_PRECONDITION", "LEASE_HELD", 3.0, holder=self.holder)

    def set(self, request):
        if request.request_id not in self.done:
            self.done[request.request_id] = self.set_once(request)
        return self.done[request.request_id]

    def set_once(self, request):
        self.refuse(request)
        if request.if_absent and self.value is not None:
            raise refusal("ABORTED", "VERSION_MISMATCH")
        self.holder, self.value = request.holder, request.value
        return pb.SetResponse(entry=self.entry())

    def renew(self, request):
        if self.value is None:
            raise refusal("NOT_FOUND", "KEY_NOT_FOUND")
        self.refuse(request)
        self.holder = request.holder
        return pb.RenewResponse(entry=self.entry())

    def batchrenew(self, request):
        return pb.BatchRenewResponse(results=[self.renew_held(item) for item in request.requests])

    def renew_held(self, request):
        assert request.only_if_held
        if self.value is None:
            return result("NOT_FOUND", "KEY_NOT_FOUND")
        if self.holder != request.holder:
            reason = "LEASE_HELD" if self.holder else "LEASE_NOT_HELD"
            return result("FAILED_PRECONDITION", reason, f"{self.holder or 'nobody'} has it")
        return pb.BatchResult(entry=self.entry())

    def release(self, request):
        self.refuse(request)
        answer = self.entry(expire=0)
        self.holder, self.value = "", None
        return pb.ReleaseResponse(entry=answer)

    def get(self, request):
        if self.value is None:
            raise refusal("NOT_FOUND", "KEY_NOT_FOUND")
        return pb.GetResponse(entry=self.entry())


class LeaseFlowTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.core = self.world.core
        self.node = Node(self.world)

    def acquire(self, **options):
        return self.world.run(lease_flows.acquire(self.core, "k", **options))

    def keep(self, until):
        """The keeper runs until this time, and what it spawns."""
        def stop():
            self.core.closed = True

        def perform(effect, perform=self.world.perform):
            if type(effect).__name__ == "Pause":
                self.world.run_spawned()
                effect = type(effect)(max(0.001, min(effect.seconds, until - self.world.time)), effect.signal)
            result = perform(effect)
            if self.world.time >= until:
                stop()
            return result
        self.world.perform, before = perform, self.world.perform
        self.core.closed = False
        self.world.run(lease_flows.keeper(self.core))
        self.world.perform, self.core.closed = before, False
