"""Section `severity`: what may wake somebody, by tier of the model."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from config.section import Section, refuse

_LATER = ("performance",)


def _is_known(value: object) -> object:
    if value in _LATER:
        raise ValueError(f"{value} comes with a later version; leave it out")
    return value


Episode = Annotated[
    Literal["drift", "latency", "quality", "volume", "upstream", "silent", "stale"],
    BeforeValidator(_is_known),
]


class TierSeverity(Section):
    """Whom episodes of models of one tier may reach. What is in no list is only logged."""

    page: tuple[Episode, ...] = Field(
        default=(),
        description="May wake somebody: drift, latency, quality, volume, upstream, silent, stale.",
    )
    ticket: tuple[Episode, ...] = Field(
        default=(),
        description="Can wait for the day: the same may stand here, each in one list. silent: no "
        "records although some are due; stale: the reference is old, or lacking for long.",
    )
    log: tuple[Episode, ...] = Field(
        default=(),
        description="Logged and recorded only, as is all that is in no list; silent and stale are "
        "then told nobody.",
    )

    @property
    def pairs(self) -> Iterator[tuple[str, Literal["page", "ticket", "log"]]]:
        """Each episode that is named, with its severity."""
        yield from ((episode, "page") for episode in self.page)
        yield from ((episode, "ticket") for episode in self.ticket)
        yield from ((episode, "log") for episode in self.log)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen: set[str] = set()
        for episode, severity in self.pairs:
            refuse((episode in seen, severity, f"{episode} may stand in one list only"))
            seen.add(episode)
        return self


class SeveritySettings(Section):
    """What may wake somebody; the rest are tickets, or nothing. A tier that is set is set whole."""

    first: TierSeverity = Field(
        default=TierSeverity(
            page=("quality", "silent", "upstream"),
            ticket=("drift", "latency", "volume", "stale"),
        ),
        alias="1",
        description="Tier 1, on which most depends.",
    )
    second: TierSeverity = Field(
        default=TierSeverity(
            ticket=("quality", "silent", "drift", "upstream", "latency", "volume"), log=("stale",)
        ),
        alias="2",
        description="Tier 2, which models have unless said.",
    )
    third: TierSeverity = Field(
        default=TierSeverity(
            log=("quality", "silent", "drift", "upstream", "latency", "volume", "stale")
        ),
        alias="3",
        description="Tier 3, on which least depends.",
    )

    @property
    def by_tier(self) -> tuple[TierSeverity, ...]:
        """Tiers 1 to 3."""
        return (self.first, self.second, self.third)
