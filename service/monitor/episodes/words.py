"""Episodes in words that could be read out on the phone, and their names."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from service.values.episodes import EpisodeStream, Member
from service.values.streams import segment_of

NAMED_MAX = 3
"""Further streams or models that are named; beyond, only their number is said."""

_NAME_MAX = 80
_LATEST_SECONDS = 253_402_300_799.0


def new_id(name: str, onset_seconds: float, taken: Collection[str]) -> str:
    """`credit-risk-20261123-1020`: the model or source, and the minute (UTC) of the onset.

    Fit for an address and for a shell; with a number behind it where that is `taken`.
    """
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", name)[:_NAME_MAX].strip("-.") or "model"
    onset = datetime.fromtimestamp(min(max(onset_seconds, 0.0), _LATEST_SECONDS), UTC)
    first = wanted = f"{plain}-{onset:%Y%m%d-%H%M}"
    number = 1
    while wanted in taken:
        number += 1
        wanted = f"{first}-{number}"
    return wanted


def of_streams(streams: Sequence[EpisodeStream]) -> str:
    """What changed in the worst, and which others: "income up 0.4 sd; 2 more: age, state". Further
    segments are named last: what all predictions do, each of them does.
    """
    worst, *others = sorted(streams, key=lambda stream: -stream.score)
    others.sort(key=lambda stream: segment_of(stream.key) is not None)
    said = f"{worst.key.title} {worst.words or 'has drifted'}"
    return f"{said}{_and_more([stream.key.title for stream in others])}"


def of_members(members: Sequence[Member], streams: Sequence[EpisodeStream]) -> str:
    """Who drifted within what time, and in what: "3 models drifted within 4 min: ..."."""
    names = [member.key.words for member in members]
    times = [member.since_seconds for member in members]
    minutes = max(1, round((max(times) - min(times)) / 60))
    models = len({member.model for member in members})
    changed = ", ".join(
        f"{s.key.title} {figure(s.score)} x alarm level" for s in streams[:NAMED_MAX]
    )
    return f"{models} models drifted within {minutes} min: {listed(names)}; {changed}"


def listed(names: Sequence[str]) -> str:
    """The first names: "age, state, income, ..."."""
    further = ", ..." if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + further


def figure(score: float) -> str:
    """A score: "2.1", and without decimals from 10."""
    return f"{score:.1f}" if score < 9.95 else f"{score:,.0f}"


def _and_more(names: list[str]) -> str:
    return f"; {len(names)} more: {listed(names)}" if names else ""
