"""A mean that drifted is back when that is likelier than that it stayed, and not before."""

import numpy as np
import pytest

from detectors.carried import Carried
from detectors.change.mean_recovery import MeanRecovery, MeanRecoveryParameters

SLACK = 0.15
STREAMS = 200


def panes(recovery, shift, weight, count, seed=0):
    """The share of streams that are back after each pane of a mean with this shift."""
    random = np.random.default_rng(seed)
    back = []
    for _ in range(count):
        mean = random.normal(shift, 1 / np.sqrt(weight), STREAMS)
        back.append(one(recovery, mean, weight))
    return np.array(back)


def one(recovery, mean, weight, drifting=None):
    streams = len(mean)
    calm = np.abs(mean) * np.sqrt(weight) <= SLACK * np.sqrt(weight) + 3
    return recovery.update(
        mean,
        np.full(streams, float(weight)),
        np.full(streams, SLACK),
        np.ones(streams, dtype=bool) if drifting is None else drifting,
        calm,
    )


@pytest.mark.parametrize("weight", [1, 60, 600])
@pytest.mark.parametrize("shift", [0.2, 0.3, -0.5, 1.0])
def test_a_mean_that_stays_beyond_the_tolerance_is_not_back(shift, weight):
    assert panes(MeanRecovery(STREAMS), shift, weight, 500).any(axis=0).mean() < 0.05


@pytest.mark.parametrize(("weight", "within"), [(6, 100), (60, 12), (600, 2), (60_000, 1)])
def test_a_mean_that_returns_is_back_soon(weight, within):
    recovery = MeanRecovery(STREAMS)
    panes(recovery, 0.5, weight, 50)
    assert panes(recovery, 0.0, weight, within, seed=1).any(axis=0).mean() > 0.9


def test_a_mean_that_stays_within_the_tolerance_is_back_in_the_end():
    recovery = MeanRecovery(STREAMS)
    panes(recovery, 0.4, 600, 50)
    assert panes(recovery, 0.1, 600, 60, seed=1)[-1].all()


def test_a_mean_that_goes_over_to_the_other_side_is_not_back():
    recovery = MeanRecovery(STREAMS)
    panes(recovery, 0.5, 600, 50)
    assert not panes(recovery, -0.5, 600, 50, seed=1).any()


def test_what_does_not_drift_is_not_watched_and_begins_anew():
    recovery = MeanRecovery(2)
    drifting = np.array([True, False])
    for _ in range(3):
        one(recovery, np.array([0.5, 0.5]), 600, drifting)
    assert one(recovery, np.zeros(2), 600, drifting).tolist() == [True, False]
    one(recovery, np.zeros(2), 600, np.zeros(2, dtype=bool))
    assert all((column == 0).all() for column in recovery.state().values())


def test_panes_without_events_change_nothing():
    recovery = MeanRecovery(1)
    one(recovery, np.array([0.5]), 600)
    before = recovery.state()
    one(recovery, np.zeros(1), 0)
    assert {k: v.tolist() for k, v in before.items()} == {
        k: v.tolist() for k, v in recovery.state().items()
    }


def test_a_restored_one_and_one_that_is_carried_have_the_same_future():
    whole = MeanRecovery(STREAMS)
    panes(whole, 0.5, 60, 20)
    restored = MeanRecovery.from_state(whole.state())
    carried = MeanRecovery(STREAMS + 1)
    places = np.arange(STREAMS)
    carried.carry(whole, Carried(places, places + 1))
    expected = panes(whole, 0.0, 60, 10, seed=3)
    assert (panes(restored, 0.0, 60, 10, seed=3) == expected).all()
    random = np.random.default_rng(3)
    for row in expected:
        mean = random.normal(0.0, 1 / np.sqrt(60), STREAMS)
        back = one(carried, np.concatenate(([0.0], mean)), 60)
        assert (back[1:] == row).all()


def test_parameters_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="beyond 1"):
        MeanRecoveryParameters(beyond=1.0)
