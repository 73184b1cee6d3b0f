"""What a training pipeline calls: the reference of a data frame, saved or published.

import anchorwatch

anchorwatch.reference(df, model="credit-risk", version="4", prediction="score").publish()
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from config.loader import load
from config.settings import Settings
from service.clock import SystemClock
from service.commands.columns import LATENCY, LATENCY_UNITS, PREDICTION, TIME
from service.commands.gathering import Gathering
from service.commands.profiling import Profiling, Roles
from service.commands.reference_building import Built, Origin, Request, reference_of, told
from service.commands.reference_registry import user
from service.commands.reference_view import column_warnings, left_out
from service.commands.reference_view import warnings as reference_warnings
from service.commands.registry_view import published_words
from service.commands.relations import with_relations
from service.commands.row_hash import RowHash
from service.commands.time_order import Cut, with_time_order
from service.commands.whole_file import write_whole
from service.composition.registry_access import open_registry, topic_of
from service.composition.wiring import watches
from service.errors import ConfigurationError
from service.ingest.files.kinds import refuse_twins
from service.ingest.files.table_formats import CELLS_MAX, ROWS_MAX, Cells, Table, table_of_batch
from service.monitor.references.file import write
from service.registry.publishing import publish
from service.values.references import Reference
from service.values.streams import ValueType

SOURCE = "a data frame"
_VARIABLE = "ANCHORWATCH_KAFKA__"


class TrainingReference:
    """The reference of a data frame. `text` is what `save` writes.

    `warnings` tell what will not be watched as one may think; Python has warned of them too.
    """

    def __init__(self, built: Built, config: Path | None) -> None:
        self.reference: Reference = built.reference
        self.warnings = (*reference_warnings(built.reference), *column_warnings(built))
        self.notes = (*built.notes, *([left_out(built)] if built.left_out else []))
        self._config = config

    @property
    def hash(self) -> str:
        """What names it: the same rows, whatever their order, have the same one."""
        return self.reference.hash

    @property
    def rows(self) -> int:
        """Rows that it was built of."""
        return self.reference.rows

    @property
    def text(self) -> str:
        """The reference as a file: JSON that people can read and compare."""
        return write(self.reference)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all. Raises ConfigurationError where it cannot be."""
        place = Path(path)
        write_whole(place, self.text)
        return place

    def publish(
        self,
        bootstrap_servers: str | Sequence[str] | None = None,
        *,
        topic: str | None = None,
        security: Mapping[str, str | os.PathLike[str]] | None = None,
        by: str | None = None,
        why: str = "",
    ) -> str:
        """Make it the current reference of its model version for every service that reads the
        topic; the same one again changes nothing. Returns what was done, in words.

        The brokers, how to log in (`security`: the keys of kafka.security) and the topic are those
        of the configuration (`config`, the variable ANCHORWATCH_CONFIG, ANCHORWATCH_KAFKA__...)
        unless they are said here. Raises ConfigurationError or ConfigurationProblems for what has
        to be changed, RecoverableError when no broker answers: try again.
        """
        settings = _settings(self._config, _said(bootstrap_servers, security or {}))
        where = topic or topic_of(settings, self.reference.model)
        with open_registry(settings, where, makes=True) as registry:
            outcome = publish(registry, self.reference, by=by or user(), why=why)
        return published_words(self.reference, outcome)

    def __repr__(self) -> str:
        named = f"model={self.reference.model!r}, version={self.reference.version!r}"
        return f"TrainingReference({named}, rows={self.rows}, hash={self.hash[:12]!r})"


