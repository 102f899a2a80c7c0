"""The operations on keys, each written once as a flow (core.py) for threads and for asyncio.

A call asks the map's home node, and the next one when that fails, until the timeout (s, over all tries). Writes carry a
request_id, so that a try whose answer was lost is not done twice.
"""
import copy
import secrets
from typing import Any, Iterable, NamedTuple, Optional, Union, cast

from google.protobuf import duration_pb2

from leasemap import entry as entries
from leasemap import errors
from leasemap.core import PRINCIPAL, Call, Core, Flow, Pause
from leasemap.entry import Entry, Key, Value
from leasemap.lease_state import HELD, LOST, RELEASED
from leasemap.retry import ATTEMPT_S, elsewhere
from leasemap.v1 import key_value_pb2 as pb

Ack = Union[None, str, int]
# How often an operation that reads and then writes is tried when others change the key in between. Ten writers of one
# key that always come first are no accident.
RACES_MOST = 10
# Of one BatchSet: the server takes 1,000 items and 8 MiB; half of that leaves room for how gRPC encodes.
BATCH_ITEMS, BATCH_BYTES = 1000, 4 << 20
_ACKS = {"local": pb.ACK_LOCAL, "majority": pb.ACK_MAJORITY, "all": pb.ACK_ALL}
MISSING: Any = object()


def call(core: Core, method: str, request: Any, timeout: Optional[float] = None,
         attempt: float = ATTEMPT_S) -> Flow[tuple[Any, str]]:
    """The answer and the node that gave it."""
    end = core.now() + (core.timeout if timeout is None else timeout)
    while True:
        core.check()
        with core.lock:
            target = core.endpoints.pick(core.now())
        try:
            answer = yield Call(target, method, request, max(0.001, min(attempt, end - core.now())))
        except errors.LeasemapError as error:
            if not elsewhere(error):
                with core.lock:  # an answer, if not the one that was wanted
                    core.endpoints.worked(target)
                raise
            pause = core.node_failed(target)
            if core.now() + pause >= end:
                raise
            if pause > 0:
                yield Pause(pause)
        else:
            with core.lock:
                core.endpoints.worked(target)
            return answer, target


def named(core: Core) -> Flow[None]:
    """Asks the nodes once by which name they know this map, if its holder is to begin with that name."""
    if core.asks_name:
        principal, _ = yield from call(core, PRINCIPAL, None)
        core.known_as(principal)


def start(core: Core, timeout: float) -> Flow[None]:
    """What a map waits for before programs use it: its copy, and its name."""
    yield from wait_synced(core, timeout)
    yield from named(core)


def duration(seconds: float) -> duration_pb2.Duration:
    found = duration_pb2.Duration()
    found.FromMilliseconds(round(seconds * 1000))
    return found


def ack_fields(ack: Ack) -> dict[str, Any]:
    """None: this node; "majority", "all", or a number of nodes."""
    if ack is None:
        return {}
    if isinstance(ack, int):
        return {"ack_nodes": ack}
    if ack not in _ACKS:
        raise ValueError(f'ack {ack!r} is none of "local", "majority", "all" or a number of nodes')
    return {"ack": _ACKS[ack]}


def request_id() -> str:
    return secrets.token_hex(16)


def set_request(core: Core, key: Key, value: Value, lease: Optional[float] = None, ephemeral: bool = False,
                if_version: str = "", if_absent: bool = False, ack: Ack = None) -> Any:
    """A Set. Of a key whose lease this map keeps, the lease goes on as it is unless the call says otherwise."""
    raw = core.key(key)
    with core.lock:
        kept = core.leases.get(raw)
    if kept and kept.state == HELD:
        if lease is not None and lease != kept.duration:
            raise ValueError(f"the lease on {key!r} is kept at {kept.duration} s; leave `lease` out, or release it")
        lease = kept.duration
        ephemeral = ephemeral or kept.ephemeral
    elif lease is None:
        lease = core.lease
    request = pb.SetRequest(holder=core.holder, if_version=if_version, if_absent=if_absent, request_id=request_id(),
                            **entries.key_fields(key), **entries.value_fields(value), **ack_fields(ack))
    if lease is not None:
        request.lease_duration.CopyFrom(duration(lease))
    if ephemeral:
        request.on_lapse = pb.ON_LAPSE_DELETE
    return request


