"""The e-detector over all streams of a model version, with what says when a drift is over.

The streams are those of `WatchedCells`, and the volume last of all.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.catalogue import E_DETECTOR
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.observation import Flags
from detectors.change.ragged import Floats, Indices, Ragged
from detectors.change.recovery import Recovery, RecoveryParameters
from service.monitor.detecting.volume_stream import VolumeStream


class Step(Struct, frozen=True):
    """One pane: when it was, its rows, and its counts with all that is expected of them."""

    start_seconds: float
    end_seconds: float
    rows: int
    counts: CellCounts


class EvidenceBank:
    """What the e-detector thinks of D streams and of the volume, arrays of shape (D + 1,), as of
    the last pane.

    `alarming` as its verdict says; `alarms` counts the drifts it saw. `awaited` are the streams
    that it alarmed on, and that are over when it says so: `over`. `seen` were those of the last
    pane that had anything; of the volume, whether there was a verdict. `quiet` are those that do
    not alarm (of the volume: that was as usual). `blind` show no evidence now. `onset_panes`: how
    many panes ago, the last one included, the change likely began; 0: unknown. `normal` (C,): the
    shares that the last pane was expected to have, None before any.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        cells: Ragged,
        reference: NDArray[np.int64],
        volume: VolumeStream,
    ) -> None:
        self.parameters = parameters
        self.volume = volume
        self._settings = EDetectorParameters(**parameters)
        self._reference = reference
        self._detector = EDetector(cells, reference, self._settings)
        self._recovery = Recovery(cells)
        streams = cells.streams + 1
        levels = np.broadcast_to(self._settings.level, (cells.streams,))
        self.level: Floats = np.append(levels, volume.level)
        self.evidence: Floats = np.zeros(streams)
        self.alarms: Indices = np.zeros(streams, dtype=np.int64)
        self.onset_panes: Indices = np.zeros(streams, dtype=np.int64)
        self.normal: Floats | None = None
        self.alarming, self.seen, self.quiet, self.over, self.blind = (
            np.zeros(streams, dtype=np.bool_) for _ in range(5)
        )

    @property
    def name(self) -> str:
        """The detector's name in the catalogue."""
        return E_DETECTOR

    @property
    def score(self) -> Floats:
        """Evidence over level: 1 alarms."""
        score: Floats = self.evidence / self.level
        return score

    @property
    def awaited(self) -> Flags:
        """Which streams it waits for to recover."""
        return _and(self._recovery.watched, 0)

    def judge(self, pane: Step, recover_panes: int, drifted: Flags) -> Flags:
        """Take one pane; which streams (D + 1,) alarm. `reset` those that are over. `drifted` are
        the streams that drift already.
        """
        detector, recovery = self._detector, self._recovery
        null = detector.null(pane.counts)
        back = recovery.update(pane.counts, null)
        self.normal = null.shares
        blind = detector.blind(pane.counts)
        verdict = detector.update(pane.counts)
        new = verdict.alarm & ~recovery.watched
        if new.any():
            recovery.start(new, detector.since(verdict.onset_panes))
        volume = self.volume
        ended = volume.add(
            pane.start_seconds, pane.end_seconds, pane.rows, drifts=bool(drifted[-1])
        )
        alarm = _and(verdict.alarm, ended and volume.alarming)
        self.alarms = _and(self.alarms[:-1] + new, volume.alarms)
        self.seen = _and(verdict.seen, ended)
        self.alarming = np.where(self.seen, alarm, self.alarming)
        self.evidence = _and(verdict.evidence, volume.evidence)
        self.onset_panes = _and(verdict.onset_panes, 0)
        self.quiet = _and(~verdict.alarm, volume.quiet)
        self.blind = _and(blind, volume.is_blind)
        self.over = _and(back.recovered & (back.since_panes >= recover_panes), 0)
        return alarm

    def reset(self, mask: Flags) -> None:
        """Start afresh where a drift is over."""
        self._recovery.stop(mask[:-1])
        if not self._recovery.watched.any():
            self._recovery = Recovery(self._detector.cells)
        self._detector.reset(mask[:-1])
        if mask[-1]:
            self.volume.reset()
        self.evidence = np.where(mask, 0.0, self.evidence)
        self.alarming = self.alarming & ~mask

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the volume of `previous`, and with those of its D streams that are carried.

        By other onsets, which only parameters set by hand could ask for, these start afresh.
        """
        level = self.volume.level
        self.volume = previous.volume
        self.volume.judge_by(level)
        if previous._settings.onsets != self._settings.onsets:
            carried = carried.up_to(0, 0)
        else:
            self._detector.carry(previous._detector, carried)
            if carried.into(self._recovery.watched, previous._recovery.watched).any():
                self._recovery.carry(previous._recovery, carried)
        for name in _OF_PANE:
            fresh, known = getattr(self, name), getattr(previous, name)
            setattr(self, name, np.append(carried.into(fresh[:-1], known[:-1]), known[-1]))

    def judge_by(self, parameters: Mapping[str, Any], volume_level: float) -> None:
        """From the next pane on judge by other levels; what was seen stays."""
        self.parameters = parameters
        self._settings = EDetectorParameters(**parameters)
        self._detector = EDetector.from_state(self._settings, self._detector.state())
        self.volume.judge_by(volume_level)
        levels = np.broadcast_to(self._settings.level, (self._detector.streams,))
        self.level = np.append(levels, volume_level)

    def restart(self, mask: Flags) -> None:
        """The streams (D,) of the mask that do not drift are judged anew by the reference alone."""
        self._detector.restart(mask & ~self._recovery.watched, self._reference)

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "name": self.name,
            "detector": self._detector.state(),
            "recovery": self._recovery.state() if self.awaited.any() else None,
            "volume": self.volume.state(),
            **{name: getattr(self, name) for name in _ARRAYS},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken, under the settings of now: a budget or a tolerance
        that has changed holds from the next pane on. With other cells, or another number of onsets,
        it starts empty.
        """
        self.volume.restore(state["volume"])
        kept = state["detector"]
        same_cells = np.array_equal(kept["offsets"], self._detector.cells.offsets)
        if not same_cells or len(kept["ages"]) != self._settings.onsets:
            return
        self._detector = EDetector.from_state(self._settings, kept)
        if state["recovery"] is not None:
            self._recovery = Recovery.from_state(RecoveryParameters(), state["recovery"])
        for name in _ARRAYS:
            setattr(self, name, np.array(state[name]))


_OF_PANE = ("evidence", "alarming", "seen", "quiet", "over", "blind", "onset_panes")
_ARRAYS = (*_OF_PANE, "alarms")


def _and(streams: NDArray[Any], volume: float) -> NDArray[Any]:
    """What is known of the streams (D,), and the same of the volume: shape (D + 1,)."""
    both: NDArray[Any] = np.empty(len(streams) + 1, dtype=streams.dtype)
    both[:-1], both[-1] = streams, volume
    return both
