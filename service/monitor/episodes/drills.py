"""Drills beside the episodes: they are told as these are, and counted nowhere. Pure: no clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from service.monitor.episodes.severity import Severities
from service.values.drills import PRETENDED, Drill, DrillKind
from service.values.episodes import Category, Episode, Phase, Severity

OPEN_MAX = 50
ENDED_MAX = 10
ENDED = "the drill is over"

_CAUSE = "drill"
_PRETENDS = {
    DrillKind.DRIFT: "a drift",
    DrillKind.SILENCE: "a model that has gone silent",
    DrillKind.QUALITY: "values that go missing",
    DrillKind.LAG: "a monitor that is behind",
}


class Told(NamedTuple):
    """Whom a drill reaches."""

    team: str
    tier: int
    severity: Severity


class Drills:
    """Those that last, by the name of their episode, and the last ones that are over."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Episode, float]] = {}
        self._ended: list[Episode] = []

    @property
    def open(self) -> tuple[Episode, ...]:
        """Those that last, in the order in which they began."""
        return tuple(episode for episode, _ in self._open.values())

    @property
    def ended(self) -> tuple[Episode, ...]:
        """The last ones that are over, the newest last."""
        return tuple(self._ended)

    def hear(self, drill: Drill, told: Told, now_seconds: float) -> list[Episode]:
        """What has come of what somebody asked for: the new events. One that is heard of only when
        its time is over, or whose episode is there already, is nothing.
        """
        name = drill.episode
        if drill.ends:
            return [self._end(name, now_seconds)] if name in self._open else []
        known = name in self._open or any(episode.id == name for episode in self._ended)
        if known or now_seconds >= drill.until_seconds or len(self._open) >= OPEN_MAX:
            return []
        begun = _episode(drill, told, now_seconds)
        self._open[name] = (begun, drill.until_seconds)
        return [begun]

    def end(self, now_seconds: float) -> list[Episode]:
        """End those whose time is over: the new events."""
        over = [name for name, (_, until) in self._open.items() if now_seconds >= until]
        return [self._end(name, now_seconds) for name in over]

    def state(self) -> dict[str, Any]:
        """Plain values for a snapshot."""
        kept = [[msgspec.to_builtins(episode), until] for episode, until in self._open.values()]
        return {"open": kept, "ended": msgspec.to_builtins(self._ended)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken; an empty one is that of none."""
        opened = [(msgspec.convert(e, Episode), until) for e, until in state.get("open", ())]
        self._open = {episode.id: (episode, until) for episode, until in opened}
        self._ended = msgspec.convert(state.get("ended", []), list[Episode])

    def _end(self, name: str, now_seconds: float) -> Episode:
        episode, _ = self._open.pop(name)
        over = replace(
            episode,
            sequence=episode.sequence + 1,
            phase=Phase.RECOVERED,
            updated_seconds=now_seconds,
            ended_seconds=now_seconds,
            ended_because=ENDED,
            score=0.0,
        )
        self._ended = [*self._ended[1 - ENDED_MAX :], over]
        return over


def severity_of(kind: DrillKind, tier: int, severities: Severities) -> Severity:
    """Whom it reaches unless somebody says so: lag of ours is a page, whatever the model."""
    category, _ = PRETENDED[kind]
    return Severity.PAGE if category is Category.LAG else severities.of(category, tier)


def _episode(drill: Drill, told: Told, now_seconds: float) -> Episode:
    category, kind = PRETENDED[drill.kind]
    until = datetime.fromtimestamp(drill.until_seconds, UTC).strftime("%H:%M")
    return Episode(
        id=drill.episode,
        sequence=1,
        phase=Phase.STARTED,
        category=category,
        kind=kind,
        model=drill.model,
        version=drill.version,
        team=told.team,
        tier=told.tier,
        severity=told.severity,
        source="",
        onset_seconds=drill.at_seconds,
        started_seconds=drill.at_seconds,
        updated_seconds=now_seconds,
        score=1.0,
        peak=1.0,
        streams=(),
        streams_total=0,
        cause=_CAUSE,
        likely=f"a drill, asked for by {drill.by}: nothing has happened, and nothing is to be done "
        f"but to see whom it reaches. It ends by itself at {until} UTC.",
        words=f"DRILL, nothing has happened: as if there were {_PRETENDS[drill.kind]}",
        drill=True,
    )
