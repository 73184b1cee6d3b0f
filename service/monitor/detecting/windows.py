"""Sliding windows over closed panes, each kept in steps so that its cost does not grow with it."""

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.summary.carrying import carried_summary
from detectors.summary.layout import Layout
from detectors.summary.summary import Summary
from service.values.watches import WindowLength

Freeze = Callable[[Any], Any]
"""Turns a part of the state that will not change any more into what a snapshot keeps of it."""

STEPS = 12
"""Steps a window is kept in, at least. It drops one whole step at a time, so it reaches back
between 11/12 of its length and the whole of it (a window of up to 23 panes is exact)."""

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Probabilities of the exported quantiles."""


def step_seconds(length: WindowLength, pane_seconds: float, steps: int = STEPS) -> float:
    """The length of a window's step: whole panes, at most the `steps`-th part of the window."""
    panes = max(1, math.floor(length.seconds / steps / pane_seconds + 1e-9))
    return panes * pane_seconds


class Window:
    """The last `length.seconds` of event time of one model version, under one layout."""

    def __init__(self, length: WindowLength, pane_seconds: float, layout: Layout) -> None:
        self.length = length
        self.layout = layout
        self.step_seconds = step_seconds(length, pane_seconds)
        self.end_seconds = -math.inf
        self._steps: dict[float, Summary] = {}
        self._borrowed: set[float] = set()
        self._total: Summary | None = None
        self._not_in_total: list[Summary] = []
        self._quantiles: NDArray[np.float64] | None = None
        self._frozen: dict[float, Any] = {}

    @property
    def start_seconds(self) -> float:
        """Where the oldest step begins, +inf when empty."""
        return min(self._steps, default=math.inf)

    @property
    def total(self) -> Summary:
        """All steps together, added up when it is read: in a backlog few of the panes come so far.

        Good until the next `add` or `advance`.
        """
        if self._total is None:
            self._total = Summary(self.layout)
            self._not_in_total = [self._steps[step] for step in sorted(self._steps)]
        self._total.merge(*self._not_in_total)
        self._not_in_total = []
        return self._total

    def add(self, start_seconds: float, end_seconds: float, summary: Summary) -> None:
        """Take a closed pane and let go of the steps that the window has left behind.

        `summary` is kept, not copied: nobody may change it any more.
        """
        step = math.floor(start_seconds / self.step_seconds) * self.step_seconds
        if step not in self._steps:
            self._steps[step] = summary
            self._borrowed.add(step)
        elif step in self._borrowed:
            # A pane that was lent may not be changed: what both say goes into a summary of its own.
            lent, self._steps[step] = self._steps[step], Summary(self.layout)
            self._steps[step].merge(lent, summary)
            self._borrowed.remove(step)
        else:
            self._steps[step].merge(summary)
        self._not_in_total.append(summary)
        if len(self._not_in_total) > STEPS:
            self._total = None
        self._quantiles = None
        self.advance(max(self.end_seconds, end_seconds))

    def advance(self, end_seconds: float) -> None:
        """Move the window's end on, though nothing came."""
        self.end_seconds = end_seconds
        oldest = end_seconds - self.length.seconds
        left_behind = [start for start in self._steps if start < oldest - 1e-9]
        for start in left_behind:
            del self._steps[start]
            self._frozen.pop(start, None)
            self._borrowed.discard(start)
            self._total = self._quantiles = None
        if self._total is None:
            self._not_in_total = []

    def quantiles(self) -> NDArray[np.float64]:
        """Numeric streams' quantiles at QUANTILES, shape (numeric streams, 7), NaN = empty."""
        if self._quantiles is None:
            self._quantiles = self.total.quantile(np.array(QUANTILES))
        return self._quantiles

    def state(self, freeze: Freeze) -> dict[str, Any]:
        """Plain values and arrays for a snapshot.

        Panes come in order of time, so of the steps only the last one still changes: the others are
        frozen once.
        """
        last = max(self._steps, default=None)
        for start, summary in self._steps.items():
            if start != last and start not in self._frozen:
                self._frozen[start] = freeze(summary.state())
        steps = [[s, self._frozen.get(s) or self._steps[s].state()] for s in self._steps]
        return {
            "name": self.length.name,
            "seconds": self.length.seconds,
            "step_seconds": self.step_seconds,
            "end_seconds": self.end_seconds,
            "steps": steps,
        }

    @classmethod
    def from_state(cls, layout: Layout, pane_seconds: float, state: dict[str, Any]) -> "Window":
        """The window that `state` was taken of."""
        window = cls(WindowLength(state["name"], state["seconds"]), pane_seconds, layout)
        window.end_seconds = state["end_seconds"]
        window._steps = {
            start: Summary.from_state(layout, summary) for start, summary in state["steps"]
        }
        return window

    def carry(self, previous: Self, carried: Carried) -> None:
        """Hold what `previous`, a window of the same length, does of the streams carried.

        Of the other streams nothing was seen in it yet.
        """
        self.end_seconds = previous.end_seconds
        self._steps = {
            start: carried_summary(summary, self.layout, carried)
            for start, summary in previous._steps.items()
        }
        self._borrowed, self._frozen = set(), {}
        self._total = self._quantiles = None
        self._not_in_total = []
