"""How far from independent the events of each stream are: learned live, and what holds till then.

phi takes dependence within a pane, kappa the slow wander (`detectors.dispersion`). Both are learned
from panes in which a stream did not drift, in order of time. A pane waits for some more before it
is learned from: when its stream alarms in the meantime, the change had begun already, and would be
taken for dependence. Slower changes are the matter of `suspicion`.
"""

from typing import Any, Self

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.change.observation import Flags
from detectors.change.ragged import Floats, Indices, Ragged
from detectors.dispersion import ARRAYS, PANES_MIN, DispersionLearner, Line, Status
from service.monitor.detecting.beforehand import Told
from service.monitor.detecting.dispersion_state import levels_state, restored_learner
from service.monitor.detecting.suspicion import Suspicion
from service.monitor.detecting.windows import Freeze

LONG_PANES = 4 * PANES_MIN
"""A stream of which nothing could be learned for so long, since it drifted all the time, is learned
from as it is: a shift that stays is no dispersion, and what never keeps its shape has to be known
for that."""

EARLY_PHI = 10.0
"""phi of shapes before `PANES_MIN` panes: events that follow each other closely (an AR(1) of 0.9)
make about 18. A large change is noticed all the same."""

EARLY_PHI_OF_MEANS, EARLY_EVENTS = (2.0, 5.0), 600.0
"""The same for means, of which the tolerance takes care besides, the more the more events there are
in a pane: `EARLY_EVENTS` over these, between the two."""

EARLY_MASS = 500.0
"""kappa before `PANES_MIN` panes: the tolerance in sd is 3.5 times as wide, later (`WIDENED_MASS`)
twice, until wander is known."""

WAITING_PANES = 10
"""So long a pane waits. What a slower change adds is bounded by the evidence it takes to notice."""

PRIOR = 0.5
"""Rows that every cell has seen beforehand."""

SETTLED_SECONDS = 3 * 86_400.0
"""So much of a stream has to be known before its wander is taken to be."""

HOUR_SECONDS = 3600.0


class _Waiting(Struct, frozen=True):
    """One pane that is not learned from yet."""

    counts: NDArray[np.int64]
    expected: Floats | None
    quiet: Flags


