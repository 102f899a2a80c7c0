"""One leader among many programs: leader.py HOST:PORT,HOST:PORT [ROUNDS]

Start it several times, kill the one that leads, or its node: another goes on, and what it writes to the ledger carries
a greater fencing token. The ledger here stands for any resource outside: it refuses tokens that are smaller than one it
saw.
"""
import sys

import leasemap


class Ledger:
    greatest = ""

    def write(self, token, line):
        if token < self.greatest:
            raise ValueError("a leader of the past")
        self.greatest = token
        print(line, flush=True)


def main(endpoints, rounds):
    ledger = Ledger()
    with leasemap.SyncMap(endpoints, **leasemap.from_environment()) as m:
        election = leasemap.Election(m, "example/leader", duration=4)

        def lead(lease):
            nonlocal rounds
            print(f"leading as {election.leader}", flush=True)
            while rounds and lease.held:
                ledger.write(lease.fencing_token, f"work done by {m.holder}")
                rounds -= 1
                lease.wait(0.2)  # in place of time.sleep: it ends when the lease is lost

        election.run(lead)  # again and again, until `lead` returns while it leads


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else -1)
