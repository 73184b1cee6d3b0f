"""The service itself as the status page shows it: books, partitions, state, memory, loop."""

from collections.abc import Mapping

from msgspec import Struct

from service.publish.exposition import Page
from service.publish.words import known
from service.values.reports import ExchangeReport, Report, TopicReport


class BookView(Struct, frozen=True):
    """One topic's book. `difference` is what consumed has over the sum of the others: 0."""

    topic: str
    consumed: int
    applied: int
    ignored: int
    rejected: int
    difference: int
    rejected_totals: Mapping[str, int]
    partitions: int
    partitions_missing: int
    lag_records: int
    lag_seconds: float | None


class PartitionView(Struct, frozen=True):
    """One partition that is read here."""

    topic: str
    partition: int
    position: int
    lag_records: int
    lag_seconds: float | None


class StepView(Struct, frozen=True):
    """One step of the loop."""

    step: str
    calls_total: int
    seconds_total: float
    seconds_mean: float
    seconds_max: float


class ServiceView(Struct, frozen=True):
    """The service itself; times are epoch seconds, None when it has not happened yet."""

    version: str
    revision: str
    config_hash: str
    started_seconds: float
    not_ready_because: str
    warnings: tuple[str, ...]
    absent_topics: Mapping[str, str]
    episode_options: str | None
    balanced: bool
    books: tuple[BookView, ...]
    partitions: tuple[PartitionView, ...]
    checkpoint_last_success_seconds: float | None
    checkpoint_bytes: int
    checkpoint_failures_total: int
    checkpoint_fallbacks_total: int
    out_of_range_total: int
    dead_letters_total: int
    dead_letters_failed_total: int
    state_free_bytes: int | None
    state_size_bytes: int | None
    resident_bytes: int
    models_over_limit_total: int
    series: int
    series_omitted: Mapping[str, int]
    metrics_detail: str
    steps: tuple[StepView, ...]
    role: str = "all"
    state_reloads_total: int | None = None
    exchange: ExchangeReport | None = None


def service_view(report: Report, page: Page, resident_bytes: int) -> ServiceView:
    """The service as it is shown."""
    service = report.service
    books = tuple(_book(report, topic) for topic in report.topics)
    return ServiceView(
        version=service.version,
        revision=service.revision,
        config_hash=service.config_hash,
        started_seconds=service.started_seconds,
        not_ready_because="" if service.ready else service.not_ready_because or "not ready",
        warnings=service.all_warnings,
        absent_topics=service.absent_topics,
        episode_options=service.episode_options,
        balanced=all(book.difference == 0 for book in books),
        books=books,
        partitions=_partitions(report),
        checkpoint_last_success_seconds=known(service.checkpoint_last_success_seconds),
        checkpoint_bytes=service.checkpoint_bytes,
        checkpoint_failures_total=service.checkpoint_failures_total,
        checkpoint_fallbacks_total=service.checkpoint_fallbacks_total,
        out_of_range_total=service.out_of_range_total,
        dead_letters_total=service.dead_letters_total,
        dead_letters_failed_total=service.dead_letters_failed_total,
        state_free_bytes=service.state_free_bytes,
        state_size_bytes=service.state_size_bytes,
        resident_bytes=resident_bytes,
        models_over_limit_total=service.models_over_limit_total,
        series=page.series,
        series_omitted=page.omitted,
        metrics_detail=page.detail_used,
        steps=_steps(report),
        role=service.role,
        state_reloads_total=service.state_reloads_total,
        exchange=service.exchange,
    )


def _book(report: Report, topic: TopicReport) -> BookView:
    owned = [p for p in report.partitions if p.partition.topic == topic.topic]
    rejected = sum(topic.rejected.values())
    return BookView(
        topic=topic.topic,
        consumed=topic.consumed,
        applied=topic.applied,
        ignored=topic.ignored,
        rejected=rejected,
        difference=topic.consumed - topic.applied - topic.ignored - rejected,
        rejected_totals={reason.value: n for reason, n in topic.rejected.items() if n},
        partitions=len(owned),
        partitions_missing=report.partitions_missing.get(topic.topic, 0),
        lag_records=sum(p.lag_records for p in owned),
        lag_seconds=known(max((p.lag_seconds for p in owned), default=0.0)),
    )


def _partitions(report: Report) -> tuple[PartitionView, ...]:
    return tuple(
        PartitionView(
            topic=owned.partition.topic,
            partition=owned.partition.number,
            position=owned.position,
            lag_records=owned.lag_records,
            lag_seconds=known(owned.lag_seconds),
        )
        for owned in report.partitions
    )


def _steps(report: Report) -> tuple[StepView, ...]:
    return tuple(
        StepView(
            step=timing.step,
            calls_total=timing.calls_total,
            seconds_total=timing.seconds_total,
            seconds_mean=timing.seconds_total / max(timing.calls_total, 1),
            seconds_max=timing.seconds_max,
        )
        for timing in report.service.timings
    )
