"""Who gets the partitions, what is waited for meanwhile, and which topics are missed."""

import contextlib
import uuid

import pytest
from kafka.admin import KafkaAdminClient
from structlog.testing import capture_logs

from service.errors import ConfigurationError
from service.ingest.kafka.source import KafkaSource
from service.values.records import Partition
from tests.integration.test_kafka_source import parameters
from tests.unit.ingest.sources.suite import assigned, turns


@pytest.fixture
def source_of():
    """Open sources that are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda settings: stack.enter_context(contextlib.closing(KafkaSource(settings)))


def waits_until_assigned(source):
    """What was waited for, one after the other."""
    waits = []
    for turn in turns(source):
        if turn.assigned:
            assert turn.obstacle == ""
            return waits
        waits.append(turn.obstacle)
    raise AssertionError(f"nothing was assigned: {waits}")


def dies(source):
    """What a kill does to a member: it is never heard of again, and says no goodbye."""
    consumer, source._session = source._session.consumer, None
    consumer._coordinator._generation.member_id = ""
    consumer._coordinator.config["group_instance_id"] = "gone"
    consumer.close(autocommit=False, timeout_ms=1000)


def test_a_topic_that_does_not_exist_is_named_and_read_once_it_is_there(kafka, topic, source_of):
    there, late = topic(), f"late-{uuid.uuid4().hex[:8]}"
    source = source_of(parameters(kafka, there, late))
    with capture_logs() as logs:
        assigned(source, 1)
        turn = next(turn for turn in turns(source) if turn.absent)
        assert list(turn.absent) == [late]
        assert "create it" in turn.absent[late]
        assert turn.obstacle == ""
        with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
            admin.create_topics({late: {"num_partitions": 1, "replication_factor": 1}})
        assigned_late = next(turn for turn in turns(source) if Partition(late, 0) in turn.assigned)
        assert not next(turn for turn in turns(source) if not turn.absent).absent
    assert assigned_late.assigned
    told = [(entry["event"], entry["topic"]) for entry in logs if "topic" in entry]
    assert told == [("topic_absent", late), ("topic_found", late)]


def test_when_no_topic_is_there_at_all_that_is_what_is_waited_for(kafka, source_of):
    source = source_of(parameters(kafka, "nowhere", patterns=("never-.*",)))
    turn = next(turn for turn in turns(source) if turn.absent)
    assert turn.obstacle == "; ".join(turn.absent.values())
    assert "topic nowhere does not exist" in turn.obstacle
    assert "no topic matches the pattern never-.*" in turn.obstacle


def test_after_a_crash_a_start_obstacle_the_session_of_the_dead_and_says_so(
    kafka, topic, source_of
):
    settings = parameters(kafka, topic(), session_timeout_seconds=6.0)
    dead = source_of(settings)
    assigned(dead, 1)
    dies(dead)
    with capture_logs() as logs:
        waits = waits_until_assigned(source_of(settings))
    assert "ended without goodbye" in waits[-1]
    assert "up to 6 s, kafka.session_timeout" in waits[-1]
    assert len(waits) > 20
    (told,) = (entry for entry in logs if entry["event"] == "waiting")
    assert told["reason"] == waits[-1]


def test_a_static_member_has_its_partitions_back_at_once(kafka, topic, source_of):
    settings = parameters(kafka, topic(), session_timeout_seconds=30.0, instance="one")
    dead = source_of(settings)
    assigned(dead, 1)
    dies(dead)
    assert len(waits_until_assigned(source_of(settings))) < 20


def test_of_two_processes_of_one_name_the_elder_ends_aloud(kafka, topic, source_of):
    settings = parameters(kafka, topic(), instance="one")
    elder = source_of(settings)
    (partition,) = assigned(elder, 1)
    assert assigned(source_of(settings), 1) == {partition}
    elder.commit({partition: 0})
    with pytest.raises(ConfigurationError, match=r"kafka\.instance_id one in group"):
        list(turns(elder))


def test_who_is_given_nothing_says_who_has_it(kafka, topic, source_of):
    settings = parameters(kafka, topic(), session_timeout_seconds=6.0)
    one, other = source_of(settings), source_of(settings)
    said = (turn.obstacle for pair in zip(turns(one), turns(other), strict=False) for turn in pair)
    assert settings.group in next(text for text in said if "another member" in text)


def test_a_session_timeout_that_the_brokers_refuse_is_named(kafka, topic, source_of):
    source = source_of(parameters(kafka, topic(), session_timeout_seconds=3600.0))
    with pytest.raises(ConfigurationError, match=r"kafka\.session_timeout 3600s"):
        assigned(source, 1)
