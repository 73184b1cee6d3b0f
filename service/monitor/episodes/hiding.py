"""Takes values out of episodes that were described while they were still told."""

from collections.abc import Callable

from msgspec.structs import replace

from service.monitor.episodes import words as episode_words
from service.values.episodes import Category, Episode, EpisodeStream
from service.values.streams import StreamKey

Hides = Callable[[str, StreamKey], bool]
"""Whether no value of a stream of a model is to be told."""

HIDDEN_WORDS = "has changed; its values are hidden"


def without_values(episode: Episode, hides: Hides) -> Episode:
    """The episode, with nothing of hidden streams that tells a value; the same where there is none.
    A stream of a source is hidden where it is in any of its models.
    """
    models = {member.model for member in episode.members} or {episode.model}
    hidden = {s.key for s in episode.streams if any(hides(model, s.key) for model in models)}
    streams = tuple(_without(s) if s.key in hidden else s for s in episode.streams)
    evidence = episode.evidence
    if evidence is not None:
        counts = (c for c in evidence.counts if StreamKey(c.kind, c.name) not in hidden)
        evidence = replace(evidence, counts=tuple(counts))
    if streams == episode.streams and evidence == episode.evidence:
        return episode
    words = episode.words
    if streams != episode.streams and episode.category is not Category.UPSTREAM:
        words = episode_words.of_streams([s for s in streams if s.drifts] or streams)
    return replace(episode, streams=streams, evidence=evidence, words=words)


def _without(stream: EpisodeStream) -> EpisodeStream:
    if not stream.words and not stream.cells:
        return stream
    return replace(stream, words=HIDDEN_WORDS, cells=())
