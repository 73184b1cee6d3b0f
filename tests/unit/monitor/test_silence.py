"""When records of a model are due: by the hours that it keeps, and by how it was silent before."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from service.monitor.detecting.silence import History, learn_rhythm, merged
from service.monitor.detecting.volume_stream import NOT_USUAL

MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
STEP, HOUR, DAY = 300.0, 3600.0, 86_400.0
ZONE = ZoneInfo("UTC")


def history(days, rate, *, seed=0, first=MONDAY):
    """Rows by step, Poisson with `rate(moment)` an hour."""
    random = np.random.default_rng(seed)
    starts = first + np.arange(round(days * DAY / STEP)) * STEP
    means = [rate(datetime.fromtimestamp(at, UTC)) * STEP / HOUR for at in starts.tolist()]
    return History(first, STEP, random.poisson(means))


def at(day, hour, minute=0):
    """Epoch seconds so long after the first Monday."""
    return MONDAY + day * DAY + hour * HOUR + minute * 60


def office(moment):
    return 500 if moment.weekday() < 5 and 9 <= moment.hour < 18 else 0


def is_due(rhythm, last, until, holidays=()):
    return rhythm.is_due(last, until, ZONE, holidays)


def test_who_works_around_the_clock_is_due_within_minutes_after_a_day():
    rhythm = learn_rhythm(history(1.1, lambda _: 600), ZONE)
    assert not is_due(rhythm, at(1, 4), at(1, 4, 8))
    assert is_due(rhythm, at(1, 4), at(1, 4, 11))


def test_nothing_is_due_while_less_than_a_day_is_known():
    assert learn_rhythm(history(0.9, lambda _: 600), ZONE) is None


def test_who_has_nights_is_not_known_before_two_weeks():
    rhythm = learn_rhythm(history(13, office), ZONE)
    assert not is_due(rhythm, at(13, 10), at(13, 16))


def test_office_hours_are_due_at_work_and_not_at_night_nor_at_the_weekend():
    rhythm = learn_rhythm(history(21, office), ZONE)
    monday = 21
    assert is_due(rhythm, at(monday, 11), at(monday, 11, 12))
    assert not is_due(rhythm, at(monday, 17, 59), at(monday + 1, 9, 30))
    assert not is_due(rhythm, at(monday + 4, 17, 59), at(monday + 7, 9, 30))
    assert is_due(rhythm, at(monday, 17, 59), at(monday + 1, 10, 30))


def test_a_day_off_in_the_history_promises_nothing_for_that_day_of_the_week():
    off = {date(2026, 3, 10)}

    def rate(moment):
        return 0 if moment.date() in off else office(moment)

    rhythm = learn_rhythm(history(21, rate), ZONE)
    assert not is_due(rhythm, at(22, 9), at(22, 17))
    assert is_due(rhythm, at(23, 9), at(23, 17))
    knowing = learn_rhythm(history(21, rate), ZONE, off)
    assert is_due(knowing, at(22, 9), at(22, 17), off)
    assert not is_due(knowing, at(22, 9), at(22, 17), {date(2026, 3, 24)})


def test_a_rare_model_is_given_as_long_as_it_ever_took_and_half_more():
    known = history(21, lambda _: 6, seed=3)
    rhythm = learn_rhythm(known, ZONE)
    silent = np.diff(np.flatnonzero(known.rows)).max() * STEP
    assert not is_due(rhythm, at(21, 0), at(21, 0) + silent)
    assert is_due(rhythm, at(21, 0), at(23, 0))


@pytest.mark.parametrize("per_hour", [3, 12, 60, 600])
@pytest.mark.parametrize("days", [2, 15, 28])
def test_hardly_a_silence_of_the_weeks_to_come_is_a_surprise(per_hour, days):
    random = np.random.default_rng([per_hour, days])
    times = (
        at(0, 0) + random.exponential(HOUR / per_hour, size=(days + 28) * 24 * per_hour).cumsum()
    )
    steps = np.floor((times[times < at(days, 0)] - MONDAY) / STEP).astype(int)
    rows = np.bincount(steps, minlength=round(days * DAY / STEP))
    rhythm = learn_rhythm(History(MONDAY, STEP, rows), ZONE)
    later = times[times >= at(days, 0)]
    longest = np.argsort(np.diff(later))[-50:].tolist()
    assert sum(is_due(rhythm, later[i], later[i + 1]) for i in longest) <= 1


def test_steps_that_were_not_as_usual_teach_nothing():
    known = history(21, lambda _: 600)
    outage = known.rows.copy()
    outage[-200:-100] = NOT_USUAL
    rhythm = learn_rhythm(known._replace(rows=outage), ZONE)
    assert is_due(rhythm, at(21, 0), at(21, 0, 12))
    outage[-200:-100] = 0
    rhythm = learn_rhythm(known._replace(rows=outage), ZONE)
    assert not is_due(rhythm, at(20, 10), at(20, 12))


def test_versions_that_take_over_from_each_other_are_one_model():
    old = history(10, lambda _: 600)
    new = history(11, lambda _: 600, seed=1, first=at(10, 0))
    both = merged([new, old])
    assert both.first_seconds == MONDAY
    np.testing.assert_array_equal(both.rows, np.concatenate([old.rows, new.rows]))
    rows = merged([old, history(10, lambda _: 60, first=MONDAY)]).rows
    assert rows.sum() > old.rows.sum()
    one = old._replace(rows=np.full(3, NOT_USUAL))
    assert merged([old, one]).rows[:4].tolist() == [NOT_USUAL] * 3 + [old.rows[3]]


def test_without_any_step_there_is_no_history():
    assert merged([]) is None
    assert merged([History(float("nan"), STEP, np.zeros(0, dtype=np.int64))]) is None


@pytest.mark.parametrize("zone", ["Europe/London", "Asia/Kolkata", "UTC"])
def test_hours_are_those_of_the_clock_on_the_wall(zone):
    local = ZoneInfo(zone)

    def rate(moment):
        here = moment.astimezone(local)
        return 600 if here.weekday() < 5 and 9 <= here.hour < 18 else 0

    # The clocks of London change on 29 March, within the four weeks.
    rhythm = learn_rhythm(history(28, rate, first=MONDAY + 14 * DAY), local)
    monday = datetime(2026, 4, 13, tzinfo=local).timestamp()
    assert rhythm.is_due(monday + 12 * HOUR, monday + 12 * HOUR + 720, local, ())
    assert not rhythm.is_due(monday + 17.9 * HOUR, monday + DAY + 9.4 * HOUR, local, ())
