"""A pane: what was seen of one model version in one slice of event time, in one partition."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.summary.profile import Profile
from detectors.summary.summary import Summary
from service.monitor.totals import quality_of_profiles, quality_of_summary
from service.values.batches import Batch, Novel
from service.values.plans import Plan
from service.values.streams import Kind, StreamKey


class Pane:
    """Open or closed. `profiles` hold the streams without cells: those that are being learned."""

    def __init__(self, start_seconds: float, plan: Plan) -> None:
        self.start_seconds = start_seconds
        self.plan = plan
        self.summary = Summary(plan.layout)
        self.profiles: dict[StreamKey, Profile] = {}

    @property
    def rows(self) -> int:
        """Rows seen."""
        return self.summary.rows

    def add(self, batch: Batch, chosen: NDArray[np.int64] | None) -> None:
        """Take rows of `batch`: all, or those at the positions `chosen` (ascending)."""
        if chosen is None:
            novel = {i: (n.rows, n.names) for i, n in batch.novel.items()}
            self.summary.update(batch.numeric, batch.codes, novel, float(batch.weights.sum()))
        else:
            novel = {i: _chosen_novel(n, chosen) for i, n in batch.novel.items()}
            weight = float(batch.weights[chosen].sum())
            self.summary.update(batch.numeric[chosen], batch.codes[chosen], novel, weight)
        for key, values in batch.learned.items():
            taken = values if chosen is None else [values[i] for i in chosen.tolist()]
            self.profiles.setdefault(key, Profile()).update(taken)

    def merge(self, other: "Pane") -> None:
        """Add the same pane of another partition."""
        self.summary.merge(other.summary)
        for key, profile in other.profiles.items():
            self.profiles.setdefault(key, Profile()).merge(profile)

    def quality(self) -> dict[StreamKey, NDArray[np.int64]]:
        """[missing, invalid, unseen] values by stream."""
        return quality_of_summary(self.plan, self.summary) | quality_of_profiles(self.profiles)

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot; the plan goes by its reference's hash."""
        return {
            "start_seconds": self.start_seconds,
            "reference": self.plan.reference_hash,
            "summary": self.summary.state(),
            "profiles": [[k.kind.value, k.name, p.state()] for k, p in self.profiles.items()],
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
        return pane


def _chosen_novel(novel: Novel, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """The novel names at the chosen positions, counted from the chosen rows' start."""
    places = np.searchsorted(chosen, novel.rows)
    inside = places < len(chosen)
    kept = np.zeros(len(places), dtype=bool)
    kept[inside] = chosen[places[inside]] == novel.rows[inside]
    names = [name for name, keep in zip(novel.names, kept.tolist(), strict=True) if keep]
    return places[kept].astype(np.int64), names
