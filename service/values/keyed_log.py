"""The port to a topic of ours: records with keys that are appended, read to their end, followed.

What is kept or exchanged between processes is written against it, so that it is tried without a
broker; `service.kafka` has the topic behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class Draft(Struct, frozen=True, gc=False):
    """A record to append. `value` None is a tombstone: compaction forgets the key."""

    partition: int
    key: bytes
    value: bytes | None


class Entry(Struct, frozen=True, gc=False):
    """A record as it stands in the log. `append_seconds` is the broker's clock, epoch seconds."""

    partition: int
    offset: int
    append_seconds: float
    key: bytes
    value: bytes | None


class Follower(Protocol):
    """A reading of some partitions that goes on for ever, from positions that the caller keeps."""

    @property
    def positions(self) -> Mapping[int, int]:
        """The offset of the next entry of each partition."""
        ...

    def poll(self, timeout_seconds: float) -> list[Entry]:
        """Entries that are there, ascending by offset within a partition, or wait for some.

        Raises RecoverableError when nobody answers, OffsetOutOfRange where the log no longer holds
        a position: retention has deleted what was not read.
        """
        ...

    def ends(self) -> Mapping[int, int]:
        """For each partition the offset after its last entry, asked now.

        Raises RecoverableError when nobody answers.
        """
        ...

    def hold(self, partitions: frozenset[int]) -> None:
        """Read none of these now and all others; each call replaces the one before."""
        ...

    def close(self) -> None:
        """Let go of the connection. May be called twice."""
        ...


class KeyedLog(Protocol):
    """One topic. Its partitions were fixed when it was made."""

    @property
    def topic(self) -> str:
        """Its name, for messages."""
        ...

    @property
    def partition_count(self) -> int:
        """How many partitions it has."""
        ...

    def append(self, drafts: Sequence[Draft]) -> float:
        """Append in this order within each partition, once each, and wait until all are safe.

        Returns the broker's clock at the last of them (epoch seconds), NaN for no drafts. Raises
        RecoverableError when any is not known to be safe: some may be there all the same.
        """
        ...

    def read(self, partition: int) -> Iterator[Entry]:
        """Every entry from the first to the last that is there at the call.

        Raises RecoverableError when nobody answers.
        """
        ...

    def follow(self, positions: Mapping[int, int | None]) -> Follower:
        """Read these partitions from these offsets on, None = from the first that is there.

        Raises RecoverableError when nobody answers.
        """
        ...

    def close(self) -> None:
        """Let go of the connections. May be called twice."""
        ...
