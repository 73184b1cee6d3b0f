"""The topic of the record, opened for a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from config.settings import Settings
from service.composition.wiring import kafka_connection
from service.errors import ConfigurationError, RecoverableError
from service.kafka.topic_log import TopicLog
from service.values.keyed_log import KeyedLog


@contextmanager
def open_topic(settings: Settings, topic: str) -> Iterator[KeyedLog]:
    """The topic as a log. Raises ConfigurationError when it is not there, or nobody answers."""
    try:
        log = TopicLog(kafka_connection(settings.kafka), topic)
    except RecoverableError as error:
        raise ConfigurationError(
            f"the record is in topic {topic}, which cannot be reached: {error}. Is "
            "kafka.bootstrap_servers right? --record reads a directory instead"
        ) from error
    try:
        yield log
    finally:
        log.close()
