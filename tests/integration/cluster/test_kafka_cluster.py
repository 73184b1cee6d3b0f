"""The cluster of the tests is a real one: it goes on without one of its brokers."""

from tests.integration.parts.topics import read, send

VALUES = [b"%d" % n for n in range(20)]


def test_what_was_sent_is_there_after_its_leader_was_killed_and_again_after_it_came_back(
    kafka_cluster,
):
    name = kafka_cluster.create_topic(2, min_insync_replicas="2")
    kafka_cluster.move_leader(name, 0, 2)
    send(kafka_cluster.bootstrap, name, VALUES[:10])
    kafka_cluster.kill(2)
    send(kafka_cluster.bootstrap, name, VALUES[10:])
    assert kafka_cluster.leader(name) in {1, 3}
    kafka_cluster.mend()
    assert read(kafka_cluster.bootstrap, name, 20) == VALUES
    kafka_cluster.restart(1)
    assert read(kafka_cluster.bootstrap, name, 20) == VALUES


def test_partitions_are_added(kafka_cluster):
    name = kafka_cluster.create_topic(1)
    kafka_cluster.add_partitions(name, 4)
    send(kafka_cluster.bootstrap, name, VALUES, partition=3)
    assert read(kafka_cluster.bootstrap, name, 20, partition=3) == VALUES


def test_a_frozen_broker_loses_its_leaders_and_takes_part_again_once_thawed(kafka_cluster):
    name = kafka_cluster.create_topic(1)
    kafka_cluster.move_leader(name, 0, 3)
    kafka_cluster.freeze(3)
    send(kafka_cluster.bootstrap, name, VALUES)
    assert kafka_cluster.leader(name) in {1, 2}
    kafka_cluster.mend()
    kafka_cluster.move_leader(name, 0, 3)
