"""The columns of one model version from some records of one partition."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.summary.profile import Value
from service.values.plans import Plan
from service.values.records import Partition, Record
from service.values.rejects import Reject
from service.values.streams import ModelKey, StreamKey

MISSING, INVALID, UNSEEN = -1, -2, -3
"""Codes of a categorical value that has no cell of its own."""


class Novel(Struct, frozen=True):
    """The names behind the rows of one categorical stream that carry no known category.

    `rows` (int64, shape (k,)) are positions in the batch, `names` the k category names.
    """

    rows: NDArray[np.int64]
    names: list[str]


class Batch(Struct, frozen=True):
    """n rows, all decoded under one plan. Arrays share the first axis of length n.

    times_seconds: event time, epoch seconds. arrivals_seconds: the record's Kafka timestamp.
    records: the record each row came from; rows: the row's position within it.
    numeric: shape (n, len(plan.numeric)), NaN = missing, infinite = invalid; the reconstruction
    error among them is missing where too many of its features are.
    codes: int32, shape (n, len(plan.categorical)); 0.. a category of the layout, else MISSING,
    INVALID, or UNSEEN, whose name is in `novel[stream position]`. Rare categories of the reference
    (its `__other__` cell) have the code len(categories) and their name in `novel` too.
    learned: values of the streams that have no cells yet, one list of n Python values each
    (float, str, bool, None = missing, or `detectors.summary.profile.INVALID_VALUE`).
    latency_seconds: NaN = none. weights: how many predictions a row stands for (sampled capture).
    """

    model: ModelKey
    plan: Plan
    partition: Partition
    records: list[Record]
    rows: NDArray[np.int32]
    times_seconds: NDArray[np.float64]
    arrivals_seconds: NDArray[np.float64]
    numeric: NDArray[np.float64]
    codes: NDArray[np.int32]
    novel: dict[int, Novel]
    learned: dict[StreamKey, list[Value]]
    latency_seconds: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times_seconds)


class Decoded(Struct, frozen=True):
    """All that became of one chunk. consumed = applied + ignored + rejected (records).

    rejected = the rejects without a row + the offsets of skipped ranges.
    `unknown_features`: features seen that no plan watches (sampled, so incomplete).
    """

    batches: list[Batch]
    rejects: list[Reject]
    consumed: int
    applied: int
    ignored: int
    rejected: int
    unknown_features: dict[ModelKey, frozenset[str]] = {}
