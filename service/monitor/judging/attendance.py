"""Models whatever their versions: who is silent although records are due.

A silent producer is told from a monitor that is behind: silence counts up to the moment at which
every log had been read to its end, so that neither an outage nor a backlog is anybody's silence.
"""

import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from service.monitor.detecting.silence import History, Rhythm, learn_rhythm, merged
from service.monitor.judging.judge import Judge
from service.monitor.judging.model_judge import ModelJudge
from service.values.episodes import Category
from service.values.reports import ModelReport, WholeModel

LEARN_EVERY_SECONDS = 3600.0
"""A rhythm changes slowly; of many models one is learned at a look, so that no look takes long."""


class Attendance:
    """Remembers the rhythm of each model, which it learns from the volumes of the versions."""

    def __init__(self) -> None:
        self._rhythms: dict[str, tuple[float, Rhythm | None]] = {}

    def look(
        self,
        judge: Judge,
        reports: Sequence[ModelReport],
        reached_seconds: float,
        now_seconds: float,
    ) -> tuple[WholeModel, ...]:
        """One for each model of `reports`, by name. `reached_seconds`: every log was read to its
        end then. What is not known, as the rhythm of a new model, is None.
        """
        by_model: dict[str, list[ModelReport]] = {}
        for report in reports:
            by_model.setdefault(report.key.model, []).append(report)
        self._learn(judge, by_model, now_seconds)
        until = min(reached_seconds, now_seconds)
        return tuple(
            self._whole(judge, judge.models[versions[0].key], versions, until)
            for _, versions in sorted(by_model.items())
        )

    def _learn(
        self, judge: Judge, by_model: dict[str, list[ModelReport]], now_seconds: float
    ) -> None:
        self._rhythms = {name: self._rhythms[name] for name in by_model if name in self._rhythms}
        for name, versions in by_model.items():
            learned_seconds, _ = self._rhythms.get(name, (-math.inf, None))
            if now_seconds - learned_seconds >= LEARN_EVERY_SECONDS:
                models = [judge.models[report.key] for report in versions]
                self._rhythms[name] = (now_seconds, _rhythm(models))
                return

    def _whole(
        self, judge: Judge, model: ModelJudge, versions: list[ModelReport], until_seconds: float
    ) -> WholeModel:
        severities = judge.episodes.rules.severities
        arrivals = [v.last_record_seconds for v in versions]
        newest = max((a for a in arrivals if math.isfinite(a)), default=math.nan)
        return WholeModel(
            model=model.key.model,
            team=model.watch.team,
            record_is_due=self._is_due(model, newest, until_seconds),
            severities={
                category: severities.of(category, model.watch.tier)
                for category in (Category.SILENT, Category.STALE)
            },
        )

    def _is_due(
        self, model: ModelJudge, newest_seconds: float, until_seconds: float
    ) -> bool | None:
        season = model.watch.season
        _, rhythm = self._rhythms.get(model.key.model, (0.0, None))
        if rhythm is None or not math.isfinite(newest_seconds - until_seconds):
            return None
        zone = ZoneInfo(season.timezone)
        return rhythm.is_due(newest_seconds, until_seconds, zone, season.holidays)


def _rhythm(models: Sequence[ModelJudge]) -> Rhythm | None:
    """None without volumes: they are the e-detector's."""
    compared = [m.comparison.detection.shapes for m in models if m.comparison is not None]
    volumes = [shapes.volume for shapes in compared if shapes is not None]
    history = merged([History(v.history[0], v.step_seconds, v.history[1]) for v in volumes])
    if history is None:
        return None
    season = models[0].watch.season
    return learn_rhythm(history, ZoneInfo(season.timezone), season.holidays)
