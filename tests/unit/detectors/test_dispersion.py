"""Dispersion learned from panes in their order: what it is on streams where it is known."""

import numpy as np
import pytest

from detectors.change.ragged import Ragged
from detectors.covering_line import covering_line, spiked
from detectors.dispersion import PANES_MIN, WIDENED_MASS, DispersionLearner, Status

SHARES = np.array([0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05, 0, 0])
CELLS = len(SHARES)


def learned(panes, settled=4320, shares=SHARES, cells=None):
    cells = cells or Ragged(np.array([0, CELLS]))
    learner = DispersionLearner(cells, shares, settled)
    for counts in panes:
        learner.update(counts)
    return learner.estimate()


def independent(rng, panes, events=600):
    return rng.multinomial(events, SHARES, panes)


def clustered(rng, panes, size, events=600):
    """Events come in clusters that all lie in one cell."""
    return size * rng.multinomial(events // size, SHARES, panes)


def tilts(rng, panes, kappa, hold):
    """Shares that change every `hold` panes, drawn from Dirichlet(kappa p)."""
    alpha = np.maximum(SHARES * kappa, 1e-9)
    drawn = rng.dirichlet(alpha, -(-panes // hold))
    return np.repeat(drawn, hold, axis=0)[:panes]


def test_independent_events_have_no_dispersion():
    rng = np.random.default_rng(1)
    known = [learned(independent(rng, 2000), settled=2000) for _ in range(10)]
    assert np.median([one.phi[0] for one in known]) < 1.1
    assert max(one.phi[0] for one in known) < 1.6
    assert min(one.kappa[0] for one in known) > 5000
    assert all(one.status[0] == Status.READY for one in known)


@pytest.mark.parametrize("size", [4, 20])
def test_phi_is_the_size_of_clusters(size):
    rng = np.random.default_rng(2)
    known = learned(clustered(rng, 2000, size), settled=2000)
    assert known.phi[0] == pytest.approx(size, rel=0.25)
    assert known.kappa[0] > 2000


def test_kappa_is_the_mass_of_a_wander_that_outlasts_panes():
    rng = np.random.default_rng(3)
    shares = tilts(rng, 4000, kappa=400, hold=200)
    panes = np.array([rng.multinomial(600, p) for p in shares])
    known = learned(panes, settled=4000)
    assert known.phi[0] < 3
    assert 100 < known.kappa[0] < 800


def test_correlation_that_ends_within_a_few_panes_is_phi_and_not_endless_wander():
    rng = np.random.default_rng(4)
    shares = tilts(rng, 4000, kappa=100, hold=3)
    panes = np.array([rng.multinomial(600, p) for p in shares])
    known = learned(panes, settled=4000)
    # Within a pane 1 + 600 / 100, over three 1 + 1800 / 100.
    assert 10 < known.phi[0] < 30
    assert known.kappa[0] > 1000


def test_the_line_covers_every_point_that_is_known():
    rng = np.random.default_rng(5)
    events = np.cumprod(np.full((8, 50), 2.0), axis=0) * 30
    variance = 1 + np.cumsum(rng.gamma(0.3, 5, (8, 50)), axis=0)
    known = np.arange(8)[:, None] < rng.integers(0, 9, 50)
    phi, kappa = covering_line(events, variance, known)
    assert (np.where(known, phi + events / kappa - variance, 0) > -1e-9).all()
    assert (phi >= 1).all()
    assert phi[known.sum(axis=0) == 0] == pytest.approx(1)
    assert np.isinf(kappa[known.sum(axis=0) == 0]).all()


def test_before_enough_panes_a_stream_is_learning_blind_then_widened():
    rng = np.random.default_rng(6)
    few, more = learned(independent(rng, PANES_MIN - 1)), learned(independent(rng, 200))
    assert (few.status[0], few.kappa[0], few.phi[0]) == (Status.LEARNING, 0, 1)
    assert (more.status[0], more.panes[0]) == (Status.LEARNING, 200)
    assert 0 < more.kappa[0] <= WIDENED_MASS


def test_a_stream_that_never_keeps_its_shape_is_unstable():
    rng = np.random.default_rng(7)
    shares = tilts(rng, 2000, kappa=5, hold=150)
    known = learned(np.array([rng.multinomial(600, p) for p in shares]), settled=2000)
    assert known.status[0] == Status.UNSTABLE
    assert known.kappa[0] < 50


def test_a_season_that_is_expected_is_no_dispersion():
    rng = np.random.default_rng(8)
    learner = DispersionLearner(Ragged(np.array([0, CELLS])), SHARES, 1440)
    ignorant = DispersionLearner(Ragged(np.array([0, CELLS])), SHARES, 1440)
    for minute in range(1440):
        expected = SHARES.copy()
        expected[[2, 5]] += 0.1 * np.sin(minute / 1440 * 2 * np.pi) * np.array([1, -1])
        counts = rng.multinomial(600, expected)
        learner.update(counts, expected)
        ignorant.update(counts)
    assert learner.estimate().phi[0] < 1.6
    assert learner.estimate().kappa[0] > 5 * ignorant.estimate().kappa[0]


def test_a_reference_that_is_off_is_no_dispersion():
    rng = np.random.default_rng(14)
    off = SHARES.copy()
    off[[2, 5]] += [0.02, -0.02]
    known = learned(independent(rng, 1000), settled=1000, shares=off)
    assert known.phi[0] < 1.6
    assert known.kappa[0] > 3000


def test_one_event_in_a_cell_that_never_had_any_is_no_sign_of_dependence():
    rng = np.random.default_rng(9)
    panes = independent(rng, 100)
    panes[50, 9] += 1
    assert learned(panes).phi[0] < 2


def test_streams_do_not_know_of_each_other_and_unseen_ones_keep_what_they_know():
    rng = np.random.default_rng(10)
    cells = Ragged(np.array([0, CELLS, 2 * CELLS]))
    both = DispersionLearner(cells, np.tile(SHARES, 2))
    alone = DispersionLearner(Ragged(np.array([0, CELLS])), SHARES)
    for index in range(100):
        one, two = independent(rng, 1)[0], clustered(rng, 1, 10)[0]
        both.update(np.concatenate((one, two if index < 50 else two * 0)))
        alone.update(one)
    known, single = both.estimate(), alone.estimate()
    assert known.panes.tolist() == [100, 50]
    assert known.phi[0] == pytest.approx(single.phi[0])
    assert known.phi[1] > 4


def test_panes_that_are_not_to_be_learned_from_leave_no_trace():
    rng = np.random.default_rng(11)
    cells = Ragged(np.array([0, CELLS]))
    learner = DispersionLearner(cells, SHARES)
    for index in range(96):
        counts = independent(rng, 1)[0]
        odd = index % 2 == 1
        learner.update(counts[::-1] * 5 if odd else counts, learn=np.array([not odd]))
    known = learner.estimate()
    assert known.panes[0] == 48
    assert known.phi[0] < 2


def test_a_restored_learner_has_the_same_future():
    rng = np.random.default_rng(12)
    panes = clustered(rng, 90, 5)
    learner = DispersionLearner(Ragged(np.array([0, CELLS])), SHARES)
    for counts in panes[:50]:
        learner.update(counts)
    again = DispersionLearner.from_state(learner.state())
    for counts in panes[50:]:
        learner.update(counts)
        again.update(counts)
    assert again.estimate().phi == learner.estimate().phi
    assert again.estimate().kappa == learner.estimate().kappa


def test_memory_is_bounded_by_the_sizes_of_blocks():
    learner = DispersionLearner(Ragged(np.array([0, CELLS])), SHARES, levels=4)
    rng = np.random.default_rng(13)
    for counts in independent(rng, 200):
        learner.update(counts)
    assert learner.products.shape == (4, 1, 16, 16)
    assert learner.blocks[:, 0].tolist() == [200, 100, 50, 25]


def test_no_stream_and_no_pane_are_nothing_to_learn_from():
    nothing = DispersionLearner(Ragged(np.array([0])), np.zeros(0))
    nothing.update(np.zeros(0))
    assert nothing.estimate().phi.shape == (0,)
    fresh = DispersionLearner(Ragged(np.array([0, CELLS])), SHARES).estimate()
    assert (fresh.phi[0], fresh.kappa[0], fresh.status[0]) == (1, 0, Status.LEARNING)
    with pytest.raises(ValueError, match="cells"):
        DispersionLearner(Ragged(np.array([0, 3])), np.ones(3) / 3).update(np.zeros(4))


def test_spiked_eigenvalues_are_freed_from_their_noise():
    ratio, spike = np.array([0.1]), 5.0
    sample = spike * (1 + ratio / (spike - 1))
    assert spiked(sample, ratio) == pytest.approx([spike])
    assert spiked((1 + np.sqrt(ratio)) ** 2, ratio) == pytest.approx([1.0])
