"""A `KeyedLog` in memory, with what Kafka does to one: compaction and retention, when told to."""

import math
from collections.abc import Iterator, Mapping, Sequence

from service.errors import OffsetOutOfRange
from service.values.keyed_log import Draft, Entry


class KeyedLogMemory:
    """Entries are kept in lists by partition; `now_seconds` is the broker's clock."""

    def __init__(self, partition_count: int = 1, topic: str = "memory") -> None:
        self.topic = topic
        self.partition_count = partition_count
        self.now_seconds = 0.0
        self.entries: list[list[Entry]] = [[] for _ in range(partition_count)]
        self.firsts = [0] * partition_count
        self._ends = [0] * partition_count

    def append(self, drafts: Sequence[Draft]) -> float:
        """Keep them all."""
        for draft in drafts:
            entry = Entry(
                draft.partition,
                self._ends[draft.partition],
                self.now_seconds,
                draft.key,
                draft.value,
            )
            self._ends[draft.partition] += 1
            self.entries[draft.partition].append(entry)
        return self.now_seconds if drafts else math.nan

    def read(self, partition: int) -> Iterator[Entry]:
        """What is there now."""
        return iter(list(self.entries[partition]))

    def follow(self, positions: Mapping[int, int | None]) -> "FollowerMemory":
        """A follower of these partitions."""
        starts = {p: self.firsts[p] if at is None else at for p, at in positions.items()}
        return FollowerMemory(self, starts)

    def compact(self, partition: int) -> None:
        """Keep the last entry of each key, and no tombstone."""
        last = {entry.key: entry.offset for entry in self.entries[partition]}
        self.entries[partition] = [
            entry
            for entry in self.entries[partition]
            if entry.offset == last[entry.key] and entry.value is not None
        ]

    def retain_from(self, partition: int, offset: int) -> None:
        """Delete every entry before `offset`."""
        self.firsts[partition] = max(self.firsts[partition], offset)
        self.entries[partition] = [e for e in self.entries[partition] if e.offset >= offset]

    def ends(self) -> dict[int, int]:
        """The offset after the last entry of each partition."""
        return dict(enumerate(self._ends))

    def close(self) -> None:
        """Nothing to let go of."""


class FollowerMemory:
    """Never waits."""

    def __init__(self, log: KeyedLogMemory, positions: dict[int, int]) -> None:
        self.positions = positions
        self._log = log
        self._held: frozenset[int] = frozenset()

    def poll(self, timeout_seconds: float) -> list[Entry]:
        """Everything that is there of what is not held."""
        taken = []
        for partition in self.positions.keys() - self._held:
            at = self.positions[partition]
            if not self._log.firsts[partition] <= at <= self._log.ends()[partition]:
                raise OffsetOutOfRange(f"{self._log.topic} does not hold offset {at}")
            taken += [e for e in self._log.entries[partition] if e.offset >= at]
            self.positions[partition] = self._log.ends()[partition]
        return taken

    def ends(self) -> dict[int, int]:
        """As the log's."""
        return {p: end for p, end in self._log.ends().items() if p in self.positions}

    def hold(self, partitions: frozenset[int]) -> None:
        """Bring nothing of these."""
        self._held = partitions

    def close(self) -> None:
        """Nothing to let go of."""
