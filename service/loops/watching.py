"""Writes down what was watched and what was not: at the start and the stop, hourly, and on change.

Entries are made of what a snapshot holds and are written after it. So they hold counters that no
crash takes back, and what a crash has written twice is the same.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from service.clock import Clock
from service.errors import RecordFailed
from service.monitor.judging.judge import Judge
from service.monitor.judging.model_judge import ModelJudge
from service.monitor.judging.watched import (
    Followed,
    facts_of,
    read_through,
    reference_hash_of,
    watched_model,
    watched_partitions,
)
from service.state.episode_record import EpisodeLog
from service.values.streams import ModelKey
from service.values.watched import (
    HOUR_SECONDS,
    ModelFacts,
    ModelWatched,
    ServiceWatched,
    SettingsWatched,
    WatchedEntry,
    Why,
)

log = structlog.get_logger(__name__)

SETTINGS_AGAIN_SECONDS = 30 * 86_400.0
"""The text of settings that stay the same is written so often, since old entries are deleted."""

SETTINGS_CHARACTERS_MAX = 200_000

CHANGES_EVERY_SECONDS = 60.0
"""Changes are not written more often: a thousand models that learn change all the time."""

HOURS_WAITING_MAX = 100
"""A backlog fills hours faster than they pass; so many of a model are not waited for."""


class Process(Struct, frozen=True):
    """What is the same for the life of a process. `settings_text` has no secrets in it."""

    config_hash: str = ""
    settings_text: str = ""
    version: str = ""


class Watching:
    """Between judge and record. `saved` is called after each snapshot, which has `state` in it."""

    def __init__(self, judge: Judge, record: EpisodeLog, clock: Clock, process: Process) -> None:
        self.failures = 0
        self._judge = judge
        self._record = record
        self._clock = clock
        self._process = process
        self._started_seconds = clock.now()
        self._alive_before: float | None = None
        self._settings: tuple[str, float] = ("", 0.0)
        self._hour: int | None = None
        self._next_change = 0.0
        self._told: dict[ModelKey, _Told] = {}

    def follow(self, process: Process) -> None:
        """Other settings are in force; the record has them with the next entry, which is due."""
        self._process = process

    def saved(self, partitions: Iterable[Followed], *, stops: bool = False) -> None:
        """A snapshot holds all that is known now: write what is due. A failure is counted and tried
        again after the next one.
        """
        now = self._clock.now()
        why = self._due(now, stops=stops)
        if why is None:
            return
        everything = why is not Why.CHANGE
        models = [m for m in self._judge.models.values() if everything or self._changed(m)]
        entries = self._entries(why, models, list(partitions), now)
        try:
            self._record.append_watched(entries, now)
        except RecordFailed as error:
            self.failures += 1
            log.error("watched_record_failed", error=str(error))  # noqa: TRY400 - the message says it
            return
        self._written(entries, everything=everything, now=now)

    def state(self) -> dict[str, Any]:
        """For a snapshot: when we lived, and which settings were written when."""
        return {"alive_seconds": self._clock.now(), "settings": list(self._settings)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after the process that left `state`, which is empty where an older version did."""
        self._alive_before = 0.0
        if state:
            self._alive_before = state["alive_seconds"]
            config_hash, written_seconds = state["settings"]
            self._settings = config_hash, written_seconds

    def _due(self, now: float, *, stops: bool) -> Why | None:
        if self._hour is None:
            return Why.START
        if stops:
            return Why.STOP
        if int(now // HOUR_SECONDS) != self._hour:
            return Why.HOUR
        if self._settings[0] != self._process.config_hash:
            return Why.CHANGE
        if now < self._next_change:
            return None
        return Why.CHANGE if any(map(self._changed, self._judge.models.values())) else None

    def _changed(self, model: ModelJudge) -> bool:
        told = self._told.get(model.key)
        return (
            told is None
            or told.reference_hash != reference_hash_of(model)
            or model.coverage.waiting > HOURS_WAITING_MAX
        )

    def _entries(
        self, why: Why, models: Sequence[ModelJudge], partitions: list[Followed], now: float
    ) -> list[WatchedEntry]:
        entries: list[WatchedEntry] = []
        process = self._process
        config_hash, written = self._settings
        if config_hash != process.config_hash or now - written >= SETTINGS_AGAIN_SECONDS:
            text = process.settings_text[:SETTINGS_CHARACTERS_MAX]
            entries.append(SettingsWatched(now, process.config_hash, text))
        entries.append(
            ServiceWatched(
                at_seconds=now,
                why=why,
                started_seconds=self._started_seconds,
                config_hash=process.config_hash,
                version=process.version,
                alive_until_seconds=self._alive_before if why is Why.START else None,
                read_through_seconds=read_through(partitions, now),
                models=len(self._judge.models),
                partitions=watched_partitions(partitions),
            )
        )
        return entries + [self._model(model, partitions, now) for model in models]

    def _model(self, model: ModelJudge, partitions: list[Followed], now: float) -> ModelWatched:
        """With its facts, where they are not what was told today."""
        told, facts = self._told.get(model.key), facts_of(model, now)
        is_told = told is not None and (told.facts, told.day) == (facts, _day(now))
        entry = watched_model(self._judge, model, partitions, now, self._process.config_hash)
        return entry if is_told else replace(entry, facts=facts)

    def _written(self, entries: Iterable[WatchedEntry], *, everything: bool, now: float) -> None:
        if everything:
            self._hour = int(now // HOUR_SECONDS)
        self._next_change = now + CHANGES_EVERY_SECONDS
        for entry in entries:
            if isinstance(entry, SettingsWatched):
                self._settings = entry.config_hash, now
            elif isinstance(entry, ModelWatched):
                model = self._judge.models[entry.key]
                model.coverage.recorded(model.judged_through_seconds)
                facts = entry.facts or self._told[entry.key].facts
                self._told[entry.key] = _Told(facts, _day(now), entry.reference_hash)
        for key in self._told.keys() - self._judge.models.keys():
            del self._told[key]


class _Told(Struct, frozen=True):
    """What was written of a model version last, and on which day."""

    facts: ModelFacts
    day: str
    reference_hash: str


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
