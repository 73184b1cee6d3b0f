"""Which series a report gives: the only place that knows what in a report a family means."""

from collections import Counter
from collections.abc import Iterable

from service.publish import episode_families as e
from service.publish import fleet_families as f
from service.publish import model_families as m
from service.publish import service_families as s
from service.publish.families import Detail
from service.publish.sheet import Sheet
from service.values.episodes import Episode, EpisodeCount, Severity
from service.values.rejects import Reason
from service.values.reports import (
    CHECKPOINT_BOUNDS_SECONDS,
    LATENCY_BOUNDS_SECONDS,
    ConfigReport,
    ExchangeReport,
    Knowledge,
    ModelReport,
    PolicyLevel,
    PolicyReport,
    ReferenceState,
    Report,
    StreamReport,
    StreamState,
    TopicReport,
    WholeModel,
    WindowReport,
)
from service.values.streams import OF_ROWS, Kind, ValueType

REASONS = tuple(reason for reason in Reason if reason is not Reason.LATE)
"""Exported from 0, since a counter born at 1 has no increase. Late rows have their own counter."""


POLICY_SERIES = 3
"""Of each stream that a policy is about."""


def add_model(sheet: Sheet, model: ModelReport) -> None:
    """Volume, latency and standing of one model: what is never given up."""
    key = model.key
    sheet.add(m.PREDICTIONS, model.predictions_total, *key)
    sheet.add(m.PREDICTIONS_WEIGHTED, model.weight_total, *key)
    sheet.add(m.ROWS_LATE, model.late_total, *key)
    sheet.add(m.ROWS_UNJUDGED, model.unjudged_total, *key)
    sheet.add(m.PANES_JUDGED, model.panes_judged_total, *key)
    for reason in REASONS:
        sheet.add(m.ROWS_REJECTED, model.rejected_totals.get(reason, 0), *key, reason.value)
    sheet.add_histogram(
        m.LATENCY, LATENCY_BOUNDS_SECONDS, model.latency_counts, model.latency_sum_seconds, *key
    )
    sheet.add(m.LAST_RECORD, model.last_record_seconds, *key)
    sheet.add(m.WATERMARK, model.watermark_seconds, *key)
    sheet.add(m.MODEL_INFO, 1, *key, model.team, str(model.tier), model.runbook)
    _add_streams_of(sheet, model)
    _add_reference(sheet, model)
    _add_policy_limits(sheet, model)


def add_budgets(sheet: Sheet, models: Iterable[ModelReport]) -> None:
    """The false alarms that each team has agreed to, a second, over all of its models.

    A budget of all models together has no team: it is told once, under an empty one.
    """
    accepted: dict[str, float] = {}
    for model in models:
        if model.budget is None:
            continue
        team = "" if model.budget.scope == "all" else model.team
        rate = model.budget.alarms / model.budget.period_seconds
        known = accepted.get(team, 0.0) if model.budget.scope == "model" else 0.0
        accepted[team] = known + rate
    for team, rate in accepted.items():
        sheet.add(m.FALSE_ALARM_BUDGET, rate, team)


def add_whole_models(sheet: Sheet, models: Iterable[WholeModel]) -> None:
    """Of each model, whatever its versions: whether a record is due, and whom alerts about it
    reach, where they reach anybody.
    """
    for model in models:
        if model.record_is_due is not None:
            sheet.add(m.MODEL_EXPECTED, int(model.record_is_due), model.model, model.team)
        for category, severity in model.severities.items():
            if severity is not Severity.LOG:
                labels = (model.model, model.team, category.value, severity.value)
                sheet.add(m.MODEL_SEVERITY, 1, *labels)


