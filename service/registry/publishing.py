"""Writing to the registry: a reference, which one is current, and letting go of old ones."""

from collections.abc import Iterator
from typing import Literal
from uuid import uuid4

from msgspec import Struct

from service.errors import ConfigurationError
from service.monitor.references.file import read, write
from service.registry.records import (
    PARTITION,
    TEXT_MAX_BYTES,
    BrokenRecord,
    Choice,
    ChoiceKey,
    PartKey,
    Publication,
    ReferenceKey,
    cut,
    key_bytes,
    part_drafts,
    require_name,
    value_bytes,
)
from service.registry.registry import Chosen, Registry, Shelf
from service.values.keyed_log import Draft
from service.values.references import Reference

KEEP = 20
"""So many references are kept of a model and version."""

ORPHAN_SECONDS = 3600.0
"""Parts that nobody names are let go of when they are so old: what names them comes after them."""


class Outcome(Struct, frozen=True):
    """What publishing did: `published` what is new, `again` what was there and is current now;
    `unchanged` where it was current before. `replaced` is the hash that was current.
    """

    done: Literal["published", "again", "unchanged"]
    current: Chosen
    replaced: str | None


def publish(registry: Registry, reference: Reference, *, by: str, why: str) -> Outcome:
    """Put a reference into the registry and make it the current one of its model and version.

    Raises ConfigurationError for one that cannot be kept, RecoverableError when the broker does not
    answer: then it may be there all the same, and publishing again does no harm.
    """
    text = write(reference)
    _require_fit(reference, text)
    registry.catch_up()
    shelf = registry.shelf(reference.model, reference.version)
    before = shelf.current
    if before is not None and before.choice.hash == reference.hash and _sound(registry, reference):
        return Outcome("unchanged", before, before.choice.hash)
    known = reference.hash in shelf.publications and _sound(registry, reference)
    drafts = [] if known else _publication(reference, text)
    choice = Choice(reference.hash, by, why)
    registry.log.append([*drafts, _choice(reference.model, reference.version, choice)])
    registry.catch_up()
    prune(registry, reference.model)
    current = registry.shelf(reference.model, reference.version).current
    if current is None:
        raise ConfigurationError(
            f"{registry.log.topic} does not keep what is written to it: is another program using "
            "this topic? Name another one as reference.from"
        )
    replaced = None if before is None else before.choice.hash
    return Outcome("again" if known else "published", current, replaced)


def roll_back(
    registry: Registry, model: str, version: str | None, *, to: str | None, by: str, why: str
) -> Outcome:
    """Make an earlier reference current: that before the current one, or the one whose hash begins
    with `to`.

    Raises ConfigurationError when there is none, RecoverableError when the broker does not answer.
    """
    registry.catch_up()
    shelf = registry.shelf(model, version)
    before = shelf.current
    if before is None:
        raise ConfigurationError(
            f"{registry.log.topic} has no reference of {title(model, version)}: "
            "`anchorwatch reference list` shows what there is"
        )
    target = _earlier(shelf, before) if to is None else _named(shelf, to)
    if target == before.choice.hash:
        return Outcome("unchanged", before, target)
    choice = Choice(target, by, why, "rolled back")
    registry.log.append([_choice(model, version, choice)])
    registry.catch_up()
    return Outcome("again", shelf.current or before, before.choice.hash)


def prune(registry: Registry, model: str) -> None:
    """Let go of all but the `KEEP` newest of each version, and of parts that nobody names."""
    keys: list[bytes] = []
    for (name, version), shelf in registry.shelves.items():
        if name == model:
            keys += _beyond(shelf, model, version, registry.newest_seconds - ORPHAN_SECONDS)
    if keys:
        registry.log.append([Draft(PARTITION, key, None) for key in keys])
        registry.catch_up()
    orphans = [key_bytes(key) for key in _orphans(registry, model)]
    if orphans:
        registry.log.append([Draft(PARTITION, key, None) for key in orphans])
        registry.catch_up()


def title(model: str, version: str | None) -> str:
    """`credit-risk version 3`, `credit-risk (any version)`."""
    return f"{model} (any version)" if version is None else f"{model} version {version}"


