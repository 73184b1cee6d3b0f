"""False alarms and delay of ADWIN and Page-Hinkley at a budget, and what an update costs.

    python -m tests.benchmarks.detectors [model-months]

A model has 22 streams, panes last a minute, the budget is 1 false alarm per 30 days of which each
of the two may use a tenth: 0.1 a model-month. References have 10,000 rows; worlds are stationary.
"""

import sys
import time

import numpy as np

from detectors.budget import alarm_mean_panes, calibrated, prepare
from detectors.catalogue import build
from detectors.change.observation import Observation
from detectors.scores import CellScores
from detectors.summary.layout import Layout

STREAMS, ROWS, PANES = 22, 10_000, 4_320
PANES_A_MONTH = 30 * 1440
ALARM_MEAN = alarm_mean_panes(1, 30 * 86_400, 60, STREAMS, 0.1)
QUANTILES = np.array([0, 0.001, 0.01, 0.05, *np.arange(1, 10) / 10, 0.95, 0.99, 0.999, 1])
DETECTORS = ("page_hinkley", "adwin")
POOL = 200_000
SCORE_RANGE = 6.8


def scored(values, rng):
    """Panes of `values` scores of any shape: many a (mean, m2), and the range of the scores."""
    shares = np.diff(QUANTILES)
    counts = np.append((shares * ROWS).round().astype(np.int64), [0, 0])
    layout = Layout(edges=(np.arange(len(shares) - 1.0),))
    scores = CellScores.from_reference(layout, counts).values[:-2]
    return (*tallied(rng.multinomial(values, shares, POOL), scores), np.ptp(scores))


