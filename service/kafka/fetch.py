"""What we change inside kafka-python, all of it here: its consumer hands over our records.

kafka-python parses a fetch response in `Fetcher.PartitionRecords`, at 14 us a record, and when a
batch is damaged or its codec is unknown every later poll raises at the same offset. `Reader` takes
that class's place: the same few methods, our decoder, and a damaged batch becomes a `Skipped`.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.base import MemberState
from kafka.errors import KafkaError

from service.kafka.codecs import DamagedBatch
from service.kafka.records import (
    Batch,
    Frame,
    frames,
    last_offset_of_damaged,
    read,
)
from service.values.records import Record, Skipped
from service.values.rejects import Reason

_SENDER_END_SECONDS = 1.0


class Progress:
    """What reading brought beside the records, until `take` empties it.

    `next_offsets` are the positions read up to, past compacted offsets, transaction markers and
    damaged batches; `skipped` are the latter. `highwater` tells the end of a partition's log.
    """

    def __init__(self, highwater: Callable[[TopicPartition], int | None]) -> None:
        self.highwater = highwater
        self.next_offsets: dict[TopicPartition, int] = {}
        self.skipped: dict[TopicPartition, list[Skipped]] = {}

    def take(self, where: TopicPartition) -> tuple[int | None, tuple[Skipped, ...]]:
        """The position and the skipped ranges of one partition since the last time."""
        return self.next_offsets.pop(where, None), tuple(self.skipped.pop(where, ()))


def install(consumer: KafkaConsumer) -> Progress:
    """Let `consumer.poll` return lists of `Record` and skip damaged batches."""
    progress = Progress(consumer.highwater)
    fetcher = consumer._fetcher  # noqa: SLF001 - the seam is pinned by a test
    fetcher.PartitionRecords = partial(Reader, progress)
    return progress


def is_connected(consumer: KafkaConsumer) -> bool:
    """Is there a connection to any broker now?"""
    client = consumer._client  # noqa: SLF001 - there is no public way to ask
    return any(client.connected(broker.node_id) for broker in client.cluster.brokers())


def is_led(consumer: KafkaConsumer, where: TopicPartition) -> bool:
    """Is there a connection to the leader of a partition now?"""
    client = consumer._client  # noqa: SLF001 - there is no public way to ask
    leader = client.cluster.leader_for_partition(where)
    return leader is not None and leader >= 0 and client.connected(leader)


def keep_joining(consumer: KafkaConsumer) -> None:
    """Finish a join that a poll began and ran out of time for.

    A leader that joins because partitions changed takes note of the change in the middle of it. If
    that poll's time is over before the answer is there, kafka-python sees no reason to join any
    more: the assignment is never applied and no heartbeat is ever sent again.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - there is no public way to ask
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()


def is_member(consumer: KafkaConsumer) -> bool:
    """Has the group settled with us in it, whatever it gave us?"""
    coordinator = consumer._coordinator  # noqa: SLF001 - there is no public way to ask
    return coordinator.state is MemberState.STABLE and not coordinator.need_rejoin()


def drop_parked(consumer: KafkaConsumer, where: TopicPartition) -> None:
    """Drop what was fetched of a partition before it was paused: it will be fetched again.

    kafka-python parks it when the partition is paused, and has been seen never to take it up again
    after `resume`: it waits for the slot of the records in line to be None, where a drained one is
    left. While something is parked nothing more is fetched, so the partition would stand still.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - the seam is pinned by a test
    fetcher._paused_completed_fetches.pop(where, None)  # noqa: SLF001
    parked = fetcher._paused_partition_records.pop(where, None)  # noqa: SLF001
    if parked is not None:
        parked.drain()


def known_partitions(consumer: KafkaConsumer, topic: str) -> frozenset[int]:
    """A topic's partitions by the metadata at hand; the public method may block for ever."""
    return frozenset(consumer._cluster.partitions_for_topic(topic) or ())  # noqa: SLF001


def topic_seen(client: KafkaConsumer | KafkaProducer, topic: str) -> tuple[frozenset[int], Any]:
    """A topic's partitions and its id (a UUID, None where unknown) by the metadata at hand."""
    held = client._cluster if isinstance(client, KafkaConsumer) else client._metadata  # noqa: SLF001
    return frozenset(held.partitions_for_topic(topic) or ()), held.topic_id(topic)


