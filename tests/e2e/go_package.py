"""The Go client, compiled once for all tests of a build: the five examples and the tests' driver."""
import fcntl
import json
import os
import queue
import re
import shutil
import subprocess
import threading

from basics import BOUND, BUILD, ENVIRONMENT, ROOT, SCRATCH, wait_for

SOURCES = ROOT / "clients/go"
BINARIES = BUILD / "go-client"
PATH = f"{ROOT}/build/tools/go/bin:/usr/local/go/bin:{os.environ['PATH']}"
COMPILED_S = 300  # gRPC takes its time, the first time


def why_not():
    """Why the Go client can't be built here; empty if it can."""
    go = shutil.which("go", path=PATH)
    if not go:
        return "no Go here (tools/get-go.sh)"
    needed = re.search(r"^go (\d+)\.(\d+)", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True,
                             env={**ENVIRONMENT, "GOTOOLCHAIN": "local"}).stdout
    here = re.search(r"go(\d+)\.(\d+)", version)
    if not here or tuple(map(int, here.groups())) < tuple(map(int, needed.groups())):
        return f"this is {version.strip()}, and clients/go/go.mod asks for {needed[0]} (tools/get-go.sh)"
    return ""


def build():
    """Compiles what is not compiled yet. Tests run beside each other: one compiles, the others wait."""
    BINARIES.mkdir(parents=True, exist_ok=True)
    with open(BINARIES / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        compile_("./internal/driver", "./examples/...")


def compile_(*packages_and_flags):
    done = subprocess.run(["go", "build", "-o", f"{BINARIES}/", *packages_and_flags], cwd=SOURCES, capture_output=True,
                          text=True, timeout=COMPILED_S, check=False,
                          env={**ENVIRONMENT, "PATH": PATH, "GOFLAGS": "-mod=readonly -buildvcs=false",
                               "GOTOOLCHAIN": "local"})
    assert done.returncode == 0, done.stdout + done.stderr


def compile_program(name, program):
    """Compiles the text of a program as if it were a file of the module; returns the binary's name."""
    source, overlay = SCRATCH / f"{name}.go", SCRATCH / f"{name}.json"
    source.write_text(program)
    overlay.write_text(json.dumps({"Replace": {str(SOURCES / "internal" / name / "main.go"): str(source)}}))
    compile_("-overlay", str(overlay), f"./internal/{name}")
    return name


class GoError(Exception):
    """An error of the client: `kinds` are the errors that errors.Is finds in it."""

    def __init__(self, facts):
        super().__init__(facts["text"])
        self.kinds, self.facts = set(facts["kinds"]), facts


class Driver:
    """The driver's process. `call` asks and waits; `start` gives what waits."""
    PROGRAM = BINARIES / "driver"

    def __init__(self, test):
        self.process = subprocess.Popen([self.PROGRAM], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=ENVIRONMENT)
        self.lock, self.last, self.waiting = threading.Lock(), 0, {}
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        test.addCleanup(self.kill)

    def read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            self.waiting.pop(answer["id"]).put(answer)

    def start(self, op, on=0, **fields):
        """Asks; returns the command's number and a function that waits for the answer."""
        answers = queue.Queue()
        with self.lock:
            self.last += 1
            number = self.last
            self.waiting[number] = answers
            self.process.stdin.write(json.dumps({"id": number, "op": op, "on": on, **fields}) + "\n")
            self.process.stdin.flush()

        def wait(seconds=2 * BOUND):
            answer = answers.get(timeout=seconds)
            if answer["error"]:
                raise GoError(answer["error"])
            return answer["result"]
        return number, wait

    def call(self, op, on=0, **fields):
        return self.start(op, on, **fields)[1]()

    def make(self, op, on=0, **fields):
        """A thing of the driver: `call` and `make` on it."""
        number, wait = self.start(op, on, **fields)
        result = wait()
        return Thing(self, number, result)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(BOUND)
        self.process.stdin.close()
        self.process.stdout.close()


class Thing:
    """A client, map, watch, lease or registry of the driver; `made` is what making it answered."""

    def __init__(self, driver, number, made):
        self.driver, self.number, self.made = driver, number, made

    def call(self, op, **fields):
        return self.driver.call(op, self.number, **fields)

    def start(self, op, **fields):
        return self.driver.start(op, self.number, **fields)[1]

    def make(self, op, **fields):
        return self.driver.make(op, self.number, **fields)

    def until(self, *wanted):
        """Waits until these (kind, key, value) were told; returns all that was."""
        def told():
            return [(event["kind"], event["key"], event["value"]) for event in self.call("events")]
        wait_for(lambda: f"{wanted} among {told()[-10:]}", lambda: set(wanted) <= set(told()))
        return told()