class Dispersions:
    """phi, kappa and status of D streams, as of the last estimate; these are arrays of shape (D,).

    `phi` is that of shapes; that of means (`phi_of_means`) differs only in the beginning.
    """

    def __init__(
        self, cells: Ragged, shares: Floats, pane_seconds: float, told: Told | None = None
    ) -> None:
        self.pane_seconds = pane_seconds
        settled = max(PANES_MIN, round(SETTLED_SECONDS / pane_seconds))
        self._learner = DispersionLearner(cells, shares, settled)
        self._shares = shares
        self._waiting: list[_Waiting] = []
        self._ticks = 0
        self._since: Indices = np.zeros(cells.streams, dtype=np.int64)
        self._suspicion = Suspicion(cells.streams, pane_seconds)
        self._frozen: dict[int, tuple[int, Any]] = {}
        self._told = told or Told.nothing(cells.streams)
        self._untold: Flags = np.zeros(cells.streams, dtype=np.bool_)
        self.live = Line.unknown(cells.streams)
        self.phi: Floats = np.full(cells.streams, EARLY_PHI)
        self.kappa: Floats
        self.estimated: Flags
        self.status: Indices
        self._believe()

    @property
    def learned_phi(self) -> Floats:
        """Phi as far as it was learned, 1 where nothing is known."""
        return np.where(self.estimated, self.phi, 1.0)

    @property
    def wander(self) -> Floats:
        """How far the mean of a stream wanders slowly by itself, in sd."""
        known = self.kappa > 0
        wander: Floats = np.where(known, 1 / np.sqrt(np.where(known, self.kappa, 1.0)), 0.0)
        return wander

    def phi_of_means(self, events: Floats | float, streams: int) -> Floats:
        """Phi of the means of the first `streams`, of so many events in a pane each."""
        if self.estimated[:streams].all():
            return self.phi[:streams]
        early = np.clip(EARLY_EVENTS / np.maximum(events, 1), *EARLY_PHI_OF_MEANS)
        return np.where(self.estimated[:streams], self.phi[:streams], early)

    @property
    def events(self) -> Floats:
        """How many events a pane had of each stream, of those learned from."""
        blocks, events = self._learner.blocks, self._learner.events
        mean: Floats = events[:1].sum(axis=0) / np.maximum(blocks[:1].sum(axis=0), 1)
        return mean

    def meet(self, counts: np.ndarray) -> None:
        """A pane of counts (C,) comes. Until live panes have shown what holds, phi that was told is
        taken for that of a sample, in which dependence shows less: of k times as many events it
        shows k times as much. Nor is it taken for less than where nothing is told.
        """
        told = self._told
        early = self.estimated & (self.live.panes < PANES_MIN)
        if early.any():
            more = np.maximum(self._learner.cells.total(counts) / told.events, 1.0)
            sampled = np.maximum(1 + (told.line.phi - 1) * more, EARLY_PHI)
            self.phi = np.where(early, sampled, self.phi)

    def learn(
        self,
        counts: np.ndarray,
        expected: Floats | None,
        quiet: Flags,
        evidence: Floats | None = None,
    ) -> Flags:
        """Take a pane that was judged: counts (C,), and by a season `expected` shares (C,). `quiet`
        (D,) are the streams that do not drift, `evidence` (D,) is what there is of a change, in
        nats. Gives the streams that are known from now on.
        """
        before = self.estimated
        self._ticks += 1
        shown = (self.live.panes >= PANES_MIN) | self._suspicion.held
        unknown_panes = np.where(shown, 0, self._ticks - self._since)
        if (unknown_panes == LONG_PANES).any():
            self._clear(unknown_panes == LONG_PANES)
        quiet = quiet | (unknown_panes >= LONG_PANES)
        if not quiet.all():
            self._waiting = [replace(pane, quiet=pane.quiet & quiet) for pane in self._waiting]
        self._waiting.append(_Waiting(counts, expected, quiet))
        if len(self._waiting) <= WAITING_PANES:
            return self.estimated & ~before
        oldest = self._waiting.pop(0)
        expected = oldest.expected
        if (unknown_panes >= LONG_PANES).any():
            expected = self._around(unknown_panes >= LONG_PANES, expected)
        self._learner.update(oldest.counts, expected, oldest.quiet)
        if evidence is not None and self._suspicion.weigh(
            self._learner, evidence, self.status == Status.READY, quiet
        ):
            self._frozen = {}
        if self._is_due(self._learner.ticks):
            self._estimate(~self._suspicion.held)
        elif (grown := self._come_of_age()).any():
            self._estimate(grown)
        return self.estimated & ~before

    def settle(self) -> None:
        """Learn from the panes that wait, and estimate: no further one comes."""
        for pane in self._waiting:
            self._learner.update(pane.counts, pane.expected, pane.quiet)
        self._waiting = []
        self._estimate(np.ones(len(self.phi), dtype=np.bool_))

    def forget(self, streams: Flags) -> None:
        """Learn these streams (D,) anew: other shares are expected of them from now on."""
        self._clear(streams)
        self.live = self.live.where(~streams, Line.unknown(len(streams)))
        self._untold = self._untold | streams
        self._believe()
        self._since = np.where(streams, self._ticks, self._since)

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with all that `previous` knows of the streams that are carried."""
        self._learner.carry(previous._learner, carried)
        self._suspicion.carry(previous._suspicion, carried)
        self._ticks = previous._ticks
        self._since = np.full_like(self._since, self._ticks)
        for name in ("_untold", "_since"):
            setattr(self, name, carried.into(getattr(self, name), getattr(previous, name)))
        self.live = Line(
            carried.into(self.live.phi, previous.live.phi),
            carried.into(self.live.kappa, previous.live.kappa),
            carried.into(self.live.panes, previous.live.panes),
        )
        self._believe()
        cells = carried.of_cells(previous._learner.cells.offsets, self._learner.cells.offsets)
        self._waiting = [
            _Waiting(
                cells.into(np.zeros(len(self._shares), dtype=np.int64), pane.counts),
                None if pane.expected is None else cells.into(self._shares, pane.expected),
                carried.into(np.zeros(len(self._since), dtype=np.bool_), pane.quiet),
            )
            for pane in previous._waiting
        ]

    def state(self, freeze: Freeze) -> dict[str, Any]:
        """Plain values and arrays for a snapshot: of what is symmetric a half, by size of block.

        A size of block changes as seldom as it is long, so that most are frozen.
        """
        learner = self._learner
        return {
            "offsets": learner.cells.offsets,
            "ticks": learner.ticks,
            "phi": self.phi,
            "kappa": self.kappa,
            "status": self.status,
            "estimated": self.estimated,
            "live": [self.live.phi, self.live.kappa, self.live.panes],
            "untold": self._untold,
            "suspicion": self._suspicion.state(),
            "since": [self._ticks, self._since],
            "waiting": [[pane.counts, pane.expected, pane.quiet] for pane in self._waiting],
            "levels": levels_state(learner, freeze, self._frozen),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken, unless the streams have other cells now."""
        learner = self._learner
        if not np.array_equal(state["offsets"], learner.cells.offsets):
            return
        self._ticks, self._since = state["since"][0], np.array(state["since"][1])
        self._waiting = [
            _Waiting(np.array(counts), None if expected is None else np.array(expected), quiet)
            for counts, expected, quiet in state["waiting"]
        ]
        self._learner = restored_learner(learner, state["ticks"], state["levels"])
        self._believe_as_kept(state)
        if "suspicion" in state:
            self._suspicion.restore(state["suspicion"])
        self._frozen = {}

    def _around(self, streams: Flags, expected: Floats | None) -> Floats:
        """Expected shares (C,), of `streams` (D,) those of the panes that wait: what drifts is not
        as the reference is, and only how it differs from pane to pane is dispersion.
        """
        cells = self._learner.cells
        live = np.sum([pane.counts for pane in self._waiting], axis=0) + PRIOR
        shares = live / cells.spread(cells.total(live))
        return np.where(
            cells.spread(streams), shares, self._shares if expected is None else expected
        )

    def _clear(self, streams: Flags) -> None:
        """Begin to learn these streams again."""
        self._suspicion.forget(streams)
        for name in ARRAYS:
            getattr(self._learner, name)[:, streams] = 0.0
        self._waiting = [replace(pane, quiet=pane.quiet & ~streams) for pane in self._waiting]
        self._frozen = {}

    def _is_due(self, ticks: int) -> bool:
        """At 30 panes, whenever there are twice as many, and once an hour: it costs."""
        doubled = ticks // PANES_MIN
        doubles = ticks % PANES_MIN == 0 and doubled & (doubled - 1) == 0
        hourly = max(2 * PANES_MIN, round(HOUR_SECONDS / self.pane_seconds))
        return (doubles and ticks > 0) or ticks % hourly == 0

    def _come_of_age(self) -> Flags:
        """Streams that were added, or are learned anew, and have been seen often enough now."""
        added = (self._since > 0) & (self.live.panes < PANES_MIN)
        of_age: Flags = added & (self._learner.panes == PANES_MIN)
        return of_age

    def _estimate(self, streams: Flags) -> None:
        self.live = self._learner.line().where(streams, self.live)
        self._believe()

    def _believe(self) -> None:
        """Of what was told and what is known live the more careful of both, until the latter rests
        on enough panes; what neither says anything of is guessed.
        """
        settled = self._learner.settled_panes
        unknown = Line.unknown(len(self.phi))
        taken = (self.live.panes < settled) & ~self._untold & (self._told.line.panes >= PANES_MIN)
        live = self.live.where(self.live.panes >= PANES_MIN, unknown)
        found = live.careful(self._told.line.where(taken, unknown)).believed(settled)
        self.estimated = found.panes >= PANES_MIN
        self.phi = np.where(self.estimated, found.phi, EARLY_PHI)
        self.kappa = np.where(self.estimated, found.kappa, EARLY_MASS)
        self.status = found.status

    def _believe_as_kept(self, state: dict[str, Any]) -> None:
        """Snapshots of before know nothing of references that tell."""
        if "live" in state:
            self.live = Line(*(np.array(column) for column in state["live"]))
            self._untold = np.array(state["untold"])
        else:
            panes = np.where(state["estimated"], self._learner.panes, 0)
            self.live = Line(np.array(state["phi"]), np.array(state["kappa"]), panes)
            self._untold = np.ones_like(self._untold)
        self._believe()
