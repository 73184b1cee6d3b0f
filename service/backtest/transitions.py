"""From transitions to alarms, each start with its end, and from alarms to episodes."""

import math
from collections.abc import Iterable

from msgspec.structs import replace

from service.monitor.judging.comparison import Transition
from service.values.backtests import Alarm
from service.values.episodes import CATEGORIES, Category
from service.values.streams import ModelKey, StreamKey


def alarms_of(transitions: Iterable[Transition]) -> tuple[Alarm, ...]:
    """Starts paired with their ends, in order of time."""
    alarms: list[Alarm] = []
    running: dict[tuple[ModelKey, StreamKey], int] = {}
    for change in transitions:
        place = (change.model, change.stream)
        if change.drifted:
            running[place] = len(alarms)
            alarms.append(_begun(change))
        elif place in running:
            position = running.pop(place)
            alarms[position] = replace(alarms[position], ended_seconds=change.pane_start_seconds)
    return in_order(alarms)


def in_order(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """In order of time; those that start together by stream, then by model version."""
    return tuple(
        sorted(alarms, key=lambda alarm: (alarm.started_seconds, alarm.stream, alarm.model))
    )


def episode_count(alarms: Iterable[Alarm]) -> int:
    """How many episodes of single model versions alarms make: those of one category that overlap,
    or follow each other without a pane between, are one.
    """
    count = 0
    through: dict[tuple[ModelKey, Category], float] = {}
    for alarm in sorted(alarms, key=lambda alarm: alarm.started_seconds):
        place = (alarm.model, CATEGORIES[alarm.stream.kind])
        count += alarm.started_seconds > through.get(place, -math.inf)
        end = math.inf if alarm.ended_seconds is None else alarm.ended_seconds
        through[place] = max(end, through.get(place, -math.inf))
    return count


def _begun(change: Transition) -> Alarm:
    return Alarm(
        model=change.model,
        stream=change.stream,
        started_seconds=change.pane_start_seconds,
        ended_seconds=None,
        score=change.score,
        detectors=change.detectors,
        summary=change.summary,
    )
