"""The backtest report as its template wants it: rows, sentences and pictures."""

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from service.publish import backtest_sentences as told
from service.publish.backtest_distances import ModelDistances, model_distances
from service.publish.pictures.histograms import histogram_pair
from service.publish.pictures.scores import score_line
from service.publish.pictures.svg import Picture
from service.publish.pictures.time_axis import minute
from service.publish.pictures.timeline import Strip, sparkline, timeline
from service.publish.words import duration, several
from service.values.backtests import (
    Alarm,
    Backtest,
    Case,
    Evidence,
    Histogram,
    History,
    NearMiss,
    Setting,
)
from service.values.episodes import Episode, Severity
from service.values.reports import ModelReport
from service.values.streams import Kind, StreamKey

DRAWN_MAX, STREAMS_DRAWN_MAX = 30, 3
"""Episodes with pictures, the worst ones, and streams of each. All stand in the table."""
ROWS_MAX = 1000
MODELS_DRAWN_MAX = 20
STREAMS_SHOWN_MAX = 300

_SEVERITIES = (Severity.PAGE, Severity.TICKET, Severity.LOG)


class StreamPictures(Struct, frozen=True):
    """One stream of an episode, drawn."""

    stream: str
    words: str
    seen: str
    pictures: tuple[Picture, ...]
    live: str


class EpisodeView(Struct, frozen=True):
    """One episode; `expected` None when no incidents are known; `drawn` are its worst streams."""

    id: str
    severity: str
    model: str
    started: str
    ended: str
    lasted: str
    words: str
    likely: str
    score: float
    streams: str
    expected: bool | None
    drawn: tuple[StreamPictures, ...]


class MissView(Struct, frozen=True):
    """One near miss."""

    model: str
    stream: str
    at: str
    score: str
    detector: str
    pictures: tuple[Picture, ...]
    live: str


class StreamView(Struct, frozen=True):
    """One stream over the whole time."""

    model: str
    stream: str
    score: float | None
    alarms: int
    missing: int
    invalid: int
    unseen: int
    sparkline: Markup


class SettingRow(Struct, frozen=True):
    """One tolerance: alarms under every budget, and which known incidents it misses."""

    tolerance: str
    configured: bool
    cells: tuple[Setting, ...]
    note: str


class BacktestView(Struct, frozen=True):
    """Everything."""

    title: str
    sentence: str
    incident_sentence: str
    timelines: tuple[tuple[str, Picture], ...]
    budgets: tuple[str, ...]
    settings: tuple[SettingRow, ...]
    episodes: tuple[EpisodeView, ...]
    misses: tuple[MissView, ...]
    unseen: tuple[tuple[str, tuple[str, ...]], ...]
    streams: tuple[StreamView, ...]
    distances: tuple[ModelDistances, ...] = ()


def backtest_view(backtest: Backtest) -> BacktestView:
    """The whole report."""
    names = sorted({model.key.model for model in backtest.outcome.models})
    return BacktestView(
        title=f"Backtest of {told.listed(names, 3)}" if names else "Backtest",
        sentence=told.opening(backtest),
        incident_sentence=told.of_incidents(backtest),
        timelines=tuple(
            (told.model_name(history.key), _timeline(history, backtest))
            for history in backtest.histories[:MODELS_DRAWN_MAX]
        ),
        budgets=tuple(dict.fromkeys(setting.budget for setting in backtest.what_if)),
        settings=_settings(backtest),
        episodes=_episodes(backtest),
        misses=tuple(map(_miss, backtest.near_misses)),
        unseen=tuple(
            (told.model_name(history.key), tuple(told.unseen(history)))
            for history in backtest.histories
        ),
        streams=_streams(backtest)[:STREAMS_SHOWN_MAX],
        distances=model_distances(backtest),
    )


def _timeline(history: History, backtest: Backtest) -> Picture:
    end = backtest.outcome.to_seconds
    own = [case for case in backtest.cases if case.episode.key == history.key]
    spans = tuple(
        (case.episode.started_seconds, case.episode.ended_seconds or end, _kind(case), "")
        for case in own
    )
    strips = [Strip("episodes", spans)]
    known = [
        finding
        for finding in backtest.findings or ()
        if finding.incident.model in ("", history.key.model)
    ]
    if backtest.findings is not None:
        marks = tuple(
            (
                finding.incident.start_seconds,
                finding.incident.end_seconds,
                "found" if finding.alarms else "missed",
                f"{'●' if finding.alarms else '╳'} {told.incident_name(finding.incident)}",  # noqa: RUF001
            )
            for finding in known
        )
        strips.append(Strip("known incidents", marks))
    name = told.model_name(history.key)
    sentence = f"{name}: {several(len(own), 'episode', 'episodes')}, {len(known)} known incidents."
    return timeline(name, history, strips, sentence)


def _kind(case: Case) -> str:
    return "unexpected" if case.expected is False else "episode"


def _settings(backtest: Backtest) -> tuple[SettingRow, ...]:
    rows: dict[float | None, list[Setting]] = {}
    for setting in backtest.what_if:
        rows.setdefault(setting.tolerance_sd, []).append(setting)
    return tuple(
        SettingRow(
            tolerance="as configured" if tolerance is None else f"{tolerance:g} sd",
            configured=any(setting.configured for setting in settings),
            cells=tuple(settings),
            note=_missed(settings, backtest),
        )
        for tolerance, settings in rows.items()
    )


