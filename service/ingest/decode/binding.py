"""A plan made ready for decoding: which place of a row fills which column."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.summary.profile import INVALID_VALUE
from service.ingest.decode.admission import NAME_BYTES_MAX, REPLACEMENT
from service.ingest.decode.derived import Derivation
from service.ingest.decode.scalars import boolean, category, text_of
from service.ingest.decode.segments import SegmentColumns
from service.values.batches import INVALID, MISSING, UNSEEN
from service.values.plans import Plan
from service.values.streams import LATENCY, PREDICTION, Kind, StreamKey, segment_of

_MEMO_MAX = 20_000


class Codes(dict[Any, int]):
    """Raw value -> code of one categorical stream.

    Holds the texts of the categories, of the rare ones (all with the code `other`) and the
    sentinels; every other value is read when it comes (and not remembered, since there can be any
    number of strangers). A stranger is unseen, or other if the stream is `open_ended`.
    """

    def __init__(
        self,
        names: Sequence[str],
        missing: frozenset[str],
        *,
        booleans: bool,
        rare: Iterable[str] = (),
        open_ended: bool = False,
    ) -> None:
        self.other = len(names)
        known = dict.fromkeys(rare, self.other) | {name: code for code, name in enumerate(names)}
        known = {name: code for name, code in known.items() if name not in missing}
        super().__init__(known)
        self._stranger = self.other if open_ended else UNSEEN
        self.booleans = booleans
        if booleans and not missing & {"0", "1"}:
            self.update(
                {name == "true": known[name] for name in ("false", "true") if name in known}
            )
        elif not booleans:
            self.update({int(name): code for name, code in known.items() if _is_whole(name)})
        self.update(dict.fromkeys(missing, MISSING))
        self[None] = MISSING
        self[INVALID_VALUE] = INVALID

    def __missing__(self, value: Any) -> int:
        plain = category(value)
        if self.get(plain) == MISSING:
            return MISSING
        read = boolean(value) if self.booleans else plain
        return self.get(read, self._stranger) if type(read) is str else INVALID

    def name_of(self, value: Any) -> str:
        """The name of a value that is unseen or other."""
        return str(boolean(value) if self.booleans else category(value))


def _is_whole(name: str) -> bool:
    """Whether an integer has this text; 0 and 1 aside, since as keys they equal False and True."""
    if not (name.isascii() and name.isdecimal()) or len(name) > 18 or name in {"0", "1"}:
        return False
    return str(int(name)) == name


class Sentinels:
    """What means "not there", for every feature and for some."""

    def __init__(self, plan: Plan, everywhere: tuple[float | str, ...]) -> None:
        self._everywhere = plan.missing + everywhere
        self._of_all = _Marks(self._everywhere)
        self._of_some = {
            feature: _Marks((*self._everywhere, *marks))
            for feature, marks in plan.missing_by_feature.items()
        }

    def __bool__(self) -> bool:
        return bool(self._everywhere or self._of_some)

    def of(self, feature: str) -> "_Marks":
        """The sentinels of one feature."""
        return self._of_some.get(feature, self._of_all)

    def is_one(self, feature: str, value: Any) -> bool:
        """Whether a float or a text is one."""
        kind = type(value)
        if kind is str:
            return value in self.of(feature).texts
        return kind is float and value in self.of(feature).numbers


class _Marks:
    """Sentinels: those that are numbers, and all as text, as a category would be written."""

    def __init__(self, marks: tuple[float | str, ...]) -> None:
        self.numbers = frozenset(float(mark) for mark in marks if not isinstance(mark, str))
        self.texts = frozenset(text for mark in marks if (text := text_of(mark)) is not None)


class InputKeys(dict[str, StreamKey]):
    """Feature name -> its stream, remembered for the first 20,000 names."""

    def __missing__(self, name: str) -> StreamKey:
        key = StreamKey(Kind.INPUT, name)
        if len(self) < _MEMO_MAX:
            self[name] = key
        return key


class Binding:
    """Where each column of a plan comes from. Positions are columns of the batch's two matrices.

    `exact`: every feature's name in an event is the plan's, since none was altered on admission.
    `excluded`: features of the plan that the source never looks at; they are missing.
    `unnamed_positions`: of the categorical columns, those that are no feature; `derived_codes`,
    those that follow from other columns.
    `in_order`: the numeric inputs are the first columns; `padding` stands for the others.
    """

    def __init__(
        self, plan: Plan, missing: tuple[float | str, ...], never: tuple[str, ...]
    ) -> None:
        self.plan = plan
        self.never = never + plan.ignored
        self.sentinels = Sentinels(plan, missing)
        self.numeric_positions = [i for i, key in enumerate(plan.numeric) if _is_input(key)]
        self.numeric_inputs = [plan.numeric[i].name for i in self.numeric_positions]
        self.categorical_positions = [i for i, key in enumerate(plan.categorical) if _is_input(key)]
        self.categorical_inputs = [plan.categorical[i].name for i in self.categorical_positions]
        self.excluded = frozenset(
            name for name in plan.features if any(fnmatchcase(name, glob) for glob in never)
        )
        self.booleans = [key in plan.boolean for key in plan.categorical]
        self.codes = self._codes()
        self.prediction_numeric = _position(plan.numeric, PREDICTION)
        self.prediction_categorical = _position(plan.categorical, PREDICTION)
        self.unnamed_positions = [i for i, key in enumerate(plan.categorical) if not _is_input(key)]
        self.derivation = Derivation(plan)
        self.segments = SegmentColumns(plan)
        self.derived_codes = self.derivation.code_positions | self.segments.code_positions
        self.latency = _position(plan.numeric, LATENCY)
        self.other_outputs = {
            key: i
            for i, key in enumerate(plan.numeric)
            if key.kind is Kind.OUTPUT and key != PREDICTION and segment_of(key) is None
        }
        self.in_order = self.numeric_positions == list(range(len(self.numeric_positions)))
        self.padding: list[float | None] = [None] * (
            len(plan.numeric) - len(self.numeric_positions)
        )
        self._ignored: dict[str, bool] = {}
        self.keys = InputKeys()
        watched = frozenset(plan.streams)
        self.learns_prediction = plan.learn_outputs and PREDICTION not in watched
        self.learns_latency = plan.learn_outputs and LATENCY not in watched

        self.exact = not any(
            REPLACEMENT in name or len(name.encode()) == NAME_BYTES_MAX for name in plan.features
        )

    def ignores(self, name: str) -> bool:
        """Whether a feature is one never looked at."""
        found = self._ignored.get(name)
        if found is None:
            found = any(fnmatchcase(name, glob) for glob in self.never)
            if len(self._ignored) < _MEMO_MAX:
                self._ignored[name] = found
        return found

    def mark_missing(self, numeric: NDArray[np.float64]) -> None:
        """Turn numeric sentinels into NaN, in place."""
        if not self.sentinels:
            return
        for position, name in zip(self.numeric_positions, self.numeric_inputs, strict=True):
            numbers = self.sentinels.of(name).numbers
            if numbers:
                column = numeric[:, position]
                column[np.isin(column, list(numbers))] = np.nan

    def _codes(self) -> list[Codes]:
        plan = self.plan
        return [
            Codes(
                names,
                self.sentinels.of(key.name).texts if _is_input(key) else frozenset(),
                booleans=is_boolean,
                rare=plan.rare.get(key, ()),
                open_ended=key in plan.open_ended,
            )
            for key, names, is_boolean in zip(
                plan.categorical, plan.layout.categories, self.booleans, strict=True
            )
        ]


def _is_input(key: StreamKey) -> bool:
    return key.kind is Kind.INPUT


def _position(keys: tuple[StreamKey, ...], key: StreamKey) -> int | None:
    return keys.index(key) if key in keys else None
