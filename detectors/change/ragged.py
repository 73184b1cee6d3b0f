"""One flat vector of cells, of which every stream has as many as it needs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ragged:
    """D streams in one flat vector: stream d has the cells offsets[d] to offsets[d + 1].

    `offsets`, shape (D + 1,), starts at 0 and ascends: a stream has at least one cell, and there
    may be no stream at all ([0]). Raises ValueError for other offsets.
    """

    offsets: Indices

    def __post_init__(self) -> None:
        offsets = self.offsets
        if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or (np.diff(offsets) < 1).any():
            raise ValueError(
                f"offsets of cells must ascend from 0, one more than there are streams; "
                f"they are {offsets.tolist()}"
            )

    @property
    def streams(self) -> int:
        """How many streams there are, D."""
        return len(self.offsets) - 1

    @property
    def cells(self) -> int:
        """The length of the flat vector, C."""
        return int(self.offsets[-1])

    @cached_property
    def sizes(self) -> Indices:
        """How many cells each stream has, shape (D,)."""
        return np.diff(self.offsets)

    def total(self, flat: NDArray[Any]) -> Floats:
        """Sums by stream: (..., C) to (..., D)."""
        if not self.streams:
            return np.zeros((*flat.shape[:-1], 0))
        sums: Floats = np.add.reduceat(flat, self.offsets[:-1], axis=-1, dtype=np.float64)
        return sums

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """A value of each stream for each of its cells: (..., D) to (..., C)."""
        return values.repeat(self.sizes, axis=-1)

    def chosen(self, mask: NDArray[np.bool_]) -> "tuple[Ragged, Indices]":
        """The streams of the mask (D,) by themselves, and where their cells lie in these here."""
        offsets = np.concatenate(([0], np.cumsum(self.sizes[mask])))
        return Ragged(offsets), np.flatnonzero(self.spread(mask))
