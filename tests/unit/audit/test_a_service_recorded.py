"""What a service has written, through crashes and stops, equals a recount of the log."""

import itertools
import tempfile
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit.assembly import Recorded, audit
from service.errors import RecordFailed
from service.loops.alone import Cadence
from service.loops.watching import CHANGES_EVERY_SECONDS
from service.state.episode_record import EpisodeRecord, read_watched
from service.state.episode_topic import EpisodeTopic, read_topic_watched
from service.values.audits import Fate, Period
from service.values.watched import ModelWatched, ServiceWatched, SettingsWatched, Why
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import LATENESS, MODEL, P0, P1, PANE, T0, reference, stream_of
from tests.unit.programs import TURN_SECONDS, Crash, Program, World

NORMAL = reference()
HOUR = 3600.0
LENGTH = 2 * HOUR


class Record(EpisodeRecord):
    """The real one; the world may end before and after each of its writes."""

    def __init__(self, directory, world):
        super().__init__(directory, 1e9)
        self.world = world
        self.full = False

    def append_watched(self, entries, now_seconds):
        if self.full:
            raise RecordFailed("no space left")
        self.world.burn()
        super().append_watched(entries, now_seconds)
        self.world.burn()


def world_of(seed=0, rows=5, **source):
    """Two partitions; a silence of 20 minutes, and some events that come too late."""
    world = World((P0, P1), **source)
    for number, partition in enumerate((P0, P1)):
        log = stream_of(0.0, 30, rows, seed=seed + number)
        log += stream_of(3000.0, 70, rows, seed=seed + number + 10)
        log.insert(20 * rows, msgspec.structs.replace(log[0], at=1.0))
        world.append(partition, log)
    world.ended = True
    return world


