"""How many episodes there were, and what people decided on them: the counters of the metrics."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from service.values.episodes import Episode, EpisodeCount, EpisodeLabels, Verdict


def labels_of(episode: Episode) -> EpisodeLabels:
    """What an episode is counted by."""
    return EpisodeLabels(
        episode.model, episode.version, episode.kind, episode.severity, episode.team
    )


class EpisodeCounts:
    """Counts by labels. An episode counts once under each severity that it had."""

    def __init__(self) -> None:
        self._counts: dict[EpisodeLabels, EpisodeCount] = {}

    def started(self, episode: Episode) -> None:
        """One more began, or reaches further than it did."""
        count = self.of(labels_of(episode))
        self._counts[count.labels] = replace(count, started=count.started + 1)

    def decided(self, verdict: Verdict) -> None:
        """Count a verdict, and the episode under it and no longer under the one before; one that
        says again what was decided counts no second time.
        """
        if verdict.previous is verdict.real:
            return
        labels = EpisodeLabels(
            verdict.model, verdict.version, verdict.kind, verdict.severity, verdict.team
        )
        count, real = self.of(labels), verdict.real
        changed = verdict.previous is not None
        self._counts[labels] = replace(
            count,
            real=count.real + real,
            false=count.false + (not real),
            decided_real=max(0, count.decided_real + (1 if real else -changed)),
            decided_false=max(0, count.decided_false + (-changed if real else 1)),
        )

    def of(self, labels: EpisodeLabels) -> EpisodeCount:
        """The counts under these labels, from 0."""
        return self._counts.get(labels) or EpisodeCount(labels)

    def all(self, also: Iterable[EpisodeLabels] = ()) -> tuple[EpisodeCount, ...]:
        """Every count, and those of `also` though they are 0; in the order of the labels."""
        known = {labels: EpisodeCount(labels) for labels in also} | self._counts
        return tuple(known[labels] for labels in sorted(known, key=_in_order))

    def state(self) -> list[dict[str, Any]]:
        """Plain values for a snapshot."""
        plain: list[dict[str, Any]] = msgspec.to_builtins(list(self._counts.values()))
        return plain

    @classmethod
    def from_state(cls, state: list[dict[str, Any]]) -> "EpisodeCounts":
        """The counts that `state` was taken of."""
        counts = cls()
        kept = msgspec.convert(state, list[EpisodeCount])
        counts._counts = {count.labels: count for count in kept}
        return counts


def _in_order(labels: EpisodeLabels) -> tuple[str, ...]:
    return (labels.model, labels.version, labels.kind, labels.severity, labels.team)
