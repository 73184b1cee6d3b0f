"""`anchorwatch reference`: what normal looks like, from the data that a model was trained on."""

import getpass
import glob
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

import click
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from service.clock import Clock, SystemClock
from service.commands.profiling import Profiling, Roles
from service.commands.reference_view import stream_table, warnings
from service.errors import ConfigurationError
from service.ingest.tables import BadLine, has_header, hash_files, read_tables
from service.monitor.reference import build_reference
from service.monitor.reference_file import write
from service.values.references import Lineage, Reference
from service.values.streams import StreamKey, ValueType

BAD_LINES_SHOWN = 3
_UNIT_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


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


@click.group("reference")
def command() -> None:
    """What normal looks like for a model: build it from training data."""


@command.command("build", short_help="Summarise training data into one reference file.")
@click.argument("files", nargs=-1, required=True)
@click.option("--model", required=True, help="The model's name, as in its events.")
@click.option("--version", help="The model's version; without it the reference holds for any.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--prediction", help="Column of the prediction.  [default: prediction, if there]")
@click.option("--latency", help="Column of the latency.  [default: latency_ms, if there]")
@click.option("--latency-unit", type=click.Choice(list(_UNIT_SECONDS)), default="ms")
@click.option("--time", help="Column of the time.  [default: timestamp, if there]")
@click.option("--ignore", multiple=True, metavar="GLOB", help="Columns to leave out.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="GLOB=KIND",
    help="Set a column's kind: numeric, categorical or boolean (mcc=categorical).",
)
@click.option("--missing", multiple=True, metavar="VALUE", help="Means missing: -999, N/A.")
@click.option("--categories-max", default=100, show_default=True, help="As in the configuration.")
@click.option("--dataset", metavar="ID", help="Identifies the data set, for the audit.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Anything else to keep with it.")
@click.option("--force", is_flag=True, help="Overwrite the output.")
def build(  # noqa: PLR0913, PLR0917 (an argument an option)
    files: tuple[str, ...],
    model: str,
    version: str | None,
    output: Path,
    prediction: str | None,
    latency: str | None,
    latency_unit: str,
    time: str | None,
    ignore: tuple[str, ...],
    kinds: tuple[str, ...],
    missing: tuple[str, ...],
    categories_max: int,
    dataset: str | None,
    meta: tuple[str, ...],
    force: bool,
) -> None:
    """Summarise FILES (CSV, Parquet, JSON Lines; globs too) into one reference.

    The files may be larger than memory. Kinds of columns are inferred. An example:

    \b
      anchorwatch reference build train.parquet \\
        --model credit-risk --version 3 --output ref.json
    """  # noqa: D301 - click reads \b as its paragraph mark
    _check_output(output, force)
    request = Request(
        paths=_paths(files),
        model=model,
        version=version,
        roles=Roles(
            prediction or "prediction",
            latency or "latency_ms",
            _UNIT_SECONDS[latency_unit],
            time or "timestamp",
            ignore,
        ),
        kinds={name: _kind(kind) for name, kind in _pairs(kinds, "--kind").items()},
        missing=tuple(value for text in missing for value in _sentinels(text)),
        dataset=dataset,
        metadata=_pairs(meta, "--meta"),
        categories_max=categories_max,
    )
    bad_lines = BadLines()
    asked = {"--prediction": prediction, "--latency": latency, "--time": time}
    reference = build_from_files(request, asked, bad_lines, SystemClock(), Console(stderr=True))
    write_whole(output, write(reference))
    _tell(reference, bad_lines, output)


