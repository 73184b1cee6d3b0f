"""References from profiles of streams, and what the monitor needs of a reference.

What a poor sample gives, always without an error:
no rows: a reference without streams;
one row, or a constant column: one value that is set apart from all others, sd 0;
a column without a valid value: a categorical stream without categories, so that its missing rate
is watched and whatever turns up counts as unseen.
"""

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.joint import Projection
from detectors.scaling import Scaling
from detectors.summary.layout import Layout
from detectors.summary.profile import Profile
from service.monitor.references.order_of_time import in_time_tree, rounded
from service.monitor.references.projection import projection_tree, scaling_of
from service.monitor.references.streams import stream_reference
from service.values.plans import Plan, Segments
from service.values.references import InTime, Lineage, Reference, StreamReference
from service.values.streams import JOINT, Kind, StreamKey, ValueType


def build_reference(
    model: str,
    version: str | None,
    profiles: Mapping[StreamKey, Profile],
    rows: int,
    lineage: Lineage,
    types: Mapping[StreamKey, ValueType] | None = None,
    categories_max: int = 100,
) -> Reference:
    """The reference of what the profiles have seen.

    `types` sets what would otherwise be inferred. The order of rows and how they were split into
    profiles play no part. A stream without any value, missing ones included, is left out.
    """
    forced = types or {}
    streams = [
        stream_reference(key, profile, forced.get(key), categories_max)
        for key, profile in profiles.items()
        if profile.rows
    ]
    return _reference(model, version, rows, streams, _at_microseconds(lineage))


def merge_references(base: Reference, learned: Reference) -> Reference:
    """`base`, with the streams that it lacks from `learned`.

    The lineage stays that of `base`, and its metadata names the streams that were added.
    """
    known = {stream.key for stream in base.streams}
    added = [stream for stream in learned.streams if stream.key not in known]
    if not added:
        return base
    names = ", ".join(sorted(f"{s.key.kind.value} {s.key.name}" for s in added))
    before = base.lineage.metadata.get("learned")
    metadata = {**base.lineage.metadata, "learned": f"{before}, {names}" if before else names}
    lineage = msgspec.structs.replace(base.lineage, metadata=metadata)
    streams = [*base.streams, *added]
    merged = _reference(base.model, base.version, base.rows, streams, lineage)
    return merged if base.projection is None else with_projection(merged, base.projection)


def with_projection(reference: Reference, projection: Projection) -> Reference:
    """The reference that also knows how its numeric inputs are related."""
    hash_ = content_hash(reference.rows, reference.streams, reference.lineage, projection)
    return msgspec.structs.replace(reference, projection=projection, hash=hash_)


def with_joint(reference: Reference, projection: Projection, errors: Profile) -> Reference:
    """The reference that also has cells for the reconstruction error."""
    stream = stream_reference(JOINT, errors, ValueType.NUMERIC, 0)
    streams = [*reference.streams, stream]
    lineage = reference.lineage
    return with_projection(
        _reference(reference.model, reference.version, reference.rows, streams, lineage),
        projection,
    )


def with_order_of_time(reference: Reference, taught: Mapping[StreamKey, InTime]) -> Reference:
    """The reference that also knows what its order of time taught of these streams."""
    streams = tuple(
        msgspec.structs.replace(stream, in_time=rounded(taught[stream.key]))
        if stream.key in taught
        else stream
        for stream in reference.streams
    )
    hash_ = content_hash(reference.rows, streams, reference.lineage, reference.projection)
    return msgspec.structs.replace(reference, streams=streams, hash=hash_)


def same_cells(one: Reference, other: Reference) -> bool:
    """Whether what was counted by one reference can be gone on with by the other."""
    return msgspec.json.encode(list(map(canonical, one.streams))) == msgspec.json.encode(
        list(map(canonical, other.streams))
    )


def layout_of(reference: Reference) -> Layout:
    """Where the cells of the reference's streams lie."""
    return Layout(
        edges=tuple(s.edges for s in reference.streams if s.type is ValueType.NUMERIC),
        categories=tuple(
            s.categories for s in reference.streams if s.type is not ValueType.NUMERIC
        ),
    )


def reference_cells(reference: Reference) -> NDArray[np.int64]:
    """The reference's rows by cell of its layout; nothing is unseen in a reference."""
    parts = [
        np.concatenate((s.counts, [s.missing, s.invalid]))
        if s.type is ValueType.NUMERIC
        else np.concatenate((s.counts, [0, s.missing, s.invalid]))
        for s in reference.streams
    ]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)


