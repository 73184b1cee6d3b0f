"""The judge of a fleet: it judges what workers tell, once, whatever dies when."""

import random
import threading
from itertools import pairwise

import pytest

from service.errors import NotAlone, RecoverableError
from service.loops.judge_snapshot import SHARD
from service.state.shards.layout import decode_key
from service.values.keyed_log import Draft
from service.values.reports import StreamState
from service.values.streams import segment_of
from tests.unit.fleet.members import World
from tests.unit.monitor.events import (
    MODEL,
    P0,
    P1,
    P2,
    T0,
    Event,
    reference,
    stream_of,
)

NORMAL = reference()
EVERY = (P0, P1, P2)
FAST = {"state": {"store": "topic", "every": "2s"}}


def world_of(*partitions, panes=5, given=(NORMAL,), **sections):
    """A world whose partitions hold so many panes of ten rows."""
    world = World(partitions, given, **{**FAST, **sections})
    for number, partition in enumerate(partitions):
        world.send(partition, stream_of(0.0, panes, 10, seed=number))
    return world


class Record:
    """A record of episodes that a test can read."""

    def __init__(self):
        self.events = []

    def append(self, events, now_seconds):
        known = {(e.id, e.sequence) for e in self.events}
        self.events += [e for e in events if (e.id, e.sequence) not in known]

    def append_watched(self, entries, now_seconds):
        pass

    def new_verdicts(self):
        return []

    def new_drills(self):
        return []

    def state(self):
        return {}

    def restore(self, state):
        pass

    def close(self):
        pass


def balances(judge, key=MODEL):
    model = judge.loop.judge.models[key]
    counted = judge.loop.judge.totals(key, judge.loop.images).predictions
    return counted == (model.rows_judged + model.rows_unjudged + judge.loop.images.open_rows(key))


def test_the_judge_tells_what_all_workers_have_counted():
    world = world_of(*EVERY)
    world.worker(P0, P1)
    world.worker(P2)
    judge = world.judge()
    world.turns(12)
    model = judge.model(MODEL)
    assert model.predictions_total == 150
    (topic,) = judge.report.topics
    assert (topic.topic, topic.consumed, topic.applied) == ("events", 150, 150)
    assert dict(judge.report.partitions_missing) == {"events": 0}
    assert (judge.report.caught_up, judge.report.service.ready) == (True, True)
    assert balances(judge)


def test_panes_are_judged_once_every_partition_has_passed_them():
    world = world_of(*EVERY)
    world.worker(*EVERY)
    judge = world.judge()
    world.turns(12)
    # W of each partition lies in the fourth pane: the last event less a minute.
    assert judge.loop.judge.models[MODEL].panes_judged == 3
    world.turns(25, seconds=3.0)  # nothing more comes: the logs' ends are known for over a minute
    assert judge.loop.judge.models[MODEL].panes_judged == 5
    assert judge.loop.judge.models[MODEL].rows_judged == 150


def test_before_it_has_read_what_the_panes_held_no_series_of_models_appear():
    world = world_of(*EVERY)
    world.worker(*EVERY)
    first = world.judge()
    world.turns(12)
    told = first.model(MODEL).predictions_total
    first.dies()
    world.send(P0, stream_of(300.0, 2, 10))
    world.turns(12)
    judge = world.judge()
    follower = world.panes.follow
    world.panes.follow = lambda positions: Held(follower(positions))
    world.turns(1)
    assert "predictions_total" not in judge.page
    assert "records are left" in judge.report.service.not_ready_because
    Held.waits = False
    world.turns(4)
    assert judge.model(MODEL).predictions_total == told + 20
    Held.waits = True


class Held:
    """A follower that brings nothing yet."""

    waits = True

    def __init__(self, follower):
        self.follower = follower

    def poll(self, timeout_seconds):
        return [] if self.waits else self.follower.poll(timeout_seconds)

    def __getattr__(self, name):
        return getattr(self.follower, name)


