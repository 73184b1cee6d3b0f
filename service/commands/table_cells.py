"""Rows of tables into the cells of the reference that was built of them, as they come live."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from detectors.joint import Projection, reconstruction_errors
from detectors.summary.profile import Value
from service.ingest.files.table_columns import Codes, Column, numbers_of
from service.monitor.references.reference import layout_of
from service.monitor.references.streams import BOOLEANS, text_of_number
from service.values.references import Reference, StreamReference
from service.values.streams import JOINT, PREDICTION, Kind, StreamKey, ValueType, cutoff_of

OTHER, MISSING, INVALID = -4, -2, -1
"""Cells of a stream, counted from its last one; that before missing is for what is unseen."""


class TableCells:
    """The cells of a reference's streams, and which of them values lie in."""

    def __init__(self, reference: Reference) -> None:
        self.layout = layout_of(reference)
        self._streams = reference.streams
        self._projection = reference.projection

    def of(self, columns: Mapping[StreamKey, Column], rows: int) -> NDArray[np.int64]:
        """The cell in its stream of each value, shape (streams, rows).

        What is derived of columns is derived; of a stream without a column all values are missing.
        """
        numbers = {key: numbers_of(column) for key, column in columns.items()}
        cells = np.zeros((len(self._streams), rows), dtype=np.int64)
        for place, stream in enumerate(self._streams):
            size = int(self.layout.offsets[place + 1] - self.layout.offsets[place])
            cutoff = cutoff_of(stream.key)
            if stream.key == JOINT and self._projection:
                errors = reconstruction_errors(
                    self._projection, _matrix(self._projection, numbers, rows)
                )
                cells[place] = _numeric(stream, errors)
            elif cutoff is not None:
                cells[place] = _above(cutoff, numbers.get(PREDICTION, np.full(rows, np.nan)))
            elif stream.key not in columns:
                cells[place] = MISSING
            elif stream.type is ValueType.NUMERIC:
                cells[place] = _numeric(stream, numbers[stream.key])
            else:
                cells[place] = _coded(stream, columns[stream.key])
            cells[place] = np.where(cells[place] < 0, cells[place] + size, cells[place])
        return cells


def _matrix(
    projection: Projection, numbers: Mapping[StreamKey, NDArray[np.float64]], rows: int
) -> NDArray[np.float64]:
    """Shape (rows, features); NaN = missing."""
    matrix = np.full((rows, len(projection.features)), np.nan)
    for position, name in enumerate(projection.features):
        key = StreamKey(Kind.INPUT, name)
        if key in numbers:
            matrix[:, position] = numbers[key]
    return matrix


def _numeric(stream: StreamReference, numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    cells = np.searchsorted(stream.edges, numbers + 0.0, side="right")
    cells = np.where(np.isinf(numbers), INVALID, cells)
    return np.where(np.isnan(numbers), MISSING, cells).astype(np.int64)


def _above(cutoff: float, predictions: NDArray[np.float64]) -> NDArray[np.int64]:
    cells = np.where(np.isinf(predictions), INVALID, predictions > cutoff)
    return np.where(np.isnan(predictions), MISSING, cells).astype(np.int64)


def _coded(stream: StreamReference, column: Column) -> NDArray[np.int64]:
    if not isinstance(column, Codes):
        found, codes = np.unique(column, return_inverse=True)
        column = Codes(tuple(found.tolist()), codes.astype(np.int32))
    cell_of = _cells_of_values(stream)
    cells = [*map(cell_of, column.values), MISSING]  # code -1
    return np.array(cells, dtype=np.int64)[column.codes]


def _cells_of_values(stream: StreamReference) -> Callable[[Value], int]:
    """Every category of a reference has a cell, or is other; a boolean's numbers are 0 and 1."""
    known = {name: place for place, name in enumerate(stream.categories)}
    boolean = stream.type is ValueType.BOOLEAN

    def cell_of(value: Value) -> int:
        if isinstance(value, bool):
            return known.get(BOOLEANS[value], OTHER)
        if isinstance(value, float):
            if not np.isfinite(value):
                return MISSING if np.isnan(value) else INVALID
            if boolean:
                return {0.0: 0, 1.0: 1}.get(value, INVALID)
            return known.get(text_of_number(value), OTHER)
        if isinstance(value, str):
            return known.get(value, INVALID if boolean else OTHER)
        return INVALID

    return cell_of
