"""Whom an episode may reach: by its category and by the tier of its model."""

from collections.abc import Mapping

from msgspec import Struct

from service.values.episodes import Category, Severity

_RANK = {Severity.LOG: 0, Severity.TICKET: 1, Severity.PAGE: 2}


class Severities(Struct, frozen=True):
    """`by_tier` has a row for each tier, from 1; what a row does not name is only logged."""

    by_tier: tuple[Mapping[Category, Severity], ...] = ()

    def of(self, category: Category, tier: int) -> Severity:
        """The severity of an episode of this category of a model of this tier."""
        if not 1 <= tier <= len(self.by_tier):
            return Severity.LOG
        return self.by_tier[tier - 1].get(category, Severity.LOG)


def is_worse(one: Severity, other: Severity) -> bool:
    """True when `one` reaches further than `other`."""
    return _RANK[one] > _RANK[other]
