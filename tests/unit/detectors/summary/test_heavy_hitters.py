"""Misra-Gries counters: never over the true count, short of it within the bound."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.columns import Columns
from detectors.summary.heavy_hitters import HeavyNames, HeavyNumbers
from tests.unit.detectors.summary.distributions import NAMES, draw, same_state


def within_bound(estimates, truth, error, bound):
    assert 0 <= error <= bound
    for item, true in truth.items():
        estimate = estimates.get(item, 0)
        assert true - error <= estimate <= true
    assert set(estimates) <= set(truth)


def numbers_of(rows, capacity=16):
    heavy = HeavyNumbers(rows.shape[1], capacity)
    heavy.update(Columns.of_rows(rows).runs)
    return heavy


@settings(max_examples=120, deadline=None)
@given(
    values=st.lists(st.integers(0, 12) | st.just(3), max_size=200),
    cuts=st.lists(st.integers(0, 200), max_size=4),
    capacity=st.integers(1, 6),
)
def test_numbers_stay_within_the_bound_however_they_are_split(values, cuts, capacity):
    rows = np.array(values, dtype=np.float64).reshape(-1, 1)
    merged, fed, at_once = (HeavyNumbers(1, capacity) for _ in range(3))
    parts = np.split(rows, sorted(cuts))
    for part in parts:
        merged.merge(numbers_of(part, capacity))
        fed.update(Columns.of_rows(part).runs)
    at_once.merge(*(numbers_of(part, capacity) for part in parts))
    truth = Counter(values)
    for heavy in (merged, fed, at_once):
        bound = 2 * len(values) / (capacity + 1)
        within_bound(dict(heavy.top(0)), truth, int(heavy.error[0]), bound)


@settings(max_examples=80, deadline=None)
@given(
    names=st.lists(st.sampled_from("abcdefghijk"), max_size=200),
    cuts=st.lists(st.integers(0, 200), max_size=4),
    capacity=st.integers(1, 6),
)
def test_names_stay_within_the_bound_however_they_are_split(names, cuts, capacity):
    merged, fed = HeavyNames(capacity), HeavyNames(capacity)
    bounds = [0, *sorted(cuts), len(names)]
    for start, end in pairwise(bounds):
        part = HeavyNames(capacity)
        part.update(names[start:end])
        merged.merge(part)
        fed.update(names[start:end])
    for heavy in (merged, fed):
        within_bound(heavy.counts, Counter(names), heavy.error, len(names) / (capacity + 1))
        assert len(heavy.counts) <= capacity


@pytest.mark.parametrize("name", NAMES)
def test_a_value_of_a_large_share_is_found_in_every_distribution(name):
    values = draw(name, 20_000)
    heavy = HeavyNumbers(1)
    for part in np.split(values, 20):
        heavy.update(Columns.of_rows(part.reshape(-1, 1)).runs)
    truth = Counter(values.tolist())
    top = dict(heavy.top(0))
    within_bound(top, truth, int(heavy.error[0]), 2 * 20_000 / 17)
    for item, count in truth.items():
        if count > 2 * 20_000 / 17:
            assert item in top


def test_streams_do_not_mix_and_missing_ones_hold_nothing():
    rows = np.array([[1.0, np.nan, 1.0], [1.0, np.nan, 2.0], [2.0, np.nan, 2.0]])
    heavy = numbers_of(rows)
    assert heavy.top(0) == [(1.0, 2), (2.0, 1)]
    assert heavy.top(1) == []
    assert heavy.top(2) == [(2.0, 2), (1.0, 1)]
    assert heavy.error.tolist() == [0, 0, 0]


def test_zero_is_counted_although_free_counters_hold_zero():
    heavy = numbers_of(np.array([[0.0], [5.0], [0.0]]), capacity=3)
    heavy.update(Columns.of_rows(np.array([[0.0]])).runs)
    assert heavy.top(0) == [(0.0, 3), (5.0, 1)]


def test_merge_leaves_the_other_as_it_is():
    one, other = numbers_of(np.ones((5, 1))), numbers_of(np.arange(30.0).reshape(-1, 1))
    before = other.state()
    one.merge(other)
    assert same_state(other.state(), before)


def test_state_round_trips_and_does_not_depend_on_the_slots():
    one = numbers_of(np.array([[3.0], [1.0], [1.0]]))
    two = numbers_of(np.array([[1.0], [1.0]]))
    two.update(Columns.of_rows(np.array([[3.0]])).runs)
    assert same_state(one.state(), two.state())
    assert same_state(HeavyNumbers.from_state(one.state()).state(), one.state())
    names = HeavyNames(3)
    names.update("abracadabra")
    assert same_state(HeavyNames.from_state(names.state()).state(), names.state())


def test_other_capacities_refuse_to_merge():
    with pytest.raises(ValueError, match="cannot merge"):
        HeavyNumbers(1, 2).merge(HeavyNumbers(1, 3))
    with pytest.raises(ValueError, match="cannot merge"):
        HeavyNames(2).merge(HeavyNames(3))
