"""Tells of episodes in the right order: state first, then the record, then the log and the page."""

from collections.abc import Iterable
from typing import Any

import structlog

from service.clock import Clock
from service.errors import RecordFailed
from service.monitor.episodes.book import Episodes
from service.state.episode_record import EpisodeLog
from service.values.episodes import Episode, Phase

log = structlog.get_logger(__name__)

OUTBOX_MAX = 1000
"""Events that wait for a record that cannot be written; the oldest are given up beyond."""

_NAMED_MAX = 10
_VERDICTS_EVERY_SECONDS = 5.0


class Telling:
    """Between the judge's episodes and their record.

    What happened is in `Episodes.outbox`, which a snapshot holds too, until it is in the record. So
    a crash between the two loses nothing, and the record knows what it has already.
    """

    def __init__(self, episodes: Episodes, record: EpisodeLog, clock: Clock) -> None:
        self.failures = 0
        self._episodes = episodes
        self._record = record
        self._clock = clock
        self._logged = 0
        self._next_look = clock.monotonic()

    @property
    def is_due(self) -> bool:
        """True when something happened that a snapshot has to hold before anybody hears of it."""
        return len(self._episodes.outbox) > self._logged

    def saved(self) -> None:
        """The outbox as it is now is in a snapshot: write it into the record."""
        try:
            self._record.append(self._episodes.outbox, self._clock.now())
        except RecordFailed as error:
            self.failures += 1
            log.error("episode_record_failed", error=str(error))  # noqa: TRY400 - the message says it
            self._give_up_the_oldest()
            return
        self.log()
        self._episodes.outbox.clear()
        self._logged = 0

    def log(self) -> None:
        """Log what was not logged yet, also when the state could not be written: a full disk is no
        reason to be silent.
        """
        _log(self._episodes.outbox[self._logged :])
        self._logged = len(self._episodes.outbox)

    def hear(self) -> None:
        """Take up what people decided, and drills that they ask for; looks every few seconds."""
        now = self._clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _VERDICTS_EVERY_SECONDS
        for verdict in self._record.new_verdicts():
            self._episodes.hear(verdict)
        self._episodes.drill(self._record.new_drills(), self._clock.now())

    def _give_up_the_oldest(self) -> None:
        self.log()
        surplus = len(self._episodes.outbox) - OUTBOX_MAX
        if surplus > 0:
            log.error("episode_events_lost", events=surplus)
            del self._episodes.outbox[:surplus]
            self._logged -= surplus

    def state(self) -> dict[str, Any]:
        """How far verdicts were read, for a snapshot."""
        return self._record.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Read verdicts on from there; what is in the restored outbox was told perhaps."""
        self._record.restore(state)


def _log(events: Iterable[Episode]) -> None:
    for episode in events:
        worse = episode.phase in {Phase.STARTED, Phase.ESCALATED}
        write = log.warning if worse else log.info
        streams = [f"{s.kind.value} {s.name}" for s in episode.streams if s.drifts]
        write(
            f"episode_{episode.phase.value}",
            episode=episode.id,
            category=episode.category.value,
            kind=episode.kind,
            severity=episode.severity.value,
            model=episode.model,
            model_version=episode.version,
            team=episode.team,
            source=episode.source,
            onset=episode.onset_seconds,
            score=round(episode.score, 2),
            streams=streams[:_NAMED_MAX],
            streams_total=episode.streams_total,
            what=episode.words,
            **({"escalated_because": why} if (why := episode.escalated_because) else {}),
            likely=episode.likely,
            **({"drill": True} if episode.drill else {}),
        )
