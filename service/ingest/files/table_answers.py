"""Predictions of tables that give each class a probability, as the columns of live ones."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.summary.profile import Value
from service.ingest.decode.admission import Names
from service.ingest.decode.answers import answer_of, learned_answer, prediction_of, top_class
from service.ingest.decode.scalars import AS_THEY_ARE
from service.ingest.files.table_columns import (
    Codes,
    Column,
    Sentinels,
    coded_values,
    is_nan,
    without_sentinels,
)


def holds_nested(values: Iterable[Any]) -> bool:
    """Whether any of the decoded values is a map or a list."""
    return any(type(value) in _NESTED for value in values)


_NESTED = (dict, list)


def columns_of_predictions(
    predictions: Sequence[Any], missing: Sentinels = ()
) -> tuple[Column, dict[str, Column]]:
    """Decoded predictions as columns: each one's outcome, of a map the top class; and by class the
    probability, missing where a prediction gives none.
    """
    names = Names()
    single = (prediction_of(prediction, ()) for prediction in predictions)
    answers = [
        answer_of(None if is_nan(prediction) else prediction, AS_THEY_ARE, names)
        for prediction in single
    ]
    classes = dict.fromkeys(name for answer in answers for name in answer.probabilities)
    probabilities: dict[str, Column] = {
        name: np.array([answer.probabilities.get(name, math.nan) for answer in answers])
        for name in classes
    }
    outcome = coded_values(learned_answer(answer, AS_THEY_ARE) for answer in answers)
    return without_sentinels(outcome, missing), probabilities


def top_classes(probabilities: Mapping[str, Column]) -> Column:
    """The prediction of rows whose probabilities are columns of their own, by class (at least one).

    Where all of them are missing, so is the prediction.
    """
    rows = np.column_stack([_numbers(column) for column in probabilities.values()])
    absent = np.logical_and.reduce(np.isnan(rows), axis=1)
    pairs = zip(rows.tolist(), absent.tolist(), strict=True)
    return coded_values(
        None if nothing else top_class(dict(zip(probabilities, row, strict=True)))
        for row, nothing in pairs
    )


def _numbers(column: Column) -> NDArray[np.float64]:
    """A column as numbers: NaN = missing, infinite = invalid, as all is that is no number."""
    if not isinstance(column, Codes):
        return column
    values = np.array([*map(_number, column.values), math.nan])
    return values[column.codes]


def _number(value: Value) -> float:
    return value if type(value) is float else math.inf
