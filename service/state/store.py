"""Where the service keeps its snapshot between runs; every store passes one shared suite."""

from typing import Any, Protocol

from msgspec import Struct


class Loaded(Struct, frozen=True):
    """A snapshot that was read back.

    `fallbacks` is 1 when the newest one was broken and the one before it was taken, and `reason`
    then says why, for the log.
    """

    tree: Any
    fallbacks: int = 0
    reason: str = ""


class Store(Protocol):
    """Keeps the newest snapshot and the one before it; either is there whole, or not at all."""

    def load(self) -> Loaded | None:
        """The newest whole snapshot, None when there never was one.

        Raises StateCorrupt when there are snapshots and none is whole, FormatTooNew when a newer
        version wrote the newest.
        """
        ...

    def save(self, tree: Any) -> None:
        """Make `tree` (see `service.state.snapshot`) the newest snapshot, durably.

        Raises CheckpointFailed when it could not be written; what was saved before is then still
        there.
        """
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes of the newest snapshot, 0 without one."""
        ...

    @property
    def free_bytes(self) -> int:
        """Bytes that are free where snapshots are kept."""
        ...

    def close(self) -> None:
        """Let another process have the place. May be called twice."""
        ...
