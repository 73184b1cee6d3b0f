"""The most frequent values of D streams in bounded space."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.summary.columns import Runs


class HeavyNumbers:
    """Misra-Gries counters over the numbers of D streams, `capacity` of them each.

    An estimate never exceeds the true count and falls short of it by at most `error` of its stream,
    which is at most 2 n / (capacity + 1) after n values: n / (capacity + 1) for the counters, and
    as much for runs too short to be looked at (a batch of m values, more than `capacity` of them
    different, drops those that occur less than m / (capacity + 1) times). So a value of a larger
    share is always held, and a stream of at most `capacity` different values is counted exactly.

    items, counts: shape (D, capacity); a counter is free where its count is 0.

    Sources: Misra, Gries, "Finding repeated elements", 1982; the merge is from Agarwal, Cormode,
    Huang, Phillips, Wei, Yi, "Mergeable summaries", 2012.
    """

    def __init__(self, streams: int, capacity: int = 16) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, but must be at least 1")
        self.items = np.zeros((streams, capacity))
        self.counts = np.zeros((streams, capacity), dtype=np.int64)
        self.error = np.zeros(streams, dtype=np.int64)

    @property
    def capacity(self) -> int:
        """Counters a stream."""
        return self.items.shape[1]

    def update(self, runs: Runs) -> None:
        """Add runs: distinct finite values of each stream with their counts."""
        if len(runs.counts) == 0:
            return
        first = np.flatnonzero(np.diff(runs.streams, prepend=-1))
        filled = runs.streams[first]
        seen = np.add.reduceat(runs.counts, first)
        different = np.diff(first, append=len(runs.streams))
        least = np.where(different > self.capacity, -(-seen // (self.capacity + 1)), 1)
        kept = np.flatnonzero(runs.counts >= np.repeat(least, different))
        held = np.bincount(runs.streams[kept], runs.counts[kept], len(self.error))[filled]
        self.error[filled] += np.where(held < seen, least - 1, 0)
        if len(kept):
            self._add(runs.streams[kept], runs.values[kept], runs.counts[kept])

    def merge(self, *others: "HeavyNumbers") -> None:
        """Add what `others` have seen, which are left as they are; at once costs less."""
        for other in others:
            if other.capacity != self.capacity:
                raise ValueError(f"cannot merge {other.capacity} counters into {self.capacity}")
        for other in others:
            self.error += other.error
        held = [np.nonzero(other.counts) for other in others]
        pairs = [
            (streams, other.items[streams, slots], other.counts[streams, slots])
            for other, (streams, slots) in zip(others, held, strict=True)
            if len(streams)
        ]
        if len(pairs) == 1:
            self._add(*pairs[0])
        elif pairs:
            self._add(*_distinct(*(np.concatenate(part) for part in zip(*pairs, strict=True))))

    def top(self, stream: int) -> list[tuple[float, int]]:
        """Values and counts held, the largest count first, ties by value."""
        held = np.flatnonzero(self.counts[stream])
        pairs = zip(
            self.items[stream, held].tolist(), self.counts[stream, held].tolist(), strict=True
        )
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def state(self) -> dict[str, Any]:
        """Items, counts (0 = free) and errors, copied; each stream's items ascend."""
        order = np.lexsort((self.items, self.counts == 0), axis=1)
        return {
            "items": np.take_along_axis(self.items, order, axis=1),
            "counts": np.take_along_axis(self.counts, order, axis=1),
            "error": self.error.copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The counters that `state` was taken of."""
        heavy = cls(*state["items"].shape)
        heavy.items = np.array(state["items"], dtype=np.float64)
        heavy.counts = np.array(state["counts"], dtype=np.int64)
        heavy.error = np.array(state["error"], dtype=np.int64)
        return heavy

    def _add(
        self, streams: NDArray[np.int64], values: NDArray[np.float64], counts: NDArray[np.int64]
    ) -> None:
        """Add distinct (stream, value) pairs: to their counter if they have one."""
        hits = (self.items[streams] == values[:, None]) & (self.counts[streams] > 0)
        known = hits.any(axis=1)
        slots = hits.argmax(axis=1)
        self.counts[streams[known], slots[known]] += counts[known]
        if not known.all():
            self._insert(streams[~known], values[~known], counts[~known])

    def _insert(
        self, streams: NDArray[np.int64], values: NDArray[np.float64], counts: NDArray[np.int64]
    ) -> None:
        """Compete for the counters: the capacity + 1st largest count is taken off all.

        The pairs ascend by stream. All streams compete at once, each in a row of its counters and
        its new pairs, filled up with counts of 0.
        """
        filled, first, new = np.unique(streams, return_index=True, return_counts=True)
        width = self.capacity + int(new.max())
        items = np.zeros((len(filled), width))
        tallies = np.zeros((len(filled), width), dtype=np.int64)
        items[:, : self.capacity] = self.items[filled]
        tallies[:, : self.capacity] = self.counts[filled]
        row = np.repeat(np.arange(len(filled)), new)
        column = np.arange(len(streams)) - np.repeat(first, new) + self.capacity
        items[row, column] = values
        tallies[row, column] = counts
        order = np.lexsort((items, -tallies), axis=1)
        loss = np.take_along_axis(tallies, order[:, self.capacity :][:, :1], axis=1)
        order = order[:, : self.capacity]
        left = np.maximum(np.take_along_axis(tallies, order, axis=1) - loss, 0)
        self.error[filled] += loss[:, 0]
        self.counts[filled] = left
        self.items[filled] = np.where(left > 0, np.take_along_axis(items, order, axis=1), 0.0)


def _distinct(
    streams: NDArray[np.int64], values: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Equal pairs as one, ascending by stream and value, their counts added."""
    order = np.lexsort((values, streams))
    streams, values, counts = streams[order], values[order], counts[order]
    other = (streams[1:] != streams[:-1]) | (values[1:] != values[:-1])
    first = np.flatnonzero(np.concatenate(([True], other)))
    return streams[first], values[first], np.add.reduceat(counts, first)


class HeavyNames:
    """Misra-Gries counters over names, at most `capacity`; exact while they suffice.

    An estimate never exceeds the true count and falls short of it by at most `error`, which is at
    most n / (capacity + 1) after n names. Sources as for HeavyNumbers.
    """

    def __init__(self, capacity: int = 16) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, but must be at least 1")
        self.capacity = capacity
        self.error = 0
        self.counts: Counter[str] = Counter()

    def update(self, names: Iterable[str]) -> None:
        """Count names."""
        self.update_counts(Counter(names))

    def update_counts(self, counts: Mapping[str, int]) -> None:
        """Add names that were counted already."""
        self.counts.update(counts)
        if len(self.counts) > self.capacity:
            self._compete()

    def merge(self, other: "HeavyNames") -> None:
        """Add what `other` has seen; `other` is left as it is."""
        if other.capacity != self.capacity:
            raise ValueError(f"cannot merge {other.capacity} counters into {self.capacity}")
        self.error += other.error
        self.update_counts(other.counts)

    def top(self) -> list[tuple[str, int]]:
        """Names and counts held, the largest count first, ties by name."""
        return sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def state(self) -> dict[str, Any]:
        """Capacity, error, and names (ascending) with their counts."""
        names = sorted(self.counts)
        return {
            "capacity": self.capacity,
            "error": self.error,
            "names": names,
            "counts": np.array([self.counts[name] for name in names], dtype=np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The counters that `state` was taken of."""
        heavy = cls(int(state["capacity"]))
        heavy.error = int(state["error"])
        counts = np.asarray(state["counts"]).tolist()
        heavy.counts = Counter(dict(zip(state["names"], counts, strict=True)))
        return heavy

    def _compete(self) -> None:
        """Take the capacity + 1st largest count off all."""
        tallies = np.fromiter(self.counts.values(), dtype=np.int64, count=len(self.counts))
        place = len(tallies) - 1 - self.capacity
        loss = int(np.partition(tallies, place)[place])  # the capacity + 1st largest
        self.error += loss
        self.counts = Counter({n: c - loss for n, c in self.counts.items() if c > loss})
