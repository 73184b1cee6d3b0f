"""`anchorwatch reference publish | list | show | diff | rollback`: the registry of references."""

import getpass
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from config.settings import Settings
from service.commands import config_option, load_settings
from service.commands.columns import version_option
from service.commands.reference_view import stream_table
from service.commands.registry_names import Named, named_reference
from service.commands.registry_view import (
    HASH_DIGITS,
    as_documents,
    current_table,
    difference_document,
    difference_sentences,
    difference_table,
    history_table,
    moment,
    published_words,
    shelves,
)
from service.commands.replay_references import read_references
from service.composition.registry_access import open_registry, topic_of
from service.monitor.references.difference import difference
from service.monitor.references.file import write
from service.registry.publishing import publish, roll_back, title

F = TypeVar("F", bound=Callable[..., Any])

_WIDTH = 140


def _topic_option(command: F) -> F:
    return click.option(
        "--topic",
        metavar="NAME",
        help="Topic of the references.  [default: that of reference.from in the configuration, "
        "else anchorwatch.references]",
    )(command)


def _by_option(command: F) -> F:
    return click.option("--by", metavar="NAME", help="Who does it.  [default: this user]")(command)


_json_option = click.option("--json", "as_json", is_flag=True, help="For a program.")
_why_option = click.option("--why", default="", help="The reason, for those who come later.")