def add_stream(sheet: Sheet, model: ModelReport, stream: StreamReport) -> None:
    """Quality counters and score of one stream, and its standing by a policy."""
    labels = (*model.key, stream.key.name, stream.key.kind.value)
    if stream.key.kind not in OF_ROWS:
        sheet.add(m.MISSING_VALUES, stream.missing_total, *labels)
        sheet.add(m.INVALID_VALUES, stream.invalid_total, *labels)
        if _has_strangers(stream):
            sheet.add(m.UNSEEN_VALUES, stream.unseen_total, *labels)
    if stream.state is StreamState.WATCHED:
        sheet.add(m.DRIFT_SCORE, stream.score, *labels, stream.source)
    if stream.muted_until_seconds is not None:
        sheet.add(m.MUTED_UNTIL, stream.muted_until_seconds, *labels, model.team)
    if stream.policy is not None:
        _add_policy(sheet, labels, stream.policy)


def stream_series(stream: StreamReport) -> int:
    """How many series `add_stream` gives, at most."""
    told = (stream.state is StreamState.WATCHED) + (stream.muted_until_seconds is not None)
    if stream.key.kind in OF_ROWS:
        return told
    of_policy = 0 if stream.policy is None else POLICY_SERIES
    return 2 + _has_strangers(stream) + told + of_policy


def _has_strangers(stream: StreamReport) -> bool:
    """Whether values can be unseen: unknown categories, and inputs beyond all that is plausible."""
    return stream.type is not ValueType.NUMERIC or stream.key.kind is Kind.INPUT


def add_distances(sheet: Sheet, model: ModelReport, stream: StreamReport, detail: Detail) -> None:
    """Distances of one stream and, in `full`, its quantiles and the detectors' evidence."""
    if not shows_distances(stream, detail):
        return
    labels = (*model.key, stream.key.name, stream.key.kind.value)
    for window in stream.windows:
        sheet.add(m.DRIFT_PSI, window.psi, *labels, window.window)
        sheet.add(m.DRIFT_JENSEN_SHANNON, window.jensen_shannon, *labels, window.window)
        sheet.add(m.DRIFT_KS, window.ks, *labels, window.window)
        sheet.add(m.DRIFT_WASSERSTEIN, window.wasserstein_sd, *labels, window.window)
        if detail is Detail.FULL and not stream.hidden:
            _add_quantiles(sheet, labels, window)
    if detail is Detail.FULL:
        for detector in stream.detectors:
            sheet.add(m.DETECTOR_EVIDENCE, detector.evidence, *labels, detector.name)
            sheet.add(m.DETECTOR_LEVEL, detector.level, *labels, detector.name)


def shows_distances(stream: StreamReport, detail: Detail) -> bool:
    """True when the level of detail holds this stream's distances."""
    return detail is Detail.FULL or (
        detail is Detail.EPISODE and stream.drifted_since_seconds is not None
    )


def distance_series(stream: StreamReport, detail: Detail) -> int:
    """How many series `add_distances` gives, at most.

    Undefined distances count too, so that the level does not flap as windows fill.
    """
    if not shows_distances(stream, detail):
        return 0
    distances = (4 if stream.type is ValueType.NUMERIC else 3) * len(stream.windows)
    if detail is not Detail.FULL:
        return distances
    quantiles = 0 if stream.hidden else sum(len(window.quantiles) for window in stream.windows)
    return distances + quantiles + 2 * len(stream.detectors)


def add_episodes(sheet: Sheet, episodes: Iterable[Episode], counts: Iterable[EpisodeCount]) -> None:
    """Episodes that last and that somebody is to hear of, and the counts of all."""
    for episode in episodes:
        if episode.is_open and episode.severity is not Severity.LOG:
            labels = (
                *episode.key,
                episode.kind,
                episode.severity.value,
                episode.team,
                episode.id,
                "true" if episode.drill else "",
            )
            sheet.add(e.EPISODE_ACTIVE, 1, *labels)
            sheet.add(e.EPISODE_ONSET, episode.onset_seconds, *labels)
            for member in episode.members:
                sheet.add(e.UPSTREAM_MEMBER, 1, *member.key, episode.source, episode.id)
    for count in counts:
        of = count.labels
        under = (of.model, of.version, of.kind, of.severity.value, of.team)
        sheet.add(e.EPISODES, count.started, *under)
        sheet.add(e.EPISODE_VERDICTS, count.real, *under, "true")
        sheet.add(e.EPISODE_VERDICTS, count.false, *under, "false")
        sheet.add(e.EPISODES_DECIDED, count.decided_real, *under, "true")
        sheet.add(e.EPISODES_DECIDED, count.decided_false, *under, "false")


