"""An end of a log is only known while its leader answers."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition

from service.ingest.kafka import session as session_module
from service.ingest.kafka.leaders import SETTLED_SECONDS, Leaders
from service.ingest.kafka.session import Session

ONE, OTHER = TopicPartition("events", 0), TopicPartition("events", 1)
BOTH = frozenset({ONE, OTHER})


class Cluster:
    """Two brokers; partition 0 is led by the first one, partition 1 by the second."""

    def __init__(self):
        self.leaders = {ONE: 1, OTHER: 2}
        self.up = {1, 2}
        self.cluster = self

    def leader_for_partition(self, where):
        return self.leaders.get(where)

    def connected(self, node):
        return node in self.up


@pytest.fixture
def brokers():
    return Cluster()


@pytest.fixture
def session(brokers, monkeypatch):
    """Two partitions, which were read to their ends at 10."""
    ends = SimpleNamespace(highwater=lambda _: 10)
    monkeypatch.setattr(session_module, "install", lambda _: ends)
    nothing = dict.fromkeys(("pause", "seek", "end_offsets"), lambda *_, **__: None)
    consumer = SimpleNamespace(_client=brokers, **nothing)
    session = Session(consumer)
    session.membership.on_partitions_assigned(set(BOTH))
    session.membership.take()
    session.placed = set(BOTH)
    session.look(0.0)
    return session


def test_the_end_of_a_partition_whose_leader_is_away_is_not_known(session, brokers):
    assert session.ends(BOTH) == {ONE: 10, OTHER: 10}
    brokers.up.remove(2)
    assert session.ends(BOTH) == {ONE: 10}
    session.look(1.0)
    assert session.ends(BOTH) == {ONE: 10}


@pytest.mark.parametrize("leader", [None, -1])
def test_nor_is_that_of_a_partition_without_a_leader(session, brokers, leader):
    brokers.leaders[OTHER] = leader
    session.look(1.0)
    assert session.ends(BOTH) == {ONE: 10}


def test_a_leader_that_is_back_has_to_answer_first(session, brokers):
    brokers.up.remove(2)
    session.look(1.0)
    session.look(60.0)
    brokers.up.add(2)
    session.look(60.5)
    assert session.ends(BOTH) == {ONE: 10}
    session.look(60.0 + SETTLED_SECONDS)
    assert session.ends(BOTH) == {ONE: 10, OTHER: 10}


def test_a_partition_is_known_as_soon_as_its_leader_is_connected_for_the_first_time():
    leaders = Leaders()
    leaders.look(BOTH, frozenset({ONE}), 0.0)
    leaders.look(BOTH, BOTH, 1.0)
    assert leaders.has_settled(ONE)
    assert leaders.has_settled(OTHER)


def test_what_is_held_no_longer_is_not_remembered():
    leaders = Leaders()
    leaders.look(BOTH, BOTH, 0.0)
    leaders.look(BOTH, frozenset({ONE}), 1.0)
    leaders.look(frozenset({ONE}), frozenset({ONE}), 2.0)
    leaders.look(BOTH, BOTH, 3.0)
    assert leaders.has_settled(OTHER)
