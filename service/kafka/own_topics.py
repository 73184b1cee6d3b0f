"""Topics of our own, made where they are absent, checked where they are there."""

import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import structlog
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    InvalidReplicationFactorError,
    KafkaError,
    NoError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    for_code,
)

from service.errors import ConfigurationError, RecoverableError
from service.kafka.cluster import ClusterFacts, TopicFacts, administer, ask
from service.kafka.connection import KafkaConnection
from service.kafka.failures import failure
from service.kafka.topic_spec import TopicSpec

_LOOKS_MAX = 50
_LOOK_SECONDS = 0.2
_REFUSALS = (AuthorizationError, InvalidReplicationFactorError, PolicyViolationError)


def ensure(
    connection: KafkaConnection, specs: Iterable[TopicSpec], *, create: bool
) -> ClusterFacts:
    """The cluster with all of these topics in it: absent ones are made if `create` says so.

    Where settings of a topic may not be seen (DescribeConfigs), that is logged, and the rest holds.

    Raises:
        ConfigurationError: one is absent and is not to be made, or we may not; or one is not as it
            has to be. All that is wrong is in one message, with the commands that mend it.
        RecoverableError: nobody answers.
    """
    wanted = {spec.name: spec for spec in specs}
    cluster = ask(connection, wanted)
    absent = [spec for name, spec in wanted.items() if name not in cluster.topics]
    if absent:
        if not create:
            raise ConfigurationError(_absent(connection, absent, cluster.broker_count))
        _create(connection, absent, cluster.broker_count)
        cluster = _asked_until_there(connection, wanted)
    there = list(wanted.values())
    settings = _settings_of(connection, there)
    problems = [
        problem
        for spec in there
        for problem in deviations(
            spec, cluster.topics[spec.name], settings.get(spec.name), cluster.broker_count
        )
    ]
    if problems:
        lines = [_mending(connection, spec, settings.get(spec.name), cluster) for spec in there]
        raise ConfigurationError("; ".join(problems) + _to_run(line for line in lines if line))
    return cluster


def deviations(
    spec: TopicSpec, facts: TopicFacts, settings: Mapping[str, str] | None, broker_count: int
) -> Iterator[str]:
    """What a topic that is there is, and has to be; `settings` None: they were not seen."""
    have = len(facts.partitions)
    if spec.is_fixed and have != spec.partitions:
        yield (
            f"{spec.name} has {have} partitions, and the configuration says {spec.partitions}: "
            f"they stay as they were made, so set state.topics.partitions to {have}"
        )
    wanted = spec.replicas(broker_count)
    if facts.replication < wanted:
        yield (
            f"{spec.name} has {facts.replication} replicas, and has to have {wanted}: raise them "
            f"(kafka-reassign-partitions), or set state.topics.replication to {facts.replication}"
        )
    for key, value in _wrong(spec, settings or {}, facts.replication).items():
        had = (settings or {}).get(key)
        yield f"{spec.name} has {key}={had}, and has to have {value}"


def _wrong(spec: TopicSpec, settings: Mapping[str, str], replicas: int) -> dict[str, str]:
    """Settings that do harm as they are, and what they have to be. Of limits more is as good."""
    asked = spec.settings(replicas)
    exact = ("cleanup.policy", "message.timestamp.type")
    at_least = ("min.insync.replicas", "max.message.bytes", "retention.ms", "retention.bytes")
    wrong = {key: asked[key] for key in exact if settings.get(key, asked[key]) != asked[key]}
    for key in at_least:
        have, want = (int(there.get(key, asked.get(key, 0))) for there in (settings, asked))
        is_endless = key.startswith("retention.") and have == -1
        if key in asked and not is_endless and (have < want or want == -1):
            wrong[key] = asked[key]
    return wrong


def _create(connection: KafkaConnection, specs: list[TopicSpec], broker_count: int) -> None:
    made = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replicas(broker_count),
            "configs": spec.settings(broker_count),
        }
        for spec in specs
    }
    try:
        answer = administer(connection, lambda admin: admin.create_topics(made, raise_errors=False))
        for topic in answer["topics"]:
            _require_made(topic)
    except _REFUSALS as error:
        raise ConfigurationError(
            f"Kafka does not let us make {', '.join(made)} ({_words(error)}). "
            f"{_absent(connection, specs, broker_count)}"
        ) from error
    except KafkaError as error:
        raise failure(error, ", ".join(made), connection, "create") from error
    for name, asked in made.items():
        structlog.get_logger(__name__).info("topic_created", topic=name, **asked)


def _require_made(topic: Mapping[str, Any]) -> None:
    kind = for_code(topic["error_code"])
    if kind not in {NoError, TopicAlreadyExistsError}:  # another replica of ours may be quicker
        raise kind(f"{topic['name']}: {topic.get('error_message') or kind.__name__}")


def _asked_until_there(connection: KafkaConnection, names: Iterable[str]) -> ClusterFacts:
    """Each broker learns of a new topic in its own time."""
    cluster = ask(connection, names)
    for _ in range(_LOOKS_MAX):
        if cluster.topics.keys() >= set(names):
            return cluster
        time.sleep(_LOOK_SECONDS)
        cluster = ask(connection, names)
    raise RecoverableError(
        f"{', '.join(set(names) - cluster.topics.keys())} was made, and the brokers at "
        f"{connection.brokers} do not show it yet"
    )


def _words(error: Exception) -> str:
    return "; ".join(map(str, error.args)) or type(error).__name__


def _settings_of(connection: KafkaConnection, specs: list[TopicSpec]) -> dict[str, dict[str, str]]:
    """By topic; none of those that may not be seen."""

    def question(admin: KafkaAdminClient) -> Any:
        resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
        return admin.describe_configs(resources, config_filter="all")

    if not specs:
        return {}
    try:
        found = administer(connection, question)
    except AuthorizationError as error:
        structlog.get_logger(__name__).warning(
            "own_topics_not_checked",
            topics=[spec.name for spec in specs],
            reason=f"{error}: grant DescribeConfigs on them (anchorwatch acl prints the lines)",
        )
        return {}
    except KafkaError as error:
        names = ", ".join(spec.name for spec in specs)
        raise failure(error, names, connection, "describe") from error
    return {
        name: {key: str(data["value"]) for key, data in settings.items()}
        for name, settings in found["topic"].items()
    }


def _absent(connection: KafkaConnection, specs: list[TopicSpec], broker_count: int) -> str:
    names = ", ".join(spec.name for spec in specs)
    make = ("kafka-topics", "--create", "--if-not-exists")
    lines = (_line(connection, *make, *spec.creation(broker_count)) for spec in specs)
    return f"To be there: {names}{_to_run(lines)}"


def _mending(
    connection: KafkaConnection,
    spec: TopicSpec,
    settings: Mapping[str, str] | None,
    cluster: ClusterFacts,
) -> str:
    wrong = _wrong(spec, settings or {}, cluster.topics[spec.name].replication)
    if not wrong:
        return ""
    configs = ",".join(f"{key}={value}" for key, value in wrong.items())
    where = ("--alter", "--entity-type", "topics", "--entity-name", spec.name)
    return _line(connection, "kafka-configs", *where, "--add-config", configs)


def _to_run(lines: Iterable[str]) -> str:
    """Lines for who administers the brokers, behind a sentence."""
    told = "".join(f"\n    {line}" for line in lines)
    return f". To be run by who administers the brokers:{told}" if told else ""


def _line(connection: KafkaConnection, tool: str, *words: str) -> str:
    return shlex.join((tool, "--bootstrap-server", ",".join(connection.bootstrap_servers), *words))
