"""Section `reference`: what normal looks like, and what to do where nobody has said so."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from config.section import Seconds, Section, Whole, later_values


def _is_directory(value: Any) -> Any:
    if isinstance(value, str) and (value.startswith("topic:") or "://" in value):
        raise ValueError(
            "only a directory can be read; topics and object stores come with a later version"
        )
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

    directory: Annotated[Path, BeforeValidator(_is_directory)] = Field(
        default=Path("/etc/anchorwatch/references"),
        alias="from",
        description="Directory of the files that `anchorwatch reference build` wrote.",
    )
    if_missing: Annotated[
        Literal["learn", "stop"], later_values("inherit", write="learn or stop")
    ] = Field(
        default="learn",
        description="A model without a reference: learn one from its first events, or stop short "
        "of judging it (volume, latency and quality are still told).",
    )
    learn: LearnSettings = Field(default=LearnSettings(), description="How much is learned from.")
