"""What a shard counts, and what it refuses for its time, is a function of the log alone."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.monitor.counting.shard import Shard, TimeRules
from service.values.records import Chunk, Record, Skipped
from service.values.rejects import Reason
from tests.unit.monitor.events import (
    IDLE,
    LATENESS,
    MODEL,
    OTHER,
    P0,
    P1,
    PANE,
    RULES,
    T0,
    Event,
    World,
    assert_same,
    cut,
    reference,
    stream_of,
)

YEARS = 10 * 365 * 86_400.0
NORMAL = reference()

seconds = st.integers(0, 600).map(float)
events = st.builds(
    Event,
    at=seconds,
    x=st.sampled_from([None, -1.0, 0.0, 2.5]),
    state=st.sampled_from([None, "MA", "NY", "strange"]),
    model=st.sampled_from([MODEL, OTHER]),
    arrived=st.one_of(st.none(), seconds),
)
logs = st.lists(events, min_size=1, max_size=40)
cuts = st.lists(st.integers(1, 39), max_size=6)


def by_hand(log, lateness=LATENESS):
    """S7 word by word: (rows by pane start, late rows) of each model version."""
    newest, panes, late = {}, {}, Counter()
    for event in log:
        arrived = event.at if event.arrived is None else event.arrived
        start = event.at // PANE * PANE
        watermark = newest.get(event.model, -math.inf) - lateness
        if start + PANE <= watermark:
            late[event.model] += 1
        else:
            panes.setdefault(event.model, Counter())[start] += 1
        capped = min(event.at, arrived)
        newest[event.model] = max(newest.get(event.model, -math.inf), capped)
    return panes, late


def counted(world):
    """(rows by pane start, late rows) of each model version as the shard has them."""
    models = world.shards[P0].models.items()
    panes = {
        key: Counter({s - T0: p.rows for (s, _), p in model.panes.items()}) for key, model in models
    }
    late = Counter({key: model.totals.late for key, model in models if model.totals.late})
    return {key: rows for key, rows in panes.items() if rows}, late


def worlds_state(world):
    """The states, with everything that has no order sorted."""
    states = [shard.state() for shard in world.shards.values()]
    for state in states:
        state["models"].sort(key=lambda model: model["model"])
        for model in state["models"]:
            model["panes"].sort(key=lambda pane: pane["start_seconds"])
            model["totals"]["quality"].sort(key=lambda quality: quality[:2])
            for pane in model["panes"]:
                pane["profiles"].sort(key=lambda profile: profile[:2])
    return states


def _place(reject):
    return reject.record.offset, reject.row


def sent(log, *, rules=RULES, at=600.0):
    world = World(NORMAL, rules=rules)
    world.now = T0 + at
    rejects = world.send(P0, log)
    return world, rejects


@given(logs)
@settings(max_examples=50)
def test_late_rows_are_those_that_the_rule_names(log):
    assert counted(sent(log)[0]) == by_hand(log)


@given(logs, cuts)
@settings(max_examples=40)
def test_cutting_the_log_into_batches_changes_nothing(log, places):
    whole, whole_rejects = sent(log)
    parts = World(NORMAL)
    parts.now = whole.now
    rejects = [r for part in cut(log, places) for r in parts.send(P0, part)]
    assert_same(worlds_state(parts), worlds_state(whole))
    assert sorted(map(_place, rejects)) == sorted(map(_place, whole_rejects))


@given(logs)
@settings(max_examples=30)
def test_predictions_and_late_and_rejected_rows_are_all_rows(log):
    world, rejects = sent(log)
    shard = world.shards[P0]
    totals = [model.totals for model in shard.models.values()]
    assert sum(t.predictions + t.late + sum(t.rejected.values()) for t in totals) == len(log)
    assert sum(t.late for t in totals) == len(rejects)
    assert (shard.book.consumed, shard.book.applied) == (len(log), len(log))


@given(st.permutations(range(60)))
@settings(max_examples=15)
def test_events_out_of_order_within_the_lateness_give_the_same_panes(order):
    sorted_log = stream_of(0.0, 2, 30)
    shuffled = [sorted_log[i] for i in order]
    one, _ = sent(sorted_log)
    other, rejects = sent(shuffled)
    assert rejects == []
    assert counted(one) == counted(other)
    for start, pane in one.panes().items():
        assert other.panes()[start].summary.cells.tolist() == pane.summary.cells.tolist()


def test_watermark_never_goes_back_within_a_batch():
    world, rejects = sent([Event(500.0), Event(0.0), Event(10.0)])
    assert world.watermark() == 500.0 - LATENESS
    assert [r.reason for r in rejects] == [Reason.LATE, Reason.LATE]
    world.send(P0, [Event(450.0)])
    assert world.watermark() == 500.0 - LATENESS


@pytest.mark.parametrize(("newest", "late"), [(119.9, 0), (120.0, 1), (120.1, 1)])
def test_a_row_is_late_once_its_panes_end_is_at_the_watermark(newest, late):
    """The pane [0, 60) is closed when W = newest - 60 >= 60."""
    world, _ = sent([Event(newest), Event(59.9)])
    assert world.shards[P0].models[MODEL].totals.late == late


def test_the_event_that_moves_the_watermark_is_itself_not_late():
    world, rejects = sent([Event(0.0), Event(500.0)])
    assert rejects == []
    assert set(world.panes()) == {0.0, 480.0}


def test_a_clock_that_runs_ahead_is_capped_by_kafkas_timestamp():
    log = [Event(200.0, arrived=10.0), Event(12.0, arrived=12.0)]
    world, rejects = sent(log, at=20.0)
    assert rejects == []
    assert world.watermark() == 12.0 - LATENESS


def test_a_clock_that_runs_ahead_harms_only_its_own_model():
    ahead = Event(290.0, model=OTHER, arrived=290.0)
    world, rejects = sent([ahead, Event(5.0, model=OTHER), Event(5.0), Event(6.0)], at=10.0)
    assert [(r.reason, r.model) for r in rejects] == [(Reason.LATE, OTHER)]
    assert world.watermark() == 6.0 - LATENESS


def test_an_event_ten_years_ahead_is_rejected_and_touches_nothing_else():
    odd = Event(YEARS, arrived=YEARS)
    world, rejects = sent([Event(5.0), odd, Event(6.0)], at=10.0)
    without, _ = sent([Event(5.0), Event(6.0)], at=10.0)
    assert [r.reason for r in rejects] == [Reason.FUTURE]
    model, same = world.shards[P0].models[MODEL], without.shards[P0].models[MODEL]
    assert model.totals.rejected == {Reason.FUTURE: 1}
    assert (model.newest_seconds, model.last_arrival_seconds) == (T0 + 6.0, T0 + 6.0)
    assert counted(world) == counted(without)
    assert model.totals.predictions == same.totals.predictions == 2


@pytest.mark.parametrize(("ahead", "reasons"), [(300.0, []), (300.5, [Reason.FUTURE])])
def test_the_future_begins_five_minutes_ahead_of_our_clock(ahead, reasons):
    _, rejects = sent([Event(ahead, arrived=0.0)], at=0.0)
    assert [r.reason for r in rejects] == reasons


def test_a_replay_takes_each_records_own_timestamp_for_now():
    rules = TimeRules(use_host_clock=False)
    log = [Event(YEARS, arrived=YEARS), Event(YEARS + 400, arrived=YEARS + 10)]
    _, rejects = sent(log, rules=rules, at=0.0)
    assert [(r.reason, r.record.offset) for r in rejects] == [(Reason.FUTURE, 1)]


def test_records_without_a_timestamp_let_event_time_rule():
    world = World(NORMAL, rules=TimeRules(use_host_clock=False))
    world.now = T0 + 1000.0
    kept = [e.record(i) for i, e in enumerate([Event(500.0), Event(0.0), Event(490.0)])]
    records = [Record(r.offset, math.nan, r.value) for r in kept]
    rejects = world.apply(P0, records)
    assert [r.reason for r in rejects] == [Reason.LATE]
    model = world.shards[P0].models[MODEL]
    assert world.watermark() == 500.0 - LATENESS
    assert math.isnan(model.last_arrival_seconds)
    assert model.totals.predictions == 2


def test_unreadable_ranges_are_counted_record_by_record_and_passed():
    world = World(NORMAL)
    skipped = (Skipped(0, 6, Reason.CORRUPT_BATCH, "damaged"),)
    chunk = Chunk(P0, [Event(1.0).record(7)], 8, skipped)
    shard = world.shards[P0]
    shard.apply(chunk, world.decode(chunk), RULES, world.now)
    assert (shard.book.consumed, shard.book.applied) == (8, 1)
    assert shard.book.rejected == {Reason.CORRUPT_BATCH: 7}
    assert shard.next_offset == 8


def test_an_empty_chunk_only_moves_the_position():
    world, _ = sent([Event(1.0)])
    before = worlds_state(world)[0]
    chunk = Chunk(P0, [], 40)
    world.shards[P0].apply(chunk, world.decode(chunk), RULES, world.now)
    assert_same(worlds_state(world)[0], before | {"next_offset": 40})


def test_panes_are_handed_over_in_order_with_their_quality_counted_once():
    world, _ = sent([Event(130.0, x=None), Event(70.0, state="strange"), Event(190.0)])
    model = world.shards[P0].models[MODEL]
    plan_at = world.judge.schedule(MODEL).at
    closed = model.take_closed(T0 + 180.0, PANE, plan_at)
    assert [pane.start_seconds - T0 for pane in closed.panes] == [60.0, 120.0]
    assert model.take_closed(T0 + 180.0, PANE, plan_at) == ([], 0)
    told = {key.name: counts.tolist() for key, counts in model.totals.quality.items()}
    assert (told["x"], told["state"]) == ([1, 0, 0], [0, 0, 1])


@given(logs, cuts)
@settings(max_examples=25)
def test_a_shard_goes_on_from_its_state_as_if_nothing_had_happened(log, places):
    whole, _ = sent(log)
    stopped = World(NORMAL)
    stopped.now = whole.now
    for part in cut(log, places):
        state = stopped.shards[P0].state()
        stopped.shards[P0] = Shard.from_state(state, stopped.judge.plan, stopped.now)
        stopped.send(P0, part)
    assert_same(worlds_state(stopped), worlds_state(whole))


def test_a_partition_is_idle_once_its_end_was_reached_long_enough_after_the_last_event():
    world, _ = sent([Event(0.0)], at=0.0)
    shard = world.shards[P0]
    for waited, passed in ((IDLE - 0.1, -LATENESS), (IDLE, math.inf)):
        world.now = T0 + waited
        world.at_the_end()
        assert shard.passed_seconds(MODEL, LATENESS, IDLE) - T0 == passed


def test_a_partition_that_is_behind_is_never_idle_by_the_hosts_clock():
    world, _ = sent([Event(0.0)], at=0.0)
    world.now = T0 + 10_000.0
    assert world.shards[P0].passed_seconds(MODEL, LATENESS, IDLE) == T0 - LATENESS


def test_a_partition_that_never_saw_the_model_is_idle_some_time_after_it_became_ours():
    shard = Shard(P1, 0, T0)
    assert shard.passed_seconds(MODEL, LATENESS, IDLE) == -math.inf
    shard.caught_up_seconds = T0 + IDLE - 1
    assert shard.passed_seconds(MODEL, LATENESS, IDLE) == -math.inf
    shard.caught_up_seconds = T0 + IDLE
    assert shard.passed_seconds(MODEL, LATENESS, IDLE) == math.inf


def test_in_a_backlog_the_other_records_of_a_partition_tell_that_it_passed():
    world, _ = sent([Event(0.0)], at=9_000.0)
    shard = world.shards[P0]
    world.send(P0, [Event(IDLE - 1, model=OTHER)])
    assert shard.passed_seconds(MODEL, LATENESS, IDLE) - T0 == -LATENESS
    world.send(P0, [Event(500.0, model=OTHER)])
    assert shard.passed_seconds(MODEL, LATENESS, IDLE) - T0 == 500.0 - LATENESS
    assert shard.passed_seconds(MODEL._replace(version="2"), LATENESS, IDLE) - T0 == 440.0


def test_a_restart_does_not_begin_to_wait_anew_for_a_silent_partition():
    world, _ = sent([Event(0.0)], at=0.0)
    world.now = T0 + IDLE
    shard = Shard.from_state(world.shards[P0].state(), world.judge.plan, world.now)
    assert shard.passed_seconds(MODEL, LATENESS, IDLE) == T0 - LATENESS
    shard.caught_up_seconds = world.now
    assert shard.passed_seconds(MODEL, LATENESS, IDLE) == math.inf


def two_references(first, then):
    """A shard whose rows were decoded by NORMAL first, then by a reference that came late."""
    world, late = World(NORMAL), World(reference(seed=7))
    world.now = T0 + 600.0
    world.send(P0, first)
    shard = world.shards[P0]
    records = [e.record(shard.next_offset + i) for i, e in enumerate(then)]
    chunk = Chunk(P0, records, shard.next_offset + len(records))
    shard.apply(chunk, late.decode(chunk), RULES, world.now)
    return world, late


def test_rows_of_two_references_never_mix_in_one_pane():
    world, late = two_references([Event(1.0), Event(2.0)], [Event(3.0), Event(61.0)])
    model = world.shards[P0].models[MODEL]
    hashes = [judge.schedule(MODEL).at(0.0).reference_hash for judge in (world.judge, late.judge)]
    rows = {(s - T0, known): pane.rows for (s, known), pane in model.panes.items()}
    assert rows == {(0.0, hashes[0]): 2, (0.0, hashes[1]): 1, (60.0, hashes[1]): 1}


def test_a_pane_is_judged_by_the_reference_of_the_schedule_and_the_rows_of_others_are_unjudged():
    world, _ = two_references([Event(1.0), Event(2.0)], [Event(3.0), Event(61.0), Event(200.0)])
    world.advance()
    model = world.judge.models[MODEL]
    assert (model.panes_judged, model.rows_judged, model.rows_unjudged) == (1, 2, 2)
    assert world.judge.totals(MODEL, world.shards.values()).predictions == 5
    assert model.rows_judged + model.rows_unjudged + world.open_rows() == 5


def test_panes_of_two_references_come_back_from_a_snapshot_as_two():
    world, late = two_references([Event(1.0)], [Event(3.0)])
    plans = {
        judge.schedule(MODEL).at(0.0).reference_hash: judge.schedule(MODEL).at(0.0)
        for judge in (world.judge, late.judge)
    }
    state = world.shards[P0].state()
    shard = Shard.from_state(state, lambda _, known: plans[known], world.now)
    assert_same(shard.state(), state)
    assert len(shard.models[MODEL].panes) == 2
