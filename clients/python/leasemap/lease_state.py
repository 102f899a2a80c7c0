"""What is known of one lease, and when it is renewed and given up for lost. Pure: time (s of the boot-time clock, which
goes on while the machine sleeps) comes in.

The deadline is counted from before the request was sent, so it runs out before the cluster's. Of the lease three
quarters are used: the shortest lease a cluster allows is four times its bound on clock skew, so the quarter that is
left covers that bound. No node shows the key as lapsed, by whatever clock within the bound, while this program believes
it holds it, and a renewal that is sent in time is a renewal on every node.
"""
from typing import Callable, Iterable, Optional

from leasemap import entry as entries
from leasemap.entry import Entry, Value
from leasemap.errors import KeyNotFoundError, LeasemapError
from leasemap.retry import Chance

USED = 0.75  # of the duration, from before the request was sent to the local deadline
# Renewed after a third: then two more tries, each as long, fit in before the deadline.
RENEW = 1 / 3
# Leases that are due within a sixth of their duration go along with one that is due. That is half of the time between
# two renewals, so after two calls all leases of one duration are renewed by one, whenever they were taken; and none is
# renewed more than twice as often as it has to be.
ALONG = 1 / 6
# Leases of one BatchRenew: as many as a node takes (docs/limits.md).
BATCH_MOST = 1000
# The pause after a renewal that failed: a twelfth, so that several fit in; and not more than a second.
RETRY = 1 / 12
RETRY_MOST_S = 1.0

HELD, LOST, RELEASED = "held", "lost", "released"


class LeaseState:
    """One lease. Guarded by the map's lock."""

    def __init__(self, key: bytes, holder: str, duration: float, ephemeral: bool) -> None:
        self.key, self.holder, self.duration, self.ephemeral = key, holder, duration, ephemeral
        self.state = ""  # empty before the first grant
        self.why_lost = ""
        self.trouble = ""  # why the latest renewal failed, while none worked since
        self.entry: Optional[Entry] = None  # the latest that was granted
        self.target = ""  # the node that granted it
        self.deadline = 0.0
        self.renewing = False  # a renewal is under way
        self.lacked = False  # the node that was asked last to renew it did not have it yet
        self.ending = False  # this map deletes the key, or gives the lease up, right now
        self.on_end: list[Callable[[], None]] = []  # called once, without the lock, when it is lost or released
        self._renew_at = 0.0

    def granted(self, entry: Entry, sent: float, now: float, target: str) -> bool:
        """The cluster granted or renewed the lease by a request that was first sent at `sent`. False if it is another
        lease: the one before lapsed in between, or was given up, and anything may have happened meanwhile. An answer
        that comes after the deadline brings nothing back: who looked meanwhile was told that the lease is not held."""
        if self.entry and (entry.holder, entry.lease_start) != (self.entry.holder, self.entry.lease_start):
            return False
        if self.overdue(now):
            return True
        if self.entry is None or not entries.older(entry, self.entry):
            self.entry, self.target = entry, target
        if not self.state:
            self.state = HELD
        self.trouble, self.lacked = "", False
        self.deadline = max(self.deadline, sent + self.duration * USED)
        self._renew_at = max(self._renew_at, sent + self.duration * RENEW)
        return True

    def held(self, now: float) -> bool:
        return self.state == HELD and now < self.deadline

    def left(self, now: float) -> float:
        """Seconds until the local deadline."""
        return max(0.0, self.deadline - now) if self.state == HELD else 0.0

    def overdue(self, now: float) -> bool:
        return self.state == HELD and now >= self.deadline

    def due(self, now: float) -> bool:
        return self.state == HELD and not self.renewing and now >= self._renew_at

    def goes_along(self, now: float) -> bool:
        """It is due, or so soon that it is renewed together with one that is."""
        return self.due(now + self.duration * ALONG) and not self.overdue(now)

    def next(self) -> float:
        """When the keeper has to look at it again."""
        return self.deadline if self.renewing else min(self._renew_at, self.deadline)

    def failed(self, now: float, chance: Chance, trouble: str = "", lacked: bool = False) -> None:
        """A renewal did not get through: again soon, also if the nodes refused it, since rights may come back."""
        self.trouble, self.lacked = trouble, lacked
        self._renew_at = now + min(RETRY_MOST_S, self.duration * RETRY) * (0.5 + 0.5 * chance())

    def seen(self, kind: str, entry: Entry) -> tuple[str, str]:
        """The watch brought this of its key; returns the state that follows, and why if it is over."""
        if self.state != HELD or self.entry is None or entries.older(entry, self.entry):
            return self.state, ""
        if kind == "expired":
            return (LOST, "it lapsed on a node") if entry.version == self.entry.version else (HELD, "")
        if (entry.holder, entry.lease_start) != (self.entry.holder, self.entry.lease_start):
            return LOST, f"{entry.holder} has the key" if kind == "update" else f"{entry.holder} deleted the key"
        if kind == "update" and entry.leased:
            return HELD, ""
        why = "the key was deleted" if kind == "delete" else "it was given up"
        return (RELEASED, f"{why} by this map") if self.ending else (LOST, f"{why} by another program of this holder")

    def end(self, state: str, why: str = "") -> list[Callable[[], None]]:
        """It is over; returns what is to be called."""
        if self.state in (LOST, RELEASED):
            return []
        self.state, self.why_lost = state, why
        calls, self.on_end = self.on_end, []
        return calls


def any_due(leases: Iterable[LeaseState], now: float) -> bool:
    """True if a lease is to be renewed now; then `batches` says which others go along."""
    return any(lease.due(now) and not lease.overdue(now) for lease in leases)


def batches(leases: Iterable[LeaseState], target: str, now: float) -> list[list[LeaseState]]:
    """The leases that this node is asked to renew, once one is due, by calls.

    All go in one call, but for three reasons. A call has BATCH_MOST at most. A node waits for the versions of all items
    before it renews any, so leases that another node granted, of which it may wait for some, go by themselves; and so
    do those that the node before lacked, which may have died with the node that granted them."""
    kinds: tuple[list[LeaseState], ...] = ([], [], [])
    for lease in sorted((lease for lease in leases if lease.goes_along(now)), key=lambda lease: lease.deadline):
        kinds[0 if lease.target == target else 2 if lease.lacked else 1].append(lease)
    return [kind[at:at + BATCH_MOST] for kind in kinds for at in range(0, len(kind), BATCH_MOST)]


def why_lost(error: LeasemapError) -> str:
    """Why a lease is over whose renewal was answered so; empty if it may be tried again."""
    if isinstance(error, KeyNotFoundError):
        return "the key is gone"
    return error.message if error.reason in ("LEASE_HELD", "LEASE_NOT_HELD") else ""


def check_duration(duration: float) -> float:
    """The duration of a lease to be kept (s); the cluster has a lower bound of its own, four times its clock skew."""
    if not 0 < duration <= 100 * 365 * 86400:
        raise ValueError(f"a lease of {duration} s cannot be kept; give 2 s or more (four times the clock bound)")
    return duration


def first_value(value: Optional[Value], holder: str) -> Value:
    """What a key holds that is made for its lease: who holds it."""
    return holder if value is None else value
