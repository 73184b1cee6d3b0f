"""Which partitions the group gave and took. The listener runs on kafka-python's IO thread."""

from collections.abc import Iterable
from threading import Lock

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Notes what changed since `take`, and keeps everything new paused.

    On the IO thread a blocking call raises and a slow one delays heartbeats, so nothing is loaded,
    committed or looked up here.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._lock = Lock()
        self._held: set[TopicPartition] = set()
        self._assigned: set[TopicPartition] = set()
        self._revoked: set[TopicPartition] = set()

    @property
    def held(self) -> frozenset[TopicPartition]:
        """What is ours and was told to the caller of `take`."""
        with self._lock:
            return frozenset(self._held)

    def take(self) -> tuple[frozenset[TopicPartition], frozenset[TopicPartition]]:
        """The assigned and the revoked since the last time; a partition in both was lost between.

        A partition that came and went unseen is in neither.
        """
        with self._lock:
            assigned, revoked = frozenset(self._assigned), frozenset(self._revoked)
            self._held = (self._held - revoked) | assigned
            self._assigned.clear()
            self._revoked.clear()
        return assigned, revoked

    def give_again(self, partitions: Iterable[TopicPartition]) -> None:
        """Let partitions be placed anew: the next `take` has them as revoked and assigned."""
        partitions = set(partitions)
        self.on_partitions_revoked(partitions)
        self.on_partitions_assigned(partitions)

    def ask_again(self, partitions: Iterable[TopicPartition]) -> None:
        """The caller's `resume` could not be served now: the next `take` has them as assigned."""
        with self._lock:
            self._assigned |= self._held.intersection(partitions)

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause what is new.

        Offset 0 is a placeholder: without a position kafka-python looks for a committed one, and
        raises when there is none. Both calls change memory only.
        """
        for partition in assigned:
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)
        with self._lock:
            self._assigned |= assigned

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Remember what is gone."""
        with self._lock:
            self._assigned -= revoked
            self._revoked |= revoked & self._held
