"""Quantiles of D streams by a histogram that does not depend on the order of events."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from detectors.summary.columns import Runs

SHIFT_PROMISED = 46
"""The coarsest shift that keeps 6 bits of the mantissa: buckets 1/64 wide, midpoints 0.8 % off."""

_SHIFT_MAX = 62
_SIGN = np.uint64(1 << 63)
_LARGEST = np.float64(np.finfo(np.float64).max).view(np.uint64)


class Buckets(NamedTuple):
    """Buckets [lower, upper) of one stream, ascending, and how many values lie in each."""

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    counts: NDArray[np.int64]


class Quantiles:
    """A dyadic float histogram for each of D streams.

    A value is keyed by its float64 bits, an unsigned integer in the order of the values; a bucket
    is the keys that agree but for their last `shift` bits. Each stream starts at `finest`. When
    more than `capacity` of its buckets are filled, pairs of neighbours join (shift + 1), up to
    SHIFT_PROMISED: a quantile is then within 0.8 % of an exact one. Beyond `limit` filled buckets
    (a stream over tens of orders of magnitude) they join further and the error doubles each time.
    The shift depends on the multiset of values alone, so the state is free of order and of how the
    values were split: merge is exact, associative and commutative.

    shifts (uint8) and sizes (filled buckets, int64) have shape (D,); keys and counts hold all
    filled buckets, stream after stream, ascending. Read them; only the verbs change them.

    With finest = 0 up to `capacity` different values are held exactly. `finest` bits have to
    suffice to number the streams, so that one 64-bit code orders (stream, key).

    Sources: Masson, Rim, Lee, "DDSketch", 2019; Epicoco, Melle, Cafaro, Pulimeno, "UDDSketch", 2020
    (uniform collapse); bucketing by exponent and leading mantissa bits as in HdrHistogram.
    """

    def __init__(
        self, streams: int, capacity: int = 256, limit: int | None = None, finest: int = 32
    ) -> None:
        if not 0 <= finest <= SHIFT_PROMISED:
            raise ValueError(f"finest is {finest}, but must be from 0 to {SHIFT_PROMISED}")
        if streams > 1 << finest:
            raise ValueError(f"{streams} streams need a coarser finest shift than {finest}")
        self.capacity = capacity
        self.limit = 8 * capacity if limit is None else limit
        self.finest = finest
        self.shifts = np.full(streams, finest, dtype=np.uint8)
        self.sizes = np.zeros(streams, dtype=np.int64)
        self.keys = np.empty(0, dtype=np.uint32 if finest >= 32 else np.uint64)
        self.counts = np.empty(0, dtype=np.uint16)

    def update(self, runs: Runs) -> None:
        """Add runs of values (finite, no -0.0), ascending by stream and value."""
        if len(runs.values) == 0:
            return
        codes = _keys_of(runs.values) >> np.uint64(self.finest)
        if self.finest:
            codes |= runs.streams.astype(np.uint64) << np.uint64(64 - self.finest)
        shifts = self._foreseen(codes)
        codes &= self._masks(shifts)[runs.streams]
        self._absorb(shifts, [_joined(codes, runs.counts)])

    def merge(self, *others: "Quantiles") -> None:
        """Add what `others` have seen, which are left as they are; at once costs less."""
        shapes = {(len(other.shifts), other.finest) for other in others}
        if not shapes <= {(len(self.shifts), self.finest)}:
            raise ValueError("only banks of as many streams and the same finest shift merge")
        shifts = self.shifts
        for other in others:
            shifts = np.maximum(shifts, other.shifts)
        self._absorb(shifts, [(other.codes(shifts), other.counts) for other in others])

    def quantile(
        self,
        probabilities: NDArray[np.float64],
        minimum: NDArray[np.float64] | None = None,
        maximum: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Quantiles of each stream, shape (D, len(probabilities)); NaN where nothing was seen.

        The midpoint of the bucket of the value with rank floor(q (n - 1)), from 0, clipped to
        `minimum` and `maximum` (shape (D,)) if given. A probability outside [0, 1] is a ValueError.
        """
        wanted = np.asarray(probabilities, dtype=np.float64)
        if not ((wanted >= 0.0) & (wanted <= 1.0)).all():
            raise ValueError(f"probabilities lie in [0, 1], not {wanted.tolist()}")
        result = np.full((len(self.shifts), len(wanted)), np.nan)
        filled = np.flatnonzero(self.sizes)
        upto = np.cumsum(self.counts, dtype=np.int64)
        ends = upto[np.cumsum(self.sizes)[filled] - 1]
        starts = np.concatenate(([0], ends[:-1])).astype(np.int64)[: len(filled)]
        ranks = np.floor(wanted * (ends - starts - 1)[:, None]).astype(np.int64)
        found = np.searchsorted(upto, starts[:, None] + ranks, side="right")
        shifts = self.shifts[filled, None]
        lower, upper = self._bounds(self.keys[found], shifts)
        result[filled] = np.where(shifts == 0, lower, lower * 0.5 + upper * 0.5)
        if minimum is not None:
            result = np.maximum(result, minimum[:, None])
        if maximum is not None:
            result = np.minimum(result, maximum[:, None])
        return result

    def buckets(self, stream: int) -> Buckets:
        """The filled buckets of one stream."""
        start = int(self.sizes[:stream].sum())
        held = slice(start, start + int(self.sizes[stream]))
        lower, upper = self._bounds(self.keys[held], self.shifts[[stream]])
        return Buckets(lower, upper, self.counts[held].astype(np.int64))

    def relative_error(self) -> NDArray[np.float64]:
        """How far a quantile may be from an exact one, relative to it, shape (D,)."""
        return np.where(self.shifts == 0, 0.0, 2.0 ** (self.shifts - 53.0))

    def codes(self, shifts: NDArray[np.uint8] | None = None) -> NDArray[np.uint64]:
        """Stream (the first `finest` bits) and key of every filled bucket, ascending; a copy.

        At `shifts` (D,) that are coarser than its own some are equal.
        """
        codes = self.keys.astype(np.uint64)
        if self.finest:
            codes |= np.repeat(self._firsts(), self.sizes)
        if shifts is not None and (shifts != self.shifts).any():
            codes &= np.repeat(self._masks(shifts), self.sizes)
        return codes

    def state(self) -> dict[str, Any]:
        """Parameters and arrays. Equal multisets of values give equal states, byte for byte."""
        return {
            "capacity": self.capacity,
            "limit": self.limit,
            "finest": self.finest,
            "shifts": self.shifts.copy(),
            "sizes": self.sizes.copy(),
            "keys": self.keys.copy(),
            "counts": self.counts.copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The histograms that `state` was taken of."""
        shifts = np.array(state["shifts"], dtype=np.uint8)
        bank = cls(len(shifts), int(state["capacity"]), int(state["limit"]), int(state["finest"]))
        bank.shifts = shifts
        bank.sizes = np.array(state["sizes"], dtype=np.int64)
        bank.keys = np.array(state["keys"], dtype=bank.keys.dtype)
        bank.counts = _narrow(np.array(state["counts"]))
        return bank

    def _firsts(self) -> NDArray[np.uint64]:
        """The least code of each stream, shape (D,)."""
        return np.arange(len(self.shifts), dtype=np.uint64) << np.uint64(64 - self.finest)

    def _masks(self, shifts: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Per stream, what of a code is left when its bucket's last bits are dropped."""
        dropped = (shifts - np.uint8(self.finest)).astype(np.uint64)
        return np.left_shift(~np.uint64(0), dropped)

    def _sizes_of(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """How many of ascending codes are of each stream, shape (D,)."""
        return np.diff(codes.searchsorted(self._firsts()), append=len(codes))

    def _absorb(
        self,
        shifts: NDArray[np.uint8],
        parts: list[tuple[NDArray[np.uint64], NDArray[Any]]],
    ) -> None:
        """Add ascending codes, which are at `shifts`, and coarsen what has become too large."""
        parts = [(self.codes(shifts), self.counts), *parts]
        as_fine = (shifts == self.shifts).all()
        self.shifts = shifts
        if as_fine and len(parts) == 2 and 4 * len(parts[1][0]) <= len(self.keys):
            codes, counts = _looked_up(*parts[0], *_joined(*parts[1]))
        else:
            codes = np.concatenate([codes for codes, _ in parts])
            counts = np.concatenate([counts for _, counts in parts], dtype=np.int64)
            order = codes.argsort(kind="stable")  # ascending parts: a linear merge
            codes, counts = _joined(codes[order], counts[order])
        self.sizes = self._sizes_of(codes)
        full = (self.sizes > self.capacity) & (self.shifts < SHIFT_PROMISED)
        full |= self.sizes > self.limit
        if full.any():
            self.shifts = self._coarsened(codes, full)
            codes &= np.repeat(self._masks(self.shifts), self.sizes)
            codes, counts = _joined(codes, counts)
            self.sizes = self._sizes_of(codes)
        self.keys = codes.astype(self.keys.dtype)
        self.counts = _narrow(counts)

    def _foreseen(self, codes: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """The shifts, at SHIFT_PROMISED at once where ascending new codes alone overfill a stream.

        A short cut only: what most continuous streams come to with their first few thousand values.
        """
        bounds = np.append(codes.searchsorted(self._firsts()), len(codes))
        if not ((np.diff(bounds) > self.capacity) & (self.shifts < SHIFT_PROMISED)).any():
            return self.shifts
        coarse = codes >> np.uint64(SHIFT_PROMISED - self.finest)
        starts = np.flatnonzero(coarse[1:] != coarse[:-1]) + 1
        filled = np.diff(np.searchsorted(starts, bounds))
        overfull = (filled > self.capacity) & (self.shifts < SHIFT_PROMISED)
        return np.where(overfull, np.uint8(SHIFT_PROMISED), self.shifts)

    def _coarsened(self, codes: NDArray[np.uint64], full: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The shifts, of the full streams the least that hold their distinct codes.

        Two neighbours fall into one bucket when the highest bit in which they differ is dropped, so
        one histogram of these bits tells the number of buckets at every shift.
        """
        inside = np.repeat(full, self.sizes)
        streams = np.repeat(np.arange(len(full)), np.where(full, self.sizes, 0))
        codes = codes[inside]
        apart = streams[1:] == streams[:-1]
        levels = _bit_length((codes[1:] ^ codes[:-1])[apart]) + self.finest
        width = _SHIFT_MAX + 3
        held = np.bincount(streams[1:][apart] * width + levels, minlength=len(full) * width)
        held = held.reshape(len(full), width)
        # buckets[:, s] = 1 + neighbours that differ above bit s
        buckets = 1 + held.sum(axis=1, keepdims=True) - np.cumsum(held, axis=1)
        shifts = np.arange(width)
        fits = (buckets <= self.capacity) | ((shifts >= SHIFT_PROMISED) & (buckets <= self.limit))
        fits[:, _SHIFT_MAX:] = True
        fits &= shifts >= self.shifts[:, None]
        return np.where(full, fits.argmax(axis=1), self.shifts).astype(np.uint8)

    def _bounds(
        self, keys: NDArray[Any], shifts: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lower = keys.astype(np.uint64) << np.uint64(self.finest)
        widths: NDArray[np.uint64] = np.left_shift(np.uint64(1), shifts.astype(np.uint64))
        last = lower + (widths - np.uint64(1))
        with np.errstate(over="ignore"):  # above the largest float lies infinity
            return _values_of(lower), np.nextafter(_values_of(last), np.inf)


def _keys_of(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """2**63 plus or minus the bits of the magnitude: in the order of the values."""
    magnitudes = values.view(np.uint64) & ~_SIGN
    negative = (values.view(np.int64) >> 63).view(np.uint64)  # all ones, or 0
    return ((magnitudes ^ negative) - negative) + _SIGN


def _values_of(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The floats of keys; keys outside of the finite floats give the largest ones."""
    positive = keys >= _SIGN
    magnitudes = np.minimum(np.where(positive, keys - _SIGN, _SIGN - keys), _LARGEST)
    return np.where(positive, 1.0, -1.0) * magnitudes.view(np.float64)


def _looked_up(
    codes: NDArray[np.uint64],
    counts: NDArray[Any],
    more: NDArray[np.uint64],
    more_counts: NDArray[np.int64],
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Ascending codes and some more, none twice in either: most of these are known already."""
    places = codes.searchsorted(more)
    known = codes[np.minimum(places, len(codes) - 1)] == more
    total = counts.astype(np.int64)
    total[places[known]] += more_counts[known]
    if known.all():
        return codes, total
    new = np.flatnonzero(~known)
    return np.insert(codes, places[new], more[new]), np.insert(total, places[new], more_counts[new])


def _joined(
    codes: NDArray[np.uint64], counts: NDArray[Any]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Equal neighbours as one, their counts added."""
    if len(codes) == 0:
        return codes, counts.astype(np.int64)
    first = np.empty(len(codes), dtype=np.bool_)
    first[0] = True
    np.not_equal(codes[1:], codes[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    if len(starts) == len(codes):
        return codes, counts.astype(np.int64, copy=False)
    return codes[starts], np.add.reduceat(counts, starts, dtype=np.int64)


def _narrow(counts: NDArray[Any]) -> NDArray[Any]:
    """Counts in the smallest type that holds them: most buckets of a pane hold few values."""
    largest = counts.max(initial=0)
    for dtype in (np.uint16, np.uint32):
        if largest <= np.iinfo(dtype).max:
            return counts.astype(dtype)
    return counts.astype(np.int64)


def _bit_length(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Bits that each value needs; 0 for 0."""
    # Clearing each bit below the highest keeps the conversion from rounding up to the next power.
    top = values & ~(values >> np.uint64(1))
    return np.where(values == 0, 0, np.frexp(top.astype(np.float64))[1]).astype(np.int64)
