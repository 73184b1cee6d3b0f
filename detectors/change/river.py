"""Any detector of `river.drift`, by its name; the only file that imports river.

river is imported when a name is first looked up, so that who does without does not pay for it.
"""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from detectors.carried import Carried
from detectors.change.observation import Flags, Observation, State, Verdict, columns

PREFIX = "river."
VALUES_MAX = 4096
"""Values kept of each stream."""


def river_names() -> tuple[str, ...]:
    """The detectors that river has for values, as `river.<Name>`, sorted."""
    return tuple(sorted(PREFIX + name for name in _classes("river.drift", "DriftDetector")))


@dataclass(frozen=True)
class RiverParameters:
    """Which detector of river (`river.KSWIN`), and its own arguments by name.

    Raises ValueError for a name that river does not have, for a detector of right and wrong answers
    and for an argument it does not take. A detector that takes a `seed` gets 0 unless told.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = inspect.signature(_class_of(self.name)).parameters
        unknown = sorted(set(self.arguments) - set(taken))
        if unknown:
            raise ValueError(
                f"{self.name} does not take {', '.join(unknown)}; it takes {', '.join(taken)}"
            )
        if "seed" in taken:
            object.__setattr__(self, "arguments", {"seed": 0, **self.arguments})
        try:
            self.detector()
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name} refuses its arguments: {error}") from error

    def detector(self) -> Any:
        """A fresh detector."""
        return _class_of(self.name)(**self.arguments)


class River:
    """A bank of one river detector for each of D streams, fed the mean of every observation.

    Weight and spread are ignored: feed means that are standardised. Evidence is 1 in the update in
    which it alarms, else 0; the level is 1. An alarmed detector starts afresh at once, as river's
    do at their next update.

    State without pickle: `values` are those since the last alarm or reset, one list a stream, and a
    detector is rebuilt by feeding them again. When there are 4,096 of them the older half is
    forgotten and the detector rebuilt from the rest, so that a bank which was restored and one
    which ran on always agree.
    """

    def __init__(self, streams: int, parameters: RiverParameters) -> None:
        self.parameters = parameters
        self._values: list[list[float]] = [[] for _ in range(streams)]
        self._detectors = [parameters.detector() for _ in range(streams)]

    @property
    def streams(self) -> int:
        """How many streams the bank watches."""
        return len(self._values)

    def update(self, observation: Observation) -> Verdict:
        """Take one observation of each stream; see `Detector.update`."""
        n, mean, _, _ = columns(observation, self.streams)
        alarm = np.zeros(self.streams, dtype=np.bool_)
        for stream in np.flatnonzero(n > 0).tolist():
            alarm[stream] = self._feed(stream, float(mean[stream]))
        self.reset(alarm)
        return Verdict(alarm.astype(np.float64), np.ones(self.streams), alarm)

    def reset(self, mask: Flags) -> None:
        """Forget everything about the masked streams; see `Detector.reset`."""
        for stream in np.flatnonzero(mask).tolist():
            self._rebuild(stream, [])

    def carry(self, previous: Self, carried: Carried) -> None:
        """Go on with the streams of `previous` that are carried; see `Detector.carry`.

        Their detectors are taken over as they are: to feed thousands of values again takes long.
        """
        for old, new in zip(carried.old.tolist(), carried.new.tolist(), strict=True):
            self._detectors[new] = previous._detectors[old]
            self._values[new] = previous._values[old]

    def state(self) -> State:
        """A copy of the values: `{"values": [[...], ...]}`."""
        return {"values": [list(values) for values in self._values]}

    @classmethod
    def from_state(cls, parameters: RiverParameters, state: Mapping[str, Any]) -> Self:
        """The bank that `state()` was taken of."""
        bank = cls(len(state["values"]), parameters)
        for stream, values in enumerate(state["values"]):
            bank._rebuild(stream, [float(value) for value in values[-VALUES_MAX:]])
        return bank

    def _feed(self, stream: int, value: float) -> bool:
        detector, values = self._detectors[stream], self._values[stream]
        detector.update(value)
        values.append(value)
        if detector.drift_detected:
            return True
        if len(values) >= VALUES_MAX:
            self._rebuild(stream, values[-VALUES_MAX // 2 :])
        return False

    def _rebuild(self, stream: int, values: list[float]) -> None:
        detector = self.parameters.detector()
        for value in values:
            detector.update(value)
        self._detectors[stream], self._values[stream] = detector, values


def _class_of(name: str) -> Any:
    values = _classes("river.drift", "DriftDetector")
    bare = name.removeprefix(PREFIX)
    if name.startswith(PREFIX) and bare in values:
        return values[bare]
    if bare.rpartition(".")[2] in _classes("river.drift.binary", "BinaryDriftDetector"):
        raise ValueError(
            f"{name} watches right and wrong answers, not values; "
            f"there are {', '.join(river_names())}"
        )
    raise ValueError(f"river has no drift detector {name!r}; there are {', '.join(river_names())}")


def _classes(module_name: str, kind: str) -> dict[str, Any]:
    """The classes a module of river offers that are of this kind, by name."""
    module = importlib.import_module(module_name)
    root = getattr(importlib.import_module("river.base"), kind)
    offered = ((name, getattr(module, name, None)) for name in module.__all__)
    return {n: c for n, c in offered if inspect.isclass(c) and issubclass(c, root)}
