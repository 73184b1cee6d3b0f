"""`anchorwatch replay --episode`: would an episode of the record fire again, and under what?

The record says which model version it was, when, and by which reference and configuration. The
reference is looked for where the service keeps it; the events are those of the files, or those that
their topics still hold.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from config.assignments import NOTHING, Assignments
from config.loader import Loaded
from config.settings import Settings
from config.sources import SourceSettings, TopicPattern
from service.backtest.recall import Period, Witness
from service.commands import load_settings
from service.commands.episode_source import Record, find_history, open_record
from service.commands.replay_references import Given
from service.composition.wiring import watches
from service.errors import ConfigurationError, StateCorrupt
from service.monitor.references.file import read
from service.monitor.references.planning import watched_part
from service.publish.pictures.time_axis import minute
from service.state.directory import look
from service.state.episode_record import DIRECTORY
from service.values.episodes import Episode, Evidence
from service.values.references import Reference

HASH_SHOWN = 12
FILES_MAX = 10_000


class Remembered(Struct, frozen=True):
    """An episode of the record, with the evidence to judge it again by: the panes as of its last
    event, the reference and the configuration as of its first. `state` is the directory of the
    service's state.
    """

    episode: Episode
    evidence: Evidence
    state: Path

    def witness(self, settings: Settings) -> Witness:
        """Who watches its time."""
        watch = watches(settings)(self.episode.model)
        period = Period.of(self.episode, watch.season)
        return Witness(self.episode, self.evidence, period, settings.detection.pane)


class Question(Struct, frozen=True):
    """What is asked of a replay: an episode, other settings (as they were typed), or both.

    `configured` are the settings without these, None when there are no others.
    """

    episode: Remembered | None = None
    settings: tuple[str, ...] = ()
    configured: Loaded | None = None


def find_episode(name: str, config_file: Path | None, record: Path | None) -> Remembered:
    """An episode of the record.

    Raises click.UsageError naming the nearest when it is not there, and ConfigurationError when it
    cannot be judged again: it is of a source, or the record holds no evidence of it.
    """
    settings = load_settings(config_file).settings
    if record is not None:
        history = find_history(Record(record).histories(), name)
    else:
        with open_record(settings) as place:
            history = find_history(place.histories(), name)
    episode = history.newest
    if not episode.model:
        own = ", ".join(member.episode for member in episode.members)
        raise ConfigurationError(
            f"{name} is of a source, and what is judged are models: ask about one of {own}"
        )
    known = [event.evidence for event in history.events if event.evidence is not None]
    if not known:
        raise ConfigurationError(
            f"the record holds no evidence of {name}, so neither its reference nor its events are "
            "known: replay without --episode"
        )
    first = known[0]
    evidence = replace(
        known[-1], reference_hash=first.reference_hash, config_hash=first.config_hash
    )
    in_state = record is not None and record.resolve().name == DIRECTORY
    state = record.resolve().parent if record is not None and in_state else settings.state.path
    return Remembered(episode, evidence, state)


def require_model(episode: Remembered | None, model: str | None, version: str | None) -> str | None:
    """The model that is asked about, if one is: that of the episode, else of the table.

    Raises click.UsageError where the two are not the same.
    """
    if episode is None:
        return model
    key = episode.episode.key
    if model not in {None, key.model} or version not in {None, key.version}:
        raise click.UsageError(
            f"{episode.episode.id} is of {key.model} version {key.version}: leave --model and "
            "--model-version out, or say the same"
        )
    return key.model


def question_of(
    episode: Remembered | None, said: tuple[str, ...], model: str | None, config_file: Path | None
) -> tuple[Question, Loaded]:
    """What is asked, and the settings to answer it by: `said` of `model`, None for every model.

    Raises ConfigurationProblems for what is wrong with either.
    """
    configured = load_settings(config_file, NOTHING)
    if not said:
        return Question(episode), configured
    loaded = load_settings(config_file, Assignments(said, model))
    return Question(episode, said, configured), loaded


def source_of(episode: Remembered, settings: Settings) -> SourceSettings | None:
    """The source whose topics the events of an episode came by; None when it is not known."""
    topics = {offsets.topic for offsets in episode.evidence.offsets}
    for source in settings.sources:
        of = source.topics
        if isinstance(of, TopicPattern):
            if any(re.match(of.pattern, topic) for topic in topics):
                return source
        elif of is not None and topics & {*of}:
            return source
    return None


def reference_of(
    episode: Remembered, given: tuple[Given, ...], settings: Settings
) -> tuple[Given, ...]:
    """The references to judge by: `given` ones, and that which was in force, where it is kept.

    One that is given for the model version comes before any other. Raises ConfigurationError that
    says where it was looked for and how to give it.
    """
    key, wanted = episode.episode.key, episode.evidence.reference_hash
    if any(one.holds_for(key) for one in given):
        return given
    watch = watches(settings)(key.model)
    for file, reference in _kept(episode, settings):
        if wanted in {reference.hash, watched_part(reference, watch).hash}:
            return (*given, Given(file, replace(reference, version=key.version)))
    place = settings.for_model(key.model).reference.place
    raise ConfigurationError(
        f"the reference that was in force at {minute(episode.episode.started_seconds)} "
        f"({wanted[:HASH_SHOWN]}) is neither in the references of {place} nor in the state of "
        f"{episode.state}. Give its file by --reference, or name the configuration of the service "
        "by --config, on its host: its state holds what it has learned. Another reference, given "
        "by --reference, is taken too, and it is said that it is another"
    )


def require_events(witness: Witness) -> None:
    """Refuse to answer of a time of which nothing was read. Raises ConfigurationError."""
    episode = witness.episode
    end = min(episode.updated_seconds, witness.period.until_seconds)
    time = f"{minute(witness.period.from_seconds)} to {minute(end)} (UTC)"
    name = f"{episode.model} version {episode.version}"
    if not witness.panes:
        there = (
            "there was none at all"
            if witness.end_seconds < witness.first_seconds
            else f"those that were read are from {minute(witness.first_seconds)} to "
            f"{minute(witness.end_seconds)}"
        )
        raise ConfigurationError(
            f"{episode.id} cannot be judged again: no event of {name} was read from {time}; "
            f"{there}. Give the files, or --from and --to, of that time and of the days before it"
        )
    if witness.largest is None:
        raise ConfigurationError(
            f"{episode.id} cannot be judged again: nothing of {name} could be compared with a "
            f"reference from {time}. Give its reference by --reference"
        )


def _kept(episode: Remembered, settings: Settings) -> Iterator[tuple[Path, Reference]]:
    """Every reference of the model version that the service's state or its directory holds, those
    that were replaced among them.
    """
    key = episode.episode.key
    tree = _state(episode.state)
    for model in tree["judge"]["models"] if tree else ():
        if (model["model"], model["version"]) == key:
            for entry in model["references"]:
                if entry["reference"] is not None:
                    yield episode.state, read(entry["reference"], f"the state of {episode.state}")
    directory = settings.for_model(key.model).reference.directory
    for file in _files(directory):
        try:
            reference = read(file.read_bytes(), str(file))
        except (ConfigurationError, OSError):
            continue  # what is no reference is not the one that is looked for
        if reference.model == key.model and reference.version in {None, key.version}:
            yield file, reference


def _state(directory: Path) -> Any:
    """The newest snapshot; None when there is none that can be read."""
    try:
        loaded = look(directory)
    except (StateCorrupt, OSError):
        return None
    return None if loaded is None else loaded.tree


def _files(directory: Path | None) -> list[Path]:
    if directory is None or not directory.is_dir():
        return []
    return sorted([*directory.glob("*.json"), *directory.glob("*.json.*.old")])[:FILES_MAX]