def test_after_a_crash_of_the_judge_nothing_is_lost_or_judged_twice():
    world = world_of(*EVERY, panes=30)
    for worker in (world.worker(P0, P1), world.worker(P2)):
        worker.source.records_max = 15
    judge = world.judge()
    told = []
    for number in range(12):
        world.turns(9)
        if judge.report.caught_up:
            told.append(judge.model(MODEL).predictions_total)
        if number % 3 == 2:
            judge.dies()
            judge = world.judge()
    world.turns(200)
    model = judge.loop.judge.models[MODEL]
    assert (model.panes_judged, model.rows_judged, model.rows_unjudged) == (30, 900, 0)
    assert judge.model(MODEL).predictions_total == 900
    assert all(earlier <= later for earlier, later in pairwise(told)), "a counter went back"


def test_a_drift_is_one_episode_that_is_in_the_snapshot_before_anybody_hears_of_it():
    world = world_of(*EVERY, panes=10)
    for number, partition in enumerate(EVERY):
        world.send(partition, stream_of(600.0, 10, 40, shift=3.0, seed=9 + number))
    world.worker(*EVERY)
    record = Record()
    judge = world.judge(record)
    world.turns(12)
    assert [e.phase.value for e in record.events][:1] == ["started"]
    (episode,) = {e.id for e in record.events}
    judge.dies()
    again = world.judge(record)
    world.turns(12)
    assert [e.id for e in again.report.episodes] == [episode]
    assert {e.id for e in record.events} == {episode}


def test_what_the_state_topic_does_not_take_is_not_told_as_recorded():
    world = world_of(*EVERY, panes=10)
    for number, partition in enumerate(EVERY):
        world.send(partition, stream_of(600.0, 10, 40, shift=3.0, seed=9 + number))
    worker = world.worker(*EVERY)
    record = Record()
    judge = world.judge(record)
    world.turns(1)
    worker.loop.flush()
    world.state.away = True
    judge.loop.turn()
    world.clock.sleep(2.0)
    judge.loop.turn()
    assert judge.loop.checkpoints.failures
    assert not record.events
    world.state.away = False
    world.turns(12)
    assert record.events


def test_a_partition_that_nobody_tells_of_holds_the_others_up_for_five_minutes():
    world = world_of(P0, P1)
    world.worker(P0)
    judge = world.judge()
    world.turns(83, seconds=3.0)
    assert MODEL not in judge.loop.judge.models or (
        judge.loop.judge.models[MODEL].panes_judged == 0
    )
    world.turns(20, seconds=3.0)
    assert dict(judge.report.partitions_missing) == {"events": 1}
    assert 'anchorwatch_partitions_missing{topic="events"} 1' in judge.page
    assert any("is there a worker" in words for words in judge.report.service.warnings)
    assert judge.loop.judge.models[MODEL].panes_judged == 5
    world.worker(P1)
    world.turns(12)
    assert dict(judge.report.partitions_missing) == {"events": 0}


def test_of_two_judges_the_newer_one_goes_on_and_the_older_says_so():
    world = world_of(P0)
    world.worker(P0)
    older = world.judge()
    world.turns(8)
    newer = world.judge()
    world.judges.remove(older)
    world.turns(1)
    world.clock.sleep(1.0)
    with pytest.raises(NotAlone, match="another judge has taken over"):
        older.loop.turn()
    world.turns(20)
    assert newer.report.caught_up


def test_of_two_judges_that_begin_together_one_goes_on():
    world = world_of(P0)
    world.worker(P0)
    both = [world.judge(), world.judge()]
    snapshots = [judge.loop.snapshot for judge in both]
    for snapshot in snapshots:
        snapshot.open()
    for judge in both:
        judge.loop.panes.start(None)
        judge.loop.checkpoint()
    gave_way = []
    for judge in both:
        for _ in range(3):
            world.clock.sleep(3.0)
            try:
                judge.loop.turn()
            except NotAlone:
                gave_way.append(judge)
                break
    assert gave_way == both[:1]


