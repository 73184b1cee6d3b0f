"""A worker: what it owns is in the state topic, and whatever fails, every event counts once."""

import threading

import pytest

from service.errors import OffsetOutOfRange, StateCorrupt, StateLost
from service.loops.worker_shards import BEGINNING
from service.state.shards.layout import decode_key
from service.values.records import Partition
from tests.unit.fleet.members import World
from tests.unit.monitor.events import MODEL, P0, P1, P2, Event, reference, stream_of

NORMAL = reference()
P3 = Partition("events", 3)


def world_of(*partitions, events=20, **options):
    world = World(partitions, [NORMAL], **options)
    for partition in partitions:
        world.send(partition, [Event(float(i)) for i in range(events)])
    return world


def kept(world, partition):
    """What the state topic has of a partition."""
    name = f"{partition.topic}/{partition.number}"
    _, state = world.store().open(name, partition.number % 4, "id-1")
    return state


def predictions(worker):
    shards = worker.loop.shards.open.values()
    return sum(shard.models[MODEL].totals.predictions for shard in shards if MODEL in shard.models)


def test_where_a_partition_begins_is_in_the_state_topic_before_its_first_event():
    world = world_of(P0, start="latest")
    world.worker(P0)
    world.turns(1)
    state = kept(world, P0)
    assert (state.era, state.applied_through) == (0, 19)
    assert world.committed == {P0: 20}


def test_a_flush_writes_every_shard_with_its_position_and_commits_it():
    world = world_of(P0, P1)
    worker = world.worker(P0, P1)
    world.turns(22)
    assert [kept(world, p).applied_through for p in (P0, P1)] == [19, 19]
    assert world.committed == {P0: 20, P1: 20}
    assert worker.report.service.checkpoint_counts[0] == 2, "the first one and one after 10 s"


def test_who_takes_a_partition_over_goes_on_where_the_state_topic_is():
    world = world_of(P0)
    first = world.worker(P0)
    world.turns(22)
    world.send(P0, [Event(float(i)) for i in range(20, 25)])
    world.turns(1)
    first.dies()
    second = world.worker(P0)
    world.turns(2)
    assert predictions(second) == 25
    assert kept(world, P0).applied_through == 19
    world.turns(20)
    assert kept(world, P0).applied_through == 24


def test_a_partition_that_is_taken_away_is_written_then_dropped():
    world = world_of(P0, P1)
    worker = world.worker(P0, P1)
    world.turns(2)
    worker.source.revoke(P1)
    world.turns(1)
    assert worker.loop.shards.open.keys() == {P0}
    assert kept(world, P1).applied_through == 19


def test_a_flush_that_fails_drops_the_shards_and_takes_them_up_again_as_they_are_in_the_topic():
    world = world_of(P0, P1)
    worker = world.worker(P0, P1)
    world.turns(3)
    world.panes.away = True
    world.turns(20)
    assert not worker.loop.shards.open
    assert (worker.loop.reloads > 0, worker.loop.checkpoints.failures > 0) == (True, True)
    world.panes.away = False
    world.turns(80)
    assert predictions(worker) == 40
    assert f"anchorwatch_state_reloads_total {worker.loop.reloads}" in worker.page


@pytest.mark.parametrize("appends", range(9))
def test_wherever_a_flush_is_torn_nothing_is_lost_or_counted_twice(appends):
    world = world_of(P0, P1)
    world.worker(P0, P1).loop.turn()
    world.send(P0, [Event(float(i)) for i in range(20, 400, 10)])
    world.state.appends_left = appends
    world.turns(25)
    world.state.appends_left, world.state.away = None, False
    judge = world.judge()
    world.turns(120)
    assert predictions(world.workers[0]) == 78
    assert judge.model(MODEL).predictions_total == 78
    assert judge.loop.images.tally.conflicts == 0


def test_committed_positions_without_a_state_are_an_error_that_says_what_to_do():
    world = world_of(P0)
    world.committed[P0] = 7
    world.worker(P0)
    with pytest.raises(StateLost, match=r"events/0 up to offset 7.*--accept-lost-state"):
        world.turns(1)


def test_lost_state_that_is_accepted_begins_in_an_era_that_the_judge_has_not_heard_of():
    world = world_of(P0)
    world.committed[P0] = 7
    worker = world.worker(P0, accept_lost_state=True)
    world.turns(2)
    assert kept(world, P0).era > 0
    assert predictions(worker) == 20


def test_damaged_state_is_an_error_unless_it_is_given_up():
    world = world_of(P0)
    world.worker(P0)
    world.turns(22)
    world.workers.clear()
    log = world.state.entries[0]
    world.state.entries[0] = [e for e in log if len(e.value or b"") < 250]
    world.worker(P0)
    with pytest.raises(StateCorrupt, match=r"none is whole.*--accept-lost-state"):
        world.turns(1)
    world.workers.clear()
    worker = world.worker(P0, accept_lost_state=True)
    world.turns(2)
    assert predictions(worker) == 20


def test_a_partition_that_was_added_begins_at_its_first_record_whatever_the_policy_says():
    world = world_of(P0, P1, start="latest")
    world.worker(P0, P1)
    world.turns(22)
    world.workers.clear()
    world.send(P2, [Event(1.0)] * 5)
    worker = world.worker(P0, P1, P2)
    world.turns(2)
    assert worker.loop.shards.open[P2].next_offset == 5
    assert predictions(worker) == 5


