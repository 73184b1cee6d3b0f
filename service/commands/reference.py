"""`anchorwatch reference`: what normal looks like, from the data that a model was trained on."""

import glob
import math
import os
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from msgspec.structs import replace
from pydantic import ValidationError
from rich.console import Console

from config.detection import DetectionSettings
from service.clock import SystemClock
from service.commands import config_option, load_settings
from service.commands.columns import (
    LATENCY,
    LATENCY_UNITS,
    PREDICTION,
    TIME,
    role_options,
    sentinels,
    version_option,
)
from service.commands.profiling import Roles
from service.commands.reference_accept import command as accept_command
from service.commands.reference_building import BadLines, Built, Request, build_from_files
from service.commands.reference_on_spark import build_on_spark, refuse_order_of_time
from service.commands.reference_registry import COMMANDS as REGISTRY_COMMANDS
from service.commands.reference_view import (
    column_warnings,
    left_out,
    stream_table,
    warnings,
)
from service.commands.time_order import Cut
from service.commands.whole_file import require_writable, write_whole
from service.composition.wiring import watches
from service.errors import ConfigurationError
from service.ingest.decode.admission import clean_name
from service.monitor.references.file import write
from service.values.streams import ValueType
from service.values.watches import SeasonWatch

CATEGORIES_BOUNDS = (2, 10_000)
"""As of limits.categories."""


@click.group("reference")
def command() -> None:
    """What normal looks like for a model: build it from training data, publish it to every running
    service, compare two, take one back, accept what is new.
    """


command.add_command(accept_command)
for further in REGISTRY_COMMANDS:
    command.add_command(further)


