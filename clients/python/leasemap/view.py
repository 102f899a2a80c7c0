"""The reading half of a map, which threads and asyncio share: a Mapping over the near cache.

A read looks into a dict of this process and asks nobody. It is as fresh as the watch that feeds the cache: see
`synced`.
"""
import collections.abc
from typing import Any, Callable, Iterator, Optional

from leasemap import entry as entries
from leasemap.core import Core
from leasemap.entry import Entry, Event, Key, Value
from leasemap.errors import LeasemapError
from leasemap.handlers import Handlers


class View(collections.abc.Mapping[Key, Value]):
    """Keys and values of the cluster's map, below `prefix`. Iteration is over the keys of the moment at which it
    began."""

    def __init__(self, core: Core, changed: Callable[[], None]) -> None:
        self._core, self._cache = core, core.cache
        self._handlers = Handlers(changed)
        core.publish = self._handlers.publish

    @property
    def holder(self) -> str:
        """The holder of this map's writes and leases."""
        return self._core.holder

    @property
    def prefix(self) -> Key:
        return entries.shown(self._core.prefix)

    @property
    def synced(self) -> bool:
        """True while the watch lives and has brought all that its node has: reads then lag behind that node by the way
        of a message. False while the map looks for a node; what it has may then be old."""
        return self._cache.synced

    @property
    def refused(self) -> Optional[LeasemapError]:
        """Why the nodes refused the watch, or None: an UnauthenticatedError or PermissionDeniedError. The map is then
        not synced, and stays what it is, until `wait_synced` tries the watch once more. Calls are not affected."""
        return self._core.refused

    @property
    def node(self) -> str:
        """host:port of the node that this map asks now."""
        return self._core.endpoints.home

    def __getitem__(self, key: Key) -> Value:
        """The value; KeyError if there is none. Asks nobody."""
        try:
            return self._cache.values[key.encode() if isinstance(key, str) else key]
        except KeyError:
            raise KeyError(key) from None

    def get(self, key: Key, default: Any = None) -> Any:
        return self._cache.values.get(key.encode() if isinstance(key, str) else key, default)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, bytes)) and entries.to_bytes(key) in self._cache.values

    def __iter__(self) -> Iterator[Key]:
        return map(entries.shown, list(self._cache.values))

    def __len__(self) -> int:
        return len(self._cache.values)

    def items(self) -> "_Items":
        return _Items(self)

    def values(self) -> "_Values":
        return _Values(self)

    def entry(self, key: Key) -> Optional[Entry]:
        """The key's entry as the near cache has it: holder, lease, version, times. None if there is none."""
        raw = entries.to_bytes(key)
        with self._core.lock:
            found = self._cache.entry(raw)
        return found if found and raw in self._cache.values else None

    def on(self, kind: str, handler: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls `handler(event)` for each event of this kind; returns a function that takes the handler away.

        "update": a value was set, or the key changed hands. Renewals make no event, nor do the entries
        of the first snapshot. "delete": the key was deleted.
        "expired": an ephemeral key vanished: its lease lapsed or was given up.
        "lost": a write of this map, or one that this map's node took, lost to the write of another lease: two sides of
        a partition granted one each, and `event.winner` remains.

        A write that only a dead node had is taken back, by an event with the present entry, mostly "update" or
        "delete". If that write later appears on a living node, it makes another event.

        Handlers are called one after another, away from the watch; a slow one delays the others, and sees the latest
        event of each key only, and of 100,000 keys at most: beyond that the oldest are skipped, and the log says so.
        Exceptions of a handler are logged.
        """
        return self._handlers.add(kind, handler)

    def _pairs(self) -> list[tuple[bytes, Value]]:
        return list(self._cache.values.items())

    def __repr__(self) -> str:
        state = "synced" if self.synced else "not synced"
        return f"<{type(self).__name__} of {len(self)} keys, {state}, {self.node}, holder {self.holder}>"

    def __eq__(self, other: object) -> bool:
        return self is other  # two maps of one cluster are equal now and not a moment later

    __hash__ = object.__hash__


class _Items(collections.abc.ItemsView[Key, Value]):
    _mapping: View

    def __iter__(self) -> Iterator[tuple[Key, Value]]:
        return ((entries.shown(key), value) for key, value in self._mapping._pairs())


class _Values(collections.abc.ValuesView[Value]):
    _mapping: View

    def __iter__(self) -> Iterator[Value]:
        return (value for _, value in self._mapping._pairs())
