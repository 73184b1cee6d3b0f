"""Panes and progress as records of a topic, in pieces where they are large.

Records of input partition p go to partition p mod S, so that all of one partition stay in order.
A key says what it is of, a value begins with one byte of layout:

    key    MessagePack array   what it is of, and the number of the piece; it is of
                               "pane", topic, partition, model, version, start, length, reference,
                                       whether it is an early copy
                            or "progress", topic, partition
    value  1 byte              LAYOUT
           MessagePack array   writer, era, applied through, rows, hash of the counts,
                               how many pieces, bytes and checksum of the whole body, this piece

Nothing that a record declares is trusted before it was checked.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from service.values.exchange import Sent, SentPane, Stamp, Unreadable
from service.values.keyed_log import Draft
from service.values.records import Partition

LAYOUT = 1
PIECE_MAX_BYTES = 900 * 1024
"""Of a body in one record, so that the record stays below Kafka's usual bound of 1 MiB."""

BODY_MAX_BYTES = 64 * 2**20
_PIECES_MAX = -(-BODY_MAX_BYTES // PIECE_MAX_BYTES)
_CHECKSUM_BYTES = 16
_NAME_MAX = 1024

_Name = Annotated[str, Meta(max_length=_NAME_MAX)]
_Count = Annotated[int, Meta(ge=0)]
_Number = Annotated[int, Meta(ge=0, lt=2**31)]
_Piece = Annotated[int, Meta(ge=0, lt=_PIECES_MAX)]
_Seconds = Annotated[float, Meta(ge=-1e12, le=1e12)]


class PaneName(Struct, frozen=True, array_like=True, tag="pane"):
    """Which pane a record is of."""

    topic: _Name
    partition: _Number
    model: _Name
    version: _Name
    start_seconds: _Seconds
    pane_seconds: Annotated[float, Meta(gt=0.0, le=1e9)]
    reference_hash: _Name
    early: bool


class ProgressName(Struct, frozen=True, array_like=True, tag="progress"):
    """Of which partition's progress a record is."""

    topic: _Name
    partition: _Number


Name = PaneName | ProgressName


class Key(Struct, frozen=True, array_like=True):
    """A whole key."""

    name: Name
    piece: _Piece


class Value(Struct, frozen=True, array_like=True):
    """A whole value but its first byte."""

    writer: Annotated[bytes, Meta(max_length=64)]
    era: _Count
    applied_through: Annotated[int, Meta(ge=-1)]
    rows: _Count
    counts_hash: Annotated[bytes, Meta(max_length=64)]
    pieces: Annotated[int, Meta(ge=1, le=_PIECES_MAX)]
    body_bytes: Annotated[int, Meta(ge=0, le=BODY_MAX_BYTES)]
    checksum: Annotated[bytes, Meta(min_length=_CHECKSUM_BYTES, max_length=_CHECKSUM_BYTES)]
    piece: Annotated[bytes, Meta(max_length=PIECE_MAX_BYTES)]

    @property
    def stamp(self) -> Stamp:
        """Who sent it."""
        return Stamp(self.writer, self.era, self.applied_through)


class Refused(Exception):
    """A record that is not one of ours, or not any more."""

    def __init__(self, reason: Unreadable, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


_KEYS = msgspec.msgpack.Decoder(Key)
_VALUES = msgspec.msgpack.Decoder(Value)


def drafts_of(sent: Iterable[Sent], partition_count: int) -> list[Draft]:
    """The records of panes and progress, in the same order, for a topic of so many partitions.

    Raises ValueError for a body beyond BODY_MAX_BYTES.
    """
    return [draft for one in sent for draft in _drafts(one, partition_count)]


def key_of(data: bytes) -> Key:
    """Raises Refused."""
    try:
        return _KEYS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Unreadable.MALFORMED, f"its key is none of ours: {error}") from error


def value_of(data: bytes | None) -> Value:
    """Raises Refused."""
    if not data:
        raise Refused(Unreadable.MALFORMED, "it has no value")
    if data[0] > LAYOUT:
        raise Refused(
            Unreadable.TOO_NEW,
            f"it has layout {data[0]}, this version reads up to {LAYOUT}: run the judge with the"
            " version of the newest worker",
        )
    if len(data) > 2 * PIECE_MAX_BYTES:
        raise Refused(Unreadable.TOO_LARGE, f"its value has {len(data)} bytes")
    try:
        return _VALUES.decode(memoryview(data)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Unreadable.MALFORMED, f"its value is none of ours: {error}") from error


def checksum(body: bytes) -> bytes:
    """Of a whole body."""
    return blake2b(body, digest_size=_CHECKSUM_BYTES).digest()


def pieces_of(body_bytes: int) -> int:
    """How many records a body takes."""
    return max(1, -(-body_bytes // PIECE_MAX_BYTES))


def partition_of(name: Name) -> Partition:
    """The partition of the input that it is about."""
    return Partition(name.topic, name.partition)


def _drafts(sent: Sent, partition_count: int) -> Iterator[Draft]:
    if len(sent.body) > BODY_MAX_BYTES:
        raise ValueError(
            f"{_words(sent)} takes {len(sent.body):,} bytes and may take {BODY_MAX_BYTES:,}:"
            " watch fewer features"
        )
    rows, counts_hash = (sent.rows, sent.counts_hash) if isinstance(sent, SentPane) else (0, b"")
    pieces = pieces_of(len(sent.body))
    whole = checksum(sent.body)
    for number in range(pieces):
        first = number * PIECE_MAX_BYTES
        value = Value(
            sent.stamp.writer,
            sent.stamp.era,
            sent.stamp.applied_through,
            rows,
            counts_hash,
            pieces,
            len(sent.body),
            whole,
            sent.body[first : first + PIECE_MAX_BYTES],
        )
        yield Draft(
            sent.partition.number % partition_count,
            msgspec.msgpack.encode(Key(_name(sent), number)),
            bytes((LAYOUT,)) + msgspec.msgpack.encode(value),
        )


def _name(sent: Sent) -> Name:
    if not isinstance(sent, SentPane):
        return ProgressName(*sent.partition)
    return PaneName(
        *sent.partition,
        *sent.model,
        sent.start_seconds,
        sent.pane_seconds,
        sent.reference_hash,
        sent.early,
    )


def _words(sent: Sent) -> str:
    where = f"{sent.partition.topic}/{sent.partition.number}"
    if isinstance(sent, SentPane):
        return f"a pane of {sent.model.words} in {where}"
    return f"the progress of {where}"
