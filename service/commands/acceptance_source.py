"""What `reference accept` reads: the state that a service keeps, and its record of episodes."""

import math
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any

import click
from msgspec import Struct

from config.settings import Settings
from service.commands.acceptance_view import moment
from service.commands.episode_source import Record, find_history
from service.composition.fleet_access import open_fleet
from service.errors import ConfigurationError, StateCorrupt
from service.loops.judge_snapshot import JudgeSnapshot, JudgeTopic
from service.monitor.references.kept import Kept, kept_of
from service.monitor.references.reference import same_cells
from service.state.directory import look
from service.values.episodes import Category, Episode
from service.values.streams import Kind, ModelKey, StreamKey


def read_state(settings: Settings) -> Mapping[str, Any]:
    """The newest snapshot, in the state directory or of the judge in its topic, whether or not a
    service runs on it.

    Raises ConfigurationError when there is none that can be read, RecoverableError when no broker
    answers.
    """
    if settings.state.store == "topic":
        return _judge_state(settings)
    path = settings.state.path
    try:
        loaded = look(path)
    except StateCorrupt as error:
        raise ConfigurationError(
            f"{error}. Run this as the user of the service, on its host"
        ) from error
    if loaded is None:
        raise ConfigurationError(
            f"there is no state in {path}: the service has not run there yet. Name its "
            "configuration by --config"
        )
    tree: Mapping[str, Any] = loaded.tree
    return tree


def _judge_state(settings: Settings) -> Mapping[str, Any]:
    """Nothing is written by who only opens it. Open panes are with the workers."""
    with closing(open_fleet(settings)) as fleet:
        topic = JudgeTopic(fleet.store, fleet.state, lambda: fleet.panes.topic_id)
        with closing(JudgeSnapshot(topic)) as snapshot:
            found = snapshot.open()
    if found is None:
        raise ConfigurationError(
            f"there is no state of a judge in topic {settings.state.topics.state}: it has not run "
            "yet. Name its configuration by --config"
        )
    return {**found.tree, "shards": []}


def kept_model(tree: Mapping[str, Any], key: ModelKey, pane_seconds: float) -> Kept:
    """What the state holds of a model version.

    Raises ConfigurationError while it is compared with no reference, or is about to be compared
    with another one.
    """
    kept = kept_of(tree, key, pane_seconds)
    if kept is None:
        raise ConfigurationError(
            f"{key.model} version {key.version} is compared with no reference yet: one is being "
            "learned, or has just come into force. Try again in some minutes"
        )
    if not same_cells(kept.reference, kept.newest):
        raise ConfigurationError(
            f"another reference of {key.model} version {key.version} is about to come into force: "
            "try again when it has, so that what is accepted was counted by it"
        )
    return kept


class Drifted(Struct, frozen=True):
    """The episode that is accepted."""

    episode: Episode

    @property
    def name(self) -> str:
        """What it is called."""
        return self.episode.id

    @property
    def key(self) -> ModelKey:
        """Which model version drifted."""
        return self.episode.key

    @classmethod
    def find(cls, record: Record, name: str) -> "Drifted":
        """The episode in a record.

        Raises click.UsageError naming the nearest when it is not there, or when it cannot be
        accepted: it is over, it is about a source, or about how many rows there are.
        """
        episode = find_history(record.histories(), name).newest
        _refuse(episode)
        return cls(episode)

    def streams(self) -> Collection[StreamKey]:
        """The streams that drift, quality as that of its feature."""
        if self.episode.streams_total > len(self.episode.streams):
            raise click.UsageError(
                f"of the {self.episode.streams_total} streams of {self.name} only "
                f"{len(self.episode.streams)} are in the record: name them by --feature"
            )
        return {_whose(stream.key) for stream in self.episode.streams if stream.drifts}

    def onset_seconds(self, streams: Collection[StreamKey]) -> float:
        """When the last of these had changed, by estimate."""
        onsets = [
            stream.onset_seconds for stream in self.episode.streams if _whose(stream.key) in streams
        ]
        known = [onset for onset in onsets if math.isfinite(onset)]
        return max(known, default=self.episode.onset_seconds)


def _refuse(episode: Episode) -> None:
    if episode.category is Category.UPSTREAM:
        members = ", ".join(member.episode for member in episode.members)
        raise click.UsageError(
            f"{episode.id} is about a source, and what is normal belongs to a model: accept each "
            f"of {members}"
        )
    if episode.category is Category.VOLUME:
        raise click.UsageError(
            f"{episode.id} is about how many rows there are. No reference says that: what is "
            "usual is learned from the last weeks"
        )
    if episode.ended_seconds is not None:
        raise click.UsageError(
            f"{episode.id} is over since {moment(episode.ended_seconds)} "
            f"({episode.ended_because or 'recovered'}): there is nothing to get used to. To accept "
            "what was seen since some time all the same, give --model and --since in place of "
            "--episode"
        )


def _whose(key: StreamKey) -> StreamKey:
    return StreamKey(Kind.INPUT, key.name) if key.kind is Kind.QUALITY else key
