"""Which reference a person means: a file, or one of the registry."""

import difflib
from pathlib import Path

from msgspec import Struct

from service.errors import ConfigurationError
from service.monitor.references.file import read
from service.registry.publishing import named_hash, title
from service.registry.references import RegistryReferences
from service.registry.registry import Registry, Shelf
from service.values.references import Reference

_DIGITS = 12


class Named(Struct, frozen=True):
    """A reference, and what it is called in sentences."""

    name: str
    reference: Reference


def named_reference(text: str, registry: Registry | None) -> Named:
    """The reference that `text` names: a file, `MODEL@VERSION`, or `MODEL@VERSION:HASH`.

    A model and version may hold colons: then what follows the last one is a hash only if one
    begins so. Raises ConfigurationError that says which there are.
    """
    path = Path(text)
    if path.is_file():
        return Named(path.name, read(path.read_bytes(), str(path)))
    model, at, rest = text.rpartition("@")
    if not at or registry is None:
        raise ConfigurationError(
            f"{text} is neither a file nor MODEL@VERSION of the registry, such as credit-risk@3"
        )
    version, shelf, wanted = _shelf(registry, model, rest)
    chosen = shelf.current
    hash_ = "" if chosen is None else chosen.choice.hash
    if wanted is not None:
        hash_ = named_hash(shelf, wanted)
    found = RegistryReferences(registry).read(model, version, shelf.publications[hash_])
    if found is None:
        why = "; ".join(registry.problems.values())
        raise ConfigurationError(
            f"reference {hash_[:_DIGITS]} of {title(model, version)} cannot be read: {why}. "
            "Publish it again"
        )
    is_current = chosen is not None and hash_ == chosen.choice.hash
    name = title(model, version)
    return Named(name if is_current else f"{name} ({hash_[:_DIGITS]})", found)


def _shelf(registry: Registry, model: str, rest: str) -> tuple[str | None, Shelf, str | None]:
    """The version, all there is of it, and the beginning of a hash where one is named."""
    version, colon, start = rest.rpartition(":")
    for of, wanted in ((rest, None), *([(version, start)] if colon else [])):
        shelf = registry.shelf(model, of or None)
        if shelf.current is not None:
            return of or None, shelf, wanted
    raise ConfigurationError(_absent(registry, model, rest))


def _absent(registry: Registry, model: str, rest: str) -> str:
    known = {m: f"{m}@{v or ''}" for (m, v), s in registry.shelves.items() if s.current is not None}
    versions = sorted(
        f"{m}@{v or ''}" for (m, v), s in registry.shelves.items() if m == model and s.current
    )
    if versions:
        return f"{registry.log.topic} has no {model}@{rest}; it has {', '.join(versions)}"
    near = difflib.get_close_matches(model, known, n=1)
    hint = f"did you mean {known[near[0]]}?" if near else "`anchorwatch reference list` shows all"
    return f"{registry.log.topic} has no reference of {model}; {hint}"
