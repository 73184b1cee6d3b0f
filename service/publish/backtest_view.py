"""The backtest report as its template wants it: rows, sentences and pictures."""

from msgspec import Struct

from service.publish import backtest_answers as answers
from service.publish import backtest_sentences as told
from service.publish.backtest_answers import ChangeRow
from service.publish.backtest_distances import ModelDistances, model_distances
from service.publish.backtest_episodes import EpisodeView, MissView, episodes_of, miss_view
from service.publish.backtest_settings import SettingRow, makes_no_difference, setting_rows
from service.publish.backtest_streams import STREAMS_SHOWN_MAX, StreamView, streams_of
from service.publish.pictures.svg import Picture
from service.publish.pictures.timeline import Strip, timeline
from service.publish.words import several
from service.values.backtests import Backtest, Case, History

MODELS_DRAWN_MAX = 20


class BacktestView(Struct, frozen=True):
    """Everything. `headline`, `further` and `changes` are empty when nothing was asked of an
    episode or of other settings.
    """

    title: str
    headline: str
    further: tuple[str, ...]
    changes: tuple[ChangeRow, ...]
    sentence: str
    incident_sentence: str
    timelines: tuple[tuple[str, Picture], ...]
    budgets: tuple[str, ...]
    settings: tuple[SettingRow, ...]
    tolerance_matters: bool
    episodes: tuple[EpisodeView, ...]
    misses: tuple[MissView, ...]
    unseen: tuple[tuple[str, tuple[str, ...]], ...]
    streams: tuple[StreamView, ...]
    distances: tuple[ModelDistances, ...] = ()


def backtest_view(backtest: Backtest) -> BacktestView:
    """The whole report."""
    asked = backtest.reconsidered
    settings = setting_rows(backtest)
    names = sorted({model.key.model for model in backtest.outcome.models})
    return BacktestView(
        title=f"Backtest of {told.listed(names, 3)}" if names else "Backtest",
        headline="" if asked is None else answers.headline(asked),
        further=() if asked is None else tuple(answers.further(asked)),
        changes=() if asked is None else tuple(answers.change_rows(asked.changes or ())),
        sentence=told.opening(backtest),
        incident_sentence=told.of_incidents(backtest),
        timelines=tuple(
            (told.model_name(history.key), _timeline(history, backtest))
            for history in backtest.histories[:MODELS_DRAWN_MAX]
        ),
        budgets=tuple(dict.fromkeys(setting.budget for setting in backtest.what_if)),
        settings=settings,
        tolerance_matters=not makes_no_difference(settings),
        episodes=episodes_of(backtest),
        misses=tuple(map(miss_view, backtest.near_misses)),
        unseen=tuple(
            (told.model_name(history.key), tuple(told.unseen(history)))
            for history in backtest.histories
        ),
        streams=streams_of(backtest)[:STREAMS_SHOWN_MAX],
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
