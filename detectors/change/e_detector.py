"""The e-detector: evidence that the counts of a stream have changed shape, against a known budget.

Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
New England Journal of Statistics in Data Science (2023), over Dirichlet-multinomial Bayes factors
(`detectors.change.bayes_factor`); the sum over onsets is Shiryaev's (1963) and Roberts's (1966).

For every onset s, L_s weighs a shape of its own since s against the shape known before s, give or
take the tolerance. Under the null exp L_s has the mean 1 at any time, so that the sum over onsets
grows by 1 a pane on average, and exceeds A within T panes with at most the chance T / A.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Self

import numpy as np

from detectors.carried import Carried
from detectors.change.bayes_factor import FactorMasses
from detectors.change.observation import Flags, State, Verdict, per_stream
from detectors.change.onsets import Onsets
from detectors.change.pool import with_prior, without_prior
from detectors.change.ragged import Floats, Indices, Ragged

MASS_MIN = 50.0
"""Below it a null is so vague that a stream is blind: it shows no evidence."""


@dataclass(frozen=True)
class EDetectorParameters:
    """How to judge; `level` and `kappa` are one number, or one a stream.

    level: ln A, the evidence above which it alarms. kappa: the mass of the null that the tolerance
    asks for (`kappa_of_tolerance`). onsets: how many are kept. pool_mass_max: the pool of what is
    normal is frozen there. prior: counts that every cell has beforehand, but a tenth of it where
    there is none: the more a cell has, the louder it speaks by staying empty. Three empty cells
    with 0.5 each beside one of 1,000 were noticed after some million events.
    """

    level: float | tuple[float, ...] = 14.8
    kappa: float | tuple[float, ...] = 6033.0
    onsets: int = 14
    pool_mass_max: float = 100_000.0
    prior: float = 0.5

    def __post_init__(self) -> None:
        for name in ("level", "kappa", "pool_mass_max", "prior"):
            if not np.all(np.asarray(getattr(self, name)) > 0):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


@dataclass(frozen=True, eq=False)
class CellCounts:
    """One pane of D streams with C cells in all.

    counts (C,): a stream without any, or with one that is negative or not finite, was not seen.
    dispersion (D,) or one number: phi, at least 1; counts are worth 1 / phi each.
    learned (D,) or one number: kappa_learned, what slow wander leaves of the null's mass.
    expected (C,): shares of the season now, of streams where `expected_mass` (D,) is positive: how
    many counts they are worth. The others are expected to have the pool's shares.
    """

    counts: np.ndarray
    dispersion: Floats | float = 1.0
    learned: Floats | float = inf
    expected: Floats | None = None
    expected_mass: Floats | float = 0.0


@dataclass(frozen=True, eq=False)
class EVerdict(Verdict):
    """What the e-detector thinks of each of D streams.

    `onset_panes`, shape (D,): how many panes ago, this one included, the change most likely began;
    0 where no onset counts. `seen`, shape (D,): which had any counts.
    """

    onset_panes: Indices
    seen: Flags


@dataclass(frozen=True, eq=False)
class Null:
    """What is normal now: expected `shares` (C,) and the mass `kappa` (D,) of the null."""

    shares: Floats
    kappa: Floats


class EDetector:
    """A bank over the D streams of `cells`; `reference` are the counts (C,) of what is normal.

    Evidence is ln(sum over onsets of exp L_s), at least 0; it keeps its value while a stream is not
    seen, and is 0 while the stream is blind (null's mass below 50, tolerance apart: too small a
    reference, or too much wander).

    The pool (the reference, and every live pane that was not part of an alarm) is what later onsets
    are compared with. An alarm gives it back as it was at the alarm's onset, and *holds* the
    stream: nothing more is pooled until `reset`, which is the caller's once the stream recovered.
    A stream with a season has no use for the pool: its expected shares come with each pane.
    """

    def __init__(
        self, cells: Ragged, reference: np.ndarray, parameters: EDetectorParameters | None = None
    ) -> None:
        self.cells = cells
        self.parameters = parameters or EDetectorParameters()
        self._level = per_stream(self.parameters.level, cells.streams, "level")
        self._kappa = per_stream(self.parameters.kappa, cells.streams, "kappa")
        self._onsets = Onsets(cells, self.parameters.onsets)
        self._pool = _of_cells(reference, cells, "the reference")
        self._dispersion = np.ones(cells.streams)
        self._held = np.zeros(cells.streams, dtype=np.bool_)
        self._masses = FactorMasses(cells, self.parameters.onsets)
        self._told: tuple[CellCounts, Null, Flags] | None = None

    @property
    def streams(self) -> int:
        """How many streams the bank watches."""
        return self.cells.streams

    def update(self, pane: CellCounts) -> EVerdict:
        """Take one closed pane. Raises ValueError if it is not of C cells."""
        counts, totals = self._effective(pane)
        null, seasonal = self._expected(pane)
        slot = self._onsets.open(null.shares, null.kappa)
        self._masses.forget(slot)
        if seasonal.any():
            self._onsets.expect(null.shares, totals, seasonal)
            self._masses.forget(slice(None), seasonal)
        self._onsets.add(counts, totals)
        verdict, best = self._judge(pane, totals > 0)
        self._hold(verdict.alarm & ~self._held, best, seasonal)
        self._feed(counts, ~(self._held | seasonal))
        self._told = None
        return verdict

    def null(self, pane: CellCounts) -> Null:
        """The null that a pane is to be compared with, as `Recovery` wants it."""
        null, _ = self._expected(pane)
        return Null(null.shares, np.minimum(np.minimum(self._kappa, pane.learned), null.kappa))

    def blind(self, pane: CellCounts) -> Flags:
        """Which streams show no evidence now, shape (D,): too little is known, or they wander."""
        null, _ = self._expected(pane)
        return np.minimum(pane.learned, null.kappa) < MASS_MIN

    def since(self, onset_panes: Indices) -> Floats:
        """The counts (C,) over phi since each stream's `EVerdict.onset_panes`; 0 for unknown."""
        match = self._onsets.ages[:, None] == onset_panes[None, :]
        known = match.any(axis=0) & (onset_panes > 0)
        rows = self.cells.spread(np.where(known, match.argmax(axis=0), 0))
        since: Floats = self._onsets.counts[rows, np.arange(self.cells.cells)]
        return np.where(self.cells.spread(known), since, 0.0)

    def reset(self, mask: Flags) -> None:
        """The masked streams, shape (D,), start afresh, with the pool as it is."""
        self._onsets.forget(mask)
        self._held = self._held & ~mask

    def restart(self, mask: Flags, reference: np.ndarray) -> None:
        """The masked streams start afresh, and know of nothing but the `reference` (C,).

        Wanted where phi was a guess until now: a prior of half a count is much beside counts that
        were divided by ten, and would stay so in what onsets have been compared with.
        """
        self.reset(mask)
        known = _of_cells(reference, self.cells, "the reference")
        known = known / self.cells.spread(self._dispersion)
        self._pool = np.where(self.cells.spread(mask), known, self._pool)
        self._told = None

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous` that are carried, which has as many onsets.

        Of the others no onset counts that was there before.
        """
        cells = carried.of_cells(previous.cells.offsets, self.cells.offsets)
        self._onsets.carry(previous._onsets, carried)
        self._pool = cells.into(self._pool, previous._pool)
        self._dispersion = carried.into(self._dispersion, previous._dispersion)
        self._held = carried.into(self._held, previous._held)
        self._masses.forget(slice(None))
        self._told = None

    def state(self) -> State:
        """A copy of all that is remembered: `Onsets`, offsets, pool, dispersion, held."""
        return {
            "offsets": self.cells.offsets.copy(),
            "pool": self._pool.copy(),
            "dispersion": self._dispersion.copy(),
            "held": self._held.copy(),
            **self._onsets.state(),
        }

    @classmethod
    def from_state(cls, parameters: EDetectorParameters, state: Mapping[str, Any]) -> Self:
        """The bank that `state()` was taken of. Raises ValueError if `onsets` has changed."""
        if len(state["ages"]) != parameters.onsets:
            raise ValueError(
                f"the state has {len(state['ages'])} onsets, the parameters say "
                f"{parameters.onsets}; start a new detector to change onsets"
            )
        cells = Ragged(np.array(state["offsets"], dtype=np.int64))
        bank = cls(cells, np.array(state["pool"], dtype=np.float64), parameters)
        bank._dispersion = np.array(state["dispersion"], dtype=np.float64)
        bank._held = np.array(state["held"], dtype=np.bool_)
        bank._onsets = Onsets.from_state(cells, state)
        return bank

    def _effective(self, pane: CellCounts) -> tuple[Floats, Floats]:
        """Counts over phi, 0 where not seen, and their sums."""
        counts = effective(self.cells, pane)
        self._rescale(_dispersion(self.cells, pane))
        return counts, self.cells.total(counts)

    def _rescale(self, dispersion: Floats) -> None:
        """What is remembered was divided by another phi: it is worth that much more or less."""
        ratio = self._dispersion / dispersion
        if (ratio == 1).all():
            return
        onsets, by_cell = self._onsets, self.cells.spread(ratio)
        self._pool = self._pool * by_cell
        onsets.counts *= by_cell
        onsets.totals *= ratio
        onsets.masses *= ratio
        self._dispersion = dispersion.copy()

    def _expected(self, pane: CellCounts) -> tuple[Null, Flags]:
        """Shares now and the mass behind them, and which streams have a season. Asked for again of
        the same pane, before it is taken, it is what was said.
        """
        if self._told is None or self._told[0] is not pane:
            self._told = (pane, *self._expectation(pane))
        return self._told[1:]

    def _expectation(self, pane: CellCounts) -> tuple[Null, Flags]:
        worth = self.cells.spread(self._dispersion / _dispersion(self.cells, pane))
        weights = with_prior(self._pool * worth, self.parameters.prior)
        mass = self.cells.total(weights)
        shares = weights / self.cells.spread(mass)
        season = np.asarray(pane.expected_mass, dtype=np.float64)
        if pane.expected is None or not (season > 0).any():
            return Null(shares, mass), np.zeros(self.streams, dtype=np.bool_)
        seasonal: Flags = np.broadcast_to(season, mass.shape) > 0
        given = _of_cells(pane.expected, self.cells, "the season")
        shares = np.where(self.cells.spread(seasonal), given, shares)
        return Null(shares, np.where(seasonal, season, mass)), seasonal

    def _judge(self, pane: CellCounts, seen: Flags) -> tuple[EVerdict, Indices]:
        """The verdict, and the slot of each stream's likeliest onset."""
        factors = self._factors(pane.learned)
        best = factors.argmax(axis=0)
        largest = factors.max(axis=0)
        known = largest > -inf
        peak = np.where(known, largest, 0.0)
        # Of what is known the sum is 1 at least; of the rest nothing is told.
        summed = peak + np.log(np.maximum(np.exp(factors - peak).sum(axis=0), 1.0))
        evidence = np.where(known, np.maximum(summed, 0.0), 0.0)
        alarm = seen & (evidence > self._level)
        onset = np.where(known, self._onsets.ages[best], 0)
        return EVerdict(evidence, self._level.copy(), alarm, onset, seen), best

    def _factors(self, learned: Floats | float) -> Floats:
        """L_s, shape (S, D); minus infinity where there is no onset, or one that is blind."""
        onsets = self._onsets
        known = np.minimum(learned, onsets.masses)
        usable = (known >= MASS_MIN) & (onsets.ages > 0)[:, None]
        kappa = np.where(usable, np.minimum(self._kappa, known), 1.0)
        factors = self._masses.log_factor(onsets.counts, onsets.totals, onsets.shares, kappa)
        return np.where(usable, factors, -inf)

    def _hold(self, streams: Flags, best: Indices, seasonal: Flags) -> None:
        """The pool as it was at the likeliest onset, for streams that began to alarm."""
        if not streams.any():
            return
        self._held = self._held | streams
        back = self.cells.spread(streams & ~seasonal)
        slots, cells = self.cells.spread(best), np.arange(self.cells.cells)
        mass = self.cells.spread(self._onsets.masses[best, np.arange(self.streams)])
        before = without_prior(self._onsets.shares[slots, cells] * mass, self.parameters.prior)
        self._pool = np.where(back, before, self._pool)

    def _feed(self, counts: Floats, streams: Flags) -> None:
        room = self.cells.total(self._pool) < self.parameters.pool_mass_max
        self._pool = self._pool + counts * self.cells.spread(streams & room)


def effective(cells: Ragged, pane: CellCounts) -> Floats:
    """Counts over phi, shape (C,); 0 of streams that were not seen."""
    counts = _of_cells(pane.counts, cells, "the pane")
    worth = 1 / _dispersion(cells, pane)
    sound = np.isfinite(counts) & (counts >= 0)
    if not sound.all():
        worth = np.where(cells.total(~sound) > 0, 0.0, worth)
        counts = np.where(cells.spread(worth) > 0, counts, 0.0)
    weighted: Floats = counts * cells.spread(worth)
    return weighted


def _dispersion(cells: Ragged, pane: CellCounts) -> Floats:
    dispersion: Floats = np.maximum(pane.dispersion, 1.0)
    return dispersion if dispersion.ndim else np.full(cells.streams, dispersion)


def _of_cells(values: np.ndarray, cells: Ragged, what: str) -> Floats:
    """A copy as floats. Raises ValueError if there are not C of them."""
    if values.shape != (cells.cells,):
        raise ValueError(
            f"{what} has the shape {values.shape}, but the streams have {cells.cells} cells; "
            f"build the detector anew when the streams change"
        )
    return values.astype(np.float64)
