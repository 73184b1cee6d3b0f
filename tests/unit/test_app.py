"""The whole service in memory: what its report and its page say."""

import math
import threading

import pytest

from config.settings import Settings
from service.clock import ManualClock
from service.composition.alone import Parts, Service, kafka_service, service_of
from service.composition.wiring import given_references, time_rules
from service.errors import ConfigurationError
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.ingest.memory import MemorySource
from service.state.memory import MemoryStore
from service.values.rejects import Reason
from service.values.reports import StreamState
from tests.unit.monitor.events import MODEL, P0, P1, STATE, T0, Event, X, reference, stream_of

NORMAL = reference()
MUTED = {"x": {"mute": {"until": "2099-01-01", "by": "ada", "why": "new feed", "ticket": "OPS-7"}}}


class Running:
    """A service over two partitions that is turned by hand; each turn takes a second."""

    def __init__(self, models=None, files=None, given=NORMAL):
        self.clock = ManualClock(T0 + 10_000.0)
        self.source = MemorySource({P0: [], P1: []})
        self.store = MemoryStore(files)
        self.settings = Settings.model_validate(
            {"sources": [{"name": "events", "topics": ["events"]}], "models": models or {}}
        )
        parts = Parts(
            source=self.source,
            store=self.store,
            dead_letters=NoDeadLetters(),
            given=given_references(self.settings, [] if given is None else [given]),
            clock=self.clock,
            rules=time_rules(self.settings.detection),
            sources=self.settings.sources,
        )
        self.service = Service(self.settings, "c0ffee", parts)

    def send(self, partition, events):
        for event in events:
            record = event.record(0)
            self.source.append(partition, record.value, record.timestamp_seconds)
        return self

    def turns(self, count=3):
        for _ in range(count):
            self.clock.sleep(1.0)
            self.service.loop.turn()
        return self

    @property
    def report(self):
        return self.service.report

    @property
    def model(self):
        (model,) = (m for m in self.report.models if m.key == MODEL)
        return model

    def stream(self, key):
        (stream,) = (s for s in self.model.streams if s.key == key)
        return stream


def test_the_report_tells_what_was_counted():
    running = Running().send(P0, [Event(0.0, x=None), Event(900.0), Event(1.0)])
    running.send(P1, [Event(2.0, state="strange")]).turns(70)
    model = running.model
    assert (model.predictions_total, model.late_total, model.unjudged_total) == (3, 1, 0)
    assert sum(model.latency_counts) == 3
    assert (model.watermark_seconds, model.last_record_seconds) == (T0 + 840.0, T0 + 900.0)
    assert (model.reference_hash, model.reference_rows) == (NORMAL.hash, 5000)
    assert running.stream(X).missing_total == 1
    assert running.stream(STATE).unseen_total == 1
    (topic,) = running.report.topics
    assert (topic.topic, topic.consumed, topic.applied) == ("events", 4, 4)


def test_a_drift_is_in_the_report_in_words():
    log = stream_of(0.0, 10, 100) + stream_of(600.0, 10, 100, shift=2.0)
    running = Running().send(P0, log).turns(70)
    stream = running.stream(X)
    assert (stream.state, stream.score >= 1) == (StreamState.WATCHED, True)
    assert 600.0 <= stream.drifted_since_seconds - T0 <= 720.0
    assert stream.summary.startswith("up ")
    assert running.model.drifted == (stream,)
    (five, hour, _) = stream.windows
    assert (five.window, five.covers_seconds, hour.covers_seconds) == ("5m", 300.0, 1200.0)
    assert five.mean_shift_sd > hour.mean_shift_sd > 0
    assert "anchorwatch_drift_score{" in running.service.board.current.page.text.decode()


def test_a_muted_feature_is_shown_as_muted_and_by_whom():
    log = stream_of(0.0, 10, 100) + stream_of(600.0, 10, 100, shift=2.0)
    running = Running({"m": {"features": MUTED}}).send(P0, log).turns(70)
    stream = running.stream(X)
    assert (stream.state, stream.drifted_since_seconds) == (StreamState.MUTED, None)
    assert stream.summary == "muted until 2099-01-01 by ada: new feed (OPS-7)"
    assert stream.score >= 1


