"""Small real parts to judge with: events, references, watches, and a decoder over shards."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import msgspec
import numpy as np

from config.limits import LimitsSettings
from config.sources import SourceSettings
from detectors.summary.profile import Profile
from service.ingest.decode.decoder import Decoder
from service.monitor.counting.panes import Pane
from service.monitor.counting.shard import Shard, TimeRules
from service.monitor.judging.comparison import Transition
from service.monitor.judging.judge import Judge, newest_by_model
from service.monitor.references.planning import plan_for
from service.monitor.references.reference import build_reference
from service.values.batches import Decoded
from service.values.records import Chunk, Partition, Record
from service.values.references import Lineage, Reference
from service.values.rejects import Reject
from service.values.streams import LATENCY, PREDICTION, Kind, ModelKey, StreamKey
from service.values.watches import Budget, DetectorChoice, FeatureWatch, Watch, WindowLength

T0 = 1_699_999_200.0
"""The start of an hour, and so of a pane of any usual length."""

PANE, LATENESS, IDLE = 60.0, 60.0, 60.0
RULES = TimeRules()
MODEL = ModelKey("m", "1")
OTHER = ModelKey("other", "1")
X, STATE = StreamKey(Kind.INPUT, "x"), StreamKey(Kind.INPUT, "state")
P0, P1, P2 = (Partition("events", number) for number in range(3))
STATES = ("CA", "MA", "NY")


class Event(msgspec.Struct, frozen=True):
    """One prediction: times are seconds after T0; `arrived` None = when it happened."""

    at: float
    x: float | None = 0.0
    state: str | None = "MA"
    model: ModelKey = MODEL
    arrived: float | None = None
    prediction: float | None = 0.5
    latency_ms: float | None = 10.0
    more: Mapping[str, object] = {}

    def record(self, offset: int) -> Record:
        features = {"x": self.x, "state": self.state, **self.more}
        body: dict[str, object] = {
            "model": self.model.model,
            "version": self.model.version,
            "timestamp": T0 + self.at,
            "features": features,
        }
        if self.prediction is not None:
            body["prediction"] = self.prediction
        if self.latency_ms is not None:
            body["latency_ms"] = self.latency_ms
        arrived = self.at if self.arrived is None else self.arrived
        return Record(offset, T0 + arrived, msgspec.json.encode(body))


def values(seed: int, rows: int, shift: float = 0.0) -> list[float]:
    return np.random.default_rng(seed).normal(shift, 1.0, rows).tolist()


def states(seed: int, rows: int, shares: Sequence[float] = (0.5, 0.3, 0.2)) -> list[str]:
    return np.random.default_rng(seed).choice(STATES, rows, p=shares).tolist()


def stream_of(
    start: float, panes: int, rows: int, *, shift: float = 0.0, seed: int = 0, **more: object
) -> list[Event]:
    """`panes` panes of `rows` rows each, spread evenly; x is N(shift, 1)."""
    total = panes * rows
    xs, names = values(seed, total, shift), states(seed, total)
    step = PANE / rows
    return [
        Event(start + i * step, x, name, **more)
        for i, (x, name) in enumerate(zip(xs, names, strict=True))
    ]


def reference(
    rows: int = 5000,
    *,
    outputs: bool = True,
    seed: int = 99,
    version: str | None = "1",
    model: str = "m",
    inputs: Mapping[str, list[object]] | None = None,
) -> Reference:
    if inputs is None:
        return _of_x_and_state(rows, seed, outputs, version, model)
    columns = {StreamKey(Kind.INPUT, name): column for name, column in inputs.items()}
    return _built(columns, rows, outputs, version, model)


@cache
def _of_x_and_state(
    rows: int, seed: int, outputs: bool, version: str | None, model: str
) -> Reference:
    columns = {X: values(seed, rows), STATE: states(seed, rows)}
    return _built(columns, rows, outputs, version, model)


def _built(
    columns: Mapping[StreamKey, Iterable[object]],
    rows: int,
    outputs: bool,
    version: str | None,
    model: str,
) -> Reference:
    of_model = {PREDICTION: [0.5] * rows, LATENCY: [0.01] * rows} if outputs else {}
    profiles = {key: Profile() for key in (*columns, *of_model)}
    for key, column in {**columns, **of_model}.items():
        profiles[key].update(column)
    lineage = Lineage("train.csv", "abc", T0 - 1000.0, "ada")
    return build_reference(model, version, profiles, rows, lineage)


PLAIN = FeatureWatch()


def watch(
    features: Mapping[str, FeatureWatch] | None = None, budget: str = "model", **changes: object
) -> Watch:
    known = features or {}
    standard: dict[str, object] = {
        "team": "ours",
        "tier": 2,
        "runbook": "",
        "windows": (WindowLength("5m", 300.0), WindowLength("1h", 3600.0)),
        "detectors": (DetectorChoice("adwin"), DetectorChoice("page_hinkley")),
        "budget": Budget(1.0, 30 * 86_400.0, budget),
        "tolerance_sd": 0.15,
        "recover_panes": 3,
        "learn": True,
        "learn_events": 1000,
        "learn_seconds": 0.0,
        "missing": (),
        "columns": (),
        "features_max": 100,
        "categories_max": 100,
        "ignored": (),
        "feature": lambda name: known.get(name, PLAIN),
    }
    return Watch(**(standard | changes))


def judge_of(
    given: Reference | Mapping[ModelKey, Reference] | None = None,
    watched: Watch | None = None,
    rules: TimeRules = RULES,
    models_max: int = 10,
) -> Judge:
    """A judge that watches every model alike; one reference holds for MODEL alone."""
    table = {MODEL: given} if isinstance(given, Reference) else given or {}
    how = watched or watch()
    return Judge(lambda _: how, table.get, plan_for, rules, IDLE, models_max)


def decoder_of(judge: Judge, rules: TimeRules = RULES) -> Decoder:
    source = SourceSettings.model_validate({"name": "test", "topics": ["events"]})
    return Decoder(source, judge, LimitsSettings(), rules.pane_seconds)


class World:
    """A decoder, shards and a judge, and the log that they read; time is what the caller says."""

    def __init__(
        self,
        given: Reference | Mapping[ModelKey, Reference] | None = None,
        watched: Watch | None = None,
        rules: TimeRules = RULES,
        models_max: int = 10,
        partitions: Sequence[Partition] = (P0,),
    ) -> None:
        self.rules = rules
        self.now = T0
        self.judge = judge_of(given, watched, rules, models_max)
        self.decoder = decoder_of(self.judge, rules)
        self.shards = {p: Shard(p, 0, self.now) for p in partitions}
        self.transitions: list[Transition] = []

    def send(self, partition: Partition, events: Iterable[Event]) -> list[Reject]:
        """Apply the events as one chunk; the rejects are those of time."""
        shard = self.shards[partition]
        records = [e.record(shard.next_offset + i) for i, e in enumerate(events)]
        return self.apply(partition, records)

    def apply(self, partition: Partition, records: list[Record]) -> list[Reject]:
        shard = self.shards[partition]
        end = records[-1].offset + 1 if records else shard.next_offset
        chunk = Chunk(partition, records, end)
        return shard.apply(chunk, self.decode(chunk), self.rules, self.now)

    def decode(self, chunk: Chunk) -> Decoded:
        return self.decoder.decode(chunk)

    def restarted(
        self,
        given: Reference | Mapping[ModelKey, Reference] | None = None,
        watched: Watch | None = None,
    ) -> "World":
        """The world after a restart from its state, perhaps with other settings or another file."""
        after = World(given, watched, self.rules, partitions=tuple(self.shards))
        after.now = self.now
        states = [shard.state() for shard in self.shards.values()]
        after.judge.restore(self.judge.state(), newest_by_model(states))
        for state in states:
            shard = Shard.from_state(state, after.judge.plan, self.now)
            after.shards[shard.partition] = shard
        return after

    def at_the_end(self, *partitions: Partition) -> None:
        """The log's end is observed now."""
        for partition in partitions or self.shards:
            self.shards[partition].caught_up_seconds = self.now

    def advance(self, *, to_the_end: bool = False) -> list[Transition]:
        changed = self.judge.advance(self.shards.values(), self.now, to_the_end=to_the_end)
        self.transitions += changed
        return changed

    def watermark(self, key: ModelKey = MODEL, partition: Partition = P0) -> float:
        """Seconds after T0."""
        model = self.shards[partition].models[key]
        return model.watermark(self.rules.lateness_seconds) - T0

    def open_rows(self, key: ModelKey = MODEL) -> int:
        shards = (shard for shard in self.shards.values() if key in shard.models)
        return sum(pane.rows for shard in shards for pane in shard.models[key].panes.values())

    def panes(self, key: ModelKey = MODEL, partition: Partition = P0) -> dict[float, Pane]:
        """Open panes by their start, seconds after T0."""
        model = self.shards[partition].models.get(key)
        return {} if model is None else {s - T0: pane for (s, _), pane in model.panes.items()}


def assert_same(one: object, other: object, place: str = "") -> None:
    """Two states are the same: equal in everything, floats but for the order of summation.

    Frequent numbers are left out: they are exact only within their bound.
    """
    if isinstance(one, Mapping):
        assert isinstance(other, Mapping), place
        assert one.keys() == other.keys(), place
        for key in one:
            if not key.startswith("numbers."):
                assert_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, np.ndarray):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9, err_msg=place)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for position, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{place}[{position}]")
    elif isinstance(one, float):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9, err_msg=place)
    else:
        assert one == other, place


def cut(items: Sequence[object], places: Iterable[int]) -> list[list]:
    """The items in parts, cut before each of the places."""
    inner = sorted({p for p in places if 0 < p < len(items)})
    bounds = [0, *inner, len(items)]
    return [list(items[a:b]) for a, b in itertools.pairwise(bounds)]
