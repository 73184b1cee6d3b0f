"""What the broker says of the books of an audit: what it holds of them, and counts again."""

from collections.abc import Iterable, Mapping
from contextlib import closing

from msgspec.structs import replace

from config.settings import Settings
from service.composition.wiring import kafka_parameters
from service.errors import ConfigurationError
from service.ingest.kafka.client import KafkaParameters
from service.ingest.kafka.extent import Extent, Moment
from service.ingest.kafka.recorded import RecordedTopics, find_ranges
from service.values.audits import Audit, Book, Broker, Recount
from service.values.backtests import TopicRange

_POLL_SECONDS = 0.5


def with_broker(audit: Audit, settings: Settings, *, recount: bool) -> Audit:
    """The audit with what the broker says now of each book; a note where it cannot be asked.

    With `recount` what it still holds of them is read and counted.
    """
    books: list[Book] = []
    notes = list(audit.notes)
    for topic in dict.fromkeys(book.topic for book in audit.books):
        own = [book for book in audit.books if book.topic == topic]
        try:
            own = _asked(own, audit, _parameters(settings, topic), recount=recount)
        except ConfigurationError as error:
            notes.append(
                f"The books of {topic} could not be compared with the broker: {error}. They "
                "balance by themselves, offsets against records."
            )
        books += own
    return replace(audit, books=tuple(books), notes=tuple(notes))


def _parameters(settings: Settings, topic: str) -> KafkaParameters:
    parameters = kafka_parameters(settings.kafka, settings.sources)
    return replace(parameters, topics=(topic,), patterns=())


def _asked(
    books: Iterable[Book], audit: Audit, parameters: KafkaParameters, *, recount: bool
) -> list[Book]:
    """Raises ConfigurationError when the topic is not there, or nobody answers."""
    start, end = Moment(audit.period.from_seconds), Moment(audit.period.to_seconds)
    held = _by_partition(find_ranges(parameters, Extent()))
    in_time = _by_partition(find_ranges(parameters, Extent(start, end)))
    asked = []
    for book in books:
        holds, of_time = held.get(book.partition), in_time.get(book.partition)
        if holds is None or of_time is None:
            asked.append(book)
            continue
        is_whole = of_time.missing == 0
        by_time = (of_time.first, of_time.end) if is_whole else None
        asked.append(replace(book, broker=Broker(holds.first, holds.end, by_time)))
    return [_recounted(book, parameters) for book in asked] if recount else asked


def _by_partition(ranges: Iterable[TopicRange]) -> Mapping[int, TopicRange]:
    return {found.partition: found for found in ranges}


def _recounted(book: Book, parameters: KafkaParameters) -> Book:
    """With what is still there of its offsets counted again."""
    broker = book.broker
    if broker is None:
        return book
    first, end = max(book.first, broker.first), min(book.end, broker.end)
    if first >= end:
        return book
    ranges = (TopicRange(topic=book.topic, partition=book.partition, first=first, end=end),)
    records = 0
    with closing(RecordedTopics(parameters, ranges)) as source:
        source.resume(dict.fromkeys(source.partitions()))
        while not source.finished:
            for chunk in source.poll(_POLL_SECONDS).chunks:
                records += len(chunk.records)
                records += sum(s.last_offset - s.first_offset + 1 for s in chunk.skipped)
    return replace(book, broker=replace(broker, recount=Recount(first, end, records)))
