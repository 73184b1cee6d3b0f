"""Partitions that come, go, cannot be placed yet, or are cut off: what the loop makes of it."""

import json

import msgspec
import pytest

from config.settings import Settings
from config.sources import SourceSettings
from service.clock import ManualClock
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references
from service.errors import RecoverableError, StateLost
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.ingest.memory import MemorySource
from service.monitor.counting.shard import TimeRules
from service.state.memory import MemoryStore
from service.values.records import Partition, Turn

START = 1_800_000_000.0
FIRST, SECOND = Partition("predictions", 0), Partition("predictions", 1)


class Group(MemorySource):
    """A source of which the test says whether the brokers answer and bring anything."""

    answers = True
    in_touch = True
    silent = False

    def poll(self, timeout_seconds):
        if self.silent:
            return Turn(in_touch=self.in_touch)
        return msgspec.structs.replace(super().poll(timeout_seconds), in_touch=self.in_touch)

    def committed(self, partitions):
        if not self.answers:
            raise RecoverableError("the coordinator is away")
        return super().committed(partitions)


@pytest.fixture
def source():
    """Two partitions with ten events each, ten seconds apart."""
    source = Group({FIRST: [], SECOND: []})
    for i in range(20):
        append(source, (FIRST, SECOND)[i % 2], START + 10 * (i // 2))
    return source


def append(source, partition, seconds):
    event = {"model": "m", "version": "1", "timestamp": seconds, "features": {"x": 1.0}}
    source.append(partition, json.dumps(event).encode(), seconds)


def service_with(source, store=None):
    settings = Settings(sources=(SourceSettings(name="s", topics=("predictions", "old")),))
    parts = Parts(
        source=source,
        store=store or MemoryStore(),
        dead_letters=NoDeadLetters(),
        given=given_references(settings),
        clock=ManualClock(START + 3600),
        rules=TimeRules(pane_seconds=10.0, lateness_seconds=10.0),
        sources=settings.sources,
    )
    return Service(settings, "hash", parts)


def turns(service, count, seconds=1.0):
    for _ in range(count):
        service.parts.clock.time_seconds += seconds
        service.loop.turn()


def predictions(service):
    return sum(model.predictions_total for model in service.report.models)


def test_nothing_is_saved_while_no_position_is_known(source):
    # An empty snapshot would make the next start forget to ask whether state was lost.
    source.commit({FIRST: 5, SECOND: 5})
    source.answers = False
    service = service_with(source)
    turns(service, 30)
    service.loop.checkpoint()
    assert service.parts.store.files == {}
    source.answers = True
    with pytest.raises(StateLost):
        turns(service, 1)


def test_what_a_rebalance_takes_away_for_a_moment_still_counts(source):
    service = service_with(source)
    turns(service, 2)
    source.revoke(SECOND)
    turns(service, 2)
    assert predictions(service) == 20
    assert [p.partition for p in service.report.partitions] == [FIRST]
    source.assign(SECOND)
    append(source, SECOND, START + 100)
    turns(service, 2)
    assert predictions(service) == 21


def test_an_end_of_the_log_heard_before_an_outage_makes_no_partition_idle(source):
    service = service_with(source)
    turns(service, 2)
    (model,) = service.judge.models.values()
    judged = model.panes_judged
    source.in_touch = False
    turns(service, 200)
    assert model.panes_judged == judged
    source.in_touch = True
    turns(service, 2)
    assert model.panes_judged > judged


def test_who_is_behind_and_out_of_touch_is_not_stuck(source):
    service = service_with(source)
    turns(service, 2)
    source.in_touch = False
    source.silent = True
    append(source, FIRST, START + 100)
    turns(service, 300)
    assert service.alive() is None
    source.in_touch = True
    turns(service, 300)
    assert "nothing applied" in service.alive()


def test_a_topic_that_is_read_no_longer_holds_up_no_pane_and_no_counter_goes_back():
    old = Partition("old", 0)
    before = Group({old: [], FIRST: []})
    for partition in (old, FIRST):
        append(before, partition, START)
    first = service_with(before)
    turns(first, 2)
    first.loop.checkpoint()
    assert {topic.topic for topic in first.report.topics} == {"old", "predictions"}

    now = Group({FIRST: []})
    append(now, FIRST, START)
    second = service_with(now, MemoryStore(first.parts.store.files))
    second.loop.restore()
    for i in range(1, 6):
        append(now, FIRST, START + 10 * i)
    turns(second, 3)
    assert predictions(second) == sum(topic.applied for topic in second.report.topics) == 7
    (model,) = second.judge.models.values()
    assert (model.panes_judged, model.rows_unjudged) == (4, 0)
