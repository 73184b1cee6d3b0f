"""Which reference from when: what a snapshot of the judge says, beside what it has published.

Workers follow what is published, so what is newer there holds; a snapshot is older by seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Entries = Sequence[Mapping[str, Any]]
"""As `References.state()` has them: ascending by `effective_from_seconds`."""


def agreed(kept: Entries | None, published: Entries | None) -> tuple[list[Mapping[str, Any]], bool]:
    """The entries to go on with, and whether they are others than the `kept` ones.

    That of the two holds whose newest entry comes into force later, of two at the same time the
    published one. Entries from before the published ones, which a snapshot's panes still need, are
    kept. Neither: none.
    """
    if not published:
        return list(kept or ()), False
    if not kept:
        return list(published), True
    if _told(kept[-1]) == _told(published[-1]):
        return list(kept), False
    if _start(kept[-1]) > _start(published[-1]):
        return list(kept), False
    first = _start(published[0])
    return [*(entry for entry in kept if _start(entry) < first), *published], True


def _start(entry: Mapping[str, Any]) -> float:
    return float(entry["effective_from_seconds"])


def _told(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """By the text, since two references may have one hash and another lineage."""
    return _start(entry), entry["given_hash"], entry["reference"], entry["learns"]
