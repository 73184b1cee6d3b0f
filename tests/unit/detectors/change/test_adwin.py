"""ADWIN: exactly as river with unit weights, and what the weights mean."""

import numpy as np
import pytest
from river import drift

from detectors.change.adwin import Adwin, AdwinParameters
from detectors.change.observation import Observation
from tests.unit.detectors.change.alarms import our_alarms, river_alarms, unit

LENGTH = 1500
SETTINGS = [
    {},
    {"delta": 0.05, "clock": 1},
    {"delta": 0.3, "clock": 1, "min_window_length": 1, "grace_period": 1},
    {"delta": 0.9, "clock": 7, "max_buckets": 2, "min_window_length": 3},
    {"delta": 0.01, "clock": 3, "max_buckets": 9, "grace_period": 40},
    {"delta": 0.5, "clock": 1, "max_buckets": 2, "min_window_length": 2},
]


def streams(seed):
    """Streams of many shapes as columns, shape (LENGTH, D)."""
    rng = np.random.default_rng(seed)
    step = np.where(np.arange(LENGTH) < LENGTH // 2, 0.0, 1.0)
    return np.column_stack(
        (
            rng.normal(size=LENGTH),
            rng.normal(size=LENGTH) + step,
            rng.normal(size=LENGTH) * 0.1 - 3 * step,
            rng.lognormal(0, 1.5, LENGTH),
            rng.integers(0, 2, LENGTH),
            rng.binomial(1, 0.1 + 0.4 * step),
            rng.random(LENGTH).cumsum() / 50,
            np.sin(np.arange(LENGTH) / 40) + rng.normal(size=LENGTH) * 0.2,
            np.full(LENGTH, 0.1),
            1e6 + rng.normal(size=LENGTH) * (1 + step),
        )
    ).astype(float)


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_alarm_index_is_rivers_with_unit_weights(settings):
    values = np.column_stack((streams(1), streams(2)))
    ours = our_alarms(Adwin(values.shape[1], AdwinParameters(**settings)), values)
    assert ours == [river_alarms(drift.ADWIN(**settings), column) for column in values.T]
    assert sum(map(len, ours)) > 5


def test_window_is_rivers_to_the_last_bit():
    values = streams(3)
    bank = Adwin(values.shape[1], AdwinParameters(delta=0.05))
    theirs = [drift.ADWIN(delta=0.05) for _ in values.T]
    for row in values:
        alarm = bank.update(unit(row)).alarm
        for detector, value in zip(theirs, row.tolist(), strict=True):
            detector.update(value)
        state = bank.state()
        assert state["width"].tolist() == [detector.width for detector in theirs]
        assert state["sum"].tolist() == [detector.total for detector in theirs]
        assert state["variance"].tolist() == [detector.variance for detector in theirs]
        bank.reset(alarm)


def parts(values, sizes):
    """Consecutive values summarised in observations of one stream."""
    for piece in np.split(values, np.cumsum(sizes)[:-1]):
        mean = piece.mean()
        yield Observation(
            np.array([float(len(piece))]), np.array([mean]), np.array([((piece - mean) ** 2).sum()])
        )


def test_weighted_window_is_that_of_the_values_behind_it():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 50, 300)
    values = rng.normal(5, 2, sizes.sum())
    bank = Adwin(1, AdwinParameters(delta=1e-12))
    for seen in parts(values, sizes):
        bank.update(seen)
    state = bank.state()
    assert state["width"][0] == len(values)
    assert state["sum"][0] == pytest.approx(values.sum())
    assert state["variance"][0] == pytest.approx(values.var() * len(values))
    for name in ("n", "total"):
        whole = {"n": "width", "total": "sum"}[name]
        assert state[name].sum() == pytest.approx(state[whole][0])


