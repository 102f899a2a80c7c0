"""Clang's static analysis of the C++ sources: `threads`, whether each lock is held where a member needs it, or `tidy`, the
checks of .clang-tidy.

Usage: analyse.py threads|tidy [--today N | FILE…]. Without files: for threads all that use a lock, for tidy
all but tests. --today: an Nth of these, others each day. It reads build/release/compile_commands.json, and makes it first where there is none. What was found good is
remembered by its content, in LEASEMAP_ANALYSE_CACHE or ~/.cache/leasemap-analyse, and not looked at again.
"""
import concurrent.futures
import datetime
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/release"
CACHE = pathlib.Path(os.environ.get("LEASEMAP_ANALYSE_CACHE") or pathlib.Path.home() / ".cache/leasemap-analyse")
LOCKS = "peer/threads/mutex.h"
CLIENT_LOCKS = "absl/synchronization/mutex.h"  # of the C++ client
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
# Their versions are part of what is remembered.
PACKAGES = ["clang-14", "clang-tidy-14", "libabsl-dev", "libasio-dev", "libcli11-dev", "libgrpc++-dev", "libgtest-dev",
            "libprotobuf-dev", "libspdlog-dev", "libstdc++-12-dev"]


def prepare():
    """The list of compilations, and the generated headers that they include."""
    done = subprocess.run(["tools/build.sh", "release", "leasemap_protos", "leasemap_peer_proto"], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def compilations():
    """{file, from the root: its compiler's arguments} of what is ours."""
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.is_relative_to(ROOT) and not file.is_relative_to(ROOT / "build"):
            words = shlex.split(entry["command"])
            flags = [word for word in words if re.match(r"-[DIW]|-std=|-pthread", word)]
            for word, value in zip(words, words[1:]):
                if word == "-isystem":
                    flags += [word, value]
            found[str(file.relative_to(ROOT))] = [flag for flag in flags if not flag.startswith("-Werror")]
    return found


class Sources:
    """The text of ours and of what is generated, and which of them a file includes."""

    def __init__(self):
        self.seen = {}

    def includes(self, name):
        if name not in self.seen:
            self.seen[name] = []
            text = self.path(name).read_text()
            self.seen[name] = [header for header in INCLUDE.findall(text) if self.path(header).is_file()]
        return self.seen[name]

    @staticmethod
    def path(name):
        """The last: how programs name the C++ client's public headers."""
        places = (ROOT / name, BUILD / "gen" / name, ROOT / "clients/cpp" / name)
        return next((place for place in places if place.is_file()), ROOT / name)

    def locks(self, name):
        files = self.closure(name)
        return LOCKS in files or any(CLIENT_LOCKS in INCLUDE.findall(self.path(file).read_text()) for file in files)

    def closure(self, name):
        found, left = set(), [name]
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += self.includes(one)
        return sorted(found)


def versions():
    done = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version}\n", *PACKAGES], capture_output=True, text=True)
    return done.stdout


def command(kind, file, flags):
    if kind == "threads":
        return ["clang++-14", "-fsyntax-only", *flags, "-Wno-everything", "-Wthread-safety", "-Werror=thread-safety", file]
    return ["clang-tidy-14", "--quiet", file, "--", *flags, "-Wno-everything"]


def analyse(kind, file, flags, sources, salt):
    """What is found; None: nothing, and it was known."""
    run = command(kind, file, flags)
    key = hashlib.sha256(salt.encode())
    key.update("\0".join(run).replace(str(ROOT), "").encode())
    for name in sources.closure(file):
        key.update(name.encode() + b"\0" + sources.path(name).read_bytes())
    good = CACHE / key.hexdigest()
    if good.exists():
        os.utime(good)
        return None
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return done.stdout + "\n".join(line for line in done.stderr.splitlines() if "warnings generated" not in line)
    good.parent.mkdir(parents=True, exist_ok=True)
    good.touch()
    return ""


def main():
    kind, *files = sys.argv[1:] or [""]
    parts = 1
    if files[:1] == ["--today"]:
        parts, files = int(files[1]), []
    if kind not in ("threads", "tidy"):
        sys.exit(__doc__)
    start = time.monotonic()
    prepare()
    known, sources = compilations(), Sources()
    if not files and kind == "threads":
        files = [file for file in known if sources.locks(file)]
    elif not files:
        files = [file for file in known if not file.startswith("tests/")]
    files = sorted(files)[datetime.date.today().toordinal() % parts::parts]
    salt = versions() + (ROOT / ".clang-tidy").read_text()
    found, remembered = 0, 0
    # The slow ones first: those that see gRPC are in server and clients.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(analyse, kind, file, known[file], sources, salt) for file in sorted(files, reverse=True)]
        for job in concurrent.futures.as_completed(jobs):
            said = job.result()
            remembered += said is None
            if said:
                found += 1
                print(said, flush=True)
    print(f"{kind}: {len(files)} files in {time.monotonic() - start:.0f} s ({remembered} of them as before), "
          f"{found} with findings")
    sys.exit(1 if found or not files else 0)


main()
