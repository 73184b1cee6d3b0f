"""Which streams have drifted: from verdicts of detectors to a state with hysteresis."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DriftStates:
    """The state of D streams. A stream drifts from the pane in which a detector alarmed until
    `recover_panes` panes in a row were quiet. `since_seconds` is NaN while steady.
    """

    def __init__(self, streams: int) -> None:
        self.since_seconds = np.full(streams, math.nan)
        self.quiet_panes = np.zeros(streams, dtype=np.int64)

    @property
    def drifted(self) -> NDArray[np.bool_]:
        """Which streams have drifted, shape (D,)."""
        drifted: NDArray[np.bool_] = ~np.isnan(self.since_seconds)
        return drifted

    def update(
        self,
        pane_start_seconds: float,
        alarmed: NDArray[np.bool_],
        seen: NDArray[np.bool_],
        quiet: NDArray[np.bool_],
        recover_panes: int,
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Take one pane's verdict. Returns which streams started to drift and which recovered.

        A pane in which a stream was not seen neither starts nor ends anything.
        """
        started = alarmed & ~self.drifted
        self.since_seconds[started] = pane_start_seconds
        self.quiet_panes[started] = 0
        watched = self.drifted & seen & ~started
        calm = watched & quiet
        self.quiet_panes[calm] += 1
        self.quiet_panes[watched & ~calm] = 0
        recovered = watched & (self.quiet_panes >= recover_panes)
        self.since_seconds[recovered] = math.nan
        return started, recovered

    def state(self) -> dict[str, Any]:
        """Arrays for a snapshot."""
        return {"since_seconds": self.since_seconds, "quiet_panes": self.quiet_panes}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "DriftStates":
        """The states that `state` was taken of."""
        states = cls(len(state["since_seconds"]))
        states.since_seconds = state["since_seconds"].copy()
        states.quiet_panes = state["quiet_panes"].copy()
        return states
