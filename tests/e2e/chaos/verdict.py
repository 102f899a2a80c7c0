"""Judges a round: is every acknowledged write present, or outranked, or excused? Is what was lost told? Pure.

At a round's end all nodes hold equal maps, which this judge is given. What it asks for:

- A write that was acknowledged is in the map, or an entry of a higher rank stands there (or a delete of a higher rank,
  which somebody saw). Excused are writes acknowledged by one node that lost what it held later in the round (without a
  disk: that was killed), and writes acknowledged by a majority if as many nodes lost it as could have held them all.
- What stood at the end of the round before (all nodes had it then) is there, or outranked: no excuse.
- A write that lost to another lease, while its own was live, is told by the process that took it, if that lived on. The
  judge demands it only where the ledger leaves no other way for things to have gone.
- A loss is told at most once, its winner outranks it, and it is never of an entry that stands, unless the process that
  told it was killed afterwards and took the winner along.
"""
import collections

LISTED = 50_000  # conflicts that a node keeps for ListConflicts (kMaxConflicts in peer/core/data/limits.h)


class Judge:
    def __init__(self, size):
        self.majority = size // 2 + 1
        self.floor = {}  # key: the highest rank that stood at a round's end, tombstones included
        self.graves = {}  # key: the highest delete that was acknowledged or seen by a watcher
        self.told = set()  # (node, version) of losses that were told
        self.excused = collections.Counter()
        self.due = 0  # losses that had to be told

    def round(self, writes, present, graves, kills, losses, conflicts, lost=None):
        """What is wrong with a round. `present` {key: Seen} is the map at its end, `graves` [(key, Seen)] tombstones
        that watchers saw, `kills` [(node, time)]; `losses` are LOST events, `conflicts` those that nodes list, or None
        if they cannot. `lost`: of the kills those with which what the node held was lost; None: all of them."""
        wrong, lost = [], kills if lost is None else lost
        # Ephemeral keys are gone by now, whatever was written: that they are is looked at elsewhere.
        writes = [write for write in writes if not write.key.startswith("brief/")]
        for key, grave in graves:
            self._bury(key, grave)
        for write in writes:
            if write.entry and write.operation == "delete" and not self._excused(write, lost):
                self._bury(write.key, write.entry)
        wanted = dict(self.floor)
        reasons = dict.fromkeys(wanted, "it stood at the end of the round before")
        for write in writes:
            if not write.entry:
                continue
            if self._excused(write, lost):
                self.excused[write.level] += not self._stands(write.key, write.entry, present)
                continue
            before = wanted.get(write.key)
            if before is None or before.below(write.entry):
                wanted[write.key] = write.entry
                reasons[write.key] = f"{write.node} acknowledged the {write.operation} ({write.level})"
        for key, entry in wanted.items():
            if not self._stands(key, entry, present):
                wrong.append(f"{key} version {entry.version} is gone though {reasons[key]}: "
                             f"{present.get(key, 'no entry')} stands")
        for key in wanted.keys() | present.keys():
            now = present.get(key) or self.graves.get(key)
            if now:
                self.floor[key] = now
        wrong += self._losses(writes, present, kills, losses, conflicts)
        return wrong

    def _bury(self, key, grave):
        if key not in self.graves or self.graves[key].below(grave):
            self.graves[key] = grave

    def _stands(self, key, entry, present):
        now = present.get(key) or self.graves.get(key)
        return now is not None and not now.below(entry)

    def _excused(self, write, lost):
        later = {node for node, when in lost if when >= write.sent}
        if write.level == "majority" and len(later) < self.majority:
            return False
        return write.node in later

    def _losses(self, writes, present, kills, losses, conflicts):
        wrong = []
        for loss in losses:
            name = (loss.node, loss.loser.version)
            # A process that is killed before its disk knows what it told has it told by the next one.
            if name in self.told and not any(node == loss.node for node, _ in kills):
                wrong.append(f"{loss.key}: {loss.node} told the loss of version {loss.loser.version} twice")
            self.told.add(name)
        for loss in [*losses, *(conflicts or ())]:
            stands = present.get(loss.key)
            # The winner may have died with the process that told: nobody else had it.
            died = any(node == loss.node and when >= loss.told for node, when in kills)
            if stands and stands.version == loss.loser.version and not died:
                wrong.append(f"{loss.key}: {loss.node} told the loss of version {loss.loser.version}, which stands")
            if (loss.winner.token, loss.loser.holder.encode()) < (loss.loser.token, loss.winner.holder.encode()):
                wrong.append(f"{loss.key}: {loss.node} told a loss to version {loss.winner.version}, of a lower rank")
        if conflicts is None:
            return wrong
        versions = {loss.loser.version for loss in losses} | {loss.loser.version for loss in conflicts}
        listed = collections.Counter(loss.node for loss in conflicts)
        for write, winner in self._surely_lost(writes, present, kills):
            self.due += 1
            if write.entry.version not in versions and listed[write.node] < LISTED:
                wrong.append(f"{write.key}: {write.node} never told that version {write.entry.version} of "
                             f"{write.holder} lost to {winner.version} of {winner.holder}")
        return wrong

    @staticmethod
    def _surely_lost(writes, present, kills):
        """(write, winner) of those that can only have gone by a conflict: the write took or kept a lease; its holder
        tried nothing at the key afterwards, and nothing before that ranks higher (by a clock that was ahead: it may have
        replaced this one, within the lease); its process lived on; and everybody else who tried the key in this round
        started before that lease ran out, as did what stands."""
        by_key = collections.defaultdict(list)
        for write in writes:
            by_key[write.key].append(write)
        for key, tries in by_key.items():
            winner = present.get(key)
            for write in tries:
                if not write.entry or write.operation != "set" or winner is None:
                    continue
                live_until = write.entry.expire_ms
                others = [other for other in tries if other is not write]
                if (winner.holder != write.holder and write.entry.below(winner) and winner.start * 1000 < live_until
                        and live_until > write.entry.update_ms
                        and not any(node == write.node and when >= write.sent for node, when in kills)
                        and all(other.entry and (
                                    other.received < write.sent and other.entry.below(write.entry)
                                    if other.holder == write.holder else other.entry.start * 1000 < live_until)
                                for other in others)):
                    yield write, winner
