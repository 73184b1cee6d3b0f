"""Is a topic of ours still the one that it was?"""

from kafka import KafkaConsumer, KafkaProducer
from msgspec import Struct

from service.errors import TopicGone
from service.kafka.cluster import find_topic, printed_id
from service.kafka.connection import KafkaConnection
from service.kafka.fetch import topic_seen

METADATA_AGE_MILLISECONDS = 5000
"""How soon clients notice a topic that was deleted, at the latest."""


class Presence(Struct, frozen=True):
    """A topic as it was when we opened it."""

    connection: KafkaConnection
    topic: str
    id: str
    partition_count: int

    def require(self, client: KafkaConsumer | KafkaProducer) -> None:
        """By the client's metadata, so without a question as long as the topic is there.

        Raises:
            TopicGone: it was deleted, or made anew.
            RecoverableError: it seems to be deleted, and nobody answers to say for sure.
        """
        partitions, topic_id = topic_seen(client, self.topic)
        if partitions and (topic_id is None or printed_id(topic_id) == self.id):
            return
        self.confirm()

    def confirm(self) -> None:
        """By asking. Raises as `require`."""
        found = find_topic(self.connection, self.topic)
        if found is None:
            raise TopicGone(
                f"{self.topic} was deleted while we used it, and what it held is lost: find out by "
                "whom, then start anew"
            )
        if found.id != self.id:
            raise TopicGone(
                f"{self.topic} was deleted and made anew while we used it (its id was {self.id}, "
                f"now it is {found.id}), and what it held is lost: find out by whom, then start "
                "anew"
            )
