"""Bytes to columns: microseconds an event on the typed and on the general path.

Run with `python -m tests.benchmarks.decode`.
"""

import json
import random
import time
from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from config.limits import LimitsSettings
from config.sources import SourceSettings
from detectors.joint import JointMoments, Projection
from detectors.scaling import PROBABILITIES, Scaling
from detectors.summary.layout import Layout
from service.ingest.decode.decoder import Decoder
from service.values.plans import Plan, Schedule
from service.values.records import Chunk, Partition, Record
from service.values.streams import JOINT, PREDICTION, Kind, ModelKey, StreamKey, above_cutoff

EVENTS = 5000
NUMERIC = tuple(f"feature_{position:02d}" for position in range(16))
CATEGORICAL = tuple(f"category_{position}" for position in range(4))
COLOURS = ("red", "green", "blue", "yellow")


class OnePlan:
    """One schedule for every model."""

    def __init__(self, plan: Plan) -> None:
        self._schedule = Schedule(((float("-inf"), plan),))

    def schedule(self, model: ModelKey) -> Schedule:
        return self._schedule


def plan(*, learn_inputs: bool = False) -> Plan:
    """The plan of the benchmark's model; when it learns, one without a reference."""
    if learn_inputs:
        return Plan("none", Layout(), learn_inputs=True, learn_outputs=True)
    edges = np.linspace(-2.0, 2.0, 19)
    return Plan(
        reference_hash="benchmark",
        layout=Layout((edges,) * 17, (COLOURS,) * 4),
        numeric=(*(StreamKey(Kind.INPUT, name) for name in NUMERIC), PREDICTION),
        categorical=tuple(StreamKey(Kind.INPUT, name) for name in CATEGORICAL),
    )


def deriving() -> Plan:
    """The plan with the reconstruction error of all numeric features, and a cut-off."""
    plain, cutoff = plan(), above_cutoff(0.5)
    rows = np.random.default_rng(7).normal(size=(EVENTS, len(NUMERIC)))
    rows += rows[:, :1]
    quantiles = np.quantile(rows, PROBABILITIES, axis=0).T
    scaling = Scaling.of_quantiles(NUMERIC, quantiles)
    moments = JointMoments(len(scaling))
    moments.update(scaling, rows)
    layout = plain.layout
    return replace(
        plain,
        layout=Layout((*layout.edges, layout.edges[0]), (*layout.categories, ("false", "true"))),
        numeric=(*plain.numeric, JOINT),
        categorical=(*plain.categorical, cutoff),
        boolean=frozenset({cutoff}),
        projection=Projection.of_moments(scaling, moments),
    )


def event(random_: random.Random, number: int) -> bytes:
    """One event of about 577 bytes."""
    features: dict[str, object] = {name: round(random_.gauss(0, 1), 5) for name in NUMERIC}
    features |= {name: random_.choice(COLOURS) for name in CATEGORICAL}
    body = {
        "model": "credit-risk",
        "version": "3",
        "id": f"{number:012x}",
        "timestamp": f"2026-11-23T10:15:{number % 60:02d}.123Z",
        "features": features,
        "prediction": round(random_.random(), 4),
        "latency_ms": round(random_.expovariate(0.1), 2),
    }
    return json.dumps(body, separators=(",", ":")).encode()


def chunk(alter: Callable[[bytes], bytes] = bytes) -> Chunk:
    """5,000 seeded events."""
    random_ = random.Random(7)
    records = [Record(i, 1.7e9, alter(event(random_, i))) for i in range(EVENTS)]
    return Chunk(Partition("predictions", 0), records, EVENTS)


def seconds_best(call: Callable[[], object], repeats: int = 7) -> float:
    """The shortest CPU time of some runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def table() -> list[tuple[str, float, str]]:
    """(name, value, unit) of each figure."""
    events = chunk()
    native = SourceSettings(name="bench", topics=("predictions",))
    filtered = native.model_copy(update={"keep_if": {"value.model": ("credit-risk",)}})
    paths = {
        "decode, typed path": (native, plan(), events),
        "decode, typed path, padded to 1.5 kB": (native, plan(), chunk(_padded)),
        "decode, typed path, joint stream and cut-off": (native, deriving(), events),
        "decode, general path": (filtered, plan(), events),
        "decode, learning a reference": (native, plan(learn_inputs=True), events),
    }
    rows = [("bytes an event", sum(len(r.value or b"") for r in events.records) / EVENTS, "B")]
    for name, (settings, what, given) in paths.items():
        decoder = Decoder(settings, OnePlan(what), LimitsSettings(), 60.0)
        decoder.decode(given)
        seconds = seconds_best(lambda d=decoder, g=given: d.decode(g))
        rows.append((name, seconds / EVENTS * 1e6, "us/event"))
    return rows


def _padded(value: bytes) -> bytes:
    return value[:-1] + b',"unwatched":"' + b"x" * 930 + b'"}'


if __name__ == "__main__":
    for name, value, unit in table():
        print(f"{name:40} {value:10.2f} {unit}")
