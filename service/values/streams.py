"""What is watched: a stream is one sequence of values of one model version."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The role a stream plays; the label `kind` of every metric about it.

    VOLUME, QUALITY and JOINT are derived from what was counted: how many rows, what was missing or
    unusable, and how the features go together.
    """

    INPUT = "input"
    OUTPUT = "output"
    LATENCY = "latency"
    VOLUME = "volume"
    QUALITY = "quality"
    JOINT = "joint"


OF_ROWS = frozenset({Kind.QUALITY, Kind.VOLUME})
"""Kinds of streams that are counts of rows: they have no values of their own."""


class ValueType(StrEnum):
    """What a stream's values are. A boolean stream is categorical over `false` and `true`."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"


class StreamKey(NamedTuple):
    """Identity of a stream. The kind keeps a feature called `prediction` apart from the output."""

    kind: Kind
    name: str

    @property
    def title(self) -> str:
        """The name; of a segment `prediction where region is NE`."""
        segment = segment_of(self)
        if segment is None:
            return self.name
        return f"{PREDICTION.name} where {segment.segmentation} is {segment.name}"

    @property
    def words(self) -> str:
        """The title, with the kind where it is no feature: `prediction (output)`."""
        return self.title if self.kind is Kind.INPUT else f"{self.title} ({self.kind.value})"


class Segment(NamedTuple):
    """Predictions for which the feature `segmentation` is, or lies in the range, `name`."""

    segmentation: str
    name: str


class ModelKey(NamedTuple):
    """Identity of a model version."""

    model: str
    version: str

    @property
    def words(self) -> str:
        """`credit-risk v3`."""
        return f"{self.model} {version_words(self.version)}".rstrip()


def version_words(version: str) -> str:
    """`v3`; what begins with no digit is said as it is: `canary`, `unversioned`."""
    return f"v{version}" if version[:1].isdecimal() else version


PREDICTION = StreamKey(Kind.OUTPUT, "prediction")
LATENCY = StreamKey(Kind.LATENCY, "latency")
JOINT = StreamKey(Kind.JOINT, "reconstruction error")
ROWS = StreamKey(Kind.VOLUME, "rows")

OTHER_SEGMENT = "__other__"
"""The segment of the values that have none of their own."""

_ABOVE = "prediction>"
_WITHIN = "prediction{"


def always_numeric(key: StreamKey) -> bool:
    """Whether a stream can only hold numbers: latencies, class probabilities, joint streams."""
    if key.kind is Kind.OUTPUT:
        return key != PREDICTION and cutoff_of(key) is None and segment_of(key) is None
    return key.kind in {Kind.LATENCY, Kind.JOINT}


def class_probability(name: str) -> StreamKey:
    """The stream of the probability given to one class: `prediction[fraud]`."""
    return StreamKey(Kind.OUTPUT, f"prediction[{name}]")


def above_cutoff(cutoff: float) -> StreamKey:
    """The boolean stream of whether a numeric prediction is above a cut-off: `prediction>0.62`."""
    return StreamKey(Kind.OUTPUT, f"{_ABOVE}{cutoff:.12g}")


def cutoff_of(key: StreamKey) -> float | None:
    """The cut-off that a stream is about, None when it is about none."""
    if key.kind is not Kind.OUTPUT or not key.name.startswith(_ABOVE):
        return None
    try:
        return float(key.name.removeprefix(_ABOVE))
    except ValueError:
        return None


def in_segment(segment: Segment) -> StreamKey:
    """The stream of the predictions of one segment: `prediction{region=NE}`."""
    return StreamKey(Kind.OUTPUT, f"{_WITHIN}{segment.segmentation}={segment.name}}}")


def segment_of(key: StreamKey) -> Segment | None:
    """The segment whose predictions a stream is of, None of any other. No segmentation has a `=` in
    its name.
    """
    if key.kind is not Kind.OUTPUT or not key.name.startswith(_WITHIN):
        return None
    segmentation, found, name = key.name.removeprefix(_WITHIN).removesuffix("}").partition("=")
    return Segment(segmentation, name) if found else None
