"""The smallest change that the e-detector notices, from how many events, before it happens.

D(N) = 2 (1 / N + 1 / kappa) [ln A + (B - 1) / 2 ln((1 + N / k) / (1 + N / kappa))] is the PSI whose
evidence reaches ln A with N events (over phi) of a stream with B cells: a shift of about sqrt(D) sd
of a normal stream.
"""

from dataclasses import dataclass
from math import ceil, inf, sqrt

import numpy as np
from numpy.typing import NDArray

from detectors.change.bayes_factor import alternative_mass, psi_of_rates
from detectors.change.ragged import Floats

PANES_MAX = 10_000_000
"""Changes that need more panes count as never noticed."""


def smallest_psi(
    events: NDArray[np.float64] | float,
    kappa: NDArray[np.float64] | float,
    level: NDArray[np.float64] | float,
    cells: NDArray[np.int64] | float,
) -> Floats:
    """D(N) for N = `events` over phi; infinity for no event, and for kappa 0. Shapes broadcast.

    `kappa` is the mass of the null in force: of tolerance, wander and pool the smallest.
    """
    n, mass = np.asarray(events, dtype=np.float64), np.asarray(kappa, dtype=np.float64)
    k = alternative_mass(mass)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.log1p(n / k) - np.log1p(n / mass)
        evidence = level + (np.maximum(np.asarray(cells) - 1.0, 0.0)) / 2 * freedom
        psi = 2 * (1 / n + 1 / mass) * evidence
    return np.where((n > 0) & (mass > 0), psi, inf)


def larger_rate(rate: float, psi: float) -> float:
    """The rate above `rate` that is `psi` away from it; 1 if none below certainty is."""
    low, high = rate, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if psi_of_rates(rate, middle) < psi else (low, middle)
    return high


@dataclass(frozen=True)
class Sensitivity:
    """One stream: events a pane, phi, the null's kappa, ln A, how many cells have anything.

    With infinite results where nothing is ever noticed: no events, or a stream that is blind.
    """

    events_per_pane: float
    phi: float
    kappa: float
    level: float
    cells: int

    def psi_within(self, panes: float) -> float:
        """The smallest PSI noticed within so many panes."""
        events = panes * self.events_per_pane / max(self.phi, 1.0)
        return float(smallest_psi(events, self.kappa, self.level, self.cells))

    def shift_within(self, panes: float) -> float:
        """The smallest shift of the mean noticed within so many panes, in sd of the reference."""
        return sqrt(self.psi_within(panes))

    def rate_within(self, panes: float, rate: float) -> float:
        """The smallest larger rate noticed within so many panes, of a share that is `rate`."""
        return larger_rate(rate, self.psi_within(panes))

    def panes_until(self, psi: float) -> float:
        """How many panes a change of this PSI takes to be noticed; infinity if it never is."""
        low, high = 0, 1
        while self.psi_within(high) > psi:
            low, high = high, high * 2
            if high > PANES_MAX:
                return inf
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.psi_within(middle) > psi else (low, middle)
        return float(ceil(high))
