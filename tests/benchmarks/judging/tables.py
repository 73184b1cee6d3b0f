"""How the results of all runs read: false alarms and delays side by side with those of others."""

import re
from collections import Counter, defaultdict

import numpy as np

from tests.benchmarks.judging import rivals
from tests.benchmarks.judging.changes import changes
from tests.benchmarks.judging.delays import CHANGED_PANES
from tests.benchmarks.judging.streams import DAY_PANES

MONTH_DAYS, MODELS_MIN = 30, 20
"""What is said of a model and month rests on so many days each of so many models; else it is no
verdict.
"""

LEARNING_DAYS = 3
LEARNED, YOUNG, FRESH = 3 * DAY_PANES + 120, DAY_PANES, 60
"""Panes watched before a change: until wander is known (a little more than three days), a day, and
an hour.
"""

HISTORIES = {LEARNED: "all learned", YOUNG: "after a day", FRESH: "after an hour"}


def false_episode_lines(results):
    """Episodes of models that never change, by rate and rows of the reference."""
    found = defaultdict(list)
    for run, group in results.of("months"):
        found[run["rate"], run["rows"]] += group
    if not found and not any(results.of("rival false")):
        return
    yield "FALSE EPISODES a model and 30 days, of models in which nothing changes; at most 1"
    yield "  (near: as many a budget 100 times as large would have allowed the e-detector;"
    yield "  within: the share of time in an episode, since one that never ends is counted once)"
    heads = ("reference", "models", "days", "mean", "largest", "near", "within")
    yield f"  {'events/s':>8}" + "".join(f"{head:>11}" for head in heads)
    for (rate, rows), one in sorted(found.items()):
        counts = [len(r["episodes"]) * MONTH_DAYS / r["days"] for r in one]
        near = np.mean([_near(r) * MONTH_DAYS / r["days"] for r in one])
        within = np.mean([r["panes_within"] / r["days"] / DAY_PANES for r in one])
        enough = len(one) >= MODELS_MIN and min(r["days"] for r in one) >= MONTH_DAYS
        met = ("met" if np.mean(counts) <= 1 else "NOT MET") if enough else "too few to tell"
        yield (
            f"  {rate:>8,}{rows:>11,}{len(one):>11}{sum(r['days'] for r in one):>11,}"
            f"{np.mean(counts):>11.2f}{max(counts):>11.1f}{near:>11.2f}{within:>11.2%}  {met}"
        )
    yield from _rival_false_lines(results)
    every = [result for one in found.values() for result in one]
    if not every:
        return
    yield from _when_lines(every)
    yield from _cause_lines(found)
    yield from _season_lines(every)
    yield from _cost_lines(every)


def delay_lines(results):
    """Panes from a change to the alarm: of ours by how much is known, and of others."""
    ours = defaultdict(list)
    for run, result in results.of("delay"):
        ours[run["change"], run["history"]] += result
    theirs = {(r["name"], r["change"]): result for r, result in results.of("rival delay")}
    names = [name for name in rivals.RIVERS if any(key[0] == name for key in theirs)]
    if not ours and not theirs:
        return
    yield "DELAY in panes at 10 events/s, reference of 10,000 rows: median, largest (missed/runs);"
    yield "  early: ours in runs, of others the share of panes before the change that had an alarm"
    heads = "".join(f"{head:>28}" for head in (*HISTORIES.values(), *names))
    yield f"  {'change':<30}{'at most':>8}{'':>9}{heads}"
    for name, change in changes().items():
        mine = {history: ours.get((name, history), []) for history in HISTORIES}
        told = [_of_ours(runs) for runs in mine.values()]
        told += [_of_rival(theirs.get((rival, name))) for rival in names]
        met = _met(mine[LEARNED], change.panes_at_most)
        columns = "".join(f"{text:>28}" for text in told)
        yield f"  {name:<30}{change.panes_at_most:>8}{met:>9}{columns}"
    by_chance = _delays(rivals.periodic(), "none")
    yield f"  any, by one that fires once in 30 days: {by_chance}"
    for history, title in HISTORIES.items():
        yield from _episode_lines(ours, history, title)
    yield from _below_lines(results)


def segment_lines(results):
    """Panes from a change in one segment to the alarm, there and in all predictions."""
    found = defaultdict(list)
    for run, result in results.of("segment"):
        found[run["share"], run["shift"]] += result
    if not found:
        return
    yield "SEGMENT that changes alone, at 10 events/s of the model, after three days: panes to the"
    yield "  alarm there and in all predictions, median, largest (missed in eight hours/runs)"
    yield f"  {'share':>8}{'shift':>10}{'in the segment':>30}{'in all':>30}{'early':>8}"
    for (share, shift), runs in sorted(found.items()):
        inside, whole = (_delays([run[key] for run in runs]) for key in ("segment", "all"))
        early = sum(run["early"] for run in runs)
        yield f"  {share:>8.0%}{f'{shift:g} sd':>10}{inside:>30}{whole:>30}{early:>8}"


def _near(result):
    return sum(learning + ready for learning, ready in result["near"].values())


