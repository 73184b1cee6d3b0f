"""Topics of ours on real brokers: made where absent, and what is wrong with one that is there."""

import uuid

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from service.errors import ConfigurationError, RecoverableError
from service.kafka.cluster import ask
from service.kafka.connection import KafkaConnection
from service.kafka.own_topics import ensure
from service.kafka.topic_log import TopicLog
from service.kafka.topic_spec import panes_topic, state_topic
from tests.integration.parts.ports import free_port
from tests.unit.keyed_log_suite import draft


def specs(partitions=2, replication=None):
    name = f"own-{uuid.uuid4().hex[:8]}"
    return (
        state_topic(f"{name}.state", partitions, replication),
        panes_topic(f"{name}.panes", partitions, replication),
    )


def settings_of(bootstrap, topic):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        found = admin.describe_configs([resource], config_filter="all")
    return {key: data["value"] for key, data in found["topic"][topic].items()}


def test_absent_topics_are_made_as_they_have_to_be_and_then_left_alone(kafka):
    connection = KafkaConnection((kafka.bootstrap,))
    state, panes = specs()
    made = ensure(connection, (state, panes), create=True)
    assert made.topics.keys() == {state.name, panes.name}
    assert all(len(facts.partitions) == 2 for facts in made.topics.values())
    for spec in (state, panes):
        assert spec.settings(1).items() <= settings_of(kafka.bootstrap, spec.name).items()
    assert ensure(connection, (state, panes), create=True) == made
    log = TopicLog(connection, state.name)
    assert log.topic_id == made.topics[state.name].id
    log.append([draft(1, "a")])
    log.close()


def test_where_nothing_is_to_be_made_the_commands_are_told(kafka):
    connection = KafkaConnection((kafka.bootstrap,))
    state, panes = specs()
    with pytest.raises(ConfigurationError) as told:
        ensure(connection, (state, panes), create=False)
    lines = str(told.value).splitlines()[1:]
    assert [line.strip().split()[0] for line in lines] == ["kafka-topics"] * 2
    assert f"--create --if-not-exists --topic {state.name} --partitions 2" in lines[0]
    assert "--config cleanup.policy=compact" in lines[0]
    assert "--config retention.ms=172800000" in lines[1]
    assert not ask(connection, (state.name, panes.name)).topics


def test_all_that_is_wrong_is_told_at_once_with_the_command_that_mends_it(kafka, topic):
    connection = KafkaConnection((kafka.bootstrap,))
    state = state_topic(topic(3, cleanup_policy="delete"), 2)
    panes = panes_topic(topic(2, retention_ms="1000"), 2)
    with pytest.raises(ConfigurationError) as told:
        ensure(connection, (state, panes), create=True)
    text = str(told.value)
    assert f"{state.name} has 3 partitions" in text
    assert f"{state.name} has cleanup.policy=delete, and has to have compact" in text
    assert f"{panes.name} has retention.ms=1000, and has to have 172800000" in text
    first, second = text.splitlines()[1:]
    assert f"--entity-name {state.name} --add-config cleanup.policy=compact," in first
    assert second.endswith("message.timestamp.type=LogAppendTime,retention.ms=172800000")


def test_the_command_that_was_told_mends_it(kafka, topic):
    connection = KafkaConnection((kafka.bootstrap,))
    state = state_topic(topic(2), 2)
    with pytest.raises(ConfigurationError) as told:
        ensure(connection, (state,), create=True)
    added = str(told.value).rpartition("--add-config ")[2].strip()
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        configs = dict(pair.split("=") for pair in added.split(","))
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, state.name, configs)])
    assert state.name in ensure(connection, (state,), create=True).topics


def test_more_replicas_than_brokers_cannot_be_made(kafka):
    (state, _) = specs(replication=3)
    with pytest.raises(ConfigurationError, match=r"does not let us make(.|\n)*kafka-topics"):
        ensure(KafkaConnection((kafka.bootstrap,)), (state,), create=True)


def test_nobody_who_answers_is_tried_again():
    nobody = KafkaConnection((f"127.0.0.1:{free_port()}",), connect_timeout_seconds=1.0)
    with pytest.raises(RecoverableError, match="Check that the brokers are up"):
        ensure(nobody, specs(), create=True)


def test_three_brokers_have_three_copies_and_a_topic_with_fewer_is_told(kafka_cluster):
    connection = KafkaConnection(kafka_cluster.servers)
    state, panes = specs()
    made = ensure(connection, (state, panes), create=True)
    assert (made.broker_count, made.topics[state.name].replication) == (3, 3)
    assert settings_of(kafka_cluster.servers, panes.name)["min.insync.replicas"] == "2"
    thin = state_topic(kafka_cluster.create_topic(2, replication=1), 2)
    with pytest.raises(ConfigurationError, match="has 1 replicas, and has to have 3"):
        ensure(connection, (thin,), create=True)
