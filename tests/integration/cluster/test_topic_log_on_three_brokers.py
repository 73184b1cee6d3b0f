"""A topic of ours on three brokers: appends while one of them dies, stands still or is missing."""

import contextlib

import pytest

from service.errors import RecoverableError
from service.kafka.connection import KafkaConnection
from service.kafka.topic_log import TopicLog
from tests.unit.keyed_log_suite import draft, going_on, polled

APPEND_TIME = {"message_timestamp_type": "LogAppendTime"}


def test_an_append_goes_on_while_the_leader_is_killed_in_order_and_once(kafka_cluster):
    name = kafka_cluster.create_topic(1, min_insync_replicas="2", **APPEND_TIME)
    kafka_cluster.move_leader(name, 0, 1)
    connection = KafkaConnection(kafka_cluster.servers)
    with contextlib.closing(TopicLog(connection, name)) as log:
        with contextlib.closing(log.follow({0: None})) as follower:
            log.append([draft(0, str(n)) for n in range(100)])
            kafka_cluster.kill(1)
            log.append([draft(0, str(n)) for n in range(100, 200)])
            assert [e.key for e in going_on(follower, 200)] == [b"%d" % n for n in range(200)]
        assert [e.key for e in log.read(0)] == [b"%d" % n for n in range(200)]


def test_an_append_outlasts_a_leader_that_stands_still_with_its_connections_open(kafka_cluster):
    name = kafka_cluster.create_topic(1, min_insync_replicas="2", **APPEND_TIME)
    kafka_cluster.move_leader(name, 0, 2)
    with contextlib.closing(TopicLog(KafkaConnection(kafka_cluster.servers), name)) as log:
        log.append([draft(0, "a")])
        with contextlib.closing(log.follow({0: None})) as follower:
            polled(follower, 1)
            kafka_cluster.freeze(2)
            log.append([draft(0, "b"), draft(0, "c")])
            assert [e.key for e in going_on(follower, 2)] == [b"b", b"c"]
        kafka_cluster.thaw(2)
        log.append([draft(0, "d")])
        assert [e.key for e in log.read(0)] == [b"a", b"b", b"c", b"d"]


def test_without_enough_replicas_nothing_is_said_to_be_safe(kafka_cluster):
    name = kafka_cluster.create_topic(1, min_insync_replicas="3", **APPEND_TIME)
    connection = KafkaConnection(kafka_cluster.servers)
    with contextlib.closing(TopicLog(connection, name, append_seconds_max=12.0)) as log:
        log.append([draft(0, "a")])
        kafka_cluster.kill(2)
        with pytest.raises(RecoverableError, match="enough replicas"):
            log.append([draft(0, "b")])
        kafka_cluster.mend()
        log.append([draft(0, "c")])
        assert [e.key for e in log.read(0)][-1] == b"c"