def test_two_workers_that_start_together_begin_all_partitions_by_the_policy():
    world = world_of(P0, P1, start="latest")
    world.worker(P0)
    world.turns(2)
    second = world.worker(P1)
    world.turns(2)
    assert (second.loop.shards.open[P1].next_offset, predictions(second)) == (20, 0)
    assert BEGINNING in kept(world, P1).blobs


def test_a_position_that_the_log_has_lost_stops_the_worker_or_goes_on_by_the_policy():
    world = world_of(P0)
    world.worker(P0)
    world.turns(22)
    world.workers.clear()
    worker = world.worker(P0)
    world.send(P0, [Event(1.0)] * 10)
    worker.source.trim(P0, 25)
    with pytest.raises(OffsetOutOfRange, match=r"20.*out_of_range"):
        world.turns(1)
    world.workers.clear()
    world.out_of_range = "earliest"
    worker = world.worker(P0)
    worker.source.trim(P0, 25)
    world.turns(2)
    assert predictions(worker) == 25
    assert worker.report.service.out_of_range_total == 1


def test_a_log_that_is_shorter_than_what_was_counted_begins_a_new_era():
    world = world_of(P0, out_of_range="earliest")
    world.worker(P0)
    world.turns(22)
    world.workers.clear()
    world.events[P0] = world.events[P0][:5]
    world.worker(P0)
    world.turns(22)
    assert (kept(world, P0).era, kept(world, P0).applied_through) == (1, 4)


def test_a_worker_that_stood_still_lets_go_and_looks_whether_the_partition_is_still_its_own():
    world = world_of(P0)
    worker = world.worker(P0)
    world.turns(3)
    world.clock.sleep(60.0)
    written = len(world.state.entries[0])
    worker.source.revoke(P0)
    successor = world.worker(P0)
    world.turns(30)
    assert not worker.loop.shards.open
    assert predictions(successor) == 20
    assert len(world.state.entries[0]) > written


def test_a_worker_that_stood_still_and_kept_its_partition_goes_on():
    world = world_of(P0)
    worker = world.worker(P0)
    world.turns(3)
    world.clock.sleep(60.0)
    world.turns(1)
    assert not worker.loop.shards.open
    world.turns(20)
    assert predictions(worker) == 20


def test_a_stop_writes_all_that_was_counted():
    world = world_of(P0)
    worker = world.worker(P0)
    world.turns(2)
    stop = threading.Event()
    stop.set()
    worker.loop.run(stop)
    assert kept(world, P0).applied_through == 19
    assert world.committed == {P0: 20}


def test_while_the_broker_is_away_nothing_is_dropped_or_tried():
    world = world_of(P0)
    worker = world.worker(P0)
    world.turns(2)
    worker.source.in_touch, world.state.away, world.panes.away = False, True, True
    world.turns(60)
    assert worker.loop.shards.open
    assert worker.loop.checkpoints.failures == 0
    worker.source.in_touch, world.state.away, world.panes.away = True, False, False
    world.turns(2)
    assert kept(world, P0).applied_through == 19


def test_a_backlog_is_flushed_early_so_that_panes_do_not_fill_the_memory():
    world = World([P0], [NORMAL])
    world.send(P0, stream_of(0.0, 200, 2))
    worker = world.worker(P0)
    world.turns(1)
    worker.source.records_max = 100
    most = 0
    for _ in range(10):
        world.turns(1, seconds=1.1)
        most = max(most, len(worker.loop.shards.open[P0].models[MODEL].panes))
    assert most <= 60


def test_a_host_that_is_an_hour_ahead_still_rejects_what_is_in_the_future():
    world = world_of(P0, events=0)
    worker = world.worker(P0)
    world.turns(1)
    worker.service.clock.heard(world.clock.now() - 3600.0)
    world.panes.clock = world.state.clock  # the brokers' own
    ahead = world.clock.now() - 3600.0 + 400.0
    world.send(P0, [Event(ahead - 1_699_999_200.0, arrived=0.0)])
    world.turns(1)
    shard = worker.loop.shards.open[P0]
    assert shard.models[MODEL].totals.rejected["future"] == 1


def test_the_page_tells_what_is_owned_how_far_behind_and_no_model():
    world = world_of(P0, P1)
    worker = world.worker(P0)
    world.turns(4)
    report = worker.report
    assert (report.models, report.topics, dict(report.partitions_missing)) == ((), (), {})
    assert [(p.partition, p.position, p.lag_records) for p in report.partitions] == [(P0, 20, 0)]
    assert (report.service.role, report.service.ready) == ("worker", True)
    assert 'role="worker"' in worker.page
    assert "anchorwatch_predictions_total" not in worker.page


def test_a_worker_without_a_partition_stands_by():
    world = world_of(P0)
    worker = world.worker()
    world.turns(4)
    assert worker.report.service.ready


def test_once_the_group_has_confirmed_the_takeover_nothing_is_left_of_the_worker_before():
    world = world_of(P0)
    world.worker(P0)
    world.turns(22)
    world.workers.clear()
    before = writers(world, P0)
    world.worker(P0)
    world.turns(1)
    assert before < writers(world, P0), "not before the group has said whose it is"
    world.send(P0, [Event(30.0)])
    world.turns(25)
    assert not before & writers(world, P0)


def writers(world, partition):
    """Who has something in the state topic of a partition, as compaction would leave it."""
    world.state.compact(partition.number)
    keys = [decode_key(entry.key) for entry in world.state.entries[partition.number]]
    return {key.writer for key in keys}
