"""One number a row for how far it is from the relations between its numeric features.

Two features that move together and then no longer do can each keep its own distribution: no margin
shows it. The principal components of small variance are what the features have in common, in the
form "this combination hardly varies" (Hawkins, "The detection of errors in multivariate data using
principal components", 1974).
The *reconstruction error* is the root of a row's mean square in these components, each in its own
standard deviation: what is left of the row when the leading components have explained what they
can. Left unweighted (Jackson and Mudholkar, 1979) it drowns in the features that are related to
nothing: of 20 features with one pair whose correlation goes from 0.8 to 0 its PSI is 0.035, that of
ours 1.27.

Values are clipped robust scores, so that no heavy tail makes or hides a correlation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.scaling import Scaling, scored

PROJECTED_MAX = 100
"""Features in a projection."""

ROWS_MIN = 100
"""Fewer rows know nothing of relations."""

FITTED_SD_MAX = 0.07
"""How far the errors of unseen rows may lie above those of the rows that were fitted, in standard
deviations of the error. It bounds the features in a projection, see `_features_max`."""

CORRELATION_MIN, CORRELATION_ERRORS = 0.1, 6.0
"""A feature is related to another by at least this, and so many standard errors of nothing."""

EIGENVALUE_MIN = 0.01
"""A smaller component counts as if it had that: a relation that held exactly need not hold to the
last digit."""

UNRELATED_MAX = 5
"""Features without any relation are projected, onto all components, if they are no more: among
few, a correlation that arises makes itself felt."""

_STEPS = 256.0
_DIGITS = 6
_PRODUCT_MAX = 2**18  # multiplications; OpenBLAS uses threads beyond


class JointMoments:
    """What the scores of p features add up to: n rows, sums (p,), sums of products (p, p).

    Scores are rounded to 1/256 and added up as integers, so that `merge` is exact, associative and
    commutative: what is learned does not depend on how the rows came. A missing or invalid value
    counts as the median, as it does in the reconstruction error.
    """

    def __init__(self, features: int) -> None:
        self.n = 0
        self.sums = np.zeros(features, dtype=np.int64)
        self.products = np.zeros((features, features), dtype=np.int64)

    def update(self, scaling: Scaling, numeric: NDArray[np.float64]) -> None:
        """Add n rows of the features of `scaling`, shape (n, p); the argument is left as it is."""
        scores = scored(scaling, numeric)[0]
        steps = np.rint(scores * _STEPS)
        self.n += len(steps)
        self.sums += steps.sum(axis=0).astype(np.int64)
        for block in _blocks(steps):
            self.products += (steps[block].T @ steps[block]).astype(np.int64)  # exact: below 2**53

    def merge(self, other: "JointMoments") -> None:
        """Add what `other` has seen; `other` is left as it is."""
        self.n += other.n
        self.sums += other.sums
        self.products += other.products

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean scores, shape (p,); 0 without a row."""
        return self.sums / (_STEPS * max(1, self.n))

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the scores, shape (p, p), over n; 0 without a row."""
        n, mean = max(1, self.n), self.mean
        covariance: NDArray[np.float64] = self.products / (_STEPS**2 * n) - np.outer(mean, mean)
        return covariance

    def state(self) -> dict[str, Any]:
        """Plain values and copies of the arrays."""
        return {"n": self.n, "sums": self.sums.copy(), "products": self.products.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The moments that `state` was taken of."""
        moments = cls(len(state["sums"]))
        moments.n = int(state["n"])
        moments.sums = np.array(state["sums"], dtype=np.int64)
        moments.products = np.array(state["products"], dtype=np.int64)
        return moments