def minutes_of(world):
    """Which minutes have an event that counts: recounted by hand."""
    found = set()
    for log in world.logs.values():
        newest = float("-inf")
        for value, _ in log:
            at = msgspec.json.decode(value)["timestamp"]
            if at // PANE * PANE + PANE > newest - LATENESS:
                found.add(int((at - T0) // 60))
            newest = max(newest, at)
    return found


def live(world, directory, fuses=(), given=NORMAL, cadence=None):
    left = list(fuses)
    while True:
        world.fuse = left.pop(0) if left else None
        record = Record(directory, world)
        program = Program(world, given, cadence=cadence or Cadence(), episode_record=record)
        try:
            program.loop.run(threading.Event())
        except Crash:
            continue
        return program


def audited(directory, to_seconds=T0 + LENGTH, version=None):
    recorded = Recorded.of(read_watched(directory))
    return audit(MODEL.model, version, Period(T0, to_seconds), recorded, (), to_seconds)


@given(
    fuses=st.lists(st.integers(0, 60), max_size=4),
    flush=st.sampled_from([0.0, 1.0, 7.0]),
    checkpoint=st.sampled_from([0.0, 3.0, 20.0]),
)
@settings(max_examples=15, deadline=None)
def test_after_crashes_at_any_point_the_minutes_are_those_of_the_log(fuses, flush, checkpoint):
    cadence = Cadence(flush_seconds=flush, checkpoint_seconds=checkpoint)
    with tempfile.TemporaryDirectory() as place:
        world = world_of()
        live(world, Path(place), fuses, cadence=cadence)
        told = audited(Path(place))
        expected = minutes_of(world)
        assert told.minutes.of(Fate.WATCHED) == len(expected)
        assert told.minutes.of(Fate.SILENT) == 120 - len(expected)
        (version,) = told.versions
        entries = [e for e in read_watched(Path(place)) if isinstance(e, ModelWatched)]
        assert max(e.judged for e in entries) == 2 * (30 + 70) * 5
        assert max(e.late for e in entries) == 2
        assert version.first_seconds == T0
        assert sum(day.rows for day in told.days) == 2 * (30 + 70) * 5


SLOWLY = {"records_max": 3}
"""So that reading takes minutes, and there are entries between the start and the stop."""


class CrashingAtTheHour(Record):
    """The world ends right after the hourly entry is written, once."""

    has_crashed = False

    def append_watched(self, entries, now_seconds):
        super().append_watched(entries, now_seconds)
        hourly = [e for e in entries if isinstance(e, ServiceWatched) and e.why is Why.HOUR]
        if hourly and not self.has_crashed:
            self.has_crashed = True
            raise Crash


def test_what_an_entry_says_is_in_a_snapshot_already(tmp_path):
    world = world_of(rows=2, **SLOWLY)
    world.clock.sleep(HOUR - world.clock.now() % HOUR - 40.0)
    record = CrashingAtTheHour(tmp_path, world)
    for expected in (Crash, None):
        program = Program(world, NORMAL, episode_record=record)
        try:
            program.loop.run(threading.Event())
        except Crash:
            assert expected is Crash
    hourly, again = entries_of(tmp_path, ServiceWatched)[-3:-1]
    assert (hourly.why, again.why) == (Why.HOUR, Why.START)
    assert all(one.consumed > 0 for one in hourly.partitions)
    consumed = [one.consumed for one in hourly.partitions]
    assert [one.consumed for one in again.partitions] >= consumed
    whole = audited(tmp_path, world.clock.now() + HOUR)
    assert [book.restarts for book in whole.books] == [0, 0]


@pytest.mark.parametrize("fuse", [None, *range(4, 1000, 90)])
def test_counters_of_entries_never_go_back_and_hours_hold_what_they_held(tmp_path, fuse):
    world = world_of(rows=2, **SLOWLY)
    world.clock.sleep(HOUR - world.clock.now() % HOUR - 40.0)  # a full hour while it reads
    live(world, tmp_path, [] if fuse is None else [fuse])
    services = entries_of(tmp_path, ServiceWatched)
    assert [entry.why for entry in services].count(Why.HOUR) == 1
    for before, after in itertools.pairwise(services):
        consumed = {(p.topic, p.partition): p.consumed for p in before.partitions}
        assert all(p.consumed >= consumed[p.topic, p.partition] for p in after.partitions)
    models = entries_of(tmp_path, ModelWatched)
    assert all(a.judged <= b.judged for a, b in itertools.pairwise(models))
    told = audited(tmp_path)
    assert sum(day.rows for day in told.days) == models[-1].judged == 2 * (30 + 70) * 2
    assert told.minutes.of(Fate.WATCHED) == 100


def entries_of(directory, kind):
    return [entry for entry in read_watched(directory) if isinstance(entry, kind)]


def test_each_start_and_stop_is_written_and_the_settings_once(tmp_path):
    world = world_of()
    live(world, tmp_path)
    world.clock.sleep(500.0)
    live(world, tmp_path)
    lives = entries_of(tmp_path, ServiceWatched)
    assert [entry.why for entry in lives if entry.why is not Why.CHANGE] == [
        Why.START,
        Why.STOP,
        Why.START,
        Why.STOP,
    ]
    assert len(entries_of(tmp_path, SettingsWatched)) == 1
    first, second = sorted({entry.started_seconds for entry in lives})
    assert second - first > 500.0


def test_positions_and_books_balance_in_every_entry(tmp_path):
    world = world_of()
    live(world, tmp_path, fuses=[20, 30])
    for entry in entries_of(tmp_path, ServiceWatched):
        for one in entry.partitions:
            assert one.position == one.consumed
    last = entries_of(tmp_path, ServiceWatched)[-1]
    assert sum(one.consumed for one in last.partitions) == sum(map(len, world.logs.values()))


def test_an_entry_comes_each_full_hour_and_when_another_reference_holds(tmp_path):
    world = world_of(rows=20)
    world.ended = False
    program = Program(world, None, episode_record=Record(tmp_path, world))
    program.turns(int(3 * HOUR / TURN_SECONDS))
    whys = [entry.why for entry in entries_of(tmp_path, ServiceWatched)]
    assert whys[0] is Why.START
    assert whys.count(Why.HOUR) == 3
    models = entries_of(tmp_path, ModelWatched)
    assert models[-1].reference_hash
    hashes = [entry.reference_hash for entry in models]
    assert len(set(hashes)) == 1 + ("" in hashes)
    at = [e.at_seconds for e in entries_of(tmp_path, ServiceWatched) if e.why is Why.CHANGE]
    assert all(b - a >= CHANGES_EVERY_SECONDS for a, b in itertools.pairwise(at))


def test_what_is_learned_is_not_taken_for_watched(tmp_path):
    live(world_of(rows=20), tmp_path, given=None)
    told = audited(tmp_path)
    assert told.minutes.of(Fate.LEARNING) > 0
    assert told.minutes.of(Fate.WATCHED) > 0
    assert told.minutes.of(Fate.LEARNING) + told.minutes.of(Fate.WATCHED) == 100


def test_facts_are_told_once_and_say_what_is_watched_and_where_the_reference_is_from(tmp_path):
    live(world_of(), tmp_path)
    first, *others = entries_of(tmp_path, ModelWatched)
    told = [entry.facts for entry in (first, *others) if entry.facts is not None]
    assert {one.reference.source for one in told} == {"train.csv"}
    assert {one.reference.hash for one in told} == {first.reference_hash}
    assert told[-1].features == ("state", "x")
    assert len(told) < len([first, *others]) or len(told) == 1


def test_a_record_that_cannot_be_written_costs_nothing_once_it_can(tmp_path):
    world = world_of()
    record = Record(tmp_path, world)
    world.ended = False
    program = Program(world, NORMAL, episode_record=record)
    record.full = True
    program.turns(200)
    assert program.loop.watching.failures > 0
    assert entries_of(tmp_path, ModelWatched) == []
    record.full = False
    program.turns(100)
    assert audited(tmp_path).minutes.of(Fate.WATCHED) == len(minutes_of(world))


def test_a_topic_holds_the_same_as_a_directory(tmp_path):
    live(world_of(), tmp_path)
    log = KeyedLogMemory(3, "episodes")
    world = world_of()
    Program(world, NORMAL, episode_record=EpisodeTopic(log.topic, lambda: log)).loop.run(
        threading.Event()
    )
    assert list(read_topic_watched(log)) == list(read_watched(tmp_path))


@pytest.mark.parametrize("version", ["1", "2"])
def test_one_version_can_be_asked_for(tmp_path, version):
    live(world_of(), tmp_path)
    told = audited(tmp_path, version=version)
    assert [one.version for one in told.versions] == ["1"] * (version == "1")
