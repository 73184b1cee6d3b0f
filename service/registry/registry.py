"""What the registry's topic says, as far as it was read.

Of texts only those are kept in memory that are current or scheduled; another one is read again when
somebody asks. A record that cannot be read is named in `problems` and left out: what was there
before it holds.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from service.errors import OffsetOutOfRange, RecoverableError
from service.registry.records import (
    PARTITION,
    PARTS_MAX,
    Blob,
    BrokenRecord,
    Choice,
    ChoiceKey,
    KeptSchedule,
    Key,
    PartKey,
    Publication,
    ReferenceKey,
    ScheduleKey,
    joined,
    read_key,
    read_value,
)
from service.values.keyed_log import Entry, Follower, KeyedLog
from service.values.streams import ModelKey

Identity = tuple[str, str | None]
"""A model and a version, None = any."""

PROBLEMS_MAX = 100

_POLL_SECONDS = 1.0
_POLLS_IDLE_MAX = 30


class Published(Struct, frozen=True):
    """A reference in the registry, and the broker's time at which it came."""

    publication: Publication
    at_seconds: float


class Chosen(Struct, frozen=True):
    """A choice that was made, and the broker's time of it."""

    id: str
    choice: Choice
    at_seconds: float


class Shelf(Struct):
    """All of one model and version: publications by hash, choices in the order of the log."""

    publications: dict[str, Published]
    choices: dict[str, Chosen]

    @property
    def current(self) -> Chosen | None:
        """The last choice of what is there; None where there is none."""
        return next(self.newest_first(), None)

    def newest_first(self) -> Iterator[Chosen]:
        """Choices of what is there, the last first, each hash once."""
        told = set()
        for chosen in reversed(self.choices.values()):
            if chosen.choice.hash in self.publications and chosen.choice.hash not in told:
                told.add(chosen.choice.hash)
                yield chosen


