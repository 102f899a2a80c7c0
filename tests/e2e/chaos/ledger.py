"""Reads what the driver wrote down, and says which of two entries ranks higher.

The rank is the design's, as far as a client sees it: fencing token (epoch up, start down), then the smaller holder,
then the time of the value, then that of the write. Of two writes that agree in all (the same lease, the same
millisecond) nothing can be told, and nothing is.
"""
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Seen:
    """An entry as a client saw it."""
    version: str
    token: str
    holder: str
    update_ms: int
    deleted: bool = False
    start: int = 0  # s
    expire_ms: int = 0
    value_ms: int = 0  # when its value was set; 0: at update_ms

    def change(self):
        """What a renewal of its lease leaves as it is: who has it since when, and the value."""
        return self.holder, self.token[16:], self.value_ms or self.update_ms

    def below(self, other):
        """True if it surely ranks below the other."""
        return ((self.token, other.holder.encode(), self.value_ms or self.update_ms, self.update_ms) <
                (other.token, self.holder.encode(), other.value_ms or other.update_ms, other.update_ms))


def seen(entry, deleted=False):
    """The same of a message."""
    return Seen(entry.version, entry.lease.fencing_token, entry.lease.holder, entry.update_time.ToMilliseconds(),
                deleted, entry.lease.start_time.seconds, entry.lease.expire_time.ToMilliseconds(),
                entry.value_time.ToMilliseconds())


@dataclasses.dataclass(frozen=True)
class Write:
    """One line of the ledger; `entry` is None if it is in doubt whether the write was done. Times are monotonic."""
    operation: str
    key: str
    node: str
    sent: float
    received: float
    level: str
    holder: str
    entry: Seen


@dataclasses.dataclass(frozen=True)
class Loss:
    """A LOST event or a conflict of ListConflicts: by whom, of which key's versions, and when (listed: at the end)."""
    node: str
    key: str
    loser: Seen
    winner: Seen
    told: float = math.inf


class Ledger:
    """Reads on from where it stopped. `wrong` are complaints of watchers and readers."""

    def __init__(self, path):
        self.file = open(path, encoding="utf-8")

    def read(self):
        writes, losses, wrong = [], [], []
        for line in self.file:
            fields = line.rstrip("\n").split("\t")
            if fields[0] in ("acked", "doubt"):
                operation, key, node, sent, received, level, holder, *entry = fields[1:]
                if entry:
                    version, token, start, expire, update, value = entry
                    entry = Seen(version, token, holder, int(update), operation == "delete", int(start), int(expire),
                                 int(value))
                writes.append(Write(operation, key, node, int(sent) / 1e6, int(received) / 1e6, level, holder,
                                    entry or None))
            elif fields[0] == "lost":
                node, told, key, loser, winner, loser_token, loser_holder, winner_token, winner_holder = fields[1:]
                losses.append(Loss(node, key, Seen(loser, loser_token, loser_holder, 0),
                                   Seen(winner, winner_token, winner_holder, 0), int(told) / 1e6))
            elif fields[0] == "wrong":
                wrong.append(f"{fields[1]}: {fields[3]}")
        return writes, losses, wrong


def read_folds(path):
    """Of the driver's dump: {watcher: {key: Seen}}, and the tombstones that were ever seen, as [(key, Seen)]."""
    folds, graves = {}, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            what, watcher, key, version, token, holder, update, value = line.rstrip("\n").split("\t")
            entry = Seen(version, token, holder, int(update), what == "grave", value_ms=int(value))
            fold = folds.setdefault(watcher, {})
            if what == "key":
                fold[key] = entry
            else:
                graves.append((key, entry))
    return folds, graves
