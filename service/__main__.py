"""The program `anchorwatch`: finds the command, and turns errors into words and an exit code."""

import difflib
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

import click

from config.errors import ConfigurationProblems
from service.errors import AnchorwatchError

COMMANDS = {
    "demo": "See it work: an embedded stream that starts to drift. No broker needed.",
    "check": "Is a configuration sound? Says every problem with its line.",
    "acl": "The topics and grants to ask the Kafka team for.",
    "run": "The service: consume, judge, serve /metrics.",
    "reference": "Summarise training data into a reference, the picture of normal.",
    "episode": "What drifted, why, and was it real? Reads the record of episodes.",
    "drill": "Try the way to the pager before it is needed.",
    "replay": "When would it have alarmed? Run recorded events through the same code.",
    "audit": "Show that a model was watched, when it was not, and by what.",
    "config": "What is configured, which line says so, and the schema for editors.",
}
"""In the order in which a newcomer meets them."""


class LazyGroup(click.Group):
    """Imports a command only when it is called, so that `--help` is quick.

    A command is the object `command` of the module of its name in `service.commands`.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        """The commands that this installation has, in order of first use."""
        return [name for name in COMMANDS if find_spec(f"service.commands.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, None when there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"service.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first word; a misspelt one fails with the nearest."""
        with _garbage_left_alone():
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near and near != [args[0]]:
                ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
            return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows = [(name, COMMANDS[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands, in the order in which you will want them"):
            formatter.write_dl(rows)


@click.group(
    cls=LazyGroup,
    options_metavar="",
    subcommand_metavar="COMMAND [OPTIONS]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="anchorwatch", prog_name="anchorwatch")
def anchorwatch() -> None:
    """Watch machine-learning models for drift: Kafka in, Prometheus out.

    Anchorwatch reads the predictions that your models make, compares features, scores and latency
    with a reference of what is normal, and serves what it sees at /metrics and on a status page.

    \b
    First look, nothing needed:
      anchorwatch demo
    \b
    Your own topic, with this in anchorwatch.yaml:
      kafka: {bootstrap_servers: [localhost:9092], start: earliest}
      sources:
        - {name: mine, topics: [ml.predictions], format: native}
    \b
      anchorwatch check --config anchorwatch.yaml
      anchorwatch run --config anchorwatch.yaml
    \b
    Compare with training data instead of the first events:
      anchorwatch reference build train.parquet --model credit-risk --output ref.json

    \b
    What is configured, with the line that says so:
      anchorwatch config show --config anchorwatch.yaml --origin

    Each command tells its options: anchorwatch run --help.

    Exit codes: 0 all is well; 2 wrong usage; 70 a failure after which going on would count wrong;
    78 the configuration, or something that it names, has to be changed first.
    """  # noqa: D301 - click's own mark of a paragraph that keeps its lines


def main() -> None:
    """Run the command line; errors of ours become a message without a traceback."""
    try:
        anchorwatch(prog_name="anchorwatch")
    except ConfigurationProblems as error:
        count = len(error.problems)
        problems = "1 problem" if count == 1 else f"{count} problems"
        click.echo(f"anchorwatch: the configuration has {problems}:\n{error}", err=True)
        sys.exit(error.exit_code)
    except AnchorwatchError as error:
        click.echo(f"anchorwatch: {error}", err=True)
        sys.exit(error.exit_code)


@contextmanager
def _garbage_left_alone() -> Iterator[None]:
    """What is imported stays: to look for garbage among it is a tenth of the time of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
