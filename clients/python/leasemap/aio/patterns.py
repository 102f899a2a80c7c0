"""Lock, Election and Registry for asyncio. leasemap.patterns states their promises and their limits."""
from typing import Any, Awaitable, Callable, Optional

from leasemap import lease_flows
from leasemap.aio.lease import Lease
from leasemap.aio.sync_map import SyncMap
from leasemap.drive import optional_wait
from leasemap.entry import Key, Value
from leasemap.errors import LeaseHeldError, LeaseLostError
from leasemap.flows import Ack
from leasemap.lease_flows import Registration
from leasemap.patterns import Candidate, Result, instances, on_instances


class Lock:
    """A lock that one task of one program in the cluster has at a time, as asyncio.Lock is used. See leasemap.Lock."""

    def __init__(self, map_: SyncMap, key: Key, *, duration: float = 10.0, ack: Ack = "majority") -> None:
        self._map, self.key, self._duration, self._ack = map_, key, duration, ack
        self._lease: Optional[Lease] = None

    async def acquire(self, timeout: float = -1) -> bool:
        """True once this task has it; False if not within `timeout` seconds (-1: for ever, 0: at once)."""
        lease = _lease(self._map, self.key, self._map.holder, self._duration, self._ack)
        try:
            await lease.acquire(optional_wait(timeout))
        except LeaseHeldError:
            return False
        self._lease = lease
        return True

    async def release(self) -> None:
        """Gives it up. RuntimeError if it is not locked, LeaseLostError if it was lost meanwhile."""
        lease, self._lease = self._lease, None
        if lease is None:
            raise RuntimeError(f"the lock {self.key!r} is not locked by this object")
        await lease.__aexit__(None, None, None)

    @property
    def lease(self) -> Lease:
        """The lease behind it. LeaseLostError while it is not locked."""
        if self._lease is None:
            raise LeaseLostError(f"the lock {self.key!r} is not locked by this object; acquire it first")
        return self._lease

    def locked(self) -> bool:
        """True if anyone has it, as far as the near cache knows."""
        return self.key in self._map

    async def __aenter__(self) -> Lease:
        await self.acquire()
        return await self.lease.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        lease, self._lease = self._lease, None
        if lease:
            await lease.__aexit__(kind, error, trace)


class Election(Candidate[SyncMap]):
    """One leader among the candidates of a key. See leasemap.Election."""

    async def campaign(self, timeout: Optional[float] = None) -> Lease:
        """Waits until this candidate leads, and returns its lease; LeaseHeldError after `timeout` seconds (None:
        never). Use it by `async with await election.campaign():`; the block is cancelled when the lead is lost."""
        return await _lease(self._map, self.key, self._value, self._duration, self._ack).acquire(timeout)

    async def run(self, lead: Callable[[Lease], Awaitable[Result]]) -> Result:
        """Awaits `lead(lease)` whenever this candidate leads, and returns what it returned while it led: the lead is
        given up then. `lead` is cancelled when the lead is lost, and this candidate campaigns again. Other errors of
        `lead` end it."""
        while True:
            lease, held = await self.campaign(), True
            try:
                async with lease:
                    try:
                        return await lead(lease)
                    finally:
                        held = lease.held
            except LeaseLostError:
                if held:  # it is about another lease
                    raise


class Registry:
    """The instances of a service, as ephemeral keys prefix/service/instance. See leasemap.Registry."""

    def __init__(self, map_: SyncMap, service: str, *, prefix: str = "services", duration: float = 10.0) -> None:
        self._map, self._duration = map_, duration
        self._below = f"{prefix}/{service}/"
        self._registered: dict[str, Registration] = {}

    async def register(self, instance: str, value: Value, *, wait: Optional[float] = 0.0) -> None:
        """Adds an instance and keeps it, until `unregister` or the map is closed; it is set again if its lease was
        lost. LeaseHeldError if another holder has that name and did not give it up within `wait` seconds."""
        if instance in self._registered:
            raise ValueError(f"instance {instance!r} is registered by this object already; unregister it first")
        registration = self._registered[instance] = Registration(self._below + instance, value, self._duration)
        try:
            await self._map._run(lease_flows.register(self._map._core, registration, wait))
        except BaseException:
            del self._registered[instance]
            raise

    async def unregister(self, instance: str) -> None:
        """Takes the instance away. KeyError if this object did not register it."""
        await self._map._run(lease_flows.unregister(self._map._core, self._registered.pop(instance)))

    def instances(self) -> dict[str, Value]:
        """The instances and their values, as far as the near cache knows."""
        return instances(self._map, self._below)

    def on_change(self, handler: Callable[[dict[str, Value]], Any]) -> Callable[[], None]:
        """Calls `handler(instances)` when one came, changed or went; returns a function that takes the handler away."""
        return on_instances(self._map, self._below, handler)


def _lease(map_: SyncMap, key: Key, value: Value, duration: float, ack: Ack) -> Lease:
    return Lease(map_._core, map_._shell, key, value, duration, True, None, ack, overwrite=True)
