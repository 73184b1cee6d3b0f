"""The directory in which an operator puts reference files."""

from collections.abc import Iterator
from pathlib import Path

from service.errors import ConfigurationError
from service.monitor.references.file import read
from service.values.references import Reference

FILE_MAX_BYTES = 64 * 2**20
"""A larger file is no reference: 2,000 features with 50 categories of 128 bytes, and the names of
1,000 rare ones each, need 50 MiB."""


class ReferenceDirectory:
    """The reference files (`*.json`) of a directory, all read and checked when it is opened.

    Raises ConfigurationError when the directory cannot be read, when a file is no sound reference,
    or when two are for the same model and version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[tuple[str, str | None], Reference] = {}
        for _, outcome in readings(path):
            if not isinstance(outcome, Reference):
                raise outcome
            self._found[outcome.model, outcome.version] = outcome

    def find(self, model: str, version: str) -> Reference | None:
        """The reference of exactly this version, else the model's for any version, else None."""
        return self._found.get((model, version)) or self._found.get((model, None))

    def __iter__(self) -> Iterator[Reference]:
        """Every reference, by model, then version, the one for any version first."""
        for identity in sorted(self._found, key=lambda found: (found[0], found[1] or "")):
            yield self._found[identity]

    def __len__(self) -> int:
        return len(self._found)


def readings(path: Path) -> Iterator[tuple[Path, Reference | ConfigurationError]]:
    """Each reference file of a directory with what it holds, or why that is no sound reference.

    Raises ConfigurationError when there is no such directory.
    """
    files: dict[tuple[str, str | None], Path] = {}
    for file in _reference_files(path):
        try:
            reference = read(_bytes_of(file), str(file))
        except ConfigurationError as error:
            yield file, error
            continue
        identity = (reference.model, reference.version)
        if identity in files:
            both = f"{files[identity]} and {file} are both the reference of {_title(*identity)}"
            yield file, ConfigurationError(f"{both}: keep one of them in the directory")
        else:
            files[identity] = file
            yield file, reference


def _reference_files(path: Path) -> list[Path]:
    if not path.is_dir():
        raise ConfigurationError(
            f"the reference directory {path} is not there: make it, or name another"
        )
    return sorted(file for file in path.glob("*.json") if not file.name.startswith("."))


def _bytes_of(file: Path) -> bytes:
    try:
        if file.stat().st_size > FILE_MAX_BYTES:
            raise ConfigurationError(f"{file}: larger than {FILE_MAX_BYTES} bytes, so no reference")
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error


def _title(model: str, version: str | None) -> str:
    return f"model {model!r}, " + ("any version" if version is None else f"version {version!r}")
