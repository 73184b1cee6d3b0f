"""Volume: what the hour of the week brings, its dispersion, and changes of it."""

import numpy as np
import pytest
from scipy.special import gammaln

from detectors.volume import (
    ALTERNATIVE_MASS,
    VolumeDetector,
    VolumeParameters,
    VolumeSeason,
    kappa_of_ratio,
    learn_dispersion,
)

PANE = 900.0
A_DAY = 96


def positions(panes):
    return (np.arange(panes) + 0.5) * PANE / 3600 % 168


def busy(panes):
    """A day's wave, half as much at weekends."""
    hour = positions(panes)
    wave = 1000 * (1.5 + np.sin(hour / 24 * 2 * np.pi))
    return np.where(hour < 120, wave, wave / 2)


def noisy(rng, means, phi=30.0):
    """Counts whose variance is phi times their mean."""
    return phi * rng.poisson(means / phi)


def test_the_mean_of_the_hour_of_the_week_is_expected():
    season = VolumeSeason(PANE)
    season.add(busy(4 * 672), positions(4 * 672))
    error = season.expected(positions(672)) / busy(672) - 1
    within = (positions(672) % 24 > 1) & (positions(672) % 24 < 23)
    assert np.abs(error[within]).max() < 0.12
    assert np.abs(error).mean() < 0.05


def test_an_hour_without_history_takes_the_days_and_nothing_at_all_expects_nothing():
    season = VolumeSeason(PANE)
    assert season.expected(np.array([5.0])).tolist() == [0]
    season.add(np.full(4, 50.0), np.array([10.1, 10.3, 10.6, 10.9]))
    assert season.expected(np.array([34.5]))[0] == pytest.approx(50)
    assert season.expected(np.array([100.0]))[0] == pytest.approx(50)


def test_dispersion_is_learned_from_what_was_left_out():
    rng = np.random.default_rng(1)
    means = busy(4 * 672)
    known = learn_dispersion(noisy(rng, means), positions(len(means)), PANE)
    assert 25 < known.phi < 80
    day = np.repeat(rng.gamma(100, 0.01, 28), A_DAY)
    wandering = learn_dispersion(noisy(rng, means * day), positions(len(means)), PANE)
    assert 30 < wandering.kappa < 300
    assert known.kappa > 2 * wandering.kappa


def test_too_short_a_history_is_no_dispersion():
    known = learn_dispersion(np.zeros(5), np.zeros(5), PANE)
    assert known == (1.0, np.inf)
    assert learn_dispersion(np.zeros(100), positions(100), PANE) == (1.0, np.inf)


def watched(ratio, panes, at=200, seed=2, streams=20, level=14.8, kappa=None):
    """Panes from the change to the alarm of each stream (inf: none), and alarms before it."""
    rng = np.random.default_rng(seed)
    kappa = kappa or kappa_of_ratio(1.2, level)
    detector = VolumeDetector(streams, VolumeParameters(level, kappa))
    first, early = np.full(streams, np.inf), 0
    for pane in range(at + panes):
        means = np.full(streams, busy(672)[pane % 672])
        counts = noisy(rng, means * (ratio if pane >= at else 1.0))
        verdict = detector.update(counts, means, 30.0)
        early += int(verdict.alarm.sum()) if pane < at else 0
        first = np.where(verdict.alarm & np.isinf(first), pane - at + 1, first)
    return first, early, verdict


@pytest.mark.parametrize(("ratio", "within"), [(0.0, 2), (0.5, 6), (2.0, 3)])
def test_changes_of_volume_are_noticed(ratio, within):
    first, early, verdict = watched(ratio, 10)
    assert early == 0
    assert np.median(first) <= within
    assert (verdict.onset_panes >= 9).mean() > 0.8


def test_a_change_well_within_the_ratio_never_alarms():
    first, early, _ = watched(1.1, 800)
    assert early == 0
    assert np.isinf(first).all()


def test_kappa_of_ratio_is_where_endless_evidence_reaches_the_level():
    level, ratio = 14.8, 1.2
    kappa = kappa_of_ratio(ratio, level)
    expected = np.array([1e12])
    detector = VolumeDetector(1, VolumeParameters(level, kappa))
    evidence = detector.update(expected / ratio, expected).evidence[0]
    assert evidence == pytest.approx(level, abs=0.5)
    with pytest.raises(ValueError, match="above 1"):
        kappa_of_ratio(1.0, level)


def test_evidence_of_one_pane_is_the_gamma_poisson_factor():
    def g(o, e, x):
        return x * np.log(x) - gammaln(x) + gammaln(x + o) - (x + o) * np.log(x + e)

    detector = VolumeDetector(1, VolumeParameters(kappa=400.0))
    evidence = detector.update(np.array([300.0]), np.array([500.0])).evidence[0]
    assert evidence == pytest.approx(g(300, 500, ALTERNATIVE_MASS) - g(300, 500, 400.0))


def test_what_is_not_known_is_not_seen():
    detector = VolumeDetector(4)
    counts = np.array([np.nan, -1.0, 5.0, 5.0])
    verdict = detector.update(counts, np.array([10.0, 10.0, 0.0, np.nan]))
    assert not verdict.alarm.any()
    assert (detector.counts == 0).all()


def test_a_volume_that_keeps_to_nothing_is_blind():
    detector = VolumeDetector(1)
    for _ in range(50):
        verdict = detector.update(np.array([0.0]), np.array([1e6]), learned=2.0)
    assert verdict.evidence[0] == 0
    assert not verdict.alarm[0]


def test_a_restored_bank_has_the_same_future_and_a_reset_starts_afresh():
    detector = VolumeDetector(2)
    for _ in range(20):
        detector.update(np.array([100.0, 300.0]), np.array([100.0, 100.0]))
    again = VolumeDetector.from_state(detector.parameters, detector.state())
    one = detector.update(np.array([90.0, 300.0]), np.array([100.0, 100.0]))
    two = again.update(np.array([90.0, 300.0]), np.array([100.0, 100.0]))
    assert np.array_equal(one.evidence, two.evidence)
    assert one.alarm.tolist() == [False, True]
    detector.reset(np.array([False, True]))
    afresh = detector.update(np.array([90.0, 100.0]), np.array([100.0, 100.0]))
    assert afresh.onset_panes[1] == 1
    assert afresh.evidence[1] < 1


def test_no_volume_no_evidence():
    verdict = VolumeDetector(0).update(np.zeros(0), np.zeros(0))
    assert verdict.evidence.shape == (0,)
    with pytest.raises(ValueError, match="kappa is 0"):
        VolumeParameters(kappa=0)
