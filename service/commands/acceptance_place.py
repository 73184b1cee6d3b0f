"""Where an accepted reference goes, and what becomes of the one that it replaces."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from config.settings import Settings
from service.commands.whole_file import require_writable, write_whole
from service.composition.registry_access import open_registry
from service.errors import ConfigurationError
from service.monitor.references.acceptance import Decision
from service.monitor.references.directory import ReferenceDirectory
from service.monitor.references.file import read, write
from service.monitor.references.kept import Kept
from service.registry.publishing import publish
from service.registry.references import RegistryReferences
from service.values.references import Reference

HASH_DIGITS = 12
_NAME_MAX = 80


class Place(Struct, frozen=True):
    """The file to write, or the topic to publish in where `path` is None; and the reference to
    change.

    `version` is that of the new one, None for any. `old` is what a file that is replaced is kept
    as: no name of a reference, since two for one model version are refused.
    """

    path: Path | None
    base: Reference
    version: str | None
    old: Path | None = None
    topic: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"topic {self.topic}" if self.path is None else str(self.path)


def find_place(settings: Settings, kept: Kept, output: Path | None, *, narrow: bool) -> Place:
    """The file of the model version in its directory, if there is one, else a new one; or the
    topic in which its references are.

    With `narrow` it is to hold for this version alone, though the one it is made from holds for
    any. Raises ConfigurationError when nothing can be written there.
    """
    model, version = kept.key if narrow else (kept.key.model, kept.reference.version)
    section = settings.for_model(model).reference
    directory = section.directory
    if output is not None:
        require_writable(output, hint="")
    if directory is None:
        topic = section.topic or ""
        base = _published(settings, topic, model, version) or kept.reference
        return Place(output, base, version, topic=topic)
    files = _files(directory, model) if directory.is_dir() else {}
    known = files.get(version) or files.get(None)
    base = kept.reference if known is None else known[1]
    if output is not None:
        return Place(output, base, version)
    if not directory.is_dir():
        raise ConfigurationError(
            f"the directory of references {directory} is not there: make it (and name it as "
            "reference.from), or name a file by --output"
        )
    if version in files:
        path = files[version][0]
        return Place(path, base, version, _old_name(path, base))
    return Place(_new_name(directory, model, version), base, version)


def put(settings: Settings, reference: Reference, place: Place, decision: Decision) -> None:
    """Write or publish it, whole or not at all; what it replaces is kept.

    Raises ConfigurationError if it cannot be written, or would not read back; RecoverableError when
    no broker answers.
    """
    if place.path is None:
        with open_registry(settings, place.topic, makes=True) as registry:
            publish(registry, reference, by=decision.by, why=decision.why)
        return
    text = write(reference)
    read(text, f"the reference to be written to {place.path}")
    try:
        if place.old is not None:
            _keep(place.path, place.old)
    except OSError as error:
        raise ConfigurationError(f"{place.old} cannot be written: {error.strerror}") from error
    write_whole(place.path, text)


def _published(settings: Settings, topic: str, model: str, version: str | None) -> Reference | None:
    with open_registry(settings, topic, makes=True) as registry:
        references = RegistryReferences(registry)
        return references.current(model, version) or references.current(model, None)


def _files(directory: Path, model: str) -> dict[str | None, tuple[Path, Reference]]:
    """The files of a model by version; the directory has to be sound as a whole."""
    ReferenceDirectory(directory)
    files = sorted(file for file in directory.glob("*.json") if not file.name.startswith("."))
    found = ((file, read(file.read_bytes(), str(file))) for file in files)
    return {r.version: (file, r) for file, r in found if r.model == model}


def _keep(path: Path, old: Path) -> None:
    """Under both names for a moment, so that the service never finds none."""
    with suppress(FileExistsError):
        try:
            os.link(path, old)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            shutil.copy2(path, old)


def _old_name(path: Path, reference: Reference) -> Path:
    return path.with_name(f"{path.name}.{reference.hash[:HASH_DIGITS]}.old")


def _new_name(directory: Path, model: str, version: str | None) -> Path:
    wanted = model if version is None else f"{model}-{version}"
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", wanted)[:_NAME_MAX].strip("-.") or "model"
    number, path = 1, directory / f"{plain}.json"
    while path.exists():
        number += 1
        path = directory / f"{plain}-{number}.json"
    return path
