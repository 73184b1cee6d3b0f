"""Small backtests to render: believable ones, and one with hostile names."""

import math

from service.values.backtests import (
    Alarm,
    Backtest,
    Case,
    Evidence,
    Finding,
    Gap,
    Histogram,
    History,
    HourOfDay,
    Incident,
    InputFile,
    NearMiss,
    Origin,
    Outcome,
    ScoreLine,
    Setting,
)
from service.values.episodes import Category, Episode, EpisodeStream, Phase, Severity
from service.values.rejects import Reason
from service.values.reports import TopicReport
from service.values.streams import Kind, ModelKey, StreamKey, ValueType
from tests.unit.publish import reports

T0 = 1_790_000_000.0 // 3600 * 3600
HOUR = 3600.0
MODEL = ModelKey("credit-risk", "3")
INCOME = StreamKey(Kind.INPUT, "income")
CHANNEL = StreamKey(Kind.INPUT, "channel")

NUMERIC = Histogram(
    type=ValueType.NUMERIC,
    edges=(10.0, 20.0, 30.0, 50.0),
    categories=(),
    minimum=1.0,
    maximum=90.0,
    reference=(10, 40, 40, 8, 2, 0, 0),
    live=(0, 100, 300, 500, 90, 10, 0),
    from_seconds=T0,
    to_seconds=T0 + 60,
)
CATEGORICAL = Histogram(
    type=ValueType.CATEGORICAL,
    edges=(),
    categories=("app", "branch", "web"),
    minimum=math.nan,
    maximum=math.nan,
    reference=(50, 30, 20, 0, 0, 0, 0),
    live=(500, 100, 200, 0, 200, 0, 0),
    from_seconds=T0,
    to_seconds=T0 + 60,
)


def line(scores=(0.1, 0.3, math.nan, 0.5, 1.2, 40.0)):
    starts = tuple(T0 + i * HOUR for i in range(len(scores)))
    return ScoreLine(HOUR, starts, tuple(scores))


def alarm(hour, stream=INCOME, model=MODEL, hours=2.0, summary="up 0.4 sd, PSI 0.31"):
    started = T0 + hour * HOUR
    ended = None if hours is None else started + hours * HOUR
    return Alarm(model, stream, started, ended, 1.2, ("page_hinkley",), summary)


def episode(alarms, words="income up 0.4 sd", severity=Severity.TICKET):
    first, last = alarms[0], alarms[-1]
    streams = tuple(
        EpisodeStream(a.stream.kind, a.stream.name, "", 1.2, 6.3, a.started_seconds, T0)
        for a in alarms
    )
    return Episode(
        id=f"credit-risk-{int(first.started_seconds)}",
        sequence=1,
        phase=Phase.RECOVERED,
        category=Category.DRIFT,
        kind="input",
        model=first.model.model,
        version=first.model.version,
        team="retail-credit",
        tier=1,
        severity=severity,
        source="",
        onset_seconds=first.started_seconds,
        started_seconds=first.started_seconds,
        updated_seconds=first.started_seconds,
        ended_seconds=last.ended_seconds,
        ended_because="",
        score=1.2,
        peak=6.3,
        told_score=6.3,
        streams=streams,
        streams_total=len(streams),
        members=(),
        upstream="",
        cause="",
        likely="upstream: one source.",
        words=words,
        backlog=False,
        evidence=None,
    )


def history(key=MODEL, streams=(INCOME, CHANNEL)):
    return History(
        key=key,
        scores=line(),
        rows=(10, 20, 0, 40, 50, 60),
        streams=dict.fromkeys(streams, line()),
        first_seconds=T0,
        judged_from_seconds=T0 + HOUR,
        gaps=(Gap(T0 + 2 * HOUR, T0 + 3 * HOUR),),
        silent_seconds=HOUR,
        hours=(HourOfDay(3, 120.0, 0.2), HourOfDay(4, 1.0, math.inf), HourOfDay(5, 30.0, 0.4)),
        constant=(StreamKey(Kind.INPUT, "country"),),
        blind=(),
    )


def origin():
    return Origin(
        command="anchorwatch replay 'events-*.jsonl' --html report.html",
        versions={"anchorwatch": "0.1.0", "Python": "3.11.2"},
        config_hash="77ab" * 16,
        config_text="detection:\n  pane: 60s\n",
        files=(InputFile("events.jsonl", 74_200_000, "9f2c" * 16),),
    )


def settings():
    return tuple(
        Setting(
            tolerance, budget, (tolerance, budget) == (0.15, "1 per 30 d"), count, 2 * count, ()
        )
        for tolerance, count in ((0.1, 7), (0.15, 2), (0.25, 1))
        for budget in ("1 per 7 d", "1 per 30 d")
    )


def believable(*, findings=True, model=MODEL, stream=INCOME, words="income up 0.4 sd"):
    alarms = (
        alarm(1, stream, model),
        alarm(2, CHANNEL, model, summary="share of web from 1 % to 9 %"),
    )
    late = alarm(5, stream, model, hours=None)
    evidence = Evidence(6.3, {"page_hinkley": 0.0, "adwin": 3 * HOUR}, NUMERIC, line())
    incidents = (
        Finding(Incident(T0, T0 + 3 * HOUR, what="the feed broke"), (0, 1), 2 * HOUR),
        Finding(Incident(T0 + 3.2 * HOUR, T0 + 3.4 * HOUR, feature="age"), (), math.nan),
    )
    return Backtest(
        outcome=Outcome(
            alarms=(*alarms, late),
            models=(reports.model(model.model, model.version, [reports.stream(stream.name)]),),
            books=(TopicReport("events.jsonl", 100, 97, 1, {Reason.MALFORMED: 2}),),
            from_seconds=T0,
            to_seconds=T0 + 6 * HOUR,
            episodes=(episode(alarms, words), episode((late,), words, Severity.PAGE)),
        ),
        cases=(
            Case(episode(alarms, words), (0, 1), True if findings else None),
            Case(episode((late,), words, Severity.PAGE), (2,), False if findings else None),
        ),
        evidence=(evidence, Evidence(2.0, {}, CATEGORICAL, line()), None),
        near_misses=(NearMiss(model, stream, T0, 0.999, "adwin", NUMERIC),),
        histories=(history(model, (stream, CHANNEL)),),
        findings=incidents if findings else None,
        unexpected=(2,) if findings else (),
        what_if=settings(),
        pane_seconds=60.0,
        budget="1 per 30 d per team",
        budget_allows=2.03,
        tolerance_sd=0.15,
        origin=origin(),
    )
