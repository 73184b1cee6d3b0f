"""Topics with names of their own, and what is in them."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError


def create_topic(
    bootstrap: str | Sequence[str], partitions: int = 1, *, replication: int = 1, **config: str
) -> str:
    """Creates a topic of a new name and returns the name once every partition has a leader.

    `config` is the topic's, with `_` for `.`: `create_topic(b, 3, cleanup_policy="compact")`.
    Records of any age are kept, whatever the broker's own retention.
    """
    name = f"t-{uuid.uuid4().hex[:12]}"
    configs = {"retention.ms": "-1"} | {k.replace("_", "."): v for k, v in config.items()}
    new = {
        name: {"num_partitions": partitions, "replication_factor": replication, "configs": configs}
    }
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics(new, wait_for_metadata=True)
    return name


def send(
    bootstrap: str,
    topic: str,
    values: Sequence[bytes],
    partition: int = 0,
    codec: str | None = None,
) -> None:
    """Sends the values to one partition, in order; returns when the broker has them all."""
    producer = _producer(bootstrap, compression_type=codec)
    try:
        sent = [producer.send(topic, value, partition=partition) for value in values]
        for future in sent:
            future.get(timeout=60)
    finally:
        producer.close()


def read(
    bootstrap: str, topic: str, count: int, partition: int = 0, timeout_seconds: float = 30.0
) -> list[bytes | None]:
    """The first `count` values of one partition; fewer when the time is over."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, consumer_timeout_ms=int(timeout_seconds * 1000)
    )
    where = TopicPartition(topic, partition)
    try:
        consumer.assign([where])
        consumer.seek_to_beginning(where)
        return [record.value for record in islice(consumer, count)]
    finally:
        consumer.close()


def _producer(bootstrap: str, **settings: Any) -> KafkaProducer:
    """One that has met a broker. kafka-python gives the first that it asks, by chance, all the time
    there is: one that stands still would use it up, though others answer. So it is with a leader
    that stands still: only when a request is over is another one asked for.
    """
    settings |= {
        "bootstrap_servers": bootstrap,
        "linger_ms": 20,
        "bootstrap_timeout_ms": 5_000,
        "request_timeout_ms": 5_000,
    }
    for _ in range(8):
        with suppress(KafkaTimeoutError):
            return KafkaProducer(**settings)
    return KafkaProducer(**settings)
