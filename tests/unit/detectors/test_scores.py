"""Scores of cells: standardised under the reference, finite, alive where the mix moves."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose
from scipy import stats

from detectors.scores import PRIOR, CellScores, observe
from detectors.summary.layout import EMPTY_LAYOUT, Layout

LAYOUT = Layout(
    edges=(np.arange(9.0), np.array([0.0]), np.zeros(0)),
    categories=(("a", "b", "c"), ("false", "true"), ()),
)
counts_of_layout = arrays.arrays(np.int64, LAYOUT.cell_count, elements=st.integers(0, 10_000))


@given(counts_of_layout)
def test_under_the_reference_scores_have_mean_zero_and_variance_one(counts):
    scores = CellScores.from_reference(LAYOUT, counts).values
    assert np.isfinite(scores).all()
    for stream in range(LAYOUT.stream_count):
        cells = LAYOUT.values_of(stream)
        rows, score = counts[cells], scores[cells]
        if rows.sum() == 0 or len(rows) == 1:
            assert (score == 0).all()
            continue
        smoothed = (rows + PRIOR) / (rows + PRIOR).sum()
        assert_allclose(rows @ score / rows.sum(), 0.0, atol=1e-9)
        assert_allclose(smoothed @ score**2, 1.0)


def test_scores_of_equal_cells_are_means_of_a_standard_normal():
    layout = Layout(edges=(np.arange(3.0),))
    score = CellScores.from_reference(layout, np.array([10**9] * 4 + [7, 7])).values[:4]
    cuts = stats.norm.ppf([0, 0.25, 0.5, 0.75, 1])
    plain = [stats.norm.expect(lb=a, ub=b) * 4 for a, b in itertools.pairwise(cuts)]
    assert_allclose(score, np.array(plain) / np.std(plain), rtol=1e-6)


def test_numeric_scores_ascend_with_the_values():
    rng = np.random.default_rng(1)
    layout = Layout(edges=(np.arange(30.0),))
    counts = np.append(rng.integers(0, 50, 31), [0, 0])
    assert (np.diff(CellScores.from_reference(layout, counts).values[:31]) > 0).all()


def test_range_is_from_the_lowest_score_to_the_highest():
    layout = Layout(edges=(np.array([0.0]), np.zeros(0)), categories=(("a", "b"),))
    scores = CellScores(np.array([-1.0, 2.0, 0, 0, 0.5, 0, 0, -2.0, -1.0, 1.0, 5.0, 0, 0]))
    assert scores.ranges(layout).tolist() == [3.0, 0.0, 7.0]
    assert CellScores(np.zeros(0)).ranges(EMPTY_LAYOUT).shape == (0,)


def test_missing_and_invalid_cells_score_nothing_and_count_for_nothing():
    counts = np.arange(LAYOUT.cell_count)
    scores = CellScores.from_reference(LAYOUT, counts)
    unvalued = np.concatenate((LAYOUT.missing_cells(), LAYOUT.invalid_cells()))
    assert (scores.values[unvalued] == 0).all()
    pane = np.ones(LAYOUT.cell_count, dtype=np.int64)
    crowded = pane.copy()
    crowded[unvalued] = 10**6
    plain, same = observe(LAYOUT, scores, pane), observe(LAYOUT, scores, crowded)
    for name in ("n", "mean", "m2"):
        assert_allclose(getattr(plain, name), getattr(same, name))


@given(counts_of_layout, counts_of_layout)
def test_observation_is_what_the_scores_of_single_values_give(reference, pane):
    scores = CellScores.from_reference(LAYOUT, reference)
    seen = observe(LAYOUT, scores, pane)
    for stream in range(LAYOUT.stream_count):
        cells = LAYOUT.values_of(stream)
        values = np.repeat(scores.values[cells], np.minimum(pane[cells], 10**6))
        assert seen.n[stream] == len(values)
        if len(values):
            assert_allclose(seen.mean[stream], values.mean(), atol=1e-9)
            spread = ((values - values.mean()) ** 2).sum()
            assert_allclose(seen.m2[stream], spread, rtol=1e-6, atol=1e-6)


def test_constant_stream_is_silent_until_something_else_comes():
    layout = Layout(edges=(np.array([0.0]),), categories=(("a",),))
    rows = 10_000
    scores = CellScores.from_reference(layout, np.array([0, rows, 0, 0, rows, 0, 0, 0, 0]))
    quiet = observe(layout, scores, np.array([0, 600, 0, 0, 600, 0, 0, 0, 0]))
    assert_allclose(quiet.mean, 0.0, atol=1e-12)
    other = observe(layout, scores, np.array([6, 594, 0, 0, 594, 0, 6, 0, 0]))
    assert (np.abs(other.mean) > 0.5).all()
    assert (np.abs(scores.values) <= np.sqrt((rows + 2) / PRIOR) + 1).all()


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.95, 0.05), (0.999, 0.001)])
def test_boolean_score_sees_every_change_of_the_share(shares):
    layout = Layout(categories=(("false", "true"),))
    rows = np.array([*(np.array(shares) * 100_000), 0, 0, 0, 0]).astype(np.int64)
    scores = CellScores.from_reference(layout, rows)
    moved = rows + np.array([-50, 50, 0, 0, 0, 0])
    shift = 0.0005 / np.sqrt(shares[0] * shares[1])
    assert abs(observe(layout, scores, moved).mean[0]) == pytest.approx(shift, rel=0.05)


def test_what_is_new_moves_a_categorical_stream_the_same_way_as_what_is_rare():
    layout = Layout(categories=(("rare", "common", "middle"),))
    values = CellScores.from_reference(layout, np.array([50, 1000, 300, 0, 0, 0, 0])).values
    rare, common, middle, other, unseen = values[:5]
    assert common < middle < rare < other < unseen


def test_stream_without_a_reference_says_nothing():
    layout = Layout(edges=(np.array([0.0]),))
    scores = CellScores.from_reference(layout, np.array([0, 0, 9, 0]))
    seen = observe(layout, scores, np.array([5, 5, 0, 0]))
    assert (seen.mean[0], seen.m2[0]) == (0.0, 0.0)


def test_no_stream_gives_an_empty_observation():
    none = np.zeros(0, dtype=np.int64)
    seen = observe(EMPTY_LAYOUT, CellScores.from_reference(EMPTY_LAYOUT, none), none)
    assert seen.n.shape == seen.mean.shape == seen.m2.shape == (0,)
