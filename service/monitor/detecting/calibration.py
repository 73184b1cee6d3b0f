"""What the detectors of a model version are set to, by its watch and by who shares the budget."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.budget import calibrated
from detectors.change.ragged import Floats
from service.monitor.detecting import thresholds
from service.monitor.detecting.banks import Bank
from service.monitor.detecting.evidence_bank import EvidenceBank
from service.monitor.detecting.volume_stream import VolumeStream, step_seconds
from service.monitor.detecting.watched_cells import WatchedCells
from service.values.watches import DetectorChoice, Sharing, Watch

GROWTH = 1.1
"""Streams that share a budget are counted up to the next power of this: so thresholds do not change
with every model that comes or goes, and a level is at most ln 1.1 above what it need be."""


class Calibration(Struct, frozen=True):
    """For detectors on panes of `pane_seconds`; so many streams share the budget of `watch`.

    `ranges` are those of the scores of the streams that have values (`CellScores.ranges`), `normal`
    (C,) the counts of what is normal, by the cells of `WatchedCells`.
    """

    watch: Watch
    pane_seconds: float
    sharing: Sharing

    def means(self, choice: DetectorChoice, ranges: Floats, values: int, streams: int) -> Bank:
        """A fresh bank that watches the means of the first `values` of so many `streams`."""
        return Bank(choice, self._of_means(choice, ranges), values, streams)

    def shapes(
        self, choice: DetectorChoice, watched: WatchedCells, normal: NDArray[np.int64]
    ) -> EvidenceBank:
        """A fresh e-detector with the volume beside it."""
        parameters = self._of_shapes(choice, watched, normal)
        volume = VolumeStream(self.pane_seconds, self._volume_level(choice), self.watch.season)
        return EvidenceBank(parameters, watched.cells, normal, volume)

    def set_means(self, bank: Bank, ranges: Floats) -> None:
        """Let a bank judge by what holds now. What it has seen stays."""
        parameters = self._of_means(bank.choice, ranges)
        if parameters != bank.choice.parameters:  # else there is none that a budget sets
            bank.judge_by(parameters)

    def set_shapes(
        self, bank: EvidenceBank, watched: WatchedCells, normal: NDArray[np.int64]
    ) -> None:
        """Let an e-detector judge by what holds now. What it has seen stays."""
        choice = next(one for one in self.watch.detectors if one.name == bank.name)
        bank.judge_by(self._of_shapes(choice, watched, normal), self._volume_level(choice))

    def _of_means(self, choice: DetectorChoice, ranges: Floats) -> Mapping[str, Any]:
        # One number for all: that of those who are the more, so that none has too much of it.
        budget, part = self.watch.budget, self._part(choice)
        streams = max(thresholds.weighed(self.sharing))
        panes = thresholds.alarm_mean(budget, self.pane_seconds, streams, part)
        derived = calibrated(choice.name, panes, self.watch.tolerance_sd, ranges)
        return {**derived, **choice.parameters}

    def _of_shapes(
        self, choice: DetectorChoice, watched: WatchedCells, normal: NDArray[np.int64]
    ) -> Mapping[str, Any]:
        budget, part, by_hand = self.watch.budget, self._part(choice), choice.parameters
        whole, of_segment = (
            thresholds.level(budget, self.pane_seconds, streams, part)
            for streams in thresholds.weighed(self.sharing)
        )
        level: Any = whole
        if watched.of_segments.any():
            level = tuple(np.where(watched.of_segments, of_segment, whole).tolist())
        level = by_hand.get("level", level)
        values = len(watched.values)
        kappa = thresholds.kappas(watched.cells, normal, values, self.watch, np.array(level))
        return {"level": level, "kappa": tuple(kappa.tolist()), **by_hand}

    def _volume_level(self, choice: DetectorChoice) -> float:
        step = step_seconds(self.pane_seconds)
        streams = thresholds.weighed(self.sharing).whole
        return thresholds.level(self.watch.budget, step, streams, self._part(choice))

    def _part(self, choice: DetectorChoice) -> float:
        return thresholds.shares(one.name for one in self.watch.detectors)[choice.name]


def counted_up(own: int, sharing: int) -> int:
    """How many streams a budget is taken to be shared by, of which `own` are a model's own.

    Exact as long as no others share it, else at most a tenth more than there are.
    """
    if sharing <= own:
        return own
    power = math.ceil(math.log(sharing) / math.log(GROWTH) - 1e-9)
    return max(sharing, math.floor(GROWTH**power))
