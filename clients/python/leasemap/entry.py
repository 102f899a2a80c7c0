"""Keys, values, entries and events, as programs see them. Pure.

A key or a value is text (str) or bytes; the same bytes are the same key. A value comes back as it was set; a key comes
back as text where it is valid UTF-8.
"""
import dataclasses
import datetime
from typing import Any, Optional, Union

Key = Union[str, bytes]
Value = Union[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """The latest write of one key. `value` is None where it was not sent or the key is deleted."""

    key: Key
    value: Optional[Value]
    holder: str  # who holds, or held last, the lease
    lease_start: int  # UTC, whole seconds; a renewal keeps it
    expire_ms: int  # UTC, milliseconds; not after the time of the write if there is no lease
    fencing_token: str  # 32 hex digits; a resource refuses tokens that are smaller than one it has seen
    version: str  # opaque, the same on every node
    update_ms: int  # UTC, milliseconds: the time of the write
    origin: str  # the node that took the write
    deleted: bool
    value_ms: int = 0  # UTC, milliseconds: the time of the write that set the value, where this one kept it; 0: update_ms

    @property
    def expires(self) -> Optional[datetime.datetime]:
        """Until when other holders are refused (UTC); None without a lease."""
        return _utc(self.expire_ms) if self.leased else None

    @property
    def updated(self) -> datetime.datetime:
        return _utc(self.update_ms)

    @property
    def leased(self) -> bool:
        """True if the entry was written with a lease that was not given up. It may have lapsed since."""
        return not self.deleted and self.expire_ms > self.update_ms


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """The argument of the handlers of `on`. `kind` is "update", "delete", "expired" or "lost".

    `value` is the new value of an "update", the lost value of "lost", the last value of "expired", and None for
    "delete". `winner` is the entry that replaced the write of "lost", if it is known.
    """

    kind: str
    key: Key
    value: Optional[Value]
    entry: Entry
    winner: Optional[Entry] = None


def _utc(ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)


def to_bytes(text: Union[str, bytes, bytearray, memoryview]) -> bytes:
    """The bytes of a key or value. TypeError for anything else: nothing is converted in silence."""
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError(f"keys and values are str or bytes, not {type(text).__name__}; encode it first, as by json.dumps")


def shown(key: bytes) -> Key:
    """A key as text where it is valid UTF-8."""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key


def key_fields(key: Key) -> dict[str, Any]:
    """The field of a request that carries this key."""
    return {"key": key} if isinstance(key, str) else {"key_bytes": to_bytes(key)}


def value_fields(value: Value) -> dict[str, Any]:
    return {"value": value} if isinstance(value, str) else {"value_bytes": to_bytes(value)}


def from_proto(entry: Any, value: Optional[Value] = None) -> Entry:
    """An entry of an answer. `value` is what a write set, as the answers of writes carry none."""
    form = entry.WhichOneof("value_form")
    lease = entry.lease
    return Entry(
        key=entry.key if entry.WhichOneof("key_form") == "key" else entry.key_bytes,
        value=getattr(entry, form) if form else value,
        holder=lease.holder,
        lease_start=lease.start_time.seconds,
        expire_ms=lease.expire_time.seconds * 1000 + lease.expire_time.nanos // 1_000_000,
        fencing_token=lease.fencing_token,
        version=entry.version,
        update_ms=entry.update_time.seconds * 1000 + entry.update_time.nanos // 1_000_000,
        origin=entry.origin,
        deleted=entry.deleted,
        value_ms=entry.value_time.seconds * 1000 + entry.value_time.nanos // 1_000_000)


def older(a: Entry, b: Entry) -> bool:
    """True if `a` is surely replaced by `b`: the part of the order of merges that a client can see. The token is epoch
    and inverted start, and the larger stands; then the smaller holder (bytewise); then the newer value; then the later
    write."""
    if a.fencing_token != b.fencing_token:
        return a.fencing_token < b.fencing_token
    if a.holder != b.holder:
        return a.holder.encode() > b.holder.encode()
    value_a, value_b = a.value_ms or a.update_ms, b.value_ms or b.update_ms
    return (value_a, a.update_ms) < (value_b, b.update_ms)


def conflict(loser: Entry, winner: Entry) -> bool:
    """True if `winner` replaced a lease that still ran when the winner's began: two sides of a partition granted one
    each (the server's rule, `Conflict` in mesh.proto)."""
    same = (loser.holder, loser.lease_start) == (winner.holder, winner.lease_start)
    return loser.leased and not same and loser.expire_ms > winner.lease_start * 1000
