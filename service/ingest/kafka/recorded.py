"""Records that topics hold already: fixed ranges of their partitions, read once, by no group."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from msgspec import structs

from service.errors import ConfigurationError
from service.ingest.kafka.client import KafkaParameters, reader_arguments
from service.ingest.kafka.extent import Extent, Log, Moment, Seen
from service.ingest.kafka.session import Session, Unanswered, ours, theirs
from service.ingest.kafka.topics import explained, find_topics
from service.ingest.kafka.waiting import refusal
from service.ingest.positions import LogRange, recover
from service.kafka.connection import open_client
from service.values.backtests import TopicRange
from service.values.records import Chunk, Partition, Record, Turn

STALLED_SECONDS = 60.0
"""So long nothing may come of what is there before it is given up."""

_PAUSE_AFTER_ERROR_SECONDS = 0.5

Fetched = Mapping[TopicPartition, list[Record]]


def find_ranges(parameters: KafkaParameters, extent: Extent) -> tuple[TopicRange, ...]:
    """What is to be read of the topics that are named or matched, in order of their names.

    Where a log ends now is where it is read to, whatever comes meanwhile.

    Raises:
        ConfigurationError: see `find_topics`; a partition or an offset is not there, or a broker
            does not answer.
    """
    topics = find_topics(parameters)
    extent.require_partitions(topics)
    wheres = [
        TopicPartition(topic, n) for topic, numbers in topics.items() for n in sorted(numbers)
    ]
    with closing(_connected(parameters)) as consumer:
        try:
            logs = _logs(
                Session(consumer), wheres, extent, parameters.connection.request_timeout_seconds
            )
        except Unanswered as error:
            raise ConfigurationError(explained(error, parameters)) from error
    ranges = (extent.of(ours(where), logs[where]) for where in wheres)
    return tuple(found for found in ranges if found is not None)


class RecordedTopics:
    """A `Source` over ranges of partitions, which ends. It joins no group and commits nothing.

    `progress(records_done, records_total)` is told after each poll; the offsets of a range count
    as records. `ranges` have what retention deleted while it was read as missing, too.
    """

    def __init__(
        self,
        parameters: KafkaParameters,
        ranges: Iterable[TopicRange],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Connect. Raises ConfigurationError when no broker answers."""
        self.parameters = parameters
        self.out_of_range_total = 0
        self._ranges = {Partition(r.topic, r.partition): r for r in ranges}
        self._ends = {partition: found.end for partition, found in self._ranges.items()}
        self._positions: dict[Partition, int] = {}
        self._progress = progress or (lambda _done, _total: None)
        self._held: frozenset[Partition] = frozenset()
        self._stalled_seconds = 0.0
        consumer = _connected(parameters)
        self._session = Session(consumer)
        consumer.assign([theirs(partition) for partition in self._ranges])
        self._session.membership.on_partitions_assigned({*map(theirs, self._ranges)})

    @property
    def ranges(self) -> tuple[TopicRange, ...]:
        """What was read, in the order in which it was asked for."""
        return tuple(self._ranges.values())

    def poll(self, timeout_seconds: float) -> Turn:
        """Up to `records_max` records, none of them beyond its range.

        Raises:
            ConfigurationError: the brokers refuse us, or nothing came for a minute.
        """
        assigned, _ = self._session.membership.take()
        lost, fetched = self._fetch(timeout_seconds)
        chunks = [*lost, *(self._within(chunk) for chunk in self._session.chunks(fetched))]
        for chunk in chunks:
            self._positions[chunk.partition] = chunk.next_offset
        self._watch(timeout_seconds, is_moving=bool(chunks))
        self._hold()
        self._tell()
        return Turn(chunks, frozenset(map(ours, assigned)))

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """Begin at positions, None = where the range begins.

        Raises:
            OffsetOutOfRange: a position is outside of its range.
        """
        known = {p: at for p, at in positions.items() if p in self._ranges}
        chosen = {p: self._checked(p, at) for p, at in known.items()}
        self._positions.update(chosen)
        for partition, at in chosen.items():
            if at < self._ends[partition]:
                self._session.place(theirs(partition), at)
        return chosen

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Pause these partitions and let all others go on."""
        self._held = partitions
        self._hold()

    def partitions(self) -> frozenset[Partition]:
        """Those of which something is to be read."""
        return frozenset(self._ranges)

    def ends(self) -> dict[Partition, int]:
        """Where each range ends."""
        return dict(self._ends)

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:  # noqa: ARG002
        """Nothing: there is no group."""
        return {}

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody is told."""

    @property
    def finished(self) -> bool:
        """True once every range was read to its end."""
        return len(self._positions) == len(self._ranges) and not self._left()

    def close(self) -> None:
        """Disconnect."""
        self._session.leave()

    def _fetch(self, timeout_seconds: float) -> tuple[list[Chunk], Fetched]:
        """Where records are gone for good, a chunk of none; and the records that came."""
        try:
            return [], self._session.consumer.poll(timeout_ms=round(timeout_seconds * 1000))
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            is_deleted = isinstance(error, OffsetOutOfRangeError)
            return self._go_on_after([*(error.args[0] if is_deleted else error.divergent_offsets)])
        except KafkaError as error:
            problem = refusal(error, self.parameters)
            if problem:
                raise ConfigurationError(problem) from error
            time.sleep(_PAUSE_AFTER_ERROR_SECONDS)
            self._stalled_seconds += _PAUSE_AFTER_ERROR_SECONDS
        return [], {}

    def _go_on_after(self, wheres: list[TopicPartition]) -> tuple[list[Chunk], Fetched]:
        """Retention was quicker: go on where the log begins now, and tell what is missing."""
        try:
            logs = self._session.log_ranges(
                wheres, self.parameters.connection.request_timeout_seconds
            )
        except Unanswered:
            return [], {}  # the next poll says the same again
        return [self._lost(ours(where), logs[where]) for where in wheres], {}

    def _lost(self, partition: Partition, log: LogRange) -> Chunk:
        end, at = self._ends[partition], self._positions[partition]
        begin = min(max(at, log.first), end) if log.end > at else end
        found = self._ranges[partition]
        missing = (found.missing or 0) + begin - at
        self._ranges[partition] = structs.replace(found, missing=missing)
        self.out_of_range_total += 1
        if begin < end:
            self._session.place(theirs(partition), begin)
        return Chunk(partition, [], begin)

    def _within(self, chunk: Chunk) -> Chunk:
        end = self._ends[chunk.partition]
        if chunk.next_offset <= end:
            return chunk
        records = [record for record in chunk.records if record.offset < end]
        skipped = (s for s in chunk.skipped if s.first_offset < end)
        cut = tuple(structs.replace(s, last_offset=min(s.last_offset, end - 1)) for s in skipped)
        return Chunk(chunk.partition, records, end, cut)

    def _checked(self, partition: Partition, at: int | None) -> int:
        found = self._ranges[partition]
        log = LogRange(found.first, found.end)
        if at is None or log.holds(at):
            return found.first if at is None else at
        return recover(partition, at, log, "stop")

    def _hold(self) -> None:
        ended = self._positions.keys() - self._left()
        self._session.hold(frozenset(map(theirs, ended | self._held)))

    def _left(self) -> list[Partition]:
        """What was begun and not read to its end."""
        return [p for p, at in self._positions.items() if at < self._ends[p]]

    def _tell(self) -> None:
        begins = {partition: found.first for partition, found in self._ranges.items()}
        done = sum(at - begins[partition] for partition, at in self._positions.items())
        self._progress(done, sum(end - begins[p] for p, end in self._ends.items()))

    def _watch(self, waited_seconds: float, *, is_moving: bool) -> None:
        left = self._left()
        is_stalled = left and not is_moving
        self._stalled_seconds = self._stalled_seconds + waited_seconds if is_stalled else 0.0
        if self._stalled_seconds < STALLED_SECONDS:
            return
        brokers = self.parameters.connection.brokers
        raise ConfigurationError(
            f"nothing came from {brokers} for {STALLED_SECONDS:g} s, and partition "
            f"{left[0].number} of {left[0].topic} was not read to its end: check that the brokers "
            "are up and that it has a leader, then start the replay again"
        )


def _connected(parameters: KafkaParameters) -> KafkaConsumer:
    try:
        return open_client(KafkaConsumer, reader_arguments(parameters))
    except KafkaError as error:
        raise ConfigurationError(explained(error, parameters)) from error


def _logs(
    session: Session, wheres: list[TopicPartition], extent: Extent, timeout_seconds: float
) -> dict[TopicPartition, Log]:
    """What is known of each partition, as far as the extent asks for it."""

    def since(bound: object) -> Mapping[TopicPartition, Seen | None]:
        if not isinstance(bound, Moment):
            return {}
        return session.offsets_since(wheres, bound.seconds, timeout_seconds)

    ranges = session.log_ranges(wheres, timeout_seconds)
    oldest = since(Moment(0.0))
    start, end = since(extent.start), since(extent.end)
    return {
        where: Log(ranges[where], oldest.get(where), start.get(where), end.get(where))
        for where in wheres
    }
