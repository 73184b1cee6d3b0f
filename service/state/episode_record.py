"""The record of episodes: what happened, and what people decided; the one place for audits.

    <state directory>/episodes/2026-11-23.jsonl             events of episodes, and verdicts
    <state directory>/episodes/2026-11-23.watched.jsonl     what was watched (`watched_events`)

A file a day (UTC, of writing), one event a line (`service.state.episode_events`). Lines are only
ever added, under a lock of the file, so that a verdict given on the command line and an event of
the running service never mix. A crash can tear the last line: the next one begins on a line of its
own, and readers pass over what is torn. An event is written after the snapshot that holds it; after
a crash it may be written again, hence what the newest files hold already is not written twice.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from service.errors import RecordFailed
from service.state.episode_events import (
    RecordedEvent,
    drill_line,
    episode_line,
    event_id,
    parse,
    verdict_line,
)
from service.state.watched_events import is_about, parse_watched, watched_line
from service.values.drills import Drill
from service.values.episodes import Episode, Verdict
from service.values.watched import WatchedEntry

DIRECTORY = "episodes"
"""Its name within the state directory."""

KNOWN_FILES = 7
"""So many of the newest files are searched for events that were written already."""

OPEN_FILES = 2
"""So many of the newest files may still grow: around midnight there are two."""


_WATCHED = ".watched.jsonl"


class EpisodeLog(Protocol):
    """Where events of episodes go, and what was watched; and where verdicts come from."""

    def append(self, events: Sequence[Episode], now_seconds: float) -> None:
        """Write those that are not there yet. Raises RecordFailed; then it may be tried again."""
        ...

    def append_watched(self, entries: Sequence[WatchedEntry], now_seconds: float) -> None:
        """Write what was watched. Raises RecordFailed; what is written twice does no harm."""
        ...

    def new_verdicts(self) -> list[Verdict]:
        """The verdicts that came since the last call."""
        ...

    def new_drills(self) -> list[Drill]:
        """The drills that came with the verdicts of the last call."""
        ...

    def state(self) -> dict[str, Any]:
        """How far verdicts were read, for a snapshot."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Read on from there."""
        ...

    def close(self) -> None:
        """Let go of what is open. May be called twice."""
        ...


