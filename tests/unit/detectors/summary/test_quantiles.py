"""Quantile histograms: free of order, within 0.8 %."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.columns import Columns
from detectors.summary.quantiles import SHIFT_PROMISED, Quantiles, _bit_length
from tests.unit.detectors.summary.distributions import NAMES, draw, same_state

PROBABILITIES = np.array([0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999, 1.0])

any_float = st.floats(allow_nan=False, allow_infinity=False)
few_floats = st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1.7976931348623157e308, 0.1, -0.3])


def quantiles_of(rows, **parameters):
    bank = Quantiles(rows.shape[1], **parameters)
    bank.update(Columns.of_rows(rows).runs)
    return bank


def exact(rows):
    return np.quantile(rows, PROBABILITIES, axis=0, method="lower").T


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 10, 20_000])
def test_quantiles_are_within_one_percent_of_the_exact_ones(name, n):
    rows = np.column_stack([draw(name, n), -draw(name, n, seed=8)])
    found = quantiles_of(rows).quantile(PROBABILITIES, rows.min(axis=0), rows.max(axis=0))
    assert found == pytest.approx(exact(rows), rel=0.008, abs=1e-300)


@pytest.mark.parametrize("name", NAMES)
def test_state_depends_on_the_values_alone_not_on_order_or_split(name):
    values = draw(name, 6000)
    whole = quantiles_of(values.reshape(-1, 1)).state()
    shuffled = np.random.default_rng(3).permutation(values).reshape(-1, 1)
    parts = [quantiles_of(part) for part in np.split(shuffled, [1, 40, 2000, 2300])]
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1]):
        merged = Quantiles(1)
        for index in order:
            merged.merge(parts[index])
        assert same_state(merged.state(), whole)
    stepwise = Quantiles(1)
    for part in np.split(shuffled, [5, 800, 801, 5000]):
        stepwise.update(Columns.of_rows(part).runs)
    assert same_state(stepwise.state(), whole)


@pytest.mark.parametrize("new", [0, 3])
def test_a_few_values_join_many_whether_or_not_those_have_them_already(new):
    many = np.round(draw("normal", 2000), 2)
    few = np.concatenate([many[:40], 1000.0 + np.arange(new)])
    bank = quantiles_of(np.column_stack([many, -many]), capacity=4096)
    bank.merge(quantiles_of(np.column_stack([few, -few]), capacity=4096))
    both = np.concatenate([many, few])
    assert same_state(
        bank.state(), quantiles_of(np.column_stack([both, -both]), capacity=4096).state()
    )


@pytest.mark.parametrize("octave_parts", [230, 256, 257])
def test_many_values_in_few_buckets_are_not_coarsened_further_than_needed(octave_parts):
    lower = np.exp2(np.arange(octave_parts) // 64) * (1 + np.arange(octave_parts) % 64 / 64)
    values = np.concatenate([lower, lower * (1 + 2**-12), lower * (1 + 2**-9)])
    whole = quantiles_of(values.reshape(-1, 1))
    stepwise = Quantiles(1)
    for part in np.split(values, range(50, len(values), 50)):
        stepwise.update(Columns.of_rows(part.reshape(-1, 1)).runs)
    assert same_state(whole.state(), stepwise.state())
    assert whole.sizes[0] == octave_parts


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(any_float | few_floats, few_floats | any_float), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=3),
    capacity=st.sampled_from([1, 2, 4, 16]),
    limit=st.sampled_from([1, 4, 16, 64]),
    seed=st.integers(0, 2**16),
)
def test_merge_is_exact_whatever_the_values_cuts_and_capacity(rows, cuts, capacity, limit, seed):
    rows = np.array(rows, dtype=np.float64).reshape(-1, 2)
    rng = np.random.default_rng(seed)
    whole = quantiles_of(rows, capacity=capacity, limit=limit)
    parts = [
        quantiles_of(part, capacity=capacity, limit=limit)
        for part in np.split(rng.permutation(rows), sorted(cuts))
    ]
    rng.shuffle(parts)
    at_once = quantiles_of(rows[:0], capacity=capacity, limit=limit)
    at_once.merge(*parts)
    merged = parts[0]
    for part in parts[1:]:
        before = part.state()
        merged.merge(part)
        assert same_state(part.state(), before)
    assert same_state(merged.state(), whole.state())
    assert same_state(at_once.state(), whole.state())
    assert whole.counts.sum() == rows.size
    within = (whole.sizes <= capacity) | (whole.shifts >= SHIFT_PROMISED)
    assert within.all()
    # two signs at the coarsest: a limit below four buckets cannot always be kept
    assert (whole.sizes <= max(limit, 4)).all() or (whole.sizes <= capacity).all()


@settings(max_examples=80, deadline=None)
@given(values=st.lists(any_float | few_floats, min_size=1, max_size=50))
def test_buckets_part_the_values_exactly(values):
    bank = quantiles_of(np.array(values).reshape(-1, 1), capacity=8, finest=0)
    lower, upper, counts = bank.buckets(0)
    assert (lower[1:] >= upper[:-1]).all()
    # beyond the largest float there is none: its bucket is closed above
    closed = upper == np.inf
    recount = [
        sum(low <= v < up or (end and v >= low) for v in values)
        for low, up, end in zip(lower, upper, closed, strict=True)
    ]
    assert recount == counts.tolist()


def test_few_values_are_held_exactly_at_the_finest_shift():
    values = draw("large_offset", 300)
    bank = quantiles_of(values.reshape(-1, 1), capacity=512, finest=0)
    assert np.array_equal(bank.quantile(PROBABILITIES)[0], exact(values.reshape(-1, 1))[0])
    assert bank.relative_error().tolist() == [0.0]


def test_a_stream_over_tens_of_orders_of_magnitude_stays_within_the_limit():
    rng = np.random.default_rng(5)
    wild = np.exp2(rng.uniform(-50, 50, 20_000)) * rng.choice([-1.0, 1.0], 20_000)
    rows = np.column_stack([wild, rng.normal(size=20_000)])
    bank = quantiles_of(rows)
    assert bank.sizes[0] <= bank.limit
    assert bank.shifts[1] == SHIFT_PROMISED  # the neighbour does not pay for it
    error = bank.relative_error()[0]
    assert error < 0.1
    assert bank.quantile(PROBABILITIES)[0] == pytest.approx(exact(rows)[0], rel=error)


def test_a_stream_without_a_value_has_no_quantiles():
    bank = quantiles_of(np.array([[np.nan, 1.0], [np.inf, 1.0]]))
    assert np.isnan(bank.quantile(np.array([0.5]))[0]).all()
    assert len(bank.buckets(0).counts) == 0
    assert bank.buckets(1).counts.tolist() == [2]
    assert Quantiles(0).quantile(np.array([0.5])).shape == (0, 1)


def test_counts_outgrow_their_narrow_type():
    bank = quantiles_of(np.ones((40_000, 1)))
    for _ in range(3):
        bank.merge(quantiles_of(np.ones((40_000, 1))))
    assert bank.counts.tolist() == [160_000]


def test_state_round_trips_and_the_future_is_the_same():
    rows = np.column_stack([draw("normal", 900), draw("integer", 900)])
    bank = quantiles_of(rows)
    again = Quantiles.from_state(bank.state())
    assert same_state(again.state(), bank.state())
    more = Columns.of_rows(rows[:100] * 3.0).runs
    again.update(more)
    bank.update(more)
    assert same_state(again.state(), bank.state())


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan])
def test_probabilities_outside_of_zero_and_one_are_refused(wrong):
    with pytest.raises(ValueError, match="probabilities"):
        Quantiles(1).quantile(np.array([0.5, wrong]))


def test_banks_of_other_shapes_refuse_to_merge():
    with pytest.raises(ValueError, match="as many streams"):
        Quantiles(2).merge(Quantiles(3))
    with pytest.raises(ValueError, match="coarser finest"):
        Quantiles(2, finest=0)


def test_bit_lengths_are_exact_where_a_float_would_round():
    values = [0, 1, 2, 3, 2**53 - 1, 2**54 - 1, 2**60 - 1, 2**63, 2**64 - 1]
    lengths = _bit_length(np.array(values, dtype=np.uint64))
    assert lengths.tolist() == [value.bit_length() for value in values]
