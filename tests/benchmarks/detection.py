"""Judgement at a budget: false alarms of stationary models, delays of changes, cost.

    python -m tests.benchmarks.detection [--quick] [--models N] [--days D]

A model has 20 features on one-minute panes and may raise 1 false alarm in 30 days; 60 streams share
the budget, of which the e-detector may use 80 %. phi and kappa are learned from three days before.
Autocorrelated streams of more than 10 events a second are drawn as clusters of the same variance.
"""

import argparse
import time
from typing import NamedTuple

import numpy as np

from detectors.budget import alarm_mean_panes, calibrated, prepare
from detectors.catalogue import build
from detectors.change.bayes_factor import kappa_of_tolerance, tolerance_of_rate
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.observation import Observation
from detectors.change.ragged import Ragged
from detectors.dispersion import DispersionLearner
from detectors.season import Season
from tests.benchmarks.streams import WORLDS, Change, Streams, changes, numeric

RATES, ROWS = (1, 10, 100, 1000), (1_000, 10_000, 100_000)
PANES_A_MONTH = 30 * 1440
LEVEL = float(np.log(alarm_mean_panes(1, 30 * 86_400, 60, 60, 0.8)))
TOLERANCE_SD = 0.15
HISTORY_PANES, SEASON_HOURS = 4_320, 4 * 168
RUNS, QUIET_PANES, WAITED_PANES = 50, 60, 200
STRICT = float(np.log(100))
RIVER = ("river.ADWIN", "river.PageHinkley", "river.KSWIN")


class Alarms(NamedTuple):
    """Per model-month: false alarms, and evidence that a 100 times larger budget would call so."""

    alarms: float
    loose: float


def false_alarms(rate, rows, models, days, seed=1):
    """By world, how many alarms a model-month its features raise."""
    months = models * days * 1440 / PANES_A_MONTH
    found = {}
    for number, world in enumerate(WORLDS):
        rng = np.random.default_rng([seed, number, rate, rows])
        streams = Streams(world, rate, world.features * models, rng)
        alarms, loose = Watched(streams, rows).run(days * 1440)
        found[world.name] = Alarms(alarms / months, loose / months)
    return found


class Watched:
    """Streams of one world with an e-detector over them, dispersion and season learned before."""

    def __init__(self, streams, rows):
        self.streams = streams
        self.cells = Ragged(np.arange(streams.count + 1) * streams.cells)
        reference = streams.reference(rows).ravel()
        self.detector = EDetector(self.cells, reference, parameters(streams.world.shares))
        weights = reference + 0.5
        self.season = None
        shares = weights / self.cells.spread(self.cells.total(weights))
        if streams.world.season_sd:
            self.season = self._learn_season(shares, rows)
        learner = DispersionLearner(self.cells, shares)
        for _ in range(HISTORY_PANES):
            counts = streams.pane().ravel()
            learner.update(counts, None if self.season is None else self._expected().shares)
        self.dispersion = learner.estimate()

    def run(self, panes):
        """Alarms, and upward crossings at 100 times the budget; an alarmed stream starts afresh."""
        alarms, loose, above = 0, 0, np.zeros(self.streams.count, dtype=bool)
        for _ in range(panes):
            verdict = self.detector.update(self._pane())
            alarms += int(verdict.alarm.sum())
            crossed = verdict.evidence > LEVEL - STRICT
            loose += int((crossed & ~above).sum())
            above = crossed
            self.detector.reset(verdict.alarm)
        return alarms, loose

    def _pane(self):
        counts, known = self.streams.pane().ravel(), self.dispersion
        if self.season is None:
            return CellCounts(counts, known.phi, known.kappa)
        expected = self._expected()
        return CellCounts(counts, known.phi, known.kappa, expected.shares, expected.mass)

    def _expected(self):
        return self.season.expected((self.streams.minute - 0.5) / 60 % 168)

    def _learn_season(self, shares, rows):
        season, streams = Season(self.cells, shares, float(rows)), self.streams
        for hour in range(SEASON_HOURS):
            minutes = hour * 60 + np.arange(5, 60, 10)
            mean = np.mean([streams.shares(minute) for minute in minutes], axis=0)
            events = streams.rate * 3600
            season.add(streams.rng.multinomial(events, mean).ravel(), hour % 168 + 0.5)
        return season


def parameters(shares, tolerance=TOLERANCE_SD**2):
    """The e-detector's for streams of these shares."""
    kappa = float(kappa_of_tolerance(tolerance, max(2, int((shares > 0).sum())), LEVEL))
    return EDetectorParameters(LEVEL, kappa)


def delays(change: Change, rate=10, rows=10_000, seed=2):
    """Panes from the change to the alarm in 50 runs (inf: missed), and alarms before it."""
    rng = np.random.default_rng(seed)
    cells = Ragged(np.arange(RUNS + 1) * len(change.before))
    reference = rng.multinomial(rows, change.before, RUNS).ravel()
    detector = EDetector(cells, reference, parameters(change.before, change.tolerance))
    first, early = np.full(RUNS, np.inf), 0
    for pane in range(-QUIET_PANES, WAITED_PANES):
        shares = change.before if pane < 0 else change.after
        counts = rng.multinomial(rate * 60, shares, RUNS).ravel()
        alarm = detector.update(CellCounts(counts)).alarm
        early += int(alarm.sum()) if pane < 0 else 0
        first = np.where(alarm & np.isinf(first) & (pane >= 0), pane + 1, first)
        if np.isfinite(first).all():
            break
    return first, early


