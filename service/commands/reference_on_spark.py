"""`reference build --spark`: of data larger than one machine, the same reference."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from msgspec import Struct

from service.clock import Clock
from service.commands.gathering import Gathering, State
from service.commands.profiling import Profiling, Roles
from service.commands.reference_building import (
    BadLines,
    Built,
    Origin,
    Request,
    check_columns,
    listed,
    reference_of,
    told,
)
from service.commands.relations import with_relations
from service.commands.row_hash import RowHash
from service.commands.time_order import Ordered
from service.errors import ConfigurationError
from service.ingest.files.kinds import FileKind, kind_of
from service.ingest.files.table_formats import (
    CELLS_MAX,
    ROWS_MAX,
    BadLine,
    Cells,
    OnBadLine,
    Table,
    decoded_lines,
    table_of_batch,
    table_of_rows,
)
from service.state.snapshot import decode, encode

if TYPE_CHECKING:
    from service.ingest.spark import Frame, Spark

ORDER_NOT_LEARNED = (
    "How far events depend on each other, and seasons, are learned live: on Spark rows have no "
    "order. To have them from the first minute on, build from the last 28 days without --spark"
)


def build_on_spark(
    request: Request,
    sources: Sequence[str],
    asked: Sequence[tuple[str, str]],
    bad_lines: BadLines,
    settings: Mapping[str, str],
    clock: Clock,
) -> Built:
    """The reference that `build_from_files` builds of the same rows, but for their order of time.

    `sources` are paths as Spark takes them (Parquet, or JSON Lines by their ending), or tables as
    `table:catalog.schema.name`. Counts are the same, quantiles within the error of their sketch.
    Raises ConfigurationError when Spark is not installed or fails, or as `build_from_files` does.
    """
    adapter = _adapter()
    with adapter.Spark(settings) as spark:
        data = _Data(spark, sources, request.cells())
        first = _First(Profiling(request.roles), RowHash(), bad_lines)
        if not data.lines:  # what is wrong is told before hours of reading
            first.profiling.expect(data.frame.columns)
            check_columns(first.profiling, request, asked)
        data.gather(first, _wanted(first.profiling.columns, request.roles))
        if bad_lines.count and not first.hash.rows:
            raise ConfigurationError(
                f"none of the {bad_lines.count:,} lines can be read as JSON Lines; of "
                f"{bad_lines.first[0].path}: {bad_lines.first[0].detail}"
            )
        origin = Origin(listed(sources), first.hash.hex(), clock.now())
        reference = reference_of(first.profiling, request, asked, origin)

        def gather(_purpose: str, gathering: Any) -> None:
            data.gather(gathering, gathering.columns)

        reference = with_relations(reference, first.profiling.columns, gather)
    notes = (ORDER_NOT_LEARNED,) if first.profiling.to_seconds is not None else ()
    return told(Ordered(reference, notes), first.profiling, request.roles)


def refuse_order_of_time(options: Mapping[str, str | None]) -> None:
    """Raises ConfigurationError when one of these options, which say how time is cut, is given."""
    for option, value in options.items():
        if value is not None:
            raise ConfigurationError(
                f"{option}: on Spark rows have no order, so that of time teaches nothing. Leave it "
                "out, or build from the last 28 days without --spark"
            )


def _adapter() -> Any:
    try:
        return import_module("service.ingest.spark")
    except ImportError as error:
        raise ConfigurationError(
            f"--spark: {error.name} is not installed here. Where a cluster brings its own pyspark "
            "use that Python; elsewhere: pip install 'anchorwatch[spark]'"
        ) from error


def _wanted(columns: Mapping[str, Any], roles: Roles) -> list[str]:
    """Those that are read: what has a stream, and the time."""
    return [name for name, key in columns.items() if key is not None or name == roles.time]


class _First:
    """What the first pass gathers: profiles, what tells the rows from others, and bad lines."""

    def __init__(self, profiling: Profiling, row_hash: RowHash, bad_lines: BadLines) -> None:
        self.profiling = profiling
        self.hash = row_hash
        self.bad_lines = bad_lines

    def add(self, table: Table) -> None:
        self.profiling.add(table)
        self.hash.update(table)

    def parts(self) -> Mapping[str, State]:
        first = [[str(line.path), line.detail] for line in self.bad_lines.first]
        return {
            "hash": {"rows": self.hash.rows, "total": self.hash.total},
            "bad lines": {"count": self.bad_lines.count, "first": first},
            **self.profiling.parts(),
        }

    def absorb(self, part: str, state: State) -> None:
        if part == "hash":
            self.hash.merge(RowHash(state["rows"], state["total"]))
        elif part == "bad lines":
            lines = (BadLine(Path(file), 0, detail) for file, detail in state["first"])
            self.bad_lines.absorb(state["count"], lines)
        else:
            self.profiling.absorb(part, state)


class _Data:
    """The rows of all sources, which every pass reads again."""

    def __init__(self, spark: "Spark", sources: Sequence[str], cells: Cells) -> None:
        self.lines = _holds_lines(sources)
        self.frame: Frame = spark.lines(sources) if self.lines else spark.tables(sources)
        self._cells = cells

    def gather(self, gathering: Gathering, columns: Sequence[str]) -> None:
        """Feed the rows to copies of a gathering that has seen nothing, then bring these together.

        Of typed columns only `columns` are read.
        """
        frame = self.frame if self.lines else self.frame.only(columns)
        task = _Task(gathering, self._cells, self.lines)
        for part, blob in frame.run(task.run, task.merge):
            gathering.absorb(part, decode(blob))


class _Task(Struct, frozen=True):
    """What is shipped to where the rows are."""

    empty: Any
    cells: Cells
    lines: bool

    def run(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, bytes]]:
        """The parts of what a task's rows have gathered; nothing without rows."""
        gathering = deepcopy(self.empty)
        bad_lines = gathering.bad_lines if isinstance(gathering, _First) else BadLines()
        read = _tables_of_lines if self.lines else _tables_of_columns
        for table in read(batches, self.cells, bad_lines.add):
            gathering.add(table)
        yield from _encoded(gathering)

    def merge(self, blobs: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Of each part one."""
        gathering, found = deepcopy(self.empty), set()
        for part, blob in blobs:
            gathering.absorb(part, decode(blob))
            found.add(part)
        yield from (pair for pair in _encoded(gathering) if pair[0] in found)


def _encoded(gathering: Gathering) -> Iterator[tuple[str, bytes]]:
    return ((part, encode(state)) for part, state in gathering.parts().items())


def _holds_lines(sources: Sequence[str]) -> bool:
    kinds = {source: _kind(source) for source in sources}
    texts = [source for source, kind in kinds.items() if kind in {FileKind.CSV, FileKind.TSV}]
    if texts:
        raise ConfigurationError(
            f"{texts[0]}: on Spark only Parquet, JSON Lines and tables are read, since rows of CSV "
            "cannot be told apart in the middle of a file. Write it as Parquet first: "
            "spark.read.csv(path, header=True, inferSchema=True).write.parquet(...)"
        )
    lines = [source for source, kind in kinds.items() if kind is FileKind.JSON_LINES]
    if lines and len(lines) < len(sources):
        raise ConfigurationError(
            f"{lines[0]} is JSON Lines, and other sources are not: build of either alone"
        )
    return bool(lines)


def _kind(source: str) -> FileKind:
    """By the ending; directories, which mostly have none, and tables have typed columns."""
    if source.startswith("table:") or "." not in source.rstrip("/").rpartition("/")[2]:
        return FileKind.PARQUET
    try:
        return kind_of(source)
    except ConfigurationError:
        return FileKind.PARQUET


def _tables_of_columns(
    batches: Iterator[pa.RecordBatch], cells: Cells, _on_bad_line: OnBadLine
) -> Iterator[Table]:
    for batch in _gathered(batches):
        yield table_of_batch(batch, cells)


def _tables_of_lines(
    batches: Iterator[pa.RecordBatch], cells: Cells, on_bad_line: OnBadLine
) -> Iterator[Table]:
    for batch in batches:
        files = batch.column("file").to_pylist()
        rows = []
        for file, row in zip(files, decoded_lines(batch.column("line").to_pylist()), strict=True):
            if isinstance(row, str):
                on_bad_line(BadLine(Path(file), 0, row))
            elif row is not None:
                rows.append(row)
        if rows:
            yield table_of_rows(rows, cells)


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches joined, since profiles like long columns, and no longer than those of a file."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= min(ROWS_MAX, CELLS_MAX // max(1, batch.num_columns)):
            yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()
            waiting, rows = [], 0
    if rows:
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()
