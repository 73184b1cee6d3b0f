"""From the budget of false alarms and the tolerance to what each detector judges by."""

from collections.abc import Iterable
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.budget import alarm_mean_panes
from detectors.catalogue import E_DETECTOR
from detectors.change.bayes_factor import (
    kappa_of_rate,
    kappa_of_tolerance,
    tolerance_of_shift,
    tolerated_rate,
)
from detectors.change.ragged import Floats, Ragged
from service.values.watches import Budget, Sharing, Watch

WEIGHTS = {E_DETECTOR: 0.8, "adwin": 0.1, "page_hinkley": 0.1}
"""How the budget is shared, among those of them that are on; any other detector weighs as little
as those of means."""

_WEIGHT_OF_OTHERS = 0.1


def shares(names: Iterable[str]) -> dict[str, float]:
    """The part of the budget that each of these detectors may use; together 1."""
    weights = {name: WEIGHTS.get(name, _WEIGHT_OF_OTHERS) for name in names}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


class Streams(NamedTuple):
    """For how many equal parts of a budget a stream counts: one of a whole model, and a segment."""

    whole: int
    segment: int


def weighed(sharing: Sharing) -> Streams:
    """Where there are segments, half of the budget is theirs: however many there are, what is
    noticed of whole models stays the same.
    """
    if not sharing.segments:
        return Streams(sharing.streams, sharing.streams)
    return Streams(2 * sharing.streams, 2 * sharing.segments)


def alarm_mean(budget: Budget, step_seconds: float, streams: int, share: float) -> float:
    """A: the steps that one detector of one stream runs, on average, to a false alarm at least."""
    return alarm_mean_panes(
        budget.alarms, budget.period_seconds, step_seconds, max(1, streams), share
    )


def level(budget: Budget, step_seconds: float, streams: int, share: float) -> float:
    """Ln A, at least 1: the evidence at which the e-detector alarms."""
    return max(1.0, log(alarm_mean(budget, step_seconds, streams, share)))


def kappas(
    cells: Ragged, reference: NDArray[np.int64], values: int, watch: Watch, height: Floats | float
) -> Floats:
    """The mass of the null that the tolerance asks for, shape (D,), where `height` is ln A, (D,).

    `reference` (C,) are counts of what is normal. The first `values` streams are of values: those
    with more than two cells that have anything are tolerated by shift, the others, and all further
    streams (quality), by rate; never more than by shift.
    """
    held = occupied(cells, reference)
    by_shift = kappa_of_tolerance(
        tolerance_of_shift(watch.tolerance_sd), np.maximum(2, held), height
    )
    by_rate = held <= 2
    by_rate[values:] = True
    rate = _rarer_side(cells, reference)
    tolerated = tolerated_rate(rate, watch.tolerance_ratio, watch.tolerance_points)
    of_rate = kappa_of_rate(rate, tolerated, height)
    return np.where(by_rate, np.maximum(of_rate, by_shift), by_shift)


def _rarer_side(cells: Ragged, reference: NDArray[np.int64]) -> Floats:
    """The share of all cells but the largest, (D,); half a row keeps it above 0."""
    if not cells.streams:
        return np.zeros(0)
    totals = cells.total(reference)
    largest = np.maximum.reduceat(reference, cells.offsets[:-1])
    rate: Floats = (totals - largest + 0.5) / (totals + 1)
    return rate


def occupied(cells: Ragged, reference: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many cells of each stream have anything, shape (D,)."""
    return cells.total(reference > 0).astype(np.int64)
