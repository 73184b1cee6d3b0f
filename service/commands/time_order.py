"""What training data teach by their order of time: one further pass over the files."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from msgspec import Struct

from config.units import format_duration
from detectors.dispersion import MASS_MIN, PANES_MIN
from service.commands.columns import EPOCH_MIN_SECONDS
from service.commands.ordered_panes import OrderedPanes
from service.commands.profiling import Profiling
from service.commands.table_cells import TableCells
from service.ingest.files.table_columns import times_of
from service.ingest.files.tables import Table
from service.monitor.detecting.dispersions import SETTLED_SECONDS
from service.monitor.detecting.teaching import TAUGHT_SECONDS, Teaching
from service.monitor.detecting.watched_cells import WatchedCells
from service.monitor.references.reference import (
    plan_of,
    reference_cells,
    with_order_of_time,
)
from service.values.references import Reference
from service.values.watches import SeasonWatch

LATE_ROWS_MAX = 0.001
"""Where a larger share of the rows is out of order, their order is not that of time."""

NAMES_SHOWN = 10

ReadAgain = Callable[[str], Iterable[Table]]
"""Reads the tables from the beginning, for the purpose given."""


class Cut(Struct, frozen=True):
    """How time is cut: into panes of `pane_seconds`, and by the hours of `season`."""

    pane_seconds: float = 60.0
    season: SeasonWatch = SeasonWatch("week")


class Ordered(Struct, frozen=True):
    """The reference with what the order of time taught, and what is to be said of that."""

    reference: Reference
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def with_time_order(
    reference: Reference, profiling: Profiling, cut: Cut, read_again: ReadAgain
) -> Ordered:
    """Learn how far events depend on each other, and the seasons, from rows in order of time.

    Rows may come an hour after newer ones (3,600 panes, of short ones); where more than one in
    1,000 comes later than that, nothing is learned. Of what is longer the last 28 days are looked
    at. Without a column of times nothing is read.
    """
    newest = profiling.to_seconds
    if newest is None or newest < EPOCH_MIN_SECONDS:
        return Ordered(reference)
    oldest = max(profiling.from_seconds or 0.0, newest - TAUGHT_SECONDS)
    if newest - oldest < (PANES_MIN - 1) * cut.pane_seconds:
        return Ordered(reference, notes=(_too_short(newest - oldest, cut),))
    watched = WatchedCells(plan_of(reference))
    counts = reference_cells(reference)
    span = (oldest, newest)
    teaching = Teaching(reference, counts, watched, cut.season, cut.pane_seconds, span)
    panes = OrderedPanes(watched.plan.layout, cut.pane_seconds, oldest)
    cells = TableCells(reference)
    for table in read_again("order of time"):
        _take(table, profiling, cells, panes, teaching)
        if panes.late > LATE_ROWS_MAX * profiling.rows:
            return Ordered(reference, warnings=(_out_of_order(profiling, panes),))
    for start, counted in panes.finish():
        teaching.take(start, counted)
    taught = with_order_of_time(reference, teaching.taught())
    if taught.hash == reference.hash:
        return Ordered(reference, (_too_few(newest, cut),), (*_warnings(reference, panes),))
    return Ordered(taught, (_learned(taught, teaching.panes, cut),), (*_warnings(taught, panes),))


def _take(
    table: Table, profiling: Profiling, cells: TableCells, panes: OrderedPanes, teaching: Teaching
) -> None:
    column = table.columns.get(profiling.roles.time or "")
    if column is None:
        panes.timeless += table.rows
        return
    places = cells.of(dict(profiling.streams(table)), table.rows)
    for start, counted in panes.add(times_of(column), places):
        teaching.take(start, counted)


def _too_short(seconds: float, cut: Cut) -> str:
    pane = format_duration(cut.pane_seconds)
    return (
        f"The rows span {seconds:,.0f} s, which is fewer than {PANES_MIN} panes of {pane}: how far "
        "events depend on each other, and seasons, are learned live"
    )


def _too_few(newest_seconds: float, cut: Cut) -> str:
    days, last = format_duration(TAUGHT_SECONDS), datetime.fromtimestamp(newest_seconds, UTC)
    return (
        f"No stream is in {PANES_MIN} panes of {format_duration(cut.pane_seconds)} of the {days} up"
        f" to {last:%-d %b %Y}: how far events depend on each other, and seasons, are learned live"
    )


def _out_of_order(profiling: Profiling, panes: OrderedPanes) -> str:
    return (
        f"the rows are not in the order of {profiling.roles.time!r}: more than one in "
        f"{1 / LATE_ROWS_MAX:,.0f} comes over {format_duration(panes.slack_seconds)} after newer "
        "ones. So how far events depend "
        "on each other, and seasons, are learned live. To have them from the first minute, sort "
        "the rows by it; of several files the names have to be in its order too"
    )


def _learned(reference: Reference, panes: int, cut: Cut) -> str:
    """What is known, and from when on it counts."""
    known = [s.in_time for s in reference.streams if s.in_time is not None]
    pane = format_duration(cut.pane_seconds)
    fewest = min(one.values.panes for one in known)
    enough = fewest * cut.pane_seconds >= SETTLED_SECONDS
    from_when = (
        "so that drift is judged in full from the first minute on"
        if enough
        else "of which some are less than three days: wander of these is tolerated until it is "
        "known live"
    )
    seasonal = [s.key.name for s in reference.streams if s.in_time and s.in_time.season]
    hours = f"by the {cut.season.period} in {cut.season.timezone}"
    has = f"a season {hours} have {_listed(seasonal)}" if seasonal else "none has a season"
    if cut.season.period == "none":
        has = "seasons are off"
    return f"Learned from {panes:,} panes of {pane} in order of time, {from_when}; {has}"


def _warnings(reference: Reference, panes: OrderedPanes) -> Iterator[str]:
    if panes.late:
        slack = format_duration(panes.slack_seconds)
        yield f"{panes.late:,} rows came over {slack} after newer ones: their order says nothing"
    if panes.timeless:
        yield f"{panes.timeless:,} rows have no time that can be read: their order says nothing"
    unstable = [
        s.key.name for s in reference.streams if s.in_time and s.in_time.values.kappa < MASS_MIN
    ]
    if unstable:
        yield (
            f"{_listed(unstable)}: never keeps its shape for long, so it cannot alarm until live "
            "events show otherwise"
        )


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
