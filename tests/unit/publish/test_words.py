import math

import pytest

from service.publish import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6.3, "6.3"),
        (0.31, "0.31"),
        (0.0123, "0.012"),
        (0.0999, "0.10"),
        (0.0006, "0.001"),
        (0.0001, "0"),
        (0.0, "0"),
        (-0.2, "-0.20"),
        (1234.5, "1,234"),
        (math.inf, "∞"),
        (math.nan, words.UNKNOWN),
        (None, words.UNKNOWN),
    ],
)
def test_decimals_have_two_digits_that_mean_something(value, text):
    assert words.decimals(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (-3.0, "0 s"),
        (119.0, "119 s"),
        (660.0, "11 min"),
        (3600.0, "1 h"),
        (5 * 3600.0, "5 h"),
        (41 * 86_400.0, "41 d"),
        (math.nan, words.UNKNOWN),
        (None, words.UNKNOWN),
    ],
)
def test_durations_are_in_the_largest_unit_that_fits(seconds, text):
    assert words.duration(seconds) == text


def test_times_are_in_utc_and_carry_their_date_when_it_is_not_today():
    now = 1_795_429_858.0
    assert words.moment(now, now) == "10:30:58"
    assert words.moment(now - 90_000, now) == "2026-11-22 09:30"
    assert words.moment(math.nan, now) == words.UNKNOWN
    assert words.machine_time(now) == "2026-11-23T10:30:58Z"


def test_a_time_beyond_the_calendar_does_not_break_the_page():
    assert words.moment(1e18, 0.0).startswith("9999-12-31")
    assert words.moment(-1e18, 0.0) == "00:00:00" or words.moment(-1e18, 0.0).startswith("1970")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (38_000_000, "38 MB"), (2.1e13, "21 TB")],
)
def test_sizes_are_in_decimal_units(size, text):
    assert words.size(size) == text


def test_one_thing_is_not_many():
    assert words.several(1, "model", "models") == "1 model"
    assert words.several(1200, "model", "models") == "1,200 models"
