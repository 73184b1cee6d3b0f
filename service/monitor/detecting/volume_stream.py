"""How many rows a model version has, against what the hour of the week brings.

Rows are counted in steps of five minutes, or of a pane where that is longer, so that four weeks of
them are little to keep. Until two weeks are known nothing is judged. Steps without any event count
as 0 rows once something comes again; that nothing comes at all is for others to say, who look at
the clock.
"""

import math
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.change.bayes_factor import gamma_poisson
from detectors.dispersion import Status
from detectors.season import hour_of_week
from detectors.volume import (
    ALTERNATIVE_MASS,
    RATIO_MIN,
    VolumeDetector,
    VolumeParameters,
    VolumeSeason,
    kappa_of_ratio,
    learn_dispersion,
)
from service.values.watches import SeasonWatch

STEP_SECONDS = 300.0

DAY_SECONDS = 86_400.0

KNOWN_SECONDS, KEPT_SECONDS = 14 * DAY_SECONDS, 28 * DAY_SECONDS
"""So much has to be known before anything is judged; so much is remembered."""

RATIO = 1.2
"""A volume within this factor of the usual one never alarms, however steady it was."""

NOT_USUAL = -1
"""Stands in the history for a step of a time in which the volume was not as usual."""


class VolumeStream:
    """One volume, as of the last step that ended. `rows` and `usual` are those of that step, NaN as
    long as they are not known; `quiet` says that it was within what is usual, by itself.
    """

    def __init__(self, pane_seconds: float, level: float, season: SeasonWatch) -> None:
        self.step_seconds = step_seconds(pane_seconds)
        self._tolerated = kappa_of_ratio(RATIO, level)
        self.parameters = VolumeParameters(level, self._tolerated)
        self.level = level
        self._zone, self._holidays = ZoneInfo(season.timezone), season.holidays
        self._detector = VolumeDetector(1, self.parameters)
        self._season = VolumeSeason(self.step_seconds)
        self._phi, self._kappa = 1.0, 0.0
        self._history: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._step_start = math.nan
        self._step_rows = 0
        self._whole = False
        self._steps = 0
        self.status = Status.LEARNING
        self.evidence = 0.0
        self.alarming = self.quiet = False
        self.alarms = 0
        self.onset_seconds = math.nan
        self.rows = self.usual = math.nan

    @property
    def learned_ratio(self) -> float:
        """How much of what has to be known is, from 0 to 1."""
        return min(1.0, len(self._history) * self.step_seconds / KNOWN_SECONDS)

    @property
    def is_blind(self) -> bool:
        """True while it shows no evidence."""
        return self.status is not Status.READY

    def add(self, start_seconds: float, end_seconds: float, rows: int, *, drifts: bool) -> bool:
        """Take the rows of the next pane; True if a step ended with it, so that there is a verdict.

        `drifts`: the volume is known not to be as usual now.
        """
        before = self._steps
        self._close_through(start_seconds, drifts=drifts)
        self._step_rows += rows
        self._close_through(end_seconds, drifts=drifts)
        return self._steps > before

    def reset(self) -> None:
        """Start afresh: all is as usual again."""
        self._detector.reset(np.ones(1, dtype=np.bool_))
        self.evidence, self.alarming = 0.0, False

    def judge_by(self, level: float) -> None:
        """From the next step on judge by another level; what was seen stays."""
        self.level, self._tolerated = level, kappa_of_ratio(RATIO, level)
        self.parameters = VolumeParameters(level, self._tolerated)
        self._detector = VolumeDetector.from_state(self.parameters, self._detector.state())

    @property
    def history(self) -> tuple[float, NDArray[np.int64]]:
        """The start (epoch seconds) of the first step that is remembered, NaN before any pane, and
        the rows of all of them, the oldest first; NOT_USUAL where the volume was not as usual.
        """
        first = self._step_start - len(self._history) * self.step_seconds
        return first, self._history.astype(np.int64)

    def expected(self, at_seconds: float) -> float:
        """The usual rows of a step around a time; 0 while nothing is known."""
        return float(self._season.expected(np.array([self._position(at_seconds)]))[0])

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "step_seconds": self.step_seconds,
            "detector": self._detector.state(),
            "season": self._season.state(),
            "history": self._history,
            "dispersion": [self._phi, self._kappa],
            "step": [self._step_start, self._step_rows, self._whole, self._steps],
            "status": int(self.status),
            "verdict": [self.evidence, self.alarming, self.quiet, self.alarms],
            "last": [self.onset_seconds, self.rows, self.usual],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken; with other steps it starts empty."""
        if state["step_seconds"] != self.step_seconds:
            return
        self._detector = VolumeDetector.from_state(self.parameters, state["detector"])
        self._season = VolumeSeason.from_state(state["season"])
        self._history = np.array(state["history"], dtype=np.int32)
        self._phi, self._kappa = state["dispersion"]
        self._step_start, self._step_rows, self._whole, self._steps = state["step"]
        self.status = Status(state["status"])
        self.evidence, self.alarming, self.quiet, self.alarms = state["verdict"]
        self.onset_seconds, self.rows, self.usual = state["last"]

    def _close_through(self, until_seconds: float, *, drifts: bool) -> None:
        """End the steps that lie before a time; those without a pane had no rows."""
        step = self.step_seconds
        if math.isnan(self._step_start):
            self._step_start = math.floor(until_seconds / step) * step
            self._whole = self._step_start == until_seconds
        if until_seconds - self._step_start > KEPT_SECONDS:
            # What was usual so long ago says nothing now.
            self._history = self._history[:0]
            self._step_start = math.floor(until_seconds / step) * step
            self._step_rows, self._whole = 0, False
            self.status = Status.LEARNING
            return
        while until_seconds >= self._step_start + step - 1e-6:
            if self._whole:
                self._end_step(drifts=drifts)
            self._step_start += step
            self._step_rows, self._whole = 0, True

    def _end_step(self, *, drifts: bool) -> None:
        self._steps += 1
        self.rows = float(self._step_rows)
        if self.status is not Status.LEARNING:
            self._judge()
        usual = not drifts and not self.alarming
        kept = self._step_rows if usual else NOT_USUAL
        most = round(KEPT_SECONDS / self.step_seconds)
        self._history = np.append(self._history, np.int32(min(kept, 2**31 - 1)))[-most:]
        once_a_day = max(1, round(DAY_SECONDS / self.step_seconds))
        if self.learned_ratio >= 1 and (
            self.status is Status.LEARNING or self._steps % once_a_day == 0
        ):
            self._learn()

    def _judge(self) -> None:
        middle = self._step_start + self.step_seconds / 2
        self.usual = self.expected(middle)
        verdict = self._detector.update(
            np.array([self.rows]), np.array([self.usual]), self._phi, self._kappa
        )
        alarm = bool(verdict.alarm[0])
        self.alarms += alarm and not self.alarming
        self.alarming, self.evidence = alarm, float(verdict.evidence[0])
        ago = max(0, int(verdict.onset_panes[0]) - 1)
        self.onset_seconds = self._step_start - ago * self.step_seconds
        mass = max(min(self._kappa, self._tolerated), RATIO_MIN * ALTERNATIVE_MASS)
        rows, usual = np.array(self.rows / self._phi), np.array(self.usual / self._phi)
        changed = gamma_poisson(rows, usual, ALTERNATIVE_MASS)
        self.quiet = bool(changed < gamma_poisson(rows, usual, mass))

    def _learn(self) -> None:
        """What is usual by the hour, and how far from it the volume wanders."""
        ends = self._step_start + self.step_seconds
        first = ends - len(self._history) * self.step_seconds
        usual = np.flatnonzero(self._history != NOT_USUAL)
        middles = first + (usual + 0.5) * self.step_seconds
        positions = np.array([self._position(middle) for middle in middles.tolist()])
        counts = self._history[usual]
        self._season = VolumeSeason(self.step_seconds)
        self._season.add(counts, positions)
        self._phi, self._kappa = learn_dispersion(counts, positions, self.step_seconds)
        vague = self._kappa < RATIO_MIN * ALTERNATIVE_MASS
        self.status = Status.UNSTABLE if vague else Status.READY

    def _position(self, at_seconds: float) -> float:
        return hour_of_week(at_seconds, self._zone, self._holidays.__contains__)


def step_seconds(pane_seconds: float) -> float:
    """The length of a step: whole panes, five minutes of them at least."""
    return math.ceil(STEP_SECONDS / pane_seconds - 1e-9) * pane_seconds