def below_tolerance(days=1):
    """Alarms of 50 streams whose mean moved by 0.02 sd, at 1,000 events a second."""
    rng = np.random.default_rng(3)
    cells = Ragged(np.arange(RUNS + 1) * len(numeric()))
    reference = rng.multinomial(10_000, numeric(), RUNS).ravel()
    detector = EDetector(cells, reference, parameters(numeric()))
    panes = (rng.multinomial(60_000, numeric(0.02), RUNS).ravel() for _ in range(days * 1440))
    return sum(int(detector.update(CellCounts(counts)).alarm.sum()) for counts in panes)


def of_means(name, rate=10, streams=20, panes=4_320, shift=0.0, seed=4):
    """A detector of means at its defaults (ours: at the budget): alarms a model-month of 20
    features, and, with a shift, the median panes to the first alarm.
    """
    rng = np.random.default_rng(seed)
    ours = calibrated(name, alarm_mean_panes(1, 30 * 86_400, 60, 60, 0.1), TOLERANCE_SD, 6.8)
    detector = build(name, streams, ours)
    offset, events = rng.normal(size=streams) / 100, np.full(streams, rate * 60.0)
    alarms, first = 0, np.full(streams, np.inf)
    for pane in range(panes):
        moved = shift if pane >= panes // 2 else 0.0
        mean = offset + moved + rng.normal(size=streams) / np.sqrt(events)
        seen = Observation(events, mean, events)
        fed = seen if name == "river.KSWIN" else prepare(name, seen, 1.0, 10_000, TOLERANCE_SD)
        alarm = detector.update(fed).alarm
        alarms += int(alarm.sum())
        if pane >= panes // 2:
            first = np.where(alarm & np.isinf(first), pane - panes // 2 + 1, first)
        detector.reset(alarm)
    return alarms * PANES_A_MONTH / panes * 20 / streams, float(np.median(first))


def periodic(panes=PANES_A_MONTH):
    """A detector that fires once a month for a model whatever comes: median delay in panes."""
    return panes / 2


def cost_microseconds(streams, updates=200):
    """Microseconds of one update, by stream."""
    rng = np.random.default_rng(5)
    cells = Ragged(np.arange(streams + 1) * len(numeric()))
    detector = EDetector(cells, rng.multinomial(10_000, numeric(), streams).ravel())
    drawn = [rng.multinomial(600, numeric(), streams).ravel() for _ in range(updates)]
    started = time.perf_counter()
    for counts in drawn:
        detector.update(CellCounts(counts))
    return (time.perf_counter() - started) / updates / streams * 1e6


def table(models=2, days=30, rates=RATES, rows=ROWS):
    """Everything above, line by line as it is measured."""
    yield f"ln A = {LEVEL:.2f}; {models} models of 20 features, {days} days each"
    yield "false alarms a model-month (in brackets: at 100 times the budget), by reference rows"
    worlds = {}
    for rate in rates:
        cells = []
        for size in rows:
            found = false_alarms(rate, size, models, days)
            total = [sum(one) for one in zip(*found.values(), strict=True)]
            cells.append(f"{size:>9,}: {total[0]:.2f} ({total[1]:.2f})")
            for name, one in found.items():
                worlds[name] = worlds.get(name, 0) + np.array(one)
        yield f"  {rate:>5} events/s  " + "".join(cells)
    for name, total in worlds.items():
        if total.any():
            mean = total / len(rates) / len(rows)
            yield f"    of which {name}: {mean[0]:.3f} ({mean[1]:.3f})"
    yield from _delay_lines()
    yield from _rival_lines()
    costs = ", ".join(f"{n} streams: {cost_microseconds(n):.1f}" for n in (1, 22, 200))
    yield f"microseconds a stream and pane: {costs} (at most 50)"


def _delay_lines():
    yield f"panes to the alarm at 10 events/s, reference 10,000 rows, {RUNS} runs"
    for change in changes(lambda rate: float(tolerance_of_rate(rate, 1.5, 0.001))):
        first, early = delays(change)
        median, missed = np.median(first), int(np.isinf(first).sum())
        met = "met" if median <= change.panes_at_most and not missed and not early else "NOT MET"
        yield (
            f"  {change.name:<34} median {median:3.0f}, largest {first.max():3.0f}, missed "
            f"{missed}, early {early}; at most {change.panes_at_most}: {met}"
        )
    yield f"  mean +0.02 sd at 1,000 events/s: {below_tolerance()} alarms in {RUNS} days"


def _rival_lines():
    yield "rivals, fed pane means at 10 events/s: alarms a model-month, panes to +0.25 sd"
    for name in ("page_hinkley", "adwin", *RIVER):
        streams, panes = (5, 1_440) if name == "river.KSWIN" else (20, 4_320)
        alarms, _ = of_means(name, streams=streams, panes=panes)
        _, delay = of_means(name, streams=streams, panes=min(panes, 1_440), shift=0.25)
        yield f"  {name:<20} {alarms:10.1f} {delay:8.0f}"
    yield f"  {'fires once a month':<20} {1.0:10.1f} {periodic():8.0f}"


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three days, fewer rates and sizes")
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--days", type=int, default=30)
    return parser.parse_args()


if __name__ == "__main__":
    asked = _arguments()
    few = {"models": 1, "days": 3, "rates": (1, 100), "rows": (1_000, 10_000)}
    full = {"models": asked.models, "days": asked.days}
    for line in table(**(few if asked.quick else full)):
        print(line, flush=True)
