"""A slow change is not learned as wander while there is some evidence of it."""

from copy import deepcopy

import numpy as np
import pytest

from detectors.carried import Carried
from detectors.change.ragged import Ragged
from detectors.dispersion import DispersionLearner, Status
from service.monitor.detecting.suspicion import EVIDENCE, Suspicion
from service.state.snapshot import decode, encode, encode_part
from tests.unit.monitor.test_detection import ALL, Watched, X

CELLS = Ragged(np.array([0, 3, 6]))
SHARES = np.array([0.5, 0.3, 0.2, 0.5, 0.3, 0.2])
SETTLED = np.array([True, True])
QUIET = np.array([True, True])
LITTLE, MUCH = np.array([0.0, 0.5]), np.array([0.0, EVIDENCE + 1])


def learner_of(panes, random, shift=0.0):
    learner = DispersionLearner(CELLS, SHARES, 100)
    feed(learner, panes, random, shift)
    return learner


def feed(learner, panes, random, shift=0.0):
    shares = [0.5 - shift, 0.3, 0.2 + shift]
    for _ in range(panes):
        counts = [random.multinomial(50, [0.5, 0.3, 0.2]), random.multinomial(50, shares)]
        learner.update(np.concatenate(counts))


def test_what_was_learned_since_there_is_evidence_is_forgotten_on_an_alarm():
    random = np.random.default_rng(1)
    learner = learner_of(200, random)
    before = learner.estimate()
    suspicion = Suspicion(2, 60.0)
    assert not suspicion.weigh(learner, MUCH, SETTLED, QUIET)
    assert suspicion.held.tolist() == [False, True]
    feed(learner, 60, random, shift=0.3)
    assert learner.estimate().kappa[1] < 100
    assert suspicion.weigh(learner, MUCH, SETTLED, np.array([True, False]))
    after = learner.estimate()
    assert after.kappa[1] == before.kappa[1]
    assert after.panes.tolist() == [260, 200]
    assert not suspicion.held.any()


def test_evidence_that_goes_away_leaves_what_was_learned():
    random = np.random.default_rng(1)
    learner = learner_of(200, random)
    suspicion = Suspicion(2, 60.0)
    suspicion.weigh(learner, MUCH, SETTLED, QUIET)
    feed(learner, 10, random)
    assert not suspicion.weigh(learner, LITTLE, SETTLED, QUIET)
    assert not suspicion.weigh(learner, LITTLE, SETTLED, np.array([True, False]))
    assert learner.estimate().panes.tolist() == [210, 210]


def test_a_stream_that_is_not_settled_is_not_suspected():
    suspicion = Suspicion(2, 60.0)
    suspicion.weigh(learner_of(20, np.random.default_rng(1)), MUCH, ~SETTLED, QUIET)
    assert not suspicion.held.any()


def test_what_neither_alarms_nor_goes_away_is_learned_after_two_days():
    learner = learner_of(20, np.random.default_rng(1))
    suspicion = Suspicion(2, 3600.0)
    held = []
    for _ in range(50):
        suspicion.weigh(learner, MUCH, SETTLED, QUIET)
        held.append(bool(suspicion.held[1]))
    assert held == [True] * 48 + [False] * 2
    assert suspicion.state()["before"] == []


def test_suspicion_outlives_a_snapshot_and_goes_with_its_stream():
    random = np.random.default_rng(1)
    learner = learner_of(200, random)
    suspicion = Suspicion(2, 60.0)
    suspicion.weigh(learner, MUCH, SETTLED, QUIET)
    restored, carried = Suspicion(2, 60.0), Suspicion(3, 60.0)
    restored.restore(decode(encode(suspicion.state())))
    carried.carry(suspicion, Carried(np.array([1]), np.array([2])))
    assert restored.held.tolist() == [False, True]
    assert carried.held.tolist() == [False, False, True]
    feed(learner, 60, random, shift=0.3)
    restored.weigh(learner, MUCH, SETTLED, np.array([True, False]))
    assert learner.estimate().panes.tolist() == [260, 200]


@pytest.fixture(scope="module")
def settled():
    """What three days of two rows a minute have taught, to be copied."""
    watched = Watched(ALL, seed=2).feed(4_400, rows=2)
    assert watched.of(X, watched.comparison.detection.status) == Status.READY
    return watched


def test_a_change_that_takes_hours_to_notice_is_noticed(settled):
    watched = deepcopy(settled).feed(400, rows=2, shift=0.5)
    assert ("input", X.name, True) in watched.changes()
    assert watched.of(X, watched.comparison.detection.dispersions.kappa) > 1_000


def test_a_restart_in_the_middle_of_a_suspicion_changes_nothing(settled):
    whole, stopped = deepcopy(settled), deepcopy(settled)
    for watched in (whole, stopped):
        for _ in range(200):
            watched.feed(1, rows=2, shift=0.5)
            if suspected(watched):
                break
    stopped.restart()
    assert suspected(stopped)
    for watched in (whole, stopped):
        watched.feed(200, rows=2, shift=0.5)
    assert ("input", X.name, True) in whole.changes()
    assert repr(whole.told) == repr(stopped.told)


def suspected(watched):
    kept = watched.comparison.detection.dispersions.state(encode_part)["suspicion"]
    return watched.of(X, kept["panes"]) > 0
