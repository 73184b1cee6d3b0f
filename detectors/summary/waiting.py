"""Few rows at a time are not worth the vector operations: they wait for more."""

import numpy as np
from numpy.typing import NDArray

ROWS_WAITING_MAX = 512
"""Rows that may wait."""

Rows = tuple[NDArray[np.float64], NDArray[np.int32]]
"""Numeric columns and codes of some rows."""


class Waiting:
    """Rows of one summary, in two states: counted into the cells, or not even that.

    rows: how many there are. The arrays in it are never changed, so two may share them.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.parts: list[Rows] = []
        self.counted = 0

    @property
    def full(self) -> bool:
        """Whether it is time to take them."""
        return self.rows >= ROWS_WAITING_MAX

    def append(self, numeric: NDArray[np.float64], codes: NDArray[np.int32]) -> None:
        """Add rows, of which copies are kept."""
        self.parts.append((np.array(numeric), np.array(codes)))
        self.rows += len(numeric)

    def extend_counted(self, other: "Waiting") -> None:
        """Add the rows of another; all of these and of those are in the cells by now."""
        self.parts += other.parts
        self.rows += other.rows
        self.counted = len(self.parts)

    def take_uncounted(self) -> Rows | None:
        """The rows that are not in the cells, which from now on they are; None: there are none."""
        if self.counted == len(self.parts):
            return None
        fresh, self.counted = self.parts[self.counted :], len(self.parts)
        return _joined(fresh)

    def take(self) -> Rows:
        """All rows, of which none is left; there must be some."""
        rows = _joined(self.parts)
        self.rows, self.parts, self.counted = 0, [], 0
        return rows


def _joined(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    numeric, codes = zip(*parts, strict=True)
    return np.concatenate(numeric), np.concatenate(codes)
