"""Mutation tests of peer/core: changes the code a little, and says which changes no test notices.

Each mutant (tools/mutator.py) is one changed source, compiled alone and linked before the core's library, whose own
object then stays out. Mutants that do not compile don't count. A mutant is killed if core_test fails, or, if it does not,
one of 50 short runs of the simulator; one that takes three times the CPU time of the unchanged program hangs, and is
killed, too. What survives is listed with the lines before and after, and with whether those runs went another way: if
not, the mutant may be equivalent, or no run came there.

Usage: mutants.py [--sample N] [--seed N] [--jobs N] [--files PART…] [--since REVISION]
       mutants.py --list FILE     plays the mutants of a list, in the format of tests/core/mutants.txt
       mutants.py --known N       N of tests/core/mutants.txt, others each day; fails if one survives, or is not there
       mutants.py --survivors     those that survived the last run
Options: --out FOLDER (build/mutants), --base FOLDER (a release build: only mutants of .cc files)
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import mutator  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
KNOWN = ROOT / "tests/core/mutants.txt"
COPIED = ["CMakeLists.txt", "CMakePresets.json", "cmake", "protos", "text", "peer", "server", "tests"]
# 50 seeds: (scenario, nodes, how many).
RUNS = [("calm", 4, 4), ("faults", 4, 16), ("partition", 4, 8), ("clocks", 4, 8), ("cold_start", 4, 8), ("departures", 4, 6)]
FIRST_SEED = 2_000  # not those of sim_test
CPU_FACTOR, CPU_LEAST_S, MEMORY = 3, 5, 4 << 30
HANG_S = 900  # of wall time, for what waits without using the CPU
MARK = "[[gnu::noinline]]"


def sh(*command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


class Base:
    """An unchanged build, and how its objects and programs are made."""

    def __init__(self, out, build, tree):
        self.out, self.build, self.tree = out, build, tree
        commands = json.loads((build / "compile_commands.json").read_text())
        self.compile = {str(pathlib.Path(c["file"]).relative_to(tree)): self.stripped(c["command"]) for c in commands
                        if pathlib.Path(c["file"]).is_relative_to(tree / "peer/core")}
        self.link = {name: self.link_command(name) for name in ("tests/core/core_test", "tests/sim/sim")}
        self.limits, self.traces = {}, []

    @staticmethod
    def stripped(command):
        """The flags that matter: no launcher, files, optimization or warnings of the base."""
        words = shlex.split(command)
        words = words[next(n for n, word in enumerate(words) if re.search(r"(\+\+|clang\+\+-\d+)$", word)):]
        drop, kept = {"-c", "-o", "-MF", "-MT"}, []
        for n, word in enumerate(words):
            if word in drop or (n and words[n - 1] in drop) or word == "-MD" or re.match(r"-(O|g|W)", word):
                continue
            kept.append(word)
        return kept + ["-O1", "-g0", "-Werror=return-type"]

    def link_command(self, program):
        last = sh("ninja", "-C", self.build, "-t", "commands", program).splitlines()[-1]
        part = next(part for part in last.split(" && ") if f"-o {program}" in part)
        return shlex.split(part)

    def header(self, folder):
        """All headers of the core, compiled once: a mutant of a .cc file changes none of them."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f'#include "{path.relative_to(self.tree)}"\n' for path in sorted((self.tree / "peer/core").rglob("*.h"))]
        (folder / "all.h").write_text("#include <algorithm>\n#include <utility>\n" + "".join(lines) +
                                      '#include "absl/strings/str_cat.h"\n#include "absl/strings/str_join.h"\n')
        flags = next(iter(self.compile.values()))
        sh(*flags, "-x", "c++-header", folder / "all.h", "-o", folder / "all.h.gch", cwd=self.build)
        self.pch = ["-include", str(folder / "all.h"), "-Winvalid-pch"]


def copied_tree(out):
    """A build of a copy whose inline functions stay calls: so a mutant of a header is one object, too."""
    tree = out / "tree"
    for folder in COPIED:
        for source in [ROOT / folder] if (ROOT / folder).is_file() else sorted((ROOT / folder).rglob("*")):
            target = tree / source.relative_to(ROOT)
            if not source.is_file():
                continue
            text = source.read_bytes()
            if source.is_relative_to(ROOT / "peer/core") and source.suffix == ".h":
                text = mutator.mark_functions(text.decode(), MARK).encode()
            if not target.exists() or target.read_bytes() != text:  # what is the same is not built again
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text)
    build = out / "base"
    sh("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None", "-DLEASEMAP_SERVER=OFF",
       "-DCMAKE_CXX_FLAGS=-O1 -g0 -Wno-error")
    sh("cmake", "--build", build, "--target", "core_test", "sim")
    return Base(out, build, tree)


def limited(cpu_s):
    def set_limits():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return set_limits


