"""What the e-detector of one stream would notice of a known change, and after how many events.

The evidence of N events is taken to be that of the counts that N events are expected to give, with
the onset known: L(N q') of `detectors.change.bayes_factor` against the shares q. Drawn counts give
a little more of it, the onsets that are kept a little less.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from scipy.special import ndtr, ndtri

from detectors.change.bayes_factor import log_factor
from detectors.change.ragged import Floats, Ragged

EVENTS_MAX = 1e9
"""What needs more is never noticed."""

_MEDIAN_ZERO = np.log(2)
"""A Poisson count of a smaller mean is 0 more often than not; a part of one would say much."""

SHIFT_MAX_SD = 10.0

_STEPS = 60


@dataclass(frozen=True, eq=False)
class Foresight:
    """A stream as it is judged: the shares (B,) that are normal, the null's kappa, and ln A."""

    shares: Floats
    kappa: float
    level: float

    def evidence(self, changed: Floats, events: float) -> float:
        """L of so many events with shares `changed` (B,)."""
        if not self.kappa:
            return 0.0
        expected, total = events * changed, np.array([events])
        counts = np.where(expected < _MEDIAN_ZERO, 0.0, expected)
        cells = Ragged(np.array([0, len(self.shares)]))
        return float(log_factor(cells, counts, total, self.shares, np.array([self.kappa]))[0])

    def events_until(self, changed: Floats) -> float:
        """From how many events on such a change alarms; infinity if it never does."""
        if self.evidence(changed, EVENTS_MAX) < self.level:
            return inf
        low, high = 0.0, np.log(EVENTS_MAX)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            notices = self.evidence(changed, np.exp(middle)) >= self.level
            low, high = (low, middle) if notices else (middle, high)
        return float(np.exp(high))

    def shift_from(self, events: float) -> float:
        """The smallest shift, in sd, that so many events make alarm; infinity beyond 10 sd."""
        low, high = 0.0, SHIFT_MAX_SD
        if events <= 0 or self.evidence(shifted(self.shares, high), events) < self.level:
            return inf
        for _ in range(_STEPS):
            middle = (low + high) / 2
            notices = self.evidence(shifted(self.shares, middle), events) >= self.level
            low, high = (low, middle) if notices else (middle, high)
        return high


def shifted(shares: Floats, shift_sd: float) -> Floats:
    """The shares (B,) of ascending cells after an upward shift, as if the stream were normal."""
    edges = ndtri(np.clip(np.cumsum(shares)[:-1], 0.0, 1.0)) - shift_sd
    inner: Floats = np.diff(np.concatenate(([0.0], ndtr(edges), [1.0])))
    return inner


def with_share(shares: Floats, cell: int, share: float) -> Floats:
    """The shares (B,) when that of one cell is another, and all others give way alike."""
    rest = 1.0 - shares[cell]
    changed = shares * ((1.0 - share) / rest if rest > 0 else 0.0)
    changed[cell] = share
    return changed
