"""What one reference says otherwise than another: before a roll-out, or after a change of data.

Cells of two references lie at different edges. The later one's rows are put into the earlier one's
cells, spread evenly within their own, and these joined to ten bins of equal share, as policies ask;
so the PSI is that of the usual table up to what is inside one cell.
"""

import math
from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.equal_shares import EqualShares, psi
from detectors.summary.layout import Layout
from service.values.references import Reference, StreamReference
from service.values.streams import StreamKey, ValueType

BINS = 10
CATEGORIES_NAMED = 5


class Retyped(Struct, frozen=True):
    """A stream that is of another type in the other reference."""

    key: StreamKey
    before: ValueType
    after: ValueType


class StreamDifference(Struct, frozen=True):
    """One stream in both.

    `shift_sd` is the difference of means in standard deviations of the earlier one, NaN where that
    is not known or 0. `psi` is NaN where a side has no value. `missing_before` and `missing_after`
    are rates of all rows. `new` and `gone` are shares of categories that only one side names, the
    largest first.
    """

    key: StreamKey
    shift_sd: float
    psi: float
    missing_before: float
    missing_after: float
    new: Mapping[str, float]
    gone: Mapping[str, float]

    @property
    def size(self) -> float:
        """By what differences are ordered: the PSI of the values, or of what is missing."""
        missing = _psi_of_rates(self.missing_before, self.missing_after)
        return max(missing, 0.0 if math.isnan(self.psi) else self.psi)


class Difference(Struct, frozen=True):
    """`streams` are those that both have in one type, the most different first."""

    before: Reference
    after: Reference
    added: tuple[StreamKey, ...]
    removed: tuple[StreamKey, ...]
    retyped: tuple[Retyped, ...]
    streams: tuple[StreamDifference, ...]

    def beyond(self, limit: float) -> tuple[StreamDifference, ...]:
        """Streams whose PSI is above a limit."""
        return tuple(stream for stream in self.streams if stream.psi > limit)


def difference(before: Reference, after: Reference) -> Difference:
    """What `after` says otherwise than `before`. Streams that neither has a value of are equal."""
    known = {stream.key: stream for stream in before.streams}
    there = {stream.key for stream in after.streams}
    both = [(known[s.key], s) for s in after.streams if s.key in known]
    streams = [
        _stream(one, other, before.rows, after.rows)
        for one, other in both
        if one.type is other.type
    ]
    return Difference(
        before=before,
        after=after,
        added=tuple(sorted(there - known.keys())),
        removed=tuple(sorted(known.keys() - there)),
        retyped=tuple(Retyped(a.key, a.type, b.type) for a, b in both if a.type is not b.type),
        streams=tuple(sorted(streams, key=lambda stream: (-stream.size, stream.key))),
    )


def _stream(
    before: StreamReference, after: StreamReference, rows_before: int, rows_after: int
) -> StreamDifference:
    numeric = before.type is ValueType.NUMERIC
    missing = [
        stream.missing / rows if rows else 0.0
        for stream, rows in ((before, rows_before), (after, rows_after))
    ]
    return StreamDifference(
        key=before.key,
        shift_sd=_shift(before, after) if numeric else math.nan,
        psi=_psi_numeric(before, after) if numeric else _psi_categorical(before, after),
        missing_before=missing[0],
        missing_after=missing[1],
        new={} if numeric else _only(after, before),
        gone={} if numeric else _only(before, after),
    )


def _shift(before: StreamReference, after: StreamReference) -> float:
    if not before.sd > 0:
        return math.nan
    return (after.mean - before.mean) / before.sd


def _psi_numeric(before: StreamReference, after: StreamReference) -> float:
    layout = Layout((before.edges,), ())
    sides = [_with_quality(before.counts), _with_quality(_spread(after, before.edges))]
    if not all(side.sum() for side in sides):
        return math.nan
    bins = EqualShares.of_reference(layout, sides[0], BINS)
    found, _ = psi(bins.layout, bins.join(sides[1]), bins.join(sides[0]))
    return float(found[0])


def _with_quality(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nothing is missing or invalid: these are told by themselves."""
    return np.concatenate((counts, [0, 0])).astype(np.int64)


def _spread(stream: StreamReference, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """The rows of a stream between other edges, shape (edges + 1,)."""
    total = stream.valid
    if not total:
        return np.zeros(len(edges) + 1, dtype=np.int64)
    ends = [end for end in (stream.minimum, stream.maximum) if math.isfinite(end)]
    known = np.concatenate((stream.edges, ends))
    places = np.concatenate(([known.min()], stream.edges, [known.max()]))
    below = np.concatenate(([0], np.cumsum(stream.counts)))
    at_edges = np.rint(np.interp(edges, places, below, left=0, right=total)).astype(np.int64)
    return np.diff(np.concatenate(([0], at_edges, [total])))


def _psi_categorical(before: StreamReference, after: StreamReference) -> float:
    """Over the categories that either names; what one side does not name is in its other."""
    names = tuple(dict.fromkeys((*before.categories, *after.categories)))
    shared = [name for name in names if name in before.categories and name in after.categories]
    known = [
        dict(zip(stream.categories, stream.counts.tolist(), strict=False))
        for stream in (before, after)
    ]
    rest = [name for name in names if name not in shared]
    open_sides = [stream.open_ended or bool(stream.rare) for stream in (before, after)]
    named = shared if any(open_sides) else [*shared, *rest]
    sides = []
    for stream, counts in zip((before, after), known, strict=True):
        values = [counts.get(name, 0) for name in named]
        sides.append(np.array([*values, stream.valid - sum(values), 0, 0, 0], dtype=np.int64))
    if not all(side.sum() for side in sides):
        return math.nan
    found, _ = psi(Layout((), (tuple(named),)), sides[1], sides[0])
    return float(found[0])


def _only(one: StreamReference, other: StreamReference) -> dict[str, float]:
    """Shares of the categories that `one` names and `other` has not seen."""
    known = {*other.categories, *other.rare}
    if other.open_ended or not one.valid:
        return {}
    counts = zip(one.categories, one.counts.tolist(), strict=False)
    found = [(name, count / one.valid) for name, count in counts if name not in known and count]
    return dict(sorted(found, key=lambda pair: (-pair[1], pair[0]))[:CATEGORIES_NAMED])


def _psi_of_rates(before: float, after: float) -> float:
    least = 1e-4
    p, q = (min(max(rate, least), 1 - least) for rate in (after, before))
    return (p - q) * math.log(p / q) + (q - p) * math.log((1 - p) / (1 - q))
