"""The handlers of `on`, and what they have not been told yet. No I/O.

Handlers may be slow, and the watch must not wait for them: of each key only the latest event is kept for them, as a
slow watcher's node does, and of KEYS_WAITING keys at most. Lost writes come besides, the latest thousand.
"""
import collections
import logging
import threading
from typing import Any, Callable, Iterator

from leasemap.entry import Event, shown
from leasemap.fold import Change

log = logging.getLogger("leasemap")
KINDS = ("update", "delete", "expired", "lost")
# Lost writes that wait for a handler; nodes keep as many conflicts.
LOST_WAITING = 1000
# Keys that wait for a handler. A handler that is this far behind stands still; its events take some 50 MB then.
KEYS_WAITING = 100_000


class Handlers:
    """The lock guards all fields. `changed` is called, without it, when there is something to tell."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._changed = changed
        self._handlers: dict[str, list[Callable[[Event], Any]]] = {kind: [] for kind in KINDS}
        self._latest: collections.OrderedDict[bytes, Change] = collections.OrderedDict()
        self._skipped = False  # since the handlers were up to date
        self._lost: collections.deque[Change] = collections.deque(maxlen=LOST_WAITING)

    def add(self, kind: str, handler: Callable[[Event], Any]) -> Callable[[], None]:
        """Returns what takes the handler away again."""
        if kind not in self._handlers:
            raise ValueError(f"there is no event {kind!r}; give one of {', '.join(KINDS)}")
        with self._lock:
            self._handlers[kind].append(handler)

        def remove() -> None:
            with self._lock:
                if handler in self._handlers[kind]:
                    self._handlers[kind].remove(handler)
        return remove

    def publish(self, changes: list[Change]) -> None:
        with self._lock:
            for change in changes:
                if not self._handlers[change.kind] and change.key not in self._latest:
                    continue
                if change.kind == "lost":
                    self._lost.append(change)
                else:
                    self._latest.pop(change.key, None)
                    self._latest[change.key] = change
            skipped = len(self._latest) - KEYS_WAITING
            for _ in range(skipped):
                self._latest.popitem(last=False)
            complain, self._skipped = skipped > 0 and not self._skipped, self._skipped or skipped > 0
            waiting = bool(self._latest or self._lost)
        if complain:
            log.warning("a handler is %d keys behind: the oldest of its events are skipped; look why it does not return",
                        KEYS_WAITING)
        if waiting:
            self._changed()

    def take(self) -> Iterator[tuple[Callable[[Event], Any], Event]]:
        """Each handler that is to be called, with its event, until there is nothing more."""
        while True:
            with self._lock:
                if self._lost:
                    change = self._lost.popleft()
                elif self._latest:
                    _, change = self._latest.popitem(last=False)
                else:
                    self._skipped = False
                    return
                handlers = list(self._handlers[change.kind])
            value = None if change.kind == "delete" else change.entry.value
            event = Event(change.kind, shown(change.key), value, change.entry, change.winner)
            for handler in handlers:
                yield handler, event


def failed(handler: Any, event: Event) -> None:
    """A handler raised: the others go on."""
    log.exception("the handler %r of %r failed for key %r", handler, event.kind, event.key)
