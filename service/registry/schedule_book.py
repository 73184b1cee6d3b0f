"""How a worker's rows become columns: by what the judge has decided, and else by what is given."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from service.errors import ConfigurationError
from service.monitor.references.file import read
from service.monitor.references.in_force import References
from service.monitor.references.inheriting import inherited
from service.monitor.references.planning import watched_part
from service.registry.publishing import title
from service.registry.registry import Registry
from service.registry.schedules import state_of
from service.values.plans import Plan, Schedule
from service.values.references import Reference
from service.values.streams import ModelKey
from service.values.watches import Watch

_LEARNS = True


class Given(Protocol):
    """What somebody has given as normal."""

    def __call__(self, key: ModelKey) -> Reference | None:
        """The reference of a version."""
        ...

    def of_model(self, model: str) -> list[Reference]:
        """Those of all versions of a model."""
        ...

    def earlier(self, key: ModelKey) -> Iterator[Reference]:
        """Those that held for a version before, as far as they are kept."""
        ...

    def look(self) -> bool:
        """Look for what is new; whether anything has changed."""
        ...


class Book:
    """One version: what holds now, and the plans of panes that are still kept."""

    def __init__(self, references: References, published: object) -> None:
        self.references = references
        self.published = published
        self.taken_back = False
        self.plans: dict[str, Plan] = {}
        self.note()

    def note(self) -> None:
        """Remember the plans that hold."""
        self.plans |= {plan.reference_hash: plan for _, plan in self.references.schedule().plans}


class ScheduleBook:
    """All versions, as the decoder (`schedule`) and the shards (`plan`) ask.

    The registry was read to its end before the first question. What comes later is taken up by
    `look`, which is called between chunks.
    """

    def __init__(
        self,
        registry: Registry,
        given: Given,
        watch_for: Callable[[str], Watch],
        plan_for: Callable[[ModelKey, Watch, Reference | None, bool], Plan],
        models_max: int,
    ) -> None:
        self._registry = registry
        self._given = given
        self._watch_for = watch_for
        self._plan_for = plan_for
        self._models_max = models_max
        self._books: dict[ModelKey, Book] = {}
        self._withdrawn: frozenset[ModelKey] = frozenset()
        self.over_limit = 0
        registry.take_withdrawn()  # of before: none of what is counted here

    def schedule(self, key: ModelKey) -> Schedule | None:
        """The plans of a model version; None when there are as many as may be.

        Begins with what the judge has published, else with the reference given for it, else with
        that of the inputs of another version where it is inherited, else with none: then the judge
        learns one of what is counted without.
        """
        book = self._books.get(key)
        if book is None:
            if len(self._books) >= self._models_max:
                self.over_limit += 1
                return None
            book = self._open(key)
        book.taken_back = False
        return book.references.schedule()

    def plan(self, key: ModelKey, reference_hash: str) -> Plan:
        """The plan a kept pane was counted under. Raises KeyError where its reference is found
        nowhere any more: neither in force, nor retired, nor published, nor given.
        """
        book = self._books.get(key) or self._open(key)
        if reference_hash not in book.plans:
            for plan in self._past(key):
                book.plans.setdefault(plan.reference_hash, plan)
                if plan.reference_hash == reference_hash:
                    break
        return book.plans[reference_hash]

    def look(self) -> frozenset[ModelKey]:
        """Take up what has come; the versions whose schedule has changed, and those of which the
        judge says that it has forgotten them, known here or not.

        Raises RecoverableError when the broker does not answer; what is known holds until it does.
        """
        self._given.look()  # for versions that are yet to come
        if not self._registry.look():
            return frozenset()
        self._withdrawn = self._registry.take_withdrawn()
        for key in self._withdrawn & self._books.keys():
            self._books[key].taken_back = True
        return self._withdrawn.union(key for key in list(self._books) if self._changed(key))

    def watch_as(self, watch_for: Callable[[str], Watch]) -> None:
        """Count as other settings say from now on."""
        self._watch_for = watch_for
        self._books = {key: self._again(key, book) for key, book in self._books.items()}

    def was_taken_back(self, key: ModelKey) -> bool:
        """Whether the judge has forgotten a version, and no event of it has come since."""
        book = self._books.get(key)
        return key in self._withdrawn if book is None else book.taken_back

    def retain(self, held: Mapping[ModelKey, Collection[str]]) -> None:
        """Let go of the plans that neither hold nor are those of panes, by the hashes in `held`;
        and of versions that the judge has forgotten, unless they came back.
        """
        for key, book in list(self._books.items()):
            if book.taken_back and not held.get(key):
                del self._books[key]
                continue
            needed = held.get(key, ())
            book.plans = {h: plan for h, plan in book.plans.items() if h in needed}
            book.note()

    def _open(self, key: ModelKey) -> Book:
        book = self._books[key] = Book(self._current(key), self._registry.schedules.get(key))
        return book

    def _again(self, key: ModelKey, before: Book) -> Book:
        """The same schedule, by plans of other settings."""
        references = References.from_state(before.references.state(), self._planner(key))
        book = Book(references, before.published)
        book.taken_back = before.taken_back
        return book

    def _current(self, key: ModelKey) -> References:
        published = state_of(self._registry, key)
        if published:
            try:
                return References.from_state(published, self._planner(key))
            except ConfigurationError as error:
                self._registry.note_problem(f"schedule of {title(*key)}", str(error))
        given = self._given(key)
        if given is None and self._watch_for(key.model).inherit:
            given = inherited(self._candidates(key), *key)
        return References(given, self._planner(key))

    def _changed(self, key: ModelKey) -> bool:
        """A schedule that cannot be read, or that the log has lost, leaves what holds as it is; of
        one that was taken back the version begins anew, should it come back.
        """
        book, published = self._books[key], self._registry.schedules.get(key)
        if published is book.published:
            return False
        book.published = published
        book.taken_back = key in self._withdrawn
        if published is None and not book.taken_back:
            return False
        state = state_of(self._registry, key)
        if published is not None and (not state or _same(book.references.state(), state)):
            return False
        book.references = self._current(key)
        book.note()
        return True

    def _candidates(self, key: ModelKey) -> Iterator[Reference]:
        """What other versions may be inherited from: what is given, then what is in force."""
        yield from self._given.of_model(key.model)
        for other in self._registry.schedules:
            if other.model == key.model and other != key:
                yield from self._in_force(other)

    def _in_force(self, key: ModelKey) -> Iterator[Reference]:
        state = state_of(self._registry, key)
        if not state or state[-1]["reference"] is None:
            return
        name = f"schedule of {title(*key)}"
        try:
            yield read(state[-1]["reference"], name)
        except ConfigurationError as error:
            self._registry.note_problem(name, str(error))

    def _past(self, key: ModelKey) -> Iterator[Plan]:
        """Plans by references that held once, or may have: the likeliest first."""
        make, watch = self._planner(key), self._watch_for(key.model)
        for entry in state_of(self._registry, key, retired=True) or []:
            yield References.from_state([entry], make).newest.plan
        given, taken = self._given(key), inherited(self._candidates(key), *key)
        for reference in (given, *self._given.earlier(key), taken):
            if reference is not None:
                yield make(watched_part(reference, watch), _LEARNS)
                yield make(reference, _LEARNS)
        yield make(None, _LEARNS)

    def _planner(self, key: ModelKey) -> Callable[[Reference | None, bool], Plan]:
        return partial(self._plan_for, key, self._watch_for(key.model))


def _same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    fields = ("effective_from_seconds", "reference", "learns")
    return [[e[f] for f in fields] for e in one] == [[e[f] for f in fields] for e in other]
