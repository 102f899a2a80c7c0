"""A cron job that runs once, however many machines start it: once.py HOST:PORT,HOST:PORT NAME WHEN COMMAND…

Start it from every machine's cron with the same NAME, and a WHEN that says which run it is, as `date +%F`. The one that
gets the lease runs the command and leaves WHEN as the key's value; the others find it there and do nothing. If a
machine dies while it runs the command its lease lapses, and another one that waits runs it.
"""
import subprocess
import sys

import leasemap

WAIT_S = 60.0  # for a machine that runs it, or died


def main(endpoints, name, when, command):
    key = f"cron/{name}"
    with leasemap.SyncMap(endpoints, prefix=key, **leasemap.from_environment()) as m:
        try:
            with m.lease(key, duration=10, ephemeral=False, wait=WAIT_S, ack="all") as lease:
                if m.fetch(key, min_version=lease.entry.version).value == when:
                    print(f"{name} of {when} was run already")
                    return 0
                process = subprocess.Popen(command)
                lease.on_lost(lambda lost: process.terminate())  # another machine may run it now
                status = process.wait()
                lease.set(when, ack="majority")
                return status
        except leasemap.LeaseHeldError as error:
            print(f"{name} of {when} is being run by {error.holder}")
            return 0


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
