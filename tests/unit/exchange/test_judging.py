"""A judge that is told by workers decides what one decides that counts by itself."""

import pytest

from service.exchange.reader import Reader
from service.exchange.records import drafts_of
from service.monitor.counting.image_blobs import image_blobs, restore_images
from service.monitor.counting.images import Images
from service.monitor.counting.sending import Sender
from service.monitor.counting.shard import Shard
from service.monitor.judging.reporting import model_reports, topic_reports
from service.monitor.judging.windows_told import KeptWindows
from service.state.snapshot import decode, encode
from service.values.records import Chunk
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import (
    IDLE,
    LATENESS,
    MODEL,
    OTHER,
    P0,
    P1,
    RULES,
    T0,
    Event,
    World,
    assert_same,
    reference,
    stream_of,
    watch,
)

GIVEN = reference()
WATCHED = watch(learn_events=300)
RULES_FORGETTING = type(RULES)(forget_after_seconds=3600.0)


class Told:
    """A world whose judge knows of its shards only what goes through a topic of panes."""

    def __init__(self, partitions=(P0, P1), rules=RULES_FORGETTING):
        self.world = World(GIVEN, WATCHED, rules, partitions=())
        self.rules = rules
        self.shards = {p: Shard(p, 0, T0) for p in partitions}
        self.senders = [Sender(s, b"w" * 16, 0, encode) for s in self.shards.values()]
        self.log = KeyedLogMemory(3)
        self.follower = self.log.follow(dict.fromkeys(range(3)))
        self.reader = Reader()
        self.images = Images(self.world.judge, decode, rules, IDLE)
        self.transitions = []

    def send(self, partition, events):
        shard = self.shards[partition]
        records = [e.record(shard.next_offset + i) for i, e in enumerate(events)]
        chunk = Chunk(partition, records, shard.next_offset + len(records))
        shard.apply(chunk, self.world.decode(chunk), self.rules, self.world.now)

    def turn(self, now, at_the_end):
        self.world.now = now
        for partition in at_the_end:
            self.shards[partition].caught_up_seconds = now
        for sender in self.senders:
            sending = sender.prepare(self.rules, IDLE)
            self.log.append(drafts_of([*sending.panes, sending.progress], 3))
            sender.confirm(sending)
        sent, refused = self.reader.take(self.follower.poll(0.0))
        assert refused == []
        self.images.take(sent, now)
        self.images.missing(now, frozenset(self.shards), at_the_end=True)
        self.transitions += self.world.judge.advance(self.images, now)


class Counting:
    """A world that counts by itself."""

    def __init__(self):
        self.world = World(GIVEN, WATCHED, RULES_FORGETTING, partitions=(P0, P1))
        self.transitions = self.world.transitions

    def send(self, partition, events):
        self.world.send(partition, events)

    def turn(self, now, at_the_end):
        self.world.now = now
        for partition in at_the_end:
            self.world.shards[partition].caught_up_seconds = now
        self.world.advance()


def live(one, *, until=40):
    """Two models on two partitions, one of which is silent for a while; x shifts half-way."""
    for minute in range(until):
        start = minute * 60.0
        one.world.now = T0 + start + 60.0
        shift = 3.0 if minute >= 20 else 0.0
        one.send(P0, stream_of(start, 1, 30, shift=shift, seed=minute))
        one.send(P0, stream_of(start, 1, 10, seed=minute, model=OTHER))
        if not 5 <= minute < 10:
            one.send(P1, stream_of(start, 1, 20, shift=shift, seed=100 + minute))
        one.send(P1, [Event(start - 500.0), Event(start + 30.0, x=None, state="strange")])
        one.turn(T0 + start + 60.0, (P0, P1) if minute % 3 else ())


def assert_same_judgement(told, counted):
    assert told.transitions == counted.transitions
    assert_same(told.world.judge.state(), counted.world.judge.state())


def test_a_judge_that_is_told_comes_to_the_same_as_one_that_counts():
    told, counted = Told(), Counting()
    for one in (told, counted):
        live(one)
    assert_same_judgement(told, counted)
    assert told.transitions
    assert told.world.judge.models[OTHER].references.newest.reference is not None, "it has learned"


