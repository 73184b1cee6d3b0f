"""Recorded partitions in the order of arrival: what a turn holds follows from the records alone."""

import random

import pytest

from service.ingest.arrival import InOrderOfArrival
from service.ingest.memory import MemorySource
from service.values.records import Partition, Skipped
from tests.unit.ingest.sources.suite import SourceSuite

T0 = 1_700_000_000.0


class TestInOrderOfArrival(SourceSuite):
    def fill(self, counts):
        self.counts = counts
        return [Partition("t", number) for number in range(len(counts))]

    def open(self):
        values = {
            Partition("t", number): [b'{"row": %d}' % row for row in range(count)]
            for number, count in enumerate(self.counts)
        }
        return InOrderOfArrival(MemorySource(values, start="earliest"), T0)


class Halting(MemorySource):
    """Hands over pieces of any size of any partition, as a broker does."""

    def __init__(self, logs, seed):
        super().__init__()
        self._random = random.Random(seed)
        for number, times in enumerate(logs):
            self.assign(Partition("t", number))
            for at in times:
                self.append(Partition("t", number), b"{}", at)

    def poll(self, timeout_seconds):
        self.records_max = self._random.choice((1, 7, 300, 3000))
        self._positions = dict(
            self._random.sample([*self._positions.items()], len(self._positions))
        )
        return super().poll(timeout_seconds)


def turns_of(logs, seed=0, latest=T0 + 1e9):
    """Every turn, as a list of (partition, offsets)."""
    source = InOrderOfArrival(Halting(logs, seed), latest)
    source.resume(dict.fromkeys(source.partitions()))
    turns = []
    while not source.finished:
        chunks = source.poll(0.0).chunks
        if chunks:
            turns.append([(c.partition.number, [r.offset for r in c.records]) for c in chunks])
    return turns


@pytest.fixture(scope="module")
def logs():
    rng = random.Random(4)
    return [sorted(T0 + rng.uniform(0, 3600) for _ in range(n)) for n in (6000, 500, 2500, 0)]


def test_how_partitions_are_fetched_changes_no_turn(logs):
    turns = turns_of(logs)
    assert all(turns_of(logs, seed) == turns for seed in range(1, 5))
    assert len(turns) == pytest.approx(9, abs=1)


def test_every_record_comes_once_and_no_turn_reaches_back(logs):
    newest = 0.0
    seen = {number: [] for number in range(4)}
    for turn in turns_of(logs):
        times = [logs[number][offset] for number, offsets in turn for offset in offsets]
        assert min(times) > newest - 1.0
        newest = max(times)
        for number, offsets in turn:
            seen[number] += offsets
    assert [seen[number] for number in range(4)] == [list(range(len(log))) for log in logs]


def test_a_turn_has_no_more_than_its_slices_take(logs):
    assert max(sum(len(o) for _, o in turn) for turn in turns_of(logs)) < 1000 + 20


def test_clocks_that_go_back_stand_still_and_those_of_nobody_do_not_count():
    backwards = [T0 + 100.0, *(T0 + n / 10 for n in range(500)), T0 + 200.0]
    future = [T0 + 50.0, T0 + 1e12, *(T0 + 60.0 + n / 10 for n in range(500))]
    unknown = [float("nan")] * 300
    turns = turns_of([backwards, future, unknown], latest=T0 + 3600)
    assert turns == turns_of([backwards, future, unknown], seed=3, latest=T0 + 3600)
    read = {number: [] for number in range(3)}
    for turn in turns:
        for number, offsets in turn:
            read[number] += offsets
    assert [read[n] for n in range(3)] == [list(range(502)), list(range(502)), list(range(300))]


def test_a_partition_that_is_ahead_waits_and_the_slowest_is_never_held():
    ahead, behind = [T0 + n for n in range(30_000)], [T0 + n / 100 for n in range(8000)]
    inner = Halting([ahead, behind], seed=1)
    source = InOrderOfArrival(inner, T0 + 1e9)
    source.resume(dict.fromkeys(source.partitions()))
    most = 0
    while not source.finished:
        source.poll(0.0)
        most = max(most, sum(queue.waiting for queue in source._queues.values()))
    assert most < 12_000


def test_what_was_skipped_comes_with_its_turn():
    inner = Halting([[T0 + n for n in range(10)]], seed=0)
    inner.damage(Partition("t", 0), Skipped(4, 5, "corrupt_batch", "x"))
    source = InOrderOfArrival(inner, T0 + 1e9)
    source.resume({Partition("t", 0): None})
    chunks = []
    while not source.finished:
        chunks += source.poll(0.0).chunks
    assert [s for c in chunks for s in c.skipped] == [Skipped(4, 5, "corrupt_batch", "x")]
    assert chunks[-1].next_offset == 10
