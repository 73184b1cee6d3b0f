"""What sampling alone makes of a distance, held against samples."""

import numpy as np
import pytest

from detectors.chance import (
    jensen_shannon_by_chance,
    ks_by_chance,
    psi_by_chance,
    spread_of,
    wasserstein_sd_by_chance,
    worth_of,
)
from detectors.distance import distances
from detectors.summary.cells import PROBABILITIES
from detectors.summary.layout import Layout

VALUES = np.random.default_rng(0).normal(size=200_000)
DECILES = Layout(edges=(np.quantile(VALUES, np.arange(1, 10) / 10),))
FINE = Layout(edges=(np.quantile(VALUES, PROBABILITIES),))
N, M, RUNS = 400, 2_000, 300
SCALE = (np.array([1.0]), np.array([-4.5]), np.array([4.5]))


def cells(layout, values):
    counts = np.histogram(values, np.concatenate(([-np.inf], layout.edges[0], [np.inf])))[0]
    return np.concatenate((counts, [0, 0]))


def mean_distance(layout, name):
    """Of many pairs of samples of one distribution."""
    rng = np.random.default_rng(9)
    told = [
        distances(
            layout, cells(layout, rng.normal(size=N)), cells(layout, rng.normal(size=M)), *SCALE
        )
        for _ in range(RUNS)
    ]
    return np.mean([getattr(one, name)[0] for one in told])


WORTH = worth_of(np.array([N]), np.array([M]), np.array([1.0]))
BINS = np.array([10])


def test_the_psi_of_unchanged_samples_is_as_expected():
    assert psi_by_chance(WORTH, BINS)[0] == pytest.approx(mean_distance(DECILES, "psi"), rel=0.08)


def test_the_jensen_shannon_distance_of_unchanged_samples_is_as_expected():
    mean = mean_distance(DECILES, "jensen_shannon")
    assert jensen_shannon_by_chance(WORTH, BINS)[0] == pytest.approx(mean, rel=0.08)


def test_the_largest_difference_of_unchanged_samples_is_at_most_as_expected():
    mean = mean_distance(FINE, "ks")
    assert mean < ks_by_chance(WORTH)[0] < 1.4 * mean


def test_the_wasserstein_distance_of_unchanged_samples_is_hardly_less_than_expected():
    mean = mean_distance(FINE, "wasserstein_sd")
    spread = spread_of(FINE, cells(FINE, VALUES), SCALE)
    told = wasserstein_sd_by_chance(WORTH, spread)
    assert mean < told[0] < 1.2 * mean


def test_events_that_come_in_clusters_are_worth_less():
    phi = np.array([4.0])
    assert worth_of(np.array([N]), np.array([M]), phi)[0] == pytest.approx(4 * WORTH[0])


def test_without_a_value_nothing_is_expected():
    none = worth_of(np.array([0, 5]), np.array([5, 0]), np.ones(2))
    assert np.isnan(none).all()
    assert np.isnan(psi_by_chance(none, np.array([10, 10]))).all()


def test_a_constant_or_categorical_stream_has_no_expected_wasserstein_distance():
    layout = Layout(edges=FINE.edges, categories=(("a",),))
    counts = np.ones(layout.cell_count, dtype=np.int64)
    scale = (np.array([0.0, np.nan]), np.zeros(2), np.ones(2))
    spread = spread_of(layout, counts, scale)
    assert np.isnan(wasserstein_sd_by_chance(np.ones(2), spread)).all()