def _missed(settings: Sequence[Setting], backtest: Backtest) -> str:
    """The known incidents that this tolerance misses under every budget."""
    findings = backtest.findings or ()
    always = set.intersection(*(set(setting.missed) for setting in settings))
    names = [told.incident_name(findings[position].incident) for position in sorted(always)]
    return f"misses {told.listed(names, 3)}" if names else ""


def _episodes(backtest: Backtest) -> tuple[EpisodeView, ...]:
    """In order of time; the worst are drawn."""
    cases = backtest.cases
    ranked = sorted(range(len(cases)), key=lambda i: _rank(cases[i].episode))
    drawn = set(ranked[:DRAWN_MAX])
    shown = [i for i in range(len(cases)) if i < ROWS_MAX or i in drawn]
    return tuple(_episode(cases[i], backtest, draw=i in drawn) for i in shown)


def _rank(episode: Episode) -> tuple[int, float]:
    return _SEVERITIES.index(episode.severity), -episode.peak


def _episode(case: Case, backtest: Backtest, *, draw: bool) -> EpisodeView:
    episode = case.episode
    names = [told.stream_name(stream.key) for stream in episode.streams]
    more = episode.streams_total - len(names)
    return EpisodeView(
        id=episode.id,
        severity=episode.severity.value,
        model=told.episode_model(episode),
        started=minute(episode.started_seconds),
        ended="" if episode.ended_seconds is None else minute(episode.ended_seconds),
        lasted=told.lasted(episode),
        words=episode.words,
        likely=episode.likely,
        score=episode.peak,
        streams=told.listed([*names, *(["…"] if more > 0 else [])]),
        expected=case.expected if case.alarms else None,
        drawn=_drawn(case, backtest) if draw else (),
    )


def _drawn(case: Case, backtest: Backtest) -> tuple[StreamPictures, ...]:
    """The streams with the highest scores, each as of its first alarm."""
    first: dict[StreamKey, int] = {}
    for position in case.alarms:
        if backtest.evidence[position] is not None:
            first.setdefault(backtest.outcome.alarms[position].stream, position)
    peaks = {stream.key: stream.peak for stream in case.episode.streams}
    worst = sorted(first, key=lambda key: -peaks.get(key, 0.0))[:STREAMS_DRAWN_MAX]
    views = []
    for key in worst:
        alarm, evidence = backtest.outcome.alarms[first[key]], backtest.evidence[first[key]]
        if evidence is not None:
            views.append(_pictures(alarm, evidence))
    return tuple(views)


def _pictures(alarm: Alarm, evidence: Evidence) -> StreamPictures:
    stream = told.stream_name(alarm.stream)
    score = score_line(stream, evidence.line, alarm.started_seconds)
    return StreamPictures(
        stream=stream,
        words=alarm.summary,
        seen=_seen(alarm, evidence),
        pictures=(*_shape(alarm.stream, evidence.histogram), score),
        live=_live(evidence),
    )


def _shape(stream: StreamKey, histogram: Histogram) -> tuple[Picture, ...]:
    """The histogram pair; none of a volume, which is one number and has no shape."""
    if stream.kind is Kind.VOLUME:
        return ()
    return (histogram_pair(told.stream_name(stream), histogram),)


def _seen(alarm: Alarm, evidence: Evidence) -> str:
    """`page_hinkley at once, adwin after 3 h`."""
    if not evidence.seen_after_seconds:
        return ", ".join(alarm.detectors)
    return ", ".join(
        f"{name} {f'after {duration(after)}' if after else 'at once'}"
        for name, after in sorted(evidence.seen_after_seconds.items(), key=lambda pair: pair[1])
    )


def _live(shown: Evidence | NearMiss) -> str:
    histogram = shown.histogram
    return (
        f"Reference: {sum(histogram.reference):,} rows. Live: {sum(histogram.live):,} rows, "
        f"{minute(histogram.from_seconds)} to {minute(histogram.to_seconds)} UTC."
    )


def _miss(miss: NearMiss) -> MissView:
    return MissView(
        model=told.model_name(miss.model),
        stream=told.stream_name(miss.stream),
        at=minute(miss.at_seconds),
        score=told.almost(miss.score),
        detector=miss.detector,
        pictures=_shape(miss.stream, miss.histogram),
        live=_live(miss),
    )


def _streams(backtest: Backtest) -> tuple[StreamView, ...]:
    """By the highest score they reached."""
    reports = {model.key: model for model in backtest.outcome.models}
    views = [
        _stream(history, key, reports.get(history.key), backtest)
        for history in backtest.histories
        for key in history.streams
    ]
    return tuple(sorted(views, key=lambda view: -(view.score or 0.0)))


def _stream(
    history: History, key: StreamKey, model: ModelReport | None, backtest: Backtest
) -> StreamView:
    scores = history.streams[key].scores
    known = [score for score in scores if score == score]  # noqa: PLR0124 - NaN
    report = next((s for s in model.streams if s.key == key), None) if model else None
    name = told.stream_name(key)
    return StreamView(
        model=told.model_name(history.key),
        stream=name,
        score=max(known, default=None),
        alarms=sum(a.model == history.key and a.stream == key for a in backtest.outcome.alarms),
        missing=0 if report is None else report.missing_total,
        invalid=0 if report is None else report.invalid_total,
        unseen=0 if report is None else report.unseen_total,
        sparkline=sparkline(name, scores),
    )