class Reporting(Counting):
    """One that reports after each turn, and again."""

    def __init__(self):
        super().__init__()
        self.kept = KeptWindows()
        self.told = []

    def turn(self, now, at_the_end):
        super().turn(now, at_the_end)
        shards = list(self.world.shards.values())
        fresh = model_reports(self.world.judge, shards, LATENESS, now)
        self.told.append(model_reports(self.world.judge, shards, LATENESS, now, self.kept))
        again = model_reports(self.world.judge, shards, LATENESS, now, self.kept)
        # NaN is not equal to itself, and its words are.
        assert repr(self.told[-1]) == repr(fresh) == repr(again)
        for before, after in zip(self.told[-1], again, strict=True):
            for one, other in zip(before.streams, after.streams, strict=True):
                assert one.windows is other.windows


def test_what_windows_tell_is_kept_for_as_long_as_it_is_true():
    one = Reporting()
    live(one)
    of_one_stream = [
        report.streams[0].windows
        for told in one.told
        for report in told
        if report.key == MODEL and report.streams
    ]
    assert len(set(map(repr, of_one_stream))) > 30


def told_of(one, partitions):
    """What reports tell of models, but for the windows: open panes are not at the judge."""
    reports = model_reports(one.world.judge, partitions, LATENESS, one.world.now)
    return {
        report.key: (
            report.predictions_total,
            report.late_total,
            report.latency_counts,
            report.last_record_seconds,
            report.watermark_seconds,
            report.panes_judged_total,
            report.unjudged_total,
            {s.key: (s.missing_total, s.unseen_total, s.score) for s in report.streams},
        )
        for report in reports
    }


def test_reports_tell_the_same_counters_and_books():
    told, counted = Told(), Counting()
    for one in (told, counted):
        live(one)
    shards = counted.world.shards.values()
    assert told_of(told, told.images) == told_of(counted, shards)
    assert topic_reports(told.images) == topic_reports(shards)


def test_windows_tell_of_panes_that_wait_to_be_judged_too():
    told = Told()
    told.send(P0, stream_of(0.0, 3, 30))
    told.turn(T0 + 180.0, ())
    assert told.world.judge.models[MODEL].panes_judged == 0, "the other partition has not passed"
    told.send(P1, stream_of(0.0, 3, 30))
    told.turn(T0 + 180.0, ())
    told.send(P0, stream_of(180.0, 2, 30))
    told.turn(T0 + 300.0, ())
    (report,) = model_reports(told.world.judge, told.images, LATENESS, told.world.now)
    (window, *_) = next(s for s in report.streams if s.key.name == "x").windows
    assert told.world.judge.models[MODEL].rows_judged == 60
    assert window.values == 60 + 2 * 30


@pytest.mark.parametrize("minute", [1, 12, 30])
def test_a_judge_that_was_restarted_comes_to_the_same(minute):
    told, whole = Told(), Told()
    live(told, until=minute)
    live(whole, until=minute)
    blobs, _ = image_blobs(told.images, {}, encode)
    state = decode(encode(told.world.judge.state()))
    before = told.transitions
    again = World(GIVEN, WATCHED, RULES_FORGETTING, partitions=())
    again.now = told.world.now
    told.world, told.images = again, Images(again.judge, decode, RULES_FORGETTING, IDLE)
    restore_images(told.images, blobs, decode)
    again.judge.restore(state, told.images.newest_seconds())
    told.transitions = before
    for one in (told, whole):
        one.send(P0, stream_of(minute * 60.0, 5, 30, shift=3.0))
        one.send(P1, stream_of(minute * 60.0, 5, 30, shift=3.0))
        one.turn(T0 + (minute + 5) * 60.0, (P0, P1))
    assert_same_judgement(told, whole)


def test_what_is_silent_everywhere_is_forgotten_and_begins_anew_when_it_comes_back():
    told = Told()
    live(told, until=3)
    late = T0 + 3 * 60.0 + 3600.0
    told.turn(late, (P0, P1))
    judge = told.world.judge
    assert judge.forget(told.images, late) == [MODEL, OTHER]
    told.turn(late + 10.0, (P0, P1))
    assert model_reports(judge, told.images, LATENESS, late) == ()
    told.send(P0, stream_of(3780.0, 1, 30))
    told.turn(late + 20.0, (P0, P1))
    (report,) = model_reports(judge, told.images, LATENESS, late)
    assert (report.key, report.predictions_total) == (MODEL, 30)
