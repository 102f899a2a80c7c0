#!/usr/bin/python3
"""The chaos test: real nodes, real faults, and a verdict after each round.

    make chaos MINUTES=10 NODES=5 SEED=7
    tests/e2e/chaos/run.py --nodes 5 --rounds 2 --round 12 --seed 7
    tests/e2e/chaos/run.py --nodes 5 --rounds 2 --seed 7 --plan     says what would happen, and does nothing

Nodes run in network namespaces; a driver keeps up the load and the watchers; faults come as the seed says. At a round's
end all is healed, and within the bound every map has to be equal, each watcher's too, and the judge has to agree. Needs
root. The report is printed and written to build/chaos/report.md.
"""
import argparse
import concurrent.futures
import pathlib
import resource
import signal
import sys
import time
import types

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parent)]
import network  # noqa: E402
import report  # noqa: E402
import schedule  # noqa: E402
from actors import ChaosNode, Talker, statuses  # noqa: E402
from basics import BUILD, ROOT, SCRATCH, sanitized  # noqa: E402
from faults import Faults  # noqa: E402
from ledger import Ledger, Loss, read_folds, seen  # noqa: E402
from verdict import Judge  # noqa: E402

START_BOUND = 60  # seconds until all nodes are up, on a busy machine
RSS_MIB = 512  # a node with some ten thousand keys takes a tenth of it
BRIEF = "brief/"  # ephemeral keys: the load gives them leases of 2 s
LAPSE_BOUND = 5  # seconds after the last write until they have to be gone everywhere
LOOK_EVERY = 0.25  # seconds between two looks at whether all processes live
ALARMS = ("Check failed", "terminate called", "Sanitizer", "Assertion", "bad_alloc")


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=5, help="3 to 60")
    parser.add_argument("--minutes", type=float, default=0, help="how long; in place of --rounds")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--round", type=float, default=25, help="seconds of faults in a round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=2000, help="writes a second, over all nodes")
    parser.add_argument("--majority", type=int, default=50, help="of a thousand writes so many ask for ACK_MAJORITY")
    parser.add_argument("--brief", type=int, default=50, help="of a thousand writes so many are of ephemeral keys")
    parser.add_argument("--watchers", type=int, default=6)
    parser.add_argument("--heal-bound", type=float, default=15, help="seconds until maps have to be equal")
    parser.add_argument("--disks", action="store_true", help="nodes have data directories, which are wiped and full, too")
    parser.add_argument("--near-clocks", action="store_true", help="clocks stay within the bound")
    parser.add_argument("--plan", action="store_true", help="print the faults and end")
    given = parser.parse_args(words)
    if not 3 <= given.nodes <= 60:
        parser.error("--nodes: 3 to 60")
    if not given.rounds and not given.minutes:
        parser.error("give --minutes or --rounds")
    return given


