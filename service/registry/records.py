"""The records of the registry's topic: keys, values, and texts that are larger than a record.

Every key and every value but a part's begins with a byte, the format; what follows is MessagePack.
All records are in one partition, so that they stay in the order of their writing; a topic that has
more is left alone in the others.

| key | value |
|---|---|
| part, model, blob, number | a piece of a compressed text; a blob is named by its own checksum |
| reference, model, version, hash | `Publication`: what is known of a reference, and its blob |
| choice, model, version, id | `Choice`: from then on this hash is current, by whom and why |
| schedule, model, version | `KeptSchedule`: what the judge decided, which reference from when |

What names parts is appended after them. A choice is never rewritten: the last in the log is the
current one, so that two who publish at once need no lock.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
import zstandard
from msgspec import Struct

from service.values.keyed_log import Draft

FORMAT = 1
PARTITION = 0
PART_MAX_BYTES = 512 * 2**10
TEXT_MAX_BYTES = 64 * 2**20
"""As of a reference file: a longer text is no reference."""

PARTS_MAX = TEXT_MAX_BYTES // PART_MAX_BYTES + 1
NAME_MAX_BYTES = 1024

_LEVEL = 9
_KEY_MAX_BYTES = 8 * 2**10


class BrokenRecord(ValueError):
    """A record is not what it should be. The message says what is wrong."""


class Blob(Struct, frozen=True):
    """A text in parts. `id` is the SHA-256 of the compressed bytes; `size` counts bytes of text."""

    id: str
    parts: int
    size: int


class Publication(Struct, frozen=True):
    """A reference as it was published. `created_seconds` and `source` are of its lineage."""

    hash: str
    rows: int
    streams: int
    created_seconds: float
    source: str
    blob: Blob


class Choice(Struct, frozen=True):
    """A reference was made current. `action` is `published` or `rolled back`."""

    hash: str
    by: str
    why: str
    action: str = "published"


class KeptEntry(Struct, frozen=True):
    """An entry of a schedule; `effective_from_seconds` None = from the beginning. `blob` None =
    without a reference.
    """

    effective_from_seconds: float | None
    given_hash: str
    learns: bool
    blob: Blob | None


class KeptSchedule(Struct, frozen=True):
    """Entries in force or to come, ascending; `retired` no pane needs any more but one that was
    kept by a worker that was away.
    """

    entries: tuple[KeptEntry, ...]
    retired: tuple[KeptEntry, ...] = ()

    @property
    def blobs(self) -> Iterator[Blob]:
        """Those of all entries."""
        for entry in (*self.entries, *self.retired):
            if entry.blob is not None:
                yield entry.blob


class PartKey(Struct, frozen=True, array_like=True, tag="part"):
    """Of one part of a blob."""

    model: str
    blob: str
    number: int


class ReferenceKey(Struct, frozen=True, array_like=True, tag="reference"):
    """Of a publication; `version` None holds for any."""

    model: str
    version: str | None
    hash: str


class ChoiceKey(Struct, frozen=True, array_like=True, tag="choice"):
    """Of a choice."""

    model: str
    version: str | None
    id: str


class ScheduleKey(Struct, frozen=True, array_like=True, tag="schedule"):
    """Of what the judge decided for a model version."""

    model: str
    version: str


Key = PartKey | ReferenceKey | ChoiceKey | ScheduleKey
_Value = TypeVar("_Value", Publication, Choice, KeptSchedule)

_encoder = msgspec.msgpack.Encoder()
_keys = msgspec.msgpack.Decoder(Key)


def key_bytes(key: Key) -> bytes:
    """As it stands in the log."""
    return bytes([FORMAT]) + _encoder.encode(key)


def read_key(data: bytes) -> Key:
    """What a record is about. Raises BrokenRecord."""
    if len(data) > _KEY_MAX_BYTES:
        raise BrokenRecord(f"its key has {len(data):,} bytes")
    key: Key = _decoded(_keys, data)
    return key


def value_bytes(value: Publication | Choice | KeptSchedule) -> bytes:
    """As it stands in the log."""
    return bytes([FORMAT]) + _encoder.encode(value)


def read_value(data: bytes, kind: type[_Value]) -> _Value:
    """The value of a record that is no part. Raises BrokenRecord."""
    if len(data) > PART_MAX_BYTES:
        raise BrokenRecord(f"its value has {len(data):,} bytes")
    value: _Value = _decoded(msgspec.msgpack.Decoder(kind), data)
    return value


def cut(text: str) -> tuple[Blob, tuple[bytes, ...]]:
    """A text as a blob and its parts."""
    plain = text.encode()
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(plain)
    parts = tuple(packed[at : at + PART_MAX_BYTES] for at in range(0, len(packed), PART_MAX_BYTES))
    return Blob(sha256(packed).hexdigest(), len(parts), len(plain)), parts


def joined(blob: Blob, parts: Iterable[bytes]) -> str:
    """The text of a blob. Raises BrokenRecord where the parts are not those that were cut."""
    packed = b"".join(parts)
    if sha256(packed).hexdigest() != blob.id:
        raise BrokenRecord("its checksum does not match its content")
    try:
        size = zstandard.frame_content_size(packed)
        if size != blob.size or not 0 <= size <= TEXT_MAX_BYTES:
            raise BrokenRecord(f"it says that it holds {blob.size:,} bytes, and holds {size:,}")
        return zstandard.ZstdDecompressor().decompress(packed, TEXT_MAX_BYTES).decode()
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise BrokenRecord(f"it cannot be unpacked: {error}") from error


def part_drafts(model: str, blob: Blob, parts: Iterable[bytes]) -> list[Draft]:
    """The records of a blob."""
    return [
        Draft(PARTITION, key_bytes(PartKey(model, blob.id, number)), part)
        for number, part in enumerate(parts)
    ]


def require_name(text: str, what: str) -> None:
    """Raise BrokenRecord for a name that no record can carry."""
    if not text or len(text.encode("utf-8", "replace")) > NAME_MAX_BYTES:
        raise BrokenRecord(f"{what} must have 1 to {NAME_MAX_BYTES} bytes")


def _decoded(decoder: Any, data: bytes) -> Any:
    if not data or data[0] > FORMAT:
        found = data[0] if data else "none"
        raise BrokenRecord(
            f"its format is {found}, and this version of Anchorwatch reads up to {FORMAT}: upgrade"
        )
    if data[0] != FORMAT:
        raise BrokenRecord(f"its format {data[0]} is not known")
    try:
        return decoder.decode(data[1:])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BrokenRecord(f"it cannot be read: {error}") from error
