"""The three formats of tables: a reader each, that yields small tables of columns."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from msgspec import Struct

from service.errors import ConfigurationError
from service.ingest.files.kinds import DELIMITERS, content_of, kind_of, refuse_twins
from service.ingest.files.nested import values_of_arrow
from service.ingest.files.table_answers import (
    columns_of_predictions,
    holds_nested,
)
from service.ingest.files.table_columns import (
    Column,
    Sentinels,
    column_of_arrow,
    column_of_texts,
    column_of_values,
    has_leading_zeros,
)

BLOCK_BYTES = 8 * 2**20
CSV_BLOCK_BYTES = 2**20
"""The CSV reader keeps 32 blocks read ahead, and a row must fit into one."""
LINE_MAX_BYTES = 64 * 2**20
ROWS_MAX = 65_536
CELLS_MAX = 2**21

EVENT_FIELDS = ("prediction", "latency_ms", "timestamp")
"""What else of an event (`features` apart) becomes a column."""

Progress = Callable[[int], None]
"""Is told how many further bytes were read."""


class Cells(Struct, frozen=True):
    """How cells are read: `missing` are sentinels, and `categorical` tells by a column's name
    whether text stays text. The column `prediction` may hold maps from class to probability.
    """

    missing: Sentinels = ()
    prediction: str | None = None
    categorical: Callable[[str], bool] = lambda _: False


class Table(Struct, frozen=True):
    """Some consecutive rows of one file. Every column has `rows` values.

    `probabilities`: of predictions that are maps, a column by class; the column of the prediction
    itself names the top class then. `leading_zeros`: columns of numbers some of which begin with a
    zero in the file.
    """

    rows: int
    columns: dict[str, Column]
    probabilities: dict[str, Column] = {}
    leading_zeros: tuple[str, ...] = ()


class BadLine(Struct, frozen=True):
    """A line that could not be read; `line` counts from 1 and includes a header, 0 = unknown."""

    path: Path
    line: int
    detail: str


OnBadLine = Callable[[BadLine], None]


def read_parquet(
    path: Path, _on_bad_line: OnBadLine, cells: Cells, progress: Progress
) -> Iterator[Table]:
    """Typed columns, in pieces of a row group. Raises OSError and ArrowException."""
    size = path.stat().st_size
    with pa.parquet.ParquetFile(path, pre_buffer=False) as file:
        refuse_twins(file.schema_arrow.names)
        rows_total, rows_done, told = file.metadata.num_rows, 0, 0
        rows_max = max(1, min(ROWS_MAX, CELLS_MAX // max(1, len(file.schema_arrow))))
        for batch in file.iter_batches(batch_size=rows_max, use_threads=False):
            yield table_of_batch(batch, cells)
            rows_done += batch.num_rows
            done = size * rows_done // max(1, rows_total)
            progress(done - told)
            told = done
        progress(size - told)


def read_csv(
    path: Path, on_bad_line: OnBadLine, cells: Cells, progress: Progress
) -> Iterator[Table]:
    """Untyped cells under a header; a quoted cell may hold line breaks.

    A row that is too long or too short is a bad line. Raises OSError and ArrowException.
    """

    def skip(row: Any) -> str:
        detail = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        on_bad_line(BadLine(path, row.number or 0, detail))
        return "skip"

    delimiter = DELIMITERS[kind_of(path)]
    parse = pa.csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
    )
    names = _csv_names(path, delimiter)
    convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()))
    with path.open("rb") as file:
        reader = pa.csv.open_csv(_stream(path, file, progress), _csv_blocks(), parse, convert)
        for table in _gathered(reader):
            yield _table_of_texts(table, cells)


def read_json_lines(
    path: Path, on_bad_line: OnBadLine, cells: Cells, progress: Progress
) -> Iterator[Table]:
    """One object a line; blank lines are nothing. Raises OSError."""
    before = 0
    with path.open("rb") as file:
        for lines in _line_blocks(_stream(path, file, progress)):
            rows = []
            for place, row in enumerate(decoded_lines(lines), before + 1):
                if isinstance(row, str):
                    on_bad_line(BadLine(path, place, row))
                elif row is not None:
                    rows.append(row)
            before += len(lines)
            if rows:
                yield table_of_rows(rows, cells)


def decoded_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any] | str | None]:
    """Each line's row, None of a blank line, and of one that cannot be read why."""
    decoder = msgspec.json.Decoder()
    for line in lines:
        try:
            yield _decoded(decoder, line)
        except ValueError as error:
            yield str(error)


