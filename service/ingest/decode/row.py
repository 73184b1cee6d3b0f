"""One row of a record into the columns of its plan: a bad field costs that field alone."""

from typing import Any

from detectors.summary.profile import INVALID_VALUE
from service.ingest.decode.admission import Names
from service.ingest.decode.answers import Answer, answer_of, learned_answer, probability_stream
from service.ingest.decode.binding import Binding
from service.ingest.decode.columns import Common, RowBuilder
from service.ingest.decode.fields import Row
from service.ingest.decode.scalars import Reading, as_value
from service.values.streams import LATENCY, PREDICTION

_SURPLUS_MAX = 100
_NEEDS_NO_READING = frozenset({float, type(None)})
_HAS_NO_CODE = frozenset({dict, list})


def why_unusable(row: Row) -> str:
    """Why a row says nothing; empty when it says something."""
    if row.features or (row.prediction is not None and type(row.prediction) is not list):
        return "" if row.features or row.prediction != {} else _NOTHING
    return row.wrong or _NOTHING


_NOTHING = "no usable features and no prediction"


class RowReader:
    """Reads rows; remembers only how raw names are admitted."""

    def __init__(self) -> None:
        self._names = Names()

    def add(
        self,
        row: Row,
        number: int,
        common: Common,
        builder: RowBuilder,
        inputs: Reading,
        outputs: Reading,
    ) -> set[str]:
        """Add one usable row; returns the names of features that are too many to be learned."""
        binding = builder.binding
        features = self._admitted(row.features, binding)
        numbers = _numbers(features, binding, inputs)
        answer = answer_of(row.prediction, outputs, self._names)
        if binding.prediction_numeric is not None:
            numbers[binding.prediction_numeric] = outputs.number(answer.numeric)
        surplus = self._probabilities(answer, numbers, builder)
        if binding.learns_prediction:
            builder.learn(PREDICTION, learned_answer(answer, outputs))
        if binding.learns_latency:
            builder.learn(LATENCY, as_value(common.latency_seconds))
        if binding.plan.learn_inputs:
            surplus |= _learn(features, builder, inputs)
        builder.append(number, common, numbers, _categories(features, answer, binding, inputs))
        return surplus

    def _admitted(self, features: dict[str, Any], binding: Binding) -> dict[str, Any]:
        """The features by their clean names, without excluded ones and text that means missing."""
        if not binding.exact or binding.plan.learn_inputs:
            names = self._names
            features = {names[name]: value for name, value in features.items()}
        if binding.excluded:
            excluded = binding.excluded
            features = {n: value for n, value in features.items() if n not in excluded}
        if binding.sentinels:
            is_one = binding.sentinels.is_one
            features = {n: None if is_one(n, value) else value for n, value in features.items()}
        return features

    def _probabilities(
        self, answer: Answer, numbers: list[float | None], builder: RowBuilder
    ) -> set[str]:
        surplus: set[str] = set()
        binding = builder.binding
        for name, probability in answer.probabilities.items():
            key = probability_stream(name)
            position = binding.other_outputs.get(key)
            if position is not None:
                numbers[position] = probability
            elif binding.plan.learn_outputs and not builder.learn(key, as_value(probability)):
                surplus.add(key.name)
        return surplus


def _numbers(features: dict[str, Any], binding: Binding, inputs: Reading) -> list[float | None]:
    """The numeric columns of a row; None = missing, infinite = invalid."""
    found: list[Any] = list(map(features.get, binding.numeric_inputs))
    if not _NEEDS_NO_READING.issuperset(map(type, found)):
        found = list(map(inputs.number, found))
    if binding.in_order:
        return found + binding.padding
    row: list[float | None] = [None] * len(binding.plan.numeric)
    for position, value in zip(binding.numeric_positions, found, strict=True):
        row[position] = value
    return row


def _categories(
    features: dict[str, Any], answer: Answer, binding: Binding, inputs: Reading
) -> list[Any]:
    """Raw values in the order of the plan, which the codes know how to read."""
    found: list[Any] = list(map(features.get, binding.categorical_inputs))
    if inputs.text or not _HAS_NO_CODE.isdisjoint(map(type, found)):
        pairs = zip(binding.categorical_positions, found, strict=True)
        found = [_scalar(value, binding.booleans[at], inputs) for at, value in pairs]
    for position in binding.unnamed_positions:
        # The inputs are in the plan's order, so a column's place among them is its position.
        is_prediction = position == binding.prediction_categorical
        found.insert(position, answer.category if is_prediction else None)
    return found


def _scalar(value: Any, is_boolean: bool, inputs: Reading) -> Any:
    if type(value) in _HAS_NO_CODE:
        return INVALID_VALUE
    if inputs.text and type(value) is str:
        return inputs.boolean(value) if is_boolean else value or None
    return value


def _learn(features: dict[str, Any], builder: RowBuilder, inputs: Reading) -> set[str]:
    binding = builder.binding
    watched, keys = binding.plan.features, binding.keys
    sentinels = binding.sentinels or None
    surplus: set[str] = set()
    for name, raw in features.items():
        if name in watched or binding.ignores(name):
            continue
        value = inputs.learned(raw)
        if sentinels and sentinels.is_one(name, value):
            value = None
        if not builder.learn(keys[name], value) and len(surplus) < _SURPLUS_MAX:
            surplus.add(name)
    return surplus