class Run:
    def __init__(self, given):
        self.arguments, self.begin, self.end = given, time.time(), 0
        self.field = schedule.Field(given.nodes, far=not given.near_clocks, disks=given.disks)
        # faketime would have to be loaded before the sanitizers' own library.
        clocked = () if sanitized() else self.field.clocked
        self.network = network.Network(given.nodes)
        flags = ["--lease-duration=30s"]  # short enough that periods end, and leases lapse, during a run
        self.nodes = {i: ChaosNode(i, given.nodes, flags, i in self.field.proxied, i in clocked, given.disks)
                      for i in range(1, given.nodes + 1)}
        self.judge = Judge(given.nodes)
        self.driver = self.ledger = None
        self.faults = Faults(self.network, self.nodes)
        self.rounds, self.wrong, self.counts = [], [], {}
        self.cores = {}  # CPU seconds by who used them
        self.load_seconds = self.largest_mib = self.conflicts = 0

    @property
    def command(self):
        given = self.arguments
        if given.minutes:
            disks = " DISKS=1" if given.disks else ""
            return f"make chaos MINUTES={given.minutes:g} NODES={given.nodes} SEED={given.seed}{disks}"
        return (f"tests/e2e/chaos/run.py --nodes {given.nodes} --rounds {given.rounds} --round {given.round:g} "
                f"--seed {given.seed}{' --disks' if given.disks else ''}")

    def start(self):
        for node in self.nodes.values():
            node.begin()
        if not self.wait_equal(START_BOUND):
            raise AssertionError(self.wrong)
        given, ledger = self.arguments, SCRATCH / "ledger"
        targets = ",".join(f"{node.name}={node.target}" for node in self.nodes.values())
        self.driver = Talker([BUILD / "tests/e2e/chaos/chaos_driver", "--nodes", targets, "--ledger", ledger,
                              "--rate", given.rate, "--majority", given.majority, "--brief", given.brief,
                              "--watchers", given.watchers, "--seed", given.seed], SCRATCH / "driver.log")
        self.ledger = Ledger(ledger)
        self.faults.driver = self.driver

    def look(self):
        """Whether all processes live that should, and are of a bounded size."""
        for node in self.nodes.values():
            if said := node.died():
                self.wrong.append(said)
            elif node.process:
                self.largest_mib = max(self.largest_mib, node.rss_mib())
        if self.driver and self.driver.process.poll() is not None:
            raise AssertionError(f"the driver ended: {(SCRATCH / 'driver.log').read_text()[-2000:]}")

    def wait_equal(self, seconds):
        """Until all nodes are ready and hold the same; returns the last statuses, or None, and notes what is wrong."""
        nodes, end = list(self.nodes.values()), time.monotonic() + seconds
        while True:
            self.look()
            found = statuses(nodes)
            if all(state and state.ready for state in found) and len({state.map_hash for state in found}) == 1:
                return found
            if time.monotonic() > end:
                said = [f"{node.name}: " + (f"ready={state.ready} keys={state.keys} hash={state.map_hash} "
                                            f"notes={list(state.notes)}" if state else "no answer")
                        for node, state in zip(nodes, found)]
                self.wrong.append(f"maps are not equal after {seconds:g} s: {'; '.join(said)}")
                return None
            time.sleep(0.1)

    def round(self, plan):
        begin = time.monotonic()
        print(f"round {len(self.rounds) + 1}: {len(plan)} faults", flush=True)
        self.driver.tell("on")
        self.faults.plan(plan, begin)
        end = begin + self.arguments.round
        while time.monotonic() < end:
            next_look = min(LOOK_EVERY, self.faults.due())
            self.look()
            time.sleep(max(0, min(next_look, end - time.monotonic())))
        self.load_seconds += time.monotonic() - begin
        self.faults.heal()
        healed = time.monotonic()
        self.driver.tell("off")
        # The last writes may be taken until now: from here on nothing changes but by healing.
        quiet = time.monotonic()
        states = self.wait_equal(self.arguments.heal_bound - (quiet - healed))
        one = types.SimpleNamespace(heal_seconds=time.monotonic() - healed, keys=states[0].keys if states else 0)
        self.rounds.append(one)
        if states:
            self.check(healed, quiet)
        print(f"  equal {one.heal_seconds:.1f} s after healing ({quiet - healed:.1f} s until the last write), "
              f"{one.keys} keys, {len(self.wrong)} wrong so far", flush=True)
        return states is not None

    def maps(self, nodes, quiet):
        """The maps of these nodes, once the last ephemeral keys are gone from all of them."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            while True:
                maps = list(pool.map(ChaosNode.entries, nodes))
                brief = {node.name: [key for key in held if key.startswith(BRIEF)] for node, held in zip(nodes, maps)}
                if not any(brief.values()):
                    return maps
                if time.monotonic() > quiet + LAPSE_BOUND:
                    self.wrong += [f"{name} still has {len(keys)} ephemeral keys, as {keys[:3]}"
                                   for name, keys in brief.items() if keys]
                    return [{key: entry for key, entry in held.items() if not key.startswith(BRIEF)} for held in maps]
                time.sleep(0.2)

    def check(self, healed, quiet):
        nodes = list(self.nodes.values())
        whose = nodes if len(nodes) <= 8 else nodes[::len(nodes) // 8 + 1]
        maps = self.maps(whose, quiet)
        for node, held in zip(whose, maps):
            if held != maps[0]:
                differ = [key for key in held.keys() | maps[0].keys() if held.get(key) != maps[0].get(key)]
                self.wrong.append(f"{node.name} and {whose[0].name} differ at {len(differ)} keys, as {differ[:3]}")
        present = {key: seen(entry) for key, entry in maps[0].items()}
        graves = self.check_watchers(present, healed)
        listed = [node.conflicts() for node in nodes]
        conflicts = None
        if all(some is not None for some in listed):
            conflicts = [Loss(node.name, one.loser.key, seen(one.loser), seen(one.winner))
                         for node, some in zip(nodes, listed) for one in some]
            self.conflicts = len(conflicts)
        self.driver.tell("off")  # writes the ledger out
        writes, losses, wrong = self.ledger.read()
        self.wrong += wrong
        self.wrong += self.judge.round(writes, present, graves, self.faults.kills, losses, conflicts,
                                       self.faults.losses)

    def check_watchers(self, present, healed):
        """Waits until each watcher's fold is the map; returns the tombstones that they saw."""
        # Every other watcher asks for renewals: it knows each key's version. To the others a renewal is no change.
        def known(name, entries):
            renewals = int(name[1:]) % 2 == 0
            return {key: entry.version if renewals else entry.change() for key, entry in entries.items()}
        dump = SCRATCH / "folds"
        while True:
            self.driver.tell(f"dump {dump}")
            folds, graves = read_folds(dump)
            behind = {name: fold for name, fold in folds.items()
                      if known(name, fold) != known(name, present)}
            if not behind and len(folds) == self.arguments.watchers:
                return graves
            # Comparing takes its time with many nodes; a watcher gets a cursor within a second and moves within a few.
            if time.monotonic() > healed + self.arguments.heal_bound + 10:
                for name, fold in behind.items():
                    here, there = known(name, fold), known(name, present)
                    differ = [key for key in here.keys() | there.keys() if here.get(key) != there.get(key)]
                    self.wrong.append(f"watcher {name} differs from the map at {len(differ)} keys, as {differ[:3]}")
                if len(folds) < self.arguments.watchers:
                    self.wrong.append(f"only {len(folds)} watchers know anything")
                return graves
            time.sleep(0.2)

    def finish(self):
        self.counts = {name: int(count) for name, count in
                       (word.split("=") for word in self.driver.tell("counts").split()[1:])}
        self.look()
        self.cores["driver"] = self.driver.cpu_seconds()
        self.driver.close()
        alive = [node for node in self.nodes.values() if node.process]
        with concurrent.futures.ThreadPoolExecutor(len(alive)) as pool:
            list(pool.map(lambda node: node.end(signal.SIGTERM), alive))
        for node in self.nodes.values():
            self.wrong += node.exits
            text = node.log.read_text(errors="replace")
            self.wrong += [f"{node.name} logged {line!r}" for line in text.splitlines()
                           if any(alarm in line for alarm in ALARMS)]
        if self.largest_mib > RSS_MIB and not sanitized():
            self.wrong.append(f"a node grew to {self.largest_mib:.0f} MiB")
        if not self.counts.get("acked_local"):
            self.wrong.append("no write was acknowledged: the test tested nothing")
        self.end = time.time()
        for node in self.nodes.values():
            if node.proxy:
                node.proxy.close()
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cores["conductor"] = own.ru_utime + own.ru_stime
        self.cores["nodes and proxies"] = children.ru_utime + children.ru_stime - self.cores["driver"]


