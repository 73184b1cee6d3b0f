"""Where the references of a model version come from when the judge first meets it, or again."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from service.monitor.references.agreement import Entries, agreed
from service.monitor.references.in_force import MakePlan, References
from service.values.references import Reference
from service.values.streams import ModelKey

GivenReference = Callable[[ModelKey], Reference | None]
InheritedReference = Callable[[ModelKey, Iterable[Reference]], Reference | None]
"""What a version takes over from others, beside what is given from those in force of them."""

PublishedEntries = Callable[[ModelKey], Entries | None]


class Origins(Struct, frozen=True):
    """`published` is what this judge, or one before it, has told the workers of a version."""

    given: GivenReference
    inherited: InheritedReference = lambda _key, _in_force: None
    published: PublishedEntries = lambda _key: None

    def begin(
        self,
        key: ModelKey,
        kept: Entries | None,
        in_force: Iterable[Reference],
        make_plan: MakePlan,
    ) -> tuple[References, bool]:
        """The references to go on with, and whether they are those `kept` in a snapshot.

        Without any, kept or published, it begins with what is given, else with what is inherited.
        """
        entries, others = agreed(kept, self.published(key))
        if entries:
            return References.from_state(entries, make_plan), not others
        found = self.given(key)
        if found is None:
            found = self.inherited(key, in_force)
        return References(found, make_plan), True
