"""What the Kafka source lives through: damage on the broker's disk, and brokers that are away."""

import contextlib
import struct
from itertools import islice

import pytest
from kafka import KafkaProducer

from service.ingest.kafka.source import KafkaSource
from service.values.records import Partition
from tests.integration.parts.topics import create_topic, send
from tests.integration.test_kafka_source import flowing, parameters, values
from tests.unit.ingest.sources.suite import chunks_until, rows, turns


@pytest.fixture
def source_of():
    with contextlib.ExitStack() as stack:
        yield lambda settings: stack.enter_context(contextlib.closing(KafkaSource(settings)))


def batches(segment):
    """(position, base offset) of each batch in a segment file."""
    data, position = segment.read_bytes(), 0
    while position < len(data):
        base, length = struct.unpack_from(">qi", data, position)
        yield position, base
        position += 12 + length


def damage(segment, base_offset, at, change):
    """Change one byte, `at` bytes into the batch that begins at `base_offset`."""
    position = {base: start for start, base in batches(segment)}[base_offset] + at
    data = bytearray(segment.read_bytes())
    data[position] = change(data[position])
    segment.write_bytes(data)


def test_a_damaged_batch_is_skipped_once_and_everything_else_arrives(own_kafka, source_of):
    name = create_topic(own_kafka.bootstrap, 2)
    for first in range(0, 60, 10):
        send(own_kafka.bootstrap, name, values(10, first), codec="gzip")
    send(own_kafka.bootstrap, name, values(30), 1)
    own_kafka.stop()
    segment = own_kafka.segments(name)[0]
    (second, third, last) = (base for _, base in batches(segment) if base in (10, 20, 50))
    damage(segment, second, 80, lambda byte: byte ^ 1)  # the compressed records
    damage(segment, third, 22, lambda byte: byte | 7)  # the codec, seen by the checksum
    damage(segment, last, 70, lambda byte: byte ^ 0x80)
    own_kafka.start()

    source = source_of(parameters(own_kafka, name))
    flowing(source, 2)
    a, b = Partition(name, 0), Partition(name, 1)
    chunks = chunks_until(source, {a: 60, b: 30})
    assert rows(chunks, a) == [*range(10), *range(30, 50)]
    assert rows(chunks, b) == list(range(30))
    skipped = [s for c in chunks for s in c.skipped]
    assert [(s.first_offset, s.last_offset) for s in skipped] == [(10, 19), (20, 29), (50, 59)]
    assert {(s.reason, s.detail) for s in skipped} == {("corrupt_batch", "checksum does not match")}

    send(own_kafka.bootstrap, name, values(1, 60))
    more = chunks_until(source, {a: 61})
    assert rows(more, a) == [60]
    assert [s for c in more for s in c.skipped] == []


def test_a_position_inside_a_damaged_batch_skips_only_what_is_left_of_it(own_kafka, source_of):
    name = create_topic(own_kafka.bootstrap)
    send(own_kafka.bootstrap, name, values(10))
    send(own_kafka.bootstrap, name, values(10, 10))
    own_kafka.stop()
    damage(own_kafka.segments(name)[0], 0, 70, lambda byte: byte ^ 1)
    own_kafka.start()
    source = source_of(parameters(own_kafka, name))
    flowing(source)
    where = Partition(name, 0)
    chunks_until(source, {where: 20})
    source.resume({where: 4})
    chunks = chunks_until(source, {where: 20})
    assert [(s.first_offset, s.last_offset) for c in chunks for s in c.skipped] == [(4, 9)]
    assert rows(chunks, where) == list(range(10, 20))


def test_a_broker_that_comes_back_is_read_on_from_where_we_were(own_kafka, source_of, capsys):
    name = create_topic(own_kafka.bootstrap)
    send(own_kafka.bootstrap, name, values(5))
    source = source_of(parameters(own_kafka, name, session_timeout_seconds=6.0))
    where = Partition(name, 0)
    flowing(source)
    chunks_until(source, {where: 5})
    own_kafka.kill()
    for _ in range(40):
        assert source.poll(0.1).chunks == []
    assert source.ends() == {}  # what is in the log now nobody knows
    source.commit({where: 5})
    own_kafka.start()
    send(own_kafka.bootstrap, name, values(5, 5))
    chunks, position = [], 5
    for turn in turns(source, 60):
        chunks += turn.chunks
        position = chunks[-1].next_offset if chunks else position
        source.resume(dict.fromkeys(turn.assigned, position))
        if position == 10:
            break
    assert rows(chunks, where) == list(range(5, 10))
    log = capsys.readouterr().out
    assert (log.count("kafka_unreachable"), log.count("kafka_consuming")) == (1, 2)


def test_a_broker_that_is_away_at_the_start_is_waited_for(own_kafka, source_of):
    name = create_topic(own_kafka.bootstrap)
    send(own_kafka.bootstrap, name, values(3))
    own_kafka.stop()
    source = source_of(parameters(own_kafka, name, connect_timeout_seconds=1.0))
    assert source.poll(0.1).assigned == frozenset()
    assert source.partitions() == frozenset()
    assert source.ends() == {}
    own_kafka.start()
    flowing(source)
    assert rows(chunks_until(source, {Partition(name, 0): 3}), Partition(name, 0)) == [0, 1, 2]


def test_a_resume_that_gets_no_answer_is_asked_for_again(own_kafka, source_of):
    name = create_topic(own_kafka.bootstrap)
    send(own_kafka.bootstrap, name, values(3))
    settings = parameters(own_kafka, name, request_timeout_seconds=1.0)
    source = source_of(settings)
    where = Partition(name, 0)
    assert next(turn for turn in turns(source) if turn.assigned).assigned == {where}
    own_kafka.kill()
    assert source.resume({where: 1}) == {}
    assert source.poll(0.1).assigned == {where}
    own_kafka.start()
    for _ in turns(source, 60):
        if source.resume({where: 1}) == {where: 1}:
            break
    assert rows(chunks_until(source, {where: 3}), where) == [1, 2]


def test_offsets_that_compaction_removed_are_passed(own_kafka, source_of):
    name = create_topic(
        own_kafka.bootstrap,
        cleanup_policy="compact",
        segment_ms="200",
        min_cleanable_dirty_ratio="0.01",
    )
    where, source = Partition(name, 0), source_of(parameters(own_kafka, name))
    flowing(source)
    with contextlib.closing(KafkaProducer(bootstrap_servers=own_kafka.bootstrap)) as producer:
        for row in range(200):
            producer.send(name, b'{"row": %d}' % row, b"k%d" % (row % 3)).get(10)
        for row in range(200, 230):
            # A new segment each time, so that the cleaner may work on those before it.
            producer.send(name, b'{"row": %d}' % row, b"other").get(10)
            source.resume({where: 0})
            kept = rows(chunks_until(source, {where: row + 1}), where)
            if len(kept) < 100:
                break
            next(islice(turns(source), 5, None))
    assert len(kept) < 100, "the cleaner never ran"
    assert kept == sorted(set(kept))
    assert {197, 198, 199, row} <= set(kept)
