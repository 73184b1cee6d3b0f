"""Models that drift together on one declared source: one episode of that source."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from service.monitor.episodes import words as episode_words
from service.monitor.episodes.causes import LIKELY, Cause
from service.monitor.episodes.pane_verdicts import PaneVerdict
from service.monitor.episodes.steps import RECOVERED, ended
from service.values.episodes import (
    CATEGORIES,
    UPSTREAM,
    Category,
    Episode,
    EpisodeStream,
    Member,
    Phase,
)
from service.values.streams import ModelKey

TOGETHER_PANES = 5
"""Models began together whose onsets lie no more panes apart."""

_CARRIED = (Category.DRIFT, Category.QUALITY)
"""What a source can do to a model."""

Members = tuple[Member, ...]


class LiveModel(Struct, frozen=True):
    """A model version with an open episode on a source, and its streams there that drift."""

    member: Member
    streams: tuple[EpisodeStream, ...]


Live = dict[ModelKey, LiveModel]


def sources_of(verdict: PaneVerdict) -> list[str]:
    """The sources of what drifts in a pane and a source may have done."""
    return sorted(
        {d.source for d in verdict.drifting if d.source and CATEGORIES[d.key.kind] in _CARRIED}
    )


def live_on(source: str, episodes: Iterable[Episode]) -> Live:
    """The model versions that drift on a source now, by the episode that began first."""
    live: Live = {}
    for episode in episodes:
        if episode.category not in _CARRIED or not episode.is_open:
            continue
        streams = tuple(s for s in episode.streams if s.drifts and s.source == source)
        if not streams:
            continue
        since = min(stream.onset_seconds for stream in streams)
        known = live.get(episode.key)
        if known is not None:
            streams += known.streams
            if known.member.since_seconds <= since:
                live[episode.key] = replace(known, streams=streams)
                continue
        member = Member(
            episode.model, episode.version, episode.tier, episode.team, episode.id, since
        )
        live[episode.key] = LiveModel(member, streams)
    return live


def near(live: Live, model: ModelKey, pane_seconds: float) -> Members:
    """Those that began together with `model`, itself included; none if it does not drift."""
    if model not in live:
        return ()
    own = live[model].member.since_seconds
    reach = TOGETHER_PANES * pane_seconds
    together = (one.member for one in live.values() if abs(one.member.since_seconds - own) <= reach)
    return tuple(sorted(together, key=_in_order))


def includes(episode: Episode, model: ModelKey) -> bool:
    """True of a source's episode in which the model version is."""
    return any(model == member.key for member in episode.members)


def begun(
    source: str, members: Members, live: Live, verdict: PaneVerdict, episode_id: str
) -> Episode:
    """A new episode of a source. Team and tier are those of the most important model."""
    first = _most_important(members)
    streams = _streams(live, members)
    score = max(stream.score for stream in streams)
    return Episode(
        id=episode_id,
        sequence=0,
        phase=Phase.STARTED,
        category=Category.UPSTREAM,
        kind=UPSTREAM,
        model="",
        version="",
        team=first.team,
        tier=first.tier,
        source=source,
        onset_seconds=min(member.since_seconds for member in members),
        started_seconds=verdict.start_seconds,
        updated_seconds=verdict.end_seconds,
        score=score,
        peak=score,
        streams=streams,
        streams_total=len(streams),
        members=members,
        cause=Cause.UPSTREAM_SOURCE.value,
        likely=LIKELY[Cause.UPSTREAM_SOURCE],
        words=episode_words.of_members(members, streams),
    )


def joined(episode: Episode, live: Live) -> Episode:
    """The episode with every model that drifts on its source among its members."""
    known = {member.key for member in episode.members}
    new = [one.member for key, one in live.items() if key not in known]
    if not new:
        return episode
    members = tuple(sorted((*episode.members, *new), key=_in_order))
    first = _most_important(members)
    streams = _streams(live, members)
    return replace(
        episode,
        members=members,
        tier=first.tier,
        team=first.team if first.tier < episode.tier else episode.team,
        words=episode_words.of_members(members, streams or episode.streams),
    )


def moved_on(
    episode: Episode, live: Live, verdict: PaneVerdict, own: Iterable[Episode]
) -> tuple[Episode, Phase | None]:
    """The episode after a pane of one of its models, which has the episodes `own`; it is over when
    all models are well, for the reason of the last.
    """
    if is_over(episode, live):
        members = {member.episode for member in episode.members}
        over = (e.ended_because for e in own if e.id in members and not e.is_open)
        return ended(episode, verdict.end_seconds, next(over, RECOVERED)), Phase.RECOVERED
    streams = _streams(live, episode.members)
    score = max(stream.score for stream in streams)
    after = replace(
        episode,
        updated_seconds=max(episode.updated_seconds, verdict.end_seconds),
        score=score,
        peak=max(episode.peak, score),
        streams=streams,
        streams_total=len(streams),
        words=episode_words.of_members(episode.members, streams),
    )
    return after, None


def is_over(episode: Episode, live: Live) -> bool:
    """True when no member drifts on the source any more."""
    return not any(member.key in live for member in episode.members)


def _streams(live: Live, members: Members) -> tuple[EpisodeStream, ...]:
    """The streams of the source that drift, each as in the model where it is worst."""
    worst: dict[str, EpisodeStream] = {}
    for member in members:
        one = live.get(member.key)
        for stream in () if one is None else one.streams:
            known = worst.get(stream.name)
            if known is None or stream.score > known.score:
                worst[stream.name] = stream
    return tuple(sorted(worst.values(), key=lambda stream: (-stream.score, stream.name)))


def _most_important(members: Members) -> Member:
    return min(members, key=lambda member: (member.tier, member.model, member.version))


def _in_order(member: Member) -> tuple[float, str, str]:
    return (member.since_seconds, member.model, member.version)
