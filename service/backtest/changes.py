"""Episodes as configured and under other settings, held against each other."""

import math
from collections.abc import Hashable, Iterable, Sequence

from service.values.backtests import EpisodeChange, Fate
from service.values.episodes import Episode


def changes_of(before: Iterable[Episode], after: Sequence[Episode]) -> tuple[EpisodeChange, ...]:
    """Every episode of either once, in order of time; those of `before` each with the first of
    `after` that is of the same model version (or source) and category, meets it in time, and is
    not taken yet.
    """
    left = sorted(after, key=lambda episode: episode.started_seconds)
    pairs: list[EpisodeChange] = []
    for episode in sorted(before, key=lambda episode: episode.started_seconds):
        place = next((n for n, other in enumerate(left) if _alike(episode, other)), None)
        pairs.append(_change(episode, None if place is None else left.pop(place)))
    pairs += [_change(None, episode) for episode in left]
    return tuple(sorted(pairs, key=_since))


def lasts_through(episode: Episode) -> float:
    """When it ended, infinity while it lasts."""
    return math.inf if episode.ended_seconds is None else episode.ended_seconds


def _alike(one: Episode, other: Episode) -> bool:
    return (
        _place(one) == _place(other)
        and one.started_seconds < lasts_through(other)
        and other.started_seconds < lasts_through(one)
    )


def _place(episode: Episode) -> Hashable:
    return episode.model, episode.version, episode.category, "" if episode.model else episode.source


def _change(before: Episode | None, after: Episode | None) -> EpisodeChange:
    if before is None or after is None:
        return EpisodeChange(Fate.GAINED if before is None else Fate.LOST, before, after)
    later = after.started_seconds - before.started_seconds
    fate = Fate.SAME if not later else Fate.LATER if later > 0 else Fate.EARLIER
    return EpisodeChange(fate, before, after)


def _since(change: EpisodeChange) -> float:
    return min(e.started_seconds for e in (change.before, change.after) if e is not None)
