"""Shards in a state topic: opened by whoever was given them, flushed many at a time."""

from collections.abc import Iterator, Mapping, Sequence
from math import nan

from msgspec import Struct

from service.errors import RecoverableError, StateCorrupt, StateLost
from service.state.shards.recovery import Origin, Reading, Recovered, ShardState, recovered
from service.state.shards.writer import FlushPlan, ShardWriter
from service.values.keyed_log import Draft, Entry, Follower, KeyedLog

FORMAT = 1
"""The newest format of blobs that this version reads and writes; it reads the one before, too."""

READ_ON_MAX = 20
"""A shard that is taken over from one who still writes is read on so often, until it is quiet."""

SILENT_POLLS_MAX = 50
POLL_SECONDS = 0.1

APPEND_MAX_BYTES = 16 * 2**20
"""Appended and waited for at a time, so that many large shards are never in memory twice."""

STEPS = (ShardWriter.parts, ShardWriter.head, ShardWriter.tombstones)
"""Of a flush, in the one order that loses nothing."""


class Opening(Struct, frozen=True):
    """A shard to take over: where its state is, and the id of the topic that its input is from."""

    shard: str
    partition: int
    topic_id: str


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
        """Take one shard over: see `open_all`."""
        return self.open_all([Opening(shard, partition, topic_id)])[0]

    def open_all(self, openings: Sequence[Opening]) -> list[tuple[ShardWriter, ShardState | None]]:
        """Take shards over, as of the ends of their state partitions now; each is read once.

        For each in this order the new writer, and the state, None where there is no head. A writer
        has nothing in the log yet: its first flush writes all of the state anew.

        Raises StateCorrupt where there are heads and none is whole, StateLost where all are of
        another topic of that name, FormatTooNew or FormatTooOld where another version is needed,
        RecoverableError when the log does not answer.
        """
        together: dict[int, list[Opening]] = {}
        for opening in openings:
            together.setdefault(opening.partition, []).append(opening)
        opened = {}
        for partition, some in together.items():
            reading = self._read(partition, [opening.shard for opening in some])
            for opening in some:
                opened[opening] = self._opened(opening, reading)
        return [opened[opening] for opening in openings]

    def reset(
        self, shard: str, partition: int, topic_id: str, era_known: int = 0
    ) -> tuple[ShardWriter, ShardState]:
        """Take a shard over with nothing, in an era above all that were seen, whatever is there.

        For an operator who said so: what was counted is given up, from the first flush on.
        `era_known` is one that is known from elsewhere. Raises RecoverableError.
        """
        reading = self._read(partition, [shard])
        records = reading.records[shard]
        state = ShardState({}, 1 + max(records.era_max, era_known), -1, self._format)
        origin = Origin(self._cluster_id, topic_id)
        return ShardWriter(partition, origin, records, state, reading.end), state

    def flush(self, changes: Sequence[Flush]) -> float:
        """Make these the state of their shards, safely when this returns.

        Returns the broker's clock (epoch seconds), NaN when there was nothing to write. Raises
        ValueError, with nothing written, for what `ShardWriter.plan` refuses and for a shard that
        is named twice. Whatever else is raised, RecoverableError as a rule, spoils the writers: it
        is not known then what the log holds, and every later flush of them raises. Open again.
        """
        if len({change.writer.shard for change in changes}) < len(changes):
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

    def _read(self, partition: int, shards: Sequence[str]) -> Reading:
        """To an end after which nothing of the shards was there.

        While a log is read others may append, and compaction then removes what is superseded ahead
        of us: a head, say, whose successor is beyond the end as it was at first. So it is read on.
        """
        reading = Reading(shards)
        reading.take(self._log.read(partition))
        follower = self._log.follow({partition: reading.end or None})
        try:
            for _ in range(READ_ON_MAX):
                if not reading.take(_to_the_end(follower, partition)):
                    return reading
        finally:
            follower.close()
        raise RecoverableError(
            f"{self._log.topic}/{partition}: somebody else goes on writing {', '.join(shards)}. It "
            "is tried again; if that does not end, stop the other process"
        )

    def _opened(self, opening: Opening, reading: Reading) -> tuple[ShardWriter, ShardState | None]:
        origin = Origin(self._cluster_id, opening.topic_id)
        records = reading.records[opening.shard]
        found = recovered(records, origin, self._formats)
        if found.state is None and records.any_head:
            raise self._error(opening, found)
        writer = ShardWriter(opening.partition, origin, records, found.state, reading.end)
        return writer, found.state

    def _carry_out(self, plans: Sequence[tuple[ShardWriter, FlushPlan]]) -> float:
        """Each step is safe for all shards before the next begins."""
        clock = nan
        for step in STEPS:
            drafts = (draft for writer, plan in plans for draft in step(writer, plan))
            for some in _in_bounds(drafts):
                clock = self._log.append(some)
        return clock

    def _error(self, opening: Opening, found: Recovered) -> Exception:
        place = f"shard {opening.shard} in {self._log.topic}/{opening.partition}"
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


def _to_the_end(follower: Follower, partition: int) -> Iterator[Entry]:
    """What is there now and was not read yet. Raises RecoverableError when it does not come."""
    end, silent = follower.ends()[partition], 0
    while follower.positions[partition] < end:
        entries = follower.poll(POLL_SECONDS)
        yield from entries
        silent = 0 if entries else silent + 1
        if silent == SILENT_POLLS_MAX:
            raise RecoverableError(f"partition {partition} does not read to its end at {end}")


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