def test_rows_hold_no_more_buckets_than_allowed_and_grow_with_the_logarithm():
    bank = Adwin(2, AdwinParameters(max_buckets=3, delta=1e-12))
    for index in range(1000):
        bank.update(unit(np.array([0.0, float(index % 2)])))
        assert (bank.state()["counts"] <= 3).all()
    state = bank.state()
    rows = state["counts"].shape[1]
    assert rows <= 10
    assert (state["counts"] @ 2 ** np.arange(rows)).tolist() == [1000, 1000]


def largest_ratio(pieces, parameters):
    """|mean0 - mean1| / (epsilon_cut + tolerance) over all cuts, from the definition."""
    n, mean, m2 = (np.array([getattr(p, name)[0] for p in pieces]) for name in ("n", "mean", "m2"))
    width, centre = n.sum(), (n * mean).sum() / n.sum()
    variance = (m2.sum() + (n * (mean - centre) ** 2).sum()) / width
    confidence = np.log(2 * np.log(width) / parameters.delta)
    ratios = [0.0]
    least = parameters.min_window_length
    for cut in range(1, len(n)):
        n0, n1 = n[:cut].sum(), n[cut:].sum()
        if min(n0, n1) < least:
            continue
        apart = abs((n * mean)[:cut].sum() / n0 - (n * mean)[cut:].sum() / n1)
        harmonic = 1 / (n0 - least + 1) + 1 / (n1 - least + 1)
        epsilon = (
            np.sqrt(2 * harmonic * variance * confidence)
            + 2 / 3 * confidence * harmonic * parameters.value_range
        )
        ratios.append(apart / (epsilon + parameters.tolerance))
    return max(ratios)


@pytest.mark.parametrize(("tolerance", "value_range"), [(0.0, 1.0), (0.3, 1.0), (0.0, 4.0)])
def test_evidence_is_the_largest_ratio_over_the_cuts(tolerance, value_range):
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 9, 20)
    values = rng.normal(size=sizes.sum()) + 0.5 * (np.arange(sizes.sum()) > 40)
    # Twenty buckets a row: nothing is merged, so every cut between observations is there.
    bounds = {"tolerance": tolerance, "value_range": value_range}
    parameters = AdwinParameters(delta=0.05, clock=1, max_buckets=20, **bounds)
    bank = Adwin(1, parameters)
    pieces = []
    for seen in parts(values, sizes):
        pieces.append(seen)
        verdict = bank.update(seen)
        ripe = sum(p.n[0] for p in pieces) > parameters.grace_period
        expected = largest_ratio(pieces, parameters) if ripe else 0.0
        assert verdict.evidence[0] == pytest.approx(expected)
        assert not verdict.alarm[0]


def test_without_a_reset_what_came_before_the_change_is_dropped():
    rng = np.random.default_rng(5)
    bank = Adwin(1, AdwinParameters(clock=1))
    values = rng.normal(0, 0.1, 600) + 3.0 * (np.arange(600) >= 300)
    alarms = sum(bank.update(unit(values[i : i + 1])).alarm[0] for i in range(600))
    state = bank.state()
    kept = values[-int(state["width"][0]) :]
    assert alarms > 0
    assert len(kept) <= 310
    assert state["sum"][0] == pytest.approx(kept.sum())
    assert state["variance"][0] == pytest.approx(kept.var() * len(kept))


def test_tolerance_is_a_streams_own():
    rng = np.random.default_rng(6)
    bank = Adwin(2, AdwinParameters(clock=1, tolerance=(0.0, 1.0)))
    alarmed = np.zeros(2, dtype=bool)
    for index in range(600):
        value = rng.normal(0, 0.1) + 0.8 * (index >= 300)
        alarmed |= bank.update(unit(np.array([value, value]))).alarm
    assert alarmed.tolist() == [True, False]


def test_state_with_other_buckets_than_the_parameters_is_refused():
    state = Adwin(1, AdwinParameters(max_buckets=5)).state()
    with pytest.raises(ValueError, match="start a new detector"):
        Adwin.from_state(AdwinParameters(max_buckets=6), state)
