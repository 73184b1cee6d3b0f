"""From a budget of false alarms to what each detector of change is set to and fed.

Page-Hinkley compares with the reference, so it is fed the mean score of a pane in units of its own
standard error, with slack for the reference's error and for the tolerance. ADWIN compares live with
live, where the reference's error cancels, but only as long as it is fed means: multiplied by
sqrt(n), a harmless offset would follow the rate of events up and down. So it is fed weighted means.
`tests/benchmarks/detectors.py` measures both.
"""

from collections.abc import Mapping
from math import exp, inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.change.observation import Observation

PerStream = float | tuple[float, ...] | NDArray[np.float64]
"""One number for all streams, or one for each."""

WEIGHED = frozenset({"adwin"})
"""Detectors that are fed weighted means (`weigh`); the others are fed by `standardise`."""

ALLOWANCE = 0.5
"""Page-Hinkley's delta in standard errors of a pane: tuned for a shift of twice that."""

_OVERSHOOT = 1.166
"""By how much a random walk of unit steps overshoots two boundaries (Siegmund, 1985)."""

WANDERS = 3.0
"""How many of its own sd a slow wander may go astray, beside the tolerance: of 0.05 sd it reaches
0.15 sd within days."""

_REFERENCE_ERRORS = 3.0
"""How many standard errors of its own mean the reference may be off."""


def alarm_mean_panes(
    alarms: float,
    period_seconds: float,
    pane_seconds: float,
    streams: int,
    share: float,
) -> float:
    """A: how many panes one detector of one stream has to run, on average, to a false alarm.

    At most `alarms` a `period_seconds` over all `streams`, of which this kind of detector may use
    `share` (0 to 1). No stream gives infinity.
    """
    if min(alarms, period_seconds, pane_seconds, share) <= 0:
        raise ValueError(
            f"a budget of {alarms} alarms per {period_seconds} s, panes of {pane_seconds} s and a "
            f"share of {share} must all be positive"
        )
    if streams == 0:
        return inf
    return period_seconds / pane_seconds * streams / (alarms * share)


def page_hinkley_threshold(alarm_mean: float) -> float:
    """The h at which a two-sided sum with allowance 0.5 runs `alarm_mean` panes to a false alarm.

    Siegmund's A = [exp(2 k b) - 1 - 2 k b] / (4 k^2) with k = 0.5 and b = h + 1.166, solved by
    bisection ("Sequential Analysis", 1985). At least 0; infinity gives infinity.
    """
    if alarm_mean == inf:
        return inf
    low, high = _OVERSHOOT, 700.0
    for _ in range(80):
        middle = (low + high) / 2
        below = (exp(middle) - 1 - middle) < alarm_mean
        low, high = (middle, high) if below else (low, middle)
    return low - _OVERSHOOT


def adwin_delta(alarm_mean: float) -> float:
    """The delta at which ADWIN, clock 1 and fed weighted means, runs `alarm_mean` panes or longer.

    min(0.1, 50 / A): with the range of the scores known and without any tolerance it measured
    0.0006 delta (60 values a pane) to 0.015 delta (6,000) alarms a pane, for delta 0.01. Never 0,
    since ADWIN takes its logarithm.
    """
    return max(min(0.1, 50 / alarm_mean), 1e-300) if alarm_mean > 0 else 0.1


def calibrated(
    name: str, alarm_mean: float, tolerance: PerStream, value_range: PerStream
) -> Mapping[str, Any]:
    """The parameters that keep the detector `name` within `alarm_mean` panes to a false alarm.

    `tolerance` is in sd of the reference; `value_range` is `CellScores.ranges`: of scores between
    -3 and 14 (a share of 0.5 %) ADWIN would alarm a hundred times as often if it took them to lie
    between 0 and 1. One number or one a stream. Nothing is known of river's detectors: they keep
    their defaults, and their false alarms are their own.
    """
    if name == "page_hinkley":
        threshold = page_hinkley_threshold(alarm_mean)
        fixed = {"min_instances": 1, "alpha": 1.0, "known_mean": 0.0}
        return {**fixed, "delta": ALLOWANCE, "threshold": threshold}
    if name == "adwin":
        bounds = {"tolerance": tolerance, "value_range": value_range}
        return {"clock": 1, "delta": adwin_delta(alarm_mean), **bounds}
    return {}


def prepare(
    name: str,
    observation: Observation,
    dispersion: NDArray[np.float64] | float,
    reference_rows: NDArray[np.float64] | float,
    tolerance: NDArray[np.float64] | float,
    wander: NDArray[np.float64] | float = 0.0,
) -> Observation:
    """What the detector `name` is fed of an observation of scores (`weigh` or `standardise`)."""
    if name in WEIGHED:
        return weigh(observation, dispersion, wander)
    return standardise(observation, dispersion, reference_rows, tolerance, wander)


def weigh(
    observation: Observation,
    dispersion: NDArray[np.float64] | float,
    wander: NDArray[np.float64] | float = 0.0,
) -> Observation:
    """The observation with weight and spread divided by the over-dispersion (at least 1).

    Two means of a stream that wanders by `wander` (sd) lie sqrt(2) times as far apart: three times
    that is the slack.
    """
    n, m2 = observation.n / dispersion, observation.m2 / dispersion
    return Observation(n, observation.mean, m2, slack=WANDERS * sqrt(2) * wander)


def standardise(
    observation: Observation,
    dispersion: NDArray[np.float64] | float,
    reference_rows: NDArray[np.float64] | float,
    tolerance: NDArray[np.float64] | float,
    wander: NDArray[np.float64] | float = 0.0,
) -> Observation:
    """The observation as one value z of weight 1 and variance 1 for each stream that was seen.

    `observation` is of scores with mean 0 and variance 1; then z = mean sqrt(n / dispersion).
    `reference_rows` (m), `tolerance` and `wander` (sd) give the slack sqrt(n / dispersion)
    (3 sqrt(dispersion / m) + tolerance + 3 wander): the reference's own error and slow wander are
    offsets that stay, not noise. With `reference_rows` 0 a stream counts as not seen.
    """
    seen = observation.seen
    has_rows = np.asarray(reference_rows) > 0
    known = seen & has_rows
    effective = np.sqrt(np.where(known, observation.n, 0.0) / dispersion)
    error = np.sqrt(dispersion / np.where(has_rows, reference_rows, 1.0))
    return Observation(
        n=known.astype(np.float64),
        mean=np.where(known, observation.mean, 0.0) * effective,
        m2=np.zeros(len(seen)),
        slack=effective * (_REFERENCE_ERRORS * error + tolerance + WANDERS * wander),
    )
