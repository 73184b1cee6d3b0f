"""The volume of D streams of events: a count a pane against what the hour of the week brings.

Real traffic varies far more than a Poisson count (variance over mean 300 to 11,810 in public
data), so that its dispersion is always learned. The e-detector is that of
`detectors.change.e_detector`, with gamma-Poisson factors L_s = G(O, E; k) - G(O, E; kappa), O and E
being what came and what was expected since onset s, over phi.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from detectors.change.bayes_factor import gamma_poisson
from detectors.change.e_detector import EVerdict
from detectors.change.observation import Flags, per_stream
from detectors.change.onsets import slot_to_use
from detectors.change.ragged import Floats
from detectors.covering_line import covering_line
from detectors.dispersion import BLOCKS_MIN
from detectors.season import HOURS_A_DAY, HOURS_A_WEEK, neighbours

ALTERNATIVE_MASS = 0.3
"""k: a volume of its own may be many times the expected one, or next to nothing."""

RATIO_MIN = 10.0
"""kappa is at least so many times k: below, a volume never keeps to anything."""

DAY_HOURS, WEEK_HOURS = 0.5, 0.5
"""So many hours of the more general mean are mixed into that of an hour of the day and the week."""

FOLDS = 4
"""Parts of the history that are left out in turn, so that means do not fit their own noise."""

ARRAYS = ("ages", "counts", "expected")


class VolumeDispersion(NamedTuple):
    """phi, at least 1, and kappa (infinity without wander) of a volume."""

    phi: float
    kappa: float


class VolumeSeason:
    """Mean counts a pane by hour of the week, shrunk to the hour of the day, and that to the mean.

    State: `sums` and `panes`, shape (168,), and the length of a pane.
    """

    def __init__(self, pane_seconds: float) -> None:
        self.pane_seconds = pane_seconds
        self.sums, self.panes = np.zeros(HOURS_A_WEEK), np.zeros(HOURS_A_WEEK)

    def add(self, counts: NDArray[Any], positions: NDArray[Any]) -> None:
        """Add counts of panes at these positions of the week, arrays of shape (T,)."""
        hours = positions.astype(np.int64) % HOURS_A_WEEK
        self.sums += np.bincount(hours, weights=counts, minlength=HOURS_A_WEEK)
        self.panes += np.bincount(hours, minlength=HOURS_A_WEEK)

    def expected(self, positions: NDArray[Any]) -> Floats:
        """The expected count at each position, (T,), between the centres of hours interpolated.

        Without any pane it is 0.
        """
        means = self._means()
        around = [neighbours(position, HOURS_A_WEEK) for position in positions.tolist()]
        return np.array([(1 - w) * means[a] + w * means[b] for a, b, w in around], dtype=np.float64)

    def state(self) -> dict[str, Any]:
        """A copy of the arrays that the class describes."""
        sums, panes = self.sums.copy(), self.panes.copy()
        return {"pane_seconds": self.pane_seconds, "sums": sums, "panes": panes}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The season that `state()` was taken of."""
        season = cls(float(state["pane_seconds"]))
        season.sums = np.array(state["sums"], dtype=np.float64)
        season.panes = np.array(state["panes"], dtype=np.float64)
        return season

    def _means(self) -> Floats:
        overall = self.sums.sum() / max(self.panes.sum(), 1.0)
        day, week = (hours * 3600 / self.pane_seconds for hours in (DAY_HOURS, WEEK_HOURS))
        days = self.sums.reshape(-1, HOURS_A_DAY).sum(axis=0) + day * overall
        days /= self.panes.reshape(-1, HOURS_A_DAY).sum(axis=0) + day
        weeks: Floats = self.sums + week * np.tile(days, 7)
        return weeks / (self.panes + week)


def learn_dispersion(
    counts: NDArray[Any], positions: NDArray[Any], pane_seconds: float
) -> VolumeDispersion:
    """From a history in order of time, counts and positions of shape (T,).

    V_w = mean((O - E)^2 / E) over blocks of w = 1, 2, 4 ... panes; E of a quarter of the history
    comes from the other three. Fewer than 12 panes, or nothing expected: 1 and infinity.
    """
    expected = _left_out(counts, positions, pane_seconds)
    observed, means = np.asarray(counts, dtype=np.float64), expected
    sizes: list[tuple[float, float]] = []
    while len(observed) >= BLOCKS_MIN and means.sum() > 0:
        scale = np.maximum(means, 0.5)
        sizes.append((float(means.mean()), float(np.mean((observed - means) ** 2 / scale))))
        even = len(observed) // 2 * 2
        observed, means = (part[:even].reshape(-1, 2).sum(axis=1) for part in (observed, means))
    if not sizes:
        return VolumeDispersion(1.0, inf)
    events, variance = np.array(sizes).T[:, :, None]
    phi, kappa = covering_line(events, np.maximum(variance, 1.0), np.ones_like(events, dtype=bool))
    return VolumeDispersion(float(phi[0]), float(kappa[0]))


@dataclass(frozen=True)
class VolumeParameters:
    """How to judge; numbers, or one a stream. level: ln A. kappa: the mass of the null that the
    tolerance asks for: 1 / sqrt(kappa) is the relative change that is normal.
    """

    level: float | tuple[float, ...] = 14.8
    kappa: float | tuple[float, ...] = 400.0
    onsets: int = 14

    def __post_init__(self) -> None:
        for name in ("level", "kappa"):
            if not np.all(np.asarray(getattr(self, name)) > 0):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


