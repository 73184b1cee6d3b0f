"""Every setting reaches kafka-python, and what cannot work is refused with the key to change."""

import re

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.coordinator.assignors.range import RangePartitionAssignor

from service.errors import ConfigurationError
from service.ingest.kafka.client import KafkaParameters, consumer_arguments, topic_pattern
from service.ingest.kafka.dead_letters import _producer_arguments
from service.kafka.connection import KafkaConnection
from service.kafka.security import KafkaSecurity, client_arguments


def parameters(**settings):
    return KafkaParameters(KafkaConnection(("one:9092", "two:9092")), "watch", **settings)


def test_the_clients_know_every_argument():
    assert consumer_arguments(parameters()).keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
    producer = _producer_arguments(KafkaConnection(("one:9092",)))
    assert producer.keys() <= KafkaProducer.DEFAULT_CONFIG.keys()


def test_the_defaults_that_are_wrong_for_us_are_off():
    arguments = consumer_arguments(parameters())
    assert arguments["enable_auto_commit"] is False
    assert arguments["allow_auto_create_topics"] is False
    assert arguments["auto_offset_reset"] == "none"
    assert arguments["partition_assignment_strategy"] == [RangePartitionAssignor]
    assert arguments["isolation_level"] == "read_committed"


def test_settings_of_the_group_reach_the_consumer():
    arguments = consumer_arguments(
        parameters(
            instance="a-0", session_timeout_seconds=6.0, records_max=7, read_uncommitted=True
        )
    )
    assert arguments["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert (arguments["group_id"], arguments["group_instance_id"]) == ("watch", "a-0")
    assert (arguments["session_timeout_ms"], arguments["heartbeat_interval_ms"]) == (6000, 2000)
    assert arguments["max_poll_records"] == 7
    assert arguments["isolation_level"] == "read_uncommitted"


def test_without_a_broker_to_ask_there_is_nothing_to_start():
    with pytest.raises(ConfigurationError, match="bootstrap_servers"):
        consumer_arguments(KafkaParameters(KafkaConnection(()), "watch"))


@pytest.mark.parametrize(
    ("topic", "matches"),
    [
        ("ml.predictions", True),
        ("mlXpredictions", False),
        ("ml.predictions.old", False),
        ("knative-broker-a", True),
        ("x-knative-broker-a", False),
        ("knative-broker-dead", False),
    ],
)
def test_a_pattern_means_whole_names_and_never_an_excluded_topic(topic, matches):
    pattern = topic_pattern(
        parameters(
            topics=("ml.predictions",),
            patterns=("knative-broker-.*",),
            excluded=("knative-broker-dead",),
        )
    )
    assert bool(re.compile(pattern).match(topic)) is matches


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="regular expression"):
        topic_pattern(parameters(patterns=("(",)))


def test_plain_text_needs_nothing():
    assert client_arguments(KafkaSecurity()) == {"security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_user_and_password_reach_the_client(mechanism):
    security = KafkaSecurity("SASL_PLAINTEXT", mechanism, username="u", password="p")
    assert client_arguments(security) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }


def test_certificates_reach_the_client(tmp_path):
    files = {name: str(tmp_path / name) for name in ("ca", "certificate", "key")}
    for name in files.values():
        (tmp_path / name).write_text("")
    security = KafkaSecurity(
        "SSL",
        ca_file=files["ca"],
        certificate_file=files["certificate"],
        key_file=files["key"],
        key_password="secret",
        check_hostname=False,
    )
    assert client_arguments(security) == {
        "security_protocol": "SSL",
        "ssl_cafile": files["ca"],
        "ssl_certfile": files["certificate"],
        "ssl_keyfile": files["key"],
        "ssl_password": "secret",
        "ssl_check_hostname": False,
    }


def test_a_renewed_token_is_the_one_that_is_sent(tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    security = KafkaSecurity("SASL_SSL", "OAUTHBEARER", token_file=str(path))
    provider = client_arguments(security)["sasl_oauth_token_provider"]
    assert provider.token() == "first"
    path.write_text("second")
    assert provider.token() == "second"


def test_kerberos_needs_its_package_and_passes_service_and_domain(monkeypatch):
    security = KafkaSecurity(
        "SASL_SSL", "GSSAPI", kerberos_service="streams", kerberos_domain="example.org"
    )
    monkeypatch.setattr("service.kafka.security.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"anchorwatch\[gssapi\]"):
        client_arguments(security)
    monkeypatch.setattr("service.kafka.security.find_spec", lambda _: "there")
    arguments = client_arguments(security)
    assert arguments["sasl_kerberos_service_name"] == "streams"
    assert arguments["sasl_kerberos_domain_name"] == "example.org"


@pytest.mark.parametrize(
    ("security", "key"),
    [
        (KafkaSecurity("SASL_SSL"), "mechanism"),
        (KafkaSecurity("SSL", "PLAIN"), "protocol"),
        (KafkaSecurity("SASL_SSL", "PLAIN", username="u"), "password"),
        (KafkaSecurity("SASL_SSL", "OAUTHBEARER"), "token_file"),
        (KafkaSecurity("SASL_SSL", "OAUTHBEARER", token_file="/nowhere"), "token_file"),
        (KafkaSecurity("SSL", ca_file="/nowhere"), "ca_file"),
        (KafkaSecurity("SSL", key_file=__file__), "certificate_file"),
    ],
)
def test_what_is_missing_is_named(security, key):
    with pytest.raises(ConfigurationError, match=key):
        client_arguments(security)
