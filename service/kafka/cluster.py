"""What a cluster says of itself, asked once: who it is, its brokers, its topics."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAuthorizationFailedError
from msgspec import Struct

from service.kafka.asking import within
from service.kafka.connection import KafkaConnection, connection_arguments, open_client
from service.kafka.failures import failure

T = TypeVar("T")

_ALLOWANCE_SECONDS = 5.0
"""So much longer than its own limits a client may take before it is given up."""

_AGAIN_SECONDS = 1.0
"""A broker that has just started, or of a topic just made, may not know: it is asked twice."""

_FORBIDDEN = TopicAuthorizationFailedError.errno


class TopicFacts(Struct, frozen=True):
    """One topic: `id` as Kafka's tools print it (empty before Kafka 2.8), its partitions, and on
    how many brokers each of them is at least.
    """

    id: str
    partitions: frozenset[int]
    replication: int


class ClusterFacts(Struct, frozen=True):
    """The cluster's id, how many brokers it has, and which of the topics asked for are there."""

    id: str
    broker_count: int
    topics: Mapping[str, TopicFacts]


def ask(connection: KafkaConnection, topics: Iterable[str] | None = None) -> ClusterFacts:
    """What is there now of these topics; None asks for every topic that we may see.

    Raises:
        RecoverableError: nobody answers.
        ConfigurationError: the brokers refuse us, or one of the topics.
    """
    wanted = None if topics is None else sorted(topics)
    named = ", ".join(wanted or ()) or "the topics"

    def question(admin: KafkaAdminClient) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return admin.describe_cluster(), ([] if wanted == [] else admin.describe_topics(wanted))

    try:
        cluster, described = administer(connection, question)
        forbidden = [topic["name"] for topic in described if topic["error_code"] == _FORBIDDEN]
        if forbidden and wanted is not None:
            named = ", ".join(forbidden)
            raise TopicAuthorizationFailedError(set(forbidden))
    except KafkaError as error:
        raise failure(error, named, connection, "describe") from error
    there = (t for t in described if not t["error_code"] and not t.get("is_internal"))
    return ClusterFacts(
        cluster["cluster_id"], len(cluster["brokers"]), {t["name"]: _facts(t) for t in there}
    )


def find_topic(connection: KafkaConnection, topic: str) -> TopicFacts | None:
    """One topic, None when it is not there. Raises as `ask`."""
    found = ask(connection, (topic,)).topics.get(topic)
    if found is None:
        time.sleep(_AGAIN_SECONDS)
        found = ask(connection, (topic,)).topics.get(topic)
    return found


def administer(connection: KafkaConnection, question: Callable[[KafkaAdminClient], T]) -> T:
    """The answer of an admin client that is opened for it.

    Raises:
        KafkaError: whatever it ended with.
    """

    def opened() -> T:
        admin = open_client(KafkaAdminClient, connection_arguments(connection))
        try:
            return question(admin)
        finally:
            admin.close()

    seconds = connection.connect_timeout_seconds + connection.request_timeout_seconds
    return within(seconds + _ALLOWANCE_SECONDS, opened)


def printed_id(topic_id: UUID | None) -> str:
    """A topic's id as Kafka's tools print it; empty for none."""
    if topic_id is None or topic_id.int == 0:
        return ""
    return urlsafe_b64encode(topic_id.bytes).decode().rstrip("=")


def _facts(topic: Mapping[str, Any]) -> TopicFacts:
    partitions = topic["partitions"]
    return TopicFacts(
        printed_id(_as_uuid(topic.get("topic_id"))),
        frozenset(partition["partition_index"] for partition in partitions),
        min((len(partition["replica_nodes"]) for partition in partitions), default=0),
    )


def _as_uuid(topic_id: UUID | str | None) -> UUID | None:
    return UUID(topic_id) if isinstance(topic_id, str) else topic_id
