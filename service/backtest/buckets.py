"""Scores and rows over any length of time in a bounded number of slices."""

import math

import numpy as np
from numpy.typing import NDArray

SLICES = 2000
"""Slices a history has at most: about as many as a picture has pixels."""


class Buckets:
    """Of D columns the largest score in each of at most `slices` slices, and of all the rows.

    Times ascend. Slices begin as wide as `width_seconds` and double in width when they run out.
    """

    def __init__(self, width_seconds: float, slices: int = SLICES) -> None:
        self.width_seconds = width_seconds
        self.first_seconds = math.nan
        self.used = 0
        self._slices = slices
        self._rows = np.zeros(slices, dtype=np.int64)
        self._scores = np.full((slices, 0), np.nan)

    @property
    def starts_seconds(self) -> NDArray[np.float64]:
        """Where the slices begin, shape (used,)."""
        starts: NDArray[np.float64] = np.arange(self.used, dtype=np.float64) * self.width_seconds
        return starts + self.first_seconds

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of each slice, shape (used,)."""
        return self._rows[: self.used]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Largest scores, shape (used, D); NaN where nothing was judged."""
        return self._scores[: self.used]

    def widen(self, columns: int) -> None:
        """Have at least so many columns."""
        more = columns - self._scores.shape[1]
        if more > 0:
            fresh = np.full((self._slices, more), np.nan)
            self._scores = np.concatenate((self._scores, fresh), axis=1)

    def add(
        self,
        at_seconds: float,
        rows: int,
        columns: NDArray[np.int64],
        scores: NDArray[np.float64],
    ) -> None:
        """Take one pane: `scores` of the `columns`, which may be none."""
        if math.isnan(self.first_seconds):
            self.first_seconds = at_seconds
        while (place := self._place(at_seconds)) >= self._slices:
            self._halve()
        self.used = max(self.used, place + 1)
        self._rows[place] += rows
        self._scores[place, columns] = np.fmax(self._scores[place, columns], scores)

    def _place(self, at_seconds: float) -> int:
        return int((at_seconds - self.first_seconds) // self.width_seconds)

    def _halve(self) -> None:
        """Two slices become one."""
        half = self._slices // 2
        self.width_seconds *= 2
        self._rows = np.concatenate((self._rows.reshape(half, 2).sum(axis=1), np.zeros(half, int)))
        pairs = self._scores.reshape(half, 2, -1)
        merged = np.fmax(pairs[:, 0], pairs[:, 1])
        self._scores = np.concatenate((merged, np.full_like(merged, np.nan)))
        self.used = (self.used + 1) // 2
