"""Record batches as kafka-python writes them are read whole; damaged ones become a value."""

import gzip
import math
import struct

import lz4.frame
import pytest
import snappy
import zstandard
from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder

from service.kafka import codecs as kafka_codecs
from service.kafka.codecs import DamagedBatch
from service.kafka.records import frames, last_offset_of_damaged, read
from service.values.records import Record

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
RECORDS = [
    Record(0, 1.0, b"a", b"k"),
    Record(1, 1.002, None, None, (("h", b"v"), ("none", None), ("ü", b""))),
    Record(2, 0.5, b"", b""),
    Record(3, 100.0, b"x" * 5000, b"y" * 300),
    Record(200, 1.0, b"after a gap"),
]


def batch(records=RECORDS, codec="none", base=0, **settings):
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=CODECS[codec],
        is_transactional=settings.get("transactional", False),
        producer_id=settings.get("producer_id", -1),
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 30,
    )
    for record in records:
        milliseconds = round(record.timestamp_seconds * 1000)
        builder.append(record.offset, milliseconds, record.key, record.value, [*record.headers])
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, base)
    return bytes(built)


def resealed(payload, body=None, **fields):
    """The batch with header fields (attributes, last_delta, count) or its body replaced."""
    layout = {"attributes": (">h", 21), "last_delta": (">i", 23), "count": (">i", 57)}
    changed = bytearray(payload if body is None else payload[:61] + body)
    for name, value in fields.items():
        kind, at = layout[name]
        struct.pack_into(kind, changed, at, value)
    struct.pack_into(">i", changed, 8, len(changed) - 12)
    struct.pack_into(">I", changed, 17, crc32c(bytes(changed[21:])))
    return bytes(changed)