def abandon(producer: KafkaProducer) -> None:
    """End a producer of which something failed: what it still holds is not sent any more.

    `close` would wait for it, or raise and let the sender go on.
    """
    sender = producer._sender  # noqa: SLF001 - there is no public way to drop what waits
    sender.force_close()
    sender.join(_SENDER_END_SECONDS)
    with suppress(KafkaError):
        producer.close(timeout=0)


def forbidden_topics(consumer: KafkaConsumer) -> frozenset[str]:
    """The topics that the newest metadata was refused of.

    kafka-python raises that on its IO thread, where nobody hears of it, and gives no partition.
    """
    return frozenset(consumer._cluster.unauthorized_topics)  # noqa: SLF001 - nothing else tells


class Reader:
    """The records of one partition in one fetch response, decoded batch by batch as they are taken.

    The attributes and `take`, `drain` and truth are what kafka-python's fetcher uses.
    """

    def __init__(
        self,
        progress: Progress,
        fetch_offset: int,
        where: TopicPartition,
        records: Any,
        *,
        isolation_level: int = 0,
        aborted_transactions: Any = None,
        on_drain: Callable[["Reader"], None] | None = None,
        **_unused: Any,
    ) -> None:
        self.topic_partition = where
        self.next_fetch_offset = fetch_offset
        self.leader_epoch = -1
        self.bytes_read = 0
        self._progress = progress
        self._on_drain = on_drain
        self._frames = frames(records._buffer)  # noqa: SLF001 - MemoryRecords keeps the response
        self._ready: list[Record] = []
        self._taken = 0
        self._behind_ready = fetch_offset
        self._drained = False
        self._aborted = _Aborted(aborted_transactions) if isolation_level else None

    def __bool__(self) -> bool:
        return not self._drained

    def take(self, count: int) -> list[Record]:
        """Up to `count` records; fewer only when the response has no more."""
        taken: list[Record] = []
        while len(taken) < count and not self._drained:
            part = self._ready[self._taken : self._taken + count - len(taken)]
            taken.extend(part)
            self._taken += len(part)
            if self._taken < len(self._ready):
                self.next_fetch_offset = self._ready[self._taken].offset
            else:
                self.next_fetch_offset = self._behind_ready
                self._decode_next()
        self._progress.next_offsets[self.topic_partition] = self.next_fetch_offset
        return taken

    def drain(self) -> None:
        """Drop what is left."""
        if not self._drained:
            self._drained = True
            self._ready = []
            if self._on_drain:
                self._on_drain(self)

    def _decode_next(self) -> None:
        self._ready, self._taken = [], 0
        frame = next(self._frames, None)
        if frame is None:
            self.drain()
            return
        self.bytes_read += len(frame.payload)
        try:
            batch = read(frame)
        except DamagedBatch as damage:
            self._skip(frame, str(damage))
            return
        self.leader_epoch = batch.leader_epoch
        self._behind_ready = max(self._behind_ready, batch.next_offset)
        if self._aborted is None or not self._aborted.holds(batch):
            # A fetch may begin inside a batch; what lies before it was read already.
            self._ready = _from(self.next_fetch_offset, batch.records)

    def _skip(self, frame: Frame, detail: str) -> None:
        first = max(frame.base_offset, self.next_fetch_offset)
        last = last_offset_of_damaged(frame, self._progress.highwater(self.topic_partition))
        last = max(first, last)
        skipped = Skipped(first, last, Reason.CORRUPT_BATCH, detail)
        self._progress.skipped.setdefault(self.topic_partition, []).append(skipped)
        self._behind_ready = last + 1


class _Aborted:
    """Which batches belong to aborted transactions (KIP-98, read_committed)."""

    def __init__(self, transactions: Any) -> None:
        self._coming = deque(sorted((t.first_offset, t.producer_id) for t in transactions or ()))
        self._producers: set[int] = set()

    def holds(self, batch: Batch) -> bool:
        """Was this batch aborted? Batches are asked about in the order of the log."""
        while self._coming and self._coming[0][0] < batch.next_offset:
            self._producers.add(self._coming.popleft()[1])
        if batch.is_abort:
            self._producers.discard(batch.producer_id)
        return batch.is_transactional and batch.producer_id in self._producers


def _from(first: int, records: list[Record]) -> list[Record]:
    if not records or records[0].offset >= first:
        return records
    return [record for record in records if record.offset >= first]
