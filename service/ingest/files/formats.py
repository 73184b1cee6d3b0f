"""The rows of one file as JSON bytes, streamed: JSON Lines, CSV (both also compressed) and Parquet.

A reader yields `(row, value)` in ascending order up to the last row; value None where the row holds
no record (blank, or before `first`). The value of a broken line is the line itself, which the
decoder then refuses, as it would from Kafka.
"""

import csv
import io
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from service.ingest.files.kinds import DELIMITERS, FileKind, kind_of, refuse_twins
from service.ingest.files.nested import values_of_arrow

LINE_BYTES_MAX = 16 * 1024 * 1024
"""A longer line is cut here; the decoder's own limit, far below, then refuses it."""

_BATCH_ROWS = 4096
_encode = msgspec.json.Encoder(enc_hook=str).encode

Rows = Generator[tuple[int, bytes | None], None, None]
Reader = Callable[[BinaryIO, int, Sequence[str] | None], Rows]


def reader_for(path: str) -> Reader:
    """The reader for a file, by its name's ending.

    Raises:
        ConfigurationError: the ending says nothing.
    """
    return _READERS[kind_of(path)]


def row_count(path: str) -> int | None:
    """How many rows a file has, where it says so itself (Parquet)."""
    if kind_of(path) is not FileKind.PARQUET:
        return None
    return int(pq.read_metadata(Path(path)).num_rows)


def _lines(content: BinaryIO, _first: int, _columns: Sequence[str] | None) -> Rows:
    """Every line without its line end."""
    for row in count():
        line = content.readline(LINE_BYTES_MAX)
        if not line:
            return
        if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
            _skip_rest_of_line(content)
        yield row, line.rstrip(b"\r\n") if line.strip() else None


def _skip_rest_of_line(content: BinaryIO) -> None:
    while (part := content.readline(LINE_BYTES_MAX)) and not part.endswith(b"\n"):
        pass


def _csv(delimiter: str) -> Reader:
    def rows(content: BinaryIO, first: int, columns: Sequence[str] | None) -> Rows:
        """Objects of texts, an empty cell null. A row with too few or too many cells is broken."""
        text = io.TextIOWrapper(content, "utf-8-sig", errors="replace", newline="")
        try:
            lines = csv.reader(text, delimiter=delimiter, strict=False)
            names = list(columns) if columns else next(lines, [])
            refuse_twins(names)
            for row, cells in enumerate(_readable(lines)):
                yield row, _row_object(names, cells, delimiter) if row >= first and cells else None
        finally:
            text.detach()

    return rows


def _row_object(names: list[str], cells: list[str] | str, delimiter: str) -> bytes:
    if isinstance(cells, str):
        return cells.encode()
    if len(cells) != len(names):
        return delimiter.join(cells).encode()
    return _encode({name: cell or None for name, cell in zip(names, cells, strict=True)})


def _readable(lines: Iterator[list[str]]) -> Iterator[list[str] | str]:
    """Rows of cells; a text in place of one that csv refuses (a field of over 128 KiB)."""
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"unreadable row: {error}"


def _parquet(content: BinaryIO, first: int, _columns: Sequence[str] | None) -> Rows:
    """Typed objects; times become RFC 3339 text in UTC, decimals numbers. NaN becomes null."""
    file = pq.ParquetFile(content)
    groups, row = _groups_from(file, first)
    if not groups and file.metadata.num_rows:
        yield file.metadata.num_rows - 1, None
    for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups):
        skip = min(max(0, first - row), batch.num_rows)
        values = map(_encode, _objects(_plain(batch.slice(skip))))
        yield from enumerate(values, row + skip)
        row += batch.num_rows


def _groups_from(file: pq.ParquetFile, first: int) -> tuple[list[int], int]:
    """The row groups that hold row `first` and later ones, and the first row of these."""
    start = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if start + rows > first:
            return list(range(group, file.num_row_groups)), start
        start += rows
    return [], start


def _objects(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = batch.to_pylist()
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_map(field.type):
            for row, value in zip(rows, values_of_arrow(column), strict=True):
                row[field.name] = value
    return rows


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Types that have no place in JSON, or that Python reads with loss, as ones that have."""
    columns = [_plain_column(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain_column(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", "UTC"), safe=False)
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64())
    return column


_READERS: dict[FileKind, Reader] = {
    FileKind.JSON_LINES: _lines,
    FileKind.PARQUET: _parquet,
    **{kind: _csv(delimiter) for kind, delimiter in DELIMITERS.items()},
}
