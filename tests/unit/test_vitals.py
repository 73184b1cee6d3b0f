"""What the service knows of itself: timings, whether it hangs, is alone, has caught up."""

import math
from contextlib import suppress

import pytest

from service.clock import ManualClock
from service.errors import NotAlone
from service.loops.vitals import (
    INCUMBENT_SECONDS,
    CatchingUp,
    Checkpoints,
    KnownEnds,
    Solitude,
    Timings,
    Watchdog,
)
from service.values.records import Partition

A, B = Partition("events", 0), Partition("events", 1)
NONE, ONLY_A, BOTH = frozenset(), frozenset({A}), frozenset({A, B})


def test_steps_are_timed_and_the_longest_is_kept_even_when_they_fail():
    clock = ManualClock()
    timings = Timings(clock)
    for seconds in (1.0, 5.0, 2.0):
        with timings.step("judge"):
            clock.sleep(seconds)
    with suppress(RuntimeError), timings.step("poll"):
        clock.sleep(3.0)
        raise RuntimeError
    judge, poll = timings.report()
    assert (judge.step, judge.seconds_total, judge.calls_total, judge.seconds_max) == (
        "judge",
        8.0,
        3,
        5.0,
    )
    assert (poll.step, poll.seconds_total) == ("poll", 3.0)


def test_before_the_first_checkpoint_there_was_none():
    checkpoints = Checkpoints()
    assert math.isnan(checkpoints.last_success_seconds)
    assert (checkpoints.failures, checkpoints.fallbacks) == (0, 0)


def test_checkpoints_are_counted_by_how_long_they_took():
    checkpoints = Checkpoints()
    for now, took in ((10.0, 0.01), (20.0, 0.02), (30.0, 60.0)):
        checkpoints.written(now, took)
    assert checkpoints.last_success_seconds == 30.0
    assert checkpoints.took_counts[:2] == [1, 1]
    assert (checkpoints.took_counts[-1], sum(checkpoints.took_counts)) == (1, 3)
    assert checkpoints.took_sum_seconds == pytest.approx(60.03)


class TestWatchdog:
    @pytest.fixture
    def clock(self):
        return ManualClock(1000.0)

    @pytest.fixture
    def watchdog(self, clock):
        return Watchdog(clock, 60.0)

    @pytest.mark.parametrize(
        ("applied", "lag", "complaint"),
        [
            (0, 0, ""),
            (0, None, ""),
            (1, 500, ""),
            (0, 500, "behind, and nothing applied for 61 s"),
        ],
    )
    def test_a_loop_that_turns_hangs_only_when_it_is_behind_and_applies_nothing(
        self, clock, watchdog, applied, lag, complaint
    ):
        for _ in range(61):
            clock.sleep(1.0)
            watchdog.turned(applied, lag)
        assert watchdog.complaint() == complaint

    def test_a_loop_that_does_not_turn_hangs_whatever_the_lag(self, clock, watchdog):
        watchdog.turned(5, None)
        clock.sleep(60.0)
        assert watchdog.complaint() == ""
        clock.sleep(1.0)
        assert watchdog.complaint() == "the loop has not turned for 61 s"

    def test_it_counts_from_its_beginning(self, clock, watchdog):
        clock.sleep(61.0)
        assert "not turned" in watchdog.complaint()

    def test_progress_makes_it_content_again(self, clock, watchdog):
        clock.sleep(100.0)
        watchdog.turned(0, 5)
        assert watchdog.complaint() != ""
        watchdog.turned(1, 5)
        assert watchdog.complaint() == ""

    def test_after_an_outage_it_waits_anew(self, clock, watchdog):
        for lag in [None] * 600 + [500] * 60:
            clock.sleep(1.0)
            watchdog.turned(0, lag)
        assert watchdog.complaint() == ""


