"""Where each stream's cells lie in one flat vector of counts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Layout:
    """Cells of D streams, numeric ones first, in one flat vector.

    A numeric stream with the ascending interior `edges` e_1..e_k has k + 1 value cells
    (-inf, e_1), [e_1, e_2), ..., [e_k, inf), then *missing* and *invalid*.
    A categorical stream with C `categories` has C value cells, then *other* (rare in the
    reference), *unseen* (not in the reference), *missing* and *invalid*.
    An empty layout (no stream) is valid and has no cell.
    """

    edges: tuple[NDArray[np.float64], ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()

    @property
    def numeric_count(self) -> int:
        """How many streams are numeric."""
        return len(self.edges)

    @property
    def stream_count(self) -> int:
        """How many streams there are."""
        return len(self.edges) + len(self.categories)

    @cached_property
    def value_cells(self) -> NDArray[np.int64]:
        """Value cells of each stream, shape (D,): edges + 1, or categories + other + unseen."""
        numeric = [len(edges) + 1 for edges in self.edges]
        categorical = [len(names) + 2 for names in self.categories]
        return np.array(numeric + categorical, dtype=np.int64)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First cell of each stream and the total, shape (D + 1,)."""
        return np.concatenate(([0], np.cumsum(self.value_cells + 2))).astype(np.int64)

    @cached_property
    def edge_table(self) -> NDArray[np.float64]:
        """The edges as rows: shape (most edges of a stream, numeric streams), infinite if fewer."""
        most = max((len(edges) for edges in self.edges), default=0)
        table = np.full((most, len(self.edges)), np.inf)
        for stream, edges in enumerate(self.edges):
            table[: len(edges), stream] = edges
        return table

    @property
    def cell_count(self) -> int:
        """Length of the flat vector."""
        return int(self.offsets[-1])

    def missing_cells(self) -> NDArray[np.int64]:
        """Index of each stream's missing cell, shape (D,)."""
        return self.offsets[1:] - 2

    def invalid_cells(self) -> NDArray[np.int64]:
        """Index of each stream's invalid cell, shape (D,)."""
        return self.offsets[1:] - 1

    def unseen_cells(self) -> NDArray[np.int64]:
        """Index of each categorical stream's unseen cell, shape (D - numeric_count,)."""
        return self.offsets[self.numeric_count + 1 :] - 3

    def values_of(self, stream: int) -> slice:
        """The value cells of one stream."""
        start = int(self.offsets[stream])
        return slice(start, start + int(self.value_cells[stream]))


EMPTY_LAYOUT = Layout()
