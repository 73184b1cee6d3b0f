"""What a snapshot keeps of a learner of dispersion: by size of block, of what is symmetric a half.

A size of block changes as seldom as it is long, so that most are frozen.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.change.ragged import Indices
from detectors.dispersion import GROUPS, DispersionLearner
from service.monitor.detecting.windows import Freeze

Frozen = dict[int, tuple[int, Any]]
"""By size of block, as of which block it was frozen."""

_LEVEL = ("blocks", "events", "sums")
_PENDING = ("pending_counts", "pending_expected")


def levels_state(learner: DispersionLearner, freeze: Freeze, frozen: Frozen) -> list[Any]:
    """The sizes of blocks, those of `frozen` that have not changed since as they are in it."""
    for level in range(len(learner.blocks)):
        changed = learner.ticks >> level
        if frozen.get(level, (-1, None))[0] != changed:
            frozen[level] = (changed, freeze(_level_state(learner, level)))
    return [frozen[level][1] for level in range(len(learner.blocks))]


def restored_learner(
    learner: DispersionLearner, ticks: int, levels: Sequence[Any]
) -> DispersionLearner:
    """The learner of `levels`, that is made as `learner` is."""
    kept = learner.state() | {"ticks": ticks}
    if levels:
        nothing = np.zeros((learner.cells.streams, GROUPS))
        for name in (*_LEVEL, *_PENDING):
            kept[name] = np.array([level.get(name, nothing) for level in levels])
        products = [_unpacked(learner, level["products"]) for level in levels]
        kept["products"] = np.array(products)
    return DispersionLearner.from_state(kept)


def _level_state(learner: DispersionLearner, level: int) -> dict[str, Any]:
    told = {name: getattr(learner, name)[level].copy() for name in _LEVEL}
    if learner.ticks >> level & 1:  # else nothing waits for its second half
        told |= {name: getattr(learner, name)[level].copy() for name in _PENDING}
    return told | {"products": learner.products[level][_half(learner)]}


def _half(learner: DispersionLearner) -> tuple[Indices, Indices, Indices]:
    """Where in (D, G, G) the products lie that are told: one half, of cells that there are."""
    used = np.minimum(learner.cells.sizes, GROUPS)
    rows, columns = np.triu_indices(GROUPS)
    stream, pair = np.nonzero(columns[None, :] < used[:, None])
    return stream, rows[pair], columns[pair]


def _unpacked(learner: DispersionLearner, half: NDArray[np.float32]) -> NDArray[np.float32]:
    stream, row, column = _half(learner)
    shape = (learner.cells.streams, GROUPS, GROUPS)
    products: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)
    products[stream, row, column] = products[stream, column, row] = half
    return products
