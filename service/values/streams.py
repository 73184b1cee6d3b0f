"""What is watched: a stream is one sequence of values of one model version."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The role a stream plays; the label `kind` of every metric about it."""

    INPUT = "input"
    OUTPUT = "output"
    LATENCY = "latency"


class ValueType(StrEnum):
    """What a stream's values are. A boolean stream is categorical over `false` and `true`."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"


class StreamKey(NamedTuple):
    """Identity of a stream. The kind keeps a feature called `prediction` apart from the output."""

    kind: Kind
    name: str


class ModelKey(NamedTuple):
    """Identity of a model version."""

    model: str
    version: str


PREDICTION = StreamKey(Kind.OUTPUT, "prediction")
LATENCY = StreamKey(Kind.LATENCY, "latency")


def always_numeric(key: StreamKey) -> bool:
    """Whether a stream can only hold numbers: latencies and class probabilities."""
    return key.kind is Kind.LATENCY or (key.kind is Kind.OUTPUT and key != PREDICTION)


def class_probability(name: str) -> StreamKey:
    """The stream of the probability given to one class: `prediction[fraud]`."""
    return StreamKey(Kind.OUTPUT, f"prediction[{name}]")
