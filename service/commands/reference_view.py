"""What a person is shown of a reference: a table of its streams, and what to be wary of."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from service.commands.reference_building import Built
from service.values.references import Reference, StreamReference
from service.values.streams import Kind, ValueType

FEATURES_MAX = 2000
"""The service's limit unless the configuration says otherwise."""

_NAMES_SHOWN = 10


def stream_table(reference: Reference) -> Table:
    """A line a stream: kind, rows with a value, missing, cells, and its range or top category."""
    version = "any version" if reference.version is None else f"version {reference.version}"
    table = Table(title=Text(f"{reference.model}, {version}: {reference.rows:,} rows"))
    table.add_column("stream", overflow="fold")
    table.add_column("type")
    for heading in ("values", "missing", "invalid", "cells"):
        table.add_column(heading, justify="right")
    table.add_column("minimum / median / maximum, or most frequent", overflow="fold")
    for stream in reference.streams:
        table.add_row(*_cells(stream, reference.rows))
    return table


def warnings(reference: Reference) -> list[str]:
    """What will not be watched as one may think, a sentence each."""
    found = [text for stream in reference.streams for text in _stream_warnings(stream)]
    features = sum(stream.key.kind is Kind.INPUT for stream in reference.streams)
    if features > FEATURES_MAX:
        found.append(
            f"{features:,} features: the service watches {FEATURES_MAX:,} a model unless "
            "features_max allows more; leave some out with --ignore"
        )
    return found


def column_warnings(built: Built) -> list[str]:
    """What options did not do, and what became of columns otherwise than one may think."""
    found = [f"{option}: there is no column {glob!r}" for option, glob in built.idle_globs]
    if built.taken:
        model = built.reference.model
        found.append(
            f"the service ignores {_listed(built.taken)}, and would leave out what was built of it:"
            f" have the configuration say models.{model}.features.{built.taken[0]}: "
            "{ignore: false}"
        )
    return [*found, *map(_zeros_warning, built.zeros_lost), *built.warnings]


def left_out(built: Built) -> str:
    """Which columns are no part of the reference, and how they would be."""
    columns = built.left_out
    return (
        f"left out, as the service ignores them: {_listed(columns)}. To have one watched: "
        f"--take {columns[0]}, and models.{built.reference.model}.features.{columns[0]}: "
        "{ignore: false} in the configuration"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _zeros_warning(column: str) -> str:
    return (
        f"column {column!r} is numeric, but some of its values begin with a zero, which is lost: "
        f"--kind {column}=categorical keeps them apart, as they are in events that hold text"
    )


def _cells(stream: StreamReference, rows: int) -> tuple[str | Text, ...]:
    is_input = stream.key.kind is Kind.INPUT
    name = Text(stream.key.name, style="" if is_input else "bold")
    missing = f"{100 * stream.missing / rows:.2f} %" if rows else ""
    return (
        name,
        stream.type.value,
        f"{stream.valid:,}",
        missing,
        f"{stream.invalid:,}",
        str(len(stream.counts)),
        Text(_gist(stream)),
    )


def _gist(stream: StreamReference) -> str:
    if not stream.valid:
        return ""
    if stream.type is ValueType.NUMERIC:
        median = stream.quantiles[0.5]
        return f"{stream.minimum:.6g} / {median:.6g} / {stream.maximum:.6g}"
    if not stream.categories:
        return f"{stream.distinct:,} rare categories"
    top = int(stream.counts[: len(stream.categories)].argmax())
    share = 100 * stream.counts[top] / stream.valid
    return f"{stream.categories[top]} ({share:.1f} %), {stream.distinct:,} different"


def _stream_warnings(stream: StreamReference) -> list[str]:
    name, valid = f"{stream.key.kind} {stream.key.name!r}", stream.valid
    if not valid:
        return [f"{name} has no valid value: only its missing rate can be watched"]
    found = []
    if stream.distinct == 1 and valid > 1:
        found.append(f"{name} is constant: any other value will count as a change")
    other = int(stream.counts[-1])
    if stream.type is ValueType.CATEGORICAL and 2 * other > valid:
        found.append(
            f"{name} has about {stream.distinct:,} categories, and {100 * other / valid:.0f} % of "
            "its values are in rare ones: if it identifies rows, leave it out with --ignore"
        )
    if stream.open_ended:
        found.append(
            f"{name} has more rare categories than can be kept by name: one that is not in the "
            "data will count as rare, not as unseen"
        )
    if stream.invalid:
        found.append(
            f"{name} has {stream.invalid:,} values that are not {stream.type.value}: if they mean "
            "that there is none, name them with --missing; else see --kind"
        )
    return found
