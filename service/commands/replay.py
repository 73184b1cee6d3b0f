"""`anchorwatch replay`: when would it have alarmed?"""

from pathlib import Path
from typing import Literal

import click
from msgspec import Struct
from rich.console import Console

from config.settings import Settings
from config.sources import FeatureSettings, LatencySettings, RowsSettings, SourceSettings
from service.backtest.assembly import Asked
from service.backtest.incidents import read_incidents
from service.commands import config_option, load_settings, require_references
from service.commands.command_line import as_typed
from service.commands.replay_json import as_json
from service.commands.replay_view import show
from service.commands.replaying import Task, run
from service.errors import ConfigurationError
from service.logs import configure
from service.monitor.references.file import read
from service.publish.backtest_page import backtest_page
from service.values.references import Reference
from service.values.streams import ModelKey

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
    "--expected",
    "expected_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CSV",
    help="Known incidents to find: start, end (RFC 3339) and perhaps model, feature, what.",
)
@click.option(
    "--what-if/--no-what-if",
    default=None,
    help="Judge the panes again under other budgets and tolerances.  [default: with --html]",
)
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a report with pictures: one file, to be opened in a browser.",
)
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
    expected_file: Path | None,
    what_if: bool | None,
    html_file: Path | None,
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
    \b
    Were the incidents found that you know of, and how would other settings have done?
      anchorwatch replay 'events-*.jsonl' --expected incidents.csv --html report.html
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
    _require_directories(html_file, json_file)
    asked = Asked(
        incidents=None if expected_file is None else read_incidents(expected_file),
        what_if=html_file is not None if what_if is None else what_if,
    )
    further = [f for f in (*reference_files, config_file, expected_file) if f is not None]
    references = tuple(_read(file) for file in reference_files)
    again = as_typed(click.get_current_context())
    backtest = run(Task(files, chosen, references, tuple(further), asked, again), loaded)
    if html_file is not None:
        html_file.write_bytes(backtest_page(backtest))
    if json_file is not None:
        text = as_json(backtest, files)
        if str(json_file) == "-":
            click.echo(text)
            return
        json_file.write_text(text + "\n", "utf-8")
    show(backtest, settings, Console())
    if html_file is not None:
        click.echo(f"The report is in {html_file}")


def _require_directories(*outputs: Path | None) -> None:
    """Raise ConfigurationError before a long replay, not after it."""
    for output in outputs:
        if output is not None and not output.parent.is_dir():
            raise ConfigurationError(f"{output} cannot be written: there is no {output.parent}")


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
