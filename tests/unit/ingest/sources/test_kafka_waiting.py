"""What is said while no records come: which topics are missed, what is waited for, who refused."""

import pytest
import structlog
from kafka import errors
from structlog.testing import capture_logs

from service.ingest.kafka.client import KafkaParameters
from service.ingest.kafka.waiting import Lookout, absent_topics, refusal
from service.kafka.connection import KafkaConnection
from service.kafka.security import PLAINTEXT, KafkaSecurity

NOBODY = frozenset()
ONE = frozenset({0})


def parameters(*topics, security=PLAINTEXT, **settings):
    connection = KafkaConnection(("one:9092",), security=security)
    return KafkaParameters(connection, "watch", topics=topics, **settings)


def lookout(*topics, **settings):
    return Lookout(parameters(*topics, **settings), structlog.get_logger())


def test_topics_and_patterns_of_which_nothing_is_there_are_absent():
    wanted = parameters("a", "b", patterns=("x.*", "y.*"), excluded=("y-dead",))
    absent = absent_topics(wanted, {"a": ONE, "b": NOBODY, "x1": ONE, "y-dead": ONE})
    assert list(absent) == ["b", "y.*"]
    assert absent["b"].startswith("topic b does not exist: create it")
    assert absent["y.*"].startswith("no topic matches the pattern y.*")


def test_who_has_to_be_allowed_is_named():
    security = KafkaSecurity("SASL_SSL", "PLAIN", "watcher", "secret")
    wanted = parameters("a", security=security)
    assert "to the user watcher" in absent_topics(wanted, {})["a"]
    assert "a, b: grant" in refusal(errors.TopicAuthorizationFailedError({"b", "a"}), wanted)
    assert "group watch: grant" in refusal(errors.GroupAuthorizationFailedError("watch"), wanted)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (errors.InvalidSessionTimeoutError(), "kafka.session_timeout"),
        (errors.FencedInstanceIdError(), "kafka.instance_id"),
        (errors.SaslAuthenticationFailedError("bad password"), "bad password"),
    ],
)
def test_what_does_not_pass_by_itself_names_what_to_change(error, key):
    assert key in refusal(error, parameters("a", instance="i"))


def test_what_passes_by_itself_is_no_refusal():
    assert refusal(errors.NodeNotReadyError(), parameters("a")) == ""


def test_a_wait_is_logged_once_it_lasts_and_each_one_anew():
    subject = lookout("a")
    with capture_logs() as logs:
        for start in (0.0, 100.0):
            for second in (0.0, 0.5, 1.0, 5.0):
                waiting = subject.for_partitions(
                    {"a": ONE}, start + second, holds_some=False, is_member=False
                )
                assert "ended without goodbye" in waiting.obstacle
            done = subject.for_partitions({"a": ONE}, start + 6.0, holds_some=True, is_member=True)
            assert done.obstacle == ""
        subject.for_partitions({"a": ONE}, 200.0, holds_some=False, is_member=False)
        subject.for_partitions({"a": ONE}, 200.3, holds_some=True, is_member=True)
    assert [entry["event"] for entry in logs] == ["waiting", "waiting"]


def test_a_topic_is_missed_once_and_found_once():
    subject = lookout("a", "b")
    with capture_logs() as logs:
        for now, known in enumerate(
            ({"a": ONE}, {"a": ONE}, {"a": ONE, "b": ONE}, {"a": ONE, "b": ONE})
        ):
            subject.for_partitions(known, float(now), holds_some=True, is_member=True)
    assert [(entry["event"], entry["topic"]) for entry in logs] == [
        ("topic_absent", "b"),
        ("topic_found", "b"),
    ]


def test_before_the_brokers_named_the_topics_none_is_missed():
    waiting = lookout("a").for_partitions(None, 0.0, holds_some=False, is_member=True)
    assert waiting.absent == {}
    assert "to give partitions" in waiting.obstacle


def test_while_nobody_answers_that_is_what_is_waited_for():
    assert lookout("a").for_a_broker(0.0).obstacle == "waiting for a broker to answer at one:9092"
