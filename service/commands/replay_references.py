"""The references that a replay was given: can they be used, and were they?"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from service.errors import ConfigurationError
from service.monitor.references.file import read
from service.values.references import Reference
from service.values.streams import ModelKey

_VERSIONS_SHOWN = 20


class Given(Struct, frozen=True):
    """A reference, and the file that it was read from."""

    file: Path
    reference: Reference

    @property
    def name(self) -> str:
        """`ref.json (m version 3)`."""
        version = self.reference.version
        told = "any version" if version is None else f"version {version}"
        return f"{self.file} ({self.reference.model}, {told})"

    def holds_for(self, key: ModelKey) -> bool:
        """Whether it may be compared with events of this model version."""
        return self.reference.model == key.model and self.reference.version in {None, key.version}


def read_references(files: Iterable[Path]) -> tuple[Given, ...]:
    """The references; raises ConfigurationError for one that is not sound, or that comes twice."""
    given: dict[tuple[str, str | None], Given] = {}
    for file in files:
        one = Given(file, read(file.read_bytes(), str(file)))
        identity = (one.reference.model, one.reference.version)
        if identity in given:
            raise ConfigurationError(
                f"--reference: {given[identity].file} and {one.name} are for the same events: "
                "leave one of them out"
            )
        given[identity] = one
    return tuple(given.values())


def require_fit(given: Iterable[Given], key: ModelKey, *, said: bool) -> None:
    """Refuse a reference that rows of `key` are never compared with, before they are read.

    `said`: the version was said, and is not what it is called when nobody says.
    """
    for one in given:
        if not one.holds_for(key):
            rows = f"{key.model}, version {key.version}"
            rows += "" if said else " (what it is called without --model-version)"
            raise ConfigurationError(
                f"--reference: {one.name} does not belong to the rows, which are of {rows}: "
                f"nothing would be compared with it. {_remedy(one.reference, key)}"
            )


def unused(given: Sequence[Given], keys: Iterable[ModelKey]) -> tuple[Given, ...]:
    """Those that no model version of `keys` was compared with.

    That of exactly a version comes before that of any.
    """
    used: set[Path] = set()
    for key in keys:
        fitting = [one for one in given if one.holds_for(key)]
        exact = [one for one in fitting if one.reference.version is not None]
        used.update(one.file for one in (exact or fitting))
    return tuple(one for one in given if one.file not in used)


def versions_seen(keys: Iterable[ModelKey]) -> str:
    """`m version 4, m version 5`; in words that there was none."""
    names = [f"{key.model} version {key.version}" for key in sorted(keys)]
    shown = names[:_VERSIONS_SHOWN]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more if names else "no model"


def _remedy(reference: Reference, key: ModelKey) -> str:
    if reference.model != key.model:
        return f"Give the reference of {key.model}, or the rows' model by --model"
    return (
        f"Name the version of the rows by --model-version {reference.version}, or give the "
        f"reference of version {key.version}"
    )
