"""A recount of a topic in plain Python, by the rules as they are documented, one value at a time.

It shares no code with the service: what both say alike was not copied from one to the other.
"""

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

Model = tuple[str, str]
Stream = tuple[str, str]

LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
YEAR_10000_SECONDS = 253_402_300_800.0
MISSING, INVALID, UNSEEN = "missing", "invalid", "unseen"


class Logged(NamedTuple):
    """One record as it stands in the log."""

    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None


class Rules(NamedTuple):
    """The configuration that counts."""

    pane_seconds: float = 60.0
    lateness_seconds: float = 60.0
    record_bytes_max: int = 1024 * 1024
    future_from_seconds: float = math.inf


class StreamCells:
    """The cells of one stream of a reference file: values, then missing and invalid."""

    def __init__(self, stream: Mapping[str, Any]) -> None:
        self.key: Stream = (stream["kind"], stream["name"])
        self.type: str = stream["type"]
        self.edges: list[float] = stream.get("edges", [])
        self.fenced: bool = stream.get("fenced", False)
        self.codes = {name: i for i, name in enumerate(stream.get("categories", ()))}
        values = len(self.edges) + 1 if self.type == "numeric" else len(self.codes) + 2
        self.size = values + 2
        self._special = {MISSING: values, INVALID: values + 1, UNSEEN: values - 1}

    def place(self, value: Any) -> tuple[int, str]:
        """(cell within the stream, what kind of trouble if any)."""
        read = _READ[self.type](value)
        if read in (MISSING, INVALID):
            return self._special[read], read
        if self.type == "numeric":
            cell = bisect_right(self.edges, read)
            beyond = self.fenced and cell in (0, len(self.edges))
            return cell, UNSEEN if beyond else ""
        code = self.codes.get(read)
        return (self._special[UNSEEN], UNSEEN) if code is None else (code, "")


class Relations:
    """The reconstruction error of a row, by the projection that a reference file holds.

    Each value is scored by its distance from the centre in quarters of the range, within 3 either
    way, 0 when it is not there; the error is the length of the scores, less their mean, on the
    residual axes. Where more than half of the values are not there, it is not there.
    """

    def __init__(self, projection: Iterable[Mapping[str, Any]]) -> None:
        self.features = list(projection)

    def error(self, features: Mapping[str, Any]) -> float | None:
        """The error of one row, to six decimals."""
        absent, scores = 0, []
        for feature in self.features:
            value = _number(features.get(feature["feature"]))
            if value in (MISSING, INVALID):
                absent += 1
                scores.append(0.0)
                continue
            apart = value - feature["centre"]
            above = min(max(apart / feature["above"], 0.0), 3.0)
            below = max(min(apart / feature["below"], 0.0), -3.0)
            scores.append(above + below)
        if 2 * absent > len(self.features):
            return None
        residuals = [
            sum(
                (score - feature["mean"]) * feature["residuals"][axis]
                for score, feature in zip(scores, self.features, strict=True)
            )
            for axis in range(len(self.features[0]["residuals"]))
        ]
        return round(math.sqrt(sum(residual**2 for residual in residuals)), 6)


class ModelCount:
    """One model version over all partitions."""

    def __init__(self, reference: Mapping[str, Any], partitions: Iterable[int]) -> None:
        self.streams = [StreamCells(stream) for stream in reference["streams"]]
        self.relations = Relations(reference.get("projection") or ())
        self.cell_count = sum(stream.size for stream in self.streams)
        self.predictions = 0
        self.late = 0
        self.rejected: Counter[str] = Counter()
        self.latency_buckets = [0] * (len(LATENCY_BOUNDS) + 1)
        self.latency_sum = 0.0
        self.quality: dict[Stream, Counter[str]] = {s.key: Counter() for s in self.streams}
        self.newest = dict.fromkeys(partitions, -math.inf)
        self.panes: dict[float, list[int]] = {}
        self.rows_of_pane: Counter[float] = Counter()

    def closed_through(self, lateness_seconds: float) -> float:
        """Every partition has passed the panes that end by then (no partition is idle)."""
        return min(self.newest.values()) - lateness_seconds

    def count(
        self, pane: float, features: dict[str, Any], prediction: Any, latency: float | None
    ) -> None:
        """One prediction."""
        self.predictions += 1
        self.rows_of_pane[pane] += 1
        cells = self.panes.setdefault(pane, [0] * self.cell_count)
        start = 0
        for stream in self.streams:
            kind, name = stream.key
            if kind == "input":
                value = features.get(name)
            elif kind == "joint":
                value = self.relations.error(features)
            else:
                value = latency if kind == "latency" else prediction
            cell, trouble = stream.place(value)
            cells[start + cell] += 1
            if trouble:
                self.quality[stream.key][trouble] += 1
            start += stream.size
        if latency is not None and math.isfinite(latency):
            bucket = sum(latency > bound for bound in LATENCY_BOUNDS)
            self.latency_buckets[bucket] += 1
            self.latency_sum += latency