class NoEpisodeRecord:
    """For the demo and for replays, which leave nothing behind."""

    def append(self, events: Sequence[Episode], now_seconds: float) -> None:
        """Nothing is kept."""

    def append_watched(self, entries: Sequence[WatchedEntry], now_seconds: float) -> None:
        """Nothing is kept."""

    def new_verdicts(self) -> list[Verdict]:
        """There are none."""
        return []

    def new_drills(self) -> list[Drill]:
        """There are none."""
        return []

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class EpisodeRecord:
    """The record in a directory, which is made with the first event. Events are kept for
    `keep_seconds` after the day on which they were written.
    """

    def __init__(self, directory: Path, keep_seconds: float) -> None:
        self.directory = directory
        self._keep_seconds = keep_seconds
        self._written: set[str] | None = None
        self._read_to: dict[str, int] = {}
        self._today = ""
        self._drills: list[Drill] = []

    def append(self, events: Sequence[Episode], now_seconds: float) -> None:
        """Write those that are not there yet; on the disk when this returns."""
        if not events:
            return
        try:
            self._append(events, now_seconds)
        except OSError as error:
            raise RecordFailed(
                f"cannot write {len(events)} events of episodes to {self.directory}: "
                f"{error.strerror}. They are kept and tried again; make room or give write "
                "permission"
            ) from error

    def append_watched(self, entries: Sequence[WatchedEntry], now_seconds: float) -> None:
        """Write what was watched; on the disk when this returns."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _add_lines(self.directory, map(watched_line, entries), now_seconds, _WATCHED)
        except OSError as error:
            raise RecordFailed(
                f"cannot write what was watched to {self.directory}: {error.strerror}. It is kept "
                "and tried again; make room or give write permission"
            ) from error
        self._remove_old(now_seconds)

    def new_verdicts(self) -> list[Verdict]:
        """The verdicts that came since the last call, in the order in which they were written."""
        verdicts: list[Verdict] = []
        files = _files(self.directory)
        for position, file in enumerate(files):
            known = self._read_to.get(file.name)
            still_grows = position >= len(files) - OPEN_FILES
            if known is None or still_grows:
                verdicts += self._read_on(file, known or 0)
        names = {file.name for file in files}
        self._read_to = {name: end for name, end in self._read_to.items() if name in names}
        return verdicts

    def new_drills(self) -> list[Drill]:
        """The drills that came with the verdicts of the last call."""
        taken, self._drills = self._drills, []
        return taken

    def state(self) -> dict[str, Any]:
        """How far each file was read, in bytes."""
        return dict(self._read_to)

    def restore(self, state: dict[str, Any]) -> None:
        """Read on from there."""
        self._read_to = dict(state)

    def close(self) -> None:
        """Nothing is kept open."""

    def _append(self, events: Sequence[Episode], now_seconds: float) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._written is None:
            newest = _files(self.directory)[-KNOWN_FILES:]
            self._written = {event_id(e) for e in read_files(newest) if isinstance(e, Episode)}
        written = self._written
        new = [event for event in events if event_id(event) not in written]
        _add_lines(self.directory, map(episode_line, new), now_seconds)
        written |= {event_id(event) for event in new}
        self._remove_old(now_seconds)

    def _remove_old(self, now_seconds: float) -> None:
        """Once a day."""
        day = _day(now_seconds)
        if day == self._today:
            return
        self._today = day
        oldest = _day(now_seconds - self._keep_seconds)
        for file in (*_files(self.directory), *_files(self.directory, _WATCHED)):
            if file.name[: len(oldest)] < oldest:
                file.unlink(missing_ok=True)

    def _read_on(self, file: Path, start: int) -> list[Verdict]:
        """Whole lines only: of the last one the rest may be on its way."""
        try:
            with file.open("rb") as opened:
                opened.seek(start)
                text = opened.read()
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to[file.name] = start + len(whole)
        events = [parse(line) for line in whole.splitlines()]
        self._drills += [event for event in events if isinstance(event, Drill)]
        return [event for event in events if isinstance(event, Verdict)]


def add_verdict(directory: Path, verdict: Verdict) -> None:
    """Write a verdict into the record. Raises OSError."""
    _add_lines(directory, [verdict_line(verdict)], verdict.at_seconds)


def add_drill(directory: Path, drill: Drill) -> None:
    """Write into the record that somebody asks for a drill, or for its end. Raises OSError."""
    _add_lines(directory, [drill_line(drill)], drill.at_seconds)


def read_record(directory: Path, since_seconds: float = 0.0) -> Iterator[RecordedEvent]:
    """All events written on the day of `since_seconds` or later, in the order of writing."""
    oldest = f"{_day(since_seconds)}.jsonl"
    return read_files(file for file in _files(directory) if file.name >= oldest)


def read_watched(
    directory: Path, since_seconds: float = 0.0, model: str | None = None
) -> Iterator[WatchedEntry]:
    """What was written of the watching on the day of `since_seconds` or later, in the order of
    writing; of model versions only those of `model`, if one is named. Lines that are none are
    passed over.
    """
    oldest = _day(since_seconds)
    for file in _files(directory, _WATCHED):
        if file.name[: len(oldest)] < oldest:
            continue
        with file.open("rb") as lines:
            for line in lines:
                entry = parse_watched(line) if is_about(line, model) else None
                if entry is not None:
                    yield entry


def read_files(files: Iterable[Path]) -> Iterator[RecordedEvent]:
    """The events of some files; lines that are none are passed over."""
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                event = parse(line)
                if event is not None:
                    yield event


def _files(directory: Path, suffix: str = ".jsonl") -> list[Path]:
    """The files of the record, the oldest first; none where there is no directory."""
    return sorted(directory.glob(f"[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]{suffix}"))


def _add_lines(
    directory: Path, lines: Iterable[bytes], now_seconds: float, suffix: str = ".jsonl"
) -> None:
    text = b"".join(lines)
    if not text:
        return
    path = directory / f"{_day(now_seconds)}{suffix}"
    is_new = not path.exists()
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = b"\n" + text
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        _sync(directory)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _day(seconds: float) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=max(0.0, seconds)):%Y-%m-%d}"