def named_hash(shelf: Shelf, start: str) -> str:
    """The one hash that begins with `start`. Raises ConfigurationError for none or several."""
    return _named(shelf, start)


def _require_fit(reference: Reference, text: str) -> None:
    size = len(text.encode())
    if size > TEXT_MAX_BYTES:
        raise ConfigurationError(
            f"the reference of {title(reference.model, reference.version)} has {size:,} bytes, and "
            f"{TEXT_MAX_BYTES:,} can be kept: leave some features out of it"
        )
    try:
        require_name(reference.model, "the name of the model")
        require_name(reference.version or "any", "the version")
    except BrokenRecord as error:
        raise ConfigurationError(str(error)) from error
    read(text, "the reference to be published")


def _publication(reference: Reference, text: str) -> list[Draft]:
    blob, parts = cut(text)
    publication = Publication(
        hash=reference.hash,
        rows=reference.rows,
        streams=len(reference.streams),
        created_seconds=reference.lineage.created_seconds,
        source=reference.lineage.source,
        blob=blob,
    )
    key = ReferenceKey(reference.model, reference.version, reference.hash)
    named = Draft(PARTITION, key_bytes(key), value_bytes(publication))
    return [*part_drafts(reference.model, blob, parts), named]


def _choice(model: str, version: str | None, choice: Choice) -> Draft:
    key = ChoiceKey(model, version, uuid4().hex)
    return Draft(PARTITION, key_bytes(key), value_bytes(choice))


def _sound(registry: Registry, reference: Reference) -> bool:
    """Whether the registry has the reference as a whole."""
    known = registry.shelf(reference.model, reference.version).publications[reference.hash]
    try:
        registry.text(reference.model, known.publication.blob)
    except BrokenRecord:
        return False
    return True


def _earlier(shelf: Shelf, current: Chosen) -> str:
    """The one that was current before the current one first was."""
    hashes = [chosen.choice.hash for chosen in shelf.choices.values()]
    before = [h for h in hashes[: hashes.index(current.choice.hash)] if h in shelf.publications]
    if not before:
        others = [h[:12] for h in shelf.publications if h != current.choice.hash]
        hint = (
            f"there are also {', '.join(others)}: name one by --to"
            if others
            else ("it is the only one")
        )
        raise ConfigurationError(
            f"no reference was current before {current.choice.hash[:12]}; {hint}"
        )
    return before[-1]


def _named(shelf: Shelf, start: str) -> str:
    fitting = [hash_ for hash_ in shelf.publications if hash_.startswith(start)]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(hash_[:12] for hash_ in fitting or shelf.publications) or "none"
    fault = "more than one hash begins" if fitting else "no hash begins"
    raise ConfigurationError(f"{fault} with {start!r}; there are: {known}")


def _beyond(shelf: Shelf, model: str, version: str | None, old_seconds: float) -> Iterator[bytes]:
    """A publication that nobody chose yet may be on its way, as long as it is not old."""
    chosen_ever = [chosen.choice.hash for chosen in shelf.newest_first()]
    kept = chosen_ever[:KEEP]
    for hash_, published in shelf.publications.items():
        if hash_ not in kept and (hash_ in chosen_ever or published.at_seconds <= old_seconds):
            yield key_bytes(ReferenceKey(model, version, hash_))
    newest = [*reversed(shelf.choices.values())][: 2 * KEEP]
    for chosen in shelf.choices.values():
        if chosen.choice.hash not in kept or chosen not in newest:
            yield key_bytes(ChoiceKey(model, version, chosen.id))


def _orphans(registry: Registry, model: str) -> Iterator[PartKey]:
    named = {
        published.publication.blob.id
        for (name, _), shelf in registry.shelves.items()
        if name == model
        for published in shelf.publications.values()
    }
    for key, schedule in registry.schedules.items():
        if key.model == model:
            named |= {blob.id for blob in schedule.blobs}
    old = registry.newest_seconds - ORPHAN_SECONDS
    for part, at_seconds in registry.part_seconds.items():
        if part.model == model and part.blob not in named and at_seconds <= old:
            yield part
