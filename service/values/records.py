"""What a source hands over: raw records, still bytes."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import NamedTuple

from msgspec import Struct


class Partition(NamedTuple):
    """One partition of one topic; a file is partition 0 of a topic named by its path."""

    topic: str
    number: int


class Record(Struct, frozen=True, gc=False):
    """One raw record. `timestamp_seconds` is Kafka's (create or append time), epoch seconds."""

    offset: int
    timestamp_seconds: float
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Skipped(Struct, frozen=True):
    """A range of offsets out of which no record could be read (a corrupt or undecodable batch)."""

    first_offset: int
    last_offset: int
    reason: str
    detail: str


class Chunk(Struct, frozen=True):
    """Consecutive records of one partition.

    `next_offset` is where the next chunk of the partition starts: every offset before it is in
    this chunk, in an earlier one, in `skipped`, or holds no record (compaction, transaction
    markers). `records` ascend by offset and may be empty.
    """

    partition: Partition
    records: list[Record]
    next_offset: int
    skipped: tuple[Skipped, ...] = ()

    def pieces(self, records_max: int) -> Iterator["Chunk"]:
        """The same in pieces of at most so many records; what was skipped is in the last one."""
        firsts = range(0, max(1, len(self.records)), records_max)
        for first in firsts:
            records = self.records[first : first + records_max]
            if first == firsts[-1]:
                yield Chunk(self.partition, records, self.next_offset, self.skipped)
            else:
                yield Chunk(self.partition, records, records[-1].offset + 1)


def in_rounds(chunks: Iterable[Chunk], records_max: int) -> Iterator[list[Chunk]]:
    """Pieces of all chunks side by side, round by round."""
    for together in zip_longest(*(chunk.pieces(records_max) for chunk in chunks)):
        yield [piece for piece in together if piece is not None]


class Turn(Struct, frozen=True):
    """What one `poll` brought.

    Partitions in `assigned` are newly ours and stay paused until `Source.resume` says where they
    begin; those in `revoked` are ours no longer. `chunks` hold none of the paused ones.
    `in_touch` is False while nobody answers, and for some seconds after: until then the ends of the
    logs are what was last heard, so that being at the end says nothing, nor does being behind.
    `obstacle` says in words why no record can come now, empty when some can;
    `absent` are configured topics that are not there, each with what to do.
    `acknowledged` are partitions of which the group accepted a commit that was sent after they were
    last resumed, and which are still ours: so nobody else had been given them by then.
    """

    chunks: list[Chunk] = []
    assigned: frozenset[Partition] = frozenset()
    revoked: frozenset[Partition] = frozenset()
    in_touch: bool = True
    obstacle: str = ""
    absent: Mapping[str, str] = {}
    acknowledged: frozenset[Partition] = frozenset()
