"""What was seen of one stream before there is a reference to compare it with."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from detectors.summary.columns import Columns
from detectors.summary.distinct import Distinct
from detectors.summary.heavy_hitters import HeavyNames
from detectors.summary.moments import Moments
from detectors.summary.quantiles import Quantiles

NAMES_MAX = 10_000
"""Different texts that are counted exactly; beyond, Misra-Gries counters keep the frequent ones."""

NUMBERS_WAITING_MAX = 512
"""Numbers that wait until there are enough of them to be worth the vector operations."""

_NUMBER, _TEXT = 0, 1


@final
class InvalidValue:
    """A value that was there but cannot be counted: an infinity, a list, a huge integer.

    There is one, `INVALID_VALUE`; compare with `is`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "INVALID_VALUE"


INVALID_VALUE: Final = InvalidValue()

Value: TypeAlias = float | str | bool | InvalidValue | None
"""One value of a stream without cells; None is missing."""


class Profile:
    """Counts of one stream's values whatever their types: what a reference is made from.

    missing, invalid: how many. booleans: int64, how often false and true. texts: how many texts.
    names: the texts' counts, exact (`names.error` 0) up to NAMES_MAX different ones.
    moments, quantiles: of the finite numbers; up to 4,096 different ones are held exactly.

    `merge` is associative and commutative; integers are exact, moments within 1e-9 relative, names
    exact or within their bound. Every attribute is up to date when it is read.
    """

    def __init__(self) -> None:
        self.missing = 0
        self.invalid = 0
        self.texts = 0
        self.booleans = np.zeros(2, dtype=np.int64)
        self.names = HeavyNames(NAMES_MAX)
        self._moments = Moments(1)
        self._quantiles = Quantiles(1, capacity=4096, finest=0)
        self._distinct = Distinct(2)
        self._waiting: list[float] = []

    def update(self, values: Iterable[Value]) -> None:
        """Add values of any type. A NaN is missing; what is no Value counts as invalid."""
        texts: list[str] = []
        for value in values:
            if isinstance(value, str):
                texts.append(value)
            elif isinstance(value, bool):  # before int, of which it is a subclass
                self.booleans[int(value)] += 1
            elif isinstance(value, float | int):
                self._wait(value)
            elif value is None:
                self.missing += 1
            else:
                self.invalid += 1
        self.update_texts(texts)
        if len(self._waiting) >= NUMBERS_WAITING_MAX:
            self._settle()

    def update_numbers(self, numbers: NDArray[Any]) -> None:
        """Add numbers: an array of any shape, NaN = missing, an infinity = invalid."""
        columns = Columns.of_rows(numbers.reshape(-1, 1))
        self.missing += int(columns.missing[0])
        self.invalid += int(columns.invalid[0])
        self._moments.update(columns)
        self._quantiles.update(columns.runs)
        self._distinct.update(columns.runs)

    def update_texts(self, texts: Iterable[str | None]) -> None:
        """Add texts, None = missing."""
        counts: Counter[Any] = Counter(texts)
        self.missing += counts.pop(None, 0)
        if not counts:
            return
        self.texts += counts.total()
        self._distinct.update_names(_TEXT, counts.keys() - self.names.counts.keys())
        self.names.update_counts(counts)

    def update_booleans(self, booleans: Iterable[bool | None]) -> None:
        """Add booleans, None = missing."""
        counts: Counter[Any] = Counter(booleans)
        self.missing += counts[None]
        self.booleans += (counts[False], counts[True])

    def merge(self, other: "Profile") -> None:
        """Add what `other` has seen; `other` is left as it is."""
        self.missing += other.missing
        self.invalid += other.invalid
        self.texts += other.texts
        self.booleans += other.booleans
        self.moments.merge(other.moments)
        self.quantiles.merge(other.quantiles)
        self.distinct.merge(other.distinct)
        self.names.merge(other.names)

    @property
    def moments(self) -> Moments:
        """Moments of the numbers, a bank of one."""
        self._settle()
        return self._moments

    @property
    def quantiles(self) -> Quantiles:
        """Histogram of the numbers, a bank of one."""
        self._settle()
        return self._quantiles

    @property
    def distinct(self) -> Distinct:
        """Distinct counters, a bank of two: numbers and texts."""
        self._settle()
        return self._distinct

    @property
    def numbers(self) -> int:
        """How many finite numbers."""
        return int(self.moments.n[0])

    @property
    def rows(self) -> int:
        """How many values of any kind, missing and invalid ones among them."""
        kinds = self.numbers + self.texts + int(self.booleans.sum())
        return kinds + self.missing + self.invalid

    @property
    def distinct_numbers(self) -> float:
        """About how many different numbers (3.3 % standard error)."""
        return float(self.distinct.estimate()[_NUMBER])

    @property
    def distinct_texts(self) -> float:
        """How many different texts: exact up to NAMES_MAX, then about (3.3 % standard error)."""
        if self.names.error == 0:
            return float(len(self.names.counts))
        return float(self.distinct.estimate()[_TEXT])

    @property
    def singletons(self) -> int:
        """How many texts were seen once.

        Beyond NAMES_MAX it is estimated: texts that no counter holds are taken for seen once.
        """
        if self.names.error == 0:
            return sum(1 for count in self.names.counts.values() if count == 1)
        unheld = self.texts - self.names.counts.total()
        return max(0, min(unheld, round(self.distinct_texts) - len(self.names.counts)))

    def state(self) -> dict[str, Any]:
        """Plain values and arrays under flat names ("moments.mean"), all copies."""
        parts = {
            "moments": self.moments.state(),
            "quantiles": self.quantiles.state(),
            "distinct": self.distinct.state(),
            "names": self.names.state(),
        }
        return {
            "missing": self.missing,
            "invalid": self.invalid,
            "texts": self.texts,
            "booleans": self.booleans.copy(),
        } | {f"{part}.{name}": value for part, s in parts.items() for name, value in s.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The profile that `state` was taken of."""
        parts: dict[str, dict[str, Any]] = {}
        for key, value in state.items():
            part, _, name = key.rpartition(".")
            parts.setdefault(part, {})[name] = value
        profile = cls()
        profile.missing = int(state["missing"])
        profile.invalid = int(state["invalid"])
        profile.texts = int(state["texts"])
        profile.booleans = np.array(state["booleans"], dtype=np.int64)
        profile.names = HeavyNames.from_state(parts["names"])
        profile._moments = Moments.from_state(parts["moments"])
        profile._quantiles = Quantiles.from_state(parts["quantiles"])
        profile._distinct = Distinct.from_state(parts["distinct"])
        return profile

    def _wait(self, number: float) -> None:
        try:
            self._waiting.append(float(number))
        except OverflowError:  # an integer beyond the largest float
            self.invalid += 1

    def _settle(self) -> None:
        if self._waiting:
            numbers = np.array(self._waiting)
            self._waiting = []
            self.update_numbers(numbers)
