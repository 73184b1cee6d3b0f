"""What will be noticed: the formula, its limits, and that the detector does as it says."""

from math import inf, log

import numpy as np
import pytest

from detectors.change.bayes_factor import kappa_of_tolerance
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.ragged import Ragged
from detectors.sensitivity import smallest_psi


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


def test_the_detector_notices_what_was_promised_and_not_much_less():
    """Median evidence at the promised change is the level, give or take a third."""
    rng = np.random.default_rng(1)
    streams, panes, events, level = 60, 5, 600, 14.8
    shares = np.full(10, 0.1)
    kappa = 20_000.0
    psi = float(smallest_psi(panes * events, kappa, level, 10))
    tilt = np.sqrt(psi / 10) * np.tile([1, -1], 5) * np.sqrt(0.1)
    changed = shares + tilt * np.sqrt(psi / psi_of(shares, shares + tilt))
    cells = Ragged(np.arange(streams + 1) * 10)
    detector = EDetector(cells, np.tile(shares, streams) * 1e5, EDetectorParameters(level, kappa))
    for pane in range(30 + panes):
        now = shares if pane < 30 else changed
        verdict = detector.update(CellCounts(rng.multinomial(events, now, streams).ravel()))
    assert np.median(verdict.evidence) == pytest.approx(level, rel=0.34)


def psi_of(p, q):
    return float(((q - p) * np.log(q / p)).sum())
