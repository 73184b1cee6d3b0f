"""Alarms of a bank of ours and of river's detectors, index by index over the same values."""

import numpy as np

from detectors.change.observation import Observation


def unit(values):
    """One observation a stream, each of weight 1 and without spread."""
    return Observation(np.ones_like(values), values, np.zeros_like(values))


def our_alarms(bank, values):
    """For each of the D columns of `values` the rows of its alarms; after one it starts anew."""
    alarms = [[] for _ in range(values.shape[1])]
    for index, row in enumerate(values):
        alarm = bank.update(unit(row)).alarm
        for stream in np.flatnonzero(alarm):
            alarms[stream].append(index)
        bank.reset(alarm)
    return alarms


def river_alarms(detector, values):
    """The indices at which river's detector of one stream alarms."""
    alarms = []
    for index, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            alarms.append(index)
    return alarms
