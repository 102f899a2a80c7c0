"""Plants known bugs, one at a time, and measures how many simulator seeds find each.

Each patch in tests/sim/planted is applied to a copy of the core and the simulator, which is built and run over the
scenarios in turn, or over those that the patch's first line names ("scenarios: clocks"), seed by seed, until a checker
objects. A patch that no longer applies, or a bug that is not found within 1,000 seeds or six minutes, fails. The core
itself stays clean.
Usage: planted.py [NAME… | --today COUNT]   --today: so many of them, others each day of the year
"""
import datetime
import filecmp
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests/sim/planted"
WORK = ROOT / "build/planted"
SCENARIOS = ["faults", "partition", "hours", "restart_all", "line", "join_storm", "cold_start", "departures", "reboots", "clocks"]
MOST_SEEDS, MOST_SECONDS, STEP, RANGES = 1000, 360, 5, 3


def sh(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{(done.stdout + done.stderr)[-3000:]}")


def copy_changed(source, target):
    if not (pathlib.Path(target).is_file() and filecmp.cmp(source, target, shallow=False)):
        shutil.copyfile(source, target)


def build(patch, program="sim/sim"):
    """The simulator, or the explorer, with this bug. A file of the copy is written if its bytes differ: so the last bug
    goes, and only what a bug touches is compiled."""
    copy = WORK / "tree"
    for folder in ["CMakeLists.txt", "CMakePresets.json", "cmake", "protos", "text", "peer", "server", "tests"]:
        source, target = ROOT / folder, copy / folder
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, copy_function=copy_changed)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_changed(source, target)
    if patch:
        sh("patch", "-p1", "-F0", "-s", "-d", str(copy), "-i", str(patch))
    sh("cmake", "-S", str(copy), "-B", str(WORK / "build"), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DLEASEMAP_SERVER=OFF")
    sh("cmake", "--build", str(WORK / "build"), "--target", pathlib.Path(program).name)
    return WORK / "build/tests" / program


def scenarios_of(patch):
    """Where to look for it: some rules matter in one kind of run alone."""
    named = re.match(r"scenarios: (.+)\n", patch.read_text())
    return named.group(1).split() if named else SCENARIOS


def seeds_until_found(sim, first, scenarios):
    """(seeds run until a checker objected, what it said), or (None, '')."""
    tried, end = 0, time.monotonic() + MOST_SECONDS
    while tried < MOST_SEEDS and time.monotonic() < end:
        scenario = scenarios[tried // STEP % len(scenarios)]
        done = subprocess.run([str(sim), "--scenario", scenario, "--seed", str(first + tried), "--seeds", str(STEP)],
                              capture_output=True, text=True)
        for n, line in enumerate(done.stdout.splitlines()):
            failure = re.search(r"FAILED (.*?); trace", line)
            if failure:
                return tried + n + 1, failure.group(1)
        if done.returncode not in (0, 1):
            return tried + 1, f"the simulator ended with {done.returncode}"
        tried += STEP
    return None, ""


def todays(count):
    names = sorted(patch.stem for patch in PATCHES.glob("*.patch"))
    first = datetime.date.today().timetuple().tm_yday * count
    return [names[(first + n) % len(names)] for n in range(min(count, len(names)))]


def main():
    wanted = sys.argv[1:]
    if wanted[:1] == ["--today"]:
        wanted = todays(int(wanted[1]))
    unknown = set(wanted) - {patch.stem for patch in PATCHES.glob("*.patch")}
    if unknown:
        sys.exit(f"no such bug: {', '.join(unknown)}")
    for patch in sorted(PATCHES.glob("*.patch")):  # all of them, also where only some are built
        sh("patch", "-p1", "-F0", "-s", "--dry-run", "-d", str(ROOT), "-i", str(patch))
    found, missed = 0, 0
    print("| planted bug | seeds until found (median of 3) | first said |\n|---|---|---|")
    for patch in sorted(PATCHES.glob("*.patch")):
        if wanted and patch.stem not in wanted:
            continue
        sim = build(patch)
        results = [seeds_until_found(sim, 1 + 100_000 * n, scenarios_of(patch)) for n in range(RANGES)]
        counts = [seeds for seeds, _ in results if seeds]
        good = len(counts) == RANGES
        found, missed = found + good, missed + (not good)
        median = int(statistics.median(counts)) if good else "not found"
        print(f"| {patch.stem.replace('_', ' ')} | {median} | {results[0][1][:70]} |", flush=True)
    print(f"{found} passed, {missed} failed")
    sys.exit(1 if missed or not found else 0)


if __name__ == "__main__":
    main()
