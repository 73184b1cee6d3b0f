"""Bayes factors of counts: have they a shape of their own, or the expected one, give or take?

Counts O over the cells of a stream, N in all, are weighed by the Dirichlet-multinomial
ln DM(O | alpha) = lnGamma(a) - lnGamma(a + N) + sum [lnGamma(alpha_b + O_b) - lnGamma(alpha_b)],
a = sum alpha_b; the multinomial coefficient cancels in every ratio and is left out. With the
expected shares q, the null is alpha = kappa q: the expected shape up to a relative error of
1 / sqrt(kappa q_b) in cell b. The alternative is alpha = k q with a much smaller mass k.

Where shares vary with the season, q is their mean weighted by the counts, E / N with
E = sum N_t p_t, so that a factor is always one of two proper distributions. That equals
sum [G(O_b, E_b; k q_b) - G(O_b, E_b; kappa q_b)] - [G(N, N; k) - G(N, N; kappa)] of the
gamma-Poisson G below, as x + e is x (1 + N / k) then.
"""

from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from detectors.change.ragged import Floats, Ragged

ALTERNATIVE_MASS_MAX = 50.0
"""k, the mass of the alternative, is at most this..."""

ALTERNATIVE_RATIO = 10.0
"""...and at most kappa over this, so that null and alternative stay apart."""

MASS_MAX = 1e9
"""A larger mass tolerates nothing."""

SHARE_MIN = 1e-12
"""A smaller expected share is taken for this: no cell is impossible."""


def alternative_mass(kappa: Floats) -> Floats:
    """The mass k = min(50, kappa / 10), element by element."""
    return np.minimum(ALTERNATIVE_MASS_MAX, kappa / ALTERNATIVE_RATIO)


def log_factor(
    cells: Ragged, counts: Floats, totals: Floats, shares: Floats, kappa: Floats
) -> Floats:
    """The factor ln DM(O | k q) - ln DM(O | kappa q), k of `alternative_mass`, shape (..., D).

    `counts` and expected `shares` are of shape (..., C), `totals` (the sums of the counts) and
    `kappa` > 0 of shape (..., D). No count at all gives 0.
    """
    k = alternative_mass(kappa)
    nothing = _weight(cells, np.zeros_like(shares), np.zeros_like(totals), shares, k, kappa)
    return _weight(cells, counts, totals, shares, k, kappa) - nothing


class FactorMasses:
    """`log_factor` of S onsets whose shares and masses seldom change while their counts do: what
    no count at all weighs is kept, which is half the cost.
    """

    def __init__(self, cells: Ragged, onsets: int) -> None:
        self.cells = cells
        self._kappa: Floats = np.full((onsets, cells.streams), np.nan)
        self._k, self._nothing = np.ones_like(self._kappa), np.zeros_like(self._kappa)

    def forget(self, onsets: int | slice, streams: NDArray[np.bool_] | None = None) -> None:
        """These onsets, of all streams or of those of the mask (D,), have other shares now."""
        self._kappa[onsets, slice(None) if streams is None else streams] = np.nan

    def log_factor(self, counts: Floats, totals: Floats, shares: Floats, kappa: Floats) -> Floats:
        """The factors (S, D), of `counts` and `shares` (S, C), `totals` and `kappa` (S, D)."""
        stale = np.flatnonzero((kappa != self._kappa).any(axis=1))
        if len(stale):
            self._weigh_nothing(stale, shares[stale], kappa)
        weight = _weight(self.cells, counts, totals, shares, self._k, self._kappa)
        return weight - self._nothing

    def _weigh_nothing(self, stale: NDArray[np.int64], shares: Floats, kappa: Floats) -> None:
        none, totals = np.zeros_like(shares), np.zeros((len(stale), self.cells.streams))
        self._kappa, self._k[stale] = kappa.copy(), alternative_mass(kappa[stale])
        self._nothing[stale] = _weight(
            self.cells, none, totals, shares, self._k[stale], kappa[stale]
        )


def _weight(
    cells: Ragged, counts: Floats, totals: Floats, shares: Floats, k: Floats, kappa: Floats
) -> Floats:
    """`log_factor` but for what does not depend on the counts, which is what none of them weigh."""
    q = np.maximum(shares, SHARE_MIN)
    own, known = cells.spread(k), cells.spread(kappa)
    own *= q
    own += counts
    known *= q
    known += counts
    ratio = gammaln(own)
    ratio -= gammaln(known)
    weight: Floats = cells.total(ratio) - gammaln(k + totals) + gammaln(kappa + totals)
    return weight


def log_dirichlet_multinomial(
    cells: Ragged, counts: Floats, shares: Floats, mass: Floats
) -> Floats:
    """The sum ln DM(O | mass shares) without the multinomial coefficient: (..., C) to (..., D)."""
    alpha = cells.spread(mass) * np.maximum(shares, SHARE_MIN)
    ratio = cells.total(gammaln(alpha + counts) - gammaln(alpha))
    density: Floats = ratio + gammaln(mass) - gammaln(mass + cells.total(counts))
    return density


