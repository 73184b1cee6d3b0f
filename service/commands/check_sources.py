"""Can the mappings of the sources be read, and does each topic belong to one of them?"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from config.salvage import follows
from config.settings import Settings
from config.sources import SourceSettings, TopicPattern
from config.tree import Path
from service.commands.findings import Finding
from service.errors import ConfigurationError
from service.ingest.decode.decoder import Decoder
from service.ingest.decode.mapping import mapping_faults
from service.ingest.decode.schedules import Schedules

FILLERS = ("x", "a1", "1", "x.x", "")
"""What may stand where a pattern leaves it open: a topic of such a name is looked for."""

_OPEN = re.compile(
    r"\((?:\?:|\?P<\w+>)?[^()|]*\)|(?:\[[^\]]*\]|\\[wdS]|\.)(?:[*+]\??|\{[^}]*\}|\?)?"
)


def source_findings(
    settings: Settings, schedules: Schedules, doubtful: Sequence[Path]
) -> Iterator[Finding]:
    """Every fault of a mapping, and topics that more than one source reads."""
    for i, source in enumerate(settings.sources):
        yield from _mapping(source, ("sources", i), settings, schedules, doubtful)
    readers = [
        (i, source)
        for i, source in enumerate(settings.sources)
        if source.topics and not {("sources", i), ("sources", i, "topics")} & set(doubtful)
    ]
    for earlier, later in combinations(readers, 2):
        yield from _overlap(*earlier, *later)
    yield from _dead_letters(settings, readers)


def _mapping(
    source: SourceSettings,
    at: Path,
    settings: Settings,
    schedules: Schedules,
    doubtful: Sequence[Path],
) -> Iterator[Finding]:
    found = list(mapping_faults(source))
    for path, why in found:
        if not follows((*at, *path), why, doubtful):
            yield Finding((*at, *path), why)
    pattern = source.version_pattern
    if pattern is not None and not re.compile(pattern).groups:
        yield Finding(
            (*at, "version_pattern"),
            "has no group, and so no effect: put what counts into (brackets)",
            is_hint=True,
        )
    if found or at in doubtful:
        return
    try:
        Decoder(source, schedules, settings.limits, settings.detection.pane)
    except ConfigurationError as error:
        yield Finding(at, str(error))


def _overlap(i: int, one: SourceSettings, j: int, other: SourceSettings) -> Iterator[Finding]:
    """`one` comes first in the file, and so gets what both would read."""
    said = f"sources[{i}] ({one.name})"
    if not isinstance(other.topics, TopicPattern):
        for k, topic in enumerate(other.topics or ()):
            if _reads(one, topic):
                why = f"the topic {topic} is read by {said} already"
                yield Finding(
                    ("sources", j, "topics", k), f"{why}: take it out of one, or put this one first"
                )
        return
    shared = next((t for t in _samples(one, other) if _reads(one, t) and _reads(other, t)), None)
    if shared is None:
        return
    same = one.topics == other.topics
    why = f"matches what {said} reads, such as {shared}, which goes to the first of the two"
    hint = "" if same else ": narrow one of them, if that is not meant"
    yield Finding(
        ("sources", j, "topics", "pattern"),
        f"{why}{hint or ', so that nothing is left for this one: take it out'}",
        is_hint=not same,
    )


def _dead_letters(
    settings: Settings, readers: Sequence[tuple[int, SourceSettings]]
) -> Iterator[Finding]:
    topic = settings.kafka.dead_letters
    for i, source in readers:
        names = () if isinstance(source.topics, TopicPattern) else source.topics or ()
        if topic in names:
            why = "is also kafka.dead_letters, so that what is rejected would come round again"
            place = ("sources", i, "topics", names.index(str(topic)))
            yield Finding(place, f"{topic} {why}: name another topic in one of the two")


def _reads(source: SourceSettings, topic: str) -> bool:
    if isinstance(source.topics, TopicPattern):
        return re.fullmatch(source.topics.pattern, topic) is not None
    return topic in (source.topics or ())


def _samples(*sources: SourceSettings) -> Iterator[str]:
    """Topics of that name, or that match the pattern when its open parts are filled in."""
    for source in sources:
        if not isinstance(source.topics, TopicPattern):
            yield from source.topics or ()
            continue
        pattern = source.topics.pattern.strip("^$")
        for filler in FILLERS:
            yield _OPEN.sub(filler, pattern.replace("\\.", "\0")).replace("\0", ".")
