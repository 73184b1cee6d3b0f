"""A recorded stream, what is known to have changed in it, and how a detector's alarms are counted.

A change is found by the first alarm of a stream that it concerns, out of rows of which some lie in
it. An alarm is false when no change that concerns its stream lasts then, or has just ended: the way
back is a change too. All others repeat what is known already.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

JOINT = "reconstruction error"
"""How the features go together: whatever changes, concerns it."""


class Change(NamedTuple):
    """Something changed from `start` to `end` (epoch seconds); no `streams` means all of them."""

    start: float
    end: float = math.inf
    streams: frozenset[str] = frozenset()

    def concerns(self, stream: str) -> bool:
        return not self.streams or stream == JOINT or stream in self.streams


class Recording(NamedTuple):
    """Columns of numbers (NaN = missing) or of texts ("" = missing), a row a time, ascending.

    truth: what changed, and who says so. reference_rows: the first rows, of which no change is
    asked; the reference is built from them. volume: the one column counts events, of which every
    `event_worth` are replayed as one. unit: how long one is, in seconds, and its name, for delays.
    period_rows: what a periodic detector compares at a time. aftermath_seconds: how long after the
    end of a change the way back may alarm. settings: the configuration of Anchorwatch where it is
    not the default.
    """

    name: str
    truth: str
    times: NDArray[np.float64]
    columns: Mapping[str, NDArray[Any]]
    changes: Sequence[Change]
    reference_rows: int
    period_rows: int
    unit: tuple[float, str] = (1.0, "rows")
    settings: Mapping[str, Any] = {}
    prediction: str | None = None
    latency: str | None = None
    volume: bool = False
    event_worth: int = 1
    aftermath_seconds: float = 0.0

    @property
    def judged_from(self) -> float:
        """The time of the first row that is judged."""
        return float(self.times[self.reference_rows])


class Alarm(NamedTuple):
    """A stream began to alarm by what lies from `start` to `known`, and did so until `end`."""

    stream: str
    start: float
    known: float
    end: float


class Score(NamedTuple):
    """What became of the changes, and of the alarms.

    delays: seconds from the start of each change that was found until it was known. hidden: changes
    that were not found because a stream that they concern alarmed already.
    """

    changes: int
    delays: tuple[float, ...]
    hidden: int
    repeats: int
    false: tuple[Alarm, ...]

    @property
    def found(self) -> int:
        return len(self.delays)


def score(recording: Recording, alarms: Sequence[Alarm]) -> Score:
    """Alarms of the reference's rows count for nothing."""
    judged = sorted((a for a in alarms if a.start >= recording.judged_from), key=lambda a: a.known)
    delays, hidden, told = [], 0, set()
    for change in recording.changes:
        concerned = [alarm for alarm in judged if change.concerns(alarm.stream)]
        first = next((a for a in concerned if _meets(a, change, 0.0)), None)
        if first is not None:
            delays.append(first.known - change.start)
            told.add(first)
        else:
            hidden += any(alarm.start < change.start < alarm.end for alarm in concerned)
    false = tuple(alarm for alarm in judged if not _explained(recording, alarm))
    return Score(
        len(recording.changes), tuple(delays), hidden, len(judged) - len(false) - len(told), false
    )


def runs(
    stream: str, differs: Sequence[bool], spans: Sequence[tuple[float, float]]
) -> Iterator[Alarm]:
    """The alarms of a detector that looks once a period, `spans` being its first and last times:
    one for the periods in a row that differ.
    """
    began: tuple[float, float] | None = None
    for different, span in zip(differs, spans, strict=True):
        if different and began is None:
            began = span
        elif began is not None and not different:
            yield Alarm(stream, *began, span[0])
            began = None
    if began is not None:
        yield Alarm(stream, *began, math.inf)


def _explained(recording: Recording, alarm: Alarm) -> bool:
    return any(
        change.concerns(alarm.stream) and _meets(alarm, change, recording.aftermath_seconds)
        for change in recording.changes
    )


def _meets(alarm: Alarm, change: Change, aftermath_seconds: float) -> bool:
    return alarm.known >= change.start and alarm.start <= change.end + aftermath_seconds
