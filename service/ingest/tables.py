"""CSV, Parquet and JSON Lines files, of any size, as a stream of small tables of columns."""

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from msgspec import Struct

from service.errors import ConfigurationError
from service.ingest.table_columns import (
    Column,
    Sentinels,
    column_of_arrow,
    column_of_texts,
    column_of_values,
)

BLOCK_BYTES = 8 * 2**20
LINE_MAX_BYTES = 64 * 2**20
ROWS_MAX = 65_536
CELLS_MAX = 2**21

EVENT_FIELDS = ("prediction", "latency_ms", "timestamp")
"""What else of an event (`features` apart) becomes a column."""

Progress = Callable[[int], None]
"""Is told how many further bytes were read."""


class Table(Struct, frozen=True):
    """Some consecutive rows of one file. Every column has `rows` values."""

    rows: int
    columns: dict[str, Column]


class BadLine(Struct, frozen=True):
    """A line that could not be read; `line` counts from 1 and includes a header, 0 = unknown."""

    path: Path
    line: int
    detail: str


OnBadLine = Callable[[BadLine], None]


def read_tables(
    paths: Sequence[Path],
    on_bad_line: OnBadLine,
    missing: Sentinels = (),
    progress: Progress = lambda _: None,
) -> Iterator[Table]:
    """The rows of the files, one file after the other, in memory that does not grow with them.

    The format is told by the name: .parquet or .pq; .csv or .tsv; .jsonl, .ndjson or .json (one
    object a line); the latter two also with .gz, .bz2 or .zst. Bad lines are reported and left out.
    A row of JSON that lacks a column of its table has a missing value there. A row with an object
    `features` is an event: its features are columns, beside its EVENT_FIELDS.

    Raises ConfigurationError when a file cannot be read, or holds bad lines only.
    """
    for path in paths:
        rows = bad = 0

        def count_bad(line: BadLine) -> None:
            nonlocal bad
            bad += 1
            on_bad_line(line)

        try:
            for table in _reader(path)(path, count_bad, missing, progress):
                rows += table.rows
                yield table
        except (OSError, pa.ArrowException) as error:
            raise ConfigurationError(f"{path} cannot be read: {_short(error)}") from error
        if bad and not rows:
            raise ConfigurationError(
                f"{path}: none of its {bad} lines can be read as {_kind(path)}"
            )


def has_header(path: Path) -> bool:
    """Whether the first table of a file has all of its columns, as in CSV and Parquet."""
    return _kind(path) != "JSON Lines"


def hash_files(paths: Sequence[Path], progress: Progress = lambda _: None) -> str:
    """SHA-256 in hex: of the one file, or of the sorted hashes of several, whatever their order.

    Raises ConfigurationError when a file cannot be read.
    """
    digests = sorted(_hash_file(path, progress) for path in paths)
    return digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()


_Reader = Callable[[Path, OnBadLine, Sentinels, Progress], Iterator[Table]]


def _hash_file(path: Path, progress: Progress) -> str:
    digest = sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                progress(len(block))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _reader(path: Path) -> _Reader:
    return {"Parquet": _read_parquet, "CSV": _read_csv, "JSON Lines": _read_json_lines}[_kind(path)]


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2", ".zst"):
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    for kind, names in _SUFFIXES.items():
        if last in names:
            return kind
    raise ConfigurationError(
        f"{path}: cannot tell the format from the name. Let it end in .parquet, .csv or .jsonl"
    )


_SUFFIXES = {
    "Parquet": (".parquet", ".pq"),
    "CSV": (".csv", ".tsv"),
    "JSON Lines": (".jsonl", ".ndjson", ".json"),
}


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
    source = pa.PythonFile(_Counting(file, progress), mode="r")
    compression = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(path.suffix.lower())
    return pa.CompressedInputStream(source, compression) if compression else source


def _read_parquet(
    path: Path, _on_bad_line: OnBadLine, missing: Sentinels, progress: Progress
) -> Iterator[Table]:
    size = path.stat().st_size
    with pa.parquet.ParquetFile(path, pre_buffer=False) as file:
        _refuse_twins(path, file.schema_arrow.names)
        rows_total, rows_done, told = file.metadata.num_rows, 0, 0
        rows_max = max(1, min(ROWS_MAX, CELLS_MAX // max(1, len(file.schema_arrow))))
        for batch in file.iter_batches(batch_size=rows_max, use_threads=False):
            columns = {
                name: column_of_arrow(array, missing)
                for name, array in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield Table(batch.num_rows, columns)
            rows_done += batch.num_rows
            done = size * rows_done // max(1, rows_total)
            progress(done - told)
            told = done
        progress(size - told)


def _read_csv(
    path: Path, on_bad_line: OnBadLine, missing: Sentinels, progress: Progress
) -> Iterator[Table]:
    def skip(row: Any) -> str:
        detail = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        on_bad_line(BadLine(path, row.number or 0, detail))
        return "skip"

    delimiter = "\t" if ".tsv" in path.suffixes else ","
    parse = pa.csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
    )
    names = _csv_names(path, delimiter)
    convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()))
    read = pa.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
    with path.open("rb") as file:
        for batch in pa.csv.open_csv(_stream(path, file, progress), read, parse, convert):
            columns = {
                name: column_of_texts(array, missing)
                for name, array in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield Table(batch.num_rows, columns)


def _csv_names(path: Path, delimiter: str) -> list[str]:
    """The header. Only the first block is read for it."""
    parse = pa.csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
    )
    read = pa.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
    with path.open("rb") as file:
        stream = _stream(path, file, lambda _: None)
        names: list[str] = pa.csv.open_csv(stream, read, parse).schema.names
    _refuse_twins(path, names)
    return names


def _refuse_twins(path: Path, names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ConfigurationError(
            f"{path}: more than one column is named {twins[0]!r}. Rename all but one"
        )


def _read_json_lines(
    path: Path, on_bad_line: OnBadLine, missing: Sentinels, progress: Progress
) -> Iterator[Table]:
    decoder = msgspec.json.Decoder()
    number = 0
    with path.open("rb") as file:
        for lines in _line_blocks(path, _stream(path, file, progress)):
            rows = []
            for line in lines:
                number += 1
                try:
                    row = _decoded(decoder, line)
                except ValueError as error:
                    on_bad_line(BadLine(path, number, str(error)))
                    continue
                if row is not None:
                    rows.append(row)
            if rows:
                yield _table_of_rows(rows, missing)


def _line_blocks(path: Path, stream: pa.NativeFile) -> Iterator[list[bytes]]:
    rest = b""
    while block := stream.read(BLOCK_BYTES):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_MAX_BYTES:
            raise ConfigurationError(
                f"{path}: a line is longer than {LINE_MAX_BYTES} bytes. JSON Lines have an object "
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


def _table_of_rows(rows: list[dict[str, Any]], missing: Sentinels) -> Table:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: column_of_values([row.get(name) for row in rows], missing) for name in names}
    return Table(len(rows), columns)


def _short(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return reason.splitlines()[0] if reason else type(error).__name__
