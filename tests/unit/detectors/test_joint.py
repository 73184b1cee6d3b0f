"""The reconstruction error sees relations that end, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.change.bayes_factor import kappa_of_tolerance
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.ragged import Ragged
from detectors.joint import (
    NOTHING,
    JointMoments,
    Projection,
    reconstruction_errors,
)
from detectors.scaling import GATHERED_MAX, PROBABILITIES, SCORE_MAX, Scaling
from detectors.summary.cells import numeric_cells
from detectors.summary.profile import Profile

LEVEL = 14.8
ROWS, ROWS_A_PANE = 10_000, 600
MARGINS = {
    "normal": lambda z: z,
    "lognormal": lambda z: np.exp(1.5 * z),
    "zero-inflated": lambda z: np.where(z < 0, 0.0, np.exp(z)),
    "counts": lambda z: np.floor(np.maximum(1.5 * z + 3, 0)),
    "heavy tails on both sides": lambda z: np.sinh(1.5 * z) ** 3,
}


def pairs(features: int, correlation: float) -> np.ndarray:
    """The first two features are correlated, the others with nothing."""
    matrix = np.eye(features)
    matrix[0, 1] = matrix[1, 0] = correlation
    return matrix


def drawn(rng, matrix, rows, margin="normal"):
    """Rows of a Gaussian copula."""
    normal = rng.normal(size=(rows, len(matrix))) @ np.linalg.cholesky(matrix).T
    return MARGINS[margin](normal)


def scaling_of(values: np.ndarray) -> Scaling:
    names = [f"x{i}" for i in range(values.shape[1])]
    return Scaling.of_quantiles(names, np.quantile(values, PROBABILITIES, axis=0).T)


def fitted(values: np.ndarray) -> Projection:
    """The projection of rows that all features have a scaling in."""
    scaling = scaling_of(values)
    kept = [int(name[1:]) for name in scaling.features]
    moments = JointMoments(len(scaling))
    moments.update(scaling, values[:, kept])
    return Projection.of_moments(scaling, moments)


def errors_of(projection: Projection, values: np.ndarray) -> np.ndarray:
    return reconstruction_errors(projection, values[:, [int(n[1:]) for n in projection.features]])


def panes_to_alarm(before, after, margin, seed=3, panes=40):
    """Panes from the change to the e-detector's alarm, and how often it alarmed before."""
    rng = np.random.default_rng(seed)
    projection = fitted(drawn(rng, before, ROWS, margin))
    profile = Profile()
    profile.update_numbers(errors_of(projection, drawn(rng, before, ROWS, margin)))
    cells = numeric_cells(profile)

    def counts(matrix):
        errors = errors_of(projection, drawn(rng, matrix, ROWS_A_PANE, margin))
        places = np.searchsorted(cells.edges, errors, side="right")
        return CellCounts(np.bincount(places, minlength=len(cells.counts)))

    kappa = float(kappa_of_tolerance(0.15**2, len(cells.counts), LEVEL))
    streams = Ragged(np.array([0, len(cells.counts)]))
    detector = EDetector(streams, cells.counts, EDetectorParameters(LEVEL, kappa))
    early = sum(int(detector.update(counts(before)).alarm[0]) for _ in range(30))
    for pane in range(1, panes + 1):
        if detector.update(counts(after)).alarm[0]:
            return pane, early
    return panes + 1, early


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("features", [2, 20])
def test_a_correlation_that_ends_is_noticed_within_two_panes(margin, features):
    found = panes_to_alarm(pairs(features, 0.8), np.eye(features), margin)
    assert found <= (2, 0)


@pytest.mark.parametrize("after", [-0.8, 0.2])
def test_a_correlation_that_flips_or_weakens_is_noticed(after):
    assert panes_to_alarm(pairs(20, 0.8), pairs(20, after), "normal") <= (3, 0)


def test_a_correlation_that_arises_among_few_features_is_noticed():
    assert panes_to_alarm(np.eye(2), pairs(2, 0.8), "normal") <= (6, 0)


