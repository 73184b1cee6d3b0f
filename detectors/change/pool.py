"""Counts of what is normal, and what their cells are given beforehand."""

import numpy as np
from numpy.typing import NDArray

from detectors.change.ragged import Floats, Ragged
from detectors.summary.layout import Layout


def with_prior(pool: Floats, prior: float) -> Floats:
    """Counts with what their cells have beforehand: `prior`, a tenth of it where there is none."""
    return pool + np.minimum(np.maximum(pool, prior / 10), prior)


def shares_of(cells: Ragged, pool: NDArray[np.int64], prior: float) -> Floats:
    """The share (C,) of each cell in its stream, by counts (C,) with their prior."""
    weights = with_prior(pool.astype(np.float64), prior)
    shares: Floats = weights / cells.spread(cells.total(weights))
    return shares


def without_prior(weights: Floats, prior: float) -> Floats:
    """The inverse of `with_prior`."""
    few = np.where(weights < prior / 5, weights - prior / 10, weights / 2)
    return np.maximum(np.where(weights < 2 * prior, few, weights - prior), 0.0)


def with_unseen(
    layout: Layout, counts: NDArray[np.int64], singletons: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Reference counts (C,) with what is to be expected of categories not seen yet.

    `singletons`, one a categorical stream: how many of its categories were seen once; their share
    estimates that of the unseen ones (Good, "The population frequencies of species and the
    estimation of population parameters", Biometrika 40, 1953). They are taken from `other`, as far
    as it has any: the total stays.
    """
    moved = counts.copy()
    unseen = layout.unseen_cells()
    taken = np.minimum(singletons, moved[unseen - 1])
    moved[unseen] += taken
    moved[unseen - 1] -= taken
    return moved
