"""The decode chain: the stages that turn a record's bytes into a value, by name."""

import base64
import csv
import io
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from service.errors import ConfigurationError
from service.ingest.decode.json_text import MalformedError, read_json

UNPACKED_BYTES_MAX = 64 * 1024 * 1024
GZIP_MEMBERS_MAX = 100
_GZIP = zlib.MAX_WBITS | 16

Decode = Callable[[Any], Any]


class Stage(NamedTuple):
    """One step. `ends` says that its result is a value, no longer bytes or text."""

    decode: Decode
    ends: bool


def compile_chain(names: tuple[str, ...], place: str) -> Decode:
    """The stages in order as one function of bytes, which raises MalformedError.

    Raises ConfigurationError naming `place` for an unknown stage, or one after a stage that ends.
    """
    stages = [_stage(name, place) for name in names]
    for name, stage in zip(names[:-1], stages[:-1], strict=True):
        if stage.ends:
            raise ConfigurationError(f"{place}: {name!r} gives a value; no stage can follow it")
    functions = [stage.decode for stage in stages]
    if len(functions) == 1:
        return functions[0]

    def chain(value: Any) -> Any:
        for function in functions:
            value = function(value)
        return value

    return chain


def _stage(name: str, place: str) -> Stage:
    if name not in STAGES:
        raise ConfigurationError(f"{place}: no stage {name!r}; there are {', '.join(STAGES)}")
    return STAGES[name]


def _json(value: Any) -> Any:
    return read_json(_bytes_or_text(value))


def read_csv(value: Any) -> list[list[str]]:
    """Lines of text as lists of cells, blank lines left out. Raises MalformedError."""
    raw = _bytes_or_text(value)
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    try:
        return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise MalformedError(f"not CSV: {error}") from error


def _base64(value: Any) -> bytes:
    try:
        return base64.b64decode(_bytes_or_text(value), validate=True)
    except ValueError as error:
        raise MalformedError(f"not base64: {error}") from error


def _gzip(value: Any) -> bytes:
    packed = _bytes_or_text(value)
    if isinstance(packed, str):
        raise MalformedError("gzip needs bytes; decode the text first (base64)")
    whole = bytearray()
    for _ in range(GZIP_MEMBERS_MAX):
        stream = zlib.decompressobj(_GZIP)
        try:
            whole += stream.decompress(packed, UNPACKED_BYTES_MAX + 1 - len(whole))
        except zlib.error as error:
            raise MalformedError(f"not gzip: {error}") from error
        if len(whole) > UNPACKED_BYTES_MAX:
            raise MalformedError(f"unpacks to more than {UNPACKED_BYTES_MAX} bytes")
        if not stream.eof:
            raise MalformedError("gzip is cut off")
        packed = stream.unused_data
        if not packed:
            return bytes(whole)
    raise MalformedError(f"gzip of more than {GZIP_MEMBERS_MAX} members")


def _bytes_or_text(value: Any) -> bytes | str:
    if isinstance(value, bytes | str):
        return value
    raise MalformedError(f"expected text or bytes, found {type(value).__name__}")


STAGES: dict[str, Stage] = {
    "json": Stage(_json, ends=True),
    "csv": Stage(read_csv, ends=True),
    "base64": Stage(_base64, ends=False),
    "gzip": Stage(_gzip, ends=False),
}
