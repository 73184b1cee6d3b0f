"""The summary of a pane: cells equal a naive recount, merge equals the whole."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.layout import EMPTY_LAYOUT, Layout
from detectors.summary.summary import ROWS_WAITING_MAX, Summary
from tests.unit.detectors.summary.distributions import NAMES, draw, same_state

LAYOUT = Layout(
    edges=(np.array([-1.0, 0.0, 1.0]), np.array([]), np.array([5.0])),
    categories=(("a", "b"), (), ("false", "true")),
)
INEXACT = ("moments.", "numbers.", "names.")


def random_rows(n, seed):
    """Numbers on and around the edges, every code, and a name for every other and unseen value."""
    rng = np.random.default_rng(seed)
    pool = [-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 5.0, np.nextafter(5.0, 0), np.nan, np.inf, -np.inf]
    numeric = rng.choice(pool, size=(n, 3))
    categories = [len(names) for names in LAYOUT.categories]
    codes = np.column_stack([rng.integers(-3, c + 1, size=n) for c in categories]).astype(np.int32)
    return numeric, codes.reshape(n, 3), rng.choice(["x", "y", "z"], size=(n, 3))


def novel_of(codes, names):
    novel = {}
    for position, categories in enumerate(LAYOUT.categories):
        nameless = (codes[:, position] == -3) | (codes[:, position] == len(categories))
        rows = np.flatnonzero(nameless)
        if len(rows):
            novel[position] = (rows, names[rows, position].tolist())
    return novel


def summary_of(numeric, codes, names):
    summary = Summary(LAYOUT)
    summary.update(numeric, codes, novel_of(codes, names), float(len(numeric)))
    return summary


def recount(numeric, codes):
    """Cells by the layout's definition, value by value."""
    cells = np.zeros(LAYOUT.cell_count, dtype=np.int64)
    streams = list(numeric.T) + list(codes.T)
    for stream, values in enumerate(streams):
        start, end = LAYOUT.offsets[stream : stream + 2]
        for value in values:
            if stream < LAYOUT.numeric_count:
                if math.isnan(value):
                    place = end - 2
                elif math.isinf(value):
                    place = end - 1
                else:
                    place = start + sum(value >= edge for edge in LAYOUT.edges[stream])
            else:
                place = {-1: end - 2, -2: end - 1, -3: end - 3}.get(int(value), start + value)
            cells[place] += 1
    return cells


@pytest.mark.parametrize("n", [1, 50, ROWS_WAITING_MAX, 2000])
def test_cells_equal_a_naive_recount(n):
    numeric, codes, names = random_rows(n, seed=n)
    summary = summary_of(numeric, codes, names)
    assert np.array_equal(summary.cells, recount(numeric, codes))
    per_stream = np.add.reduceat(summary.cells, LAYOUT.offsets[:-1])
    assert per_stream.tolist() == [n] * LAYOUT.stream_count


def test_the_layout_tells_which_cell_is_which():
    summary = Summary(LAYOUT)
    numeric = np.array([[np.nan, np.inf, 1.0]])
    codes = np.array([[-1, -3, -2]], dtype=np.int32)
    summary.update(numeric, codes, {1: (np.array([0]), ["new"])}, 1.0)
    assert summary.cells[LAYOUT.missing_cells()].tolist() == [1, 0, 0, 1, 0, 0]
    assert summary.cells[LAYOUT.invalid_cells()].tolist() == [0, 1, 0, 0, 0, 1]
    assert summary.cells[LAYOUT.unseen_cells()].tolist() == [0, 1, 0]


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 120),
    cuts=st.lists(st.integers(0, 120), max_size=4),
    seed=st.integers(0, 2**16),
)
def test_merge_of_any_parts_in_any_order_equals_the_whole(n, cuts, seed):
    numeric, codes, names = random_rows(n, seed)
    whole = summary_of(numeric, codes, names)
    fed = Summary(LAYOUT)
    parts = []
    for start, end in pairwise([0, *sorted(min(cut, n) for cut in cuts), n]):
        rows = slice(start, end)
        parts.append(summary_of(numeric[rows], codes[rows], names[rows]))
        fed.update(
            numeric[rows], codes[rows], novel_of(codes[rows], names[rows]), float(end - start)
        )
    np.random.default_rng(seed).shuffle(parts)
    merged, at_once = Summary(LAYOUT), Summary(LAYOUT)
    at_once.merge(*parts)
    for part in parts:
        before = part.state()
        merged.merge(part)
        assert same_state(part.state(), before)
    at_once.merge()
    for summary in (merged, fed, at_once):
        assert same_state(exact(summary), exact(whole))
        assert summary.moments.mean == pytest.approx(whole.moments.mean, rel=1e-9, abs=1e-12)
        assert summary.moments.m2 == pytest.approx(whole.moments.m2, rel=1e-9, abs=1e-9)
        for stream in range(LAYOUT.stream_count):  # fewer values than counters: exact
            assert summary.heavy_hitters(stream) == whole.heavy_hitters(stream)


def exact(summary):
    return {k: v for k, v in summary.state().items() if not k.startswith(INEXACT)}


