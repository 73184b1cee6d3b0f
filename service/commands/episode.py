"""`anchorwatch episode`: what drifted, why, and what people made of it."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click

from service.clock import SystemClock
from service.commands import config_option, load_settings
from service.commands.episode_source import Record, find_history, open_record
from service.commands.episode_view import as_json, as_list, as_text
from service.commands.moments import parse_moment
from service.publish.episode_advice import Where
from service.state.episode_history import EpisodeHistory
from service.values.episodes import Verdict

_record_option = click.option(
    "--record",
    "record",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the record.  [default: state.episodes.topic of the configuration, else "
    "episodes in its state.path]",
)
_json_option = click.option("--json", "json", is_flag=True, help="For a program.")


def _says_something(_: click.Context, __: click.Parameter, text: str) -> str:
    """The text without space around it; a blank one is refused: the record is for audits."""
    if not text.strip():
        raise click.BadParameter("must say something: it is kept for those who come later")
    return text.strip()


@click.group("episode")
def command() -> None:
    """What drifted, since when, why, and whether it was real: the record of episodes."""


@command.command("list", short_help="Episodes, the newest first.")
@config_option
@_record_option
@click.option("--model", help="Of this model only; sources that it was on are left out.")
@click.option("--since", help="Not over before then: 7d ago, or a time such as 2026-11-23T10:00.")
@click.option("--open", "only_open", is_flag=True, help="Those that last.")
@_json_option
def list_(
    config_file: Path | None,
    record: Path | None,
    model: str | None,
    since: str | None,
    *,
    only_open: bool,
    json: bool,
) -> None:
    """Say what there was, the newest first.

    \b
    anchorwatch episode list --config anchorwatch.yaml --since 7d
    anchorwatch episode list --model credit-risk --open
    """  # noqa: D301 - click reads \b as its paragraph mark
    now = SystemClock().now()
    after = 0.0 if since is None else parse_moment(since, now, "--since")
    chosen = [
        history
        for history in _read(config_file, record).values()
        if history.lasts_after(after)
        and (model is None or history.newest.model == model)
        and (not only_open or history.newest.is_open)
    ]
    chosen.sort(key=lambda history: -history.newest.started_seconds)
    if json:
        click.echo(as_json(chosen))
    elif chosen:
        click.echo(as_list(chosen))
    else:
        click.echo("No such episode is in the record.")


@command.command("show", short_help="One episode: evidence, likely cause, what to do.")
@click.argument("episode")
@config_option
@_record_option
@_json_option
def show(episode: str, config_file: Path | None, record: Path | None, *, json: bool) -> None:
    """Tell everything that is kept of EPISODE, as the record holds it.

    \b
    anchorwatch episode show credit-risk-20261123-1020
    """  # noqa: D301 - click reads \b as its paragraph mark
    history = find_history(_read(config_file, record), episode)
    if json:
        click.echo(as_json([history], every_event=True))
    else:
        click.echo(as_text(history, SystemClock().now(), _where(config_file, record)))


@command.command("verdict", short_help="Was it real? Write down what was found.")
@click.argument("episode")
@click.argument("real", metavar="true|false", type=click.Choice(["true", "false"]))
@click.option("--by", required=True, callback=_says_something, help="Who decided it.")
@click.option(
    "--why",
    required=True,
    callback=_says_something,
    help="The reason, for those who come later.",
)
@config_option
@_record_option
def verdict(
    episode: str,
    real: Literal["true", "false"],
    by: str,
    why: str,
    config_file: Path | None,
    record: Path | None,
) -> None:
    """Write into the record whether EPISODE was real; the running service counts it.

    The rate of false alarms is known only where people say so.

    \b
    anchorwatch episode verdict credit-risk-20261123-1020 false --by a.name --why "campaign"
    """  # noqa: D301 - click reads \b as its paragraph mark
    with _open(config_file, record) as place:
        history = find_history(place.histories(), episode)
        if history.newest.drill:
            raise click.UsageError(f"{episode} is a drill: nothing has happened to decide on")
        given = _verdict(history, by, why, real=real == "true")
        place.add_verdict(given)
    before = history.verdict
    said = "" if before is None else f", after {str(before.real).lower()} by {before.by}"
    click.echo(f"{given.episode}: {real}, decided by {by}{said}.")


def _verdict(history: EpisodeHistory, by: str, why: str, *, real: bool) -> Verdict:
    newest, before = history.newest, history.verdict
    # A verdict that is changed is counted where the first one was.
    severity = newest.severity if before is None else before.severity
    return Verdict(
        episode=newest.id,
        real=real,
        by=by,
        why=why,
        at_seconds=SystemClock().now(),
        model=newest.model,
        version=newest.version,
        kind=newest.kind,
        severity=severity,
        team=newest.team,
        previous=None if before is None else before.real,
    )


def _where(config_file: Path | None, record: Path | None) -> Where:
    """What a command has to be given to find the same record and configuration."""
    config = "" if config_file is None else f" --config {shlex.quote(str(config_file))}"
    return Where(config, config if record is None else f" --record {shlex.quote(str(record))}")


@contextmanager
def _open(config_file: Path | None, record: Path | None) -> Iterator[Record]:
    """A directory that is named needs no configuration."""
    if record is not None:
        yield Record(record)
        return
    with open_record(load_settings(config_file).settings) as place:
        yield place


def _read(config_file: Path | None, record: Path | None) -> Mapping[str, EpisodeHistory]:
    with _open(config_file, record) as place:
        return place.histories()
