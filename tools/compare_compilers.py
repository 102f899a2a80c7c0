"""Builds the simulator with g++ and with clang++, runs some seeds of each scenario, and compares their trace hashes.

A difference means that what a seed does depends on the compiler (an order of evaluation, an unordered container), so
that a failure found with one can't be replayed with the other. Usage: compare_compilers.py [SEEDS]
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILERS = {"g++": "g++", "clang++": "clang++-14"}
SCENARIOS = ["calm", "faults", "partition", "line", "restart_all", "join_storm", "hours", "reboots"]


def sh(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def build(name, compiler):
    folder = ROOT / "build" / f"trace-{name}"
    sh("cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DLEASEMAP_SERVER=OFF",
       "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON", f"-DCMAKE_CXX_COMPILER={compiler}")
    sh("cmake", "--build", str(folder), "--target", "sim")
    return folder / "tests/sim/sim"


def traces(sim, scenario, seeds):
    count = max(1, seeds // 10) if scenario in ("hours", "reboots") else seeds
    out = sh(str(sim), "--scenario", scenario, "--seed", "1", "--seeds", str(count))
    return re.findall(r"seed (\d+), .*; trace ([0-9a-f]+), (\d+) events", out)


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    sims = {name: build(name, compiler) for name, compiler in COMPILERS.items()}
    compared = 0
    for scenario in SCENARIOS:
        one, other = (traces(sim, scenario, seeds) for sim in sims.values())
        for a, b in zip(one, other, strict=True):
            if a != b:
                sys.exit(f"{scenario}: seed {a[0]} leaves trace {a[1]} with g++ and {b[1]} with clang++")
            compared += 1
    print(f"{compared} seeds leave the same trace with {' and '.join(sims)}")
    sys.exit(0 if compared else 1)


main()
