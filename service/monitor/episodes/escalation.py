"""When an episode is worse than people know it to be, so that they hear of it again."""

from msgspec.structs import replace

from service.monitor.episodes.severity import is_worse
from service.monitor.episodes.words import figure, listed
from service.values.episodes import Category, Episode, EpisodeStream, Phase
from service.values.streams import Kind, segment_of

DOUBLED = 2.0
"""A score, or a number of streams, so many times that of the last event is another."""

ALARM_LEVEL = 1.0
"""The score that alarms; what lies below it is not news."""

SCORE_MAX_TOLD = 8.0
"""Beyond this a score says "certain" however high it is: that it doubles is no news."""

JOINING_KINDS = frozenset({Kind.OUTPUT, Kind.QUALITY, Kind.VOLUME})
"""Kinds of which the first stream that joins an episode makes it another."""


def escalation(before: Episode, after: Episode) -> str:
    """What became worse, in words; "" when nothing did.

    `before` is the episode as of the pane before. Worse are a severity that rises, a score that has
    doubled, streams that doubled in number or are the first of their kind, and models of a source
    that doubled in number. "Doubled" is against what the last event that was worse told, so that
    nothing that goes up and down by turns is told again and again.
    """
    reasons = (_severity(before, after), _score(after), _joined(before, after))
    return "; ".join(reason for reason in reasons if reason)


def as_told(episode: Episode, phase: Phase, because: str) -> Episode:
    """The next event of an episode; one that is worse is what later ones are measured by."""
    told = replace(episode, sequence=episode.sequence + 1, phase=phase, escalated_because=because)
    if phase not in {Phase.STARTED, Phase.ESCALATED}:
        return told
    return replace(
        told, told_score=max(episode.score, episode.told_score), told_size=_size(episode)
    )


def _severity(before: Episode, after: Episode) -> str:
    if not is_worse(after.severity, before.severity):
        return ""
    return f"severity {before.severity.value} to {after.severity.value}"


def _score(after: Episode) -> str:
    told = max(after.told_score, ALARM_LEVEL)
    if told >= SCORE_MAX_TOLD or after.score < DOUBLED * told:
        return ""
    return f"score {figure(after.told_score)} to {figure(after.score)}"


def _joined(before: Episode, after: Episode) -> str:
    told = after.told_size or _size(before)
    if _size(after) >= DOUBLED * told:
        return _more_models(after, told) if _is_source(after) else _more_streams(after, told)
    known = {stream.kind for stream in before.streams}
    first = {s.kind for s in after.streams if s.kind in JOINING_KINDS} - known
    # A source names each stream as in the model where it is worst: their kinds come and go.
    return _more_streams(after, told) if first and not _is_source(after) else ""


def _more_streams(after: Episode, told: int) -> str:
    """Streams stand in the order in which they joined; those of another kind are named first."""
    new = sorted(_gathered(after)[told:], key=lambda stream: stream.kind == after.kind)
    names = [stream.key.words for stream in new]
    return f"{len(new)} more {'stream' if len(new) == 1 else 'streams'}: {listed(names)}"


def _more_models(after: Episode, told: int) -> str:
    return f"models {told} to {_size(after)}"


def _is_source(episode: Episode) -> bool:
    return episode.category is Category.UPSTREAM


def _size(episode: Episode) -> int:
    """How many streams it has gathered, of a source how many model versions."""
    return len(episode.members) if _is_source(episode) else len(_gathered(episode))


def _gathered(episode: Episode) -> list[EpisodeStream]:
    """Its streams; of segments the first alone, since each does what all predictions do."""
    segments = [stream for stream in episode.streams if segment_of(stream.key) is not None]
    return [stream for stream in episode.streams if stream not in segments[1:]]
