"""Records of the state topic as bytes: keys, parts, heads, indices; the package tells the layout.

What is read is never trusted: whatever is not exactly of the layout, or does not match its
checksum, is None.
"""

from hashlib import blake2b
from typing import Annotated

import msgspec
import zstandard
from msgspec import Meta, Struct

LAYOUT = b"\x01"

HEAD = 0
"""The part of a key that stands for the head."""

WRITER_BYTES = 16
PART_MAX_BYTES = 512 * 1024
INDEX_INLINE_MAX_BYTES = 256 * 1024
INDEX_MAX_BYTES = 64 * 2**20
"""Most bytes of an index that is not compressed: some half a million blobs."""

NAME_MAX_CHARACTERS = 1024

_CHECKSUM_BYTES = 16
_HEAD_START = len(LAYOUT) + _CHECKSUM_BYTES

_Name = Annotated[str, Meta(max_length=NAME_MAX_CHARACTERS)]
_Checksum = Annotated[bytes, Meta(min_length=_CHECKSUM_BYTES, max_length=_CHECKSUM_BYTES)]


class Key(Struct, frozen=True, array_like=True):
    """Whose record it is. `part` is HEAD or counts from 1."""

    shard: _Name
    writer: Annotated[bytes, Meta(min_length=WRITER_BYTES, max_length=WRITER_BYTES)]
    part: Annotated[int, Meta(ge=HEAD)]


class PartReference(Struct, frozen=True, array_like=True, gc=False):
    """A part that a head lists, and the checksum of the bytes in it."""

    part: Annotated[int, Meta(gt=HEAD)]
    checksum: _Checksum


class BlobReference(Struct, frozen=True, array_like=True):
    """Where the pieces of a blob are, in their order; no parts for one without bytes."""

    name: _Name
    parts: tuple[PartReference, ...]


class Head(Struct, frozen=True, array_like=True):
    """What a writer has of a shard. `index` is empty where it is in `index_parts`.

    `software` is the version of Anchorwatch that wrote it. Fields may be added at the end.
    """

    format: Annotated[int, Meta(ge=1)]
    software: _Name
    cluster_id: _Name
    topic_id: _Name
    era: Annotated[int, Meta(ge=0)]
    applied_through: Annotated[int, Meta(ge=-1)]
    index: bytes
    index_parts: tuple[PartReference, ...]


_KEYS = msgspec.msgpack.Decoder(Key)
_HEADS = msgspec.msgpack.Decoder(Head)
_INDICES = msgspec.msgpack.Decoder(tuple[BlobReference, ...])


def checksum(data: bytes | memoryview) -> bytes:
    """What a reference keeps of the bytes of a part."""
    return blake2b(data, digest_size=_CHECKSUM_BYTES).digest()


def encode_key(key: Key) -> bytes:
    """The same bytes for the same key, in every version."""
    return LAYOUT + msgspec.msgpack.encode(key)


def decode_key(data: bytes) -> Key | None:
    """Whose record it is; None when it is none of ours."""
    if not data.startswith(LAYOUT):
        return None
    try:
        return _KEYS.decode(memoryview(data)[len(LAYOUT) :])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def encode_part(piece: bytes | memoryview) -> bytes:
    """The value of a part."""
    return b"".join((LAYOUT, piece))


def decode_part(value: bytes, expected: bytes) -> memoryview | None:
    """The bytes in it; None when they do not have the checksum that is expected."""
    piece = memoryview(value)[len(LAYOUT) :]
    whole = value.startswith(LAYOUT) and checksum(piece) == expected
    return piece if whole else None


def encode_head(head: Head) -> bytes:
    """The value of a head."""
    payload = msgspec.msgpack.encode(head)
    return b"".join((LAYOUT, checksum(payload), payload))


def decode_head(value: bytes) -> Head | None:
    """The head; None when it is broken."""
    payload = memoryview(value)[_HEAD_START:]
    if not value.startswith(LAYOUT) or value[len(LAYOUT) : _HEAD_START] != checksum(payload):
        return None
    try:
        return _HEADS.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def encode_index(blobs: tuple[BlobReference, ...]) -> bytes:
    """Compressed bytes. Raises ValueError when nobody could read them back."""
    payload = msgspec.msgpack.encode(blobs)
    if len(payload) > INDEX_MAX_BYTES:
        raise ValueError(f"an index of {len(blobs)} blobs exceeds {INDEX_MAX_BYTES} bytes")
    return zstandard.ZstdCompressor(level=1, write_content_size=True).compress(payload)


def decode_index(data: bytes | memoryview) -> tuple[BlobReference, ...] | None:
    """The blobs of an index; None when it is broken."""
    try:
        if not 0 <= zstandard.frame_content_size(data) <= INDEX_MAX_BYTES:
            return None
        return _INDICES.decode(zstandard.ZstdDecompressor().decompress(data))
    except (zstandard.ZstdError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
