"""The state of one map that its flows share, and the effects that flows ask for. No I/O.

A flow is a generator: it yields effects, and what drives it (drive.py in threads, aio/drive.py in an event loop)
performs each effect and sends its result back into the flow, or throws its error in. So each operation is written once,
and is tested without a server or a clock.
"""
import dataclasses
import logging
import os
import random
import secrets
import socket
import threading
import time
from typing import Any, Callable, Generator, Iterable, Optional, TypeVar

from leasemap import entry as entries
from leasemap.errors import ClosedError, LeasemapError
from leasemap.fold import Change, NearCache
from leasemap.lease_state import HELD, LOST, RELEASED, LeaseState
from leasemap.retry import SILENCE_S, Chance, Endpoints, refuses
from leasemap.signals import Signal

log = logging.getLogger("leasemap")

T = TypeVar("T")
Flow = Generator[Any, Any, T]

# A Call of this method asks a node by which name it knows the caller. The answer is the name, empty if there is none.
PRINCIPAL = "Principal"

# Bytes of a holder's name (docs/limits.md).
HOLDER_MOST = 255

# Calls that renew leases, 1,000 each, under way at once. A node renews ten thousands a second; more would only wait in
# gRPC.
RENEWALS_MOST = 8
# Leases that are given up at once when the map is closed, each by a call.
RELEASES_MOST = 64


@dataclasses.dataclass(frozen=True)
class Call:
    """Asks a node; the answer is sent back, or a LeasemapError is thrown in."""

    target: str
    method: str
    request: Any
    timeout: float


@dataclasses.dataclass(frozen=True)
class Pause:
    """Waits for `seconds`, or until the signal is set."""

    seconds: float
    signal: Optional[Signal] = None


@dataclasses.dataclass(frozen=True)
class Spawn:
    """Starts another flow in the background and goes on."""

    flow: Flow[Any]


def boot_time() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps; where there is none (not Linux),
    of the monotonic clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def default_holder() -> str:
    """A name of this map's own: host, process and chance. It stays the same while the map moves between nodes."""
    host = "".join(c for c in socket.gethostname() if c.isprintable())[:200] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


def holder_of(principal: str, name: str) -> str:
    """The holder of a caller whom the nodes know as `principal`: they let it use that name, and what is below it. Of a
    long principal's holder the name's first part is left out, so that the random bits at its end remain."""
    room = HOLDER_MOST - len(principal.encode()) - 1
    return f"{principal}/{name.encode()[-room:].decode(errors='ignore')}" if room > 0 else principal


