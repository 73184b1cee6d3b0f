"""A topic of ours on a real broker: the promises of the port, and what only brokers do to one."""

import contextlib
import threading
import time
import uuid

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from service.errors import ConfigurationError, RecoverableError, TopicGone
from service.kafka import reading
from service.kafka.appender import ENTRY_BYTES_MAX
from service.kafka.connection import KafkaConnection
from service.kafka.topic_log import TopicLog
from service.values.keyed_log import Draft
from tests.integration.parts.ports import free_port
from tests.integration.parts.topics import create_topic
from tests.unit.keyed_log_suite import KeyedLogSuite, draft, going_on, polled, told

APPEND_TIME = {"message_timestamp_type": "LogAppendTime"}


def connected(bootstrap):
    return KafkaConnection((bootstrap,), connect_timeout_seconds=3.0)


class TestTopicLog(KeyedLogSuite):
    @pytest.fixture(autouse=True)
    def world(self, kafka, topic):
        self.kafka, self.topic = kafka, topic

    def open(self, partitions):
        self.name = self.topic(partitions, **APPEND_TIME)
        return self.again()

    def again(self):
        return TopicLog(connected(self.kafka.bootstrap), self.name)

    def retain_from(self, partition, offset):
        with KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap) as admin:
            admin.delete_records({TopicPartition(self.name, partition): offset})


