"""The judge of one model version: from closed panes, in order, to what is known of it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from detectors.joint import Projection
from service.monitor.counting.panes import Pane
from service.monitor.detecting.watched_cells import watched_count
from service.monitor.detecting.windows import Freeze
from service.monitor.judging.comparison import Comparison, Transition
from service.monitor.judging.coverage import Coverage, Fate
from service.monitor.judging.learner import Learner
from service.monitor.references.in_force import InForce, References
from service.monitor.references.planning import lacks_derived, watched_part, with_learned
from service.monitor.references.reference import build_reference, merge_references, with_projection
from service.values.plans import Plan
from service.values.references import LEARNED, Lineage, Reference
from service.values.reports import ReferenceState
from service.values.streams import ModelKey, StreamKey, ValueType
from service.values.watches import Sharing, Watch


class Pacing(Struct, frozen=True):
    """How time is cut: the pane, and how far ahead a new reference must lie (all seconds).

    `ahead_seconds` is how long it takes until who counts has heard of it.
    """

    pane_seconds: float
    lateness_seconds: float
    ahead_seconds: float = 0.0

    def effective_from(self, newest_seconds: float) -> float:
        """The start of a pane at least two panes, the lateness and what it takes until it is known
        ahead of all that was seen.

        -inf when nothing was seen.
        """
        if math.isinf(newest_seconds):
            return -math.inf
        ahead = newest_seconds + self.lateness_seconds + 2 * self.pane_seconds + self.ahead_seconds
        return math.ceil(ahead / self.pane_seconds) * self.pane_seconds


class ModelJudge:
    """One model version. Panes come closed and merged over all partitions, ascending by start.

    `afresh` are the streams that the last pane's reference has ended, since it says something else
    of them or nothing, and why. `coverage` is what became of each minute, for audits.
    `sharing` tells how many streams share the budget now.
    """

    def __init__(
        self,
        key: ModelKey,
        watch: Watch,
        pacing: Pacing,
        references: References,
        sharing: Callable[[Watch], Sharing],
    ) -> None:
        self.key = key
        self.watch = watch
        self.pacing = pacing
        self.references = references
        self.learner = Learner()
        self.comparison: Comparison | None = None
        self.judged_from_seconds = math.inf
        self.judged_through_seconds = -math.inf
        self.panes_judged = 0
        self.rows_judged = 0
        self.rows_unjudged = 0
        self.unknown_features: set[str] = set()
        self.afresh: Mapping[StreamKey, str] = {}
        self.coverage = Coverage()
        self._mutes_end: tuple[Plan, float] | None = None
        self._counted: tuple[Plan, Sharing] | None = None
        self._sharing = sharing

    @property
    def reference_state(self) -> ReferenceState:
        """Whether the inputs have a reference, are learning one, or have none."""
        plan = self.references.newest.plan
        if plan.learn_inputs:
            return ReferenceState.LEARNING
        return (
            ReferenceState.NONE
            if self.references.newest.reference is None
            else ReferenceState.READY
        )

    @property
    def learned_ratio(self) -> float:
        """How much of what is needed to learn a reference was seen, from 0 to 1."""
        plan = self.references.newest.plan
        learning = plan.learn_inputs or plan.learn_outputs
        return self.learner.progress(self.watch) if learning else 1.0

    def judge(self, pane: Pane, newest_seconds: float, now_seconds: float) -> list[Transition]:
        """Take the next pane. `newest_seconds` is the newest event time seen of this model.

        A pane at or before one that was judged is not judged again; its rows count as unjudged.
        """
        end = pane.start_seconds + self.pacing.pane_seconds
        if end <= self.judged_through_seconds:
            self.rows_unjudged += pane.rows
            return []
        self.judged_from_seconds = min(self.judged_from_seconds, pane.start_seconds)
        self.judged_through_seconds = end
        self.panes_judged += 1
        self.rows_judged += pane.rows
        self._learn(pane, end, newest_seconds, now_seconds)
        comparison = self._comparison(pane)
        self.share_budget()
        transitions = [] if comparison is None else comparison.judge(pane)
        self._cover(pane, end, now_seconds)
        # Not those up to its end: a snapshot taken now is restored with this pane's reference.
        self.references.retire(pane.start_seconds)
        return transitions

    def share_budget(self) -> None:
        """Judge by the thresholds that keep the budget, whoever shares it now."""
        if self.comparison is not None:
            self.comparison.share_budget(self._sharing(self.watch))

    @property
    def watched_streams(self) -> Sharing:
        """How many streams of it share a budget."""
        plan = self.references.newest.plan
        if self._counted is None or self._counted[0] is not plan:
            self._counted = plan, watched_count(plan, self.watch)
        return self._counted[1]

    def state(self, freeze: Freeze) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "model": self.key.model,
            "version": self.key.version,
            "references": self.references.state(),
            "learner": self.learner.state(),
            "comparison": None if self.comparison is None else self.comparison.state(freeze),
            "judged_from_seconds": self.judged_from_seconds,
            "judged_through_seconds": self.judged_through_seconds,
            "panes_judged": self.panes_judged,
            "rows_judged": self.rows_judged,
            "rows_unjudged": self.rows_unjudged,
            "unknown_features": sorted(self.unknown_features),
            "coverage": self.coverage.state(),
        }

    def restore(self, state: dict[str, Any], *, goes_on_learning: bool = True) -> None:
        """Go on from where `state` was taken; `references` were restored by the caller. Where these
        are others than `state` had, what was being learned is begun anew.
        """
        if goes_on_learning:
            self.learner = Learner.from_state(state["learner"])
        self.judged_from_seconds = state["judged_from_seconds"]
        self.judged_through_seconds = state["judged_through_seconds"]
        self.panes_judged = state["panes_judged"]
        self.rows_judged = state["rows_judged"]
        self.rows_unjudged = state["rows_unjudged"]
        self.unknown_features = set(state["unknown_features"])
        if "coverage" in state:
            self.coverage = Coverage.from_state(state["coverage"])
        kept = state["comparison"]
        if kept is not None and self.references.knows(kept["reference_hash"]):
            self.comparison = self._compare_with(self.references.with_hash(kept["reference_hash"]))
            if self.comparison is not None:
                self.comparison.restore(kept)

    def take_up(self, given: Reference | None, newest_seconds: float) -> None:
        """Another reference that was given, or one with other features ignored.

        It comes into force from a pane that no event has touched yet; `newest_seconds` is the
        newest event time seen. Outputs that were learned and that a file says nothing of stay as
        they are. Without a file, what was learned loses the features now ignored, and what can be
        derived of the rest is learned.
        """
        newest = self.references.newest
        learns = newest.plan.learns
        wanted, given_hash = newest.reference, newest.given_hash
        if given is not None and given.hash != newest.given_hash:
            wanted = watched_part(with_learned(given, newest.reference), self.watch)
            given_hash, learns = given.hash, True
        elif wanted is not None:
            wanted = watched_part(wanted, self.watch)
            learns = learns or lacks_derived(wanted, self.watch)
        if wanted is newest.reference and learns == newest.plan.learns:
            return
        start = self.pacing.effective_from(max(newest_seconds, self.judged_through_seconds))
        self.references.add(start, given_hash, wanted, learns=learns)
        self.learner = Learner()

    def _comparison(self, pane: Pane) -> Comparison | None:
        """The comparison with the reference that the pane was binned by.

        A new one goes on with the streams that are the same; with that of before, where all are.
        """
        wanted = pane.plan.reference_hash
        self.afresh = {}
        if self.comparison is None or self.comparison.plan.reference_hash != wanted:
            entry = self.references.with_hash(wanted)
            known = entry.reference
            if self.comparison is None or known is None or not self.comparison.can_follow(known):
                self._exchange(self._compare_with(entry))
            else:
                self.comparison.follow(known, entry.plan)
        return self.comparison

    def _cover(self, pane: Pane, end: float, now_seconds: float) -> None:
        """Enter a pane that was judged just now."""
        blind: Fate = "learning" if pane.plan.learns else "unreferenced"
        self.coverage.add(
            pane.start_seconds,
            end,
            blind if self.comparison is None else "compared",
            pane.rows,
            muted=pane.start_seconds < self._muted_until(),
            age_seconds=now_seconds - end,
        )

    def _muted_until(self) -> float:
        """When the last mute of a feature that is compared ends; -inf without one."""
        if self.comparison is None:
            return -math.inf
        plan = self.comparison.plan
        if self._mutes_end is None or self._mutes_end[0] is not plan:
            mutes = (self.watch.feature(name).mute for name in plan.features)
            ends = (mute.until_seconds for mute in mutes if mute is not None)
            self._mutes_end = plan, max(ends, default=-math.inf)
        return self._mutes_end[1]

    def _exchange(self, comparison: Comparison | None) -> None:
        if comparison is not None and self.comparison is not None:
            self.afresh = comparison.take_over(self.comparison)
        self.comparison = comparison

    def _compare_with(self, entry: InForce) -> Comparison | None:
        if entry.reference is None:
            return None
        return Comparison(
            self.key,
            entry.reference,
            entry.plan,
            self.watch,
            self.pacing.pane_seconds,
            self._sharing(self.watch),
        )

    def _learn(self, pane: Pane, end: float, newest_seconds: float, now_seconds: float) -> None:
        newest = self.references.newest
        if not newest.plan.learns or pane.plan.reference_hash != newest.plan.reference_hash:
            return
        self.learner.add(pane, end)
        if self.learner.progress(self.watch) < 1.0:
            return
        reference = self._learned(newest.reference, now_seconds)
        self.references.add(
            self.pacing.effective_from(max(newest_seconds, end)),
            newest.given_hash,
            reference,
            learns=reference is None or reference is not newest.reference,
        )
        self.learner = Learner()

    def _learned(self, base: Reference | None, now_seconds: float) -> Reference | None:
        """The base with what was learned, None while nothing valid was ever seen."""
        scaling, joint = self.references.newest.plan.scaling, self.learner.joint
        if base is not None and scaling is not None and joint is not None:
            base = with_projection(base, Projection.of_moments(scaling, joint))
        profiles = self.learner.usable()
        if not profiles:
            return base
        lineage = Lineage(
            source=LEARNED,
            data_hash="",
            created_seconds=now_seconds,
            created_by="anchorwatch",
            from_seconds=self.learner.from_seconds,
            to_seconds=self.learner.to_seconds,
        )
        learned = build_reference(
            self.key.model,
            self.key.version,
            profiles,
            self.learner.rows,
            lineage,
            self._forced_types(profiles),
            categories_max=self.watch.categories_max,
        )
        return learned if base is None else merge_references(base, learned)

    def _forced_types(self, profiles: Any) -> dict[StreamKey, ValueType]:
        forced = {key: self.watch.feature(key.name).type for key in profiles if key.kind == "input"}
        return {key: type_ for key, type_ in forced.items() if type_ is not None}
