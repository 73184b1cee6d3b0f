"""What to ask for of topics that are our own: their making, and what each role does with them."""

from collections.abc import Iterator

from config.settings import Role, Settings
from service.commands.acl_lines import Cluster, Operation, Request
from service.composition.topics_used import topics_used
from service.kafka.topic_spec import TopicSpec

FLEET: tuple[Role, ...] = ("worker", "judge")

_READ: tuple[Operation, ...] = ("Read",)
_WRITE: tuple[Operation, ...] = ("Write",)
_BOTH: tuple[Operation, ...] = ("Read", "Write")


def own_topics(settings: Settings, cluster: Cluster, roles: tuple[Role, ...]) -> Iterator[Request]:
    """Each topic once, with what the roles together do with it."""
    for spec in topics_used(settings, roles):
        why, by_role = _use(settings, spec)
        operations = [o for o in _BOTH if any(o in by_role[role] for role in roles)]
        operations.append("DescribeConfigs")  # whoever opens a topic of ours looks how it is set
        yield Request(
            why,
            (
                cluster.make(*spec.creation()),
                cluster.grant(operations, "--topic", spec.name),
            ),
        )


def making(settings: Settings, cluster: Cluster, roles: tuple[Role, ...]) -> str:
    """Which topics the service makes itself, what it needs for that; empty: it makes none."""
    names = [spec.name for spec in topics_used(settings, roles)]
    if not names or not settings.state.topics.create:
        return ""
    told = (
        f"Of these topics it makes {', '.join(names)} itself, where absent, when it starts: with "
        "the partitions, replicas and settings of the lines for kafka-topics, which are not needed "
        "then. For that it needs Create on each, and else never (state.topics.create: false: it "
        "does not try). Topics of sources, and that of refused records, it never makes."
    )
    lines = (f"    {cluster.grant(('Create',), '--topic', name)}" for name in names)
    return "\n".join((told, *lines))


def _use(settings: Settings, spec: TopicSpec) -> tuple[str, dict[Role, tuple[Operation, ...]]]:
    topics = settings.state.topics
    if spec.name == settings.state.episodes_topic:
        return (
            f"For the record of episodes, {spec.name}, which commands about episodes read, too.",
            {"all": _BOTH, "worker": (), "judge": _BOTH},
        )
    if settings.state.store == "topic" and spec.name == topics.state:
        return (
            f"For the state of a fleet, {spec.name}: who is given a partition goes on from it.",
            {"all": (), "worker": _BOTH, "judge": _BOTH},
        )
    if settings.state.store == "topic" and spec.name == topics.panes:
        return (
            f"For counts, {spec.name}: workers write them, the judge reads them.",
            {"all": (), "worker": _WRITE, "judge": _READ},
        )
    if settings.state.store == "topic" and spec.name == topics.schedules:
        return (
            f"For what the judge decides of references, {spec.name}: workers read it.",
            {"all": (), "worker": _READ, "judge": _BOTH},
        )
    return (
        f"To read references from {spec.name}. Who publishes them needs Read and Write on it.",
        {"all": _READ, "worker": _READ, "judge": _READ},
    )