def rare(values, rng):
    """A boolean that is true once in 200 times."""
    layout = Layout(categories=(("false", "true"),))
    counts = np.array([ROWS - ROWS // 200, ROWS // 200, 0, 0, 0, 0])
    scores = CellScores.from_reference(layout, counts).values[:2]
    return (*tallied(rng.multinomial(values, [0.995, 0.005], POOL), scores), np.ptp(scores))


def tallied(counts, scores):
    n = counts.sum(axis=1)
    mean = counts @ scores / n
    return mean, counts @ scores**2 - n * mean**2


def lognormal(values, rng):
    """Plain standardised values (no scores) of a lognormal stream with sd 1.5 of its logarithm."""
    spread = 1.5
    size = min(POOL, 12_000_000 // values)
    draws = rng.lognormal(0, spread, (size, values))
    draws -= np.exp(spread**2 / 2)
    draws /= np.sqrt(np.expm1(spread**2) * np.exp(spread**2))
    return draws.mean(axis=1), draws.var(axis=1) * values, SCORE_RANGE


def autocorrelated(values, rng):
    """AR(1) of 0.9 from value to value, judged as if they were independent (dispersion 1)."""
    inflation = (1 + 0.9) / (1 - 0.9)
    means = rng.normal(size=POOL) * np.sqrt(inflation / values)
    return means, np.full(POOL, float(values)), SCORE_RANGE


WORLDS = {
    "any shape, scored": (scored, False),
    "scored, rate varies 10x": (scored, True),
    "boolean 0.5 %": (rare, False),
    "lognormal, not scored": (lognormal, False),
    "AR(1) 0.9, dispersion 1": (autocorrelated, False),
}


def watched(name, world, values, tolerance, streams, rng):
    """A calibrated detector and what it is fed, without end."""
    pools = supplies(world, values, rng)
    ranges = max(pool[3] for pool in pools)
    detector = build(name, streams, calibrated(name, ALARM_MEAN, tolerance, ranges))
    return detector, panes(pools, streams, rng)


def supplies(world, values, rng):
    """One pool of panes, or one for each rate of events from a third to three times `values`."""
    supply, varies = WORLDS[world]
    levels = np.unique((values * 10 ** (np.linspace(-1, 1, 9) / 2)).astype(int))
    return [(float(n), *supply(int(n), rng)) for n in (levels if varies else [values])]


def panes(pools, streams, rng):
    """Endless observations of `streams` streams, each off by its reference's error."""
    offset = rng.normal(size=streams) / np.sqrt(ROWS)
    for minute in range(10**9):
        level = (np.sin(minute / 1440 * 2 * np.pi) + 1) / 2 * (len(pools) - 1)
        n, mean, m2, _ = pools[round(level)]
        drawn = rng.integers(0, len(mean), streams)
        yield Observation(np.full(streams, n), mean[drawn] + offset, m2[drawn])


def false_alarms(name, world, values, tolerance, months, seed=1):
    """Alarms a model-month; an alarmed stream starts afresh."""
    streams = STREAMS * max(1, round(months * PANES_A_MONTH / PANES))
    rng = np.random.default_rng(seed)
    detector, supply = watched(name, world, values, tolerance, streams, rng)
    alarms = 0
    for _, observation in zip(range(PANES), supply, strict=False):
        alarm = detector.update(prepare(name, observation, 1.0, ROWS, tolerance)).alarm
        alarms += int(alarm.sum())
        detector.reset(alarm)
    return alarms / (streams / STREAMS * PANES / PANES_A_MONTH)


def delay_panes(name, values, shift_sd, tolerance):
    """Median panes from a shift of the mean to the alarm, the pane of the alarm included."""
    streams, quiet, longest = 200, 500, 500
    rng = np.random.default_rng(2)
    detector, steady = watched(name, "any shape, scored", values, tolerance, streams, rng)
    first = np.full(streams, np.inf)
    for pane, seen in zip(range(quiet + longest), steady, strict=False):
        moved = Observation(seen.n, seen.mean + shift_sd * (pane >= quiet), seen.m2)
        alarm = detector.update(prepare(name, moved, 1.0, ROWS, tolerance)).alarm
        if pane < quiet:
            detector.reset(alarm)
        else:
            first[alarm & np.isinf(first)] = pane - quiet + 1
    return float(np.median(first))


def cost_microseconds(name, streams, updates=2000):
    """Microseconds of one update of a bank, by stream."""
    rng = np.random.default_rng(3)
    detector, supply = watched(name, "any shape, scored", 600, 0.15, streams, rng)
    prepared = [prepare(name, next(supply), 1.0, ROWS, 0.15) for _ in range(updates)]
    started = time.perf_counter()
    for observation in prepared:
        detector.update(observation)
    return (time.perf_counter() - started) / updates / streams * 1e6


def table(months=2.0):
    """Everything above, as lines of text."""
    lines = [f"A = {ALARM_MEAN:.3g} panes, budget 0.1 false alarms a model-month and detector"]
    lines.append(
        f"{'alarms a model-month':34}{'tolerance':>10}{'1/s':>10}{'10/s':>10}{'100/s':>10}"
    )
    cases = [(world, 0.15) for world in WORLDS] + [("any shape, scored", 0.0)]
    for name in DETECTORS:
        for world, tolerance in cases:
            rates = [false_alarms(name, world, n, tolerance, months) for n in (60, 600, 6000)]
            figures = "".join(f"{rate:10.2f}" for rate in rates)
            lines.append(f"{name + ': ' + world:34.34}{tolerance:10.2f}{figures}")
    lines.append(f"{'delay, panes':34}{'tolerance':>10}{'1/s':>10}{'10/s':>10}{'100/s':>10}")
    for name in DETECTORS:
        for tolerance in (0.15, 0.0):
            for shift in (0.25, 0.5, 1.0):
                delays = [delay_panes(name, n, shift, tolerance) for n in (60, 600, 6000)]
                figures = "".join(f"{delay:10.0f}" for delay in delays)
                lines.append(f"{name + f': +{shift} sd':34}{tolerance:10.2f}{figures}")
    for name in DETECTORS:
        costs = ", ".join(f"{d}: {cost_microseconds(name, d):.1f}" for d in (1, 22, 200))
        lines.append(f"{name}: microseconds a stream and update, by streams: {costs}")
    return lines


if __name__ == "__main__":
    print("\n".join(table(*map(float, sys.argv[1:]))))
