"""Snapshots in a directory that one process owns.

    lock               held (flock) while a process owns the directory; names it
    snapshot.new       being written; worthless until renamed
    snapshot.current   the newest
    snapshot.previous  the one before it
    snapshot.broken    a current one that did not read back, kept to look at

Saving goes: write and fsync `new`; link `current` to `previous.new` and rename that to `previous`;
rename `new` to `current`; fsync the directory. Links and renames are atomic, so a crash finds in
`current` the old snapshot whole or the new one whole, and `previous` is never absent once it was
there. A broken current is moved away at load, so that it cannot push out the good previous one.
"""

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.errors import CheckpointFailed, ConfigurationError, DirectoryInUse, StateCorrupt
from service.state.snapshot import decode, encode
from service.state.store import Loaded

LOCK = "lock"
NEW, CURRENT, PREVIOUS = "snapshot.new", "snapshot.current", "snapshot.previous"
PREVIOUS_NEW, BROKEN = "snapshot.previous.new", "snapshot.broken"


class DirectoryStore:
    """The store of one process on a local or mounted file system.

    Raises DirectoryInUse when another process owns `path`, ConfigurationError when it cannot be
    made or written. `path` is made when absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._current_is_whole = False
        self._lock = _owned(path)

    def load(self) -> Loaded | None:
        """The newest whole snapshot, None when there is none; leftovers of a crash are removed."""
        self._remove_leftovers()
        newest, newest_fault = _read(self.path / CURRENT)
        self._current_is_whole = newest is not None
        if newest is not None:
            return newest
        before, before_fault = _read(self.path / PREVIOUS)
        if before is None and newest_fault is None and before_fault is None:
            return None
        reason = f"{self.path / CURRENT}: {newest_fault or 'missing'}"
        if before is None:
            raise StateCorrupt(
                f"no snapshot is whole: {reason}; {self.path / PREVIOUS}: "
                f"{before_fault or 'missing'}. Restore the directory from a backup, or move the "
                "snapshots away to start anew by the start policy"
            )
        if newest_fault is not None:
            self._move_away_broken()
        return Loaded(before.tree, fallbacks=1, reason=reason)

    def save(self, tree: Any) -> None:
        """Make `tree` the newest snapshot, on the disk when this returns."""
        data = encode(tree)
        try:
            self._write_new(data)
            self._keep_previous()
            os.replace(self.path / NEW, self.path / CURRENT)  # noqa: PTH105 (one os call, one step)
            self._current_is_whole = True
            self._sync_directory()
        except OSError as error:
            with suppress(OSError):
                self._remove_leftovers()
            raise CheckpointFailed(
                f"cannot write a snapshot of {len(data)} bytes to {self.path}: {error.strerror}. "
                "The one before is kept; make room or give write permission"
            ) from error

    @property
    def size_bytes(self) -> int:
        """Bytes of the newest snapshot, 0 without one."""
        try:
            return (self.path / CURRENT).stat().st_size
        except OSError:
            return 0

    @property
    def free_bytes(self) -> int:
        """Bytes of the file system that we may still use, 0 when it does not answer."""
        try:
            disk = os.statvfs(self.path)
        except OSError:
            return 0
        return disk.f_bavail * disk.f_frsize

    def close(self) -> None:
        """Give up the directory. The lock file stays: removing it could free a lock twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write_new(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(self.path / NEW, flags, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _keep_previous(self) -> None:
        """Let `previous` be today's current, if that one is known to be whole.

        Where the two are one file already (a crash between the two renames), renaming one link over
        the other does nothing and leaves both, hence the removal.
        """
        if not self._current_is_whole:
            return
        self._remove(PREVIOUS_NEW)
        os.link(self.path / CURRENT, self.path / PREVIOUS_NEW)
        os.replace(self.path / PREVIOUS_NEW, self.path / PREVIOUS)  # noqa: PTH105
        self._remove(PREVIOUS_NEW)

    def _move_away_broken(self) -> None:
        with suppress(OSError):
            os.replace(self.path / CURRENT, self.path / BROKEN)  # noqa: PTH105
            self._sync_directory()

    def _remove_leftovers(self) -> None:
        self._remove(NEW)
        self._remove(PREVIOUS_NEW)

    def _remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def _sync_directory(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def look(path: Path) -> Loaded | None:
    """The newest whole snapshot in a directory that a process may own; None when there is none.

    Takes no lock and changes nothing. Snapshots are renamed into place, so whatever is found under
    a name is whole, or was broken before. Raises StateCorrupt when there are some and none is
    whole, or none can be read; FormatTooNew when a newer version wrote the newest.
    """
    faults: list[str] = []
    for position, name in enumerate((CURRENT, PREVIOUS)):
        found, fault = _read(path / name)
        if found is not None:
            return Loaded(found.tree, fallbacks=position, reason="; ".join(faults))
        if fault is not None:
            faults.append(f"{path / name}: {fault}")
    if faults:
        raise StateCorrupt(f"no snapshot can be read: {'; '.join(faults)}")
    return None


def _read(file: Path) -> tuple[Loaded | None, str | None]:
    """The snapshot, or what is wrong with it; neither when there is no such file."""
    try:
        return Loaded(decode(file.read_bytes())), None
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except StateCorrupt as error:
        return None, str(error)


def _owned(path: Path) -> int:
    """The descriptor that holds the lock; the kernel lets go of it when the process dies."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"the state directory {path} cannot be used: {error.strerror}. "
            "Name a directory that this user may write"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock, 200, 0).decode(errors="replace").strip()
        os.close(lock)
        raise _lock_error(path, owner, error) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return lock


def _lock_error(path: Path, owner: str, error: OSError) -> ConfigurationError:
    if isinstance(error, BlockingIOError):
        return DirectoryInUse(
            f"{path} is in use by {owner or 'another process'}: stop it, or give this one a state "
            "directory of its own"
        )
    return ConfigurationError(f"{path} cannot be locked: {error.strerror}. Use a local file system")