class Sent(NamedTuple):
    """What a write must know of the moment before it was sent."""

    at: float
    versions: frozenset[str]  # that the write replaces


def sending(core: Core, raw: bytes) -> Sent:
    with core.lock:
        return Sent(core.now(), core.cache.versions(raw))


def answered(core: Core, raw: bytes, entry: Entry, sent: Sent, target: str) -> None:
    """A write was answered: its writer reads it from now on, and its lease, if it is kept, is renewed."""
    why = ""
    with core.lock:
        core.cache.wrote(entry, core.now(), sent.versions)
        kept = core.leases.get(raw)
        if kept and kept.state == HELD and not entry.deleted:
            if not kept.granted(entry, sent.at, core.now(), target):
                why = "it lapsed before the key was written"
    if kept and why:
        core.end_lease(kept, LOST, why)


def set_(core: Core, key: Key, value: Value, timeout: Optional[float] = None, **options: Any) -> Flow[Entry]:
    yield from named(core)
    raw, request = core.key(key), set_request(core, key, value, **options)
    sent = sending(core, raw)
    attempt = ATTEMPT_S if options.get("ack") in (None, "local") else 10 * ATTEMPT_S  # an ack may take its time
    answer, target = yield from call(core, "Set", request, timeout, attempt)
    entry = entries.from_proto(answer.entry, value)
    answered(core, raw, entry, sent, target)
    return entry


def delete(core: Core, key: Key, if_version: str = "", missing_ok: bool = False, ack: Ack = None,
           timeout: Optional[float] = None) -> Flow[Optional[Entry]]:
    yield from named(core)
    request = pb.DeleteRequest(holder=core.holder, if_version=if_version, allow_missing=missing_ok,
                               request_id=request_id(), **entries.key_fields(key), **ack_fields(ack))
    attempt = ATTEMPT_S if ack in (None, "local") else 10 * ATTEMPT_S
    return (yield from _end(core, key, "Delete", request, timeout, attempt))


def release(core: Core, key: Key, timeout: Optional[float] = None) -> Flow[Entry]:
    yield from named(core)
    request = pb.ReleaseRequest(holder=core.holder, **entries.key_fields(key))
    entry = yield from _end(core, key, "Release", request, timeout, ATTEMPT_S)
    return cast(Entry, entry)  # a Release of nothing is KEY_NOT_FOUND


def _end(core: Core, key: Key, method: str, request: Any, timeout: Optional[float],
         attempt: float) -> Flow[Optional[Entry]]:
    """A call that gives the lease up too, be it one that this map keeps."""
    raw = core.key(key)
    with core.lock:
        kept, shown = core.leases.get(raw), core.cache.versions(raw)
        if kept:
            kept.ending = True
    try:
        answer, _ = yield from call(core, method, request, timeout, attempt)
    finally:
        if kept:
            kept.ending = False
    if not answer.HasField("entry"):
        return None
    entry = entries.from_proto(answer.entry)
    with core.lock:
        core.cache.wrote(entry, core.now(), shown)
    if kept and kept.state == HELD:
        core.end_lease(kept, RELEASED, "this map deleted the key" if entry.deleted else "this map gave it up")
    return entry


def fetch(core: Core, key: Key, min_version: str = "", timeout: Optional[float] = None) -> Flow[Entry]:
    """The entry as the node has it now, past the near cache."""
    core.key(key)
    request = pb.GetRequest(min_version=min_version, **entries.key_fields(key))
    attempt = 10 * ATTEMPT_S if min_version else ATTEMPT_S
    answer, _ = yield from call(core, "Get", request, timeout, attempt)
    return entries.from_proto(answer.entry)


def renew(core: Core, key: Key, lease: Optional[float] = None, timeout: Optional[float] = None) -> Flow[Entry]:
    yield from named(core)
    raw = core.key(key)
    sent = sending(core, raw)
    request = pb.RenewRequest(holder=core.holder, **entries.key_fields(key))
    if lease is not None:
        request.lease_duration.CopyFrom(duration(lease))
    answer, target = yield from call(core, "Renew", request, timeout)
    entry = entries.from_proto(answer.entry)
    answered(core, raw, entry, sent, target)
    return entry


