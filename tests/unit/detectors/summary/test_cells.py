"""From a profile to the cells of a reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.cells import (
    PROBABILITIES,
    RARE_BYTES_MAX,
    RARE_MAX,
    category_cells,
    numeric_cells,
    value_type,
)
from detectors.summary.profile import INVALID_VALUE, NAMES_MAX, Profile
from tests.unit.detectors.summary.distributions import NAMES, draw


def profile_of(stream):
    profile = Profile()
    profile.update(stream)
    return profile


def profile_of_numbers(numbers):
    profile = Profile()
    profile.update_numbers(numbers)
    return profile


def recount(edges, numbers):
    return [
        int(((numbers >= low) & (numbers < high)).sum())
        for low, high in zip([-np.inf, *edges], [*edges, np.inf], strict=True)
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [3, 40, 1000, 30_000])
def test_counts_are_exact_and_edges_ascend(name, n):
    numbers = draw(name, n)
    edges, counts = numeric_cells(profile_of_numbers(numbers))
    assert counts.tolist() == recount(edges, numbers)
    assert (np.diff(edges) > 0).all()
    assert np.isfinite(edges).all()
    assert len(counts) <= len(PROBABILITIES) + 1 + 20
    assert n < 5 or (counts[1:-1] >= 5).all()
    assert n < 5 or all(count >= 5 or count == 0 for count in (counts[0], counts[-1]))


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0, -1.0, 2.0]),
        max_size=80,
    ),
    st.integers(1, 12),
)
def test_counts_are_exact_for_any_numbers(numbers, repeats):
    numbers = np.repeat(np.array(numbers, dtype=np.float64), repeats)
    edges, counts = numeric_cells(profile_of_numbers(numbers))
    assert counts.tolist() == recount(edges, numbers)
    assert (np.diff(edges) > 0).all()
    assert np.isfinite(edges).all()


@pytest.mark.parametrize("name", ["normal", "lognormal", "large_offset", "bimodal"])
def test_continuous_streams_are_cut_near_the_wanted_quantiles(name):
    numbers = draw(name, 30_000)
    _, counts = numeric_cells(profile_of_numbers(numbers))
    shares = np.cumsum(counts)[:-1] / 30_000
    assert len(shares) == len(PROBABILITIES)
    assert np.abs(shares - PROBABILITIES).max() < 0.002


def test_a_constant_stream_sees_any_other_value():
    edges, counts = numeric_cells(profile_of_numbers(np.full(1000, 41.5)))
    assert counts.tolist() == [0, 1000, 0]
    assert np.searchsorted(edges, [41.4999999, 41.5, 41.5000001], side="right").tolist() == [
        0,
        1,
        2,
    ]


def test_zeros_of_a_zero_inflated_stream_are_a_cell_of_their_own():
    numbers = draw("zero_inflated", 20_000)
    edges, counts = numeric_cells(profile_of_numbers(numbers))
    cell = np.searchsorted(edges, 0.0, side="right")
    assert counts[cell] == (numbers == 0.0).sum()
    assert np.searchsorted(edges, 1e-9, side="right") == cell + 1
    assert np.searchsorted(edges, -1.0, side="right") == cell - 1


def test_a_rating_has_a_cell_a_value_and_one_beyond_either_end():
    ratings = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 200)
    edges, counts = numeric_cells(profile_of_numbers(ratings))
    assert edges.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, np.nextafter(5.0, np.inf)]
    assert counts.tolist() == [0, 200, 200, 200, 200, 200, 0]


@pytest.mark.parametrize(("ones", "cells"), [(19, 2), (20, 3)])
def test_beside_a_dominant_value_a_cell_needs_more_rows(ones, cells):
    numbers = np.concatenate([np.zeros(1000), np.ones(ones)])
    assert len(numeric_cells(profile_of_numbers(numbers)).counts) == cells


def test_a_handful_of_different_numbers_has_no_atom():
    edges, counts = numeric_cells(profile_of_numbers(np.arange(8.0)))
    assert edges.tolist() == []
    assert counts.tolist() == [8]


def test_no_number_gives_no_edge():
    edges, counts = numeric_cells(profile_of([None, INVALID_VALUE]))
    assert edges.tolist() == []
    assert counts.tolist() == [0]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ([], "numeric"),
        ([None, INVALID_VALUE], "numeric"),
        ([1.0, "a"], "numeric"),
        ([1.0, "a", "b"], "categorical"),
        (["a", True], "categorical"),
        ([True, False, "a", 1.0], "boolean"),
        ([None, None, None, "a"], "categorical"),
    ],
)
def test_the_majority_of_valid_values_decides_the_type(stream, expected):
    assert value_type(profile_of(stream)) == expected


def test_frequent_categories_have_cells_and_the_rest_is_other():
    stream = ["b"] * 300 + ["a"] * 300 + ["c"] * 20 + ["d"] * 19 + ["e", "f", None]
    cells = category_cells(profile_of(stream))
    assert cells.names == ("a", "b", "c")
    assert cells.counts.tolist() == [300, 300, 20]
    assert cells.other == 21
    assert cells.singletons == 2
    assert cells.rare == ("d", "e", "f")
    assert not cells.open_ended


def test_a_thousand_rare_categories_are_named_and_of_more_none():
    stream = [*(f"{i:04}" for i in range(RARE_MAX)), *["a"] * 5000]
    cells = category_cells(profile_of(stream))
    assert cells.names == ("a",)
    assert cells.rare == tuple(f"{i:04}" for i in range(RARE_MAX))
    cells = category_cells(profile_of([*stream, "one more"]))
    assert (cells.rare, cells.open_ended, cells.other) == ((), True, RARE_MAX + 1)


def test_long_names_of_rare_categories_are_bounded_in_all():
    names = [f"{i:0128}" for i in range(RARE_BYTES_MAX // 128)]
    assert category_cells(profile_of(names * 2 + ["a"] * 9000)).rare == tuple(names)
    assert category_cells(profile_of([*names * 2, "b", *["a"] * 9000])).open_ended


def test_categories_that_could_not_be_counted_leave_a_stream_open_ended():
    profile = profile_of([f"{i}" for i in range(NAMES_MAX + 1)] + ["a"] * 5000)
    assert category_cells(profile, limit=NAMES_MAX).open_ended


def test_at_most_the_limit_has_cells():
    stream = [f"{i:02}" for i in range(60) for _ in range(30)]
    cells = category_cells(profile_of(stream))
    assert cells.names == tuple(f"{i:02}" for i in range(50))
    assert cells.rare == tuple(f"{i:02}" for i in range(50, 60))
    assert cells.counts.sum() + cells.other == len(stream)
    assert len(category_cells(profile_of(stream), limit=5).names) == 5


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (["a"] * 6 + ["b"] * 3 + ["c"], ("a", "b", "c")),
        (["a"] * 70 + ["b"] * 25 + ["c"] * 4 + ["d"], ("a", "b")),
        ([], ()),
    ],
)
def test_a_small_reference_keeps_its_large_categories(stream, expected):
    assert category_cells(profile_of(stream)).names == expected


def test_booleans_always_have_both_cells():
    cells = category_cells(profile_of([True] * 3 + ["x"]))
    assert cells.names == ("false", "true")
    assert cells.counts.tolist() == [0, 3]
    assert (cells.other, cells.singletons, cells.rare, cells.open_ended) == (0, 0, (), False)
