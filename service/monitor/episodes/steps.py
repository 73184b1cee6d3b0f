"""How one episode of a model version goes from pane to pane: plain functions of values."""

import math
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from service.monitor.episodes import words as episode_words
from service.monitor.episodes.pane_verdicts import Describe, Drifting, PaneVerdict
from service.values.episodes import (
    Category,
    Episode,
    EpisodeStream,
    Evidence,
    OffsetRange,
    Phase,
    SeenBy,
)
from service.values.streams import Kind, StreamKey

DESCRIBED_MAX = 10
"""Streams of an episode, the worst ones, of which an event holds words, distances and counts."""

STREAMS_MAX = 100
"""Streams of an episode, the worst ones, that an event names."""

SCORE_MAX = 1e9

RECOVERED = "recovered"

_FIRST_KIND = (Kind.INPUT, Kind.OUTPUT, Kind.JOINT, Kind.LATENCY, Kind.QUALITY, Kind.VOLUME)


def begun(
    category: Category,
    drifting: Mapping[StreamKey, Drifting],
    verdict: PaneVerdict,
    config_hash: str,
) -> Episode:
    """A new episode, without a name, a severity and words yet.

    Its kind is the first of input, output and joint that drifts: it never changes, so that what is
    paged stays one page.
    """
    streams = tuple(_stream(None, drifting[key]) for key in sorted(drifting))
    kinds = {stream.kind for stream in streams}
    score = max(stream.score for stream in streams)
    return Episode(
        id="",
        sequence=0,
        phase=Phase.STARTED,
        category=category,
        kind=next(kind for kind in _FIRST_KIND if kind in kinds).value,
        model=verdict.model.model,
        version=verdict.model.version,
        team=verdict.team,
        tier=verdict.tier,
        source=_only(stream.source for stream in streams),
        onset_seconds=min(stream.onset_seconds for stream in streams),
        started_seconds=verdict.start_seconds,
        updated_seconds=verdict.end_seconds,
        score=score,
        peak=score,
        streams=streams,
        streams_total=len(streams),
        evidence=Evidence(
            from_seconds=verdict.start_seconds,
            to_seconds=verdict.end_seconds,
            rows=verdict.rows,
            offsets=verdict.offsets,
            reference_hash=verdict.reference_hash,
            config_hash=config_hash,
        ),
    )


def moved_on(
    episode: Episode, drifting: Mapping[StreamKey, Drifting], verdict: PaneVerdict
) -> tuple[Episode, Phase | None]:
    """The episode after one more pane, and what there is to tell of it, if anything."""
    known = {stream.key: stream for stream in episode.streams}
    streams = [
        _stream(stream, drifting[key]) if key in drifting else _gone(stream, verdict)
        for key, stream in known.items()
    ]
    streams += [_stream(None, drifting[key]) for key in sorted(drifting.keys() - known.keys())]
    score = max((s.score for s in streams if s.drifts), default=0.0)
    after = replace(
        episode,
        updated_seconds=verdict.end_seconds,
        score=score,
        peak=max(episode.peak, score),
        onset_seconds=min(episode.onset_seconds, *(s.onset_seconds for s in streams)),
        streams=tuple(streams),
        streams_total=len(streams),
        evidence=_grown(episode.evidence, verdict),
    )
    if not drifting:
        because = _why_over(after)
        after = replace(after, ended_seconds=verdict.end_seconds, ended_because=because)
        return after, Phase.RECOVERED
    drifted = [stream.drifts for stream in episode.streams]
    same = drifted == [stream.drifts for stream in after.streams]
    return after, None if same else Phase.ONGOING


def ended(episode: Episode, at_seconds: float, because: str) -> Episode:
    """The episode, over for this reason, with all of its streams that still drifted."""
    over = {"score": 0.0, "recovered_seconds": at_seconds, "recovered_because": because}
    return replace(
        episode,
        updated_seconds=max(episode.updated_seconds, at_seconds),
        ended_seconds=at_seconds,
        ended_because=because,
        score=0.0,
        streams=tuple(replace(s, **over) if s.drifts else s for s in episode.streams),
    )


