"""The first rows of the files of a replay: is there what was asked for, before hours of reading?"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from glob import escape
from typing import Any

import msgspec
from msgspec import Struct

from service.commands.columns import EPOCH_MIN_SECONDS, require_columns
from service.errors import ConfigurationError
from service.ingest.decode.times import event_time
from service.ingest.files.kinds import FileKind, kind_of
from service.ingest.files.source import FilesParameters, FilesSource

HEAD_ROWS = 5000
"""Of all files together; a CSV or Parquet file has every column in its first row."""

HEAD_ROWS_MIN = 20
"""Of each, however many files there are."""

_TOLD_MAX = 60


class Head(Struct, frozen=True):
    """The first rows of a file that are objects; lines that are none are left out."""

    path: str
    rows: tuple[dict[str, Any], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in any of the rows, in order of first appearance."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def is_table(self) -> bool:
        """Whether every row of the file has the same columns, as in CSV and Parquet."""
        return kind_of(self.path) is not FileKind.JSON_LINES

    @property
    def is_text(self) -> bool:
        """Whether its numbers are text, as in CSV."""
        return kind_of(self.path) in {FileKind.CSV, FileKind.TSV}


def heads_of(globs: tuple[str, ...]) -> tuple[Head, ...]:
    """Of every file, in the order in which they are read.

    Raises ConfigurationError when a glob matches nothing, or a file cannot be read.
    """
    with closing(FilesSource(FilesParameters(globs))) as source:
        paths = sorted(partition.topic for partition in source.partitions())
    most = max(HEAD_ROWS_MIN, HEAD_ROWS // len(paths))
    return tuple(Head(path, tuple(_rows(path, most))) for path in paths)


def columns_of(heads: Iterable[Head]) -> tuple[str, ...]:
    """The names in any of the files."""
    return tuple(dict.fromkeys(name for head in heads for name in head.columns))


def require_times(heads: Iterable[Head], column: str) -> None:
    """Refuse a column of which most values are no time: judged by it, all would be of 1970.

    Raises ConfigurationError with one of the values.
    """
    for head in heads:
        if head.rows:
            require_columns(head.columns, [("--time", column)], f" in {head.path}")
        values = [row[column] for row in head.rows if row.get(column) is not None]
        strange = [value for value in values if not _is_time(value)]
        if 2 * len(strange) > len(values):
            raise ConfigurationError(
                f"--time: column {column!r} of {head.path} holds no times: {_told(strange[0])} is "
                "none. A time is RFC 3339 (2026-11-23T10:15:00Z), or epoch seconds or milliseconds"
            )


def _rows(path: str, most: int) -> Iterator[dict[str, Any]]:
    with closing(FilesSource(FilesParameters((escape(path),), records_max=most))) as source:
        source.resume(dict.fromkeys(source.partitions()))
        for chunk in source.poll(0.0).chunks:
            for record in chunk.records:
                row = _object(record.value)
                if row is not None:
                    yield row


def _object(value: bytes | None) -> dict[str, Any] | None:
    try:
        row = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _is_time(value: Any) -> bool:
    try:
        return float(value) >= EPOCH_MIN_SECONDS and event_time(value) == event_time(value)
    except (TypeError, ValueError, OverflowError):
        return event_time(value) == event_time(value)


def _told(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _TOLD_MAX else f"{text[:_TOLD_MAX]}..."