def plan_of(  # noqa: PLR0913 (one a setting)
    reference: Reference | None,
    *,
    learn_inputs: bool = False,
    learn_outputs: bool = False,
    learn_derived: bool = False,
    learn_relations: bool = False,
    cutoffs: tuple[float, ...] = (),
    segments: tuple[Segments, ...] = (),
    ignored: tuple[str, ...] = (),
    missing: tuple[float | str, ...] = (),
    missing_by_feature: Mapping[str, tuple[float | str, ...]] | None = None,
    columns: tuple[str, ...] = (),
    features_max: int = 2000,
    categories_max: int = 100,
) -> Plan:
    """The plan that bins by `reference`; without one every stream is learned, or none.

    The reconstruction error is in it when it has cells or, with `learn_derived`, is to have some;
    with `learn_derived` so are `cutoffs` and `segments`. With `learn_relations` the co-moments of
    the inputs are gathered, unless the reference knows how they are related.
    """
    streams = () if reference is None else reference.streams
    projection = None if reference is None else reference.projection
    gathers = learn_relations and projection is None
    if not learn_derived and all(stream.key != JOINT for stream in streams):
        projection = None
    return Plan(
        reference_hash="" if reference is None else reference.hash,
        layout=Layout() if reference is None else layout_of(reference),
        numeric=tuple(s.key for s in streams if s.type is ValueType.NUMERIC),
        categorical=tuple(s.key for s in streams if s.type is not ValueType.NUMERIC),
        boolean=frozenset(s.key for s in streams if s.type is ValueType.BOOLEAN),
        rare={s.key: s.rare for s in streams if s.rare},
        open_ended=frozenset(s.key for s in streams if s.open_ended),
        fenced=frozenset(s.key for s in streams if s.fenced),
        learn_inputs=learn_inputs,
        learn_outputs=learn_outputs,
        projection=projection or None,
        scaling=scaling_to_learn(streams) if gathers else None,
        cutoffs=cutoffs if learn_derived else (),
        segments=segments,
        learn_segments=learn_derived,
        ignored=ignored,
        missing=missing,
        missing_by_feature=missing_by_feature or {},
        columns=columns,
        features_max=features_max,
        categories_max=categories_max,
    )


def content_hash(
    rows: int,
    streams: tuple[StreamReference, ...],
    lineage: Lineage,
    projection: Projection | None = None,
) -> str:
    """SHA-256 in hex over all of it, but for when and by whom it was created.

    So building again from the same data with the same settings gives the same hash.
    """
    lineage_told = [
        lineage.source,
        lineage.data_hash,
        lineage.from_seconds,
        lineage.to_seconds,
        lineage.dataset,
        sorted(lineage.metadata.items()),
    ]
    tree: list[Any] = [rows, lineage_told, [canonical(stream) for stream in streams]]
    if projection is not None:
        tree.append(projection_tree(projection))
    return sha256(msgspec.json.encode(tree)).hexdigest()


def scaling_to_learn(streams: tuple[StreamReference, ...]) -> Scaling | None:
    """None of fewer than two inputs that vary: these cannot be related."""
    scaling = scaling_of(streams)
    return scaling if len(scaling) >= 2 else None


def _reference(
    model: str,
    version: str | None,
    rows: int,
    streams: list[StreamReference],
    lineage: Lineage,
) -> Reference:
    ordered = tuple(sorted(streams, key=_place))
    return Reference(model, version, rows, ordered, lineage, content_hash(rows, ordered, lineage))


def _place(stream: StreamReference) -> tuple[bool, Kind, str]:
    return stream.type is not ValueType.NUMERIC, stream.key.kind, stream.key.name


def _at_microseconds(lineage: Lineage) -> Lineage:
    """Times as the file keeps them, so that the hash of what is read back is the same."""

    def rounded(seconds: float | None) -> float | None:
        return None if seconds is None or not math.isfinite(seconds) else round(seconds, 6)

    return msgspec.structs.replace(
        lineage,
        created_seconds=round(lineage.created_seconds, 6),
        from_seconds=rounded(lineage.from_seconds),
        to_seconds=rounded(lineage.to_seconds),
    )


def canonical(stream: StreamReference) -> list[Any]:
    """Fences and what time taught are told only where they are there, so that files of before keep
    their hash.
    """
    return [
        stream.key.kind.value,
        stream.key.name,
        stream.type.value,
        stream.counts.tolist(),
        stream.missing,
        stream.invalid,
        stream.edges.tolist(),
        stream.categories,
        stream.singletons,
        stream.rare,
        stream.open_ended,
        [stream.mean, stream.sd, stream.minimum, stream.maximum],
        sorted(stream.quantiles.items()),
        stream.distinct,
        *(["fenced"] if stream.fenced else []),
        *([] if stream.in_time is None else [in_time_tree(stream.in_time)]),
    ]
