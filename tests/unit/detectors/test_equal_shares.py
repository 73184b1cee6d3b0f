"""Bins of equal share: where they begin, and a PSI that plain Python counts again."""

import math
from bisect import bisect_right

import numpy as np
import pytest

from detectors.equal_shares import EqualShares, psi
from detectors.summary.cells import numeric_cells
from detectors.summary.layout import Layout
from detectors.summary.profile import Profile
from detectors.summary.summary import Summary


def cells_of(values):
    profile = Profile()
    profile.update(list(values))
    return numeric_cells(profile)


def bins_of(values, bins=10):
    """Layout of the cells, counts by cell, and the bins, of one numeric stream."""
    edges, counts = cells_of(values)
    layout = Layout(edges=(edges,))
    flat = np.concatenate((counts, [0, 0]))
    return layout, flat, EqualShares.of_reference(layout, flat, bins)


def counted(layout, values):
    summary = Summary(layout)
    column = np.asarray(values, dtype=np.float64)[:, None]
    summary.update(column, np.zeros((len(column), 0), dtype=np.int32), {}, float(len(column)))
    return summary.cells


def plain_psi(reference, live, bins=10):
    """As a policy says it: exact deciles of the raw reference, shares, a sum. No smoothing."""
    ordered = sorted(reference)
    edges = [ordered[len(ordered) * k // bins] for k in range(1, bins)]

    def shares(values):
        counts = [0] * bins
        for value in values:
            counts[bisect_right(edges, value)] += 1
        return [count / len(values) for count in counts]

    pairs = zip(shares(live), shares(reference), strict=True)
    return sum((p - q) * math.log(p / q) for p, q in pairs)


@pytest.mark.parametrize(
    ("draw", "change"),
    [
        (lambda rng, n: rng.normal(0, 1, n), lambda v, by: v + by),
        (lambda rng, n: rng.normal(52_000, 9_000, n), lambda v, by: v + 9_000 * by),
        (lambda rng, n: rng.lognormal(0, 1.5, n), lambda v, by: v * (1 + by)),
        (lambda rng, n: rng.uniform(0, 1, n), lambda v, by: v ** (1 + by)),
        (lambda rng, n: rng.exponential(1.0, n), lambda v, by: v * (1 + by)),
    ],
    ids=["normal", "incomes", "lognormal", "uniform", "exponential"],
)
@pytest.mark.parametrize("by", [0.0, 0.2, 0.5, 1.0])
def test_the_psi_is_that_of_exact_deciles_of_the_raw_values(draw, change, by):
    rng = np.random.default_rng(5)
    reference, live = draw(rng, 20_000), change(draw(rng, 30_000), by)
    layout, before, shares = bins_of(reference.tolist())
    told, bins = psi(shares.layout, shares.join(counted(layout, live)), shares.join(before))
    expected = plain_psi(reference.tolist(), live.tolist())
    assert bins[0] == 10
    assert told[0] == pytest.approx(expected, rel=0.01, abs=0.001)


def test_the_deciles_of_a_continuous_stream_hold_a_tenth_each():
    _, before, shares = bins_of(np.random.default_rng(1).normal(size=50_000).tolist())
    held = shares.join(before)[:-2]
    assert len(held) == 10
    assert np.abs(held / 50_000 - 0.1).max() < 0.007


@pytest.mark.parametrize("bins", [2, 5, 10])
def test_joining_keeps_every_row_and_what_is_missing_or_invalid(bins):
    layout, _, shares = bins_of(np.random.default_rng(2).normal(size=5_000).tolist(), bins)
    live = counted(layout, [0.0, np.nan, np.inf, 1e9, -1e9, np.nan])
    joined = shares.join(live)
    assert shares.layout.value_cells[0] == bins
    assert joined[-2:].tolist() == [2, 1]
    assert joined.sum() == 6


def test_a_value_of_several_deciles_is_one_bin_and_no_bin_is_tiny():
    rng = np.random.default_rng(3)
    reference = np.where(rng.random(20_000) < 0.39, 0.0, rng.lognormal(0, 1, 20_000))
    _, before, shares = bins_of(reference.tolist())
    held = shares.join(before)[:-2] / 20_000
    assert 0.38 < held.max() < 0.40
    assert all(share == 0 or share > 0.05 for share in held)
    assert 7 <= np.count_nonzero(held) <= 8


def test_a_constant_stream_that_becomes_another_value_is_told():
    layout, before, shares = bins_of([7.0] * 1_000)
    same, _ = psi(shares.layout, shares.join(counted(layout, [7.0] * 500)), shares.join(before))
    other, _ = psi(shares.layout, shares.join(counted(layout, [8.0] * 500)), shares.join(before))
    assert same[0] == 0.0
    assert other[0] > 5


def test_categories_are_taken_as_they_are():
    layout = Layout(categories=(("a", "b"), ("x",)))
    shares = EqualShares.of_reference(layout, np.arange(layout.cell_count), 10)
    counts = np.arange(layout.cell_count) + 3
    assert shares.join(counts).tolist() == counts.tolist()
    assert shares.layout.categories == layout.categories


def test_a_bin_that_nobody_has_counts_for_nothing():
    layout = Layout(categories=(("a", "b"),))
    told, bins = psi(layout, np.array([30, 70, 0, 0, 5, 5]), np.array([400, 600, 0, 0, 0, 0]))
    p, q = (30.5 / 101, 70.5 / 101), (400.5 / 1001, 600.5 / 1001)
    assert bins.tolist() == [2]
    expected = sum((x - y) * math.log(x / y) for x, y in zip(p, q, strict=True))
    assert told[0] == pytest.approx(expected)


def test_without_a_value_on_either_side_nothing_is_known():
    layout = Layout(categories=(("a",), ("a",)))
    told, _ = psi(
        layout, np.array([0, 0, 0, 9, 0, 5, 0, 0, 0, 0]), np.array([9, 0, 0, 0, 0] + [0] * 5)
    )
    assert np.isnan(told).all()
    assert len(psi(Layout(), np.zeros(0, np.int64), np.zeros(0, np.int64))[0]) == 0
    assert len(EqualShares.of_reference(Layout(), np.zeros(0, np.int64), 10).starts) == 0


def test_a_reference_without_a_number_keeps_its_one_cell():
    layout = Layout(edges=(np.empty(0),))
    shares = EqualShares.of_reference(layout, np.zeros(3, dtype=np.int64), 10)
    assert shares.starts.tolist() == [0, 1, 2]


def test_a_small_reference_gives_the_bins_that_its_cells_allow():
    _, before, shares = bins_of(np.random.default_rng(6).normal(size=40).tolist())
    held = shares.join(before)[:-2]
    assert held.sum() == 40
    assert 4 <= np.count_nonzero(held) <= 8
