"""Kafka's compression codecs, each bounded: a small batch may not become gigabytes."""

import struct
import zlib

import lz4.frame
import snappy
import zstandard

DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
"""A batch may not grow beyond this: zstd expands up to 32,000 times, gzip 1,000 times."""

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
        body = expand(bytes(data))
    except DamagedBatch:
        raise
    except Exception as error:
        raise DamagedBatch(f"broken {name} compression: {error}") from error
    if len(body) > DECOMPRESSED_BYTES_MAX:
        raise DamagedBatch(f"{name} expands to more than {DECOMPRESSED_BYTES_MAX} bytes")
    return body


def _gzip(data: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    body = stream.decompress(data, DECOMPRESSED_BYTES_MAX + 1)
    if not stream.eof and len(body) <= DECOMPRESSED_BYTES_MAX:
        raise DamagedBatch("broken gzip compression: it ends too early")
    return body


def _lz4(data: bytes) -> bytes:
    stream = lz4.frame.LZ4FrameDecompressor()
    body = bytes(stream.decompress(data, max_length=DECOMPRESSED_BYTES_MAX + 1))
    if not stream.eof and len(body) <= DECOMPRESSED_BYTES_MAX:
        raise DamagedBatch("broken lz4 compression: it ends too early")
    return body


def _zstd(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        return reader.read(DECOMPRESSED_BYTES_MAX + 1)


def _snappy(data: bytes) -> bytes:
    """Plain snappy, or the blocks that the Java library writes; a block tells its size first."""
    if not data.startswith(_XERIAL_MAGIC):
        return _snappy_block(data, DECOMPRESSED_BYTES_MAX)
    blocks: list[bytes] = []
    room, at = DECOMPRESSED_BYTES_MAX, 16
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        if length < 0:
            raise DamagedBatch("broken snappy compression: negative block length")
        block = _snappy_block(data[at + 4 : at + 4 + length], room)
        room -= len(block)
        at += 4 + length
        blocks.append(block)
    return b"".join(blocks)


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