class Recount:
    """What the service has to say after these records, in the order of each partition's log."""

    def __init__(
        self, references: Mapping[str, Mapping[str, Any]], partitions: int, rules: Rules
    ) -> None:
        self.rules = rules
        self.consumed = 0
        self.applied = 0
        self.ignored = 0
        self.rejected: Counter[str] = Counter()
        self._references = references
        self._partitions = range(partitions)
        self.models: dict[Model, ModelCount] = {}

    def add(self, log: Iterable[Logged]) -> "Recount":
        """Count records; of each partition in the order of their offsets."""
        for record in log:
            self.consumed += 1
            verdict = self._record(record)
            if verdict == "applied":
                self.applied += 1
            elif verdict == "ignored":
                self.ignored += 1
            else:
                self.rejected[verdict] += 1
        return self

    def _record(self, record: Logged) -> str:
        if not record.value:
            return "ignored"
        if len(record.value) > self.rules.record_bytes_max:
            return "oversized"
        try:
            event = json.loads(record.value)
        except ValueError:
            return "malformed"
        name = event.get("model") if isinstance(event, dict) else None
        if not name:
            return "no_model"
        self._rows(record, event, self._model(name, str(event.get("version"))))
        return "applied"

    def _model(self, name: str, version: str) -> ModelCount:
        key = (name, version)
        if key not in self.models:
            self.models[key] = ModelCount(self._references[name], self._partitions)
        return self.models[key]

    def _rows(self, record: Logged, event: dict[str, Any], model: ModelCount) -> None:
        rows = _rows_of(event)
        arrival = record.timestamp_ms / 1000
        time = _time(event.get("timestamp"), arrival)
        latency = _latency(event.get("latency_ms"))
        if time is None:
            model.rejected["timestamp"] += len(rows)
            return
        newest = model.newest[record.partition]
        for features, prediction in rows:
            if not features and prediction is None:
                model.rejected["mistyped"] += 1
            elif time > self.rules.future_from_seconds:
                model.rejected["future"] += 1
            else:
                self._row(model, newest, time, features, prediction, latency)
                moved = max(model.newest[record.partition], min(time, arrival))
                model.newest[record.partition] = moved

    def _row(
        self,
        model: ModelCount,
        newest: float,
        time: float,
        features: dict[str, Any],
        prediction: Any,
        latency: float | None,
    ) -> None:
        pane = math.floor(time / self.rules.pane_seconds) * self.rules.pane_seconds
        if pane + self.rules.pane_seconds <= newest - self.rules.lateness_seconds:
            model.late += 1
        else:
            model.count(pane, features, prediction, latency)


def _rows_of(event: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    features, prediction = event.get("features"), event.get("prediction")
    if isinstance(features, list):
        return list(zip(features, prediction, strict=True))
    return [(features or {}, prediction)]


def _time(value: Any, arrival: float) -> float | None:
    if value is None:
        return arrival
    if isinstance(value, str):
        try:
            seconds = datetime.fromisoformat(value).astimezone(UTC).timestamp()
        except ValueError:
            return None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    else:
        seconds = value / 1000 if value >= 1e11 else float(value)
    return seconds if 0 <= seconds < YEAR_10000_SECONDS else None


def _latency(value: Any) -> float | None:
    """Seconds; infinite where what is there is no latency."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return math.inf
    return math.inf if value < 0 else value * 1e-3


def _number(value: Any) -> Any:
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return INVALID
    try:
        number = float(value)
    except OverflowError:
        return INVALID
    return number if math.isfinite(number) else INVALID


def _category(value: Any) -> Any:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}"
    return value if isinstance(value, str) else INVALID


def _boolean(value: Any) -> Any:
    if value is None:
        return MISSING
    if isinstance(value, bool | int | float):
        return {0: "false", 1: "true"}.get(value, INVALID)
    return value if value in ("true", "false") else INVALID


_READ = {"numeric": _number, "categorical": _category, "boolean": _boolean}