def only(payload):
    (frame,) = frames(payload)
    return frame


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_back_what_was_written(codec):
    result = read(only(batch(codec=codec, base=50)))
    assert [r.offset for r in result.records] == [50 + r.offset for r in RECORDS]
    for got, expected in zip(result.records, RECORDS, strict=True):
        assert (got.key, got.value, got.headers) == (expected.key, expected.value, expected.headers)
        assert math.isclose(got.timestamp_seconds, expected.timestamp_seconds)
    assert result.next_offset == 251


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
def test_what_expands_to_several_pieces_comes_back_whole(codec, pieces, monkeypatch):
    size = len(batch()) - 61
    for piece in (size // pieces, size // pieces + 1):  # where a piece ends with it, and where not
        monkeypatch.setattr(kafka_codecs, "_PIECE_BYTES", piece)
        result = read(only(batch(codec=codec)))
        assert [r.value for r in result.records] == [r.value for r in RECORDS]


def test_snappy_without_the_java_librarys_blocks_is_read_too():
    plain = batch(RECORDS[:1])
    payload = resealed(plain, snappy.compress(plain[61:]), attributes=2)
    assert [r.value for r in read(only(payload)).records] == [b"a"]


def test_the_end_of_a_batch_counts_though_its_last_records_were_compacted_away():
    result = read(only(resealed(batch(RECORDS[:2]), last_delta=40)))
    assert result.next_offset == 41


def test_append_time_holds_for_every_record():
    builder_max_ms = 100_000
    result = read(only(resealed(batch(), attributes=0x08)))
    assert {r.timestamp_seconds for r in result.records} == {builder_max_ms / 1000}


def test_a_record_without_a_timestamp_has_none():
    (record,) = read(only(batch([Record(0, -0.001, b"a")]))).records
    assert math.isnan(record.timestamp_seconds)


def test_a_response_is_cut_into_its_batches_and_an_unfinished_one_is_left():
    first, second = batch(RECORDS[:3]), batch(RECORDS[:1], base=3)
    found = list(frames(first + second + second[:-1]))
    assert [(f.base_offset, f.following_offset) for f in found] == [(0, 3), (3, None)]
    assert list(frames(b"")) == []
    assert list(frames(first[:30])) == []


def test_a_length_that_leads_nowhere_costs_its_own_batch_alone():
    payload = bytearray(batch(RECORDS[:3]) + batch(RECORDS[:1], base=3))
    struct.pack_into(">i", payload, 8, -5)
    frame = only(bytes(payload))
    with pytest.raises(DamagedBatch):
        read(frame)
    assert last_offset_of_damaged(frame, 4) == 2


@settings(max_examples=200, deadline=None)
@given(at=st.integers(17, len(batch()) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_behind_the_checksum_is_noticed(at, bit):
    payload = bytearray(batch())
    payload[at] ^= 1 << bit
    with pytest.raises(DamagedBatch, match="checksum"):
        read(only(bytes(payload)))


@settings(max_examples=300, deadline=None)
@given(
    codec=st.sampled_from(list(CODECS)),
    at=st.integers(0, 10_000),
    replacement=st.binary(min_size=1, max_size=12),
    count=st.sampled_from([None, -1, 0, 1, 1_000_000]),
)
def test_nonsense_under_a_right_checksum_never_raises_anything_else(codec, at, replacement, count):
    payload = batch(codec=codec)
    body = bytearray(payload[61:])
    at %= len(body)
    body[at : at + len(replacement)] = replacement
    fields = {} if count is None else {"count": count}
    try:
        read(only(resealed(payload, bytes(body), **fields)))
    except DamagedBatch:
        return


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_truncated_compression_is_damage(codec):
    payload = batch([Record(n, 1.0, bytes([n]) * 1000) for n in range(50)], codec)
    with pytest.raises(DamagedBatch):
        read(only(resealed(payload, payload[61:-9])))


def test_an_unknown_codec_is_damage():
    with pytest.raises(DamagedBatch, match="unknown compression codec 7"):
        read(only(resealed(batch(), attributes=7)))


BOMB = bytes(3_000_000)
BOMBS = {
    1: gzip.compress(BOMB),
    2: snappy.compress(BOMB),
    3: lz4.frame.compress(BOMB),
    4: zstandard.ZstdCompressor().compress(BOMB),
}


@pytest.mark.parametrize("codec", BOMBS)
def test_decompression_stops_at_the_limit(codec, monkeypatch):
    monkeypatch.setattr(kafka_codecs, "DECOMPRESSED_BYTES_MAX", 1_000_000)
    with pytest.raises(DamagedBatch, match="more than 1000000 bytes"):
        read(only(resealed(batch(), BOMBS[codec], attributes=codec)))


def test_snappy_blocks_are_bounded_together(monkeypatch):
    monkeypatch.setattr(kafka_codecs, "DECOMPRESSED_BYTES_MAX", 40_000)
    records = [Record(n, 1.0, bytes(1000)) for n in range(50)]
    with pytest.raises(DamagedBatch, match="more than 40000 bytes"):
        read(only(batch(records, "snappy")))


def test_a_control_batch_brings_no_records_and_tells_an_abort():
    for kind, is_abort in ((0, True), (1, False)):
        marker = batch([Record(0, 1.0, b"\0\0\0\0\0\0", struct.pack(">hh", 0, kind))])
        result = read(only(resealed(marker, attributes=0x20 | 0x10)))
        assert (result.records, result.is_control, result.is_abort) == ([], True, is_abort)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1])
def test_message_sets_from_before_kafka_011_are_read(magic, codec):
    builder = LegacyRecordBatchBuilder(magic, codec, batch_size=1 << 20)
    for offset in range(3):
        builder.append(offset, timestamp=5000, key=b"k", value=b"v")
    records = [r for frame in frames(bytes(builder.build())) for r in read(frame).records]
    assert [(r.offset, r.key, r.value) for r in records] == [(n, b"k", b"v") for n in range(3)]
    assert all(r.timestamp_seconds == 5.0 or magic == 0 for r in records)


def test_damage_in_an_old_message_set_is_damage():
    builder = LegacyRecordBatchBuilder(1, 0, batch_size=1 << 20)
    builder.append(0, timestamp=5000, key=b"k", value=b"v")
    payload = bytearray(builder.build())
    payload[-1] ^= 1
    with pytest.raises(DamagedBatch, match="checksum"):
        read(only(bytes(payload)))


def test_a_damaged_batch_ends_where_the_next_begins():
    first, second = frames(batch(RECORDS[:3]) + batch(RECORDS[:1], base=9))
    assert last_offset_of_damaged(first, 10) == 8
    assert last_offset_of_damaged(second, 10) == 9


@pytest.mark.parametrize(("delta", "end", "last"), [(2, 10, 7), (900, 10, 9), (-7, 10, 5)])
def test_the_last_damaged_batch_ends_where_its_header_says_within_the_log(delta, end, last):
    frame = only(resealed(batch(RECORDS[:3], base=5), last_delta=delta))
    assert last_offset_of_damaged(frame, end) == last
