"""The smallest change that the e-detector notices, from how many events, before it happens.

D(N) = 2 (1 / N + 1 / kappa) [ln A + (B - 1) / 2 ln((1 + N / k) / (1 + N / kappa))] is the PSI whose
evidence reaches ln A with N events (over phi) of a stream with B cells: a shift of about sqrt(D) sd
of a normal stream. It is for all streams at once, in every pane; of few events, and of cells with
small shares, it promises too much: `detectors.foresight` is for one known change of one stream.
"""

from math import inf

import numpy as np
from numpy.typing import NDArray

from detectors.change.bayes_factor import alternative_mass
from detectors.change.ragged import Floats


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
