"""What to do about an episode: commands and lines of configuration to copy."""

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.values.episodes import Category, Episode
from service.values.streams import Kind

TRIED = {
    Category.DRIFT: "tolerance.shift=0.25",
    Category.LATENCY: "tolerance.shift=0.25",
    Category.QUALITY: "tolerance.rate.points=0.01",
    Category.VOLUME: "detection.false_alarm_budget='1 per 90d per team'",
}
"""What is worth a trial, of the settings that decide on such an episode."""

_MUTED_DAYS = 14
_NAMED_MAX = 10
_OF_FEATURES = {Kind.INPUT, Kind.QUALITY}
_WHO = "--by NAME --why REASON"


class Where(NamedTuple):
    """Options that lead to the configuration, and to the record; each begins with a space."""

    config: str = ""
    record: str = ""


def what_now(episode: Episode, now_seconds: float, where: Where | None) -> list[str]:
    """What may be done, as it is typed: accepted, muted, tried again, and decided on. Without a
    record (None) no command finds the episode, so that it may only be muted.
    """
    if episode.drill:
        return [] if where is None else [_drill_end(episode, where)]
    if where is None:
        return _mute(episode, now_seconds)
    verdict = f"anchorwatch episode verdict {episode.id}"
    return [
        *_acceptance(episode, where),
        *_mute(episode, now_seconds),
        *_again(episode, where),
        "was it real? Say so, or nobody knows the rate of false alarms:",
        f"  {verdict} true {_WHO}{where.record}",
        f"  {verdict} false {_WHO}{where.record}",
    ]


def _drill_end(episode: Episode, where: Where) -> str:
    model = shlex.quote(episode.model)
    return f"end it earlier: anchorwatch drill --model {model} --end{where.config}"


def _acceptance(episode: Episode, where: Where) -> list[str]:
    if episode.category not in {Category.DRIFT, Category.LATENCY}:
        return []
    return [
        "real, and here to stay? Make it the new normal:",
        f"  anchorwatch reference accept --episode {episode.id} {_WHO}{where.config}",
    ]


def _mute(episode: Episode, now_seconds: float) -> list[str]:
    """Lines for the configuration; none where nothing of a feature drifts."""
    features = sorted({s.name for s in episode.streams if s.drifts and s.kind in _OF_FEATURES})
    if not features or not episode.model:
        return []
    until = datetime.fromtimestamp(now_seconds, UTC).date() + timedelta(days=_MUTED_DAYS)
    mute = f"{{mute: {{until: {until}, by: NAME, why: REASON}}}}"
    return [
        "real, but known and passing? Mute it in the configuration, which is taken up by itself:",
        "  models:",
        f"    {_quoted(episode.model)}:",
        "      features:",
        *(f"        {_quoted(feature)}: {mute}" for feature in features[:_NAMED_MAX]),
    ]


def _again(episode: Episode, where: Where) -> list[str]:
    """Other settings on recorded events; nothing for an episode of a source: models are judged.

    The configuration leads to the topics of then; without it the events have to be in files.
    """
    setting = TRIED.get(episode.category)
    if setting is None:
        return []
    files, among = ("", "what the topics still hold") if where.config else ("FILES ", "the events")
    return [
        f"too much ado? See what other settings make of it, on {among} of then:",
        f"  anchorwatch replay {files}--episode {episode.id} --set {setting}{where.record}",
    ]


def _quoted(name: str) -> str:
    """A key of YAML; what could mean something else is in quotes, as in JSON. A name is a glob."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name)
    return name if plain and name.lower() not in _WORDS else json.dumps(name, ensure_ascii=False)


_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
