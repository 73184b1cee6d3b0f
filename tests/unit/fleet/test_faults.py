"""Faults that a fleet gets over: writes that fail, brokers that lose or forget, lives of others."""

import msgspec

from config.settings import Settings
from service.state.shards.layout import HEAD, decode_key
from service.values.keyed_log import Draft
from service.values.records import Partition
from tests.unit.fleet.members import World
from tests.unit.fleet.test_judge_loop import FAST, NORMAL, world_of
from tests.unit.monitor.events import MODEL, P0, P1, P2, Event

SEVERAL = tuple(Partition("events", number) for number in range(60))


def test_panes_that_a_shorter_lateness_closes_are_not_closed_again_at_each_takeover():
    world = World([P0], [NORMAL], detection={"lateness": "5m"}, **FAST)
    world.send(P0, [Event(60.0 * minute, x=None) for minute in range(9)])
    worker = world.worker(P0)
    world.turns(20)
    lives = []
    for _ in range(3):
        worker.dies()
        world.settings = Settings.model_validate(
            {
                "sources": [{"name": "events", "topics": ["events"]}],
                "role": "worker",
                "detection": {"lateness": "1m"},
                **FAST,
            }
        )
        worker = world.worker(P0)
        world.turns(20)
        totals = worker.loop.shards.open[P0].models[MODEL].totals
        lives.append({key.name: counts.tolist() for key, counts in totals.quality.items()})
    assert lives[0] == lives[1] == lives[2]


def test_a_record_of_panes_whose_key_is_no_text_is_refused_in_each_life():
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    key = msgspec.msgpack.encode([["progress", "xx", 1], 0]).replace(b"xx", b"\xff\xfe")
    world.panes.append([Draft(0, key, b"\x01x")])
    world.turns(12)
    judge.dies()
    judge = world.judge()
    world.turns(12)
    assert judge.model(MODEL).predictions_total == 50


def test_what_was_read_of_a_partition_that_left_before_it_began_is_let_go():
    world = world_of(P0)
    world.worker(P0).dies()
    world.workers.clear()
    worker = world.worker(P0)
    resume = worker.source.resume
    worker.source.resume = lambda positions: {}
    world.turns(1)
    worker.source.resume = resume
    worker.source.revoke(P0)
    world.turns(2)
    assert not worker.loop.shards._taken


def test_a_first_start_asks_for_what_is_committed_a_few_times_and_not_for_each_pair():
    world = World(SEVERAL, [NORMAL])
    worker = world.worker(*SEVERAL)
    committed, asked = worker.source.committed, []

    def counted(partitions):
        asked.extend(partitions)
        return committed(partitions)

    worker.source.committed = counted
    world.turns(1)
    assert 0 < len(asked) <= 4 * len(SEVERAL)


def test_lost_state_that_was_accepted_does_not_stop_a_partition_that_was_added():
    world = world_of(P0, P1)
    world.worker(P0, P1)
    world.turns(12)
    world.workers.clear()
    for number, entries in enumerate(world.state.entries):
        world.state.entries[number] = [e for e in entries if not is_part_of(e.key, "events/0")]
    world.send(P2, [Event(1.0)])
    worker = world.worker(P0, P1, P2, accept_lost_state=True)
    world.turns(2)
    assert set(worker.loop.shards.open) == {P0, P1, P2}


def is_part_of(key, shard):
    decoded = decode_key(key)
    return decoded is not None and decoded.shard == shard and decoded.part != HEAD
