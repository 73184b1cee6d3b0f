"""Numeric columns sorted once, which is what every numeric sketch reads."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Runs(NamedTuple):
    """Distinct values with their counts, ascending by (stream, value); arrays of one length."""

    streams: NDArray[np.int64]
    values: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Columns:
    """D numeric columns of n rows, each ascending.

    values: shape (D, n); NaN last; finite otherwise, and zero is never negative.
    valid, invalid: shape (D,), how many values are finite and how many were infinite.
    """

    values: NDArray[np.float64]
    valid: NDArray[np.int64]
    invalid: NDArray[np.int64]

    @classmethod
    def of_rows(cls, rows: NDArray[np.float64]) -> Self:
        """Sort rows of shape (n, D), where NaN is missing and an infinity invalid."""
        values = np.add(
            rows.T, 0.0, order="C", dtype=np.float64
        )  # a copy in which -0.0 has become 0.0
        infinite = np.isinf(values)
        invalid = infinite.sum(axis=1, dtype=np.int64)
        if invalid.any():
            values[infinite] = np.nan
        values.sort(axis=1)
        valid = values.shape[1] - np.isnan(values).sum(axis=1, dtype=np.int64)
        return cls(values, valid, invalid)

    @property
    def missing(self) -> NDArray[np.int64]:
        """How many values were NaN, shape (D,)."""
        rows = np.int64(self.values.shape[1])
        return rows - self.valid - self.invalid

    @cached_property
    def runs(self) -> Runs:
        """The distinct finite values of each column and how often they occur."""
        streams, n = self.values.shape
        starts = np.empty((streams, n), dtype=np.bool_)
        starts[:, :1] = True
        np.not_equal(self.values[:, 1:], self.values[:, :-1], out=starts[:, 1:])
        if (self.valid < n).any():
            starts &= np.arange(n) < self.valid[:, None]
        first = np.flatnonzero(starts)
        per_stream = np.diff(first.searchsorted(np.arange(streams + 1) * n))
        ends = np.empty_like(first)
        ends[:-1] = first[1:]
        filled = np.flatnonzero(per_stream)
        ends[np.cumsum(per_stream)[filled] - 1] = filled * n + self.valid[filled]
        return Runs(
            np.repeat(np.arange(streams), per_stream),
            self.values.ravel()[first],
            ends - first,
        )
