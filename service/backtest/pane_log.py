"""Counts of closed panes, kept so that they can be judged again under other settings.

They lie in a temporary file once they no longer fit in a little memory, in compressed blocks: most
counts are small, and much the same from pane to pane.
"""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IN_MEMORY_BYTES = 64 * 1024 * 1024
BLOCK_PANES = 256


class KeptPane(NamedTuple):
    """One pane: when it starts, how many rows it has, and its counts by cell."""

    start_seconds: float
    rows: int
    cells: NDArray[np.int64]


class _Block(NamedTuple):
    starts: NDArray[np.float64]
    rows: NDArray[np.int64]
    type: np.dtype[np.unsignedinteger]
    offset: int
    length: int


class PaneLog:
    """Panes of one layout of `cells` cells, in the order in which they were added."""

    def __init__(self, cells: int, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        self.panes = 0
        self._cells = cells
        self._closing = ExitStack()
        self._file = self._closing.enter_context(SpooledTemporaryFile(in_memory_bytes))  # noqa: SIM115
        self._blocks: list[_Block] = []
        self._open: list[KeptPane] = []

    def append(self, start_seconds: float, rows: int, cells: NDArray[np.int64]) -> None:
        """Keep a copy of one pane's counts."""
        self._open.append(KeptPane(start_seconds, rows, cells.copy()))
        self.panes += 1
        if len(self._open) == BLOCK_PANES:
            self._write()

    def __iter__(self) -> Iterator[KeptPane]:
        """Every pane, as often as you like."""
        for block in self._blocks:
            self._file.seek(block.offset)
            packed = zlib.decompress(self._file.read(block.length))
            counts = np.frombuffer(packed, block.type).reshape(-1, self._cells).astype(np.int64)
            yield from map(KeptPane, block.starts.tolist(), block.rows.tolist(), counts)
        yield from self._open

    def close(self) -> None:
        """Let go of the file."""
        self._closing.close()

    def _write(self) -> None:
        counts = np.array([pane.cells for pane in self._open])
        type_ = np.min_scalar_type(int(counts.max(initial=0)))
        packed = zlib.compress(counts.astype(type_).tobytes(), 1)
        offset = self._file.seek(0, 2)
        self._file.write(packed)
        starts = np.array([pane.start_seconds for pane in self._open])
        rows = np.array([pane.rows for pane in self._open], dtype=np.int64)
        self._blocks.append(_Block(starts, rows, type_, offset, len(packed)))
        self._open = []
