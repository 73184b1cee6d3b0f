"""All detectors over one model version, and what they make of its panes: which streams drift."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget import WEIGHED, standardise, weigh
from detectors.catalogue import E_DETECTOR
from detectors.change.e_detector import CellCounts
from detectors.change.mean_recovery import MeanRecovery
from detectors.change.observation import Flags, Floats, Observation
from detectors.change.pool import shares_of
from detectors.dispersion import Status
from detectors.scores import CellScores, observe
from service.monitor.counting.panes import Pane
from service.monitor.detecting import thresholds
from service.monitor.detecting.banks import Bank
from service.monitor.detecting.beforehand import beforehand
from service.monitor.detecting.calibration import Calibration, counted_up
from service.monitor.detecting.dispersions import Dispersions
from service.monitor.detecting.drift import DriftStates, PaneFlags
from service.monitor.detecting.evidence_bank import EvidenceBank, Step
from service.monitor.detecting.seasons import Seasons, Usual
from service.monitor.detecting.watched_cells import WatchedCells, sharing_of
from service.monitor.detecting.windows import Freeze
from service.values.plans import Plan
from service.values.references import Reference
from service.values.streams import ROWS, StreamKey
from service.values.watches import Sharing, Watch

QUIET_ERRORS = 3.0
"""A pane is quiet whose mean lies within the slack and so many of its own standard errors, and in
which no detector saw its evidence for a drift grow."""

PRIOR = 0.5
"""Rows that every cell of a reference has seen beforehand."""


class Detection:
    """The detectors of `watch` over the values of the plan's streams; with the e-detector among
    them also over the quality of the inputs and over the volume: `streams`, in this order.

    `counts` (cells,) are the reference's. So many as `sharing` says share the budget.
    """

    def __init__(
        self,
        reference: Reference,
        counts: NDArray[np.int64],
        plan: Plan,
        watch: Watch,
        pane_seconds: float,
        sharing: Sharing,
    ) -> None:
        self.plan = plan
        self.watch = watch
        self.pane_seconds = pane_seconds
        self.watched = WatchedCells(plan)
        expected = self.watched.reference(reference, counts)
        self.normal = self.watched.take(expected)
        cells = self.watched.cells
        self._shares = shares_of(cells, self.normal, PRIOR)
        known = beforehand(reference, self.watched, watch.season, pane_seconds)
        self.dispersions = Dispersions(cells, self._shares, pane_seconds, known.told)
        mass = cells.total(self.normal)
        self.seasons = Seasons(watch.season, cells, self._shares, mass, known.hours)
        self._level_parts = thresholds.shares(choice.name for choice in watch.detectors)
        has_shapes = E_DETECTOR in self._level_parts
        of_means = self.watched.without_strangers(expected) if has_shapes else expected
        self.scores = CellScores.from_reference(plan.layout, of_means)
        self.reference_values = observe(plan.layout, self.scores, of_means).n
        self.streams: tuple[StreamKey, ...] = (
            (*self.watched.streams, ROWS) if has_shapes else plan.streams
        )
        self.drift = DriftStates(len(self.streams))
        self.means_back = MeanRecovery(len(plan.streams))
        self._own = sharing_of(self.streams)
        self._sharing: Sharing | None = self._counted(sharing)
        self.shapes: EvidenceBank | None = None
        self.means: list[Bank] = []
        self._build()

    @property
    def banks(self) -> list[Bank | EvidenceBank]:
        """Every kind of detector; their arrays are over `streams`."""
        return [*(() if self.shapes is None else (self.shapes,)), *self.means]

    @property
    def score(self) -> Floats:
        """The largest evidence over level of each stream; at least 1 while it has drifted, and 0
        where it cannot drift, since it never keeps its shape.
        """
        largest: Floats = np.zeros(len(self.streams))
        for bank in self.banks:
            largest = np.maximum(largest, bank.score)
        largest = np.where(self.status == Status.UNSTABLE, 0.0, largest)
        return np.where(self.drift.drifted, np.maximum(largest, 1.0), largest)

    @property
    def status(self) -> NDArray[np.int64]:
        """How much is known of each stream: numbers of `Status`."""
        known = self.dispersions.status
        if self.shapes is None:
            return known[: len(self.streams)]
        return np.append(known, int(self.shapes.volume.status))

    def judge(self, pane: Pane) -> tuple[Flags, Flags]:
        """Take the next closed pane: which streams begin to drift, and which are well again.

        `forget` the latter once that was told.
        """
        counts = self.watched.take(pane.summary.cells)
        self.dispersions.meet(counts)
        middle = pane.start_seconds + self.pane_seconds / 2
        usual = self.seasons.usual(middle, self.dispersions.phi)
        alarmed, seen, quiet, over = self._judge_means(pane.summary.cells, usual)
        awaited = np.zeros(len(self.streams), dtype=np.bool_)
        onset = None
        if self.shapes is not None:
            means = len(self.plan.streams)
            alarmed = alarmed | self._judge_shapes(self.shapes, pane, counts, usual)
            seen = np.concatenate((seen[:means], self.shapes.seen[means:]))
            quiet = np.concatenate((quiet[:means], self.shapes.quiet[means:]))
            awaited = self.shapes.awaited
            over = np.where(awaited, self.shapes.over, over)
            onset = self._onsets(self.shapes, pane.start_seconds) if alarmed.any() else None
        blind = self.status == Status.UNSTABLE
        flags = PaneFlags(alarmed & ~blind, seen, quiet, awaited | blind, over | blind)
        started, recovered = self.drift.update(
            pane.start_seconds, flags, self.watch.recover_panes, onset
        )
        if self.watch.detectors:
            self._learn(middle, counts, usual)
        return started, recovered

    def forget(self, recovered: Flags) -> None:
        """The detectors start afresh where a drift is over."""
        if recovered.any():
            for bank in self.banks:
                bank.reset(recovered)

    def share_budget(self, sharing: Sharing) -> None:
        """From the next pane on judge as among so many streams that share the budget of false
        alarms. Thresholds are set anew, and what was seen stays.
        """
        counted = self._counted(sharing)
        if counted == self._sharing:
            return
        self._sharing = counted
        calibration, ranges = self._calibration(), self.scores.ranges(self.plan.layout)
        for bank in self.means:
            calibration.set_means(bank, ranges)
        if self.shapes is not None:
            calibration.set_shapes(self.shapes, self.watched, self.normal)

    def state(self, freeze: Freeze) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "drift": self.drift.state(),
            "settings": self._settings(),
            "dispersions": self.dispersions.state(freeze),
            "seasons": self.seasons.state(),
            "banks": [bank.state() for bank in self.means],
            "means_back": self.means_back.state(),
            "shapes": None if self.shapes is None else self.shapes.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken, as far as the settings are still the same: a detector
        of means that is new, or is to judge by another budget or tolerance, starts empty. The
        e-detector keeps what it has seen, and judges by what is set now.
        """
        self._sharing = None  # what was restored may judge by another number than we counted
        self.drift.restore(state["drift"])
        if "dispersions" in state:
            self.dispersions.restore(state["dispersions"])
        if "seasons" in state:
            self.seasons.restore(state["seasons"])
        if "means_back" in state:
            self.means_back = MeanRecovery.from_state(state["means_back"])
        if self.shapes is not None and state.get("shapes") is not None:
            self.shapes.restore(state["shapes"])
        if state["settings"] != self._settings():
            return
        kept_banks = {bank["name"]: bank for bank in state["banks"]}
        for bank in self.means:
            kept = kept_banks.get(bank.name)
            if kept is not None and kept["chosen"] == dict(bank.choice.parameters):
                bank.restore(kept)

    def _build(self) -> None:
        """Fresh detectors, set to the budget and the tolerance."""
        calibration, ranges = self._calibration(), self.scores.ranges(self.plan.layout)
        for choice in self.watch.detectors:
            if choice.name == E_DETECTOR:
                self.shapes = calibration.shapes(choice, self.watched, self.normal)
            else:
                values, streams = len(self.plan.streams), len(self.streams)
                self.means.append(calibration.means(choice, ranges, values, streams))

    def _counted(self, sharing: Sharing) -> Sharing:
        """With what shares it at least."""
        return Sharing(
            counted_up(self._own.streams, sharing.streams),
            counted_up(self._own.segments, sharing.segments),
        )

    def _calibration(self) -> Calibration:
        sharing = self._own if self._sharing is None else self._sharing
        return Calibration(self.watch, self.pane_seconds, sharing)

    def _learn(self, middle: float, counts: NDArray[np.int64], usual: Usual | None) -> None:
        """What the pane teaches of dependence and of seasons; a stream whose season has just become
        known is judged by it, and anew.
        """
        cells = self.watched.cells
        quiet = ~self.drift.drifted[: cells.streams]
        quiet = np.append(quiet, np.ones(cells.streams - len(quiet), dtype=np.bool_))
        evidence = None if self.shapes is None else self.shapes.evidence[: cells.streams]
        known = self.dispersions.learn(counts, self._expected(usual), quiet, evidence)
        if self.shapes is not None and known.any():
            self.shapes.restart(known)
        new = self.seasons.learn(middle, counts, self.dispersions.phi, quiet)
        if new.any():
            self.dispersions.forget(new)
            for bank in self.banks:
                mask = np.zeros(len(self.streams), dtype=np.bool_)
                shared = min(len(mask), len(new))
                mask[:shared] = new[:shared]
                bank.reset(mask)

    def _expected(self, usual: Usual | None) -> Floats | None:
        """Expected shares (C,): of the season where a stream has one, else of all that is known to
        be normal. Against a small reference alone, chance in it would look like dependence.
        """
        if self.shapes is not None:
            return self.shapes.normal
        if usual is None:
            return None
        return np.where(self.watched.cells.spread(usual.mass > 0), usual.shares, self._shares)

    def _scored(self, cells: NDArray[np.int64], usual: Usual | None) -> tuple[Observation, Floats]:
        """The mean scores of a pane, less what the season makes of them, and how many values what
        is normal of each stream rests on.
        """
        if self.shapes is not None:  # which watches them in the quality of an input
            cells = self.watched.without_strangers(cells)
        scored = observe(self.plan.layout, self.scores, cells)
        if usual is None:
            return scored, self.reference_values
        values = len(self.plan.streams)
        weighted = usual.shares[: self.watched.value_count] * self.watched.values_of(
            self.scores.values
        )
        mean = np.add.reduceat(weighted, self.watched.cells.offsets[:values])
        seasonal = usual.mass[:values] > 0
        centred = scored.mean - np.where(seasonal & scored.seen, mean, 0.0)
        rows = np.where(seasonal, usual.mass[:values], self.reference_values)
        return Observation(scored.n, centred, scored.m2), rows

    def _judge_means(
        self, cells: NDArray[np.int64], usual: Usual | None
    ) -> tuple[Flags, Flags, Flags, Flags]:
        """Of all streams: which alarm, which were seen, whose mean is as it should be, and where
        that has been so for long enough to be sure. Means say nothing of what has none: it is.
        """
        values, streams = len(self.plan.streams), len(self.streams)
        scored, rows = self._scored(cells, usual)
        phi = self.dispersions.phi_of_means(scored.n, values)
        wander = self.dispersions.wander[:values]
        fed: Observation = standardise(scored, phi, rows, self.watch.tolerance_sd, wander)
        alarmed, insisting, seen, calm = np.zeros((4, streams), dtype=np.bool_)
        for bank in self.means:
            alarmed |= bank.update(weigh(scored, phi, wander) if bank.name in WEIGHED else fed)
            insisting |= bank.insisting
        seen[:values], calm[:values] = fed.seen, np.abs(fed.mean) <= fed.slack + QUIET_ERRORS
        over = np.ones(streams, dtype=np.bool_)
        if (drifted := self.drift.drifted[:values]).any():
            weight = np.where(fed.seen, scored.n / phi, 0.0)
            error = np.divide(1, np.sqrt(weight), out=np.zeros(values), where=weight > 0)
            over[:values] = self.means_back.update(
                fed.mean * error, weight, fed.slack * error, drifted, calm[:values]
            )
        return alarmed, seen, calm & ~insisting, over

    def _judge_shapes(
        self, shapes: EvidenceBank, pane: Pane, counts: NDArray[np.int64], usual: Usual | None
    ) -> Flags:
        known = self.dispersions
        step = Step(
            start_seconds=pane.start_seconds,
            end_seconds=pane.start_seconds + self.pane_seconds,
            rows=pane.rows,
            counts=CellCounts(counts, known.phi, known.kappa)
            if usual is None
            else CellCounts(counts, known.phi, known.kappa, usual.shares, usual.mass),
        )
        return shapes.judge(step, self.watch.recover_panes, self.drift.drifted)

    def _onsets(self, shapes: EvidenceBank, start_seconds: float) -> Floats:
        """When what the e-detector has evidence of began; NaN where it has little, as yet."""
        ago = np.maximum(shapes.onset_panes - 1, 0) * self.pane_seconds
        telling = (shapes.onset_panes > 0) & (shapes.evidence > shapes.level / 2)
        onset: Floats = np.where(telling, start_seconds - ago, math.nan)
        if shapes.volume.alarming:
            onset[-1] = shapes.volume.onset_seconds
        return onset

    def _settings(self) -> list[float | str]:
        """What the detectors of means judge by, beside the parameters that were set by hand."""
        budget = self.watch.budget
        return [
            budget.alarms,
            budget.period_seconds,
            budget.scope,
            *sorted(self._level_parts),
            self.pane_seconds,
            self.watch.tolerance_sd,
        ]
