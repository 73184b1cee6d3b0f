"""Several sources, one consumer: each topic's records go to the decoder of its source."""

import re
from collections.abc import Iterable
from typing import Protocol

from config.sources import SourceSettings, TopicPattern
from service.errors import ConfigurationError
from service.values.batches import Decoded
from service.values.records import Chunk
from service.values.rejects import Reject


class Decoder(Protocol):
    """Turns a chunk of records into columns and rejects; never raises for what it is given."""

    def decode(self, chunk: Chunk) -> Decoded:
        """All that became of the chunk."""
        ...


class DeadLetters(Protocol):
    """Takes what was refused; never blocks and never raises."""

    def send(self, rejects: Iterable[Reject]) -> None:
        """Queue them."""
        ...


class Router:
    """Decodes each chunk by the first source whose topics (or files) it belongs to."""

    def __init__(self, decoders: Iterable[tuple[SourceSettings, Decoder]]) -> None:
        self._decoders = list(decoders)
        self._by_topic: dict[str, Decoder] = {}

    def decode(self, chunk: Chunk) -> Decoded:
        """All that became of the chunk. Raises ConfigurationError for a topic of no source."""
        topic = chunk.partition.topic
        if topic not in self._by_topic:
            self._by_topic[topic] = self._find(topic)
        return self._by_topic[topic].decode(chunk)

    def _find(self, topic: str) -> Decoder:
        for source, decoder in self._decoders:
            if reads(source, topic):
                return decoder
        raise ConfigurationError(f"no source is configured for the topic {topic!r}")


def reads(source: SourceSettings, topic: str) -> bool:
    """Does the source read this topic (or file)?"""
    if source.files:
        return True  # files are read one source at a time
    if isinstance(source.topics, TopicPattern):
        return re.fullmatch(source.topics.pattern, topic) is not None
    return topic in (source.topics or ())
