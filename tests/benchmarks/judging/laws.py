"""Laws of values: how to draw them, and their exact shares of the cells of a reference."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import poisson

from service.values.streams import ValueType


@dataclass(frozen=True)
class Mixture:
    """Normals with these weights, means and standard deviations."""

    weights: tuple[float, ...] = (1.0,)
    means: tuple[float, ...] = (0.0,)
    sds: tuple[float, ...] = (1.0,)
    type = ValueType.NUMERIC

    def draw(self, rng, n):
        part = rng.choice(len(self.weights), n, p=self.weights)
        return np.array(self.means)[part] + np.array(self.sds)[part] * rng.normal(size=n)

    def below(self, edges):
        parts = zip(self.weights, self.means, self.sds, strict=True)
        return sum(weight * ndtr((edges - mean) / sd) for weight, mean, sd in parts)


@dataclass(frozen=True)
class Lognormal:
    """Of which the logarithm has this standard deviation, and the mean 0."""

    sd: float
    type = ValueType.NUMERIC

    def draw(self, rng, n):
        return rng.lognormal(0, self.sd, n)

    def below(self, edges):
        return np.where(edges > 0, ndtr(np.log(np.maximum(edges, 1e-300)) / self.sd), 0.0)


@dataclass(frozen=True)
class ZeroInflated:
    """So many zeros, else exponential with mean 1."""

    zeros: float
    type = ValueType.NUMERIC

    def draw(self, rng, n):
        return rng.exponential(size=n) * (rng.random(n) >= self.zeros)

    def below(self, edges):
        tail = (1 - self.zeros) * np.exp(-np.maximum(edges, 0))
        return np.where(edges > 0, 1 - tail, 0.0)


@dataclass(frozen=True)
class Counts:
    """Poisson."""

    mean: float
    type = ValueType.NUMERIC

    def draw(self, rng, n):
        return rng.poisson(self.mean, n).astype(np.float64)

    def below(self, edges):
        return poisson.cdf(np.ceil(edges) - 1, self.mean)


@dataclass(frozen=True)
class Constant:
    """One value."""

    value: float
    type = ValueType.NUMERIC

    def draw(self, rng, n):
        return np.full(n, self.value)

    def below(self, edges):
        return (edges > self.value).astype(np.float64)


@dataclass(frozen=True)
class Categories:
    """Categories 0, 1, ... with these shares; two are taken for false and true."""

    shares: tuple[float, ...]

    @property
    def type(self):
        return ValueType.BOOLEAN if len(self.shares) == 2 else ValueType.CATEGORICAL

    @property
    def names(self):
        boolean = self.type is ValueType.BOOLEAN
        return ("false", "true") if boolean else tuple(f"c{i:02}" for i in range(len(self.shares)))

    def draw(self, rng, n):
        return rng.choice(len(self.shares), n, p=self.shares)


@dataclass(frozen=True, eq=False)
class Empirical:
    """As in a large sample, given in order; of so many as there are `fitted`, these."""

    ordered: np.ndarray
    fitted: np.ndarray
    type = ValueType.NUMERIC

    def draw(self, rng, n):
        return self.fitted if n == len(self.fitted) else rng.choice(self.ordered, n)

    def below(self, edges):
        return np.searchsorted(self.ordered, edges) / len(self.ordered)


def cell_shares(law, reference, shift=0.0):
    """Shares of the cells of a stream's reference, missing and invalid the last: shape (B,).

    With shifts of the values, shape (T,), it is (T, B).
    """
    if law.type is not ValueType.NUMERIC:
        return _shares_of_categories(law, reference)
    inner = law.below(reference.edges - np.asarray(shift)[..., None])
    ends = np.zeros((*inner.shape[:-1], 1))
    return np.concatenate((np.diff(inner, prepend=ends, append=ends + 1), ends, ends), axis=-1)


def _shares_of_categories(law, reference):
    """The categories of the reference, its rare ones as other, those it never saw as unseen."""
    left = dict(zip(law.names, law.shares, strict=True))
    known = [left.pop(name, 0.0) for name in reference.categories]
    other = sum(left.pop(name, 0.0) for name in reference.rare)
    return np.array([*known, other, sum(left.values()), 0.0, 0.0])
