"""Which topics there are, asked once: those that are named, and those that patterns match."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from service.errors import ConfigurationError
from service.ingest.kafka.client import KafkaParameters, matches
from service.ingest.kafka.waiting import absent_topics, refusal
from service.kafka.connection import connection_arguments, open_client

Topics = Mapping[str, frozenset[int]]
"""The partitions of each topic."""


def find_topics(parameters: KafkaParameters) -> Topics:
    """Every topic that is named or matched, with its partitions.

    Raises:
        ConfigurationError: no broker answers, or refuses us; a topic is not there, with the
            nearest one that is; or nothing matches a pattern.
    """
    try:
        admin = open_client(KafkaAdminClient, connection_arguments(parameters.connection))
        try:
            known = {t["name"]: _numbers(t) for t in admin.describe_topics() if _is_there(t)}
            unknown = [topic for topic in parameters.topics if topic not in known]
            refused = _refused(admin.describe_topics(unknown)) if unknown else []
        finally:
            admin.close()
    except KafkaError as error:
        raise ConfigurationError(explained(error, parameters)) from error
    if refused:
        raise ConfigurationError(explained(TopicAuthorizationFailedError(refused), parameters))
    absent = absent_topics(parameters, known)
    if absent:
        told = [f"{text}{_nearest(name, known)}" for name, text in absent.items()]
        raise ConfigurationError("; ".join(told))
    return {topic: known[topic] for topic in sorted(known) if _is_wanted(topic, parameters)}


def explained(error: Exception, parameters: KafkaParameters) -> str:
    """What happened, and what to do, for who waits for an answer now; of an error that has
    a cause, the cause.
    """
    cause = error.__cause__
    if isinstance(cause, Exception):
        return explained(cause, parameters)
    login = (
        "; a broker that refuses the login looks the same, so check kafka.security too"
        if parameters.connection.security.mechanism
        else ""
    )
    return refusal(error, parameters) or (
        f"no broker answers at {parameters.connection.brokers}: {error or type(error).__name__}. "
        f"Check kafka.bootstrap_servers and that the brokers are up{login}"
    )


_TOPIC_AUTHORIZATION_FAILED = TopicAuthorizationFailedError.errno


def _is_there(topic: Mapping[str, Any]) -> bool:
    return not topic["error_code"] and not topic.get("is_internal")


def _numbers(topic: Mapping[str, Any]) -> frozenset[int]:
    return frozenset(partition["partition_index"] for partition in topic["partitions"])


def _refused(topics: Iterable[Mapping[str, Any]]) -> list[str]:
    return [t["name"] for t in topics if t["error_code"] == _TOPIC_AUTHORIZATION_FAILED]


def _is_wanted(topic: str, parameters: KafkaParameters) -> bool:
    by_pattern = any(matches(pattern, topic, parameters) for pattern in parameters.patterns)
    return topic in parameters.topics or by_pattern


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f". The nearest that is there is {near[0]}" if near else ""
