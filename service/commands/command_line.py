"""The command that is running, as it can be typed again."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import click
from click.core import ParameterSource

_SAID = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}


def as_typed(context: click.Context, program: str = "anchorwatch") -> str:
    """One line for a shell: the command with everything that was said, and no default.

    It is told by what the command was given, not by how the process was started: what a variable of
    the environment said is there as its option, and an option has its first spelling.
    """
    words = [program, *_path(context)]
    parameters = context.command.params
    given = [p for p in parameters if context.get_parameter_source(p.name or "") in _SAID]
    for parameter in sorted(given, key=lambda p: isinstance(p, click.Option)):
        words += _words(parameter, context.params[parameter.name or ""])
    return shlex.join(words)


def _path(context: click.Context) -> Sequence[str]:
    """The names of the commands below the program's own."""
    names: list[str] = []
    here: click.Context | None = context
    while here is not None and (here.parent is not None or not names):
        names.insert(0, here.command.name or "")
        here = here.parent
    return names


def _words(parameter: click.Parameter, value: Any) -> Iterator[str]:
    values = value if isinstance(value, tuple) else (value,)
    if not isinstance(parameter, click.Option):
        yield from map(str, values)
        return
    if parameter.is_flag:
        yield (parameter.opts if value else parameter.secondary_opts)[0]
        return
    for one in values:
        yield from (parameter.opts[0], str(one))
