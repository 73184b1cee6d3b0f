"""Puts together what a replay found."""

import math
from collections.abc import Sequence

from msgspec import Struct

from service.backtest.incidents import findings_of, unexpected_alarms
from service.backtest.recorder import Recorder
from service.backtest.what_if import Configured, Progress, budget_text, what_if
from service.values.backtests import Backtest, Case, Incident, Origin, Outcome
from service.values.episodes import CATEGORIES, Category
from service.values.streams import ModelKey
from service.values.watches import Budget

_SCOPES = {"model": "per model", "team": "per team", "all": "in all"}


class Asked(Struct, frozen=True):
    """What a backtest was asked to hold against the alarms. `incidents` None: nothing is known. So
    many `jobs` judge at a time.
    """

    incidents: tuple[Incident, ...] | None = None
    what_if: bool = False
    jobs: int = 1


def backtest_of(
    outcome: Outcome,
    recorder: Recorder,
    budget: Budget,
    tolerances_sd: Sequence[float],
    asked: Asked,
    origin: Origin,
    progress: Progress = lambda _done, _total: None,
) -> Backtest:
    """Everything; `tolerances_sd` are those of the models. The recorder is finished with it."""
    recorder.finish()
    incidents = asked.incidents or ()
    found = findings_of(incidents, outcome.alarms, recorder.pane_seconds)
    common = tolerances_sd[0] if len(set(tolerances_sd)) == 1 else None
    configured = Configured(budget, common, outcome.alarms)
    settings = (
        what_if(recorder, configured, incidents, progress, asked.jobs) if asked.what_if else ()
    )
    unexpected = unexpected_alarms(found, outcome.alarms, recorder.pane_seconds)
    return Backtest(
        outcome=outcome,
        cases=_cases(outcome, None if asked.incidents is None else frozenset(unexpected)),
        evidence=tuple(
            recorder.evidence.get((a.model, a.stream, a.started_seconds)) for a in outcome.alarms
        ),
        near_misses=tuple(recorder.nearest.misses),
        histories=tuple(model.history(key) for key, model in sorted(recorder.models.items())),
        findings=None if asked.incidents is None else found,
        unexpected=() if asked.incidents is None else unexpected,
        what_if=settings,
        pane_seconds=recorder.pane_seconds,
        budget=f"{budget_text(budget)} {_SCOPES[budget.scope]}",
        budget_allows=_allowed(budget, outcome),
        tolerance_sd=common,
        origin=origin,
    )


def _cases(outcome: Outcome, unexpected: frozenset[int] | None) -> tuple[Case, ...]:
    """Each episode with the alarms of its model and category that started while it lasted."""
    by_place: dict[tuple[ModelKey, Category], list[int]] = {}
    for position, alarm in enumerate(outcome.alarms):
        place = (alarm.model, CATEGORIES[alarm.stream.kind])
        by_place.setdefault(place, []).append(position)
    cases = []
    for episode in outcome.episodes:
        last = math.inf if episode.ended_seconds is None else episode.ended_seconds
        alarms = tuple(
            position
            for position in by_place.get((episode.key, episode.category), ())
            if episode.started_seconds <= outcome.alarms[position].started_seconds < last
        )
        expected = None if unexpected is None else any(a not in unexpected for a in alarms)
        cases.append(Case(episode, alarms, expected))
    return tuple(cases)


def _allowed(budget: Budget, outcome: Outcome) -> float:
    """False alarms that the budget accepts in the time judged, over all teams or models."""
    sharers = {
        "model": len({model.key.model for model in outcome.models}),
        "team": len({model.team for model in outcome.models}),
    }
    seconds = outcome.to_seconds - outcome.from_seconds
    periods = seconds / budget.period_seconds if seconds > 0 else 0.0
    return budget.alarms * periods * sharers.get(budget.scope, 1)
