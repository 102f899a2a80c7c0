"""How leases are acquired, kept and given up: flows (core.py) for threads and for asyncio."""
import dataclasses
import itertools
import logging
from typing import Any, Optional, Sequence

from leasemap import entry as entries
from leasemap import errors
from leasemap.core import RELEASES_MOST, RENEWALS_MOST, Call, Core, Flow, Pause, Spawn
from leasemap.entry import Key, Value
from leasemap.flows import Ack, Sent, call, duration, fetch, named, sending, set_request
from leasemap.lease_state import (HELD, LOST, RELEASED, USED, LeaseState, any_due, batches, check_duration,
                                  first_value, why_lost)
from leasemap.retry import ATTEMPT_S, elsewhere
from leasemap.signals import Signal
from leasemap.v1 import key_value_pb2 as pb

log = logging.getLogger("leasemap")

# A program that waits for a key looks at it again after this time at the latest (s): a lease that lapses makes no event,
# and a watch may lag.
LOOK_S = 1.0
# A holder's lease may end a little before the server's hint says, never much later; chance spreads those who wait (s).
SPREAD_S = 0.05
# The keeper looks at its leases after this time at the latest (s): after the machine slept, timers are late but the
# deadline is not.
KEEPER_S = 1.0
# After acks that were slow, since a member was, the rest are no slower (s).
SETTLE_MOST_S = 0.2
# How long it may take until a lease is given up (s); if no node answers, the lease lapses by itself.
RELEASE_S = 3.0


def acquire(core: Core, key: Key, value: Optional[Value] = None, duration_s: float = 10.0, ephemeral: bool = True,
            wait: Optional[float] = 0.0, ack: Ack = None, overwrite: bool = False) -> Flow[LeaseState]:
    """A lease that is kept until it is released or lost. `wait`: how long to wait for another holder (s; None: for
    ever); then the LeaseHeldError. With `overwrite` the value is written; else a key that exists keeps its own."""
    yield from named(core)
    raw = core.key(key)
    check_duration(duration_s)
    end = None if wait is None else core.now() + wait
    signal = core.listen(raw)
    try:
        while True:
            core.check()
            try:
                return (yield from _take(core, key, raw, value, duration_s, ephemeral, ack, overwrite))
            except (errors.LeaseHeldError, errors.UnavailableError, errors.AckIncompleteError) as error:
                left = LOOK_S if end is None else end - core.now()
                if left <= 0:
                    raise
                hint = LOOK_S if error.retry_after is None else error.retry_after + SPREAD_S * core.chance()
            yield Pause(min(hint, LOOK_S, left), signal)
            signal.take()
    finally:
        core.unlisten(raw, signal)


def _take(core: Core, key: Key, raw: bytes, value: Optional[Value], duration_s: float, ephemeral: bool, ack: Ack,
          overwrite: bool) -> Flow[LeaseState]:
    """One try."""
    lease = LeaseState(raw, core.holder, duration_s, ephemeral)
    with core.lock:
        if raw in core.leases:
            raise _held(f"this map holds the lease on {key!r} already; release that one first, or wait", core.holder)
        core.leases[raw] = lease  # nobody else of this program acquires it meanwhile
    sent = sending(core, raw)
    try:
        granted, target, made = yield from _grant(core, key, value, lease, ack, overwrite)
    except (errors.VersionMismatchError, errors.SupersededError) as error:
        core.end_lease(lease, RELEASED)
        raise _held(f"another holder took {key!r} just now; wait", error.metadata.get("winner_holder", "")) from None
    except GeneratorExit:  # nobody drives this any more
        core.end_lease(lease, RELEASED)
        raise
    except BaseException as error:
        core.end_lease(lease, RELEASED, free=False)
        if _in_doubt(error):
            yield Spawn(_release(core, lease))
        else:
            core.free_lease(lease)
        raise
    entry = entries.from_proto(granted, first_value(value, core.holder) if made else None)
    state, why = HELD, ""
    with core.lock:
        lease.ephemeral = ephemeral and made
        lease.granted(entry, sent.at, core.now(), target)
        core.cache.wrote(entry, core.now(), sent.versions)
        known = core.cache.entry(raw)  # the watch may have been quicker with what came after
        if known and known.version != entry.version:
            state, why = lease.seen("delete" if known.deleted else "update", known)
        if state == HELD and not lease.held(core.now()):
            state, why = LOST, "the answer came too late; give it a longer duration"
    if state != HELD:
        core.end_lease(lease, LOST, why, free=False)
        yield Spawn(_release(core, lease))
        raise _held(f"the lease on {key!r} was granted and is gone again: {why}", known.holder if known else "")
    core.keeper_signal.set()
    if ack not in (None, "local", "all"):
        yield from _settle(core, lease, core.now() - sent.at)
    return lease


