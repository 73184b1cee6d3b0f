"""The Kafka source on a real broker."""

import contextlib
import time
import uuid

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, MemberToRemove

from service.clock import ManualClock
from service.errors import OffsetOutOfRange
from service.ingest.kafka.client import KafkaParameters
from service.ingest.kafka.source import KafkaSource
from service.kafka.connection import KafkaConnection
from service.values.records import Partition, Record
from tests.integration.parts.topics import send
from tests.unit.ingest.sources.suite import SourceSuite, assigned, chunks_until, rows, turns


def values(count, first=0):
    return [b'{"row": %d}' % n for n in range(first, first + count)]


def parameters(kafka, *topics, **settings):
    settings = {"group": f"g-{uuid.uuid4().hex[:8]}", "start": "earliest"} | settings
    named = settings.keys() & set(KafkaConnection.__struct_fields__)
    reached = KafkaConnection((kafka.bootstrap,), **{name: settings.pop(name) for name in named})
    return KafkaParameters(reached, topics=topics, **settings)


class TestKafkaSource(SourceSuite):
    @pytest.fixture(autouse=True)
    def world(self, kafka, topic):
        self.kafka, self.topic = kafka, topic

    def fill(self, counts):
        self.name = self.topic(len(counts))
        for number, count in enumerate(counts):
            send(self.kafka.bootstrap, self.name, values(count), number)
        return [Partition(self.name, number) for number in range(len(counts))]

    def open(self):
        return KafkaSource(parameters(self.kafka, self.name))