def play(command, cpu_s=3600):
    """(how it failed or "", what it printed)"""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", preexec_fn=limited(cpu_s)) as process:
        try:
            output, _ = process.communicate(timeout=HANG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return "time-out", ""
    if process.returncode in (-9, -24):  # SIGKILL, SIGXCPU
        return "time-out", output
    if process.returncode == 0:
        return "", output
    said = re.search(r"\[  FAILED  \] ([\w./]+)|(FAILED .*?); trace", output)
    return (said.group(1) or said.group(2) if said else f"ended with {process.returncode}")[:90], output


# All tests but one, which takes eight times as long as the others together.
UNIT = ["--gtest_fail_fast", "--gtest_brief=1", "--gtest_filter=-ComeAndGo.TenThousandNamesLeaveNoTrace"]


def sim_runs(program):
    first = FIRST_SEED
    for scenario, nodes, seeds in RUNS:
        yield [program, "--scenario", scenario, "--nodes", nodes, "--seed", first, "--seeds", seeds]
        first += seeds


def measure(base):
    """The unchanged programs pass; how much CPU time they take."""
    for program, commands in (("core_test", [[base.build / "tests/core/core_test", *UNIT]]),
                              ("sim", list(sim_runs(base.build / "tests/sim/sim")))):
        most = 0.0
        for command in commands:
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            failure, output = play(command)
            if failure:
                sys.exit(f"the unchanged {program} fails: {failure}")
            if program == "sim":
                base.traces.append(output)
            most = max(most, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
        base.limits[program] = int(max(CPU_LEAST_S, CPU_FACTOR * most))


def compile_mutant(base, mutant, work):
    """The object of the changed source; None if it does not compile."""
    text, made = (ROOT / mutant.path).read_text(), work / "mutant.o"
    if mutant.path.endswith(".cc"):
        source = work / "mutant.cc"
        source.write_text(mutant.apply(text))
        command = [*base.compile[mutant.path], *base.pch]
    else:
        # The header with the changed function alone, which is emitted though nobody calls it here; as the first object
        # of the link it is the one that all callers get.
        changed = mutator.mark_functions(text, "[[gnu::noinline, gnu::used]]", only=mutant.at)
        at = mutant.at + len(changed) - len(text)
        header = work / "include" / mutant.path
        shutil.rmtree(work / "include", ignore_errors=True)
        header.parent.mkdir(parents=True)
        header.write_text(changed[:at] + mutant.new + changed[at + mutant.end - mutant.at:])
        source = work / "mutant.cc"
        source.write_text(f'#include "{mutant.path}"\n')
        flags = next(iter(base.compile.values()))
        command = [flags[0], f"-I{work / 'include'}", *flags[1:]]
    done = subprocess.run([*command, "-c", str(source), "-o", str(made)], cwd=base.build, capture_output=True, text=True)
    if done.returncode == 0 and mutant.path.endswith(".h") and not re.search(r" [WT] .*leasemap", sh("nm", made)):
        return None  # a template, of which nothing is emitted
    return made if done.returncode == 0 else None


def link(base, program, made, work):
    command, target = list(base.link[program]), work / pathlib.Path(program).name
    n = command.index(program)
    command[n] = str(target)
    first = next(n for n, word in enumerate(command) if word.endswith(".o"))
    sh(*command[:first], made, *command[first:], cwd=base.build)
    return target


def judge(base, mutant, work):
    """(killed, survived or broken; by what; seconds)"""
    begin = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    made = compile_mutant(base, mutant, work)
    if made is None:
        return {"verdict": "broken", "by": "", "seconds": time.monotonic() - begin}
    said, _ = play([link(base, "tests/core/core_test", made, work), *UNIT], base.limits["core_test"])
    by, same = f"core_test: {said}" if said else "", True
    if not by:
        for command, trace in zip(sim_runs(link(base, "tests/sim/sim", made, work)), base.traces):
            said, output = play(command, base.limits["sim"])
            same &= output == trace
            if said:
                by = f"sim {command[2]}: {said}"
                break
    return {"verdict": "killed" if by else "survived", "by": by, "same": same, "seconds": time.monotonic() - begin}


def all_mutants(parts, with_headers):
    out = []
    for path in sorted((ROOT / "peer/core").rglob("*")):
        name = str(path.relative_to(ROOT))
        if path.suffix in (".cc", ".h") and (with_headers or path.suffix == ".cc"):
            if not parts or any(part in name for part in parts):
                out += mutator.mutants_of(name, path.read_text())
    return out


def changed_lines(revision):
    lines, name = {}, ""
    for line in sh("git", "-C", ROOT, "diff", "-U0", revision, "--", "peer/core").splitlines():
        if line.startswith("+++ b/"):
            name = line[6:]
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first = int(hunk.group(1))
            lines.setdefault(name, set()).update(range(first, first + int(hunk.group(2) or 1)))
    return lines


def read_list(path):
    """Blocks of a file's name, a "-" line and a "+" line. (mutants, blocks whose line is gone)"""
    found, gone, name, old = [], [], "", ""
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("-"):
            old = line[1:].strip()
        elif line.startswith("+"):
            text = (ROOT / name).read_text() if (ROOT / name).exists() else ""
            at = re.search(r"^[ ]*" + re.escape(old) + r"$", text, re.M)
            if at is None:
                gone.append(f"{name}: {old}")
                continue
            found.append(mutator.Mutant(name, at.end() - len(old), at.end(), line[1:].strip(), "listed"))
        elif line and not line.startswith("#"):
            name = line.strip()
    return found, gone


def todays(mutants, count):
    first = datetime.date.today().toordinal() * count
    return [mutants[(first + n) % len(mutants)] for n in range(min(count, len(mutants)))]


def place_of(mutant):
    text = (ROOT / mutant.path).read_text()
    old, new = mutant.diff(text)
    return {"path": mutant.path, "line": mutant.line(text), "kind": mutant.kind, "old": old, "new": new,
            "at": mutant.at, "end": mutant.end, "with": mutant.new}


def run(base, mutants, jobs):
    results, lock, works = [], threading.Lock(), threading.local()
    with open(base.out / "results.jsonl", "w") as log, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        def one(mutant):
            if not hasattr(works, "path"):
                with lock:
                    run.workers += 1
                    works.path = base.out / f"worker-{run.workers}"
            result = place_of(mutant) | judge(base, mutant, works.path)
            with lock:
                results.append(result)
                print(json.dumps(result), file=log, flush=True)
                if result["verdict"] == "survived":
                    print(f"survived: {result['path']}:{result['line']}", *result["old"], *result["new"], sep="\n  ", flush=True)
                if len(results) % 20 == 0:
                    print(f"{len(results)} of {len(mutants)}: {summary(results)}", flush=True)
        for done in concurrent.futures.as_completed([pool.submit(one, mutant) for mutant in mutants]):
            done.result()
    return results


run.workers = 0


def summary(results):
    killed = sum(result["verdict"] == "killed" for result in results)
    survived = sum(result["verdict"] == "survived" for result in results)
    share = 100 * killed / max(1, killed + survived)
    return f"{killed} killed, {survived} survived ({share:.1f} % killed), {len(results) - killed - survived} don't compile"


def report(results, seconds):
    lines = [f"{summary(results)}; {seconds:.0f} s, {seconds / max(1, len(results)):.1f} s a mutant", "",
             "| killed by | mutants |", "|---|---|"]
    killers = {}
    for result in results:
        if result["verdict"] == "killed":
            by = "time-out" if "time-out" in result["by"] else "script" if "ScriptFile" in result["by"] else (
                result["by"].split(":")[0].split(" ")[0])
            killers[by] = killers.get(by, 0) + 1
    lines += [f"| {by} | {count} |" for by, count in sorted(killers.items())]
    lines += ["", "| survivor | mutation | the 50 runs |", "|---|---|---|"]
    for result in sorted(results, key=lambda r: (r["path"], r["line"])):
        if result["verdict"] == "survived":
            cell = "<br>".join(f"`{line}`".replace("|", "\\|") for line in result["old"] + result["new"])
            runs = "the same" if result["same"] else "others"
            lines.append(f"| {result['path']}:{result['line']} | {cell} | {runs} |")
    return "\n".join(lines) + "\n"


def chosen(options, out):
    if options.known is not None or options.list:
        mutants, gone = read_list(options.list or KNOWN)
        for line in gone:
            print(f"no longer there: {line}")
        if options.known is not None and len(mutants) <= len(gone):
            sys.exit(f"half of {KNOWN.relative_to(ROOT)} is no longer in the code: list other mutants there")
        return todays(mutants, options.known) if options.known is not None else mutants
    if options.survivors:
        last = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
        return [mutator.Mutant(r["path"], r["at"], r["end"], r["with"], r["kind"]) for r in last
                if r["verdict"] == "survived" and (ROOT / r["path"]).exists()]
    mutants = all_mutants(options.files, options.base is None)
    if options.since:
        lines = changed_lines(options.since)
        texts = {name: (ROOT / name).read_text() for name in lines if (ROOT / name).exists()}
        mutants = [m for m in mutants if m.path in texts and m.line(texts[m.path]) in lines[m.path]]
    print(f"{len(mutants)} mutants in all", flush=True)
    return random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--files", nargs="*", default=[])
    parser.add_argument("--since")
    parser.add_argument("--list")
    parser.add_argument("--known", type=int)
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--base", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/mutants")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    mutants = chosen(options, out)
    base = Base(out, options.base.resolve(), ROOT) if options.base else copied_tree(out)
    base.header(out / "headers")
    measure(base)
    print(f"limits of CPU time: {base.limits}", flush=True)
    begin = time.monotonic()
    results = run(base, mutants, options.jobs)
    text = report(results, time.monotonic() - begin)
    (out / "report.md").write_text(text)
    print("\n" + text)
    if options.known is not None:
        killed = sum(result["verdict"] == "killed" for result in results)
        print(f"{killed} passed, {len(results) - killed} failed")
        sys.exit(0 if results and killed == len(results) else 1)


if __name__ == "__main__":
    main()