def keep_logs(run):
    """Where the logs of a failed run are left: beside the report."""
    folder = ROOT / "build/chaos/logs"
    folder.mkdir(parents=True, exist_ok=True)
    for log in [*(node.log for node in run.nodes.values()), SCRATCH / "ledger", SCRATCH / "driver.log"]:
        (folder / log.name).write_bytes(log.read_bytes())
    return folder


def main(words=None):
    given = arguments(words)
    rounds = given.rounds or max(1, round(given.minutes * 60 / given.round))
    field = schedule.Field(given.nodes, far=not given.near_clocks, disks=given.disks)
    plans = schedule.Planner(field, given.seed).rounds(rounds, given.round)
    if given.plan:
        for number, plan in enumerate(plans, 1):
            print(f"round {number}", *plan, sep="\n")
        return 0
    print(f"chaos: {given.nodes} nodes, seed {given.seed}, {rounds} rounds of {given.round:g} s", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that all is cleaned up
    run = Run(given)
    run.start()
    begin = time.monotonic()
    for plan in plans:
        if not run.round(plan):
            break  # what is not equal stays so: the rest would tell nothing
        if given.minutes and time.monotonic() - begin > given.minutes * 60:
            break
    run.finish()
    text = report.make(run)
    folder = ROOT / "build/chaos"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(text)
    print(text)
    if run.wrong:
        print(f"logs and ledger: {keep_logs(run)}")
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
