"""Rejects reach a real topic, whole and labelled."""

import time

import pytest
from kafka import KafkaConsumer, TopicPartition

from service.ingest.kafka.dead_letters import DeadLetters
from service.kafka.connection import KafkaConnection
from service.values.records import Partition, Record
from service.values.rejects import Reason, Reject
from tests.integration.parts.topics import create_topic


def reject(offset, value=b"{broken", row=None, key=None, headers=()):
    record = Record(offset, 1.0, value, key, headers)
    return Reject(Reason.MALFORMED, "no object", Partition("events", 0), record, row)


def letters(bootstrap, topic, count):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=20_000)
    try:
        where = TopicPartition(topic, 0)
        consumer.assign([where])
        consumer.seek_to_beginning(where)
        return [message for _, message in zip(range(count), consumer, strict=False)]
    finally:
        consumer.close()


@pytest.fixture
def sink_to():
    sinks = []

    def opened(bootstrap, topic):
        sinks.append(DeadLetters(topic, KafkaConnection((bootstrap,))))
        return sinks[-1]

    yield opened
    for sink in sinks:
        sink.close(1)


def test_rejects_arrive_with_key_value_headers_and_reason(kafka, topic, sink_to):
    name = topic()
    sink = sink_to(kafka.bootstrap, name)
    sink.send(
        [
            reject(5, key=b"k", headers=(("trace", b"1"), ("none", None))),
            reject(6, b"x" * 1_000_000, row=2),
            reject(7, None),
        ]
    )
    assert sink.flush(20)
    assert (sink.sent_total, sink.failed_total) == (3, 0)
    first, second, third = letters(kafka.bootstrap, name, 3)
    assert (first.key, first.value) == (b"k", b"{broken")
    assert dict(first.headers) == {
        "trace": b"1",
        "none": b"",
        "anchorwatch-reason": b"malformed",
        "anchorwatch-detail": b"no object",
        "anchorwatch-topic": b"events",
        "anchorwatch-partition": b"0",
        "anchorwatch-offset": b"5",
    }
    assert dict(second.headers)["anchorwatch-row"] == b"2"
    assert dict(second.headers)["anchorwatch-truncated"] == b"1000000"
    assert len(second.value) == 256 * 1024
    assert third.value == b""


def test_what_the_topic_refuses_is_counted_and_the_rest_arrives(kafka, topic, sink_to):
    name = topic(max_message_bytes="2000")
    sink = sink_to(kafka.bootstrap, name)
    sink.send([reject(1), reject(2, b"x" * 5000)])
    assert sink.flush(20)
    sink.send([reject(3)])
    assert sink.flush(20)
    assert (sink.sent_total, sink.failed_total) == (2, 1)
    assert [m.value for m in letters(kafka.bootstrap, name, 2)] == [b"{broken"] * 2


def test_a_broker_that_is_away_is_waited_for(own_kafka, sink_to):
    name = create_topic(own_kafka.bootstrap)
    own_kafka.stop()
    sink = sink_to(own_kafka.bootstrap, name)
    sink.send([reject(n) for n in range(50)])
    before = time.monotonic()
    sink.send([reject(50)])
    assert time.monotonic() - before < 5.0
    own_kafka.start()
    assert sink.flush(40)
    assert (sink.sent_total, sink.failed_total) == (51, 0)
