"""Entries of a record as a service would write them, a line a test."""

from service.values.audits import Period
from service.values.watched import (
    ModelFacts,
    ModelWatched,
    PartitionWatched,
    ServiceWatched,
    WatchedHour,
    Why,
)

D0 = 1_700_006_400.0 - 0 * 3600
D0 -= D0 % 86_400
"""The start of a day (UTC)."""

HOUR, DAY = 3600.0, 86_400.0
FACTS = ModelFacts("credit", 1, 2, ("age", "income"))


def period(start=0.0, end=24 * HOUR):
    return Period(D0 + start, D0 + end)


def mask(*minutes):
    return f"{sum(1 << m for m in minutes):x}"


def hour(number, compared=(), panes=None, rows=None, **masks):
    """Hour `number` since D0; minutes as numbers."""
    told = {name: mask(*minutes) for name, minutes in masks.items()}
    count = len(tuple(compared)) if panes is None else panes
    return WatchedHour(
        int(D0 + number * HOUR),
        compared=mask(*compared),
        panes=count,
        rows=10 * count if rows is None else rows,
        **told,
    )


def model(at, hours=(), through=None, version="3", first=0.0, rows=0, open_rows=0, **more):
    return ModelWatched(
        at_seconds=D0 + at,
        model="credit-risk",
        version=version,
        config_hash=more.pop("config_hash", "c1"),
        first_seconds=None if first is None else D0 + first,
        through_seconds=None if through is None else D0 + through,
        hours=tuple(hours),
        predictions=rows + open_rows,
        judged=rows,
        **more,
    )


def service(at, why=Why.HOUR, started=0.0, read=True, alive=None, **more):
    return ServiceWatched(
        at_seconds=D0 + at,
        why=why,
        started_seconds=D0 + started,
        config_hash=more.pop("config_hash", "c1"),
        alive_until_seconds=None if alive is None else D0 + alive,
        read_through_seconds=D0 + at if read else None,
        **more,
    )


def partition(position, applied, number=0, **more):
    return PartitionWatched("events", number, position, applied, **more)
