"""Mean, variance and range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.columns import Columns
from detectors.summary.moments import Moments
from tests.unit.detectors.summary.distributions import NAMES, draw, same_state


def moments_of(rows):
    moments = Moments(rows.shape[1])
    moments.update(Columns.of_rows(rows))
    return moments


@pytest.mark.parametrize("name", NAMES)
def test_moments_of_parts_equal_those_of_the_whole(name):
    values = draw(name, 4000).reshape(-1, 1)
    whole = moments_of(values)
    merged = Moments(1)
    for part in np.split(values, [0, 1, 7, 500, 501, 3000]):
        merged.merge(moments_of(part))
    for moments in (whole, merged):
        assert moments.n[0] == 4000
        assert moments.mean[0] == pytest.approx(values.mean(), rel=1e-9)
        # the exact variance, from values centred without rounding
        exact = np.var(values - values[0], ddof=1)
        assert moments.variance[0] == pytest.approx(exact, rel=1e-6, abs=1e-12)
        assert (moments.minimum[0], moments.maximum[0]) == (values.min(), values.max())
    assert merged.m2[0] == pytest.approx(whole.m2[0], rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), max_size=40),
    cut=st.integers(0, 40),
)
def test_merge_commutes_and_equals_the_whole(values, cut):
    rows = np.array(values, dtype=np.float64).reshape(-1, 1)
    left, right = moments_of(rows[:cut]), moments_of(rows[cut:])
    swapped = moments_of(rows[cut:])
    swapped.merge(left)
    left.merge(right)
    whole = moments_of(rows)
    for merged in (left, swapped):
        assert merged.n == whole.n
        assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
        assert merged.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-3)
        assert (merged.minimum, merged.maximum) == (whole.minimum, whole.maximum)


def test_a_stream_without_a_value_has_no_range_and_no_variance():
    moments = moments_of(np.array([[np.nan], [np.inf]]))
    assert moments.n.tolist() == [0]
    assert moments.minimum[0] == np.inf
    assert moments.maximum[0] == -np.inf
    assert np.isnan(moments.variance[0])


def test_missing_values_count_for_nothing():
    moments = moments_of(np.array([[1.0, np.nan], [np.nan, np.nan], [5.0, 7.0]]))
    assert moments.n.tolist() == [2, 1]
    assert moments.mean.tolist() == [3.0, 7.0]
    assert moments.m2.tolist() == [8.0, 0.0]


def test_the_largest_floats_overflow_the_variance_but_never_give_nan():
    huge = np.array([[1.7e308], [-1.7e308], [1.7e308], [1.7e308]])
    moments = moments_of(huge)
    moments.merge(moments_of(huge[1:2]))
    assert np.isfinite(moments.mean[0])
    assert moments.m2[0] == np.inf


def test_state_round_trips_and_is_a_copy():
    moments = moments_of(draw("normal", 60).reshape(20, 3))
    state = moments.state()
    again = Moments.from_state(state)
    assert same_state(again.state(), state)
    again.merge(moments)
    assert same_state(moments.state(), state)
