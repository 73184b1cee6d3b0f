"""From transitions to alarms: each start with its end."""

from collections.abc import Iterable

from msgspec.structs import replace

from service.monitor.comparison import Transition
from service.values.backtests import Alarm
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
    return tuple(sorted(alarms, key=lambda alarm: (alarm.started_seconds, alarm.stream)))


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
