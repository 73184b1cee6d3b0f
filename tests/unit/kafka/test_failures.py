"""What went wrong with a topic of ours is said with what to do, and is tried again if it passes."""

import pytest
from kafka import KafkaConsumer, KafkaProducer, errors

from service.errors import ConfigurationError, RecoverableError
from service.kafka.appender import producer_arguments
from service.kafka.connection import KafkaConnection
from service.kafka.failures import failure
from service.kafka.presence import Presence
from service.kafka.reading import reader_arguments
from service.kafka.security import KafkaSecurity

CONNECTION = KafkaConnection(
    ("one:9092", "two:9092"),
    security=KafkaSecurity("SASL_SSL", "PLAIN", username="ada", password="p"),
)
PRESENCE = Presence(KafkaConnection(("one:9092",)), "aw.state", "id", 4)


@pytest.mark.parametrize(
    ("error", "doing", "words"),
    [
        (
            errors.TopicAuthorizationFailedError({"aw.state"}),
            "append to",
            "grant Describe and Write on it to the user ada",
        ),
        (
            errors.TopicAuthorizationFailedError({"aw.state"}),
            "read",
            "grant Describe and Read on it to the user ada",
        ),
        (errors.ClusterAuthorizationFailedError(), "append to", "grant IdempotentWrite"),
        (errors.MessageSizeTooLargeError("12 MB"), "append to", r"max\.message\.bytes"),
        (errors.SaslAuthenticationFailedError("no such user"), "read", "refused us.*no such user"),
    ],
)
def test_who_has_to_change_what_is_told(error, doing, words):
    told = failure(error, "aw.state", CONNECTION, doing)
    assert isinstance(told, ConfigurationError)
    with pytest.raises(ConfigurationError, match=words):
        raise told


@pytest.mark.parametrize(
    "error",
    [
        errors.KafkaTimeoutError("no answer"),
        errors.NotEnoughReplicasError(),
        errors.KafkaConnectionError("closed"),
        errors.OutOfOrderSequenceNumberError(),
    ],
)
def test_what_passes_is_tried_again_and_names_topic_and_brokers(error):
    told = failure(error, "aw.state", CONNECTION, "read")
    assert isinstance(told, RecoverableError)
    assert "Cannot read aw.state at one:9092, two:9092: " in str(told)


def test_appending_is_idempotent_in_order_and_waits_for_all():
    arguments = producer_arguments(PRESENCE, 30.0)
    assert arguments.keys() <= KafkaProducer.DEFAULT_CONFIG.keys()
    assert arguments["enable_idempotence"] is True
    assert arguments["acks"] == "all"
    assert arguments["max_in_flight_requests_per_connection"] == 1
    assert arguments["allow_auto_create_topics"] is False
    assert arguments["request_timeout_ms"] < arguments["delivery_timeout_ms"] == 30_000


def test_reading_joins_no_group_and_jumps_nowhere():
    arguments = reader_arguments(PRESENCE)
    assert arguments.keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
    assert arguments["group_id"] is None
    assert arguments["auto_offset_reset"] == "none"
    assert arguments["enable_auto_commit"] is False
    assert arguments["allow_auto_create_topics"] is False
