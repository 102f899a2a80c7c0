"""Runs the README's commands against `tools/run.sh` and compares what they print. tests/e2e/readme_test.py does so against
nodes of its own.

Blocks that follow `<!-- check -->` hold commands (`$ …`, with further lines of theirs as `> …`), each with the lines that it
prints (standard output, then standard error) and `[exit N]` where that is not 0. `…` stands for any text, and on a line of
its own for any lines.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def blocks():
    return re.findall(r"<!-- check -->\n```console\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def commands(block):
    """Pairs of a command and the text that it must print."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        while expected.startswith(">"):
            line, _, expected = expected.partition("\n")
            command += "\n" + line[1:].removeprefix(" ")
        yield command, expected


def pattern(expected):
    lines = [".*" if line == "…" else re.escape(line).replace("…", "[^\n]*") for line in expected.rstrip("\n").split("\n")]
    return re.compile("\n".join(lines) + r"\Z", re.S)


def start():
    """Starts `tools/run.sh` in a group of its own and waits, with a bound, until it says that the nodes run."""
    run = subprocess.Popen(["tools/run.sh"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           start_new_session=True)
    limit = threading.Timer(1200, lambda: os.killpg(run.pid, signal.SIGTERM))
    limit.start()
    said = ""
    for line in run.stdout:
        said += line
        if "Ctrl-C stops them" in line:
            limit.cancel()
            return run
    sys.exit(f"tools/run.sh ended before its nodes ran:\n{said}")


def attempt(command, expected, env, seen=str):
    """Runs a command until it prints what it must: what one node was told is on another a moment later. `seen` is what is
    compared of a text that was printed."""
    end = time.monotonic() + 5
    while True:
        done = subprocess.run(command, shell=True, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr + (f"[exit {done.returncode}]" if done.returncode else "")
        good = pattern(expected).match(seen(said.rstrip("\n")))
        if good or time.monotonic() > end:
            return good, said


def main():
    env = dict(os.environ)
    env["PATH"] = f"{ROOT}/build/release/clients/cli:{ROOT}/build/tools/bin:{env['PATH']}"
    env["PYTHONPATH"] = f"{ROOT}/build/python"
    passed, failed = 0, 0
    run = start()
    try:
        for block in blocks():
            for command, expected in commands(block):
                good, said = attempt(command, expected, env)
                passed, failed = passed + bool(good), failed + (not good)
                print(f"{'ok  ' if good else 'FAIL'}  {command.partition(chr(10))[0]}")
                if not good:
                    print(f"  expected:\n{expected}  got:\n{said}")
    finally:
        os.killpg(run.pid, signal.SIGINT)  # as Ctrl-C does
    if "stopped" not in run.stdout.read():
        print("FAIL  tools/run.sh does not stop cleanly")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or passed < 10 else 0)


if __name__ == "__main__":
    main()
