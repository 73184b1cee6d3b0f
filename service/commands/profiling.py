"""From tables to the profiles of a model's streams."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, repeat

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.summary.profile import Profile, Value
from service.commands.columns import fits
from service.commands.gathering import State
from service.errors import ConfigurationError
from service.ingest.decode.admission import clean_name
from service.ingest.decode.answers import probability_stream
from service.ingest.files.table_answers import top_classes
from service.ingest.files.table_columns import Codes, Column, numbers_of, time_range
from service.ingest.files.tables import Table
from service.values.streams import LATENCY, PREDICTION, Kind, StreamKey, above_cutoff


class Roles(Struct, frozen=True):
    """Which columns are not features.

    `ignored` are globs. `unwatched` says of a feature whether the service never looks at it: it is
    left out then, unless one of the globs `taken` fits its column. The latency is multiplied by
    `latency_seconds` to be in seconds. `probabilities` are columns by class; the prediction is made
    of them then, and of no column. `cutoffs` split a numeric prediction: whether it is above each
    is a stream.
    """

    prediction: str | None = None
    latency: str | None = None
    latency_seconds: float = 1e-3
    time: str | None = None
    ignored: tuple[str, ...] = ()
    unwatched: Callable[[str], bool] = lambda _: False
    taken: tuple[str, ...] = ()
    probabilities: Mapping[str, str] = {}
    cutoffs: tuple[float, ...] = ()

    def stream(self, column: str) -> StreamKey | None:
        """The stream of a column, None when it is none."""
        for name, source in self.probabilities.items():
            if column == source:
                return probability_stream(name)
        if column == self.prediction:
            return None if self.probabilities else PREDICTION
        if column == self.latency:
            return LATENCY
        if column == self.time or self._ignores(column) or self.leaves_out(column):
            return None
        return StreamKey(Kind.INPUT, clean_name(column))

    def leaves_out(self, column: str) -> bool:
        """Whether a column that has no role is no feature, since the service never looks at it."""
        if self._has_role(column) or self._ignores(column):
            return False
        return self.unwatched(clean_name(column)) and not self.takes(column)

    def takes(self, column: str) -> bool:
        """Whether one of `taken` fits."""
        return any(fits(column, glob) for glob in self.taken)

    def _ignores(self, column: str) -> bool:
        return any(fits(column, glob) for glob in self.ignored)

    def _has_role(self, column: str) -> bool:
        roles = (self.prediction, self.latency, self.time, *self.probabilities.values())
        return column in roles


_TABLES = "tables"
"""The part of a profiling that is no profile."""


class Profiling:
    """The profiles of all streams over the tables added so far: a `Gathering`, a part a stream."""

    def __init__(self, roles: Roles) -> None:
        self.roles = roles
        self.rows = 0
        self.from_seconds: float | None = None
        self.to_seconds: float | None = None
        self.columns: dict[str, StreamKey | None] = {}
        self.leading_zeros: set[str] = set()
        self._of_columns: set[StreamKey] = set()
        self._profiles: dict[StreamKey, Profile] = {}

    def add(self, table: Table) -> None:
        """Take a table. Its columns need not be those of the tables before."""
        for name, column in table.columns.items():
            self._register(name)
            if name == self.roles.time:
                self._widen(time_range(column))
        for key, column in self.streams(table):
            add_column(self._made(key), column)
            if key == PREDICTION:
                self._split(numbers_of(column))
        self.leading_zeros.update(table.leading_zeros)
        self.rows += table.rows

    def streams(self, table: Table) -> Iterator[tuple[StreamKey, Column]]:
        """The columns of a table that was added, by stream; not those derived of others."""
        for name, column in table.columns.items():
            key = self.columns[name]
            if key is not None:
                yield key, self._scaled(key, column)
        for name, column in table.probabilities.items():
            yield probability_stream(name), column
        if self.roles.probabilities:
            yield PREDICTION, self._prediction(table)

    def profiles(self) -> Mapping[StreamKey, Profile]:
        """A profile a stream; a row whose table lacked the column counts as missing."""
        for profile in self._profiles.values():
            profile.update(repeat(None, self.rows - profile.rows))
        return self._profiles

    def parts(self) -> Mapping[str, State]:
        """How many rows, of when, with which columns; and each profile, by its stream."""
        known = (self.from_seconds, self.to_seconds)
        tables = {
            "rows": self.rows,
            "times": None if None in known else known,
            "columns": sorted(self.columns),
            "leading_zeros": sorted(self.leading_zeros),
        }
        profiles = {f"{k.kind}:{k.name}": profile.state() for k, profile in self._profiles.items()}
        return {_TABLES: tables} | profiles

    def absorb(self, part: str, state: State) -> None:
        """Add what another profiling by the same roles has seen."""
        if part != _TABLES:
            kind, _, name = part.partition(":")
            self._made(StreamKey(Kind(kind), name)).merge(Profile.from_state(state))
            return
        self.expect(state["columns"])
        self.rows += state["rows"]
        self.leading_zeros.update(state["leading_zeros"])
        self._widen(state["times"])

    def expect(self, columns: Iterable[str]) -> None:
        """Take note of columns, whether or not a table has them.

        Raises ConfigurationError when two of them cannot be told apart.
        """
        for name in columns:
            self._register(name)

    def _register(self, name: str) -> None:
        if name in self.columns:
            return
        key = self.roles.stream(name)
        if key is not None and key in self._of_columns:
            raise ConfigurationError(
                f"column {name!r} and another one have the same printable name: rename one"
            )
        self.columns[name] = key
        if key is not None:
            self._of_columns.add(key)
            self._made(key)

    def _split(self, predictions: NDArray[np.float64]) -> None:
        for cutoff in self.roles.cutoffs:
            profile = self._made(above_cutoff(cutoff))
            valid = predictions[np.isfinite(predictions)]
            above = int((valid > cutoff).sum())
            profile.booleans += (len(valid) - above, above)
            profile.missing += int(np.isnan(predictions).sum())
            profile.invalid += int(np.isinf(predictions).sum())

    def _made(self, key: StreamKey) -> Profile:
        """The profile of a stream that is no column of the table."""
        return self._profiles.setdefault(key, Profile())

    def _prediction(self, table: Table) -> Column:
        absent = np.full(table.rows, np.nan)
        found = self.roles.probabilities.items()
        return top_classes({name: table.columns.get(column, absent) for name, column in found})

    def _scaled(self, key: StreamKey, column: Column) -> Column:
        if key != LATENCY:
            return column
        if isinstance(column, Codes):
            unit = self.roles.latency_seconds
            return Codes(tuple(_times(value, unit) for value in column.values), column.codes)
        return column * self.roles.latency_seconds

    def _widen(self, found: tuple[float, float] | None) -> None:
        if found is None:
            return
        earliest, latest = found
        if self.from_seconds is not None:
            earliest = min(earliest, self.from_seconds)
        if self.to_seconds is not None:
            latest = max(latest, self.to_seconds)
        self.from_seconds, self.to_seconds = earliest, latest


def add_column(profile: Profile, column: Column) -> None:
    """Add every value of a column to a profile."""
    if not isinstance(column, Codes):
        profile.update_numbers(column)
        return
    missing, *counts = column.counts().tolist()
    counted = list(zip(column.values, counts, strict=True))
    numbers = [(value, count) for value, count in counted if type(value) is float]
    if numbers:
        values, times = zip(*numbers, strict=True)
        profile.update_numbers(np.repeat(np.array(values, dtype=np.float64), times))
    others = (repeat(value, count) for value, count in counted if type(value) is not float)
    profile.update(chain(repeat(None, missing), *others))


def _times(value: Value, unit: float) -> Value:
    return value * unit if type(value) is float else value
