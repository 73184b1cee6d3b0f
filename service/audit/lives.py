"""When the service ran and when it did not, by its entries in the record."""

from collections.abc import Iterable, Sequence

from service.values.audits import Down
from service.values.watched import ServiceWatched, Why


def times_down(entries: Sequence[ServiceWatched]) -> tuple[Down, ...]:
    """Every time in which it did not run, in order; after the last entry only if that is a stop.

    `entries` in order of time. A process that ended without a word was alive at its last entry, and
    when it last wrote its state, which the one that came after it says.
    """
    down: list[Down] = []
    newest: ServiceWatched | None = None
    for entry in entries:
        if newest is not None and entry.started_seconds != newest.started_seconds:
            alive = max(newest.at_seconds, entry.alive_until_seconds or 0.0)
            stopped = newest.why is Why.STOP
            since = newest.at_seconds if stopped else alive
            if since < entry.at_seconds:
                down.append(Down(since, entry.at_seconds, stopped))
        newest = entry
    if newest is not None and newest.why is Why.STOP:
        down.append(Down(newest.at_seconds, None, stopped=True))
    return tuple(down)


def within(down: Iterable[Down], from_seconds: float, to_seconds: float) -> tuple[Down, ...]:
    """Those that lie in a period, at least in part."""
    return tuple(
        one
        for one in down
        if one.from_seconds < to_seconds
        and (one.to_seconds is None or one.to_seconds > from_seconds)
    )
