"""The judge: closes a pane once every partition has passed it, and has each model judged whole."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial, reduce
from typing import Any

from service.monitor.counting.counted import CountedPartition
from service.monitor.counting.panes import Pane
from service.monitor.counting.shard import TimeRules
from service.monitor.counting.totals import ModelTotals
from service.monitor.detecting.windows import Freeze
from service.monitor.episodes.book import Episodes
from service.monitor.episodes.pane_verdicts import PaneVerdict
from service.monitor.judging.closing import closed_through, newest_seconds, take_closed
from service.monitor.judging.comparison import Comparison, Transition
from service.monitor.judging.evidence import describe, drifting
from service.monitor.judging.model_judge import ModelJudge, Pacing
from service.monitor.judging.origins import (
    GivenReference,
    InheritedReference,
    Origins,
    PublishedEntries,
)
from service.monitor.references.agreement import Entries
from service.values.episodes import OffsetRange
from service.values.plans import Plan, Schedule
from service.values.references import Reference
from service.values.streams import ModelKey, StreamKey
from service.values.watches import Sharing, Watch

WatchFor = Callable[[str], Watch]
PlanFor = Callable[[ModelKey, Watch, Reference | None, bool], Plan]
Judged = Callable[[ModelJudge, Pane, list[Transition]], None]
"""Is told of every pane that was judged, after it was, with what changed in it."""

WATCHED_AT_ONCE = 10
"""So many go over to other settings at a time: each takes some 50 ms, with 50 features."""

IN_USE_PANES = 60
"""A version is in use that was judged within so many panes."""


class Judge:
    """All models. `schedule` admits a model version the first time it is asked about one.

    `episodes` are what people hear of; without any they are kept all the same, under no severity.
    Beside what is `given`, references are `inherited` by a version from others of its model; of a
    fleet they are `published`, and it takes `ahead_seconds` until every worker knows.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every part by name
        self,
        watch_for: WatchFor,
        given: GivenReference,
        plan_for: PlanFor,
        rules: TimeRules,
        idle_after_seconds: float,
        models_max: int,
        judged: Judged = lambda _model, _pane, _changed: None,
        *,
        episodes: Episodes | None = None,
        inherited: InheritedReference = lambda _key, _in_force: None,
        published: PublishedEntries = lambda _key: None,
        ahead_seconds: float = 0.0,
    ) -> None:
        self._watch_for = watch_for
        self._origins = Origins(given, inherited, published)
        self._plan_for = plan_for
        self._rules = rules
        self._pacing = Pacing(rules.pane_seconds, rules.lateness_seconds, ahead_seconds)
        self._idle_after_seconds = idle_after_seconds
        self._models_max = models_max
        self._judged = judged
        self.episodes = episodes or Episodes()
        self.models: dict[ModelKey, ModelJudge] = {}
        self.over_limit = 0
        self._watched_before: list[ModelKey] = []

    def schedule(self, key: ModelKey) -> Schedule | None:
        """The plans of a model version; None when there are as many as may be."""
        model = self.models.get(key)
        if model is None:
            if len(self.models) >= self._models_max:
                self.over_limit += 1
                return None
            model, _ = self._admit(key, None)
        return model.references.schedule()

    def admits(self, key: ModelKey) -> bool:
        """Whether a model version that is counted elsewhere is judged."""
        return self.schedule(key) is not None

    def give_up(self, key: ModelKey, rows: int) -> None:
        """Rows that were counted elsewhere and can never be judged."""
        if key in self.models:
            self.models[key].rows_unjudged += rows

    @property
    def is_learning(self) -> bool:
        """Whether a reference may be learned of the very next events, so that it matters how many
        of them are read before it is.
        """
        return not self.models or any(
            model.references.newest.plan.learns for model in self.models.values()
        )

    def plan(self, key: ModelKey, reference_hash: str) -> Plan:
        """The plan a kept pane was counted under. Raises KeyError if it is not in force."""
        return self.models[key].references.with_hash(reference_hash).plan

    def note_unknown(self, features: Mapping[ModelKey, frozenset[str]], most: int = 100) -> None:
        """Remember names of features that events have and no plan watches."""
        for key, names in features.items():
            if key in self.models:
                known = self.models[key].unknown_features
                known.update(sorted(names - known)[: max(0, most - len(known))])

    def advance(
        self, shards: Iterable[CountedPartition], now_seconds: float, *, to_the_end: bool = False
    ) -> list[Transition]:
        """Judge every pane that every partition has passed; all of them at the end of a replay.

        In order of time over all models, so that models which drift together are seen together.
        """
        shards = sorted(shards, key=lambda shard: shard.partition)
        taken: list[tuple[float, int, ModelJudge, float, Pane]] = []
        for order, (key, model) in enumerate(self.models.items()):
            end = math.inf
            if not to_the_end:
                end = closed_through(key, shards, self._rules, self._idle_after_seconds)
            if end == -math.inf:
                continue
            # What is taken now was binned by the references known now: none may begin within it.
            newest = newest_seconds(key, shards)
            panes = take_closed(model, shards, end, self._rules.pane_seconds)
            taken += [(start, order, model, newest, pane) for start, pane in panes.items()]
        transitions: list[Transition] = []
        for _, _, model, newest, pane in sorted(taken, key=lambda entry: entry[:2]):
            judged_before = model.panes_judged
            changed = model.judge(pane, newest, now_seconds)
            if model.panes_judged == judged_before:
                continue
            if model.comparison is not None:
                self._follow(model, model.comparison, pane, now_seconds)
            self._judged(model, pane, changed)
            transitions += changed
        return transitions

    def forget(self, shards: Iterable[CountedPartition], now_seconds: float) -> list[ModelKey]:
        """Let go of model versions that are silent everywhere, and say which.

        The end of every log has to have been reached so long after the last event, so that neither
        an outage nor a backlog makes anybody forgotten. One that comes back begins anew.
        """
        shards = list(shards)
        reached = min((shard.caught_up_seconds for shard in shards), default=-math.inf)
        gone = []
        for key in list(self.models):
            seen = [shard.models[key].last_seen_seconds for shard in shards if key in shard.models]
            silent_until = max(seen, default=now_seconds) + self._rules.forget_after_seconds
            if min(now_seconds, reached) >= silent_until:
                gone.append(key)
                model = self.models.pop(key)
                self.episodes.end(key, model.judged_through_seconds, "silent for too long")
                for shard in shards:
                    shard.forget(key)
        return gone

    def totals(self, key: ModelKey, shards: Iterable[CountedPartition]) -> ModelTotals:
        """The counters of a model version over all partitions, what is open included."""
        totals = ModelTotals()
        for shard in shards:
            part = shard.models.get(key)
            if part is not None:
                part.add_totals_to(totals)
        return totals

    def state(self, freeze: Freeze = lambda part: part) -> dict[str, Any]:
        """Plain values and arrays for a snapshot; `freeze` is given what will not change again."""
        return {
            "over_limit": self.over_limit,
            "models": [model.state(freeze) for model in self.models.values()],
            "episodes": self.episodes.state(),
        }

    def restore(self, state: dict[str, Any], newest_seconds: Mapping[ModelKey, float]) -> None:
        """Go on from where `state` was taken; `newest_seconds` is the newest event time of each
        model in any partition, open panes included.
        """
        self.over_limit = state["over_limit"]
        if "episodes" in state:
            self.episodes.restore(state["episodes"])
        for model_state in state["models"]:
            key = ModelKey(model_state["model"], model_state["version"])
            model, is_kept = self._admit(key, model_state["references"])
            model.restore(model_state, goes_on_learning=is_kept)
            model.take_up(self._origins.given(key), newest_seconds.get(key, -math.inf))
        for model in self.models.values():
            model.share_budget()
        self._hide()

    def take_up(self, shards: Iterable[CountedPartition]) -> list[ModelKey]:
        """Take up what is given anew, from a pane that no event has touched yet; for which versions
        there was something.
        """
        shards, taken = list(shards), []
        for key, model in self.models.items():
            given = self._origins.given(key)
            if given is not None and given.hash != model.references.newest.given_hash:
                model.take_up(given, newest_seconds(key, shards))
                taken.append(key)
        return taken

    def watch_as(self, watch_for: WatchFor, is_changed: Callable[[str], bool]) -> None:
        """Watch as other settings say from now on; models that are known, and whose name
        `is_changed`, as soon as `watch_some` has come to them.
        """
        self._watch_for = watch_for
        changed = (key for key in self.models if is_changed(key.model))
        self._watched_before = list(dict.fromkeys((*self._watched_before, *changed)))
        self._hide()

    def watch_some(
        self, shards: Iterable[CountedPartition], copied: Callable[[Any], Any]
    ) -> list[ModelKey]:
        """Of those that are still watched as other settings said have the next few go on, with all
        that is known of them, as after a restart; which these are.

        `copied` gives a state anew, so that nothing of the model's old judge is shared.
        """
        some = self._watched_before[:WATCHED_AT_ONCE]
        self._watched_before = self._watched_before[WATCHED_AT_ONCE:]
        taken, shards = [key for key in some if key in self.models], list(shards)
        for key in taken:
            state = copied(self.models[key].state(lambda part: part))
            model, is_kept = self._admit(key, state["references"])
            model.restore(state, goes_on_learning=is_kept)
            model.take_up(self._origins.given(key), newest_seconds(key, shards))
        for model in self.models.values() if taken else ():
            model.share_budget()
        return taken

    def _hide(self) -> None:
        """What was described under other settings may tell what is hidden now."""
        watches: dict[str, Watch] = {}

        def hides(model: str, stream: StreamKey) -> bool:
            if model not in watches:
                watches[model] = self._watch_for(model)
            return watches[model].hides(stream)

        self.episodes.hide(hides)

    def _admit(self, key: ModelKey, kept: Entries | None) -> tuple[ModelJudge, bool]:
        """The model, and whether it goes on with what was `kept` of its references."""
        watch = self._watch_for(key.model)

        def make_plan(reference: Reference | None, learns: bool) -> Plan:
            return self._plan_for(key, watch, reference, learns)

        others = (m.references.newest.reference for k, m in self.models.items() if k != key)
        in_force = (reference for reference in others if reference is not None)
        references, is_kept = self._origins.begin(key, kept, in_force, make_plan)
        model = ModelJudge(key, watch, self._pacing, references, self._streams_of_team)
        self.models[key] = model
        return model, is_kept

    def _follow(
        self, model: ModelJudge, comparison: Comparison, pane: Pane, now_seconds: float
    ) -> None:
        """Let the episodes take the verdict on a pane that was just judged."""
        found, muted = drifting(comparison, pane)
        if not found and not self.episodes.has_open(model.key):
            return
        end = pane.start_seconds + self._rules.pane_seconds
        verdict = PaneVerdict(
            model=model.key,
            team=model.watch.team,
            tier=model.watch.tier,
            start_seconds=pane.start_seconds,
            end_seconds=end,
            rows=pane.rows,
            reference_hash=comparison.plan.reference_hash,
            afresh=model.afresh,
            drifting=tuple(found),
            muted=muted,
            offsets=tuple(
                OffsetRange(*partition, *offsets)
                for partition, offsets in sorted(pane.offsets.items())
            ),
            # In a replay everything is past; it is told as if it were live.
            age_seconds=max(0.0, now_seconds - end) if self._rules.use_host_clock else 0.0,
            other_versions=self._other_versions(model.key, end),
        )
        self.episodes.take(verdict, partial(describe, comparison, pane))

    def _other_versions(self, key: ModelKey, end_seconds: float) -> tuple[str, ...]:
        """The versions of a model that are in use beside this one, and compared."""
        since = end_seconds - IN_USE_PANES * self._rules.pane_seconds
        return tuple(
            other.version
            for other, model in self.models.items()
            if other.model == key.model
            and other != key
            and model.comparison is not None
            and model.judged_through_seconds >= since
        )

    def _streams_of_team(self, watch: Watch) -> Sharing:
        """Streams that share the budget of `watch`: those of its team, of all, or of the model.

        Of models that were judged: then the number is the same however the log was read.
        """
        if watch.budget.scope == "model":
            return Sharing()
        sharing = (
            m
            for m in self.models.values()
            if m.panes_judged and (watch.budget.scope == "all" or m.watch.team == watch.team)
        )
        return reduce(Sharing.plus, (model.watched_streams for model in sharing), Sharing())


def newest_by_model(shards: Iterable[Mapping[str, Any]]) -> dict[ModelKey, float]:
    """The newest event time of each model in the kept states of all shards (`Judge.restore`)."""
    newest: dict[ModelKey, float] = {}
    for shard in shards:
        for model in shard["models"]:
            key = ModelKey(model["model"], model["version"])
            starts = [pane["start_seconds"] for pane in model["panes"]]
            newest[key] = max(newest.get(key, -math.inf), model["newest_seconds"], *starts)
    return newest
