"""What was known of streams before they began to look changed.

A slow change would be learned as wander of the stream's own before there is evidence enough to
alarm, and be tolerated for ever: at one event a minute half an sd takes hours to notice. So the
dependence of a stream that is settled is taken to be what it was as long as there is some evidence
of a change; and when it alarms, what was learned meanwhile is forgotten.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.change.observation import Flags
from detectors.change.ragged import Floats, Indices
from detectors.dispersion import DispersionLearner

EVIDENCE = 3.0
"""With so much evidence, in nats, a stream is suspected of a change; without one it seldom is."""

SUSPECTED_SECONDS = 2 * 86_400.0
"""What neither alarmed nor went away in so long is learned after all."""

_COLUMNS = ("blocks", "events", "sums", "products")
_PENDING = ("pending_counts", "pending_expected")


class Suspicion:
    """Which of D streams are suspected, and their columns of a learner as they were before."""

    def __init__(self, streams: int, pane_seconds: float) -> None:
        self._panes_max = max(1, round(SUSPECTED_SECONDS / pane_seconds))
        self._panes: Indices = np.zeros(streams, dtype=np.int64)
        self._before: dict[int, dict[str, NDArray[Any]]] = {}

    @property
    def held(self) -> Flags:
        """Of which streams nothing new is believed now, shape (D,)."""
        held: Flags = (self._panes > 0) & (self._panes <= self._panes_max)
        return held

    def weigh(
        self, learner: DispersionLearner, evidence: Floats, settled: Flags, quiet: Flags
    ) -> bool:
        """Take the evidence (D,) of a pane. A suspected stream that is not `quiet` alarmed: in the
        learner it is put back to what it was before. Gives whether the learner was changed.
        """
        if not self._before and not (evidence > EVIDENCE).any():
            self._panes[:] = 0
            return False
        suspects = (evidence > EVIDENCE) & quiet & (settled | (self._panes > 0))
        alarmed = self.held & ~quiet
        for stream in np.flatnonzero(alarmed).tolist():
            _put_back(learner, stream, self._before[stream])
        self._panes = np.where(suspects, self._panes + 1, 0)
        for stream in np.flatnonzero(suspects & (self._panes == 1)).tolist():
            self._before[stream] = {
                name: getattr(learner, name)[:, stream].copy() for name in _COLUMNS
            }
        self._forget_others()
        return bool(alarmed.any())

    def forget(self, streams: Flags) -> None:
        """These (D,) are learned anew: nothing of before holds."""
        self._panes = np.where(streams, 0, self._panes)
        self._forget_others()

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous` that are carried."""
        self._panes = carried.into(self._panes, previous._panes)
        places = dict(zip(carried.old.tolist(), carried.new.tolist(), strict=True))
        self._before = {
            places[stream]: columns
            for stream, columns in previous._before.items()
            if stream in places
        }

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "panes": self._panes.copy(),
            "before": [[stream, dict(columns)] for stream, columns in self._before.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._panes = np.array(state["panes"], dtype=np.int64)
        self._before = {
            stream: {name: np.array(values) for name, values in columns.items()}
            for stream, columns in state["before"]
        }

    def _forget_others(self) -> None:
        held = self.held
        self._before = {i: columns for i, columns in self._before.items() if held[i]}


def _put_back(learner: DispersionLearner, stream: int, before: dict[str, NDArray[Any]]) -> None:
    """Blocks that wait for their second half are begun anew."""
    for name in _COLUMNS:
        column = getattr(learner, name)[:, stream]
        column[:] = 0.0
        column[: len(before[name])] = before[name]
    for name in _PENDING:
        getattr(learner, name)[:, stream] = 0.0
