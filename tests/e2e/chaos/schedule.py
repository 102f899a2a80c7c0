"""Which faults hit whom and when: a pure function of the seed, so that a run can be played again.

A run is a row of rounds. In each round a random half of the menu is switched off; the faults that are left come at
random times, each for some seconds, and may overlap. At the round's end everything is healed and judged. In a usual
round fewer than half of the nodes are killed, so that what a majority acknowledged has to survive; now and then most
nodes are killed at once instead.
"""
import dataclasses
import random


@dataclasses.dataclass(frozen=True)
class Fault:
    """`at` and `lasts` are seconds from the round's begin; what `who` and `more` mean depends on the kind."""
    at: float
    kind: str
    lasts: float
    who: tuple
    more: tuple = ()

    def __str__(self):
        more = f" {' '.join(map(str, self.more))}" if self.more else ""
        return f"{self.at:6.2f} s {self.kind} {' '.join(map(str, self.who))}{more} for {self.lasts:.2f} s"


@dataclasses.dataclass(frozen=True)
class Field:
    """What there is to hit: nodes 1 to size; those whose mesh port is behind a proxy; those with a clock of their own.
    `bound` is the clock bound in seconds; `far` says whether clocks may be moved beyond it; `disks`: nodes have data
    directories."""
    size: int
    bound: float = 0.5
    far: bool = True
    disks: bool = False

    @property
    def proxied(self):
        # The link that the smaller ID dialled is the one that stays: the larger IDs are dialled.
        return tuple(range(self.size // 2 + 1, self.size + 1))

    @property
    def clocked(self):
        return tuple(range(1, self.size // 3 + 2))


PROXY_MODES = ("stall", "slice", "slow", "reset")
MENU = ("kill", "term", "pause", "partition", "isolate", "one_way", "pair", "flap", *PROXY_MODES, "clock", "clock_far")
# With disks: a node that is killed finds nothing, or what it had once; another program fills its disk; it takes nothing
# any more, until the node is killed.
DISK_MENU = ("wipe", "rollback", "disk_full", "disk_broken")
# A fault every so many seconds, on average, whatever the size: each takes about a second to be noticed.
PAUSE_BETWEEN = 1.2
MASSACRE_ONE_IN = 4


class Planner:
    def __init__(self, field, seed):
        self.field, self.random = field, random.Random(seed)

    def rounds(self, count, seconds):
        return [self.round(number, seconds) for number in range(count)]

    def round(self, number, seconds):
        rng, size = self.random, self.field.size
        menu = sorted(rng.sample(MENU, len(MENU) // 2))
        if self.field.disks:
            menu = [*menu, *DISK_MENU]
        if not self.field.far:
            menu = [kind for kind in menu if kind != "clock_far"]
        # Fewer than half, or one with fewer than three nodes.
        may_die = rng.sample(range(1, size + 1), max(1, (size - 1) // 2))
        faults, at = [], rng.uniform(0.5, 1.5)
        while at < seconds - 1:
            faults.append(self.fault(rng.choice(menu), at, seconds, may_die))
            at += rng.expovariate(1 / PAUSE_BETWEEN)
        if number % MASSACRE_ONE_IN == 1:
            count = max(1, min(size - 1, round(size * rng.uniform(0.3, 0.95))))
            victims = tuple(sorted(rng.sample(range(1, size + 1), count)))
            faults.append(Fault(rng.uniform(seconds / 3, seconds - 1), "massacre", rng.uniform(0.1, 3), victims))
        return sorted(faults, key=lambda fault: fault.at)

    def fault(self, kind, at, seconds, may_die):
        rng, nodes = self.random, range(1, self.field.size + 1)
        lasts = round(min(rng.choice((0.3, 1, 4, 8)) * rng.uniform(0.5, 1.5), seconds - at), 3)
        who, more = (rng.choice(nodes),), ()
        if kind in ("kill", "term", "wipe", "rollback", "disk_broken"):
            who = (rng.choice(may_die),)
        elif kind == "partition":
            who = tuple(sorted(rng.sample(nodes, rng.randint(1, max(1, self.field.size // 2)))))
        elif kind in ("one_way", "pair", "flap"):
            who = tuple(rng.sample(nodes, 2))
        elif kind in PROXY_MODES:
            node = rng.choice(self.field.proxied)
            who, more = (rng.randint(1, node - 1), node), (rng.choice(("in", "out", "both")),)
            if kind == "reset":  # after so many bytes more: within a frame's head, its body, or a later frame
                more += (rng.choice((1, 3, 50, 1000, 20_000)),)
        elif kind == "clock":
            who, more = (rng.choice(self.field.clocked),), (round(rng.uniform(-0.35, 0.35) * self.field.bound, 3),)
        elif kind == "clock_far":
            far = rng.choice((3 * self.field.bound, 30, 7200)) * rng.choice((-1, 1))
            who, more = (rng.choice(self.field.clocked),), (far,)
        return Fault(round(at, 3), kind, lasts, who, more)
