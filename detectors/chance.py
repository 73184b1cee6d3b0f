"""What sampling alone makes of a distance, of two samples with one and the same distribution.

All from `worth` = phi (1 / n + 1 / m): for n live values and m of the reference, each of them worth
1 / phi independent ones. Arrays of any one shape; NaN where `worth` is.
"""

import math

import numpy as np
from numpy.typing import NDArray

from detectors.summary.layout import Layout

KOLMOGOROV_MEAN = math.sqrt(math.pi / 2) * math.log(2)
"""The mean of Kolmogorov's distribution (1933), 0.869."""

STEPS = 8
"""Parts of a cell that an integral over it is summed in."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def worth_of(live: Counts, reference: Counts, phi: Floats) -> Floats:
    """What both samples are worth (above); NaN where a side has no value."""
    known = (live > 0) & (reference > 0)
    both = 1 / np.maximum(live, 1) + 1 / np.maximum(reference, 1)
    return np.where(known, phi * both, np.nan)


def psi_by_chance(worth: Floats, bins: Counts) -> Floats:
    """The mean PSI over so many bins: that of a chi-square with bins - 1 degrees of freedom."""
    return np.maximum(bins - 1, 0) * worth


def jensen_shannon_by_chance(worth: Floats, bins: Counts) -> Floats:
    """The root of the mean divergence in bits, which is PSI / 8 nats where both are small."""
    divergence = psi_by_chance(worth, bins) / (8 * math.log(2))
    return np.sqrt(np.minimum(divergence, 1.0))


def ks_by_chance(worth: Floats) -> Floats:
    """The mean largest difference of two distribution functions. At the edges of cells alone, where
    it is told, it is at most this; of sixteen cells three quarters of it.
    """
    return np.minimum(KOLMOGOROV_MEAN * np.sqrt(worth), 1.0)


def wasserstein_sd_by_chance(worth: Floats, spread: Floats) -> Floats:
    """The mean integral of |F - G|, in sd of the reference: sqrt(2 / pi * worth) times the `spread`
    of the reference; of sixteen cells some 15 % too much.
    """
    told: Floats = np.sqrt(2 / math.pi * worth) * spread
    return told


def spread_of(layout: Layout, reference: Counts, scale: tuple[Floats, Floats, Floats]) -> Floats:
    """The integral of sqrt(F (1 - F)) in sd, values spread evenly inside a cell; shape (D,).

    `scale` are sd, minimum and maximum of the reference. NaN of categorical streams and where the
    sd is 0 or not known (del Barrio, Gine and Matran, "Central limit theorems for the Wasserstein
    distance between the empirical and the true distributions", Annals of Probability 27, 1999).
    """
    spread = np.full(layout.stream_count, np.nan)
    for stream in range(layout.numeric_count):
        sd, minimum, maximum = (float(column[stream]) for column in scale)
        if sd > 0:
            counts = reference[layout.values_of(stream)]
            spread[stream] = _spread(layout.edges[stream], counts, minimum, maximum) / sd
    return spread


def _spread(edges: Floats, counts: Counts, minimum: float, maximum: float) -> float:
    """The integral of sqrt(F (1 - F)) over one stream; midpoints, since its ends are steep."""
    below = np.concatenate(([0], np.cumsum(counts))) / max(1, counts.sum())
    bounds = np.concatenate(([minimum], edges, [maximum]))
    widths = np.nan_to_num(np.maximum(np.diff(bounds), 0.0), posinf=0.0)
    inside = (np.arange(STEPS) + 0.5) / STEPS
    share = below[:-1, None] + np.diff(below)[:, None] * inside
    heights = np.sqrt(np.maximum(share * (1 - share), 0.0)).mean(axis=1)
    return float((widths * heights).sum())