def _settle(core: Core, lease: LeaseState, took: float) -> Flow[None]:
    """Waits once more for as long as the acks took. A rival that a node of the minority granted the key to, before it
    heard of this lease, is known here by then; if the rival stands, the watch has ended this lease. Measured with five
    contenders: two held at once in 1 of 1,871 times, and in 23 of 2,241 without this pause."""
    try:
        yield Pause(min(took, SETTLE_MOST_S))
    except BaseException:
        core.end_lease(lease, RELEASED, free=False)
        yield Spawn(_release(core, lease))
        raise
    if lease.state != HELD:
        raise _held(f"the lease on {entries.shown(lease.key)!r} was granted and is gone again: {lease.why_lost}", "")


def _held(message: str, holder: str) -> errors.LeaseHeldError:
    return errors.LeaseHeldError(message, "FAILED_PRECONDITION", "LEASE_HELD", {"holder": holder})


def _grant(core: Core, key: Key, value: Optional[Value], lease: LeaseState, ack: Ack,
           overwrite: bool) -> Flow[tuple[Any, str, bool]]:
    """The entry with the lease, the node that granted it, and whether the value was written."""
    attempt = ATTEMPT_S if ack in (None, "local") else 10 * ATTEMPT_S
    timeout = min(core.timeout, lease.duration * USED)  # an answer after the local deadline is of no use
    if not overwrite:
        try:
            if ack in (None, "local"):
                request = pb.RenewRequest(holder=core.holder, lease_duration=duration(lease.duration),
                                          **entries.key_fields(key))
                answer, target = yield from call(core, "Renew", request, timeout)
                return answer.entry, target, False
            # Renew waits for no acks: the same value is written again.
            found = yield from fetch(core, key, timeout=timeout)
            request = set_request(core, key, found.value or b"", lease.duration, if_version=found.version, ack=ack)
            answer, target = yield from call(core, "Set", request, timeout, attempt)
            return answer.entry, target, False
        except errors.KeyNotFoundError:
            pass
    request = set_request(core, key, first_value(value, core.holder), lease.duration, lease.ephemeral,
                          if_absent=not overwrite, ack=ack)
    answer, target = yield from call(core, "Set", request, timeout, attempt)
    return answer.entry, target, True


def _in_doubt(error: BaseException) -> bool:
    """True if the cluster may have granted the lease all the same."""
    if not isinstance(error, errors.LeasemapError):
        return True  # the caller was interrupted
    return isinstance(error, (errors.UnavailableError, errors.AckIncompleteError))


def _release(core: Core, lease: LeaseState) -> Flow[None]:
    """Gives up at the cluster what is over here, and frees the key for others of this program."""
    key, sent = entries.shown(lease.key), sending(core, lease.key)
    try:
        request = pb.ReleaseRequest(holder=core.holder, **entries.key_fields(key))
        answer, _ = yield from call(core, "Release", request, RELEASE_S)
        entry = entries.from_proto(answer.entry)
        if lease.ephemeral:  # it vanished, on that node at least
            entry = dataclasses.replace(entry, deleted=True)
        with core.lock:
            core.cache.wrote(entry, core.now(), sent.versions)
    except (errors.KeyNotFoundError, errors.LeaseHeldError, errors.ClosedError):
        pass  # it is not ours
    except errors.LeasemapError as error:
        log.warning("the lease on %r could not be given up; it lapses by itself: %s", key, error)
    finally:
        core.free_lease(lease)


