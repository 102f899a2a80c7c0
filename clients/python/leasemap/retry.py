"""Which node is asked next, after what pause, and what is tried again. Pure: time (s) and chance come in.

A map stays with one node, its home, and moves on only when that one fails. Two writes of one program through two nodes
may overtake each other, and the later one would lose; docs/decisions/0022 has the reasons. Programs start at a random
node each, so the nodes share them.
"""
import random
from typing import Callable, Iterable

from leasemap.errors import InvalidError, LeasemapError, PermissionDeniedError, UnauthenticatedError

# The pause after the first failure of a node, doubled with each further one up to the longest (s). A node that restarts
# is back within a second or two; a node that is gone is asked every two seconds, which costs it nothing.
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
# How long one node may take for an answer before the next one is asked (s). A call takes a millisecond; a node that
# stands still for two seconds is in trouble.
ATTEMPT_S = 2.0
# How long a watch may be silent before it is taken for dead (s). A node says something every 15 s at least.
SILENCE_S = 20.0

Chance = Callable[[], float]  # uniform in [0, 1)

# Reasons after which the same request makes sense at another node. Writes carry a request_id or repeat themselves
# without harm (Renew, Release), so a request that was done without our knowing is not done twice.
_ELSEWHERE = {"SYNCING", "DRAINING", "NOT_CAUGHT_UP", "CLOCK_UNSAFE", "DISK_FAILED", "WAIT_LIMIT", "WATCH_LIMIT",
              "CONNECTION_LIMIT"}
# Codes of gRPC itself that say that the node or the way to it failed.
_BROKEN = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "CANCELLED", "RESOURCE_EXHAUSTED"}


def elsewhere(error: LeasemapError) -> bool:
    """True if another node may do what this error refused."""
    return error.reason in _ELSEWHERE or (not error.reason and error.code in _BROKEN)


def refuses(error: LeasemapError) -> bool:
    """True if any node would refuse the map's watch for the same reason: the caller's rights, or how it connects."""
    return isinstance(error, (UnauthenticatedError, PermissionDeniedError)) or (
        isinstance(error, InvalidError) and not error.reason)


class Backoff:
    """Pauses that double, each cut at random by up to a half, so that programs that failed together come back apart."""

    def __init__(self, chance: Chance = random.random) -> None:
        self._chance, self._failures = chance, 0

    def next(self) -> float:
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return pause * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        self._failures = 0


class Endpoints:
    """The nodes of one map, in the order in which they are asked. Guarded by the map's lock."""

    def __init__(self, targets: Iterable[str], chance: Chance = random.random) -> None:
        self._chance = chance
        self._targets: list[str] = []
        self._backoff: dict[str, Backoff] = {}
        self._until: dict[str, float] = {}  # a node that failed is not asked before this
        self.home = ""
        self.replace(targets)

    @property
    def targets(self) -> list[str]:
        return list(self._targets)

    def replace(self, targets: Iterable[str]) -> None:
        """The nodes are these from now on. What is known of those that stay is kept."""
        self._targets = list(dict.fromkeys(targets))
        if not self._targets:
            raise ValueError("no endpoints; give host:port of at least one node")
        self._backoff = {target: self._backoff[target] for target in self._targets if target in self._backoff}
        self._until = {target: self._until[target] for target in self._targets if target in self._until}
        if self.home not in self._targets:
            self.home = self._targets[int(self._chance() * len(self._targets))]

    def pick(self, now: float) -> str:
        """The node to ask: home, or the next after it that has not just failed; if all have, the one whose pause ends
        first."""
        at = self._targets.index(self.home)
        order = self._targets[at:] + self._targets[:at]
        self.home = min(order, key=lambda target: max(0.0, self._until.get(target, 0.0) - now))
        return self.home

    def pause(self, now: float) -> float:
        """How long to wait before `pick` gives a node that may be asked (s); 0: at once."""
        return max(0.0, min(self._until.get(target, 0.0) for target in self._targets) - now)

    def failed(self, target: str, now: float) -> None:
        if target in self._targets:
            self._until[target] = now + self._backoff.setdefault(target, Backoff(self._chance)).next()

    def worked(self, target: str) -> None:
        self._until.pop(target, None)
        if target in self._backoff:
            self._backoff[target].reset()


def split(endpoints: Iterable[str] | str) -> list[str]:
    """The endpoints as a list: one string may hold several, with commas between."""
    parts = endpoints.split(",") if isinstance(endpoints, str) else list(endpoints)
    found = [part.strip() for part in parts if part.strip()]
    for part in found:
        host, colon, port = part.rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ValueError(f"endpoint {part!r} is not host:port, as 127.0.0.1:7400")
    if not found:
        raise ValueError("no endpoints; give host:port of at least one node")
    return found
