"""Section `state`: what survives a restart, and where."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from config.section import Seconds, Section, later_values


class EpisodeRecordSettings(Section):
    """The record of episodes: a file a day in the state directory, one JSON event a line."""

    later: ClassVar[frozenset[str]] = frozenset({"topic"})

    keep: Annotated[float, Seconds("1d", "4000d")] = Field(
        default=400 * 86_400.0, description="How long an event is kept, for audits."
    )


class StateSettings(Section):
    """Checkpoints: positions and everything counted, in one file; and the record of episodes."""

    store: Annotated[Literal["directory"], later_values("topic", write="directory")] = Field(
        default="directory", description="Where checkpoints are kept: directory."
    )
    path: Path = Field(
        default=Path("/var/lib/anchorwatch"),
        description="The directory; one process at a time uses it.",
    )
    every: Annotated[float, Seconds("1s", "10m")] = Field(
        default=10.0, description="How often a checkpoint is written; one more on SIGTERM."
    )
    episodes: EpisodeRecordSettings = Field(
        default=EpisodeRecordSettings(), description="The record of episodes."
    )
