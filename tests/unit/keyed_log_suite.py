"""What every `KeyedLog` promises. Memory and Kafka inherit these tests, each with its own world.

A test class gives `open` (a log over a topic of its own), `again` (another log over the same one)
and `retain_from` (delete what lies before an offset).
"""

import contextlib
import math
import time
from abc import ABC, abstractmethod

import pytest

from service.errors import OffsetOutOfRange, RecoverableError
from service.values.keyed_log import Draft, Entry, Follower, KeyedLog


def draft(partition: int, key: str, value: str | None = "") -> Draft:
    return Draft(partition, key.encode(), None if value is None else value.encode())


def told(entries: list[Entry]) -> list[tuple[int, int, str, str | None]]:
    """Partition, offset, key and value of each, by partition."""
    return sorted(
        (e.partition, e.offset, e.key.decode(), None if e.value is None else e.value.decode())
        for e in entries
    )


def polled(follower: Follower, count: int, deadline_seconds: float = 30.0) -> list[Entry]:
    """Polls until so many came; fewer when the time is over."""
    entries: list[Entry] = []
    deadline = time.monotonic() + deadline_seconds
    while len(entries) < count and time.monotonic() < deadline:
        entries += follower.poll(0.2)
    return entries


def going_on(follower: Follower, count: int, deadline_seconds: float = 30.0) -> list[Entry]:
    """Polls as its user does: what is recoverable is tried again."""
    entries: list[Entry] = []
    deadline = time.monotonic() + deadline_seconds
    while len(entries) < count and time.monotonic() < deadline:
        with contextlib.suppress(RecoverableError):
            entries += follower.poll(0.2)
    return entries


