"""Known incidents: read from a file, and held against the alarms."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from service.errors import ConfigurationError
from service.values.backtests import Alarm, Finding, Incident

COLUMNS = ("start", "end", "model", "feature", "what")
REQUIRED = COLUMNS[:2]
ROWS_MAX = 10_000


def read_incidents(path: Path) -> tuple[Incident, ...]:
    """The incidents of a CSV file with a header, in order of time.

    Raises ConfigurationError that names the file, the line, and what is wrong with it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _incidents(path, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def findings_of(
    incidents: Sequence[Incident], alarms: Sequence[Alarm], pane_seconds: float
) -> tuple[Finding, ...]:
    """Each incident with the alarms that started within it, the first of which is its delay."""
    return tuple(_finding(incident, alarms, pane_seconds) for incident in incidents)


def unexpected_alarms(
    findings: Iterable[Finding], alarms: Sequence[Alarm], pane_seconds: float
) -> tuple[int, ...]:
    """Positions of the alarms that no known incident explains: none was under way while they were.

    An alarm that goes on, or started before an incident, is explained by any that it meets.
    """
    incidents = [finding.incident for finding in findings]
    return tuple(
        position
        for position, alarm in enumerate(alarms)
        if not any(_concerns(i, alarm) and _meets(i, alarm, pane_seconds) for i in incidents)
    )


def missed(findings: Sequence[Finding]) -> tuple[int, ...]:
    """Positions of the incidents that nobody found."""
    return tuple(position for position, finding in enumerate(findings) if not finding.alarms)


def _incidents(path: Path, lines: Iterable[str]) -> tuple[Incident, ...]:
    reader = csv.DictReader(lines, strict=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    absent = [name for name in REQUIRED if name not in names]
    if absent:
        found = ", ".join(names) or "nothing"
        raise ConfigurationError(
            f"{path}, line 1: the header must name {' and '.join(REQUIRED)} (and may name "
            f"{', '.join(COLUMNS[2:])}); it says {found}"
        )
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise ConfigurationError(
            f"{path}, line 1: there is no column {unknown[0]!r}; there are {', '.join(COLUMNS)}"
        )
    incidents: list[Incident] = []
    for row in reader:
        if len(incidents) == ROWS_MAX:
            raise ConfigurationError(f"{path} has more than {ROWS_MAX:,} incidents: part the file")
        incidents.append(_incident(f"{path}, line {reader.line_num}", row))
    return tuple(sorted(incidents, key=lambda incident: incident.start_seconds))


def _incident(place: str, row: Mapping[str | None, str | None]) -> Incident:
    if None in row or any(value is None for value in row.values()):
        raise ConfigurationError(f"{place}: it has another number of columns than the header")
    text = {str(name): str(value).strip() for name, value in row.items()}
    start, end = (_seconds(place, name, text[name]) for name in REQUIRED)
    if end < start:
        raise ConfigurationError(f"{place}: the end {text['end']} is before the start")
    return Incident(start, end, *(text.get(name, "") for name in COLUMNS[2:]))


def _seconds(place: str, name: str, text: str) -> float:
    """Epoch seconds of RFC 3339 with its offset: one without would be anybody's local time."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ConfigurationError(
            f"{place}: {name} is {text!r}; it must be a time with its offset (RFC 3339): "
            "2026-11-23T10:15:00Z"
        )
    return time.timestamp()


def _finding(incident: Incident, alarms: Sequence[Alarm], pane_seconds: float) -> Finding:
    within = tuple(
        position
        for position, alarm in enumerate(alarms)
        if _concerns(incident, alarm)
        and incident.start_seconds < alarm.started_seconds + pane_seconds
        and alarm.started_seconds <= incident.end_seconds
    )
    ends = [alarms[position].started_seconds + pane_seconds for position in within]
    delay = min(ends, default=math.nan) - incident.start_seconds
    return Finding(incident, within, delay)


def _concerns(incident: Incident, alarm: Alarm) -> bool:
    return incident.model in ("", alarm.model.model) and incident.feature in ("", alarm.stream.name)


def _meets(incident: Incident, alarm: Alarm, pane_seconds: float) -> bool:
    last = math.inf if alarm.ended_seconds is None else alarm.ended_seconds
    last = max(last, alarm.started_seconds + pane_seconds)
    return alarm.started_seconds <= incident.end_seconds and incident.start_seconds < last
