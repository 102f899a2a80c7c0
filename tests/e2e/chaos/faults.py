"""Carries the faults of a schedule out on real nodes: begins each, ends each, and heals whatever is left.

Faults overlap: a node that is killed twice dies once, a link that two faults cut is whole again when both have ended.
"""
import collections
import heapq
import itertools
import signal
import time

FLAP = 0.4  # seconds between the states of a flapping link


class Faults:
    """Of one round. `kills` are the (name, time) of processes that ended, `losses` those that lost what they held by it:
    the same without disks."""

    def __init__(self, network, nodes):
        self.network, self.nodes, self.driver = network, nodes, None
        self.done, self.missed, self.kills, self.losses = collections.Counter(), 0, [], []
        self.queue, self.numbers = [], itertools.count()

    def plan(self, faults, begin):
        self.kills, self.losses = [], []
        for fault in faults:
            self._later(begin + fault.at, self._begin, fault)

    def due(self):
        """Does what is due; returns the seconds until something is."""
        while self.queue and self.queue[0][0] <= time.monotonic():
            _, _, what, arguments = heapq.heappop(self.queue)
            what(*arguments)
        return self.queue[0][0] - time.monotonic() if self.queue else 3600

    def heal(self):
        self.queue.clear()
        for node in self.nodes.values():
            if node.disk:
                node.disk.empty()
                if node.disk.broken:
                    self._end([node], signal.SIGKILL)
            if node.process is None:
                node.begin()
            while node.paused:
                node.release()
            if node.proxy:
                node.proxy.tell("both * pass")
            if node.clock:
                node.set_clock(0)
        self.network.heal()

    def _later(self, when, what, *arguments):
        heapq.heappush(self.queue, (when, next(self.numbers), what, arguments))

    def _begin(self, fault):
        nodes = [self.nodes[i] for i in fault.who]
        undo = getattr(self, f"_{fault.kind}")(nodes, fault)
        if undo:
            self.done[fault.kind] += 1
            self._later(time.monotonic() + fault.lasts, *undo)

    def _end(self, nodes, how):
        alive = [node for node in nodes if node.process]
        for node in alive:
            self.driver.tell(f"away {node.name}")
            now = time.monotonic()
            while node.paused and how != signal.SIGKILL:
                node.release()
            node.end(how)
            # Both times: what was taken before the signal and answered after it counts as well.
            ended = [(node.name, now), (node.name, time.monotonic())]
            self.kills += ended
            if not node.disk:
                self.losses += ended
            else:
                node.disk.mend()  # no process starts on one that takes nothing
                node.disk.keep()
        return (self._start, alive) if alive else None

    @staticmethod
    def _start(nodes):
        for node in nodes:
            if node.process is None:
                node.begin()

    def _kill(self, nodes, _):
        return self._end(nodes, signal.SIGKILL)

    _massacre = _kill

    def _term(self, nodes, _):
        return self._end(nodes, signal.SIGTERM)

    def _wipe(self, nodes, _):
        return self._lose_disk(nodes, lambda disk: disk.wipe())

    def _rollback(self, nodes, _):
        return self._lose_disk(nodes, lambda disk: disk.roll_back())

    def _lose_disk(self, nodes, lose):
        alive = [node for node in nodes if node.process]
        undo = self._end(nodes, signal.SIGKILL)
        for node in alive:
            lose(node.disk)
            self.losses.append((node.name, time.monotonic()))
        return undo

    @staticmethod
    def _disk_full(nodes, _):
        (node,) = nodes
        if not node.process:
            return None  # one that has no files yet would not start
        node.disk.fill()
        return (node.disk.empty,)

    def _disk_broken(self, nodes, _):
        (node,) = nodes
        if not node.process or node.disk.broken:
            return None
        node.disk.break_down()
        return self._end_and_start, nodes

    def _end_and_start(self, nodes):
        self._end(nodes, signal.SIGKILL)
        self._start(nodes)

    def _pause(self, nodes, _):
        (node,) = nodes
        if not node.process:
            return None
        node.hold()
        process = node.process
        return (lambda: node.process is process and node.release(),)

    def _lose(self, pairs):
        self.network.lose(pairs)
        return self.network.carry, pairs

    def _partition(self, _, fault):
        others = [i for i in self.nodes if i not in fault.who]
        return self._lose([pair for i in fault.who for j in others for pair in ((i, j), (j, i))])

    _isolate = _partition

    def _one_way(self, _, fault):
        return self._lose([fault.who])

    def _pair(self, _, fault):
        return self._lose([fault.who, fault.who[::-1]])

    def _flap(self, _, fault):
        pairs, end = [fault.who, fault.who[::-1]], time.monotonic() + fault.lasts

        def turn(down):
            if down:
                self.network.lose(pairs)
            else:
                self.network.carry(pairs)
            if down or time.monotonic() < end:
                self._later(time.monotonic() + FLAP, turn, not down)
        self.network.lose(pairs)
        return turn, False

    def _spoil(self, nodes, fault, mode):
        """Spoils the link between two nodes at the proxy that it passes: before the one that was dialled. None if there
        is no such link now, or if the dialled one has no proxy."""
        way = fault.more[0]
        back = {"in": "out", "out": "in", "both": "both"}[way]
        for (peer, node), direction in ((nodes, way), (nodes[::-1], back)):
            if node.proxy:
                line = f"{direction} {peer.ip}"
                if node.proxy.tell(f"{line} {mode}") != "ok 0":
                    return node.proxy.tell, f"{line} pass"
                node.proxy.tell(f"{line} pass")
        self.missed += 1
        return None

    def _stall(self, nodes, fault):
        return self._spoil(nodes, fault, "stall")

    def _slice(self, nodes, fault):
        return self._spoil(nodes, fault, "slice")

    def _slow(self, nodes, fault):
        return self._spoil(nodes, fault, "slow")

    def _reset(self, nodes, fault):
        return self._spoil(nodes, fault, f"cut {fault.more[1]}")

    @staticmethod
    def _clock(nodes, fault):
        (node,) = nodes
        if not node.clock:
            return None
        node.set_clock(fault.more[0])
        return node.set_clock, 0

    _clock_far = _clock
