"""Episodes through the loop: state first, then the record, then the log and the page."""

import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.errors import RecordFailed
from service.loops.cadence import Cadence
from service.loops.telling import OUTBOX_MAX
from service.state.episode_record import EpisodeRecord, add_verdict, read_record
from service.state.memory import MemoryStore
from service.values.episodes import Episode, Phase, Verdict
from tests.unit.monitor.events import P0, P1, T0, reference, stream_of
from tests.unit.programs import Crash, Program, World

NORMAL = reference()
NOW_AND_THEN = Cadence(flush_seconds=1.0, checkpoint_seconds=7.0)


class Record(EpisodeRecord):
    """The real one; the world may end before and after each of its writes."""

    def __init__(self, directory, world):
        super().__init__(directory, 1e9)
        self.world = world
        self.full = False

    def append(self, events, now_seconds):
        if self.full:
            raise RecordFailed("no space left")
        if events:
            self.world.burn()
        super().append(events, now_seconds)
        if events:
            self.world.burn()


def drifting_world(**source):
    world = World((P0, P1), **source)
    for number, partition in enumerate((P0, P1)):
        log = stream_of(0.0, 5, 20, seed=number)
        log += stream_of(300.0, 5, 20, seed=number + 10, shift=3.0)
        log += stream_of(600.0, 12, 20, seed=number + 20)
        world.append(partition, log)
    world.ended = True
    return world


def life(world, directory, cadence=NOW_AND_THEN, fuses=()):
    """Run to the end through the crashes; returns the last life."""
    left = list(fuses)
    while True:
        world.fuse = left.pop(0) if left else None
        program = program_of(world, directory, cadence)
        try:
            program.loop.run(threading.Event())
        except Crash:
            continue
        return program


def program_of(world, directory, cadence=NOW_AND_THEN, **more):
    record = Record(directory, world)
    return Program(world, NORMAL, cadence=cadence, episode_record=record, **more)


def told(directory):
    return [event for event in read_record(directory) if isinstance(event, Episode)]


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "episodes"


def test_the_world_of_the_crashes_has_an_episode_that_starts_and_ends(directory):
    life(drifting_world(), directory)
    phases = [event.phase for event in told(directory)]
    assert phases[0] is Phase.STARTED
    assert phases[-1] is Phase.RECOVERED


@given(
    fuses=st.lists(st.integers(0, 40), max_size=5),
    records_max=st.sampled_from([7, 40, 5000]),
    flush=st.sampled_from([0.0, 1.0, 7.0]),
    checkpoint=st.sampled_from([0.0, 3.0, 20.0]),
)
@settings(max_examples=20, deadline=None)
def test_after_crashes_at_any_point_the_record_is_as_if_there_had_been_none(
    fuses, records_max, flush, checkpoint
):
    cadence = Cadence(flush_seconds=flush, checkpoint_seconds=checkpoint)
    with tempfile.TemporaryDirectory() as place:
        whole, crashed = Path(place) / "whole", Path(place) / "crashed"
        life(drifting_world(), whole)
        life(drifting_world(records_max=records_max), crashed, cadence, fuses)
        assert _comparable(told(crashed)) == _comparable(told(whole))


def test_a_crash_at_every_single_step_leaves_the_same_record(tmp_path):
    life(drifting_world(), tmp_path / "whole")
    whole = _comparable(told(tmp_path / "whole"))
    world = drifting_world(records_max=60)
    world.fuse = steps = 10_000
    program_of(world, tmp_path / "counted").loop.run(threading.Event())
    steps -= world.fuse
    assert 20 < steps < 200
    for step in range(steps):
        crashed = tmp_path / str(step)
        life(drifting_world(records_max=60), crashed, fuses=[step])
        assert _comparable(told(crashed)) == whole, f"after a crash at step {step}"


def _comparable(events):
    """Everything but the last digits of scores, which depend on the order of summation."""
    return [
        (
            event.id,
            event.sequence,
            event.phase,
            event.onset_seconds,
            event.updated_seconds,
            event.words,
            event.cause,
            event.evidence.offsets,
            event.evidence.rows,
            [(stream.key, stream.recovered_seconds, stream.cells) for stream in event.streams],
        )
        for event in events
    ]


def test_an_episode_is_in_the_snapshot_and_in_the_record_before_it_is_on_the_page(directory):
    checked = []

    def compare(loop):
        open_ = loop.judge.episodes.open
        if open_:
            saved = MemoryStore(dict(loop.store.files)).load().tree["judge"]["episodes"]
            assert [kept["id"] for kept in saved["open"]] == [episode.id for episode in open_]
            assert {e.id for e in open_} <= {event.id for event in told(directory)}
            checked.append(open_)

    cadence = Cadence(flush_seconds=0.0, checkpoint_seconds=10_000.0)
    world = drifting_world(records_max=50)
    program_of(world, directory, cadence, publish=compare).loop.run(threading.Event())
    assert checked


def test_what_is_told_is_logged_once_with_what_and_why(directory):
    with capture_logs() as logs:
        program = life(drifting_world(), directory)
    entries = [entry for entry in logs if entry["event"].startswith("episode_")]
    assert len(entries) == len(told(directory))
    started = entries[0]
    assert (started["event"], started["log_level"]) == ("episode_started", "warning")
    assert started["episode"] == "m-20231114-2206"
    assert started["what"].startswith("x up ")
    assert started["likely"]
    assert entries[-1]["event"] == "episode_recovered"
    assert entries[-1]["log_level"] == "info"
    assert program.judge.episodes.outbox == []


def test_a_full_disk_silences_nobody_and_the_record_is_written_later(directory):
    world = drifting_world(records_max=50)
    program = program_of(world, directory, Cadence(checkpoint_seconds=2.0))
    record = program.loop.telling._record
    world.full = True
    with capture_logs() as logs:
        program.turns(40)
    assert "episode_started" in {entry["event"] for entry in logs}
    assert told(directory) == []
    world.full, record.full = False, True
    program.turns(10)
    assert program.loop.telling.failures > 0
    assert told(directory) == []
    record.full = False
    with capture_logs() as logs:
        program.turns(10)
    assert told(directory) != []
    assert not [entry for entry in logs if entry["event"] == "episode_started"]
    assert program.judge.episodes.outbox == []


def test_a_record_that_can_never_be_written_costs_no_endless_memory(directory):
    program = program_of(drifting_world(), directory)
    program.loop.telling._record.full = True
    program.turns(40)
    outbox = program.judge.episodes.outbox
    outbox += [outbox[0]] * (2 * OUTBOX_MAX)
    with capture_logs() as logs:
        program.loop.telling.saved()
    assert len(outbox) == OUTBOX_MAX
    assert "episode_events_lost" in {entry["event"] for entry in logs}
    assert not program.loop.telling.is_due


def test_a_verdict_is_counted_by_the_running_service_and_only_once_over_restarts(directory):
    world = drifting_world()
    program = life(world, directory)
    (first, *_) = told(directory)
    names = ("model", "version", "kind", "severity", "team")
    labels = {name: getattr(first, name) for name in names}
    verdict = Verdict(
        episode=first.id, real=False, by="ada", why="campaign", at_seconds=T0, **labels
    )
    add_verdict(directory, verdict)
    for _ in range(3):
        program = program_of(world, directory)
        program.loop.restore()
        program.turns(3)
        program.loop.checkpoint()
        counts = program.judge.episodes.counts.all()
        assert [(count.started, count.false) for count in counts] == [(1, 1)]
