"""Appends to a topic of ours: in order, once each, and known to be safe."""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from service.clock import Clock
from service.errors import TopicGone
from service.kafka.asking import within
from service.kafka.connection import connection_arguments, milliseconds, open_client
from service.kafka.failures import failure
from service.kafka.fetch import abandon
from service.kafka.presence import METADATA_AGE_MILLISECONDS, Presence
from service.values.keyed_log import Draft

ENTRY_BYTES_MAX = 1_000_000
"""Key and value of one entry; a broker takes batches of 1,048,588 bytes unless it is told other."""

_METADATA_SECONDS_MAX = 5.0
_LOOK_SECONDS = 1.0
_END_SECONDS = 2.0
_ALLOWANCE_SECONDS = 5.0


class Appender:
    """An idempotent producer, opened when there is something to append.

    After a failure it is thrown away with all that it holds: nothing of a failed `append` is sent
    later, behind what the caller does next. What is under way then may still arrive.
    """

    def __init__(self, presence: Presence, clock: Clock, timeout_seconds: float) -> None:
        self._presence = presence
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._producer: KafkaProducer | None = None
        self._last_offsets: dict[int, int] = {}

    def append(self, drafts: Sequence[Draft]) -> float:
        """See `KeyedLog.append`; takes at most about the timeout.

        Raises:
            ValueError: an entry is larger than `ENTRY_BYTES_MAX`, or of no partition of the topic.
            TopicGone: the topic was deleted.
            ConfigurationError: the brokers refuse us.
            RecoverableError: not all are known to be safe.
        """
        for draft in drafts:
            self._check(draft)
        if not drafts:
            return math.nan
        deadline = self._clock.monotonic() + self._timeout_seconds
        try:
            producer = self._connected()
            self._presence.require(producer)
            sent = [self._send(producer, draft) for draft in drafts]
            acknowledged = [self._wait(producer, future, deadline) for future in sent]
            self._require_rising(acknowledged)
        except KafkaError as error:
            self._drop()
            raise failure(
                error, self._presence.topic, self._presence.connection, "append to"
            ) from error
        except BaseException:
            self._drop()
            raise
        return float(max(answer.timestamp for answer in acknowledged) / 1000.0)

    def close(self) -> None:
        """Disconnect; nothing waits to be sent. May be called twice."""
        self._drop()

    def _check(self, draft: Draft) -> None:
        size = len(draft.key) + len(draft.value or b"")
        if size > ENTRY_BYTES_MAX:
            raise ValueError(
                f"an entry of {size} bytes for {self._presence.topic}; at most {ENTRY_BYTES_MAX}"
            )
        if not 0 <= draft.partition < self._presence.partition_count:
            raise ValueError(f"{self._presence.topic} has no partition {draft.partition}")

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            arguments = producer_arguments(self._presence, self._timeout_seconds)
            seconds = self._presence.connection.connect_timeout_seconds + _ALLOWANCE_SECONDS
            self._producer = within(seconds, lambda: open_client(KafkaProducer, arguments), abandon)
            self._learn(self._producer)
        return self._producer

    def _learn(self, producer: KafkaProducer) -> None:
        """Wait for the topic's metadata, without which nothing can be sent."""
        try:
            producer.partitions_for(self._presence.topic)
        except KafkaTimeoutError:
            self._presence.require(producer)
            raise

    def _send(self, producer: KafkaProducer, draft: Draft) -> Any:
        return producer.send(
            self._presence.topic, key=draft.key, value=draft.value, partition=draft.partition
        )

    def _wait(self, producer: KafkaProducer, future: Any, deadline: float) -> Any:
        """The broker's answer. Meanwhile a topic that is gone is noticed."""
        while True:
            left = deadline - self._clock.monotonic()
            try:
                return future.get(timeout=max(0.0, min(left, _LOOK_SECONDS)))
            except KafkaTimeoutError as error:
                # The producer's own clock may be the first to say so.
                is_expired = future.is_done and future.failed()
                if is_expired or left <= 0.0:
                    raise self._late() from error
            self._presence.require(producer)

    def _late(self) -> KafkaTimeoutError:
        return KafkaTimeoutError(f"it was not acknowledged within {self._timeout_seconds:g} s")

    def _require_rising(self, acknowledged: Sequence[Any]) -> None:
        for answer in acknowledged:
            last = self._last_offsets.get(answer.partition, -1)
            if 0 <= answer.offset <= last:
                raise TopicGone(
                    f"{answer.topic} partition {answer.partition} went back from offset {last} to "
                    f"{answer.offset}: it was deleted and made anew, or brokers lost its end. Find "
                    "out, then start anew"
                )
            self._last_offsets[answer.partition] = answer.offset

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with suppress(KafkaError):
            within(_END_SECONDS, lambda: abandon(producer))


def producer_arguments(presence: Presence, timeout_seconds: float) -> dict[str, Any]:
    """The keyword arguments for `KafkaProducer`.

    One request at a time keeps the order whatever is retried. Values come compressed.
    """
    arguments = connection_arguments(presence.connection)
    request_seconds = min(presence.connection.request_timeout_seconds, timeout_seconds / 3)
    return arguments | {
        "acks": "all",
        "enable_idempotence": True,
        "max_in_flight_requests_per_connection": 1,
        "allow_auto_create_topics": False,
        "compression_type": None,
        "linger_ms": 5,
        "batch_size": 256 * 1024,
        "max_request_size": 4 * 1024 * 1024,
        "request_timeout_ms": milliseconds(request_seconds),
        "delivery_timeout_ms": milliseconds(timeout_seconds),
        "max_block_ms": milliseconds(min(_METADATA_SECONDS_MAX, timeout_seconds)),
        "metadata_max_age_ms": METADATA_AGE_MILLISECONDS,
        "metrics_enabled": False,
    }
