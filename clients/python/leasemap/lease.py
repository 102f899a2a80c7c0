"""A lease on a key, for programs with threads."""
import datetime
import threading
from typing import TYPE_CHECKING, Any, Callable, Optional

from leasemap import lease_flows
from leasemap.core import Core
from leasemap.entry import Entry, Key, Value
from leasemap.errors import LeaseLostError
from leasemap.lease_state import HELD, LOST, RELEASED, LeaseState

if TYPE_CHECKING:
    from leasemap.sync_map import SyncMap


class LeaseFacts:
    """The facts about a lease; asyncio's has the same."""

    _core: Core
    _state: Optional[LeaseState]
    key: Key

    @property
    def held(self) -> bool:
        """True if the lease is surely this program's: its local deadline has not come, and nobody was seen to take it.
        The clock runs while the machine sleeps. Check before each use of the resource that the lease guards, and pass it
        the fencing token: time may pass between the check and the use."""
        return self._state is not None and self._state.held(self._core.now())

    @property
    def left(self) -> float:
        """Seconds until the local deadline, which ends before the cluster's lease; each renewal moves it on."""
        return self._state.left(self._core.now()) if self._state else 0.0

    @property
    def entry(self) -> Optional[Entry]:
        """The entry of the latest grant or renewal."""
        return self._state.entry if self._state else None

    @property
    def fencing_token(self) -> str:
        """32 hex digits that order the leases of this key as strings. A resource that keeps the greatest token it has
        seen, and refuses smaller ones, is safe from holders of the past."""
        self.check()
        return self._state.entry.fencing_token if self._state and self._state.entry else ""

    @property
    def expires(self) -> Optional[datetime.datetime]:
        """Until when the cluster refuses others (UTC), as of the latest renewal."""
        return self.entry.expires if self.entry else None

    def check(self) -> None:
        """LeaseLostError unless the lease is held."""
        if not self.held:
            raise LeaseLostError(f"the lease on {self.key!r} is not held: {self._why()}")

    def _why(self) -> str:
        if self._state is None:
            return "it was not acquired"
        return self._state.why_lost or ("it was given up" if self._state.state == RELEASED else "its time ran out")


class Lease(LeaseFacts):
    """Made by SyncMap.lease. Renewed in the background between `acquire` and `release`, or in a `with` block.

    When it is lost, `held` turns False, `wait` returns and the `on_lost` handlers are called; threads can't be stopped
    from outside, so look at `held`, or sleep by `wait`. A `with` block whose lease was lost ends with LeaseLostError.
    """

    def __init__(self, map_: "SyncMap", key: Key, value: Optional[Value], duration: float, ephemeral: bool,
                 wait: Optional[float], ack: Any, overwrite: Optional[bool] = None) -> None:
        self._map, self._core, self.key = map_, map_._core, key
        self._arguments = (value, duration, ephemeral)
        self._wait, self._ack = wait, ack
        self._overwrite = value is not None if overwrite is None else overwrite
        self._state = None
        self._over = threading.Event()
        self._on_lost: list[Callable[["Lease"], Any]] = []
        self._core.key(key)

    def acquire(self, wait: Optional[float] = -1.0) -> "Lease":
        """Takes the lease. LeaseHeldError if another holder has it and did not give it up within `wait` seconds (None:
        for ever; by default the `wait` of `SyncMap.lease`)."""
        if self._state and self._state.state == HELD:
            raise RuntimeError(f"the lease on {self.key!r} is held already; release it first")
        wait = self._wait if wait is not None and wait < 0 else wait
        self._over.clear()
        state = self._map._run(lease_flows.acquire(self._core, self.key, *self._arguments, wait, self._ack,
                                                   self._overwrite))
        with self._core.lock:
            self._state = state
            ended = state.state != HELD
            if not ended:
                state.on_end.append(self._ended)
        if ended:
            self._ended()
        return self

    def release(self) -> None:
        """Gives the lease up, so that others have it at once; waits 3 s at most. A lost one stays with who has it."""
        if self._state:
            self._map._shell.run(lease_flows.give_up(self._core, self._state))

    def set(self, value: Value, **options: Any) -> Entry:
        """Writes the key under the lease, as SyncMap.set; LeaseLostError, and nothing is written, if it is lost."""
        self.check()
        return self._map.set(self.key, value, **options)

    def wait(self, seconds: Optional[float] = None) -> bool:
        """Sleeps until the lease is over or `seconds` have passed; returns `held`. In place of time.sleep."""
        self._over.wait(seconds)
        return self.held

    def on_lost(self, handler: Callable[["Lease"], Any]) -> None:
        """Calls `handler(lease)` when the lease is lost, from a thread of its own; at once if it is lost already."""
        with self._core.lock:
            self._on_lost.append(handler)
            lost = self._state is not None and self._state.state == LOST
        if lost:
            self._tell([handler])

    def _ended(self) -> None:
        self._over.set()
        if self._state and self._state.state == LOST:
            self._tell(list(self._on_lost))

    def _tell(self, told: list[Callable[["Lease"], Any]]) -> None:
        """In a thread of its own: a loss is rare, and must not wait for other handlers."""
        if told:
            call = lambda: [handler(self) for handler in told]  # noqa: E731
            threading.Thread(target=call, name="leasemap-lost", daemon=True).start()

    def __enter__(self) -> "Lease":
        """Takes the lease, unless it was acquired already."""
        return self if self._state and self._state.state == HELD else self.acquire()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        state = self._state
        lost = state is not None and (state.state == LOST or state.overdue(self._core.now()))
        why = self._why()
        self.release()
        if lost and kind is None:
            raise LeaseLostError(f"the lease on {self.key!r} was lost while it was in use: {why}")
