"""A client that watches: it collects events, knows which of them a cursor covers, and folds them into a map."""
import threading

from basics import BOUND, grpc, pb, text, wait_for


class Watcher:
    """A Watch in a thread. `events` are all that came, each (kind, key, value, version); the first `sure` of them came
    before the last cursor."""

    def __init__(self, node, **request):
        self.events, self.sure, self.cursor, self.error, self.snapshot = [], 0, "", None, False
        self.call = node.kv.Watch(pb.WatchRequest(**request))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            for response in self.call:
                self.events += [(pb.Event.Kind.Name(event.kind)[5:], text(event.entry, "key"), text(event.entry),
                                 event.entry.version) for event in response.events]
                self.snapshot = self.snapshot or response.snapshot_end
                if response.cursor:
                    self.sure, self.cursor = len(self.events), response.cursor
        except grpc.RpcError as error:
            self.error = error

    def until(self, what, condition, seconds=BOUND):
        def met():
            ended = self.error
            got = condition(self)
            assert got or ended is None, f"the watch ended before {what}: {ended}"
            return got
        wait_for(lambda: f"{what}; {len(self.events)} events, {self.sure} of them sure, last {self.events[-1:]}", met,
                 seconds)

    def stop(self):
        """Ends it; returns the last cursor and the events before it."""
        self.call.cancel()
        self.thread.join(BOUND)
        return self.cursor, self.events[:self.sure]


def fold(events):
    """The map that a watcher's events make."""
    folded = {}
    for kind, key, value, _ in events:
        if kind == "SET":
            folded[key] = value
        else:
            folded.pop(key, None)
    return folded