def test_what_retention_took_before_it_was_read_is_a_gap_that_is_counted():
    world = world_of(P0, P1)
    world.worker(P0, P1)
    first = world.judge()
    world.turns(12)
    first.dies()
    world.send(P0, stream_of(300.0, 3, 10))
    world.turns(12)
    world.panes.retain_from(0, world.panes.ends()[0])
    judge = world.judge()
    world.turns(12)
    assert judge.report.service.exchange.lost_total > 0
    assert judge.report.service.out_of_range_total == 1
    assert f"pane_records_lost_total {judge.report.service.exchange.lost_total}" in judge.page
    world.send(P0, stream_of(600.0, 3, 10))
    world.turns(12)
    assert judge.model(MODEL).predictions_total == 160


def test_a_record_that_nobody_can_read_is_counted_and_passed_over():
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    world.turns(4)
    world.panes.append([Draft(0, b"nonsense", b"\x01nonsense"), Draft(1, b"", None)])
    world.turns(12)
    assert sum(judge.report.service.exchange.refused_totals.values()) == 2
    assert judge.model(MODEL).predictions_total == 50


def test_what_the_judge_learns_workers_count_by_and_then_it_judges():
    learn = {"learn": {"events": 400}}
    world = world_of(*EVERY, panes=0, given=(), reference=learn)
    workers = [world.worker(P0, P1), world.worker(P2)]
    judge = world.judge()
    at = world.clock.now() - T0
    for minute in range(26):
        for number, partition in enumerate(EVERY):
            shift = 3.0 if minute >= 20 else 0.0
            start = at + 60.0 * minute
            rows = stream_of(start, 1, 20, shift=shift, seed=100 * number + minute)
            world.send(partition, rows)
        world.turns(10, seconds=6.0)
        if minute == 19:
            assert not judge.report.episodes
    model = judge.model(MODEL)
    assert model.reference_state == "ready"
    assert model.predictions_total == 1560
    assert judge.report.episodes
    assert judge.loop.judge.models[MODEL].rows_unjudged == 0
    hashes = {w.loop.shards.reference_hashes()[MODEL].pop() for w in workers}
    assert hashes == {model.reference_hash}


def test_segments_are_learned_from_all_workers_and_then_counted_by_each():
    learn = {"learn": {"events": 400, "at_least": "5m"}}
    segments = {"*": {"segments": ["state"]}}
    world = world_of(*EVERY, panes=0, given=(), reference=learn, models=segments)
    workers = [world.worker(P0, P1), world.worker(P2)]
    judge = world.judge()
    at, sent = world.clock.now() - T0, []
    for minute in range(40):
        for number, partition in enumerate(EVERY):
            rows = stream_of(at + 60.0 * minute, 1, 20, seed=100 * number + minute)
            world.send(partition, rows)
            sent += [row.at for row in rows]
        world.turns(10, seconds=6.0)
    model = judge.model(MODEL)
    assert {segment_of(stream.key).name for stream in model.segments} == {"CA", "MA", "NY"}
    assert all(stream.state is StreamState.WATCHED for stream in model.segments)
    assert {w.loop.shards.reference_hashes()[MODEL].pop() for w in workers} == {
        model.reference_hash
    }
    assert model.predictions_total == len(sent)
    counted = sum(stream.predictions_total for stream in model.segments)
    # All since a minute that is the same in every partition.
    ends = (sum(time >= 60.0 * minute for time in sent) for minute in range(260))
    assert counted in {left for left in ends if 15 * 60 <= left < len(sent)}


def test_a_model_that_is_silent_everywhere_is_forgotten_by_the_judge_and_the_workers():
    world = world_of(P0, P1, detection={"forget_after": "10m"})
    worker = world.worker(P0, P1)
    judge = world.judge()
    world.turns(12)
    assert judge.report.models
    world.turns(140, seconds=5.0)
    assert judge.report.models == ()
    assert all(not shard.models for shard in worker.loop.shards.open.values())
    world.send(P0, [Event(world.clock.now() - T0, arrived=world.clock.now() - T0)])
    world.turns(12)
    assert judge.model(MODEL).predictions_total == 1


