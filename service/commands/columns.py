"""Columns of tables as options name them, the same way in `replay` and `reference build`."""

import math
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import click

from service.errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., Any])

PREDICTION, LATENCY, TIME = "prediction", "latency_ms", "timestamp"
"""What these columns are called when nobody says otherwise."""

LATENCY_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
"""Seconds of each."""

EPOCH_MIN_SECONDS = 1e8
"""A smaller number (March 1973) is an amount, a year or a position, and no time of a prediction."""

_COLUMNS_SHOWN = 20


def version_option(*, default: str | None, help: str) -> Callable[[F], F]:  # noqa: A002 - as click calls it
    """`--model-version`, which may be typed `--version` as well: the argument `version`."""
    return click.option(
        "--model-version", "--version", "version", default=default, show_default=True, help=help
    )


def role_options(command: F) -> F:
    """`--prediction`, `--latency`, `--latency-unit`, `--time`, `--ignore` and `--missing`."""
    options = (
        click.option(
            "--prediction",
            metavar="COLUMN",
            help=f"Column of the prediction.  [default: {PREDICTION}, if there]",
        ),
        click.option(
            "--latency",
            metavar="COLUMN",
            help=f"Column of the latency.  [default: {LATENCY}, if there]",
        ),
        click.option(
            "--latency-unit",
            type=click.Choice(list(LATENCY_UNITS)),
            default="ms",
            show_default=True,
            help="Unit of the latency.",
        ),
        click.option(
            "--time",
            "time_column",
            metavar="COLUMN",
            help=f"Column of the time: RFC 3339, or epoch s or ms.  [default: {TIME}, if there]",
        ),
        click.option("--ignore", multiple=True, metavar="GLOB", help="Columns to leave out."),
        click.option("--missing", multiple=True, metavar="VALUE", help="Means missing: -999, N/A."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def sentinels(texts: Iterable[str]) -> tuple[float | str, ...]:
    """Each text, and the number that it may be."""
    found: list[float | str] = []
    for text in texts:
        found.append(text)
        try:
            number = float(text)
        except ValueError:
            continue
        if not math.isnan(number):  # which is missing anyway
            found.append(number)
    return tuple(found)


def fits(column: str, glob: str) -> bool:
    """Whether a column has this name, or one that the glob matches."""
    return column == glob or fnmatchcase(column, glob)


def require_columns(
    columns: Sequence[str], wanted: Iterable[tuple[str, str]], where: str = ""
) -> None:
    """Refuse options whose column is not there; `wanted` are options with names or globs.

    `where` is what was looked at (", in scored.csv"). Raises ConfigurationError with the nearest
    name, or all of them.
    """
    for option, name in wanted:
        if not any(fits(column, name) for column in columns):
            hint = nearest(name, columns)
            raise ConfigurationError(f"{option}: there is no column {name!r}{where}; {hint}")


def nearest(name: str, columns: Sequence[str]) -> str:
    """What may have been meant, or what there is."""
    near = get_close_matches(name, columns, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    some = sorted(columns)[:_COLUMNS_SHOWN]
    more = len(columns) - len(some)
    return f"there are: {', '.join(some)}" + (f" and {more:,} more" if more else "")
