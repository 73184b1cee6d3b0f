"""Records from files, one after the other: each is partition 0 of a topic named by its path."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from glob import glob
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from service.errors import ConfigurationError
from service.ingest.files.formats import reader_for, row_count
from service.ingest.files.kinds import READ_ERRORS, content_of, kind_of
from service.ingest.positions import LogRange, recover
from service.values.records import Chunk, Partition, Record, Turn

NO_TIMESTAMP = float("nan")
"""A file's record has no time of arrival: the event's own time rules."""


class FilesParameters(Struct, frozen=True):
    """Which files. `globs` may contain `**`; files are read in the order of their names.

    `columns` names the columns of CSV without a header row. `timestamp_seconds` becomes every
    record's arrival; NaN, the default, means there is none.
    """

    globs: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    timestamp_seconds: float = NO_TIMESTAMP
    records_max: int = 5000


class FilesSource:
    """A `Source` over files that end. `progress(bytes_done, bytes_total)` is told after each poll.

    Offsets are rows counted from 0 (blank lines count, but hold no record). Files cannot be
    committed to, and a row that was deleted is not noticed.
    """

    def __init__(
        self,
        parameters: FilesParameters,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Find the files.

        Raises:
            ConfigurationError: a glob matches nothing, or a file's format is unknown.
        """
        self.parameters = parameters
        self._paths = _matching(parameters.globs)
        self._sizes = {path: Path(path).stat().st_size for path in self._paths}
        self._progress = progress or (lambda _done, _total: None)
        self.out_of_range_total = 0
        self._positions: dict[str, int] = {}
        self._read: set[str] = set()
        self._row_counts: dict[str, int] = {}
        self._open: _OpenFile | None = None
        self._announced = False

    def poll(self, timeout_seconds: float) -> Turn:
        """The next rows of one file; only waits while no file is resumed.

        Raises:
            ConfigurationError: a file cannot be read; says which and why.
            OffsetOutOfRange: a file is shorter than the position to go on from.
        """
        new = frozenset() if self._announced else self.partitions()
        self._announced = True
        chunk = self._next_chunk()
        if chunk is None and not new and not self.finished:
            time.sleep(timeout_seconds)
        self._progress(self._bytes_done(), sum(self._sizes.values()))
        return Turn([] if chunk is None else [chunk], new)

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """Begin at rows, None = the first one; a wrong row is noticed at a poll."""
        known = self.partitions()
        chosen = {p: at or 0 for p, at in positions.items() if p in known}
        for partition, at in chosen.items():
            self._positions[partition.topic] = at
            self._read.discard(partition.topic)
            if self._open is not None and self._open.path == partition.topic:
                self._close_file()
        return chosen

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Files are read one after the other: nobody is ahead."""

    def partitions(self) -> frozenset[Partition]:
        """One for each file."""
        return frozenset(Partition(path, 0) for path in self._paths)

    def ends(self) -> dict[Partition, int]:
        """The row count where the file tells it (Parquet); else how far it was read."""
        return {Partition(path, 0): self._end(path) for path in self._paths}

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:  # noqa: ARG002
        """Nothing is ever committed to a file."""
        return {}

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody to tell."""

    @property
    def finished(self) -> bool:
        """True once every file was read to its end."""
        return len(self._read) == len(self._paths)

    def close(self) -> None:
        """Close the file that is open."""
        self._close_file()

    def _next_chunk(self) -> Chunk | None:
        if self._open is None:
            waiting = (p for p in self._paths if p in self._positions and p not in self._read)
            path = next(waiting, None)
            if path is None:
                return None
            self._open = _OpenFile(path, self._positions[path], self.parameters.columns)
        return self._rows_of(self._open)

    def _rows_of(self, file: "_OpenFile") -> Chunk:
        arrival = self.parameters.timestamp_seconds
        values, ended = file.take(self.parameters.records_max)
        if ended:
            self._finish(file)
        position = self._positions[file.path] = max(file.first, file.rows)
        records = [Record(row, arrival, value) for row, value in values]
        return Chunk(Partition(file.path, 0), records, position)

    def _finish(self, file: "_OpenFile") -> None:
        """The file is at its end: is that where we thought it would be?"""
        log = LogRange(0, file.rows)
        if not log.holds(file.first):
            recover(Partition(file.path, 0), file.first, log, "stop")
        self._read.add(file.path)
        self._close_file()

    def _end(self, path: str) -> int:
        position = self._positions.get(path, 0)
        if path in self._read:
            return position
        if path not in self._row_counts:
            self._row_counts[path] = row_count(path) or 0
        return max(position, self._row_counts[path])

    def _bytes_done(self) -> int:
        done = sum(self._sizes[path] for path in self._read)
        if self._open is None:
            return done
        return done + min(self._open.bytes_read, self._sizes[self._open.path])

    def _close_file(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _OpenFile:
    """A file being read from row `first` on; `rows` have been seen so far, from the start.

    Every error of reading closes it and becomes a ConfigurationError that names it.
    """

    def __init__(self, path: str, first: int, columns: Sequence[str] | None) -> None:
        self.path = path
        self.first = first
        self.rows = 0
        self._closing = ExitStack()
        with self._naming():
            self._raw: BinaryIO = self._closing.enter_context(Path(path).open("rb"))  # noqa: SIM115
            content = content_of(self._raw, path)
            self._values = reader_for(path)(content, first, columns)
            self._closing.callback(self._values.close)

    @property
    def bytes_read(self) -> int:
        """How far the file itself was read, compressed or not."""
        return self._raw.tell()

    def take(self, count: int) -> tuple[list[tuple[int, bytes]], bool]:
        """Up to `count` rows with a record, and whether the file has ended."""
        taken: list[tuple[int, bytes]] = []
        with self._naming():
            for row, value in self._values:
                self.rows = row + 1
                if value is not None and row >= self.first:
                    taken.append((row, value))
                    if len(taken) == count:
                        return taken, False
        return taken, True

    def close(self) -> None:
        """Close it."""
        self._closing.close()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except ConfigurationError as error:
            self.close()
            raise ConfigurationError(f"{self.path}: {error}") from error
        except READ_ERRORS as error:
            self.close()
            raise ConfigurationError(f"{self.path} cannot be read: {error}") from error


def _matching(globs: Sequence[str]) -> list[str]:
    found: set[str] = set()
    for pattern in globs:
        # Path.glob takes no absolute pattern.
        matches = glob(pattern, recursive=True)  # noqa: PTH207
        paths = [path for path in matches if Path(path).is_file()]
        if not paths:
            raise ConfigurationError(f"No file matches {pattern}")
        found.update(paths)
    for path in found:
        kind_of(path)
    return sorted(found)
