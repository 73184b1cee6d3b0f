"""Sorted columns and their runs."""

import numpy as np
import pytest

from detectors.summary.columns import Columns

NAN, INF = np.nan, np.inf


def test_missing_and_invalid_are_counted_and_never_among_the_values():
    columns = Columns.of_rows(np.array([[NAN, 1.0], [INF, NAN], [2.0, -INF], [-3.0, 1.0]]))
    assert columns.valid.tolist() == [2, 2]
    assert columns.missing.tolist() == [1, 1]
    assert columns.invalid.tolist() == [1, 1]
    assert not np.isinf(columns.values).any()


def test_runs_are_the_distinct_values_with_their_counts():
    columns = Columns.of_rows(np.array([[2.0, NAN, 5.0], [1.0, NAN, 5.0], [2.0, NAN, NAN]]))
    streams, values, counts = columns.runs
    assert streams.tolist() == [0, 0, 2]
    assert values.tolist() == [1.0, 2.0, 5.0]
    assert counts.tolist() == [1, 2, 2]


def test_negative_zero_is_zero():
    columns = Columns.of_rows(np.array([[-0.0], [0.0]]))
    assert columns.runs.counts.tolist() == [2]
    assert not np.signbit(columns.values).any()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_gives_no_run(shape):
    columns = Columns.of_rows(np.empty(shape))
    assert len(columns.runs.values) == 0
    assert columns.valid.tolist() == [0] * shape[1]


def test_the_rows_are_left_as_they_were():
    rows = np.array([[3.0, INF], [-0.0, NAN], [1.0, 2.0]])
    before = rows.copy()
    assert Columns.of_rows(rows).runs
    assert np.array_equal(rows, before, equal_nan=True)
    assert np.array_equal(np.signbit(rows), np.signbit(before))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
def test_other_numbers_become_floats(dtype):
    assert Columns.of_rows(np.array([[1], [0]], dtype=dtype)).values.tolist() == [[0.0, 1.0]]