def gamma_poisson(observed: Floats, expected: Floats, mass: Floats | float) -> Floats:
    """G(o, e; x) = x ln x - lnGamma(x) + lnGamma(x + o) - (x + o) ln(x + e).

    The logarithm of the chance of `observed` when the rate is `expected` times a gamma variable of
    mean 1 and variance 1 / mass, without what does not depend on the mass.
    """
    x = np.asarray(mass, dtype=np.float64)
    # x ln x - (x + o) ln(x + e) with the logarithms' difference taken first: x may be far above e.
    logs = -x * np.log1p(expected / x) - observed * np.log(x + expected)
    density: Floats = logs + gammaln(x + observed) - gammaln(x)
    return density


def kappa_of_tolerance(
    tolerance: NDArray[Any] | float, cells: NDArray[Any] | float, level: NDArray[Any] | float
) -> Floats:
    """The mass kappa at which a PSI up to `tolerance` never alarms, however many counts there are.

    Solves kappa tolerance / 2 = level + (cells - 1) / 2 ln(kappa / k) with k of
    `alternative_mass`, so ln(kappa / k) is the larger of ln 10 and ln(kappa / 50). `cells` is how
    many cells of a stream have anything in the reference, `level` is ln A. Shapes broadcast.
    A tolerance of 0 gives infinity: nothing is too small to matter. Raises ValueError below 0.
    """
    tol, b, height = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (tolerance, cells, level))
    )
    if (tol < 0).any():
        raise ValueError(f"a tolerance must not be negative; the smallest is {tol.min()}")
    half = np.where(tol > 0, tol, 1.0) / 2
    freedom = np.maximum(b - 1, 0) / 2
    floor = (height + freedom * log(ALTERNATIVE_RATIO)) / half
    # Seen from above, the right side is concave in kappa: x -> rhs(x) / half falls to the root.
    kappa = np.maximum(floor, 4 * freedom / half * np.log1p(freedom / half) + 2 * floor)
    for _ in range(200):
        penalty = np.maximum(log(ALTERNATIVE_RATIO), np.log(kappa / ALTERNATIVE_MASS_MAX))
        kappa = (height + freedom * penalty) / half
    return np.where(tol > 0, kappa, inf)


def kappa_of_rate(
    rate: NDArray[Any] | float, tolerated: NDArray[Any] | float, level: NDArray[Any] | float
) -> Floats:
    """The mass kappa at which a share that goes from `rate` to `tolerated` never alarms, however
    many counts there are, and one that goes further does.

    Of two cells the evidence of ever more counts tends to ln Beta(t; k r, k (1 - r)) - ln Beta(t;
    kappa r, kappa (1 - r)), the densities of the share t; solved for `level` by bisection. PSI
    would tolerate twice as much of what was hardly ever there. Shapes broadcast. Infinity where the
    two are equal, or beyond `MASS_MAX`. Raises ValueError unless both lie between 0 and 1.
    """
    r, share, height = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (rate, tolerated, level))
    )
    if ((np.minimum(r, share) <= 0) | (np.maximum(r, share) >= 1)).any():
        raise ValueError(f"rates must lie between 0 and 1, not {r.tolist()} and {share.tolist()}")
    low, high = np.zeros(r.shape), np.full(r.shape, log(MASS_MAX))
    for _ in range(60):
        middle = np.exp((low + high) / 2)
        evidence = _log_beta(share, r, alternative_mass(middle)) - _log_beta(share, r, middle)
        enough = evidence >= height
        low, high = np.where(enough, low, np.log(middle)), np.where(enough, np.log(middle), high)
    return np.where(high < log(MASS_MAX), np.exp(high), inf)


def _log_beta(share: Floats, rate: Floats, mass: Floats) -> Floats:
    """The logarithm of the density of a share that has the mean `rate` and such a mass."""
    a, b = mass * rate, mass * (1 - rate)
    scale = gammaln(mass) - gammaln(a) - gammaln(b)
    density: Floats = scale + (a - 1) * np.log(share) + (b - 1) * np.log1p(-share)
    return density


def tolerance_of_shift(shift_sd: NDArray[Any] | float) -> Floats:
    """The PSI of a shift of the mean of a normal stream: its square in sd."""
    return np.asarray(shift_sd, dtype=np.float64) ** 2


def tolerated_rate(rate: NDArray[Any] | float, ratio: float, points: float) -> Floats:
    """The share up to which a base rate r may go: max(ratio r, r + points), short of certainty."""
    r = np.asarray(rate, dtype=np.float64)
    return np.minimum(np.maximum(ratio * r, r + points), 1 - 1e-9)