@dataclass(frozen=True, eq=False)
class Projection:
    """What is normal for the relations between p features.

    mean: mean scores, shape (p,). residuals, shape (p, p): takes scores less their mean to what the
    leading components leave of them, in units in which the sum of squares is 1 on average; the row
    of a feature says what it adds to each. Both are rounded to six decimals. Without a feature
    there is nothing to project.
    """

    scaling: Scaling
    mean: NDArray[np.float64]
    residuals: NDArray[np.float64]

    def __bool__(self) -> bool:
        return len(self.scaling) > 0

    @property
    def features(self) -> tuple[str, ...]:
        """The features that take part, in the order of the columns."""
        return self.scaling.features

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """What the mean is taken to, shape (p,)."""
        offset: NDArray[np.float64] = self.mean @ self.residuals
        return offset

    @classmethod
    def of_moments(cls, scaling: Scaling, moments: JointMoments) -> "Projection":
        """By the moments of the features of `scaling`.

        In it are the features that are correlated with another one, the strongest PROJECTED_MAX
        (fewer of few rows), and of their principal components those whose eigenvalue is at most 1:
        combinations that vary no more than a feature does. The leading ones (Kaiser, 1960) explain
        the row and are left out. A stricter limit that allows for noise would choose among equal
        components those that are small by chance, and unseen rows would then be up to 25 % further
        off than the rows it was fitted to.

        Of fewer than two features that vary, of fewer than ROWS_MIN rows, and of more than
        UNRELATED_MAX features without a relation there is nothing to project.
        """
        covariance = moments.covariance
        varying = np.flatnonzero(np.diag(covariance) > 1 / _STEPS**2)
        if moments.n < ROWS_MIN or len(varying) < 2:
            return NOTHING
        sd = np.sqrt(np.diag(covariance))
        correlation = covariance[np.ix_(varying, varying)] / np.outer(sd[varying], sd[varying])
        related = _related(correlation, moments.n)
        if len(related) >= 2:
            root = _relations(correlation[np.ix_(related, related)])
            return _projection(scaling, moments.mean, sd, varying[related], root)
        if len(varying) > UNRELATED_MAX:
            return NOTHING
        root = _root(*np.linalg.eigh(correlation))
        return _projection(scaling, moments.mean, sd, varying, root)


def reconstruction_errors(
    projection: Projection, numeric: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The reconstruction error of n rows, shape (n,), rounded to six decimals.

    numeric: shape (n, p), the columns in the order of `projection.features`. The root of the mean
    square is 1 in what was projected from. A missing or invalid value counts as the median; where
    they are more than half of a row it is NaN.
    """
    scores, absent = scored(projection.scaling, numeric)
    left = np.empty_like(scores)
    for block in _blocks(scores):
        np.matmul(scores[block], projection.residuals, out=left[block])
    left -= projection.offset
    errors: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", left, left))
    if absent is not None:
        errors[2 * absent.sum(axis=1) > len(projection.scaling)] = np.nan
    # The last digits depend on how many rows are multiplied at once; no cell may depend on that.
    errors.round(_DIGITS, out=errors)
    return errors


def _blocks(scores: NDArray[np.float64]) -> Iterator[slice]:
    """So many rows at a time that their product with a (p, p) matrix is not shared out to threads.

    To wake the threads costs more than they save, and takes processors from what runs beside us.
    """
    rows = max(1, _PRODUCT_MAX // max(1, scores.shape[1]) ** 2)
    return (slice(first, first + rows) for first in range(0, len(scores), rows))


def _related(correlation: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Positions of the features that are correlated with another one."""
    strongest = np.abs(correlation - np.diag(np.diag(correlation))).max(axis=1)
    least = max(CORRELATION_MIN, CORRELATION_ERRORS / np.sqrt(n))
    order = np.argsort(-np.round(strongest, _DIGITS), kind="stable")[: _features_max(n)]
    return np.sort(order[strongest[order] >= least])


def _features_max(n: int) -> int:
    """Of unseen rows the mean square is larger by 1 + (p + 3) / n (Hotelling, 1931).

    The root of it by about p / (2 n), in units of the error's standard deviation of (2 p)^(-1/2) by
    p^(3/2) / (2^(1/2) n).
    """
    return min(PROJECTED_MAX, int((np.sqrt(2) * FITTED_SD_MAX * n) ** (2 / 3)))


def _relations(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The root over the components that are not leading; there always are some."""
    values, vectors = np.linalg.eigh(correlation)
    small = values <= 1.0
    return _root(values[small], vectors[:, small])


def _root(values: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric root of the mean of v v' / l: unlike the vectors, it has no sign to choose."""
    weights = 1.0 / np.sqrt(np.maximum(values, EIGENVALUE_MIN) * len(values))
    root: NDArray[np.float64] = (vectors * weights) @ vectors.T
    return root


def _projection(
    scaling: Scaling,
    mean: NDArray[np.float64],
    sd: NDArray[np.float64],
    kept: NDArray[np.int64],
    root: NDArray[np.float64],
) -> Projection:
    residuals = np.round(root / sd[kept][:, None], _DIGITS)
    return Projection(scaling.take(kept), np.round(mean[kept], _DIGITS), residuals)


_NONE = np.zeros(0)
NOTHING = Projection(Scaling((), _NONE, _NONE, _NONE), _NONE, np.zeros((0, 0)))
"""The projection of features that have nothing in common, or of too few."""
