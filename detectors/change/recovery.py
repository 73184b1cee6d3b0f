"""When a drift is over, and when it began: both by the same Bayes factors, after an alarm."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log
from typing import Any, Self

import numpy as np

from detectors.carried import Carried
from detectors.change.bayes_factor import (
    log_dirichlet_multinomial,
    log_factor,
)
from detectors.change.e_detector import CellCounts, Null, effective
from detectors.change.observation import Flags, State
from detectors.change.onsets import Onsets
from detectors.change.ragged import Floats, Indices, Ragged


@dataclass(frozen=True)
class RecoveryParameters:
    """How to judge that a drift is over.

    level: the evidence needed, ln 10^4 (at ln 100 one drift breaks into 8 to 11). recent_panes: how
    many panes the episode's shape remembers, about. starts: how many starts of a recovery are
    tried. prior: counts that every cell of the episode's shape has beforehand. better_by: how much
    (in nats) a shape of its own may beat the null at most: a stream without any of what is rare in
    the null always fits it a little better.
    """

    level: float = log(10_000)
    recent_panes: float = 60.0
    starts: int = 14
    prior: float = 0.5
    better_by: float = 1.0

    def __post_init__(self) -> None:
        if self.level <= 0 or self.recent_panes < 1 or self.prior <= 0:
            raise ValueError(
                f"level {self.level} and prior {self.prior} must be positive, and recent_panes "
                f"{self.recent_panes} at least 1"
            )


@dataclass(frozen=True, eq=False)
class RecoveryVerdict:
    """Of D streams, arrays of shape (D,): `recovered`; `evidence` for it (over `level`: recovered),
    0 of a stream that is not watched; `since_panes`, how many panes ago it began, 0 if it did not.
    """

    evidence: Floats
    recovered: Flags
    since_panes: Indices


class Recovery:
    """Watches those of D streams that drift, for the counts to come back to the null.

    For starts r after the alarm it weighs the counts C since r: evidence is the largest
    ln DM(C | kappa p) - ln DM(C | kappa' e), where e is the episode's recent shape before r, its
    mass kappa' at most kappa; of those r at which a shape of its own, DM(C | k p), hardly beats the
    null. `start` and `stop` are the caller's.
    """

    def __init__(self, cells: Ragged, parameters: RecoveryParameters | None = None) -> None:
        self.cells = cells
        self.parameters = parameters or RecoveryParameters()
        self._starts = Onsets(cells, self.parameters.starts)
        self._nulls = np.zeros_like(self._starts.shares)
        self._recent = np.zeros(cells.cells)
        self._watched = np.zeros(cells.streams, dtype=np.bool_)

    @property
    def watched(self) -> Flags:
        """Which streams are watched, shape (D,)."""
        return self._watched.copy()

    def start(self, streams: Flags, since_onset: Floats) -> None:
        """The masked streams (D,) drift; `since_onset` (C,), as of `EDetector.since`, is how."""
        new = streams & ~self._watched
        self._recent = np.where(self.cells.spread(new), since_onset, self._recent)
        self._starts.forget(new)
        self._watched = self._watched | new

    def stop(self, streams: Flags) -> None:
        """The masked streams, shape (D,), are not watched any more."""
        self._watched = self._watched & ~streams
        self._starts.forget(streams)

    def update(self, pane: CellCounts, null: Null) -> RecoveryVerdict:
        """Take a pane after the one of the alarm, and `EDetector.null` of it."""
        if not self._watched.any():
            streams = self.cells.streams
            nothing = np.zeros(streams, dtype=np.int64)
            return RecoveryVerdict(np.zeros(streams), nothing > 0, nothing)
        counts = effective(self.cells, pane)
        totals = self.cells.total(counts)
        self._open(null, totals)
        self._starts.add(counts, totals)
        fade = 1 - 1 / self.parameters.recent_panes
        self._recent = np.where(
            self.cells.spread(self._watched & (totals > 0)),
            fade * self._recent + counts,
            self._recent,
        )
        return self._judge(null)

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on to watch the streams that `previous` watches and that are carried."""
        cells = carried.of_cells(previous.cells.offsets, self.cells.offsets)
        self._starts.carry(previous._starts, carried)
        self._nulls = cells.into(self._nulls, previous._nulls, axis=1)
        self._recent = cells.into(self._recent, previous._recent)
        self._watched = carried.into(self._watched, previous._watched)

    def state(self) -> State:
        """A copy of all that is remembered."""
        return {
            "offsets": self.cells.offsets.copy(),
            "nulls": self._nulls.copy(),
            "recent": self._recent.copy(),
            "watched": self._watched.copy(),
            **self._starts.state(),
        }

    @classmethod
    def from_state(cls, parameters: RecoveryParameters, state: Mapping[str, Any]) -> Self:
        """What `state()` was taken of."""
        cells = Ragged(np.array(state["offsets"], dtype=np.int64))
        recovery = cls(cells, parameters)
        recovery._starts = Onsets.from_state(cells, state)
        recovery._nulls = np.array(state["nulls"], dtype=np.float64)
        recovery._recent = np.array(state["recent"], dtype=np.float64)
        recovery._watched = np.array(state["watched"], dtype=np.bool_)
        return recovery

    def _open(self, null: Null, totals: Floats) -> None:
        weights = self._recent + self.parameters.prior
        mass = self.cells.total(weights)
        slot = self._starts.open(
            weights / self.cells.spread(mass), np.where(self._watched, mass, 0.0)
        )
        self._nulls[slot] = null.shares
        # The null's shares may follow a season: their mean since each start, weighted by counts.
        before = self._starts.totals
        weight = np.divide(totals, before + totals, out=np.zeros_like(before), where=totals > 0)
        self._nulls += self.cells.spread(weight) * (null.shares - self._nulls)

    def _judge(self, null: Null) -> RecoveryVerdict:
        """Weighs the starts of the watched streams alone: few streams drift at a time."""
        starts, watched = self._starts, np.flatnonzero(self._watched)
        cells, flat = self.cells.chosen(self._watched)
        counts, shares, nulls = (
            kept[:, flat] for kept in (starts.counts, starts.shares, self._nulls)
        )
        masses, totals = starts.masses[:, watched], starts.totals[:, watched]
        likely = null.kappa[watched]
        known = (masses > 0) & (starts.ages > 0)[:, None] & (likely > 0)
        kappa = np.where(known, likely, 1.0)
        mass = np.where(known, np.minimum(masses, kappa), 1.0)
        back = log_dirichlet_multinomial(cells, counts, nulls, kappa)
        stays = log_dirichlet_multinomial(cells, counts, shares, mass)
        own = log_factor(cells, counts, totals, nulls, kappa)
        gain = np.where(known & (own < self.parameters.better_by), back - stays, -inf)
        best = gain.argmax(axis=0)
        evidence = np.zeros(self.cells.streams)
        since = np.zeros(self.cells.streams, dtype=np.int64)
        evidence[watched] = np.maximum(np.take_along_axis(gain, best[None, :], axis=0)[0], 0.0)
        recovered: Flags = evidence > self.parameters.level
        since[watched] = starts.ages[best]
        return RecoveryVerdict(evidence, recovered, np.where(recovered, since, 0))
