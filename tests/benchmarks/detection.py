"""Judgement at a budget: false episodes of models that never change, delays of changes, cost.

    python -m tests.benchmarks.detection [--resume FILE] [--models N] [--days D] [--jobs J] ...

Everything is judged by the service's own detection, told by its own book of episodes, at its
default settings and a budget of 1 false alarm per 30 days and model. Beside it stand detectors of
river at their defaults, fed every event, and one that fires once in 30 days whatever comes: fewer
false alarms bought with delay, or the other way round, would show. The false alarms of 240 models
take about two hours of CPU: with --resume all can be stopped at any time and gone on with.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from tests.benchmarks.judging import delays, false_episodes, rivals, segments
from tests.benchmarks.judging.changes import changes
from tests.benchmarks.judging.runs import Results, Run, run_all
from tests.benchmarks.judging.segments import SHARES, SHIFTS
from tests.benchmarks.judging.tables import (
    HISTORIES,
    LEARNED,
    delay_lines,
    false_episode_lines,
    segment_lines,
)

RATES, ROWS = (1, 10, 100, 1_000), (1_000, 10_000, 100_000)
RIVAL_RATES = (1, 10)
PARTS = ("false", "delays", "segments", "rivals")
BATCHES = 3


def asked_runs(asked):
    """Every run that was asked for: the short ones first, then all kinds of models in turn."""
    runs = []
    if "delays" in asked.parts:
        runs += delay_runs()
    if "segments" in asked.parts:
        runs += segment_runs()
    if "rivals" in asked.parts:
        runs += rival_runs()
    if "false" in asked.parts:
        runs += month_runs(asked)
    return runs


def delay_runs():
    batches = [(history, batch) for history in HISTORIES for batch in range(BATCHES)]
    both = [{"history": history, "batch": batch} for history, batch in batches]
    changed = [{"change": name, **one} for one in both for name in changes()]
    return [
        *(Run("delay", delays.delay_runs, arguments) for arguments in changed),
        *(Run("below", delays.below_tolerance, one) for one in both if one["batch"] == 0),
    ]


def segment_runs():
    every = [{"share": share, "shift": shift} for share in SHARES for shift in SHIFTS]
    return [
        Run("segment", segments.segment_runs, {"history": LEARNED, "batch": batch, **one})
        for batch in range(BATCHES)
        for one in every
    ]


def rival_runs():
    runs = []
    for name in rivals.RIVERS:
        slow = name not in rivals.QUICK
        rates = [{"name": name, "rate": rate} for rate in RIVAL_RATES[: 1 if slow else None]]
        runs += [Run("rival false", rivals.false_episodes, one) for one in rates]
    for name in rivals.QUICK:
        seen = [change for change in changes().values() if change.margins]
        shown = [{"name": name, "change": change.name} for change in seen]
        runs += [Run("rival delay", rivals.delays, one) for one in shown]
    return runs


def month_runs(asked):
    """A group of every kind of model, then the next of every kind."""
    kinds = [(rate, rows) for rows in asked.references for rate in asked.rates]
    months = {"models": asked.group, "days": asked.days}
    return [
        Run(
            "months",
            false_episodes.group_months,
            {"rate": rate, "rows": rows, "group": group, **months},
        )
        for group in range(-(-asked.models // asked.group))
        for rate, rows in kinds
    ]


def table(results):
    """All that is known so far, line by line."""
    if results.of_other_code:
        yield f"{results.of_other_code} results are of another version of the code: measure again"
    yield from false_episode_lines(results)
    yield from delay_lines(results)
    yield from segment_lines(results)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--models", type=int, default=20, help="of each rate and reference, in whole groups (20)")
    add("--group", type=int, default=10, help="models that are judged at once (10)")
    add("--days", type=int, default=30, help="that each is watched (30)")
    add("--rates", type=int, nargs="+", default=RATES, help="events a second")
    add("--references", type=int, nargs="+", default=ROWS, help="rows")
    add("--parts", nargs="+", choices=PARTS, default=PARTS)
    add("--jobs", type=int, default=os.cpu_count(), help="processes (one a core)")
    add("--resume", type=Path, metavar="FILE", help="keep results in FILE, and go on from there")
    add("--show", action="store_true", help="only print what FILE has")
    return parser.parse_args()


def main():
    asked, failed = _arguments(), 0
    results = Results(asked.resume)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that its processes end, too
    if not asked.show:
        try:
            failed = run_all(asked_runs(asked), results, asked.jobs)
        except KeyboardInterrupt:
            print("stopped; what is done so far:", file=sys.stderr)
    for line in table(results):
        print(line)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
