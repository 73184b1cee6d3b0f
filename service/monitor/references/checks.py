"""What a reference file has to look like: its fields, and what makes them sound."""

import msgspec
from msgspec import Struct

from service.errors import ConfigurationError
from service.values.references import StreamReference
from service.values.streams import Kind, StreamKey, ValueType, always_numeric, cutoff_of

NAME_MAX_BYTES = 128


class LineageShape(Struct, forbid_unknown_fields=True, kw_only=True):
    """The object `lineage`; times are RFC 3339."""

    source: str
    data_hash: str
    created: str
    created_by: str
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    dataset: str | None = None
    metadata: dict[str, str] = {}


class DependenceShape(Struct, forbid_unknown_fields=True, kw_only=True):
    """How far from independent; no wander gives a kappa of null."""

    phi: float
    kappa: float | None
    panes: int
    events: float
    seasonal: bool = False


class SeasonShape(Struct, forbid_unknown_fields=True, kw_only=True):
    """Counts by hour: `Mon 00` to `Sun 23`, or `00` to `23`."""

    timezone: str
    period: str
    days: int
    hours: dict[str, list[int]]


class InTimeShape(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a stream has as `in_time`."""

    pane_seconds: float
    values: DependenceShape
    quality: DependenceShape | None = None
    season: SeasonShape | None = None


class StreamShape(Struct, forbid_unknown_fields=True, kw_only=True):
    """One of `streams`; a number that is null is not known."""

    kind: Kind
    name: str
    type: ValueType
    missing: int
    invalid: int
    counts: list[int]
    other: int = 0
    singletons: int = 0
    categories: list[str] = []
    rare: list[str] = []
    open_ended: bool = False
    fenced: bool = False
    edges: list[float] = []
    mean: float | None = None
    sd: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    quantiles: dict[str, float] = {}
    distinct: int = 0
    in_time: InTimeShape | None = None


class FeatureShape(Struct, forbid_unknown_fields=True, kw_only=True):
    """One of `projection`: a feature, its scaling, and its row of residuals."""

    feature: str
    centre: float
    below: float
    above: float
    mean: float
    residuals: list[float]


class FileShape(Struct, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    format: int
    model: str
    version: str | None
    rows: int
    hash: str | None = None
    lineage: LineageShape
    streams: list[StreamShape]
    projection: list[FeatureShape] | None = None


class Checks:
    """Raises with the file's name and the field's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def that(self, sound: bool, field: str, fault: str) -> None:
        """Raise ConfigurationError unless `sound`."""
        if not sound:
            raise ConfigurationError(f"{self.name}: {field}: {fault}")


def check_stream(stream: StreamShape, field: str, check: Checks) -> None:
    """Refuse a stream whose fields do not fit each other; `field` is its place in the file."""
    check.that(bool(stream.name), f"{field}.name", "must not be empty")
    check.that(
        len(stream.name.encode()) <= NAME_MAX_BYTES,
        f"{field}.name",
        f"is longer than {NAME_MAX_BYTES} bytes",
    )
    numeric = stream.type is ValueType.NUMERIC
    free = numeric or not always_numeric(StreamKey(stream.kind, stream.name))
    check.that(
        free,
        f"{field}.type",
        "a latency, class probability or joint stream must be numeric",
    )
    cutoff = cutoff_of(StreamKey(stream.kind, stream.name)) is not None
    whole = stream.type is ValueType.BOOLEAN or not cutoff
    check.that(whole, f"{field}.type", "a cut-off of the prediction must be boolean")
    (_check_numeric if numeric else _check_categorical)(stream, field, check)
    for what in ("missing", "invalid", "other", "singletons", "distinct"):
        check.that(getattr(stream, what) >= 0, f"{field}.{what}", "must not be negative")
    for position, count in enumerate(stream.counts):
        check.that(0 <= count < 2**63, f"{field}.counts[{position}]", "is not a count")
    full = len(stream.counts) < 3 or stream.counts[0] > 0 or stream.counts[-1] > 0
    check.that(not (stream.fenced and full), f"{field}.fenced", "the outermost cells are not empty")


def check_order(streams: tuple[StreamReference, ...], check: Checks) -> None:
    """Refuse a stream that is there twice, and a numeric one after one that is not."""
    seen = set()
    for i, stream in enumerate(streams):
        check.that(
            stream.key not in seen, f"streams[{i}]", f"{_stream_title(stream)} is there twice"
        )
        seen.add(stream.key)
        follows = i and streams[i - 1].type is not ValueType.NUMERIC
        check.that(
            not (follows and stream.type is ValueType.NUMERIC),
            f"streams[{i}]",
            "numeric streams must come before the others",
        )


def _check_numeric(stream: StreamShape, field: str, check: Checks) -> None:
    ascending = all(a < b for a, b in zip(stream.edges, stream.edges[1:], strict=False))
    check.that(ascending, f"{field}.edges", "not ascending")
    cells = len(stream.edges) + 1
    check.that(
        len(stream.counts) == cells,
        f"{field}.counts",
        f"{len(stream.counts)} counts where {cells} cells lie between {cells - 1} edges",
    )
    for what in ("categories", "other", "singletons", "rare", "open_ended"):
        check.that(not getattr(stream, what), f"{field}.{what}", "only categorical streams have it")
    check.that(stream.sd is None or stream.sd >= 0, f"{field}.sd", "must not be negative")


def _check_categorical(stream: StreamShape, field: str, check: Checks) -> None:
    check.that(
        len(stream.counts) == len(stream.categories),
        f"{field}.counts",
        f"{len(stream.counts)} counts for {len(stream.categories)} categories",
    )
    unique = len(set(stream.categories)) == len(stream.categories)
    check.that(unique, f"{field}.categories", "a category is named twice")
    named = len(set(stream.categories + stream.rare))
    unique = named == len(stream.categories) + len(stream.rare)
    check.that(unique, f"{field}.rare", "a category is named twice")
    known = stream.open_ended or bool(stream.rare) == bool(stream.other)
    check.that(known, f"{field}.rare", "names what `other` counts, unless the stream is open-ended")
    closed = not (stream.open_ended and stream.rare)
    check.that(closed, f"{field}.rare", "an open-ended stream has none")
    check.that(not stream.fenced, f"{field}.fenced", "only numeric streams have it")
    boolean = stream.type is ValueType.BOOLEAN
    check.that(
        not boolean or stream.categories == ["false", "true"],
        f"{field}.categories",
        'a boolean stream has ["false", "true"]',
    )
    for what in ("edges", "quantiles"):
        check.that(not getattr(stream, what), f"{field}.{what}", "only numeric streams have it")


def _stream_title(stream: StreamReference) -> str:
    return f"{stream.key.kind.value} {stream.key.name!r}"