@pytest.fixture
def source_of():
    """Open sources that are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda settings: stack.enter_context(contextlib.closing(KafkaSource(settings)))


def flowing(source, count=1):
    """Resume everything that was assigned, by the start policy."""
    return source.resume(dict.fromkeys(assigned(source, count)))


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_what_producers_write_arrives_as_it_was(kafka, topic, source_of, codec):
    name = topic()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec)
    producer.send(name, b"v", b"k", [("a", b"1"), ("a", b"2")], timestamp_ms=1_700_000_000_123)
    producer.send(name, None, b"tombstone", timestamp_ms=5)
    producer.send(name, b"x" * 100_000, timestamp_ms=6)
    producer.close()
    source = source_of(parameters(kafka, name))
    flowing(source)
    (partition,) = source.partitions()
    records = [r for c in chunks_until(source, {partition: 3}) for r in c.records]
    assert records == [
        Record(0, 1_700_000_000.123, b"v", b"k", (("a", b"1"), ("a", b"2"))),
        Record(1, 0.005, None, b"tombstone"),
        Record(2, 0.006, b"x" * 100_000),
    ]


@pytest.mark.parametrize(
    ("start", "position"), [("latest", 3), ("earliest", 0), (-35.0, 1), (-5.0, 3)]
)
def test_the_first_start_is_by_policy(kafka, topic, source_of, start, position):
    name = topic()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for seconds in (40, 30, 20):
        producer.send(name, b"{}", timestamp_ms=(1_000_000 - seconds) * 1000)
    producer.close()
    source = KafkaSource(parameters(kafka, name, start=start), ManualClock(1_000_000.0))
    with contextlib.closing(source):
        assert flowing(source) == {Partition(name, 0): position}


def delete_before(kafka, name, offset):
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.delete_records({TopicPartition(name, 0): offset})


@pytest.mark.parametrize(("policy", "position"), [("earliest", 6), ("latest", 10)])
@pytest.mark.parametrize("wanted", [2, 11])
def test_a_position_that_the_log_lost_is_replaced_by_policy(
    kafka, topic, source_of, policy, position, wanted
):
    name = topic()
    send(kafka.bootstrap, name, values(10))
    delete_before(kafka, name, 6)
    source = source_of(parameters(kafka, name, out_of_range=policy))
    (where,) = assigned(source, 1)
    assert source.resume({where: wanted}) == {where: position}
    assert source.out_of_range_total == 1


def test_the_error_names_the_topic_the_range_and_the_key_to_set(kafka, topic, source_of):
    name = topic()
    send(kafka.bootstrap, name, values(10))
    delete_before(kafka, name, 6)
    source = source_of(parameters(kafka, name))
    (where,) = assigned(source, 1)
    with pytest.raises(OffsetOutOfRange, match=f"offset 2 of partition 0 of {name}.* 6 to 10") as e:
        source.resume({where: 2})
    assert "kafka.out_of_range" in str(e.value)
    assert source.resume({where: 7}) == {where: 7}


def test_retention_that_passes_us_while_we_run_makes_the_partition_ours_anew(
    kafka, topic, source_of
):
    name = topic()
    send(kafka.bootstrap, name, values(10))
    source = source_of(parameters(kafka, name, records_max=3, out_of_range="earliest"))
    flowing(source)
    where = Partition(name, 0)
    delete_before(kafka, name, 8)
    source.resume({where: 8})
    chunks_until(source, {where: 10})
    source._session.place(TopicPartition(name, 0), 2)
    seen = next(turn for turn in turns(source) if turn.assigned)
    assert (seen.assigned, seen.revoked) == ({where}, {where})
    assert source.resume({where: 2}) == {where: 8}
    assert rows(chunks_until(source, {where: 10}), where) == [8, 9]


def test_aborted_transactions_never_arrive_and_their_offsets_are_passed(kafka, topic, source_of):
    name = topic()
    producer = KafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=f"t-{uuid.uuid4().hex[:8]}"
    )
    producer.init_transactions()
    for row, end in ((0, "commit"), (1, "abort"), (2, "commit"), (3, "abort")):
        producer.begin_transaction()
        producer.send(name, b'{"row": %d}' % row).get(10)
        getattr(producer, f"{end}_transaction")()
    producer.close()
    source = source_of(parameters(kafka, name))
    flowing(source)
    where = Partition(name, 0)
    chunks = chunks_until(source, {where: 8})
    assert rows(chunks, where) == [0, 2]
    assert source.ends() == {where: 8}


def test_two_members_share_the_partitions_and_one_takes_over(kafka, topic, source_of):
    name = topic(4)
    settings = parameters(kafka, name)
    first = source_of(settings)
    flowing(first, 4)
    second = source_of(settings)
    owned = {first: first.partitions()}

    def settle(*sources):
        owned.update({source: owned.get(source, frozenset()) for source in sources})
        for _ in range(200):
            for source in sources:
                turn = source.poll(0.05)
                owned[source] = (owned[source] - turn.revoked) | turn.assigned
                source.resume(dict.fromkeys(turn.assigned))
            sizes = [len(owned[source]) for source in sources]
            if sizes == [4 // len(sources)] * len(sources):
                return [owned[source] for source in sources]
        raise AssertionError(owned)

    half, other_half = settle(first, second)
    assert half | other_half == first.partitions()
    second.close()
    assert settle(first) == [first.partitions()]


def test_losing_the_membership_takes_every_partition_and_gives_it_again(kafka, topic, source_of):
    name = topic(2)
    send(kafka.bootstrap, name, values(5))
    settings = parameters(kafka, name)
    source = source_of(settings)
    flowing(source, 2)
    where = Partition(name, 0)
    chunks_until(source, {where: 5})
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        member = source._session.consumer.group_metadata().member_id
        admin.remove_group_members(settings.group, [MemberToRemove(member_id=member)])
    source.commit({where: 5})
    revoked, given = frozenset(), frozenset()
    for turn in turns(source):
        assert not turn.acknowledged
        revoked, given = revoked | turn.revoked, given | turn.assigned
        if given:
            break
    assert (revoked, given) == (source.partitions(), source.partitions())
    assert source.commit_failures_total == 1
    source.resume({where: 3})
    assert rows(chunks_until(source, {where: 5}), where) == [3, 4]


def test_the_group_acknowledges_a_commit_once_unless_its_partition_was_resumed_since(
    kafka, topic, source_of
):
    source = source_of(parameters(kafka, topic(2)))
    a, b = sorted(flowing(source, 2))
    source.commit({a: 0, b: 0})
    source.resume({b: 0})
    acknowledged = [turn.acknowledged for _, turn in zip(range(20), turns(source), strict=False)]
    assert [told for told in acknowledged if told] == [{a}]
    source.commit({b: 0})
    assert next(turn.acknowledged for turn in turns(source) if turn.acknowledged) == {b}


def test_committed_positions_are_seen_by_the_group_after_close(kafka, topic, source_of):
    name = topic(2)
    settings = parameters(kafka, name)
    source = source_of(settings)
    flowing(source, 2)
    a, b = Partition(name, 0), Partition(name, 1)
    source.commit({a: 7})
    source.close()
    again = source_of(settings)
    assigned(again, 2)
    assert again.committed(frozenset({a, b})) == {a: 7}


def test_partitions_that_are_added_are_assigned(kafka, topic, source_of):
    name = topic()
    source = source_of(parameters(kafka, name, metadata_max_age_seconds=1.0))
    flowing(source)
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.create_partitions({name: 3})
    assert assigned(source, 3) == {Partition(name, n) for n in range(3)}


def test_a_join_survives_polls_that_are_too_short_for_it(kafka, topic, source_of):
    for _ in range(5):
        name = topic()
        source = source_of(parameters(kafka, name))
        deadline = time.monotonic() + 15
        while not source.poll(0.001).assigned:
            assert time.monotonic() < deadline


def test_a_pattern_finds_topics_that_come_later_and_never_the_excluded_one(kafka, topic, source_of):
    first, dead = topic(), topic()
    settings = parameters(
        kafka, patterns=("t-[0-9a-f]+",), excluded=(dead,), metadata_max_age_seconds=1.0
    )
    source = source_of(settings)
    seen = set()
    wanted = {first}
    for turn in turns(source):
        seen = (seen - turn.revoked) | turn.assigned
        if len(wanted) == 1 and Partition(first, 0) in seen:
            wanted.add(topic())
        if len(wanted) == 2 and wanted <= {p.topic for p in seen}:
            break
    topics = {p.topic for p in seen}
    assert wanted <= topics
    assert dead not in topics


def test_a_topic_that_is_not_there_has_no_partitions_and_is_not_created(kafka, source_of):
    source = source_of(parameters(kafka, "nobody-made-this"))
    for _ in range(5):
        assert source.poll(0.1).chunks == []
    assert source.partitions() == frozenset()
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        assert "nobody-made-this" not in admin.list_topics()


def test_partitions_held_and_let_go_again_and_again_arrive_whole(kafka, topic, source_of):
    name = topic(3)
    for number in range(3):
        send(kafka.bootstrap, name, values(900), number)
    source = source_of(parameters(kafka, name, records_max=100))
    flowing(source, 3)
    partitions = sorted(source.partitions())
    chunks = []
    for number, turn in enumerate(turns(source)):
        chunks += turn.chunks
        if number % 2 == 0:
            source.hold(frozenset(partitions[: number // 2 % 3]))
        if sum(len(chunk.records) for chunk in chunks) == 2700:
            break
    assert [rows(chunks, partition) for partition in partitions] == [list(range(900))] * 3