class TestSolitude:
    @pytest.fixture
    def clock(self):
        return ManualClock()

    @pytest.fixture
    def solitude(self, clock):
        return Solitude(clock, 20.0)

    def test_who_owns_everything_may_read(self, solitude):
        assert solitude.lasts(BOTH, BOTH)

    def test_nothing_is_said_before_anything_is_known(self, solitude):
        assert solitude.lasts(NONE, NONE)
        assert not solitude.lasts(NONE, BOTH)

    def test_a_newcomer_waits_without_reading_for_the_others_to_be_gone(self, clock, solitude):
        assert not solitude.lasts(ONLY_A, BOTH)
        clock.sleep(19.0)
        assert not solitude.lasts(ONLY_A, BOTH)
        assert solitude.lasts(BOTH, BOTH)

    def test_a_newcomer_who_stays_one_too_many_leaves(self, clock, solitude):
        solitude.lasts(ONLY_A, BOTH)
        clock.sleep(20.0)
        with pytest.raises(NotAlone, match="events/1"):
            solitude.lasts(ONLY_A, BOTH)

    def test_who_was_alone_goes_on_and_waits_longer_than_a_newcomer(self, clock, solitude):
        solitude.lasts(BOTH, BOTH)
        assert solitude.lasts(ONLY_A, BOTH)
        clock.sleep(20.0 + INCUMBENT_SECONDS - 1)
        assert solitude.lasts(NONE, BOTH)
        clock.sleep(1.0)
        with pytest.raises(NotAlone):
            solitude.lasts(NONE, BOTH)

    def test_each_disturbance_is_timed_for_itself(self, clock, solitude):
        for _ in range(5):
            assert solitude.lasts(BOTH, BOTH)
            clock.sleep(30.0)
            assert solitude.lasts(ONLY_A, BOTH)
            clock.sleep(30.0)


class TestCatchingUp:
    def test_a_first_start_has_caught_up_once_its_partitions_are_placed(self):
        catching_up = CatchingUp()
        catching_up.look(NONE, {}, {})
        assert not catching_up.over
        catching_up.look(BOTH, {A: 0}, {})
        assert not catching_up.over
        catching_up.look(BOTH, {A: 0, B: 9}, {A: 100, B: 100})
        assert catching_up.over

    def test_after_a_restart_the_ends_as_first_known_are_the_goal(self):
        catching_up = CatchingUp()
        catching_up.needed = True
        catching_up.look(BOTH, {A: 5, B: 5}, {A: 10, B: 5})
        catching_up.look(BOTH, {A: 9, B: 5}, {A: 50, B: 50})
        assert not catching_up.over
        catching_up.look(BOTH, {A: 10, B: 5}, {A: 90, B: 90})
        assert catching_up.over

    def test_an_end_that_is_not_known_is_not_reached(self):
        catching_up = CatchingUp()
        catching_up.needed = True
        catching_up.look(BOTH, {A: 10, B: 10}, {A: 10})
        assert not catching_up.over
        catching_up.look(BOTH, {A: 10, B: 10}, {A: 10, B: 10})
        assert catching_up.over

    def test_once_over_it_stays_so(self):
        catching_up = CatchingUp()
        catching_up.look(ONLY_A, {A: 0}, {})
        catching_up.look(BOTH, {A: 0}, {B: 10})
        assert catching_up.over


class TestKnownEnds:
    def test_they_are_those_of_the_last_poll(self):
        ends = KnownEnds(0.0)
        ends.polled(0.5)
        assert ends.age_seconds(0.75) == 0.25
        assert ends.age_seconds(4.5) == 4.0  # stood still in the middle of a turn

    def test_after_a_standstill_they_are_those_of_before_until_every_fetch_was_answered(self):
        ends = KnownEnds(0.0)
        ends.polled(0.5)
        for now in (4.5, 5.5, 6.5, 7.5, 8.5, 9.25):
            ends.polled(now)
            assert ends.age_seconds(now) == now - 0.5
        ends.polled(9.5)
        assert ends.age_seconds(9.5) == 0.0
