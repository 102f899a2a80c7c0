#!/usr/bin/env python3
"""The short form of the chaos test, for the gate: five nodes, two rounds, one seed with most kinds of faults.

`make chaos MINUTES=10 NODES=5 SEED=7` is the long one. Needs root and `ip netns`; skipped, with a message, without.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "chaos"))
import network  # noqa: E402
import run  # noqa: E402
from basics import sanitized  # noqa: E402

if __name__ == "__main__":
    reason = network.why_not()
    if reason:
        print(f"chaos_test: skipped: {reason}")
        sys.exit(0)
    # With sanitizers everything is several times slower.
    rate = 300 if sanitized() else 2000
    sys.exit(run.main(["--nodes", "5", "--rounds", "2", "--round", "14", "--seed", "8", "--rate", str(rate)]))
