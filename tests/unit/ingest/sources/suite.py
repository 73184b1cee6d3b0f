"""What every Source promises. Memory, files and Kafka inherit these tests, each with its own world.

A test class gives `fill` (a log of so many records for each partition, values {"row": n}) and
`open` (a source over that log that starts at the earliest offset and stops when out of range).
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

import msgspec
import pytest

from service.errors import OffsetOutOfRange
from service.ingest.source import Source
from service.values.records import Chunk, Partition, Turn


def turns(source: Source, deadline_seconds: float = 30.0) -> Iterator[Turn]:
    """Poll until somebody stops asking, or the deadline passes."""
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline:
        yield source.poll(0.1)


def assigned(source: Source, count: int) -> frozenset[Partition]:
    """Poll until `count` partitions were assigned."""
    seen: frozenset[Partition] = frozenset()
    for turn in turns(source):
        seen = (seen - turn.revoked) | turn.assigned
        if len(seen) == count:
            return seen
    raise AssertionError(f"only {seen} were assigned")


def chunks_until(source: Source, ends: dict[Partition, int]) -> list[Chunk]:
    """Poll until every partition was read up to its end."""
    chunks: list[Chunk] = []
    reached: dict[Partition, int] = {}
    for turn in turns(source):
        chunks += turn.chunks
        reached |= {chunk.partition: chunk.next_offset for chunk in turn.chunks}
        if all(reached.get(partition, 0) >= end for partition, end in ends.items()):
            return chunks
    raise AssertionError(f"reached {reached} of {ends}")


def rows(chunks: list[Chunk], partition: Partition) -> list[int]:
    """The row numbers in the values of one partition, in the order they came."""
    of_partition = (c for c in chunks if c.partition == partition)
    return [int(msgspec.json.decode(r.value)["row"]) for c in of_partition for r in c.records]


class SourceSuite(ABC):
    @abstractmethod
    def fill(self, counts: list[int]) -> list[Partition]: ...

    @abstractmethod
    def open(self) -> Source: ...

    @pytest.fixture
    def source_of(self):
        with contextlib.ExitStack() as stack:

            def opened(counts: list[int]) -> tuple[Source, list[Partition]]:
                partitions = self.fill(counts)
                return stack.enter_context(contextlib.closing(self.open())), partitions

            yield opened

    def test_every_record_arrives_once_and_in_order(self, source_of):
        source, (a, b) = source_of([70, 30])
        source.resume(dict.fromkeys(assigned(source, 2)))
        chunks = chunks_until(source, {a: 70, b: 30})
        assert rows(chunks, a) == list(range(70))
        assert rows(chunks, b) == list(range(30))

    def test_chunks_of_a_partition_follow_each_other_without_a_gap(self, source_of):
        source, (a,) = source_of([50])
        source.resume(dict.fromkeys(assigned(source, 1)))
        at = 0
        for chunk in chunks_until(source, {a: 50}):
            assert all(at <= r.offset < chunk.next_offset for r in chunk.records)
            at = chunk.next_offset
        assert at == 50

    def test_nothing_flows_before_resume(self, source_of):
        source, (a, _) = source_of([5, 5])
        assigned(source, 2)
        assert [source.poll(0.1).chunks for _ in range(3)] == [[], [], []]
        assert source.resume({a: None}) == {a: 0}
        assert {c.partition for c in chunks_until(source, {a: 5})} == {a}

    def test_reading_goes_on_at_the_position_that_resume_names(self, source_of):
        source, (a, b) = source_of([40, 10])
        assigned(source, 2)
        assert source.resume({a: 33, b: 10}) == {a: 33, b: 10}
        chunks = chunks_until(source, {a: 40})
        assert rows(chunks, a) == list(range(33, 40))
        assert rows(chunks, b) == []

    def test_a_second_resume_moves_the_position(self, source_of):
        source, (a,) = source_of([40])
        assigned(source, 1)
        source.resume({a: 30})
        chunks_until(source, {a: 40})
        source.resume({a: 20})
        assert rows(chunks_until(source, {a: 40}), a) == list(range(20, 40))

    def test_holding_partitions_and_letting_them_go_loses_and_repeats_nothing(self, source_of):
        source, (a, b) = source_of([30, 30])
        source.resume(dict.fromkeys(assigned(source, 2)))
        source.hold(frozenset({b, Partition("elsewhere", 7)}))
        first = chunks_until(source, {a: 30})
        source.hold(frozenset())
        chunks = first + chunks_until(source, {b: 30} if rows(first, b) != list(range(30)) else {})
        assert rows(chunks, a) == rows(chunks, b) == list(range(30))

    def test_every_partition_is_known_and_assigned_once(self, source_of):
        source, partitions = source_of([1, 2, 3])
        assert assigned(source, 3) == set(partitions)
        assert source.partitions() == set(partitions)
        assert [source.poll(0.05).assigned for _ in range(3)] == [frozenset()] * 3

    def test_after_the_last_record_the_ends_are_where_we_are(self, source_of):
        source, (a, b) = source_of([7, 9])
        source.resume(dict.fromkeys(assigned(source, 2)))
        chunks_until(source, {a: 7, b: 9})
        assert source.ends() == {a: 7, b: 9}

    def test_a_position_beyond_the_end_is_a_named_error(self, source_of):
        source, (a,) = source_of([5])
        assigned(source, 1)
        with pytest.raises(OffsetOutOfRange) as caught:  # noqa: PT012 - files notice it at a poll
            source.resume({a: 9})
            chunks_until(source, {a: 9})
        assert all(part in str(caught.value) for part in (a.topic, "9", "5", "out_of_range"))

    def test_partitions_that_are_not_ours_are_left_out(self, source_of):
        source, (a,) = source_of([5])
        assigned(source, 1)
        assert source.resume({a: 1, Partition("elsewhere", 7): 3}) == {a: 1}

    def test_commit_never_raises_and_committed_is_what_was_committed_or_nothing(self, source_of):
        source, (a,) = source_of([5])
        source.resume(dict.fromkeys(assigned(source, 1)))
        source.commit({a: 3, Partition("elsewhere", 7): 3})
        source.commit({a: 3})
        source.commit({})
        for _ in zip(range(20), turns(source), strict=False):
            if source.committed(frozenset({a})):
                break
        assert source.committed(frozenset({a})) in ({a: 3}, {})

    def test_closing_twice_is_harmless(self, source_of):
        source, _ = source_of([1])
        assigned(source, 1)
        source.close()
        source.close()
