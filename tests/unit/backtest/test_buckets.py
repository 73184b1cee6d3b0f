"""A history of any length keeps the largest scores and all the rows in a bounded space."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.backtest.buckets import Buckets

ALL = np.arange(2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.integers(0, 50), st.floats(0, 9), st.floats(0, 9)),
        min_size=1,
        max_size=200,
    )
)
def test_no_row_and_no_largest_score_is_lost_however_long_it_lasts(panes):
    buckets = Buckets(60.0, slices=8)
    buckets.widen(2)
    at = 0.0
    for gap, rows, *scores in panes:
        at += 60.0 * gap
        buckets.add(at, rows, ALL, np.array(scores))
    assert buckets.used <= 8
    assert buckets.rows.sum() == sum(pane[1] for pane in panes)
    largest = np.array([pane[2:] for pane in panes]).max(axis=0)
    assert np.array_equal(np.nanmax(buckets.scores, axis=0), largest)
    last = buckets.starts_seconds[-1]
    assert last <= at < last + buckets.width_seconds


def test_slices_in_which_nothing_was_judged_stay_unknown():
    buckets = Buckets(60.0, slices=8)
    buckets.widen(2)
    buckets.add(0.0, 5, ALL[:1], np.array([0.5]))
    buckets.add(180.0, 5, ALL[:0], np.zeros(0))
    assert np.isnan(buckets.scores[1:]).all()
    assert np.isnan(buckets.scores[0, 1])
    assert buckets.rows.tolist() == [5, 0, 0, 5]
    assert buckets.starts_seconds.tolist() == [0.0, 60.0, 120.0, 180.0]


def test_nothing_added_is_empty():
    assert Buckets(60.0).starts_seconds.tolist() == []


def test_columns_that_come_later_are_unknown_before():
    buckets = Buckets(60.0, slices=8)
    buckets.widen(1)
    buckets.add(0.0, 1, ALL[:1], np.array([0.5]))
    buckets.widen(2)
    buckets.add(60.0, 1, ALL, np.array([0.1, 0.2]))
    assert np.array_equal(buckets.scores, [[0.5, np.nan], [0.1, 0.2]], equal_nan=True)
