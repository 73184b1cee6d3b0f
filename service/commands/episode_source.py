"""The record of episodes and of what was watched, as commands read it: a directory, or a topic."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import click

from config.settings import Settings
from service.commands.record_topic import open_topic
from service.errors import ConfigurationError, RecoverableError
from service.state.episode_events import RecordedEvent
from service.state.episode_history import EpisodeHistory, histories
from service.state.episode_record import (
    DIRECTORY,
    add_drill,
    add_verdict,
    read_record,
    read_watched,
)
from service.state.episode_topic import (
    append_drill,
    append_verdict,
    read_episodes,
    read_topic_watched,
)
from service.values.drills import Drill
from service.values.episodes import Verdict
from service.values.keyed_log import KeyedLog
from service.values.watched import WatchedEntry


class Record:
    """Where the record is. With a topic, the directory is what was written before it had one.

    What cannot be read raises ConfigurationError that says what to do.
    """

    def __init__(self, directory: Path, log: KeyedLog | None = None) -> None:
        self.directory = directory
        self._log = log

    @property
    def place(self) -> str:
        """In words, for messages."""
        return str(self.directory) if self._log is None else f"topic {self._log.topic}"

    def histories(self) -> Mapping[str, EpisodeHistory]:
        """Every episode by its name."""
        with self._readable():
            if self._log is None:
                return histories(read_record(self.directory))
            return histories(chain(read_record(self.directory), read_episodes(self._log)))

    def watched(self, since_seconds: float, model: str | None) -> list[WatchedEntry]:
        """What was watched, written since then; of model versions only those of `model`."""
        with self._readable():
            kept = list(read_watched(self.directory, since_seconds, model))
            if self._log is not None:
                kept += read_topic_watched(self._log, model)
            return [entry for entry in kept if entry.at_seconds >= since_seconds]

    def drills(self) -> list[Drill]:
        """What was asked for of drills, in the order of writing."""
        with self._readable():
            kept: Iterable[RecordedEvent] = read_record(self.directory)
            if self._log is not None:
                kept = chain(kept, read_episodes(self._log))
            return [event for event in kept if isinstance(event, Drill)]

    def add_verdict(self, verdict: Verdict) -> None:
        """Write down what somebody decided."""
        with self._writable("the verdict counts once, however often it is given"):
            if self._log is None:
                add_verdict(self.directory, verdict)
            else:
                append_verdict(self._log, verdict)

    def add_drill(self, drill: Drill) -> None:
        """Write down that somebody asks for a drill, or for its end."""
        with self._readable(), self._writable("nothing was asked for yet"):
            if self._log is None:
                add_drill(self.directory, drill)
            else:
                append_drill(self._log, drill)

    @contextmanager
    def _writable(self, again: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"cannot write into the record {self.directory}: {error.strerror}. Run this as the "
                "user of the service, on its host"
            ) from error
        except RecoverableError as error:
            raise ConfigurationError(
                f"cannot write into the record, {self.place}: {error}. Try it again; {again}"
            ) from error

    @contextmanager
    def _readable(self) -> Iterator[None]:
        if self._log is None and not self.directory.is_dir():
            raise ConfigurationError(
                f"there is no record of episodes at {self.directory}: the service makes it. Name "
                "its configuration by --config, or the directory by --record"
            )
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"the record {self.directory} cannot be read: {error.strerror}. Run this as the "
                "user of the service"
            ) from error
        except RecoverableError as error:
            raise ConfigurationError(
                f"the record, {self.place}, cannot be read: {error}"
            ) from error


@contextmanager
def open_record(settings: Settings) -> Iterator[Record]:
    """The record of the service with these settings.

    Raises ConfigurationError when its topic cannot be reached.
    """
    topic = settings.state.episodes_topic
    own = settings.state.path / DIRECTORY
    if topic is None:
        yield Record(own)
        return
    with open_topic(settings, topic) as log:
        yield Record(own, log)


def read_histories(directory: Path) -> Mapping[str, EpisodeHistory]:
    """Every episode in a directory, by its name. Raises ConfigurationError as `Record` does."""
    return Record(directory).histories()


def find_history(known: Mapping[str, EpisodeHistory], episode: str) -> EpisodeHistory:
    """One of them. Raises click.UsageError that names the nearest."""
    if episode in known:
        return known[episode]
    near = difflib.get_close_matches(episode, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else "anchorwatch episode list says which there are."
    raise click.UsageError(f"no episode {episode!r} is in the record. {hint}")
