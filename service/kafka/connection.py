"""Where the brokers are and as whom we come: what every client of ours is told alike."""

from typing import Any

from kafka.net.compat import KafkaNetClient
from msgspec import Struct

from service.errors import ConfigurationError
from service.kafka.security import PLAINTEXT, KafkaSecurity, client_arguments


class KafkaConnection(Struct, frozen=True):
    """The brokers to ask first, our name and identity, and how long an answer may take."""

    bootstrap_servers: tuple[str, ...]
    client_id: str = "anchorwatch"
    security: KafkaSecurity = PLAINTEXT
    request_timeout_seconds: float = 30.0
    connect_timeout_seconds: float = 10.0
    metadata_max_age_seconds: float = 30.0

    @property
    def brokers(self) -> str:
        """The servers, for messages."""
        return ", ".join(self.bootstrap_servers)


def connection_arguments(connection: KafkaConnection) -> dict[str, Any]:
    """The keyword arguments that consumers, producers and admin clients have in common.

    Raises:
        ConfigurationError: there is no server, or the security is unsound.
    """
    if not connection.bootstrap_servers:
        raise ConfigurationError("kafka.bootstrap_servers is empty: name at least one broker")
    return {
        "bootstrap_servers": list(connection.bootstrap_servers),
        "client_id": connection.client_id,
        "request_timeout_ms": milliseconds(connection.request_timeout_seconds),
        "bootstrap_timeout_ms": milliseconds(connection.connect_timeout_seconds),
        "metadata_max_age_ms": milliseconds(connection.metadata_max_age_seconds),
        "reconnect_backoff_max_ms": 5000,
        **client_arguments(connection.security),
    }


def open_client(kind: type, arguments: dict[str, Any]) -> Any:
    """A consumer or producer that has met a broker; one that has not leaves nothing behind.

    Raises:
        KafkaError: no broker answered in time. A refused login mostly ends so, too: the broker
            closes the connection, and kafka-python drops the answer that came before.
    """
    made: list[KafkaNetClient] = []

    def make(**settings: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**settings))
        return made[-1]

    try:
        return kind(**arguments, kafka_client=make)
    except Exception:
        for client in made:
            client.close()
        raise


def milliseconds(seconds: float) -> int:
    """As kafka-python wants it."""
    return round(seconds * 1000)
