"""Lock, Election and Registry, for programs with threads, built on leases. leasemap.aio has the same for asyncio.

None of them is mutual exclusion by itself: two programs that ask two nodes in the same moment, or on two sides of a
network partition, may each be granted a lease on one key. When the nodes have exchanged both, one lease remains, and
the other program loses its own. Guard outside resources with the fencing token. `ack` sets which nodes must have the
lease before a lock or lead counts as taken:

- "majority" (the default here): more than half of the remembered members have it. The smaller side of a partition
  grants nothing, and the death of a node takes nothing back. Two that race may both have it for the time of a
  message: measured with five programs that fought for one lock over nodes that were killed, once in 1,871 times.
- "all": of several that race at most one gets it. If one remembered member does not answer, none gets it.
- None: the node that was asked. It works on both sides of a partition. All who wait for a release may be granted the
  lease at once, each by another node, until the nodes have exchanged the grants.
"""
import threading
from typing import Any, Callable, Generic, Optional, TypeVar, cast

from leasemap import lease_flows
from leasemap.drive import optional_wait
from leasemap.entry import Event, Key, Value, to_bytes
from leasemap.errors import LeaseHeldError, LeaseLostError
from leasemap.flows import Ack
from leasemap.lease import Lease
from leasemap.lease_flows import Registration
from leasemap.sync_map import SyncMap
from leasemap.view import View


class Lock:
    """A lock that one thread of one program in the cluster has at a time, as threading.Lock is used.

    key: an ephemeral key of this lock's own; its value is who has it. duration: as for SyncMap.lease (s). ack: above.
    """

    def __init__(self, map_: SyncMap, key: Key, *, duration: float = 10.0, ack: Ack = "majority") -> None:
        self._map, self.key, self._duration, self._ack = map_, key, duration, ack
        self._lease: Optional[Lease] = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """True once this thread has it; False if another had it at once (`blocking` False) or for `timeout` seconds
        (-1: for ever). AckIncompleteError, UnavailableError: no other had it, but too few nodes answered."""
        lease = Lease(self._map, self.key, self._map.holder, self._duration, True, None, self._ack, overwrite=True)
        try:
            lease.acquire(optional_wait(timeout) if blocking else 0.0)
        except LeaseHeldError:
            return False
        self._lease = lease
        return True

    def release(self) -> None:
        """Gives it up. RuntimeError if it is not locked, LeaseLostError if it was lost meanwhile."""
        lease, self._lease = self._lease, None
        if lease is None:
            raise RuntimeError(f"the lock {self.key!r} is not locked by this object")
        lease.__exit__(None, None, None)

    @property
    def lease(self) -> Lease:
        """The lease behind it: `held`, `fencing_token`, `wait`, `on_lost`. LeaseLostError while it is not locked."""
        if self._lease is None:
            raise LeaseLostError(f"the lock {self.key!r} is not locked by this object; acquire it first")
        return self._lease

    def locked(self) -> bool:
        """True if anyone has it, as far as the near cache knows."""
        return self.key in self._map

    def __enter__(self) -> Lease:
        self.acquire()
        return self.lease

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        lease, self._lease = self._lease, None
        if lease:
            lease.__exit__(kind, error, trace)


Map = TypeVar("Map", bound=View)
Result = TypeVar("Result")


class Candidate(Generic[Map]):
    """What an Election is in threads and with asyncio alike: all but the campaign."""

    def __init__(self, map_: Map, key: Key, value: Optional[Value] = None, *, duration: float = 10.0,
                 ack: Ack = "majority") -> None:
        self._map, self.key, self._duration, self._ack = map_, key, duration, ack
        self._value = map_.holder if value is None else value

    @property
    def leader(self) -> Optional[Value]:
        """The value of who leads, as far as the near cache knows; None if nobody does."""
        return cast(Optional[Value], self._map.get(self.key))

    def on_change(self, handler: Callable[[Optional[Value]], Any]) -> Callable[[], None]:
        """Calls `handler(leader)` when another leads or nobody does; returns a function that takes the handler away."""
        return on_leader(self._map, self.key, handler)