def reference(  # noqa: PLR0913 - one an option of the command
    df: Any,
    *,
    model: str,
    version: str | None = None,
    prediction: str | None = None,
    latency: str | None = None,
    latency_unit: str = "ms",
    time: str | None = None,
    probabilities: Mapping[str, str] | None = None,
    cutoffs: Sequence[float] = (),
    ignore: Sequence[str] = (),
    take: Sequence[str] = (),
    missing: Sequence[float | str] = (),
    kinds: Mapping[str, str] | None = None,
    dataset: str | None = None,
    metadata: Mapping[str, str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> TrainingReference:
    """What normal looks like, from the rows that a model was trained on.

    `df` is a data frame of pandas or polars, a table or record batch of pyarrow, or whatever has
    `__arrow_c_stream__` or `to_arrow()`. The others are as the options of `anchorwatch reference
    build`: columns by role, sentinels that mean missing, kinds by glob of names (`{"mcc":
    "categorical"}`). `version` None holds for any. `config` is a configuration file, of which what
    holds for the model is taken: features to ignore, time zone, pane.

    Raises ConfigurationError where a column is not there or cannot be what it is said to be, or
    where there is no row.
    """
    place = None if config is None else Path(config)
    settings = _settings(place, {})
    rules = settings.for_model(model)
    request = Request(
        paths=(),
        model=model,
        version=version,
        roles=Roles(
            prediction=prediction or PREDICTION,
            latency=latency or LATENCY,
            latency_seconds=_unit(latency_unit),
            time=time or TIME,
            ignored=tuple(ignore),
            unwatched=lambda feature: rules.for_feature(feature).ignore,
            taken=tuple(take),
            probabilities=probabilities or {},
            cutoffs=tuple(sorted(set(cutoffs))),
        ),
        kinds={glob: _kind(kind) for glob, kind in (kinds or {}).items()},
        missing=tuple(missing),
        dataset=dataset,
        metadata=metadata or {},
        categories_max=settings.limits.categories,
        cut=Cut(settings.detection.pane, watches(settings)(model).season),
    )
    asked = {"prediction": prediction, "latency": latency, "time": time}
    found = TrainingReference(_build(request, asked, arrow_table(df)), place)
    for text in found.warnings:
        warnings.warn(f"anchorwatch: {text}", stacklevel=2)
    return found


def arrow_table(df: Any) -> pa.Table:
    """A data frame as columns of Arrow; an index of pandas is no column.

    Raises ConfigurationError for what is none, or has a column of values of several types.
    """
    try:
        if isinstance(df, pa.Table):
            return df
        if isinstance(df, pa.RecordBatch):
            return pa.Table.from_batches([df])
        if type(df).__module__.partition(".")[0] == "pandas":
            return pa.Table.from_pandas(df, preserve_index=False)
        if hasattr(df, "collect") and hasattr(df, "lazy"):
            df = df.collect()
        if hasattr(df, "__arrow_c_stream__"):
            return pa.table(df)
        if hasattr(df, "to_arrow"):
            return df.to_arrow()
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(
            f"the data frame cannot be read as columns of one type each: {reason}. Make such a "
            "column numbers or text first, as df[name].astype(str) does"
        ) from error
    raise ConfigurationError(
        f"{type(df).__module__}.{type(df).__name__} is no data frame: give one of pandas, polars "
        "or pyarrow"
    )


def _build(request: Request, asked: Mapping[str, str | None], data: pa.Table) -> Built:
    refuse_twins(data.column_names)
    cells = request.cells()
    profiling, row_hash = Profiling(request.roles), RowHash()
    for table in _tables(data, cells):
        profiling.add(table)
        row_hash.update(table)

    def gather(_purpose: str, gathering: Gathering) -> None:
        for table in _tables(data, cells):
            gathering.add(table)

    wanted = [(option, column) for option, column in asked.items() if column is not None]
    wanted += [("probabilities", column) for column in request.roles.probabilities.values()]
    origin = Origin(SOURCE, row_hash.hex(), SystemClock().now())
    built = reference_of(profiling, request, wanted, origin)
    built = with_relations(built, profiling.columns, gather)
    ordered = with_time_order(built, profiling, request.cut, lambda _: _tables(data, cells))
    return told(ordered, profiling, request.roles)


def _tables(data: pa.Table, cells: Cells) -> Iterator[Table]:
    """In pieces of the size of those of a file."""
    rows_max = max(1, min(ROWS_MAX, CELLS_MAX // max(1, data.num_columns)))
    for batch in data.to_batches(max_chunksize=rows_max):
        if batch.num_rows:
            yield table_of_batch(batch, cells)


def _settings(config: Path | None, said: Mapping[str, str]) -> Settings:
    """From the file, this process's environment, and what is said over both."""
    variable = os.environ.get("ANCHORWATCH_CONFIG")
    file = config if config is not None or not variable else Path(variable)
    return load(file, {**os.environ, **said}).settings


def _said(
    servers: str | Sequence[str] | None, security: Mapping[str, str | os.PathLike[str]]
) -> dict[str, str]:
    """Arguments as variables of the environment would say them."""
    said = {f"{_VARIABLE}SECURITY__{key.upper()}": str(value) for key, value in security.items()}
    if servers is not None:
        text = servers if isinstance(servers, str) else ",".join(servers)
        said[f"{_VARIABLE}BOOTSTRAP_SERVERS"] = text
    return said


def _unit(text: str) -> float:
    if text not in LATENCY_UNITS:
        raise ConfigurationError(f"latency_unit: must be one of {', '.join(LATENCY_UNITS)}")
    return LATENCY_UNITS[text]


def _kind(text: str) -> ValueType:
    try:
        return ValueType(text)
    except ValueError as error:
        raise ConfigurationError(
            f"kinds: {text!r} is no kind; there are {', '.join(ValueType)}"
        ) from error
