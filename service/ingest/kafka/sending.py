"""Sends records to a topic of others, for the events of the demo."""

from kafka import KafkaProducer
from kafka.errors import KafkaError

from service.kafka.connection import KafkaConnection, connection_arguments, open_client
from service.kafka.failures import failure


class Sender:
    """A producer for one topic, which has to be there. Records go to a partition at random: a key
    would put each model into one.
    """

    def __init__(self, topic: str, connection: KafkaConnection) -> None:
        """Connect.

        Raises:
            ConfigurationError: the brokers refuse us.
            RecoverableError: none answers.
        """
        self._topic = topic
        self._connection = connection
        try:
            self._producer = open_client(KafkaProducer, _arguments(connection))
        except KafkaError as error:
            raise failure(error, topic, connection, "append to") from error

    def send(self, value: bytes) -> None:
        """Hand over one record; it is sent soon.

        Raises:
            RecoverableError: there has been no room, or no broker, for ten seconds.
        """
        try:
            self._producer.send(self._topic, value=value)
        except KafkaError as error:
            raise failure(error, self._topic, self._connection, "append to") from error

    def close(self) -> None:
        """Send what waits, for a few seconds, and disconnect."""
        self._producer.close(timeout=5)


def _arguments(connection: KafkaConnection) -> dict[str, object]:
    return {
        **connection_arguments(connection),
        "acks": "all",
        "enable_idempotence": False,
        "allow_auto_create_topics": False,
        "linger_ms": 50,
        "max_block_ms": 10_000,
        "delivery_timeout_ms": 60_000,
        "metrics_enabled": False,
    }