def give_up(core: Core, lease: LeaseState) -> Flow[None]:
    """Releases a lease that is held; one that is lost stays with who has it."""
    if lease.state == HELD:
        core.end_lease(lease, RELEASED, free=False)
        yield from _release(core, lease)


def give_up_all(core: Core) -> Flow[None]:
    """Releases all leases that are kept, RELEASES_MOST at a time, and waits for that for a bounded time."""
    end, signal = core.now() + RELEASE_S, Signal()

    def one(lease: LeaseState) -> Flow[None]:
        yield from give_up(core, lease)
        signal.set()
    with core.lock:
        held = [lease for lease in core.leases.values() if lease.state == HELD]
    for at in range(0, len(held), RELEASES_MOST):
        some = held[at:at + RELEASES_MOST]
        for lease in some:
            yield Spawn(one(lease))
        while core.now() < end and any(core.leases.get(lease.key) is lease for lease in some):
            yield Pause(end - core.now(), signal)
            signal.take()


def keeper(core: Core) -> Flow[None]:
    """Runs as long as the map: renews the leases that are due and tells those that are lost."""
    while not core.closed:
        now = core.now()
        with core.lock:
            overdue = [lease for lease in core.leases.values() if lease.overdue(now)]
            calls: list[list[LeaseState]] = []
            target = ""
            if core.renewals < RENEWALS_MOST and any_due(core.leases.values(), now):
                target = core.endpoints.pick(now)
                calls = batches(core.leases.values(), target, now)[:RENEWALS_MOST - core.renewals]
            for lease in itertools.chain(*calls):
                lease.renewing = True
            core.renewals += len(calls)
            core.cache.expire(now)
            silent = core.watch_is_silent()
        for lease in overdue:
            why = f"; the last try: {lease.trouble}" if lease.trouble else ""
            core.end_lease(lease, LOST, f"it could not be renewed in time{why}")
        for some in calls:
            yield Spawn(_renew(core, target, some))
        if silent:
            core.cut_watch()
        with core.lock:
            # Those that wait for others' renewals are looked at when one of these ends.
            full = core.renewals >= RENEWALS_MOST
            nexts = [lease.deadline if full else lease.next() for lease in core.leases.values() if lease.state == HELD]
        yield Pause(max(0.001, min([KEEPER_S, *(at - core.now() for at in nexts)])), core.keeper_signal)
        core.keeper_signal.take()


def _renew(core: Core, target: str, leases: list[LeaseState]) -> Flow[None]:
    """One try, by one call. What fails is tried again by the keeper, at the node that is home then."""
    with core.lock:
        sents = [sending(core, lease.key) for lease in leases]
        request = pb.BatchRenewRequest(requests=[_renewal(core, lease, target) for lease in leases])
        # Two tries at least fit into what is left.
        timeout = min(ATTEMPT_S, max(0.05, min(lease.left(core.now()) for lease in leases) / 2))
    try:
        try:
            answer = yield Call(target, "BatchRenew", request, timeout)
        except errors.LeasemapError as error:
            _not_renewed(core, target, [(lease, error) for lease in leases], lacked=False)
        else:
            _renewed(core, target, list(zip(leases, sents)), answer.results)
    finally:
        with core.lock:
            for lease in leases:
                lease.renewing = False
            core.renewals -= 1
        core.keeper_signal.set()


def _renewal(core: Core, lease: LeaseState, target: str) -> Any:
    """A lease that lapsed, or was given up, is not acquired again: it is lost. Another node than the one that granted
    it must have it first, or would not know it."""
    known = lease.entry.version if lease.entry and lease.target != target else ""
    return pb.RenewRequest(holder=core.holder, lease_duration=duration(lease.duration), only_if_held=True,
                           min_version=known, **entries.key_fields(entries.shown(lease.key)))


