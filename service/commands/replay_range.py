"""`--from` and `--to` of recorded topics, as people type them: times, offsets, or where a log ends.

earliest, latest             where the log begins, where it ends now
2026-11-23T10:20:00Z         a time of Kafka; without a zone it is UTC
-7d                          so long ago
12345                        an offset, of every partition
0:12345,1:999                an offset for each partition; others are not read
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import click

from config.units import parse_duration
from service.ingest.kafka.extent import Bound, Extent, Moment, Offsets
from service.ingest.positions import LogRange
from service.values.records import Partition

_ENDS: Mapping[str, Bound] = {"earliest": "earliest", "latest": "latest"}
_OFFSET_MAX = 2**63 - 1
"""Kafka's."""


def extent_of(
    start: str | None,
    end: str | None,
    now_seconds: float,
    also: Mapping[Partition, LogRange] | None = None,
) -> Extent:
    """What is said of a beginning and an end; from the earliest to the latest where nothing is.

    Raises click.BadParameter that names the option, also when the end is before the beginning.
    """
    first = parse_bound(start or "earliest", now_seconds, "--from")
    last = parse_bound(end or "latest", now_seconds, "--to")
    if _is_before(last, first):
        raise click.BadParameter(f"{end!r} is before {start!r} of --from", param_hint="--to")
    return Extent(first, last, also or {})


def parse_bound(text: str, now_seconds: float, option: str) -> Bound:
    """One of the two. Raises click.BadParameter that names the option."""
    text = text.strip()
    if text in _ENDS:
        return _ENDS[text]
    try:
        if re.fullmatch(r"\d+", text, re.ASCII):
            return Offsets(_offset(text))
        if re.fullmatch(r"\d+:\d+(?:,\d+:\d+)*", text, re.ASCII):
            return Offsets(_by_partition(text))
        if ago := re.fullmatch(r"-?((?:[\d.]+[a-z]+)+)", text, re.ASCII):
            return Moment(now_seconds - parse_duration(ago[1]))
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        why = f" ({error})" if "must" in str(error) or "twice" in str(error) else ""
        raise click.BadParameter(
            f"{text!r} is none of: a time such as 2026-11-23T10:20:00Z, so long ago such as -7d, "
            f"an offset such as 12345, one for each partition such as 0:12345,1:999, earliest, "
            f"latest{why}",
            param_hint=option,
        ) from None
    return Moment((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _by_partition(text: str) -> dict[int, int]:
    offsets: dict[int, int] = {}
    for pair in text.split(","):
        partition, offset = pair.split(":")
        if int(partition) in offsets:
            raise ValueError(f"partition {partition} is there twice")
        offsets[int(partition)] = _offset(offset)
    return offsets


def _offset(digits: str) -> int:
    offset = int(digits) if len(digits) <= len(str(_OFFSET_MAX)) else _OFFSET_MAX + 1
    if offset > _OFFSET_MAX:
        raise ValueError(f"an offset must be at most {_OFFSET_MAX}")
    return offset


def _is_before(end: Bound, start: Bound) -> bool:
    if isinstance(end, Moment) and isinstance(start, Moment):
        return end.seconds < start.seconds
    if not (isinstance(end, Offsets) and isinstance(start, Offsets)):
        return end == "earliest" or start == "latest" != end
    if isinstance(start.each, int) and isinstance(end.each, int):
        return end.each < start.each
    partitions = {*_named(start), *_named(end)}
    return any(
        (last := end.of(Partition("", number))) is not None
        and (first := start.of(Partition("", number))) is not None
        and last < first
        for number in partitions
    )


def _named(bound: Offsets) -> set[int]:
    return set() if isinstance(bound.each, int) else {*bound.each}
