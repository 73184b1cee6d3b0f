"""Opens the topics of references that the settings name."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from config.settings import Settings
from service.composition.closing import closed_on_error
from service.composition.wiring import kafka_connection
from service.errors import ConfigurationError, RecoverableError
from service.kafka.own_topics import ensure
from service.kafka.topic_log import TopicLog
from service.kafka.topic_spec import references_topic
from service.registry.references import RegistryReferences
from service.registry.registry import Registry

DEFAULT_TOPIC = "anchorwatch.references"


def topic_of(settings: Settings, model: str | None = None) -> str:
    """The topic in which the references of a model are: that of the settings, where they name one,
    else the one that is usual.
    """
    if model is not None and settings.for_model(model).reference.topic is not None:
        return settings.for_model(model).reference.topic or DEFAULT_TOPIC
    return min(settings.reference_topics, default=DEFAULT_TOPIC)


@contextmanager
def open_registry(settings: Settings, topic: str, *, makes: bool = False) -> Iterator[Registry]:
    """The registry in a topic, read to its end; for a command. One that `makes` the topic where it
    is not there does so if state.topics.create allows it.

    Raises ConfigurationError when the topic is not there, RecoverableError when nobody answers.
    """
    if makes:
        _ensure(settings, topic)
    with (
        closing(TopicLog(kafka_connection(settings.kafka), topic)) as log,
        closing(Registry(log)) as registry,
    ):
        registry.catch_up()
        yield registry


def registry_of(settings: Settings) -> Callable[[str], RegistryReferences]:
    """Opens a topic of references, each once, and reads it to its end; for a service, which makes
    the topic where it is not there.

    Raises as `open_registry`.
    """
    opened: dict[str, RegistryReferences] = {}

    def open_topic(topic: str) -> RegistryReferences:
        if topic not in opened:
            _ensure(settings, topic)
            log = TopicLog(kafka_connection(settings.kafka), topic)
            registry = Registry(log)
            with closed_on_error(registry), closed_on_error(log):
                registry.catch_up()
            opened[topic] = RegistryReferences(registry)
        return opened[topic]

    return open_topic


def published_references(settings: Settings, topic: str) -> RegistryReferences:
    """What is current in a topic now; for a command that needs no broker afterwards.

    Raises ConfigurationError that says what else there is when nobody answers.
    """
    try:
        with open_registry(settings, topic) as registry:
            found = RegistryReferences(registry)
            for model, version in registry.shelves:
                found.current(model, version)
    except RecoverableError as error:
        raise ConfigurationError(
            f"the references in topic {topic} cannot be read: {error}. Without a broker have "
            "reference.from name a directory, into which `anchorwatch reference show MODEL@VERSION "
            "--file` has put them"
        ) from error
    return found


def _ensure(settings: Settings, topic: str) -> None:
    topics = settings.state.topics
    spec = references_topic(topic, topics.replication)
    ensure(kafka_connection(settings.kafka), [spec], create=topics.create)