def test_a_broker_that_is_away_at_the_start_is_waited_for():
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    world.state.away = True
    with pytest.raises(RecoverableError):
        judge.loop.turn()
    world.state.away = False
    world.turns(12)
    assert judge.model(MODEL).predictions_total == 50


def test_a_stop_leaves_a_snapshot_of_all_that_was_read():
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    world.turns(7)
    stop = threading.Event()
    stop.set()
    judge.loop.run(stop)
    judge.dies()
    again = world.judge()
    again.loop.turn()
    assert again.loop.panes.positions == judge.loop.panes.positions


@pytest.mark.parametrize("seed", range(8))
def test_whoever_dies_when_and_wherever_partitions_go_all_is_judged_once(seed):
    rng = random.Random(seed)
    world = world_of(*EVERY, panes=12)
    for partition in EVERY:
        world.send(partition, [Event(rng.uniform(0, 700), arrived=720.0) for _ in range(7)])
    judge = world.judge()
    owner = {}
    for _ in range(25):
        judge = disturbed(rng, world, judge, owner)
        world.turns(rng.randrange(1, 8))
    for partition in EVERY:
        give(world, owner, partition, world.worker())
    world.turns(45, seconds=3.0)
    expected = expected_of(world)
    model = judge.loop.judge.models[MODEL]
    assert judge.model(MODEL).predictions_total == expected["predictions"]
    assert judge.model(MODEL).late_total == expected["late"]
    assert model.rows_judged + model.rows_unjudged == expected["predictions"]
    assert model.panes_judged == 12
    assert model.rows_unjudged == 0
    assert judge.loop.images.tally.conflicts == 0
    assert balances(judge)


def disturbed(rng, world, judge, owner):
    """One thing that happens to a fleet."""
    what = rng.choice(("judge", "kill", "move", "new", "away", "nothing"))
    if what == "judge":
        judge.dies()
        judge = world.judge()
    elif what == "kill" and world.workers:
        dead = rng.choice(world.workers)
        dead.dies()
        for partition in [p for p, w in owner.items() if w is dead]:
            del owner[partition]
    elif what == "move" and world.workers:
        give(world, owner, rng.choice(EVERY), rng.choice(world.workers))
    elif what == "new":
        joins(rng, world, owner)
    elif what == "away":
        fails(rng, world)
    return judge


def joins(rng, world, owner):
    """A new worker takes what nobody has, and some of what others have."""
    worker = world.worker()
    worker.source.records_max = rng.choice((5, 30, 5000))
    for partition in EVERY:
        if partition not in owner or rng.random() < 0.3:
            give(world, owner, partition, worker)


def fails(rng, world):
    """A topic takes a few appends more, and then none for a while."""
    rng.choice((world.state, world.panes)).appends_left = rng.randrange(6)
    for _ in range(4):
        world.clock.sleep(1.0)
        for worker in world.workers:
            worker.loop.turn()
    for log in (world.state, world.panes):
        log.appends_left, log.away = None, False


def give(world, owner, partition, worker):
    if partition in owner and owner[partition] in world.workers:
        owner[partition].source.revoke(partition)
    owner[partition] = worker
    worker.source.assign(partition)


def expected_of(world):
    """By the simplest count there is: one worker that nothing ever happens to."""
    alone = World(EVERY, [NORMAL], **FAST)
    alone.events = world.events
    alone.worker(*EVERY)
    judge = alone.judge()
    alone.turns(45, seconds=3.0)
    model = judge.model(MODEL)
    return {"predictions": model.predictions_total, "late": model.late_total}


def test_a_judge_removes_what_the_one_before_left_once_nobody_newer_has_come():
    world = world_of(P0)
    world.worker(P0)
    first = world.judge()
    world.turns(12)
    first.dies()
    world.judge()
    world.turns(12)
    world.state.compact(3)
    keys = [decode_key(entry.key) for entry in world.state.entries[3]]
    assert len({key.writer for key in keys if key.shard == SHARD}) == 1
