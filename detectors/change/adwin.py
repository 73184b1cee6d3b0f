"""ADWIN: a window that is as long as its content is homogeneous.

Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SIAM International
Conference on Data Mining (2007), 443-448; variance of merged buckets after Babcock, Datar, Motwani
and O'Callaghan, "Maintaining variance and k-medians over data stream windows", PODS (2003).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, nan
from typing import Any, Self

import numpy as np

from detectors.carried import Carried
from detectors.change.observation import (
    Flags,
    Floats,
    Indices,
    Observation,
    State,
    Verdict,
    columns,
    per_stream,
)

ARRAYS = ("n", "total", "m2", "counts", "ticks", "width", "sum", "variance", "slack")


@dataclass(frozen=True)
class AdwinParameters:
    """How to judge. Weights are in the unit of `Observation.n`.

    delta: the confidence with which a cut is made. clock: cuts are looked for at every so-manyth
    observation of a stream. max_buckets: buckets a row keeps before the two oldest become one of
    the next row. min_window_length: the weight either side of a cut must have. grace_period: no
    cut before the window weighs more than this. tolerance: how far two parts of a window may lie
    apart, beyond epsilon_cut, without a cut; in the unit of the means, one number or one a stream.
    value_range: the largest value less the smallest that can be, one number or one a stream; the
    paper and river take it to be 1, whatever they are fed.
    """

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_window_length: float = 5
    grace_period: float = 10
    tolerance: float | tuple[float, ...] = 0.0
    value_range: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise ValueError(f"delta is {self.delta}; it must lie between 0 and 1")
        if self.clock < 1:
            raise ValueError(f"clock is {self.clock}; it must be at least 1")
        if self.max_buckets < 2:
            raise ValueError(f"max_buckets is {self.max_buckets}; it must be at least 2")
        if self.min_window_length <= 0:
            raise ValueError(f"min_window_length is {self.min_window_length}; it must be positive")


class Adwin:
    """A bank of adaptive windows, vectorised over D streams. The slack of a stream's last
    observation is tolerated beside its tolerance.

    A window is rows of buckets: row r holds up to `max_buckets` buckets of 2^r observations each,
    the oldest first. With every n = 1 and m2 = 0 and a reset after each alarm it alarms exactly
    where `river.drift.ADWIN` does: operations stand in the same order. Without the reset it goes on
    with what is left of the window, as in the paper.

    Evidence is the largest |mean0 - mean1| / (epsilon_cut + tolerance + slack) over the cuts of the
    window, before anything is dropped; the level is 1; it is 0 where no cut was tested. It depends
    on the state alone, so that a stream which is not seen keeps it.

    State, per stream: `n`, `total`, `m2` of shape (D, rows, max_buckets + 1), empty slots 0;
    `counts` of shape (D, rows), how many slots are used; `ticks` (observations so far), `width`
    (weight), `sum` and `variance` (sum of squared deviations) of the whole window, and `slack`,
    shape (D,).
    """

    def __init__(self, streams: int, parameters: AdwinParameters | None = None) -> None:
        self.parameters = parameters or AdwinParameters()
        self._tolerance = per_stream(self.parameters.tolerance, streams, "tolerance")
        self._range = per_stream(self.parameters.value_range, streams, "value_range")
        slots = (streams, 1, self.parameters.max_buckets + 1)
        self._n, self._total, self._m2 = np.zeros(slots), np.zeros(slots), np.zeros(slots)
        self._counts = np.zeros(slots[:2], dtype=np.int64)
        self._ticks = np.zeros(streams, dtype=np.int64)
        self._width, self._sum, self._variance, self._slack = np.zeros((4, streams))

    @property
    def streams(self) -> int:
        """How many streams the bank watches."""
        return len(self._ticks)

    def update(self, observation: Observation) -> Verdict:
        """Take one observation of each stream; see `Detector.update`."""
        n, mean, m2, slack = columns(observation, self.streams)
        self._slack = np.where(n > 0, slack, self._slack)
        self._insert(np.flatnonzero(n > 0), n, mean, m2)
        due = np.flatnonzero(
            (self._ticks % self.parameters.clock == 0)
            & (self._width > self.parameters.grace_period)
            & (self._ticks > 0)
        )
        evidence, alarm = np.zeros(self.streams), np.zeros(self.streams, dtype=np.bool_)
        evidence[due], cut = self._cuts(due)
        # Only a new bucket can bring a cut: those that hold are dropped until none does.
        alarmed = due[cut]
        alarm[alarmed] = True
        while len(alarmed):
            self._drop_oldest(alarmed)
            alarmed = alarmed[self._cuts(alarmed)[1]]
        return Verdict(evidence, np.ones(self.streams), alarm)

    def reset(self, mask: Flags) -> None:
        """Forget everything about the masked streams; see `Detector.reset`."""
        for name in ARRAYS:
            getattr(self, f"_{name}")[mask] = 0

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous` that are carried; see `Detector.carry`."""
        rows = max(self._counts.shape[1], previous._counts.shape[1])
        self._have_rows(rows)
        previous._have_rows(rows)
        for name in ARRAYS:
            column = f"_{name}"
            setattr(self, column, carried.into(getattr(self, column), getattr(previous, column)))

    def state(self) -> State:
        """A copy of the arrays that the class describes."""
        return {name: getattr(self, f"_{name}").copy() for name in ARRAYS}

    @classmethod
    def from_state(cls, parameters: AdwinParameters, state: Mapping[str, Any]) -> Self:
        """The bank that `state()` was taken of. Raises ValueError if `max_buckets` has changed."""
        if np.shape(state["n"])[2] != parameters.max_buckets + 1:
            raise ValueError(
                f"the state has rows of {np.shape(state['n'])[2] - 1} buckets, the parameters "
                f"say {parameters.max_buckets}; start a new detector to change max_buckets"
            )
        bank = cls(len(state["ticks"]), parameters)
        for name in ARRAYS:
            kind = np.int64 if name in ("counts", "ticks") else np.float64
            kept = state.get(name, getattr(bank, f"_{name}"))  # no slack was kept once
            setattr(bank, f"_{name}", np.array(kept, dtype=kind))
        return bank

    def _insert(
        self,
        streams: Indices,
        n: Floats,
        mean: Floats,
        m2: Floats,
    ) -> None:
        """Append one bucket to row 0 of each of `streams`."""
        before = self._width[streams]
        value, weight, within = mean[streams], n[streams], m2[streams]
        width = before + weight
        total = weight * value
        apart = value - np.divide(self._sum[streams], before, out=value.copy(), where=before > 0)
        self._variance[streams] += before * weight * apart * apart / width + within
        self._width[streams] = width
        self._sum[streams] += total
        self._ticks[streams] += 1
        self._append(streams, 0, weight, total, within)
        self._compress(streams)

    def _append(
        self,
        streams: Indices,
        row: int,
        n: Floats,
        total: Floats,
        m2: Floats,
    ) -> None:
        slot = self._counts[streams, row]
        self._n[streams, row, slot] = n
        self._total[streams, row, slot] = total
        self._m2[streams, row, slot] = m2
        self._counts[streams, row] += 1

    def _compress(self, streams: Indices) -> None:
        """Merge the two oldest buckets of every overfull row into one of the next row."""
        row = 0
        while True:
            streams = streams[self._counts[streams, row] > self.parameters.max_buckets]
            if not len(streams):
                return
            if row + 1 == self._counts.shape[1]:
                self._add_row()
            n, total, m2 = (column[streams, row, :2] for column in (self._n, self._total, self._m2))
            apart = total[:, 0] / n[:, 0] - total[:, 1] / n[:, 1]
            width = n[:, 0] + n[:, 1]
            between = n[:, 0] * n[:, 1] * apart * apart / width
            self._shift(streams, row, 2)
            merged_m2 = m2[:, 0] + m2[:, 1] + between
            self._append(streams, row + 1, width, total[:, 0] + total[:, 1], merged_m2)
            row += 1

    def _have_rows(self, rows: int) -> None:
        while self._counts.shape[1] < rows:
            self._add_row()

    def _add_row(self) -> None:
        self._n, self._total, self._m2 = (
            np.concatenate((column, np.zeros_like(column[:, :1])), axis=1)
            for column in (self._n, self._total, self._m2)
        )
        self._counts = np.concatenate((self._counts, np.zeros_like(self._counts[:, :1])), axis=1)

    def _shift(self, streams: Indices, row: int | Indices, by: int) -> None:
        """Remove the `by` oldest buckets of a row."""
        for column in (self._n, self._total, self._m2):
            kept = column[streams, row]
            kept[:, :-by] = kept[:, by:]
            kept[:, -by:] = 0.0
            column[streams, row] = kept
        self._counts[streams, row] -= by

    def _drop_oldest(self, streams: Indices) -> None:
        """Remove the oldest bucket of each of `streams` from the window."""
        used = self._counts[streams] > 0
        row = used.shape[1] - 1 - np.argmax(used[:, ::-1], axis=1)
        n, total, m2 = (column[streams, row, 0] for column in (self._n, self._total, self._m2))
        width = self._width[streams] - n
        rest = self._sum[streams] - total
        apart = total / n - rest / width
        self._variance[streams] -= m2 + n * width * apart * apart / (n + width)
        self._width[streams], self._sum[streams] = width, rest
        self._shift(streams, row, 1)

    def _cuts(self, streams: Indices) -> tuple[Floats, Flags]:
        """The largest |mean0 - mean1| / bound of each of `streams`, and whether a cut holds.

        An empty slot repeats the cut before it, which changes neither.
        """
        if not len(streams):
            return np.zeros(0), np.zeros(0, dtype=np.bool_)
        n = self._from_the_oldest(self._n, streams)
        total = self._from_the_oldest(self._total, streams)
        width, whole = self._width[streams], self._sum[streams]
        n0, u0 = np.cumsum(n, axis=1), np.cumsum(total, axis=1)
        # Subtracted one by one from the whole, as river does, not whole - u0: the last bits differ.
        n1, u1 = _left_over(width, n), _left_over(whole, total)
        least = self.parameters.min_window_length
        tested = (n0 >= least) & (n1 >= least)
        with np.errstate(divide="ignore", invalid="ignore"):
            confidence = self._confidence(width)[:, None]
            harmonic = 1 / (n0 - least + 1) + 1 / (n1 - least + 1)
            spread = 2 * harmonic * (self._variance[streams] / width)[:, None] * confidence
            epsilon = np.sqrt(spread) + 2 / 3 * confidence * harmonic * self._range[streams, None]
            bound = epsilon + (self._tolerance + self._slack)[streams, None]
            apart = np.abs(u0 / n0 - u1 / n1)
            ratio = np.where(tested, apart / bound, 0.0)
        holds: Flags = np.any(tested & (apart > bound), axis=1)
        return np.where(np.isfinite(ratio), ratio, 0.0).max(axis=1), holds

    def _from_the_oldest(self, column: Floats, streams: Indices) -> Floats:
        """The slots of `streams` from the oldest bucket to the newest, flat."""
        full = self.parameters.max_buckets  # The last slot of a row is used but while it is merged.
        kept = column if len(streams) == self.streams else column[streams]
        return kept[:, ::-1, :full].reshape(len(streams), -1)

    def _confidence(self, width: Floats) -> Floats:
        """ln(2 ln(width) / delta), NaN for a width up to 1: no window is homogeneous or not.

        The C library's logarithm, which river uses; numpy's differs from it in the last bit.
        """
        delta = self.parameters.delta
        return np.array([log(2 * log(w) / delta) if w > 1 else nan for w in width.tolist()])


def _left_over(whole: Floats, parts: Floats) -> Floats:
    """What is left of `whole`, shape (D,), when the parts (D, slots) are taken off one by one."""
    left = np.empty((parts.shape[0], parts.shape[1] + 1))
    left[:, 0], left[:, 1:] = whole, parts
    return np.subtract.accumulate(left, axis=1)[:, 1:]
