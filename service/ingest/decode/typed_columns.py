"""Typed events as columns, by attribute getters and array constructors: no loop over values."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.ingest.decode.binding import Binding
from service.ingest.decode.columns import Columns
from service.ingest.decode.scalars import as_value, learned
from service.ingest.decode.shapes import EventType, Shape
from service.ingest.decode.times import MILLISECONDS_FROM, TIME_MAX_SECONDS
from service.values.records import Record
from service.values.streams import LATENCY, PREDICTION


class Reads(NamedTuple):
    """Attributes of a struct. The features' are of the struct at `parent` ("" = the event)."""

    parent: str = ""
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    time: str | None = None
    prediction: str = ""
    latency: str = ""


def reads_of(shape: Shape, kind: EventType, binding: Binding) -> Reads:
    """Which attributes of a generated struct fill a binding's columns."""

    def attributes(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(kind.attributes[shape.feature_path(name) or ()] for name in names)

    numeric, categorical = (
        attributes(binding.numeric_inputs),
        attributes(binding.categorical_inputs),
    )
    whole = (*numeric, *categorical)
    parent = whole[0].rpartition(".")[0] if whole else ""
    return Reads(
        parent=parent,
        numeric=tuple(name.rpartition(".")[2] for name in numeric),
        categorical=tuple(name.rpartition(".")[2] for name in categorical),
        time=kind.attributes[shape.time] if shape.time else None,
        prediction=kind.attributes[shape.prediction],
        latency=kind.attributes[shape.latency],
    )


def columns_of(
    events: list[Any],
    positions: list[int],
    records: list[Record],
    binding: Binding,
    reads: Reads,
    latency_unit: float,
) -> tuple[Columns, list[int]]:
    """The columns of some events, and the positions of those that need the general path.

    These are events of an unreadable time, and those in which nothing is there: the general path
    knows whether the reason is an empty map or a field of another name.
    """
    count, plan = len(events), binding.plan
    features = list(map(attrgetter(reads.parent), events)) if reads.parent else events
    inputs = _matrix(features, reads.numeric)
    raw = _by_stream(features, reads.categorical)
    answers = list(map(attrgetter(reads.prediction), events))
    times = _times(events, reads.time, positions, records)
    numeric = np.full((count, len(plan.numeric)), np.nan)
    numeric[:, binding.numeric_positions] = inputs
    if binding.prediction_numeric is not None:
        numeric[:, binding.prediction_numeric] = np.fromiter(answers, np.float64, count)
    latency = np.fromiter(map(attrgetter(reads.latency), events), np.float64, count)
    latency *= latency_unit
    latency[latency < 0.0] = np.inf
    columns = Columns(
        positions=np.array(positions, dtype=np.int64),
        rows=np.zeros(count, dtype=np.int32),
        times_seconds=times,
        numeric=numeric,
        categorical=_categorical(raw, answers, binding),
        latency_seconds=latency,
        weights=np.ones(count),
        learned=_learned(answers, latency, binding),
    )
    kept = (times >= 0.0) & (times <= TIME_MAX_SECONDS)
    kept[_silent(inputs, raw, answers)] = False
    if kept.all():
        return columns, []
    return columns.take(np.flatnonzero(kept)), columns.positions[~kept].tolist()


def _matrix(features: list[Any], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Shape (n, len(names)); None becomes NaN."""
    count, width = len(features), len(names)
    if not names:
        return np.empty((count, 0))
    found: Iterable[Any] = map(attrgetter(*names), features)
    flat = found if width == 1 else chain.from_iterable(found)
    return np.fromiter(flat, np.float64, count * width).reshape(count, width)


def _by_stream(features: list[Any], names: tuple[str, ...]) -> list[Sequence[Any]]:
    return [list(map(attrgetter(name), features)) for name in names]


def _times(
    events: list[Any], name: str | None, positions: list[int], records: list[Record]
) -> NDArray[np.float64]:
    """Epoch seconds, shape (n,)."""
    if name is None:
        return np.array([records[position].timestamp_seconds for position in positions])
    found = list(map(attrgetter(name), events))
    try:
        return np.fromiter(map(datetime.timestamp, found), np.float64, len(found))
    except TypeError:  # not all are texts
        pairs = zip(found, positions, strict=True)
        return np.array([_seconds(time, records[position]) for time, position in pairs])


def _seconds(time: datetime | float | None, record: Record) -> float:
    if time is None:
        return record.timestamp_seconds
    if isinstance(time, float):
        return time / 1000.0 if time >= MILLISECONDS_FROM else time
    return time.timestamp()


def _categorical(
    raw: list[Sequence[Any]], answers: list[Any], binding: Binding
) -> list[Sequence[Any]]:
    columns: list[Sequence[Any]] = [[None] * len(answers)] * len(binding.codes)
    for position, column in zip(binding.categorical_positions, raw, strict=True):
        columns[position] = column
    if binding.prediction_categorical is not None:
        columns[binding.prediction_categorical] = answers
    return columns


def _learned(
    answers: list[Any], latency: NDArray[np.float64], binding: Binding
) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    if binding.learns_prediction:
        found[PREDICTION] = [learned(answer) for answer in answers]
    if binding.learns_latency:
        found[LATENCY] = [as_value(number) for number in latency.tolist()]
    return found


def _silent(inputs: NDArray[np.float64], raw: list[Sequence[Any]], answers: list[Any]) -> list[int]:
    """Rows in which every feature and the prediction are missing."""
    rows = np.arange(len(answers))
    if inputs.shape[1]:
        rows = np.flatnonzero(np.isnan(inputs[:, 0]))
        rows = rows[np.isnan(inputs[rows]).all(axis=1)]
    return [
        row
        for row in rows.tolist()
        if answers[row] is None and all(column[row] is None for column in raw)
    ]
