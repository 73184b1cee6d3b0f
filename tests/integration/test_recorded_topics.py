"""Ranges of topics on a real broker: read without a group, from a place to where they end."""

import contextlib
import time
import uuid

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from service.errors import ConfigurationError
from service.ingest.kafka import recorded
from service.ingest.kafka.client import KafkaParameters
from service.ingest.kafka.extent import Extent, Moment, Offsets
from service.ingest.kafka.recorded import RecordedTopics, find_ranges
from service.kafka.connection import KafkaConnection
from service.values.records import Partition
from tests.integration.parts.ports import free_port
from tests.integration.parts.topics import create_topic, send
from tests.integration.test_kafka_source import delete_before, parameters, values
from tests.unit.ingest.sources.suite import SourceSuite, assigned, rows


class TestRecordedTopics(SourceSuite):
    @pytest.fixture(autouse=True)
    def world(self, kafka, topic):
        self.kafka, self.topic = kafka, topic

    def fill(self, counts):
        self.name = self.topic(len(counts))
        for number, count in enumerate(counts):
            send(self.kafka.bootstrap, self.name, values(count), number)
        return [Partition(self.name, number) for number in range(len(counts))]

    def open(self):
        settings = parameters(self.kafka, self.name)
        return RecordedTopics(settings, find_ranges(settings, Extent()))


def all_of(settings, ranges, **arguments):
    """Every chunk of the ranges."""
    chunks = []
    with contextlib.closing(RecordedTopics(settings, ranges, **arguments)) as source:
        source.resume(dict.fromkeys(assigned(source, len(ranges))))
        deadline = time.monotonic() + 30
        while not source.finished and time.monotonic() < deadline:
            chunks += source.poll(0.1).chunks
        assert source.finished
        return chunks, source.ranges


def test_records_beyond_the_range_are_not_handed_over(kafka, topic):
    name = topic(2)
    for number in range(2):
        send(kafka.bootstrap, name, values(50), number)
    settings = parameters(kafka, name)
    ranges = find_ranges(settings, Extent(Offsets(10), Offsets({0: 20, 1: 12})))
    send(kafka.bootstrap, name, values(50, 50), 0)
    told = []
    chunks, _ = all_of(settings, ranges, progress=lambda *counts: told.append(counts))
    assert rows(chunks, Partition(name, 0)) == list(range(10, 20))
    assert rows(chunks, Partition(name, 1)) == [10, 11]
    assert told[-1] == (12, 12)


def test_times_mean_the_first_record_from_then_on(kafka, topic):
    name = topic()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for second in range(10):
        producer.send(name, b'{"row": %d}' % second, timestamp_ms=1000 * (1_000_000 + second))
    producer.close()
    settings = parameters(kafka, name)
    (found,) = find_ranges(settings, Extent(Moment(1_000_002.5), Moment(1_000_006.0)))
    assert (found.first, found.end, found.missing) == (3, 6, 0)
    delete_before(kafka, name, 5)
    (found,) = find_ranges(settings, Extent(Moment(1_000_002.5)))
    assert (found.first, found.end, found.missing) == (5, 10, None)
    assert (found.missing_from_seconds, found.missing_until_seconds) == (1_000_002.5, 1_000_005.0)
    (found,) = find_ranges(settings, Extent(Offsets(2), Offsets(7)))
    assert (found.first, found.end, found.missing) == (5, 7, 3)


def test_what_retention_deletes_meanwhile_is_counted_as_missing(kafka, topic):
    name = topic()
    send(kafka.bootstrap, name, values(30))
    settings = parameters(kafka, name)
    ranges = find_ranges(settings, Extent())
    delete_before(kafka, name, 12)
    chunks, (told,) = all_of(settings, ranges)
    assert rows(chunks, Partition(name, 0)) == list(range(12, 30))
    assert told.missing == 12


def test_a_range_that_ends_in_markers_and_aborted_records_is_read_to_its_end(kafka, topic):
    name = topic()
    transaction = f"t-{uuid.uuid4().hex[:8]}"
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=transaction)
    producer.init_transactions()
    for row, end in ((0, "commit"), (1, "abort"), (2, "abort")):
        producer.begin_transaction()
        producer.send(name, b'{"row": %d}' % row).get(10)
        getattr(producer, f"{end}_transaction")()
    producer.close()
    settings = parameters(kafka, name)
    chunks, _ = all_of(settings, find_ranges(settings, Extent()))
    assert rows(chunks, Partition(name, 0)) == [0]
    assert chunks[-1].next_offset == 6


def test_a_broker_that_goes_away_is_named_instead_of_waited_for(own_kafka, monkeypatch):
    name = create_topic(own_kafka.bootstrap)
    send(own_kafka.bootstrap, name, values(5))
    settings = parameters(own_kafka, name)
    monkeypatch.setattr(recorded, "STALLED_SECONDS", 1.0)
    with contextlib.closing(RecordedTopics(settings, find_ranges(settings, Extent()))) as source:
        own_kafka.kill()
        source.resume(dict.fromkeys(source.partitions()))
        with pytest.raises(ConfigurationError, match=f"partition 0 of {name} was not read"):
            _ = [source.poll(0.1) for _ in range(100)]


def test_no_group_is_joined_and_nothing_is_committed(kafka, topic):
    name = topic()
    send(kafka.bootstrap, name, values(5))
    settings = parameters(kafka, name)
    all_of(settings, find_ranges(settings, Extent()))
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        groups = {group.get("group_id") for group in admin.list_groups()}
    assert settings.group not in groups


def test_what_is_not_there_is_named_with_the_nearest(kafka, topic):
    name = topic()
    with pytest.raises(ConfigurationError, match=f"nearest that is there is {name}"):
        find_ranges(parameters(kafka, f"{name}s"), Extent())
    with pytest.raises(ConfigurationError, match="no topic matches the pattern nothing"):
        find_ranges(parameters(kafka, patterns=("nothing-.*",)), Extent())
    with pytest.raises(ConfigurationError, match=f"no partition 10 of {name}.*needs its date"):
        find_ranges(parameters(kafka, name), Extent(Offsets({10: 20})))
    with pytest.raises(ConfigurationError, match=f"--from 7 is beyond the end of {name}"):
        find_ranges(parameters(kafka, name), Extent(Offsets(7)))
    nobody = KafkaParameters(
        KafkaConnection((f"127.0.0.1:{free_port()}",), connect_timeout_seconds=1.0),
        "g",
        topics=(name,),
    )
    with pytest.raises(ConfigurationError, match=r"no broker answers at 127\.0\.0\.1"):
        find_ranges(nobody, Extent())


def test_patterns_find_their_topics_and_leave_out_the_excluded(kafka, topic):
    one, other = topic(), topic(2)
    settings = parameters(kafka, patterns=(f"{one}|{other}",), excluded=(one,))
    found = find_ranges(settings, Extent(Offsets({1: 0})))
    assert [(r.topic, r.partition) for r in found] == [(other, 1)]


def test_a_log_of_which_all_is_deleted_says_so(kafka, topic):
    name = topic()
    send(kafka.bootstrap, name, values(5))
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.delete_records({TopicPartition(name, 0): 5})
    (found,) = find_ranges(parameters(kafka, name), Extent(Moment(1.0)))
    assert (found.first, found.end, found.missing) == (5, 5, None)
