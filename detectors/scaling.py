"""Values of numeric features as robust scores: the same for every unit, and with no heavy tail."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that `Scaling.of_quantiles` is made of."""

SCORE_MAX = 3.0
"""Scores are clipped here."""

GATHERED_MAX = 200
"""Features that are scaled: their co-moments take 320 KB."""

_NORMAL_QUARTILE, _NORMAL_TAIL = 0.6744897501960817, 1.6448536269514722


@dataclass(frozen=True, eq=False)
class Scaling:
    """How the values of p features become scores: 0 at the median, 1 at one standard deviation.

    `centre`, `below` and `above`, shape (p,): the median, and how far down and up the standard
    deviation reaches were the quartiles a normal distribution's. Both are positive.
    """

    features: tuple[str, ...]
    centre: NDArray[np.float64]
    below: NDArray[np.float64]
    above: NDArray[np.float64]

    @classmethod
    def of_quantiles(cls, features: Sequence[str], quantiles: NDArray[np.float64]) -> Self:
        """By the quantiles at PROBABILITIES, shape (features, 5).

        Left out are features with nearly all values at one point (both tails at the median), those
        without a finite quantile, and all beyond the first GATHERED_MAX.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            steps = np.abs(quantiles - quantiles[:, 2:3])
            quartile, tail = steps[:, [1, 3]] / _NORMAL_QUARTILE, steps[:, [0, 4]] / _NORMAL_TAIL
            spread = np.where(quartile > 0, quartile, tail)
            spread = np.where(spread > 0, spread, spread[:, ::-1])
            sound = np.isfinite(quantiles).all(axis=1) & np.isfinite(1 / spread).all(axis=1)
        kept = np.flatnonzero(sound & np.isfinite(spread).all(axis=1))[:GATHERED_MAX]
        return cls(
            tuple(features[i] for i in kept.tolist()),
            quantiles[kept, 2],
            spread[kept, 0],
            spread[kept, 1],
        )

    def __len__(self) -> int:
        return len(self.features)

    def scores(self, numeric: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of n rows, shape (n, p), from -SCORE_MAX to SCORE_MAX; NaN and infinity give 0."""
        with np.errstate(over="ignore", invalid="ignore"):
            apart = numeric - self.centre
            scores = apart * self._per_above
            np.minimum(scores, SCORE_MAX, out=scores)
            np.maximum(scores, 0.0, out=scores)
            apart *= self._per_below
            np.maximum(apart, -SCORE_MAX, out=apart)
            np.minimum(apart, 0.0, out=apart)
            scores += apart
        return scores

    def take(self, kept: NDArray[np.int64]) -> "Scaling":
        """Some of the features."""
        names = tuple(self.features[i] for i in kept.tolist())
        return Scaling(names, self.centre[kept], self.below[kept], self.above[kept])

    @cached_property
    def _per_below(self) -> NDArray[np.float64]:
        return 1.0 / self.below

    @cached_property
    def _per_above(self) -> NDArray[np.float64]:
        return 1.0 / self.above


def scored(
    scaling: Scaling, numeric: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Scores, 0 for values that are not finite, and where these are (None: nowhere)."""
    scores = scaling.scores(numeric)
    absent = ~np.isfinite(numeric)
    if not absent.any():
        return scores, None
    scores[absent] = 0.0
    return scores, absent
