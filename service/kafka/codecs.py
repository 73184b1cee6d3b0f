"""Kafka's compression codecs, each bounded: a small batch may not become gigabytes."""

import struct
import zlib
from collections.abc import Iterator

import lz4.frame
import snappy
import zstandard

DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
"""A batch may not grow beyond this: zstd expands up to 32,000 times, gzip 1,000 times."""

_PIECE_BYTES = 4 * 1024 * 1024
"""Expanded at a time, so that what is too much is noticed before it is there twice."""

_XERIAL_MAGIC = b"\x82SNAPPY\x00"


class DamagedBatch(Exception):
    """The batch cannot be read; the message says why."""


def decompress(data: memoryview, codec: int) -> bytes:
    """A batch's records, by the codec number in its attributes; 0 is none.

    Raises:
        DamagedBatch: unknown codec, broken or cut compression, or more than
            `DECOMPRESSED_BYTES_MAX` bytes.
    """
    if codec == 0:
        return bytes(data)
    if codec not in _CODECS:
        raise DamagedBatch(f"unknown compression codec {codec}")
    name, expand = _CODECS[codec]
    try:
        return _joined(name, expand(bytes(data)))
    except DamagedBatch:
        raise
    except Exception as error:
        raise DamagedBatch(f"broken {name} compression: {error}") from error


def _joined(name: str, pieces: Iterator[bytes]) -> bytes:
    found: list[bytes] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > DECOMPRESSED_BYTES_MAX:
            raise DamagedBatch(f"{name} expands to more than {DECOMPRESSED_BYTES_MAX} bytes")
        found.append(piece)
    return found[0] if len(found) == 1 else b"".join(found)


def _gzip(data: bytes) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=31)
    while piece := stream.decompress(data, _PIECE_BYTES):
        yield piece
        data = stream.unconsumed_tail
    if not stream.eof:
        raise DamagedBatch("broken gzip compression: it ends too early")


def _lz4(data: bytes) -> Iterator[bytes]:
    stream = lz4.frame.LZ4FrameDecompressor()
    while piece := bytes(stream.decompress(data, max_length=_PIECE_BYTES)):
        yield piece
        if stream.eof:
            return
        data = b""
    if not stream.eof:
        raise DamagedBatch("broken lz4 compression: it ends too early")


def _zstd(data: bytes) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        while piece := reader.read(_PIECE_BYTES):
            yield piece


def _snappy(data: bytes) -> Iterator[bytes]:
    """Plain snappy, or the blocks that the Java library writes; a block tells its size first."""
    if not data.startswith(_XERIAL_MAGIC):
        yield _snappy_block(data, DECOMPRESSED_BYTES_MAX)
        return
    room, at = DECOMPRESSED_BYTES_MAX, 16
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        if length < 0:
            raise DamagedBatch("broken snappy compression: negative block length")
        block = _snappy_block(data[at + 4 : at + 4 + length], room)
        yield block
        room -= len(block)
        at += 4 + length


def _snappy_block(block: bytes, room: int) -> bytes:
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if size > room:
        raise DamagedBatch(f"snappy expands to more than {DECOMPRESSED_BYTES_MAX} bytes")
    return bytes(snappy.uncompress(block))


_CODECS = {1: ("gzip", _gzip), 2: ("snappy", _snappy), 3: ("lz4", _lz4), 4: ("zstd", _zstd)}