class Election(Candidate[SyncMap]):
    """One leader among the candidates of a key. The key is ephemeral, and its value says who leads.

    value: of the key while this candidate leads, for others to read, as its address; by default the map's holder.
    duration: as for SyncMap.lease (s): a dead leader is replaced after about this time. ack: above.
    """

    def campaign(self, timeout: Optional[float] = None) -> Lease:
        """Waits until this candidate leads, and returns its lease; LeaseHeldError after `timeout` seconds (None:
        never). Work while `lease.held`, use it in a `with` block or release it to step down."""
        lease = Lease(self._map, self.key, self._value, self._duration, True, timeout, self._ack, overwrite=True)
        return lease.acquire()

    def run(self, lead: Callable[[Lease], Result]) -> Result:
        """Calls `lead(lease)` whenever this candidate leads, and returns what it returned while it led: the lead is
        given up then. After a lead that was lost this candidate campaigns again, so `lead` must return when `lease.held`
        turns False; `lease.wait` does. Other errors of `lead` end it."""
        while True:
            lease = self.campaign()
            try:
                result = lead(lease)
                if lease.held:
                    return result
            except LeaseLostError:
                if lease.held:  # it is about another lease
                    raise
            finally:
                lease.release()


class Registry:
    """The instances of a service, as ephemeral keys prefix/service/instance: one whose program died vanishes."""

    def __init__(self, map_: SyncMap, service: str, *, prefix: str = "services", duration: float = 10.0) -> None:
        self._map, self._duration = map_, duration
        self._below = f"{prefix}/{service}/"
        self._registered: dict[str, Registration] = {}
        self._lock = threading.Lock()

    def register(self, instance: str, value: Value, *, wait: Optional[float] = 0.0) -> None:
        """Adds an instance (its value is what others need, as host:port) and keeps it, until `unregister` or the map is
        closed; it is set again if its lease was lost. LeaseHeldError if another holder has that name and did not give
        it up within `wait` seconds."""
        registration = Registration(self._below + instance, value, self._duration)
        with self._lock:
            if instance in self._registered:
                raise ValueError(f"instance {instance!r} is registered by this object already; unregister it first")
            self._registered[instance] = registration
        try:
            self._map._run(lease_flows.register(self._map._core, registration, wait))
        except BaseException:
            with self._lock:
                del self._registered[instance]
            raise

    def unregister(self, instance: str) -> None:
        """Takes the instance away. KeyError if this object did not register it."""
        with self._lock:
            registration = self._registered.pop(instance)
        self._map._run(lease_flows.unregister(self._map._core, registration))

    def instances(self) -> dict[str, Value]:
        """The instances and their values, as far as the near cache knows."""
        return instances(self._map, self._below)

    def on_change(self, handler: Callable[[dict[str, Value]], Any]) -> Callable[[], None]:
        """Calls `handler(instances)` when one came, changed or went; returns a function that takes the handler away."""
        return on_instances(self._map, self._below, handler)


# Shared with asyncio, whose handlers may be coroutine functions: what they return is passed on.


def instances(map_: View, below: str) -> dict[str, Value]:
    return {key[len(below):]: value for key, value in map_.items() if isinstance(key, str) and key.startswith(below)}


def on_leader(map_: View, key: Key, handler: Callable[[Optional[Value]], Any]) -> Callable[[], None]:
    raw = to_bytes(key)

    def tell(event: Event) -> Any:
        if to_bytes(event.key) == raw:
            return handler(event.value if event.kind == "update" else None)
        return None
    return _on_all(map_, tell)


def on_instances(map_: View, below: str, handler: Callable[[dict[str, Value]], Any]) -> Callable[[], None]:
    raw = below.encode()

    def tell(event: Event) -> Any:
        return handler(instances(map_, below)) if to_bytes(event.key).startswith(raw) else None
    return _on_all(map_, tell)


def _on_all(map_: View, tell: Callable[[Event], Any]) -> Callable[[], None]:
    removes = [map_.on(kind, tell) for kind in ("update", "delete", "expired")]

    def remove_all() -> None:
        for remove in removes:
            remove()
    return remove_all
