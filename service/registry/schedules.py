"""What the judge decided, in the registry: which reference is in force for a version from when."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from service.monitor.references.in_force import References
from service.registry.publishing import prune, title
from service.registry.records import (
    PARTITION,
    BrokenRecord,
    KeptEntry,
    KeptSchedule,
    ScheduleKey,
    cut,
    key_bytes,
    part_drafts,
    value_bytes,
)
from service.registry.registry import Registry
from service.values.keyed_log import Draft
from service.values.plans import Schedule
from service.values.streams import ModelKey

RETIRED_MAX = 5
"""So many entries are kept that are over: of panes of a worker that was away for long."""


class SchedulePublisher:
    """The judge's side. The registry was read to its end before."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._told: dict[ModelKey, Schedule] = {}
        self._readings = registry.readings

    def published(self, key: ModelKey) -> list[dict[str, Any]] | None:
        """What is published for a version, as `References.state()` has it; None where nothing is,
        or where it cannot be read: that is named in the registry's problems.
        """
        return state_of(self._registry, key)

    def publish(self, decided: Mapping[ModelKey, References]) -> int:
        """Publish what has changed since the last call; returns of how many versions.

        Raises RecoverableError when the broker does not answer: the next call tries again.
        """
        if self._registry.readings != self._readings:
            # It may not hold all that was told.
            self._readings = self._registry.readings
            self._told.clear()
        changed = {
            key: references
            for key, references in decided.items()
            if self._told.get(key) is not references.schedule()
        }
        drafts: list[Draft] = []
        for key, references in changed.items():
            drafts += self._drafts(key, references)
        if drafts:
            self._registry.log.append(drafts)
            self._registry.catch_up()
            for model in {key.model for key in changed}:
                prune(self._registry, model)
        # Who tidied up at the same time may have removed a text that was there: then once more.
        whole = {key: references for key, references in changed.items() if self._is_whole(key)}
        self._told |= {key: references.schedule() for key, references in whole.items()}
        return len(changed) if drafts else 0

    def known(self) -> frozenset[ModelKey]:
        """Of which versions something is published."""
        return frozenset(self._registry.schedules)

    def forget(self, keys: Iterable[ModelKey]) -> None:
        """Take back what was published for versions that the judge has let go of; where nothing is
        any more, that is said again, for a worker that has not heard of it.

        Raises RecoverableError when the broker does not answer.
        """
        gone = list(keys)
        for key in gone:
            self._told.pop(key, None)
        if gone:
            self._registry.log.append(
                [Draft(PARTITION, key_bytes(ScheduleKey(*k)), None) for k in gone]
            )
            self._registry.catch_up()

    def _is_whole(self, key: ModelKey) -> bool:
        schedule = self._registry.schedules.get(key)
        return schedule is not None and all(
            self._registry.has(key.model, blob) for blob in schedule.blobs
        )

    def _drafts(self, key: ModelKey, references: References) -> list[Draft]:
        """Nothing where it is published already."""
        parts: list[Draft] = []
        entries = []
        for entry in references.state():
            kept, more = self._entry(key, entry)
            entries.append(kept)
            parts += more
        before = self._registry.schedules.get(key)
        retired: tuple[KeptEntry, ...] = ()
        if before is not None:
            if before.entries == tuple(entries) and not parts:
                return []
            gone = [e for e in (*before.entries, *before.retired) if e not in entries]
            retired = tuple(gone[:RETIRED_MAX])
        schedule = KeptSchedule(tuple(entries), retired)
        return [*parts, Draft(PARTITION, key_bytes(ScheduleKey(*key)), value_bytes(schedule))]

    def _entry(self, key: ModelKey, entry: Mapping[str, Any]) -> tuple[KeptEntry, list[Draft]]:
        start = entry["effective_from_seconds"]
        text = entry["reference"]
        blob, pieces = (None, ()) if text is None else cut(text)
        known = blob is None or self._registry.has(key.model, blob)
        kept = KeptEntry(
            None if start == -math.inf else start, entry["given_hash"], entry["learns"], blob
        )
        if blob is None or known:
            return kept, []
        return kept, part_drafts(key.model, blob, pieces)


def state_of(
    registry: Registry, key: ModelKey, *, retired: bool = False
) -> list[dict[str, Any]] | None:
    """The published entries of a version, or those that are `retired`; None as `published` says."""
    schedule = registry.schedules.get(key)
    if schedule is None:
        return None
    name = f"schedule of {title(*key)}"
    try:
        found = [
            _plain(registry, key, entry)
            for entry in (schedule.retired if retired else schedule.entries)
        ]
    except BrokenRecord as error:
        registry.note_problem(name, str(error))
        return None
    registry.note_problem(name, None)
    return found


def _plain(registry: Registry, key: ModelKey, entry: KeptEntry) -> dict[str, Any]:
    start = entry.effective_from_seconds
    return {
        "effective_from_seconds": -math.inf if start is None else start,
        "given_hash": entry.given_hash,
        "reference": None if entry.blob is None else registry.text(key.model, entry.blob),
        "learns": entry.learns,
    }
