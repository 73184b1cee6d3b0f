"""Episodes as the page and its JSON twin show them: whom they concern, what changed, and why."""

from collections.abc import Mapping

from msgspec import Struct

from service.values.episodes import Category, Episode, Severity
from service.values.streams import ModelKey

_ORDER = (Severity.PAGE, Severity.TICKET, Severity.LOG)


class EpisodeStreamView(Struct, frozen=True):
    """One stream of an episode."""

    name: str
    kind: str
    score: float
    peak: float
    since_seconds: float
    recovered_seconds: float | None
    summary: str


class EpisodeView(Struct, frozen=True):
    """One episode. `about` names the model version or the source, `model` is empty of a source.

    `ended_seconds` is None while it lasts; `upstream` names the episode that it is a part of.
    """

    id: str
    about: str
    model: str
    version: str
    category: str
    kind: str
    severity: str
    phase: str
    team: str
    source: str
    runbook: str
    since_seconds: float
    ended_seconds: float | None
    ended_because: str
    score: float
    peak: float
    sentence: str
    likely: str
    upstream: str
    streams: tuple[EpisodeStreamView, ...]
    streams_total: int


def episode_views(
    episodes: tuple[Episode, ...], runbooks: Mapping[ModelKey, str]
) -> tuple[EpisodeView, ...]:
    """Those that last by attention (pages, sources, scores), then those that are over."""
    ordered = sorted(episodes, key=_by_attention)
    return tuple(_view(episode, runbooks.get(episode.key, "")) for episode in ordered)


def needs_attention(episode: EpisodeView) -> bool:
    """True while it lasts and somebody is to hear of it."""
    return episode.ended_seconds is None and episode.severity != Severity.LOG.value


def _by_attention(episode: Episode) -> tuple[float, ...]:
    if episode.ended_seconds is not None:
        return (1, -episode.ended_seconds)
    own = episode.category is not Category.UPSTREAM
    return (0, _ORDER.index(episode.severity), own, -episode.score)


def _view(episode: Episode, runbook: str) -> EpisodeView:
    return EpisodeView(
        id=episode.id,
        about=episode.source if not episode.model else f"{episode.model} v{episode.version}",
        model=episode.model,
        version=episode.version,
        category=episode.category.value,
        kind=episode.kind,
        severity=episode.severity.value,
        phase=episode.phase.value,
        team=episode.team,
        source=episode.source,
        runbook=runbook,
        since_seconds=episode.onset_seconds,
        ended_seconds=episode.ended_seconds,
        ended_because=episode.ended_because,
        score=episode.score,
        peak=episode.peak,
        sentence=episode.words or "its distribution has changed",
        likely=episode.likely,
        upstream=episode.upstream,
        streams=tuple(
            EpisodeStreamView(
                name=stream.name,
                kind=stream.kind.value,
                score=stream.score,
                peak=stream.peak,
                since_seconds=stream.since_seconds,
                recovered_seconds=stream.recovered_seconds,
                summary=stream.words,
            )
            for stream in episode.streams
        ),
        streams_total=episode.streams_total,
    )