def test_one_feature_of_many_related_ones_that_goes_its_own_way_is_noticed():
    before = np.full((12, 12), 0.6) + 0.4 * np.eye(12)
    after = before.copy()
    after[0, 1:] = after[1:, 0] = 0.0
    assert panes_to_alarm(before, after, "normal") <= (3, 0)


def test_the_mean_square_is_one_in_what_it_was_fitted_to():
    rng = np.random.default_rng(5)
    matrix = np.full((6, 6), 0.5) + 0.5 * np.eye(6)
    rows = drawn(rng, matrix, ROWS)
    assert np.mean(errors_of(fitted(rows), rows) ** 2) == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize(("rows", "features"), [(100, 4), (1000, 21), (2000, 24), (20_000, 24)])
def test_no_more_features_take_part_than_the_rows_can_tell_of(rows, features):
    rng = np.random.default_rng(19)
    matrix = np.full((24, 24), 0.8) + 0.2 * np.eye(24)
    projection = fitted(drawn(rng, matrix, rows))
    assert len(projection.features) == features


@pytest.mark.parametrize("rows", [300, 1000])
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("correlation", [0.1, 0.5])
def test_a_stable_stream_is_quiet_though_its_cells_are_those_of_the_fitted_rows(
    rows, margin, correlation
):
    rng = np.random.default_rng(20)
    matrix = np.full((20, 20), correlation) + (1 - correlation) * np.eye(20)
    seen = drawn(rng, matrix, rows, margin)
    projection = fitted(seen)
    profile = Profile()
    profile.update_numbers(errors_of(projection, seen))
    cells = numeric_cells(profile)
    streams = Ragged(np.array([0, len(cells.counts)]))
    kappa = float(kappa_of_tolerance(0.15**2, max(2, len(cells.counts)), LEVEL))
    detector = EDetector(streams, cells.counts, EDetectorParameters(LEVEL, kappa))
    for _ in range(120):
        errors = errors_of(projection, drawn(rng, matrix, ROWS_A_PANE, margin))
        places = np.searchsorted(cells.edges, errors, side="right")
        pane = CellCounts(np.bincount(places, minlength=len(cells.counts)))
        assert not detector.update(pane).alarm.any()


def test_features_without_a_relation_take_no_part():
    rng = np.random.default_rng(6)
    projection = fitted(drawn(rng, pairs(20, 0.8), ROWS))
    assert projection.features == ("x0", "x1")


def test_many_features_without_any_relation_leave_nothing_to_project():
    projection = fitted(drawn(np.random.default_rng(7), np.eye(20), ROWS))
    assert not projection
    assert reconstruction_errors(projection, np.zeros((3, 0))).tolist() == [0.0] * 3


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((0, 2)),
        np.zeros((1, 2)),
        np.ones((500, 2)),
        np.full((500, 2), np.nan),
        np.random.default_rng(8).normal(size=(500, 1)),
        np.random.default_rng(8).normal(size=(99, 2)),
    ],
    ids=["no rows", "one row", "constant", "missing", "one feature", "too few rows"],
)
def test_there_is_nothing_to_project_in_poor_data(rows):
    scaling = Scaling.of_quantiles(
        [f"x{i}" for i in range(rows.shape[1])],
        np.quantile(rows, PROBABILITIES, axis=0).T
        if len(rows)
        else np.full((rows.shape[1], 5), np.nan),
    )
    moments = JointMoments(len(scaling))
    moments.update(scaling, rows[:, : len(scaling)])
    assert not Projection.of_moments(scaling, moments)
    assert not NOTHING


def test_a_copy_of_a_feature_is_singular_and_still_projected():
    rng = np.random.default_rng(9)
    first = rng.normal(size=(ROWS, 1))
    projection = fitted(np.hstack([first, 3 * first + 1]))
    assert np.isfinite(projection.residuals).all()
    assert errors_of(projection, np.hstack([first, 3 * first + 1])).max() < 0.05
    assert np.median(errors_of(projection, rng.normal(size=(1000, 2)))) > 2.0


