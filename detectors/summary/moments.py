"""Mean, variance and range of D streams."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.summary.columns import Columns


class Moments:
    """Count, mean, squared deviations from the mean, minimum and maximum of D streams.

    Arrays of shape (D,): n (int64), mean, m2, minimum, maximum (float64), and `rest`, what rounding
    took from the mean: without it m2 would lose the promised nine digits on values like timestamps,
    whose mean is a billion times their spread. A stream without a value has n = 0, mean = m2 = 0,
    minimum = inf, maximum = -inf. Values too large to square make m2 infinite, never NaN.

    Sources: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", 1983; the exact
    remainder of a sum is from Knuth, TAOCP 2, 4.2.2.
    """

    def __init__(self, streams: int) -> None:
        self.n = np.zeros(streams, dtype=np.int64)
        self.mean = np.zeros(streams)
        self.rest = np.zeros(streams)
        self.m2 = np.zeros(streams)
        self.minimum = np.full(streams, np.inf)
        self.maximum = np.full(streams, -np.inf)

    def update(self, columns: Columns) -> None:
        """Add the finite values of sorted columns, one column a stream."""
        if columns.values.size:
            self.merge(_moments_of(columns))

    def merge(self, other: "Moments") -> None:
        """Add what `other` has seen; `other` is left as it is."""
        n = self.n + other.n
        mine, theirs = self.n / np.maximum(n, 1), other.n / np.maximum(n, 1)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            gap = other.mean - self.mean
            delta = np.where(mine * theirs > 0, gap + (other.rest - self.rest), 0.0)
            self.m2 = self.m2 + other.m2 + delta * delta * mine * other.n
            mean, lost = _two_sum(self.mean, gap * theirs)
            rest = self.rest * mine + other.rest * theirs + lost
        fits = np.isfinite(gap)  # else the gap between two of the largest floats overflowed
        self.mean = np.where(fits, mean, self.mean * mine + other.mean * theirs)
        self.rest = np.where(fits, rest, 0.0)
        self.n = n
        self.minimum = np.minimum(self.minimum, other.minimum)
        self.maximum = np.maximum(self.maximum, other.maximum)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Unbiased variance, shape (D,); NaN below two values."""
        return np.where(self.n > 1, self.m2 / np.maximum(self.n - 1, 1), np.nan)

    def state(self) -> dict[str, Any]:
        """All six arrays, copied."""
        return {name: getattr(self, name).copy() for name in _FIELDS}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The moments that `state` was taken of."""
        moments = cls(len(state["n"]))
        for name in _FIELDS:
            kept = getattr(moments, name)
            setattr(moments, name, np.array(state[name], dtype=kept.dtype))
        return moments


_FIELDS = ("n", "mean", "rest", "m2", "minimum", "maximum")


def _two_sum(
    a: NDArray[np.float64], b: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rounded sum and exactly what rounding took from it (Knuth)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _moments_of(columns: Columns) -> Moments:
    values, valid = columns.values, columns.valid
    streams, rows = values.shape
    moments = Moments(streams)
    moments.n = valid.copy()
    some = valid > 0
    present = None if (valid == rows).all() else np.arange(rows) < valid[:, None]
    filled = values if present is None else np.where(present, values, 0.0)
    divisor = np.maximum(valid, 1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = filled.sum(axis=1) / divisor
        if not np.isfinite(mean).all():  # the sum overflowed
            mean = (filled / divisor[:, None]).sum(axis=1)
        deviations = filled - mean[:, None]
        if present is not None:
            deviations[~present] = 0.0
        squares = np.einsum("ij,ij->i", deviations, deviations)
        rest = deviations.sum(axis=1) / divisor
        moments.rest = np.where(np.isfinite(squares), rest, 0.0)
        moments.m2 = np.maximum(squares - valid * moments.rest * moments.rest, 0.0)
    moments.mean = mean
    moments.minimum[some] = values[some, 0]
    moments.maximum[some] = values[some, valid[some] - 1]
    return moments
