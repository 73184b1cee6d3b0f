"""From where to where recorded topics are read: what was said, and which offsets that means."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from service.errors import ConfigurationError
from service.ingest.positions import LogRange
from service.values.backtests import TopicRange
from service.values.records import Partition


class Moment(Struct, frozen=True):
    """The first record of a partition whose timestamp in Kafka is this one or a newer one."""

    seconds: float


class Offsets(Struct, frozen=True):
    """One offset for every partition, or one for each that is named; others are not read."""

    each: int | Mapping[int, int]

    def of(self, partition: Partition) -> int | None:
        """That of a partition, None when it is not named."""
        return self.each if isinstance(self.each, int) else self.each.get(partition.number)


Bound = Literal["earliest", "latest"] | Moment | Offsets


class Seen(NamedTuple):
    """Where a record lies and when it came."""

    offset: int
    timestamp_seconds: float


class Log(NamedTuple):
    """What is known of a partition: what it holds, its first record by time, and the first ones
    from the moments of the two bounds on. None: there is no such record.
    """

    holds: LogRange
    oldest: Seen | None = None
    from_start: Seen | None = None
    from_end: Seen | None = None


class Extent(Struct, frozen=True):
    """What to read of every partition: from `start` on, before `end`, and `also` in any case."""

    start: Bound = "earliest"
    end: Bound = "latest"
    also: Mapping[Partition, LogRange] = {}

    def of(self, partition: Partition, log: Log) -> TopicRange | None:
        """The offsets of one partition, perhaps none; None when it is not to be read at all.

        Never more than the log holds. What is deleted of it is told.

        Raises:
            ConfigurationError: it begins beyond the end of the log.
        """
        first, end = self._first(log, partition), self._end(log, partition)
        if first is None or end is None:
            return None
        if partition in self.also:
            wanted = self.also[partition]
            first, end = min(first, wanted.first), max(end, wanted.end)
        end = min(end, log.holds.end)
        begin = max(first, log.holds.first)
        since = self._missing_since(log)
        return TopicRange(
            topic=partition.topic,
            partition=partition.number,
            first=begin,
            end=max(begin, end),
            missing=max(0, min(begin, end) - first) if math.isnan(since) else None,
            missing_from_seconds=since,
            missing_until_seconds=math.nan if log.oldest is None else log.oldest.timestamp_seconds,
        )

    def require_partitions(self, known: Mapping[str, frozenset[int]]) -> None:
        """Refuse a partition that is named and is in none of the topics.

        Raises:
            ConfigurationError: with those that are there.
        """
        there = frozenset().union(*known.values())
        named = [
            number
            for bound in (self.start, self.end)
            if isinstance(bound, Offsets) and not isinstance(bound.each, int)
            for number in bound.each
        ]
        for number in named:
            if number not in there:
                topics = ", ".join(sorted(known))
                raise ConfigurationError(
                    f"there is no partition {number} of {topics}: partitions are 0 to "
                    f"{max(there, default=0)}. Offsets are written 0:12345,1:999; a time of the "
                    "day needs its date, 2026-11-23T10:20Z"
                )

    def _first(self, log: Log, partition: Partition) -> int | None:
        at = _offset(self.start, log, log.from_start, partition)
        if isinstance(self.start, Offsets) and at is not None and at > log.holds.end:
            raise ConfigurationError(
                f"--from {at} is beyond the end of {partition.topic} partition "
                f"{partition.number}, which holds {log.holds.first} to {log.holds.end}"
            )
        return at

    def _end(self, log: Log, partition: Partition) -> int | None:
        return _offset(self.end, log, log.from_end, partition)

    def _missing_since(self, log: Log) -> float:
        """From when on records are deleted that were asked for by time; NaN when none are.

        Of what is deleted no time is known. So records may be missing where something was deleted
        and the log begins after the moment.
        """
        if not isinstance(self.start, Moment) or log.holds.first == 0:
            return math.nan
        begins_later = log.oldest is None or log.oldest.timestamp_seconds > self.start.seconds
        return self.start.seconds if begins_later else math.nan


def _offset(bound: Bound, log: Log, found: Seen | None, partition: Partition) -> int | None:
    if isinstance(bound, Moment):
        return log.holds.end if found is None else found.offset
    if isinstance(bound, Offsets):
        return bound.of(partition)
    return log.holds.first if bound == "earliest" else log.holds.end
