"""What a replay could not have seen: hours of few events, streams that never change or never speak.

The smallest shift that Page-Hinkley notices within N panes of n values follows from its threshold h
and what `standardise` takes off: N (sqrt(n) (d - tolerance - 3 / sqrt(m)) - delta) = h.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget import ALLOWANCE
from detectors.catalogue import E_DETECTOR
from detectors.change.e_detector import MASS_MIN
from detectors.sensitivity import Sensitivity
from service.monitor.comparison import Comparison
from service.values.backtests import HourOfDay
from service.values.streams import StreamKey

HOUR_SECONDS = 3600.0
_REFERENCE_ERRORS = 3.0


class HoursOfDay:
    """Rows and panes by hour of the day (UTC)."""

    def __init__(self, pane_seconds: float) -> None:
        self._pane_seconds = pane_seconds
        self._rows = np.zeros(24)
        self._panes = np.zeros(24)

    def add(self, start_seconds: float, rows: int) -> None:
        """Take one pane."""
        hour = int(start_seconds % 86_400 // HOUR_SECONDS)
        self._rows[hour] += rows
        self._panes[hour] += 1

    def report(self, comparison: Comparison | None) -> tuple[HourOfDay, ...]:
        """The hours that had events, with what `comparison` would notice within an hour."""
        found = []
        for hour in np.flatnonzero(self._panes).tolist():
            events = float(self._rows[hour] / self._panes[hour])
            panes = max(1.0, HOUR_SECONDS / self._pane_seconds)
            shift = math.nan if comparison is None else smallest_shift(comparison, events, panes)
            found.append(HourOfDay(hour, events, shift))
        return tuple(found)


def smallest_shift(comparison: Comparison, events: float, panes: float) -> float:
    """The smallest shift of a mean, in sd, that any detector would notice within so many panes of
    so many events, in the typical numeric stream; NaN when nothing is known of the detectors.
    """
    values = comparison.reference_values[: comparison.layout.numeric_count]
    rows = float(np.median(values)) if len(values) else 0.0
    if not rows or not events:
        return math.inf
    tolerance = comparison.watch.tolerance_sd
    numeric = slice(comparison.layout.numeric_count)
    phi = float(np.median(comparison.detection.dispersions.phi_of_means[numeric]))
    known = []
    for bank in comparison.banks:
        if bank.name == "page_hinkley":
            slack = tolerance + _REFERENCE_ERRORS * math.sqrt(phi / rows)
            excess = bank.parameters["threshold"] / panes + ALLOWANCE
            known.append(slack + excess * math.sqrt(phi / events))
        elif bank.name == E_DETECTOR:
            known.append(_e_detector_shift(comparison, bank.parameters, events, panes))
    return min(known, default=math.nan)


def _e_detector_shift(
    comparison: Comparison, parameters: Mapping[str, Any], events: float, panes: float
) -> float:
    """Of the middle numeric stream, in a pool as large as its reference, as steady as it is."""
    numeric = comparison.layout.numeric_count
    dispersions = comparison.detection.dispersions
    kappas = np.broadcast_to(np.atleast_1d(parameters["kappa"])[:numeric], (numeric,))
    levels = np.broadcast_to(np.atleast_1d(parameters["level"])[:numeric], (numeric,))
    shifts = []
    for stream in range(numeric):
        cells = comparison.counts[comparison.layout.values_of(stream)]
        phi = float(dispersions.phi[stream])
        known = min(float(cells.sum()) / phi, float(dispersions.kappa[stream]))
        if known < MASS_MIN:
            shifts.append(math.inf)
            continue
        kappa, seen = min(float(kappas[stream]), known), int(np.count_nonzero(cells))
        noticed = Sensitivity(events, phi, kappa, float(levels[stream]), seen)
        shifts.append(noticed.shift_within(panes))
    return float(np.median(shifts)) if shifts else math.inf


def constant_streams(comparison: Comparison, seen: NDArray[np.int64]) -> Iterable[StreamKey]:
    """Streams with one value in the reference that showed only its cell in `seen` (cells,)."""
    for i, stream in enumerate(comparison.reference.streams):
        cells = seen[comparison.layout.values_of(i)]
        if stream.distinct == 1 and np.count_nonzero(cells) == 1:
            yield stream.key


def vague_streams(
    comparison: Comparison, blind_panes: NDArray[np.int64], panes: int
) -> Iterable[StreamKey]:
    """Streams of whose shape, in more than half of the panes, too little was known to judge it."""
    for key, blind in zip(comparison.streams, blind_panes.tolist(), strict=True):
        if 2 * blind > panes:
            yield key


def blind_streams(comparison: Comparison, seen: NDArray[np.int64]) -> Iterable[StreamKey]:
    """Streams without a valid value in the reference, or in all that was `seen` (cells,)."""
    for i, key in enumerate(comparison.plan.streams):
        cells = seen[comparison.layout.values_of(i)]
        if not comparison.reference_values[i] or not cells.sum():
            yield key
