"""One model version against its reference: windows, distances, detectors, and what has drifted."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.budget import alarm_mean_panes, calibrated, prepare, standardise
from detectors.catalogue import build, restore
from detectors.change.observation import Detector, Observation
from detectors.distance import Distances, distances
from detectors.scores import CellScores, observe
from detectors.summary.layout import Layout
from service.monitor.drift import DriftStates
from service.monitor.panes import Pane
from service.monitor.reference import reference_cells, same_cells
from service.monitor.windows import Freeze, Window
from service.monitor.wording import Measured, in_words
from service.values.plans import Plan
from service.values.references import Reference
from service.values.streams import ModelKey, StreamKey
from service.values.watches import DetectorChoice, Watch

QUIET_ERRORS = 3.0
"""A pane is quiet whose mean lies within the slack and so many of its own standard errors, and in
which no detector saw its evidence for a drift grow."""


ROWS_WORTH_TELLING = 100
"""A pane of so many rows tells by itself what changed in it."""


class Transition(Struct, frozen=True):
    """A stream began to drift, or ceased to, in the pane that starts at `pane_start_seconds`.

    `detectors` are those that alarmed in it, `summary` says in words what changed.
    """

    model: ModelKey
    stream: StreamKey
    drifted: bool
    pane_start_seconds: float
    score: float
    detectors: tuple[str, ...]
    summary: str


class Bank:
    """One kind of detector over all streams, with what its last verdict said."""

    def __init__(self, choice: DetectorChoice, parameters: Mapping[str, Any], streams: int) -> None:
        self.choice = choice
        self.parameters = parameters
        self.detector: Detector = build(choice.name, streams, parameters)
        self.evidence = np.zeros(streams)
        self.level = np.full(streams, math.inf)
        self.alarming = np.zeros(streams, dtype=bool)
        self.insisting = np.zeros(streams, dtype=bool)
        self.alarms = np.zeros(streams, dtype=np.int64)

    @property
    def name(self) -> str:
        """The detector's name in the catalogue."""
        return self.choice.name

    @property
    def score(self) -> NDArray[np.float64]:
        """Evidence over level: 1 alarms."""
        score: NDArray[np.float64] = np.divide(
            self.evidence, self.level, out=np.zeros(len(self.level)), where=self.level > 0
        )
        return score

    def update(self, observation: Observation) -> NDArray[np.bool_]:
        """Feed one pane; returns which streams alarm. An alarm that goes on is counted once.

        `insisting` is an alarm whose evidence did not fall: a cumulative sum goes on alarming long
        after all is well again, until it has come down from where a long drift has brought it.
        """
        verdict = self.detector.update(observation)
        self.insisting = verdict.alarm & (verdict.evidence >= self.evidence)
        self.evidence, self.level = verdict.evidence, verdict.level
        seen = observation.seen
        self.alarms += verdict.alarm & ~self.alarming
        self.alarming = np.where(seen, verdict.alarm, self.alarming)
        return verdict.alarm

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Start afresh where a drift is over."""
        self.detector.reset(mask)
        self.evidence = np.where(mask, 0.0, self.evidence)
        self.alarming &= ~mask

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "name": self.name,
            "chosen": dict(self.choice.parameters),
            "parameters": dict(self.parameters),
            "detector": self.detector.state(),
            "evidence": self.evidence,
            "level": self.level,
            "alarming": self.alarming,
            "alarms": self.alarms,
        }

    @classmethod
    def from_state(cls, choice: DetectorChoice, streams: int, state: dict[str, Any]) -> "Bank":
        """The bank that `state` was taken of; `choice` is the same as then."""
        bank = cls(choice, state["parameters"], streams)
        bank.detector = restore(state["name"], state["parameters"], state["detector"])
        for name in ("evidence", "level", "alarming", "alarms"):
            setattr(bank, name, state[name].copy())
        return bank


class Comparison:
    """Live panes against one reference. `budget_streams` share the budget of false alarms."""

    def __init__(
        self,
        key: ModelKey,
        reference: Reference,
        plan: Plan,
        watch: Watch,
        pane_seconds: float,
        budget_streams: int,
    ) -> None:
        layout = plan.layout
        self.key = key
        self.reference = reference
        self.plan = plan
        self.watch = watch
        self.counts = reference_cells(reference)
        self.scores = CellScores.from_reference(layout, self.counts)
        self.reference_values = observe(layout, self.scores, self.counts).n
        self.windows = [Window(length, pane_seconds, layout) for length in watch.windows]
        self.drift = DriftStates(layout.stream_count)
        self._pane_seconds = pane_seconds
        self._budget_streams = budget_streams
        self.banks = self._new_banks(max(budget_streams, layout.stream_count))

    @property
    def layout(self) -> Layout:
        """Where the cells lie."""
        return self.plan.layout

    @property
    def score(self) -> NDArray[np.float64]:
        """The largest evidence over level of each stream; at least 1 while it has drifted."""
        largest = np.zeros(self.layout.stream_count)
        for bank in self.banks:
            largest = np.maximum(largest, bank.score)
        return np.where(self.drift.drifted, np.maximum(largest, 1.0), largest)

    def judge(self, pane: Pane) -> list[Transition]:
        """Take the next closed pane, merged over all partitions."""
        end = pane.start_seconds + self._pane_seconds
        for window in self.windows:
            window.add(pane.start_seconds, end, pane.summary)
        scored = observe(self.layout, self.scores, pane.summary.cells)
        known = (1.0, self.reference_values, self.watch.tolerance_sd)
        alarmed = np.zeros(self.layout.stream_count, dtype=bool)
        insisting = alarmed.copy()
        for bank in self.banks:
            alarmed |= bank.update(prepare(bank.name, scored, *known))
            insisting |= bank.insisting
        observation = standardise(scored, *known)
        quiet = np.abs(observation.mean) <= observation.slack + QUIET_ERRORS
        quiet &= ~insisting
        started, recovered = self.drift.update(
            pane.start_seconds, alarmed, observation.seen, quiet, self.watch.recover_panes
        )
        changed = self._transitions(pane, started, recovered)
        if recovered.any():
            for bank in self.banks:
                bank.reset(recovered)
        return changed

    def measured(self, pane: Pane) -> list[Measured]:
        """Live counts and their distances to tell a change by, the most telling first: the pane, if
        it has rows enough, then the windows. `pane` was judged already.
        """
        seen = [window.total.cells for window in self.windows]
        if pane.rows >= ROWS_WORTH_TELLING:
            # The shortest window holds panes from before the change too: it would tell half of it.
            seen.insert(0, pane.summary.cells)
        return [(cells, self.distances(cells)) for cells in seen]

    def under(self, watch: Watch) -> "Comparison":
        """A fresh comparison with the same reference, that watches as `watch` says."""
        return Comparison(
            self.key, self.reference, self.plan, watch, self._pane_seconds, self._budget_streams
        )

    def distances(self, cells: NDArray[np.int64]) -> Distances:
        """Distances of live counts, shape (cells,), to the reference."""
        numeric = self.reference.streams[: self.layout.numeric_count]
        padding = [math.nan] * (self.layout.stream_count - len(numeric))
        return distances(
            self.layout,
            cells,
            self.counts,
            np.array([s.sd for s in numeric] + padding),
            np.array([s.minimum for s in numeric] + padding),
            np.array([s.maximum for s in numeric] + padding),
        )

    def can_follow(self, reference: Reference) -> bool:
        """Whether `reference` has the same cells, so that nothing need start afresh."""
        return same_cells(self.reference, reference)

    def follow(self, reference: Reference, plan: Plan) -> None:
        """Go on with a reference of the same cells, and its plan."""
        self.reference, self.plan = reference, plan

    def state(self, freeze: Freeze) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "reference_hash": self.plan.reference_hash,
            "windows": [window.state(freeze) for window in self.windows],
            "drift": self.drift.state(),
            "settings": self._settings(),
            "banks": [bank.state() for bank in self.banks],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken, as far as the settings are still the same: a window
        or a detector that is new, or is to judge by another budget or tolerance, starts empty.
        """
        kept_windows = {(w["name"], w["seconds"]): w for w in state["windows"]}
        for position, window in enumerate(self.windows):
            kept = kept_windows.get((window.length.name, window.length.seconds))
            if kept is not None and kept["step_seconds"] == window.step_seconds:
                self.windows[position] = Window.from_state(self.layout, self._pane_seconds, kept)
        self.drift = DriftStates.from_state(state["drift"])
        if state["settings"] != self._settings():
            return
        kept_banks = {bank["name"]: bank for bank in state["banks"]}
        for position, bank in enumerate(self.banks):
            kept = kept_banks.get(bank.name)
            if kept is not None and kept["chosen"] == dict(bank.choice.parameters):
                self.banks[position] = Bank.from_state(bank.choice, self.layout.stream_count, kept)

    def _new_banks(self, budget_streams: int) -> list[Bank]:
        watch, budget = self.watch, self.watch.budget
        share = 1 / max(1, len(watch.detectors))
        alarm_mean = alarm_mean_panes(
            budget.alarms, budget.period_seconds, self._pane_seconds, budget_streams, share
        )
        ranges = self.scores.ranges(self.layout)
        banks = []
        for choice in watch.detectors:
            derived = calibrated(choice.name, alarm_mean, watch.tolerance_sd, ranges)
            parameters = {**derived, **choice.parameters}
            banks.append(Bank(choice, parameters, self.layout.stream_count))
        return banks

    def _settings(self) -> list[float | str]:
        """What all detectors judge by, beside the parameters that were set by hand."""
        budget = self.watch.budget
        return [
            budget.alarms,
            budget.period_seconds,
            budget.scope,
            len(self.watch.detectors),
            self._pane_seconds,
            self.watch.tolerance_sd,
        ]

    def _transitions(
        self, pane: Pane, started: NDArray[np.bool_], recovered: NDArray[np.bool_]
    ) -> list[Transition]:
        """What changed, but for what is muted."""
        start = pane.start_seconds
        changed = [
            i
            for i in np.flatnonzero(started | recovered).tolist()
            if self.watch.mute_of(self.plan.streams[i], start) is None
        ]
        if not changed:
            return []
        score = self.score
        measured = self.measured(pane)
        return [
            Transition(
                model=self.key,
                stream=self.plan.streams[i],
                drifted=bool(started[i]),
                pane_start_seconds=start,
                score=float(score[i]),
                detectors=tuple(bank.name for bank in self.banks if bank.alarming[i]),
                summary=in_words(self, measured, i),
            )
            for i in changed
        ]
