"""`anchorwatch config`: what is configured, and which line says so."""

import json
from pathlib import Path

import click

from config.schema import json_schema
from config.show import show, show_feature, show_model
from service.commands import config_option, load_settings


@click.group("config")
def command() -> None:
    """What is configured, which line says so, and the schema for editors."""


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
