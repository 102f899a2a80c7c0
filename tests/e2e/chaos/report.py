"""What a run came to, as a table of Markdown."""
import os
import statistics
import time


def table(rows):
    return "".join(f"| {name} | {value} |\n" for name, value in rows)


def listed(counts):
    items = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count}" for name, count in items if count) or "none"


def make(run):
    """`run` is a Run of run.py that has ended."""
    counts, rounds = run.counts, run.rounds
    tried, acked = counts.get("tried", 0), counts.get("acked_local", 0) + counts.get("acked_majority", 0)
    refused = {name[8:]: count for name, count in counts.items() if name.startswith("refused_")}
    reads = {name[5:]: count for name, count in counts.items() if name.startswith("read_")}
    ended = {name[6:]: count for name, count in counts.items() if name.startswith("watch_")}
    heals = [one.heal_seconds for one in rounds] or [0]
    title = f"# Chaos: {run.arguments.nodes} nodes, seed {run.arguments.seed}\n\n"
    rows = [
        ("command", f"`{run.command}`"),
        ("begun", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.begin))),
        ("length", f"{(run.end - run.begin) / 60:.1f} min, {len(rounds)} rounds, {run.load_seconds:.0f} s under load"),
        ("faults", f"{sum(run.faults.done.values())}: {listed(run.faults.done)}; {run.faults.missed} links were not "
                   "there to spoil"),
        ("writes tried", f"{tried} ({tried / max(1, run.load_seconds):.0f}/s of {run.arguments.rate}/s wanted)"),
        ("writes acknowledged", f"{acked} ({acked / max(1, run.load_seconds):.0f}/s): "
                                f"{counts.get('acked_local', 0)} local, {counts.get('acked_majority', 0)} majority"),
        ("writes refused or unanswered", listed(refused)),
        ("excused", f"{listed(run.judge.excused)} (acknowledged by too few nodes, which were then killed)"),
        ("losses told", f"{counts.get('lost_told', 0)} as LOST, {run.conflicts} listed; {run.judge.due} were surely due"
                        if not counts.get("lost_unsupported") else "not supported by this version"),
        ("watchers", f"{run.arguments.watchers}: {listed(ended)}"),
        ("reads of just written versions at another node", listed(reads)),
        ("keys at the end", rounds[-1].keys if rounds else 0),
        ("equal maps after healing", f"median {statistics.median(heals):.1f} s, longest {max(heals):.1f} s "
                                     f"(bound {run.arguments.heal_bound:g} s)"),
        ("CPU", ", ".join(f"{name} {seconds / (run.end - run.begin):.2f}" for name, seconds in run.cores.items())
                + f" of {os.cpu_count()} cores"),
        ("largest node", f"{run.largest_mib:.0f} MiB"),
        ("verdict", "all right" if not run.wrong else f"{len(run.wrong)} wrong"),
    ]
    text = title + "| | |\n|---|---|\n" + table(rows)
    if run.wrong:
        text += "\n" + "".join(f"- {line}\n" for line in run.wrong[:50])
    return text
