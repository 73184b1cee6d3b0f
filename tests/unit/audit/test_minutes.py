"""Every minute of a period has one fate, and it is the right one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.lives import times_down
from service.audit.minutes import days, merged, timeline, together
from service.values.audits import Fate, Span
from service.values.watched import Why
from tests.unit.audit.recording import D0, HOUR, hour, model, period, service

ALL = range(60)


def line(models, lives, start=0.0, end=2 * HOUR):
    return timeline(period(start, end), models, lives, times_down(lives))


def fates(models, lives, **more):
    return line(models, lives, **more).minutes().by_fate


def test_minutes_are_watched_learning_unreferenced_or_silent():
    entry = model(
        7200, [hour(0, range(20, 60), learning=range(10), unreferenced=[10, 11])], through=3600
    )
    told = fates([entry], [service(0, Why.START), service(7200)])
    assert told == {Fate.WATCHED: 40, Fate.LEARNING: 10, Fate.UNREFERENCED: 2, Fate.SILENT: 68}


def test_a_minute_of_which_a_part_was_watched_is_watched():
    entry = model(3600, [hour(0, [5], learning=[5])], through=3600)
    line_ = line([entry], [service(0, Why.START), service(3600)], end=HOUR)
    assert line_.minutes().of(Fate.WATCHED) == 1
    assert line_.minutes().of(Fate.LEARNING) == 0


def test_before_its_first_event_a_model_is_not_yet_there():
    entry = model(7200, [hour(1, ALL)], through=7200, first=3600)
    told = fates([entry], [service(0, Why.START), service(7200)])
    assert told == {Fate.NOT_YET: 60, Fate.WATCHED: 60}


def test_before_the_record_and_after_its_last_entry_nothing_is_known():
    entry = model(3600, [hour(0, range(30, 60))], through=3600, first=-1e6)
    lives = [service(1800, Why.START), service(3600)]
    assert fates([entry], lives) == {Fate.UNRECORDED: 90, Fate.WATCHED: 30}


def test_what_was_read_from_the_topic_of_before_the_record_is_known():
    entry = model(7200, [hour(0, range(30))], through=1800, first=0.0)
    told = fates([entry], [service(7000, Why.START), service(7200)])
    assert told == {Fate.WATCHED: 30, Fate.SILENT: 90}


def test_what_is_open_at_the_last_entry_is_not_taken_for_silence():
    entry = model(3600, [hour(0, range(57))], through=57 * 60, open_rows=5)
    told = fates([entry], [service(0, Why.START), service(3600)], end=HOUR)
    assert told == {Fate.WATCHED: 57, Fate.UNRECORDED: 3}


def test_in_a_backlog_what_was_not_read_is_not_taken_for_silence():
    entry = model(3600, [hour(0, range(10))], through=600)
    told = fates([entry], [service(0, Why.START), service(3600, read=False)], end=HOUR)
    assert told == {Fate.WATCHED: 10, Fate.UNRECORDED: 50}


class TestDown:
    def test_a_stop_and_a_start_are_a_time_down_and_what_is_read_later_is_watched_afterwards(self):
        models = [model(1800, [hour(0, range(30))], through=1800)]
        models += [model(7200, [hour(0, range(40)), hour(1, range(50, 60))], through=7200)]
        lives = [service(0, Why.START), service(1800, Why.STOP)]
        lives += [service(6000, Why.START, started=6000), service(7200, started=6000)]
        told = line(models, lives).minutes()
        assert told.by_fate == {Fate.WATCHED: 50, Fate.DOWN: 60, Fate.SILENT: 10}
        assert told.afterwards == 10

    def test_one_that_ended_without_a_word_was_alive_until_it_last_wrote_its_state(self):
        lives = [service(0, Why.START), service(6000, Why.START, started=6000, alive=1790)]
        (down,) = times_down(lives)
        assert (down.from_seconds - D0, down.to_seconds - D0, down.stopped) == (1790, 6000, False)

    def test_after_a_stop_it_is_down_until_it_comes_back_and_without_a_word_nobody_knows(self):
        stopped = [service(0, Why.START), service(1800, Why.STOP)]
        (down,) = times_down(stopped)
        assert down.to_seconds is None
        told = fates([model(1800, [hour(0, range(30))], through=1800)], stopped)
        assert told == {Fate.WATCHED: 30, Fate.DOWN: 90}
        assert times_down(stopped[:1]) == ()

    def test_entries_of_one_life_that_are_far_apart_are_no_time_down(self):
        assert times_down([service(0, Why.START), service(9 * HOUR)]) == ()


def test_late_and_muted_minutes_are_counted_among_the_watched():
    entry = model(3600, [hour(0, ALL, late=range(5), muted=range(7))], through=3600)
    told = line([entry], [service(0, Why.START), service(3600)], end=HOUR).minutes()
    assert (told.of(Fate.WATCHED), told.late, told.muted) == (60, 5, 7)


def test_of_several_versions_the_best_fate_of_each_minute_counts():
    lives = [service(0, Why.START), service(7200)]
    old = line([model(7200, [hour(0, ALL)], through=3600)], lives)
    new = line([model(7200, [hour(1, ALL)], through=7200, first=3600)], lives)
    whole = together(period(0, 7200), [old, new])
    assert whole.minutes().by_fate == {Fate.WATCHED: 120}
    assert together(period(0, 7200), []).minutes().by_fate == {Fate.UNRECORDED: 120}


def test_minutes_of_one_fate_on_end_are_a_span():
    entry = model(3600, [hour(0, [*range(10), *range(20, 60)])], through=3600)
    line_ = line([entry], [service(0, Why.START), service(3600)], end=HOUR)
    assert line_.spans() == (Span(D0 + 600, D0 + 1200, Fate.SILENT),)


def test_days_are_those_of_utc_and_add_up_to_the_whole():
    hours = [hour(n, ALL) for n in range(20, 30)]
    entry = model(30 * HOUR, hours, through=30 * HOUR, first=20 * HOUR)
    whole = line([entry], [service(0, Why.START), service(30 * HOUR)], 18 * HOUR, 50 * HOUR)
    told = days(whole, hours)
    assert [one.minutes.total for one in told] == [360, 1440, 120]
    assert [one.minutes.of(Fate.WATCHED) for one in told] == [240, 360, 0]
    assert [one.rows for one in told] == [2400, 3600, 0]
    assert sum(one.minutes.of(Fate.WATCHED) for one in told) == whole.minutes().of(Fate.WATCHED)


@pytest.mark.parametrize("again", [False, True])
def test_an_hour_that_was_written_before_and_after_a_crash_counts_once(again):
    early, late = hour(0, range(30)), hour(0, range(45), late=[44])
    both = [early, late, early] if again else [early, late]
    (one,) = merged(both).values()
    assert (one.compared, one.late, one.panes, one.rows) == (late.compared, late.late, 45, 450)


@given(st.sets(st.integers(0, 179)), st.integers(0, 100), st.integers(1, 100))
def test_a_period_sees_exactly_the_minutes_that_lie_in_it(watched, start, length):
    hours = [hour(n, [m - 60 * n for m in watched if m // 60 == n]) for n in range(3)]
    entry = model(3 * HOUR, hours, through=3 * HOUR)
    lives = [service(0, Why.START), service(3 * HOUR)]
    seen = line([entry], lives, start * 60.0, (start + length) * 60.0)
    inside = [minute in watched for minute in range(start, start + length)]
    assert np.array_equal(seen.codes[: 180 - start] == 0, inside[: 180 - start])
    assert seen.minutes().total == length
