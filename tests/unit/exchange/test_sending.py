"""A worker's shard in pieces, and what leaves it for the judge."""

import math

import pytest

from service.errors import StateCorrupt
from service.monitor.counting.blobs import CORE, PlanUnknown, shard_blobs, shard_from_blobs
from service.monitor.counting.panes import Pane, PaneId
from service.monitor.counting.progress import Progress
from service.monitor.counting.sending import Sender
from service.monitor.counting.shard import TimeRules
from service.state.snapshot import decode, encode
from tests.unit.monitor.events import (
    IDLE,
    MODEL,
    OTHER,
    P0,
    T0,
    Event,
    World,
    assert_same,
    reference,
)

RULES = TimeRules()
WRITER = b"w" * 16
GIVEN = reference(200)


class Worker:
    """A shard with its sender, and what was written of it."""

    def __init__(self):
        self.world = World(GIVEN)
        self.world.now = T0 + 10_000.0
        self.shard = self.world.shards[P0]
        self.sender = Sender(self.shard, WRITER, 3, encode)
        self.known = {}

    def send(self, *events):
        self.world.send(P0, events)

    def write(self):
        changed, self.known = shard_blobs(self.shard, self.known, encode)
        return changed

    def prepare(self):
        return self.sender.prepare(RULES, IDLE)

    def restored(self, blobs):
        plan = self.world.judge.plan
        return shard_from_blobs(P0, self.shard.next_offset, blobs, plan, decode, self.world.now)


def described(panes):
    return [(sent.start_seconds - T0, sent.rows, sent.early) for sent in panes]


def kinds(blobs):
    return sorted((name.split("/")[0], blob is None) for name, blob in blobs.items())


def test_panes_that_the_watermark_has_passed_are_sent_and_the_others_stay():
    worker = Worker()
    worker.send(Event(0.0), Event(1.0), Event(70.0), Event(119.9))
    assert described(worker.prepare().panes) == []
    worker.send(Event(120.0))
    sending = worker.prepare()
    assert described(sending.panes) == [(0.0, 2, False)]
    assert {known.start_seconds - T0 for known in worker.shard.models[MODEL].panes} == {60.0, 120.0}
    (sent,) = sending.panes
    assert sent.stamp == sending.progress.stamp
    assert (sent.stamp.writer, sent.stamp.era, sent.stamp.applied_through) == (WRITER, 3, 4)
    pane = Pane.from_state(worker.world.judge.plan(MODEL, GIVEN.hash), decode(sent.body))
    assert (pane.rows, pane.counts_hash()) == (2, sent.counts_hash)


def test_a_pane_is_sent_again_until_it_is_confirmed():
    worker = Worker()
    worker.send(Event(0.0), Event(120.0))
    first, again = worker.prepare(), worker.prepare()
    assert described(first.panes) == described(again.panes) == [(0.0, 1, False)]
    worker.sender.confirm(again)
    assert worker.prepare().panes == ()
    assert worker.shard.models[MODEL].outbox == {}


def test_an_idle_partition_sends_copies_of_its_open_panes_when_they_have_changed():
    worker = Worker()
    worker.send(Event(0.0), Event(61.0))
    assert worker.prepare().panes == ()
    worker.shard.caught_up_seconds = worker.world.now + IDLE
    first = worker.prepare()
    assert described(first.panes) == [(0.0, 1, True), (60.0, 1, True)]
    worker.sender.confirm(first)
    assert worker.prepare().panes == ()
    worker.send(Event(62.0))
    assert described(worker.prepare().panes) == [(60.0, 2, True)]
    assert {pane.rows for pane in worker.shard.models[MODEL].panes.values()} == {1, 2}


def test_a_model_that_is_silent_in_a_backlog_sends_copies_up_to_what_its_partition_has_passed():
    worker = Worker()
    worker.send(Event(0.0), Event(1.0, model=OTHER), Event(150.0, model=OTHER))
    copies = [s for s in worker.prepare().panes if s.model == MODEL]
    assert described(copies) == [(0.0, 1, True)]


def test_progress_says_what_was_sent_whole_and_what_is_open():
    worker = Worker()
    worker.send(Event(0.0, more={"new": 1}), Event(1.0), Event(120.0, x=None), Event(-500.0))
    worker.shard.note_unknown({MODEL: frozenset({"new"})})
    progress = Progress.from_state(decode(worker.prepare().progress.body))
    told = progress.models[MODEL]
    assert (told.open_rows, told.sent_rows, told.totals.late) == (1, 2, 1)
    assert (told.watermark_seconds - T0, told.passed_seconds - T0) == (60.0, 60.0)
    assert told.newest_event_seconds == T0 + 120.0
    assert told.unknown_features == ("new",)
    quality = {key.name: counts.tolist() for key, counts in told.totals.quality.items()}
    assert quality["x"] == [1, 0, 0]
    assert (progress.book.consumed, progress.caught_up_seconds) == (4, -math.inf)


