"""Which streams stay the same while others come and go, and what is carried over with them."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Carried:
    """Pairs of places: what was at `old[i]` is at `new[i]` from now on, arrays of shape (K,).

    No place is named twice. What comes to a place that is not in `new` starts afresh; what was at
    one that is not in `old` is forgotten.
    """

    old: Indices
    new: Indices

    @classmethod
    def between(
        cls, old: Sequence[Hashable], new: Sequence[Hashable], same: Collection[Hashable]
    ) -> Self:
        """The places of those of `same` that both have, ascending in `new`."""
        places = {key: place for place, key in enumerate(old) if key in same}
        pairs = [(places[key], place) for place, key in enumerate(new) if key in places]
        columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return cls(columns[:, 0].copy(), columns[:, 1].copy())

    def of_cells(self, old_offsets: Indices, new_offsets: Indices) -> "Carried":
        """The places of their cells: stream d has those from `offsets[d]` up to `offsets[d + 1]`.

        Raises ValueError where a stream does not have as many cells as it had.
        """
        sizes = np.diff(old_offsets)[self.old]
        if not np.array_equal(sizes, np.diff(new_offsets)[self.new]):
            raise ValueError("a stream with other cells is not the same: it has to start afresh")
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return Carried(
            np.repeat(old_offsets[self.old], sizes) + within,
            np.repeat(new_offsets[self.new], sizes) + within,
        )

    def up_to(self, old_count: int, new_count: int) -> "Carried":
        """Those of the first `old_count` places that are among the first `new_count` now."""
        first = (self.old < old_count) & (self.new < new_count)
        return Carried(self.old[first], self.new[first])

    def into(self, fresh: NDArray[Any], known: NDArray[Any], axis: int = 0) -> NDArray[Any]:
        """A copy of `fresh` with what `known` has of all that is carried, along `axis`."""
        taken = fresh.copy()
        np.moveaxis(taken, axis, 0)[self.new] = np.moveaxis(known, axis, 0)[self.old]
        return taken
