"""What each topic of ours has to be, for who makes it: us, or the Kafka team by our lines."""

from typing import Literal

from msgspec import Struct

REPLICATION = 3
PANES_SECONDS = 48 * 3600.0
MESSAGE_BYTES_MAX = 1_048_588
"""What brokers take by default, and enough for every entry of ours."""

_SEGMENT_BYTES = 64 * 2**20


class TopicSpec(Struct, frozen=True):
    """What is asked of one topic.

    `retention_seconds` None keeps the last entry of every key for ever (compaction); else entries
    are deleted after it. `replication` None is 3, or as many as there are brokers. `is_fixed`: a
    topic that is there has to have just these partitions, since keys were put into them.
    """

    name: str
    partitions: int
    retention_seconds: float | None = None
    replication: int | None = None
    is_fixed: bool = True

    @property
    def cleanup(self) -> Literal["compact", "delete"]:
        """Its cleanup.policy."""
        return "compact" if self.retention_seconds is None else "delete"

    def replicas(self, broker_count: int = REPLICATION) -> int:
        """How many of each partition."""
        return self.replication or max(1, min(REPLICATION, broker_count))

    def settings(self, broker_count: int = REPLICATION) -> dict[str, str]:
        """What it is made with, as Kafka names it."""
        settings = {
            "cleanup.policy": self.cleanup,
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(min(2, self.replicas(broker_count))),
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
        }
        if self.retention_seconds is not None:
            milliseconds = round(self.retention_seconds * 1000)
            return settings | {"retention.ms": str(milliseconds), "retention.bytes": "-1"}
        return settings | {
            "segment.bytes": str(_SEGMENT_BYTES),
            "min.cleanable.dirty.ratio": "0.1",
        }

    def creation(self, broker_count: int = REPLICATION) -> tuple[str, ...]:
        """The words for kafka-topics --create."""
        configs = (f"{key}={value}" for key, value in self.settings(broker_count).items())
        return (
            *("--topic", self.name),
            *("--partitions", str(self.partitions)),
            *("--replication-factor", str(self.replicas(broker_count))),
            *(word for config in configs for word in ("--config", config)),
        )


def state_topic(name: str, partitions: int, replication: int | None = None) -> TopicSpec:
    """What workers and the judge go on from."""
    return TopicSpec(name, partitions, replication=replication)


def panes_topic(name: str, partitions: int, replication: int | None = None) -> TopicSpec:
    """What workers send to the judge."""
    return TopicSpec(name, partitions, PANES_SECONDS, replication)


def references_topic(name: str, replication: int | None = None) -> TopicSpec:
    """Published references, and which is in force from when."""
    return TopicSpec(name, 1, replication=replication, is_fixed=False)


def episodes_topic(name: str, keep_seconds: float, replication: int | None = None) -> TopicSpec:
    """The record of episodes in its first partition, what was watched in its last."""
    return TopicSpec(name, 2, keep_seconds, replication, is_fixed=False)
