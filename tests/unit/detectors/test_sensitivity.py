"""What will be noticed: the formula, its limits, and that the detector does as it says."""

from math import inf, log

import numpy as np
import pytest

from detectors.change.bayes_factor import kappa_of_tolerance, psi_of_rates
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.ragged import Ragged
from detectors.sensitivity import Sensitivity, larger_rate, smallest_psi


def test_smallest_psi_is_the_formula():
    n, kappa, level, cells, k = 600.0, 6033.0, 14.8, 20, 50.0
    evidence = level + 19 / 2 * log((1 + n / k) / (1 + n / kappa))
    expected = 2 * (1 / n + 1 / kappa) * evidence
    assert float(smallest_psi(n, kappa, level, cells)) == pytest.approx(expected)


def test_endless_events_notice_the_tolerance_and_nothing_smaller():
    kappa = kappa_of_tolerance(0.0225, 20, 14.8)
    assert float(smallest_psi(1e15, kappa, 14.8, 20)) == pytest.approx(0.0225, rel=1e-3)


def test_more_events_notice_less():
    psi = smallest_psi(np.logspace(0, 7, 50), 5000.0, 14.8, 20)
    assert (np.diff(psi) < 0).all()


def test_no_event_and_no_null_notice_nothing():
    assert float(smallest_psi(0, 5000.0, 14.8, 20)) == inf
    assert float(smallest_psi(100, 0.0, 14.8, 20)) == inf
    idle = Sensitivity(events_per_pane=0, phi=1, kappa=5000, level=14.8, cells=20)
    assert idle.shift_within(60) == inf
    assert idle.panes_until(1.0) == inf
    assert idle.rate_within(60, 0.01) == 1


def test_dispersion_takes_as_many_panes_more():
    plain = Sensitivity(600, 1.0, 1e5, 14.8, 20)
    clustered = Sensitivity(600, 10.0, 1e5, 14.8, 20)
    assert clustered.psi_within(10) == pytest.approx(plain.psi_within(1))


def test_panes_until_is_the_first_pane_that_notices():
    known = Sensitivity(60, 1.0, 6000.0, 14.8, 18)
    panes = known.panes_until(0.0625)
    assert known.psi_within(panes) <= 0.0625 < known.psi_within(panes - 1)
    assert known.panes_until(0.001) == inf
    assert known.panes_until(50.0) == 1


def test_a_rate_is_told_as_the_next_larger_one_that_is_noticed():
    assert float(psi_of_rates(0.01, larger_rate(0.01, 0.007))) == pytest.approx(0.007)
    assert larger_rate(0.5, inf) == 1
    known = Sensitivity(600, 1.0, 20_000.0, 14.8, 2)
    assert 0.01 < known.rate_within(60, 0.01) < 0.02


def test_the_detector_notices_what_was_promised_and_not_much_less():
    """Median evidence at the promised change is the level, give or take a third."""
    rng = np.random.default_rng(1)
    streams, panes, events, level = 60, 5, 600, 14.8
    shares = np.full(10, 0.1)
    kappa = 20_000.0
    known = Sensitivity(events, 1.0, kappa, level, 10)
    tilt = np.sqrt(known.psi_within(panes) / 10) * np.tile([1, -1], 5) * np.sqrt(0.1)
    changed = shares + tilt * np.sqrt(known.psi_within(panes) / psi_of(shares, shares + tilt))
    cells = Ragged(np.arange(streams + 1) * 10)
    detector = EDetector(cells, np.tile(shares, streams) * 1e5, EDetectorParameters(level, kappa))
    for pane in range(30 + panes):
        now = shares if pane < 30 else changed
        verdict = detector.update(CellCounts(rng.multinomial(events, now, streams).ravel()))
    assert np.median(verdict.evidence) == pytest.approx(level, rel=0.34)


def psi_of(p, q):
    return float(((q - p) * np.log(q / p)).sum())
