"""What a read of the near cache costs, in nanoseconds: the best and the median of 20 rounds.

    python3 clients/python/bench/near_cache.py [KEYS]

Needs the package and no node: the cache of KEYS keys (100,000) is filled as a watch fills it. While the reads are
measured, another thread may feed it events: `--fed` does, 20,000 a second where the machine can.
"""
import statistics
import sys
import threading
import time

from leasemap.core import Core
from leasemap.v1 import key_value_pb2 as pb
from leasemap.view import View

ROUNDS, READS = 20, 200_000


def event(i, round_=0):
    made = pb.Event(kind=pb.Event.KIND_SET, entry=pb.Entry(key=f"key/{i}", value=f"value {round_}",
                                                           version=f"{round_}/{i}"))
    made.entry.update_time.seconds = 1_700_000_000 + round_
    return made


def feed(core, keys, stop):
    round_ = 0
    while not stop.is_set():
        round_ += 1
        core.took(pb.WatchResponse(events=[event(i, round_) for i in range(min(keys, 200))], cursor=f"c{round_}"))
        time.sleep(0.01)


def measure(name, read, argument):
    costs = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        for _ in range(READS):
            read(argument)
        costs.append((time.perf_counter_ns() - begin) / READS)
    print(f"{name:<22} best {min(costs):6.1f} ns   median {statistics.median(costs):6.1f} ns", flush=True)


def main(keys, fed):
    core = Core(["127.0.0.1:7400"], "bench")
    view, stop = View(core, lambda: None), threading.Event()
    core.open_watch()
    core.took(pb.WatchResponse(events=[event(i) for i in range(keys)], cursor="c0", snapshot_end=True))
    if fed:
        threading.Thread(target=feed, args=(core, keys, stop), daemon=True).start()
    print(f"{len(view):,} keys{', fed meanwhile' if fed else ''}; the loop's own cost is included")
    middle = f"key/{keys // 2}"
    measure('m["text"]', view.__getitem__, middle)
    measure('m[b"bytes"]', view.__getitem__, middle.encode())
    measure('m.get("text")', view.get, middle)
    measure('m.get("missing")', view.get, "missing")
    measure('"text" in m', view.__contains__, middle)
    stop.set()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(numbers[0] if numbers else 100_000, "--fed" in sys.argv)
