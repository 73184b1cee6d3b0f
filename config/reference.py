"""Section `reference`: what normal looks like, and what to do where nobody has said so."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from config.section import Seconds, Section, Whole

TOPIC = "topic:"
"""In front of the name of a topic, where a directory could stand."""


def _is_place(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a directory, or topic: and the name of a topic")
    if "://" in value:
        raise ValueError(
            "only a directory or a topic can be read; object stores come with a later version"
        )
    if value.startswith(TOPIC) and not re.fullmatch(
        r"(?!\.\.?$)[A-Za-z0-9._-]{1,249}", value.removeprefix(TOPIC)
    ):
        raise ValueError("topic: must be followed by the name of a topic")
    return value


class LearnSettings(Section):
    """When the first events of a model without a reference have become its reference."""

    events: Annotated[int, Whole("100", "10000000")] = Field(
        default=10_000, description="Rows that are learned from."
    )
    at_least: Annotated[float, Seconds("0s", "30d")] = Field(
        default=0.0,
        description="Event time that the rows have to span. 0s, so that a first look takes "
        "minutes; set 24h or more in production, else one shift of a day becomes normal.",
    )


class ReferenceSettings(Section):
    """Where references come from."""

    later: ClassVar[frozenset[str]] = frozenset({"versions"})

    place: Annotated[str, BeforeValidator(_is_place)] = Field(
        default="/etc/anchorwatch/references",
        alias="from",
        description="Directory of the files that `anchorwatch reference build` wrote, or "
        "topic:anchorwatch.references, into which `anchorwatch reference publish` puts them. Both "
        "are looked at all the time: what is new holds without a restart.",
    )
    if_missing: Literal["inherit", "learn", "stop"] = Field(
        default="inherit",
        description="A model version without a reference: inherit that of the inputs from the "
        "newest other version and learn the outputs, or learn all where there is none; learn all "
        "in any case; or stop short of judging it (volume, latency and quality are still told).",
    )
    learn: LearnSettings = Field(default=LearnSettings(), description="How much is learned from.")

    @property
    def directory(self) -> Path | None:
        """The directory, None where references are in a topic."""
        return None if self.topic else Path(self.place)

    @property
    def topic(self) -> str | None:
        """The topic, None where references are in a directory."""
        return self.place.removeprefix(TOPIC) if self.place.startswith(TOPIC) else None
