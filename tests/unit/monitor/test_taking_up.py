"""References that come while the judge runs: given, inherited, or decided by a judge before."""

import math

from msgspec.structs import replace

from service.monitor.judging.judge import Judge
from service.monitor.judging.model_judge import Pacing
from service.monitor.references.agreement import agreed
from service.monitor.references.given import GivenReferences
from service.monitor.references.inheriting import INHERITED, inherited
from service.monitor.references.planning import plan_for
from service.values.streams import LATENCY, PREDICTION, Kind, ModelKey
from tests.unit.monitor.events import (
    IDLE,
    MODEL,
    P0,
    RULES,
    T0,
    World,
    decoder_of,
    reference,
    stream_of,
    watch,
)

V2 = ModelKey("m", "2")


def world_of(table, watched=None, **more):
    """A world whose judge asks `table` for what is given, also later, as a directory is asked."""
    world, how = World(), watched or watch()
    world.judge = Judge(lambda _: how, table.get, plan_for, RULES, IDLE, 10, **more)
    world.decoder = decoder_of(world.judge)
    return world


def run(world, start, panes, **more):
    for number in range(panes):
        world.send(P0, stream_of(start + 60.0 * number, 1, 60, seed=number, **more))
        world.now = T0 + start + 60.0 * (number + 1)
        world.advance()


def in_force(world, key=MODEL):
    return {start: plan.reference_hash for start, plan in world.judge.schedule(key).plans}


def test_a_reference_that_is_given_while_it_runs_holds_from_a_pane_nothing_has_touched():
    one, two = reference(seed=1), reference(seed=2)
    table = {MODEL: one}
    world = world_of(table)
    run(world, 0.0, 10)
    assert world.judge.take_up(world.shards.values()) == []
    table[MODEL] = two
    assert world.judge.take_up(world.shards.values()) == [MODEL]
    newest = max(in_force(world))
    assert newest >= T0 + 540.0 + 2 * 60.0 + RULES.lateness_seconds
    assert in_force(world)[newest] == two.hash
    run(world, 600.0, 20)
    assert in_force(world) == {newest: two.hash}
    assert world.judge.models[MODEL].comparison.plan.reference_hash == two.hash
    assert world.judge.models[MODEL].rows_unjudged == 0


def test_looking_again_at_the_same_changes_nothing():
    table = {MODEL: reference(seed=1)}
    world = world_of(table)
    run(world, 0.0, 5)
    table[MODEL] = reference(seed=2)
    world.judge.take_up(world.shards.values())
    before = world.judge.schedule(MODEL)
    assert world.judge.take_up(world.shards.values()) == []
    assert world.judge.schedule(MODEL) is before


def test_a_reference_that_is_taken_away_holds_on():
    table = {MODEL: reference(seed=1)}
    world = world_of(table)
    run(world, 0.0, 5)
    del table[MODEL]
    assert world.judge.take_up(world.shards.values()) == []
    assert list(in_force(world).values()) == [reference(seed=1).hash]


def test_outputs_that_were_learned_stay_when_another_one_about_the_inputs_is_given():
    table = {MODEL: reference(seed=1, outputs=False)}
    world = world_of(table)
    run(world, 0.0, 30)
    assert PREDICTION in world.judge.schedule(MODEL).plans[-1][1].streams
    table[MODEL] = reference(seed=2, outputs=False)
    world.judge.take_up(world.shards.values())
    assert PREDICTION in world.judge.schedule(MODEL).plans[-1][1].streams


def test_a_new_reference_lies_further_ahead_where_it_takes_long_until_it_is_known():
    assert Pacing(60.0, 60.0, 120.0).effective_from(T0) == T0 + 300.0
    assert Pacing(60.0, 60.0).effective_from(T0) == T0 + 180.0
    assert Pacing(60.0, 60.0, 120.0).effective_from(-math.inf) == -math.inf


def given_of(watched, *references):
    return GivenReferences({}, lambda _: "", lambda _: watched, references)


