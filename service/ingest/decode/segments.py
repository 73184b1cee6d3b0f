"""The predictions of segments, out of the columns of a batch."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.summary.layout import Layout
from detectors.summary.profile import INVALID_VALUE, Value
from service.ingest.decode.scalars import as_value
from service.values.batches import INVALID, MISSING, UNSEEN, Novel
from service.values.plans import Plan, Segments
from service.values.streams import OTHER_SEGMENT, PREDICTION, StreamKey

_NOWHERE = -1
"""Of a row that is in no segment."""


class SegmentColumns:
    """What a plan's segments make of a batch. A prediction is a value of its segment's stream, and
    missing in all others of the segmentation.

    `code_positions` are the columns of the codes that `raw` has the values of.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        numeric = {key: i for i, key in enumerate(plan.numeric)}
        categorical = {key: i for i, key in enumerate(plan.categorical)}
        learned = frozenset(plan.derived)
        self._predictions = numeric.get(PREDICTION), categorical.get(PREDICTION)
        self._by = [
            _Place(one, numeric, categorical, learned, plan.layout) for one in plan.segments
        ]
        self.code_positions = frozenset(
            position for place in self._by for position in place.categorical.values()
        )

    def fill(
        self,
        numeric: NDArray[np.float64],
        codes: NDArray[np.int32],
        novel: Mapping[int, Novel],
        learned: Mapping[StreamKey, Sequence[Value]],
    ) -> tuple[dict[int, Sequence[Value]], dict[StreamKey, list[Value]]]:
        """Fill the numeric columns of segments. Returns the values of those that have codes, by
        position, and of those without cells.
        """
        raw: dict[int, Sequence[Value]] = {}
        found: dict[StreamKey, list[Value]] = {}
        if not self._by or not len(numeric):
            return raw, found
        values = self._values(numeric, codes, novel, learned)
        numbers = self._numbers(numeric, values)
        for place in self._by:
            segment = place.of_rows(numeric, codes)
            for number, position in place.numeric.items():
                numeric[:, position] = np.where(segment == number, numbers, np.nan)
            for number, position in place.categorical.items():
                raw[position] = _within(values, segment == number)
            for number, key in place.learned.items():
                found[key] = _within(values, segment == number)
        return raw, found

    def _values(
        self,
        numeric: NDArray[np.float64],
        codes: NDArray[np.int32],
        novel: Mapping[int, Novel],
        learned: Mapping[StreamKey, Sequence[Value]],
    ) -> Sequence[Value]:
        """The predictions as values, as far as anything but numeric columns is filled with them."""
        if all(place.is_numeric for place in self._by):
            return ()
        in_numeric, in_codes = self._predictions
        if in_numeric is not None:
            return [as_value(number) for number in numeric[:, in_numeric].tolist()]
        if in_codes is None:
            return learned.get(PREDICTION) or [None] * len(numeric)
        names = self._plan.layout.categories[in_codes]
        known: dict[int, Value] = dict(enumerate(names)) | {MISSING: None, INVALID: INVALID_VALUE}
        values = [known.get(code) for code in codes[:, in_codes].tolist()]
        strangers = novel.get(in_codes)
        if strangers is not None:
            for row, name in zip(strangers.rows.tolist(), strangers.names, strict=True):
                values[row] = name
        return values

    def _numbers(
        self, numeric: NDArray[np.float64], values: Sequence[Value]
    ) -> NDArray[np.float64]:
        """The predictions as a column: NaN = missing, infinite = no number."""
        in_numeric, _ = self._predictions
        if in_numeric is not None:
            column: NDArray[np.float64] = numeric[:, in_numeric]
            return column
        told = [np.nan if v is None else v if type(v) is float else np.inf for v in values]
        return np.array(told) if told else np.full(len(numeric), np.nan)


class _Place:
    """Where one segmentation finds its feature, and where its streams are, by segment."""

    def __init__(
        self,
        segments: Segments,
        numeric: Mapping[StreamKey, int],
        categorical: Mapping[StreamKey, int],
        learned: frozenset[StreamKey],
        layout: Layout,
    ) -> None:
        streams = list(enumerate(segments.streams))
        self.numeric = {i: numeric[key] for i, key in streams if key in numeric}
        self.categorical = {i: categorical[key] for i, key in streams if key in categorical}
        self.learned = {i: key for i, key in streams if key in learned}
        self._cuts = np.array(segments.cuts)
        self._column = numeric.get(segments.by)
        self._codes = categorical.get(segments.by)
        names = () if self._codes is None else layout.categories[self._codes]
        self._of_code = _of_codes(names, segments.names)

    @property
    def is_numeric(self) -> bool:
        """Whether only numeric columns are filled."""
        return not self.categorical and not self.learned

    def of_rows(self, numeric: NDArray[np.float64], codes: NDArray[np.int32]) -> NDArray[np.int64]:
        """The segment of each row, by its number."""
        if self._column is None:
            return self._of_code[codes[:, self._codes]]
        column = numeric[:, self._column]
        return np.where(np.isfinite(column), np.searchsorted(self._cuts, column, "right"), _NOWHERE)


def _of_codes(categories: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    """The segment of each code: of a category, of those that are other, and of MISSING, INVALID and
    UNSEEN, which are negative and so count from the end.
    """
    places = {name: i for i, name in enumerate(names)}
    other = places.get(OTHER_SEGMENT, _NOWHERE)
    table = np.full(len(categories) + 1 - UNSEEN, other, dtype=np.int64)
    table[: len(categories)] = [places.get(name, other) for name in categories]
    table[[MISSING, INVALID]] = _NOWHERE
    return table


def _within(values: Sequence[Value], mask: NDArray[np.bool_]) -> list[Value]:
    return [value if inside else None for value, inside in zip(values, mask.tolist(), strict=True)]
