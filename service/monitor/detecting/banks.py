"""One kind of detector of means over all streams, with what its last verdict said."""

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.carried import Carried
from detectors.catalogue import build, restore
from detectors.change.observation import Detector, Flags, Floats, Observation
from service.values.watches import DetectorChoice


class Bank:
    """Watches the means of the first `means` of all `streams`; of the others it says nothing.

    `evidence`, `level` (infinite where it does not watch), `alarming`, `insisting` and `alarms` are
    arrays over all streams.
    """

    def __init__(
        self, choice: DetectorChoice, parameters: Mapping[str, Any], means: int, streams: int
    ) -> None:
        self.choice = choice
        self.parameters = parameters
        self.detector: Detector = build(choice.name, means, parameters)
        self._beyond = streams - means
        self.evidence: Floats = np.zeros(streams)
        self.level: Floats = np.full(streams, math.inf)
        self.alarming: Flags = np.zeros(streams, dtype=np.bool_)
        self.insisting: Flags = np.zeros(streams, dtype=np.bool_)
        self.alarms: NDArray[np.int64] = np.zeros(streams, dtype=np.int64)

    @property
    def name(self) -> str:
        """The detector's name in the catalogue."""
        return self.choice.name

    @property
    def score(self) -> Floats:
        """Evidence over level: 1 alarms."""
        score: Floats = np.divide(
            self.evidence, self.level, out=np.zeros(len(self.level)), where=self.level > 0
        )
        return score

    def update(self, observation: Observation) -> Flags:
        """Feed one pane; returns which streams alarm. An alarm that goes on is counted once.

        `insisting` is an alarm whose evidence did not fall: a cumulative sum goes on alarming long
        after all is well again, until it has come down from where a long drift has brought it.
        """
        verdict = self.detector.update(observation)
        alarm, evidence = self._all(verdict.alarm, 0), self._all(verdict.evidence, 0.0)
        self.insisting = alarm & (evidence >= self.evidence)
        self.evidence, self.level = evidence, self._all(verdict.level, math.inf)
        self.alarms = self.alarms + (alarm & ~self.alarming)
        self.alarming = np.where(self._all(observation.seen, 0), alarm, self.alarming)
        return alarm

    def reset(self, mask: Flags) -> None:
        """Start afresh where a drift is over."""
        self.detector.reset(mask[: len(mask) - self._beyond])
        self.evidence = np.where(mask, 0.0, self.evidence)
        self.alarming = self.alarming & ~mask

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous`, a bank of the same kind, that are carried."""
        self.detector.carry(
            previous.detector, carried.up_to(previous.detector.streams, self.detector.streams)
        )
        for name in ("evidence", "level", "alarming", "insisting"):
            setattr(self, name, carried.into(getattr(self, name), getattr(previous, name)))

    def judge_by(self, parameters: Mapping[str, Any]) -> None:
        """From the next pane on judge by other thresholds; what was seen stays."""
        self.parameters = parameters
        self.detector = restore(self.name, parameters, self.detector.state())

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

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken, with the parameters of then; as far as it reaches,
        where there are more streams now.
        """
        self.parameters = state["parameters"]
        self.detector = restore(state["name"], state["parameters"], state["detector"])
        for name in ("evidence", "level", "alarming", "alarms"):
            kept, known = getattr(self, name), state[name][: len(self.level)]
            kept[: len(known)] = known

    def _all(self, values: NDArray[Any], beyond: float) -> NDArray[Any]:
        known = len(values)
        everything: NDArray[Any] = np.empty(known + self._beyond, dtype=values.dtype)
        everything[:known], everything[known:] = values, beyond
        return everything
