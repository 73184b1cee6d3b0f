"""Rows of one model version and plan, as columns, from both paths; and the batch they make."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.summary.profile import Value
from service.ingest.decode.binding import Binding
from service.values.batches import UNSEEN, Batch, Novel
from service.values.records import Partition, Record
from service.values.streams import LATENCY, PREDICTION, ModelKey, StreamKey

_ALWAYS = frozenset({PREDICTION, LATENCY})


class Common(NamedTuple):
    """What the rows of one record share. `latency_seconds`: NaN = none, infinite = invalid."""

    position: int
    time_seconds: float
    latency_seconds: float
    weight: float


@dataclass(frozen=True, slots=True)
class Columns:
    """n rows. `positions`: of their records in the chunk. `categorical`: raw values by stream.

    `latency_seconds`: NaN = none, infinite = invalid.
    """

    positions: NDArray[np.int64]
    rows: NDArray[np.int32]
    times_seconds: NDArray[np.float64]
    numeric: NDArray[np.float64]
    categorical: list[Sequence[Any]]
    latency_seconds: NDArray[np.float64]
    weights: NDArray[np.float64]
    learned: dict[StreamKey, list[Value]]

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, order: NDArray[np.int64]) -> "Columns":
        """Some of the rows, in the order given."""
        return Columns(
            positions=self.positions[order],
            rows=self.rows[order],
            times_seconds=self.times_seconds[order],
            numeric=self.numeric[order],
            categorical=[_picked(column, order) for column in self.categorical],
            latency_seconds=self.latency_seconds[order],
            weights=self.weights[order],
            learned={key: _picked(values, order) for key, values in self.learned.items()},
        )


def joined(parts: list[Columns]) -> Columns:
    """All rows in the order of their records."""
    if len(parts) == 1:
        return parts[0]
    learned = dict.fromkeys(key for part in parts for key in part.learned)
    whole = Columns(
        positions=np.concatenate([part.positions for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        times_seconds=np.concatenate([part.times_seconds for part in parts]),
        numeric=np.concatenate([part.numeric for part in parts]),
        categorical=[
            list(chain.from_iterable(columns))
            for columns in zip(*(part.categorical for part in parts), strict=True)
        ],
        latency_seconds=np.concatenate([part.latency_seconds for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
        learned={key: _column(parts, key) for key in learned},
    )
    return whole.take(np.argsort(whole.positions, kind="stable"))


def to_batch(
    model: ModelKey, binding: Binding, partition: Partition, records: list[Record], columns: Columns
) -> Batch:
    """The batch of n rows; `records` are all of the chunk."""
    binding.mark_missing(columns.numeric)
    codes, novel = _codes(binding, columns)
    own = [records[position] for position in columns.positions.tolist()]
    latency = columns.latency_seconds
    if binding.latency is not None:
        columns.numeric[:, binding.latency] = latency
    learned = columns.learned | binding.derivation.fill(columns.numeric, codes, columns.learned)
    raw, of_segments = binding.segments.fill(columns.numeric, codes, novel, columns.learned)
    for position, values in raw.items():
        _code(binding, position, values, codes, novel)
    learned |= of_segments
    count = len(columns)
    return Batch(
        model=model,
        plan=binding.plan,
        partition=partition,
        records=own,
        rows=columns.rows,
        times_seconds=columns.times_seconds,
        arrivals_seconds=np.fromiter((r.timestamp_seconds for r in own), np.float64, count),
        numeric=columns.numeric,
        codes=codes,
        novel=novel,
        learned={k: values for k, values in learned.items() if _any_there(values)},
        latency_seconds=np.where(np.isfinite(latency), latency, np.nan),
        weights=columns.weights,
    )


@dataclass(slots=True)
class RowBuilder:
    """Gathers rows one by one, for the general path."""

    binding: Binding
    positions: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    times_seconds: list[float] = field(default_factory=list)
    numeric: list[list[float | None]] = field(default_factory=list)
    categorical: list[list[Any]] = field(default_factory=list)
    latency_seconds: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    learned: dict[StreamKey, list[Value]] = field(default_factory=dict)
    learned_max: int = 0

    def __post_init__(self) -> None:
        plan = self.binding.plan
        self.learned_max = plan.features_max - len(plan.features)

    def learn(self, key: StreamKey, value: Value) -> bool:
        """Note a value of the row to be added next; False when it is one stream too many.

        `features_max` bounds what one batch can bring; the streams there always are (prediction
        and latency) do not count.
        """
        values = self.learned.get(key)
        if values is None:
            if key not in _ALWAYS and len(self.learned) >= self.learned_max:
                return False
            self.learned_max += key in _ALWAYS
            values = self.learned[key] = []
        absent = len(self.positions) - len(values)
        if absent:
            values.extend([None] * absent)
        values.append(value)
        return True

    def append(
        self, row: int, common: Common, numeric: list[float | None], categorical: list[Any]
    ) -> None:
        """Add a row, after its values were learned."""
        self.positions.append(common.position)
        self.rows.append(row)
        self.times_seconds.append(common.time_seconds)
        self.numeric.append(numeric)
        self.categorical.append(categorical)
        self.latency_seconds.append(common.latency_seconds)
        self.weights.append(common.weight)

    def columns(self) -> Columns:
        """What was gathered."""
        count, plan = len(self.positions), self.binding.plan
        numeric = np.array(self.numeric, dtype=np.float64)
        numeric[np.isinf(numeric)] = np.inf
        return Columns(
            positions=np.array(self.positions, dtype=np.int64),
            rows=np.array(self.rows, dtype=np.int32),
            times_seconds=np.array(self.times_seconds),
            numeric=numeric.reshape(count, len(plan.numeric)),
            categorical=list(zip(*self.categorical, strict=True)),
            latency_seconds=np.array(self.latency_seconds),
            weights=np.array(self.weights),
            learned={
                key: values + [None] * (count - len(values)) for key, values in self.learned.items()
            },
        )


def _codes(binding: Binding, columns: Columns) -> tuple[NDArray[np.int32], dict[int, Novel]]:
    """Of the columns that are not derived."""
    codes = np.empty((len(columns), len(binding.codes)), dtype=np.int32)
    novel: dict[int, Novel] = {}
    for position, raw in enumerate(columns.categorical):
        if position not in binding.derived_codes:
            _code(binding, position, raw, codes, novel)
    return codes, novel


def _code(
    binding: Binding,
    position: int,
    raw: Sequence[Any],
    codes: NDArray[np.int32],
    novel: dict[int, Novel],
) -> None:
    """Fill one column of the codes, and name those of its values that have none."""
    table = binding.codes[position]
    column = np.fromiter(map(table.__getitem__, raw), np.int32, len(raw))
    codes[:, position] = column
    strangers = np.flatnonzero((column == UNSEEN) | (column == table.other))
    if strangers.size:
        names = [table.name_of(raw[row]) for row in strangers.tolist()]
        novel[position] = Novel(rows=strangers, names=names)


def _picked(values: Sequence[Any], order: NDArray[np.int64]) -> list[Any]:
    return [values[position] for position in order.tolist()]


def _column(parts: list[Columns], key: StreamKey) -> list[Value]:
    return [value for part in parts for value in part.learned.get(key) or [None] * len(part)]


def _any_there(values: list[Value]) -> bool:
    return any(value is not None for value in values)
