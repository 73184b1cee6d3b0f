"""When a pane is closed, by whom, and that no row is ever lost between the states it can be in."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.monitor.counting.shard import TimeRules
from service.monitor.references.in_force import References
from service.values.rejects import Reason
from service.values.streams import ModelKey
from tests.unit.monitor.events import (
    IDLE,
    MODEL,
    OTHER,
    P0,
    P1,
    P2,
    T0,
    Event,
    World,
    assert_same,
    decoder_of,
    judge_of,
    reference,
    stream_of,
)

NORMAL = reference()
THREE = (P0, P1, P2)


def judged(world, key=MODEL):
    """Seconds after T0 through which the model was judged."""
    return world.judge.models[key].judged_through_seconds - T0


def books(world, key=MODEL):
    model = world.judge.models[key]
    totals = world.judge.totals(key, world.shards.values())
    return totals.predictions, model.rows_judged, model.rows_unjudged, world.open_rows(key)


def test_a_pane_is_closed_once_every_partition_has_passed_it():
    world = World(NORMAL, partitions=THREE)
    world.now = T0 + 200.0
    for partition, newest in ((P0, 200.0), (P1, 199.0), (P2, 119.0)):
        world.send(partition, [Event(10.0), Event(newest)])
    world.advance()
    assert (judged(world), world.open_rows()) == (-math.inf, 6)
    world.send(P2, [Event(120.0)])
    world.advance()
    assert (judged(world), world.open_rows()) == (60.0, 4)
    assert world.judge.models[MODEL].rows_judged == 3


def test_an_idle_partition_holds_nobody_up():
    world = World(NORMAL, partitions=(P0, P1))
    world.send(P1, [Event(0.0)])
    world.now = T0 + IDLE
    world.send(P0, [Event(0.0), Event(300.0)])
    world.at_the_end(P1)
    world.advance()
    assert judged(world) == 60.0
    assert books(world) == (3, 2, 0, 1)


def test_a_partition_that_never_saw_the_model_holds_it_up_until_it_is_idle():
    world = World(NORMAL, partitions=(P0, P1))
    world.send(P0, [Event(0.0), Event(300.0)])
    world.at_the_end(P1)
    world.advance()
    assert books(world) == (2, 0, 0, 2)
    world.now = T0 + IDLE
    world.at_the_end(P1)
    world.advance()
    assert books(world) == (2, 1, 0, 1)


def test_everybody_idle_closes_what_is_open():
    world = World(NORMAL, partitions=(P0, P1))
    world.send(P0, [Event(0.0)])
    world.now = T0 + IDLE
    world.at_the_end()
    world.advance()
    assert books(world) == (1, 1, 0, 0)


def test_each_model_in_a_partition_of_its_own_is_judged_while_a_backlog_is_read():
    """Nobody has reached an end: other models' records say that the partition has passed."""
    world = World({MODEL: NORMAL}, partitions=(P0, P1))
    world.now = T0 + 100_000.0
    for at in range(0, 3600, 600):
        world.send(P0, [Event(float(at + second)) for second in range(0, 600, 30)])
        world.send(P1, [Event(float(at + s), model=OTHER) for s in range(0, 600, 30)])
        world.advance()
        assert len(world.panes()) <= 12
    assert judged(world) == judged(world, OTHER) >= 3420.0


def test_rows_of_a_pane_that_was_judged_are_counted_as_unjudged():
    world = World(NORMAL, partitions=(P0, P1))
    world.send(P0, [Event(0.0), Event(300.0)])
    world.now = T0 + IDLE
    world.at_the_end(P1)
    world.advance()
    world.send(P1, [Event(20.0), Event(21.0), Event(300.0)])
    world.advance()
    assert books(world) == (5, 1, 2, 2)
    assert world.judge.models[MODEL].panes_judged == 1


