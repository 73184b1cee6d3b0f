"""A running service takes up references that are put where it looks, without a restart."""

import pytest

from config.settings import Settings
from service.clock import ManualClock
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references, time_rules
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.ingest.memory import MemorySource
from service.monitor.references.file import write
from service.registry.publishing import publish, roll_back
from service.registry.records import PARTITION, ReferenceKey, key_bytes
from service.registry.references import RegistryReferences
from service.registry.registry import Registry
from service.state.memory import MemoryStore
from service.values.keyed_log import Draft
from service.values.reports import ReferenceState
from service.values.streams import ModelKey
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import MODEL, P0, T0, reference, stream_of

LOG_PARTITIONS = 2


class Running:
    """A service whose references are in a directory or in a topic; a turn takes a second."""

    def __init__(self, place, log=None):
        self.clock = ManualClock(T0 + 100_000.0)
        self.source = MemorySource({P0: []})
        self.log = log
        settings = Settings.model_validate(
            {
                "sources": [{"name": "events", "topics": ["events"]}],
                "reference": {"from": place, "learn": {"events": 500}},
            }
        )

        def registry_of(_):
            registry = Registry(self.log)
            registry.catch_up()
            return RegistryReferences(registry)

        self.service = Service(
            settings,
            "c0ffee",
            Parts(
                source=self.source,
                store=MemoryStore(),
                dead_letters=NoDeadLetters(),
                given=given_references(settings, registry_of=registry_of),
                clock=self.clock,
                rules=time_rules(settings.detection),
                sources=settings.sources,
            ),
        )
        self.sent = 0

    def send(self, panes, key=MODEL):
        for event in stream_of(60.0 * self.sent, panes, 60, model=key, seed=self.sent):
            record = event.record(0)
            self.source.append(P0, record.value, record.timestamp_seconds)
        self.sent += panes
        return self.turns(8)

    def turns(self, count):
        for _ in range(count):
            self.clock.sleep(1.0)
            self.service.loop.turn()
        return self

    def in_force(self, key=MODEL):
        return self.service.judge.models[key].references.newest.plan.reference_hash

    def model(self, key=MODEL):
        (model,) = (m for m in self.service.report.models if m.key == key)
        return model


@pytest.fixture
def log():
    return KeyedLogMemory(LOG_PARTITIONS, "refs")


def test_a_file_put_into_the_directory_holds_without_a_restart(tmp_path):
    (tmp_path / "m.json").write_text(write(reference(seed=1)))
    running = Running(str(tmp_path)).send(5)
    assert running.in_force() == reference(seed=1).hash
    (tmp_path / "m.json").write_text(write(reference(3000, seed=2)))
    running.turns(7).send(10)
    assert running.in_force() == reference(3000, seed=2).hash
    comparison = running.service.judge.models[MODEL].comparison
    assert comparison.plan.reference_hash == reference(3000, seed=2).hash
    assert running.service.judge.models[MODEL].rows_unjudged == 0


def test_what_is_published_and_rolled_back_holds_without_a_restart(log):
    one, two = reference(seed=1), reference(seed=2)
    publish(Registry(log), one, by="ada", why="")
    running = Running("topic:refs", log).send(5)
    assert running.in_force() == one.hash
    publish(Registry(log), two, by="ada", why="")
    running.turns(7).send(10)
    assert running.in_force() == two.hash
    roll_back(Registry(log), "m", "1", to=None, by="ada", why="")
    running.turns(7).send(10)
    assert running.in_force() == one.hash


def test_a_model_that_learns_takes_up_the_first_reference_that_comes(log):
    running = Running("topic:refs", log).send(2)
    assert running.model().reference_state is ReferenceState.LEARNING
    publish(Registry(log), reference(), by="ada", why="")
    running.turns(7).send(10)
    assert running.model().reference_state is ReferenceState.READY
    assert running.in_force() == reference().hash


def test_a_new_version_is_judged_by_the_published_inputs_of_the_old_one(log):
    publish(Registry(log), reference(), by="ada", why="")
    running = Running("topic:refs", log).send(3)
    canary = ModelKey("m", "2")
    running.send(3, canary)
    newest = running.service.judge.models[canary].references.newest.reference
    assert newest.lineage.metadata["parent"] == reference().hash


def test_a_broken_file_is_counted_and_told_and_the_last_good_one_holds(tmp_path):
    (tmp_path / "m.json").write_text(write(reference()))
    running = Running(str(tmp_path)).send(5)
    (tmp_path / "m.json").write_text("{")
    running.turns(7)
    assert running.in_force() == reference().hash
    service = running.service.report.service
    assert service.reference_failures_total == 1
    assert "m.json" in service.warnings[0]
    assert "the last reference that was sound holds" in service.warnings[0].lower()
    running.turns(12)
    assert running.service.report.service.reference_failures_total == 1
    (tmp_path / "m.json").write_text(write(reference(3000, seed=2)))
    running.turns(7)
    assert not running.service.report.service.warnings


def test_a_broken_record_is_counted_and_told_and_the_last_good_one_holds(log):
    publish(Registry(log), reference(), by="ada", why="")
    running = Running("topic:refs", log).send(5)
    key = key_bytes(ReferenceKey("m", "1", "f" * 64))
    log.append([Draft(PARTITION, key, b"\x01broken")])
    running.turns(7)
    assert running.in_force() == reference().hash
    assert running.service.report.service.reference_failures_total == 1
    assert "refs, partition" in running.service.report.service.warnings[0]
