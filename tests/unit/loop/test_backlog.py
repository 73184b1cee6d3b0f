"""What the loop does while it reads a long log as fast as it can."""

import json
import threading

import pytest
from msgspec.structs import replace

from config.settings import Settings
from config.sources import SourceSettings
from service.clock import ManualClock
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references, watches
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.ingest.memory import MemorySource
from service.monitor.counting.shard import TimeRules
from service.state.memory import MemoryStore
from service.values.records import Partition

PANE_SECONDS = 60.0
PANES = 200
START = 1_800_000_000.0


@pytest.fixture
def service():
    """One model, one event a pane, 200 panes of log, ten of them read in a turn; time stands."""
    partition = Partition("predictions", 0)
    source = MemorySource({partition: []}, records_max=10)
    for pane in range(PANES):
        time = START + pane * PANE_SECONDS
        event = {"model": "m", "version": "1", "timestamp": time, "features": {"x": 1.0}}
        source.append(partition, json.dumps(event).encode(), time)
    source.finish()
    settings = Settings(sources=(SourceSettings(name="s", topics=("predictions",)),))
    parts = Parts(
        source=source,
        store=MemoryStore(),
        dead_letters=NoDeadLetters(),
        given=given_references(settings),
        clock=ManualClock(START + PANES * PANE_SECONDS),
        rules=TimeRules(pane_seconds=PANE_SECONDS),
        sources=settings.sources,
    )
    return Service(settings, "hash", parts)


def open_panes(service):
    return sum(len(m.panes) for s in service.loop.shards.values() for m in s.models.values())


def test_panes_of_a_backlog_are_judged_before_they_pile_up_to_the_next_flush(service):
    most = 0
    while not service.loop.source.finished:
        service.parts.clock.time_seconds += 0.1
        service.loop.turn()
        most = max(most, open_panes(service))
    assert most <= 20


def test_a_backlog_is_judged_pane_by_pane_to_the_same_end(service):
    service.run(threading.Event())
    (model,) = service.judge.models.values()
    assert (model.panes_judged, model.rows_unjudged) == (PANES, 0)


def test_a_reference_is_learned_of_few_events_though_many_are_read_at_once(service):
    service.parts.source.records_max = 5000
    for pane in range(PANES, 2_000):
        time = START + pane * PANE_SECONDS
        event = {"model": "m", "version": "1", "timestamp": time, "features": {"x": pane % 7}}
        service.parts.source.append(Partition("predictions", 0), json.dumps(event).encode(), time)
    service.judge._watch_for = lambda _: replace(
        watches(service.settings)("m"), learn_events=300, learn_seconds=0.0
    )
    service.parts.clock.time_seconds += 2_000 * PANE_SECONDS
    service.run(threading.Event())
    (model,) = service.judge.models.values()
    assert model.comparison is not None
    assert model.comparison.reference.rows < 600
    assert model.comparison.windows[-1].total.rows > 0


def test_the_judge_is_not_asked_again_and_again_while_it_has_nothing_to_close(service):
    asked = []
    advance = service.judge.advance
    service.judge.advance = lambda *args, **kwargs: asked.append(1) or advance(*args, **kwargs)
    for _ in range(8):
        service.loop.turn()
    # The flush of the first turn, and one more at the most: the clock stands still.
    assert len(asked) <= 2
