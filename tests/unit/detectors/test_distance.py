"""Distances from cells: by hand, against scipy on the raw values, and where there is nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import spatial, stats

from detectors.distance import distances
from detectors.summary.layout import EMPTY_LAYOUT, Layout

NAMES = ("psi", "jensen_shannon", "ks", "wasserstein_sd", "l_infinity", "mean_shift")
QUANTILES = [0.001, 0.01, 0.05, *np.linspace(0.1, 0.9, 9), 0.95, 0.99, 0.999]


def measure(layout, live, reference, *, sd=1.0, low=np.nan, high=np.nan):
    """The distances as a dict, with the same sd and extremes for all streams."""
    columns = (np.full(layout.stream_count, float(value)) for value in (sd, low, high))
    measured = distances(layout, np.array(live), np.array(reference), *columns)
    return {name: getattr(measured, name) for name in NAMES}


def binned(edges, values):
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return np.concatenate((counts, [0, 0]))


def test_distances_of_two_cells_are_those_computed_by_hand():
    layout = Layout(edges=(np.array([0.0]),))
    found = measure(layout, [3, 1, 9, 9], [1, 3, 0, 5], sd=2.0, low=-1.0, high=1.0)
    assert_allclose(found["psi"], [2 * (3.5 - 1.5) / 5 * np.log(3.5 / 1.5)])
    bits = 0.75 * np.log2(0.75 / 0.5) + 0.25 * np.log2(0.25 / 0.5)
    assert_allclose(found["jensen_shannon"], [np.sqrt(bits)])
    assert_allclose(found["ks"], [0.5])
    assert_allclose(found["l_infinity"], [0.5])
    # |F - G| is a triangle of height 1/2 over a base of 2.
    assert_allclose(found["wasserstein_sd"], [0.5 / 2])
    assert_allclose(found["mean_shift"], [-0.5 / 2])


def test_difference_that_changes_sign_inside_a_cell_by_hand():
    layout = Layout(edges=(np.array([0.0, 1.0, 2.0]),))
    found = measure(layout, [2, 0, 2, 0, 0, 0], [1, 2, 0, 1, 0, 0], low=-1.0, high=3.0)
    # F - G at -1, 0, 1, 2, 3 is 0, 1/4, -1/4, 1/4, 0.
    assert_allclose(found["wasserstein_sd"], [4 * 0.125])
    assert_allclose(found["mean_shift"], [-0.25])
    assert_allclose(found["ks"], [0.25])


def test_equal_shares_are_at_distance_zero_whatever_their_number():
    layout = Layout(edges=(np.array([0.0, 1.0]),), categories=(("a", "b"),))
    counts = np.array([5, 10, 5, 3, 1, 20, 10, 0, 0, 7, 7])
    found = measure(layout, counts, counts, low=-1.0, high=2.0)
    for name in NAMES:
        assert_allclose(found[name][0], 0.0, atol=1e-15)
    assert measure(layout, 1000 * counts, counts)["jensen_shannon"][1] < 1e-7


def test_disjoint_shares_are_as_far_as_can_be():
    layout = Layout(edges=(np.array([0.0]),), categories=(("a", "b"),))
    found = measure(layout, [9, 0, 0, 0, 9, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 9, 0, 0, 0, 0])
    for name in ("jensen_shannon", "l_infinity"):
        assert_allclose(found[name], 1.0)
    assert_allclose(found["ks"], [1.0, np.nan])
    assert np.isfinite(found["psi"]).all()


@pytest.mark.parametrize("seed", range(3))
def test_many_streams_agree_with_scipy_on_the_raw_values(seed):
    rng = np.random.default_rng(seed)
    pairs = [
        (rng.normal(size=20_000), rng.normal(0.3, 1.2, 5_000)),
        (rng.exponential(size=20_000), rng.exponential(1.5, 5_000)),
        (rng.uniform(size=20_000), rng.uniform(0.1, 1.3, 5_000)),
    ]
    layout = Layout(edges=tuple(np.quantile(reference, QUANTILES) for reference, _ in pairs))
    reference = np.concatenate(
        [binned(e, r) for e, (r, _) in zip(layout.edges, pairs, strict=True)]
    )
    live = np.concatenate([binned(e, v) for e, (_, v) in zip(layout.edges, pairs, strict=True)])
    sd = np.array([r.std() for r, _ in pairs])
    low, high = (np.array([extreme(r) for r, _ in pairs]) for extreme in (np.min, np.max))
    found = distances(layout, live, reference, sd, low, high)
    for stream, (normal, now) in enumerate(pairs):
        exact = stats.ks_2samp(normal, now).statistic
        assert exact - 0.05 <= found.ks[stream] <= exact + 1e-12
        inside = np.clip(now, low[stream], high[stream])
        moved = stats.wasserstein_distance(normal, inside) / normal.std()
        assert found.wasserstein_sd[stream] == pytest.approx(moved, rel=0.1)
        shift = (inside.mean() - normal.mean()) / normal.std()
        assert found.mean_shift[stream] == pytest.approx(shift, abs=0.04)
        shares = [binned(layout.edges[stream], side)[:-2] for side in (normal, now)]
        assert found.jensen_shannon[stream] == pytest.approx(
            spatial.distance.jensenshannon(*shares, base=2), abs=1e-12
        )
        cells = len(shares[0])
        p, q = ((side + 0.5) / (side.sum() + 0.5 * cells) for side in shares)
        psi = stats.entropy(p, q) + stats.entropy(q, p)
        assert found.psi[stream] == pytest.approx(psi, abs=1e-12)


def test_psi_of_a_sample_of_the_reference_stays_near_its_expectation():
    rng = np.random.default_rng(4)
    layout = Layout(edges=(np.arange(1.0, 10.0),) * 200)
    reference = np.tile(np.append(np.full(10, 10_000), [0, 0]), 200)
    live = np.column_stack((rng.multinomial(500, [0.1] * 10, 200), np.zeros((200, 2), dtype=int)))
    psi = measure(layout, live.ravel(), reference)["psi"]
    assert np.mean(psi) == pytest.approx(9 * (1 / 500 + 1 / 100_000), rel=0.1)


def test_missing_and_invalid_do_not_move_a_distance():
    layout = Layout(edges=(np.array([0.0]),), categories=(("a",),))
    plain = measure(
        layout, [3, 1, 0, 0, 4, 1, 0, 0, 0], [1, 3, 0, 0, 2, 2, 1, 0, 0], low=-1, high=1
    )
    other = measure(
        layout, [3, 1, 7, 9, 4, 1, 0, 8, 5], [1, 3, 2, 1, 2, 2, 1, 9, 9], low=-1, high=1
    )
    for name in NAMES:
        assert_allclose(plain[name], other[name])


@pytest.mark.parametrize("side", ["live", "reference", "both"])
def test_stream_without_values_has_no_distance(side):
    layout = Layout(edges=(np.array([0.0]), np.array([0.0])), categories=(("a",),))
    some = np.array([1, 2, 0, 0, 1, 2, 0, 0, 3, 0, 0, 0, 0])
    none = np.array([0, 0, 4, 0, 1, 2, 0, 0, 0, 0, 0, 4, 0])
    live = some if side == "reference" else none
    reference = some if side == "live" else none
    found = measure(layout, live, reference, low=-1, high=1)
    for name in NAMES:
        assert np.isnan(found[name][[0, 2]]).all(), name
        assert np.isfinite(found[name][1]), name


def test_what_needs_an_order_is_undefined_for_categories():
    found = measure(Layout(categories=(("a", "b"),)), [1, 2, 0, 0, 0, 0], [2, 1, 0, 0, 0, 0])
    for name in ("ks", "wasserstein_sd", "mean_shift"):
        assert np.isnan(found[name]).all()
    for name in ("psi", "jensen_shannon", "l_infinity"):
        assert np.isfinite(found[name]).all()


@pytest.mark.parametrize("sd", [0.0, np.nan, np.inf])
def test_without_a_spread_nothing_is_measured_in_sd(sd):
    found = measure(
        Layout(edges=(np.array([0.0]),)), [1, 2, 0, 0], [2, 1, 0, 0], sd=sd, low=-1, high=1
    )
    assert np.isnan(found["wasserstein_sd"]).all()
    assert np.isnan(found["mean_shift"]).all()
    assert np.isfinite(found["ks"]).all()


def test_tails_without_a_known_extreme_have_no_width():
    layout = Layout(edges=(np.array([0.0, 1.0]),))
    unknown = measure(layout, [2, 1, 1, 0, 0], [1, 1, 2, 0, 0])
    assert_allclose(unknown["wasserstein_sd"], [0.25])


def test_what_lies_beyond_the_extremes_has_no_width():
    layout = Layout(edges=(np.array([-9.0, 0.0, 1.0, 9.0]),))
    counts = [0, 2, 1, 1, 0, 0, 0], [0, 1, 1, 2, 0, 0, 0]
    fenced = measure(layout, *counts, low=-1.0, high=2.0)
    plain = measure(
        Layout(edges=(np.array([0.0, 1.0]),)),
        *([*cells[1:4], 0, 0] for cells in counts),
        low=-1.0,
        high=2.0,
    )
    for name in ("wasserstein_sd", "mean_shift"):
        assert_allclose(fenced[name], plain[name])
    half = measure(layout, [0, 2, 1, 1, 0, 0, 0], [0, 1, 1, 2, 0, 0, 0], low=0.5, high=0.5)
    assert_allclose(half["wasserstein_sd"], [0.0])


def test_stream_without_an_edge_is_one_cell_and_never_moves():
    found = measure(
        Layout(edges=(np.zeros(0), np.array([1.0]))),
        [5, 0, 0, 1, 2, 0, 0],
        [9, 0, 0, 2, 1, 0, 0],
        low=0,
        high=2,
    )
    for name in NAMES:
        assert found[name][0] == 0.0
        assert found[name][1] != 0.0


def test_no_stream_gives_empty_arrays():
    found = measure(EMPTY_LAYOUT, np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    assert all(found[name].shape == (0,) for name in NAMES)


def test_inputs_are_not_changed():
    layout = Layout(edges=(np.array([0.0]),), categories=(("a",),))
    live, reference = np.arange(9), np.arange(9)[::-1].copy()
    measure(layout, live, reference, low=-1, high=1)
    assert (live == np.arange(9)).all()
    assert (reference == np.arange(9)[::-1]).all()