def described(episode: Episode, describe: Describe) -> Episode:
    """The episode with words, distances and counts of the worst streams that drift."""
    live = sorted((s for s in episode.streams if s.drifts), key=lambda stream: -stream.score)
    worst = live[:DESCRIBED_MAX]
    told = describe([stream.key for stream in worst])
    streams = tuple(
        replace(s, words=told[s.key].words, cells=told[s.key].cells) if s.key in told else s
        for s in episode.streams
    )
    evidence = episode.evidence
    if evidence is not None:
        evidence = replace(
            evidence,
            distances=tuple(d for s in worst if s.key in told for d in told[s.key].distances),
            counts=tuple(
                counts
                for s in worst
                if s.key in told and (counts := told[s.key].counts) is not None
            ),
        )
    words = episode_words.of_streams([stream for stream in streams if stream.drifts])
    return replace(episode, streams=streams, evidence=evidence, words=words)


def kept(episode: Episode, *, with_counts: bool = True) -> Episode:
    """What is kept of an episode outside of this memory: not every one of a thousand streams."""
    evidence = episode.evidence
    if evidence is not None and not with_counts:
        evidence = replace(evidence, counts=())
    if len(episode.streams) <= STREAMS_MAX and evidence is episode.evidence:
        return episode
    worst = sorted(episode.streams, key=lambda stream: (not stream.drifts, -stream.peak))
    return replace(episode, streams=tuple(worst[:STREAMS_MAX]), evidence=evidence)


def _stream(known: EpisodeStream | None, now: Drifting) -> EpisodeStream:
    score = min(now.score, SCORE_MAX) if not math.isnan(now.score) else 0.0
    onset = now.onset_seconds if math.isfinite(now.onset_seconds) else now.since_seconds
    if known is None:
        return EpisodeStream(
            kind=now.key.kind,
            name=now.key.name,
            source=now.source,
            score=score,
            peak=score,
            since_seconds=now.since_seconds,
            onset_seconds=onset,
            detectors=_also((), now.seen_by),
        )
    return replace(
        known,
        score=score,
        peak=max(known.peak, score),
        onset_seconds=min(known.onset_seconds, onset),
        recovered_seconds=None,
        recovered_because="",
        detectors=_also(known.detectors, now.seen_by),
    )


def _gone(stream: EpisodeStream, verdict: PaneVerdict) -> EpisodeStream:
    """A stream that drifts no more, with why: it need not be well."""
    if not stream.drifts:
        return stream
    muted = "muted" if stream.key in verdict.muted else RECOVERED
    return replace(
        stream,
        score=0.0,
        recovered_seconds=verdict.end_seconds,
        recovered_because=verdict.afresh.get(stream.key, muted),
    )


def _also(known: tuple[SeenBy, ...], now: tuple[SeenBy, ...]) -> tuple[SeenBy, ...]:
    """Each detector once, as of its first alarm that has figures."""
    names = {seen.name for seen in known}
    return known + tuple(
        seen
        for seen in now
        if seen.name not in names and math.isfinite(seen.evidence) and math.isfinite(seen.level)
    )


def _grown(evidence: Evidence | None, verdict: PaneVerdict) -> Evidence | None:
    if evidence is None:
        return None
    return replace(
        evidence,
        to_seconds=verdict.end_seconds,
        reference_hash=verdict.reference_hash,
        rows=evidence.rows + verdict.rows,
        offsets=_merged(evidence.offsets, verdict.offsets),
    )


def _merged(
    known: tuple[OffsetRange, ...], more: tuple[OffsetRange, ...]
) -> tuple[OffsetRange, ...]:
    ranges = {(offsets.topic, offsets.partition): offsets for offsets in known}
    for new in more:
        place = (new.topic, new.partition)
        old = ranges.get(place, new)
        ranges[place] = replace(old, first=min(old.first, new.first), last=max(old.last, new.last))
    return tuple(ranges[place] for place in sorted(ranges))


def _why_over(episode: Episode) -> str:
    """Why the last streams drift no more; that some are well says less than what was done."""
    last = [s for s in episode.streams if s.recovered_seconds == episode.updated_seconds]
    said = dict.fromkeys(s.recovered_because for s in last if s.recovered_because != RECOVERED)
    return "; ".join(said) or RECOVERED


def _only(sources: Iterable[str]) -> str:
    """The one source that all have, else none."""
    distinct = set(sources)
    return distinct.pop() if len(distinct) == 1 else ""
