"""The families of episodes: what alerts are made of. Upstream episodes have an empty `model`."""

from service.publish.families import MODEL, Group, counter, gauge

_TOLD = (*MODEL, "kind", "severity", "team")

EPISODE_ACTIVE = gauge(
    "episode_active",
    "1 while an episode lasts that somebody is to hear of: a page or a ticket.",
    (*_TOLD, "episode"),
    Group.VOLUME,
)
EPISODE_ONSET = gauge(
    "episode_onset_timestamp_seconds",
    "When the change behind an episode that lasts began, by estimate.",
    (*_TOLD, "episode"),
    Group.VOLUME,
    "seconds",
)
EPISODES = counter(
    "episodes",
    "Episodes that started; one that came to reach further counts under both severities.",
    _TOLD,
    Group.VOLUME,
)
EPISODE_VERDICTS = counter(
    "episode_verdicts",
    "What people decided on episodes by `anchorwatch episode verdict`: true or false.",
    (*_TOLD, "verdict"),
    Group.VOLUME,
)
