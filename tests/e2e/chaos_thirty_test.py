#!/usr/bin/env python3
"""The chaos test with thirty nodes, in short, for the gate: one round.

`make chaos MINUTES=10 NODES=30 SEED=11` is the long one. Needs root and `ip netns`; skipped, with a message, without, and
with sanitizers: thirty nodes that are several times slower get nothing done on two cores.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "chaos"))
import network  # noqa: E402
import run  # noqa: E402
from basics import sanitized  # noqa: E402

if __name__ == "__main__":
    reason = "the nodes are built with sanitizers" if sanitized() else network.why_not()
    if reason:
        print(f"chaos_thirty_test: skipped: {reason}")
        sys.exit(0)
    sys.exit(run.main(["--nodes", "30", "--rounds", "1", "--round", "12", "--seed", "6"]))
