"""A table with one row a prediction, as a source of events."""

from collections.abc import Sequence
from glob import escape
from typing import Literal

import click
from msgspec import Struct

from config.sources import FeatureSettings, LatencySettings, RowsSettings, SourceSettings
from service.commands.columns import LATENCY, PREDICTION, TIME, require_columns
from service.commands.replay_heads import Head, columns_of, require_times
from service.errors import ConfigurationError
from service.values.streams import ModelKey

Unit = Literal["s", "ms", "us"]

NO_COLUMN = "__no_such_column__"


class Columns(Struct, frozen=True):
    """Which columns of a table are no features, as options say; `ignore` are globs.

    `missing` are values that mean that there is none.
    """

    time: str | None = None
    prediction: str | None = None
    latency: str | None = None
    latency_unit: Unit = "ms"
    ignore: tuple[str, ...] = ()
    missing: tuple[float | str, ...] = ()

    def found(self, heads: Sequence[Head]) -> "Columns":
        """With the usual names of what was not said, where such columns are there.

        Raises ConfigurationError for a column that is not there, or a time that is none, and
        click.UsageError when there is no time.
        """
        columns = columns_of(heads)
        if not columns:
            return self
        _require_flat(heads)
        named = (("--prediction", self.prediction), ("--latency", self.latency))
        where = f" in {heads[0].path}" if len(heads) == 1 else " in any of the files"
        wanted = ((option, name) for option, name in named if name is not None)
        require_columns(columns, wanted, where)
        time = self.time or _usual(TIME, columns)
        if time is None:
            raise click.UsageError(
                "--model needs --time: the column with the time of each row. There are: "
                + ", ".join(sorted(columns)[:20])
            )
        require_times(heads, time)
        return Columns(
            time,
            self.prediction or _usual(PREDICTION, columns),
            self.latency or _usual(LATENCY, columns),
            self.latency_unit,
            self.ignore,
            self.missing,
        )


def no_table(columns: Columns, version: str | None) -> None:
    """Refuse, with click.UsageError, what is said of a table when there is none."""
    if columns != Columns() or version is not None:
        raise click.UsageError(
            "--model-version, --prediction, --latency, --latency-unit, --time, --ignore and "
            "--missing are about the columns of a table: they need --model"
        )


def table_source(
    key: ModelKey, columns: Columns, files: tuple[str, ...], heads: Sequence[Head]
) -> SourceSettings:
    """The mapping of a table; `columns` are those that were found."""
    roles = [c for c in (columns.time, columns.prediction, columns.latency) if c is not None]
    return SourceSettings(
        name="replay",
        files=files,
        model=(_constant(key.model, "--model"),),
        version=(_constant(key.version, "--model-version"),),
        time=(_place(columns.time),),
        features=FeatureSettings(
            include=("value.*",), exclude=(*map(escape, roles), *columns.ignore)
        ),
        prediction=RowsSettings(rows=(_place(columns.prediction),)),
        latency=LatencySettings(path=(_place(columns.latency),), unit=columns.latency_unit),
        missing=columns.missing,
        text_numbers=any(head.is_text for head in heads),
    )


def _require_flat(heads: Sequence[Head]) -> None:
    for head in heads:
        if any(isinstance(row.get("features"), dict) for row in head.rows):
            raise ConfigurationError(
                f"--model: {head.path} holds events with an object `features`, and no flat rows: "
                "leave --model and the options of columns out"
            )


def _usual(name: str, columns: Sequence[str]) -> str | None:
    return name if name in columns else None


def _place(column: str | None) -> str:
    """Where a column is; without one, a place that no table has."""
    return f'value."{_quotable(column or NO_COLUMN, "a column")}"'


def _constant(text: str, option: str) -> str:
    return f'"{_quotable(text, option)}"'


def _quotable(text: str, option: str) -> str:
    if '"' in text:
        raise ConfigurationError(f"{option}: {text} has a quotation mark, which no name may have")
    return text
