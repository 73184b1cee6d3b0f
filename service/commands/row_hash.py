"""What tells rows from others, whatever order they come in and however they are split."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from detectors.summary.distinct import name_hashes
from detectors.summary.profile import Value
from service.ingest.files.table_columns import Codes, Column
from service.ingest.files.tables import Table


class RowHash:
    """A 64-bit hash of each row, added up: of a multiset of rows, so that `merge` is exact.

    A row is its columns by name and what they hold, as it is read. A missing value and a column
    that is not there are the same. Two data sets that differ have the same sum by a chance of
    2**-64; against who wants that it is no protection.
    """

    def __init__(self, rows: int = 0, total: int = 0) -> None:
        self.rows = rows
        self.total = total

    def update(self, table: Table) -> None:
        """Add the rows of a table."""
        columns = table.columns | {
            f"{name} of classes": c for name, c in table.probabilities.items()
        }
        hashes = np.zeros(table.rows, dtype=np.uint64)
        for salt, column in zip(name_hashes(columns), columns.values(), strict=True):
            hashes += _hashes(column, salt)
        self.rows += table.rows
        self.merge(RowHash(0, int(_mixed(hashes).sum(dtype=np.uint64))))

    def merge(self, other: "RowHash") -> None:
        """Add what `other` has seen; `other` is left as it is."""
        self.rows += other.rows
        self.total = (self.total + other.total) & (2**64 - 1)

    def hex(self) -> str:
        """SHA-256 in hex of the number of rows and their sum."""
        return sha256(f"rows {self.rows} {self.total}".encode()).hexdigest()


def _hashes(column: Column, salt: np.uint64) -> NDArray[np.uint64]:
    """A hash of each value, 0 where it is missing."""
    if not isinstance(column, Codes):
        hashes = _mixed((column + 0.0).view(np.uint64) ^ salt)
        hashes[np.isnan(column)] = 0
        return hashes
    values = np.append(_mixed(_values(column.values) ^ salt), np.uint64(0))
    return values[column.codes]  # code -1 is the last one


def _values(values: Sequence[Value]) -> NDArray[np.uint64]:
    floats = np.array([v + 0.0 if type(v) is float else 0.0 for v in values]).view(np.uint64)
    texts = name_hashes(f"{type(v).__name__} {v}" for v in values)
    is_float = np.array([type(v) is float for v in values], dtype=bool)
    return np.where(is_float, floats, texts)


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of MurmurHash3: every input bit flips every output bit half of the time."""
    bits = bits ^ (bits >> np.uint64(33))
    bits *= np.uint64(0xFF51AFD7ED558CCD)
    bits ^= bits >> np.uint64(33)
    bits *= np.uint64(0xC4CEB9FE1A85EC53)
    return bits ^ (bits >> np.uint64(33))
