"""Which record a service has, by its settings: files of a directory, or a topic."""

from config.settings import Settings
from service.composition.topics_used import topics_used
from service.composition.wiring import kafka_connection
from service.kafka.own_topics import ensure
from service.kafka.topic_log import TopicLog
from service.state.episode_record import DIRECTORY, EpisodeLog, EpisodeRecord
from service.state.episode_topic import EpisodeTopic


def episode_record(settings: Settings) -> EpisodeLog:
    """The record, which nothing is asked of yet. A topic stands in place of the files, for every
    role, so that there is one record to look into.
    """
    topic = settings.state.episodes_topic
    if topic is None:
        return EpisodeRecord(settings.state.path / DIRECTORY, settings.state.episodes.keep)
    return EpisodeTopic(topic, lambda: _opened(settings, topic))


def _opened(settings: Settings, topic: str) -> TopicLog:
    """Made where it is absent, if the settings say so.

    Raises ConfigurationError for what the operator has to change, RecoverableError when no broker
    answers.
    """
    connection = kafka_connection(settings.kafka)
    wanted = [spec for spec in topics_used(settings) if spec.name == topic]
    ensure(connection, wanted, create=settings.state.topics.create)
    return TopicLog(connection, topic)
