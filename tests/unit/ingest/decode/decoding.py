"""Small real parts to decode with: plans, schedules, chunks, and a comparison of batches."""

import json
from collections.abc import Iterable, Mapping

import numpy as np

from config.limits import LimitsSettings
from config.sources import SourceSettings
from detectors.joint import Projection
from detectors.scaling import Scaling
from detectors.summary.layout import Layout
from service.ingest.decode.decoder import Decoder
from service.values.batches import Batch, Decoded
from service.values.plans import Plan, Schedule
from service.values.records import Chunk, Partition, Record
from service.values.streams import (
    JOINT,
    LATENCY,
    PREDICTION,
    Kind,
    ModelKey,
    StreamKey,
    above_cutoff,
)

EDGES = np.array([0.0, 1.0])
LEARNER = Plan("none", Layout(), learn_inputs=True, learn_outputs=True)
ARRIVED = 1_700_000_000.0


def feature(name: str) -> StreamKey:
    return StreamKey(Kind.INPUT, name)


def plan_of(
    numeric: Iterable[str] = (),
    categorical: Mapping[str, tuple[str, ...]] | None = None,
    booleans: Iterable[str] = (),
    outputs: Iterable[StreamKey] = (),
    classes: tuple[str, ...] = (),
    **more,
) -> Plan:
    """A plan by feature names; `classes` makes the prediction categorical."""
    categories = dict(categorical or {}) | dict.fromkeys(booleans, ("false", "true"))
    numbers = (*(feature(name) for name in numeric), *outputs)
    names = (*(feature(name) for name in categories), *((PREDICTION,) if classes else ()))
    groups = (*categories.values(), *((classes,) if classes else ()))
    return Plan(
        "hash",
        Layout((EDGES,) * len(numbers), groups),
        numeric=numbers,
        categorical=names,
        boolean=frozenset(feature(name) for name in booleans),
        **more,
    )


CREDIT = plan_of(
    ("age", "income"), {"state": ("MA", "CA", "12")}, ("has_card",), (PREDICTION, LATENCY)
)


RELATED = Projection(
    Scaling(("age", "income"), np.array([40.0, 5e4]), np.array([9.0, 2e4]), np.array([12.0, 4e4])),
    np.array([0.25, -0.5]),
    np.array([[1.0, -0.9], [-0.9, 1.0]]),
)
"""What `age` and `income` have in common."""

DERIVING = plan_of(
    ("age", "income"),
    {"state": ("MA",)},
    outputs=(PREDICTION,),
    projection=RELATED,
    cutoffs=(0.62,),
)
"""Learns the reconstruction error and a cut-off."""

DERIVED = Plan(
    "hash",
    Layout((EDGES,) * 5, (("MA",), ("false", "true"), ("false", "true"))),
    numeric=(feature("age"), feature("height"), feature("income"), JOINT, PREDICTION),
    categorical=(feature("state"), above_cutoff(0.5), above_cutoff(0.62)),
    boolean=frozenset({above_cutoff(0.5), above_cutoff(0.62)}),
    projection=RELATED,
)
"""Has cells for both."""


class Plans:
    """One plan for each model, or one for all; schedules keep their identity."""

    def __init__(self, plans: Plan | Mapping[str, Plan | Schedule]) -> None:
        self.plans = plans
        self.known: dict[str, Schedule] = {}

    def schedule(self, model: ModelKey) -> Schedule | None:
        plan = self.plans if isinstance(self.plans, Plan) else self.plans.get(model.model)
        if plan is None or isinstance(plan, Schedule):
            return plan
        return self.known.setdefault(model.model, Schedule(((float("-inf"), plan),)))


def source(**settings) -> SourceSettings:
    return SourceSettings.model_validate({"name": "test", "topics": ["events"]} | settings)


def decoder(
    plans: Plan | Mapping[str, Plan | Schedule], settings: SourceSettings | None = None, **limits
) -> Decoder:
    return Decoder(settings or source(), Plans(plans), LimitsSettings(**limits), 60.0)


def chunk_of(
    *values: object, topic: str = "events", key: bytes | None = None, headers=(), skipped=()
) -> Chunk:
    """Values as they are when bytes or None, else as JSON."""
    raw = [v if isinstance(v, bytes) or v is None else json.dumps(v).encode() for v in values]
    records = [Record(i, ARRIVED + i, value, key, tuple(headers)) for i, value in enumerate(raw)]
    return Chunk(Partition(topic, 0), records, len(raw), tuple(skipped))


def only_batch(decoded: Decoded) -> Batch:
    (batch,) = decoded.batches
    return batch


def assert_balanced(decoded: Decoded, chunk: Chunk) -> None:
    """Both books: of records and of rows."""
    lost = sum(s.last_offset - s.first_offset + 1 for s in chunk.skipped)
    assert decoded.consumed == len(chunk.records) + lost
    assert decoded.consumed == decoded.applied + decoded.ignored + decoded.rejected
    assert decoded.rejected == sum(r.row is None for r in decoded.rejects) + lost


def assert_equal(left: Decoded, right: Decoded) -> None:
    """Equal in every array, name, reject and count."""
    assert left.rejects == right.rejects
    books = ("consumed", "applied", "ignored", "rejected", "unknown_features")
    assert [getattr(left, n) for n in books] == [getattr(right, n) for n in books]
    assert len(left.batches) == len(right.batches)
    for one, other in zip(left.batches, right.batches, strict=True):
        assert (one.model, one.partition) == (other.model, other.partition)
        assert one.plan is other.plan
        assert [r.offset for r in one.records] == [r.offset for r in other.records]
        for name in ("rows", "times_seconds", "arrivals_seconds", "numeric", "codes"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
        for name in ("latency_seconds", "weights"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
        assert one.novel.keys() == other.novel.keys()
        for stream, novel in one.novel.items():
            assert novel.names == other.novel[stream].names
            np.testing.assert_array_equal(novel.rows, other.novel[stream].rows)
        assert one.learned == other.learned
