"""The record of episodes in a topic: the same JSON documents as in a directory, one an entry.

Events of episodes and verdicts are in partition 0, under the name of their episode, so that they
keep their order. What was watched is in the last partition, so that who asks for episodes need not
read it. The topic keeps its entries for `state.episodes.keep`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from service.errors import OffsetOutOfRange, RecordFailed, RecoverableError
from service.state.episode_events import (
    RecordedEvent,
    drill_line,
    episode_line,
    event_id,
    parse,
    verdict_line,
)
from service.state.watched_events import is_about, parse_watched, subject_of, watched_line
from service.values.drills import Drill
from service.values.episodes import Episode, Verdict
from service.values.keyed_log import Draft, Entry, Follower, KeyedLog
from service.values.watched import WatchedEntry

EVENTS_PARTITION = 0

WRITTEN_MAX = 10_000
"""So many of the newest events are known to be there."""

_SKIPPED_LOOKS = 5
"""After a broker that did not answer: asking takes seconds, in which nothing else is done."""

_LOOKS_MAX = 1000
_LOOK_SECONDS = 0.2


class EpisodeTopic:
    """The record in a topic, an `EpisodeLog`. `open_log` is called when the topic is needed first,
    and again while it fails: a broker that is away keeps no service from starting.

    Verdicts are read by following the events' partition. What a crash may have us write again is
    after the position that the snapshot held, so that it is seen there before anything is written.
    """

    def __init__(self, topic: str, open_log: Callable[[], KeyedLog]) -> None:
        self.topic = topic
        self._open_log = open_log
        self._log: KeyedLog | None = None
        self._follower: Follower | None = None
        self._written: dict[str, None] = {}
        self._verdicts: list[Verdict] = []
        self._drills: list[Drill] = []
        self._next_offset: int | None = None
        self._knows_the_end = False
        self._looks_to_skip = 0

    def append(self, events: Sequence[Episode], now_seconds: float) -> None:  # noqa: ARG002
        """Write those that are not there yet; in the topic when this returns."""
        if not events:
            return
        try:
            if not self._knows_the_end:
                self._read_to_the_end()
            new = [event for event in events if event_id(event) not in self._written]
            self._knows_the_end = False  # what fails may be there all the same
            self._opened().append([_draft(event) for event in new])
        except (RecoverableError, OffsetOutOfRange) as error:
            raise RecordFailed(
                f"cannot write {len(events)} events of episodes to topic {self.topic}: "
                f"{error}. They are kept and tried again"
            ) from error
        self._knows_the_end = True
        self._remember(new)

    def append_watched(
        self,
        entries: Sequence[WatchedEntry],
        now_seconds: float,  # noqa: ARG002
    ) -> None:
        """Write what was watched; in the topic when this returns."""
        try:
            log = self._opened()
            log.append([_watched_draft(entry, watched_partition(log)) for entry in entries])
        except RecoverableError as error:
            raise RecordFailed(
                f"cannot write what was watched to topic {self.topic}: {error}. It is kept "
                "and tried again"
            ) from error

    def new_verdicts(self) -> list[Verdict]:
        """The verdicts that came since the last call, in the order in which they were written.

        There are none while nobody answers: they come later.
        """
        if self._looks_to_skip:
            self._looks_to_skip -= 1
            return []
        try:
            self._look(0.0)
        except RecoverableError:
            self._looks_to_skip = _SKIPPED_LOOKS
            return []
        taken, self._verdicts = self._verdicts, []
        if self._follower is not None:
            self._next_offset = self._follower.positions[EVENTS_PARTITION]
        return taken

    def new_drills(self) -> list[Drill]:
        """The drills that came with the verdicts of the last call."""
        taken, self._drills = self._drills, []
        return taken

    def state(self) -> dict[str, Any]:
        """The topic, and where the verdicts go on that were not handed over yet."""
        return {"topic": self.topic, "next_offset": self._next_offset}

    def restore(self, state: dict[str, Any]) -> None:
        """Read on from there; from the first entry on where it was another record."""
        is_ours = state.get("topic") == self.topic
        self._next_offset = state["next_offset"] if is_ours else None

    def close(self) -> None:
        """Let go of the connections. May be called twice."""
        if self._follower is not None:
            self._follower.close()
        if self._log is not None:
            self._log.close()

    def _opened(self) -> KeyedLog:
        if self._log is None:
            self._log = self._open_log()
        return self._log

    def _read_to_the_end(self) -> None:
        """Know every event that is there now. Raises RecoverableError when it takes too long."""
        self._look(0.0)
        follower = self._follower
        for _ in range(_LOOKS_MAX):
            if follower is None or follower is not self._follower:
                follower = self._follower
            elif follower.positions[EVENTS_PARTITION] >= follower.ends()[EVENTS_PARTITION]:
                self._knows_the_end = True
                return
            self._look(_LOOK_SECONDS)
        raise RecoverableError(f"topic {self.topic} was not read to its end")

    def _look(self, timeout_seconds: float) -> None:
        """Take what has come. Where retention was quicker, go on at the first entry there is."""
        if self._follower is None:
            self._follower = self._opened().follow({EVENTS_PARTITION: self._next_offset})
        try:
            entries = self._follower.poll(timeout_seconds)
        except OffsetOutOfRange:
            self._follower.close()
            self._follower = self._opened().follow({EVENTS_PARTITION: None})
            entries = self._follower.poll(timeout_seconds)
        events = _events(iter(entries))
        for event in events:
            if isinstance(event, Verdict):
                self._verdicts.append(event)
            elif isinstance(event, Drill):
                self._drills.append(event)
            else:
                self._remember([event])

    def _remember(self, events: Sequence[Episode]) -> None:
        self._written.update(dict.fromkeys(map(event_id, events)))
        while len(self._written) > WRITTEN_MAX:
            del self._written[next(iter(self._written))]


def append_verdict(log: KeyedLog, verdict: Verdict) -> None:
    """Write a verdict into the record. Raises RecoverableError."""
    log.append([_draft(verdict)])


def append_drill(log: KeyedLog, drill: Drill) -> None:
    """Write into the record that somebody asks for a drill, or for its end. Raises
    RecoverableError.
    """
    log.append([_draft(drill)])


def read_episodes(log: KeyedLog) -> Iterator[RecordedEvent]:
    """All events that the topic holds, in the order of writing. Raises RecoverableError."""
    return _events(log.read(EVENTS_PARTITION))


def read_topic_watched(log: KeyedLog, model: str | None = None) -> Iterator[WatchedEntry]:
    """What the topic holds of the watching, in the order of writing; of model versions only those
    of `model`, if one is named. Raises RecoverableError.
    """
    for entry in log.read(watched_partition(log)):
        if entry.value is not None and is_about(entry.value, model):
            found = parse_watched(entry.value)
            if found is not None:
                yield found


def watched_partition(log: KeyedLog) -> int:
    """The last one; a topic of one partition has no other."""
    return log.partition_count - 1


def _draft(event: RecordedEvent) -> Draft:
    if isinstance(event, Drill):
        return Draft(EVENTS_PARTITION, event.episode.encode(), drill_line(event).rstrip())
    if isinstance(event, Verdict):
        return Draft(EVENTS_PARTITION, event.episode.encode(), verdict_line(event).rstrip())
    return Draft(EVENTS_PARTITION, event.id.encode(), episode_line(event).rstrip())


def _watched_draft(entry: WatchedEntry, partition: int) -> Draft:
    key = f"watched/{subject_of(entry)}".encode()
    return Draft(partition, key, watched_line(entry).rstrip())


def _events(entries: Iterator[Entry]) -> Iterator[RecordedEvent]:
    for entry in entries:
        event = None if entry.value is None else parse(entry.value)
        if event is not None:
            yield event
