"""From the settings of a model and a reference to the plan that rows are counted by."""

from collections.abc import Mapping

from msgspec.structs import replace

from service.monitor.references.acceptance import LEARNED_REST
from service.monitor.references.reference import (
    content_hash,
    merge_references,
    plan_of,
    scaling_to_learn,
)
from service.monitor.references.segments import segment_streams, segments_of
from service.monitor.references.unchanged import unchanged
from service.values.plans import Plan
from service.values.references import LEARNED, Reference, StreamReference
from service.values.streams import (
    JOINT,
    PREDICTION,
    Kind,
    ModelKey,
    StreamKey,
    ValueType,
    above_cutoff,
    cutoff_of,
    segment_of,
)
from service.values.watches import Watch


def plan_for(key: ModelKey, watch: Watch, reference: Reference | None, learns: bool) -> Plan:  # noqa: ARG001
    """The plan of a model version under `reference`.

    Where `learns` is set and the settings allow it: without a reference everything is learned, with
    one the outputs and the latency that it lacks. What was learned once is complete, but for what
    is derived of it: how the inputs are related, then the reconstruction error. Of a given
    reference that does not say how its inputs are related this is not learned: it is for who makes
    one to look at that.
    """
    wanted = learns and watch.learn
    known = () if reference is None else reference.streams
    kinds = {stream.key.kind for stream in known}
    fresh = wanted and not (reference is not None and _was_learned(reference))
    return plan_of(
        reference,
        learn_inputs=fresh and Kind.INPUT not in kinds,
        learn_outputs=fresh and not {Kind.OUTPUT, Kind.LATENCY} <= kinds,
        learn_derived=wanted,
        learn_relations=wanted and reference is not None and reference.lineage.source == LEARNED,
        cutoffs=watch.cutoffs,
        segments=segments_of(reference, watch),
        ignored=watch.ignored,
        missing=watch.missing,
        missing_by_feature=_missing_by_feature(watch, reference),
        columns=watch.columns,
        features_max=watch.features_max,
        categories_max=watch.categories_max,
    )


def watched_part(reference: Reference, watch: Watch) -> Reference:
    """The reference without the features that the settings ignore, and without the segments that
    they do not ask for.

    It is another reference then, with a hash of its own, since its cells lie elsewhere. How its
    inputs are related is not known any more when one of those is among them.
    """
    segments = segment_streams(segments_of(reference, watch))
    streams = tuple(
        s
        for s in reference.streams
        if (s.key in segments or segment_of(s.key) is None)
        and (s.key.kind is not Kind.INPUT or not watch.feature(s.key.name).ignore)
    )
    if len(streams) == len(reference.streams):
        return reference
    projection = reference.projection
    if projection is not None and any(watch.feature(name).ignore for name in projection.features):
        projection = None
        streams = tuple(s for s in streams if s.key != JOINT)
    hash_ = content_hash(reference.rows, streams, reference.lineage, projection)
    return replace(reference, streams=streams, hash=hash_, projection=projection)


def with_learned(given: Reference, known: Reference | None) -> Reference:
    """`given` with the outputs and the latency that it lacks, where they were learned for `known`.

    So another file about the inputs makes nobody learn anew what neither file is about. Cut-offs
    and segments go with their prediction. Where `given` lacks outputs that were given before, all
    that it lacks is learned.
    """
    if known is None:
        return given
    names, same = {stream.key for stream in given.streams}, unchanged(known, given)
    lacking = [
        stream
        for stream in known.streams
        if stream.key.kind in {Kind.OUTPUT, Kind.LATENCY} and stream.key not in names
    ]
    if PREDICTION in names and PREDICTION not in same:
        lacking = [stream for stream in lacking if not _is_of_prediction(stream.key)]
    if not all(_is_learned(known, stream) for stream in lacking):
        return given
    return merge_references(given, replace(known, streams=tuple(lacking)))


def lacks_derived(reference: Reference, watch: Watch) -> bool:
    """Whether a derived stream can be learned that the reference has no cells for.

    A cut-off or a segment that was added to the settings, or how the inputs of a learned reference
    are related when one of those is ignored now.
    """
    if not watch.learn:
        return False
    kinds = {s.key: s.type for s in reference.streams}
    scores = kinds.get(PREDICTION) is ValueType.NUMERIC
    cutoffs = scores and any(above_cutoff(cutoff) not in kinds for cutoff in watch.cutoffs)
    segments = segment_streams(segments_of(reference, watch)) if PREDICTION in kinds else set()
    joint = bool(reference.projection) and JOINT not in kinds
    unknown = reference.lineage.source == LEARNED and reference.projection is None
    parts = cutoffs or not segments <= kinds.keys()
    return parts or joint or (unknown and scaling_to_learn(reference.streams) is not None)


def _is_of_prediction(key: StreamKey) -> bool:
    """Whether a stream is computed of the prediction."""
    return cutoff_of(key) is not None or segment_of(key) is not None


def _was_learned(reference: Reference) -> bool:
    return reference.lineage.source == LEARNED or "learned" in reference.lineage.metadata


def _is_learned(reference: Reference, stream: StreamReference) -> bool:
    if reference.lineage.source == LEARNED:
        return True
    named = reference.lineage.metadata.get("learned", "")
    key = stream.key
    return named == LEARNED_REST or f", {key.kind.value} {key.name}, " in f", {named}, "


def _missing_by_feature(
    watch: Watch, reference: Reference | None
) -> Mapping[str, tuple[float | str, ...]]:
    """Sentinels of single features; for features yet unknown only those of all features hold."""
    streams = () if reference is None else reference.streams
    found = {s.key.name: watch.feature(s.key.name).missing for s in streams}
    return {name: sentinels for name, sentinels in found.items() if sentinels}
