"""What a file holds, which its name tells, and its bytes, decompressed."""

import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO

import pyarrow as pa

from service.errors import ConfigurationError

READ_ERRORS = (OSError, pa.ArrowException)
"""What reading a damaged file raises."""


class FileKind(StrEnum):
    """The formats; CSV and TSV differ in the delimiter alone."""

    JSON_LINES = "JSON Lines"
    CSV = "CSV"
    TSV = "TSV"
    PARQUET = "Parquet"


DELIMITERS: Mapping[FileKind, str] = {FileKind.CSV: ",", FileKind.TSV: "\t"}
"""What parts the cells of a row of text."""


def kind_of(path: str | PurePath) -> FileKind:
    """The kind of a file by its name, which may end in .gz, .bz2 or .zst as well.

    Raises:
        ConfigurationError: the name says nothing.
    """
    kind = _KINDS.get(PurePath(_uncompressed(str(path))).suffix)
    if kind is None:
        raise ConfigurationError(
            f"{path}: cannot tell the format from the name. Let it end in {', '.join(_KINDS)}; "
            f"text may be compressed ({', '.join(_COMPRESSIONS)})"
        )
    return kind


def content_of(raw: BinaryIO, path: str | PurePath) -> BinaryIO:
    """The content of an open file: itself, or decompressed as it is read."""
    codec = _COMPRESSIONS.get(PurePath(path).suffix.lower())
    if codec is None:
        return raw
    stream: Any = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec)
    return io.BufferedReader(stream)


def refuse_twins(names: Sequence[str]) -> None:
    """Raises ConfigurationError when two columns have one name."""
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ConfigurationError(f"more than one column is named {twins[0]!r}. Rename all but one")


_COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}

_KINDS: Mapping[str, FileKind] = {
    ".jsonl": FileKind.JSON_LINES,
    ".ndjson": FileKind.JSON_LINES,
    ".json": FileKind.JSON_LINES,
    ".csv": FileKind.CSV,
    ".tsv": FileKind.TSV,
    ".parquet": FileKind.PARQUET,
    ".pq": FileKind.PARQUET,
}


def _uncompressed(path: str) -> str:
    lower = path.lower()
    for ending in _COMPRESSIONS:
        if lower.endswith(ending):
            return lower.removesuffix(ending)
    return lower
