"""`anchorwatch replay`: when would it have alarmed?"""

import sys
from pathlib import Path
from typing import Literal

import click
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from config.settings import Settings
from config.sources import FeatureSettings, LatencySettings, RowsSettings, SourceSettings
from service.clock import SystemClock
from service.commands import config_option, load_settings, require_references
from service.commands.replay_view import as_json, show
from service.errors import ConfigurationError
from service.ingest.decode import Decoder
from service.ingest.files import FilesParameters, FilesSource
from service.logs import configure
from service.monitor.judge import Judge
from service.monitor.planning import plan_for
from service.monitor.reference_file import read
from service.replay import Replay
from service.values.backtests import Outcome
from service.values.references import Reference
from service.values.streams import ModelKey
from service.wiring import given_references, time_rules, watches

Unit = Literal["s", "ms", "us"]

NO_COLUMN = "__no_such_column__"


class Columns(Struct, frozen=True):
    """Which columns of a table are no features."""

    time: str | None
    prediction: str | None
    latency: str | None
    latency_unit: Unit
    ignore: tuple[str, ...]

    @property
    def named(self) -> tuple[str, ...]:
        """Those that have a role."""
        return tuple(c for c in (self.time, self.prediction, self.latency) if c is not None)


@click.command("replay")
@click.argument("files", nargs=-1, required=True)
@config_option
@click.option(
    "--reference",
    "reference_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Reference to compare with; may be repeated. Without one the first events become it.",
)
@click.option("--source", help="Read the files as this source of the configuration says.")
@click.option("--model", help="The rows are flat columns of this model (CSV, Parquet, flat JSON).")
@click.option("--model-version", default="unversioned", show_default=True, help="With --model.")
@click.option("--time", "time_column", metavar="COLUMN", help="With --model: the event's time.")
@click.option("--prediction", metavar="COLUMN", help="With --model: the model's answer.")
@click.option("--latency", metavar="COLUMN", help="With --model: how long it took.")
@click.option(
    "--latency-unit", type=click.Choice(["s", "ms", "us"]), default="ms", show_default=True
)
@click.option("--ignore", multiple=True, metavar="GLOB", help="With --model: no feature of ours.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Also write it here; - = stdout."
)
def command(  # noqa: PLR0913 - one argument an option
    *,
    files: tuple[str, ...],
    config_file: Path | None,
    reference_files: tuple[Path, ...],
    source: str | None,
    model: str | None,
    model_version: str,
    time_column: str | None,
    prediction: str | None,
    latency: str | None,
    latency_unit: Unit,
    ignore: tuple[str, ...],
    json_file: Path | None,
) -> None:
    """Run recorded events through the code of the live service and say what would have alarmed.

    FILES are JSON Lines, CSV or Parquet (.jsonl .csv .parquet, also .gz), or globs of them; several
    are read in the order of their names and have to follow each other in time.

    \b
    Recorded events, as they were in the topic:
      anchorwatch replay 'events-2026-11-*.jsonl' --reference ref.json
    \b
    A table, one row a prediction:
      anchorwatch replay scored.parquet --model credit-risk --time scored_at \\
          --prediction score --ignore '*_id' --reference ref.json --json result.json
    """  # noqa: D301 - click reads \b as its paragraph mark
    loaded = load_settings(config_file)
    require_references(loaded)
    configure("console", "error")
    settings = loaded.settings
    table = Columns(time_column, prediction, latency, latency_unit, ignore)
    if model is None:
        chosen = _named_source(settings, source, table, files)
    elif source is not None:
        raise click.UsageError("--source and --model exclude each other")
    else:
        chosen = _table_source(ModelKey(model, model_version), table, files)
    references = tuple(_read(file) for file in reference_files)
    outcome = _replay(settings, chosen, references, files)
    if json_file is not None:
        text = as_json(outcome, loaded.hash, files)
        if str(json_file) == "-":
            click.echo(text)
            return
        json_file.write_text(text + "\n", "utf-8")
    show(outcome, settings, Console())


def _replay(
    settings: Settings,
    source: SourceSettings,
    references: tuple[Reference, ...],
    files: tuple[str, ...],
) -> Outcome:
    rules = time_rules(settings.detection, use_host_clock=False)
    judge = Judge(
        watches(settings),
        given_references(settings, references),
        plan_for,
        rules,
        settings.detection.idle_after,
        settings.limits.models,
    )
    decoder = Decoder(source, judge, settings.limits, rules.pane_seconds)
    with Progress(
        TextColumn("replaying"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task("replay", total=None)
        reader = FilesSource(
            FilesParameters(files),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
        return Replay(reader, decoder, judge, rules, SystemClock().now()).run()


def _table_source(key: ModelKey, columns: Columns, files: tuple[str, ...]) -> SourceSettings:
    """The mapping of a table with one row a prediction."""
    if columns.time is None:
        raise click.UsageError("--model needs --time: the column with the time of each row")
    return SourceSettings(
        name="replay",
        files=files,
        model=(f'"{key.model}"',),
        version=(f'"{key.version}"',),
        time=(f"value.{columns.time}",),
        features=FeatureSettings(include=("value.*",), exclude=(*columns.named, *columns.ignore)),
        prediction=RowsSettings(rows=(_place(columns.prediction),)),
        latency=LatencySettings(path=(_place(columns.latency),), unit=columns.latency_unit),
        text_numbers=any(".csv" in file for file in files),
    )


def _place(column: str | None) -> str:
    """Where a column is; without one, a place that no table has."""
    return f"value.{column or NO_COLUMN}"


def _named_source(
    settings: Settings, name: str | None, columns: Columns, files: tuple[str, ...]
) -> SourceSettings:
    """The source of this name in the configuration; without a name native events."""
    if columns.named or columns.ignore:
        raise click.UsageError("--time, --prediction, --latency and --ignore need --model")
    if name is None:
        return SourceSettings(name="replay", files=files)
    for source in settings.sources:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in settings.sources) or "none"
    raise ConfigurationError(f"--source: there is no source {name!r}; there are: {known}")


def _read(file: Path) -> Reference:
    return read(file.read_bytes(), str(file))
