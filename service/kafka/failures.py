"""What went wrong with a topic of ours, in words: what to change, or that it is tried again."""

from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    KafkaConfigurationError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)

from service.errors import AnchorwatchError, ConfigurationError, RecoverableError
from service.kafka.connection import KafkaConnection

_LINES = "(anchorwatch acl prints the lines for it)"
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_REFUSED = (AuthorizationError, KafkaConfigurationError, SaslAuthenticationFailedError)


def failure(
    error: Exception, topic: str, connection: KafkaConnection, doing: str
) -> AnchorwatchError:
    """The error of ours for one of kafka-python. `doing` is what was tried: "append to", "read".

    ConfigurationError where somebody has to change something, RecoverableError for what passes.
    """
    user = _user(connection)
    if isinstance(error, TopicAuthorizationFailedError):
        rights = "Describe and Write" if doing == "append to" else "Describe and Read"
        return ConfigurationError(
            f"Kafka does not let us {doing} {topic}: grant {rights} on it to {user} {_LINES}"
        )
    if isinstance(error, ClusterAuthorizationFailedError):
        return ConfigurationError(
            f"Kafka does not let us {doing} {topic}: grant IdempotentWrite on the cluster to {user}"
        )
    if isinstance(error, _TOO_LARGE):
        return ConfigurationError(
            f"{topic} takes no record of this size ({error}): raise its max.message.bytes to the "
            "default of 1048588 or more"
        )
    if isinstance(error, _REFUSED):
        return ConfigurationError(f"Kafka refused us as we tried to {doing} {topic}: {error}")
    told = "; ".join(map(str, error.args)) or type(error).__name__
    return RecoverableError(
        f"Cannot {doing} {topic} at {connection.brokers}: {told}. Check that the brokers are up "
        "and that enough replicas of its partitions are in sync"
    )


def _user(connection: KafkaConnection) -> str:
    name = connection.security.username
    return f"the user {name}" if name else "our user"
