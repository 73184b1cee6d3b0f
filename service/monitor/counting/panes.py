"""A pane: what was seen of one model version in one slice of event time, in one partition."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.joint import JointMoments
from detectors.summary.profile import Profile, Value
from detectors.summary.summary import Summary
from service.monitor.counting.totals import quality_of_profiles, quality_of_summary
from service.values.batches import Batch, Novel
from service.values.plans import Plan
from service.values.records import Partition
from service.values.streams import Kind, StreamKey

OUTPUTS_ROOM = 2
"""Streams that may be learned beside the features and the derived: the prediction, the latency."""


class PaneId(NamedTuple):
    """What tells the panes of one model version in one partition apart.

    For one start there may be two, when a reference came late to some process: their cells differ,
    so they never mix.
    """

    start_seconds: float
    reference_hash: str


class Pane:
    """Open or closed. `profiles` hold the streams without cells: those that are being learned.

    A stream is among them once it has shown a value; the rows without it count as missing, so that
    it does not matter how the rows came in batches. No more are learned than the plan's features.
    `joint` are the co-moments of the inputs, where the plan gathers them.
    `offsets` are the first and the last of the records that the rows came from, by partition.
    `changes` tells in one process whether it has changed; it is no part of the state.
    """

    def __init__(self, start_seconds: float, plan: Plan) -> None:
        self.start_seconds = start_seconds
        self.plan = plan
        self.summary = Summary(plan.layout)
        self.profiles: dict[StreamKey, Profile] = {}
        self.joint = joint_moments(plan)
        self.offsets: dict[Partition, tuple[int, int]] = {}
        self.changes = 0

    @property
    def id(self) -> PaneId:
        """Its start, and the reference that its rows are binned by."""
        return PaneId(self.start_seconds, self.plan.reference_hash)

    @property
    def rows(self) -> int:
        """Rows seen."""
        return self.summary.rows

    def add(self, batch: Batch, chosen: NDArray[np.int64] | None) -> None:
        """Take rows of `batch`: all, or those at the positions `chosen` (ascending)."""
        self.changes += 1
        self._note_offsets(batch, chosen)
        if chosen is None:
            novel = {i: (n.rows, n.names) for i, n in batch.novel.items()}
            self.summary.update(batch.numeric, batch.codes, novel, float(batch.weights.sum()))
        else:
            novel = {i: _chosen_novel(n, chosen) for i, n in batch.novel.items()}
            weight = float(batch.weights[chosen].sum())
            self.summary.update(batch.numeric[chosen], batch.codes[chosen], novel, weight)
        if self.joint is not None:
            self._gather(self.joint, batch, chosen)
        if batch.learned or self.profiles:
            self._learn(batch.learned, chosen, len(batch) if chosen is None else len(chosen))

    def merge(self, *others: "Pane") -> None:
        """Add the same pane of other partitions: of all of them at once costs less."""
        most, rows = profiles_max(self.plan), self.rows
        for other in others:
            merge_profiles(self.profiles, rows, other.profiles, other.rows, most)
            rows += other.rows
            if self.joint is not None and other.joint is not None:
                self.joint.merge(other.joint)
            for partition, (first, last) in other.offsets.items():
                self._widen(partition, first, last)
        self.summary.merge(*(other.summary for other in others))

    def quality(self) -> dict[StreamKey, NDArray[np.int64]]:
        """[missing, invalid, unseen] values by stream."""
        return quality_of_summary(self.plan, self.summary) | quality_of_profiles(self.profiles)

    def follow(self, plan: Plan) -> None:
        """Count by another plan of the same reference from now on."""
        self.plan = plan
        if (plan.scaling is None) != (self.joint is None):
            self.joint = joint_moments(plan)

    def counts_hash(self) -> bytes:
        """Of what is the same however often, and in how many pieces, the rows are counted."""
        cells = self.summary.cells.astype("<i8", copy=False)
        return blake2b(b"%d " % self.rows + cells.tobytes(), digest_size=8).digest()

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot; the plan goes by its reference's hash."""
        return {
            "start_seconds": self.start_seconds,
            "reference": self.plan.reference_hash,
            "summary": self.summary.state(),
            "profiles": [[k.kind.value, k.name, p.state()] for k, p in self.profiles.items()],
            "joint": None if self.joint is None else self.joint.state(),
            "offsets": [[*p, first, last] for p, (first, last) in self.offsets.items()],
        }

    @classmethod
    def from_state(cls, plan: Plan, state: dict[str, Any]) -> "Pane":
        """The pane that `state` was taken of; `plan` is the one with the state's reference."""
        pane = cls(state["start_seconds"], plan)
        pane.summary = Summary.from_state(plan.layout, state["summary"])
        pane.profiles = {
            StreamKey(Kind(kind), name): Profile.from_state(profile)
            for kind, name, profile in state["profiles"]
        }
        if pane.joint is not None and state.get("joint") is not None:
            pane.joint = JointMoments.from_state(state["joint"])
        pane.offsets = {
            Partition(topic, number): (first, last)
            for topic, number, first, last in state.get("offsets", [])
        }
        return pane

    def _note_offsets(self, batch: Batch, chosen: NDArray[np.int64] | None) -> None:
        """Records of a batch ascend by offset."""
        rows = (0, -1) if chosen is None else (int(chosen[0]), int(chosen[-1]))
        first, last = (batch.records[row].offset for row in rows)
        self._widen(batch.partition, first, last)

    def _widen(self, partition: Partition, first: int, last: int) -> None:
        known = self.offsets.get(partition, (first, last))
        self.offsets[partition] = (min(known[0], first), max(known[1], last))

    def _gather(self, joint: JointMoments, batch: Batch, chosen: NDArray[np.int64] | None) -> None:
        if self.plan.scaling is not None:
            columns = batch.numeric[:, self.plan.scaled_columns]
            joint.update(self.plan.scaling, columns if chosen is None else columns[chosen])

    def _learn(
        self,
        learned: Mapping[StreamKey, list[Value]],
        chosen: NDArray[np.int64] | None,
        rows: int,
    ) -> None:
        """Take the learned columns of `rows` rows that the summary has already."""
        most = profiles_max(self.plan)
        for key, values in learned.items():
            taken = values if chosen is None else [values[i] for i in chosen.tolist()]
            if key not in self.profiles:
                if len(self.profiles) >= most or all(value is None for value in taken):
                    continue
                self.profiles[key] = Profile()
                self.profiles[key].missing = self.rows - rows
            self.profiles[key].update(taken)
        for key in self.profiles.keys() - learned.keys():
            self.profiles[key].missing += rows


