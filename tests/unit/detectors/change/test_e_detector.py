"""The e-detector: its factors against their definition, its promises, and its statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import gammaln

from detectors.change.bayes_factor import (
    FactorMasses,
    alternative_mass,
    gamma_poisson,
    kappa_of_rate,
    kappa_of_tolerance,
    log_dirichlet_multinomial,
    log_factor,
    tolerance_of_shift,
    tolerated_rate,
)
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.onsets import slot_to_use
from detectors.change.pool import with_prior, with_unseen, without_prior
from detectors.change.ragged import Ragged
from detectors.summary.layout import Layout

CELLS = Ragged(np.array([0, 2, 7, 10]))
REFERENCE = np.array([5000, 500, 1000, 2000, 3000, 1500, 0, 100, 9900, 0])
SHARES = (REFERENCE + 0.5) / CELLS.spread(CELLS.total(REFERENCE + 0.5))


def bank(level=14.8, kappa=3000.0, **settings):
    return EDetector(CELLS, REFERENCE, EDetectorParameters(level, kappa, **settings))


def pane(rng, shares=SHARES, events=300):
    parts = [shares[a:b] / shares[a:b].sum() for a, b in pairs()]
    return np.concatenate([rng.multinomial(events, part) for part in parts])


def pairs():
    return zip(CELLS.offsets[:-1].tolist(), CELLS.offsets[1:].tolist(), strict=True)


def moved():
    shares = SHARES.copy()
    shares[[3, 4]] += [0.15, -0.15]
    return shares


def drawn(seed, panes=30, change_at=20):
    rng = np.random.default_rng(seed)
    return [pane(rng, SHARES if t < change_at else moved()) for t in range(panes)]


def evidence(detector, panes):
    return [detector.update(CellCounts(counts)).evidence for counts in panes]


def definition(counts, expected, k, kappa):
    """L_s as it is written down: gamma-Poisson over the cells, less that of the total."""

    def g(o, e, x):
        return x * np.log(x) - gammaln(x) + gammaln(x + o) - (x + o) * np.log(x + e)

    n = counts.sum()
    if n == 0:
        return 0.0
    p = expected / expected.sum()
    cells = g(counts, expected, k * p) - g(counts, expected, kappa * p)
    return cells.sum() - (g(n, n, k) - g(n, n, kappa))


def dirichlet_multinomial(counts, alpha):
    total = alpha.sum()
    density = gammaln(total) - gammaln(total + counts.sum())
    return density + (gammaln(alpha + counts) - gammaln(alpha)).sum()


COUNTS = arrays(np.int64, 10, elements=st.integers(0, 100_000))


@given(COUNTS, st.floats(60, 50_000))
def test_factor_is_the_definition_and_without_a_season_the_ratio_of_dirichlet_multinomials(
    counts, kappa
):
    counts = counts.astype(float)
    totals = CELLS.total(counts)
    masses = np.full(3, kappa)
    factors = log_factor(CELLS, counts, totals, SHARES, masses)
    k = float(alternative_mass(masses)[0])
    for stream, (a, b) in enumerate(pairs()):
        o, p = counts[a:b], SHARES[a:b]
        ratio = dirichlet_multinomial(o, k * p) - dirichlet_multinomial(o, kappa * p)
        scale = 1e-9 * (1 + o.sum() * 20)
        assert factors[stream] == pytest.approx(ratio, abs=scale)
        assert factors[stream] == pytest.approx(definition(o, o.sum() * p, k, kappa), abs=scale)


def test_what_is_kept_of_masses_and_shares_gives_the_factor_of_those_that_hold_now():
    rng = np.random.default_rng(20)
    kept = FactorMasses(CELLS, 4)
    shares, kappa = np.tile(SHARES, (4, 1)), rng.uniform(60, 9_000, (4, 3))
    for step in range(6):
        counts = rng.poisson(40, (4, 10)) * rng.integers(0, 2, (4, 10)) / 3
        if step in (1, 3):  # another onset, another mass
            shares[step], kappa = rng.dirichlet(np.ones(10)), kappa.copy()
            kept.forget(step)
        if step == 4:
            kappa = np.where(np.arange(3) == 1, 77.0, kappa)
        if step == 5:
            shares[:, 2:7] = rng.dirichlet(np.ones(5), 4)
            kept.forget(slice(None), np.array([False, True, False]))
        known = counts, CELLS.total(counts), shares, kappa
        assert kept.log_factor(*known) == pytest.approx(log_factor(CELLS, *known), abs=1e-9)


def test_density_of_counts_sums_to_one():
    cells = Ragged(np.array([0, 3]))
    shares, mass = np.array([0.2, 0.3, 0.5]), np.array([7.0])
    total = 0.0
    for a in range(5):
        for b in range(5 - a):
            counts = np.array([a, b, 4 - a - b], dtype=float)
            ways = gammaln(5) - gammaln(counts + 1).sum()
            total += np.exp(log_dirichlet_multinomial(cells, counts, shares, mass)[0] + ways)
    assert total == pytest.approx(1)


def test_gamma_poisson_is_stable_where_the_mass_is_far_above_what_is_expected():
    close = gamma_poisson(np.array([3.0]), np.array([2.0]), 1e12)
    poisson = 3 * np.log(1e12) - 2.0 - 3 * np.log(1e12)
    assert close[0] == pytest.approx(poisson, abs=1e-2)


@pytest.mark.parametrize(("cells", "kappa"), [(2, 1655), (20, 6033), (53, 16568)])
def test_kappa_of_tolerance_are_the_figures_of_the_formula(cells, kappa):
    assert float(kappa_of_tolerance(0.02, cells, 14.8)) == pytest.approx(kappa, abs=1)


@given(st.floats(1e-6, 100), st.integers(1, 500), st.floats(0.1, 100))
def test_kappa_of_tolerance_solves_its_equation(tolerance, cells, level):
    kappa = float(kappa_of_tolerance(tolerance, cells, level))
    k = float(alternative_mass(np.array([kappa]))[0])
    right = level + (cells - 1) / 2 * np.log(kappa / k)
    assert kappa * tolerance / 2 == pytest.approx(right, rel=1e-6)


def test_no_tolerance_is_an_infinite_mass_and_a_negative_one_is_refused():
    assert np.isinf(kappa_of_tolerance(0.0, 20, 14.8))
    with pytest.raises(ValueError, match="negative"):
        kappa_of_tolerance(-0.1, 20, 14.8)


def test_tolerances_are_a_psi_or_a_rate():
    assert float(tolerance_of_shift(0.15)) == pytest.approx(0.0225)
    assert float(tolerated_rate(0.01, 1.5, 0.001)) == pytest.approx(0.015)
    assert float(tolerated_rate(0.01, 1.1, 0.005)) == pytest.approx(0.015)
    assert (tolerated_rate(np.array([0.0, 0.9, 1.0]), 2.0, 0.1) < 1).all()


@pytest.mark.parametrize("rate", [5e-5, 0.01, 0.3])
@pytest.mark.parametrize("points", [0.002, 0.02])
def test_a_share_beyond_the_tolerated_rate_is_noticed_in_the_end_and_one_within_it_never(
    rate, points
):
    tolerated = rate + points
    kappa = kappa_of_rate(rate, tolerated, 14.8)
    cells, shares = Ragged(np.array([0, 2])), np.array([1 - rate, rate])

    def evidence(share):
        counts = 1e10 * np.array([1 - share, share])
        return log_factor(cells, counts, np.array([1e10]), shares, kappa.reshape(1))[0]

    assert evidence(tolerated) == pytest.approx(14.8, abs=0.1)
    assert evidence(rate + 1.2 * points) > 15.5
    assert evidence(rate + 0.9 * points) < 14.6


def test_a_rate_that_may_not_move_has_an_infinite_mass_and_one_outside_is_refused():
    assert np.isinf(kappa_of_rate(0.1, 0.1, 14.8))
    with pytest.raises(ValueError, match="between 0 and 1"):
        kappa_of_rate(0.0, 0.1, 14.8)


def test_a_change_alarms_in_its_stream_alone_and_tells_its_onset():
    detector = bank()
    for counts in drawn(1, panes=23, change_at=20):
        verdict = detector.update(CellCounts(counts))
    assert verdict.alarm.tolist() == [False, True, False]
    assert verdict.onset_panes[1] == 3
    assert (verdict.evidence / verdict.level)[[0, 2]].max() < 0.5


def test_evidence_is_the_sum_over_the_onsets():
    detector = bank()
    panes = drawn(2, panes=6, change_at=4)
    got = evidence(detector, panes)[-1]
    factors = []
    for onset in range(6):
        pool = with_prior(REFERENCE + np.sum(panes[:onset], axis=0), 0.5)
        mass = CELLS.total(pool)
        counts = np.sum(panes[onset:], axis=0).astype(float)
        shares = pool / CELLS.spread(mass)
        kappa = np.minimum(3000, mass)
        factors.append(log_factor(CELLS, counts, CELLS.total(counts), shares, kappa))
    expected = np.maximum(np.log(np.exp(factors).sum(axis=0)), 0)
    assert got == pytest.approx(expected)


def test_fewer_onsets_only_lower_the_evidence():
    # Without learning from live panes every onset knows the same.
    few, many = (bank(onsets=n, pool_mass_max=1e-9) for n in (3, 60))
    panes = drawn(3, panes=50, change_at=30)
    for low, high in zip(evidence(few, panes), evidence(many, panes), strict=True):
        assert (low <= high + 1e-9).all()


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_merging_panes_leaves_the_factor_of_a_common_onset(seed, size):
    panes = drawn(seed, panes=size, change_at=size // 2)
    apart, merged = bank(), bank()
    apart_all, merged_all = evidence(apart, panes), evidence(merged, [np.sum(panes, axis=0)])
    oldest = int(apart._onsets.ages.argmax())
    factors = apart._factors(np.full(3, np.inf))[oldest]
    assert factors == pytest.approx(merged._factors(np.full(3, np.inf))[0], abs=1e-6)
    assert len(apart_all) > len(merged_all)


def test_a_restored_bank_has_the_same_future():
    detector = bank()
    panes = drawn(6, panes=40, change_at=30)
    evidence(detector, panes[:25])
    again = EDetector.from_state(detector.parameters, detector.state())
    for counts in panes[25:]:
        one, two = detector.update(CellCounts(counts)), again.update(CellCounts(counts))
        assert np.array_equal(one.evidence, two.evidence)
        assert np.array_equal(one.onset_panes, two.onset_panes)
    with pytest.raises(ValueError, match="onsets"):
        EDetector.from_state(EDetectorParameters(onsets=9), detector.state())


def test_an_alarm_gives_back_the_pool_of_before_the_onset_and_holds_the_stream():
    detector = bank(level=14.8)
    panes = drawn(7, panes=30, change_at=20)
    for counts in panes:
        detector.update(CellCounts(counts))
    pool = detector.state()["pool"]
    before = REFERENCE + np.sum(panes[:20], axis=0)
    assert pool[2:7] == pytest.approx(before[2:7])
    assert detector.state()["held"].tolist() == [False, True, False]
    detector.reset(np.array([False, True, False]))
    assert not detector.state()["held"].any()
    assert evidence(detector, [panes[0]])[0][1] < 5


@given(arrays(np.float64, 5, elements=st.floats(0, 1e6)), st.floats(0.01, 2))
def test_a_prior_can_be_taken_off_again(pool, prior):
    assert without_prior(with_prior(pool, prior), prior) == pytest.approx(pool, abs=1e-6)


def test_unseen_categories_are_expected_as_often_as_there_were_singletons():
    layout = Layout(edges=(np.array([0.0]),), categories=(("a", "b"), ("c",)))
    counts = np.array([5, 5, 0, 0, 60, 30, 10, 0, 1, 0, 99, 2, 0, 0, 0])
    moved = with_unseen(layout, counts, np.array([4, 7]))
    assert moved.tolist() == [5, 5, 0, 0, 60, 30, 6, 4, 1, 0, 99, 0, 2, 0, 0]
    assert with_unseen(Layout(), np.zeros(0, int), np.zeros(0, int)).shape == (0,)


def test_cells_that_stay_empty_are_no_change_however_many_events_there_are():
    """A constant of 1,000 rows: its other cells have a prior, and nothing ever comes into them."""
    detector = EDetector(Ragged(np.array([0, 4])), np.array([1000, 0, 0, 0]))
    for _ in range(60):
        verdict = detector.update(CellCounts(np.array([10**8, 0, 0, 0])))
    assert verdict.evidence[0] < 6


def test_the_pool_is_frozen_at_its_largest_mass():
    detector = bank(pool_mass_max=12_000)
    rng = np.random.default_rng(8)
    for _ in range(60):
        detector.update(CellCounts(pane(rng)))
    mass = CELLS.total(detector.state()["pool"])
    assert (mass >= 12_000).all()
    assert (mass < 12_300).all()


def test_counts_are_worth_less_by_the_dispersion():
    panes = drawn(9, panes=20, change_at=15)
    quarter = EDetector(CELLS, REFERENCE / 4, EDetectorParameters(14.8, 3000.0))
    whole = bank()
    for counts in panes:
        one = quarter.update(CellCounts(counts / 4))
        two = whole.update(CellCounts(counts, dispersion=4.0))
    assert two.evidence == pytest.approx(one.evidence)
    assert one.evidence[1] > 5


def test_the_null_is_worth_what_the_dispersion_of_the_pane_leaves_of_it():
    detector = bank(kappa=1e9)
    dependent = CellCounts(REFERENCE, dispersion=4.0)
    before = detector.null(dependent).kappa
    assert before == pytest.approx(CELLS.total(REFERENCE) / 4, rel=0.01)
    assert detector.state()["dispersion"].tolist() == [1, 1, 1]
    detector.update(CellCounts(np.zeros(10), dispersion=4.0))
    assert detector.null(dependent).kappa == pytest.approx(before)
    assert not detector.blind(dependent).any()
    assert detector.blind(CellCounts(REFERENCE, dispersion=250.0)).all()


def test_what_is_normal_is_told_anew_of_every_pane_and_after_a_restart():
    detector, same = bank(), CellCounts(REFERENCE / 100)
    before = detector.null(same)
    assert np.array_equal(detector.null(same).shares, before.shares)
    moved_on = CellCounts(pane(np.random.default_rng(21)))
    detector.update(moved_on)
    after = detector.null(same)
    assert not np.array_equal(after.shares, before.shares)
    assert np.array_equal(detector.null(moved_on).shares, after.shares)
    detector.restart(np.array([True, True, True]), REFERENCE)
    assert detector.null(same).shares == pytest.approx(before.shares)


def test_a_dispersion_learned_later_holds_for_what_was_seen_before():
    panes = drawn(9, panes=20, change_at=15)
    early, late = bank(level=100), bank(level=100)
    for index, counts in enumerate(panes):
        early.update(CellCounts(counts, dispersion=4.0))
        late.update(CellCounts(counts, dispersion=4.0 if index > 8 else 1.0))
    for name in ("pool", "counts", "totals"):
        assert late.state()[name] == pytest.approx(early.state()[name])
    assert late.state()["masses"] == pytest.approx(early.state()["masses"], rel=1e-2)


def test_a_stream_that_wanders_too_much_is_blind():
    panes = drawn(10, panes=30, change_at=20)
    detector = bank()
    for counts in panes:
        wandering = CellCounts(counts, learned=np.array([40.0, 40.0, np.inf]))
        assert detector.blind(wandering).tolist() == [True, True, False]
        verdict = detector.update(wandering)
    assert verdict.evidence[:2].tolist() == [0, 0]
    assert verdict.onset_panes[:2].tolist() == [0, 0]
    assert verdict.evidence[2] > 0


def test_an_empty_reference_is_blind_at_first_and_never_alarms_on_what_it_learns():
    detector = EDetector(CELLS, np.zeros(10), EDetectorParameters(level=5.0))
    rng = np.random.default_rng(11)
    alarms = sum(detector.update(CellCounts(pane(rng, events=20))).alarm.sum() for _ in range(300))
    assert alarms == 0


def test_a_stream_that_is_not_seen_keeps_its_evidence_and_does_not_alarm():
    detector = bank()
    panes = drawn(12, panes=24, change_at=20)
    before = evidence(detector, panes)[-1]
    nothing = panes[0].astype(float)
    nothing[2:7] = [0, np.nan, 3, 4, 5]
    nothing[7:] = 0
    verdict = detector.update(CellCounts(nothing))
    assert not verdict.alarm[1:].any()
    assert verdict.evidence[1] == pytest.approx(before[1], abs=0.01)


def test_counts_since_the_onset_are_told():
    detector = bank()
    panes = drawn(17, panes=24, change_at=20)
    for counts in panes:
        verdict = detector.update(CellCounts(counts, dispersion=2.0))
    since = detector.since(np.array([0, 4, 999]))
    assert verdict.onset_panes[1] in (3, 4, 5)
    assert since[2:7] == pytest.approx(np.sum(panes[20:], axis=0)[2:7] / 2)
    assert not since[:2].any()
    assert not since[7:].any()


def test_streams_do_not_know_of_each_other():
    alone = EDetector(Ragged(np.array([0, 5])), REFERENCE[2:7], EDetectorParameters(kappa=3000.0))
    together = bank()
    for counts in drawn(13):
        one = alone.update(CellCounts(counts[2:7]))
        two = together.update(CellCounts(counts))
        assert one.evidence[0] == pytest.approx(two.evidence[1], abs=1e-9)


def test_no_stream_no_evidence():
    detector = EDetector(Ragged(np.array([0])), np.zeros(0))
    verdict = detector.update(CellCounts(np.zeros(0, dtype=np.int64)))
    assert verdict.evidence.shape == verdict.alarm.shape == verdict.onset_panes.shape == (0,)
    assert EDetector.from_state(detector.parameters, detector.state()).streams == 0


def test_huge_counts_are_judged_without_loss():
    detector = bank(kappa=3000.0)
    steady = REFERENCE * 10**8
    quiet = evidence(detector, [steady] * 3)[-1]
    assert np.isfinite(quiet).all()
    assert quiet.max() < 5
    swapped = steady.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    verdict = detector.update(CellCounts(swapped))
    assert np.isfinite(verdict.evidence).all()
    assert verdict.alarm.tolist() == [False, True, False]


def test_wrong_shapes_and_parameters_are_refused():
    with pytest.raises(ValueError, match="10 cells"):
        bank().update(CellCounts(np.zeros(9)))
    with pytest.raises(ValueError, match="the reference"):
        EDetector(CELLS, np.zeros(4))
    with pytest.raises(ValueError, match="level is -1"):
        EDetectorParameters(level=-1)
    with pytest.raises(ValueError, match="ascend"):
        Ragged(np.array([0, 3, 3]))
    with pytest.raises(ValueError, match="at least 3"):
        bank(onsets=2)


def test_a_season_is_expected_where_it_is_given():
    rng = np.random.default_rng(14)
    plain, seasonal = bank(), bank()
    verdicts = []
    for hour in range(24):
        shares = SHARES.copy()
        shares[[3, 4]] += 0.15 * np.sin(hour / 24 * 2 * np.pi) * np.array([1, -1])
        counts = pane(rng, shares)
        mass = np.array([0.0, 10_000.0, 0.0])
        given_season = CellCounts(counts, expected=shares, expected_mass=mass)
        verdicts.append((plain.update(CellCounts(counts)), seasonal.update(given_season)))
    assert any(without.alarm[1] for without, _ in verdicts)
    assert not any(within.alarm[1] for _, within in verdicts)
    # A stream without a season is judged by the pool in both.
    assert verdicts[-1][0].evidence[[0, 2]] == pytest.approx(verdicts[-1][1].evidence[[0, 2]])
    assert np.array_equal(seasonal.state()["pool"][2:7], REFERENCE[2:7])


def test_ages_of_the_onsets_stay_geometric():
    ages = np.zeros(14, dtype=np.int64)
    for pane_number in range(1, 5001):
        ages[ages > 0] += 1
        ages[slot_to_use(ages)] = 1
        if pane_number > 1000:
            ordered = np.sort(ages)
            assert ordered[0] == 1
            assert ordered[-1] == pane_number
            assert (ordered[1:] / ordered[:-1]).max() < 3.5


def test_false_alarms_stay_below_the_budget_at_a_level_low_enough_to_count_them():
    """A of e^4 = 55: at most a chance of T / A; references of 1,000 rows off by their own error."""
    rng = np.random.default_rng(15)
    streams, panes, level = 400, 27, 4.0
    shares = np.array([0.1, 0.2, 0.3, 0.25, 0.15])
    cells = Ragged(np.arange(streams + 1) * 5)
    reference = rng.multinomial(1000, shares, streams).ravel()
    detector = EDetector(cells, reference, EDetectorParameters(level, 1e9))
    alarmed = np.zeros(streams, dtype=bool)
    for _ in range(panes):
        counts = rng.multinomial(600, shares, streams).ravel()
        alarmed |= detector.update(CellCounts(counts)).alarm
    assert alarmed.sum() <= streams * panes / np.exp(level)


@pytest.mark.parametrize(("shift", "panes"), [(0.05, 1), (0.02, 5)])
def test_shifts_are_noticed_in_time(shift, panes):
    """Two cells of ten exchange a share; 600 events a pane, 10,000 rows, level 14.8."""
    rng = np.random.default_rng(16)
    streams = 50
    shares, changed = np.full(10, 0.1), np.full(10, 0.1)
    changed[[2, 7]] += [shift * 1.5, -shift * 1.5]
    cells = Ragged(np.arange(streams + 1) * 10)
    kappa = float(kappa_of_tolerance(0.001, 10, 14.8))
    detector = EDetector(
        cells, rng.multinomial(10_000, shares, streams).ravel(), EDetectorParameters(14.8, kappa)
    )
    for _ in range(20):
        detector.update(CellCounts(rng.multinomial(600, shares, streams).ravel()))
    noticed = np.zeros(streams, dtype=bool)
    for _ in range(panes * 2):
        noticed |= detector.update(CellCounts(rng.multinomial(600, changed, streams).ravel())).alarm
    assert noticed.mean() > 0.9