@click.command("publish", short_help="Make reference files known to every running service.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@config_option
@_topic_option
@_by_option
@_why_option
def publish_command(
    files: tuple[Path, ...], config_file: Path | None, topic: str | None, by: str | None, why: str
) -> None:
    """Put FILES, which `reference build` wrote, into the registry: a topic of Kafka.

    Each becomes the current reference of its model version. Services whose reference.from names the
    topic take it up within seconds, from a minute that no event has touched yet. All files are
    checked before the first is sent. The same one again changes nothing.

    \b
    anchorwatch reference publish credit-risk.json --config anchorwatch.yaml --why "July data"
    """  # noqa: D301 - click reads \b as its paragraph mark
    settings = load_settings(config_file).settings
    given = read_references(files)
    for one in given:
        model = one.reference.model
        where = topic or topic_of(settings, model)
        with open_registry(settings, where, makes=True) as registry:
            outcome = publish(registry, one.reference, by=by or user(), why=why)
            click.echo(published_words(one.reference, outcome))
            _hint(settings, model, registry.log.topic)


@click.command("list", short_help="What is in the registry, and which is current.")
@config_option
@_topic_option
@click.option("--model", help="Of this model only.")
@click.option("--history", is_flag=True, help="Every time that one became current.")
@_json_option
def list_command(
    config_file: Path | None, topic: str | None, model: str | None, *, history: bool, as_json: bool
) -> None:
    """Tell for every model version which reference is current, since when and by whom."""
    settings = load_settings(config_file).settings
    with open_registry(settings, topic or topic_of(settings, model)) as registry:
        found = shelves(registry, model)
        where, problems = registry.log.topic, dict(registry.problems)
    if as_json:
        click.echo(json.dumps(as_documents(found), indent=2, ensure_ascii=False))
    elif found:
        _print(history_table(found) if history else current_table(found))
    else:
        of = "" if model is None else f" of {model}"
        click.echo(f"{where} has no reference{of}: `anchorwatch reference publish` puts one there.")
    for name, reason in problems.items():
        click.echo(f"warning: {name}: {reason}", err=True)


@click.command("show", short_help="What a reference holds; or its file, to be kept.")
@click.argument("reference")
@config_option
@_topic_option
@click.option("--file", "as_file", is_flag=True, help="Print the file itself.")
def show_command(
    reference: str, config_file: Path | None, topic: str | None, *, as_file: bool
) -> None:
    """Show a REFERENCE: a file, or MODEL@VERSION of the registry, MODEL@VERSION:HASH for one of the
    past, MODEL@ for that of any version.

    \b
    anchorwatch reference show credit-risk@3 --file > credit-risk.json
    """  # noqa: D301 - click reads \b as its paragraph mark
    (named,) = _named([reference], load_settings(config_file).settings, topic)
    if as_file:
        click.echo(write(named.reference), nl=False)
        return
    lineage = named.reference.lineage
    built = f"built {moment(lineage.created_seconds)} by {lineage.created_by} from {lineage.source}"
    click.echo(f"{named.name}: {named.reference.hash[:HASH_DIGITS]}, {built}")
    for what, text in sorted(lineage.metadata.items()):
        click.echo(f"  {what}: {text}")
    _print(stream_table(named.reference))


@click.command("diff", short_help="In what two references differ.")
@click.argument("before")
@click.argument("after")
@config_option
@_topic_option
@click.option("--all", "everything", is_flag=True, help="Also streams that hardly differ.")
@_json_option
def diff_command(
    before: str,
    after: str,
    config_file: Path | None,
    topic: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Tell in what AFTER differs from BEFORE; each is a file, MODEL@VERSION of the registry, or
    MODEL@VERSION:HASH for one of the past.

    PSI is over ten bins of equal share of BEFORE; the shift is that of the mean in its standard
    deviations.

    \b
    anchorwatch reference diff credit-risk@3 credit-risk-4.json
    """  # noqa: D301 - click reads \b as its paragraph mark
    one, other = _named([before, after], load_settings(config_file).settings, topic)
    found = difference(one.reference, other.reference)
    if as_json:
        told = difference_document(found, one.name, other.name)
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    if found.before.hash != found.after.hash:
        _print(difference_table(found, everything=everything))
    for sentence in difference_sentences(found, one.name, other.name):
        click.echo(sentence)


@click.command("rollback", short_help="Make an earlier reference current again.")
@click.option("--model", required=True, help="The model.")
@version_option(default=None, help="Its version.  [default: the reference for any version]")
@click.option("--to", metavar="HASH", help="Which one.  [default: the one before the current]")
@config_option
@_topic_option
@_by_option
@_why_option
def rollback_command(
    model: str,
    version: str | None,
    to: str | None,
    config_file: Path | None,
    topic: str | None,
    by: str | None,
    why: str,
) -> None:
    """Take the current reference back: services go on with the one before it, or with HASH.

    \b
    anchorwatch reference rollback --model credit-risk --model-version 3 --why "wrong month"
    """  # noqa: D301 - click reads \b as its paragraph mark
    settings = load_settings(config_file).settings
    with open_registry(settings, topic or topic_of(settings, model)) as registry:
        outcome = roll_back(registry, model, version, to=to, by=by or user(), why=why)
        current = outcome.current.choice.hash[:HASH_DIGITS]
        name, before = title(model, version), (outcome.replaced or "")[:HASH_DIGITS]
        if outcome.done == "unchanged":
            click.echo(f"{name}: {current} is current already")
        else:
            click.echo(f"{name}: {current} is current again, before it was {before}")
        _hint(settings, model, registry.log.topic)


COMMANDS = (publish_command, list_command, show_command, diff_command, rollback_command)


def _named(texts: list[str], settings: Settings, topic: str | None) -> list[Named]:
    """The references that are meant; the registry is read only where one of them is in it."""
    if all(Path(text).is_file() for text in texts):
        return [named_reference(text, None) for text in texts]
    model = next(text for text in texts if not Path(text).is_file()).partition("@")[0]
    with open_registry(settings, topic or topic_of(settings, model)) as registry:
        return [named_reference(text, registry) for text in texts]


def _hint(settings: Settings, model: str, topic: str) -> None:
    """Whether the service of this configuration looks there at all."""
    place = settings.for_model(model).reference.place
    if place != f"topic:{topic}":
        click.echo(
            f"note: by this configuration references of {model} are read from {place}. A service "
            f"takes up what is published where it says reference: {{from: 'topic:{topic}'}}",
            err=True,
        )


def _print(table: Any) -> None:
    Console(width=None if os.isatty(1) else _WIDTH).print(table)


def user() -> str:
    """Who runs this process, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
