"""The budget of a team is shared by the streams of all its models, however many come and go."""

import math

import pytest

from service.monitor.detecting.calibration import counted_up
from service.values.streams import ROWS, ModelKey
from service.values.watches import SeasonWatch
from tests.unit.monitor.events import MODEL, OTHER, P0, T0, X, assert_same, reference, watch
from tests.unit.monitor.stories import ALL, Story, known_of

THIRD = ModelKey("third", "1")
GIVEN = {key: reference(model=key.model) for key in (MODEL, OTHER, THIRD)}
OWN = 4 + 2 + 1
"""Streams of each model: values, quality, volume."""


def story(scope="team", **changes):
    return Story(GIVEN, watch(detectors=ALL, budget=scope, **changes))


def levels(of, key=MODEL):
    comparison = of.world.judge.models[key].comparison
    shapes, (adwin, hinkley) = comparison.detection.shapes, comparison.detection.means
    return {
        "shapes": float(shapes.level[0]),
        "volume": float(shapes.level[-1]),
        "delta": float(adwin.parameters["delta"]),
        "threshold": float(hinkley.level[0]),
    }


def test_another_model_of_the_team_raises_the_thresholds_from_its_first_pane_on():
    alone = story().feed(20)
    both = story().feed(20).feed(10, models=(MODEL, OTHER))
    before, after = levels(alone), levels(both)
    raised = math.log(counted_up(OWN, 2 * OWN) / OWN)
    assert raised == pytest.approx(math.log(2), abs=math.log(1.1))
    assert after["shapes"] == pytest.approx(before["shapes"] + raised)
    assert after["volume"] == pytest.approx(before["volume"] + raised)
    assert after["delta"] == pytest.approx(before["delta"] * OWN / counted_up(OWN, 2 * OWN))
    assert after["threshold"] == pytest.approx(before["threshold"] + raised, abs=0.02)
    assert levels(both, OTHER) == pytest.approx(after)


def test_what_was_seen_stays_when_thresholds_change():
    one, other = story(), story("model")
    for of in (one, other):
        of.feed(40).feed(3, models=(MODEL, OTHER)).feed(8, models=(MODEL, OTHER), shift=0.35)
    assert levels(one)["shapes"] > levels(other)["shapes"] + 0.5
    told, expected = known_of(one, X), known_of(other, X)
    # The tolerance is the same at any level, so what is asked of the null's mass differs a little.
    assert told.pop("evidence") == pytest.approx(expected.pop("evidence"), rel=0.1)
    assert_same(told, expected)
    assert one.of(X, one.comparison.banks[0].evidence) > 1


def test_a_drift_goes_on_when_thresholds_change():
    of = story().feed(30).feed(10, shift=1.0)
    (before,) = of.open
    of.feed(10, shift=1.0, models=(MODEL, OTHER))
    assert before.id in {episode.id for episode in of.open}
    assert of.starts() == len(of.open)


def test_thresholds_fall_again_when_a_model_is_forgotten():
    of = story().feed(10, models=(MODEL, OTHER))
    shared = levels(of)["shapes"]
    of.feed(3)
    del of.world.judge.models[OTHER]
    of.feed(3)
    assert levels(of)["shapes"] == pytest.approx(shared - math.log(counted_up(OWN, 2 * OWN) / OWN))


def test_a_model_with_a_budget_of_its_own_shares_with_nobody():
    of = story("model").feed(20, models=(MODEL, OTHER))
    assert levels(of) == levels(story("model").feed(20))


def test_a_model_that_was_only_heard_of_shares_nothing_yet():
    of = story().feed(10)
    alone = levels(of)
    of.world.judge.schedule(OTHER)
    of.feed(2)
    assert levels(of) == alone


def test_a_restart_judges_by_the_same_thresholds():
    whole, broken = story(), story()
    for of in (whole, broken):
        of.feed(10).feed(10, models=(MODEL, OTHER))
    broken.restart(GIVEN)
    assert levels(broken) == pytest.approx(levels(whole))
    for of in (whole, broken):
        of.feed(5, models=(MODEL, OTHER))
    assert_same(whole.world.judge.state(), broken.world.judge.state())


def test_a_restart_without_a_model_that_was_there_judges_by_those_that_are():
    of = story().feed(10, models=(MODEL, OTHER, THIRD))
    two = story().feed(12, models=(MODEL, OTHER))
    for part in (of.world.judge, of.world.shards[P0]):
        del part.models[THIRD]
    of.restart({key: GIVEN[key] for key in (MODEL, OTHER)})
    of.feed(2, models=(MODEL, OTHER))
    for key in (MODEL, OTHER):
        assert levels(of, key) == pytest.approx(levels(two, key))


def test_thresholds_do_not_depend_on_how_the_log_was_read():
    by_pane, at_once = story(), story()
    events = []
    for models in [(MODEL,)] * 10 + [(MODEL, OTHER)] * 20:
        events += by_pane.events(models)
        by_pane.feed(1, models=models)
    at_once.send(events)
    assert_same(by_pane.world.judge.state(), at_once.world.judge.state())


def test_streams_that_share_are_counted_up_by_a_tenth_at_most():
    assert [counted_up(7, sharing) for sharing in (0, 5, 7)] == [7, 7, 7]
    counts = [counted_up(7, sharing) for sharing in range(8, 20_000)]
    assert all(n <= up <= 1.1 * n for n, up in zip(range(8, 20_000), counts, strict=True))
    assert len(set(counts)) < 90


def test_the_volume_keeps_its_evidence_at_another_level():
    of = story(season=SeasonWatch("none")).feed(3)
    volume = of.comparison.detection.shapes.volume
    volume.add(T0 + 1e6, T0 + 1e6 + 60.0, 5, drifts=False)
    before = volume.state()
    volume.judge_by(volume.level + 1.0)
    assert_same(volume.state(), before)
    assert of.of(ROWS, of.comparison.detection.shapes.level) == pytest.approx(volume.level - 1.0)
