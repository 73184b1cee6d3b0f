"""Snapshots in memory, for the demo and for tests; they end with the process."""

import os
from typing import Any

from service.errors import StateCorrupt
from service.state.directory import CURRENT, PREVIOUS
from service.state.snapshot import decode, encode
from service.state.store import Loaded


class MemoryStore:
    """Mirrors the directory store on a dict of file name to bytes.

    Snapshots are encoded as on a disk, so what was loaded never shares an array with what was
    saved. Passing `files` on to another store is a restart.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = {} if files is None else files

    def load(self) -> Loaded | None:
        """The newest whole snapshot, None when there is none."""
        reasons: list[str] = []
        for name in (CURRENT, PREVIOUS):
            tree, reason = self._read(name)
            if reason is None:
                if reasons:
                    self.files.pop(CURRENT, None)
                return Loaded(tree, len(reasons), "; ".join(reasons))
            reasons.append(f"{name}: {reason}")
        if not self.files:
            return None
        raise StateCorrupt(f"no snapshot is whole: {'; '.join(reasons)}. Start anew")

    def save(self, tree: Any) -> None:
        """Make `tree` the newest snapshot."""
        data = encode(tree)
        if CURRENT in self.files:
            self.files[PREVIOUS] = self.files[CURRENT]
        self.files[CURRENT] = data

    @property
    def size_bytes(self) -> int:
        """Bytes of the newest snapshot, 0 without one."""
        return len(self.files.get(CURRENT, b""))

    @property
    def free_bytes(self) -> int:
        """Bytes of memory that are free."""
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        """Nothing to let go of."""

    def _read(self, name: str) -> tuple[Any, str | None]:
        if name not in self.files:
            return None, "missing"
        try:
            return decode(self.files[name]), None
        except StateCorrupt as error:
            return None, str(error)
