"""From the events of a record to what became of each episode."""

from collections.abc import Iterable

from msgspec import Struct

from service.state.episode_events import RecordedEvent
from service.values.episodes import Episode, Verdict


class EpisodeHistory(Struct, frozen=True):
    """One episode: its events in their order, each once, and what people decided on it."""

    events: tuple[Episode, ...]
    verdicts: tuple[Verdict, ...] = ()

    @property
    def newest(self) -> Episode:
        """The episode as it stands."""
        return self.events[-1]

    @property
    def verdict(self) -> Verdict | None:
        """What holds: the last word."""
        return self.verdicts[-1] if self.verdicts else None

    def lasts_after(self, seconds: float) -> bool:
        """True when it was not over by then."""
        ended = self.newest.ended_seconds
        return ended is None or ended >= seconds


def histories(events: Iterable[RecordedEvent]) -> dict[str, EpisodeHistory]:
    """Every episode by its name, in the order in which they started. Verdicts on episodes of which
    no event is kept are left out.
    """
    told: dict[str, dict[int, Episode]] = {}
    verdicts: dict[str, list[Verdict]] = {}
    for event in events:
        if isinstance(event, Verdict):
            verdicts.setdefault(event.episode, []).append(event)
        elif isinstance(event, Episode):
            told.setdefault(event.id, {}).setdefault(event.sequence, event)
    return {
        name: EpisodeHistory(
            tuple(of[sequence] for sequence in sorted(of)), tuple(verdicts.get(name, ()))
        )
        for name, of in told.items()
    }
