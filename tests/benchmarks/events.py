"""The events of the benchmarks: believable models, their references, and bytes made fast.

An event is the bytes before its timestamp, the timestamp, and the bytes behind it; the two are made
once for a few thousand rows and used again and again, so that making events costs a fraction of
reading them.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain

import numpy as np

from detectors.summary.profile import Profile
from service.monitor.references.reference import build_reference
from service.values.records import Record
from service.values.references import Lineage, Reference
from service.values.streams import LATENCY, PREDICTION, Kind, ModelKey, StreamKey

COLOURS = ("red", "green", "blue", "amber", "white", "black", "brown", "olive")
REFERENCE_ROWS = 20_000


class ModelEvents:
    """One model version: `rows` different events over features like those of a credit model."""

    def __init__(
        self, model: str, numeric: int = 16, categorical: int = 4, rows: int = 5000, seed: int = 7
    ) -> None:
        self.key = ModelKey(model, "3")
        self.numeric = [f"feature_{i:02d}" for i in range(numeric)]
        self.categorical = [f"category_{i}" for i in range(categorical)]
        self.rows = rows
        self._seed = seed

    @cached_property
    def parts(self) -> list[tuple[bytes, bytes]]:
        """What stands before the timestamp of each row, and what behind it."""
        columns, prediction, latency = self._draw(self.rows, self._seed)
        names = list(columns)
        parts = []
        for row, values in enumerate(zip(*columns.values(), strict=True)):
            body = {
                "features": dict(zip(names, values, strict=True)),
                "prediction": prediction[row],
                "latency_ms": latency[row],
            }
            text = json.dumps(body, separators=(",", ":"))
            head = {"model": self.key.model, "version": self.key.version, "id": f"{row:016x}"}
            before = json.dumps(head, separators=(",", ":"))[:-1] + ',"timestamp":"'
            parts.append((before.encode(), f'Z",{text[1:]}'.encode()))
        return parts

    @cached_property
    def reference(self) -> Reference:
        """What is normal, from other rows of the same kind."""
        columns, prediction, latency = self._draw(REFERENCE_ROWS, self._seed + 1)
        values = {StreamKey(Kind.INPUT, name): column for name, column in columns.items()}
        values |= {PREDICTION: prediction, LATENCY: [ms / 1000 for ms in latency]}
        profiles = {key: _profile(column) for key, column in values.items()}
        lineage = Lineage("benchmark", "", 0.0, "tests.benchmarks")
        return build_reference(*self.key, profiles, REFERENCE_ROWS, lineage)

    def records(
        self, count: int, first_offset: int, from_seconds: float, to_seconds: float, step: int = 1
    ) -> list[Record]:
        """Events evenly over a span of event time, `step` offsets apart, each arriving at once."""
        stamps = np.linspace(from_seconds, to_seconds, count, endpoint=False).tolist()
        texts = timestamps(stamps)
        parts, rows = self.parts, self.rows
        records = []
        for place, (seconds, text) in enumerate(zip(stamps, texts, strict=True)):
            offset = first_offset + place * step
            before, behind = parts[offset // step % rows]
            records.append(Record(offset, seconds, before + text + behind))
        return records

    def _draw(
        self, rows: int, seed: int
    ) -> tuple[dict[str, list[object]], list[float], list[float]]:
        rng = np.random.default_rng(seed)
        kinds = (
            lambda: rng.normal(size=rows).round(6).tolist(),
            lambda: rng.lognormal(10.0, 1.0, rows).round(2).tolist(),
            lambda: rng.poisson(30.0, rows).tolist(),
            lambda: np.where(rng.random(rows) < 0.6, 0.0, rng.lognormal(size=rows)).round(4),
            lambda: [v if v > 0.01 else None for v in rng.random(rows).round(6).tolist()],
        )
        columns: dict[str, list[object]] = {}
        for i, name in enumerate(self.numeric):
            columns[name] = [*map(_plain, kinds[i % len(kinds)]())]
        for name in self.categorical:
            columns[name] = [COLOURS[c] for c in rng.integers(0, len(COLOURS), rows).tolist()]
        prediction = rng.beta(2.0, 5.0, rows).round(4).tolist()
        latency = rng.gamma(4.0, 3.0, rows).round(2).tolist()
        return columns, prediction, latency


def interleaved(
    models: list[ModelEvents], count: int, first_offset: int, start: float, end: float
) -> list[Record]:
    """`count` events of each model over a span of event time, one of each model in turn."""
    runs = [
        model.records(count, first_offset + i, start, end, step=len(models))
        for i, model in enumerate(models)
    ]
    return list(chain.from_iterable(zip(*runs, strict=True)))


def timestamps(seconds: list[float]) -> Iterator[bytes]:
    """RFC 3339 to the millisecond, without the zone; whole seconds are written out once."""
    known, text = -1, ""
    for time in seconds:
        whole = int(time)
        if whole != known:
            known, text = whole, datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        yield f"{text}{int((time - whole) * 1000):03d}".encode()


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _profile(column: list[object]) -> Profile:
    profile = Profile()
    profile.update(column)
    return profile
