"""CSV, Parquet and JSON Lines files, of any size, as a stream of small tables of columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from service.errors import ConfigurationError
from service.ingest.files.kinds import READ_ERRORS, FileKind, kind_of
from service.ingest.files.table_formats import (
    BLOCK_BYTES,
    BadLine,
    Cells,
    OnBadLine,
    Progress,
    Table,
    read_csv,
    read_json_lines,
    read_parquet,
)

__all__ = [
    "BadLine",
    "Cells",
    "OnBadLine",
    "Progress",
    "Table",
    "has_header",
    "hash_files",
    "read_tables",
]

_AS_THEY_ARE = Cells()


def read_tables(
    paths: Sequence[Path],
    on_bad_line: OnBadLine,
    cells: Cells = _AS_THEY_ARE,
    progress: Progress = lambda _: None,
) -> Iterator[Table]:
    """The rows of the files, one file after the other, in memory that does not grow with them.

    The format is told by the name: .parquet or .pq; .csv or .tsv; .jsonl, .ndjson or .json (one
    object a line); the latter two also with .gz, .bz2 or .zst. Bad lines are reported and left out.
    Predictions that are maps, lists or structs are taken apart as live ones are.
    A row of JSON that lacks a column of its table has a missing value there. A row with an object
    `features` is an event: its features are columns, beside its EVENT_FIELDS.

    Raises ConfigurationError when a file cannot be read, or holds bad lines only.
    """
    for path in paths:
        rows = bad = 0
        example = ""

        def count_bad(line: BadLine) -> None:
            nonlocal bad, example
            bad += 1
            example = example or f"line {line.line}: {line.detail}"
            on_bad_line(line)

        kind = kind_of(path)
        try:
            for table in _READERS[kind](path, count_bad, cells, progress):
                rows += table.rows
                yield table
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from error
        except READ_ERRORS as error:
            raise ConfigurationError(f"{path} cannot be read: {_short(error)}") from error
        if bad and not rows:
            raise ConfigurationError(
                f"{path}: none of its {bad:,} lines can be read as {kind}; {example}"
            )


def has_header(path: Path) -> bool:
    """Whether the first table of a file has all of its columns, as in CSV and Parquet."""
    return kind_of(path) is not FileKind.JSON_LINES


def hash_files(paths: Sequence[Path], progress: Progress = lambda _: None) -> str:
    """SHA-256 in hex: of the one file, or of the sorted hashes of several, whatever their order.

    Raises ConfigurationError when a file cannot be read.
    """
    digests = sorted(_hash_file(path, progress) for path in paths)
    return digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()


_Reader = Callable[[Path, OnBadLine, Cells, Progress], Iterator[Table]]


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


_READERS: Mapping[FileKind, _Reader] = {
    FileKind.PARQUET: read_parquet,
    FileKind.CSV: read_csv,
    FileKind.TSV: read_csv,
    FileKind.JSON_LINES: read_json_lines,
}


def _short(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return reason.splitlines()[0] if reason else type(error).__name__
