"""What the record holds of a model, for an audit; or what to do where it holds nothing."""

import difflib

import click
from msgspec import Struct

from service.audit.assembly import Recorded, minute
from service.commands.episode_source import Record
from service.errors import ConfigurationError
from service.loops.watching import SETTINGS_AGAIN_SECONDS
from service.values.audits import Period
from service.values.watched import ModelWatched, ServiceWatched

_BEFORE_SECONDS = SETTINGS_AGAIN_SECONDS + 10 * 86_400.0
"""So long before the period entries are read: the last one of the positions, and the settings."""

_NAMED_MAX = 10


class Wanted(Struct, frozen=True):
    """What is asked for; `version` None is all of them."""

    model: str
    version: str | None
    period: Period


def read_recorded(record: Record, wanted: Wanted) -> Recorded:
    """The entries that an audit of the period needs.

    Raises click.UsageError for a model or version that is not in the record, naming the nearest;
    ConfigurationError when nothing was recorded in that time.
    """
    since = wanted.period.from_seconds - _BEFORE_SECONDS
    recorded = Recorded.of(record.watched(since, wanted.model))
    if not _in_time(recorded, wanted.period):
        raise ConfigurationError(_nothing(record, wanted.period))
    if not recorded.models:
        every = record.watched(since, None)
        known = sorted({entry.model for entry in every if isinstance(entry, ModelWatched)})
        raise click.UsageError(
            f"nothing is recorded of a model {wanted.model!r}. {_nearest(wanted.model, known)}"
        )
    if wanted.version is not None and wanted.version not in recorded.versions:
        raise click.UsageError(
            f"nothing is recorded of version {wanted.version!r} of {wanted.model}: there are "
            f"{', '.join(recorded.versions)}"
        )
    return recorded


def _in_time(recorded: Recorded, period: Period) -> bool:
    """Written in the period, or before it and later, or later about events in it."""
    if recorded.to_seconds < period.from_seconds:
        return False
    hours = (hour.start_seconds for entry in recorded.models for hour in entry.hours)
    return min([recorded.from_seconds, *hours]) < period.to_seconds


def _nearest(name: str, known: list[str]) -> str:
    if not known:
        return "No model is in the record of that time yet."
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    more = ", ..." if len(known) > _NAMED_MAX else ""
    return f"There are {', '.join(known[:_NAMED_MAX])}{more}."


def _nothing(record: Record, period: Period) -> str:
    """What else there is, to be asked for."""
    times = [e.at_seconds for e in record.watched(0.0, "") if isinstance(e, ServiceWatched)]
    asked = f"from {minute(period.from_seconds)} to {minute(period.to_seconds)}"
    if not times:
        return (
            f"the record, {record.place}, says nothing of what was watched: the service writes it "
            "from this version on, at its start and hourly. Is it the record of the right service? "
            "--config and --record name another one"
        )
    return (
        f"nothing was recorded {asked}: the record, {record.place}, goes from "
        f"{minute(min(times))} to {minute(max(times))}. Ask for a part of that; older entries are "
        "deleted after state.episodes.keep"
    )
