"""Episodes as the page and its JSON twin show them: whom they concern, what changed, and why."""

from collections.abc import Mapping

from msgspec import Struct

from service.publish.episode_advice import Where, what_now
from service.values.episodes import Category, Episode, EpisodeStream, Member, Severity
from service.values.streams import ModelKey

RECOVERED = "recovered"
"""The end of a stream that needs no explanation."""

_ORDER = (Severity.PAGE, Severity.TICKET, Severity.LOG)


class StreamEnd(Struct, frozen=True):
    """Streams that ceased to drift at the same time, and why."""

    names: tuple[str, ...]
    at_seconds: float
    because: str


class EpisodeStreamView(Struct, frozen=True):
    """One stream of an episode; `recovered_because`, why it drifts no more, is "" while it does."""

    name: str
    kind: str
    score: float
    peak: float
    since_seconds: float
    recovered_seconds: float | None
    recovered_because: str
    summary: str


class MemberView(Struct, frozen=True):
    """A model version in an episode of a source, and the name of the episode of its own."""

    about: str
    model: str
    version: str
    episode: str
    since_seconds: float


class EpisodeView(Struct, frozen=True):
    """One episode. `about` names the model version or the source, `model` is empty of a source,
    which has `members`.

    `ended_seconds` is None while it lasts; `escalated_because` says what became worse where that is
    its newest event; `what_now` are lines of advice with what to copy; `upstream` names the episode
    that it is a part of. `ends` says which of several streams ceased to drift when, the last ones
    last; empty where nothing but the end of the whole is to be said.
    """

    id: str
    about: str
    model: str
    version: str
    category: str
    kind: str
    severity: str
    phase: str
    escalated_because: str
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
    what_now: tuple[str, ...]
    upstream: str
    members: tuple[MemberView, ...]
    streams: tuple[EpisodeStreamView, ...]
    streams_total: int
    ends: tuple[StreamEnd, ...]

    def concerns(self, model: str, version: str | None) -> bool:
        """True of an episode of this model, or of a source that it is on; None: any version."""
        of = [(self.model, self.version), *((one.model, one.version) for one in self.members)]
        return any(model == name and version in (None, its) for name, its in of)


def episode_views(
    episodes: tuple[Episode, ...],
    runbooks: Mapping[ModelKey, str],
    now_seconds: float,
    where: Where | None,
) -> tuple[EpisodeView, ...]:
    """Those that last by attention (pages, sources, scores), then those that are over; `where` is
    None where no record is kept.
    """
    return tuple(
        _view(one, runbooks.get(one.key, ""), what_now(one, now_seconds, where))
        for one in sorted(episodes, key=_by_attention)
    )


def needs_attention(episode: EpisodeView) -> bool:
    """True while it lasts and somebody is to hear of it."""
    return episode.ended_seconds is None and episode.severity != Severity.LOG.value


def about(episode: Episode) -> str:
    """The model version, or the source: `credit-risk v3`."""
    return episode.source if episode.category is Category.UPSTREAM else episode.key.words


def stream_ends(episode: Episode) -> tuple[StreamEnd, ...]:
    """Which streams ceased to drift when and why, in order of time; empty where none did, and
    where all did so as the episode ended, for the reason that it gives.
    """
    ends: dict[tuple[float, str], list[str]] = {}
    for stream in episode.streams:
        if stream.recovered_seconds is not None:
            end = (stream.recovered_seconds, stream.recovered_because or RECOVERED)
            ends.setdefault(end, []).append(stream.key.words)
    if not episode.is_open and len(ends) == 1:
        return ()
    return tuple(StreamEnd(tuple(ends[end]), *end) for end in sorted(ends))


def _by_attention(episode: Episode) -> tuple[float, ...]:
    if episode.ended_seconds is not None:
        return (1, -episode.ended_seconds)
    own = episode.category is not Category.UPSTREAM
    return (0, _ORDER.index(episode.severity), own, -episode.score)


def _view(episode: Episode, runbook: str, advice: list[str]) -> EpisodeView:
    return EpisodeView(
        id=episode.id,
        about=about(episode),
        model=episode.model,
        version=episode.version,
        category=episode.category.value,
        kind=episode.kind,
        severity=episode.severity.value,
        phase=episode.phase.value,
        escalated_because=episode.escalated_because,
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
        what_now=tuple(advice),
        upstream=episode.upstream,
        members=tuple(map(_member, episode.members)),
        streams=tuple(map(_stream, episode.streams)),
        streams_total=episode.streams_total,
        ends=stream_ends(episode),
    )


def _member(member: Member) -> MemberView:
    return MemberView(
        about=member.key.words,
        model=member.model,
        version=member.version,
        episode=member.episode,
        since_seconds=member.since_seconds,
    )


def _stream(stream: EpisodeStream) -> EpisodeStreamView:
    over = stream.recovered_seconds is not None
    return EpisodeStreamView(
        name=stream.key.title,
        kind=stream.kind.value,
        score=stream.score,
        peak=stream.peak,
        since_seconds=stream.since_seconds,
        recovered_seconds=stream.recovered_seconds,
        recovered_because=(stream.recovered_because or RECOVERED) if over else "",
        summary=stream.words,
    )
