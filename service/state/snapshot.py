r"""State as versioned bytes: a tree of plain values and arrays, compressed, with a checksum.

Layout, little-endian; the header never changes, so any version can tell whole from broken:

    magic    8   b"ANCHORW\n"
    format   2   version of what follows the header
    codec    1   1 = Zstandard
    flags    1   0
    stored   8   bytes of payload in the file
    size     8   bytes of payload once decompressed
    checksum 16  BLAKE2b of all of the above and of the stored payload
    payload      MessagePack; arrays and parts are extension types

A *tree* is made of dict (with str keys), list, tuple (read back as list), str, bytes, bool, int in
[-2**63, 2**64), float, None, `numpy.ndarray` of a fixed-width number or bool, and `Encoded` parts.
Nothing of a snapshot is ever executed, and no size it declares is trusted before it was checked.
"""

from collections.abc import Mapping
from hashlib import blake2b
from math import prod
from struct import Struct as Packing
from typing import Any

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from service.errors import FormatTooNew, StateCorrupt

MAGIC = b"ANCHORW\n"
FORMAT = 1
SIZE_MAX_BYTES = 4 * 2**30
"""Most bytes a snapshot may decompress to, its parts included."""

_TYPE_CODES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")
_DTYPES = tuple(np.dtype(code) for code in _TYPE_CODES)
_DTYPE_CODES = {dtype: code for code, dtype in enumerate(_DTYPES)}
_HEADER = Packing("<8sHBBQQ")
_CHECKSUM_BYTES = 16
_CODEC_ZSTD = 1
_EXT_ARRAY, _EXT_PART = 1, 2
_PART_SIZE = Packing("<Q")
_SCALARS = frozenset({str, bytes, bool, int, float, type(None)})


