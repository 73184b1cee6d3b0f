"""Page-Hinkley: has the mean moved from where it was, or from where it ought to be?

Page, "Continuous inspection schemes", Biometrika 41 (1954), 100-115.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from detectors.carried import Carried
from detectors.change.observation import (
    Flags,
    Floats,
    Observation,
    State,
    Verdict,
    columns,
    per_stream,
)

ARRAYS = ("n", "mean", "up", "up_min", "down", "down_max")


@dataclass(frozen=True)
class PageHinkleyParameters:
    """How to judge; `delta` and `threshold` are one number, or one a stream.

    min_instances: no verdict below this weight. delta: the deviation that is allowed.
    threshold: the evidence above which it alarms. alpha: what a sum keeps per unit of weight.
    mode: which moves count. known_mean: None compares with the running mean, as Page-Hinkley does;
    a number compares with that (the tabular CUSUM: sums and extremes start at 0).
    """

    min_instances: float = 30
    delta: float | tuple[float, ...] = 0.005
    threshold: float | tuple[float, ...] = 50.0
    alpha: float = 1 - 0.0001
    mode: Literal["up", "down", "both"] = "both"
    known_mean: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("up", "down", "both"):
            raise ValueError(f"mode is {self.mode!r}; it must be up, down or both")
        if np.min(self.delta, initial=0.0) < 0:
            raise ValueError(f"delta is {self.delta}; it must not be negative")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha is {self.alpha}; it must lie in (0, 1]")


class PageHinkley:
    """A bank of two-sided cumulative sums, vectorised over D streams.

    With every n = 1, no slack, the running mean and a reset after each alarm it alarms exactly
    where `river.drift.PageHinkley` does: operations stand in the same order. An observation of
    weight n adds n times its deviation (with a known mean and alpha 1: as n values at its mean
    would); its slack widens delta. Evidence is the height of the sum over its minimum (or under its
    maximum); it is 0 below `min_instances`, keeps its value while a stream is not seen, and goes on
    growing after an alarm until `reset`.
    """

    def __init__(self, streams: int, parameters: PageHinkleyParameters | None = None) -> None:
        self.parameters = parameters or PageHinkleyParameters()
        self._delta = per_stream(self.parameters.delta, streams, "delta")
        self._threshold = per_stream(self.parameters.threshold, streams, "threshold")
        self._n, self._mean, self._up, self._up_min, self._down, self._down_max = (
            np.zeros(streams) for _ in ARRAYS
        )

    @property
    def streams(self) -> int:
        """How many streams the bank watches."""
        return len(self._n)

    def update(self, observation: Observation) -> Verdict:
        """Take one observation of each stream; see `Detector.update`."""
        n, mean, _, slack = columns(observation, self.streams)
        seen = n > 0
        deviation = mean - self._centre(n, mean, seen)
        keep = 1.0 if self.parameters.alpha == 1 else self.parameters.alpha**n
        moved, allowance = n * deviation, n * (self._delta + slack)
        self._up = np.where(seen, keep * self._up + moved - allowance, self._up)
        self._down = np.where(seen, keep * self._down + moved + allowance, self._down)
        self._up_min = np.where(seen, np.minimum(self._up_min, self._up), self._up_min)
        self._down_max = np.where(seen, np.maximum(self._down_max, self._down), self._down_max)
        evidence = self._evidence()
        return Verdict(evidence, self._threshold.copy(), seen & (evidence > self._threshold))

    def reset(self, mask: Flags) -> None:
        """Forget everything about the masked streams; see `Detector.reset`."""
        # river starts its minimum at infinity and its maximum at -1. Against a running mean the
        # first deviation is 0, so that 0 does the same; against a known one it is the CUSUM's.
        for name in ARRAYS:
            getattr(self, f"_{name}")[mask] = 0.0

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous` that are carried; see `Detector.carry`."""
        for name in ARRAYS:
            column = f"_{name}"
            setattr(self, column, carried.into(getattr(self, column), getattr(previous, column)))

    def state(self) -> State:
        """A copy of the six columns, each of shape (D,)."""
        return {name: getattr(self, f"_{name}").copy() for name in ARRAYS}

    @classmethod
    def from_state(cls, parameters: PageHinkleyParameters, state: Mapping[str, Any]) -> Self:
        """The bank that `state()` was taken of."""
        bank = cls(len(state["n"]), parameters)
        for name in ARRAYS:
            setattr(bank, f"_{name}", np.array(state[name], dtype=np.float64))
        return bank

    def _centre(self, n: Floats, mean: Floats, seen: Flags) -> Floats | float:
        """The mean to compare with, this observation included when it is the running one."""
        self._n = self._n + n
        if self.parameters.known_mean is not None:
            return self.parameters.known_mean
        share = np.divide(n, self._n, out=np.zeros_like(n), where=seen)
        self._mean = self._mean + share * (mean - self._mean)
        return self._mean

    def _evidence(self) -> Floats:
        up, down = self._up - self._up_min, self._down_max - self._down
        mode = self.parameters.mode
        height = np.maximum(up, down) if mode == "both" else up if mode == "up" else down
        ripe = (self._n >= self.parameters.min_instances) & (self._n > 0)
        return np.where(ripe, np.maximum(height, 0.0), 0.0)
