"""Columns of tables, whatever they were written in, as numbers or as codes of a few values."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from detectors.summary.profile import INVALID_VALUE, Value
from service.ingest.decode.admission import clean_text
from service.ingest.decode.scalars import learned, learned_in_text
from service.ingest.decode.times import MILLISECONDS_FROM, TIME_MAX_SECONDS, event_time

Sentinels: TypeAlias = tuple[float | str, ...]
"""Values that mean "not there", beside an empty cell, null and NaN."""

BLANKS = ("", "nan", "NaN", "NAN", "null", "NULL")
"""Cells of a CSV file that are missing values always."""


class Codes(Struct, frozen=True):
    """A column of n values among a few: `values[codes[i]]`, where code -1 is missing.

    `values` are float, str, bool or INVALID_VALUE, and hold no NaN; `codes` is int32, shape (n,).
    """

    values: tuple[Value, ...]
    codes: NDArray[np.int32]

    def counts(self) -> NDArray[np.int64]:
        """How many rows are missing, then how many have each of the values."""
        return np.bincount(self.codes + 1, minlength=len(self.values) + 1).astype(np.int64)


Column: TypeAlias = NDArray[np.float64] | Codes
"""Numbers (NaN = missing, infinite = invalid), or codes where there is anything but numbers."""


def column_of_arrow(array: pa.Array, missing: Sentinels = ()) -> Column:
    """A typed column. Times become epoch seconds; lists, structs and maps are invalid."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    kind = array.type
    if pa.types.is_boolean(kind):
        codes = pc.fill_null(pc.cast(array, pa.int32()), -1).to_numpy(zero_copy_only=False)
        return Codes((False, True), codes.astype(np.int32))
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _without(_floats(array), missing)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        microseconds = pc.cast(array, pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        return _without(_floats(pc.cast(microseconds, pa.int64())) / 1e6, missing)
    texts = _as_texts(array)
    if texts is not None:
        return without_sentinels(_coded(texts, clean_text), missing)
    present = array.is_valid().to_numpy(zero_copy_only=False)
    return Codes((INVALID_VALUE,), np.where(present, 0, -1).astype(np.int32))


def column_of_texts(
    array: pa.Array, missing: Sentinels = (), *, categorical: bool = False
) -> Column:
    """An untyped column of a CSV file (binary or string): numbers if every cell is one.

    Else each cell is read as it is in a live CSV record. Of a `categorical` column cells of digits
    are texts, so that "02139" keeps its zero.
    """
    texts = _repaired(array)
    blank = pa.array([*BLANKS, *(m for m in missing if isinstance(m, str))], texts.type)
    absent = pc.is_in(pc.utf8_trim_whitespace(texts), value_set=blank)
    texts = pc.if_else(absent, pa.scalar(None, texts.type), texts)
    if categorical:
        return without_sentinels(_coded(texts, _category_in_text), missing)
    try:
        numbers = _floats(pc.cast(pc.utf8_trim_whitespace(texts), pa.float64()))
    except pa.ArrowInvalid:
        return without_sentinels(_coded(texts, learned_in_text), missing)
    return _without(numbers, missing)


def numbers_of(column: Column) -> NDArray[np.float64]:
    """A column as numbers, whatever it holds: NaN = missing, infinite = no number."""
    if not isinstance(column, Codes):
        return column
    numbers = [value if type(value) is float else math.inf for value in column.values]
    return np.array([*numbers, math.nan])[column.codes]


def has_leading_zeros(array: pa.Array, column: Column) -> bool:
    """Whether a number of 1 or more in `column` begins with a zero in the texts it was read from.

    Such are zip codes and account numbers: as texts they are categories.
    """
    if isinstance(column, Codes):
        return False
    zeros = pc.fill_null(pc.starts_with(array, "0"), fill_value=False)
    return bool((zeros.to_numpy(zero_copy_only=False) & (column >= 1)).any())


def column_of_values(values: Sequence[Any], missing: Sentinels = ()) -> Column:
    """A column of decoded JSON: numbers if every value is one or null. A NaN is missing."""
    if set(map(type, values)) <= _NUMBERS:
        try:
            return _without(np.array(values, dtype=np.float64), missing)
        except OverflowError:  # an integer beyond float64
            pass
    return without_sentinels(coded_values(map(_value_of_json, values)), missing)


def times_of(column: Column) -> NDArray[np.float64]:
    """A column of times as epoch seconds, shape (n,); NaN where there is none that can be read.

    Times are read as those of events are (`service.ingest.decode.times`).
    """
    if isinstance(column, Codes):
        values = [*map(_event_time, column.values), math.nan]
        return np.array(values, dtype=np.float64)[column.codes]
    seconds = np.where(column >= MILLISECONDS_FROM, column / 1000.0, column)
    return np.where((seconds >= 0) & (seconds <= TIME_MAX_SECONDS), seconds, math.nan)


def time_range(column: Column) -> tuple[float, float] | None:
    """Earliest and latest of a column of times, epoch seconds; None without a readable one."""
    seconds = times_of(column)
    seconds = seconds[~np.isnan(seconds)]
    return (float(seconds.min()), float(seconds.max())) if len(seconds) else None


def is_nan(value: Any) -> bool:
    """Whether a value is the float that many a writer puts where there is none."""
    return isinstance(value, float) and math.isnan(value)


def coded_values(values: Iterable[Value]) -> Codes:
    """Codes in order of first appearance; True, 1.0 and "1" are three values."""
    places: dict[tuple[type, Value], int] = {}
    codes = [
        -1 if value is None else places.setdefault((type(value), value), len(places))
        for value in values
    ]
    return Codes(tuple(value for _, value in places), np.array(codes, dtype=np.int32))


def without_sentinels(column: Codes, missing: Sentinels) -> Codes:
    """The column with its sentinels missing; True is not 1."""
    absent = [
        i
        for i, value in enumerate(column.values)
        if not isinstance(value, bool) and value in missing
    ]
    if not absent:
        return column
    return Codes(column.values, np.where(np.isin(column.codes, absent), -1, column.codes))


_NUMBERS = {int, float, type(None)}


def _floats(array: pa.Array) -> NDArray[np.float64]:
    floats = pc.fill_null(pc.cast(array, pa.float64(), safe=False), math.nan)
    return np.array(floats.to_numpy(zero_copy_only=False), dtype=np.float64)


def _as_texts(array: pa.Array) -> pa.Array | None:
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return pc.cast(array, pa.large_string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _repaired(array)
    return None


def _repaired(array: pa.Array) -> pa.Array:
    """Bytes as text; what is no UTF-8 gets replacement characters."""
    try:
        return pc.cast(array, pa.large_string())
    except pa.ArrowInvalid:
        texts = [None if raw is None else raw.decode(errors="replace") for raw in array.to_pylist()]
        return pa.array(texts, pa.large_string())


def _coded(texts: pa.Array, value_of: Callable[[str], Value]) -> Codes:
    encoded = texts.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Codes(tuple(map(value_of, encoded.dictionary.to_pylist())), codes)


def _value_of_json(value: Any) -> Value:
    return None if is_nan(value) else learned(value)


def _category_in_text(text: str) -> Value:
    digits = text.strip()
    return digits if digits.isascii() and digits.isdigit() else learned_in_text(text)


def _event_time(value: Value) -> float:
    return math.nan if value is None else event_time(value)


def _without(numbers: NDArray[np.float64], missing: Sentinels) -> NDArray[np.float64]:
    for sentinel in missing:
        if not isinstance(sentinel, str):
            numbers[numbers == sentinel] = np.nan
    return numbers
