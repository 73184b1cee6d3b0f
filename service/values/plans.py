"""How the rows of one model version become columns, and columns cells."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.joint import Projection
from detectors.scaling import Scaling
from detectors.summary.layout import Layout
from service.values.streams import JOINT, Kind, Segment, StreamKey, above_cutoff, in_segment


class Segments(Struct, frozen=True, dict=True):
    """The segments by one feature under one reference.

    Of a categorical feature `names` are categories, and the last may be OTHER_SEGMENT, for all
    values that are no category among them. Of a numeric one they are the ranges between `cuts`,
    ascending: one more than cuts. Rows without a value of the feature are in no segment.
    """

    by: StreamKey
    names: tuple[str, ...]
    cuts: tuple[float, ...] = ()

    @cached_property
    def streams(self) -> tuple[StreamKey, ...]:
        """The streams of their predictions, in the order of `names`."""
        return tuple(in_segment(Segment(self.by.name, name)) for name in self.names)


class Plan(Struct, frozen=True, dict=True):
    """The binding of a model version to a reference.

    `numeric` and `categorical` name the streams in the order of `layout`. A stream that is in
    neither is *learned*: if `learn_inputs`, every further feature; if `learn_outputs`, prediction
    and latency where the reference has none; the derived ones always. With a `projection` the
    reconstruction error is such a derived stream, with `cutoffs` whether the prediction is above
    each, with `segments` the predictions in each; all are computed of every row, into their cells
    or to be learned (those of segments only if `learn_segments`). Of the features of
    `scaling` the co-moments are gathered. `ignored` are globs of features never looked at.
    `missing` are the sentinels that mean "not there" for every feature, `missing_by_feature` the
    further ones for some. `columns` name positions for sources whose rows have no names.
    `rare` names the categories of a stream that count as other; in an `open_ended` stream every
    category that is not in the layout does, and none is unseen. The outermost cells of a `fenced`
    stream hold what is implausible.
    """

    reference_hash: str
    layout: Layout
    numeric: tuple[StreamKey, ...] = ()
    categorical: tuple[StreamKey, ...] = ()
    boolean: frozenset[StreamKey] = frozenset()
    rare: Mapping[StreamKey, tuple[str, ...]] = {}
    open_ended: frozenset[StreamKey] = frozenset()
    fenced: frozenset[StreamKey] = frozenset()
    learn_inputs: bool = False
    learn_outputs: bool = False
    projection: Projection | None = None
    scaling: Scaling | None = None
    cutoffs: tuple[float, ...] = ()
    segments: tuple[Segments, ...] = ()
    learn_segments: bool = False
    ignored: tuple[str, ...] = ()
    missing: tuple[float | str, ...] = ()
    missing_by_feature: Mapping[str, tuple[float | str, ...]] = {}
    columns: tuple[str, ...] = ()
    features_max: int = 2000
    categories_max: int = 100

    @cached_property
    def streams(self) -> tuple[StreamKey, ...]:
        """Every stream with cells, in the order of `layout`: numeric first."""
        return self.numeric + self.categorical

    @cached_property
    def features(self) -> frozenset[str]:
        """The names of the input streams with cells."""
        return frozenset(key.name for key in self.streams if key.kind is Kind.INPUT)

    @cached_property
    def derived(self) -> tuple[StreamKey, ...]:
        """The derived streams without cells."""
        joint = (JOINT,) if self.projection else ()
        segments = self.segments if self.learn_segments else ()
        of_segments = (stream for one in segments for stream in one.streams)
        wanted = (*joint, *map(above_cutoff, self.cutoffs), *of_segments)
        return tuple(key for key in wanted if key not in self.streams)

    def unseen_of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many values of each stream of `layout` no reference prepares for, shape (D,), out of
        counts by its cells: unseen categories, and numbers beyond the fences. The latter are 0 of
        streams without.
        """
        unseen = np.zeros(self.layout.stream_count, dtype=np.int64)
        unseen[self.layout.numeric_count :] = counts[self.layout.unseen_cells()]
        fenced, first, last = self._fences
        unseen[fenced] = counts[first] + counts[last]
        return unseen

    @cached_property
    def _fences(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Which streams are fenced, and their outermost cells."""
        streams = np.array(
            [i for i, key in enumerate(self.numeric) if key in self.fenced], dtype=np.int64
        )
        first = self.layout.offsets[streams]
        return streams, first, first + self.layout.value_cells[streams] - 1

    @cached_property
    def scaled_columns(self) -> list[int]:
        """Where the features of `scaling` are in the numeric columns."""
        places = {key: i for i, key in enumerate(self.numeric)}
        names = () if self.scaling is None else self.scaling.features
        return [places[StreamKey(Kind.INPUT, name)] for name in names]

    @cached_property
    def learns(self) -> bool:
        """Whether anything is to be learned under this plan."""
        kinds = self.learn_inputs or self.learn_outputs
        return kinds or self.scaling is not None or bool(self.derived)


class Schedule(Struct, frozen=True):
    """Which plan holds when: `(effective_from, plan)` ascending by event time; the first from -inf.

    A pane's start selects its plan (so no pane is ever binned two ways).
    """

    plans: tuple[tuple[float, Plan], ...]

    def at(self, pane_start: float) -> Plan:
        """The plan for the pane that starts at `pane_start` (epoch seconds)."""
        chosen = self.plans[0][1]
        for effective_from, plan in self.plans[1:]:
            if pane_start >= effective_from:
                chosen = plan
        return chosen

    @property
    def settled(self) -> bool:
        """True when one plan holds for every row that may still come."""
        return len(self.plans) == 1
