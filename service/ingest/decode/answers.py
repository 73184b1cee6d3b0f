"""A prediction taken apart: a number, the name of a class, or a probability for each class."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from detectors.summary.profile import INVALID_VALUE, InvalidValue, Value
from service.ingest.decode.admission import clean_name
from service.ingest.decode.scalars import Reading
from service.values.streams import StreamKey, class_probability


class Answer(NamedTuple):
    """A prediction as a number, as a category, and the probabilities by class.

    Of a map from class to probability the category is the top class and the number invalid.
    """

    numeric: Any
    category: Any
    probabilities: dict[str, float]


NO_ANSWER = Answer(None, None, {})


def prediction_of(row: Any, classes: tuple[str, ...]) -> Any:
    """A list is the probabilities of the classes in order, or of one number that number."""
    if type(row) is not list:
        return row
    if len(row) == 1 and not classes:
        return row[0]
    return dict(zip(classes, row, strict=True)) if len(row) == len(classes) else row


def answer_of(prediction: Any, outputs: Reading, names: Mapping[str, str]) -> Answer:
    """The prediction of one row; `names` admits the names of classes.

    A probability that is null is NaN, one that is no number infinite; a list is invalid.
    """
    if prediction is None or (outputs.text and prediction == ""):
        return NO_ANSWER
    if type(prediction) is list:
        return Answer(INVALID_VALUE, INVALID_VALUE, {})
    if type(prediction) is not dict:
        return Answer(prediction, prediction, {})
    found = {names[name]: outputs.number(value) for name, value in prediction.items()}
    return Answer(INVALID_VALUE if found else None, top_class(found), found)


def learned_answer(answer: Answer, outputs: Reading) -> Value:
    """The prediction as the value of a stream that has no type yet."""
    if isinstance(answer.category, InvalidValue):
        return answer.category
    return outputs.learned(answer.category)


def top_class(probabilities: Mapping[str, float]) -> str | InvalidValue | None:
    """The most probable class, the first by name of equals; invalid when none is a number.

    Of no class at all it is None.
    """
    finite = {name: value for name, value in probabilities.items() if isfinite(value)}
    if not finite:
        return INVALID_VALUE if probabilities else None
    return min(finite, key=lambda name: (-finite[name], name))


def probability_stream(name: str) -> StreamKey:
    """The stream of the probabilities of one class, its name as it is admitted."""
    key = class_probability(name)
    return StreamKey(key.kind, clean_name(key.name))
