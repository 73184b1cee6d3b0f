"""Record batches as a hostile or broken producer may write them, sent as they are."""

import socket
import struct
import zlib
from collections.abc import Iterator

import lz4.frame
import snappy
import zstandard
from crc32c import crc32c

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_CHUNK = b"\0" * 2**20
_XERIAL = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
_PRODUCE, _VERSION, _CLIENT = 0, 7, b"raw"


def bomb(codec: str, value_bytes: int) -> bytes:
    """A batch of one record whose value is so many zeros; never in memory as a whole."""
    pieces = _compressed(codec, _record(value_bytes))
    return batch(b"".join(pieces), CODECS[codec], records=1)


def batch(body: bytes, codec: int, records: int) -> bytes:
    """A batch (format 2) with a checksum that is right, whatever its body."""
    sealed = struct.pack(">hiqqqhii", codec, records - 1, 0, 0, -1, -1, -1, records) + body
    checked = struct.pack(">ibI", 0, 2, crc32c(sealed)) + sealed
    return struct.pack(">qi", 0, len(checked)) + checked


def produce(bootstrap: str, topic: str, batch: bytes, partition: int = 0) -> None:
    """Hand a batch to the broker. Raises RuntimeError with the error code when it refuses."""
    name = topic.encode()
    request = struct.pack(">hhih", _PRODUCE, _VERSION, 1, len(_CLIENT)) + _CLIENT
    request += struct.pack(">hhiih", -1, -1, 60_000, 1, len(name)) + name
    request += struct.pack(">iii", 1, partition, len(batch)) + batch
    host, _, port = bootstrap.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=90) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", _received(connection, 4))
        answer = _received(connection, length)
    (code,) = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(name) + 4 + 4)
    if code:
        raise RuntimeError(f"the broker refused the batch: error {code}")


def _received(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("the broker closed the connection")
        data += more
    return data


def _record(value_bytes: int) -> Iterator[bytes]:
    """A record of nothing but a value, in pieces; the value has to be whole mebibytes."""
    head = b"\0\0\0" + _varint(-1) + _varint(value_bytes)
    yield _varint(len(head) + value_bytes + 1) + head
    for _ in range(value_bytes // len(_CHUNK)):
        yield _CHUNK
    yield b"\0"  # no headers


def _varint(number: int) -> bytes:
    zigzag, found = (number << 1) ^ (number >> 63), bytearray()
    while zigzag > 127:
        found.append(zigzag & 127 | 128)
        zigzag >>= 7
    return bytes([*found, zigzag])


def _compressed(codec: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if codec == "snappy":  # the blocks of the Java library
        yield _XERIAL
        for piece in pieces:
            block = snappy.compress(piece)
            yield struct.pack(">i", len(block)) + block
    elif codec == "lz4":
        stream = lz4.frame.LZ4FrameCompressor(block_linked=False)  # all that the Java library reads
        yield stream.begin()
        yield from map(stream.compress, pieces)
        yield stream.flush()
    else:
        made = (
            zlib.compressobj(wbits=31)
            if codec == "gzip"
            else zstandard.ZstdCompressor().compressobj()
        )
        yield from map(made.compress, pieces)
        yield made.flush()
