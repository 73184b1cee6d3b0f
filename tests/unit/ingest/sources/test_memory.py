"""The source in memory keeps the promises of the port, and does what a test tells it to."""

import pytest

from service.errors import OffsetOutOfRange
from service.ingest.memory import MemorySource
from service.values.records import Partition, Skipped
from tests.unit.ingest.sources.suite import SourceSuite, rows

A = Partition("events", 0)


def values(count):
    return [b'{"row": %d}' % n for n in range(count)]


class TestMemorySource(SourceSuite):
    def fill(self, counts):
        self.logs = {Partition("events", n): values(count) for n, count in enumerate(counts)}
        return list(self.logs)

    def open(self):
        return MemorySource(self.logs)


def flowing(count=10, at=0, **settings):
    source = MemorySource({A: values(count)}, **settings)
    source.poll(0)
    source.resume({A: at})
    return source


def test_a_poll_brings_at_most_as_many_records_as_set():
    source = flowing(records_max=4)
    assert [len(source.poll(0).chunks[0].records) for _ in range(3)] == [4, 4, 2]


def test_a_commit_is_acknowledged_once_and_only_of_what_was_not_resumed_or_taken_since():
    source = flowing()
    source.commit({A: 3})
    assert [source.poll(0).acknowledged for _ in range(2)] == [{A}, frozenset()]
    source.commit({A: 3})
    source.resume({A: 3})
    assert source.poll(0).acknowledged == frozenset()
    source.commit({A: 3})
    source.revoke(A)
    assert source.poll(0).acknowledged == frozenset()


def test_a_revoked_partition_stops_and_comes_back_paused():
    source = flowing(records_max=4)
    source.poll(0)
    source.revoke(A)
    source.assign(A)
    turn = source.poll(0)
    assert (turn.chunks, turn.revoked, turn.assigned) == ([], {A}, {A})
    source.resume({A: 4})
    assert rows(source.poll(0).chunks, A) == [4, 5, 6, 7]


def test_a_partition_on_hold_brings_nothing_until_it_is_let_go_or_resumed():
    source = flowing(records_max=4)
    source.hold(frozenset({A}))
    assert source.poll(0).chunks == []
    source.hold(frozenset())
    assert rows(source.poll(0).chunks, A) == [0, 1, 2, 3]
    source.hold(frozenset({A}))
    source.resume({A: 8})
    assert rows(source.poll(0).chunks, A) == [8, 9]


@pytest.mark.parametrize(("start", "position"), [("earliest", 0), ("latest", 3), (-15.0, 2)])
def test_the_first_start_is_by_policy(start, position):
    source = MemorySource(start=start, now=100.0)
    for seconds in (60.0, 80.0, 90.0):
        source.append(A, b"{}", seconds)
    source.assign(A)
    source.poll(0)
    assert source.resume({A: None}) == {A: position}


def test_a_damaged_range_is_reported_once_and_the_rest_arrives():
    source = flowing()
    source.damage(A, Skipped(3, 5, "corrupt_batch", "checksum"))
    (chunk,) = source.poll(0).chunks
    assert [r.offset for r in chunk.records] == [0, 1, 2, 6, 7, 8, 9]
    assert chunk.skipped == (Skipped(3, 5, "corrupt_batch", "checksum"),)
    source.append(A, b"{}")
    assert source.poll(0).chunks[0].skipped == ()


def test_retention_passing_us_makes_the_partition_ours_anew():
    source = flowing()
    source.trim(A, 6)
    turn = source.poll(0)
    assert (turn.revoked, turn.assigned) == ({A}, {A})
    with pytest.raises(OffsetOutOfRange, match="deleted"):
        source.resume({A: 0})


@pytest.mark.parametrize(("policy", "position"), [("earliest", 6), ("latest", 10)])
def test_the_policy_for_a_lost_position_is_followed_and_counted(policy, position):
    source = flowing(out_of_range=policy)
    source.trim(A, 6)
    source.poll(0)
    assert source.resume({A: 0}) == {A: position}
    assert source.out_of_range_total == 1


def test_it_has_finished_only_when_told_so_and_read_to_the_end():
    source = flowing()
    source.poll(0)
    assert not source.finished
    source.append(A, b"{}")
    source.finish()
    assert not source.finished
    source.poll(0)
    assert source.finished
