"""The loop: whatever crashes, moves or fails, every event counts once, and nothing goes back."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.errors import ConfigurationError, NotAlone, OffsetOutOfRange, StateLost
from service.loops.cadence import Cadence
from service.state.directory import CURRENT
from service.state.memory import MemoryStore
from service.state.snapshot import decode, encode, encode_part
from service.values.records import Partition
from service.values.rejects import Reason
from tests.unit.monitor.events import (
    MODEL,
    OTHER,
    P0,
    P1,
    P2,
    PANE,
    T0,
    Event,
    assert_same,
    reference,
    stream_of,
)
from tests.unit.programs import AFTER_SECONDS, NOW, Crash, Program, World

NORMAL = reference()
OFTEN = Cadence(flush_seconds=0.0, checkpoint_seconds=0.0)


def world_of(*partitions, events=None, **source):
    """A world whose partitions hold the same plain events, unless told otherwise."""
    world = World(partitions, **source)
    for partition in partitions:
        log = events if events is not None else [Event(float(i)) for i in range(10)]
        world.append(partition, log)
    return world


def value_of(at):
    record = Event(at).record(0)
    return record.value, record.timestamp_seconds


def drifting_world(**source):
    """Three partitions with two models, late rows, odd rows and a drift of x in MODEL."""
    world = World((P0, P1, P2), **source)
    for number, partition in enumerate((P0, P1, P2)):
        log = stream_of(0.0, 5, 20, seed=number)
        log += stream_of(300.0, 5, 20, seed=number + 10, shift=3.0)
        log += [Event(1.0), Event(2.0, x=None), Event(600.0 + number, state="strange")]
        log += [Event(601.0, model=OTHER, x=float(i)) for i in range(7)]
        world.append(partition, log)
        world.logs[partition].insert(5, (b"{no json", T0))
    world.ended = True
    return world


def counted(program):
    """Everything that has to be the same however the program got there."""
    shards = program.loop.shards.values()
    totals = {
        key.model: program.judge.totals(key, shards).state() for key in sorted(program.judge.models)
    }
    for total in totals.values():
        total["quality"].sort(key=lambda quality: quality[:2])
    model = program.judge.models[MODEL]
    return {
        "totals": totals,
        "books": [program.loop.shards[p].book.state() for p in sorted(program.loop.shards)],
        "judged": [model.panes_judged, model.rows_judged, model.rows_unjudged],
        "comparison": decode(encode(model.comparison.state(encode_part))),
    }


def live(world, cadence, fuses=()):
    """Run to the end through the crashes; returns the last life."""
    left = list(fuses)
    while True:
        world.fuse = left.pop(0) if left else None
        program = Program(world, NORMAL, cadence=cadence)
        try:
            program.loop.run(threading.Event())
        except Crash:
            continue
        return program


UNTOUCHED = counted(live(drifting_world(), Cadence()))


@given(
    fuses=st.lists(st.integers(0, 60), max_size=5),
    records_max=st.sampled_from([7, 40, 150, 5000]),
    flush=st.sampled_from([0.0, 1.0, 7.0]),
    checkpoint=st.sampled_from([0.0, 3.0, 20.0]),
)
@settings(max_examples=25)
def test_after_crashes_at_any_point_everything_is_as_if_there_had_been_none(
    fuses, records_max, flush, checkpoint
):
    world = drifting_world(records_max=records_max)
    cadence = Cadence(flush_seconds=flush, checkpoint_seconds=checkpoint)
    assert_same(counted(live(world, cadence, fuses)), UNTOUCHED)
    told = [predictions for caught_up, predictions in world.told if caught_up]
    assert all(earlier <= later for earlier, later in pairwise(told)), "a counter went back"


def test_the_world_of_the_crashes_has_something_of_everything():
    totals = UNTOUCHED["totals"][MODEL.model]
    assert (totals["predictions"], totals["late"]) == (603, 6)
    assert [book["rejected"] for book in UNTOUCHED["books"]] == [{Reason.MALFORMED: 1}] * 3
    assert UNTOUCHED["judged"][1:] == [603, 0]
    assert any(UNTOUCHED["comparison"]["drift"]["since_seconds"] > 0)


def test_what_is_refused_goes_to_the_dead_letters():
    program = live(drifting_world(), Cadence())
    reasons = [reject.reason for reject in program.letters.rejects]
    assert sorted(reasons) == [Reason.LATE] * 6 + [Reason.MALFORMED] * 3


def test_after_a_restart_nothing_counts_as_caught_up_before_the_logs_end_was_read():
    world = world_of(P0, P1, records_max=4)
    Program(world, cadence=OFTEN).turns(3)
    before = [told for caught_up, told in world.told if caught_up]
    world.told.clear()
    program = Program(world, cadence=OFTEN)
    program.loop.restore()
    program.turns(5)
    assert [caught_up for caught_up, _ in world.told] == [False] * 3 + [True] * 2
    assert world.told[-1][1] == 20 > before[-1]


def test_a_first_start_has_nothing_to_catch_up_with():
    world = world_of(P0, records_max=4)
    Program(world, cadence=OFTEN).turns(2)
    assert world.told[-1][0]


def test_once_caught_up_a_rebalance_does_not_hide_the_series():
    world = world_of(P0, P1)
    Program(world, cadence=OFTEN).turns(3)
    program = Program(world, cadence=OFTEN)
    program.loop.restore()
    program.turns(2)
    program.source.revoke(P1)
    program.turns(1)
    program.source.assign(P1)
    program.turns(2)
    assert [caught_up for caught_up, _ in world.told[-4:]] == [True] * 4


def test_ends_that_are_not_known_yet_are_not_reached(monkeypatch):
    world = world_of(P0, records_max=4)
    Program(world, cadence=OFTEN).turns(2)
    program = Program(world, cadence=OFTEN)
    program.loop.restore()
    monkeypatch.setattr(program.source, "ends", dict)
    program.turns(2)
    assert not program.loop.caught_up
    monkeypatch.undo()
    program.turns(3)
    assert program.loop.caught_up


def test_a_drift_is_on_disk_before_it_is_told():
    checked = []

    def compare(loop):
        model = loop.judge.models.get(MODEL)
        if model is None or model.comparison is None:
            return
        drifted = model.comparison.drift.since_seconds
        if (drifted > 0).any():
            saved = MemoryStore(dict(world.files)).load().tree["judge"]["models"]
            (kept,) = (m for m in saved if m["model"] == MODEL.model)
            assert_same(kept["comparison"]["drift"]["since_seconds"], drifted)
            checked.append(drifted.copy())

    world = drifting_world(records_max=50)
    cadence = Cadence(flush_seconds=0.0, checkpoint_seconds=10_000.0)
    program = Program(world, NORMAL, cadence=cadence, publish=compare)
    with capture_logs() as logs:
        program.loop.run(threading.Event())
    assert len(checked) > 1
    started = [entry for entry in logs if entry["event"] == "episode_started"]
    assert ("m", "drift") in [(entry["model"], entry["category"]) for entry in started]
    assert "input x" in started[0]["streams"]


def test_a_drift_in_the_very_last_pane_is_logged_too():
    log = stream_of(0.0, 8, 50) + stream_of(480.0, 2, 50, shift=4.0)
    world = world_of(P0, events=log)
    world.ended = True
    with capture_logs() as logs:
        Program(world, NORMAL).loop.run(threading.Event())
    assert "episode_started" in [entry["event"] for entry in logs]


def test_a_checkpoint_that_fails_is_counted_and_tried_again_and_loses_nothing():
    world = world_of(P0)
    program = Program(world, cadence=Cadence(checkpoint_seconds=5.0)).turns(3)
    saved = world.files[CURRENT]
    world.full = True
    world.append(P0, [Event(20.0)])
    program.source.append(P0, *world.logs[P0][-1])
    program.turns(30)
    assert program.loop.checkpoints.failures == 3
    assert world.files[CURRENT] == saved
    assert world.committed[P0] < 11
    world.full = False
    program.turns(11)
    assert program.loop.checkpoints.last_success_seconds > T0 + NOW + 15.0
    assert world.committed[P0] == 11


def test_an_empty_disk_beside_committed_positions_is_an_error_that_can_be_overruled():
    world = world_of(P0)
    Program(world).turns(3)
    world.files.clear()
    with pytest.raises(StateLost, match="accept-lost-state"):
        Program(world).turns(2)
    program = Program(world, accept_lost_state=True).turns(2)
    assert program.predictions() == 10


def test_a_broken_snapshot_falls_back_to_the_one_before_and_counts_it():
    world = world_of(P0, records_max=4)
    Program(world, cadence=OFTEN).turns(5)
    world.files[CURRENT] = world.files[CURRENT][:-3]
    program = Program(world, cadence=OFTEN)
    program.loop.restore()
    program.turns(5)
    assert program.loop.checkpoints.fallbacks == 1
    assert program.predictions() == 10


def test_a_newcomer_that_is_not_alone_reads_nothing_and_leaves():
    world = world_of(P0, P1)
    program = Program(world)
    program.source.revoke(P1)
    with pytest.raises(NotAlone, match=r"kafka\.group") as caught:
        program.turns(100)
    assert isinstance(caught.value, ConfigurationError)
    assert program.predictions() == 0


def test_who_was_there_first_waits_for_the_newcomer_to_leave():
    program = Program(world_of(P0, P1)).turns(2)
    program.source.revoke(P1)
    program.turns(30)
    program.source.assign(P1)
    program.turns(2)
    program.source.revoke(P0)
    program.turns(30)
    with pytest.raises(NotAlone):
        program.turns(60)


def test_partitions_that_come_back_go_on_exactly_where_they_were():
    world = world_of(P0, P1, records_max=4)
    program = Program(world).turns(3)
    for _ in range(3):
        program.source.revoke(P0)
        program.turns(1)
        program.source.assign(P0)
        program.turns(2)
    program.turns(5)
    assert (program.position(P0), program.position(P1)) == (10, 10)
    assert program.predictions() == 20


def test_while_a_partition_is_away_its_panes_wait():
    log = [Event(float(i * 10)) for i in range(60)]
    program = Program(world_of(P0, P1, events=log, records_max=20), NORMAL, cadence=OFTEN)
    program.turns(1)
    program.source.revoke(P1)
    program.turns(5)
    assert (program.position(P0), MODEL in program.judge.models) == (60, True)
    assert program.judged() == 0
    program.source.assign(P1)
    program.turns(5)
    assert program.judged() == 8
    assert program.judge.models[MODEL].rows_unjudged == 0


@pytest.mark.parametrize(("policy", "counted"), [("earliest", 4), ("latest", 0)])
def test_a_position_that_retention_passed_is_resumed_by_policy(policy, counted):
    world = world_of(P0, out_of_range=policy)
    program = Program(world).turns(2)
    before = program.predictions()
    for i in range(10):
        program.source.append(P0, *value_of(20.0 + i))
    program.source.trim(P0, 16)
    program.turns(4)
    assert program.predictions() == before + counted
    assert (program.position(P0), program.source.out_of_range_total) == (20, 1)


def test_a_position_that_retention_passed_stops_the_program_unless_told_otherwise():
    program = Program(world_of(P0)).turns(2)
    program.source.append(P0, *value_of(20.0))
    program.source.append(P0, *value_of(21.0))
    program.source.trim(P0, 11)
    with pytest.raises(OffsetOutOfRange, match="out_of_range"):
        program.turns(2)


def test_where_a_partition_starts_is_decided_once_and_on_disk_before_its_first_event():
    world = world_of(P0, start="latest")
    Program(world, cadence=Cadence(flush_seconds=100.0, checkpoint_seconds=100.0)).turns(1)
    world.append(P0, [Event(20.0 + i) for i in range(5)])
    program = Program(world)
    program.loop.restore()
    program.turns(3)
    assert program.predictions() == 5


def test_a_partition_added_to_a_topic_that_is_read_starts_at_its_beginning():
    program = Program(world_of(P0, start="latest")).turns(2)
    for i in range(3):
        program.source.append(P1, *value_of(20.0 + i))
    program.source.assign(P1)
    program.turns(3)
    assert (program.position(P0), program.position(P1), program.predictions()) == (10, 3, 3)


def test_a_partition_of_the_first_start_that_comes_later_is_not_an_added_one():
    """The group takes it away before it could be placed, and gives it back."""
    program = Program(world_of(P0, P1, start="latest"))
    placing = program.source.resume
    program.source.resume = lambda positions: placing({P0: positions[P0]})
    program.loop.turn()
    program.source.resume = placing
    program.source.assign(P1)
    program.turns(2)
    assert program.position(P1) == 10
    assert program.predictions() == 0


def test_partitions_of_a_topic_that_is_read_no_longer_hold_nobody_up():
    old = Partition("old", 0)
    world = world_of(P0, old, events=[Event(float(i * 30)) for i in range(20)])
    Program(world, NORMAL, cadence=OFTEN).turns(1)
    del world.logs[old]
    program = Program(world, NORMAL, cadence=OFTEN)
    program.loop.restore()
    program.turns(3)
    assert program.judged() == 8


def test_a_partition_far_ahead_of_the_slowest_waits_for_it():
    """A minute of P0 is one record, of P1 ten; a turn reads 40 records, of P0 as long as it may."""
    world = World((P0, P1), records_max=40)
    world.append(P0, [Event(i * 60.0) for i in range(120)])
    world.append(P1, [Event(i * 6.0) for i in range(1200)])
    program = Program(world, NORMAL, cadence=OFTEN).turns(1)
    most, waited = 0, False
    for _ in range(40):
        program.turns(1)
        most = max(most, program.loop.shards[P0].open_panes)
        waited |= program.source.resting == {P0}
        assert P1 not in program.source.resting
    assert waited
    assert most <= 30 + 40 + 2
    assert (program.position(P0), program.position(P1)) == (120, 1200)
    assert program.source.resting == frozenset()


def test_nobody_waits_while_nobody_is_behind():
    world = World((P0, P1))
    world.append(P0, [Event(i * 60.0) for i in range(100)])
    world.append(P1, [Event(0.0)])
    program = Program(world, NORMAL, cadence=OFTEN).turns(20)
    assert program.source.resting == frozenset()


def test_a_hung_consumer_is_noticed_and_an_outage_is_not_one():
    world = world_of(P0)
    program = Program(world).turns(3)
    program.source.append(P0, *value_of(20.0))
    program.source.hold(frozenset({P0}))
    program.source.hold = lambda _: None
    program.source.in_touch = False
    program.turns(round(600 / 0.5))
    assert program.watchdog.complaint() == ""
    program.source.in_touch = True
    program.turns(round(AFTER_SECONDS / 0.5) - 1)
    assert program.watchdog.complaint() == ""
    program.turns(3)
    assert "behind" in program.watchdog.complaint()


def test_an_outage_makes_no_partition_idle():
    log = [Event(float(i * 10)) for i in range(60)]
    program = Program(world_of(P0, events=log), NORMAL, cadence=OFTEN)
    program.source.in_touch = False
    program.turns(round(PANE * 5 / 0.5))
    assert program.judged() == 8
    program.source.in_touch = True
    program.turns(1)
    assert program.judged() == 10


def test_stopping_leaves_a_checkpoint_behind():
    world = world_of(P0)
    stop = threading.Event()
    program = Program(world, cadence=Cadence(checkpoint_seconds=1000.0))
    program.publish = lambda loop: loop.shards[P0].next_offset and stop.set()
    program.loop.run(stop)
    again = Program(world)
    again.loop.restore()
    assert again.loop.shards[P0].next_offset == program.position(P0) > 0
