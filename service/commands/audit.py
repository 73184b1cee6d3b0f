"""`anchorwatch audit`: show that a model was watched, when it was not, and by what."""

import os
from pathlib import Path

import click
from rich.console import Console

from service.audit.assembly import audit
from service.clock import SystemClock
from service.commands import config_option, load_settings
from service.commands.audit_broker import with_broker
from service.commands.audit_files import FORMATS, as_json, write_all
from service.commands.audit_period import period_of
from service.commands.audit_source import Wanted, read_recorded
from service.commands.audit_view import show
from service.commands.episode_source import Record, open_record
from service.logs import configure
from service.publish.audit_page import audit_page
from service.values.audits import Audit, AuditedEpisode

_WIDTH = 120
"""Of tables in a file or a pipe."""


@click.command("audit", options_metavar="--model MODEL --from DATE [OPTIONS]")
@config_option
@click.option("--model", required=True, help="The model's name.")
@click.option(
    "--version", "--model-version", "version", help="Of this version only.  [default: all]"
)
@click.option(
    "--from", "start", metavar="DATE", required=True, help="2026-01, 2026-01-01, 30d (ago), a time."
)
@click.option(
    "--to",
    "end",
    metavar="DATE",
    help="The same; a month or a day is included to its end.  [default: now]",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the audit into this directory, which is made, as files.",
)
@click.option(
    "--format",
    "formats",
    metavar="html,csv,json",
    callback=lambda _context, _option, text: _formats(text),
    help="Which files; without --output one of html and json, to standard output.",
)
@click.option(
    "--recount",
    is_flag=True,
    help="Read again what the topics still hold of the time, and count it beside the books.",
)
@click.option("--offline", is_flag=True, help="Ask no broker what it holds.")
@click.option(
    "--record",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the record.  [default: that of the configuration, or its topic]",
)
def command(  # noqa: PLR0913, PLR0917 - an option each
    config_file: Path | None,
    model: str,
    version: str | None,
    start: str,
    end: str | None,
    output: Path | None,
    formats: tuple[str, ...] | None,
    record: Path | None,
    *,
    recount: bool,
    offline: bool,
) -> None:
    """Say what of MODEL was watched in a time, minute by minute, and what was not and why.

    From the record that the service keeps: minutes watched and blind, the books of records and rows
    against the offsets of the broker, the settings and references in force and when they changed,
    mutes, and episodes with their evidence and what people decided.

    \b
    anchorwatch audit --config anchorwatch.yaml --model credit-risk --from 2026-01 --to 2026-06
    anchorwatch audit --config anchorwatch.yaml --model credit-risk --from 30d --output audit
    anchorwatch audit --record copy/episodes --model credit-risk --from 2026-01 --format json
    """  # noqa: D301 - click reads \b as its paragraph mark
    _require_one(formats, output)
    configure("console", "error")
    now = SystemClock().now()
    wanted = Wanted(model, version, period_of(start, end, now))
    loaded = load_settings(config_file)
    if record is not None:
        made = _audit(Record(record), wanted, now)
    else:
        with open_record(loaded.settings) as place:
            made = _audit(place, wanted, now)
    if not offline:
        made = with_broker(made, loaded.settings, recount=recount)
    _put(made, output, formats)


def _audit(record: Record, wanted: Wanted, now_seconds: float) -> Audit:
    recorded = read_recorded(record, wanted)
    episodes = (
        AuditedEpisode(history.events, history.verdicts)
        for history in record.histories().values()
        if not history.newest.drill
    )
    return audit(wanted.model, wanted.version, wanted.period, recorded, episodes, now_seconds)


def _put(made: Audit, output: Path | None, formats: tuple[str, ...] | None) -> None:
    """Files and a summary; or one format alone on standard output."""
    if output is None and formats:
        click.echo(as_json(made) if formats == ("json",) else audit_page(made).decode())
        return
    show(made, Console(width=None if os.isatty(1) else _WIDTH))
    if output is not None:
        for file in write_all(made, output, formats or FORMATS):
            click.echo(f"Written: {file}")


def _formats(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    wrong = [name for name in names if name not in FORMATS]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is none of {', '.join(FORMATS)}")
    return names


def _require_one(formats: tuple[str, ...] | None, output: Path | None) -> None:
    if output is None and formats is not None and formats not in {("json",), ("html",)}:
        raise click.UsageError(
            "several files need a directory: add --output DIR; to standard output goes --format "
            "html or --format json"
        )
