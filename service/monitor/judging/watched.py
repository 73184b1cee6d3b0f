"""From judges and partitions to what the record keeps of them for audits. Pure, for every role."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from detectors.dispersion import Status
from service.monitor.counting.counted import CountedPartition
from service.monitor.judging.judge import Judge
from service.monitor.judging.model_judge import ModelJudge
from service.monitor.judging.policy_reporting import policy_reports
from service.monitor.references.in_force import InForce
from service.values.reports import PolicyLevel
from service.values.watched import (
    NAMES_MAX,
    LineageFacts,
    ModelFacts,
    ModelWatched,
    MuteFacts,
    PartitionWatched,
    PolicyWatched,
)
from service.values.watches import Watch

_TEXT_MAX = 500


class Followed(CountedPartition, Protocol):
    """A partition whose position is known."""

    @property
    def next_offset(self) -> int:
        """The offset after the last record that was counted."""
        ...


def watched_model(
    judge: Judge,
    model: ModelJudge,
    partitions: Iterable[CountedPartition],
    now_seconds: float,
    config_hash: str,
) -> ModelWatched:
    """One model version as it stands, without `facts`. `partitions` are all of them."""
    totals = judge.totals(model.key, partitions)
    return ModelWatched(
        at_seconds=now_seconds,
        model=model.key.model,
        version=model.key.version,
        config_hash=config_hash,
        reference_hash=reference_hash_of(model),
        first_seconds=_finite(model.judged_from_seconds),
        through_seconds=_finite(model.judged_through_seconds),
        panes=model.panes_judged,
        predictions=totals.predictions,
        judged=model.rows_judged,
        unjudged=model.rows_unjudged,
        late=totals.late,
        rejected={reason.value: count for reason, count in totals.rejected.items()},
        hours=model.coverage.hours(),
        hours_lost=model.coverage.lost,
        policy=_against_policy(model),
    )


def watched_partitions(partitions: Iterable[Followed]) -> tuple[PartitionWatched, ...]:
    """The position and the book of each, in order of topic and number."""
    return tuple(
        PartitionWatched(
            topic=one.partition.topic,
            partition=one.partition.number,
            position=one.next_offset,
            applied=one.book.applied,
            ignored=one.book.ignored,
            rejected={reason.value: count for reason, count in one.book.rejected.items()},
        )
        for one in sorted(partitions, key=lambda one: one.partition)
    )


def read_through(partitions: Iterable[CountedPartition], now_seconds: float) -> float | None:
    """When all logs had been read to their ends; None in a backlog, or without a partition."""
    reached = min((one.caught_up_seconds for one in partitions), default=-math.inf)
    return None if reached == -math.inf else min(reached, now_seconds)


def reference_hash_of(model: ModelJudge) -> str:
    """Of the reference that is compared with now; empty without one."""
    return "" if model.comparison is None else model.comparison.plan.reference_hash


def facts_of(model: ModelJudge, now_seconds: float) -> ModelFacts:
    """What is watched of a model version, and how."""
    watch, comparison = model.watch, model.comparison
    features = [] if comparison is None else sorted(comparison.plan.features)
    blind, unsettled = _wandering(model)
    return ModelFacts(
        team=watch.team,
        tier=watch.tier,
        features_total=len(features),
        features=tuple(features[:NAMES_MAX]),
        reference=None if comparison is None else _lineage(_entry(model)),
        mutes=tuple(_mutes(watch, features, now_seconds))[:NAMES_MAX],
        unstable=tuple(blind[:NAMES_MAX]),
        unsettled=unsettled,
        budget=_budget(watch),
        tolerance=_tolerance(watch),
        policy=_policy(watch),
    )


def _entry(model: ModelJudge) -> InForce:
    return model.references.with_hash(reference_hash_of(model))


def _against_policy(model: ModelJudge) -> PolicyWatched | None:
    comparison = model.comparison
    if comparison is None or comparison.policy is None:
        return None
    named = zip(comparison.plan.streams, policy_reports(comparison), strict=True)
    told = [(key.words, report) for key, report in named if report is not None]
    levels = Counter(report.level for _, report in told)
    known = [(r.distance, name) for name, r in told if math.isfinite(r.distance)]
    highest, stream = max(known, default=(None, ""))
    return PolicyWatched(
        within=levels[PolicyLevel.WITHIN],
        amber=levels[PolicyLevel.AMBER],
        red=levels[PolicyLevel.RED],
        unknown=levels[PolicyLevel.UNKNOWN],
        too_few=sum(report.too_few for _, report in told),
        highest=highest,
        stream=stream,
        covered_ratio=round(max((r.covered_ratio for _, r in told), default=0.0), 4),
    )


def _lineage(entry: InForce) -> LineageFacts | None:
    reference = entry.reference
    if reference is None:
        return None
    lineage = reference.lineage
    return LineageFacts(
        hash=reference.hash,
        source=lineage.source,
        created_seconds=lineage.created_seconds,
        created_by=lineage.created_by,
        rows=reference.rows,
        effective_from_seconds=_finite(entry.effective_from_seconds),
        data_hash=lineage.data_hash,
        dataset=lineage.dataset,
        from_seconds=lineage.from_seconds,
        to_seconds=lineage.to_seconds,
        metadata={name: text[:_TEXT_MAX] for name, text in [*lineage.metadata.items()][:NAMES_MAX]},
    )


def _mutes(watch: Watch, features: Iterable[str], now_seconds: float) -> Iterable[MuteFacts]:
    for name in features:
        mute = watch.feature(name).mute
        if mute is not None and now_seconds < mute.until_seconds:
            yield MuteFacts(name, mute.until_seconds, mute.by, mute.why[:_TEXT_MAX], mute.ticket)


def _wandering(model: ModelJudge) -> tuple[list[str], int]:
    """The streams that never alarm, and how many are still judged with wider tolerances."""
    if model.comparison is None:
        return [], 0
    status = model.comparison.detection.status.tolist()
    named = zip(model.comparison.streams, status, strict=True)
    blind = [f"{key.kind.value} {key.name}" for key, of in named if of == Status.UNSTABLE]
    return blind, sum(of == Status.LEARNING for of in status)


def _budget(watch: Watch) -> str:
    budget = watch.budget
    return f"{budget.alarms:g} in {budget.period_seconds / 86_400:g} days per {budget.scope}"


def _tolerance(watch: Watch) -> str:
    return (
        f"{watch.tolerance_sd:g} sd; of rates {watch.tolerance_ratio:g} x "
        f"or {100 * watch.tolerance_points:g} points"
    )


def _policy(watch: Watch) -> str:
    policy = watch.policy
    if policy is None:
        return ""
    limits = f"amber {policy.amber:g}, red {policy.red:g}"
    return f"{policy.method} over {policy.bins} bins and {policy.window.name}: {limits}"


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
