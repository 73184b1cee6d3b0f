"""Files that are there whole or not at all."""

import os
from pathlib import Path

from service.errors import ConfigurationError


def require_writable(path: Path, *, replace: bool = False, hint: str = ", or add --force") -> None:
    """Refuse, before the work is done, a path that a file cannot be written to.

    With `replace` a file that is there may be written over; `hint` says how else. Raises
    ConfigurationError.
    """
    if path.is_dir():
        raise ConfigurationError(f"{path} is a directory: name a file in it, {path / 'NAME.json'}")
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{path} is no file that could be replaced: name another one")
    if path.exists() and not replace:
        raise ConfigurationError(f"{path} exists: name another file{hint}")
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"{path} cannot be written: there is no directory {path.parent}. Make it first"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"{path} cannot be written: this user may not write into {path.parent}"
        )


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all. Raises ConfigurationError if it cannot."""
    aside = path.with_name(f".{path.name}.new")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