def test_quality_of_open_and_closed_panes_is_told():
    world = World(NORMAL)
    world.now = T0 + 400.0
    world.send(P0, [Event(0.0, x=None), Event(300.0, x=None, state="strange")])
    for _ in range(2):
        quality = world.judge.totals(MODEL, world.shards.values()).quality
        told = {key.name: counts.tolist() for key, counts in quality.items()}
        assert (told["x"], told["state"]) == ([2, 0, 0], [0, 0, 1])
        world.advance()
    assert world.judge.models[MODEL].panes_judged == 1


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("send"),
            st.sampled_from(THREE),
            st.lists(st.integers(-300, 60), min_size=1, max_size=6),
        ),
        st.tuples(st.just("wait"), st.integers(1, 120)),
        st.tuples(st.just("reach the end"), st.sampled_from(THREE)),
    ),
    max_size=25,
)


@given(steps)
@settings(max_examples=60)
def test_predictions_are_judged_unjudged_or_open_whatever_the_schedule(schedule):
    world = World(NORMAL, partitions=THREE)
    sent = 0
    for what, *how in schedule:
        if what == "send":
            now = world.now - T0
            world.send(how[0], [Event(now + age, arrived=now) for age in how[1]])
            sent += len(how[1])
        elif what == "wait":
            world.now += how[0]
        else:
            world.at_the_end(how[0])
        world.advance()
        if MODEL in world.judge.models:
            predictions, *states = books(world)
            assert predictions == sum(states)
    if MODEL in world.judge.models:
        world.advance(to_the_end=True)
        totals = world.judge.totals(MODEL, world.shards.values())
        assert world.open_rows() == 0
        assert totals.predictions + totals.late == sent


@given(st.permutations(THREE), st.permutations(THREE))
@settings(max_examples=6)
def test_the_order_of_partitions_changes_nothing(order, other_order):
    worlds = []
    for partitions in (order, other_order):
        world = World(NORMAL, partitions=partitions)
        world.now = T0 + 900.0
        for partition in partitions:
            log = stream_of(0.0, 12, 40, shift=1.5, seed=partition.number)
            world.send(partition, log)
        world.advance()
        worlds.append(world)
    one, other = worlds
    assert one.transitions == other.transitions != []
    assert_same(one.judge.state(), other.judge.state())


def test_a_replay_that_ends_judges_everything_in_order():
    world = World(NORMAL, partitions=(P0, P1))
    world.now = T0 + 10_000.0
    world.send(P0, [Event(500.0), Event(10_000.0)])
    world.send(P1, [Event(0.0)])
    world.advance(to_the_end=True)
    assert books(world) == (3, 3, 0, 0)
    assert judged(world) == 10_020.0


def test_one_model_version_too_many_is_refused_and_counted():
    world = World(NORMAL, models_max=2)
    for version in ("1", "2", "3", "4"):
        world.send(P0, [Event(0.0, model=ModelKey("m", version)), Event(1.0)])
    assert sorted(world.judge.models) == [("m", "1"), ("m", "2")]
    assert world.judge.over_limit == 2
    assert world.shards[P0].book.rejected == {Reason.OVER_LIMIT: 2}


def test_names_of_unknown_features_are_remembered_up_to_a_limit():
    world = World(NORMAL)
    world.send(P0, [Event(0.0)])
    known = world.judge.models[MODEL].unknown_features
    world.judge.note_unknown({MODEL: frozenset({"a", "b", "c"})}, most=4)
    world.judge.note_unknown({MODEL: frozenset({"a", "b", "c", "d", "e"})}, most=4)
    world.judge.note_unknown({OTHER: frozenset({"x"})})
    assert known == {"a", "b", "c", "d"}


def test_features_that_no_plan_watches_are_noted_from_events():
    world = World(NORMAL)
    world.send(P0, [Event(0.0, more={"shoe_size": 44})])
    world.judge.note_unknown({MODEL: frozenset({"shoe_size"})})
    assert world.judge.models[MODEL].unknown_features == {"shoe_size"}


def test_a_judge_goes_on_from_its_state_as_if_nothing_had_happened():
    worlds = [World(NORMAL), World(NORMAL)]
    log = stream_of(0.0, 10, 50) + stream_of(600.0, 10, 50, shift=2.0, seed=1)
    for first in range(0, len(log), 100):
        for world in worlds:
            world.now = T0 + first * 60 / 50 + 120
            world.send(P0, log[first : first + 100])
            world.advance()
        restarted = World(NORMAL)
        restarted.judge.restore(worlds[1].judge.state(), {MODEL: worlds[1].now})
        worlds[1].judge = restarted.judge
        worlds[1].decoder = restarted.decoder
    assert worlds[0].transitions == worlds[1].transitions != []
    assert_same(worlds[0].judge.state(), worlds[1].judge.state())


