"""Which streams have drifted: from verdicts of detectors to a state with hysteresis."""

import math
from typing import Any, Self

import numpy as np
from msgspec import Struct

from detectors.carried import Carried
from detectors.change.observation import Flags, Floats


class PaneFlags(Struct, frozen=True):
    """What one pane said of D streams, arrays of shape (D,).

    A drift that is `awaited` ends when it is `over`; any other when it is, after some `quiet` panes
    in a row. A stream that was not `seen` neither starts nor ends anything.
    """

    alarmed: Flags
    seen: Flags
    quiet: Flags
    awaited: Flags
    over: Flags


class DriftStates:
    """The state of D streams. A stream drifts from the pane in which a detector alarmed until it is
    well again. `since_seconds` is the start of that pane, NaN while steady; `onset_seconds` is when
    the change began, by estimate.
    """

    def __init__(self, streams: int) -> None:
        self.since_seconds: Floats = np.full(streams, math.nan)
        self.onset_seconds: Floats = np.full(streams, math.nan)
        self.quiet_panes = np.zeros(streams, dtype=np.int64)

    @property
    def drifted(self) -> Flags:
        """Which streams have drifted, shape (D,)."""
        drifted: Flags = ~np.isnan(self.since_seconds)
        return drifted

    def update(
        self,
        pane_start_seconds: float,
        pane: PaneFlags,
        recover_panes: int,
        onset_seconds: Floats | None = None,
    ) -> tuple[Flags, Flags]:
        """Take one pane's verdict. Returns which streams started to drift and which recovered.

        `onset_seconds` (D,): when a change that starts now began; NaN or None: with this pane.
        """
        started = pane.alarmed & ~self.drifted
        if not (self.drifted | started).any():
            return started, np.zeros_like(started)
        self.since_seconds[started] = pane_start_seconds
        onset = np.full(len(started), math.nan) if onset_seconds is None else onset_seconds
        known = np.where(np.isnan(onset), pane_start_seconds, onset)
        self.onset_seconds[started] = np.minimum(known, pane_start_seconds)[started]
        self.quiet_panes[started] = 0
        watched = self.drifted & pane.seen & ~started
        calm = watched & pane.quiet & ~pane.awaited
        self.quiet_panes[calm] += 1
        self.quiet_panes[watched & ~calm] = 0
        long_calm = self.quiet_panes >= recover_panes
        recovered = watched & pane.over & (pane.awaited | long_calm)
        self.since_seconds[recovered] = self.onset_seconds[recovered] = math.nan
        return started, recovered

    def carry(self, previous: Self, carried: Carried) -> None:
        """The streams that are carried drift as they did in `previous`."""
        for name in ("since_seconds", "onset_seconds", "quiet_panes"):
            setattr(self, name, carried.into(getattr(self, name), getattr(previous, name)))

    def state(self) -> dict[str, Any]:
        """Arrays for a snapshot."""
        return {
            "since_seconds": self.since_seconds,
            "onset_seconds": self.onset_seconds,
            "quiet_panes": self.quiet_panes,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken; as far as it reaches, where streams were added."""
        known = min(len(self.since_seconds), len(state["since_seconds"]))
        for name in ("since_seconds", "onset_seconds", "quiet_panes"):
            getattr(self, name)[:known] = state.get(name, state["since_seconds"])[:known]
