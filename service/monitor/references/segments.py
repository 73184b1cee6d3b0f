"""Which segments the predictions of a model are told apart by, under one reference."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from service.values.plans import Segments
from service.values.references import Reference, StreamReference
from service.values.streams import (
    OTHER_SEGMENT,
    PREDICTION,
    Kind,
    Segment,
    StreamKey,
    ValueType,
    in_segment,
)
from service.values.watches import Segmentation, Watch

SHARE_MIN = 0.005
"""A smaller category has no segment of its own: in an hour of 10,000 events it has not 50."""

NAME_BYTES_MAX = 128
"""As long as the name of a stream in the file of a reference."""

_QUARTERS = (0.25, 0.5, 0.75)


def segments_of(reference: Reference | None, watch: Watch) -> tuple[Segments, ...]:
    """The segments by each of the watch's segmentations, as far as the reference knows its feature.

    The `segments_max` largest categories have one each, and the rest one together. None by a
    feature that is ignored or hidden, since their names tell its values, none where all would be in
    one, and none of predictions that are probabilities of classes.
    """
    streams = () if reference is None or watch.hidden else reference.streams
    outputs = {s.key for s in streams if s.key.kind is Kind.OUTPUT}
    if outputs and PREDICTION not in outputs:
        return ()
    known = {s.key.name: s for s in streams if s.key.kind is Kind.INPUT}
    found = (
        _segments(known[one.feature], one, watch.segments_max)
        for one in watch.segmentations
        if one.feature in known and not _is_withheld(watch, one.feature)
    )
    return tuple(one for one in found if len(one.names) > 1)


def segment_streams(segments: Iterable[Segments]) -> frozenset[StreamKey]:
    """All streams of predictions in a segment."""
    return frozenset(stream for one in segments for stream in one.streams)


def _is_withheld(watch: Watch, name: str) -> bool:
    feature = watch.feature(name)
    return feature.hidden or feature.ignore


def _segments(stream: StreamReference, segmentation: Segmentation, most: int) -> Segments:
    if stream.type is ValueType.NUMERIC:
        quarters = (stream.quantiles[q] for q in _QUARTERS if q in stream.quantiles)
        cuts = segmentation.cuts or tuple(sorted(set(quarters)))
        return Segments(stream.key, _ranges(cuts), cuts)
    return Segments(stream.key, _categories(stream, most))


def _ranges(cuts: Sequence[float]) -> tuple[str, ...]:
    """`<18`, `[18, 65)`, `>=65`; nothing without cuts."""
    if not cuts:
        return ()
    told = [f"{cut:.12g}" for cut in cuts]
    between = (f"[{low}, {high})" for low, high in pairwise(told))
    return (f"<{told[0]}", *between, f">={told[-1]}")


def _categories(stream: StreamReference, most: int) -> tuple[str, ...]:
    """The largest ones, then OTHER_SEGMENT if enough is left."""
    rows = int(stream.counts.sum())
    counts = dict(zip(stream.categories, stream.counts.tolist(), strict=False))
    fitting = [
        name
        for name in sorted(counts, key=lambda name: (-counts[name], name))
        if counts[name] >= SHARE_MIN * rows > 0 and _fits(stream, name)
    ][:most]
    left = rows - sum(counts[name] for name in fitting)
    return (*fitting, *((OTHER_SEGMENT,) if left >= SHARE_MIN * rows > 0 else ()))


def _fits(stream: StreamReference, name: str) -> bool:
    key = in_segment(Segment(stream.key.name, name))
    return name != OTHER_SEGMENT and len(key.name.encode()) <= NAME_BYTES_MAX
