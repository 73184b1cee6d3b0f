"""A real change made the new normal: some streams of a reference as they were seen lately.

Cells are made anew on the quantile histogram that windows keep, as they are from training data; so
edges lie on its buckets (at most 256 a stream and pane, each within 1/64 of its value) and every
count is exact. Moments, quantiles and the number of different values come along. Categories that
are new get cells when all of them were counted exactly; else they are counted as other, and the
stream is open-ended.
"""

import difflib
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from detectors.joint import Projection
from detectors.summary.cells import category_cells
from detectors.summary.distinct import Distinct
from detectors.summary.heavy_hitters import HeavyNames
from detectors.summary.profile import NAMES_MAX, Profile
from detectors.summary.summary import Summary
from service.errors import ConfigurationError
from service.monitor.references.kept import Kept, Seen
from service.monitor.references.order_of_time import without_hours
from service.monitor.references.reference import content_hash, merge_references
from service.monitor.references.streams import CATEGORIES_MAX, stream_reference
from service.values.references import LEARNED, Lineage, Reference, StreamReference
from service.values.streams import (
    JOINT,
    PREDICTION,
    Kind,
    StreamKey,
    ValueType,
    cutoff_of,
    segment_of,
)

ACCEPTED = "accepted"
"""The source of a reference of which some streams were accepted as they were seen."""

LEARNED_REST = "all that is not accepted"
"""What was learned live, of a reference of which nothing was given."""

ROWS_MIN = 1000
"""A smaller sample is not worth being called normal, unless the settings learn from fewer rows."""

_TEXT = 1


class Decision(Struct, frozen=True):
    """Who accepted what, when (epoch seconds) and why; `episode` is empty when it was about none.

    `version` is that of the new reference, None for any.
    """

    version: str | None
    by: str
    why: str
    at_seconds: float
    episode: str = ""


class Change(Struct, frozen=True):
    """One stream before and after."""

    before: StreamReference
    after: StreamReference


class Accepted(Struct, frozen=True):
    """The new reference and what is new in it."""

    reference: Reference
    changes: tuple[Change, ...]


def named_streams(reference: Reference, names: Iterable[str]) -> tuple[StreamKey, ...]:
    """The streams that people call by these names, each once, in the reference's order.

    A name is first that of a feature; `prediction` and `latency` are the output and the latency
    where no feature is called so. Raises ConfigurationError naming the nearest for an unknown one.
    """
    keys = [stream.key for stream in reference.streams]
    inputs = {key.name: key for key in keys if key.kind is Kind.INPUT}
    known = {key.name: key for key in keys} | inputs
    wanted = set()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            some = ", ".join(sorted(known)[:20])
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {some}"
            raise ConfigurationError(f"the reference has no feature {name!r}; {hint}")
        wanted.add(known[name])
    return tuple(key for key in keys if key in wanted)


def with_derived(reference: Reference, keys: Collection[StreamKey]) -> tuple[StreamKey, ...]:
    """`keys` with the streams that are computed from them: where these changed, those did.

    The reconstruction error goes with each input that it is about, cut-offs and segments with the
    prediction.
    """
    related = () if reference.projection is None else reference.projection.features
    joint = any(StreamKey(Kind.INPUT, name) in keys for name in related)

    def chosen(key: StreamKey) -> bool:
        part = cutoff_of(key) is not None or segment_of(key) is not None
        return key in keys or (part and PREDICTION in keys) or (joint and key == JOINT)

    return tuple(stream.key for stream in reference.streams if chosen(stream.key))


def accept(
    base: Reference,
    kept: Kept,
    seen: Seen,
    keys: Collection[StreamKey],
    decision: Decision,
    *,
    rows_min: int,
    categories_max: int,
) -> Accepted:
    """`base` with the streams `keys` as they were seen, and with all others untouched.

    Their dependence is taken to be what it was; their seasons are of before, and are learned anew.
    Streams that `base` lacks, since they were learned, come from the reference that `kept` was
    counted by. Raises ConfigurationError where too few rows were seen to be called normal.
    """
    _require_rows(kept, seen, keys, rows_min)
    counted_by = kept.reference
    order = {stream.key: stream.in_time for stream in (*counted_by.streams, *base.streams)}
    fresh = {
        stream.key: replace(
            accepted_stream(stream, seen.summary, position, categories_max),
            in_time=without_hours(order[stream.key]),
        )
        for position, stream in enumerate(counted_by.streams)
        if stream.key in keys
    }
    others = tuple(stream for stream in base.streams if stream.key not in fresh)
    learned = counted_by.streams if _learned(counted_by) is not None else ()
    whole = replace(base, version=decision.version, streams=others, projection=None)
    for streams in (tuple(fresh.values()), learned):
        whole = merge_references(whole, replace(counted_by, streams=streams))
    reference = replace(whole, lineage=_lineage(base, kept, seen, tuple(fresh), decision))
    projection = base.projection
    if JOINT in fresh or projection is None:  # the error was counted by the one in force
        projection = counted_by.projection
    before = {stream.key: stream for stream in (*counted_by.streams, *base.streams)}
    return Accepted(
        _sealed(reference, projection),
        tuple(Change(before[s.key], s) for s in reference.streams if s.key in fresh),
    )


def accepted_stream(
    stream: StreamReference, summary: Summary, position: int, categories_max: int
) -> StreamReference:
    """The stream as it was seen, of the same type; `position` is its place in `summary`.

    Values that it could not hold (texts in a numeric one) stay invalid, as they were counted: what
    they were is not kept.
    """
    cells = summary.cells[summary.layout.values_of(position)]
    if stream.type is ValueType.NUMERIC:
        profile = Profile.from_state(_numbers_state(summary, position))
    elif stream.type is ValueType.BOOLEAN:
        profile = Profile()
        profile.booleans[:] = cells[:2]
    else:
        profile = _names_profile(stream, summary, position)
    profile.missing = int(summary.cells[summary.layout.missing_cells()[position]])
    profile.invalid = int(summary.cells[summary.layout.invalid_cells()[position]])
    if stream.type is ValueType.CATEGORICAL:
        return _categorical(stream, profile, categories_max)
    return stream_reference(stream.key, profile, stream.type, categories_max)