class Core:
    """Guarded by `lock`: `cache`, `endpoints`, `leases`, `renewals` and the signals. Never held across a yield or I/O."""

    def __init__(self, targets: Iterable[str], holder: str = "", prefix: bytes = b"", lease: Optional[float] = None,
                 timeout: float = 5.0, now: Callable[[], float] = boot_time, chance: Chance = random.random,
                 asks_name: bool = False) -> None:
        if timeout <= 0:
            raise ValueError("timeout must be more than 0 seconds")
        self.holder = holder or default_holder()
        self.asks_name = asks_name and not holder  # the nodes may know a name that the default holder begins with
        self.prefix, self.lease, self.timeout, self.now, self.chance = prefix, lease, timeout, now, chance
        self.lock = threading.RLock()
        self.cache = NearCache(self.holder, prefix)
        self.endpoints = Endpoints(targets, chance)
        self.leases: dict[bytes, LeaseState] = {}  # held, or being acquired: one of a key at a time
        self.renewals = 0  # calls under way that renew leases
        self.closed = False
        self.watching = ""  # the node that the watch reads, while it does
        self.heard = 0.0  # when the watch last brought something
        self.watch_error: Optional[LeasemapError] = None
        self.refused: Optional[LeasemapError] = None  # why the watch was refused, and waits until it is asked for again
        self.keeper_signal = Signal()
        self.cut_watch: Callable[[], None] = lambda: None  # the shell ends the stream, which then moves on
        self.open_again: Callable[[], None] = lambda: None  # the shell opens the watch that was refused
        self.publish: Callable[[list[Change]], None] = lambda changes: None  # the shell tells the handlers
        self._signals: dict[bytes, set[Signal]] = {}
        self._sync_signals: set[Signal] = set()

    def check(self) -> None:
        if self.closed:
            raise ClosedError("this map was closed; make a new one")

    def key(self, key: entries.Key) -> bytes:
        """The bytes of a key of this map."""
        raw = entries.to_bytes(key)
        if not raw.startswith(self.prefix):
            raise ValueError(f"key {key!r} is not below this map's prefix {entries.shown(self.prefix)!r}; "
                             "use a map with a shorter prefix")
        return raw

    # The watch: its shell calls these.

    def open_watch(self) -> tuple[str, Any]:
        """The node that the next stream is to read, and what to ask it."""
        with self.lock:
            self.watching, self.heard = self.endpoints.pick(self.now()), self.now()
            return self.watching, self.cache.request()

    def took(self, message: Any) -> None:
        """A message of the stream came."""
        with self.lock:
            self.heard = self.now()
            self.endpoints.worked(self.watching)
            was = self.cache.synced
            changes = self.cache.take(message, self.now())
            calls = [call for change in changes for call in self._judge_lease(change)]
            woken = {signal for change in changes for signal in self._signals.get(change.key, ())}
            if self.cache.synced and not was:
                self.watch_error = None
                woken |= self._sync_signals
        for call in calls:
            call()
        self.publish([change for change in changes if change.told])
        for signal in woken:
            signal.set()

    def watch_ended(self, error: LeasemapError) -> float:
        """The stream broke; returns the pause before the next (s)."""
        with self.lock:
            now, target, self.watching = self.now(), self.watching, ""
            woken: set[Signal] = set()
            self.cache.broke()
            self.watch_error = error
            if error.reason in ("CURSOR_EXPIRED", "CURSOR_INVALID"):
                self.cache.forget_cursor()
            elif refuses(error):
                self.refused = error
                woken |= self._sync_signals
            elif target == self.endpoints.home:  # else it was cut because the map moved
                self.endpoints.failed(target, now)
            pause = self.endpoints.pause(now)
        for signal in woken:
            signal.set()
        if refuses(error):
            log.error("the watch of the map was refused; the map is not synced any more: %s", error)
        return pause

    def ask_again(self) -> None:
        """Lets the watch go on if it was refused."""
        with self.lock:
            refused, self.refused = self.refused, None
        if refused:
            self.open_again()

    def watch_is_silent(self) -> bool:
        return bool(self.watching) and self.now() - self.heard > SILENCE_S

    def _judge_lease(self, change: Change) -> list[Callable[[], None]]:
        lease = self.leases.get(change.key)
        if lease is None or lease.state != HELD or change.kind == "lost":
            return []
        # A grant that this node lacks may be on others, by whose acks it stands. The next renewal asks the cluster.
        if change.taken_back:
            return []
        state, why = lease.seen(change.kind, change.entry)
        if state == HELD:
            return []
        self.leases.pop(change.key)
        return lease.end(state, why)

    # Waiting for a change of a key, or for the watch to be synced.

    def listen(self, key: Optional[bytes]) -> Signal:
        """A signal that is set when the watch changes the key; None: when it is synced."""
        signal = Signal()
        with self.lock:
            (self._sync_signals if key is None else self._signals.setdefault(key, set())).add(signal)
        return signal

    def unlisten(self, key: Optional[bytes], signal: Signal) -> None:
        with self.lock:
            if key is None:
                self._sync_signals.discard(signal)
                return
            signals = self._signals.get(key, set())
            signals.discard(signal)
            if not signals:
                self._signals.pop(key, None)

    # Nodes.

    def known_as(self, principal: str) -> None:
        """The nodes know this map by this name; empty: by none."""
        with self.lock:
            if self.asks_name and principal:
                self.holder = self.cache.holder = holder_of(principal, self.holder)
            self.asks_name = False

    def node_failed(self, target: str) -> float:
        """A call failed at this node; returns the pause before the next one is asked (s). The watch moves along."""
        with self.lock:
            now = self.now()
            self.endpoints.failed(target, now)
            moved = self.endpoints.pick(now) != self.watching and self.watching == target
            pause = self.endpoints.pause(now)
        if moved:
            self.cut_watch()
        return pause

    # Leases.

    def end_lease(self, lease: LeaseState, state: str, why: str = "", free: bool = True) -> None:
        """A lease is over. Without `free` nobody of this program acquires the key before `free_lease`: its release is
        on the way, and would give up the next lease too."""
        with self.lock:
            calls = lease.end(state, why)
        if free:
            self.free_lease(lease)
        for call in calls:
            call()

    def free_lease(self, lease: LeaseState) -> None:
        with self.lock:
            if self.leases.get(lease.key) is lease:
                del self.leases[lease.key]
            # Others of this program may wait for the key. A try that was refused tells nobody, or it would wake itself.
            woken = set(self._signals.get(lease.key, ())) if lease.entry else set()
        for signal in woken:
            signal.set()

    def close(self) -> None:
        """Ends what waits. Leases must be released before, or they lapse by themselves."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            leases = list(self.leases.values())
            signals = [*self._sync_signals, *(signal for some in self._signals.values() for signal in some)]
        for lease in leases:
            self.end_lease(lease, LOST if lease.state == HELD else RELEASED, "the map was closed")
        for signal in [*signals, self.keeper_signal]:
            signal.set()
        self.cut_watch()
