"""From the files and options of `reference build` to a reference."""

import getpass
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from service.clock import Clock
from service.commands.profiling import Profiling, Roles
from service.commands.relations import with_relations
from service.errors import ConfigurationError
from service.ingest.files.tables import BadLine, Cells, Table, has_header, hash_files, read_tables
from service.monitor.references.reference import build_reference
from service.values.references import Lineage, Reference
from service.values.streams import PREDICTION, StreamKey, ValueType, always_numeric, cutoff_of

BAD_LINES_SHOWN = 3


class BadLines:
    """How many lines could not be read, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadLine] = []

    def add(self, line: BadLine) -> None:
        """Count a line."""
        self.count += 1
        if len(self.first) < BAD_LINES_SHOWN:
            self.first.append(line)


class Request(Struct, frozen=True):
    """What was asked for on the command line."""

    paths: tuple[Path, ...]
    model: str
    version: str | None
    roles: Roles
    kinds: Mapping[str, ValueType]
    missing: tuple[float | str, ...]
    dataset: str | None
    metadata: Mapping[str, str]
    categories_max: int

    def kind(self, column: str) -> ValueType | None:
        """The kind that was set for a column; of several globs that fit the last one holds."""
        fitting = [kind for glob, kind in self.kinds.items() if _fits(column, glob)]
        return fitting[-1] if fitting else None

    def cells(self) -> Cells:
        """How the cells of the files are read."""
        return Cells(
            missing=self.missing,
            prediction=None if self.roles.probabilities else self.roles.prediction,
            categorical=lambda column: self.kind(column) is ValueType.CATEGORICAL,
        )


class Built(Struct, frozen=True):
    """A reference; `zeros_lost` are columns of which zeros in front of numbers are not kept."""

    reference: Reference
    zeros_lost: tuple[str, ...]


def build_from_files(
    request: Request,
    asked: Sequence[tuple[str, str]],
    bad_lines: BadLines,
    clock: Clock,
    console: Console,
) -> Built:
    """The reference of the files; progress is drawn on `console`.

    `asked` are options with the columns that they name. Raises ConfigurationError when one of these
    is not there, a file cannot be read, or there is no row.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        size = sum(_size(path) for path in request.paths)
        task = progress.add_task("reading", total=2 * size)

        def advance(size: int) -> None:
            progress.advance(task, size)

        def read_again(purpose: str) -> Iterator[Table]:
            progress.reset(task, description=purpose, total=size)
            return read_tables(request.paths, lambda _: None, request.cells(), advance)

        wanted = [*asked, *(("--kind", name) for name in request.kinds)]
        profiling = Profiling(request.roles)
        for table in read_tables(request.paths, bad_lines.add, request.cells(), advance):
            first = not profiling.rows
            profiling.add(table)
            if first and has_header(request.paths[0]):  # before hours of reading
                _check_columns(list(profiling.columns), wanted)
                _types(profiling, request)
        progress.update(task, description="checksum")
        data_hash = hash_files(request.paths, advance)
        if not profiling.rows:
            raise ConfigurationError("the files hold no row: there is nothing to build from")
        _check_columns(list(profiling.columns), wanted)
        reference = build_reference(
            request.model,
            request.version,
            profiling.profiles(),
            profiling.rows,
            _lineage(request, profiling, data_hash, clock.now()),
            _types(profiling, request),
            request.categories_max,
        )
        _check_cutoffs(reference)
        reference = with_relations(reference, profiling.columns, read_again)
    return Built(reference, _zeros_lost(reference, profiling))


def _check_cutoffs(reference: Reference) -> None:
    types = {stream.key: stream.type for stream in reference.streams}
    cut = any(cutoff_of(key) is not None for key in types)
    if cut and types[PREDICTION] is not ValueType.NUMERIC:
        raise ConfigurationError(
            f"--cutoff: the prediction is {types[PREDICTION]}; only numbers have a cut-off"
        )


def _size(path: Path) -> int:
    return path.stat().st_size


def _fits(column: str, glob: str) -> bool:
    return column == glob or fnmatchcase(column, glob)


def _check_columns(columns: Sequence[str], wanted: Iterable[tuple[str, str]]) -> None:
    for option, name in wanted:
        if not any(_fits(column, name) for column in columns):
            near = get_close_matches(name, columns, 1)
            some = ", ".join(sorted(columns)[:20])
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {some}"
            raise ConfigurationError(f"{option}: there is no column {name!r}; {hint}")


def _types(profiling: Profiling, request: Request) -> dict[StreamKey, ValueType]:
    """Forced types."""
    found: dict[StreamKey, ValueType] = {}
    for column, key in profiling.columns.items():
        kind = request.kind(column)
        if key is None or kind is None:
            continue
        if always_numeric(key) and kind is not ValueType.NUMERIC:
            raise ConfigurationError(
                f"--kind {column}={kind}: {key.kind} {key.name!r} can only be numeric"
            )
        found[key] = kind
    return found


def _zeros_lost(reference: Reference, profiling: Profiling) -> tuple[str, ...]:
    numeric = {stream.key for stream in reference.streams if stream.type is ValueType.NUMERIC}
    columns = profiling.columns
    return tuple(sorted(name for name in profiling.leading_zeros if columns[name] in numeric))


def _lineage(request: Request, profiling: Profiling, data_hash: str, now: float) -> Lineage:
    names = [path.name for path in request.paths]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return Lineage(
        source=", ".join(names[:3]) + more,
        data_hash=data_hash,
        created_seconds=now,
        created_by=_user(),
        from_seconds=profiling.from_seconds,
        to_seconds=profiling.to_seconds,
        dataset=request.dataset,
        metadata=request.metadata,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
