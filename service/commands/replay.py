"""`anchorwatch replay`: when would it have alarmed?"""

import os
from pathlib import Path

import click
from rich.console import Console

from config.sources import SourceSettings
from service.backtest.assembly import Asked
from service.backtest.incidents import read_incidents
from service.clock import SystemClock
from service.commands import config_option, require_references
from service.commands.columns import role_options, sentinels, version_option
from service.commands.command_line import as_typed
from service.commands.replay_episode import (
    find_episode,
    question_of,
    reference_of,
    require_model,
)
from service.commands.replay_heads import columns_of, heads_of
from service.commands.replay_json import as_json
from service.commands.replay_references import read_references, require_fit
from service.commands.replay_sources import events_source, named_source
from service.commands.replay_table import Columns, Unit, no_table, table_source
from service.commands.replay_topics import (
    Recording,
    Wanted,
    as_typed_again,
    recording_of,
    require_one_input,
)
from service.commands.replay_view import show
from service.commands.replay_warnings import Material, failure
from service.commands.replaying import Task, run
from service.errors import ConfigurationError
from service.ingest.decode.identity import UNVERSIONED
from service.logs import configure
from service.publish.backtest_page import backtest_page
from service.values.backtests import Backtest
from service.values.streams import ModelKey

_WIDTH = 120
"""Of tables in a file or a pipe."""


