"""Page-Hinkley: exactly as river with unit weights, and what weight, slack and known mean do."""

import numpy as np
import pytest
from river import drift

from detectors.change.observation import Observation
from detectors.change.page_hinkley import PageHinkley, PageHinkleyParameters
from tests.unit.detectors.change.alarms import our_alarms, river_alarms, unit

LENGTH = 3000
SETTINGS = [
    {},
    {"mode": "up"},
    {"mode": "down"},
    {"delta": 0.5, "threshold": 5.0, "alpha": 1.0},
    {"delta": 0.0, "threshold": 10.0, "alpha": 0.99, "min_instances": 1},
    {"delta": 0.05, "threshold": 2.0, "alpha": 0.9, "mode": "down", "min_instances": 5},
]


def streams(seed):
    """Streams of many shapes as columns, shape (LENGTH, D)."""
    rng = np.random.default_rng(seed)
    step = np.where(np.arange(LENGTH) % 1000 < 500, 0.0, 1.5)
    return np.column_stack(
        (
            rng.normal(size=LENGTH),
            rng.normal(size=LENGTH) + step,
            rng.normal(size=LENGTH) - step,
            rng.lognormal(0, 1.5, LENGTH),
            rng.integers(0, 2, LENGTH),
            np.full(LENGTH, 0.1),
            1e6 + rng.normal(size=LENGTH),
        )
    ).astype(float)


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_alarm_index_is_rivers_with_unit_weights(settings):
    values = np.column_stack((streams(1), streams(2)))
    ours = our_alarms(PageHinkley(values.shape[1], PageHinkleyParameters(**settings)), values)
    assert ours == [river_alarms(drift.PageHinkley(**settings), column) for column in values.T]
    assert sum(map(len, ours)) > 5


def test_evidence_is_rivers_to_the_last_bit():
    values = streams(3)
    bank = PageHinkley(values.shape[1], PageHinkleyParameters(min_instances=1))
    theirs = [drift.PageHinkley(min_instances=1) for _ in values.T]
    for row in values:
        verdict = bank.update(unit(row))
        for detector, value in zip(theirs, row.tolist(), strict=True):
            detector.update(value)
        up = [detector._sum_increase - detector._min_increase for detector in theirs]
        down = [detector._max_decrease - detector._sum_decrease for detector in theirs]
        assert verdict.evidence.tolist() == np.maximum(up, down).tolist()
        bank.reset(verdict.alarm)


def watch(parameters, rows, slack=0.0):
    """The evidence after each of `rows`, shape (rows, D)."""
    bank = PageHinkley(len(rows[0]), parameters)
    ones = np.ones(len(rows[0]))
    return np.array([bank.update(Observation(ones, row, 0 * ones, slack)).evidence for row in rows])


def test_known_mean_gives_the_two_sided_tabular_cusum():
    rows = np.random.default_rng(1).normal(0.2, 1, (400, 3))
    parameters = PageHinkleyParameters(1, delta=0.5, threshold=1e9, alpha=1, known_mean=0.1)
    up, down = np.zeros(3), np.zeros(3)
    for row, evidence in zip(rows, watch(parameters, rows), strict=True):
        up = np.maximum(0, up + row - 0.1 - 0.5)
        down = np.maximum(0, down - row + 0.1 - 0.5)
        np.testing.assert_allclose(evidence, np.maximum(up, down), atol=1e-9)


def test_weight_counts_as_that_many_values_when_the_mean_is_known():
    parameters = PageHinkleyParameters(4, delta=0.1, threshold=3.0, alpha=1, known_mean=0.0)
    heavy, single = PageHinkley(1, parameters), PageHinkley(1, parameters)
    for mean in np.random.default_rng(2).normal(0.2, 1, 100):
        three = heavy.update(Observation(np.array([3.0]), np.array([mean]), np.array([9.0])))
        for _ in range(3):
            one = single.update(unit(np.array([mean])))
        np.testing.assert_allclose(three.evidence, one.evidence, atol=1e-9)
        assert three.alarm == one.alarm


def test_running_mean_weighs_observations():
    bank = PageHinkley(1, PageHinkleyParameters())
    for n, mean in ((1.0, 4.0), (3.0, 8.0)):
        bank.update(Observation(np.array([n]), np.array([mean]), np.array([0.0])))
    assert bank.state()["mean"].tolist() == [7.0]


def test_slack_is_added_to_the_allowance():
    rows = np.random.default_rng(3).normal(0.5, 1, (200, 2))
    narrow = PageHinkleyParameters(1, delta=0.1, alpha=1, known_mean=0.0)
    wide = PageHinkleyParameters(1, delta=(0.1, 0.4), alpha=1, known_mean=0.0)
    slack = np.array([0.0, 0.3])
    np.testing.assert_allclose(watch(narrow, rows, slack), watch(wide, rows), atol=1e-9)


def test_delta_and_threshold_may_differ_by_stream():
    values = streams(1)[:, [1, 1, 1]]
    both = PageHinkleyParameters(delta=(0.0, 0.1, 0.1), threshold=(20.0, 20.0, 60.0))
    together = our_alarms(PageHinkley(3, both), values)
    for stream in range(3):
        alone = PageHinkleyParameters(delta=both.delta[stream], threshold=both.threshold[stream])
        assert together[stream] == river_alarms(
            drift.PageHinkley(delta=alone.delta, threshold=alone.threshold), values[:, stream]
        )


def test_evidence_grows_while_a_drift_lasts_until_the_judge_resets():
    parameters = PageHinkleyParameters(1, delta=0.5, threshold=5.0, alpha=1, known_mean=0.0)
    bank = PageHinkley(1, parameters)
    verdicts = [bank.update(unit(np.array([2.0]))) for _ in range(20)]
    assert [v.evidence[0] for v in verdicts] == [1.5 * (i + 1) for i in range(20)]
    assert [v.alarm[0] for v in verdicts] == [False] * 3 + [True] * 17
    bank.reset(np.array([True]))
    assert bank.update(unit(np.array([2.0]))).evidence.tolist() == [1.5]


def test_mode_says_which_moves_count():
    rows = [[1.0, -1.0]] * 10
    for mode, expected in (("up", [5.0, 0.0]), ("down", [0.0, 5.0]), ("both", [5.0, 5.0])):
        parameters = PageHinkleyParameters(1, delta=0.5, alpha=1, mode=mode, known_mean=0.0)
        assert watch(parameters, np.array(rows))[-1].tolist() == expected


def test_no_evidence_before_min_instances():
    parameters = PageHinkleyParameters(10, delta=0.0, threshold=1.0, alpha=1, known_mean=0.0)
    evidence = watch(parameters, np.full((12, 1), 5.0))[:, 0]
    assert evidence.tolist() == [0.0] * 9 + [50.0, 55.0, 60.0]
