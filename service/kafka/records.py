"""Kafka's record batches, bytes to `Record`: checked, bounded, and fast.

The layout is Kafka's message format version 2 (KIP-98); versions 0 and 1, which only logs from
before Kafka 0.11 hold, are left to kafka-python. Reading here instead of there costs a quarter of
the time per record and turns a damaged batch into a value instead of an error without end.
"""

import struct
from collections.abc import Iterator

from crc32c import crc32c
from kafka.record.legacy_records import LegacyRecordBatch
from msgspec import Struct

from service.kafka.codecs import DamagedBatch, decompress
from service.values.records import Record

_FRAME = struct.Struct(">qiibI")  # base offset, length, leader epoch, magic, crc
_BODY = struct.Struct(">hiqqqhii")  # attributes .. record count
_LENGTH_OFFSET, _MAGIC_OFFSET, _CHECKED_OFFSET = 8, 16, 21
_FRAME_BYTES = 12
_RECORDS_OFFSET = _CHECKED_OFFSET + _BODY.size
_CODEC, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20


class Frame(Struct, frozen=True):
    """One batch as it lies in a fetch response; `payload` is all of its bytes."""

    base_offset: int
    payload: memoryview
    following_offset: int | None
    """Base offset of the batch behind this one in the response, None at its end."""


class Batch(Struct, frozen=True):
    """One readable batch. `next_offset` is behind its last offset, compacted or not."""

    next_offset: int
    leader_epoch: int
    producer_id: int
    is_transactional: bool
    is_control: bool
    is_abort: bool
    records: list[Record]


def frames(response: bytes | memoryview) -> Iterator[Frame]:
    """The complete batches of a fetch response; a cut one at its end is left for the next fetch."""
    view = memoryview(response)
    bounds = list(_bounds(view))
    for index, (start, end) in enumerate(bounds):
        behind = bounds[index + 1][0] if index + 1 < len(bounds) else None
        following = None if behind is None else _offset_at(view, behind)
        yield Frame(_offset_at(view, start), view[start:end], following)


def read(frame: Frame) -> Batch:
    """Check and decode one batch.

    Raises:
        DamagedBatch: wrong checksum, unknown codec, broken compression or structure, or one that
            decompresses to more than the codecs' limit.
    """
    payload = frame.payload
    if len(payload) < _MAGIC_OFFSET + 1:
        raise DamagedBatch(f"{len(payload)} bytes are too few for a batch")
    magic = payload[_MAGIC_OFFSET]
    if magic < 2:
        return _read_legacy(payload, magic)
    if magic != 2 or len(payload) < _RECORDS_OFFSET:
        raise DamagedBatch(f"unknown message format {magic}")
    return _read_version_2(payload)


def last_offset_of_damaged(frame: Frame, end: int | None) -> int:
    """The last offset of a batch that cannot be read; its header may be damaged, too.

    Exact where the batch behind it was fetched as well. Else by the header, if that is believable:
    never beyond the log's `end`, never before the base offset.
    """
    if frame.following_offset is not None and frame.following_offset > frame.base_offset:
        return frame.following_offset - 1
    delta = 0
    if len(frame.payload) >= _RECORDS_OFFSET:
        delta = _BODY.unpack_from(frame.payload, _CHECKED_OFFSET)[1]
    last = frame.base_offset + max(delta, 0)
    return last if end is None else max(frame.base_offset, min(last, end - 1))


def _bounds(view: memoryview) -> Iterator[tuple[int, int]]:
    start = 0
    while start + _FRAME_BYTES <= len(view):
        (length,) = struct.unpack_from(">i", view, start + _LENGTH_OFFSET)
        end = start + _FRAME_BYTES + length
        if length <= 0:
            yield start, len(view)  # no way to find the next one: all that is left is damaged
            return
        if end > len(view):
            return
        yield start, end
        start = end


def _offset_at(view: memoryview, start: int) -> int:
    (offset,) = struct.unpack_from(">q", view, start)
    return int(offset)


