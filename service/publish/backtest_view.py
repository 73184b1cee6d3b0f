"""The backtest report as its template wants it: rows, sentences and pictures."""

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from service.publish import backtest_sentences as told
from service.publish.pictures.histograms import histogram_pair
from service.publish.pictures.scores import score_line
from service.publish.pictures.svg import Picture
from service.publish.pictures.time_axis import minute
from service.publish.pictures.timeline import Strip, sparkline, timeline
from service.publish.words import duration, several
from service.values.backtests import (
    Alarm,
    Backtest,
    Evidence,
    History,
    NearMiss,
    Setting,
)
from service.values.reports import ModelReport
from service.values.streams import StreamKey

DRAWN_MAX = 40
"""Alarms with pictures: the highest ones. All stand in the table."""
ROWS_MAX = 1000
MODELS_DRAWN_MAX = 20
STREAMS_SHOWN_MAX = 300


class AlarmView(Struct, frozen=True):
    """One alarm; `unexpected` None when no incidents are known, `pictures` where it is drawn."""

    number: int
    model: str
    stream: str
    started: str
    ended: str
    lasted: str
    words: str
    score: float
    seen: str
    unexpected: bool | None
    pictures: tuple[Picture, ...]
    live: str


class MissView(Struct, frozen=True):
    """One near miss."""

    model: str
    stream: str
    at: str
    score: str
    detector: str
    picture: Picture
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
    alarms: tuple[AlarmView, ...]
    misses: tuple[MissView, ...]
    unseen: tuple[tuple[str, tuple[str, ...]], ...]
    streams: tuple[StreamView, ...]


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
        alarms=_alarms(backtest),
        misses=tuple(map(_miss, backtest.near_misses)),
        unseen=tuple(
            (told.model_name(history.key), tuple(told.unseen(history)))
            for history in backtest.histories
        ),
        streams=_streams(backtest)[:STREAMS_SHOWN_MAX],
    )


def _timeline(history: History, backtest: Backtest) -> Picture:
    end = backtest.outcome.to_seconds
    own = [
        (i, alarm) for i, alarm in enumerate(backtest.outcome.alarms) if alarm.model == history.key
    ]
    spans = tuple(
        (alarm.started_seconds, _end(alarm, end), _kind(i, backtest), "") for i, alarm in own
    )
    strips = [Strip("alarms", spans)]
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
    sentence = f"{name}: {several(len(own), 'alarm', 'alarms')}, {len(known)} known incidents."
    return timeline(name, history, strips, sentence)


def _kind(position: int, backtest: Backtest) -> str:
    return "unexpected" if position in backtest.unexpected else "alarm"


def _end(alarm: Alarm, last: float) -> float:
    return last if alarm.ended_seconds is None else alarm.ended_seconds


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


def _alarms(backtest: Backtest) -> tuple[AlarmView, ...]:
    pairs = list(zip(backtest.outcome.alarms, backtest.evidence, strict=True))
    known = [i for i, (_, evidence) in enumerate(pairs) if evidence is not None]
    drawn = set(sorted(known, key=lambda i: -_peak(*pairs[i]))[:DRAWN_MAX])
    views = []
    for i, (alarm, evidence) in enumerate(pairs):
        if i >= ROWS_MAX and i not in drawn:
            continue
        unexpected = None if backtest.findings is None else i in backtest.unexpected
        views.append(_alarm(i, alarm, evidence, unexpected=unexpected, draw=i in drawn))
    return tuple(views)


def _peak(alarm: Alarm, evidence: Evidence | None) -> float:
    return alarm.score if evidence is None else evidence.peak


def _alarm(
    position: int,
    alarm: Alarm,
    evidence: Evidence | None,
    *,
    unexpected: bool | None,
    draw: bool,
) -> AlarmView:
    stream = told.stream_name(alarm.stream)
    pictures: tuple[Picture, ...] = ()
    if draw and evidence is not None:
        pictures = (
            histogram_pair(stream, evidence.histogram),
            score_line(stream, evidence.line, alarm.started_seconds),
        )
    return AlarmView(
        number=position + 1,
        model=told.model_name(alarm.model),
        stream=stream,
        started=minute(alarm.started_seconds),
        ended="" if alarm.ended_seconds is None else minute(alarm.ended_seconds),
        lasted=told.lasted(alarm),
        words=alarm.summary,
        score=_peak(alarm, evidence),
        seen=_seen(alarm, evidence),
        unexpected=unexpected,
        pictures=pictures,
        live="" if evidence is None else _live(evidence),
    )


def _seen(alarm: Alarm, evidence: Evidence | None) -> str:
    """`page_hinkley at once, adwin after 3 h`."""
    if evidence is None or not evidence.seen_after_seconds:
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
    stream = told.stream_name(miss.stream)
    return MissView(
        model=told.model_name(miss.model),
        stream=stream,
        at=minute(miss.at_seconds),
        score=told.almost(miss.score),
        detector=miss.detector,
        picture=histogram_pair(stream, miss.histogram),
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