def build_from_files(
    request: Request,
    asked: Mapping[str, str | None],
    bad_lines: BadLines,
    clock: Clock,
    console: Console,
) -> Reference:
    """The reference of the files; progress is drawn on `console`.

    Raises ConfigurationError when a file cannot be read, there is no row, or a column that was
    `asked` for by an option is not there.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("reading", total=2 * sum(_size(path) for path in request.paths))

        def advance(size: int) -> None:
            progress.advance(task, size)

        profiling = Profiling(request.roles)
        for table in read_tables(request.paths, bad_lines.add, request.missing, advance):
            if not profiling.rows and has_header(request.paths[0]):
                _check_columns(list(table.columns), asked, request.kinds)  # before hours of reading
            profiling.add(table)
        progress.update(task, description="checksum")
        data_hash = hash_files(request.paths, advance)
    if not profiling.rows:
        raise ConfigurationError("the files hold no row: there is nothing to build from")
    _check_columns(list(profiling.columns), asked, request.kinds)
    return build_reference(
        request.model,
        request.version,
        profiling.profiles(),
        profiling.rows,
        _lineage(request, profiling, data_hash, clock.now()),
        _types(profiling, request.kinds),
        request.categories_max,
    )


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all. Raises ConfigurationError if it cannot."""
    aside = path.with_name(f".{path.name}.new")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def _check_output(output: Path, force: bool) -> None:
    if output.exists() and not force:
        raise ConfigurationError(f"{output} exists: name another file, or add --force")
    if not output.parent.is_dir():
        raise ConfigurationError(f"the directory of {output} is not there: make it first")


def _paths(patterns: Sequence[str]) -> tuple[Path, ...]:
    """The files, each once, in order of their names."""
    found: set[Path] = set()
    for pattern in patterns:
        names = [pattern] if Path(pattern).exists() else glob.glob(pattern, recursive=True)  # noqa: PTH207
        files = {Path(name) for name in names if Path(name).is_file()}
        if not files:
            raise ConfigurationError(f"{pattern}: there is no such file")
        found |= files
    return tuple(sorted(found))


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise ConfigurationError(f"{option} {text}: must have the form name=value")
        pairs[key] = value
    return pairs


def _kind(text: str) -> ValueType:
    try:
        return ValueType(text)
    except ValueError as error:
        kinds = ", ".join(ValueType)
        raise ConfigurationError(f"--kind: {text!r} is no kind; there are {kinds}") from error


def _sentinels(text: str) -> tuple[float | str, ...]:
    """The text, and the number that it may be."""
    try:
        return text, float(text)
    except ValueError:
        return (text,)


def _size(path: Path) -> int:
    return path.stat().st_size


def _check_columns(
    columns: Sequence[str], asked: Mapping[str, str | None], kinds: Mapping[str, ValueType]
) -> None:
    wanted = [(option, name) for option, name in asked.items() if name is not None]
    wanted += [("--kind", name) for name in kinds]
    for option, name in wanted:
        if not any(column == name or fnmatchcase(column, name) for column in columns):
            near = get_close_matches(name, columns, 1)
            some = ", ".join(sorted(columns)[:20])
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {some}"
            raise ConfigurationError(f"{option}: there is no column {name!r}; {hint}")


def _types(profiling: Profiling, kinds: Mapping[str, ValueType]) -> dict[StreamKey, ValueType]:
    """Forced types; of several globs that fit the last one holds."""
    return {
        key: kind
        for pattern, kind in kinds.items()
        for column, key in profiling.columns.items()
        if key is not None and (column == pattern or fnmatchcase(column, pattern))
    }


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


def _tell(reference: Reference, bad_lines: BadLines, output: Path) -> None:
    width = None if os.isatty(1) else 120
    Console(width=width).print(stream_table(reference))
    for warning in warnings(reference):
        click.echo(f"warning: {warning}", err=True)
    if bad_lines.count:
        click.echo(
            f"warning: {bad_lines.count:,} lines were left out, the first of them:", err=True
        )
    for line in bad_lines.first:
        place = f"{line.path}:{line.line}" if line.line else str(line.path)
        click.echo(f"  {place}: {line.detail}", err=True)
    click.echo(f"{output}: reference {reference.hash[:12]} of {reference.rows:,} rows", err=True)