def _rival_false_lines(results):
    for run, result in sorted(
        results.of("rival false"), key=lambda r: (r[0]["name"], r[0]["rate"])
    ):
        yield (
            f"  {run['rate']:>8,} {'':>10} {run['name']}, fed every event: "
            f"{result['episodes']:,.0f} episodes, {result['alarms']:,.0f} alarms, "
            f"{result['within']:.0%} of the time within (from {result['panes']} panes)"
        )
    yield f"  {'any':>8} {'':>10} one that fires once in 30 days: 1.00 episodes"


def _when_lines(every):
    days = np.array([episode["day"] for result in every for episode in result["episodes"]])
    early = int((days < LEARNING_DAYS).sum())
    yield (
        f"  {len(days)} episodes in {sum(r['days'] for r in every):,} days of models: {early} in "
        f"their first {LEARNING_DAYS} days, {len(days) - early} later"
    )


def _family(stream):
    """Without the number of a feature among those that are alike."""
    return re.sub(r" \d$", "", stream)


def _cause_lines(found):
    causes = Counter()
    near = Counter()
    for (rate, rows), one in found.items():
        for result in one:
            for alarm in result["alarms"]:
                seen = "+".join(alarm["detectors"])
                season = ", season" if alarm["season"] else ""
                family = _family(alarm["stream"])
                varies = ", varying" if result["varies"] else ""
                at = f"{rate:,}/s{varies}; {rows:,} rows"
                causes[f"{family}; {seen}; {alarm['known']}{season}; {at}"] += 1
            for stream, (learning, ready) in result["near"].items():
                near[_family(stream), "learning"] += learning
                near[_family(stream), "ready"] += ready
    if causes:
        yield "  streams that began to drift: stream; seen by; known of it; events/s; reference"
    for cause, count in causes.most_common(40):
        yield f"    {count:>4} x {cause}"
    told = ", ".join(
        f"{stream} ({state}) {count}" for (stream, state), count in near.most_common(12) if count
    )
    yield f"  near, in all: {told or 'none'}"


def _season_lines(every):
    learned = [r["season_day"] for r in every if r["season_day"] is not None]
    if learned:
        yield (
            f"  the daily season was learned on day {np.median(learned):.2f} (latest "
            f"{max(learned):.2f}), never in {len(every) - len(learned)} of {len(every)} models"
        )
    statuses = Counter()
    for result in every:
        statuses.update(result["status"])
    told = ", ".join(f"{name} {count}" for name, count in sorted(statuses.items()))
    yield f"  streams at the end, by what was known of them: {told}"


def _cost_lines(every):
    days = np.array([r["days"] for r in every])
    cpu = np.array([r["cpu_seconds"] for r in every]) / days * MONTH_DAYS
    judged = np.array([r["judging_seconds"] / r["days"] / r["streams"] for r in every])
    microseconds = np.mean(judged) / DAY_PANES * 1e6
    yield (
        f"  {np.mean(cpu):.0f} s of CPU a model-month; of that judging takes {microseconds:.1f} "
        "us a stream and pane"
    )


def _episode_lines(ours, history, title):
    if not any(past == history for _, past in ours):
        return
    heads = f"{'onset off by':>16}{'over after':>16}{'episodes':>10}{'over too soon':>16}"
    yield f"  {title:<30}{heads}  (panes: median, largest; of those noticed)"
    for name in changes():
        runs = [run for run in ours.get((name, history), []) if run["delay"] is not None]
        if not runs:
            continue
        onsets = np.abs([run["onset"] for run in runs])
        overs = [np.inf if run["recovery"] is None else run["recovery"] for run in runs]
        lasted = [over for over in overs if over >= 0]
        after = f"{np.median(lasted):.0f} ({_or_never(max(lasted))})" if lasted else "-"
        off = f"{np.median(onsets):.0f} ({onsets.max():.0f})"
        episodes = np.mean([run["episodes"] for run in runs])
        yield (
            f"    {name:<28}{off:>16}{after:>16}{episodes:>10.2f}"
            f"{f'{len(overs) - len(lasted)} of {len(runs)}':>16}"
        )


def _or_never(panes):
    return "never" if np.isinf(panes) else f"{panes:.0f}"


def _below_lines(results):
    for run, result in results.of("below"):
        met = "met" if result == 0 else "NOT MET"
        yield (
            f"  mean +0.02 sd at 1,000 events/s, after {run['history']} panes: {result} episodes "
            f"of 20 streams in two days: {met}"
        )


def _of_ours(runs):
    if not runs:
        return "-"
    early = sum(run["early"] > 0 for run in runs)
    return _delays([run["delay"] for run in runs], str(early))


def _of_rival(result):
    if result is None:
        return "-"
    return _delays(result["delays"], f"{result['early'] / result['quiet']:.0%}")


def _delays(delays, early=""):
    filled = [np.inf if delay is None else delay for delay in delays]
    missed = sum(delay is None for delay in delays)
    median = np.median(filled)
    told = f">{CHANGED_PANES}" if np.isinf(median) else f"{median:g}"
    largest = max((delay for delay in delays if delay is not None), default=0)
    return f"{told}, {largest} ({missed}/{len(delays)})" + (f" early {early}" if early else "")


def _met(runs, most):
    if not runs:
        return ""
    delays = [np.inf if run["delay"] is None else run["delay"] for run in runs]
    sound = not any(run["early"] for run in runs) and np.isfinite(delays).all()
    return "met" if sound and np.median(delays) <= most else "NOT MET"
