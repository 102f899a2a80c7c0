#!/usr/bin/env python3
"""The short form of the chaos test with disks, for the gate: nodes are killed, wiped, rolled back, and their disks full
or broken.

`make chaos MINUTES=10 NODES=5 SEED=3 DISKS=1` is the long one. Needs root and `ip netns`; skipped, with a message, without.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "chaos"))
import file_system  # noqa: E402
import network  # noqa: E402
import run  # noqa: E402
from basics import sanitized  # noqa: E402

if __name__ == "__main__":
    reason = network.why_not() or file_system.why_not()
    if reason:
        print(f"chaos_disks_test: skipped: {reason}")
        sys.exit(0)
    rate = 300 if sanitized() else 2000
    sys.exit(run.main(["--nodes", "5", "--rounds", "2", "--round", "14", "--seed", "3", "--rate", str(rate), "--disks"]))
