"""Opens the topics of references that the settings name."""

from collections.abc import Callable

from config.settings import Settings
from service.kafka.topic_log import TopicLog
from service.registry.references import RegistryReferences
from service.registry.registry import Registry
from service.wiring import kafka_connection


def registry_of(settings: Settings) -> Callable[[str], RegistryReferences]:
    """Opens a topic of references, each once, and reads it to its end.

    That raises ConfigurationError when the topic is not there, RecoverableError when nobody
    answers.
    """
    opened: dict[str, RegistryReferences] = {}

    def open_topic(topic: str) -> RegistryReferences:
        if topic not in opened:
            registry = Registry(TopicLog(kafka_connection(settings.kafka), topic))
            registry.catch_up()
            opened[topic] = RegistryReferences(registry)
        return opened[topic]

    return open_topic
