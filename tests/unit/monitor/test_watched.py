"""What the record is told of a model version and of partitions, by judges and shards."""

import msgspec

from service.monitor.judging.watched import (
    facts_of,
    read_through,
    reference_hash_of,
    watched_model,
    watched_partitions,
)
from service.values.watches import FeatureWatch, Mute
from tests.unit.monitor.events import MODEL, P0, P1, T0, Event, World, reference, stream_of, watch
from tests.unit.monitor.test_policy import DAY, MONTHLY

NORMAL = reference()
UNTIL = T0 + 600.0
MUTED = {"x": FeatureWatch(mute=Mute(UNTIL, "ada", "campaign", "T-1"))}


def judged(events, given=NORMAL, **changes):
    world = World(given, watch(**changes), partitions=(P0, P1))
    world.now = T0 + DAY
    world.send(P0, events)
    world.advance(to_the_end=True)
    return world


def told(world):
    model = world.judge.models[MODEL]
    return watched_model(world.judge, model, list(world.shards.values()), world.now, "c1")


def test_counters_are_those_of_the_judge_and_of_all_partitions():
    late = Event(1.0)
    world = judged([*stream_of(0.0, 10, 20), late])
    world.send(P1, stream_of(0.0, 1, 5))
    entry = told(world)
    assert (entry.predictions, entry.judged, entry.late, entry.panes) == (205, 200, 1, 10)
    assert (entry.first_seconds, entry.through_seconds) == (T0, T0 + 600.0)
    assert entry.reference_hash == NORMAL.hash == reference_hash_of(world.judge.models[MODEL])
    (hour,) = entry.hours
    assert (int(hour.compared, 16), hour.rows) == (2**10 - 1, 200)


def test_what_was_compared_with_nothing_is_not_called_compared():
    world = judged(stream_of(0.0, 3, 20), given=None)
    (hour,) = told(world).hours
    assert (hour.compared, hour.learning) == ("0", "7")
    assert told(world).reference_hash == ""
    silent = judged(stream_of(0.0, 3, 20), given=None, learn=False)
    (hour,) = told(silent).hours
    assert (hour.compared, hour.learning, hour.unreferenced) == ("0", "0", "7")


def test_minutes_are_muted_until_the_mute_of_a_feature_is_over():
    world = judged(stream_of(0.0, 15, 20), features=MUTED)
    (hour,) = told(world).hours
    assert int(hour.muted, 16) == 2**10 - 1


def test_what_is_judged_a_day_later_is_late():
    (hour,) = told(judged(stream_of(0.0, 3, 20))).hours
    assert hour.late == hour.compared == "7"


def test_a_restart_goes_on_with_the_same_minutes():
    world = judged(stream_of(0.0, 3, 20))
    assert told(world.restarted(NORMAL)).hours == told(world).hours


def test_state_of_a_version_before_has_no_minutes_and_is_read_all_the_same():
    world = judged(stream_of(0.0, 3, 20))
    model = world.judge.models[MODEL]
    state = model.state(lambda part: part)
    del state["coverage"]
    model.restore(state)
    assert model.panes_judged == 3


def test_facts_say_what_is_watched_by_what_and_what_is_muted():
    world = judged(stream_of(0.0, 3, 20), features=MUTED, policy=MONTHLY)
    facts = facts_of(world.judge.models[MODEL], T0)
    assert (facts.team, facts.tier, facts.features) == ("ours", 2, ("state", "x"))
    assert facts.reference.source == "train.csv"
    assert facts.reference.effective_from_seconds is None
    assert facts.budget == "1 in 30 days per model"
    assert facts.policy == "psi over 10 bins and 30d: amber 0.1, red 0.25"
    (mute,) = facts.mutes
    assert (mute.feature, mute.until_seconds, mute.by, mute.ticket) == ("x", UNTIL, "ada", "T-1")
    assert facts_of(world.judge.models[MODEL], UNTIL).mutes == ()


def test_facts_of_a_model_that_learns_have_no_reference():
    world = judged(stream_of(0.0, 3, 20), given=None)
    facts = facts_of(world.judge.models[MODEL], T0)
    assert (facts.reference, facts.features, facts.features_total) == (None, (), 0)


def test_the_distance_to_a_policy_is_told_with_whose_it_is():
    world = judged(stream_of(0.0, 20, 200, shift=1.0), policy=MONTHLY, detectors=())
    policy = told(world).policy
    assert policy.red >= 1
    assert policy.stream == "x"
    assert policy.highest > MONTHLY.red
    assert 0.0 < policy.covered_ratio < 0.01
    assert told(judged(stream_of(0.0, 2, 20))).policy is None


def test_partitions_come_with_positions_and_books_that_balance():
    world = judged(stream_of(0.0, 3, 20))
    first, second = watched_partitions(world.shards.values())
    assert (first.topic, first.partition, first.position, first.consumed) == ("events", 0, 60, 60)
    assert (second.position, second.consumed) == (0, 0)


def test_how_far_all_logs_were_read_is_known_only_outside_of_a_backlog():
    world = judged(stream_of(0.0, 3, 20))
    partitions = list(world.shards.values())
    assert read_through(partitions, world.now) is None
    world.at_the_end(P0)
    assert read_through(partitions, world.now) is None
    world.at_the_end()
    assert read_through(partitions, world.now) == world.now
    assert read_through([], world.now) is None
    assert msgspec.json.encode(told(world))
