"""Seasons: shrunk shares by hour, and where a moment lies in the week of a time zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.change.ragged import Ragged
from detectors.season import Season, hour_of_week, neighbours

CELLS = Ragged(np.array([0, 3, 5]))
SHARES = np.array([0.5, 0.3, 0.2, 0.9, 0.1])
BERLIN = ZoneInfo("Europe/Berlin")


def seconds(*moment, zone=UTC):
    return datetime(*moment, tzinfo=zone).timestamp()


def test_monday_midnight_is_the_start_of_the_week_of_its_time_zone():
    monday = seconds(2026, 11, 23, zone=BERLIN)
    assert hour_of_week(monday, BERLIN) == 0
    assert hour_of_week(monday - 1, BERLIN) == pytest.approx(168, abs=1e-3)
    assert hour_of_week(monday, ZoneInfo("UTC")) == 167
    assert hour_of_week(monday + 1.5 * 3600, BERLIN) == 1.5


def test_summer_time_follows_the_clock_on_the_wall():
    before, after = seconds(2026, 3, 29, 0, 59), seconds(2026, 3, 29, 1, 0)
    assert hour_of_week(before, BERLIN) == pytest.approx(6 * 24 + 1 + 59 / 60)
    assert hour_of_week(after, BERLIN) == 6 * 24 + 3
    twice = [hour_of_week(seconds(2026, 10, 25, hour, 30), BERLIN) for hour in (0, 1)]
    assert twice == [6 * 24 + 2.5] * 2


def test_a_holiday_is_a_sunday():
    christmas = seconds(2026, 12, 25, 10, zone=BERLIN)

    def is_holiday(day):
        return day == date(2026, 12, 25)

    assert hour_of_week(christmas, BERLIN) == 4 * 24 + 10
    assert hour_of_week(christmas, BERLIN, is_holiday) == 6 * 24 + 10


def test_without_any_count_the_overall_shares_are_expected():
    season = Season(CELLS, SHARES, mass=1000.0)
    for position in (0.0, 17.3, 167.99):
        shares, mass = season.expected(position)
        assert shares == pytest.approx(SHARES)
        assert mass.tolist() == [200, 200]
    assert season.covered().tolist() == [0, 0]


def test_a_step_that_the_hours_around_do_not_tell_lowers_what_is_known_beside_it():
    season = Season(CELLS, SHARES, mass=1000.0)
    for hour in range(168):
        steep = [900, 80, 20] if hour >= 84 else [20, 80, 900]
        season.add(np.array([100 * n for n in steep] + [9_000, 1_000]), hour + 0.5)
    far, beside, centre = (season.expected(at).mass for at in (40.2, 83.9, 84.5))
    assert beside[0] < far[0] / 100
    assert beside[1] == pytest.approx(far[1], rel=0.1)
    assert centre[0] == pytest.approx(far[0], rel=0.1)


def test_a_smooth_season_is_known_as_well_between_hours_as_at_their_centres():
    season = Season(CELLS, SHARES, mass=1000.0)
    for hour in range(168):
        share = 0.5 + 0.2 * np.sin(hour / 24 * 2 * np.pi)
        season.add(np.array([2_000 * share, 2_000 * (1 - share), 200, 0, 0]), hour + 0.5)
    between, centre = season.expected(30.0).mass, season.expected(30.5).mass
    assert between[0] == pytest.approx(centre[0], rel=0.02)


def test_hours_are_shrunk_to_the_day_and_the_day_to_the_whole():
    season = Season(CELLS, SHARES, mass=1000.0)
    tuesday_at_five = np.array([100, 200, 300, 0, 0])
    season.add(tuesday_at_five, 24 + 5.5)
    shares, mass = season.expected(24 + 5.5)
    day = (tuesday_at_five[:3] + 200 * SHARES[:3]) / 800
    assert shares[:3] == pytest.approx((tuesday_at_five[:3] + 500 * day) / 1100)
    assert shares[3:] == pytest.approx(SHARES[3:])
    assert mass.tolist() == [600 + 500, 200]
    # Another day knows what it knows of the hour of the day alone.
    assert season.expected(5.5).shares[:3] == pytest.approx(day)
    assert season.covered().tolist() == [1, 0]


def test_shares_glide_from_the_centre_of_one_hour_to_the_next():
    season = Season(CELLS, SHARES)
    season.add(np.array([9000, 500, 500, 0, 0]), 10.5)
    season.add(np.array([500, 500, 9000, 0, 0]), 11.5)
    ends = [season.expected(position).shares for position in (10.5, 11.5)]
    assert season.expected(10.75).shares == pytest.approx(0.75 * ends[0] + 0.25 * ends[1])
    just_before, just_after = (season.expected(11 + e).shares for e in (-1e-9, 1e-9))
    assert just_before == pytest.approx(just_after, abs=1e-7)


@given(st.floats(0, 168, exclude_max=True), st.integers(0, 99))
def test_expected_shares_always_sum_to_one(position, seed):
    season = Season(CELLS, SHARES)
    rng = np.random.default_rng(seed)
    for hour in range(0, 168, 7):
        season.add(rng.integers(0, 100, 5), float(hour))
    shares, mass = season.expected(position)
    assert CELLS.total(shares) == pytest.approx([1, 1])
    assert (shares > 0).all()
    assert (mass > 0).all()


def test_the_week_is_a_circle():
    assert neighbours(0.25, 168) == (167, 0, 0.75)
    assert neighbours(167.75, 168) == (167, 0, 0.25)
    assert neighbours(12.5, 168) == (12, 13, 0.0)


def test_a_restored_season_expects_the_same():
    season = Season(CELLS, SHARES, mass=np.array([10.0, 20.0]))
    season.add(np.array([1, 2, 3, 4, 5]), 3.0)
    again = Season.from_state(season.state())
    for position in (2.0, 3.5, 100.0):
        assert again.expected(position).shares == pytest.approx(season.expected(position).shares)
        assert again.expected(position).mass == pytest.approx(season.expected(position).mass)


def test_no_stream_has_no_season():
    season = Season(Ragged(np.array([0])), np.zeros(0))
    season.add(np.zeros(0), 1.0)
    assert season.expected(1.0).shares.shape == (0,)
