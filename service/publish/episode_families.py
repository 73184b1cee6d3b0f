"""The families of episodes: what alerts are made of. Upstream episodes have an empty `model`."""

from service.publish.families import MODEL, Group, counter, gauge

_TOLD = (*MODEL, "kind", "severity", "team")

EPISODE_ACTIVE = gauge(
    "episode_active",
    "1 while an episode lasts that somebody is to hear of: a page or a ticket. Of a drill `drill` "
    "is true, and kind may be silent or lag too.",
    (*_TOLD, "episode", "drill"),
    Group.VOLUME,
)
EPISODE_ONSET = gauge(
    "episode_onset_timestamp_seconds",
    "When the change behind an episode that lasts began, by estimate.",
    (*_TOLD, "episode", "drill"),
    Group.VOLUME,
    "seconds",
)
UPSTREAM_MEMBER = gauge(
    "upstream_member",
    "1 for each model version in an episode of a shared source that lasts and that somebody is to "
    "hear of; `episode` is that of the source.",
    (*MODEL, "source", "episode"),
    Group.VOLUME,
)
EPISODES = counter(
    "episodes",
    "Episodes that started; one that came to reach further counts under both severities.",
    _TOLD,
    Group.VOLUME,
)
EPISODE_VERDICTS = counter(
    "episode_verdicts",
    "Verdicts that people gave: one that was changed counts under both, one repeated once.",
    (*_TOLD, "verdict"),
    Group.VOLUME,
)
EPISODES_DECIDED = gauge(
    "episodes_decided",
    "Episodes by the verdict that holds, the latest: what the rate of false alarms is told from.",
    (*_TOLD, "verdict"),
    Group.VOLUME,
)
