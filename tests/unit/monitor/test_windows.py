"""Sliding windows: what they cover, that their total is the sum of their panes, and their state."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.layout import Layout
from detectors.summary.summary import Summary
from service.monitor.detecting.windows import QUANTILES, Window, step_seconds
from service.values.watches import WindowLength
from tests.unit.monitor.events import PANE, T0, assert_same

LAYOUT = Layout(edges=(np.array([-1.0, 0.0, 1.0]),))


def summary(seed, rows=10):
    made = Summary(LAYOUT)
    numbers = np.random.default_rng(seed).normal(size=(rows, 1))
    made.update(numbers, np.zeros((rows, 0), dtype=np.int32), {}, float(rows))
    return made


def window_of(panes, length=60):
    """A window of `length` panes that was given the panes with these numbers."""
    window = Window(WindowLength("w", length * PANE), PANE, LAYOUT)
    for number in panes:
        start = T0 + number * PANE
        window.add(start, start + PANE, summary(number))
    return window


def covered(window):
    return window.end_seconds - window.start_seconds


@given(st.integers(1, 200), st.integers(0, 40))
@settings(max_examples=60)
def test_a_full_window_covers_eleven_twelfths_of_its_length_to_the_whole(length, further):
    window = Window(WindowLength("w", length * PANE), PANE, Layout())
    empty = Summary(Layout())
    for number in range(length + further):
        window.add(T0 + number * PANE, T0 + (number + 1) * PANE, empty)
    assert covered(window) <= length * PANE
    assert covered(window) >= min(length * PANE * 11 / 12, covered(window) + (length < 24))
    if length < 24:
        assert covered(window) == length * PANE


@given(st.lists(st.integers(1, 30), min_size=1, max_size=25), st.sampled_from([5, 24, 60]))
@settings(max_examples=40)
def test_the_total_is_the_sum_of_the_panes_that_are_covered_whatever_the_gaps(gaps, length):
    numbers = np.cumsum(gaps).tolist()
    window = window_of(numbers, length)
    kept = [n for n in numbers if T0 + n * PANE >= window.start_seconds]
    expected = Summary(LAYOUT)
    for number in kept:
        expected.merge(summary(number))
    assert window.total.rows == 10 * len(kept)
    assert window.total.cells.tolist() == expected.cells.tolist()
    assert window.total.quantile(np.array([0.5])) == expected.quantile(np.array([0.5]))
    assert numbers[-1] in kept
    assert covered(window) <= length * PANE


def test_a_pane_leaves_a_short_window_exactly_when_it_is_too_old():
    window = window_of(range(5), length=5)
    assert window.total.rows == 50
    window.add(T0 + 5 * PANE, T0 + 6 * PANE, summary(5))
    assert (window.total.rows, window.start_seconds) == (50, T0 + PANE)


def test_time_without_panes_empties_a_window():
    window = window_of(range(5), length=5)
    window.advance(T0 + 8 * PANE)
    assert window.total.rows == 20
    window.advance(T0 + 100 * PANE)
    assert (window.total.rows, window.start_seconds) == (0, math.inf)
    assert np.isnan(window.quantiles()).all()


@pytest.mark.parametrize(("panes", "step"), [(1, 1), (12, 1), (23, 1), (24, 2), (60, 5), (61, 5)])
def test_a_step_is_whole_panes_and_at_most_a_twelfth_of_the_window(panes, step):
    assert step_seconds(WindowLength("w", panes * PANE), PANE) == step * PANE


@pytest.mark.parametrize("pane", [0.1, 0.3, 0.7])
def test_panes_that_are_no_binary_fractions_make_whole_steps(pane):
    assert step_seconds(WindowLength("w", 24 * pane), pane) == pytest.approx(2 * pane)


def test_quantiles_are_those_of_the_total_and_follow_it():
    window = window_of(range(3))
    first = window.quantiles()
    assert first.shape == (1, len(QUANTILES))
    assert np.array_equal(first, window.total.quantile(np.array(QUANTILES)))
    window.add(T0 + 3 * PANE, T0 + 4 * PANE, summary(3, rows=500))
    assert not np.array_equal(first, window.quantiles())
    extremes = window.total.moments
    assert (window.quantiles() >= extremes.minimum[:, None]).all()
    assert (window.quantiles() <= extremes.maximum[:, None]).all()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=20), st.integers(0, 20))
@settings(max_examples=30)
def test_a_window_goes_on_from_its_state_as_if_nothing_had_happened(gaps, cut):
    numbers = np.cumsum(gaps).tolist()
    frozen = []

    def freeze(part):
        frozen.append(part)
        return part

    whole, kept = window_of(numbers), window_of(numbers[:cut])
    stored = kept.state(freeze)
    for _ in range(2):
        assert_same(kept.state(freeze), stored)
    assert len(frozen) == max(0, len(stored["steps"]) - 1)
    window = Window.from_state(LAYOUT, PANE, stored)
    for number in numbers[cut:]:
        window.add(T0 + number * PANE, T0 + (number + 1) * PANE, summary(number))
    assert_same(window.state(lambda part: part), whole.state(lambda part: part))
    assert window.total.cells.tolist() == whole.total.cells.tolist()
