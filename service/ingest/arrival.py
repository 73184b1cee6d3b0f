"""Partitions that were recorded side by side, in the order in which their records came."""

import heapq
import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping

from service.ingest.source import Source
from service.values.records import Chunk, Partition, Record, Turn

SLICE_SECONDS = 1.0
"""Records of one slice of arrival time count as having come at once."""

TURN_RECORDS = 1000
"""A turn has so many records or more: as many whole slices as that takes."""

WAITING_RECORDS_MAX = 2000
"""A partition that is ahead is not read on once so many of its records wait for the slowest."""


class InOrderOfArrival:
    """A `Source` over another one, up to where its logs end at `resume`.

    In which order partitions are fetched is chance. Here what a turn holds follows from the records
    alone, so that a replay of the same records is the same, even where models learn from the first
    of them. Arrival is Kafka's timestamp, as far as it goes forward; one after `latest_seconds` is
    nobody's clock, and counts as that before it.
    """

    def __init__(self, source: Source, latest_seconds: float) -> None:
        self._source = source
        self._latest_slice = math.floor(latest_seconds / SLICE_SECONDS)
        self._queues: dict[Partition, _Queue] = {}
        self._counts: Counter[int] = Counter()
        self._slices: list[int] = []
        self._forming = self._formed = 0

    def poll(self, timeout_seconds: float) -> Turn:
        """One turn's slices, or none while some are still to come."""
        end = self._complete()
        if end is not None:
            return Turn(list(self._emit(end)))
        turn = self._source.poll(timeout_seconds)
        for chunk in turn.chunks:
            for at, records in self._queues[chunk.partition].take(chunk, self._latest_slice):
                if at not in self._counts:
                    heapq.heappush(self._slices, at)
                self._counts[at] += records
        self._source.hold(self._ahead())
        return Turn([], turn.assigned, turn.revoked)

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """Begin (or go on with) partitions at positions."""
        chosen = self._source.resume(positions)
        ends = self._source.ends()
        for partition, at in chosen.items():
            self._queues[partition] = _Queue(at, ends.get(partition, at))
        return chosen

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Nobody is ahead of the others here."""

    def partitions(self) -> frozenset[Partition]:
        """Those of the source."""
        return self._source.partitions()

    def ends(self) -> dict[Partition, int]:
        """Those of the source."""
        return self._source.ends()

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:
        """What the source says."""
        return self._source.committed(partitions)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """As the source does."""
        self._source.commit(positions)

    @property
    def out_of_range_total(self) -> int:
        """That of the source."""
        return self._source.out_of_range_total

    @property
    def finished(self) -> bool:
        """True once all was read and handed over."""
        return all(queue.is_read and not queue.pieces for queue in self._queues.values())

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _slowest(self) -> float:
        """The slice that the slowest partition is in: only those before it are whole."""
        at = (queue.slice for queue in self._queues.values() if not queue.is_read)
        return min(at, default=math.inf)

    def _complete(self) -> float | None:
        """The last slice of a turn that is whole; None while some of it is still to come."""
        slowest = self._slowest()
        while self._forming < TURN_RECORDS and self._slices and self._slices[0] < slowest:
            self._formed = heapq.heappop(self._slices)
            self._forming += self._counts.pop(self._formed)
        is_last = math.isinf(slowest) and not self.finished
        if self._forming < TURN_RECORDS and not is_last:
            return None
        is_last &= self._forming < TURN_RECORDS
        self._forming = 0
        return math.inf if is_last else self._formed

    def _emit(self, end: float) -> Iterator[Chunk]:
        for partition, queue in sorted(self._queues.items()):
            chunk = queue.give(partition, end)
            if chunk is not None:
                yield chunk

    def _ahead(self) -> frozenset[Partition]:
        slowest = self._slowest()
        return frozenset(
            partition
            for partition, queue in self._queues.items()
            if queue.slice > slowest and queue.waiting >= WAITING_RECORDS_MAX
        )


class _Queue:
    """What was read of one partition and not handed over, in pieces of one slice each.

    `slice` is that of the newest record, `waiting` how many records there are.
    """

    def __init__(self, position: int, end: int) -> None:
        self.pieces: deque[tuple[int, Chunk]] = deque()
        self.slice = 0
        self.waiting = 0
        self._position = position
        self._end = end

    @property
    def is_read(self) -> bool:
        """Is there nothing to come?"""
        return self._position >= self._end

    def take(self, chunk: Chunk, latest_slice: int) -> Iterator[tuple[int, int]]:
        """Keep a chunk. Gives its slices, and how many records each has."""
        self._position = chunk.next_offset
        self.waiting += len(chunk.records)
        runs = self._runs(chunk, latest_slice)
        for number, (at, records) in enumerate(runs):
            is_last = number + 1 == len(runs)
            following = chunk.next_offset if is_last else runs[number + 1][1][0].offset
            skipped = chunk.skipped if is_last else ()
            self.pieces.append((at, Chunk(chunk.partition, records, following, skipped)))
            yield at, len(records)

    def give(self, partition: Partition, end: float) -> Chunk | None:
        """What is of slices up to `end`, as one chunk."""
        taken: list[Chunk] = []
        while self.pieces and self.pieces[0][0] <= end:
            taken.append(self.pieces.popleft()[1])
        if not taken:
            return None
        records = [record for chunk in taken for record in chunk.records]
        skipped = tuple(one for chunk in taken for one in chunk.skipped)
        self.waiting -= len(records)
        return Chunk(partition, records, taken[-1].next_offset, skipped)

    def _runs(self, chunk: Chunk, latest_slice: int) -> list[tuple[int, list[Record]]]:
        """Records that follow each other in one slice; a chunk without any is one run of none."""
        runs: list[tuple[int, list[Record]]] = []
        for record in chunk.records:
            at = record.timestamp_seconds
            if not math.isnan(at):
                here = math.floor(at / SLICE_SECONDS)
                self.slice = here if self.slice < here <= latest_slice else self.slice
            if not runs or runs[-1][0] != self.slice:
                runs.append((self.slice, []))
            runs[-1][1].append(record)
        return runs or [(self.slice, [])]
