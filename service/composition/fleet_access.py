"""Opens what the members of a fleet share: the topics of state, panes and schedules."""

from collections.abc import Callable

from msgspec import Struct

from config.settings import Settings
from service.clock import Clock
from service.composition.closing import closed_on_error
from service.composition.topics_used import names_used, topics_used
from service.composition.wiring import kafka_connection, kafka_parameters
from service.errors import RecoverableError
from service.ingest.kafka.client import matches
from service.kafka.cluster import ask
from service.kafka.connection import KafkaConnection
from service.kafka.own_topics import ensure
from service.kafka.topic_log import TopicLog
from service.registry.registry import Registry
from service.state.shards.store import ShardStore
from service.values.records import Partition

_KNOWN_SECONDS = 10.0
"""How long what the brokers say of topics is taken for true."""


class Fleet(Struct, frozen=True):
    """The open topics. `store` holds shards in `state`; `schedules` was read to its end."""

    state: TopicLog
    store: ShardStore
    panes: TopicLog
    schedules: Registry

    def close(self) -> None:
        """Let go of all of them."""
        self.schedules.close()
        for topic in (self.schedules.log, self.panes, self.state):
            topic.close()


def open_fleet(settings: Settings) -> Fleet:
    """Open the topics, and make those that are not there if the settings say so.

    Raises ConfigurationError for what the operator has to change, RecoverableError when no broker
    answers.
    """
    connection = kafka_connection(settings.kafka)
    topics = settings.state.topics
    opened: list[TopicLog] = []
    cluster = ensure(connection, topics_used(settings), create=topics.create)
    try:
        names = (topics.state, topics.panes, topics.schedules)
        opened.extend(TopicLog(connection, name) for name in names)
        state, panes, schedules = opened
        registry = Registry(schedules)
        with closed_on_error(registry):
            registry.catch_up()
    except BaseException:
        for topic in opened:
            topic.close()
        raise
    return Fleet(state, ShardStore(state, cluster.id, settings.state.format), panes, registry)


class TopicIds:
    """The ids of topics, asked for anew after some seconds: a topic that was deleted and made again
    has another one.
    """

    def __init__(self, connection: KafkaConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._known: dict[str, str] = {}
        self._asked = clock.monotonic()

    def __call__(self, topic: str) -> str:
        """The id of a topic. Raises RecoverableError when nobody answers, or it is not there."""
        now = self._clock.monotonic()
        if now - self._asked > _KNOWN_SECONDS:
            self._known.clear()
        if topic not in self._known:
            self._asked = now
            facts = ask(self._connection, (topic,)).topics.get(topic)
            if facts is None:
                raise RecoverableError(f"topic {topic} is not there now")
            self._known[topic] = facts.id
        return self._known[topic]


def input_partitions(settings: Settings) -> Callable[[], frozenset[Partition]]:
    """Asks which partitions of the sources' topics there are.

    Asking raises ConfigurationError when the brokers refuse us, RecoverableError when none answers.
    """
    sources = tuple(source for source in settings.sources if source.topics)
    parameters = kafka_parameters(settings.kafka, sources, names_used(settings))
    connection = parameters.connection

    def partitions() -> frozenset[Partition]:
        named = set(parameters.topics)
        found = ask(connection, None if parameters.patterns else named).topics
        return frozenset(
            Partition(topic, number)
            for topic, facts in found.items()
            if topic in named or any(matches(p, topic, parameters) for p in parameters.patterns)
            for number in facts.partitions
        )

    return partitions
