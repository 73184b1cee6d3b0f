"""`anchorwatch replay --topic`: which ranges of which topics, and which source reads them how."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import click
from click.core import ParameterSource
from msgspec import Struct, structs

from config.settings import Settings
from config.sources import SourceSettings
from service.commands.command_line import as_typed
from service.commands.replay_episode import Remembered
from service.commands.replay_range import extent_of
from service.composition.topics_used import names_used
from service.composition.wiring import kafka_parameters
from service.errors import ConfigurationError
from service.ingest.decode.decoder import Decoder
from service.ingest.kafka.client import KafkaParameters
from service.ingest.kafka.extent import Extent
from service.ingest.kafka.recorded import RecordedTopics, find_ranges
from service.ingest.positions import LogRange
from service.loops.routing import Router, reads
from service.monitor.judging.judge import Judge
from service.publish.backtest_sentences import listed
from service.publish.pictures.time_axis import minute
from service.publish.words import several
from service.values.backtests import TopicRange
from service.values.records import Partition

_PARTITIONS_SHOWN = 8


class Wanted(Struct, frozen=True):
    """What was said of recorded topics; `start` and `end` as they were typed."""

    topics: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None


class Recording(Struct, frozen=True):
    """Ranges of topics, each to be read by the first of the sources that reads its topic; or all
    by `source`. `is_native`: some topic is of no source, so its records are taken as native events.
    """

    parameters: KafkaParameters
    ranges: tuple[TopicRange, ...]
    sources: tuple[SourceSettings, ...] = ()
    source: SourceSettings | None = None
    is_native: bool = False

    def open(self, progress: Callable[[int, int], None]) -> RecordedTopics:
        """Connect. Raises ConfigurationError when no broker answers."""
        return RecordedTopics(self.parameters, self.ranges, progress)

    def decoder(self, judge: Judge, settings: Settings) -> Decoder | Router:
        """What makes events of the records."""
        limits, pane_seconds = settings.limits, settings.detection.pane
        if self.source is not None:
            return Decoder(self.source, judge, limits, pane_seconds)
        return Router((s, Decoder(s, judge, limits, pane_seconds)) for s in self.sources)


def require_one_input(
    files: tuple[str, ...], wanted: Wanted, episode: str | None, model: str | None
) -> None:
    """Files or topics: raises click.UsageError for both, for none, and for a table in a topic."""
    if files and wanted != Wanted():
        raise click.UsageError("FILES and --topic, --from, --to exclude each other")
    if not files and wanted == Wanted() and episode is None:
        raise click.UsageError(
            "what is to be replayed? Name FILES; or --topic, or --from alone for the topics of the "
            "configuration's sources; or an --episode"
        )
    if not files and model is not None:
        raise click.UsageError(
            "--model is about the columns of a table in FILES; a topic is read as the source of "
            "the configuration says that has it, or that --source names"
        )


def recording_of(
    settings: Settings,
    wanted: Wanted,
    source: SourceSettings | None,
    asked: Remembered | None,
    now_seconds: float,
) -> Recording:
    """What is to be read, as it is now.

    Without topics those by which the events of the episode came, else those of the sources; without
    a time that of the episode, with the history that it takes to judge it.

    Raises click.BadParameter for what was typed, ConfigurationError when a topic is not there or
    nothing of it is to be read.
    """
    topics = wanted.topics or _topics_of(asked)
    extent = _extent(wanted, asked, settings, now_seconds)
    sources = tuple(s for s in settings.sources if s.topics)
    strange = tuple(topic for topic in topics if not any(reads(s, topic) for s in sources))
    if strange:
        sources = (*sources, SourceSettings(name="replay", topics=strange))
    if not sources:
        raise ConfigurationError(
            "no source of the configuration has topics: name one by --topic, or the configuration "
            "of the service by --config"
        )
    parameters = kafka_parameters(settings.kafka, sources, names_used(settings))
    if topics:
        parameters = structs.replace(parameters, topics=topics, patterns=())
    ranges = find_ranges(parameters, extent)
    _require_records(ranges)
    return Recording(parameters, ranges, sources, source, source is None and bool(strange))


def what_was_read(ranges: Sequence[TopicRange]) -> Iterator[str]:
    """A sentence for each topic."""
    for topic, of_topic in _by_topic(ranges).items():
        offsets = [
            f"{r.partition} ({f'{r.first} to {r.end - 1}' if r.end > r.first else 'none'})"
            for r in of_topic
        ]
        count = several(sum(r.end - r.first for r in of_topic), "offset", "offsets")
        yield f"Read of topic {topic}: {count}, by partition {listed(offsets, _PARTITIONS_SHOWN)}."


def gaps(ranges: Sequence[TopicRange]) -> Iterator[str]:
    """What was asked for and is deleted, a sentence for each topic and kind of gap."""
    for topic, of_topic in _by_topic(ranges).items():
        counted = [r for r in of_topic if r.missing]
        if counted:
            places = [f"{r.partition} ({r.missing:,})" for r in counted]
            yield (
                f"Missing of topic {topic}: {sum(r.missing or 0 for r in counted):,} records that "
                "were asked for are deleted (retention), by partition "
                f"{listed(places, _PARTITIONS_SHOWN)}."
            )
        by_time = [r for r in of_topic if r.missing is None]
        if by_time:
            places = [f"{r.partition} begins {_begin(r)}" for r in by_time]
            since = minute(min(r.missing_from_seconds for r in by_time))
            yield (
                f"Missing of topic {topic}: its log begins later than {since} UTC, what was before "
                f"is deleted (retention): partition {listed(places, _PARTITIONS_SHOWN)}."
            )


def as_typed_again(context: click.Context, recording: Recording) -> str:
    """The command with the offsets that were read, so that it reads them again: of one topic. Of
    several, whose partitions have the same numbers, it is as it was typed.
    """
    topics = _by_topic(recording.ranges)
    if len(topics) == 1:
        ((topic, ranges),) = topics.items()
        first = ",".join(f"{r.partition}:{r.first}" for r in ranges)
        end = ",".join(f"{r.partition}:{r.end}" for r in ranges)
        for name, value in {"topics": (topic,), "start": first, "end": end}.items():
            context.params[name] = value
            context.set_parameter_source(name, ParameterSource.COMMANDLINE)
    return as_typed(context)


def _topics_of(asked: Remembered | None) -> tuple[str, ...]:
    if asked is None:
        return ()
    return tuple(sorted({offsets.topic for offsets in asked.evidence.offsets}))


def _extent(
    wanted: Wanted, asked: Remembered | None, settings: Settings, now_seconds: float
) -> Extent:
    """As it was typed; what was not, as it takes for the episode.

    Its evidence is read in any case: events may come by Kafka long after they were made.
    """
    if asked is None:
        return extent_of(wanted.start, wanted.end, now_seconds)
    period = asked.witness(settings).period
    until = min(period.until_seconds, asked.episode.updated_seconds)
    start = _typed(period.from_seconds - period.history_seconds)
    end = _typed(until + settings.detection.lateness + settings.detection.pane)
    typed = wanted.start is not None or wanted.end is not None
    also = {
        Partition(o.topic, o.partition): LogRange(o.first, o.last + 1)
        for o in asked.evidence.offsets
    }
    return extent_of(wanted.start or start, wanted.end or end, now_seconds, {} if typed else also)


def _require_records(ranges: Sequence[TopicRange]) -> None:
    """Refuse to read nothing, and say why there is nothing."""
    if any(found.end > found.first for found in ranges):
        return
    held = [f"{r.topic} partition {r.partition} from offset {r.first}" for r in ranges]
    why = " ".join(gaps(ranges)) or "Is the time right, or the offsets?"
    raise ConfigurationError(
        "there is no record between --from and --to"
        + (
            f": {listed(held, _PARTITIONS_SHOWN)} on, nothing is there. {why}"
            if held
            else f". {why}"
        )
    )


def _by_topic(ranges: Iterable[TopicRange]) -> Mapping[str, list[TopicRange]]:
    found: dict[str, list[TopicRange]] = {}
    for one in ranges:
        found.setdefault(one.topic, []).append(one)
    return found


def _begin(found: TopicRange) -> str:
    until = found.missing_until_seconds
    return "nowhere, it holds nothing" if math.isnan(until) else f"{minute(until)} UTC"


def _typed(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
