"""What role `all` says of its partitions, and of what it waits for."""

import math

from service.loops.alone import Loop
from service.values.reports import PartitionReport


def partition_reports(loop: Loop, now: float) -> tuple[PartitionReport, ...]:
    """The partitions that are read here, and how far behind they are."""
    ends = loop.source.ends()
    reports = []
    for partition in sorted(loop.owned & loop.shards.keys()):
        shard = loop.shards[partition]
        lag = max(0, ends.get(partition, shard.next_offset) - shard.next_offset)
        behind = max(0.0, now - shard.newest_record_seconds)
        known = partition in ends
        reports.append(
            PartitionReport(
                partition=partition,
                position=shard.next_offset,
                lag_records=lag,
                lag_seconds=(behind if lag else 0.0) if known else math.nan,
            )
        )
    return tuple(reports)


def partitions_missing(loop: Loop) -> dict[str, int]:
    """Partitions of each topic that nobody reads now."""
    missing: dict[str, int] = {}
    for partition in loop.source.partitions():
        absent = partition not in loop.owned
        missing[partition.topic] = missing.get(partition.topic, 0) + absent
    return missing


def not_ready_because(loop: Loop) -> str:
    """In words; empty when it is ready."""
    if loop.caught_up:
        return ""
    if not loop.owned:
        return loop.obstacle or "no partition is assigned yet"
    elsewhere = len(loop.source.partitions() - loop.owned)
    if elsewhere:
        return f"waiting for {elsewhere} partitions that another member of the consumer group has"
    left = sum(records for p, records in loop.left_to_read().items() if p in loop.owned)
    return f"reading what the log held at the restart, {left:,} records are left"


def warnings(loop: Loop) -> tuple[str, ...]:
    """What readiness does not say: topics that are missed while others are read, and a wait."""
    missed = [text for text in loop.absent.values() if text not in loop.obstacle]
    waits = [loop.obstacle] if loop.caught_up and loop.obstacle else []
    return (*waits, *missed, *loop.pickup.warnings)