def table_of_batch(batch: pa.RecordBatch, cells: Cells) -> Table:
    """Typed columns as a table."""
    columns: dict[str, Column] = {}
    probabilities: dict[str, Column] = {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        if name == cells.prediction and pa.types.is_nested(array.type):
            predictions = values_of_arrow(array)
            columns[name], probabilities = columns_of_predictions(predictions, cells.missing)
        else:
            columns[name] = column_of_arrow(array, cells.missing)
    return Table(batch.num_rows, columns, probabilities)


def table_of_rows(rows: list[dict[str, Any]], cells: Cells) -> Table:
    """Rows of decoded JSON as a table."""
    columns: dict[str, Column] = {}
    probabilities: dict[str, Column] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        if name == cells.prediction and holds_nested(values):
            columns[name], probabilities = columns_of_predictions(values, cells.missing)
        else:
            columns[name] = column_of_values(values, cells.missing)
    return Table(len(rows), columns, probabilities)


class _Counting:
    """A file whose reads are told to `progress`; the size on disk is what counts."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._progress(len(block))
        return block


def _stream(path: Path, file: BinaryIO, progress: Progress) -> pa.NativeFile:
    """The decompressed bytes of an open file."""
    counting: Any = _Counting(file, progress)
    return pa.PythonFile(content_of(counting, path), mode="r")


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Blocks joined to about BLOCK_BYTES, since profiles like long columns."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.nbytes for one in waiting) >= BLOCK_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _csv_blocks() -> pa.csv.ReadOptions:
    return pa.csv.ReadOptions(block_size=CSV_BLOCK_BYTES, use_threads=False)


def _csv_names(path: Path, delimiter: str) -> list[str]:
    """The header. Only the first block is read for it."""
    parse = pa.csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
    )
    with path.open("rb") as file:
        stream = _stream(path, file, lambda _: None)
        names: list[str] = pa.csv.open_csv(stream, _csv_blocks(), parse).schema.names
    refuse_twins(names)
    return names


def _line_blocks(stream: pa.NativeFile) -> Iterator[list[bytes]]:
    rest = b""
    while block := stream.read(BLOCK_BYTES):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_MAX_BYTES:
            raise ConfigurationError(
                f"a line is longer than {LINE_MAX_BYTES} bytes. JSON Lines have an object "
                "a line; a JSON array must be split first"
            )
        yield lines
    yield [rest]


def _decoded(decoder: msgspec.json.Decoder[Any], line: bytes) -> dict[str, Any] | None:
    """One row, None for a blank line. Raises ValueError saying what is wrong."""
    try:
        row = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        if not line.strip():
            return None
        row = _decoded_leniently(line)
    if not isinstance(row, dict):
        raise ValueError("not an object")  # noqa: TRY004 (a bad line, not a bug)
    features = row.get("features")
    if isinstance(features, dict):
        return features | {name: row[name] for name in EVENT_FIELDS if name in row}
    return row


def _decoded_leniently(line: bytes) -> Any:
    """Python's own reader takes NaN and Infinity, which Python's writer produces."""
    try:
        return json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _table_of_texts(table: pa.Table, cells: Cells) -> Table:
    columns: dict[str, Column] = {}
    zeros: list[str] = []
    for name, chunks in zip(table.column_names, table.columns, strict=True):
        array = chunks.combine_chunks()
        categorical = cells.categorical(name)
        columns[name] = column_of_texts(array, cells.missing, categorical=categorical)
        if has_leading_zeros(array, columns[name]):
            zeros.append(name)
    return Table(table.num_rows, columns, leading_zeros=tuple(zeros))
