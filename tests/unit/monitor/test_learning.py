"""Learning a reference from the first panes, and exchanging one for another."""

import math

import pytest

from service.monitor.references.planning import watched_part
from service.values.references import Reference
from service.values.reports import ReferenceState
from service.values.streams import LATENCY, PREDICTION, ValueType
from service.values.watches import FeatureWatch
from tests.unit.monitor.events import (
    LATENESS,
    MODEL,
    P0,
    P1,
    PANE,
    STATE,
    T0,
    Event,
    World,
    X,
    reference,
    stream_of,
    watch,
)


def learned(events, *, given=None, watched=None, parts=1, partitions=(P0,)):
    """A world that has seen the events, in so many parts and dealt out to the partitions."""
    world = World(given, watched or watch(), partitions=partitions)
    world.now = T0 + 100_000.0
    size = math.ceil(len(events) / parts)
    for first in range(0, len(events), size):
        part = events[first : first + size]
        for i, partition in enumerate(partitions):
            world.send(partition, part[i :: len(partitions)])
        world.advance()
    return world


def newest(world) -> Reference:
    return world.judge.models[MODEL].references.newest.reference


def named(found: Reference):
    return {stream.key: stream for stream in found.streams}


LOG = stream_of(0.0, 30, 100)


def test_what_is_learned_does_not_depend_on_batches_or_partitions():
    one = learned(LOG, parts=1)
    many = learned(LOG, parts=len(LOG) // 70)
    two = learned(LOG, parts=7, partitions=(P0, P1))
    assert newest(one).streams
    assert newest(one).hash == newest(many).hash == newest(two).hash


def test_a_reference_is_learned_from_whole_panes_that_have_rows_enough():
    world = learned(LOG, parts=30)
    found = newest(world)
    assert found.rows == 1000
    assert (found.lineage.from_seconds, found.lineage.to_seconds) == (T0, T0 + 600.0)
    assert found.lineage.source == "learned"
    assert set(named(found)) == {X, STATE, PREDICTION, LATENCY}
    assert named(found)[STATE].type is ValueType.CATEGORICAL


def test_it_comes_into_force_ahead_of_everything_that_was_seen():
    world = learned(LOG, parts=30)
    model = world.judge.models[MODEL]
    first_seen = {T0 + i * PANE for i in range(30)}
    assert model.reference_state is ReferenceState.READY
    learned_at = T0 + 660.0 + LATENESS  # the watermark that closed the tenth pane
    start = model.references.schedule().plans[-1][0]
    assert start >= learned_at + 2 * PANE
    assert start in first_seen
    used = {p.start_seconds: p.plan.reference_hash for p in world.panes().values()}
    assert set(used.values()) == {newest(world).hash}


def test_panes_before_and_after_are_counted_by_their_own_plan():
    world = World(None, watch())
    world.now = T0 + 100_000.0
    seen = {}
    for first in range(0, len(LOG), 100):
        world.send(P0, LOG[first : first + 100])
        seen |= {start: pane.plan.reference_hash for start, pane in world.panes().items()}
        world.advance()
    switch = world.judge.models[MODEL].references.schedule().plans[-1][0] - T0
    assert switch > 600.0
    assert {start for start, hash_ in seen.items() if hash_} == {s for s in seen if s >= switch}
    assert world.judge.models[MODEL].comparison.plan.reference_hash == newest(world).hash


def test_panes_ahead_of_our_clock_that_are_closed_with_what_is_learned_keep_their_plan():
    """All partitions idle: the pane ahead is judged right after the one that was learned from."""
    world = World(None, watch(learn_events=100))
    world.now = T0 + 20.0
    ahead = [Event(20.0 + 60.0 * i, x=float(i), arrived=20.0) for i in range(5)]
    world.send(P0, [Event(i / 10, x=float(i % 7)) for i in range(200)] + ahead)
    world.now = T0 + 100.0
    world.at_the_end()
    world.advance()
    model = world.judge.models[MODEL]
    assert model.rows_judged == 205
    assert model.comparison is None
    assert model.references.newest.effective_from_seconds > T0 + 240.0


def test_learning_takes_as_long_as_it_was_told_to():
    world = learned(LOG, parts=30, watched=watch(learn_seconds=1500.0))
    assert newest(world).lineage.to_seconds == T0 + 1500.0
    short = learned(LOG[:600], watched=watch(learn_seconds=1500.0))
    assert short.judge.models[MODEL].learned_ratio == pytest.approx(240.0 / 1500.0)


def test_nothing_is_learned_where_the_settings_say_stop():
    world = learned(LOG, watched=watch(learn=False))
    model = world.judge.models[MODEL]
    assert (model.reference_state, model.learned_ratio) == (ReferenceState.NONE, 1.0)
    assert (model.comparison, newest(world)) == (None, None)
    assert world.judge.totals(MODEL, world.shards.values()).predictions == len(LOG)


def test_outputs_that_a_reference_lacks_are_learned_and_its_inputs_kept():
    given = reference(outputs=False)
    world = learned(LOG, given=given)
    assert named(newest(world)).keys() == {X, STATE, PREDICTION, LATENCY}
    assert named(newest(world))[X].counts.tolist() == named(given)[X].counts.tolist()
    assert world.judge.models[MODEL].reference_state is ReferenceState.READY
    assert newest(world).lineage.metadata["learned"] == "latency latency, output prediction"


def test_rows_without_a_value_are_missing_from_what_is_learned():
    log = [Event(i * 0.6, x=None if i % 4 else 1.0 * i, prediction=None) for i in range(1500)]
    found = named(newest(learned(log, parts=13)))
    assert (found[X].missing, found[X].valid) == (750, 250)
    assert PREDICTION not in found


def test_a_stream_that_turns_up_late_was_missing_before():
    log = [Event(i * 0.6, more={"late": 5.0} if i >= 900 else {}) for i in range(1500)]
    (late,) = (s for s in newest(learned(log, parts=15)).streams if s.key.name == "late")
    assert (late.missing, late.valid) == (900, 100)


def test_no_more_features_are_learned_than_may_be():
    log = [Event(i * 0.6, more={f"f{i % 40}": 1.0}) for i in range(1500)]
    world = learned(log, parts=150, watched=watch(features_max=10))
    assert len(newest(world).streams) <= 12


def test_a_type_set_by_hand_rules_what_is_learned():
    features = {"x": FeatureWatch(type=ValueType.CATEGORICAL)}
    log = [Event(i * 0.6, x=float(i % 3)) for i in range(1500)]
    found = named(newest(learned(log, watched=watch(features))))
    assert found[X].type is ValueType.CATEGORICAL
    assert named(newest(learned(log)))[X].type is ValueType.NUMERIC


def test_another_file_comes_into_force_from_a_pane_that_nothing_has_touched():
    first, second = reference(seed=1), reference(seed=2)
    before = learned(LOG[:1000], given=first)
    world = before.restarted(second)
    untouched = max(p.start_seconds for p in world.panes().values())
    (_, old), (start, new) = world.judge.models[MODEL].references.schedule().plans
    assert (old.reference_hash, new.reference_hash) == (first.hash, second.hash)
    assert start >= untouched + PANE
    world.send(P0, LOG[1000:])
    by_plan = {p.plan.reference_hash for p in world.panes().values()}
    assert by_plan == {first.hash, second.hash}
    world.advance()
    assert world.judge.models[MODEL].comparison.plan.reference_hash == second.hash
    assert world.judge.models[MODEL].rows_unjudged == 0


def test_the_same_file_after_a_restart_changes_nothing():
    given = reference()
    world = learned(LOG[:1000], given=given).restarted(given)
    assert world.judge.models[MODEL].references.schedule().settled


def test_a_file_that_is_there_after_a_restart_supersedes_what_was_learned():
    given = reference()
    world = learned(LOG[:1500]).restarted(given)
    world.send(P0, LOG[1500:])
    world.advance()
    assert world.judge.models[MODEL].comparison.plan.reference_hash == given.hash


def test_learning_goes_on_over_a_restart_as_if_nothing_had_happened():
    world = learned(LOG[:500]).restarted()
    world.send(P0, LOG[500:])
    world.advance()
    assert newest(world).hash == newest(learned(LOG)).hash


def test_features_ignored_from_now_on_leave_what_was_learned():
    ignoring = watch({"state": FeatureWatch(ignore=True)}, ignored=("state",))
    world = learned(LOG[:1500]).restarted(watched=ignoring)
    assert set(named(newest(world))) == {X, PREDICTION, LATENCY}
    again = world.restarted(watched=ignoring)
    plans = again.judge.models[MODEL].references.schedule().plans
    assert plans[-1][1].features == {"x"}
    world.send(P0, LOG[1500:])
    world.advance()
    assert world.judge.models[MODEL].comparison.plan.features == {"x"}


def test_the_reference_without_ignored_features_is_another_one():
    given = reference()
    part = watched_part(given, watch({"x": FeatureWatch(ignore=True)}))
    assert set(named(part)) == {STATE, PREDICTION, LATENCY}
    assert part.hash != given.hash
    assert watched_part(given, watch()) is given


def test_a_number_where_the_reference_has_categories_is_unseen_and_text_for_a_number_invalid():
    world = World(reference(), watch())
    world.now = T0 + 1000.0
    world.send(P0, [Event(0.0, state=7, x="seven"), Event(1.0, state=True)])
    quality = world.judge.totals(MODEL, world.shards.values()).quality
    assert quality[STATE].tolist() == [0, 0, 2]
    assert quality[X].tolist() == [0, 1, 0]