def test_a_new_version_is_judged_by_the_inputs_of_the_one_before_from_its_first_pane():
    how = watch(inherit=True)
    given = given_of(how, reference(seed=1))
    world = World()
    world.judge = Judge(lambda _: how, given, plan_for, RULES, IDLE, 10, inherited=given.inherited)
    world.decoder = decoder_of(world.judge)
    run(world, 0.0, 3, model=V2)
    plan = world.judge.schedule(V2).plans[0][1]
    assert {key.kind for key in plan.streams} == {Kind.INPUT}
    assert plan.learn_outputs
    assert world.judge.models[V2].comparison is not None
    run(world, 180.0, 30, model=V2)
    newest = world.judge.models[V2].references.newest.reference
    assert {PREDICTION, LATENCY} <= {stream.key for stream in newest.streams}
    assert newest.version == "2"
    # The older version's reference that changes now is none of this one's.
    assert world.judge.take_up(world.shards.values()) == []


def test_what_another_version_has_learned_is_inherited_too():
    how = watch(inherit=True)
    given = given_of(how)
    world = World()
    world.judge = Judge(lambda _: how, given, plan_for, RULES, IDLE, 10, inherited=given.inherited)
    world.decoder = decoder_of(world.judge)
    run(world, 0.0, 30)
    run(world, 1800.0, 2, model=V2)
    plan = world.judge.schedule(V2).plans[0][1]
    assert {key.kind for key in plan.streams} == {Kind.INPUT}
    assert not plan.learn_inputs


def test_inheriting_takes_the_inputs_of_the_newest_other_version():
    old, new = reference(seed=1), reference(seed=2, version="3")
    new = created_at(new, created_seconds=old.lineage.created_seconds + 1.0)
    found = inherited([old, new, reference(model="other")], "m", "4")
    assert (found.model, found.version) == ("m", "4")
    assert found.lineage.source == INHERITED
    assert found.lineage.metadata["parent_version"] == "3"
    assert found.hash not in {old.hash, new.hash}
    assert inherited([old], "m", "1") is None
    assert inherited([], "m", "1") is None


def created_at(given, **changes):
    return replace(given, lineage=replace(given.lineage, **changes))


def test_nothing_is_inherited_where_the_settings_say_learn():
    assert given_of(watch(), reference()).inherited(V2) is None


class TestWhatWasPublishedByTheJudgeBefore:
    def entry(self, start, text, learns=False):
        return {
            "effective_from_seconds": start,
            "given_hash": text,
            "reference": text,
            "learns": learns,
        }

    def test_holds_where_it_is_newer_than_the_snapshot(self):
        kept = [self.entry(-math.inf, "a")]
        published = [self.entry(T0, "b")]
        assert agreed(kept, published) == ([*kept, *published], True)

    def test_is_behind_where_the_snapshot_is_newer(self):
        kept = [self.entry(-math.inf, "a"), self.entry(T0, "b")]
        assert agreed(kept, kept[:1]) == (kept, False)

    def test_holds_where_both_decided_for_the_same_pane(self):
        kept, published = [self.entry(T0, "a")], [self.entry(T0, "b")]
        assert agreed(kept, published) == (published, True)

    def test_is_all_there_is_without_a_snapshot(self):
        published = [self.entry(T0, "b")]
        assert agreed(None, published) == (published, True)
        assert agreed(None, None) == ([], False)
        assert agreed(published, None) == (published, False)

    def test_is_what_a_restarted_judge_goes_on_with(self):
        world = world_of({})
        run(world, 0.0, 5)
        snapshot = world.judge.state()
        run(world, 300.0, 30)
        published = world.judge.models[MODEL].references.state()
        after = world_of({}, published=lambda _: published)
        after.judge.restore(snapshot, {MODEL: T0 + 300.0})
        assert in_force(after) != {}
        assert max(in_force(after)) == max(in_force(world))
        assert after.judge.models[MODEL].learner.rows == 0

    def test_may_lack_what_the_snapshot_was_comparing_with(self):
        world = world_of({MODEL: reference(seed=1)})
        run(world, 0.0, 5)
        other = world_of({MODEL: reference(seed=2)})
        other.judge.schedule(MODEL)
        published = other.judge.models[MODEL].references.state()
        after = world_of({MODEL: reference(seed=2)}, published=lambda _: published)
        after.judge.restore(world.judge.state(), {MODEL: T0 + 300.0})
        assert list(in_force(after).values()) == [reference(seed=2).hash]
        assert after.judge.models[MODEL].comparison is None
