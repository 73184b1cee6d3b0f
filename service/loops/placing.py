"""Where a partition begins that became ours: where it was, at its beginning, or by the policy."""

from collections.abc import Callable, Iterable, Mapping

from service.errors import StateLost
from service.ingest.source import Source
from service.monitor.counting.shard import Shard
from service.values.records import Partition


def position_of(
    partition: Partition, shards: Mapping[Partition, Shard], original: frozenset[Partition]
) -> int | None:
    """Where to go on; None = where the start policy says. `original` are those of the first start.

    A partition that was added to a topic that is read already starts at its beginning.
    """
    shard = shards.get(partition)
    if shard is not None:
        return shard.next_offset
    known_topics = {known.topic for known in shards}
    added = partition.topic in known_topics and partition not in original
    return 0 if added else None


def refuse_lost_state(source: Source, fresh: frozenset[Partition]) -> None:
    """Raise StateLost when the group has read partitions of which there is no state.

    Raises RecoverableError when the source cannot tell now.
    """
    committed = source.committed(fresh)
    if committed:
        raise StateLost(
            f"the consumer group has read {len(committed)} partitions before, but the state "
            "directory is empty: going on would count events twice or not at all. Bring the "
            "directory back, or start anew with: anchorwatch run --accept-lost-state"
        )


def refuse_lost_shards(source: Source, fresh: frozenset[Partition], way_out: str) -> None:
    """Raise StateLost when the group has read partitions of which the state topic has nothing.

    Raises RecoverableError when the source cannot tell now.
    """
    committed = source.committed(fresh)
    if committed:
        first = min(committed)
        raise StateLost(
            f"the consumer group has read {len(committed)} partitions before of which the state "
            f"topic has nothing, for example {first.topic}/{first.number} up to offset "
            f"{committed[first]}: going on would count events twice or not at all. Was the topic "
            "deleted, or the name under state.topics.state or kafka.group changed? Bring it back; "
            f"{way_out}"
        )


def is_added(
    partition: Partition,
    committed: Iterable[Partition],
    begun_with: Callable[[Partition], int | None],
) -> bool:
    """Whether a partition without state was added to a topic that is read already: it starts at its
    beginning. `begun_with` tells how many partitions there were when the shard of another one was
    begun, None where there is no such shard.

    Raises RecoverableError when that cannot be told now.
    """
    others = (p for p in committed if p.topic == partition.topic and p != partition)
    known = (begun_with(other) for other in sorted(others))
    first = next((count for count in known if count is not None), None)
    return first is not None and partition.number >= first