@click.command("replay")
@click.argument("files", nargs=-1)
@config_option
@click.option(
    "--topic",
    "topics",
    metavar="TOPIC",
    multiple=True,
    help="Instead of FILES: a recorded topic; may be repeated. It is read as the source of the "
    "configuration that has it says, or that of --source.",
)
@click.option(
    "--from",
    "start",
    metavar="TIME|OFFSET",
    help="Of topics: 2026-11-23T10:20Z or -7d, by Kafka's time; an offset, one for each partition "
    "(0:12345,1:999), earliest, latest. Without --topic: the topics of the sources.  "
    "[default: earliest; with --episode: so long before it as it takes to judge it]",
)
@click.option(
    "--to",
    "end",
    metavar="TIME|OFFSET",
    help="Of topics: read what is before this.  [default: where they end now; with --episode: its "
    "end]",
)
@click.option(
    "--reference",
    "reference_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Reference to compare with; may be repeated. Without one the first events become it.",
)
@click.option(
    "--episode",
    metavar="NAME",
    help="Judge an episode of the record again: would it fire? Its model, time and reference are "
    "known then.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the record.  [default: episodes in state.path of the configuration]",
)
@click.option(
    "--set",
    "said",
    metavar="KEY=VALUE",
    multiple=True,
    help="A setting over that of the configuration, and what it changes: tolerance.shift=0.25, "
    "detection.false_alarm_budget='1 per 7d per team'. May be repeated.",
)
@click.option("--source", help="Read them as this source of the configuration says.")
@click.option(
    "--model",
    help="The rows are flat columns (CSV, Parquet, flat JSON) of the model of this name; the "
    "options from --model-version to --missing are about them.",
)
@version_option(default=None, help=f"The model's version.  [default with --model: {UNVERSIONED}]")
@role_options
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
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    show_default="the cores",
    help="So many processes judge the panes again at a time.",
)
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a report with pictures: one file, to be opened in a browser.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Also write it as JSON; - is stdout, with nothing beside it.",
)
def command(  # noqa: PLR0913 - one argument an option
    *,
    files: tuple[str, ...],
    config_file: Path | None,
    topics: tuple[str, ...],
    start: str | None,
    end: str | None,
    reference_files: tuple[Path, ...],
    episode: str | None,
    record: Path | None,
    said: tuple[str, ...],
    source: str | None,
    model: str | None,
    version: str | None,
    prediction: str | None,
    latency: str | None,
    latency_unit: Unit,
    time_column: str | None,
    ignore: tuple[str, ...],
    missing: tuple[str, ...],
    expected_file: Path | None,
    what_if: bool | None,
    jobs: int,
    html_file: Path | None,
    json_file: Path | None,
) -> None:
    """Run recorded events through the code of the live service and say what would have alarmed.

    FILES are JSON Lines, CSV or Parquet (.jsonl .csv .parquet, also .gz), or globs of them; several
    are read in the order of their names and have to follow each other in time. What is not used of
    them is said on standard error. Exit code 78: nothing could be read, none of the references was
    used, or an option names what is not there.

    Or what a topic still holds: read by no consumer group, committing nothing, up to where it ends
    when the replay starts. What retention has deleted of it is said.

    \b
    Recorded events, as they were in the topic:
      anchorwatch replay 'events-2026-11-*.jsonl' --reference ref.json
    \b
    The last week of the topics of the configuration, or a piece of one:
      anchorwatch replay --config anchorwatch.yaml --from -7d
      anchorwatch replay --topic ml.predictions --from 0:12345,1:999 --to 2026-11-23T10:20Z
    \b
    A table, one row a prediction:
      anchorwatch replay scored.parquet --model credit-risk --model-version 3 \\
          --time scored_at --prediction score --reference ref.json --json result.json
    \b
    Were the incidents found that you know of, and how would other settings have done?
      anchorwatch replay 'events-*.jsonl' --expected incidents.csv --html report.html
    \b
    Would an episode fire again with another setting, and what else would change?
      anchorwatch replay 'events-*.jsonl' --config anchorwatch.yaml \\
          --episode credit-risk-20261123-1020 --set tolerance.shift=0.25
      anchorwatch replay --config anchorwatch.yaml --episode credit-risk-20261123-1020
    """  # noqa: D301 - click reads \b as its paragraph mark
    asked = None if episode is None else find_episode(episode, config_file, record)
    if asked is None and record is not None:
        raise click.UsageError("--record is where an --episode is looked for")
    wanted = Wanted(topics, start, end)
    require_one_input(files, wanted, episode, model)
    own = require_model(asked, model, version)
    question, loaded = question_of(asked, said, own, config_file)
    require_references(loaded)
    configure("console", "error")
    _require_directories(html_file, json_file)
    columns = Columns(time_column, prediction, latency, latency_unit, ignore, sentinels(missing))
    references = read_references(reference_files)
    if asked is not None:
        references = reference_of(asked, references, loaded.settings)
        if model is None and columns != Columns():
            model, version = asked.episode.key
    context = click.get_current_context()
    typed = as_typed(context)
    chosen: SourceSettings | Recording
    if not files:
        no_table(columns, version)
        by_name = None if source is None else named_source(loaded.settings, source)
        now = SystemClock().now()
        chosen = recording_of(loaded.settings, wanted, by_name, asked, now)
        material = Material(references, is_native=chosen.is_native, is_topic=True)
        typed = as_typed_again(context, chosen)
    elif model is None:
        no_table(columns, version)
        chosen = events_source(loaded.settings, source, files, asked)
        material = Material(references, is_native=source is None)
    elif source is not None:
        raise click.UsageError("--source and --model exclude each other")
    else:
        key = ModelKey(model, version or UNVERSIONED)
        require_fit(references, key, said=version is not None)
        heads = heads_of(files)
        chosen = table_source(key, columns.found(heads), files, heads)
        material = Material(references, columns_of(heads), key, ignore)
    further = (*reference_files, config_file, expected_file)
    task = Task(
        files,
        chosen,
        material,
        tuple(file for file in further if file is not None),
        Asked(
            incidents=None if expected_file is None else read_incidents(expected_file),
            what_if=html_file is not None if what_if is None else what_if,
            jobs=jobs,
        ),
        typed,
        question,
    )
    backtest = run(task, loaded)
    _tell(backtest, files, html_file, json_file)
    fault = failure(backtest.outcome, material)
    if fault:
        raise ConfigurationError(fault)


def _require_directories(*outputs: Path | None) -> None:
    """Raise ConfigurationError before a long replay, not after it."""
    for output in outputs:
        if output is not None and not output.parent.is_dir():
            raise ConfigurationError(f"{output} cannot be written: there is no {output.parent}")


def _tell(
    backtest: Backtest, files: tuple[str, ...], html_file: Path | None, json_file: Path | None
) -> None:
    """Write what was asked for, and say the rest; with --json - nothing else is on stdout."""
    to_stdout = str(json_file) == "-"
    if html_file is not None:
        _write(html_file, backtest_page(backtest))
    if to_stdout:
        click.echo(as_json(backtest, files))
    else:
        show(backtest, Console(width=None if os.isatty(1) else _WIDTH))
        if json_file is not None:
            _write(json_file, (as_json(backtest, files) + "\n").encode())
    for warning in backtest.warnings:
        click.echo(f"warning: {warning}", err=True)
    if html_file is not None:
        click.echo(f"The report is in {html_file}", err=to_stdout)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error