def test_a_missing_or_invalid_value_counts_as_the_median():
    rng = np.random.default_rng(10)
    matrix = np.full((4, 4), 0.7) + 0.3 * np.eye(4)
    projection = fitted(drawn(rng, matrix, ROWS))
    row = drawn(rng, matrix, 1)
    at_median = row.copy()
    at_median[0, 2] = projection.scaling.centre[2]
    for value in (np.nan, np.inf, -np.inf):
        gap = row.copy()
        gap[0, 2] = value
        assert errors_of(projection, gap) == errors_of(projection, at_median)


def test_a_row_of_which_more_than_half_is_missing_has_no_error():
    rng = np.random.default_rng(11)
    projection = fitted(drawn(rng, np.full((4, 4), 0.7) + 0.3 * np.eye(4), ROWS))
    rows = np.zeros((2, 4))
    rows[0, :2] = np.nan
    rows[1, :3] = np.nan
    assert np.isnan(errors_of(projection, rows)).tolist() == [False, True]


def test_huge_values_neither_overflow_nor_warn():
    rng = np.random.default_rng(12)
    projection = fitted(drawn(rng, pairs(2, 0.8), ROWS))
    with np.errstate(all="raise"):
        errors = errors_of(projection, np.array([[1.7e308, -1.7e308], [1e-320, 0.0]]))
    assert np.isfinite(errors).all()
    assert np.abs(projection.scaling.scores(np.array([[1e308, -1e308]]))).max() == SCORE_MAX


def test_arguments_are_left_as_they_are():
    rows = drawn(np.random.default_rng(13), pairs(2, 0.8), 500)
    before = rows.copy()
    errors_of(fitted(rows), rows)
    np.testing.assert_array_equal(rows, before)


@given(st.lists(st.integers(0, 300), max_size=5), st.permutations(range(6)))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_moments_do_not_depend_on_how_the_rows_came(cuts, order):
    rng = np.random.default_rng(14)
    rows = drawn(rng, pairs(3, 0.5), 300, "lognormal")
    rows[rng.random(rows.shape) < 0.1] = np.nan
    scaling = scaling_of(np.nan_to_num(rows))
    whole = JointMoments(3)
    whole.update(scaling, rows)
    parts = np.split(rows, sorted(cuts))
    merged = JointMoments(3)
    for place in order:
        if place < len(parts):
            part = JointMoments(3)
            part.update(scaling, parts[place][::-1])
            merged.merge(JointMoments.from_state(part.state()))
    assert merged.n == whole.n
    np.testing.assert_array_equal(merged.sums, whole.sums)
    np.testing.assert_array_equal(merged.products, whole.products)


def test_moments_are_those_of_the_scores():
    rows = drawn(np.random.default_rng(15), pairs(3, 0.5), 2000)
    scaling = scaling_of(rows)
    moments = JointMoments(3)
    moments.update(scaling, rows)
    scores = scaling.scores(rows)
    np.testing.assert_allclose(moments.mean, scores.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(moments.covariance, np.cov(scores.T, bias=True), atol=1e-3)


def test_an_error_does_not_depend_on_the_rows_beside_it():
    rows = drawn(np.random.default_rng(16), np.full((16, 16), 0.5) + 0.5 * np.eye(16), 1000)
    projection = fitted(rows)
    whole = errors_of(projection, rows)
    one_by_one = [errors_of(projection, rows[i : i + 1])[0] for i in range(len(rows))]
    np.testing.assert_array_equal(whole, one_by_one)


def test_no_more_features_are_gathered_than_there_is_room_for():
    rows = np.random.default_rng(17).normal(size=(200, GATHERED_MAX + 5))
    assert scaling_of(rows).features == tuple(f"x{i}" for i in range(GATHERED_MAX))


def test_a_feature_that_is_nearly_always_the_same_has_no_scale():
    rng = np.random.default_rng(18)
    rows = np.column_stack([rng.normal(size=1000), rng.random(1000) < 0.01])
    assert scaling_of(rows).features == ("x0",)
