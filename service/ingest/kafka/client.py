"""What the Kafka source may be told, and what kafka-python is told for it."""

import re
from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.assignors.range import RangePartitionAssignor
from msgspec import Struct

from service.errors import ConfigurationError
from service.ingest.kafka.membership import Membership
from service.ingest.positions import Recovery, Start
from service.kafka.connection import KafkaConnection, connection_arguments, milliseconds


class KafkaParameters(Struct, frozen=True):
    """Where to read, as whom, and from where on.

    `patterns` are regular expressions that must match a topic's whole name; `excluded` topics never
    match one (the dead letters, or they would come round again). `instance` makes a static member,
    which gets its partitions back at once when it returns within the session timeout, however it
    ended. All members of a group must have one, or none: Range loses members where they mix.
    With `shares_group` it is in order that others have partitions, even all of them.
    """

    connection: KafkaConnection
    group: str
    topics: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    start: Start = "latest"
    out_of_range: Recovery = "stop"
    instance: str | None = None
    shares_group: bool = False
    read_uncommitted: bool = False
    records_max: int = 5000
    session_timeout_seconds: float = 10.0
    partition_fetch_bytes_max: int = 8 * 1024 * 1024


def consumer_arguments(parameters: KafkaParameters) -> dict[str, Any]:
    """The keyword arguments for `KafkaConsumer`.

    Range is the only assignor that gives partition p of two topics to one member. Positions are
    ours, so nothing is committed or reset behind our back, and no topic is created by a typo.
    """
    return {
        **connection_arguments(parameters.connection),
        "group_id": parameters.group,
        "group_instance_id": parameters.instance,
        "partition_assignment_strategy": [RangePartitionAssignor],
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_uncommitted" if parameters.read_uncommitted else "read_committed",
        "fetch_max_bytes": 64 * 1024 * 1024,
        "max_partition_fetch_bytes": parameters.partition_fetch_bytes_max,
        "max_poll_records": parameters.records_max,
        "session_timeout_ms": milliseconds(parameters.session_timeout_seconds),
        "heartbeat_interval_ms": milliseconds(min(3.0, parameters.session_timeout_seconds / 3)),
        "metrics_enabled": False,
    }


def reader_arguments(parameters: KafkaParameters) -> dict[str, Any]:
    """The same for a consumer that belongs to no group and is told what to read."""
    return consumer_arguments(parameters) | {"group_id": None, "group_instance_id": None}


def subscribe(consumer: KafkaConsumer, parameters: KafkaParameters, membership: Membership) -> None:
    """Join the group for the topics, or for whatever matches the patterns, now or later.

    Raises:
        ConfigurationError: no topic, or a pattern that is no regular expression.
    """
    if not parameters.topics and not parameters.patterns:
        raise ConfigurationError("sources: name at least one topic or pattern to read from")
    if parameters.patterns:
        consumer.subscribe(pattern=topic_pattern(parameters), listener=membership)
    else:
        consumer.subscribe(topics=list(parameters.topics), listener=membership)


def topic_pattern(parameters: KafkaParameters) -> str:
    """One regular expression for all topics and patterns.

    Raises:
        ConfigurationError: a pattern is no regular expression.
    """
    for pattern in parameters.patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigurationError(
                f"sources: {pattern!r} is no regular expression: {error}"
            ) from error
    wanted = [*map(re.escape, parameters.topics), *parameters.patterns]
    any_of = "|".join(f"(?:{pattern})" for pattern in wanted)
    never = "|".join(map(re.escape, parameters.excluded))
    refusal = f"(?!(?:{never})$)" if never else ""
    return f"^{refusal}(?:{any_of})$"


def matches(pattern: str, topic: str, parameters: KafkaParameters) -> bool:
    """Is the topic one of those that a pattern means?"""
    return topic not in parameters.excluded and re.fullmatch(pattern, topic) is not None
