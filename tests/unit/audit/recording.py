"""Entries of a record as a service would write them, a line a test."""

from msgspec.structs import replace

from service.values.audits import Period
from service.values.watched import (
    LineageFacts,
    ModelFacts,
    ModelWatched,
    MuteFacts,
    PartitionWatched,
    ServiceWatched,
    SettingsWatched,
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


TRAINED = LineageFacts(
    "ab12" * 16, "train.parquet", D0 - 9 * DAY, "ada", 10_000, dataset="loans-2023-10"
)
MUTE = MuteFacts("income", D0 + 2 * DAY, "bob", "campaign <b>", "OPS-7")


def three_days():
    """A record of three days: hourly entries of a model that sends 60 events a minute.

    Nothing comes from 3:00 to 4:30 on the first day; the service is stopped from 10:00 to 12:00 on
    the second, and what came meanwhile is read afterwards; then it has other settings and a mute.
    """
    facts = replace(FACTS, reference=TRAINED, budget="1 in 30 days per team", tolerance="0.15 sd")
    entries = [
        SettingsWatched(D0 - 60, "c1", "detection:\n  pane: 1m\n  lateness: 1m\n"),
        service(-60, Why.START, started=-60, partitions=(partition(1000, 1000),)),
        model(-60, first=-60, facts=facts),
    ]
    rows = 0
    for number in range(1, 73):
        if 34 < number < 36:
            continue
        at = number * HOUR
        is_late = number == 36
        hours = [
            _hour(n, late=is_late and n == 34) for n in ((34, 35) if is_late else (number - 1,))
        ]
        rows += sum(one.rows for one in hours)
        settings = {"config_hash": "c2" if number >= 36 else "c1"}
        lives = {"started": 36 * HOUR} if number >= 36 else {"started": -60}
        why = Why.STOP if number == 34 else (Why.START if is_late else Why.HOUR)
        more = partition(1000 + rows + number // 36, 990 + rows, ignored=10)
        entries.append(service(at, why, partitions=(more,), **lives, **settings))
        muted = {"facts": replace(facts, mutes=(MUTE,))} if is_late else {}
        entries.append(model(at, hours, at - 60, first=-60, rows=rows, **settings, **muted))
        if is_late:
            text = "detection:\n  pane: 1m\n  lateness: 2m\n"
            entries.append(SettingsWatched(D0 + at, "c2", text))
    return entries


def _hour(number, *, late):
    """Of the fourth hour nothing, of the fifth its second half."""
    minutes = {3: range(0), 4: range(30, 60)}.get(number, range(60))
    muted = minutes if number >= 36 else ()
    return hour(number, minutes, rows=60 * len(minutes), late=minutes if late else (), muted=muted)
