"""Rates of events as they are typed: `10`, `10/s`, `1/min`, and of some models `churn=1/min`."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from re import fullmatch
from typing import NamedTuple

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SPELLED = {"sec": "s", "m": "min", "hour": "h", "day": "d"}


class Rate(NamedTuple):
    """So many events in each of a unit of time: s, min, h or d."""

    events: float
    unit: str = "s"

    def __str__(self) -> str:
        """`1 event/min`, `10 events/s`."""
        return f"{self.events:g} {'event' if self.events == 1 else 'events'}/{self.unit}"

    @property
    def per_second(self) -> float:
        """Events a second."""
        return self.events / _UNITS[self.unit]


class Rates:
    """The rate of each model: the last that was said for a glob that it matches, else for all."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Raises ValueError for a text that is no rate."""
        self._said: list[tuple[str, Rate]] = []
        for text in texts:
            glob, equals, rate = text.rpartition("=")
            if equals and not glob:
                raise ValueError(f"{text!r} names no model; write churn=1/min")
            self._said.append((glob or "*", parse_rate(rate)))
        self._said.sort(key=lambda said: said[0] != "*")  # what holds for all comes first

    def of(self, model: str) -> Rate:
        """The rate of a model. `*` has to have been said, else KeyError for those not named."""
        for glob, rate in reversed(self._said):
            if fnmatchcase(model, glob):
                return rate
        raise KeyError(model)

    @property
    def globs(self) -> tuple[str, ...]:
        """The models that were named, as they were."""
        return tuple(glob for glob, _ in self._said if glob != "*")


def parse_rate(text: str) -> Rate:
    """`10`, `10/s`, `0.5/min`, `3/h`, `200/d`. Raises ValueError."""
    found = fullmatch(r"\s*(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(?:/\s*([a-z]+))?\s*", text)
    unit = _SPELLED.get(found[2], found[2]) if found and found[2] else "s"
    if found is None or unit not in _UNITS or float(found[1]) <= 0:
        units = ", ".join(_UNITS)
        raise ValueError(f"{text!r} is no rate: write 10/s, 1/min or churn=1/min (a unit: {units})")
    return Rate(float(found[1]), unit)