class Encoded:
    """A tree that is bytes already, so that what no longer changes is encoded once.

    A plain class on purpose: structs and dataclasses would be encoded as maps.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def encode(tree: Any) -> bytes:
    """One snapshot of `tree`. Raises TypeError naming the place of what cannot be kept."""
    payload = _pack(tree)
    stored = _compress(payload)
    header = _HEADER.pack(MAGIC, FORMAT, _CODEC_ZSTD, 0, len(stored), len(payload))
    return b"".join((header, _checksum(header, stored), stored))


def encode_part(tree: Any) -> Encoded:
    """A part to place anywhere in a later tree; `decode` gives the tree inside."""
    payload = _pack(tree)
    return Encoded(_PART_SIZE.pack(len(payload)) + _compress(payload))


def decode(data: bytes, size_max_bytes: int = SIZE_MAX_BYTES) -> Any:
    """The tree of one snapshot; its arrays are writable copies.

    Raises StateCorrupt when it is not whole, FormatTooNew when a newer version wrote it.
    """
    stored, size = _checked_payload(data)
    return _Unpacking(size_max_bytes).tree(stored, size)


def _pack(tree: Any) -> bytes:
    _refuse_foreign(tree)
    try:
        return msgspec.msgpack.encode(tree, enc_hook=_to_extension)
    except (OverflowError, UnicodeEncodeError) as error:
        raise TypeError(f"a snapshot cannot keep a value: {error}") from error


def _refuse_foreign(tree: Any) -> None:
    """What encodes but would not come back (sets, structs, tuples as keys) is refused here."""
    if type(tree) in _SCALARS:
        return
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if not isinstance(key, str):
                raise TypeError(f"a key of a snapshot must be str, not {key!r}")
            _refuse_inside(value, f"[{key!r}]")
    elif isinstance(tree, list | tuple):
        for position, value in enumerate(tree):
            _refuse_inside(value, f"[{position}]")
    elif isinstance(tree, np.ndarray):
        if tree.dtype.newbyteorder("<") not in _DTYPE_CODES:
            raise TypeError(f": an array of {tree.dtype} cannot be kept in a snapshot")
    elif not isinstance(tree, str | int | float | np.generic | Encoded):
        raise TypeError(f": a {type(tree).__name__} cannot be kept in a snapshot")


def _refuse_inside(value: Any, place: str) -> None:
    try:
        _refuse_foreign(value)
    except TypeError as error:
        raise TypeError(f"{place}{error}") from None


def _to_extension(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return msgspec.msgpack.Ext(_EXT_ARRAY, _array_bytes(value))
    if isinstance(value, Encoded):
        return msgspec.msgpack.Ext(_EXT_PART, value.data)
    return value.item() if isinstance(value, np.generic) else dict(value)


def _array_bytes(array: NDArray[Any]) -> bytes:
    dtype = array.dtype.newbyteorder("<")
    shape = np.array(array.shape, dtype="<u8").tobytes()
    code = bytes((_DTYPE_CODES[dtype], array.ndim))
    return code + shape + array.astype(dtype, order="C", copy=False).tobytes()


def _compress(payload: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_content_size=True).compress(payload)


def _checksum(header: bytes, stored: bytes | memoryview) -> bytes:
    digest = blake2b(header, digest_size=_CHECKSUM_BYTES)
    digest.update(stored)
    return digest.digest()


def _checked_payload(data: bytes) -> tuple[memoryview, int]:
    """The stored payload and its decompressed size; everything that the header says was checked."""
    start = _HEADER.size + _CHECKSUM_BYTES
    if not data.startswith(MAGIC):
        raise StateCorrupt("not a snapshot: it does not begin as one" if data else "empty file")
    if len(data) < start:
        raise StateCorrupt(f"cut off within the header, after {len(data)} bytes")
    header, stored = data[: _HEADER.size], memoryview(data)[start:]
    _, version, codec, _, stored_bytes, size = _HEADER.unpack(header)
    if len(stored) != stored_bytes:
        raise StateCorrupt(f"payload of {len(stored)} bytes where {stored_bytes} are declared")
    if _checksum(header, stored) != data[_HEADER.size : start]:
        raise StateCorrupt("the checksum does not match")
    if version > FORMAT:
        raise FormatTooNew(
            f"the snapshot has format {version}, this version reads up to {FORMAT}: "
            "run the newer version of Anchorwatch again"
        )
    if version < 1 or codec != _CODEC_ZSTD:
        raise StateCorrupt(f"unknown format {version} or codec {codec}")
    return stored, size


class _Unpacking:
    """The reading of one snapshot, with what is left of its allowance of memory."""

    def __init__(self, size_max_bytes: int) -> None:
        self.allowance_bytes = size_max_bytes

    def tree(self, stored: memoryview, size: int) -> Any:
        payload = self._decompressed(stored, size)
        try:
            return msgspec.msgpack.decode(payload, ext_hook=self._from_extension)
        except (msgspec.DecodeError, RecursionError, TypeError, ValueError) as error:
            raise StateCorrupt(f"the payload does not decode: {error}") from error

    def _decompressed(self, stored: memoryview, size: int) -> bytes:
        if size > self.allowance_bytes:
            raise StateCorrupt(f"{size} bytes of payload exceed the {self.allowance_bytes} allowed")
        self.allowance_bytes -= size
        try:
            if zstandard.frame_content_size(stored) != size:
                raise StateCorrupt(f"the compressed frame does not hold the declared {size} bytes")
            return zstandard.ZstdDecompressor().decompress(stored, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise StateCorrupt(f"the payload does not decompress: {error}") from error

    def _from_extension(self, code: int, data: memoryview) -> Any:
        if code == _EXT_ARRAY:
            return _array(data)
        if code == _EXT_PART and len(data) >= _PART_SIZE.size:
            (size,) = _PART_SIZE.unpack(data[: _PART_SIZE.size])
            return self.tree(data[_PART_SIZE.size :], size)
        raise StateCorrupt(f"unknown or broken extension {code}")


def _array(data: memoryview) -> NDArray[Any]:
    """A writable array; what its header declares must fill `data` exactly."""
    if len(data) < 2 or data[0] >= len(_DTYPES) or len(data) < 2 + 8 * data[1]:
        raise StateCorrupt("an array's header is broken")
    dtype, start = _DTYPES[data[0]], 2 + 8 * data[1]
    shape = tuple(np.frombuffer(data[2:start], dtype="<u8").tolist())
    if prod(shape) * dtype.itemsize != len(data) - start:
        raise StateCorrupt(f"an array of shape {shape} does not fit its {len(data) - start} bytes")
    return np.frombuffer(data[start:], dtype=dtype).reshape(shape).copy()
