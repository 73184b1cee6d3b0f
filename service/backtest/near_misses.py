"""The highest scores that did not alarm: trust comes from looking at them."""

from collections import Counter
from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.values.backtests import Histogram, NearMiss
from service.values.streams import ModelKey, StreamKey

KEPT, KEPT_OF_STREAM = 5, 2
SCORE_MIN = 0.05
"""A score below this came near to nothing."""


class Nearest:
    """The few highest of all near misses of any model, two of a stream at most: a stream that
    comes near again and again would leave no room for others.
    """

    def __init__(self, most: int = KEPT) -> None:
        self.misses: list[NearMiss] = []
        self._most = most

    @property
    def score_min(self) -> float:
        """What a score has to exceed to be among them."""
        return SCORE_MIN if len(self.misses) < self._most else self.misses[-1].score

    def offer(self, miss: NearMiss) -> None:
        """Keep it if it is among the highest."""
        if miss.score > self.score_min:
            ranked = sorted([*self.misses, miss], key=lambda kept: -kept.score)
            seen = Counter[tuple[ModelKey, StreamKey]]()
            self.misses = []
            for kept in ranked:
                seen[kept.model, kept.stream] += 1
                if seen[kept.model, kept.stream] <= KEPT_OF_STREAM:
                    self.misses.append(kept)
            del self.misses[self._most :]


class _Rising(Struct, frozen=True):
    at_seconds: float
    score: float
    detector: str
    histogram: Histogram


class Excursions:
    """The streams of one comparison: where a score has risen, and whether it fell or alarmed.

    An excursion is over when the score has fallen to half of its peak. One that alarms is no miss.
    """

    def __init__(self, model: ModelKey, streams: tuple[StreamKey, ...], nearest: Nearest) -> None:
        self._model = model
        self._streams = streams
        self._nearest = nearest
        self._peak = np.zeros(len(streams))
        self._last = np.zeros(len(streams))
        self._rising: dict[int, _Rising] = {}

    def add(
        self,
        at_seconds: float,
        scores: NDArray[np.float64],
        drifted: NDArray[np.bool_],
        detector: Callable[[int], str],
        histogram: Callable[[int], Histogram],
    ) -> None:
        """Take the scores after one pane; the rest is asked for of streams that may matter."""
        for stream in np.flatnonzero(drifted & (self._peak > 0)).tolist():
            self._forget(stream)
        for stream in np.flatnonzero(~drifted & (scores < self._peak / 2)).tolist():
            self._over(stream)
        # What falls from an excursion that is over is not the next one.
        risen = ~drifted & (scores > np.maximum(self._peak, self._last))
        risen &= scores > self._nearest.score_min
        self._last = scores.copy()
        for stream in np.flatnonzero(risen).tolist():
            self._peak[stream] = score = float(scores[stream])
            self._rising[stream] = _Rising(at_seconds, score, detector(stream), histogram(stream))

    def finish(self) -> None:
        """Nothing more comes: what is up now did not alarm."""
        for stream in list(self._rising):
            self._over(stream)

    def _over(self, stream: int) -> None:
        rising = self._rising.get(stream)
        if rising is not None:
            miss = NearMiss(
                model=self._model,
                stream=self._streams[stream],
                at_seconds=rising.at_seconds,
                score=rising.score,
                detector=rising.detector,
                histogram=rising.histogram,
            )
            self._nearest.offer(miss)
        self._forget(stream)

    def _forget(self, stream: int) -> None:
        self._peak[stream] = 0.0
        self._rising.pop(stream, None)
