"""What is derived is learned after its sources: relations between inputs, then the error."""

import dataclasses

import numpy as np
import pytest
from msgspec.structs import replace

from service.monitor.references.reference import with_projection
from service.monitor.references.unchanged import unchanged
from service.values.reports import ReferenceState
from service.values.streams import JOINT, PREDICTION, ValueType, above_cutoff
from service.values.watches import FeatureWatch
from tests.unit.monitor.events import MODEL, P0, P1, T0, Event, World, X, assert_same, watch

PANES, ROWS = 90, 100
CUTOFF = above_cutoff(0.5)
PARTS = ROWS


def log(panes=PANES, correlated=PANES, seed=4):
    """Events of `x` and a `y` that goes with it in the first `correlated` panes; margins stay."""
    rng = np.random.default_rng(seed)
    events = []
    for i in range(panes * ROWS):
        x, own, score = rng.normal(), rng.normal(), rng.random()
        y = 0.8 * x + 0.6 * own if i < correlated * ROWS else own
        more = {"y": y, "z": float(rng.normal())}
        events.append(Event(i * 60.0 / ROWS, x=x, more=more, prediction=round(score, 3)))
    return events


def run(world, events, partitions=(P0,)):
    for first in range(0, len(events), PARTS):
        part = events[first : first + PARTS]
        for i, partition in enumerate(partitions):
            world.send(partition, part[i :: len(partitions)])
        world.advance()
    return world


def fresh(watched=None, partitions=(P0,)):
    world = World(None, watched or watch(), partitions=partitions)
    world.now = T0 + 100_000.0
    return world


def newest(world):
    return world.judge.models[MODEL].references.newest


def keys(world):
    return {stream.key for stream in newest(world).reference.streams}


def test_relations_are_learned_then_the_error_and_then_nothing():
    world, events = fresh(), log()
    seen = []
    for first in range(0, len(events), PARTS):
        run(world, events[first : first + PARTS])
        plan = newest(world).plan
        stage = (plan.learn_inputs, plan.scaling is not None, plan.derived)
        if not seen or seen[-1] != stage:
            seen.append(stage)
    assert seen == [
        (True, False, ()),
        (False, True, ()),
        (False, False, (JOINT,)),
        (False, False, ()),
    ]
    found = newest(world).reference
    assert found.projection.features == ("x", "y")
    (joint,) = [s for s in found.streams if s.key == JOINT]
    assert joint.type is ValueType.NUMERIC
    assert joint.valid >= 1000
    assert found.lineage.metadata["learned"] == "joint reconstruction error"


def test_a_relation_that_ends_is_noticed_though_the_margins_stay():
    world = run(fresh(), log(panes=110, correlated=PANES))
    drifted = {t.stream: t.pane_start_seconds for t in world.transitions if t.drifted}
    assert set(drifted) == {JOINT}
    assert 0 <= (drifted[JOINT] - T0) / 60 - PANES < 10


def test_the_reference_is_ready_before_anything_derived_is_learned():
    world = run(fresh(), log(panes=25))
    model = world.judge.models[MODEL]
    assert newest(world).plan.scaling is not None
    assert (model.reference_state, model.learned_ratio) == (ReferenceState.READY, 1.0)


def test_knowing_the_relations_makes_nothing_start_afresh():
    world = fresh()
    events = log()
    comparisons = {}
    for first in range(0, len(events), PARTS):
        run(world, events[first : first + PARTS])
        comparison = world.judge.models[MODEL].comparison
        if comparison is not None:
            known = comparison.reference.projection is not None
            comparisons.setdefault((known, JOINT in comparison.plan.streams), comparison)
    assert list(comparisons) == [(False, False), (True, False), (True, True)]
    assert comparisons[True, False] is comparisons[False, False]
    assert comparisons[True, True] is not comparisons[False, False]


def test_learning_the_error_leaves_what_is_known_of_all_others():
    world, events = fresh(), log()
    known_from, counted = {}, None
    for first in range(0, len(events), PARTS):
        run(world, events[first : first + PARTS])
        comparison = world.judge.models[MODEL].comparison
        if comparison is None or JOINT not in comparison.plan.streams:
            continue
        if counted is None:
            counted = comparison.windows[1].total.moments.n.tolist()
        for key in (X, JOINT):
            place = comparison.plan.streams.index(key)
            if comparison.detection.dispersions.estimated[place]:
                known_from.setdefault(key, first)
    joint, x = (comparison.plan.streams.index(key) for key in (JOINT, X))
    assert 0 < counted[joint] <= ROWS < counted[x]
    assert known_from[X] + 10 * PARTS < known_from[JOINT]


def test_the_error_is_another_one_where_the_inputs_are_related_otherwise():
    known = newest(run(fresh(), log())).reference
    assert JOINT in unchanged(known, known)
    halved = dataclasses.replace(known.projection, residuals=known.projection.residuals / 2)
    other = with_projection(known, halved)
    assert unchanged(known, known) - unchanged(known, other) == {JOINT}


@pytest.mark.parametrize("cut", [18, 34])
def test_a_restart_in_the_middle_of_learning_changes_nothing(cut):
    events = log()
    whole = run(fresh(), events)
    broken = run(fresh(), events[: cut * ROWS])
    plan = newest(broken).plan
    assert (plan.scaling is not None, plan.derived) == (
        (True, ()) if cut == 18 else (False, (JOINT,))
    )
    run(after := broken.restarted(), events[cut * ROWS :])
    assert newest(after).reference.hash == newest(whole).reference.hash
    assert_same(whole.judge.state(), after.judge.state())


def test_partitions_add_up_to_the_same_relations():
    events = log()
    one, two = run(fresh(), events), run(fresh(partitions=(P0, P1)), events, (P0, P1))
    found = [newest(world).reference for world in (one, two)]
    np.testing.assert_array_equal(found[0].projection.residuals, found[1].projection.residuals)


def test_cut_offs_are_learned_with_the_rest():
    watched = replace(watch(), cutoffs=(0.5,))
    world = run(fresh(watched), log(panes=30))
    (stream,) = [s for s in newest(world).reference.streams if s.key == CUTOFF]
    assert stream.type is ValueType.BOOLEAN
    above = sum(event.prediction > 0.5 for event in log(panes=30)[: stream.valid])
    assert stream.counts.tolist() == [stream.valid - above, above, 0]


def test_a_cut_off_that_is_added_is_learned_after_the_restart():
    world = run(fresh(), log())
    watched = replace(watch(), cutoffs=(0.5,))
    after = world.restarted(watched=watched)
    assert newest(after).plan.derived == (CUTOFF,)
    run(after, [replace(e, at=e.at + PANES * 60.0) for e in log(panes=30, seed=5)])
    assert keys(after) == keys(world) | {CUTOFF}
    assert not newest(after.restarted(watched=watched)).plan.learns


def test_ignoring_a_related_input_makes_the_rest_be_looked_at_again():
    world = run(fresh(), log())
    ignoring = watch({"y": FeatureWatch(ignore=True)})
    after = world.restarted(watched=ignoring)
    assert JOINT not in keys(after)
    assert newest(after).plan.scaling.features == ("x", "z")
    assert PREDICTION in keys(after)
