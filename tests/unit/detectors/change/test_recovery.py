"""When a drift is over, and when it began."""

import numpy as np
import pytest

from detectors.change.bayes_factor import log_dirichlet_multinomial
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters, Null
from detectors.change.ragged import Ragged
from detectors.change.recovery import Recovery, RecoveryParameters

SHARES = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
MOVED = np.array([0.05, 0.15, 0.35, 0.25, 0.2])
FURTHER = np.array([0.4, 0.3, 0.1, 0.1, 0.1])
STREAMS = 12
CELLS = Ragged(np.arange(STREAMS + 1) * 5)
KAPPA = 3000.0
NULL = Null(np.tile(SHARES, STREAMS), np.full(STREAMS, KAPPA))


def panes(rng, *runs, events=300):
    for shares, length in runs:
        for _ in range(length):
            yield rng.multinomial(events, shares, STREAMS).ravel().astype(float)


def watching(rng, parameters=None):
    recovery = Recovery(CELLS, parameters)
    episode = rng.multinomial(900, MOVED, STREAMS).ravel().astype(float)
    recovery.start(np.ones(STREAMS, dtype=bool), episode)
    return recovery


def test_a_drift_that_ends_is_over_within_a_few_panes():
    rng = np.random.default_rng(1)
    recovery = watching(rng)
    over = np.full(STREAMS, np.inf)
    for index, counts in enumerate(panes(rng, (MOVED, 100), (SHARES, 8))):
        verdict = recovery.update(CellCounts(counts), NULL)
        over = np.where(verdict.recovered & np.isinf(over), index - 99, over)
    assert over.min() >= 1
    assert over.max() <= 4
    assert (np.abs(verdict.since_panes - 8) <= 2).all()


@pytest.mark.parametrize("rare", [0.0, 1e-4, 1e-3])
def test_it_is_over_too_when_none_is_left_of_what_is_rare_in_the_null(rare):
    """As after a burst of missing values: few of a reference's are missing, then none is."""
    cells, null = Ragged(np.array([0, 2])), Null(np.array([1 - rare, rare]), np.array([5000.0]))
    recovery = Recovery(cells)
    recovery.start(np.array([True]), np.array([600.0, 300.0]))
    over = [recovery.update(CellCounts(np.array([300.0, 0.0])), null).recovered for _ in range(4)]
    assert any(over)


def test_a_drift_that_stays_or_goes_elsewhere_is_not_over():
    rng = np.random.default_rng(2)
    recovery = watching(rng)
    for counts in panes(rng, (MOVED, 300), (FURTHER, 300)):
        assert not recovery.update(CellCounts(counts), NULL).recovered.any()


def test_a_part_of_the_way_back_is_not_over():
    rng = np.random.default_rng(3)
    recovery = watching(rng)
    part = 0.15 * SHARES + 0.85 * MOVED
    for counts in panes(rng, (MOVED, 50), (part, 200)):
        assert not recovery.update(CellCounts(counts), NULL).recovered.any()


def test_evidence_of_one_pane_is_the_ratio_of_null_and_episode():
    cells = Ragged(np.array([0, 5]))
    recovery = Recovery(cells)
    episode, counts = 900 * MOVED, 300 * SHARES
    recovery.start(np.array([True]), episode)
    verdict = recovery.update(CellCounts(counts), Null(SHARES, np.array([KAPPA])))
    weights = episode + 0.5
    expected = log_dirichlet_multinomial(
        cells, counts, SHARES, np.array([KAPPA])
    ) - log_dirichlet_multinomial(cells, counts, weights / weights.sum(), np.array([weights.sum()]))
    assert verdict.evidence == pytest.approx(expected)


def test_only_what_drifts_is_watched():
    rng = np.random.default_rng(4)
    recovery = Recovery(CELLS)
    some = np.arange(STREAMS) < 3
    for counts in panes(rng, (SHARES, 5)):
        assert not recovery.update(CellCounts(counts), NULL).evidence.any()
    recovery.start(some, rng.multinomial(900, MOVED, STREAMS).ravel().astype(float))
    for counts in panes(rng, (SHARES, 5)):
        verdict = recovery.update(CellCounts(counts), NULL)
    assert verdict.recovered.tolist() == some.tolist()
    assert not verdict.evidence[3:].any()
    recovery.stop(some)
    assert not recovery.watched.any()
    assert not recovery.update(CellCounts(next(panes(rng, (SHARES, 1)))), NULL).recovered.any()


