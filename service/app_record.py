"""Which record a service has, by its settings: files of a directory, or a topic."""

from config.settings import Settings
from service.kafka.topic_log import TopicLog
from service.state.episode_record import DIRECTORY, EpisodeLog, EpisodeRecord
from service.state.episode_topic import EpisodeTopic
from service.wiring import kafka_connection


def episode_record(settings: Settings) -> EpisodeLog:
    """The record, which nothing is asked of yet. A topic stands in place of the files, for every
    role, so that there is one record to look into.
    """
    topic = settings.state.episodes_topic
    if topic is None:
        return EpisodeRecord(settings.state.path / DIRECTORY, settings.state.episodes.keep)
    connection = kafka_connection(settings.kafka)
    return EpisodeTopic(topic, lambda: TopicLog(connection, topic))
