"""What was counted since the beginning: the two books and the counters of one model version."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.summary.profile import Profile
from detectors.summary.summary import Summary
from service.values.plans import Plan
from service.values.rejects import Reason
from service.values.reports import LATENCY_BOUNDS_SECONDS
from service.values.streams import Kind, StreamKey, segment_of

_BOUNDS = np.array(LATENCY_BOUNDS_SECONDS)
_KINDS = {kind.value: kind for kind in Kind}


class RecordBook:
    """Records of one partition: consumed = applied + ignored + rejected, at all times."""

    def __init__(self) -> None:
        self.applied = 0
        self.ignored = 0
        self.rejected: dict[Reason, int] = {}

    @property
    def consumed(self) -> int:
        """All records read, the unreadable ones among them."""
        return self.applied + self.ignored + sum(self.rejected.values())

    def add(self, applied: int, ignored: int, rejected: dict[Reason, int]) -> None:
        """Enter what became of one chunk."""
        self.applied += applied
        self.ignored += ignored
        for reason, count in rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count

    def merge(self, other: "RecordBook") -> None:
        """Add another partition's book."""
        self.add(other.applied, other.ignored, other.rejected)

    def state(self) -> dict[str, Any]:
        """Plain values for a snapshot."""
        return {
            "applied": self.applied,
            "ignored": self.ignored,
            "rejected": {reason.value: count for reason, count in self.rejected.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "RecordBook":
        """The book that `state` was taken of."""
        book = cls()
        rejected = {Reason(reason): count for reason, count in state["rejected"].items()}
        book.add(state["applied"], state["ignored"], rejected)
        return book


class ModelTotals:
    """Rows of one model version: rows of applied records = predictions + late + rejected.

    `quality` has [missing, invalid, unseen] values for each stream, of panes that were closed; of a
    segment's stream, which others' predictions are missing in, the first are those that it has.
    `latency_counts` has one count a bucket of LATENCY_BOUNDS_SECONDS and one above.
    """

    def __init__(self) -> None:
        self.predictions = 0
        self.weight = 0.0
        self.late = 0
        self.rejected: dict[Reason, int] = {}
        self.latency_counts = np.zeros(len(_BOUNDS) + 1, dtype=np.int64)
        self.latency_sum_seconds = 0.0
        self.quality: dict[StreamKey, NDArray[np.int64]] = {}

    def add_rows(self, weights: NDArray[np.float64], latency: NDArray[np.float64]) -> None:
        """Count predictions; a latency that is NaN, infinite or negative is not one."""
        self.predictions += len(weights)
        self.weight += float(weights.sum())
        valid = latency[np.isfinite(latency) & (latency >= 0)]
        if len(valid):
            buckets = np.searchsorted(_BOUNDS, valid, side="left")
            self.latency_counts += np.bincount(buckets, minlength=len(self.latency_counts))
            self.latency_sum_seconds += float(valid.sum())

    def add_rejected(self, reason: Reason, count: int = 1) -> None:
        """Count refused rows."""
        self.rejected[reason] = self.rejected.get(reason, 0) + count

    def add_quality(self, quality: dict[StreamKey, NDArray[np.int64]]) -> None:
        """Enter a closed pane's [missing, invalid, unseen] by stream."""
        for key, counts in quality.items():
            known = self.quality.get(key)
            self.quality[key] = counts.copy() if known is None else known + counts

    def merge(self, other: "ModelTotals") -> None:
        """Add another partition's totals."""
        self.predictions += other.predictions
        self.weight += other.weight
        self.late += other.late
        for reason, count in other.rejected.items():
            self.add_rejected(reason, count)
        self.latency_counts += other.latency_counts
        self.latency_sum_seconds += other.latency_sum_seconds
        self.add_quality(other.quality)

    @property
    def rows(self) -> int:
        """Rows of any kind."""
        return self.predictions + self.late + sum(self.rejected.values())

    def subtract(self, other: "ModelTotals") -> None:
        """Take away what was counted before: earlier totals of the same partition."""
        self.predictions -= other.predictions
        self.weight -= other.weight
        self.late -= other.late
        for reason, count in other.rejected.items():
            self.add_rejected(reason, -count)
        self.latency_counts -= other.latency_counts
        self.latency_sum_seconds -= other.latency_sum_seconds
        self.add_quality({key: -counts for key, counts in other.quality.items()})

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "predictions": self.predictions,
            "weight": self.weight,
            "late": self.late,
            "rejected": {reason.value: count for reason, count in self.rejected.items()},
            "latency_counts": self.latency_counts,
            "latency_sum_seconds": self.latency_sum_seconds,
            "quality": [[*_words(k), *counts.tolist()] for k, counts in self.quality.items()],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "ModelTotals":
        """The totals that `state` was taken of."""
        totals = cls()
        totals.predictions = state["predictions"]
        totals.weight = state["weight"]
        totals.late = state["late"]
        totals.rejected = {Reason(reason): count for reason, count in state["rejected"].items()}
        totals.latency_counts = state["latency_counts"].copy()
        totals.latency_sum_seconds = state["latency_sum_seconds"]
        totals.quality = _quality_from_state(state["quality"])
        return totals


def quality_of_summary(plan: Plan, summary: Summary) -> dict[StreamKey, NDArray[np.int64]]:
    """[missing, invalid, unseen] of each stream that has cells; see `ModelTotals`."""
    layout, cells = plan.layout, summary.cells
    missing, invalid = cells[layout.missing_cells()], cells[layout.invalid_cells()]
    table = np.stack([missing, invalid, plan.unseen_of(cells)], axis=1)
    of_segments = [i for i, key in enumerate(plan.streams) if segment_of(key) is not None]
    if of_segments:
        rows = np.add.reduceat(cells, layout.offsets[:-1])
        table[of_segments, 0] = (rows - missing - invalid)[of_segments]
    return dict(zip(plan.streams, table, strict=True))


def quality_of_profiles(
    profiles: dict[StreamKey, Profile],
) -> dict[StreamKey, NDArray[np.int64]]:
    """[missing, invalid, 0] of each stream that is still being learned; see `ModelTotals`."""
    return {
        key: np.array([_first(key, profile), profile.invalid, 0], dtype=np.int64)
        for key, profile in profiles.items()
    }


def _first(key: StreamKey, profile: Profile) -> int:
    if segment_of(key) is None:
        return profile.missing
    return profile.rows - profile.missing - profile.invalid


def _words(key: StreamKey) -> tuple[str, str]:
    return key.kind.value, key.name


def _quality_from_state(state: Iterable[list[Any]]) -> dict[StreamKey, NDArray[np.int64]]:
    """Plain numbers, since an array for each stream takes ten times as long to read; which is what
    snapshots had before.
    """
    keys, told = [], []
    for kind, name, *counts in state:
        keys.append(StreamKey(_KINDS[kind], name))
        told.append(counts if len(counts) > 1 else counts[0])
    return dict(zip(keys, np.array(told), strict=True))
