"""Which topics of ours a service with these settings uses, and what each has to be."""

from collections.abc import Iterator

from config.settings import Role, Settings
from service.kafka.topic_spec import (
    TopicSpec,
    episodes_topic,
    panes_topic,
    references_topic,
    state_topic,
)

_ROLES: tuple[Role, ...] = ("all", "worker", "judge")


def topics_used(settings: Settings, roles: tuple[Role, ...] | None = None) -> tuple[TopicSpec, ...]:
    """By these roles (None: the one that the settings name), in the order of their use, each once.

    None for role all with everything in directories.
    """
    used = _used(settings, roles or (settings.role,))
    return tuple({spec.name: spec for spec in used}.values())


def names_used(settings: Settings) -> tuple[str, ...]:
    """Their names: what no pattern of a source may mean, or we would read what we write."""
    return tuple(spec.name for spec in topics_used(settings, _ROLES))


def _used(settings: Settings, roles: tuple[Role, ...]) -> Iterator[TopicSpec]:
    state = settings.state
    topics = state.topics
    replication = topics.replication
    for topic in sorted(settings.reference_topics):
        yield references_topic(topic, replication)
    if state.store == "topic":
        yield state_topic(topics.state, topics.partitions, replication)
        yield panes_topic(topics.panes, topics.partitions, replication)
        yield references_topic(topics.schedules, replication)
    if state.episodes_topic is not None and roles != ("worker",):
        yield episodes_topic(state.episodes_topic, state.episodes.keep, replication)
