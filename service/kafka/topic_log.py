"""One topic of ours as a `KeyedLog`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from service.clock import Clock, SystemClock
from service.errors import ConfigurationError, OffsetOutOfRange, RecoverableError
from service.kafka.appender import Appender
from service.kafka.cluster import find_topic
from service.kafka.connection import KafkaConnection
from service.kafka.presence import Presence
from service.kafka.reading import Reading
from service.values.keyed_log import Draft, Entry

APPEND_SECONDS_MAX = 30.0
"""So long an append may take: longer than brokers need to find a new leader."""

_POLL_SECONDS = 0.5


class TopicLog:
    """Appends by one idempotent producer, reads by consumers in no group. Creates no topic.

    For one thread; its followers may be used from another one each.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        clock: Clock | None = None,
        append_seconds_max: float = APPEND_SECONDS_MAX,
    ) -> None:
        """Learn of the topic what holds for ever.

        Raises:
            ConfigurationError: the topic is not there, or the brokers refuse us.
            RecoverableError: nobody answers.
        """
        found = find_topic(connection, topic)
        if found is None:
            raise ConfigurationError(
                f"topic {topic} does not exist: create it (anchorwatch acl prints the line for "
                "it), or grant Describe on it if it is there"
            )
        self._presence = Presence(connection, topic, found.id, len(found.partitions))
        self._clock = clock or SystemClock()
        self._appender = Appender(self._presence, self._clock, append_seconds_max)
        self._spare: list[Reading] = []

    @property
    def topic(self) -> str:
        """Its name."""
        return self._presence.topic

    @property
    def topic_id(self) -> str:
        """As Kafka's tools print it; a topic that is made anew has another one."""
        return self._presence.id

    @property
    def partition_count(self) -> int:
        """How many it had when it was opened."""
        return self._presence.partition_count

    def append(self, drafts: Sequence[Draft]) -> float:
        """See `Appender.append`."""
        return self._appender.append(drafts)

    def read(self, partition: int) -> Iterator[Entry]:
        """See `KeyedLog.read`. What retention deletes meanwhile is left out.

        Raises:
            TopicGone, ConfigurationError: as `Appender.append`; also while it is iterated over.
            RecoverableError: nobody answers, or nothing came for as long as a request may take.
        """
        reading = self._spare.pop() if self._spare else self._reading()
        with self._kept(reading):
            first = reading.firsts([partition])[partition]
            end = reading.ends([partition])[partition]
        return self._entries(partition, first, end)

    def follow(self, positions: Mapping[int, int | None]) -> "TopicFollower":
        """See `KeyedLog.follow`. Raises as `read`."""
        reading = self._reading()
        unknown = [number for number, at in positions.items() if at is None]
        try:
            firsts = reading.firsts(unknown)
        except BaseException:
            reading.close()
            raise
        reading.place({n: firsts[n] if at is None else at for n, at in positions.items()})
        return TopicFollower(reading)

    def close(self) -> None:
        """Disconnect; followers are closed by who has them."""
        self._appender.close()
        while self._spare:
            self._spare.pop().close()

    def _reading(self) -> Reading:
        return Reading(self._presence, self._clock)

    def _entries(self, partition: int, first: int, end: int) -> Iterator[Entry]:
        reading = self._spare.pop() if self._spare else self._reading()
        with self._kept(reading):
            reading.place({partition: first})
            for entries in self._polled(reading, partition, end):
                yield from (entry for entry in entries if entry.offset < end)

    @contextmanager
    def _kept(self, reading: Reading) -> Iterator[None]:
        """For the next one, unless something went wrong."""
        try:
            yield
        except BaseException:
            reading.close()
            raise
        self._spare.append(reading)

    def _polled(self, reading: Reading, partition: int, end: int) -> Iterator[list[Entry]]:
        patience_seconds = self._presence.connection.request_timeout_seconds
        moved_at, at = self._clock.monotonic(), reading.positions[partition]
        while reading.positions[partition] < end:
            try:
                yield reading.poll(_POLL_SECONDS)
            except OffsetOutOfRange:
                first = max(reading.firsts([partition])[partition], at)
                reading.place({partition: first})
            now = self._clock.monotonic()
            if reading.positions[partition] > at:
                moved_at, at = now, reading.positions[partition]
            elif now - moved_at > patience_seconds:
                raise RecoverableError(
                    f"Nothing comes of {self.topic} partition {partition} behind offset {at}, "
                    f"though it goes on to {end}: check that it has a leader"
                )


class TopicFollower:
    """A `Follower` of a topic; see the port, and `Reading.poll` for what is raised."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    @property
    def positions(self) -> Mapping[int, int]:
        """See `Follower.positions`."""
        return dict(self._reading.positions)

    def poll(self, timeout_seconds: float) -> list[Entry]:
        """See `Follower.poll`."""
        return self._reading.poll(timeout_seconds)

    def ends(self) -> Mapping[int, int]:
        """See `Follower.ends`."""
        return self._reading.ends(sorted(self._reading.positions))

    def hold(self, partitions: frozenset[int]) -> None:
        """See `Follower.hold`."""
        self._reading.hold(partitions)

    def close(self) -> None:
        """See `Follower.close`."""
        self._reading.close()