@pytest.mark.parametrize("name", NAMES)
def test_numeric_streams_of_every_distribution(name):
    values = draw(name, 3000)
    layout = Layout(edges=(np.unique(np.quantile(values, [0.1, 0.5, 0.9])),))
    summary = Summary(layout)
    for part in np.split(values, [100, 130, 1900]):
        summary.update(part.reshape(-1, 1), np.empty((len(part), 0), np.int32), {}, len(part))
    cells = np.bincount(
        np.searchsorted(layout.edges[0], values, side="right"), minlength=layout.cell_count
    )
    assert np.array_equal(summary.cells, cells)
    probabilities = np.array([0.0, 0.5, 1.0])
    expected = np.quantile(values, probabilities, method="lower")
    assert summary.quantile(probabilities)[0] == pytest.approx(expected, rel=0.008)
    assert summary.distinct_counts()[0] == pytest.approx(len(np.unique(values)), rel=0.19)


def test_known_categories_are_counted_and_further_names_sketched():
    summary = Summary(LAYOUT)
    codes = np.array([[0, 0, 1], [0, -3, 0], [2, 0, 0], [2, -1, -1], [-3, 0, 1]], dtype=np.int32)
    novel = {
        0: (np.array([2, 3, 4]), ["rare", "rare", "new"]),
        1: (np.array([0, 1, 2, 4]), ["p", "q", "p", "p"]),
    }
    summary.update(np.zeros((5, 3)), codes, novel, 5.0)
    assert summary.heavy_hitters(3) == [("a", 2), ("rare", 2), ("new", 1)]
    assert summary.heavy_hitters(4) == [("p", 3), ("q", 1)]
    assert summary.heavy_hitters(5) == [("false", 2), ("true", 2)]
    assert summary.heavy_hitters(0) == [(0.0, 5)]
    assert summary.distinct_counts() == pytest.approx([1, 1, 1, 3, 2, 2], abs=0.1)


def test_no_rows_add_nothing():
    summary = Summary(LAYOUT)
    before = summary.state()
    summary.update(np.empty((0, 3)), np.empty((0, 3), np.int32), {}, 0.0)
    assert same_state(summary.state(), before)
    assert summary.rows == 0
    assert np.isnan(summary.quantile(np.array([0.5]))).all()
    assert summary.distinct_counts().tolist() == [0.0] * 6


def test_a_layout_without_streams_still_counts_rows():
    summary = Summary(EMPTY_LAYOUT)
    for n in (3, 1000):
        summary.update(np.empty((n, 0)), np.empty((n, 0), np.int32), {}, 2.0 * n)
    summary.merge(summary.copy())
    assert summary.rows == 2006
    assert summary.weight == 4012.0
    assert summary.cells.tolist() == []
    again = Summary.from_state(EMPTY_LAYOUT, summary.state())
    assert same_state(again.state(), summary.state())


def test_rows_that_wait_are_not_the_callers_arrays():
    numeric, codes, names = random_rows(20, seed=1)
    expected = recount(numeric, codes)
    before = numeric.copy(), codes.copy()
    summary = summary_of(numeric, codes, names)
    assert np.array_equal(numeric, before[0], equal_nan=True)
    assert np.array_equal(codes, before[1])
    numeric[:] = 0.0
    codes[:] = 0
    assert np.array_equal(summary.cells, expected)


@pytest.mark.parametrize("n", [0, 40, 900])
def test_state_round_trips_and_the_future_is_the_same(n):
    summary = summary_of(*random_rows(n, seed=4))
    again = Summary.from_state(LAYOUT, summary.state())
    assert same_state(again.state(), summary.state())
    numeric, codes, names = random_rows(700, seed=5)
    for one in (summary, again):
        one.update(numeric, codes, novel_of(codes, names), 700.0)
    assert same_state(again.state(), summary.state())


def test_state_holds_plain_values_and_arrays_only():
    for value in summary_of(*random_rows(30, seed=2)).state().values():
        assert isinstance(value, np.ndarray | int | float | list)
        assert not isinstance(value, np.ndarray) or value.dtype != object


def test_a_copy_goes_its_own_way():
    summary = summary_of(*random_rows(60, seed=6))
    before = summary.state()
    copy = summary.copy()
    copy.merge(summary_of(*random_rows(60, seed=7)))
    assert same_state(summary.state(), before)
    assert copy.rows == 120


@pytest.mark.parametrize("code", [-4, 3])
def test_a_code_without_a_cell_is_refused(code):
    codes = np.array([[0, 0, 0], [code, 0, 0]], dtype=np.int32)
    with pytest.raises(ValueError, match="code"):
        Summary(LAYOUT).update(np.zeros((2, 3)), codes, {}, 2.0)


def test_rows_of_another_width_are_refused():
    summary = Summary(LAYOUT)
    with pytest.raises(ValueError, match="3 numeric and 3 categorical"):
        summary.update(np.zeros((2, 4)), np.zeros((2, 3), np.int32), {}, 2.0)
    with pytest.raises(ValueError, match="3 numeric and 3 categorical"):
        summary.update(np.zeros((2, 3)), np.zeros((1, 3), np.int32), {}, 2.0)
    assert summary.rows == 0


def test_summaries_of_other_cells_refuse_to_merge():
    with pytest.raises(ValueError, match="different cells"):
        Summary(LAYOUT).merge(Summary(Layout(edges=(np.array([0.0]),))))
    with pytest.raises(ValueError, match="cells"):
        Summary.from_state(EMPTY_LAYOUT, Summary(LAYOUT).state())
