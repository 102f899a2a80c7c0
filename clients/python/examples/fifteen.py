"""A leader in fifteen lines: fifteen.py HOST:PORT,HOST:PORT NAME. It survives kill -9 of leader and node."""
import sys

import leasemap


def lead(lease):
    print(sys.argv[2], "leads with token", lease.fencing_token, flush=True)
    lease.wait()


with leasemap.SyncMap(sys.argv[1]) as m:
    leasemap.Election(m, "leader", sys.argv[2], duration=4).run(lead)
