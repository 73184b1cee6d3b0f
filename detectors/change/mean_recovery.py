"""When a mean that has drifted is back: by what it was lately against what is tolerated."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any, Self

import numpy as np

from detectors.carried import Carried
from detectors.change.observation import Flags, Floats, State

_REMEMBERED = ("total", "weight", "waiting_total", "waiting_weight", "evidence")


@dataclass(frozen=True)
class MeanRecoveryParameters:
    """How to judge that a mean is back.

    level: the evidence needed, ln 10^4, as for shapes (`RecoveryParameters`). recent_panes: how
    many panes the episode's mean remembers, about. beyond: a mean that is hardly more than
    tolerated is taken for so many times the slack, else nothing could tell the two apart.
    """

    level: float = log(10_000)
    recent_panes: float = 60.0
    beyond: float = 1.1

    def __post_init__(self) -> None:
        if self.level <= 0 or self.recent_panes < 1 or self.beyond <= 1:
            raise ValueError(
                f"level {self.level} must be positive, recent_panes {self.recent_panes} at least 1 "
                f"and beyond {self.beyond} more than 1"
            )


class MeanRecovery:
    """Watches those of D streams whose mean drifts, for it to be tolerable again.

    A cumulative sum (Page, "Continuous inspection schemes", Biometrika 41, 1954) of the Gaussian
    log-likelihood of each pane's mean under the nearest one that is tolerated, less that under the
    episode's recent mean. A pane that is calm by itself says little: of a mean just beyond the
    tolerance most panes are, and one drift would end and begin again and again.

    State, all of shape (D,): `total` and `weight` make the recent mean, `evidence` is the sum, and
    `waiting_total` and `waiting_weight` are what was seen while there was any.
    """

    def __init__(self, streams: int, parameters: MeanRecoveryParameters | None = None) -> None:
        self.parameters = parameters or MeanRecoveryParameters()
        self._total: Floats = np.zeros(streams)
        self._weight: Floats = np.zeros(streams)
        self._waiting_total: Floats = np.zeros(streams)
        self._waiting_weight: Floats = np.zeros(streams)
        self._evidence: Floats = np.zeros(streams)

    def update(
        self, mean: Floats, weight: Floats, slack: Floats, drifting: Flags, calm: Flags
    ) -> Flags:
        """Take a pane; which of the `drifting` streams are back, all arrays of shape (D,).

        `mean` and `slack` are in sd of the reference, `weight` is the events of the pane over
        their dispersion; a stream of weight 0 was not seen. One that is not `calm` (beyond what is
        tolerated and chance explains) begins to be watched anew.
        """
        seen = drifting & (weight > 0)
        fresh = seen & (self._weight == 0)
        self._total = np.where(fresh, mean * weight, self._total)
        self._weight = np.where(fresh, weight, self._weight)
        gain = self._gain(mean, weight, slack)
        going = seen & calm & ~fresh
        evidence = np.where(going, np.maximum(self._evidence + gain, 0.0), self._evidence)
        self._evidence = np.where(drifting & (going | ~seen), evidence, 0.0)
        self._remember(mean, np.where(seen & ~fresh, weight, 0.0), slack)
        for name in _REMEMBERED:
            setattr(self, f"_{name}", np.where(drifting, getattr(self, f"_{name}"), 0.0))
        tolerable = np.abs(self._waiting_total) <= slack * self._waiting_weight
        back: Flags = (self._evidence > self.parameters.level) & tolerable
        return back

    def _gain(self, mean: Floats, weight: Floats, slack: Floats) -> Floats:
        """How much better a pane fits the nearest mean that is tolerated."""
        known = self._weight > 0
        before = np.where(known, self._weight, 1.0)
        lately = self._total / before
        side, size = np.where(lately < 0, -1.0, 1.0), np.abs(lately)
        # As little as it may have been: in the beginning one noisy pane is all that is known.
        least = size - np.where(known, 2 / np.sqrt(before), 0.0)
        drifted = side * np.maximum(least, self.parameters.beyond * slack)
        tolerated = side * np.minimum(size, slack)
        gain: Floats = weight / 2 * ((mean - drifted) ** 2 - (mean - tolerated) ** 2)
        return gain

    def _remember(self, mean: Floats, weight: Floats, slack: Floats) -> None:
        """What may be the recovery is part of the episode only once it turns out to be none: when
        evidence is gone, or its own mean is not tolerable.
        """
        self._waiting_total = self._waiting_total + mean * weight
        self._waiting_weight = self._waiting_weight + weight
        heard = np.maximum(self._waiting_weight, 1e-9)
        beyond = np.abs(self._waiting_total / heard) > slack + 1 / np.sqrt(heard)
        self._evidence = np.where(beyond, 0.0, self._evidence)
        still = self._evidence <= 0
        fade = np.where(weight > 0, 1 - 1 / self.parameters.recent_panes, 1.0)
        self._total = np.where(still, fade * self._total + self._waiting_total, self._total)
        self._weight = np.where(still, fade * self._weight + self._waiting_weight, self._weight)
        self._waiting_total = np.where(still, 0.0, self._waiting_total)
        self._waiting_weight = np.where(still, 0.0, self._waiting_weight)

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous` that are carried."""
        for name in _REMEMBERED:
            own, known = getattr(self, f"_{name}"), getattr(previous, f"_{name}")
            setattr(self, f"_{name}", carried.into(own, known))

    def state(self) -> State:
        """A copy of all that is remembered."""
        return {name: getattr(self, f"_{name}").copy() for name in _REMEMBERED}

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], parameters: MeanRecoveryParameters | None = None
    ) -> Self:
        """What `state()` was taken of."""
        recovery = cls(len(state["total"]), parameters)
        for name in _REMEMBERED:
            setattr(recovery, f"_{name}", np.array(state[name], dtype=np.float64))
        return recovery
