"""What would be noticed of a known change: bounds, and that the detector does as foreseen."""

from math import inf

import numpy as np
import pytest

from detectors.change.bayes_factor import kappa_of_tolerance, tolerance_of_shift
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.ragged import Ragged
from detectors.foresight import Foresight, shifted, with_share
from detectors.sensitivity import smallest_psi

LEVEL = 14.8
SHARES = np.array([0.001, 0.009, 0.04, 0.05, *[0.1] * 8, 0.05, 0.04, 0.009, 0.001])
KAPPA = float(kappa_of_tolerance(tolerance_of_shift(0.15), len(SHARES), LEVEL))
STREAM = Foresight(SHARES, KAPPA, LEVEL)
QUALITY = Foresight(np.array([0.98995, 0.01, 0.00005]), 17_450.0, LEVEL)


def test_a_shift_keeps_the_sum_and_moves_the_mean_by_as_much():
    moved = shifted(SHARES, 0.5)
    assert moved.sum() == pytest.approx(1)
    psi = ((moved - SHARES) * np.log(moved / SHARES)).sum()
    assert psi == pytest.approx(0.25, rel=0.05)
    np.testing.assert_allclose(shifted(SHARES, 0.0), SHARES)


def test_a_cell_that_never_had_anything_may_get_something():
    np.testing.assert_allclose(with_share(np.array([1.0, 0.0]), 1, 0.2), [0.8, 0.2])
    np.testing.assert_allclose(with_share(np.array([0.5, 0.5]), 0, 0.2), [0.2, 0.8])
    np.testing.assert_allclose(with_share(np.array([1.0, 0.0]), 0, 0.4), [0.4, 0.0])


def test_a_larger_shift_is_noticed_from_fewer_events_and_one_within_the_tolerance_never():
    events = [STREAM.events_until(shifted(SHARES, sd)) for sd in (0.25, 0.5, 1.0, 2.0)]
    assert events == sorted(events, reverse=True)
    assert STREAM.events_until(shifted(SHARES, 0.14)) == inf


def test_the_smallest_shift_is_the_one_that_takes_as_many_events():
    for sd in (0.25, 0.5, 1.0):
        assert STREAM.shift_from(STREAM.events_until(shifted(SHARES, sd))) == pytest.approx(sd)
    assert STREAM.shift_from(0) == STREAM.shift_from(1) == inf
    assert 0.15 <= STREAM.shift_from(1e9) < 0.18


def test_a_blind_stream_notices_nothing():
    blind = Foresight(SHARES, 0.0, LEVEL)
    assert blind.events_until(shifted(SHARES, 3.0)) == blind.shift_from(1e6) == inf


def test_of_many_events_it_is_what_the_formula_for_all_streams_says():
    events = STREAM.events_until(shifted(SHARES, 0.25))
    assert np.sqrt(smallest_psi(events, KAPPA, LEVEL, len(SHARES))) == pytest.approx(0.25, rel=0.1)
    missing = QUALITY.events_until(with_share(QUALITY.shares, 1, 0.03))
    expected = float(smallest_psi(missing, QUALITY.kappa, LEVEL, 2))
    assert expected == pytest.approx(0.02 * np.log(0.03 / 0.01 * 0.99 / 0.97), rel=0.2)


@pytest.mark.parametrize(
    ("stream", "changed", "events"),
    [
        (STREAM, shifted(SHARES, 0.25), 600),
        (STREAM, shifted(SHARES, 0.5), 60),
        (STREAM, shifted(SHARES, 1.0), 20),
        (QUALITY, with_share(QUALITY.shares, 1, 0.03), 200),
        (QUALITY, with_share(QUALITY.shares, 1, 0.1), 60),
    ],
    ids=["0.25 sd", "0.5 sd", "1 sd", "missing 3 %", "missing 10 %"],
)
def test_the_detector_notices_when_it_is_foreseen(stream, changed, events):
    """The median delay of 100 streams, in panes, is at most that and not much less."""
    random = np.random.default_rng(2)
    streams, size = 100, len(stream.shares)
    cells = Ragged(np.arange(streams + 1) * size)
    parameters = EDetectorParameters(stream.level, stream.kappa)
    detector = EDetector(cells, np.tile(stream.shares, streams) * 1e5, parameters)
    for _ in range(50):
        counts = random.multinomial(events, stream.shares, streams)
        detector.update(CellCounts(counts.ravel()))
    foreseen = stream.events_until(changed) / events
    delays = np.full(streams, inf)
    for pane in range(1, int(3 * foreseen) + 5):
        verdict = detector.update(CellCounts(random.multinomial(events, changed, streams).ravel()))
        delays = np.where(verdict.alarm & np.isinf(delays), pane, delays)
    assert 0.5 * foreseen <= np.median(delays) <= 1.15 * np.ceil(foreseen)
