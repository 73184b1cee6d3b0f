"""One model version against its reference: windows, distances, detectors, and what has drifted."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.change.observation import Flags, Floats
from detectors.distance import Distances, distances
from detectors.summary.layout import Layout
from service.monitor.counting.panes import Pane
from service.monitor.detecting.banks import Bank
from service.monitor.detecting.carrying import take_over
from service.monitor.detecting.detection import Detection
from service.monitor.detecting.drift import DriftStates
from service.monitor.detecting.evidence_bank import EvidenceBank
from service.monitor.detecting.policy import PolicyWatch
from service.monitor.detecting.windows import Freeze, Window
from service.monitor.judging.cell_names import cell_names, hidden_names
from service.monitor.judging.derived_words import quality_in_words, quality_names, rows_in_words
from service.monitor.judging.wording import Measured, in_words
from service.monitor.references.reference import reference_cells, same_cells
from service.monitor.references.unchanged import unchanged, why_afresh
from service.values.plans import Plan
from service.values.references import Reference
from service.values.streams import Kind, ModelKey, StreamKey
from service.values.watches import Sharing, Watch

ROWS_WORTH_TELLING = 100
"""A pane of so many rows tells by itself what changed in it."""


class Transition(Struct, frozen=True):
    """A stream began to drift, or ceased to, in the pane that starts at `pane_start_seconds`.

    `detectors` are those that alarmed in it, `summary` says in words what changed. `onset_seconds`
    is when a drift that starts began, by estimate; NaN of one that ends.
    """

    model: ModelKey
    stream: StreamKey
    drifted: bool
    pane_start_seconds: float
    score: float
    detectors: tuple[str, ...]
    summary: str
    onset_seconds: float = math.nan


class Comparison:
    """Live panes against one reference. So many as `sharing` says share the budget.

    `streams` are those of the plan, in the order of its layout, and what is derived of their
    counts: see `Detection`. `changes` grows with all that may let the windows tell something else.
    """

    def __init__(
        self,
        key: ModelKey,
        reference: Reference,
        plan: Plan,
        watch: Watch,
        pane_seconds: float,
        sharing: Sharing,
    ) -> None:
        self.key = key
        self.reference = reference
        self.plan = plan
        self.watch = watch
        self.counts = reference_cells(reference)
        self.windows = [Window(length, pane_seconds, plan.layout) for length in watch.windows]
        self.detection = Detection(reference, self.counts, plan, watch, pane_seconds, sharing)
        self.policy = (
            None
            if watch.policy is None
            else PolicyWatch(watch.policy, reference, self.counts, plan.layout, pane_seconds)
        )
        self._pane_seconds = pane_seconds
        self._sharing = sharing
        self.changes = 0

    @property
    def layout(self) -> Layout:
        """Where the cells lie."""
        return self.plan.layout

    @property
    def streams(self) -> tuple[StreamKey, ...]:
        """All that is judged."""
        return self.detection.streams

    @property
    def drift(self) -> DriftStates:
        """Which of them drift."""
        return self.detection.drift

    @property
    def banks(self) -> list[Bank | EvidenceBank]:
        """The detectors."""
        return self.detection.banks

    @property
    def reference_values(self) -> Floats:
        """How many valid values the reference has of each stream of the plan."""
        return self.detection.reference_values

    @property
    def sharing(self) -> Sharing:
        """How many streams share the budget."""
        return self._sharing

    @property
    def score(self) -> Floats:
        """The largest evidence over level of each stream; at least 1 while it has drifted."""
        return self.detection.score

    def judge(self, pane: Pane) -> list[Transition]:
        """Take the next closed pane, merged over all partitions."""
        self.changes += 1
        end = pane.start_seconds + self._pane_seconds
        for window in self.windows:
            window.add(pane.start_seconds, end, pane.summary)
        if self.policy is not None:
            self.policy.add(pane.start_seconds, end, pane.summary.cells)
        started, recovered = self.detection.judge(pane)
        changed = self._transitions(pane, started, recovered)
        self.detection.forget(recovered)
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

    def words(self, measured: Sequence[Measured], stream: int) -> str:
        """What changed in a stream: "up 0.41 sd, PSI 0.31"."""
        if stream < len(self.plan.streams):
            return in_words(self, measured, stream)
        shapes = self.detection.shapes
        if shapes is not None and stream == len(self.streams) - 1:
            return rows_in_words(shapes.volume)
        live = next((self.cells_of(stream, c) for c, _ in measured if c.any()), None)
        return quality_in_words(self.cells_of(stream, self.counts), live, self.names_of(stream))

    def cells_of(self, stream: int, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """The counts of one stream, out of those by cell of the layout: all its cells, missing and
        invalid the last. Of quality they are, as of a categorical stream whose values are all one:
        present, 0, unseen, missing, invalid. Of the volume: its rows and the same zeros.
        """
        return self.detection.watched.as_table(stream, cells)

    def hides(self, stream: int) -> bool:
        """Whether no value of a stream is to be told."""
        return self.watch.hides(self.streams[stream])

    def names_of(self, stream: int) -> tuple[str, ...]:
        """The names of the cells that `cells_of` gives."""
        values = len(self.plan.streams)
        if stream < values:
            named = hidden_names if self.hides(stream) else cell_names
            return named(self.layout, stream)
        names = quality_names(numeric=self._of_numbers(stream))
        return ("rows", *names[1:]) if stream == len(self.streams) - 1 else names

    def _of_numbers(self, quality: int) -> bool:
        """Whether a stream of quality is that of a numeric input."""
        name = self.streams[quality].name
        return any(key.kind is Kind.INPUT and key.name == name for key in self.plan.numeric)

    def under(self, watch: Watch) -> "Comparison":
        """A fresh comparison with the same reference, that watches as `watch` says."""
        return Comparison(
            self.key, self.reference, self.plan, watch, self._pane_seconds, self._sharing
        )

    def take_over(self, previous: "Comparison") -> Mapping[StreamKey, str]:
        """Go on with all that `previous`, which is given up, knows of the streams that are the same
        in both references. Tells of its other streams why they start afresh, or are gone.
        """
        self.changes += 1
        same = unchanged(previous.reference, self.reference)
        carried = Carried.between(previous.plan.streams, self.plan.streams, same)
        known = {window.length: window for window in previous.windows}
        for window in self.windows:
            if window.length in known:
                window.carry(known[window.length], carried)
        if self.policy is not None and previous.policy is not None:
            self.policy.carry(previous.policy, carried)
        take_over(self.detection, previous.detection, same)
        return why_afresh(previous.reference, self.reference, previous.streams)

    def share_budget(self, sharing: Sharing) -> None:
        """From the next pane on judge as among so many streams that share the budget."""
        self._sharing = sharing
        self.detection.share_budget(sharing)

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
        same = unchanged(self.reference, reference)
        return same_cells(self.reference, reference) and same.issuperset(self.plan.streams)

    def follow(self, reference: Reference, plan: Plan) -> None:
        """Go on with a reference of the same cells, and its plan."""
        self.changes += 1
        self.reference, self.plan = reference, plan

    def state(self, freeze: Freeze) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "reference_hash": self.plan.reference_hash,
            "windows": [window.state(freeze) for window in self.windows],
            "policy": None if self.policy is None else self.policy.window.state(freeze),
            **self.detection.state(freeze),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken, as far as the settings are still the same: a window
        that is new starts empty. For detectors see `Detection.restore`.
        """
        self.changes += 1
        kept_windows = {(w["name"], w["seconds"]): w for w in state["windows"]}
        for position, window in enumerate(self.windows):
            kept = kept_windows.get((window.length.name, window.length.seconds))
            if kept is not None and kept["step_seconds"] == window.step_seconds:
                self.windows[position] = Window.from_state(self.layout, self._pane_seconds, kept)
        policy = state.get("policy")
        if self.policy is not None and policy is not None:
            self.policy.window.restore(policy)
        self.detection.restore(state)

    def _transitions(self, pane: Pane, started: Flags, recovered: Flags) -> list[Transition]:
        """What changed, but for what is muted."""
        start = pane.start_seconds
        changed = [
            i
            for i in np.flatnonzero(started | recovered).tolist()
            if self.watch.mute_of(self.streams[i], start) is None
        ]
        if not changed:
            return []
        score = self.score
        measured = self.measured(pane)
        return [
            Transition(
                model=self.key,
                stream=self.streams[i],
                drifted=bool(started[i]),
                pane_start_seconds=start,
                score=float(score[i]),
                detectors=tuple(bank.name for bank in self.banks if bank.alarming[i]),
                summary=self.words(measured, i),
                onset_seconds=float(self.drift.onset_seconds[i]),
            )
            for i in changed
        ]