def add_service(sheet: Sheet, report: Report) -> None:
    """Books, partitions and the service itself. The books wait, as models do, for `caught_up`."""
    if report.caught_up:
        for topic in report.topics:
            _add_book(sheet, topic)
    for owned in report.partitions:
        labels = (owned.partition.topic, str(owned.partition.number))
        sheet.add(s.PARTITION_OWNED, 1, *labels)
        sheet.add(s.LAG_RECORDS, owned.lag_records, *labels)
        sheet.add(s.LAG_SECONDS, owned.lag_seconds, *labels)
    sheet.add(s.READ_THROUGH, report.read_through_seconds)
    topics = {topic.topic for topic in report.topics}
    for name in sorted(topics.union(report.partitions_missing)):
        sheet.add(s.PARTITIONS_MISSING, report.partitions_missing.get(name, 0), name)
    for name in report.service.absent_topics:
        sheet.add(s.TOPIC_ABSENT, 1, name)
    _add_health(sheet, report)
    _add_state(sheet, report)


def _add_streams_of(sheet: Sheet, model: ModelReport) -> None:
    key = model.key
    knowledge = Counter(stream.knowledge for stream in model.streams)
    muted = sum(stream.state is StreamState.MUTED for stream in model.streams)
    drifted = sum(
        stream.state is not StreamState.MUTED and stream.drifted_since_seconds is not None
        for stream in model.streams
    )
    sheet.add(m.FEATURES, len(model.streams), *key)
    sheet.add(m.FEATURES_DRIFTED, drifted, *key)
    sheet.add(m.FEATURES_MUTED, muted, *key)
    sheet.add(m.FEATURES_LEARNING, knowledge[Knowledge.LEARNING], *key)
    sheet.add(m.FEATURES_UNSTABLE, knowledge[Knowledge.UNSTABLE], *key)
    sheet.add(m.DETECTABLE_SHIFT, model.detectable_shift_sd, *key)
    sheet.add(m.FEATURES_UNKNOWN, len(model.unknown_features), *key)
    sheet.add(m.FEATURES_ABSENT, len(model.absent_features), *key)
    alarms: Counter[str] = Counter()
    for stream in (*model.streams, *model.segments):
        for detector in stream.detectors:
            alarms[detector.name] += detector.alarms
    for name, count in alarms.items():
        sheet.add(m.DETECTOR_ALARMS, count, *key, name)


def _add_reference(sheet: Sheet, model: ModelReport) -> None:
    key = model.key
    for state in ReferenceState:
        sheet.add(m.REFERENCE_STATE, int(state is model.reference_state), *key, state.value)
    sheet.add(m.REFERENCE_ROWS, model.reference_rows, *key)
    sheet.add(m.REFERENCE_LEARNED, model.reference_learned_ratio, *key)
    sheet.add(m.REFERENCE_CREATED, model.reference_created_seconds, *key)
    if model.reference_hash:
        sheet.add(m.REFERENCE_INFO, 1, *key, model.reference_hash)


def _add_policy_limits(sheet: Sheet, model: ModelReport) -> None:
    if model.policy is not None:
        of = (*model.key, model.policy.method, model.policy.window.name)
        sheet.add(m.POLICY_LIMIT, model.policy.amber, *of, PolicyLevel.AMBER.value)
        sheet.add(m.POLICY_LIMIT, model.policy.red, *of, PolicyLevel.RED.value)


def _add_policy(sheet: Sheet, labels: tuple[str, ...], policy: PolicyReport) -> None:
    of = (*labels, policy.limits.method, policy.limits.window.name)
    sheet.add(m.POLICY_DISTANCE, policy.distance, *of)
    sheet.add(m.POLICY_EXPECTED, policy.expected, *of)
    sheet.add(m.POLICY_COVERED, policy.covered_ratio, *of)


