"""What became of each minute: compared, learning, or compared with nothing; muted, or too late."""

import pytest

from service.monitor.judging.coverage import HOURS_MAX, LATE_SECONDS, Coverage
from service.values.watched import HOUR_SECONDS

H0 = 1_700_006_400  # a full hour


def minutes(mask):
    return {m for m in range(60) if int(mask, 16) >> m & 1}


def covered(*panes, length=60.0, **more):
    coverage = Coverage()
    for start, fate in panes:
        add(coverage, start, fate, length, **more)
    return coverage


def add(coverage, start, fate="compared", length=60.0, *, muted=False, age=60.0, rows=10):
    end = H0 + start + length
    coverage.add(H0 + start, end, fate, rows, muted=muted, age_seconds=age)


def test_each_minute_is_marked_with_what_became_of_it():
    coverage = covered((0, "learning"), (60, "unreferenced"), (180, "compared"), (3600, "compared"))
    first, second = coverage.hours()
    assert (first.start_seconds, second.start_seconds) == (H0, H0 + HOUR_SECONDS)
    assert minutes(first.learning) == {0}
    assert minutes(first.unreferenced) == {1}
    assert minutes(first.compared) == {3}
    assert (first.panes, first.rows, second.panes) == (3, 30, 1)


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 1.0, {0}), (59, 1.0, {0}), (60, 300.0, {1, 2, 3, 4, 5}), (90, 30.0, {1}), (0, 0.5, {0})],
)
def test_a_pane_of_any_length_marks_the_minutes_that_it_touches(start, length, expected):
    (hour,) = covered((start, "compared"), length=length).hours()
    assert minutes(hour.compared) == expected


def test_a_pane_over_the_full_hour_marks_minutes_of_both():
    first, second = covered((3540, "compared"), length=300.0).hours()
    assert minutes(first.compared) == {59}
    assert minutes(second.compared) == {0, 1, 2, 3}
    assert (first.panes, second.panes) == (1, 0)


def test_what_is_judged_an_hour_after_it_was_over_is_late_and_nothing_earlier_is():
    coverage = Coverage()
    add(coverage, 0, age=LATE_SECONDS)
    add(coverage, 60, age=LATE_SECONDS + 1)
    (hour,) = coverage.hours()
    assert minutes(hour.late) == {1}


def test_only_what_is_compared_can_be_muted():
    coverage = Coverage()
    add(coverage, 0, "learning", muted=True)
    add(coverage, 60, muted=True)
    (hour,) = coverage.hours()
    assert minutes(hour.muted) == {1}


def test_an_hour_is_let_go_once_it_is_recorded_and_can_get_no_more():
    coverage = covered((0, "compared"), (3600, "compared"))
    coverage.recorded(H0 + 3599)
    assert len(coverage.hours()) == 2
    coverage.recorded(H0 + 3600)
    (left,) = coverage.hours()
    assert left.start_seconds == H0 + HOUR_SECONDS
    add(coverage, 3660)
    assert coverage.hours()[0].panes == 2


def test_a_record_that_cannot_be_written_costs_the_oldest_hours_and_says_how_many():
    coverage = covered(*((hour * 3600, "compared") for hour in range(HOURS_MAX + 3)))
    assert len(coverage.hours()) == HOURS_MAX
    assert coverage.hours()[0].start_seconds == H0 + 3 * HOUR_SECONDS
    assert coverage.lost == 3


def test_it_goes_on_from_a_snapshot():
    coverage = covered((0, "compared"), (60, "learning"), (3600, "compared"))
    add(coverage, 3660, muted=True, age=1e6)
    restored = Coverage.from_state(coverage.state())
    add(coverage, 3720)
    add(restored, 3720)
    assert restored.hours() == coverage.hours()
    assert restored.lost == coverage.lost