def test_the_shape_of_an_episode_is_that_of_its_last_hour_or_so():
    rng = np.random.default_rng(9)
    recovery = watching(rng)
    for counts in panes(rng, (MOVED, 400), (FURTHER, 240)):
        recovery.update(CellCounts(counts), NULL)
    recent = recovery.state()["recent"]
    assert CELLS.total(recent) == pytest.approx(np.full(STREAMS, 60 * 300), rel=0.01)
    assert recent.reshape(STREAMS, 5).sum(axis=0) / recent.sum() == pytest.approx(FURTHER, abs=0.02)


def test_silence_is_no_recovery():
    recovery = watching(np.random.default_rng(5))
    for _ in range(20):
        assert not recovery.update(CellCounts(np.zeros(CELLS.cells)), NULL).recovered.any()


def test_a_restored_one_has_the_same_future():
    rng = np.random.default_rng(6)
    recovery = watching(rng)
    for counts in panes(rng, (MOVED, 20)):
        recovery.update(CellCounts(counts), NULL)
    again = Recovery.from_state(recovery.parameters, recovery.state())
    for counts in panes(rng, (SHARES, 4)):
        one, two = recovery.update(CellCounts(counts), NULL), again.update(CellCounts(counts), NULL)
        assert np.array_equal(one.evidence, two.evidence)
        assert np.array_equal(one.since_panes, two.since_panes)
    with pytest.raises(ValueError, match="positive"):
        RecoveryParameters(level=0)


def test_detector_and_recovery_together_make_one_episode_of_one_drift():
    rng = np.random.default_rng(8)
    reference = np.tile(SHARES, STREAMS) * 10_000
    detector = EDetector(CELLS, reference, EDetectorParameters(14.8, KAPPA))
    recovery = Recovery(CELLS)
    started, ended = [], []
    for index, counts in enumerate(panes(rng, (SHARES, 60), (MOVED, 120), (SHARES, 200))):
        pane = CellCounts(counts, dispersion=1.0)
        over = recovery.update(pane, detector.null(pane)).recovered
        verdict = detector.update(pane)
        new = verdict.alarm & ~recovery.watched
        started += [index] * int(new.sum())
        recovery.start(new, detector.since(verdict.onset_panes))
        ended += [index] * int(over.sum())
        recovery.stop(over)
        detector.reset(over)
    assert len(started) == len(ended) == STREAMS
    assert 60 <= min(started) <= max(started) <= 64
    assert 180 <= min(ended) <= max(ended) <= 184


def test_a_stream_is_judged_as_it_would_be_alone_whoever_else_is_watched():
    rng = np.random.default_rng(7)
    cells = Ragged(np.array([0, 5, 8, 10, 15]))
    shares = np.concatenate((SHARES, [0.2, 0.3, 0.5], [0.9, 0.1], SHARES))
    drifting = {1: slice(5, 8), 3: slice(10, 15)}
    episode = 300 * np.concatenate((SHARES, [0.5, 0.3, 0.2], [0.1, 0.9], FURTHER))
    beside = Recovery(cells)
    beside.start(np.isin(np.arange(4), [*drifting]), episode)
    alone = {stream: Recovery(Ragged(np.array([0, cells.sizes[stream]]))) for stream in drifting}
    for stream, recovery in alone.items():
        recovery.start(np.array([True]), episode[drifting[stream]])
    for _ in range(40):
        counts = rng.poisson(200 * shares).astype(float)
        verdict = beside.update(CellCounts(counts), Null(shares, np.full(4, KAPPA)))
        for stream, recovery in alone.items():
            part = Null(shares[drifting[stream]], np.array([KAPPA]))
            expected = recovery.update(CellCounts(counts[drifting[stream]]), part)
            assert verdict.evidence[stream] == pytest.approx(expected.evidence[0])
            assert verdict.recovered[stream] == expected.recovered[0]
            assert verdict.since_panes[stream] == expected.since_panes[0]
        assert not verdict.evidence[[0, 2]].any()
    assert verdict.recovered[[1, 3]].all()