def pop(core: Core, key: Key, default: Any = MISSING, timeout: Optional[float] = None) -> Flow[Any]:
    """Deletes exactly the value that it returns."""
    races = 0
    while True:
        races += 1
        try:
            found = yield from fetch(core, key, timeout=timeout)
            yield from delete(core, key, if_version=found.version, timeout=timeout)
            return found.value
        except errors.KeyNotFoundError:
            if default is MISSING:
                raise
            return default
        except errors.VersionMismatchError:
            if races == RACES_MOST:
                raise


def popitem(core: Core, timeout: Optional[float] = None) -> Flow[tuple[Key, Any]]:
    """Any key that this map may delete. KeyError if there is none, the LeaseHeldError of the last one if others hold
    all."""
    held: Optional[errors.LeaseHeldError] = None
    for raw in reversed(list(core.cache.values)):
        key = entries.shown(raw)
        try:
            value = yield from pop(core, key, timeout=timeout)
            return key, value
        except errors.KeyNotFoundError:
            continue
        except errors.LeaseHeldError as error:
            held = error
    raise held or errors.KeyNotFoundError("the map is empty", reason="KEY_NOT_FOUND")


def setdefault(core: Core, key: Key, default: Value, timeout: Optional[float] = None) -> Flow[Any]:
    """The value of the key, which is written first if there is none."""
    races = 0
    while True:
        races += 1
        shown = core.cache.values.get(core.key(key))
        if shown is not None:
            return shown
        try:
            yield from set_(core, key, default, timeout, if_absent=True)
            return default
        except (errors.VersionMismatchError, errors.LeaseHeldError):
            # There is one, which the watch has not brought yet; or an ephemeral one lapsed just now.
            try:
                found = yield from fetch(core, key, timeout=timeout)
                return found.value
            except errors.KeyNotFoundError:
                if races == RACES_MOST:
                    raise


def update(core: Core, items: Iterable[tuple[Key, Value]], timeout: Optional[float] = None) -> Flow[None]:
    """Writes all that it may; BatchError names the keys that were refused."""
    yield from named(core)
    failed: dict[Key, errors.LeasemapError] = {}
    batch: list[tuple[Key, Value, Any]] = []
    size = 0
    for key, value in items:
        request = set_request(core, key, value)
        if batch and (len(batch) == BATCH_ITEMS or size + request.ByteSize() > BATCH_BYTES):
            yield from _send(core, batch, failed, timeout)
            batch, size = [], 0
        batch.append((key, value, request))
        size += request.ByteSize()
    if batch:
        yield from _send(core, batch, failed, timeout)
    if failed:
        raise errors.BatchError(failed)


def _send(core: Core, batch: list[tuple[Key, Value, Any]], failed: dict[Key, errors.LeasemapError],
          timeout: Optional[float]) -> Flow[None]:
    sents = [sending(core, core.key(key)) for key, _, _ in batch]
    request = pb.BatchSetRequest(requests=[request for _, _, request in batch])
    answer, target = yield from call(core, "BatchSet", request, timeout)
    for (key, value, _), sent, result in zip(batch, sents, answer.results):
        if result.status.code:
            failed[key] = errors.decode_item(result.status.code, result.status.message, result.status.reason)
        else:
            answered(core, core.key(key), entries.from_proto(result.entry, value), sent, target)


def wait_synced(core: Core, timeout: float) -> Flow[None]:
    """Until the cache has the whole map and the watch reads at its head. UnavailableError if not within `timeout` s; the
    error of a watch that was refused."""
    end, signal = core.now() + timeout, core.listen(None)
    try:
        while not core.cache.synced:
            core.check()
            if core.refused:
                raise copy.copy(core.refused)
            left = end - core.now()
            if left <= 0:
                raise errors.UnavailableError(
                    f"no node of {', '.join(core.endpoints.targets)} gave its map within {timeout} s; the last error: "
                    f"{core.watch_error or 'nothing'}", code="UNAVAILABLE")
            yield Pause(left, signal)
            signal.take()
    finally:
        core.unlisten(None, signal)
