"""`anchorwatch drill`: try the way to the pager before it is needed."""

import difflib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec.structs import replace

from config.settings import Settings
from config.units import format_duration, parse_duration
from service.clock import SystemClock
from service.commands import config_option, load_settings
from service.commands.episode_source import Record, open_record
from service.composition.wiring import episode_rules
from service.monitor.episodes.drills import severity_of
from service.values.drills import Drill, DrillKind
from service.values.episodes import Severity
from service.values.watched import ModelWatched

LASTS_MAX_SECONDS = 86_400.0

_SEEN_SECONDS = 40 * 86_400.0
"""So far back it is looked for which models there are."""


def _lasts(_: click.Context, __: click.Parameter, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not 0 < seconds <= LASTS_MAX_SECONDS:
        raise click.BadParameter(f"must be more than 0s and at most {_words(LASTS_MAX_SECONDS)}")
    return seconds


@click.command("drill", options_metavar="--model NAME [--kind KIND] [OPTIONS]")
@config_option
@click.option("--model", required=True, metavar="NAME", help="Whose alert it looks like.")
@click.option(
    "--model-version",
    "--version",
    metavar="VERSION",
    help="The model's; that of the program is told by `anchorwatch --version`.  [default: the one "
    "that was seen last]",
)
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in DrillKind]),
    help="What it pretends; lag: that Anchorwatch itself is behind.  [default: drift]",
)
@click.option(
    "--for",
    "lasts_seconds",
    metavar="DURATION",
    default="10m",
    show_default=True,
    callback=_lasts,
    help="It ends by itself after so long.",
)
@click.option(
    "--severity",
    type=click.Choice([Severity.PAGE.value, Severity.TICKET.value]),
    help="Whom it reaches.  [default: as the tier of the model has it; lag: page]",
)
@click.option("--by", default="somebody", show_default=True, metavar="NAME", help="Who asks.")
@click.option("--end", is_flag=True, help="End those of the model that last, of one kind or all.")
def command(  # noqa: PLR0913 - one argument an option
    config_file: Path | None,
    model: str,
    model_version: str | None,
    kind: str | None,
    lasts_seconds: float,
    severity: str | None,
    by: str,
    *,
    end: bool,
) -> None:
    """Have the running service tell of an episode that nothing has happened for.

    It goes the way of a real one: metrics with drill="true", the rules, Alertmanager, whoever is on
    call; words begin with DRILL. No figure of a model and no count of episodes knows of it, and it
    ends by itself. The service hears of it by its record, as of verdicts.

    \b
    anchorwatch drill --config anchorwatch.yaml --model credit-risk --kind drift --by a.name
    anchorwatch drill --config anchorwatch.yaml --model credit-risk --end
    """  # noqa: D301 - click reads \b as its paragraph mark
    settings, now = load_settings(config_file).settings, SystemClock().now()
    with open_record(settings) as record:
        if end:
            _end(record, model, None if kind is None else DrillKind(kind), now)
            return
        asked = Drill(
            episode="",
            kind=DrillKind(kind or "drift"),
            model=model,
            version=_version(record, model, now) if model_version is None else model_version,
            by=by,
            at_seconds=now,
            until_seconds=now + lasts_seconds,
            severity=None if severity is None else Severity(severity),
        )
        asked = replace(asked, episode=_name(asked))
        record.add_drill(asked)
    click.echo(_told(asked, settings, lasts_seconds))


def _name(drill: Drill) -> str:
    """Fit for an address and for a shell: `drill-drift-credit-risk-20261124-102500`."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", drill.model)[:80].strip("-.") or "model"
    at = datetime.fromtimestamp(drill.at_seconds, UTC)
    return f"drill-{drill.kind.value}-{plain}-{at:%Y%m%d-%H%M%S}"


def _version(record: Record, model: str, now_seconds: float) -> str:
    """The version that was seen last. Raises click.UsageError where none was."""
    entries = record.watched(now_seconds - _SEEN_SECONDS, None)
    seen = [entry for entry in entries if isinstance(entry, ModelWatched)]
    mine = [entry for entry in seen if entry.model == model]
    if mine:
        return max(mine, key=lambda entry: entry.at_seconds).version
    near = difflib.get_close_matches(model, {entry.model for entry in seen}, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Name its version too, by --model-version."
    raise click.UsageError(f"the service has not seen a model {model!r} lately. {hint}")


def _end(record: Record, model: str, kind: DrillKind | None, now_seconds: float) -> None:
    lasting = [
        drill
        for drill in _lasting(record.drills(), now_seconds)
        if drill.model == model and kind in {None, drill.kind}
    ]
    for drill in lasting:
        record.add_drill(replace(drill, ends=True, at_seconds=now_seconds))
        click.echo(f"{drill.episode} ends within seconds.")
    if not lasting:
        click.echo(f"No drill of {model} lasts.")


def _lasting(drills: Iterable[Drill], now_seconds: float) -> list[Drill]:
    known: dict[str, Drill] = {}
    for drill in drills:
        if drill.ends:
            known.pop(drill.episode, None)
        elif drill.until_seconds > now_seconds:
            known[drill.episode] = drill
    return list(known.values())


def _told(drill: Drill, settings: Settings, lasts_seconds: float) -> str:
    """What to expect, as these settings have it; the service goes by its own."""
    rules = episode_rules(settings, "")
    owner = rules.owner_of(drill.model)
    severity = drill.severity or severity_of(drill.kind, owner.tier, rules.severities)
    until = datetime.fromtimestamp(drill.until_seconds, UTC).strftime("%H:%M:%S")
    if severity is Severity.LOG:
        reaches = "tells nobody, as tier and `severity` have it: --severity page tries all the same"
    else:
        reaches = f"is a {severity.value} for {owner.team}"
    return (
        f"{drill.episode} {reaches}; until {until} UTC, {_words(lasts_seconds)}.\n"
        "The service hears of it within seconds; its alert has the label drill, words say DRILL.\n"
        f"End it earlier: anchorwatch drill --model {drill.model} --end"
    )


def _words(seconds: float) -> str:
    return format_duration(seconds)
