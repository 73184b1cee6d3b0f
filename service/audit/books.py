"""The books between two entries of the record: of records by partition, and of rows by version."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from service.values.audits import Book, Period, Rows
from service.values.watched import ModelWatched, PartitionWatched, ServiceWatched, Why

T = TypeVar("T")


def books(period: Period, service: Iterable[ServiceWatched]) -> tuple[Book, ...]:
    """One for each partition that had an entry in the period, by topic and number.

    From the last entry before the period (else the first in it) to the last one in it; a partition
    that is new in the record counts from nothing.
    """
    service = list(service)
    entries: dict[tuple[str, int], list[tuple[float, PartitionWatched]]] = {}
    for entry in service:
        for partition in entry.partitions:
            key = partition.topic, partition.partition
            entries.setdefault(key, []).append((entry.at_seconds, partition))
    for told in entries.values():
        at, first = told[0]
        since = new_since(service, at)
        if since is not None:
            begun = first.position - first.consumed
            told.insert(0, (since, PartitionWatched(first.topic, first.partition, begun)))
    found = (_book(_within(period, entries[key])) for key in sorted(entries))
    return tuple(book for book in found if book is not None)


def rows(
    period: Period, entries: Sequence[ModelWatched], service: Sequence[ServiceWatched]
) -> Rows | None:
    """Of one version; None when it has no two entries to take the difference of. A version that is
    new in the record counts from nothing.
    """
    told = [(entry.at_seconds, entry) for entry in entries]
    since = new_since(service, told[0][0]) if told else None
    if since is not None:
        first = entries[0]
        told.insert(0, (since, ModelWatched(since, first.model, first.version, "")))
    chosen = _within(period, told)
    if len(chosen) < 2:
        return None
    total = Rows(chosen[0][0], chosen[-1][0])
    for (_, before), (_, after) in itertools.pairwise(chosen):
        total = _add_rows(total, before, after)
    return total


def new_since(service: Sequence[ServiceWatched], at_seconds: float) -> float | None:
    """Since when what is told at a time first has been counted, if that is known: since an entry
    that had none of it, or since the service began without a state. None: it was counted before
    there was a record.

    `service` in order of time.
    """
    before = [entry.at_seconds for entry in service if entry.at_seconds < at_seconds]
    if before:
        return before[-1]
    first = service[0] if service else None
    is_fresh = first is not None and first.why is Why.START and first.alive_until_seconds is None
    return first.started_seconds if first is not None and is_fresh else None


def _within(period: Period, entries: Sequence[tuple[float, T]]) -> list[tuple[float, T]]:
    """Those in the period, and the last one before it."""
    before = [entry for entry in entries if entry[0] <= period.from_seconds][-1:]
    inside = [e for e in entries if period.from_seconds < e[0] <= period.to_seconds]
    return before + inside


def _book(entries: Sequence[tuple[float, PartitionWatched]]) -> Book | None:
    """Where a book began anew (another state), only what is since then can be compared."""
    if not entries:
        return None
    restarts, since = 0, 0
    for number, ((_, a), (_, b)) in enumerate(itertools.pairwise(entries)):
        if b.consumed < a.consumed or b.position < a.position:
            restarts, since = restarts + 1, number + 1
    (begun, first), (ended, last) = entries[since], entries[-1]
    return Book(
        topic=last.topic,
        partition=last.partition,
        from_seconds=begun,
        to_seconds=ended,
        first=first.position,
        end=last.position,
        applied=last.applied - first.applied,
        ignored=last.ignored - first.ignored,
        rejected=_less(last.rejected, first.rejected),
        restarts=restarts,
    )


def _add_rows(total: Rows, before: ModelWatched, after: ModelWatched) -> Rows:
    restarted = after.predictions < before.predictions or after.panes < before.panes
    if restarted:
        before = ModelWatched(before.at_seconds, before.model, before.version, "")
    gained = _less(after.rejected, before.rejected)
    return Rows(
        from_seconds=total.from_seconds,
        to_seconds=total.to_seconds,
        predictions=total.predictions + after.predictions - before.predictions,
        judged=total.judged + after.judged - before.judged,
        unjudged=total.unjudged + after.unjudged - before.unjudged,
        late=total.late + after.late - before.late,
        rejected={
            reason: total.rejected.get(reason, 0) + gained.get(reason, 0)
            for reason in sorted(total.rejected.keys() | gained.keys())
        },
        restarts=total.restarts + restarted,
    )


def _less(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    differences = {reason: a[reason] - b.get(reason, 0) for reason in sorted(a)}
    return {reason: count for reason, count in differences.items() if count}
