"""A topic of ours read in no group: some partitions, from positions that are kept here."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)

from service.clock import Clock
from service.errors import OffsetOutOfRange, RecoverableError
from service.kafka.asking import Stuck, aside, within
from service.kafka.connection import connection_arguments, milliseconds, open_client
from service.kafka.failures import failure
from service.kafka.fetch import (
    Progress,
    drop_parked,
    forbidden_topics,
    install,
    is_connected,
    topic_seen,
)
from service.kafka.presence import METADATA_AGE_MILLISECONDS, Presence
from service.values.keyed_log import Entry

T = TypeVar("T")

REQUEST_SECONDS_MAX = 10.0
"""So long a broker that stands still is waited for, before another one is asked."""

SILENT_SECONDS = 3.0
"""So long there may be no connection to any broker before it is said."""

_ASK_SECONDS_MAX = 5.0
_ALLOWANCE_SECONDS = 5.0
_END_SECONDS = 5.0


class Reading:
    """A consumer, opened when something is asked and again after it got stuck."""

    def __init__(self, presence: Presence, clock: Clock) -> None:
        self.positions: dict[int, int] = {}
        self._presence = presence
        self._clock = clock
        self._held: frozenset[int] = frozenset()
        self._consumer: KafkaConsumer | None = None
        self._progress: Progress | None = None
        self._is_known = False
        self._opened_at = self._heard_at = clock.monotonic()
        self._log = structlog.get_logger(__name__).bind(topic=presence.topic)

    def firsts(self, numbers: list[int]) -> dict[int, int]:
        """The first offset that is there of each partition. Raises as `poll`."""
        return self._offsets(KafkaConsumer.beginning_offsets, numbers)

    def ends(self, numbers: list[int]) -> dict[int, int]:
        """The offset after the last entry of each partition. Raises as `poll`."""
        return self._offsets(KafkaConsumer.end_offsets, numbers)

    def place(self, positions: Mapping[int, int]) -> None:
        """Read these partitions from here on, and no others."""
        self.positions = dict(positions)
        self._held = frozenset()
        if self._consumer is not None:
            self._assign(self._consumer)

    def poll(self, timeout_seconds: float) -> list[Entry]:
        """See `Follower.poll`.

        Raises:
            OffsetOutOfRange: retention took what was not read, or brokers lost the log's end.
            TopicGone: the topic was deleted.
            ConfigurationError: the brokers refuse us.
            RecoverableError: nobody answers.
        """
        if not self.positions:
            self._clock.sleep(timeout_seconds)
            return []

        def fetch(consumer: KafkaConsumer) -> Any:
            return consumer.poll(timeout_ms=round(timeout_seconds * 1000))

        try:
            fetched = self._ask(fetch, timeout_seconds)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            raise self._out_of_range(error) from error
        except KafkaError as error:
            raise self._failure(error) from error
        self._require_topic(self._connected())
        moved = list(self._moved())
        if not moved:
            self._require_an_answer()
        wheres = [TopicPartition(self._presence.topic, number) for number in moved]
        return [
            Entry(where.partition, r.offset, r.timestamp_seconds, r.key or b"", r.value)
            for where in wheres
            for r in fetched.get(where, ())
        ]

    def hold(self, numbers: frozenset[int]) -> None:
        """See `Follower.hold`."""
        changed = (self._held ^ numbers) & self.positions.keys()
        self._held = numbers & self.positions.keys()
        if self._consumer is not None:
            for number in changed:
                self._pause(self._consumer, number)

    def close(self) -> None:
        """Disconnect. May be called twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                within(_END_SECONDS, lambda: _end(consumer))

    def _connected(self) -> KafkaConsumer:
        if self._consumer is None:
            arguments = reader_arguments(self._presence)
            seconds = self._presence.connection.connect_timeout_seconds + _ALLOWANCE_SECONDS
            self._consumer = within(seconds, lambda: open_client(KafkaConsumer, arguments), _end)
            self._progress = install(self._consumer)
            self._is_known = False
            self._opened_at = self._heard_at = self._clock.monotonic()
            self._assign(self._consumer)
        return self._consumer

    def _assign(self, consumer: KafkaConsumer) -> None:
        consumer.assign([self._where(number) for number in self.positions])
        for number, position in self.positions.items():
            consumer.seek(self._where(number), position)
            if self._progress is not None:
                self._progress.take(self._where(number))
        for number in self._held:
            consumer.pause(self._where(number))

    def _pause(self, consumer: KafkaConsumer, number: int) -> None:
        where = self._where(number)
        if number in self._held:
            consumer.pause(where)
        else:
            drop_parked(consumer, where)
            consumer.resume(where)

    def _ask(self, question: Callable[[KafkaConsumer], T], seconds: float) -> T:
        """Raises KafkaError; what is stuck is closed without waiting, and opened anew the next
        time.
        """
        consumer = self._connected()
        try:
            return within(seconds + _ALLOWANCE_SECONDS, lambda: question(consumer))
        except Stuck:
            self._consumer = None
            aside(lambda: _end(consumer))
            raise

    def _offsets(self, asked: Callable[..., Any], numbers: list[int]) -> dict[int, int]:
        seconds = min(self._presence.connection.request_timeout_seconds, _ASK_SECONDS_MAX)
        wheres = [self._where(number) for number in numbers]

        def question(consumer: KafkaConsumer) -> Any:
            return asked(consumer, wheres, timeout_ms=round(seconds * 1000))

        if not wheres:
            return {}
        try:
            self._require_topic(self._connected())
            found = self._ask(question, seconds)
        except (KafkaError, KeyError) as error:
            # What does not find a partition goes on asking, and learns of no deletion by it.
            if self._consumer is not None and is_connected(self._consumer):
                self._presence.confirm()
            raise self._failure(error) from error
        return {where.partition: found[where] for where in wheres}

    def _moved(self) -> Iterator[int]:
        """Take over how far was read, past compacted offsets, markers and damaged batches."""
        progress = self._progress
        for where in [] if progress is None else [*progress.next_offsets]:
            next_offset, skipped = progress.take(where)  # type: ignore[union-attr]
            if next_offset is None or where.partition not in self.positions:
                continue
            for lost in skipped:
                self._log.error(
                    "damaged_batch_skipped",
                    partition=where.partition,
                    first_offset=lost.first_offset,
                    last_offset=lost.last_offset,
                    reason=lost.detail,
                )
            self.positions[where.partition] = next_offset
            yield where.partition

    def _require_topic(self, consumer: KafkaConsumer) -> None:
        """A client just opened does not know of the topic yet."""
        is_seen = bool(topic_seen(consumer, self._presence.topic)[0])
        self._is_known = self._is_known or is_seen
        if self._is_known or self._clock.monotonic() - self._opened_at > SILENT_SECONDS:
            self._presence.require(consumer)

    def _require_an_answer(self) -> None:
        consumer = self._connected()
        now = self._clock.monotonic()
        if forbidden_topics(consumer):
            raise self._failure(TopicAuthorizationFailedError({self._presence.topic}))
        if is_connected(consumer):
            self._heard_at = now
        elif now - self._heard_at > SILENT_SECONDS:
            raise RecoverableError(
                f"No broker answers at {self._presence.connection.brokers}, so nothing is read of "
                f"{self._presence.topic}: check that they are up"
            )

    def _out_of_range(self, error: OffsetOutOfRangeError | LogTruncationError) -> OffsetOutOfRange:
        self._presence.require(self._connected())
        is_deleted = isinstance(error, OffsetOutOfRangeError)
        wheres = error.args[0] if is_deleted else error.divergent_offsets
        numbers = sorted(where.partition for where in wheres)
        told = ", ".join(f"{self.positions.get(n)} of partition {n}" for n in numbers)
        return OffsetOutOfRange(
            f"{self._presence.topic} does not hold offset {told} any more: "
            + (
                "it was deleted before it was read. Keep the topic for longer (retention.ms, "
                "retention.bytes), or read it sooner"
                if is_deleted
                else "brokers lost the end of the log (unclean.leader.election.enable?)"
            )
        )

    def _failure(self, error: Exception) -> Exception:
        return failure(error, self._presence.topic, self._presence.connection, "read")

    def _where(self, number: int) -> TopicPartition:
        return TopicPartition(self._presence.topic, number)


def _end(consumer: KafkaConsumer) -> None:
    consumer.close(autocommit=False)


def reader_arguments(presence: Presence) -> dict[str, Any]:
    """The keyword arguments for a `KafkaConsumer` that is told what to read and commits nothing."""
    request_seconds = min(presence.connection.request_timeout_seconds, REQUEST_SECONDS_MAX)
    return connection_arguments(presence.connection) | {
        "request_timeout_ms": milliseconds(request_seconds),
        "group_id": None,
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "fetch_max_bytes": 16 * 1024 * 1024,
        "max_partition_fetch_bytes": 4 * 1024 * 1024,
        "max_poll_records": 5000,
        "metadata_max_age_ms": METADATA_AGE_MILLISECONDS,
        "metrics_enabled": False,
    }