def joint_moments(plan: Plan) -> JointMoments | None:
    """Empty co-moments of what the plan gathers them of."""
    return None if plan.scaling is None else JointMoments(len(plan.scaling))


def profiles_max(plan: Plan) -> int:
    """How many streams are learned at most."""
    return plan.features_max + OUTPUTS_ROOM + len(plan.derived)


def merge_profiles(
    into: dict[StreamKey, Profile],
    into_rows: int,
    other: Mapping[StreamKey, Profile],
    other_rows: int,
    most: int,
) -> None:
    """Add profiles over `other_rows` rows to those over `into_rows`, at most `most` of them.

    A stream that only one side has was missing in all rows of the other.
    """
    for key, profile in other.items():
        if key not in into:
            if len(into) >= most:
                continue
            into[key] = Profile()
            into[key].missing = into_rows
        into[key].merge(profile)
    for key in into.keys() - other.keys():
        into[key].missing += other_rows


def _chosen_novel(novel: Novel, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """The novel names at the chosen positions, counted from the chosen rows' start."""
    places = np.searchsorted(chosen, novel.rows)
    inside = places < len(chosen)
    kept = np.zeros(len(places), dtype=bool)
    kept[inside] = chosen[places[inside]] == novel.rows[inside]
    names = [name for name, keep in zip(novel.names, kept.tolist(), strict=True) if keep]
    return places[kept].astype(np.int64), names
