"""Counts of closed panes, kept so that they can be judged again under other settings.

They lie in compressed blocks, since most counts are small, and much the same from pane to pane; in
a temporary file once they no longer fit in a little memory. Several processes may read at a time.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
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
    """`packed` None: it is in the file, so long from that offset."""

    starts: NDArray[np.float64]
    rows: NDArray[np.int64]
    type: np.dtype[np.unsignedinteger]
    packed: bytes | None
    offset: int
    length: int


class PaneLog:
    """Panes of one layout of `cells` cells, in the order in which they were added."""

    def __init__(self, cells: int, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        self.panes = 0
        self._cells = cells
        self._room_bytes = in_memory_bytes
        self._closing = ExitStack()
        self._file: int | None = None
        self._end = 0
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
            counts = np.frombuffer(zlib.decompress(self._packed(block)), block.type)
            by_pane = counts.reshape(-1, self._cells).astype(np.int64)
            yield from map(KeptPane, block.starts.tolist(), block.rows.tolist(), by_pane)
        yield from self._open

    def close(self) -> None:
        """Let go of the panes."""
        self._closing.close()
        self._blocks, self._open = [], []

    def _write(self) -> None:
        counts = np.array([pane.cells for pane in self._open])
        type_ = np.min_scalar_type(int(counts.max(initial=0)))
        packed = zlib.compress(counts.astype(type_).tobytes(), 1)
        starts = np.array([pane.start_seconds for pane in self._open])
        rows = np.array([pane.rows for pane in self._open], dtype=np.int64)
        self._blocks.append(_Block(starts, rows, type_, *self._placed(packed)))
        self._open = []

    def _placed(self, packed: bytes) -> tuple[bytes | None, int, int]:
        """In memory while there is room, then at the end of the file."""
        if len(packed) <= self._room_bytes:
            self._room_bytes -= len(packed)
            return packed, 0, len(packed)
        self._room_bytes = 0
        if self._file is None:
            file = self._closing.enter_context(TemporaryFile(buffering=0))  # noqa: SIM115
            self._file = file.fileno()
        offset, rest = self._end, memoryview(packed)
        while rest:
            written = os.pwrite(self._file, rest, self._end)
            self._end, rest = self._end + written, rest[written:]
        return None, offset, len(packed)

    def _packed(self, block: _Block) -> bytes:
        """From its place: processes that share the file would move each other's position."""
        if block.packed is not None or self._file is None:
            return block.packed or b""
        return os.pread(self._file, block.length, block.offset)
