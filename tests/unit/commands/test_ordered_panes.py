"""Rows into panes in order of time, however they come in tables."""

import numpy as np
import pytest

from detectors.summary.layout import Layout
from service.commands.ordered_panes import OrderedPanes

HOUR = 3600.0
ONE = Layout(edges=(np.array([0.5]),))


def panes_of(tables, start=0.0, pane=60.0):
    """Each table is times; every value is in cell 0, but for every third in cell 1."""
    panes, found, row = OrderedPanes(ONE, pane, start), [], 0
    for times in tables:
        cells = (np.arange(row, row + len(times)) % 3 == 0).astype(np.int64)[None]
        found += list(panes.add(np.array(times, dtype=np.float64), cells))
        row += len(times)
    found += list(panes.finish())
    return [(at, counts.tolist()) for at, counts in found], panes


def test_panes_come_in_order_and_each_once():
    rng = np.random.default_rng(1)
    times = np.arange(5_000) * 7.0 + rng.uniform(-1_500, 1_500, 5_000) + 1e9
    found, panes = panes_of([times], start=1e9 - HOUR)
    starts = [at for at, _ in found]
    assert starts == sorted(set(starts))
    assert sum(sum(counts) for _, counts in found) == panes.rows == 5_000
    expected, rows = np.unique(np.floor(times / 60) * 60, return_counts=True)
    assert starts == expected.tolist()
    assert [sum(counts) for _, counts in found] == rows.tolist()


@pytest.mark.parametrize("size", [1, 7, 4_999])
def test_how_rows_come_in_tables_plays_no_part(size):
    rng = np.random.default_rng(2)
    times = np.arange(5_000) * 20.0 + rng.normal(0, 1_400, 5_000)
    times[rng.integers(0, 5_000, 40)] = np.nan
    whole, one = panes_of([times])
    split, other = panes_of([times[i : i + size] for i in range(0, 5_000, size)])
    assert split == whole
    assert (one.rows, one.late, one.timeless) == (other.rows, other.late, other.timeless)
    assert one.late > 0


def test_a_row_may_come_an_hour_after_newer_ones_and_no_later():
    found, panes = panes_of([[0.0, 2 * HOUR, HOUR, HOUR - 60.0]])
    assert [at for at, _ in found] == [0.0, HOUR, 2 * HOUR]
    assert (panes.rows, panes.late) == (3, 1)


def test_of_short_panes_no_more_than_so_many_are_kept_open():
    _, panes = panes_of([[0.0, 400.0, 40.0, 39.0]], pane=0.1)
    assert panes.slack_seconds == 360.0
    assert (panes.rows, panes.late) == (3, 1)


def test_rows_of_before_are_not_looked_at_and_are_not_late():
    found, panes = panes_of([[0.0, 30.0, 5 * HOUR]], start=5 * HOUR)
    assert [at for at, _ in found] == [5 * HOUR]
    assert (panes.rows, panes.late) == (1, 0)


def test_no_row_gives_no_pane():
    assert panes_of([[], [np.nan]])[0] == []
