"""Role `all` and the other members of its group: who waits, who reads, who leaves."""

import pytest

from service.errors import NotAlone
from service.loops.vitals import INCUMBENT_SECONDS, Solitude
from service.values.records import Partition

EVERY = frozenset(Partition("events", number) for number in range(6))
HALF = frozenset(sorted(EVERY)[:3])
NONE = frozenset()
PATIENCE_SECONDS = 11.0


class Clock:
    def __init__(self):
        self.seconds = 100.0

    def monotonic(self):
        return self.seconds

    def now(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def solitude(clock):
    return Solitude(clock, PATIENCE_SECONDS)


def test_who_owns_every_partition_reads(solitude):
    assert solitude.lasts(EVERY, EVERY)


def test_before_the_group_has_answered_there_is_nothing_to_read_and_nobody_to_blame(
    solitude, clock
):
    assert solitude.lasts(NONE, NONE)
    clock.seconds += 1000
    assert not solitude.lasts(NONE, EVERY)


def test_a_newcomer_reads_nothing_until_the_dead_member_is_out_of_the_group(solitude, clock):
    assert not solitude.lasts(HALF, EVERY)
    clock.seconds += PATIENCE_SECONDS - 0.1
    assert not solitude.lasts(HALF, EVERY)
    assert solitude.lasts(EVERY, EVERY)


def test_a_newcomer_leaves_when_the_other_stays(solitude, clock):
    solitude.lasts(HALF, EVERY)
    clock.seconds += PATIENCE_SECONDS
    with pytest.raises(NotAlone, match=r"owns 3 partitions .*events/3.*kafka.group.*`worker`"):
        solitude.lasts(HALF, EVERY)


def test_who_was_there_first_reads_on_and_outlasts_the_newcomer(solitude, clock):
    solitude.lasts(EVERY, EVERY)
    assert solitude.lasts(HALF, EVERY)
    clock.seconds += PATIENCE_SECONDS + INCUMBENT_SECONDS - 0.1
    assert solitude.lasts(HALF, EVERY)
    clock.seconds += 0.1
    with pytest.raises(NotAlone):
        solitude.lasts(HALF, EVERY)


def test_patience_begins_anew_after_each_disturbance(solitude, clock):
    solitude.lasts(EVERY, EVERY)
    for _ in range(5):
        assert solitude.lasts(HALF, EVERY)
        clock.seconds += PATIENCE_SECONDS
        assert solitude.lasts(EVERY, EVERY)
