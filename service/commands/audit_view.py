"""An audit on the terminal: the answers, and the longest times in which nothing was watched."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from service.publish import audit_sentences as told
from service.publish.pictures.time_axis import minute
from service.publish.words import count, decimals
from service.values.audits import Audit, Fate

SHOWN_MAX = 15
"""A terminal is no place for more; the files have all."""

_DAYS_MAX = 31


def show(audit: Audit, console: Console) -> None:
    """Print the sentences and short tables."""
    for part in _parts(audit):
        if isinstance(part, str):
            console.print(Text(part), soft_wrap=True)
        else:
            console.print(part, highlight=False)


def _parts(audit: Audit) -> Iterator[RenderableType]:
    yield told.opening(audit)
    for reason in told.why_blind(audit.minutes):
        yield f"  {reason}"
    yield from told.remarks(audit.minutes)
    if audit.blind:
        yield _blind(audit)
    for down in audit.down[:SHOWN_MAX]:
        until = "now" if down.to_seconds is None else minute(down.to_seconds)
        how = told.down_words(down)
        yield f"The service did not run from {minute(down.from_seconds)} to {until} ({how})."
    if 1 < len(audit.days) <= _DAYS_MAX:
        yield _days(audit)
    yield from _books(audit)
    yield from _in_force(audit)
    yield told.of_episodes(audit)
    for episode in audit.episodes[:SHOWN_MAX]:
        newest = episode.newest
        decided = told.verdict_words(episode)
        yield f"  {newest.id}: {newest.words}, peak {decimals(newest.peak)}; {decided}"
    yield from (f"Note: {note}" for note in audit.notes)


def _books(audit: Audit) -> Iterator[str]:
    for one in audit.versions:
        rows = "not recorded" if one.rows is None else told.rows_words(one.rows)
        yield f"Rows of version {one.version}: {rows}."
    yield told.of_books(audit)
    for book in audit.books[:SHOWN_MAX]:
        yield f"  {book.topic}/{book.partition}: {told.broker_says(book)}"


def _in_force(audit: Audit) -> Iterator[str]:
    for settings in audit.settings:
        since, until = minute(settings.from_seconds), minute(settings.to_seconds)
        yield f"Configuration {settings.config_hash[:12]} from {since} to {until}."
    for used in audit.references:
        reference = used.facts.reference
        if reference is not None:
            since, until = minute(used.from_seconds), minute(used.to_seconds)
            yield (
                f"Reference {reference.hash[:12]} ({reference.source}, "
                f"{count(reference.rows)} rows) of version {used.version} from {since} to {until}."
            )
    for month in audit.policy:
        highest = f"{decimals(month.highest)} of {month.stream}" if month.stream else "not known"
        yield (
            f"Policy in {month.month}, version {month.version} ({month.policy}): highest "
            f"{highest}; of {count(month.hours)} hours {count(month.amber_hours)} amber or red, "
            f"{count(month.red_hours)} red."
        )
    for muted in audit.mutes:
        mute = muted.mute
        until = minute(mute.until_seconds)
        yield f"Muted until {until}: {mute.feature}, by {mute.by}: {mute.why}"


def _blind(audit: Audit) -> Table:
    longest = sorted(audit.blind, key=lambda one: one.from_seconds - one.to_seconds)[:SHOWN_MAX]
    more = (
        f", the longest {SHOWN_MAX} of {len(audit.blind)}" if len(audit.blind) > SHOWN_MAX else ""
    )
    table = _table(f"Not watched (UTC){more}", "From", "To", "Minutes", "Why")
    for one in sorted(longest, key=lambda one: one.from_seconds):
        minutes = count((one.to_seconds - one.from_seconds) / 60)
        why = told.FATE_WORDS[one.fate]
        table.add_row(minute(one.from_seconds), minute(one.to_seconds), minutes, why)
    return table


def _days(audit: Audit) -> Table:
    table = _table("Minutes by day (UTC)", "Day", "Watched", "Blind", "No events", "Rows judged")
    for day in audit.days:
        watched, silent = day.minutes.of(Fate.WATCHED), day.minutes.of(Fate.SILENT)
        blind = day.minutes.blind - silent
        table.add_row(day.day, count(watched), count(blind), count(silent), count(day.rows))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column in {"Minutes", "Watched", "Blind", "No events", "Rows judged"}
        table.add_column(column, justify="right" if right else "left")
    return table
