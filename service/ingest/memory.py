"""A source whose log is a list: it behaves as Kafka does, and tests move it by hand."""

from collections.abc import Mapping

from service.ingest.positions import LogRange, Recovery, Start, recover
from service.values.records import Chunk, Partition, Record, Skipped, Turn


class MemorySource:
    """Partitions kept in memory; every one is assigned at the first poll.

    `append`, `assign`, `revoke`, `trim`, `damage` and `finish` are the world around the source: a
    producer, the group, retention, a bad disk and the end of a file. A relative `start` needs `now`
    (epoch seconds).
    """

    def __init__(
        self,
        partitions: Mapping[Partition, list[bytes]] | None = None,
        *,
        start: Start = "earliest",
        out_of_range: Recovery = "stop",
        records_max: int = 5000,
        now: float = 0.0,
    ) -> None:
        self.start = start
        self.out_of_range = out_of_range
        self.records_max = records_max
        self.now = now
        self.out_of_range_total = 0
        self._logs: dict[Partition, list[Record]] = {}
        self._first: dict[Partition, int] = {}
        self._damaged: dict[Partition, list[Skipped]] = {}
        self._positions: dict[Partition, int] = {}
        self._held: set[Partition] = set()
        self._on_hold: frozenset[Partition] = frozenset()
        self._assigned: set[Partition] = set()
        self._revoked: set[Partition] = set()
        self._committed: dict[Partition, int] = {}
        self._acknowledged: set[Partition] = set()
        self._ended = False
        for partition, values in (partitions or {}).items():
            self.assign(partition)
            for value in values:
                self.append(partition, value)

    def poll(self, timeout_seconds: float) -> Turn:  # noqa: ARG002 - nothing here makes one wait
        """All that is there, up to `records_max` records; never waits."""
        chunks: list[Chunk] = []
        room = self.records_max
        for partition in [p for p in self._positions if p not in self._on_hold]:
            if room and (chunk := self._read(partition, room)):
                chunks.append(chunk)
                room -= len(chunk.records)
        turn = Turn(
            chunks,
            frozenset(self._assigned),
            frozenset(self._revoked),
            acknowledged=frozenset(self._acknowledged & self._positions.keys()),
        )
        self._assigned.clear()
        self._revoked.clear()
        self._acknowledged.clear()
        return turn

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """Go on at positions; partitions that are no longer ours are left out of the answer."""
        chosen = {p: self._place(p, at) for p, at in positions.items() if p in self._held}
        self._positions.update(chosen)
        self._acknowledged -= chosen.keys()
        self._on_hold -= chosen.keys()
        return chosen

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Let these partitions rest."""
        self._on_hold = partitions

    def partitions(self) -> frozenset[Partition]:
        """Every partition there is."""
        return frozenset(self._logs)

    def ends(self) -> dict[Partition, int]:
        """The end of each owned partition."""
        return {partition: self._range(partition).end for partition in self._held}

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:
        """What `commit` was told."""
        return {p: at for p, at in self._committed.items() if p in partitions}

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Remember the positions; the next poll tells that they were accepted."""
        self._committed.update(positions)
        self._acknowledged |= positions.keys() & self._held

    @property
    def finished(self) -> bool:
        """True after `finish` once everything owned was read."""
        unread = self._held - self._positions.keys()
        return (
            self._ended
            and not unread
            and all(at >= self._range(p).end for p, at in self._positions.items())
        )

    def close(self) -> None:
        """Nothing to leave."""

    def append(
        self,
        partition: Partition,
        value: bytes | None,
        timestamp_seconds: float = 0.0,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> int:
        """Produce one record and return its offset; the partition need not exist yet."""
        log = self._logs.setdefault(partition, [])
        offset = self._range(partition).end
        log.append(Record(offset, timestamp_seconds, value, key, headers))
        return offset

    def assign(self, partition: Partition) -> None:
        """The group gives us a partition."""
        self._logs.setdefault(partition, [])
        self._positions.pop(partition, None)
        self._held.add(partition)
        self._assigned.add(partition)

    def revoke(self, partition: Partition) -> None:
        """The group takes a partition away."""
        self._positions.pop(partition, None)
        self._held.discard(partition)
        if partition in self._assigned:
            self._assigned.discard(partition)
        else:
            self._revoked.add(partition)

    def trim(self, partition: Partition, first: int) -> None:
        """Retention deletes every record before offset `first`."""
        self._logs[partition] = [r for r in self._logs[partition] if r.offset >= first]
        self._first[partition] = max(first, self._first.get(partition, 0))

    def damage(self, partition: Partition, skipped: Skipped) -> None:
        """The records of a range can no longer be read."""
        self._damaged.setdefault(partition, []).append(skipped)

    def finish(self) -> None:
        """There will never be another record."""
        self._ended = True

    def _range(self, partition: Partition) -> LogRange:
        log = self._logs[partition]
        first = self._first.get(partition, 0)
        return LogRange(first, log[-1].offset + 1 if log else first)

    def _place(self, partition: Partition, position: int | None) -> int:
        log = self._range(partition)
        if position is None:
            return self._starting_position(partition, log)
        if log.holds(position):
            return position
        self.out_of_range_total += 1
        return recover(partition, position, log, self.out_of_range)

    def _starting_position(self, partition: Partition, log: LogRange) -> int:
        if self.start == "earliest":
            return log.first
        if self.start == "latest":
            return log.end
        since = self.now + self.start
        newer = (r.offset for r in self._logs[partition] if r.timestamp_seconds >= since)
        return next(newer, log.end)

    def _read(self, partition: Partition, room: int) -> Chunk | None:
        at = self._positions[partition]
        if at < self._range(partition).first:
            self._lose(partition)
            return None
        damaged = self._damaged.get(partition, [])
        skipped = tuple(s for s in damaged if s.last_offset >= at)
        records = [r for r in self._logs[partition] if r.offset >= at][:room]
        if not records:
            return None
        end = records[-1].offset + 1
        skipped = tuple(s for s in skipped if s.first_offset < end)
        sound = [r for r in records if not any(_covers(s, r.offset) for s in skipped)]
        self._positions[partition] = end = max([end, *(s.last_offset + 1 for s in skipped)])
        return Chunk(partition, sound, end, skipped)

    def _lose(self, partition: Partition) -> None:
        """Retention passed us: the caller has to resume anew, where the policy rules."""
        del self._positions[partition]
        self._revoked.add(partition)
        self._assigned.add(partition)


def _covers(skipped: Skipped, offset: int) -> bool:
    return skipped.first_offset <= offset <= skipped.last_offset
