"""What a detector of change is given, what it answers, and the verbs that all of them share."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from detectors.carried import Carried

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]
State = dict[str, Any]
"""Arrays, numbers and lists by name: everything a snapshot can hold without pickle."""


@dataclass(frozen=True, eq=False)
class Observation:
    """One weighted observation of each of D streams, arrays of shape (D,).

    `n` is the weight (how many values, divided by the over-dispersion), `mean` their mean, `m2` the
    sum of their squared deviations from it. A stream with n <= 0, or with anything that is not
    finite, was not seen: a detector leaves its state untouched.

    `slack` is how far `mean` may lie from the reference without that being a change: the
    reference's own error, the tolerance and the wander of the stream, in the unit of `mean`. For a
    detector that compares live values with live values it is how far those may lie apart besides
    what it tolerates by its parameters.
    """

    n: Floats
    mean: Floats
    m2: Floats
    slack: Floats | float = 0.0

    @cached_property
    def seen(self) -> Flags:
        """Which streams have something to say, shape (D,)."""
        finite = np.isfinite(self.n) & np.isfinite(self.mean) & np.isfinite(self.m2)
        return finite & np.isfinite(self.slack) & (self.n > 0)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a detector thinks of each of D streams now, arrays of shape (D,).

    `evidence` / `level` is the score; it is never NaN. `alarm` is true only for streams that were
    seen in this update. Nothing is remembered: the verdict of the next update stands for itself.
    """

    evidence: Floats
    level: Floats
    alarm: Flags


class Detector(Protocol):
    """A bank: one detector of change for each of D streams, updated together.

    It never resets itself unless its docstring says so: whoever judges calls `reset` for the
    streams that start afresh.
    """

    @property
    def streams(self) -> int:
        """How many streams the bank watches, D."""

    def update(self, observation: Observation) -> Verdict:
        """Take one observation of each stream. Raises ValueError if it is not of D streams."""

    def reset(self, mask: Flags) -> None:
        """Forget everything about the streams where `mask`, shape (D,), is true."""

    def carry(self, previous: Self, carried: Carried) -> None:
        """Remember of the streams that are carried what `previous` does, which is given up.

        Both have the same parameters, but for numbers that thresholds and bounds are set to.
        """

    def state(self) -> State:
        """A copy of all that is remembered; `from_state` continues exactly where it was taken."""

    @classmethod
    def from_state(cls, parameters: Any, state: Mapping[str, Any]) -> Self:
        """The bank that `state()` was taken of."""


def columns(observation: Observation, streams: int) -> tuple[Floats, Floats, Floats, Floats]:
    """`n`, `mean`, `m2` and `slack` as arrays of shape (streams,), zero where nothing was seen.

    Raises ValueError if the observation is of another number of streams.
    """
    if observation.n.shape != (streams,):
        raise ValueError(
            f"the observation has the shape {observation.n.shape}, but the detector watches "
            f"{streams} streams; build the detector anew when the streams change"
        )
    given = (observation.n, observation.mean, observation.m2, observation.slack)
    seen = observation.seen
    if seen.all() and np.shape(observation.slack) == seen.shape:
        n, mean, m2, slack = (np.array(column, dtype=np.float64) for column in given)
    else:
        n, mean, m2, slack = (np.where(seen, column, 0.0) for column in given)
    return n, mean, m2, slack


def per_stream(value: float | tuple[float, ...], streams: int, name: str) -> Floats:
    """One number for all streams, or one each, as an array of shape (streams,).

    Raises ValueError if there are neither one nor `streams` of them.
    """
    array = np.asarray(value, dtype=np.float64)
    if array.shape not in ((), (streams,)):
        raise ValueError(
            f"{name} has {array.size} values for {streams} streams; give one, or one a stream"
        )
    return np.broadcast_to(array, (streams,)).copy()
