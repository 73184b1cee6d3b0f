"""From judges and shards to the frozen report that the publishers read."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.dispersion import Status
from service.monitor.counting.counted import CountedPartition
from service.monitor.counting.totals import ModelTotals, RecordBook
from service.monitor.detecting.sensing import HOUR_SECONDS, typical_shift
from service.monitor.episodes.book import Episodes, Owner
from service.monitor.judging.comparison import Comparison
from service.monitor.judging.judge import Judge
from service.monitor.judging.model_judge import ModelJudge
from service.monitor.judging.policy_reporting import policy_reports
from service.monitor.judging.windows_told import KeptWindows, WindowsTold
from service.values.episodes import EpisodeCount
from service.values.reports import (
    DetectorReport,
    Knowledge,
    ModelReport,
    StreamReport,
    StreamState,
    TopicReport,
)
from service.values.streams import Kind, ModelKey, StreamKey, ValueType, segment_of
from service.values.watches import Mute

_NOTHING = np.zeros(3, dtype=np.int64)


def model_reports(
    judge: Judge,
    shards: Iterable[CountedPartition],
    lateness_seconds: float,
    now_seconds: float,
    kept: KeptWindows | None = None,
) -> tuple[ModelReport, ...]:
    """One report for each model version that the shards hold, by name and version.

    Who reports again and again gives the same `kept` each time: that is quicker.
    """
    kept = KeptWindows() if kept is None else kept
    shards = list(shards)
    held = {key for shard in shards for key in shard.models} & judge.models.keys()
    kept.forget(but=held)
    return tuple(
        _model_report(judge, judge.models[key], shards, lateness_seconds, now_seconds, kept)
        for key in sorted(held)
    )


def episode_counts(episodes: Episodes, models: Iterable[ModelReport]) -> tuple[EpisodeCount, ...]:
    """How many episodes of the reported models and of their sources there were, from 0."""
    models = list(models)
    owners = {model.key: Owner(model.tier, model.team) for model in models}
    on_source: dict[str, dict[ModelKey, Owner]] = {}
    for model in models:
        for source in {stream.source for stream in model.streams if stream.source}:
            on_source.setdefault(source, {})[model.key] = owners[model.key]
    shared = [on for on in on_source.values() if len({key.model for key in on}) > 1]
    return episodes.counted(owners, {on[min(on, key=lambda k: (on[k].tier, k))] for on in shared})


def topic_reports(shards: Iterable[CountedPartition]) -> tuple[TopicReport, ...]:
    """The book of records of each topic."""
    books: dict[str, RecordBook] = {}
    for shard in shards:
        books.setdefault(shard.partition.topic, RecordBook()).merge(shard.book)
    return tuple(
        TopicReport(topic, book.consumed, book.applied, book.ignored, dict(book.rejected))
        for topic, book in sorted(books.items())
    )


def _model_report(
    judge: Judge,
    model: ModelJudge,
    shards: list[CountedPartition],
    lateness: float,
    now: float,
    kept: KeptWindows,
) -> ModelReport:
    totals = judge.totals(model.key, shards)
    parts = [shard.models[model.key] for shard in shards if model.key in shard.models]
    entry = model.references.newest
    reference = entry.reference
    told = None
    if model.comparison is not None:
        told = kept.tell(model.comparison, _open_cells(model.key, model.comparison, shards))
    streams = _streams(model, totals, told, now)
    return ModelReport(
        key=model.key,
        team=model.watch.team,
        tier=model.watch.tier,
        runbook=model.watch.runbook,
        reference_state=model.reference_state,
        reference_learned_ratio=model.learned_ratio,
        reference_hash="" if reference is None else reference.hash,
        reference_rows=0 if reference is None else reference.rows,
        reference_created_seconds=(
            math.nan if reference is None else reference.lineage.created_seconds
        ),
        predictions_total=totals.predictions,
        weight_total=totals.weight,
        late_total=totals.late,
        rejected_totals=dict(totals.rejected),
        latency_counts=tuple(totals.latency_counts.tolist()),
        latency_sum_seconds=totals.latency_sum_seconds,
        last_record_seconds=_latest(part.last_arrival_seconds for part in parts),
        watermark_seconds=_latest(part.watermark(lateness) for part in parts),
        streams=tuple(stream for stream in streams if segment_of(stream.key) is None),
        segments=tuple(stream for stream in streams if segment_of(stream.key) is not None),
        unknown_features=tuple(sorted(model.unknown_features)),
        absent_features=_absent(model.comparison),
        panes_judged_total=model.panes_judged,
        unjudged_total=model.rows_unjudged,
        budget=model.watch.budget,
        detectable_shift_sd=_detectable_shift(model.comparison),
        policy=model.watch.policy,
    )


def _latest(times: Iterable[float]) -> float:
    known = [time for time in times if math.isfinite(time)]
    return max(known, default=math.nan)


def _open_cells(
    key: ModelKey, comparison: Comparison, shards: list[CountedPartition]
) -> NDArray[np.int64]:
    """Counts of the panes that are still open, under the plan that is being compared with."""
    plan = comparison.plan
    cells = np.zeros(plan.layout.cell_count, dtype=np.int64)
    for shard in shards:
        part = shard.models.get(key)
        for pane in () if part is None else part.open_panes(plan):
            cells += pane.summary.cells
    return cells


def _streams(
    model: ModelJudge, totals: ModelTotals, told: WindowsTold | None, now: float
) -> tuple[StreamReport, ...]:
    comparison = model.comparison
    compared = () if comparison is None else comparison.plan.streams
    reports = (
        []
        if comparison is None or told is None
        else _compared(model, comparison, totals, told, now)
    )
    for key in totals.quality:
        if key not in compared and _is_learning(model):
            reports.append(_learning(model, key, totals))
    return tuple(reports)


def _is_learning(model: ModelJudge) -> bool:
    return model.references.newest.plan.learns


def _learning(model: ModelJudge, key: StreamKey, totals: ModelTotals) -> StreamReport:
    counted = _counted(key, totals.quality[key])
    return StreamReport(
        key=key,
        type=ValueType.NUMERIC,
        state=StreamState.LEARNING,
        score=0.0,
        drifted_since_seconds=None,
        missing_total=counted.missing,
        invalid_total=counted.invalid,
        unseen_total=counted.unseen,
        predictions_total=counted.predictions,
        source=_source(model, key),
    )


def _source(model: ModelJudge, key: StreamKey) -> str:
    if key.kind not in {Kind.INPUT, Kind.QUALITY}:
        return ""
    return model.watch.feature(key.name).source


def _compared(
    model: ModelJudge,
    comparison: Comparison,
    totals: ModelTotals,
    told: WindowsTold,
    now: float,
) -> list[StreamReport]:
    score, since = comparison.score, comparison.drift.since_seconds
    status = comparison.detection.status
    policy = policy_reports(comparison)
    reports = []
    for i, key in enumerate(comparison.streams):
        mute = model.watch.mute_of(key, now)
        drifted = mute is None and not math.isnan(since[i])
        has_values = i < len(comparison.plan.streams)
        counted = _counted(key, totals.quality.get(key, _NOTHING) if has_values else _NOTHING)
        reports.append(
            StreamReport(
                key=key,
                type=comparison.reference.streams[i].type if has_values else ValueType.CATEGORICAL,
                state=StreamState.WATCHED if mute is None else StreamState.MUTED,
                score=float(score[i]),
                drifted_since_seconds=float(since[i]) if drifted else None,
                missing_total=counted.missing,
                invalid_total=counted.invalid,
                unseen_total=counted.unseen,
                predictions_total=counted.predictions,
                source=_source(model, key),
                hidden=comparison.hides(i),
                windows=told.of_streams[i] if has_values else (),
                detectors=_detectors(comparison, i),
                summary=comparison.words(told.measured, i) if drifted else _in_short(mute),
                knowledge=_KNOWLEDGE[Status(int(status[i]))],
                policy=policy[i] if has_values and policy else None,
                muted_until_seconds=None if mute is None else mute.until_seconds,
            )
        )
    return reports


class _Counted(NamedTuple):
    """Values of one stream; `predictions` are those of a segment, which misses none."""

    missing: int
    invalid: int
    unseen: int
    predictions: int = 0


def _counted(key: StreamKey, quality: NDArray[np.int64]) -> _Counted:
    """What `ModelTotals.quality` says of it."""
    first, invalid, unseen = quality.tolist()
    if segment_of(key) is not None:
        return _Counted(0, invalid, unseen, first)
    return _Counted(first, invalid, unseen)


_KNOWLEDGE = {
    Status.READY: Knowledge.SETTLED,
    Status.LEARNING: Knowledge.LEARNING,
    Status.UNSTABLE: Knowledge.UNSTABLE,
}


def _in_short(mute: Mute | None) -> str:
    if mute is None:
        return ""
    last_day = datetime.fromtimestamp(mute.until_seconds - 1, UTC).date()
    ticket = f" ({mute.ticket})" if mute.ticket else ""
    return f"muted until {last_day} by {mute.by}: {mute.why}{ticket}"


def _detectors(comparison: Comparison, stream: int) -> tuple[DetectorReport, ...]:
    return tuple(
        DetectorReport(
            name=bank.name,
            evidence=float(bank.evidence[stream]),
            level=float(bank.level[stream]),
            alarms=int(bank.alarms[stream]),
        )
        for bank in comparison.banks
        if math.isfinite(bank.level[stream])
    )


def _detectable_shift(comparison: Comparison | None) -> float:
    """At the rate of events of the window nearest to an hour."""
    if comparison is None or not comparison.windows:
        return math.nan
    window = min(comparison.windows, key=lambda w: abs(math.log(w.length.seconds / HOUR_SECONDS)))
    covered = window.end_seconds - window.start_seconds
    if not covered > 0 or math.isinf(covered):
        return math.nan
    events = window.total.rows / covered * comparison.detection.pane_seconds
    return typical_shift(comparison.detection, events)


def _absent(comparison: Comparison | None) -> tuple[str, ...]:
    """Features of the reference of which the longest window has seen no value at all.

    It may have rows of before a stream had cells.
    """
    if comparison is None or not comparison.windows:
        return ()
    layout, cells = comparison.plan.layout, comparison.windows[-1].total.cells
    if not layout.stream_count:
        return ()
    missing = cells[layout.missing_cells()]
    rows = np.add.reduceat(cells, layout.offsets[:-1])
    return tuple(
        key.name
        for key, count, seen in zip(
            comparison.plan.streams, missing.tolist(), rows.tolist(), strict=True
        )
        if key.kind is Kind.INPUT and seen and count == seen
    )