class VolumeDetector:
    """A bank over the volumes of D streams.

    Evidence is ln(sum over onsets of exp L_s), at least 0; 0 where the null is too vague
    (kappa below 3: the volume is `unstable`). Silence is a count of 0 and is noticed; a stream that
    is expected to have nothing is not seen.

    State: `ages` (S,), `counts` and `expected` (S, D), the latter two over phi; expected -1: a
    stream without this onset.
    """

    def __init__(self, streams: int, parameters: VolumeParameters | None = None) -> None:
        self.parameters = parameters or VolumeParameters()
        self._level = per_stream(self.parameters.level, streams, "level")
        self._kappa = per_stream(self.parameters.kappa, streams, "kappa")
        self.ages = np.zeros(self.parameters.onsets, dtype=np.int64)
        self.counts = np.zeros((self.parameters.onsets, streams))
        self.expected = np.full((self.parameters.onsets, streams), -1.0)

    @property
    def streams(self) -> int:
        """How many volumes the bank watches."""
        return len(self._level)

    def update(
        self,
        counts: NDArray[Any],
        expected: Floats,
        phi: Floats | float = 1.0,
        learned: Floats | float = inf,
    ) -> EVerdict:
        """Take the counts (D,) of one pane, what was expected, and the dispersion.

        A stream where something is not finite or negative, or nothing is expected, is not seen.
        """
        seen = np.isfinite(counts) & (counts >= 0) & np.isfinite(expected) & (expected > 0)
        worth = np.where(seen, 1 / np.maximum(phi, 1.0), 0.0)
        self._open()
        active = self.expected >= 0
        self.counts += np.where(active & seen, np.where(seen, counts, 0.0) * worth, 0.0)
        self.expected += np.where(active & seen, np.where(seen, expected, 0.0) * worth, 0.0)
        return self._judge(seen, np.broadcast_to(learned, (self.streams,)))

    def reset(self, mask: Flags) -> None:
        """The masked streams, shape (D,), start afresh."""
        self.counts[:, mask], self.expected[:, mask] = 0.0, -1.0

    def state(self) -> dict[str, Any]:
        """A copy of the arrays that the class describes."""
        return {name: getattr(self, name).copy() for name in ARRAYS}

    @classmethod
    def from_state(cls, parameters: VolumeParameters, state: Mapping[str, Any]) -> Self:
        """The bank that `state()` was taken of."""
        bank = cls(np.shape(state["counts"])[1], parameters)
        bank.ages = np.array(state["ages"], dtype=np.int64)
        bank.counts = np.array(state["counts"], dtype=np.float64)
        bank.expected = np.array(state["expected"], dtype=np.float64)
        return bank

    def _open(self) -> None:
        self.ages[self.ages > 0] += 1
        slot = slot_to_use(self.ages)
        self.ages[slot] = 1
        self.counts[slot], self.expected[slot] = 0.0, 0.0

    def _judge(self, seen: Flags, learned: Floats) -> EVerdict:
        kappa = np.minimum(self._kappa, learned)
        usable = (self.expected >= 0) & (self.ages > 0)[:, None]
        usable &= kappa >= RATIO_MIN * ALTERNATIVE_MASS
        mass, expected = np.where(kappa > 0, kappa, 1.0), np.maximum(self.expected, 0.0)
        factor = gamma_poisson(self.counts, expected, ALTERNATIVE_MASS)
        factor = factor - gamma_poisson(self.counts, expected, mass)
        factor = np.where(usable, factor, -inf)
        best = factor.argmax(axis=0)
        known = usable.any(axis=0)
        peak = np.where(known, factor.max(axis=0), 0.0)
        summed = peak + np.log(np.maximum(np.exp(factor - peak).sum(axis=0), 1e-300))
        evidence = np.where(known, np.maximum(summed, 0.0), 0.0)
        onset = np.where(known, self.ages[best], 0)
        alarm = seen & (evidence > self._level)
        return EVerdict(evidence, self._level.copy(), alarm, onset, seen)


def _left_out(
    counts: NDArray[Any], positions: NDArray[Any], pane_seconds: float
) -> NDArray[np.float64]:
    """What the other three quarters of the history expect, (T,)."""
    fold = np.arange(len(counts)) * FOLDS // max(len(counts), 1)
    expected = np.zeros(len(counts))
    for left_out in range(FOLDS):
        season, out = VolumeSeason(pane_seconds), fold == left_out
        season.add(counts[~out], positions[~out])
        expected[out] = season.expected(positions[out])
    return expected


def kappa_of_ratio(ratio: float, level: float) -> float:
    """The null's mass at which a volume within a factor `ratio` (above 1) never alarms.

    Solves G's limit for long windows, in which a factor r costs the null
    kappa (r - 1 - ln r) and a volume of its own about ln(kappa / k) / 2: equal to `level`.
    """
    if ratio <= 1:
        raise ValueError(f"the ratio is {ratio}; it must be above 1, such as 1.2")
    # By the same factor downwards costs less, so that the way up is tolerated a little further.
    cost = 1 / ratio - 1 + log(ratio)
    kappa = (level + 0.5 * log(RATIO_MIN)) / cost
    for _ in range(100):
        kappa = (level + 0.5 * log(max(kappa / ALTERNATIVE_MASS, RATIO_MIN))) / cost
    return kappa