def test_features_that_events_lack_or_have_in_excess_are_named():
    log = [Event(float(i), x=None, more={"shoe": 1}) for i in range(0, 900, 10)]
    running = Running().send(P0, log).turns(70)
    assert running.model.unknown_features == ("shoe",)
    assert running.model.absent_features == ("x",)


def test_what_is_being_learned_is_shown():
    running = Running(given=None).send(P0, stream_of(0.0, 5, 50)).turns(70)
    assert running.model.reference_state == "learning"
    assert 0 < running.model.reference_learned_ratio < 1
    assert running.stream(X).state is StreamState.LEARNING
    assert running.model.reference_hash == ""


def test_readiness_says_what_is_waited_for():
    running = Running()
    running.source.revoke(P0)
    running.source.revoke(P1)
    running.turns(1)
    assert "no partition" in running.report.service.not_ready_because
    running = Running().send(P0, [Event(0.0)]).turns(5)
    running.service.loop.checkpoint()
    assert running.report.service.ready
    again = Running(files=running.store.files).send(P0, [Event(0.0)] * 10)
    again.service.loop.restore()
    again.source.records_max = 1
    again.turns(2)
    assert not again.report.caught_up
    assert "restart" in again.report.service.not_ready_because
    again.turns(15)
    assert (again.report.caught_up, again.report.service.ready) == (True, True)


def test_lag_is_told_by_partition():
    running = Running().send(P0, [Event(float(i)) for i in range(10)])
    running.source.records_max = 4
    running.turns(2)
    first, second = running.report.partitions
    assert (first.partition, first.position, first.lag_records) == (P0, 4, 6)
    assert first.lag_seconds == running.clock.now() - (T0 + 3.0)
    assert (second.lag_records, second.lag_seconds) == (0, 0.0)


def test_a_rebalance_does_not_take_counters_back():
    running = Running().send(P0, [Event(0.0)] * 5).send(P1, [Event(0.0)] * 7).turns()
    running.source.revoke(P1)
    running.turns(1)
    assert running.model.predictions_total == 12
    assert running.report.topics[0].consumed == 12
    assert running.report.partitions_missing == {"events": 1}


def test_one_model_too_many_is_counted_as_such():
    running = Running()
    many = [Event(0.0, model=MODEL._replace(version=str(i))) for i in range(600)]
    running.send(P0, many).turns()
    limit = running.settings.limits.models
    assert len(running.report.models) == min(limit, 600)
    refused = max(0, 600 - limit)
    assert running.report.topics[0].rejected.get(Reason.OVER_LIMIT, 0) == refused


def test_the_service_reports_on_itself():
    running = Running().send(P0, [Event(0.0)]).turns(12)
    service = running.report.service
    assert (service.config_hash, service.checkpoint_failures_total) == ("c0ffee", 0)
    assert service.checkpoint_last_success_seconds > T0
    assert {timing.step for timing in service.timings} >= {"poll", "decode", "judge", "publish"}
    assert service.state_free_bytes > 0
    assert not math.isnan(service.started_seconds)


def test_a_finished_source_is_judged_to_its_end_and_everything_closed():
    running = Running().send(P0, [Event(0.0), Event(70.0)])
    running.source.finish()
    running.service.run(threading.Event())
    assert running.model.panes_judged_total == 2
    assert running.service.alive() is None


def test_without_a_topic_there_is_nothing_to_run():
    with pytest.raises(ConfigurationError, match="topics"):
        kafka_service(Settings(), "hash")


def test_a_model_that_is_silent_for_long_leaves_page_and_checkpoint():
    running = Running().send(P0, [Event(0.0)]).turns()
    assert running.report.models
    running.clock.sleep(running.settings.detection.forget_after)
    running.turns(12)
    assert running.report.models == ()
    assert running.report.topics[0].applied == 1
    assert running.store.load().tree["judge"]["models"] == []


def test_one_process_that_does_everything_does_not_keep_its_state_in_topics():
    settings = Settings.model_validate(
        {"sources": [{"name": "events", "topics": ["events"]}], "state": {"store": "topic"}}
    )
    with pytest.raises(ConfigurationError, match="--role worker or --role judge"):
        service_of(settings, "c0ffee")


@pytest.mark.parametrize("role", ["worker", "judge"])
def test_a_fleet_needs_something_to_read(role):
    settings = Settings.model_validate({"role": role, "state": {"store": "topic"}})
    with pytest.raises(ConfigurationError, match="no source with topics"):
        service_of(settings, "c0ffee")
