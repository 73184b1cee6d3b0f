"""Eight named distributions that every numeric sketch has to survive."""

import numpy as np

_DRAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(10.0, 1.0, size=n),
    "zero_inflated": lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(size=n)),
    "integer": lambda rng, n: rng.poisson(30.0, size=n).astype(np.float64),
    "constant": lambda rng, n: np.full(n, 41.5),
    "large_offset": lambda rng, n: 1e9 + rng.random(n),
    "bernoulli": lambda rng, n: (rng.random(n) < 0.03).astype(np.float64),
    "bimodal": lambda rng, n: np.where(
        rng.random(n) < 0.5, rng.normal(-5.0, 1.0, n), rng.normal(5.0, 0.1, n)
    ),
}
NAMES = tuple(_DRAWS)


def draw(name, n, seed=7):
    return _DRAWS[name](np.random.default_rng(seed), n)


def same_state(one, other):
    """True when two states are equal, arrays byte for byte."""
    if one.keys() != other.keys():
        return False
    return all(_same(one[name], other[name]) for name in one)


def _same(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    return type(one) is type(other) and one == other
