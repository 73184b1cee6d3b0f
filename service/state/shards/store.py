"""Shards in a state topic: opened by whoever was given them, flushed many at a time."""

from collections.abc import Iterator, Mapping, Sequence
from math import nan

from msgspec import Struct

from service.errors import StateCorrupt, StateLost
from service.state.shards.recovery import (
    Origin,
    Records,
    Recovered,
    ShardState,
    records_of,
    recovered,
)
from service.state.shards.writer import FlushPlan, ShardWriter
from service.values.keyed_log import Draft, KeyedLog

FORMAT = 1
"""The newest format of blobs that this version reads and writes; it reads the one before, too."""

READINGS = 3
"""A log is read so often at most, where the best head is not whole: it may have been compacted, or
its writer may have gone on, while it was read."""

APPEND_MAX_BYTES = 16 * 2**20
"""Appended and waited for at a time, so that many large shards are never in memory twice."""


class Flush(Struct, frozen=True):
    """What changed of one shard since its last flush. A blob that is None is gone.

    `applied_through` is the offset of the last record of the input that is in the blobs.
    """

    writer: ShardWriter
    blobs: Mapping[str, bytes | None]
    era: int
    applied_through: int


class ShardStore:
    """The shards of one cluster's topics, in one state topic.

    `format` is what is written (setting state.format): `newest` or the one before it, until every
    replica reads `newest`. Raises ValueError for any other.
    """

    def __init__(
        self,
        log: KeyedLog,
        cluster_id: str,
        format: int = FORMAT,  # noqa: A002 (as the setting is called)
        newest: int = FORMAT,
    ) -> None:
        self._formats = range(max(1, newest - 1), newest + 1)
        if format not in self._formats:
            raise ValueError(f"format {format} is not one of {list(self._formats)}")
        self._log = log
        self._cluster_id = cluster_id
        self._format = format

    def open(
        self, shard: str, partition: int, topic_id: str
    ) -> tuple[ShardWriter, ShardState | None]:
        """Take a shard over, as of the end of the state `partition` now; None: there is no head.

        The new writer has nothing in the log yet: its first flush writes all of the state anew.
        Raises StateCorrupt when there are heads and none is whole, StateLost when all are of
        another topic of that name, FormatTooNew or FormatTooOld when another version is needed,
        RecoverableError when the log does not answer.
        """
        origin = Origin(self._cluster_id, topic_id)
        for _ in range(READINGS):
            records = records_of(shard, self._log.read(partition))
            found = recovered(records, origin, self._formats)
            if not found.passed_over:
                break
        if found.state is None and records.any_head:
            raise self._error(records, partition, found)
        return ShardWriter(partition, origin, records, found.state), found.state

    def reset(
        self, shard: str, partition: int, topic_id: str, era_known: int = 0
    ) -> tuple[ShardWriter, ShardState]:
        """Take a shard over with nothing, in an era above all that were seen, whatever is there.

        For an operator who said so: what was counted is given up, from the first flush on.
        `era_known` is one that is known from elsewhere. Raises RecoverableError.
        """
        records = records_of(shard, self._log.read(partition))
        state = ShardState({}, 1 + max(records.era_max, era_known), -1, self._format)
        origin = Origin(self._cluster_id, topic_id)
        return ShardWriter(partition, origin, records, state), state

    def flush(self, changes: Sequence[Flush]) -> float:
        """Make these the state of their shards, safely when this returns.

        Returns the broker's clock (epoch seconds), NaN when there was nothing to write. Raises
        ValueError, with nothing written, for what `ShardWriter.plan` refuses and for a writer that
        is named twice. Whatever else is raised, RecoverableError as a rule, spoils the writers: it
        is not known then what the log holds, and every later flush of them raises. Open again.
        """
        if len({change.writer.id for change in changes}) < len(changes):
            raise ValueError("a shard is flushed twice at once: give all its changes together")
        plans = [
            (c.writer, c.writer.plan(c.blobs, (c.era, c.applied_through), self._format))
            for c in changes
        ]
        try:
            clock = self._carry_out(plans)
        except BaseException:
            for writer, _ in plans:
                writer.spoil()
            raise
        for writer, plan in plans:
            writer.done(plan)
        return clock

    def _carry_out(self, plans: Sequence[tuple[ShardWriter, FlushPlan]]) -> float:
        """Each step is safe for all shards before the next begins."""
        clock = nan
        for step in (ShardWriter.parts, ShardWriter.head, ShardWriter.tombstones):
            drafts = (draft for writer, plan in plans for draft in step(writer, plan))
            for some in _in_bounds(drafts):
                clock = self._log.append(some)
        return clock

    def _error(self, records: Records, partition: int, found: Recovered) -> Exception:
        place = f"shard {records.shard} in {self._log.topic}/{partition}"
        give_up = (
            "or reset the shard: what was counted of it is given up then, and it begins by the "
            "start policy in a new era"
        )
        if not found.passed_over:
            return StateLost(
                f"{place}: {found.strange} heads, all of another topic or cluster. Was the topic "
                f"recreated, or the connection changed? Go back to the former one, {give_up}"
            )
        return StateCorrupt(
            f"{place}: heads are there, none is whole: {'; '.join(found.passed_over)}. Restore the "
            f"topic from a backup, {give_up}"
        )


def _in_bounds(drafts: Iterator[Draft]) -> Iterator[list[Draft]]:
    """Lists of about APPEND_MAX_BYTES, in order; none when there is nothing."""
    some: list[Draft] = []
    size = 0
    for draft in drafts:
        some.append(draft)
        size += len(draft.key) + len(draft.value or b"")
        if size >= APPEND_MAX_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
