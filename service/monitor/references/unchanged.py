"""What two references of one model version have in common, and what became of the rest."""

import math
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from service.monitor.references.acceptance import ACCEPTED
from service.monitor.references.order_of_time import in_time_tree
from service.monitor.references.projection import projection_tree
from service.monitor.references.reference import canonical
from service.values.references import Reference, StreamReference
from service.values.streams import JOINT, ROWS, Kind, StreamKey

NO_LONGER_WATCHED = "no longer watched"
COMPARED_ANEW = "compared with another reference"

_UNTOLD = {"mean": math.nan, "sd": math.nan, "minimum": math.nan, "maximum": math.nan}


def unchanged(before: Reference, after: Reference) -> frozenset[StreamKey]:
    """The streams of which what was counted and judged by one can be gone on with by the other.

    Those with the same cells, counts and season in both, and the quality of the inputs among them;
    of the reconstruction error, if the inputs are related alike. The volume always is among them.
    Moments, quantiles and dependence play no part.
    """
    known = {stream.key: _counted(stream) for stream in before.streams}
    same = {s.key for s in after.streams if known.get(s.key) == _counted(s)}
    if not _related_alike(before, after):
        same.discard(JOINT)
    quality = {StreamKey(Kind.QUALITY, key.name) for key in same if key.kind is Kind.INPUT}
    return frozenset(same | quality | {ROWS})


def why_afresh(
    before: Reference, after: Reference, streams: tuple[StreamKey, ...]
) -> Mapping[StreamKey, str]:
    """Why those of `streams` that are not unchanged are judged afresh, or no more, in words."""
    same, kept = unchanged(before, after), {stream.key for stream in after.streams}
    return {
        key: _why(after, kept, StreamKey(Kind.INPUT, key.name) if _is_quality(key) else key)
        for key in streams
        if key not in same
    }


def _why(after: Reference, kept: set[StreamKey], key: StreamKey) -> str:
    if key not in kept:
        return NO_LONGER_WATCHED
    told = after.lineage.metadata
    named = f", {told.get('features', '')}, "
    if after.lineage.source == ACCEPTED and f", {key.kind.value} {key.name}, " in named:
        return f"accepted as normal by {told.get('by') or after.lineage.created_by}"
    return COMPARED_ANEW


def _is_quality(key: StreamKey) -> bool:
    return key.kind is Kind.QUALITY


def _related_alike(before: Reference, after: Reference) -> bool:
    one, other = (
        None if reference.projection is None else projection_tree(reference.projection)
        for reference in (before, after)
    )
    return one == other


def _counted(stream: StreamReference) -> bytes:
    """All that decides how values are counted and what is normal of them."""
    told = replace(stream, quantiles={}, distinct=0, in_time=None, **_UNTOLD)
    season = None if stream.in_time is None else in_time_tree(stream.in_time).get("season")
    return msgspec.json.encode([canonical(told), season])
