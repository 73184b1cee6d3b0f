"""Budgets: thresholds solve their formulas, and what is promised is kept in a short simulation."""

from math import exp, inf

import numpy as np
import pytest
from numpy.testing import assert_allclose

from detectors import budget
from detectors.catalogue import build
from detectors.change.observation import Observation

RANGE = 6.8
"""Of the scores of a numeric stream with twenty cells."""


def test_alarm_mean_shares_the_budget_over_streams_and_detectors():
    mean = budget.alarm_mean_panes(1, 30 * 86_400, 60, streams=22, share=0.1)
    assert mean == pytest.approx(43_200 * 22 * 10)
    assert budget.alarm_mean_panes(2, 100, 1, 4, 0.5) == pytest.approx(400)
    assert budget.alarm_mean_panes(1, 60, 60, streams=0, share=1) == inf


@pytest.mark.parametrize(
    "bad", [(0, 1, 1, 1, 1), (1, -1, 1, 1, 1), (1, 1, 0, 1, 1), (1, 1, 1, 1, 0)]
)
def test_budget_that_is_not_positive_is_refused(bad):
    with pytest.raises(ValueError, match="must all be positive"):
        budget.alarm_mean_panes(*bad)


@pytest.mark.parametrize("alarm_mean", [10.0, 1e3, 9.5e6, 1e12])
def test_page_hinkley_threshold_solves_its_equation(alarm_mean):
    b = budget.page_hinkley_threshold(alarm_mean) + 1.166
    assert exp(b) - 1 - b == pytest.approx(alarm_mean, rel=1e-9)


def test_thresholds_of_extreme_budgets_stay_usable():
    assert budget.page_hinkley_threshold(0.1) == pytest.approx(0)
    assert budget.page_hinkley_threshold(inf) == inf
    assert budget.adwin_delta(0.0) == budget.adwin_delta(1.0) == 0.1
    assert 0 < budget.adwin_delta(inf) < 1e-200
    assert budget.adwin_delta(5e6) == pytest.approx(1e-5)


def test_standardised_mean_has_variance_one_and_slack_for_reference_and_tolerance():
    seen = Observation(np.array([400.0, 100.0]), np.array([0.1, -0.2]), np.array([400.0, 100.0]))
    z = budget.standardise(seen, np.array([1.0, 4.0]), 900.0, np.array([0.0, 0.15]))
    assert_allclose(z.n, 1.0)
    assert_allclose(z.mean, [2.0, -1.0])
    assert_allclose(z.m2, 0.0)
    assert_allclose(z.slack, [20 * 3 / 30, 5 * (3 * 2 / 30 + 0.15)])


def test_streams_without_values_or_without_reference_are_not_seen():
    seen = Observation(np.array([0.0, 5.0, np.nan]), np.array([9.0, 1.0, 1.0]), np.zeros(3))
    z = budget.standardise(seen, 1.0, np.array([100.0, 0.0, 100.0]), 0.1)
    assert not z.seen.any()
    assert not budget.weigh(Observation(np.zeros(3), np.ones(3), np.ones(3)), 2.0).seen.any()


def test_dispersion_makes_observations_lighter():
    seen = Observation(np.array([400.0]), np.array([0.1]), np.array([300.0]))
    lighter = budget.weigh(seen, 4.0)
    assert (lighter.n[0], lighter.mean[0], lighter.m2[0]) == (100.0, 0.1, 75.0)
    assert_allclose(budget.prepare("adwin", seen, 4.0, 9, 0.1).n, 100.0)
    assert_allclose(budget.prepare("page_hinkley", seen, 4.0, 9, 0.1).n, 1.0)
    assert_allclose(budget.prepare("river.KSWIN", seen, 4.0, 9, 0.1).mean, 1.0)


def panes(rng, count, streams, values, offset):
    for _ in range(count):
        mean = offset + rng.normal(size=streams) / np.sqrt(values)
        yield Observation(np.full(streams, float(values)), mean, np.full(streams, float(values)))


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_stationary_streams_keep_a_budget(name):
    """300,000 stream-panes at a mean of 20,000 panes: 15 alarms are allowed on average.

    25 is 2.5 standard deviations above; no alarm at all would mean that nothing is watched for.
    """
    rng = np.random.default_rng(1)
    streams, count = 300, 1000
    detector = build(name, streams, budget.calibrated(name, 20_000, 0.0, RANGE))
    alarms = 0
    for seen in panes(rng, count, streams, 600, np.zeros(streams)):
        alarm = detector.update(budget.prepare(name, seen, 1.0, inf, 0.0)).alarm
        detector.reset(alarm)
        alarms += alarm.sum()
    assert 1 <= alarms <= 25


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_shift_beyond_the_tolerance_is_found_in_few_panes_and_one_within_it_never(name):
    rng = np.random.default_rng(2)
    streams = 100
    mean = budget.alarm_mean_panes(1, 30 * 86_400, 60, streams=22, share=0.1)
    detector = build(name, streams, budget.calibrated(name, mean, 0.15, RANGE))
    harmless = np.where(np.arange(streams) % 2 == 0, 0.1, 0.0)
    shift = np.where(np.arange(streams) < 50, 0.5, 0.0)
    found = np.full(streams, inf)
    for pane, seen in enumerate(panes(rng, 300, streams, 600, 0.0)):
        moved = seen.mean + harmless * (pane >= 100) + shift * (pane >= 200)
        moved = Observation(seen.n, moved, seen.m2)
        alarm = detector.update(budget.prepare(name, moved, 1.0, 10_000, 0.15)).alarm
        found[alarm & np.isinf(found)] = pane - 199
    assert np.isinf(found[50:]).all()
    assert (found[:50] >= 1).all()
    assert (found[:50] <= 6).all()


def test_harmless_offset_does_not_alarm_when_the_rate_of_events_varies_tenfold():
    rng = np.random.default_rng(3)
    detector = build("adwin", 50, budget.calibrated("adwin", 9.5e6, 0.0, RANGE))
    for pane in range(1500):
        values = 600 * 10 ** np.sin(pane / 240)
        seen = next(panes(rng, 1, 50, values, 0.1))
        assert not detector.update(budget.prepare("adwin", seen, 1.0, 10_000, 0.0)).alarm.any()


def test_nothing_is_calibrated_for_rivers_own_detectors():
    assert budget.calibrated("river.KSWIN", 1e6, 0.1, RANGE) == {}


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_a_stream_that_wanders_as_is_known_does_not_alarm(name):
    """0.05 sd over 360 panes, so many events that a pane's own noise is nothing beside it."""
    rng = np.random.default_rng(5)
    streams, keep = 40, np.exp(-1 / 360)
    mean = budget.alarm_mean_panes(1, 30 * 86_400, 60, streams=22, share=0.1)
    alarms = {}
    for known in (0.05, 0.0):
        detector = build(name, streams, budget.calibrated(name, mean, 0.1, RANGE))
        offset, alarms[known] = np.zeros(streams), 0
        for seen in panes(rng, 3_000, streams, 60_000, 0.0):
            offset = keep * offset + 0.05 * np.sqrt(1 - keep**2) * rng.normal(size=streams)
            moved = Observation(seen.n, seen.mean + offset, seen.m2)
            fed = budget.prepare(name, moved, 1.0, 10_000, 0.1, known)
            alarm = detector.update(fed).alarm
            detector.reset(alarm)
            alarms[known] += int(alarm.sum())
    assert alarms[0.05] == 0
    assert alarms[0.0] > 0