@pytest.fixture
def log_of():
    """Open logs that are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda bootstrap, name, **more: stack.enter_context(
            contextlib.closing(TopicLog(connected(bootstrap), name, **more))
        )


def test_a_topic_that_is_not_there_is_named_at_once(kafka):
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match="topic nowhere does not exist: create it"):
        TopicLog(connected(kafka.bootstrap), "nowhere")
    assert time.monotonic() - began < 15.0
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        assert "nowhere" not in admin.list_topics()


def test_nobody_who_answers_is_named_in_time():
    nobody = KafkaConnection((f"127.0.0.1:{free_port()}",), connect_timeout_seconds=1.0)
    with pytest.raises(RecoverableError, match=nobody.bootstrap_servers[0]):
        TopicLog(nobody, "any")


def test_ten_megabytes_are_appended_and_read_in_seconds(kafka, topic, log_of):
    log = log_of(kafka.bootstrap, topic(2, **APPEND_TIME))
    part = bytes(range(256)) * 2048
    log.append([Draft(n % 2, b"part%d" % n, part) for n in range(20)])
    log.append([Draft(0, b"k%d" % n, b"x" * 500) for n in range(5000)])
    began = time.monotonic()
    entries = [*log.read(0)]
    assert time.monotonic() - began < 20.0
    assert [e.offset for e in entries] == [*range(5010)]
    assert [e.value for e in entries[:10]] == [part] * 10


def test_an_entry_that_no_broker_takes_is_refused_before_anything_is_sent(kafka, topic, log_of):
    log = log_of(kafka.bootstrap, topic())
    with pytest.raises(ValueError, match=f"at most {ENTRY_BYTES_MAX}"):
        log.append([draft(0, "a"), Draft(0, b"b", bytes(ENTRY_BYTES_MAX))])
    with pytest.raises(ValueError, match="no partition 1"):
        log.append([draft(0, "a"), draft(1, "b")])
    assert [*log.read(0)] == []
    log.append([Draft(0, b"b", bytes(ENTRY_BYTES_MAX - 1))])


def test_a_topic_that_takes_only_small_records_is_named_with_what_to_set(kafka, topic, log_of):
    log = log_of(kafka.bootstrap, topic(max_message_bytes="2000"))
    with pytest.raises(ConfigurationError, match=r"max\.message\.bytes"):
        log.append([Draft(0, b"b", bytes(9000))])


def test_what_compaction_took_is_passed_over_up_to_the_end(kafka, topic, log_of):
    name = topic(
        1,
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
        delete_retention_ms="0",
        **APPEND_TIME,
    )
    log = log_of(kafka.bootstrap, name)
    last = ""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        last = uuid.uuid4().hex
        log.append([draft(0, "a", last), draft(0, "gone", "x"), draft(0, "gone", None)])
        end = log.append([draft(0, "head", last)])
        entries = [*log.read(0)]
        if entries[0].offset > 20:
            break
        time.sleep(0.3)
    assert entries[0].offset > 20, "the cleaner did not come"
    newest = {entry.key: entry.value for entry in entries}
    assert newest[b"head"] == newest[b"a"] == last.encode()
    with contextlib.closing(log.follow({0: None})) as follower:
        assert polled(follower, len(entries))[-1].append_seconds == end
        assert follower.positions == follower.ends()


def test_markers_of_transactions_are_passed_over_and_what_was_aborted_is_not_read(
    kafka, topic, log_of
):
    name = topic(1, **APPEND_TIME)
    log = log_of(kafka.bootstrap, name)
    producer = KafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=f"t-{uuid.uuid4().hex[:8]}"
    )
    with contextlib.closing(producer):
        producer.init_transactions()
        for key, end in (
            (b"kept", producer.commit_transaction),
            (b"lost", producer.abort_transaction),
        ):
            producer.begin_transaction()
            producer.send(name, key=key, value=b"1").get(timeout=30)
            end()
    assert [e.key for e in log.read(0)] == [b"kept"]
    with contextlib.closing(log.follow({0: None})) as follower:
        assert [e.key for e in polled(follower, 2, deadline_seconds=2.0)] == [b"kept"]
        assert follower.positions == follower.ends() == {0: 4}
    log.append([draft(0, "after")])
    assert [e.key for e in log.read(0)] == [b"kept", b"after"]


def test_a_damaged_batch_costs_itself_alone(own_kafka, log_of):
    name = create_topic(own_kafka.bootstrap, **APPEND_TIME)
    log = log_of(own_kafka.bootstrap, name)
    for key in ("one", "two", "three"):
        log.append([draft(0, key, key * 50)])
    own_kafka.stop()
    (segment,) = own_kafka.segments(name)
    damaged = bytearray(segment.read_bytes())
    at = damaged.index(b"twotwo")
    damaged[at : at + 4] = b"????"
    segment.write_bytes(damaged)
    own_kafka.start()
    entries = [*log_of(own_kafka.bootstrap, name).read(0)]
    assert [(e.offset, e.key) for e in entries] == [(0, b"one"), (2, b"three")]


def test_brokers_that_are_away_are_named_by_all_and_all_go_on_when_they_are_back(own_kafka, log_of):
    name = create_topic(own_kafka.bootstrap, 2, **APPEND_TIME)
    log = log_of(own_kafka.bootstrap, name, append_seconds_max=4.0)
    log.append([draft(0, "a")])
    with contextlib.closing(log.follow({0: None, 1: None})) as follower:
        polled(follower, 1)
        own_kafka.stop()
        with pytest.raises(RecoverableError, match="not acknowledged within 4 s"):
            log.append([draft(0, "lost"), draft(1, "lost")])
        with pytest.raises(RecoverableError, match=own_kafka.bootstrap):
            log.read(0)
        with pytest.raises(RecoverableError, match=own_kafka.bootstrap):
            follower.ends()
        with pytest.raises(RecoverableError, match="No broker answers"):
            polled(follower, 1)
        own_kafka.start()
        log.append([draft(0, "b"), draft(1, "c")])
        assert told(going_on(follower, 2)) == [(0, 1, "b", ""), (1, 0, "c", "")]
        assert follower.ends() == {0: 2, 1: 1}
    # What failed was not sent later, behind what came after it.
    assert [e.key for p in (0, 1) for e in log.read(p)] == [b"a", b"b", b"c"]


def test_a_topic_that_was_deleted_is_named_by_all(kafka, topic, log_of):
    name = topic(1, **APPEND_TIME)
    log = log_of(kafka.bootstrap, name, append_seconds_max=15.0)
    log.append([draft(0, "a")])
    follower = log.follow({0: None})
    with contextlib.closing(follower), KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        polled(follower, 1)
        admin.delete_topics([name])
        with pytest.raises(TopicGone, match=f"{name} was deleted"):
            polled(follower, 1)
        with pytest.raises(TopicGone, match=f"{name} was deleted"):
            log.append([draft(0, "b")])
        with pytest.raises(TopicGone, match=f"{name} was deleted"):
            log.read(0)
        with pytest.raises(TopicGone, match=f"{name} was deleted"):
            follower.ends()


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(kafka, topic, log_of):
    name = topic(1, **APPEND_TIME)
    log = log_of(kafka.bootstrap, name, append_seconds_max=15.0)
    log.append([draft(0, "a"), draft(0, "b")])
    follower = log.follow({0: None})
    with contextlib.closing(follower), KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        polled(follower, 2)
        admin.delete_topics([name])
        made = {name: {"num_partitions": 1, "replication_factor": 1}}
        deadline = time.monotonic() + 30.0
        while name in admin.list_topics() and time.monotonic() < deadline:
            time.sleep(0.1)
        admin.create_topics(made, wait_for_metadata=True)
        with pytest.raises(TopicGone, match="deleted and made anew"):
            log.append([draft(0, "c")])
        with pytest.raises(TopicGone, match="deleted and made anew"):
            polled(follower, 1)
    assert [e.key for e in log_of(kafka.bootstrap, name).read(0) if e.key != b"c"] == []


def test_a_client_that_comes_back_too_late_leaves_nothing_behind(kafka, topic, log_of, monkeypatch):
    follower = log_of(kafka.bootstrap, topic(1, **APPEND_TIME)).follow({0: None})
    with contextlib.closing(follower):
        follower.poll(0.1)
        threads, goes_on, poll = threading.active_count(), threading.Event(), KafkaConsumer.poll

        def standing(consumer, **arguments):
            goes_on.wait()
            return poll(consumer, **arguments)

        with monkeypatch.context() as still:
            still.setattr(reading, "_ALLOWANCE_SECONDS", 0.2)
            still.setattr(KafkaConsumer, "poll", standing)
            with pytest.raises(RecoverableError, match="did not come back"):
                follower.poll(0.0)
        follower.poll(0.1)
        goes_on.set()
        deadline = time.monotonic() + 10.0
        while threading.active_count() > threads and time.monotonic() < deadline:
            time.sleep(0.05)
        assert threading.active_count() <= threads
