"""From the records of a state partition to the state to go on from (rule S5)."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from service.errors import FormatTooNew, FormatTooOld
from service.state.shards.layout import (
    HEAD,
    BlobReference,
    Head,
    Key,
    PartReference,
    decode_head,
    decode_index,
    decode_key,
    decode_part,
)
from service.values.keyed_log import Entry


class ShardState(Struct, frozen=True):
    """What is known of a shard once its input was applied up to an offset.

    `applied_through` is the offset of the last record that is in the blobs, -1 before any. `era`
    rises when an operator gives up what was counted. `format` is what the blobs are written in.
    `passed_over` says of each head that ranks higher what is wrong with it, for the log.
    """

    blobs: Mapping[str, bytes]
    era: int
    applied_through: int
    format: int = 1
    passed_over: tuple[str, ...] = ()


class Origin(Struct, frozen=True):
    """Where a shard's input comes from: what was counted of another topic of that name is void."""

    cluster_id: str
    topic_id: str


class Written(Struct):
    """What one writer has left of a shard."""

    writer: bytes
    parts: dict[int, bytes] = field(default_factory=dict)
    head: Head | None = None
    head_offset: int | None = None
    """None where there is no head; then `head` is None too. A broken head has an offset alone."""


class Records(Struct):
    """All that there is of one shard, by writer."""

    shard: str
    written: dict[bytes, Written] = field(default_factory=dict)
    keys: dict[bytes, None] = field(default_factory=dict)
    """The keys that hold something, as they stand in the log."""

    @property
    def any_head(self) -> bool:
        """False when nobody has ever finished a flush."""
        return any(of.head_offset is not None for of in self.written.values())

    @property
    def era_max(self) -> int:
        """The highest era of a head that can be read, 0 without one."""
        return max((of.head.era for of in self.written.values() if of.head), default=0)


class Reading:
    """Of a state partition, entry by entry in its order: what it still holds of these shards."""

    def __init__(self, shards: Iterable[str]) -> None:
        self.records = {shard: Records(shard) for shard in shards}
        self.end = 0

    def take(self, entries: Iterable[Entry]) -> bool:
        """Read on. True when any of the entries was of the shards."""
        any_of_them = False
        for entry in entries:
            self.end = entry.offset + 1
            key = decode_key(entry.key)
            if key is not None and key.shard in self.records:
                _take(self.records[key.shard], key, entry)
                any_of_them = True
        return any_of_them


class Recovered(Struct, frozen=True):
    """What was found. `state` is None when no head is a candidate; `passed_over` says of each head
    that ranks above it, or that nobody can read, what is wrong with it; `strange` counts heads of
    another cluster or topic.
    """

    state: ShardState | None
    passed_over: tuple[str, ...] = ()
    strange: int = 0


def recovered(records: Records, origin: Origin, formats: range) -> Recovered:
    """The highest (era, applied through) that is whole, the later of two that are equal.

    Raises FormatTooNew or FormatTooOld when that one is of none of `formats`.
    """
    passed_over = [
        f"{_name(of)}: the head does not read back"
        for of in records.written.values()
        if of.head_offset is not None and of.head is None
    ]
    heads = [of for of in records.written.values() if of.head is not None]
    ours = [of for of in heads if _is_of(of.head, origin)]
    for written in sorted(ours, key=_rank, reverse=True):
        state, fault = _state(written, formats)
        if state is not None:
            said = tuple(passed_over)
            return Recovered(replace(state, passed_over=said), said, len(heads) - len(ours))
        passed_over.append(f"{_name(written)}: {fault}")
    return Recovered(None, tuple(passed_over), len(heads) - len(ours))


def _take(records: Records, key: Key, entry: Entry) -> None:
    written = records.written.setdefault(key.writer, Written(key.writer))
    if entry.value is None:
        records.keys.pop(entry.key, None)
        written.parts.pop(key.part, None)
    else:
        records.keys[entry.key] = None
        if key.part != HEAD:
            written.parts[key.part] = entry.value
    if key.part == HEAD:
        written.head = None if entry.value is None else decode_head(entry.value)
        written.head_offset = None if entry.value is None else entry.offset


def _is_of(head: Head | None, origin: Origin) -> bool:
    return head is not None and Origin(head.cluster_id, head.topic_id) == origin


def _rank(written: Written) -> tuple[int, int, int]:
    if written.head is None or written.head_offset is None:
        return (-1, -1, -1)
    return (written.head.era, written.head.applied_through, written.head_offset)


def _state(written: Written, formats: range) -> tuple[ShardState | None, str]:
    """The state of a head, or what is missing of it or broken."""
    head = written.head
    if head is None:
        return None, "no head"
    _refuse_foreign_format(head, formats)
    index = _index(written, head)
    if index is None:
        return None, "its index is missing or broken"
    blobs, faults = {}, []
    for reference in index:
        blob, fault = _blob(written, reference.parts)
        blobs[reference.name] = blob
        if fault:
            faults.append(f"{reference.name} ({fault})")
    if not faults:
        return ShardState(blobs, head.era, head.applied_through, head.format), ""
    more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
    return None, f"{len(faults)} of {len(index)} blobs: {', '.join(faults[:3])}{more}"


def _refuse_foreign_format(head: Head, formats: range) -> None:
    """Raises by name where going on would need another version of Anchorwatch."""
    said = (
        f"its state was written by Anchorwatch {head.software} in format {head.format}, this "
        f"version reads {formats.start} to {formats.stop - 1}"
    )
    if head.format >= formats.stop:
        raise FormatTooNew(f"{said}: run Anchorwatch {head.software} or newer")
    if head.format < formats.start:
        raise FormatTooOld(
            f"{said}: first run the version that reads format {head.format} and writes "
            f"{head.format + 1}, with state.format set to that"
        )


def _index(written: Written, head: Head) -> tuple[BlobReference, ...] | None:
    if not head.index_parts:
        return decode_index(head.index)
    joined, fault = _blob(written, head.index_parts)
    return None if fault else decode_index(joined)


def _blob(written: Written, references: tuple[PartReference, ...]) -> tuple[bytes, str]:
    """The bytes of all parts together, or what is wrong."""
    pieces = list(_pieces(written, references))
    missing = sum(reference.part not in written.parts for reference in references)
    broken = pieces.count(None) - missing
    if missing or broken:
        return b"", f"of {len(references)} parts {missing} missing, {broken} broken"
    return b"".join(piece for piece in pieces if piece is not None), ""


def _pieces(written: Written, references: tuple[PartReference, ...]) -> Iterator[memoryview | None]:
    for reference in references:
        value = written.parts.get(reference.part)
        yield None if value is None else decode_part(value, reference.checksum)


def _name(written: Written) -> str:
    told = f"writer {written.writer.hex()[:8]} at offset {written.head_offset}"
    if written.head is None:
        return told
    return f"{told} (era {written.head.era}, through {written.head.applied_through})"