class Registry:
    """Reads the topic to its end, then what comes; `changes` counts what came.

    Where the log does not hold a position any more, it is read from its beginning again: what was
    known holds until that is done. `readings` counts how often it was begun.
    """

    def __init__(self, log: KeyedLog) -> None:
        self.log = log
        self.changes = 0
        self.readings = 1
        self.broken_total = 0
        self.newest_seconds = 0.0
        self.problems: dict[str, str] = {}
        self.shelves: dict[Identity, Shelf] = {}
        self.schedules: dict[ModelKey, KeptSchedule] = {}
        self.part_seconds: dict[PartKey, float] = {}
        self._parts: dict[PartKey, bytes] = {}
        self._withdrawn: set[ModelKey] = set()
        self._follower: Follower | None = None

    def catch_up(self) -> None:
        """Read all that is there now.

        Raises RecoverableError when nobody answers, or the end is not reached in half a minute.
        """
        try:
            self._read_to_the_end()
        except OffsetOutOfRange:
            self._begin_anew()
        self._trim()

    def look(self) -> bool:
        """Read what has come without waiting for more; whether anything has.

        Raises RecoverableError when nobody answers.
        """
        before = self.changes
        try:
            self._take(self._following(), 0.0)
        except OffsetOutOfRange:
            self._begin_anew()
        self._trim()
        return self.changes != before

    def take_withdrawn(self) -> frozenset[ModelKey]:
        """Versions whose schedule the judge took back since the last call, and did not give again;
        one that the log has lost is none.
        """
        withdrawn = frozenset(self._withdrawn)
        self._withdrawn.clear()
        return withdrawn

    def shelf(self, model: str, version: str | None) -> Shelf:
        """All of one model and version; an empty one where there is nothing."""
        return self.shelves.get((model, version)) or Shelf({}, {})

    def text(self, model: str, blob: Blob) -> str:
        """A text, from memory or from the topic.

        Raises BrokenRecord when it is not there as a whole, RecoverableError when nobody answers.
        """
        if not 0 < blob.parts <= PARTS_MAX:
            raise BrokenRecord(f"it has {blob.parts:,} parts")
        keys = [PartKey(model, blob.id, number) for number in range(blob.parts)]
        absent = sum(key not in self.part_seconds for key in keys)
        if absent:
            raise BrokenRecord(f"{absent:,} of its {blob.parts:,} parts are not in the topic")
        found: Mapping[PartKey, bytes] = self._parts
        if any(key not in found for key in keys):
            found = self._read_again(frozenset(keys))
        if any(key not in found for key in keys):
            raise BrokenRecord("not all of its parts are in the topic any more")
        return joined(blob, (found[key] for key in keys))

    def has(self, model: str, blob: Blob) -> bool:
        """Whether all parts of a text are in the topic."""
        keys = (PartKey(model, blob.id, number) for number in range(blob.parts))
        return all(key in self.part_seconds for key in keys)

    def note_problem(self, name: str, why: str | None) -> None:
        """Remember what is wrong with something, or that nothing is any more."""
        if why is None:
            self.problems.pop(name, None)
        elif self.problems.get(name) != why:
            self.broken_total += 1
            if len(self.problems) < PROBLEMS_MAX:
                self.problems[name] = why

    def close(self) -> None:
        """Read no more; the log is the caller's."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _following(self) -> Follower:
        if self._follower is None:
            self._follower = self.log.follow({PARTITION: None})
        return self._follower

    def _read_to_the_end(self) -> None:
        follower = self._following()
        ends = follower.ends()
        if any(follower.positions[partition] > end for partition, end in ends.items()):
            raise OffsetOutOfRange(f"topic {self.log.topic} is shorter than what was read of it")
        idle = 0
        while any(follower.positions[partition] < end for partition, end in ends.items()):
            before = dict(follower.positions)
            self._take(follower, _POLL_SECONDS)
            idle = idle + 1 if before == dict(follower.positions) else 0
            if idle >= _POLLS_IDLE_MAX:
                raise RecoverableError(
                    f"topic {self.log.topic} is not read to its end: the broker sends nothing"
                )

    def _take(self, follower: Follower, timeout_seconds: float) -> None:
        for entry in follower.poll(timeout_seconds):
            self._apply(entry)

    def _begin_anew(self) -> None:
        """Retention took what was not read, or brokers lost the end of the log.

        Raises RecoverableError; then nothing has changed, and the next call tries again.
        """
        again = Registry(self.log)
        try:
            again._read_to_the_end()
        except OffsetOutOfRange as error:
            again.close()
            raise RecoverableError(str(error)) from error
        except BaseException:
            again.close()
            raise
        self.close()
        self._follower = again._follower
        self._withdrawn |= again._withdrawn & self.schedules.keys()
        self.shelves, self.schedules = again.shelves, again.schedules
        self.part_seconds, self._parts = again.part_seconds, again._parts
        self.newest_seconds = max(self.newest_seconds, again.newest_seconds)
        for name, why in again.problems.items():
            self.note_problem(name, why)
        self.changes += 1
        self.readings += 1

    def _apply(self, entry: Entry) -> None:
        self.newest_seconds = max(self.newest_seconds, entry.append_seconds)
        name = f"{self.log.topic}, partition {entry.partition}, offset {entry.offset}"
        try:
            key = read_key(entry.key)
            if entry.value is None:
                self._drop(key)
            else:
                self._keep(key, entry.value, entry.append_seconds)
        except BrokenRecord as error:
            self.note_problem(name, str(error))
        self.changes += 1

    def _keep(self, key: Key, value: bytes, at_seconds: float) -> None:
        match key:
            case PartKey():
                self.part_seconds[key] = at_seconds
                self._parts[key] = value
            case ReferenceKey(model, version, hash_):
                publication = read_value(value, Publication)
                if publication.hash != hash_:
                    raise BrokenRecord("its key names another reference")
                self._shelf(model, version).publications[hash_] = Published(publication, at_seconds)
            case ChoiceKey(model, version, id_):
                choices = self._shelf(model, version).choices
                choices.pop(id_, None)
                choices[id_] = Chosen(id_, read_value(value, Choice), at_seconds)
            case ScheduleKey(model, version):
                self.schedules[ModelKey(model, version)] = read_value(value, KeptSchedule)
                self._withdrawn.discard(ModelKey(model, version))

    def _drop(self, key: Key) -> None:
        match key:
            case PartKey():
                self.part_seconds.pop(key, None)
                self._parts.pop(key, None)
            case ReferenceKey(model, version, hash_):
                self._shelf(model, version).publications.pop(hash_, None)
            case ChoiceKey(model, version, id_):
                self._shelf(model, version).choices.pop(id_, None)
            case ScheduleKey(model, version):
                self.schedules.pop(ModelKey(model, version), None)
                self._withdrawn.add(ModelKey(model, version))

    def _shelf(self, model: str, version: str | None) -> Shelf:
        return self.shelves.setdefault((model, version), Shelf({}, {}))

    def _trim(self) -> None:
        """Let go of the bytes of references that are not current. What nobody names yet stays: the
        record that names it may be on its way.
        """
        needed: set[tuple[str, str]] = set()
        known: set[tuple[str, str]] = set()
        for (model, _), shelf in self.shelves.items():
            known |= {(model, p.publication.blob.id) for p in shelf.publications.values()}
            current = shelf.current
            if current is not None:
                blob = shelf.publications[current.choice.hash].publication.blob
                needed.add((model, blob.id))
        for key, schedule in self.schedules.items():
            needed |= {(key.model, blob.id) for blob in schedule.blobs}
        idle = known - needed
        if idle:
            kept = self._parts.items()
            self._parts = {k: part for k, part in kept if (k.model, k.blob) not in idle}

    def _read_again(self, keys: frozenset[PartKey]) -> Mapping[PartKey, bytes]:
        found: dict[PartKey, bytes] = {}
        for entry in self.log.read(PARTITION):
            try:
                key = read_key(entry.key)
            except BrokenRecord:
                continue
            if isinstance(key, PartKey) and key in keys and entry.value is not None:
                found[key] = entry.value
        return found
