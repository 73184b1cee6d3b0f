"""`anchorwatch config`: what is configured, and which line says so."""

import json
import sys
from pathlib import Path

import click

from config.schema import json_schema
from config.show import show, show_feature, show_model
from service.commands import config_option, load_settings
from service.commands.config_diff import as_text, difference


@click.group("config")
def command() -> None:
    """What is configured, which line says so, what differs, and the schema for editors."""


@command.command(
    "show",
    short_help="Print the configuration in force, or what holds for one model.",
    options_metavar="[--config FILE] [--model NAME [--feature NAME]] [--origin]",
)
@config_option
@click.option("--model", metavar="NAME", help="What holds for this model: rules by glob resolved.")
@click.option("--feature", metavar="NAME", help="With --model: what holds for this feature of it.")
@click.option(
    "--origin",
    is_flag=True,
    help="Add to each value the file and line, or the variable, that says so.",
)
def show_command(
    config_file: Path | None, model: str | None, feature: str | None, *, origin: bool
) -> None:
    """Print the configuration in force as YAML: file, environment and defaults together.

    A secret is shown as it was written (${file:...}, ${env:...}), or as ***.

    \b
    anchorwatch config show --config anchorwatch.yaml
    anchorwatch config show --config anchorwatch.yaml --model credit-risk --origin
    anchorwatch config show --config anchorwatch.yaml --model credit-risk --feature income
    """  # noqa: D301 - click's mark of a paragraph that keeps its lines
    if feature is not None and model is None:
        raise click.UsageError("--feature needs --model: features belong to a model")
    loaded = load_settings(config_file)
    if model is None:
        text = show(loaded, origin=origin)
    elif feature is None:
        text = show_model(loaded, model, origin=origin)
    else:
        text = show_feature(loaded, model, feature, origin=origin)
    click.echo(text, nl=False)


@command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    Save it and name it in the first line of the file, and an editor completes and checks it:

    \b
    anchorwatch config schema > anchorwatch.schema.json
    # yaml-language-server: $schema=anchorwatch.schema.json
    """  # noqa: D301 - as above
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@command.command(
    "diff",
    short_help="In what two configurations differ, or one and what is in force.",
    options_metavar="[--config FILE]",
)
@config_option
@click.argument("before", required=False)
@click.argument("after", required=False)
def diff_command(config_file: Path | None, before: str | None, after: str | None) -> None:
    """Print each setting that differs, BEFORE and AFTER, and whether it needs a restart.

    Each is a file, or the first digits of a hash (config_info has it) that the record knows. AFTER
    is the file of --config unless said, BEFORE what was in force last by the record. Environment
    variables are those of this shell. Exit code 0: they are the same; 1: they differ.

    \b
    anchorwatch config diff old.yaml new.yaml
    anchorwatch config diff --config anchorwatch.yaml
    anchorwatch config diff --config anchorwatch.yaml 4c6eaf5
    """  # noqa: D301 - click reads \b as its paragraph mark
    found = difference(config_file, before, after)
    click.echo(as_text(found) if found else "They are the same.")
    if found:
        sys.exit(1)
