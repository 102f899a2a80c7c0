"""A counter that many programs count up, guarded by a lease: counter.py HOST:PORT,HOST:PORT [TIMES]

The lease is on the counter's own key, so the node that grants it has the latest value too. With `ack="all"` one program
at most has it, however many ask for it at the same moment.
"""
import sys

import leasemap

KEY = "example/counter"


def count(m):
    with m.lease(KEY, duration=4, ephemeral=False, wait=None, ack="all") as lease:
        value = m.fetch(KEY, min_version=lease.entry.version).value
        new = int(value) + 1 if value.isdigit() else 1  # a key that is made for a lease holds its holder's name
        lease.set(str(new), ack="majority")
        return new


def main(endpoints, times):
    with leasemap.SyncMap(endpoints, **leasemap.from_environment()) as m:
        while times:
            try:
                print(count(m), flush=True)
                times -= 1
            except leasemap.LeaseLostError as error:
                print(f"counting again: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
