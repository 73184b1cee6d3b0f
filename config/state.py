"""Section `state`: what survives a restart, and where."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.section import Seconds, Section, Whole, refuse

EPISODES_TOPIC = "anchorwatch.episodes"
"""Where a fleet keeps its record when nothing else is said."""


class EpisodeRecordSettings(Section):
    """The record of episodes and of what was watched: one JSON event an entry, in a topic, or in
    files of the state directory.
    """

    topic: str | None = Field(
        default=None,
        min_length=1,
        max_length=249,
        description="The topic of the record, in place of files; null = files in the state "
        f"directory, with `store: topic` {EPISODES_TOPIC}.",
    )
    keep: Annotated[float, Seconds("1d", "4000d")] = Field(
        default=400 * 86_400.0, description="How long an event is kept, for audits."
    )


class StateTopicsSettings(Section):
    """The topics of a fleet: its state, and what its workers send to the judge."""

    state: str = Field(
        default="anchorwatch.state",
        min_length=1,
        max_length=249,
        description="Compacted; what workers and the judge need to go on after a restart.",
    )
    panes: str = Field(
        default="anchorwatch.panes",
        min_length=1,
        max_length=249,
        description="Kept for 48 hours; counts of closed panes, from the workers to the judge.",
    )
    schedules: str = Field(
        default="anchorwatch.references",
        min_length=1,
        max_length=249,
        description="Compacted; which reference is in force from when, as the judge decides it. It "
        "may be the topic that reference.from names.",
    )
    create: bool = Field(
        default=True,
        description="Create those that are not there; false: stop, and say with which command they "
        "are created.",
    )
    partitions: Annotated[int, Whole("1", "1000")] = Field(
        default=16,
        description="Partitions of each; they stay as they were made. Any number of replicas can "
        "use them.",
    )
    replication: Annotated[int, Whole("1", "15")] | None = Field(
        default=None, description="Copies of each; null = 3, or 1 where there are fewer brokers."
    )

    @model_validator(mode="after")
    def _are_three(self) -> Self:
        refuse(
            (
                self.panes == self.state,
                "panes",
                f"is the topic of the state too: {self.state}; name another",
            ),
            (
                self.schedules in {self.state, self.panes},
                "schedules",
                f"is the topic of something else too: {self.schedules}; name another",
            ),
        )
        return self


class StateSettings(Section):
    """Checkpoints: positions and everything counted, in one file or in a topic; and the record of
    episodes.
    """

    store: Literal["directory", "topic"] = Field(
        default="directory",
        description="Where checkpoints are kept: in a directory (role all), or in a topic (roles "
        "worker and judge).",
    )
    path: Path = Field(
        default=Path("/var/lib/anchorwatch"),
        description="The directory; one process at a time uses it.",
    )
    topics: StateTopicsSettings = Field(
        default=StateTopicsSettings(), description="With `store: topic`: the topics of a fleet."
    )
    format: Annotated[int, Whole("1", "1")] = Field(
        default=1,
        description="Format that state is written in to topics. Raise it once every replica runs a "
        "version that reads the newer one.",
    )
    every: Annotated[float, Seconds("1s", "10m")] = Field(
        default=10.0, description="How often a checkpoint is written; one more on SIGTERM."
    )
    episodes: EpisodeRecordSettings = Field(
        default=EpisodeRecordSettings(), description="The record of episodes."
    )

    @property
    def episodes_topic(self) -> str | None:
        """The topic of the record, None where it is in files of the directory."""
        if self.episodes.topic is None and self.store == "topic":
            return EPISODES_TOPIC
        return self.episodes.topic
