"""Tables that Spark reads, and what its tasks make of their rows, brought together.

All that knows pyspark is in this file. It asks for DataFrames only (no RDD), so that it also runs
where Spark is reached by Spark Connect.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeAlias

import pyarrow as pa
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from service.errors import ConfigurationError

Blobs: TypeAlias = Iterator[tuple[str, bytes]]
"""Bytes, each under a name; what has one name can be merged."""

Job: TypeAlias = Callable[[Iterator[pa.RecordBatch]], Blobs]
"""What a task makes of its rows."""

Merge: TypeAlias = Callable[[Blobs], Blobs]
"""Makes one of all that have a name; it does not matter in which order and in how many steps."""

TABLE = "table:"
"""Begins a source that is a table of the catalogue, and no path."""

LINE, FILE = "line", "file"
"""Columns of what is read as lines: bytes, and the name of the file."""

_LANES = 16
"""Tasks are merged so many ways in parallel first, since one stream may come of thousands."""

_SHIPPED = "lane int, name string, blob binary"


class Spark:
    """A session: the one that is there (spark-submit, a notebook), or one that `settings` describe.

    As a context manager it ends the session that it began, and no other.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        _choose_interpreter(settings)
        with _named_errors():
            self._found = SparkSession.getActiveSession() is not None
            builder = SparkSession.builder.appName("anchorwatch reference build")
            for key, value in settings.items():
                builder = builder.config(key, value)
            self._session = builder.getOrCreate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._found:
            self._session.stop()

    def tables(self, sources: Sequence[str]) -> "Frame":
        """Rows of typed columns: of Parquet (paths, globs and directories), or of `table:` names.

        A column that only some have is missing in the others. Raises ConfigurationError.
        """
        names = [source.removeprefix(TABLE) for source in sources if source.startswith(TABLE)]
        paths = [source for source in sources if not source.startswith(TABLE)]
        with _named_errors():
            frames = [self._session.read.table(name) for name in names]
            if paths:
                frames.append(self._session.read.option("mergeSchema", "true").parquet(*paths))
            whole = frames[0]
            for frame in frames[1:]:
                whole = whole.unionByName(frame, allowMissingColumns=True)
            return Frame(whole, tuple(whole.columns))

    def lines(self, paths: Sequence[str]) -> "Frame":
        """The lines of text files as columns LINE and FILE. Raises ConfigurationError."""
        with _named_errors():
            text = self._session.read.option("lineSep", "\n").text([*paths])
            line, file = sql.col("value").cast("binary"), sql.col("_metadata.file_name")
            return Frame(text.select(line.alias(LINE), file.alias(FILE)), (LINE, FILE))


class Frame:
    """Rows that are not read yet."""

    def __init__(self, frame: DataFrame, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._frame = frame

    def only(self, columns: Iterable[str]) -> "Frame":
        """The rows with fewer columns, at least one: the others are not read if that can be."""
        kept = set(columns) or {self.columns[0]}
        names = tuple(name for name in self.columns if name in kept)
        quoted = [sql.col(f"`{name.replace('`', '``')}`") for name in names]
        return Frame(self._frame.select(*quoted), names)

    def run(self, job: Job, merge: Merge) -> Blobs:
        """What `job` makes of the rows of each task, merged by name, in two steps on the executors.

        Both are shipped there, so both have to be importable there: Anchorwatch has to be
        installed. Raises ConfigurationError.
        """
        columns = self.columns  # a name may have a dot, which Spark takes for a path

        def made(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            task = TaskContext.get()
            lane = 0 if task is None else task.partitionId() % _LANES
            named = (pa.RecordBatch.from_arrays(one.columns, columns) for one in batches)
            yield from _shipped(job(named), lane)

        def merged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            yield from _shipped(merge(_received(batches)), 0)

        with _named_errors():
            numbered = self._frame.toDF(*(f"column {place}" for place in range(len(columns))))
            parts = numbered.mapInArrow(made, _SHIPPED)
            for keys in (("name", "lane"), ("name",)):
                parts = parts.repartition(*keys).mapInArrow(merged, _SHIPPED)
            rows = parts.select("name", "blob").collect()
        yield from ((row["name"], bytes(row["blob"])) for row in rows)


def _shipped(blobs: Blobs, lane: int) -> Iterator[pa.RecordBatch]:
    """A batch a blob, so that no batch is much larger than the largest."""
    for name, blob in blobs:
        arrays = [pa.array([lane], pa.int32()), pa.array([name]), pa.array([blob], pa.binary())]
        yield pa.RecordBatch.from_arrays(arrays, ["lane", "name", "blob"])


def _received(batches: Iterable[pa.RecordBatch]) -> Blobs:
    for batch in batches:
        names, blobs = batch.column("name").to_pylist(), batch.column("blob").to_pylist()
        yield from zip(names, blobs, strict=True)


def _choose_interpreter(settings: Mapping[str, str]) -> None:
    """Let tasks have this Python, unless somebody said which one.

    spark-submit knows already, and says so by a port; a session begun here would look for any
    `python3`. It reads the choice from the environment alone.
    """
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return
    chosen = settings.get("spark.pyspark.python")
    if chosen:
        os.environ["PYSPARK_PYTHON"] = chosen
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Errors of Spark, and ours that tasks raised, as ConfigurationErrors."""
    try:
        yield
    except PySparkException as error:
        raise ConfigurationError(_reason(str(error))) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "py4j":
            raise
        raise ConfigurationError(_reason(str(error))) from error


def _reason(text: str) -> str:
    """What to tell of an error of Spark, whose text may hold pages of stack traces."""
    ours = re.search(r"^service\.errors\.ConfigurationError: (.*)$", text, re.MULTILINE)
    if ours:
        return ours[1]
    lacking = re.search(r"^ModuleNotFoundError: No module named '([^']*)'", text, re.MULTILINE)
    if lacking:
        return (
            f"Spark's executors run a Python without {lacking[1]!r}: they need what runs here. "
            "Install Anchorwatch in their image, or ship an environment (--archives), and set "
            "spark.pyspark.python to its interpreter"
        )
    lines: list[Any] = [line.strip() for line in text.splitlines() if line.strip()]
    return f"Spark: {lines[0]}" if lines else "Spark failed and does not say why"
