"""River's detectors by name: the same alarms, and a state that does not outgrow its bound."""

import subprocess
import sys

import numpy as np
import pytest
from river import drift

from detectors.change import river
from detectors.change.observation import Observation
from detectors.change.river import River, RiverParameters


def unit(values):
    return Observation(np.ones_like(values), values, np.zeros_like(values))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ADWIN", {"delta": 0.05, "clock": 4}),
        ("KSWIN", {"alpha": 0.005, "seed": 7}),
        ("PageHinkley", {"threshold": 10.0}),
    ],
)
def test_adapter_alarms_where_the_detector_does(name, arguments):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(900, 2)) + 2.0 * (np.arange(900)[:, None] // 300)
    bank = River(2, RiverParameters(f"river.{name}", arguments))
    ours = np.array([bank.update(unit(row)).alarm for row in values])
    for stream in range(2):
        detector = getattr(drift, name)(**arguments)
        theirs = []
        for value in values[:, stream].tolist():
            detector.update(value)
            theirs.append(detector.drift_detected)
        assert ours[:, stream].tolist() == theirs
    assert ours.sum() >= 2


def test_detector_with_a_seed_gets_one():
    assert RiverParameters("river.KSWIN").arguments == {"seed": 0}
    assert RiverParameters("river.KSWIN", {"seed": 5}).arguments == {"seed": 5}
    assert RiverParameters("river.ADWIN").arguments == {}


def test_full_memory_forgets_its_older_half_and_a_restored_bank_agrees(monkeypatch):
    monkeypatch.setattr(river, "VALUES_MAX", 60)
    parameters = RiverParameters("river.PageHinkley", {"threshold": 200.0, "delta": 0.0})
    rng = np.random.default_rng(2)
    bank = River(1, parameters)
    for index in range(400):
        restored = River.from_state(parameters, bank.state())
        value = unit(rng.normal(size=1) + (index >= 300) * 30)
        assert bank.update(value).alarm.tolist() == restored.update(value).alarm.tolist()
        assert bank.state() == restored.state()
        assert len(bank.state()["values"][0]) < 60
        if index == 299:
            assert len(bank.state()["values"][0]) >= 30


def test_river_is_not_imported_until_one_of_its_detectors_is_named():
    code = (
        "import sys, detectors.catalogue as c;"
        "c.build('adwin', 1); assert 'river' not in sys.modules;"
        "c.build('river.KSWIN', 1); assert 'river' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
