"""The audit of one model, put together of all that the record holds."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct

from service.audit.books import books, rows
from service.audit.in_force import mutes_of, references_of, settings_in_force, watched_as
from service.audit.lives import times_down, within
from service.audit.minutes import Timeline, days, merged, timeline, together
from service.audit.policy import policy_months
from service.values.audits import Audit, AuditedEpisode, Down, Period, Version
from service.values.watched import (
    MINUTE_SECONDS,
    ModelWatched,
    ServiceWatched,
    SettingsWatched,
    WatchedEntry,
)

T = TypeVar("T")


class Recorded(Struct, frozen=True):
    """What the record holds of the watching, each in order of time; `models` of one model."""

    models: tuple[ModelWatched, ...]
    service: tuple[ServiceWatched, ...]
    settings: tuple[SettingsWatched, ...]

    @classmethod
    def of(cls, entries: Iterable[WatchedEntry]) -> "Recorded":
        """Sorted by time and by what they are; an entry that was written twice is there once."""
        ordered = sorted(entries, key=lambda entry: entry.at_seconds)
        return cls(
            tuple(_once(e for e in ordered if isinstance(e, ModelWatched))),
            tuple(_once(e for e in ordered if isinstance(e, ServiceWatched))),
            tuple(e for e in ordered if isinstance(e, SettingsWatched)),
        )

    @property
    def from_seconds(self) -> float:
        """When the record begins; +inf when it is empty."""
        return self.service[0].at_seconds if self.service else math.inf

    @property
    def to_seconds(self) -> float:
        """Of when its last entry is; -inf when it is empty."""
        return self.service[-1].at_seconds if self.service else -math.inf

    @property
    def versions(self) -> tuple[str, ...]:
        """Of the model, in the order in which they came."""
        return tuple(dict.fromkeys(entry.version for entry in self.models))


def audit(
    model: str,
    version: str | None,
    period: Period,
    recorded: Recorded,
    episodes: Iterable[AuditedEpisode],
    now_seconds: float,
) -> Audit:
    """Of one version, or of all (None) of which something was recorded before the period's end.

    `episodes` are all that the record holds; those of the model in the period are taken, and those
    of a source that it was on.
    """
    down = times_down(recorded.service)
    written = _written(period, now_seconds)
    wanted = [name for name in recorded.versions if version in (None, name)]
    by_version = {name: [e for e in recorded.models if e.version == name] for name in wanted}
    lines = {
        name: timeline(period, entries, recorded.service, down)
        for name, entries in by_version.items()
    }
    whole = together(period, [*lines.values()])
    hours = [
        hour
        for entries in by_version.values()
        for hour in merged(hour for entry in entries for hour in entry.hours).values()
    ]
    return Audit(
        model=model,
        version=version,
        period=period,
        made_seconds=now_seconds,
        recorded_from_seconds=recorded.from_seconds,
        recorded_to_seconds=recorded.to_seconds,
        minutes=whole.minutes(),
        days=days(whole, hours),
        blind=whole.spans(),
        versions=tuple(
            _version(written, name, by_version[name], lines[name], recorded.service)
            for name in wanted
        ),
        down=within(down, written.from_seconds, written.to_seconds),
        books=books(written, recorded.service),
        settings=settings_in_force(written, recorded.service, recorded.settings),
        watched=_each(by_version, lambda entries: watched_as(written, entries)),
        references=_each(by_version, lambda entries: references_of(written, entries)),
        mutes=_each(by_version, lambda entries: mutes_of(written, entries)),
        policy=_each(by_version, lambda entries: policy_months(written, entries)),
        episodes=tuple(_of_model(episodes, model, version, period)),
        notes=tuple(_notes(period, recorded, by_version, down)),
    )


def _written(period: Period, now_seconds: float) -> Period:
    """When the entries were written that are about a period: of the minute that is not over yet
    too, where it goes on to now.
    """
    is_open = 0 <= now_seconds - period.to_seconds < MINUTE_SECONDS
    return Period(period.from_seconds, now_seconds) if is_open else period


def _each(
    by_version: Mapping[str, Sequence[ModelWatched]],
    of: Callable[[Sequence[ModelWatched]], Iterable[T]],
) -> tuple[T, ...]:
    return tuple(one for entries in by_version.values() for one in of(entries))


def _version(
    period: Period,
    name: str,
    entries: Sequence[ModelWatched],
    line: Timeline,
    service: Sequence[ServiceWatched],
) -> Version:
    firsts = [entry.first_seconds for entry in entries if entry.first_seconds is not None]
    inside = [e for e in entries if period.from_seconds < e.at_seconds <= period.to_seconds]
    return Version(
        version=name,
        minutes=line.minutes(),
        first_seconds=min(firsts, default=None),
        rows=rows(period, entries, service),
        hours_lost=max((entry.hours_lost for entry in inside), default=0),
    )


def _of_model(
    episodes: Iterable[AuditedEpisode], model: str, version: str | None, period: Period
) -> Iterable[AuditedEpisode]:
    """In order of their onset."""
    for one in sorted(episodes, key=lambda one: one.newest.onset_seconds):
        newest = one.newest
        of = [newest.key, *(member.key for member in newest.members)]
        if not any(key.model == model and version in (None, key.version) for key in of):
            continue
        ended = math.inf if newest.ended_seconds is None else newest.ended_seconds
        if newest.onset_seconds < period.to_seconds and ended >= period.from_seconds:
            yield one


def _notes(
    period: Period,
    recorded: Recorded,
    by_version: Mapping[str, Sequence[ModelWatched]],
    down: Sequence[Down],
) -> Iterable[str]:
    if not recorded.service:
        yield "The record is empty."
        return
    if recorded.from_seconds > period.from_seconds:
        yield (
            f"The record begins at {minute(recorded.from_seconds)}: of the time before it only "
            "what was read from the topics later is known."
        )
    silent = down[-1].to_seconds is None if down else False
    if recorded.to_seconds < period.to_seconds - _HOUR_AND_A_BIT and not silent:
        yield (
            f"The last entry of the record is of {minute(recorded.to_seconds)}: of the time after "
            "it nothing is known. A service that runs writes one each hour."
        )
    for name, entries in by_version.items():
        lost = max((entry.hours_lost for entry in entries), default=0)
        if lost:
            yield (
                f"{lost} hours of version {name} could not be recorded, since the record could not "
                "be written for long; they count as not recorded or without an event."
            )


_HOUR_AND_A_BIT = 3600.0 + 300.0


def minute(seconds: float) -> str:
    """`2026-11-23 10:20 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _once(entries: Iterable[T]) -> Iterable[T]:
    """Without what is the same as the one before it."""
    before: T | None = None
    for entry in entries:
        if entry != before:
            yield entry
        before = entry