def _add_quantiles(sheet: Sheet, labels: tuple[str, ...], window: WindowReport) -> None:
    for probability, value in window.quantiles:
        sheet.add(m.FEATURE_QUANTILE, value, *labels, f"{probability:g}", window.window)


def _add_book(sheet: Sheet, topic: TopicReport) -> None:
    sheet.add(s.RECORDS_CONSUMED, topic.consumed, topic.topic)
    sheet.add(s.RECORDS_APPLIED, topic.applied, topic.topic)
    sheet.add(s.RECORDS_IGNORED, topic.ignored, topic.topic)
    for reason in REASONS:
        sheet.add(s.RECORDS_REJECTED, topic.rejected.get(reason, 0), topic.topic, reason.value)


def _add_health(sheet: Sheet, report: Report) -> None:
    service = report.service
    sheet.add(s.READY, int(service.ready))
    sheet.add(s.REPORT_TIME, report.at_seconds)
    sheet.add(s.CONFIG_INFO, 1, service.config_hash)
    if service.config is not None:
        _add_config(sheet, service.config)
    if service.external_url:
        sheet.add(s.WEB_INFO, 1, service.external_url)
    sheet.add(s.BUILD_INFO, 1, service.version, service.revision, service.role)
    sheet.add(s.MODELS_OVER_LIMIT, service.models_over_limit_total)
    for timing in service.timings:
        sheet.add(s.STEP_SECONDS, timing.seconds_total, timing.step)
        sheet.add(s.STEP_CALLS, timing.calls_total, timing.step)
        sheet.add(s.STEP_MAX, timing.seconds_max, timing.step)


def _add_config(sheet: Sheet, config: ConfigReport) -> None:
    for file, is_ok in config.files.items():
        sheet.add(s.CONFIG_FILE_OK, int(is_ok), file)
    sheet.add(s.CONFIG_RELOAD_OK, int(config.is_taken_up))
    if config.success_seconds is not None:
        sheet.add(s.CONFIG_RELOAD_TIME, config.success_seconds)
    sheet.add(s.CONFIG_RESTART_NEEDED, int(bool(config.waiting)))


def _add_state(sheet: Sheet, report: Report) -> None:
    service = report.service
    sheet.add(s.CHECKPOINT_LAST_SUCCESS, service.checkpoint_last_success_seconds)
    sheet.add(s.CHECKPOINT_SIZE, service.checkpoint_bytes)
    sheet.add(s.CHECKPOINT_FAILURES, service.checkpoint_failures_total)
    sheet.add(s.EPISODE_RECORD_FAILURES, service.episode_record_failures_total)
    sheet.add(s.REFERENCE_FAILURES, service.reference_failures_total)
    sheet.add(s.CHECKPOINT_FALLBACKS, service.checkpoint_fallbacks_total)
    sheet.add(s.OUT_OF_RANGE, service.out_of_range_total)
    sheet.add(s.DEAD_LETTERS, service.dead_letters_total)
    sheet.add(s.DEAD_LETTERS_FAILED, service.dead_letters_failed_total)
    sheet.add_histogram(
        s.CHECKPOINT_SECONDS,
        CHECKPOINT_BOUNDS_SECONDS,
        service.checkpoint_counts,
        service.checkpoint_sum_seconds,
    )
    if service.state_free_bytes is not None:
        sheet.add(s.STATE_FREE, service.state_free_bytes)
    if service.state_size_bytes is not None:
        sheet.add(s.STATE_SIZE, service.state_size_bytes)
    if service.state_reloads_total is not None:
        sheet.add(f.STATE_RELOADS, service.state_reloads_total)
    if service.exchange is not None:
        _add_exchange(sheet, service.exchange)


def _add_exchange(sheet: Sheet, exchange: ExchangeReport) -> None:
    sheet.add(f.PANE_CONFLICTS, exchange.conflicts_total)
    sheet.add(f.PANE_RECORDS_LOST, exchange.lost_total)
    for reason, count in exchange.refused_totals.items():
        sheet.add(f.PANE_RECORDS_REFUSED, count, reason)