def _require_rows(kept: Kept, seen: Seen, keys: Collection[StreamKey], rows_min: int) -> None:
    """Of each stream: one that has other cells since lately was not counted before."""
    layout, cells = seen.summary.layout, seen.summary.cells
    of = f"{kept.key.model} version {kept.key.version}"
    found = {f"rows of {of}": seen.summary.rows}
    for position, stream in enumerate(kept.reference.streams):
        if stream.key in keys:
            place = slice(layout.offsets[position], layout.offsets[position + 1])
            found[f"rows of {stream.key.name} of {of}"] = int(cells[place].sum())
    for what, rows in found.items():
        if rows < rows_min:
            raise ConfigurationError(
                f"{rows:,} {what} are kept since then, and {rows_min:,} are needed for a normal: "
                "wait until there are as many, or accept from an earlier time on"
            )


def _sealed(reference: Reference, projection: Projection | None) -> Reference:
    hash_ = content_hash(reference.rows, reference.streams, reference.lineage, projection)
    return replace(reference, projection=projection, hash=hash_)


def _learned(reference: Reference) -> str | None:
    """What of it was learned live, None where nothing was."""
    if reference.lineage.source == LEARNED:
        return LEARNED_REST
    return reference.lineage.metadata.get("learned")


def _time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _lineage(
    base: Reference, kept: Kept, seen: Seen, keys: Collection[StreamKey], decision: Decision
) -> Lineage:
    """Times as the file keeps them, so that the hash of what is read back is the same."""
    names = ", ".join(f"{key.kind.value} {key.name}" for key in sorted(keys))
    kept_on = {k: v for k, v in base.lineage.metadata.items() if k != "episode"}
    metadata = {
        **kept_on,
        "parent": base.hash,
        "features": names,
        "since": _time_text(seen.from_seconds),
        "until": _time_text(seen.until_seconds),
        "by": decision.by,
        "why": decision.why,
    }
    if decision.episode:
        metadata["episode"] = decision.episode
    learned = _learned(base) or _learned(kept.reference)
    if learned is not None:  # else what it lacks would be learned anew
        metadata["learned"] = learned
    return Lineage(
        source=ACCEPTED,
        data_hash=base.lineage.data_hash,
        created_seconds=round(decision.at_seconds, 6),
        created_by=decision.by,
        from_seconds=round(seen.from_seconds, 6),
        to_seconds=round(seen.until_seconds, 6),
        dataset=base.lineage.dataset,
        metadata=metadata,
    )


def _numbers_state(summary: Summary, position: int) -> dict[str, Any]:
    """The state of a profile that has seen the numbers of one stream and nothing else."""
    quantiles = summary.quantiles.state()
    first = int(quantiles["sizes"][:position].sum())
    held = slice(first, first + int(quantiles["sizes"][position]))
    one = slice(position, position + 1)
    registers = summary.distinct.registers[one]
    parts: dict[str, Mapping[str, Any]] = {
        "moments": {name: array[one] for name, array in summary.moments.state().items()},
        "quantiles": {
            **quantiles,
            "shifts": quantiles["shifts"][one],
            "sizes": quantiles["sizes"][one],
            "keys": quantiles["keys"][held],
            "counts": quantiles["counts"][held],
        },
        "distinct": {
            "p": summary.distinct.p,
            "registers": np.concatenate((registers, np.zeros_like(registers))),
        },
        "names": HeavyNames(NAMES_MAX).state(),
    }
    flat = {f"{part}.{name}": v for part, state in parts.items() for name, v in state.items()}
    return flat | {"missing": 0, "invalid": 0, "texts": 0, "booleans": np.zeros(2, dtype=np.int64)}


def _names_profile(stream: StreamReference, summary: Summary, position: int) -> Profile:
    """Known categories as they were counted in their cells, and the others by name if all are."""
    cells = summary.cells[summary.layout.values_of(position)].tolist()
    known = dict(zip(stream.categories, cells, strict=False))
    strangers = summary.names[position - summary.layout.numeric_count]
    all_named = not strangers.error and strangers.counts.total() == sum(cells[len(known) :])
    names = HeavyNames(NAMES_MAX)
    names.update_counts({name: count for name, count in known.items() if count})
    registers = summary.distinct.registers[position]
    distinct = Distinct(2, summary.distinct.p)
    distinct.registers[_TEXT] = registers
    distinct.update_names(_TEXT, names.counts)
    if all_named:
        names.update_counts(strangers.counts)
    names.error = int(not all_named)
    parts = {"names": names.state(), "distinct": distinct.state()}
    flat = {f"{part}.{name}": v for part, state in parts.items() for name, v in state.items()}
    return Profile.from_state(Profile().state() | flat | {"texts": sum(cells)})


def _categorical(stream: StreamReference, profile: Profile, categories_max: int) -> StreamReference:
    cells = category_cells(profile, limit=min(CATEGORIES_MAX, categories_max))
    return StreamReference(
        key=stream.key,
        type=stream.type,
        counts=np.append(cells.counts, cells.other),
        missing=profile.missing,
        invalid=profile.invalid,
        edges=np.empty(0),
        categories=cells.names,
        singletons=cells.singletons,
        rare=cells.rare,
        open_ended=cells.open_ended,
        distinct=round(profile.distinct_texts),
    )
