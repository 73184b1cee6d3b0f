"""One connected consumer of a group: what it was given, how far it read, what it may be asked."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from service.ingest.kafka.extent import Seen
from service.ingest.kafka.leaders import Leaders
from service.ingest.kafka.membership import Membership
from service.ingest.positions import LogRange
from service.kafka.fetch import Progress, drop_parked, install, is_led, known_partitions
from service.values.records import Chunk, Partition, Record

COMMIT_SECONDS_MAX = 5.0


class Unanswered(Exception):
    """A question to the brokers got no answer in time."""


class Session:
    """A consumer, and what is known by it. `placed` are the partitions that flow."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self.consumer = consumer
        self.membership = Membership(consumer)
        self.placed: set[TopicPartition] = set()
        self._on_hold: set[TopicPartition] = set()
        self._progress: Progress = install(consumer)
        self._ends: dict[TopicPartition, int] = {}
        self._leaders = Leaders()
        self._uncommitted: dict[TopicPartition, OffsetAndMetadata] = {}
        self._placings: Counter[TopicPartition] = Counter()
        self._acknowledged: set[TopicPartition] = set()

    def partitions(self) -> dict[str, frozenset[int]]:
        """The partitions of each subscribed topic by the newest metadata."""
        topics = self.consumer.subscription() or ()
        return {topic: known_partitions(self.consumer, topic) for topic in topics}

    def chunks(self, fetched: Mapping[TopicPartition, list[Record]]) -> Iterator[Chunk]:
        """What was read, but of placed partitions only; the rest is read again after its seek."""
        for where in [*self._progress.next_offsets]:
            next_offset, skipped = self._progress.take(where)
            if next_offset is not None and where in self.placed:
                yield Chunk(ours(where), fetched.get(where, []), next_offset, skipped)

    def place(self, where: TopicPartition, at: int) -> bool:
        """Seek and let it flow; False when it is no longer ours."""
        try:
            self.consumer.seek(where, at)
            self._let_flow(where)
        except (ValueError, KeyError):
            return False
        self._progress.take(where)
        self._placings[where] += 1
        self._acknowledged.discard(where)
        self.placed.add(where)
        self._on_hold.discard(where)
        return True

    def hold(self, wheres: frozenset[TopicPartition]) -> None:
        """Pause these of the partitions that flow, and let all others go on."""
        for where in self.placed & (self._on_hold ^ wheres):
            # The group may have taken it a moment ago, which the next poll will tell.
            with suppress(KeyError):
                (self.consumer.pause if where in wheres else self._let_flow)(where)
        self._on_hold = set(self.placed & wheres)

    def _let_flow(self, where: TopicPartition) -> None:
        drop_parked(self.consumer, where)
        self.consumer.resume(where)

    def look(self, now_seconds: float) -> None:
        """Note whose leaders are connected, at each poll; monotonic seconds."""
        held = self.membership.held
        led = frozenset(where for where in held if is_led(self.consumer, where))
        self._leaders.look(held, led, now_seconds)

    def log_ranges(
        self, wheres: list[TopicPartition], timeout_seconds: float
    ) -> dict[TopicPartition, LogRange]:
        """What each partition holds now.

        Raises:
            Unanswered: the brokers did not say in time.
        """
        firsts = _ask(self.consumer.beginning_offsets, wheres, timeout_seconds)
        ends = _ask(self.consumer.end_offsets, wheres, timeout_seconds)
        self._ends |= ends
        return {where: LogRange(firsts[where], ends[where]) for where in wheres}

    def offsets_since(
        self, wheres: list[TopicPartition], since_seconds: float, timeout_seconds: float
    ) -> dict[TopicPartition, Seen | None]:
        """The first record with a timestamp from `since_seconds` (epoch) on, None = nothing newer.

        Raises:
            Unanswered: the brokers did not say in time.
        """
        times = dict.fromkeys(wheres, max(0, round(since_seconds * 1000)))
        found = _ask(self.consumer.offsets_for_times, times, timeout_seconds)
        return {where: _seen(found[where]) for where in wheres}

    def ends(self, wheres: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        """The end of each log as last seen, or as asked for now if it was never seen. One whose
        leader is away, or was a moment ago, is left out: it may be an old one.

        Raises:
            Unanswered: the brokers did not say in time.
        """
        unseen = [where for where in wheres if self._end(where) is None]
        self._ends |= _ask(self.consumer.end_offsets, unseen, COMMIT_SECONDS_MAX)
        known = {where: self._end(where) for where in wheres}
        return {
            where: end
            for where, end in known.items()
            if end is not None and self._leaders.has_settled(where) and is_led(self.consumer, where)
        }

    def commit(self, positions: Mapping[TopicPartition, int], done: Callable[[Any], None]) -> None:
        """Send the positions; a later poll of the consumer calls `done` with the answer or error.

        Raises:
            KafkaError: they could not even be sent.
        """
        offsets = {where: OffsetAndMetadata(at, "", -1) for where, at in positions.items()}
        self._uncommitted |= offsets
        placings = {where: self._placings[where] for where in positions}

        def answered(_: Any, answer: Any) -> None:
            if not isinstance(answer, Exception):
                left = self._uncommitted.items()
                self._uncommitted = {w: at for w, at in left if offsets.get(w) != at}
                # An answer to a commit from before it was placed says nothing of it now.
                self._acknowledged |= {w for w, n in placings.items() if self._placings[w] == n}
            done(answer)

        self.consumer.commit_async(offsets, callback=answered)

    def take_acknowledged(self) -> set[TopicPartition]:
        """Placed partitions whose commit, sent since they were placed, the group has accepted."""
        taken, self._acknowledged = self._acknowledged & self.placed, set()
        return taken

    def leave(self) -> None:
        """Commit what is not acknowledged, leave, disconnect; whatever fails, the rest is done."""
        log = structlog.get_logger(__name__)
        timeout_ms = COMMIT_SECONDS_MAX * 1000
        try:
            if self._uncommitted:
                self.consumer.commit(self._uncommitted, timeout_ms=timeout_ms)
        except KafkaError as error:
            log.warning("commit_failed", error=str(error))
        try:
            self.consumer.close(autocommit=False, timeout_ms=timeout_ms)
        except KafkaError as error:
            log.warning("leave_failed", error=str(error))

    def _end(self, where: TopicPartition) -> int | None:
        seen = self._progress.highwater(where) if where in self.placed else None
        asked = self._ends.get(where)
        return seen if asked is None else max(asked, seen or 0)


def ours(where: TopicPartition) -> Partition:
    """kafka-python's name of a partition as ours."""
    return Partition(where.topic, where.partition)


def theirs(partition: Partition) -> TopicPartition:
    """Our name of a partition as kafka-python's."""
    return TopicPartition(partition.topic, partition.number)


def _seen(found: Any) -> Seen | None:
    return None if found is None else Seen(found.offset, found.timestamp / 1000.0)


def _ask(question: Callable[..., Any], about: Any, timeout_seconds: float) -> Any:
    """A blocking question to the brokers; nothing to ask about is no question."""
    try:
        return question(about, timeout_ms=round(timeout_seconds * 1000)) if about else {}
    except (KafkaError, KeyError) as error:
        raise Unanswered(str(error)) from error
