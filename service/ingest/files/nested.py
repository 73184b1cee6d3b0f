"""Nested columns of Parquet files as the values that JSON would have."""

from typing import Any

import pyarrow as pa


def values_of_arrow(array: pa.Array) -> list[Any]:
    """A column as Python values. A map is a dict, of two equal keys the last one counts."""
    values: list[Any] = array.to_pylist()
    if pa.types.is_map(array.type):  # of which pyarrow makes a list of pairs
        return [None if pairs is None else dict(pairs) for pairs in values]
    return values
