"""What a replay found: as a table on the terminal, and as JSON."""

import json
import math
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from config.units import format_duration
from service.values.backtests import Alarm, Outcome
from service.values.reports import ModelReport, ReferenceState

FORMAT = 1


def show(outcome: Outcome, settings: Settings, console: Console) -> None:
    """Print the sentence, the alarms, the models and the books."""
    console.print(_sentence(outcome, settings), markup=False)
    if outcome.alarms:
        console.print(_alarm_table(outcome.alarms))
    if outcome.models:
        console.print(_model_table(outcome.models))
    for book in outcome.books:
        rejected = sum(book.rejected.values())
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(book.rejected.items()))
        console.print(
            f"{book.topic}: {book.consumed:,} records = {book.applied:,} applied + "
            f"{book.ignored:,} ignored + {rejected:,} rejected"
            + (f" ({reasons})" if reasons else ""),
            markup=False,
            highlight=False,
        )
    for hint in _hints(outcome, settings):
        console.print(hint, markup=False, highlight=False)


def as_json(outcome: Outcome, config_hash: str, files: tuple[str, ...]) -> str:
    """The same for a program. Times are RFC 3339."""
    tree = {
        "format": FORMAT,
        "files": list(files),
        "config_hash": config_hash,
        "from": _time(outcome.from_seconds),
        "to": _time(outcome.to_seconds),
        "alarms": [_alarm(alarm) for alarm in outcome.alarms],
        "models": [_model(model) for model in outcome.models],
        "books": [
            {
                "file": book.topic,
                "consumed": book.consumed,
                "applied": book.applied,
                "ignored": book.ignored,
                "rejected": {reason.value: count for reason, count in book.rejected.items()},
            }
            for book in outcome.books
        ],
    }
    return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False)


def _sentence(outcome: Outcome, settings: Settings) -> str:
    panes = sum(model.panes_judged_total for model in outcome.models)
    rows = sum(model.predictions_total for model in outcome.models)
    if not panes:
        return "No pane could be judged: no event was read."
    count = len(outcome.alarms)
    drifts = "1 drift" if count == 1 else f"{count} drifts" if count else "no drift"
    return (
        f"{_minute(outcome.from_seconds)} to {_minute(outcome.to_seconds)} UTC: {rows:,} "
        f"predictions in {panes:,} panes of {format_duration(settings.detection.pane)}. "
        f"It would have told {drifts}."
    )


def _alarm_table(alarms: tuple[Alarm, ...]) -> Table:
    table = Table(title="What would have alarmed", title_justify="left")
    for heading in ("Start (UTC)", "End (UTC)", "Model", "Stream", "What changed", "Seen by"):
        table.add_column(heading, overflow="fold")
    for alarm in alarms:
        ended = "goes on" if alarm.ended_seconds is None else _second(alarm.ended_seconds)
        table.add_row(
            _second(alarm.started_seconds),
            ended,
            Text(f"{alarm.model.model} {alarm.model.version}"),
            Text(f"{alarm.stream.name} ({alarm.stream.kind.value})"),
            Text(alarm.summary),
            ", ".join(alarm.detectors),
        )
    return table


def _model_table(models: tuple[ModelReport, ...]) -> Table:
    table = Table(title="Models", title_justify="left")
    for heading in ("Model", "Version", "Predictions", "Late", "Rejected", "Reference", "Highest"):
        table.add_column(heading, overflow="fold")
    for model in models:
        worst = max(model.streams, key=lambda stream: stream.score, default=None)
        table.add_row(
            Text(model.key.model),
            Text(model.key.version),
            f"{model.predictions_total:,}",
            f"{model.late_total:,}",
            f"{sum(model.rejected_totals.values()):,}",
            _reference(model),
            Text("" if worst is None else f"{worst.key.name} {worst.score:.2f}"),
        )
    return table


def _reference(model: ModelReport) -> str:
    if model.reference_state is ReferenceState.READY:
        return f"{model.reference_hash[:12]}, {model.reference_rows:,} rows"
    if model.reference_state is ReferenceState.LEARNING:
        return f"still learning, {model.reference_learned_ratio:.0%}"
    return "none"


def _hints(outcome: Outcome, settings: Settings) -> list[str]:
    hints = []
    unjudged = sum(model.unjudged_total for model in outcome.models)
    if unjudged:
        hints.append(
            f"{unjudged:,} rows came after their pane had been judged: files are read in the order "
            "of their names and have to follow each other in time."
        )
    late = sum(model.late_total for model in outcome.models)
    if late:
        lateness = format_duration(settings.detection.lateness)
        hints.append(
            f"{late:,} rows were more than {lateness} behind newer ones and were not judged: sort "
            "the file by time, or raise detection.lateness."
        )
    learning = [m for m in outcome.models if m.reference_state is ReferenceState.LEARNING]
    if learning:
        hints.append(
            "A model that is still learning was not judged: give --reference, or lower "
            "reference.learn.events."
        )
    return hints


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "model": alarm.model.model,
        "model_version": alarm.model.version,
        "kind": alarm.stream.kind.value,
        "feature": alarm.stream.name,
        "started": _time(alarm.started_seconds),
        "ended": None if alarm.ended_seconds is None else _time(alarm.ended_seconds),
        "score": round(alarm.score, 4),
        "detectors": list(alarm.detectors),
        "summary": alarm.summary,
    }


def _model(model: ModelReport) -> dict[str, Any]:
    return {
        "model": model.key.model,
        "model_version": model.key.version,
        "predictions": model.predictions_total,
        "late": model.late_total,
        "unjudged": model.unjudged_total,
        "rejected": {reason.value: count for reason, count in model.rejected_totals.items()},
        "panes": model.panes_judged_total,
        "reference": model.reference_hash,
        "reference_state": model.reference_state.value,
        "streams": [
            {
                "kind": stream.key.kind.value,
                "feature": stream.key.name,
                "score": round(stream.score, 4),
                "missing": stream.missing_total,
                "invalid": stream.invalid_total,
                "unseen": stream.unseen_total,
            }
            for stream in model.streams
        ],
    }


def _time(seconds: float) -> str | None:
    if not math.isfinite(seconds):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _second(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _minute(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
