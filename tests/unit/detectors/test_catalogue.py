"""What every detector of the catalogue promises, checked on every one of them."""

import json

import numpy as np
import pytest

from detectors.catalogue import build, names, restore
from detectors.change.observation import Observation

PARAMETERS = {
    "adwin": {"delta": 0.2, "clock": 2},
    "page_hinkley": {"delta": 0.2, "threshold": 5.0, "min_instances": 5},
    "river.ADWIN": {"delta": 0.2, "clock": 2},
    "river.DummyDriftDetector": {"t_0": 37},
    "river.KSWIN": {"alpha": 0.01, "window_size": 40, "stat_size": 10},
    "river.PageHinkley": {"delta": 0.2, "threshold": 5.0, "min_instances": 5},
}
STREAMS = 4
every_detector = pytest.mark.parametrize("name", names())


def observations(count, seed=0, streams=STREAMS):
    """Noise with a step halfway; one stream in five is not seen."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        n = rng.integers(1, 4, streams) * (rng.random(streams) > 0.2)
        mean = rng.normal(size=streams) + 2.0 * (index >= count // 2)
        yield Observation(n.astype(float), mean, rng.random(streams) * n)


def fresh(name, streams=STREAMS):
    return build(name, streams, PARAMETERS.get(name, {}))


def same(left, right):
    """Whether two states are equal, arrays and lists alike."""
    assert left.keys() == right.keys()
    return all(plain(left[key]) == plain(right[key]) for key in left)


def plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


def verdict(found):
    return found.evidence.tolist(), found.level.tolist(), found.alarm.tolist()


def test_catalogue_knows_ours_and_rivers():
    assert {"adwin", "page_hinkley", "river.ADWIN", "river.KSWIN", "river.PageHinkley"} <= set(
        names()
    )


@every_detector
def test_verdict_has_a_score_for_every_stream_and_alarms_only_on_what_was_seen(name):
    detector = fresh(name)
    for seen in observations(120):
        found = detector.update(seen)
        assert found.evidence.shape == found.level.shape == found.alarm.shape == (STREAMS,)
        assert found.alarm.dtype == np.bool_
        assert np.isfinite(found.evidence).all()
        assert (found.evidence >= 0).all()
        assert (found.level > 0).all()
        assert not (found.alarm & ~seen.seen).any()
        assert (found.evidence[found.alarm] >= found.level[found.alarm]).all()


@every_detector
def test_a_change_is_noticed(name):
    if name == "river.NoDrift":
        return
    detector = fresh(name)
    late = np.zeros(STREAMS, dtype=bool)
    for index, seen in enumerate(observations(200)):
        late |= detector.update(seen).alarm & (index >= 100)
    assert late.all()


@every_detector
@pytest.mark.parametrize("cut", [0, 1, 57, 130])
def test_restored_detector_has_the_same_future(name, cut):
    detector = fresh(name)
    stream = list(observations(200))
    for seen in stream[:cut]:
        detector.reset(detector.update(seen).alarm)
    again = restore(name, PARAMETERS.get(name, {}), detector.state())
    assert again.streams == STREAMS
    assert same(again.state(), detector.state())
    for seen in stream[cut:]:
        expected, found = detector.update(seen), again.update(seen)
        assert verdict(found) == verdict(expected)
        detector.reset(expected.alarm)
        again.reset(found.alarm)
    assert same(again.state(), detector.state())


@every_detector
def test_state_is_a_copy_of_plain_arrays_numbers_and_lists(name):
    detector = fresh(name)
    stream = list(observations(60))
    for seen in stream[:30]:
        detector.update(seen)
    state = detector.state()
    before = json.dumps({key: plain(value) for key, value in state.items()})
    again = restore(name, PARAMETERS.get(name, {}), state)
    for seen in stream[30:]:
        detector.update(seen)
        again.update(seen)
    assert json.dumps({key: plain(value) for key, value in state.items()}) == before


@every_detector
def test_input_is_not_changed(name):
    detector = fresh(name)
    for seen in observations(60):
        before = (seen.n.copy(), seen.mean.copy(), seen.m2.copy())
        detector.update(seen)
        assert all(
            np.array_equal(*pair) for pair in zip(before, (seen.n, seen.mean, seen.m2), strict=True)
        )


UNSEEN = {
    "weightless": (0.0, 5.0, 0.0),
    "negative weight": (-1.0, 5.0, 0.0),
    "mean NaN": (1.0, np.nan, 0.0),
    "mean infinite": (1.0, np.inf, 0.0),
    "m2 NaN": (1.0, 5.0, np.nan),
    "weight NaN": (np.nan, 5.0, 0.0),
    "slack NaN": (1.0, 5.0, 0.0, np.nan),
    "slack infinite": (1.0, 5.0, 0.0, np.inf),
}


@every_detector
@pytest.mark.parametrize("what", UNSEEN)
def test_stream_that_was_not_seen_keeps_its_state_and_its_evidence(name, what):
    detector = fresh(name)
    for seen in observations(41):
        found = detector.update(seen)
        detector.reset(found.alarm)
    before = detector.state()
    last = detector.update(Observation(np.zeros(STREAMS), np.zeros(STREAMS), np.zeros(STREAMS)))
    nothing = detector.update(Observation(*(np.full(STREAMS, value) for value in UNSEEN[what])))
    assert same(before, detector.state())
    assert not nothing.alarm.any()
    assert verdict(nothing) == verdict(last)


@every_detector
def test_reset_streams_are_as_new_and_the_others_go_on(name):
    mask = np.array([True, False, True, False])
    detector, untouched, new = fresh(name), fresh(name), fresh(name)
    stream = list(observations(150, seed=3))
    for seen in stream[:70]:
        detector.update(seen)
        untouched.update(seen)
    detector.reset(mask)
    for seen in stream[70:]:
        found, old, young = (bank.update(seen) for bank in (detector, untouched, new))
        assert (found.alarm == np.where(mask, young.alarm, old.alarm)).all()
        assert (found.evidence == np.where(mask, young.evidence, old.evidence)).all()


@every_detector
def test_constant_stream_never_alarms(name):
    if name == "river.DummyDriftDetector":
        return
    detector = fresh(name)
    for _ in range(300):
        seen = Observation(np.ones(STREAMS), np.array([0.0, 0.1, -7.0, 1e9]), np.zeros(STREAMS))
        assert not detector.update(seen).alarm.any()


@every_detector
def test_streams_do_not_know_of_each_other(name):
    together = fresh(name)
    alone = [fresh(name, streams=1) for _ in range(STREAMS)]
    for seen in observations(150, seed=5):
        found = together.update(seen)
        parts = [
            bank.update(
                Observation(*(column[i : i + 1] for column in (seen.n, seen.mean, seen.m2)))
            )
            for i, bank in enumerate(alone)
        ]
        assert found.alarm.tolist() == [bool(part.alarm[0]) for part in parts]
        assert found.evidence.tolist() == [float(part.evidence[0]) for part in parts]
        together.reset(found.alarm)
        for bank, part in zip(alone, parts, strict=True):
            bank.reset(part.alarm)


@every_detector
def test_bank_of_no_stream_works(name):
    detector = fresh(name, streams=0)
    none = np.zeros(0)
    found = detector.update(Observation(none, none, none))
    detector.reset(np.zeros(0, dtype=bool))
    assert found.evidence.shape == found.level.shape == found.alarm.shape == (0,)
    assert restore(name, PARAMETERS.get(name, {}), detector.state()).streams == 0


@every_detector
def test_observation_of_other_streams_is_refused(name):
    with pytest.raises(ValueError, match="build the detector anew"):
        fresh(name).update(Observation(np.ones(2), np.ones(2), np.ones(2)))


@every_detector
def test_unknown_parameter_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match="does not take sensitivity"):
        build(name, 1, {"sensitivity": 3})


@pytest.mark.parametrize(
    "name", ["kswin", "river.Nothing", "adwin2", "river.", "", "river.datasets"]
)
def test_unknown_name_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match=r"river\.KSWIN"):
        build(name, 1)
    with pytest.raises(ValueError, match=r"river\.KSWIN"):
        restore(name, {}, {})


@pytest.mark.parametrize(
    ("name", "parameters", "reason"),
    [
        ("page_hinkley", {"mode": "sideways"}, "up, down or both"),
        ("page_hinkley", {"alpha": 0.0}, "alpha"),
        ("page_hinkley", {"delta": -1.0}, "delta is -1.0"),
        ("page_hinkley", {"delta": [1.0, 2.0]}, "2 values for 3 streams"),
        ("page_hinkley", {"threshold": [1.0]}, "1 values for 3 streams"),
        ("adwin", {"delta": 1.5}, "between 0 and 1"),
        ("adwin", {"clock": 0}, "clock"),
        ("adwin", {"max_buckets": 1}, "max_buckets"),
        ("adwin", {"min_window_length": 0}, "min_window_length"),
        ("adwin", {"tolerance": [0.1]}, "1 values for 3 streams"),
        ("adwin", {"value_range": np.ones(4)}, "4 values for 3 streams"),
        ("river.KSWIN", {"window_size": 3}, "stat_size must be smaller"),
        ("river.DDM", {}, "right and wrong"),
        ("river.binary.EDDM", {}, "right and wrong"),
    ],
)
def test_parameters_out_of_bounds_are_refused_with_the_reason(name, parameters, reason):
    with pytest.raises(ValueError, match=reason):
        build(name, 3, parameters)
