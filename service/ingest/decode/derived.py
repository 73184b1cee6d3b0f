"""Streams that no event holds, since they follow from the columns of a batch."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.joint import reconstruction_errors
from detectors.summary.profile import INVALID_VALUE, Value
from service.values.batches import INVALID, MISSING
from service.values.plans import Plan
from service.values.streams import JOINT, PREDICTION, Kind, StreamKey, cutoff_of


class Derivation:
    """What a plan derives: the reconstruction error, and whether predictions are above cut-offs.

    `code_positions` are the columns of the codes that it fills.
    """

    def __init__(self, plan: Plan) -> None:
        places = {key: i for i, key in enumerate(plan.numeric)}
        self._projection = plan.projection
        names = plan.projection.features if plan.projection else ()
        self._inputs = _columns([places[StreamKey(Kind.INPUT, name)] for name in names])
        self._joint = places.get(JOINT)
        self._prediction = places.get(PREDICTION)
        self._coded = {
            i: cutoff
            for i, key in enumerate(plan.categorical)
            if (cutoff := cutoff_of(key)) is not None
        }
        self._learned = {
            key: cutoff for key in plan.derived if (cutoff := cutoff_of(key)) is not None
        }
        self.code_positions = frozenset(self._coded)

    def fill(
        self,
        numeric: NDArray[np.float64],
        codes: NDArray[np.int32],
        learned: Mapping[StreamKey, list[Value]],
    ) -> dict[StreamKey, list[Value]]:
        """Fill the columns of derived streams with cells; returns the values of those without.

        numeric and codes are those of the batch, `learned` what is learned of its other streams.
        """
        found: dict[StreamKey, list[Value]] = {}
        if self._projection:
            errors = reconstruction_errors(self._projection, numeric[:, self._inputs])
            if self._joint is None:
                found[JOINT] = [None if e != e else e for e in errors.tolist()]  # noqa: PLR0124
            else:
                numeric[:, self._joint] = errors
        if self._coded or self._learned:
            if self._prediction is None:
                predictions = _numbers(learned.get(PREDICTION, ()), len(numeric))
            else:
                predictions = numeric[:, self._prediction]
            for position, cutoff in self._coded.items():
                codes[:, position] = _sides(predictions, cutoff)
            for key, cutoff in self._learned.items():
                found[key] = [_SIDES[code] for code in _sides(predictions, cutoff).tolist()]
        return found


_SIDES: dict[int, Value] = {0: False, 1: True, MISSING: None, INVALID: INVALID_VALUE}


def _columns(positions: list[int]) -> slice | list[int]:
    """A slice where possible: it copies nothing."""
    if positions and positions == list(range(positions[0], positions[0] + len(positions))):
        return slice(positions[0], positions[0] + len(positions))
    return positions


def _numbers(values: Sequence[Value], count: int) -> NDArray[np.float64]:
    """Learned values as a column: NaN = missing, infinite = no number."""
    numbers = [np.nan if v is None else v if type(v) is float else np.inf for v in values]
    return np.array(numbers) if numbers else np.full(count, np.nan)


def _sides(predictions: NDArray[np.float64], cutoff: float) -> NDArray[np.int32]:
    """Codes over (false, true): is a prediction above the cut-off?"""
    sides = (predictions > cutoff).astype(np.int32)
    sides[np.isinf(predictions)] = INVALID
    sides[np.isnan(predictions)] = MISSING
    return sides
