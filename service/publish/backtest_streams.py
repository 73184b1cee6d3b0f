"""The streams of a backtest over the whole time, those that came nearest to an alarm first."""

from markupsafe import Markup
from msgspec import Struct

from service.publish import backtest_sentences as told
from service.publish.pictures.timeline import sparkline
from service.values.backtests import Backtest, History
from service.values.reports import ModelReport
from service.values.streams import StreamKey

STREAMS_SHOWN_MAX = 300


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


def streams_of(backtest: Backtest) -> tuple[StreamView, ...]:
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
