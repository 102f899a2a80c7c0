"""Plants known bugs, one at a time, and says how many states the explorer (tests/sim/explore) sees until a checker
objects. Fails if one of those named in BUGS is not found. Usage: planted_explorer.py [NAME…]
"""
import re
import subprocess
import sys

from planted import PATCHES, build

# The bounds in which the explorer finds each bug. Those of watches are not its: it has no watchers.
BUGS = {
    "a_cut_session_is_joined": ["--writes", "1", "--cuts", "1", "--crashes", "1"],
    "an_ack_counted_before_our_vector_covers_it": ["--writes", "2", "--acks", "1"],
    "an_entry_covers_all_before_it": ["--writes", "2", "--cuts", "1"],
    "clock_read_in_merge": ["--writes", "3", "--steps", "1"],
    "incarnation_reused": ["--writes", "2", "--crashes", "1"],
    "renewal_moves_the_start": ["--writes", "2", "--steps", "1"],
    "reports_are_joined": ["--writes", "1", "--steps", "1"],
    "session_vector_joined_at_its_start": ["--writes", "1", "--cuts", "1"],
    "session_vector_taken_at_the_end": ["--writes", "2", "--cuts", "1"],
    "sessions_leave_tombstones_out": ["--writes", "2", "--cuts", "1"],
}
NONE = ["--writes", "0", "--steps", "0", "--cuts", "0", "--crashes", "0"]


def main():
    wanted = sys.argv[1:] or sorted(BUGS)
    unknown = set(wanted) - set(BUGS)
    if unknown:
        sys.exit(f"no such bug: {', '.join(sorted(unknown))}")
    missed = 0
    print("| planted bug | found in | states seen | moves to it | first said |\n|---|---|---|---|---|")
    for name in wanted:
        explore = build(PATCHES / f"{name}.patch", "sim/explore/explore")
        done = subprocess.run([str(explore), *NONE, *BUGS[name]], capture_output=True, text=True, timeout=600)
        fault = re.search(r"VIOLATION (.*)", done.stdout)
        seen = re.search(r"explored (\d+) states", done.stdout)
        if not fault or not seen:
            missed += 1
            print(f"| {name.replace('_', ' ')} | {' '.join(BUGS[name])} | not found | | {done.stderr[-200:]} |", flush=True)
            continue
        moves = len(re.findall(r"^\d+\. ", done.stdout, re.M))
        print(f"| {name.replace('_', ' ')} | {' '.join(BUGS[name])} | {seen.group(1)} | {moves} | "
              f"{fault.group(1)[:60]} |", flush=True)
    print(f"{len(wanted) - missed} passed, {missed} failed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
