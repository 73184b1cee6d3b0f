"""Page-Hinkley: exactly as river with unit weights, and what weight, slack and known mean do."""

import numpy as np
import pytest
from river import drift

from detectors.change.observation import Observation
from detectors.change.page_hinkley import PageHinkley, PageHinkleyParameters

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


def unit(values):
    return Observation(np.ones_like(values), values, np.zeros_like(values))


def our_alarms(bank, values):
    alarms = [[] for _ in range(values.shape[1])]
    for index, row in enumerate(values):
        alarm = bank.update(unit(row)).alarm
        for stream in np.flatnonzero(alarm):
            alarms[stream].append(index)
        bank.reset(alarm)
    return alarms


def river_alarms(detector, values):
    alarms = []
    for index, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            alarms.append(index)
    return alarms


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_alarm_index_is_rivers_with_unit_weights(settings):
    values = np.column_stack((streams(1), streams(2)))
    ours = our_alarms(PageHinkley(values.shape[1], PageHinkleyParameters(**settings)), values)
    assert ours == [river_alarms(drift.PageHinkley(**settings), column) for column in values.T]
    assert sum(map(len, ours)) > 5
