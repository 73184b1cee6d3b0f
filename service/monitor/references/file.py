"""References as files that people can read, compare and keep in version control.

The file is JSON with `"format": 1`. Its hash guards against damage and unnoticed edits; a file
without a hash is taken as it is, which is how an edit by hand is accepted.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from service.errors import ConfigurationError
from service.monitor.references.checks import (
    Checks,
    FileShape,
    LineageShape,
    StreamShape,
    check_order,
    check_stream,
)
from service.monitor.references.order_of_time import in_time_tree, read_in_time
from service.monitor.references.projection import projection_tree, read_projection
from service.monitor.references.reference import content_hash
from service.values.references import Lineage, Reference, StreamReference
from service.values.streams import StreamKey, ValueType

FORMAT = 1


def write(reference: Reference) -> str:
    """The reference as JSON text: a field a line, an array a line, ending with a newline."""
    lineage = reference.lineage
    tree = {
        "format": FORMAT,
        "model": reference.model,
        "version": reference.version,
        "rows": reference.rows,
        "hash": reference.hash,
        "lineage": {
            "source": lineage.source,
            "data_hash": lineage.data_hash,
            "created": _time_text(lineage.created_seconds),
            "created_by": lineage.created_by,
            "from": _time_text(lineage.from_seconds),
            "to": _time_text(lineage.to_seconds),
            "dataset": lineage.dataset,
            "metadata": dict(lineage.metadata),
        },
        "streams": [_stream_tree(stream) for stream in reference.streams],
    }
    if reference.projection is not None:
        tree["projection"] = projection_tree(reference.projection)
    return _json_text(tree, "", nested_levels=3) + "\n"


def read(text: str | bytes, name: str) -> Reference:
    """The reference that `text` holds; `name` (its file) begins every message.

    Raises ConfigurationError naming the field that is wrong, or saying that the content does not
    match its hash, or that a newer version of Anchorwatch wrote it.
    """
    _refuse_newer(text, name)
    file = _structured(text, FileShape, name)
    check = Checks(name)
    check.that(bool(file.model), "model", "must not be empty")
    check.that(file.rows >= 0, "rows", "must not be negative")
    streams = tuple(
        _stream(stream, f"streams[{i}]", check) for i, stream in enumerate(file.streams)
    )
    check_order(streams, check)
    projection = read_projection(file.projection, streams, check)
    lineage = _lineage(file.lineage, check)
    computed = content_hash(file.rows, streams, lineage, projection)
    check.that(
        file.hash is None or file.hash == computed,
        "hash",
        "does not match the content, which was edited or damaged after it was built. Restore the "
        'file, or accept the edit by removing its "hash" line',
    )
    return Reference(file.model, file.version, file.rows, streams, lineage, computed, projection)


_Shape = TypeVar("_Shape")


def _structured(text: str | bytes, shape: type[_Shape], name: str) -> _Shape:
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fault, _, field = str(error).partition(" - at `$")
        raise ConfigurationError(
            ": ".join(filter(None, (name, field.strip(".`"), fault)))
        ) from error


class _Format(Struct):
    format: int


def _refuse_newer(text: str | bytes, name: str) -> None:
    version = _structured(text, _Format, name).format
    if version > FORMAT:
        raise ConfigurationError(
            f"{name}: format {version} was written by a newer version of Anchorwatch, this one "
            f"reads up to {FORMAT}: build the reference again with this version, or upgrade"
        )
    Checks(name).that(version == FORMAT, "format", f"{version} is not known")


def _stream(stream: StreamShape, field: str, check: Checks) -> StreamReference:
    check_stream(stream, field, check)
    numeric = stream.type is ValueType.NUMERIC
    counts = stream.counts if numeric else [*stream.counts, stream.other]
    read = StreamReference(
        key=StreamKey(stream.kind, stream.name),
        type=stream.type,
        counts=np.array(counts, dtype=np.int64),
        missing=stream.missing,
        invalid=stream.invalid,
        edges=np.array(stream.edges, dtype=np.float64),
        categories=tuple(stream.categories),
        singletons=stream.singletons,
        rare=tuple(stream.rare),
        open_ended=stream.open_ended,
        fenced=stream.fenced,
        mean=_number(stream.mean),
        sd=_number(stream.sd),
        minimum=_number(stream.minimum),
        maximum=_number(stream.maximum),
        quantiles=_quantiles(stream.quantiles, f"{field}.quantiles", check),
        distinct=stream.distinct,
    )
    in_time = read_in_time(stream.in_time, read, f"{field}.in_time", check)
    return msgspec.structs.replace(read, in_time=in_time)


def _quantiles(texts: Mapping[str, float], field: str, check: Checks) -> dict[float, float]:
    quantiles = {}
    for text, value in texts.items():
        probability = _probability(text)
        check.that(0 <= probability <= 1, field, f"{text!r} is not a probability")
        quantiles[probability] = value
    return quantiles


def _probability(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _lineage(lineage: LineageShape, check: Checks) -> Lineage:
    def seconds(field: str, text: str) -> float:
        try:
            return datetime.fromisoformat(text).astimezone(UTC).timestamp()
        except (ValueError, OverflowError):
            check.that(sound=False, field=f"lineage.{field}", fault=f"{text!r} is not a time")
            raise

    return Lineage(
        source=lineage.source,
        data_hash=lineage.data_hash,
        created_seconds=seconds("created", lineage.created),
        created_by=lineage.created_by,
        from_seconds=None if lineage.from_ is None else seconds("from", lineage.from_),
        to_seconds=None if lineage.to is None else seconds("to", lineage.to),
        dataset=lineage.dataset,
        metadata=lineage.metadata,
    )


def _stream_tree(stream: StreamReference) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "kind": stream.key.kind.value,
        "name": stream.key.name,
        "type": stream.type.value,
        "missing": stream.missing,
        "invalid": stream.invalid,
        "distinct": stream.distinct,
    }
    counts = stream.counts.tolist()
    in_time = {} if stream.in_time is None else {"in_time": in_time_tree(stream.in_time)}
    if stream.type is not ValueType.NUMERIC:
        categorical = {"categories": list(stream.categories), "counts": counts[:-1]}
        tree |= categorical | {"other": counts[-1], "singletons": stream.singletons}
        return tree | {"rare": list(stream.rare), "open_ended": stream.open_ended} | in_time
    moments = ("mean", "sd", "minimum", "maximum")
    tree |= {what: _finite(getattr(stream, what)) for what in moments}
    tree["quantiles"] = {repr(float(p)): float(v) for p, v in stream.quantiles.items()}
    fences = {"fenced": True} if stream.fenced else {}
    return tree | fences | {"edges": stream.edges.tolist(), "counts": counts} | in_time


def _json_text(value: Any, indent: str, nested_levels: int, comma: str = ", ") -> str:
    """JSON with line breaks down to `nested_levels`, and only where something is nested; further
    down only in an object that holds another one, or arrays, and these as short as they can be.
    """
    if nested_levels == 0 and isinstance(value, dict):
        nested_levels = any(isinstance(item, dict | list) for item in value.values())
        comma = ","
    plain = not isinstance(value, dict | list) or not value or nested_levels == 0
    if plain or (isinstance(value, list) and not isinstance(value[0], dict)):
        comma = comma if isinstance(value, list) else ", "
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(comma, ": "))
    inner = indent + "  "
    if isinstance(value, list):
        lines = [inner + _json_text(item, inner, nested_levels - 1) for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    lines = [
        f"{inner}{json.dumps(key, ensure_ascii=False)}: "
        + _json_text(item, inner, nested_levels - 1, comma)
        for key, item in value.items()
    ]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _time_text(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