@command.command("build", short_help="Summarise training data into one reference file.")
@click.argument("files", nargs=-1, required=True)
@click.option("--model", required=True, help="The model's name, as in its events.")
@version_option(default=None, help="The model's version.  [default: the reference holds for any]")
@config_option
@click.option("--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@role_options
@click.option(
    "--take",
    multiple=True,
    metavar="GLOB",
    help="Columns to take although the service ignores them, as it does *_id if not told else.",
)
@click.option(
    "--probability",
    "probabilities",
    multiple=True,
    metavar="CLASS=COLUMN",
    help="Column of a class's probability, in place of --prediction (fraud=p_fraud).",
)
@click.option(
    "--cutoff",
    "cutoffs",
    multiple=True,
    type=float,
    help="Where decisions are taken: the share of predictions above is a stream of its own.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="GLOB=KIND",
    help="Set a column's kind: numeric, categorical or boolean (mcc=categorical).",
)
@click.option(
    "--categories-max",
    type=click.IntRange(*CATEGORIES_BOUNDS),
    help="Categories of a feature that are counted each.  [default: limits.categories, 100]",
)
@click.option(
    "--pane",
    metavar="DURATION",
    help="The pane of the service, of which rows in order of time teach how far events depend on "
    "each other.  [default: detection.pane, 1m]",
)
@click.option(
    "--timezone",
    metavar="NAME",
    help="Whose hours their seasons follow.  [default: season.timezone, UTC]",
)
@click.option("--dataset", metavar="ID", help="Identifies the data set, for the audit.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Anything else to keep with it.")
@click.option("--force", is_flag=True, help="Overwrite the output.")
@click.option(
    "--spark",
    is_flag=True,
    help="Build on Spark: FILES are paths as Spark takes them, or table:catalog.schema.name.",
)
@click.option(
    "--spark-conf",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of a Spark that this begins (spark.master=spark://host:7077).",
)
def build(  # noqa: PLR0913, PLR0917 (an argument an option)
    files: tuple[str, ...],
    model: str,
    version: str | None,
    config_file: Path | None,
    output: Path,
    prediction: str | None,
    latency: str | None,
    latency_unit: str,
    time_column: str | None,
    ignore: tuple[str, ...],
    missing: tuple[str, ...],
    take: tuple[str, ...],
    probabilities: tuple[str, ...],
    cutoffs: tuple[float, ...],
    kinds: tuple[str, ...],
    categories_max: int | None,
    pane: str | None,
    timezone: str | None,
    dataset: str | None,
    meta: tuple[str, ...],
    force: bool,
    spark: bool,
    spark_conf: tuple[str, ...],
) -> None:
    """Summarise FILES (CSV, Parquet, JSON Lines; globs too) into one reference.

    The files may be larger than memory. Kinds of columns are inferred. Features that the service
    ignores are left out: those called *_id, or what models.*.features says in the configuration.

    Rows in the order of --time also teach how far events depend on each other, and which seasons
    they follow, so that this need not be learned live. Of a data set that is larger than one
    machine --spark makes the same file, but for that.

    \b
      anchorwatch reference build train.parquet \\
        --model credit-risk --model-version 3 --output ref.json
    """  # noqa: D301 - click reads \b as its paragraph mark
    require_writable(output, replace=force)
    if spark:
        refuse_order_of_time({"--pane": pane, "--timezone": timezone})
    elif spark_conf:
        raise ConfigurationError("--spark-conf: add --spark, or leave it out")
    settings = load_settings(config_file).settings
    rules = settings.for_model(model)
    request = Request(
        paths=() if spark else _paths(files),
        model=model,
        version=version,
        roles=Roles(
            prediction=prediction or PREDICTION,
            latency=latency or LATENCY,
            latency_seconds=LATENCY_UNITS[latency_unit],
            time=time_column or TIME,
            ignored=ignore,
            unwatched=lambda feature: rules.for_feature(feature).ignore,
            taken=take,
            probabilities=_probabilities(probabilities, prediction),
            cutoffs=_cutoffs(cutoffs, probabilities),
        ),
        kinds={name: _kind(kind) for name, kind in _pairs(kinds, "--kind").items()},
        missing=sentinels(missing),
        dataset=dataset,
        metadata=_pairs(meta, "--meta"),
        categories_max=categories_max or settings.limits.categories,
        cut=Cut(
            settings.detection.pane if pane is None else _pane(pane),
            _season(watches(settings)(model).season, timezone),
        ),
    )
    bad_lines = BadLines()
    options = (("--prediction", prediction), ("--latency", latency), ("--time", time_column))
    asked = [(option, column) for option, column in options if column is not None]
    asked += [("--cutoff", request.roles.prediction or "")] if cutoffs else []
    asked += [("--probability", column) for column in request.roles.probabilities.values()]
    clock = SystemClock()
    if spark:
        conf = _pairs(spark_conf, "--spark-conf")
        built = build_on_spark(request, files, asked, bad_lines, conf, clock)
    else:
        built = build_from_files(request, asked, bad_lines, clock, Console(stderr=True))
    write_whole(output, write(built.reference))
    _tell(built, bad_lines, output)


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


def _pane(text: str) -> float:
    try:
        return DetectionSettings.model_validate({"pane": text, "windows": [text]}).pane
    except ValidationError as error:
        fault = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"--pane {text}: {fault}") from error


def _season(watch: SeasonWatch, timezone: str | None) -> SeasonWatch:
    if timezone is None:
        return watch
    try:
        ZoneInfo(timezone)
    except (KeyError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"--timezone {timezone}: must be a time zone such as Europe/London, known to this "
            "system"
        ) from error
    return replace(watch, timezone=timezone)


def _probabilities(texts: Sequence[str], prediction: str | None) -> dict[str, str]:
    """Columns by class."""
    found = {clean_name(name): column for name, column in _pairs(texts, "--probability").items()}
    if found and prediction is not None:
        raise ConfigurationError(
            "--prediction and --probability both say what the prediction is: leave one of them out"
        )
    if len(set(found.values())) < len(texts):
        raise ConfigurationError("--probability: a class or a column is named twice")
    return found


def _cutoffs(cutoffs: Sequence[float], probabilities: Sequence[str]) -> tuple[float, ...]:
    if cutoffs and probabilities:
        raise ConfigurationError(
            "--cutoff is for a numeric prediction; with --probability it is the name of a class"
        )
    if not all(map(math.isfinite, cutoffs)):
        raise ConfigurationError("--cutoff: must be a finite number")
    return tuple(sorted(set(cutoffs)))


def _tell(built: Built, bad_lines: BadLines, output: Path) -> None:
    reference = built.reference
    width = None if os.isatty(1) else 120
    Console(width=width).print(stream_table(reference))
    for warning in [*warnings(reference), *column_warnings(built)]:
        click.echo(f"warning: {warning}", err=True)
    if bad_lines.count:
        click.echo(
            f"warning: {bad_lines.count:,} lines were left out, the first of them:", err=True
        )
    for line in bad_lines.first:
        place = f"{line.path}:{line.line}" if line.line else str(line.path)
        click.echo(f"  {place}: {line.detail}", err=True)
    for note in built.notes:
        click.echo(note, err=True)
    if built.left_out:
        click.echo(left_out(built), err=True)
    click.echo(f"{output}: reference {reference.hash[:12]} of {reference.rows:,} rows", err=True)
