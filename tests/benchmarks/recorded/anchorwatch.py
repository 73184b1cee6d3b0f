"""Anchorwatch on a recording, as its user would run it: `reference build`, then `replay --json`."""

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

from tests.benchmarks.recorded.recording import Alarm, Recording

WHOLE = "Anchorwatch"
ALONE = {
    "its e-detector alone": ("e_detector",),
    "its ADWIN alone": ("adwin",),
    "its Page-Hinkley alone": ("page_hinkley",),
}
MODEL = "recorded"
PANE_SECONDS = 60.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Told(NamedTuple):
    """An episode: when it began to be told, since when by estimate, and its words."""

    start: float
    onset: float
    category: str
    words: str


class Replayed(NamedTuple):
    """What a replay found, and what it said that it could not see."""

    alarms: tuple[Alarm, ...]
    episodes: tuple[Told, ...]
    unseen: tuple[str, ...]


def contestants(recording: Recording) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names and detectors, none = as configured. Those of means know nothing of volume."""
    yield WHOLE, ()
    for name, detectors in ALONE.items():
        if not recording.volume or "e_detector" in detectors:
            yield name, detectors


def replay(recording: Recording, detectors: tuple[str, ...] = ()) -> Replayed:
    """Run it. Raises RuntimeError with what the program said when it fails."""
    with TemporaryDirectory(prefix="anchorwatch-recorded-") as place:
        directory = Path(place)
        settings = _settings(recording, detectors, directory)
        (directory / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        write = _write_counts if recording.volume else _write_rows
        live, roles = write(recording, directory)
        built = ["--model", MODEL, "--output", "reference.json", *roles]
        _run("reference", "build", "reference.csv", *built, at=directory)
        known = ["--reference", "reference.json", "--config", "config.yaml", "--json", "-"]
        text = _run("replay", *live, *roles, *known, at=directory)
    return _found(recording, json.loads(text), _pane_seconds(settings))


def _settings(recording: Recording, detectors: tuple[str, ...], directory: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(json.dumps(dict(recording.settings)))
    if detectors:
        settings.setdefault("detection", {})["detectors"] = list(detectors)
    if recording.volume:
        settings["sources"] = [
            {
                "name": "counts",
                "files": [str(directory / "counts.jsonl")],
                "model": f'"{MODEL}"',
                "time": "value.time",
                "features": {"rows": "value.rows", "layout": "matrix", "columns": ["one"]},
            }
        ]
    return settings


def _write_counts(recording: Recording, directory: Path) -> tuple[list[str], list[str]]:
    """A record a time, with as many rows as events are counted; what to replay, and its roles."""
    (counts,) = recording.columns.values()
    with (directory / "counts.jsonl").open("w", encoding="utf-8") as file:
        for time, count in zip(recording.times.tolist(), counts.tolist(), strict=True):
            rows = [[1]] * round(count / recording.event_worth)
            file.write(json.dumps({"time": time, "rows": rows}, separators=(",", ":")) + "\n")
    (directory / "reference.csv").write_text("one\n" + "1\n" * 1000, "utf-8")
    return ["counts.jsonl", "--source", "counts"], []


def _write_rows(recording: Recording, directory: Path) -> tuple[list[str], list[str]]:
    """Two tables: what the reference is built from, and what is replayed; and its roles."""
    first = recording.reference_rows
    rows = list(zip(*(map(_cell, c.tolist()) for c in recording.columns.values()), strict=True))
    times = [datetime.fromtimestamp(t, UTC).isoformat() for t in recording.times.tolist()]
    for name, chosen in (("reference", slice(first)), ("live", slice(first, None))):
        with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["timestamp", *recording.columns])
            table.writerows((t, *row) for t, row in zip(times[chosen], rows[chosen], strict=True))
    roles = (("--prediction", recording.prediction), ("--latency", recording.latency))
    named = [part for option, column in roles if column is not None for part in (option, column)]
    return ["live.csv", "--model", MODEL, "--time", "timestamp"], named


def _cell(value: Any) -> Any:
    return "" if isinstance(value, float) and math.isnan(value) else value


def _run(*arguments: str, at: Path) -> str:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=at,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"anchorwatch {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout


def _pane_seconds(settings: dict[str, Any]) -> float:
    pane = settings.get("detection", {}).get("pane")
    return PANE_SECONDS if pane is None else float(pane[:-1]) * _UNITS[pane[-1]]


def _found(recording: Recording, tree: dict[str, Any], pane_seconds: float) -> Replayed:
    named = {"output": recording.prediction, "latency": recording.latency}
    alarms = tuple(
        Alarm(
            named.get(alarm["kind"]) or alarm["feature"],
            _seconds(alarm["started"]),
            _seconds(alarm["started"]) + pane_seconds,
            math.inf if alarm["ended"] is None else _seconds(alarm["ended"]),
        )
        for alarm in tree["alarms"]
    )
    episodes = tuple(
        Told(_seconds(e["started"]), _seconds(e["onset"]), e["category"], e["words"])
        for e in tree["episodes"]
    )
    unseen = tuple(said for history in tree["could_not_see"] for said in history["sentences"])
    return Replayed(alarms, episodes, unseen)


def _seconds(time: str | None) -> float:
    return math.nan if time is None else datetime.fromisoformat(time).timestamp()
