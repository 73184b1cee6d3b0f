"""Learning what normal looks like from the first closed panes of a model without a reference."""

import math
from collections.abc import Mapping
from typing import Any

from detectors.joint import JointMoments
from detectors.summary.profile import Profile
from service.monitor.counting.panes import Pane, joint_moments, merge_profiles, profiles_max
from service.values.streams import Kind, StreamKey
from service.values.watches import Watch


class Learner:
    """Profiles of the streams that have no reference yet, over the panes seen so far; and, where
    the plan gathers them, the co-moments of the inputs.

    It learns from closed panes, in order of event time: so what is learned does not depend on how
    the partitions' records were interleaved.
    """

    def __init__(self) -> None:
        self.profiles: dict[StreamKey, Profile] = {}
        self.joint: JointMoments | None = None
        self.rows = 0
        self.from_seconds = math.nan
        self.to_seconds = math.nan

    def add(self, pane: Pane, end_seconds: float) -> None:
        """Take a closed pane."""
        most = profiles_max(pane.plan)
        merge_profiles(self.profiles, self.rows, pane.profiles, pane.rows, most)
        if pane.joint is not None:
            self.joint = self.joint or joint_moments(pane.plan)
            if self.joint is not None:
                self.joint.merge(pane.joint)
        self.rows += pane.rows
        if math.isnan(self.from_seconds):
            self.from_seconds = pane.start_seconds
        self.to_seconds = end_seconds

    def progress(self, watch: Watch) -> float:
        """How much of what is needed was seen, from 0 to 1."""
        if not self.rows:
            return 0.0
        by_rows = self.rows / max(1, watch.learn_events)
        span = self.to_seconds - self.from_seconds
        by_time = span / watch.learn_seconds if watch.learn_seconds > 0 else 1.0
        return min(1.0, by_rows, by_time)

    def usable(self) -> Mapping[StreamKey, Profile]:
        """The profiles that have a valid value; the others teach nothing."""
        return {key: p for key, p in self.profiles.items() if p.rows > p.missing + p.invalid}

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "rows": self.rows,
            "from_seconds": self.from_seconds,
            "to_seconds": self.to_seconds,
            "profiles": [[k.kind.value, k.name, p.state()] for k, p in self.profiles.items()],
            "joint": None if self.joint is None else self.joint.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Learner":
        """The learner that `state` was taken of."""
        learner = cls()
        learner.rows = state["rows"]
        learner.from_seconds = state["from_seconds"]
        learner.to_seconds = state["to_seconds"]
        learner.profiles = {
            StreamKey(Kind(kind), name): Profile.from_state(profile)
            for kind, name, profile in state["profiles"]
        }
        if state.get("joint") is not None:
            learner.joint = JointMoments.from_state(state["joint"])
        return learner
