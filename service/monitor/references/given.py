"""The references that somebody has given: from directories, from the registry, by hand."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from service.monitor.references.inheriting import inherited
from service.monitor.references.planning import watched_part
from service.values.references import Reference
from service.values.streams import ModelKey
from service.values.watches import Watch

Identity = tuple[str, str | None]


class ReferenceSource(Protocol):
    """Where references are put by people and pipelines, and found by the service."""

    @property
    def problems(self) -> Mapping[str, str]:
        """What is there and cannot be used, by its name (a file, a record), and why."""
        ...

    @property
    def broken_total(self) -> int:
        """How often something was found that could not be used, or could not be read at all."""
        ...

    def find(self, model: str, version: str) -> Reference | None:
        """The reference of exactly this version, else the model's for any version, else None."""
        ...

    def of_model(self, model: str) -> list[Reference]:
        """The current ones of all versions of a model."""
        ...

    def earlier(self, model: str, version: str) -> Iterator[Reference]:
        """Those that `find` may have given before, as far as they are kept."""
        ...

    def look(self) -> bool:
        """Look for what is new; whether anything has changed. What is broken changes nothing."""
        ...


class GivenReferences:
    """What is given for a model version, of its features those that the settings watch.

    `place_of` tells in which of the places the references of a model are. Those given `by_hand`
    come first.
    """

    def __init__(
        self,
        by_place: Mapping[str, ReferenceSource],
        place_of: Callable[[str], str],
        watch_for: Callable[[str], Watch],
        by_hand: Sequence[Reference] = (),
    ) -> None:
        self.by_place = dict(by_place)
        self._place_of = place_of
        self._watch_for = watch_for
        self._by_hand: Mapping[Identity, Reference] = {(r.model, r.version): r for r in by_hand}
        self._watched: dict[Identity, tuple[Reference, Reference]] = {}

    def exchange(
        self,
        by_place: Mapping[str, ReferenceSource],
        place_of: Callable[[str], str],
        watch_for: Callable[[str], Watch],
    ) -> None:
        """Other places from now on, and other settings of what is watched."""
        self.by_place, self._place_of, self._watch_for = dict(by_place), place_of, watch_for
        self._watched = {}

    def __call__(self, key: ModelKey) -> Reference | None:
        """The reference of a version, None without one."""
        found = self._by_hand.get((key.model, key.version)) or self._by_hand.get((key.model, None))
        source = self._source_of(key.model)
        if found is None and source is not None:
            found = source.find(key.model, key.version)
        return None if found is None else self._watched_part(found)

    def of_model(self, model: str) -> list[Reference]:
        """Those of all versions of a model."""
        source = self._source_of(model)
        found = {} if source is None else {(r.model, r.version): r for r in source.of_model(model)}
        by_hand = {i: r for i, r in self._by_hand.items() if i[0] == model}
        return [self._watched_part(reference) for reference in (found | by_hand).values()]

    def earlier(self, key: ModelKey) -> Iterator[Reference]:
        """Those that held for a version before, as they were given."""
        source = self._source_of(key.model)
        if source is not None:
            yield from source.earlier(key.model, key.version)

    def inherited(self, key: ModelKey, in_force: Iterable[Reference] = ()) -> Reference | None:
        """What a version without one takes over from others: of those that are given and those
        `in_force`, the inputs of the newest. None where there is none, or where the settings do not
        want it.
        """
        if not self._watch_for(key.model).inherit:
            return None
        return inherited([*self.of_model(key.model), *in_force], *key)

    def look(self) -> bool:
        """Look for what is new; whether anything has changed."""
        changed = [source.look() for source in self.by_place.values()]
        return any(changed)

    @property
    def problems(self) -> dict[str, str]:
        """What cannot be used, by its name, and why."""
        return {
            name: why for source in self.by_place.values() for name, why in source.problems.items()
        }

    @property
    def broken_total(self) -> int:
        """How often something was found that could not be used."""
        return sum(source.broken_total for source in self.by_place.values())

    def _source_of(self, model: str) -> ReferenceSource | None:
        return self.by_place.get(self._place_of(model))

    def _watched_part(self, reference: Reference) -> Reference:
        """The same object as long as what is given is the same."""
        identity = (reference.model, reference.version)
        known = self._watched.get(identity)
        if known is None or known[0] is not reference:
            watched = watched_part(reference, self._watch_for(reference.model))
            known = self._watched[identity] = reference, watched
        return known[1]
