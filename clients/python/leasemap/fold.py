"""The near cache: what the messages of one watch make of the map, and the writes of this program on top. Pure: time
comes in as a number of seconds, messages as the protos' objects.

Readers look into `values`, a plain dict by the keys' bytes. A snapshot is built aside and put in place when it is
whole, so that readers never see half of one.

A program reads its own writes: an answered write is shown at once, although the watch may bring it later. It is shown
until the watch brings it or something that replaced it, and for OWN_S at most: a write that died with its node never
comes, and the cache must not show it for ever.

A write that only a dead node had is taken back: what stands is told. The stream that follows on another node says by
its first cursor what it has of all that was told since the last one.
"""
import collections
import dataclasses
from typing import Any, Optional

from leasemap import entry as entries
from leasemap.entry import Entry, Value
from leasemap.v1 import key_value_pb2 as pb

# For how long an own write is shown without the watch (s): longer than a watch can be silent before it moves on (20 s).
OWN_S = 30.0
# And for how long once the watch is at the head again after it broke (s). If a node died, what it told anyone is on the
# others within 3 s: they give a silent member up after that, and ask each other for what they lack after one.
DOUBT_S = 3.0
# The cache remembers the versions of this many lost writes, so that it tells none twice. Nodes keep as many conflicts.
LOST_KEPT = 1000
# The cache remembers this many deletes. The answers to their writes are on their way for milliseconds.
GONE_KEPT = 1000
KINDS = (pb.Event.KIND_SET, pb.Event.KIND_DELETED, pb.Event.KIND_EXPIRED, pb.Event.KIND_LOST)
_NAMES = {pb.Event.KIND_SET: "update", pb.Event.KIND_DELETED: "delete", pb.Event.KIND_EXPIRED: "expired"}


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What one event did. `told` is False for a change that programs are not told of: a renewal, the first snapshot."""

    kind: str  # as Event.kind
    key: bytes
    entry: Entry
    winner: Optional[Entry] = None
    told: bool = True
    taken_back: bool = False  # it stands in the place of a write that only a dead node had


@dataclasses.dataclass(slots=True)
class _Recent:
    """What was told of a key since the last cursor."""

    kind: str
    entry: Entry
    stood: Optional[Entry]  # what the base had at that cursor
    confirmed: bool = True  # the stream at hand brought this event
    pending: Optional[tuple[str, Entry]] = None  # the latest that it brought and that is older


@dataclasses.dataclass(slots=True)
class _Own:
    entry: Entry
    until: float
    # Versions of the same millisecond that this write replaced: only who wrote them one after another knows the order.
    older: frozenset[str]


class NearCache:
    """One map's cache. The caller guards all but reads of `values` by its lock."""

    def __init__(self, holder: str, prefix: bytes = b"") -> None:
        self.values: dict[bytes, Value] = {}  # replaced as a whole at the end of a snapshot
        self.cursor = ""
        self.synced = False  # the watch has reached the head, and its stream lives
        self.whole = False  # a snapshot was completed once
        self.holder, self._prefix = holder, prefix
        self._base: dict[bytes, Entry] = {}  # what the watch brought
        self._own: dict[bytes, _Own] = {}  # answered writes that it did not bring yet
        self._fresh: Optional[dict[bytes, Entry]] = None  # a snapshot under way
        # The events since the last cursor, deletes too: a stream that resumes brings them again, or lacks them. As many
        # as a node sends between two cursors.
        self._recent: dict[bytes, _Recent] = {}
        self._lost: collections.OrderedDict[str, None] = collections.OrderedDict()
        # The latest deletes, for answers of writes that come after the watch brought the write and its delete.
        self._gone: collections.OrderedDict[bytes, Entry] = collections.OrderedDict()

    def request(self) -> Any:
        """What the next stream asks for: to resume, or a snapshot."""
        request = pb.WatchRequest(kinds=KINDS, cursor=self.cursor, include_snapshot=not self.cursor)
        if self._prefix:
            request.prefixes_bytes.append(self._prefix)
        self._fresh = None if self.cursor else {}
        if self._fresh is not None:
            self._recent.clear()
        for recent in self._recent.values():
            recent.confirmed, recent.pending = False, None
        return request

    def broke(self) -> None:
        """The stream ended. What is here stays, and grows stale."""
        self.synced = False

    def forget_cursor(self) -> None:
        """The cursor is no good: the next stream takes a snapshot."""
        self.cursor = ""

    def take(self, message: Any, now: float = 0.0) -> list[Change]:
        """One message of the stream; returns what it changed, in order."""
        changes: list[Change] = []
        for event in message.events:
            entry = entries.from_proto(event.entry)
            if event.kind == pb.Event.KIND_LOST:
                changes += self._tell_lost(entry, entries.from_proto(event.winner))
            elif event.kind in _NAMES:
                changes += self._event(_NAMES[event.kind], entry)
        if message.snapshot_end and self._fresh is not None:
            changes += self._put_in_place()
        if message.cursor and self._fresh is None:
            if not self.synced:
                for own in self._own.values():
                    own.until = min(own.until, now + DOUBT_S)
            self.cursor, self.synced = message.cursor, True
            changes += self._take_back()
            self._recent.clear()
        return changes

    def wrote(self, entry: Entry, now: float, before: frozenset[str] = frozenset()) -> None:
        """A write of this program was answered with this entry, whose value the caller filled in; a renewal or release
        (value None) keeps the value that is shown. `before` is what `versions` gave when the write was sent:
        those it replaced. Of two writes of one millisecond that were under way together only the watch knows the order;
        until it has told, the answer that came last is shown."""
        key = entries.to_bytes(entry.key)
        if not key.startswith(self._prefix):
            return
        own = self._own.get(key)
        known = self.entry(key) or self._gone.get(key)
        older = known is None or known.version in before or entries.older(known, entry)
        together = own is not None and own.entry.version != entry.version and not entries.older(entry, own.entry)
        if not older and not together:
            return
        if entry.value is None and not entry.deleted:
            if known is None or key not in self.values:
                return
            entry = dataclasses.replace(entry, value=known.value)
        strictly = known is None or entries.older(known, entry)
        self._own[key] = _Own(entry, now + OWN_S, frozenset() if strictly else before)
        self._show(key)

    def expire(self, now: float) -> None:
        """Lets go of own writes that the watch did not bring in time."""
        for key in [key for key, own in self._own.items() if own.until <= now]:
            del self._own[key]
            self._show(key)

    def entry(self, key: bytes) -> Optional[Entry]:
        """The entry that is shown; a deleted one only while the watch has not brought the delete."""
        own = self._own.get(key)
        return own.entry if own else self._base.get(key)

    def versions(self, key: bytes) -> frozenset[str]:
        """The version that is shown, and those of its millisecond that it replaced."""
        own, found = self._own.get(key), self.entry(key)
        return (own.older if own else frozenset()) | ({found.version} if found else frozenset())

    def _show(self, key: bytes) -> None:
        shown = self.entry(key)
        if shown is None or shown.deleted or shown.value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = shown.value

    def _event(self, kind: str, entry: Entry) -> list[Change]:
        key = entries.to_bytes(entry.key)
        old = self._base.get(key) if self._fresh is None else self._fresh.get(key)
        recent = self._recent.get(key)
        if recent is None:
            if old is not None and old.version == entry.version and kind != "expired":
                return []
            self._recent[key] = _Recent(kind, entry, old)
        else:
            again = (kind, entry.version) == (recent.kind, recent.entry.version)
            # One stream tells of a key in the order in which the node's copy changed.
            if not recent.confirmed and not again and _came_before(kind, entry, recent.kind, recent.entry):
                recent.pending = kind, entry
                return []
            recent.confirmed = True
            if again:
                return []
            recent.kind, recent.entry = kind, entry
        before = self.entry(key)
        target = self._base if self._fresh is None else self._fresh
        if kind == "update":
            target[key] = entry
        else:
            target.pop(key, None)
        if self._fresh is not None:
            return []
        return self._settle(kind, key, entry, old, before)

    def _take_back(self) -> list[Change]:
        """The stream has brought all that its node has. Of what was told since the cursor before, it lacks what is not
        confirmed: a dead node alone had it. What this node has in its place is told. If the write turns up here later,
        it comes as any event, and is told again."""
        changes: list[Change] = []
        for key, recent in self._recent.items():
            if recent.confirmed:
                continue
            old = self._base.get(key)
            kind, entry = recent.pending or ("update", recent.stood)
            if entry is None:
                if old is not None:
                    del self._base[key]
                    kind, entry = "delete", dataclasses.replace(old, value=None, deleted=True)
            elif kind == "update":
                self._base[key] = entry
            else:
                self._base.pop(key, None)
            if entry is not None:
                # Without `before`, as nobody's lease won here.
                changes += self._settle(kind, key, entry, old, None, settles_own=False, taken_back=True)
            if not recent.pending:
                self._gone.pop(key, None)  # no node has this delete: it hides no answer of a write
        return changes

    def _put_in_place(self) -> list[Change]:
        """The snapshot is whole: it is the truth, whatever was here before."""
        fresh, self._fresh = self._fresh or {}, None
        old_base, self._base = self._base, fresh
        first, self.whole = not self.whole, True
        changes: list[Change] = []
        values = {key: entry.value for key, entry in fresh.items() if entry.value is not None}
        shown_before = {key: own.entry for key, own in self._own.items()}
        for key, own in shown_before.items():
            if own.deleted:
                values.pop(key, None)
            elif own.value is not None:
                values[key] = own.value
        self.values = values
        for key, old in old_base.items():
            if key not in fresh:
                gone = dataclasses.replace(old, value=None, deleted=True)
                changes += self._settle("delete", key, gone, old, shown_before.get(key, old), settles_own=False)
        for key, entry in fresh.items():
            before = old_base.get(key)
            if before is None or before.version != entry.version:
                changes += self._settle("update", key, entry, before, shown_before.get(key, before), told=not first)
        return changes

    def _settle(self, kind: str, key: bytes, entry: Entry, old: Optional[Entry], before: Optional[Entry],
                told: bool = True, settles_own: bool = True, taken_back: bool = False) -> list[Change]:
        """The base has this event: own writes that it covers go, and who is told what."""
        own = self._own.get(key)
        if own and settles_own and entry.version not in own.older and not entries.older(entry, own.entry):
            del self._own[key]
        self._show(key)
        self._gone.pop(key, None)
        if kind != "update":
            self._gone[key] = entry
            if len(self._gone) > GONE_KEPT:
                self._gone.popitem(last=False)
        changes = []
        mine = before is not None and before.holder == self.holder and not entries.older(entry, before)
        if before is not None and mine and entries.conflict(before, entry):
            changes += self._tell_lost(before, entry)
        if kind == "update":
            # A write that leaves value and lease as they were is a renewal.
            renewal = old is not None and (old.value, old.holder, old.lease_start) == (
                entry.value, entry.holder, entry.lease_start)
            told = told and not renewal
        else:
            told = told and old is not None
        return [*changes, Change(kind, key, entry, told=told, taken_back=taken_back)]

    def _tell_lost(self, loser: Entry, winner: Entry) -> list[Change]:
        if loser.version in self._lost:
            return []
        self._lost[loser.version] = None
        if len(self._lost) > LOST_KEPT:
            self._lost.popitem(last=False)
        return [Change("lost", entries.to_bytes(loser.key), loser, winner)]


def _came_before(kind: str, entry: Entry, last_kind: str, last: Entry) -> bool:
    """True if this event is `last` itself, or was replaced by it."""
    if last.version == entry.version:
        # The lapse of an ephemeral key is an event of the version that was set; all else came before.
        return kind != "expired" or last_kind == "expired"
    return entries.older(entry, last)
