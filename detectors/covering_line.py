"""The line phi + N / kappa over what blocks of panes show of dependence (`detectors.dispersion`).

Every line that covers all points (N_w, V_w) is safe; of those, the one is taken with which the
smallest shift is noticed within a pane and within an hour of panes. The steepest of them, through
V_1, would take a correlation that merely reaches over the end of a pane for endless wander.
"""

from math import inf

import numpy as np

from detectors.change.ragged import Floats

HORIZON_PANES = 60
"""Shifts are to be noticed within a pane, and within so many."""

TOLERATED = 1 / 6_000
"""The relative variance that the tolerance allows anyway."""


def spiked(eigenvalue: Floats, ratio: Floats) -> Floats:
    """The population's largest eigenvalue behind a sample's, noise being 1; at least 1.

    1 up to the edge of the noise (1 + sqrt(ratio))^2, `ratio` being dimensions over samples; beyond
    (b + sqrt(b^2 - 4 lambda)) / 2 with b = lambda + 1 - ratio.
    """
    b = eigenvalue + 1 - ratio
    root = np.sqrt(np.maximum(b * b - 4 * eigenvalue, 0.0))
    return np.where(eigenvalue <= (1 + np.sqrt(ratio)) ** 2, 1.0, (b + root) / 2)


def covering_line(events: Floats, variance: Floats, known: np.ndarray) -> tuple[Floats, Floats]:
    """The phi and kappa (D,) with phi + N_w / kappa >= V_w for every known w; arrays (L, D).

    The candidates touch the points at one size and have the least slope that covers all larger
    sizes; the largest known size is no candidate unless it is the only one, as nothing beyond says
    whether it goes on growing. Nothing known gives 1 and infinity.
    """
    streams = events.shape[1]
    best, phi, slope = np.full(streams, inf), np.ones(streams), np.zeros(streams)
    last = known.sum(axis=0) - 1
    for size in range(len(events)):
        intercept, rise = _touching(events, variance, known, size)
        near, far = events[0], HORIZON_PANES * events[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            noticed = np.log(intercept / near + rise + TOLERATED)
            noticed = noticed + np.log(intercept / far + rise + TOLERATED)
        better = known[size] & (size < np.maximum(last, 1)) & (noticed < best)
        best = np.where(better, noticed, best)
        phi, slope = np.where(better, intercept, phi), np.where(better, rise, slope)
    with np.errstate(divide="ignore"):
        return np.maximum(phi, 1.0), np.where(slope > 0, 1 / slope, inf)


def _touching(
    events: Floats, variance: Floats, known: np.ndarray, size: int
) -> tuple[Floats, Floats]:
    """Intercept and slope of the line with the least slope that covers, from `size` on."""
    apart = events - events[size]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(known & (apart > 0), (variance - variance[size]) / apart, 0.0)
    slope = np.maximum(slopes.max(axis=0), 0.0)
    needed = np.where(known, variance - slope * events, -inf)
    return needed.max(axis=0), slope
