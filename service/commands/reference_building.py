"""From the files and options of `reference build` to a reference."""

import getpass
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from service.clock import Clock
from service.commands.columns import EPOCH_MIN_SECONDS, fits, require_columns
from service.commands.gathering import Gathering
from service.commands.profiling import Profiling, Roles
from service.commands.relations import with_relations
from service.commands.time_order import Cut, Ordered, with_time_order
from service.errors import ConfigurationError
from service.ingest.files.tables import BadLine, Cells, Table, has_header, hash_files, read_tables
from service.monitor.references.reference import build_reference
from service.values.references import Lineage, Reference
from service.values.streams import (
    PREDICTION,
    Kind,
    StreamKey,
    ValueType,
    always_numeric,
    cutoff_of,
)

BAD_LINES_SHOWN = 3


class BadLines:
    """How many lines could not be read, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadLine] = []

    def add(self, line: BadLine) -> None:
        """Count a line."""
        self.absorb(1, [line])

    def absorb(self, count: int, first: Iterable[BadLine]) -> None:
        """Count lines of which the first are given."""
        self.count += count
        self.first = [*self.first, *first][:BAD_LINES_SHOWN]


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
    cut: Cut = Cut()

    def kind(self, column: str) -> ValueType | None:
        """The kind that was set for a column; of several globs that fit the last one holds."""
        fitting = [kind for glob, kind in self.kinds.items() if fits(column, glob)]
        return fitting[-1] if fitting else None

    def cells(self) -> Cells:
        """How the cells of the files are read."""
        return Cells(
            missing=self.missing,
            prediction=None if self.roles.probabilities else self.roles.prediction,
            categorical=lambda column: self.kind(column) is ValueType.CATEGORICAL,
        )


class Built(Struct, frozen=True):
    """A reference, and what became of columns.

    `left_out` are those that the service ignores, `taken` those that it would but that were taken;
    `idle_globs` are those of --ignore and --take that fit no column, with the option. `zeros_lost`
    are columns of which zeros in front of numbers are not kept. `notes` and `warnings` are about
    the order of time.
    """

    reference: Reference
    zeros_lost: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    idle_globs: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def build_from_files(
    request: Request,
    asked: Sequence[tuple[str, str]],
    bad_lines: BadLines,
    clock: Clock,
    console: Console,
) -> Built:
    """The reference of the files; progress is drawn on `console` if that is a terminal.

    `asked` are options with the columns that they name. Raises ConfigurationError when one of these
    is not there, a file cannot be read, or there is no row.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        size = sum(_size(path) for path in request.paths)
        task = progress.add_task("reading", total=2 * size)

        def advance(size: int) -> None:
            progress.advance(task, size)

        def read_again(purpose: str) -> Iterator[Table]:
            progress.reset(task, description=purpose, total=size)
            return read_tables(request.paths, lambda _: None, request.cells(), advance)

        def gather(purpose: str, gathering: Gathering) -> None:
            for table in read_again(purpose):
                gathering.add(table)

        profiling = Profiling(request.roles)
        for table in read_tables(request.paths, bad_lines.add, request.cells(), advance):
            first = not profiling.rows
            profiling.add(table)
            if first and has_header(request.paths[0]):  # before hours of reading
                check_columns(profiling, request, asked)
                _check_time(profiling, asked)
        progress.update(task, description="checksum")
        data_hash = hash_files(request.paths, advance)
        source = listed([path.name for path in request.paths])
        origin = Origin(source, data_hash, clock.now())
        reference = reference_of(profiling, request, asked, origin)
        reference = with_relations(reference, profiling.columns, gather)
        ordered = with_time_order(reference, profiling, request.cut, read_again)
    return told(ordered, profiling, request.roles)


class Origin(Struct, frozen=True):
    """Where the data came from (`source`), what tells them from others, and when they were read."""

    source: str
    data_hash: str
    now_seconds: float


def check_columns(
    profiling: Profiling, request: Request, asked: Sequence[tuple[str, str]]
) -> dict[StreamKey, ValueType]:
    """The types that were set, of the columns known so far.

    Raises ConfigurationError when an option names a column that is not there, or one that cannot be
    what the option says.
    """
    wanted = [*asked, *(("--kind", name) for name in request.kinds)]
    require_columns(list(profiling.columns), wanted)
    _check_kinds(profiling.columns, request)
    return _types(profiling, request)


def reference_of(
    profiling: Profiling, request: Request, asked: Sequence[tuple[str, str]], origin: Origin
) -> Reference:
    """The reference of all rows, without what further passes over them tell.

    Raises ConfigurationError when there is no row, or where `check_columns` does.
    """
    if not profiling.rows:
        raise ConfigurationError("the files hold no row: there is nothing to build from")
    types = check_columns(profiling, request, asked)
    _check_time(profiling, asked)
    reference = build_reference(
        request.model,
        request.version,
        profiling.profiles(),
        profiling.rows,
        _lineage(request, profiling, origin),
        types,
        request.categories_max,
    )
    _check_cutoffs(reference)
    return reference


def told(ordered: Ordered, profiling: Profiling, roles: Roles) -> Built:
    """What became of the columns, beside the reference."""
    columns, reference = profiling.columns, ordered.reference
    features = {name: key for name, key in columns.items() if key and key.kind is Kind.INPUT}
    globs = [*(("--ignore", g) for g in roles.ignored), *(("--take", g) for g in roles.taken)]
    return Built(
        reference,
        _zeros_lost(reference, profiling),
        left_out=tuple(filter(roles.leaves_out, columns)),
        taken=tuple(key.name for key in features.values() if roles.unwatched(key.name)),
        idle_globs=tuple(
            (option, glob) for option, glob in globs if not any(fits(c, glob) for c in columns)
        ),
        notes=ordered.notes,
        warnings=ordered.warnings,
    )


def _check_cutoffs(reference: Reference) -> None:
    types = {stream.key: stream.type for stream in reference.streams}
    cut = any(cutoff_of(key) is not None for key in types)
    if cut and types[PREDICTION] is not ValueType.NUMERIC:
        raise ConfigurationError(
            f"--cutoff: the prediction is {types[PREDICTION]}; only numbers have a cut-off"
        )


def _size(path: Path) -> int:
    return path.stat().st_size


def _check_kinds(columns: Iterable[str], request: Request) -> None:
    """Refuse a kind that is set for nothing but columns that are left out."""
    known = [*columns]
    for glob in request.kinds:
        fitting = [column for column in known if fits(column, glob)]
        if fitting and all(map(request.roles.leaves_out, fitting)):
            raise ConfigurationError(
                f"--kind {glob}: {fitting[0]!r} is left out, since the service ignores it; "
                f"--take {fitting[0]} takes it"
            )


def _check_time(profiling: Profiling, asked: Iterable[tuple[str, str]]) -> None:
    """Refuse a column that was said to be the time, and holds none."""
    column = dict(asked).get("--time")
    if column is None or (profiling.to_seconds or 0.0) >= EPOCH_MIN_SECONDS:
        return
    found = "none of its values can be read as one"
    if profiling.to_seconds is not None:
        found = f"its values are {profiling.from_seconds:.6g} to {profiling.to_seconds:.6g}"
    raise ConfigurationError(
        f"--time: column {column!r} holds no times: {found}. A time is RFC 3339 "
        "(2026-11-23T10:15:00Z), or epoch seconds or milliseconds"
    )


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


def listed(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _lineage(request: Request, profiling: Profiling, origin: Origin) -> Lineage:
    return Lineage(
        source=origin.source,
        data_hash=origin.data_hash,
        created_seconds=origin.now_seconds,
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