def test_asking_for_a_plan_that_is_not_in_force_is_an_error():
    world = World(NORMAL)
    world.send(P0, [Event(0.0)])
    assert world.judge.plan(MODEL, NORMAL.hash).reference_hash == NORMAL.hash
    with pytest.raises(KeyError):
        world.judge.plan(MODEL, "another")


class TestForgetting:
    """A model version is forgotten a day after its last event here."""

    DAY = 86_400.0
    RULES = TimeRules(forget_after_seconds=DAY)

    @pytest.fixture
    def world(self):
        world = World(NORMAL, partitions=(P0, P1))
        world.judge = judge_of(NORMAL, rules=self.RULES)
        world.decoder = decoder_of(world.judge)
        world.send(P0, [Event(0.0), Event(0.0, model=OTHER)])
        world.now = T0 + 600.0
        world.send(P1, [Event(600.0)])
        return world

    def forgotten(self, world, now):
        world.now = T0 + now
        world.at_the_end()
        return world.judge.forget(world.shards.values(), world.now)

    def test_silence_everywhere_makes_it_forgotten(self, world):
        assert self.forgotten(world, self.DAY - 1) == []
        assert self.forgotten(world, self.DAY) == [OTHER]
        assert self.forgotten(world, self.DAY + 599) == []
        assert self.forgotten(world, self.DAY + 600) == [MODEL]
        assert world.judge.models == {}
        assert [shard.models for shard in world.shards.values()] == [{}, {}]

    def test_a_log_that_was_not_read_to_its_end_may_hold_an_event_of_it(self, world):
        world.now = T0 + 10 * self.DAY
        world.at_the_end(P0)
        assert world.judge.forget(world.shards.values(), world.now) == []

    def test_one_that_comes_back_begins_anew(self, world):
        self.forgotten(world, self.DAY)
        world.send(P0, [Event(self.DAY, model=OTHER)])
        assert books(world, OTHER) == (1, 0, 0, 1)

    def test_there_is_room_for_another_one_then(self, world):
        world.judge = judge_of(NORMAL, rules=self.RULES, models_max=2)
        world.decoder = decoder_of(world.judge)
        world.send(P0, [Event(0.0), Event(0.0, model=OTHER)])
        third = ModelKey("third", "1")
        world.send(P0, [Event(0.0, model=third)])
        assert third not in world.judge.models
        self.forgotten(world, 2 * self.DAY)
        world.send(P0, [Event(2 * self.DAY, model=third)])
        assert third in world.judge.models


class TestReferences:
    """The entries of one model version, by time."""

    @pytest.fixture
    def references(self):
        world = World(NORMAL)
        world.send(P0, [Event(0.0)])
        found = world.judge.models[MODEL].references
        assert isinstance(found, References)
        return found

    def plans(self, references):
        return [(start, plan.reference_hash) for start, plan in references.schedule().plans]

    def test_the_schedule_is_the_same_object_until_something_changes(self, references):
        first = references.schedule()
        assert references.schedule() is first
        references.add(T0, "b", reference(seed=2), learns=True)
        assert references.schedule() is not first

    def test_an_entry_supersedes_what_would_have_come_later(self, references):
        second, third = reference(seed=2), reference(seed=3)
        references.add(T0 + 600.0, "b", second, learns=True)
        references.add(T0 + 300.0, "c", third, learns=True)
        assert self.plans(references) == [(-math.inf, NORMAL.hash), (T0 + 300.0, third.hash)]

    def test_an_entry_is_retired_once_the_next_one_holds(self, references):
        second = reference(seed=2)
        references.add(T0 + 600.0, "b", second, learns=True)
        references.retire(T0 + 599.0)
        assert len(self.plans(references)) == 2
        references.retire(T0 + 600.0)
        assert self.plans(references) == [(T0 + 600.0, second.hash)]
        assert references.schedule().settled