def test_a_model_version_that_was_not_seen_waits_for_what_the_partition_has_passed():
    worker = Worker()
    worker.send(Event(0.0), Event(200.0))
    progress = Progress.from_state(decode(worker.prepare().progress.body))
    assert progress.passed_others_seconds == T0 + 140.0
    worker.shard.caught_up_seconds = worker.world.now + IDLE
    progress = Progress.from_state(decode(worker.prepare().progress.body))
    assert progress.passed_others_seconds == math.inf


def spoil_models(state):
    state["models"] = [1]


def spoil_quality(state):
    state["models"][0]["totals"]["quality"][0][2] = state["models"][0]["totals"]["latency_counts"]


def spoil_rows(state):
    state["models"][0]["open_rows"] = 10**6


def spoil_watermark(state):
    state["models"][0]["watermark_seconds"] = math.nan


@pytest.mark.parametrize(
    "spoil", [dict.clear, spoil_models, spoil_quality, spoil_rows, spoil_watermark]
)
def test_a_progress_that_makes_no_sense_is_a_value_error(spoil):
    worker = Worker()
    worker.send(Event(0.0), Event(1.0))
    state = decode(worker.prepare().progress.body)
    spoil(state)
    with pytest.raises(ValueError, match=r"\w"):
        Progress.from_state(state)


def test_only_what_has_changed_of_a_shard_is_written():
    worker = Worker()
    worker.send(Event(0.0), Event(61.0))
    assert kinds(worker.write()) == [("core", False), ("open", False), ("open", False)]
    assert worker.write() == {}
    worker.send(Event(62.0))
    assert kinds(worker.write()) == [("core", False), ("open", False)]


def test_a_closed_pane_is_in_the_outbox_until_it_is_confirmed():
    worker = Worker()
    worker.send(Event(0.0), Event(121.0))
    worker.write()
    sending = worker.prepare()
    assert kinds(worker.write()) == [("core", False), ("open", True), ("outbox", False)]
    worker.sender.confirm(sending)
    assert kinds(worker.write()) == [("outbox", True)]


def test_a_shard_comes_back_from_its_blobs_with_the_same_future():
    worker = Worker()
    worker.send(
        Event(0.0), Event(61.0, x=None), Event(125.0), Event(-900.0), Event(3.0, model=OTHER)
    )
    worker.shard.note_unknown({MODEL: frozenset({"new"})})
    worker.shard.counted_since_era = 2
    sending = worker.prepare()
    blobs = worker.write()
    shard = worker.restored(blobs | {"of somebody else": b"?"})
    assert_same(shard.state(), worker.shard.state())
    assert shard.counted_since_era == 2
    assert shard.models[MODEL].unknown_features == {"new"}
    again = Sender(shard, WRITER, 3, encode).prepare(RULES, IDLE)
    assert again.panes == sending.panes
    assert described(again.panes) == [(0.0, 1, False)]


def test_a_state_without_its_core_is_corrupt():
    worker = Worker()
    worker.send(Event(0.0))
    blobs = worker.write()
    with pytest.raises(StateCorrupt, match="events/0"):
        worker.restored({name: blob for name, blob in blobs.items() if name != CORE})


def test_a_pane_of_a_model_that_its_core_does_not_know_is_corrupt():
    worker = Worker()
    worker.send(Event(0.0))
    stranger = Worker()
    stranger.send(Event(0.0, model=OTHER))
    of_others = {n: blob for n, blob in stranger.write().items() if n.startswith("open/")}
    with pytest.raises(StateCorrupt, match="makes no sense"):
        worker.restored(worker.write() | of_others)


def test_a_pane_whose_reference_is_found_nowhere_is_told_from_a_state_that_is_corrupt():
    worker = Worker()
    worker.send(Event(0.0))
    blobs = worker.write()
    worker.world.judge.models.clear()
    with pytest.raises(PlanUnknown, match=GIVEN.hash):
        worker.restored(blobs)


def test_the_counts_hash_is_the_same_in_however_many_pieces_rows_are_counted():
    events = [Event(float(i), x=i / 7) for i in range(50)]
    whole, parts = Worker(), Worker()
    whole.send(*events)
    for event in events:
        parts.send(event)
    known = PaneId(T0, GIVEN.hash)
    hashes = [w.shard.models[MODEL].panes[known].counts_hash() for w in (whole, parts)]
    assert hashes[0] == hashes[1]
    parts.send(Event(50.0))
    assert parts.shard.models[MODEL].panes[known].counts_hash() != hashes[0]


def test_the_counts_hash_tells_other_values_of_as_many_rows():
    hashes = []
    for x in (-9.0, 9.0):
        worker = Worker()
        worker.send(Event(0.0, x=x))
        hashes.append(worker.shard.models[MODEL].panes[PaneId(T0, GIVEN.hash)].counts_hash())
    assert hashes[0] != hashes[1]