def _read_version_2(payload: memoryview) -> Batch:
    base_offset, _, leader_epoch, _, checksum = _FRAME.unpack_from(payload)
    if crc32c(payload[_CHECKED_OFFSET:]) != checksum:
        raise DamagedBatch("checksum does not match")
    attributes, last_delta, first_ms, max_ms, producer_id, _, _, count = _BODY.unpack_from(
        payload, _CHECKED_OFFSET
    )
    is_control = bool(attributes & _CONTROL)
    body = decompress(payload[_RECORDS_OFFSET:], attributes & _CODEC)
    appended_ms = max_ms if attributes & _APPEND_TIME else None
    records = _decode(body, count, base_offset, first_ms, appended_ms)
    return Batch(
        next_offset=base_offset + last_delta + 1,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        is_transactional=bool(attributes & _TRANSACTIONAL),
        is_control=is_control,
        is_abort=is_control and _is_abort_marker(records),
        records=[] if is_control else records,
    )


def _is_abort_marker(records: list[Record]) -> bool:
    key = records[0].key if records else None
    return key is not None and len(key) >= 4 and key[2:4] == b"\x00\x00"


def _decode(
    data: bytes, count: int, base_offset: int, first_ms: int, appended_ms: int | None
) -> list[Record]:
    """The `count` records of one batch's decompressed body."""
    try:
        records, consumed = _decode_records(data, count, base_offset, first_ms, appended_ms)
    except IndexError:
        raise DamagedBatch("a record ends beyond its batch") from None
    if consumed != len(data):
        raise DamagedBatch(f"{len(data) - consumed} bytes are left after its records")
    return records


def _decode_records(
    data: bytes, count: int, base_offset: int, first_ms: int, appended_ms: int | None
) -> tuple[list[Record], int]:
    """The hot loop, about 2 us a record: the one-byte varint is written out where it is usual."""
    records = []
    at = 0
    varint = _varint
    appended = None if appended_ms is None else _seconds(appended_ms)
    for _ in range(count):
        length, at = varint(data, at)
        end = at + length
        at += 1  # attributes, unused by Kafka
        byte = data[at]
        if byte < 128:
            delta_ms, at = (byte >> 1) ^ -(byte & 1), at + 1
        else:
            delta_ms, at = varint(data, at)
        delta, at = varint(data, at)
        byte = data[at]
        if byte == 1:
            key, at = None, at + 1
        else:
            key, at = _bytes(data, at)
        value_length, at = varint(data, at)
        if value_length < 0:
            value = None
        else:
            value = data[at : at + value_length]
            at += value_length
        if data[at]:
            headers, at = _headers(data, at)
        else:
            headers, at = (), at + 1
        if at != end or length < 0:
            raise DamagedBatch("a record is not as long as it says")
        seconds = _seconds(first_ms + delta_ms) if appended is None else appended
        records.append(Record(base_offset + delta, seconds, value, key, headers))
    return records, at


def _seconds(timestamp_ms: int) -> float:
    """Epoch seconds; NaN when the producer gave none (-1)."""
    return timestamp_ms / 1000.0 if timestamp_ms >= 0 else float("nan")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint and the position behind it."""
    byte = data[at]
    at += 1
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at
    raw = byte & 127
    shift = 7
    while True:
        byte = data[at]
        at += 1
        raw |= (byte & 127) << shift
        if byte < 128:
            return (raw >> 1) ^ -(raw & 1), at
        shift += 7
        if shift > 63:
            raise DamagedBatch("a number is too long")


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    return data[at : at + length], at + length


def _headers(data: bytes, at: int) -> tuple[tuple[tuple[str, bytes | None], ...], int]:
    count, at = _varint(data, at)
    if not 0 <= count <= len(data):
        raise DamagedBatch(f"{count} headers")
    headers = []
    for _ in range(count):
        name, at = _bytes(data, at)
        value, at = _bytes(data, at)
        headers.append(((name or b"").decode("utf-8", "replace"), value))
    return tuple(headers), at


def _read_legacy(payload: memoryview, magic: int) -> Batch:
    """A message set from before Kafka 0.11; compressed ones hold several records."""
    batch = LegacyRecordBatch(payload, magic)
    if not batch.validate_crc():
        raise DamagedBatch("checksum does not match")
    try:
        records = [Record(r.offset, _seconds(r.timestamp or -1), r.value, r.key) for r in batch]
    except Exception as error:
        raise DamagedBatch(f"{type(error).__name__}: {error}") from error
    return Batch(
        next_offset=(records[-1].offset if records else _offset_at(payload, 0)) + 1,
        leader_epoch=-1,
        producer_id=-1,
        is_transactional=False,
        is_control=False,
        is_abort=False,
        records=records,
    )
