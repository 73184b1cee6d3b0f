"""What can be typed: one command a file, each a click command called `command`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from config.assignments import NOTHING, Assignments
from config.errors import ConfigurationProblems
from config.loader import Loaded, load

_OF_A_FLEET = Assignments(("role=judge",))

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Give a command the option `--config FILE`, as the argument `config_file` (Path or None)."""
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        envvar="ANCHORWATCH_CONFIG",
        type=click.Path(path_type=Path),
        help="Configuration file; without one everything has its default. "
        "[variable: ANCHORWATCH_CONFIG]",
    )(command)


def load_settings(config_file: Path | None, said: Assignments = NOTHING) -> Loaded:
    """The settings from a file, from this process's environment, and from what is `said` over both.
    What is wrong with files of teams is told on the side: what they say is left out.

    A file of a fleet may leave it to `run --role` which role it is: for other commands it is as
    good. Raises ConfigurationProblems.
    """
    loaded = _load(config_file, said)
    for problem in loaded.included.problems:
        click.echo(f"anchorwatch: left out: {problem}", err=True)
    return loaded


def _load(config_file: Path | None, said: Assignments) -> Loaded:
    try:
        return load(config_file, os.environ, said)
    except ConfigurationProblems as problems:
        if said is not NOTHING:
            raise
        try:
            return load(config_file, os.environ, _OF_A_FLEET)
        except ConfigurationProblems:
            raise problems from None


def require_references(loaded: Loaded) -> None:
    """Raise ConfigurationProblems for every directory of references that was named in vain."""
    absent = [
        loaded.problem(path, f"{directory} is no directory; make it, or take the line out")
        for path, directory in loaded.settings.reference_directories.items()
        if not directory.is_dir()
    ]
    if absent:
        raise ConfigurationProblems(absent)