def _renewed(core: Core, target: str, leases: list[tuple[LeaseState, Sent]], results: Sequence[Any]) -> None:
    """A node answered. Each lease has a result of its own."""
    failed: list[tuple[LeaseState, errors.LeasemapError]] = []
    lost: list[tuple[LeaseState, str]] = []
    cut_short = errors.UnavailableError("the answer was cut short", code="UNAVAILABLE")
    for (lease, sent), result in itertools.zip_longest(leases, results[:len(leases)]):
        if result is None:
            failed.append((lease, cut_short))
        elif result.status.code:
            error = errors.decode_item(result.status.code, result.status.message, result.status.reason)
            why = why_lost(error)
            if why:
                lost.append((lease, why))
            else:
                failed.append((lease, error))
        else:
            with core.lock:
                entry = entries.from_proto(result.entry)
                if lease.granted(entry, sent.at, core.now(), target):
                    core.cache.wrote(entry, core.now(), sent.versions)
                else:  # another program of this holder acquired it since
                    lost.append((lease, "it lapsed before it was renewed"))
    if failed:
        _not_renewed(core, target, failed, lacked=True)
    if not any(elsewhere(error) for _, error in failed):
        with core.lock:
            core.endpoints.worked(target)
    for lease, why in lost:
        if lease.state == HELD:
            core.end_lease(lease, LOST, why)


def _not_renewed(core: Core, target: str, failed: list[tuple[LeaseState, errors.LeasemapError]], lacked: bool) -> None:
    """These are tried again. `lacked`: the node answered, so each error is about its lease."""
    with core.lock:
        for lease, error in failed:
            lease.failed(core.now(), core.chance, str(error), lacked and elsewhere(error))
    if any(elsewhere(error) for _, error in failed):
        core.node_failed(target)
    refused = [(lease, error) for lease, error in failed if not elsewhere(error)]
    if refused:
        log.warning("%d leases were not renewed, and are tried again; that on %r: %s", len(refused),
                    entries.shown(refused[0][0].key), refused[0][1])


class Registration:
    """A key that is kept alive until it is stopped. `stopped` and `lease` are guarded by the map's lock."""

    def __init__(self, key: Key, value: Value, duration_s: float) -> None:
        self.key, self.value, self.duration_s = key, value, check_duration(duration_s)
        self.stopped = False
        self.lease: Optional[LeaseState] = None
        self.signal = Signal()


def register(core: Core, registration: Registration, wait: Optional[float]) -> Flow[None]:
    """Sets the key, after it waited for another holder for at most this time (s), and keeps it from then on."""
    lease = yield from acquire(core, registration.key, registration.value, registration.duration_s, True, wait,
                               overwrite=True)
    lease.on_end.append(registration.signal.set)
    registration.lease = lease
    yield Spawn(_keep_registered(core, registration, lease))


def _keep_registered(core: Core, registration: Registration, lease: LeaseState) -> Flow[None]:
    """Sets the key again whenever its lease was lost, until the registration is stopped."""
    signal, complained = registration.signal, False
    while not core.closed:
        while lease.state == HELD and not registration.stopped:
            yield Pause(registration.duration_s, signal)
            signal.take()
        if registration.stopped:
            yield from give_up(core, lease)
            return
        try:
            lease = yield from acquire(core, registration.key, registration.value, registration.duration_s, True,
                                       LOOK_S, overwrite=True)
            lease.on_end.append(signal.set)
            registration.lease, complained = lease, False
        except errors.ClosedError:
            return
        except errors.LeasemapError as error:
            if not complained:
                log.warning("%r could not be registered again, and is tried on: %s", registration.key, error)
            complained = True
            yield Pause(LOOK_S * (0.5 + 0.5 * core.chance()), signal)


def unregister(core: Core, registration: Registration) -> Flow[None]:
    """Ends a registration, and gives its key up if it is there."""
    registration.stopped = True
    registration.signal.set()
    if registration.lease:
        yield from give_up(core, registration.lease)
