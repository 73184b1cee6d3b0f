"""Files that are there whole or not at all."""

import os
from pathlib import Path

from service.errors import ConfigurationError


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
