"""ADWIN: exactly as river with unit weights, and what the weights mean."""

import numpy as np
import pytest
from river import drift

from detectors.change.adwin import Adwin, AdwinParameters
from detectors.change.observation import Observation

LENGTH = 1500
SETTINGS = [
    {},
    {"delta": 0.05, "clock": 1},
    {"delta": 0.3, "clock": 1, "min_window_length": 1, "grace_period": 1},
    {"delta": 0.9, "clock": 7, "max_buckets": 2, "min_window_length": 3},
    {"delta": 0.01, "clock": 3, "max_buckets": 9, "grace_period": 40},
    {"delta": 0.5, "clock": 1, "max_buckets": 2, "min_window_length": 2},
]


def streams(seed):
    """Streams of many shapes as columns, shape (LENGTH, D)."""
    rng = np.random.default_rng(seed)
    step = np.where(np.arange(LENGTH) < LENGTH // 2, 0.0, 1.0)
    return np.column_stack(
        (
            rng.normal(size=LENGTH),
            rng.normal(size=LENGTH) + step,
            rng.normal(size=LENGTH) * 0.1 - 3 * step,
            rng.lognormal(0, 1.5, LENGTH),
            rng.integers(0, 2, LENGTH),
            rng.binomial(1, 0.1 + 0.4 * step),
            rng.random(LENGTH).cumsum() / 50,
            np.sin(np.arange(LENGTH) / 40) + rng.normal(size=LENGTH) * 0.2,
            np.full(LENGTH, 0.1),
            1e6 + rng.normal(size=LENGTH) * (1 + step),
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
    ours = our_alarms(Adwin(values.shape[1], AdwinParameters(**settings)), values)
    assert ours == [river_alarms(drift.ADWIN(**settings), column) for column in values.T]
    assert sum(map(len, ours)) > 5
