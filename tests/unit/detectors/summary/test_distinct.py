"""HyperLogLog counters."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.columns import Columns
from detectors.summary.distinct import Distinct, name_hashes
from tests.unit.detectors.summary.distributions import NAMES, draw, same_state


def distinct_of(rows, p=10):
    distinct = Distinct(rows.shape[1], p)
    distinct.update(Columns.of_rows(rows).runs)
    return distinct


@pytest.mark.parametrize("p", [9, 10])
@pytest.mark.parametrize("n", [1, 5, 100, 3000, 100_000])
def test_estimates_are_within_four_standard_errors(p, n):
    numbers = np.arange(n, dtype=np.float64)
    rows = np.column_stack([numbers, numbers / 7.0])
    tolerance = 4.0 * 1.04 / np.sqrt(2**p)
    assert distinct_of(rows, p).estimate() == pytest.approx(n, rel=tolerance, abs=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_estimates_hold_for_every_distribution(name):
    values = draw(name, 20_000)
    estimate = distinct_of(values.reshape(-1, 1)).estimate()[0]
    assert estimate == pytest.approx(len(np.unique(values)), rel=4 * 1.04 / 32, abs=0.5)


def test_nothing_seen_is_estimated_as_nothing():
    assert Distinct(2).estimate().tolist() == [0.0, 0.0]
    assert distinct_of(np.array([[np.nan], [np.inf]])).estimate().tolist() == [0.0]
    assert Distinct(0).estimate().shape == (0,)


def test_repeated_values_change_nothing():
    once = distinct_of(np.arange(5000.0).reshape(-1, 1))
    state = once.state()
    once.update(Columns.of_rows(np.repeat(np.arange(5000.0), 3).reshape(-1, 1)).runs)
    assert same_state(once.state(), state)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 500), max_size=300), st.integers(0, 300))
def test_merge_equals_the_whole_and_commutes(values, cut):
    rows = np.array(values, dtype=np.float64).reshape(-1, 1)
    left, right = distinct_of(rows[:cut], 4), distinct_of(rows[cut:], 4)
    other_way = distinct_of(rows[cut:], 4)
    other_way.merge(left)
    left.merge(right)
    assert same_state(left.state(), distinct_of(rows, 4).state())
    assert same_state(other_way.state(), left.state())


def test_the_short_cut_for_full_registers_gives_the_same_registers():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(30_000, 1))
    stepwise = Distinct(1, 4)
    for part in np.split(rows, 10):
        stepwise.update(Columns.of_rows(part).runs)
    assert stepwise.registers.min() > 0
    assert same_state(stepwise.state(), distinct_of(rows, 4).state())


def test_names_are_counted_per_stream():
    distinct = Distinct(3)
    distinct.update_names(1, [f"name {i}" for i in range(500)])
    distinct.update_names(1, ["name 1", "\ud800", ""])
    assert distinct.estimate() == pytest.approx([0, 502, 0], rel=0.13)


def test_hashes_of_names_are_the_same_in_every_process():
    code = "from detectors.summary.distinct import name_hashes; print(name_hashes(['MA', 'é']))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == str(name_hashes(["MA", "é"]))


def test_state_round_trips():
    distinct = distinct_of(draw("normal", 4000).reshape(-1, 2))
    assert same_state(Distinct.from_state(distinct.state()).state(), distinct.state())


def test_counters_of_other_sizes_refuse_to_merge():
    with pytest.raises(ValueError, match="cannot merge"):
        Distinct(1, 9).merge(Distinct(1, 10))
