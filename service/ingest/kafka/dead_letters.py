"""Rejects to a Kafka topic, as they came and with the reason, to be mended and sent again."""

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from threading import Condition, Event, Thread
from typing import Any

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError
from msgspec import Struct

from service.kafka.connection import KafkaConnection, connection_arguments, open_client
from service.values.rejects import Reject

VALUE_BYTES_MAX = 256 * 1024
DETAIL_BYTES_MAX = 4096
PENDING_RECORDS_MAX = 10_000
PENDING_BYTES_MAX = 32 * 1024 * 1024

_CONNECT_AGAIN_SECONDS = 1.0
_END_SECONDS_MAX = 2.0
_PREFIX = "anchorwatch-"


class NoDeadLetters:
    """Where rejects go when no topic is configured: nowhere. They are counted elsewhere."""

    sent_total = 0
    failed_total = 0

    def send(self, rejects: Iterable[Reject]) -> None:
        """Forget them."""

    def flush(self, timeout_seconds: float) -> bool:  # noqa: ARG002 - as the real one
        """Nothing is pending."""
        return True

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Nothing to close."""


class Letter(Struct, frozen=True):
    """One message for the topic; `None` as value only where there is a key (Kafka wants one)."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def size_bytes(self) -> int:
        """What it holds on to in memory."""
        parts = [self.key, self.value, *(value for _, value in self.headers)]
        return sum(len(part) for part in parts if part) + 200


def letter(reject: Reject) -> Letter:
    """The original key, value and headers, and ours: reason, detail, topic, partition, offset.

    `anchorwatch-row` is there for a refused row alone. A value of more than 256 KiB is cut, and
    `anchorwatch-truncated` tells how long it was.
    """
    record, partition = reject.record, reject.partition
    value = record.value
    notes = {
        "reason": str(reject.reason),
        "detail": reject.detail.encode("utf-8", "replace")[:DETAIL_BYTES_MAX],
        "topic": partition.topic,
        "partition": partition.number,
        "offset": record.offset,
    }
    if reject.row is not None:
        notes["row"] = reject.row
    if value is not None and len(value) > VALUE_BYTES_MAX:
        notes["truncated"] = len(value)
        value = value[:VALUE_BYTES_MAX]
    headers = [(name, text or b"") for name, text in record.headers]
    headers += [(_PREFIX + name, _bytes(note)) for name, note in notes.items()]
    return Letter(record.key, b"" if value is None and record.key is None else value, headers)


class Pending:
    """What waits or is under way, bounded in messages and bytes; counts how each one ended."""

    def __init__(self) -> None:
        self.sent_total = 0
        self.failed_total = 0
        self._changed = Condition()
        self._records = 0
        self._bytes = 0
        self._closed = False

    def admit(self, size_bytes: int) -> bool:
        """Is there room? If not, the message has failed."""
        with self._changed:
            fits = self._bytes + size_bytes <= PENDING_BYTES_MAX
            if self._closed or self._records >= PENDING_RECORDS_MAX or not fits:
                self.failed_total += 1
                return False
            self._records += 1
            self._bytes += size_bytes
            return True

    def done(self, size_bytes: int, *, sent: bool) -> None:
        """One that was admitted has ended; what ends after `close` was counted there."""
        with self._changed:
            if not self._closed:
                self._records -= 1
                self._bytes -= size_bytes
                self.sent_total += sent
                self.failed_total += not sent
            self._changed.notify_all()

    def wait(self, timeout_seconds: float) -> bool:
        """Until nothing is pending; False when the time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: self._records == 0, timeout_seconds)

    def close(self) -> None:
        """What is still pending has failed."""
        with self._changed:
            self._closed = True
            self.failed_total += self._records
            self._records = self._bytes = 0


class DeadLetters:
    """Sends rejects from a thread of its own; the caller never waits and never hears an error.

    At most `PENDING_RECORDS_MAX` messages and `PENDING_BYTES_MAX` bytes wait or are under way; more
    are dropped and counted in `failed_total`. `sent_total` counts what the brokers acknowledged
    (acks=all). Brokers that are away are waited for.
    """

    def __init__(self, topic: str, connection: KafkaConnection) -> None:
        """Check the parameters; the thread connects once there is something to send."""
        self.topic = topic
        self._arguments = _producer_arguments(connection)
        self._queue: SimpleQueue[Letter] = SimpleQueue()
        self._pending = Pending()
        self._failing = False
        self._stopping = Event()
        self._log = structlog.get_logger(__name__).bind(topic=topic)
        self._thread = Thread(target=self._run, name="dead-letters", daemon=True)
        self._thread.start()

    @property
    def sent_total(self) -> int:
        """Messages that the brokers acknowledged."""
        return self._pending.sent_total

    @property
    def failed_total(self) -> int:
        """Messages that were dropped or refused."""
        return self._pending.failed_total

    def send(self, rejects: Iterable[Reject]) -> None:
        """Queue one message for each."""
        for reject in rejects:
            message = letter(reject)
            if self._pending.admit(message.size_bytes):
                self._queue.put(message)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything was sent or has failed; False when the time ran out."""
        return self._pending.wait(timeout_seconds)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Flush, then end the thread; what is left is lost and counted as failed."""
        self.flush(timeout_seconds)
        self._stopping.set()
        self._pending.close()
        self._thread.join(_END_SECONDS_MAX)

    def _run(self) -> None:
        producer: KafkaProducer | None = None
        while not self._stopping.is_set():
            try:
                message = self._queue.get(timeout=0.1)
            except Empty:
                continue
            producer = producer or self._connected()
            if producer is not None:
                self._post(producer, message)
        if producer is not None:
            producer.close(timeout=1)

    def _connected(self) -> KafkaProducer | None:
        """A producer once a broker answers; None when we stop before that."""
        while not self._stopping.is_set():
            try:
                return open_client(KafkaProducer, self._arguments)
            except KafkaError as error:
                self._note_failure(error)
                self._stopping.wait(_CONNECT_AGAIN_SECONDS)
        return None

    def _post(self, producer: KafkaProducer, message: Letter) -> None:
        size_bytes = message.size_bytes
        try:
            future = producer.send(
                self.topic, key=message.key, value=message.value, headers=message.headers
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the next one may pass
            self._done(size_bytes, error)
            return
        future.add_callback(lambda _: self._done(size_bytes, None))
        future.add_errback(lambda error: self._done(size_bytes, error))

    def _done(self, size_bytes: int, error: Exception | None) -> None:
        self._pending.done(size_bytes, sent=error is None)
        if error is not None:
            self._note_failure(error)
        elif self._failing:
            self._failing = False
            self._log.info("dead_letters_sent_again")

    def _note_failure(self, error: Exception) -> None:
        """One line for each time it begins to fail."""
        if not self._failing:
            self._failing = True
            self._log.warning("dead_letters_failing", error=str(error))


def _producer_arguments(connection: KafkaConnection) -> dict[str, Any]:
    return {
        **connection_arguments(connection),
        "client_id": "anchorwatch-dead-letters",
        "acks": "all",
        "enable_idempotence": False,
        "allow_auto_create_topics": False,
        "linger_ms": 20,
        "max_block_ms": 10_000,
        "delivery_timeout_ms": 60_000,
        "max_request_size": 2 * 1024 * 1024,
        "metrics_enabled": False,
    }


def _bytes(note: object) -> bytes:
    return note if isinstance(note, bytes) else str(note).encode("utf-8", "replace")