class KeyedLogSuite(ABC):
    @abstractmethod
    def open(self, partitions: int) -> KeyedLog:
        """A log over a topic of its own."""

    @abstractmethod
    def again(self) -> KeyedLog:
        """Another one over the same topic."""

    @abstractmethod
    def retain_from(self, partition: int, offset: int) -> None:
        """Delete what lies before."""

    @pytest.fixture(autouse=True)
    def closed_at_the_end(self):
        with contextlib.ExitStack() as self.stack:
            yield

    def log(self, partitions=1):
        return self.stack.enter_context(contextlib.closing(self.open(partitions)))

    def follower(self, log, positions):
        return self.stack.enter_context(contextlib.closing(log.follow(positions)))

    def test_it_says_how_many_partitions_there_are(self):
        log = self.log(3)
        assert log.partition_count == 3
        assert log.topic

    def test_what_was_appended_is_read_in_its_order_tombstones_too(self):
        log = self.log(2)
        log.append([draft(0, "a", "1"), draft(1, "b", "2"), draft(0, "a", None)])
        log.append([draft(0, "c", "3")])
        assert [(e.offset, e.key, e.value) for e in log.read(0)] == [
            (0, b"a", b"1"),
            (1, b"a", None),
            (2, b"c", b"3"),
        ]
        assert told([*log.read(1)]) == [(1, 0, "b", "2")]

    def test_the_clock_of_the_brokers_is_told_and_never_goes_back(self):
        log = self.log()
        first = log.append([draft(0, "a")])
        second = log.append([draft(0, "b"), draft(0, "c")])
        assert first <= second
        told_of = [e.append_seconds for e in log.read(0)]
        assert (told_of[0], told_of[-1]) == (first, second)

    def test_nothing_to_append_is_no_time(self):
        assert math.isnan(self.log().append([]))

    def test_an_empty_partition_is_read_at_once(self):
        log = self.log(2)
        log.append([draft(1, "b")])
        assert [*log.read(0)] == []

    def test_a_reading_ends_with_what_was_there_when_it_was_asked_for(self):
        log = self.log()
        log.append([draft(0, "a"), draft(0, "b")])
        reading = log.read(0)
        log.append([draft(0, "c")])
        assert [e.key for e in reading] == [b"a", b"b"]
        assert [e.key for e in log.read(0)] == [b"a", b"b", b"c"]

    def test_readings_go_on_side_by_side(self):
        log = self.log(2)
        log.append([draft(p, str(n)) for n in range(5) for p in (0, 1)])
        one, other = log.read(0), log.read(1)
        pairs = list(zip(one, other, strict=True))
        assert [(a.partition, b.partition, a.key == b.key) for a, b in pairs] == [(0, 1, True)] * 5

    def test_a_reading_that_is_given_up_leaves_the_next_one_whole(self):
        log = self.log()
        log.append([draft(0, str(n)) for n in range(5)])
        next(log.read(0))
        assert len([*log.read(0)]) == 5

    def test_another_log_over_the_topic_reads_and_goes_on(self):
        log = self.log()
        log.append([draft(0, "a")])
        other = self.stack.enter_context(contextlib.closing(self.again()))
        other.append([draft(0, "b")])
        assert told([*log.read(0)]) == told([*other.read(0)]) == [(0, 0, "a", ""), (0, 1, "b", "")]

    def test_a_follower_reads_what_is_there_and_then_what_comes(self):
        log = self.log(2)
        log.append([draft(0, "a"), draft(1, "b")])
        follower = self.follower(log, {0: None, 1: None})
        assert follower.positions == {0: 0, 1: 0}
        assert told(polled(follower, 2)) == [(0, 0, "a", ""), (1, 0, "b", "")]
        assert follower.positions == {0: 1, 1: 1}
        assert follower.poll(0.0) == []
        log.append([draft(1, "c"), draft(1, "d", None)])
        assert told(polled(follower, 2)) == [(1, 1, "c", ""), (1, 2, "d", None)]
        assert follower.positions == {0: 1, 1: 3}

    def test_a_follower_begins_where_it_is_told_and_reads_those_partitions_alone(self):
        log = self.log(3)
        log.append([draft(p, str(n)) for p in range(3) for n in range(4)])
        follower = self.follower(log, {0: 2, 2: None})
        assert told(polled(follower, 6)) == [
            *((0, n, str(n), "") for n in (2, 3)),
            *((2, n, str(n), "") for n in range(4)),
        ]
        assert follower.ends() == {0: 4, 2: 4}

    def test_a_follower_of_nothing_brings_nothing(self):
        follower = self.follower(self.log(), {})
        assert (follower.poll(0.0), follower.positions, follower.ends()) == ([], {}, {})

    def test_ends_are_told_of_now(self):
        log = self.log()
        follower = self.follower(log, {0: None})
        assert follower.ends() == {0: 0}
        log.append([draft(0, "a"), draft(0, "b")])
        assert follower.ends() == {0: 2}
        assert follower.positions == {0: 0}

    def test_what_is_held_waits_and_loses_nothing(self):
        log = self.log(2)
        follower = self.follower(log, {0: None, 1: None})
        follower.hold(frozenset({0}))
        log.append([draft(p, str(n)) for p in (0, 1) for n in range(3)])
        assert {e.partition for e in polled(follower, 3)} == {1}
        assert follower.poll(0.3) == []
        assert follower.positions == {0: 0, 1: 3}
        follower.hold(frozenset({1}))
        log.append([draft(1, "x")])
        assert told(polled(follower, 3)) == [(0, n, str(n), "") for n in range(3)]
        follower.hold(frozenset())
        assert told(polled(follower, 1)) == [(1, 3, "x", "")]

    def test_what_retention_took_is_not_read_and_a_position_in_it_is_named(self):
        log = self.log()
        log.append([draft(0, str(n)) for n in range(6)])
        self.retain_from(0, 4)
        assert [e.offset for e in log.read(0)] == [4, 5]
        assert [e.offset for e in polled(self.follower(log, {0: None}), 2)] == [4, 5]
        behind = self.follower(log, {0: 1})
        with pytest.raises(OffsetOutOfRange, match=log.topic):
            polled(behind, 1)
        assert behind.positions == {0: 1}

    def test_a_position_that_is_not_there_yet_is_named(self):
        log = self.log()
        log.append([draft(0, "a")])
        with pytest.raises(OffsetOutOfRange, match=log.topic):
            polled(self.follower(log, {0: 7}), 1)

    def test_it_may_be_closed_twice(self):
        log = self.log()
        log.append([draft(0, "a")])
        follower = log.follow({0: None})
        polled(follower, 1)
        for _ in range(2):
            follower.close()
            log.close()
