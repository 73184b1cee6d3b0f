"""How far the live counts are from the reference's, stream by stream, from cells alone.

Only value cells take part (of a categorical stream also `other` and `unseen`): how much is missing
or invalid is watched for itself and does not move these distances.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.summary.layout import Layout

PRIOR = 0.5
"""Rows added to every cell of both sides in the PSI, so that no share is 0."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of D streams, arrays of shape (D,).

    NaN where one side has no value; `ks`, `wasserstein_sd` and `mean_shift` also for categorical
    streams, the latter two where the reference's sd is 0 or not known.

    psi: sum (p - q) ln(p / q) over the cells, with p and q = (count + 0.5) / (total + 0.5 cells);
    the symmetrised divergence of Kullback and Leibler (1951). At least 0, finite.
    jensen_shannon: the square root of the divergence in bits, a metric from 0 to 1 (Endres and
    Schindelin, 2003).
    ks: max |F - G| at the interior edges, from 0 to 1; the distance of the values is at least this.
    wasserstein_sd: integral of |F - G| in reference sd, with values spread evenly inside a cell.
    l_infinity: max |p - q| of plain shares, from 0 to 1: the cell that gained or lost most.
    mean_shift: live mean - reference mean in reference sd, with values spread evenly inside a cell.
    """

    psi: Floats
    jensen_shannon: Floats
    ks: Floats
    wasserstein_sd: Floats
    l_infinity: Floats
    mean_shift: Floats


def distances(
    layout: Layout,
    live: Counts,
    reference: Counts,
    sd: Floats,
    minimum: Floats,
    maximum: Floats,
) -> Distances:
    """The distances of `live` to `reference`, counts of shape (cell_count,).

    `sd`, `minimum` and `maximum` are the reference's, in the values' own unit; shape (D,), of which
    only the numeric streams' entries are looked at. The extremes close the open cells, and what
    lies beyond them has no width: a live value there counts as an extreme, so that a single wild
    value cannot carry the distance. An open cell without a known extreme has no width either.
    """
    if layout.stream_count == 0:
        return Distances(*(np.zeros(0) for _ in range(6)))
    starts, owner, value = _value_cells(layout)
    counts_live, counts_reference = live[value], reference[value]
    total_live = np.add.reduceat(counts_live, starts)
    total_reference = np.add.reduceat(counts_reference, starts)
    defined = (total_live > 0) & (total_reference > 0)
    cells = layout.value_cells
    p = counts_live / np.maximum(total_live, 1)[owner]
    q = counts_reference / np.maximum(total_reference, 1)[owner]
    smooth_p = (counts_live + PRIOR) / (total_live + PRIOR * cells)[owner]
    smooth_q = (counts_reference + PRIOR) / (total_reference + PRIOR * cells)[owner]
    psi = np.add.reduceat((smooth_p - smooth_q) * np.log(smooth_p / smooth_q), starts)
    jensen_shannon = _jensen_shannon(p, q, starts)
    l_infinity = np.maximum.reduceat(np.abs(p - q), starts)
    ordered = _ordered(layout, p - q, starts, (sd, minimum, maximum))
    columns = (psi, jensen_shannon, *ordered[:2], l_infinity, ordered[2])
    return Distances(*(np.where(defined, column, np.nan) for column in columns))


def _value_cells(layout: Layout) -> tuple[Counts, Counts, NDArray[np.bool_]]:
    """First value cell of each stream and the stream of each, unvalued cells left out; the mask."""
    value = np.ones(layout.cell_count, dtype=np.bool_)
    value[layout.missing_cells()] = False
    value[layout.invalid_cells()] = False
    sizes = layout.value_cells
    starts = np.cumsum(sizes) - sizes
    return starts, np.repeat(np.arange(len(sizes)), sizes), value


def _jensen_shannon(p: Floats, q: Floats, starts: Counts) -> Floats:
    middle = (p + q) / 2
    bits = np.zeros_like(p)
    for side in (p, q):
        ratio = np.divide(side, middle, out=np.ones_like(side), where=side > 0)
        bits += side * np.log2(ratio)
    return np.sqrt(np.clip(np.add.reduceat(bits, starts) / 2, 0.0, 1.0))


def _ordered(
    layout: Layout, difference: Floats, starts: Counts, scale: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """KS, Wasserstein and mean shift of the numeric streams, NaN for the others."""
    ks, wasserstein, shift = (np.full(layout.stream_count, np.nan) for _ in range(3))
    numeric = layout.numeric_count
    if numeric == 0:
        return ks, wasserstein, shift
    sd, minimum, maximum = (column[:numeric] for column in scale)
    own, sizes = starts[:numeric], layout.value_cells[:numeric]
    owner = np.repeat(np.arange(numeric), sizes)
    # F - G at the upper end of each cell, and at its lower end; both are 0 at the extremes.
    upper = _running(difference[: len(owner)], own, owner)
    upper[own + sizes - 1] = 0.0
    lower = np.concatenate(([0.0], upper[:-1]))
    width = _widths(layout, own, minimum, maximum)
    known = np.isfinite(sd) & (sd > 0)
    unit = np.where(known, sd, np.nan)
    ks[:numeric] = np.maximum.reduceat(np.abs(upper), own)
    wasserstein[:numeric] = np.add.reduceat(width * _mean_height(lower, upper), own) / unit
    shift[:numeric] = -np.add.reduceat(width * (lower + upper) / 2, own) / unit
    return ks, wasserstein, shift


def _running(values: Floats, starts: Counts, owner: Counts) -> Floats:
    """Cumulative sums that begin anew at each of `starts`."""
    total = np.cumsum(values)
    return total - (total[starts] - values[starts])[owner]


def _widths(layout: Layout, own: Counts, minimum: Floats, maximum: Floats) -> Floats:
    """Width of each numeric value cell, the open ones closed by the extremes."""
    edges = np.concatenate(layout.edges)
    first = np.zeros(len(edges) + len(own), dtype=np.bool_)
    first[own] = True
    last = np.roll(first, -1)
    lower, upper = np.empty(len(first)), np.empty(len(first))
    lower[first], lower[~first] = minimum, edges
    upper[last], upper[~last] = maximum, edges
    owner = np.cumsum(first) - 1
    inside = np.fmin(upper, maximum[owner]) - np.fmax(lower, minimum[owner])
    width: Floats = np.nan_to_num(np.maximum(inside, 0.0), posinf=0.0)
    return width


def _mean_height(lower: Floats, upper: Floats) -> Floats:
    """Mean of |h| where h goes straight from `lower` to `upper`."""
    a, b = np.abs(lower), np.abs(upper)
    crossing = lower * upper < 0
    whole = np.where(crossing, a + b, 1.0)
    return np.where(crossing, (a * a + b * b) / (2 * whole), (a + b) / 2)
