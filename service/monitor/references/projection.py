"""How a reference's numeric inputs are related: from what it is learned, and in its file."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.joint import NOTHING, Projection
from detectors.scaling import PROBABILITIES, Scaling
from service.monitor.references.checks import Checks, FeatureShape
from service.values.references import StreamReference
from service.values.streams import JOINT, Kind, StreamKey, ValueType

_FIELDS = ("feature", "centre", "below", "above", "mean", "residuals")


def scaling_of(streams: Sequence[StreamReference]) -> Scaling:
    """How the numeric inputs of a reference are scaled; those that hardly vary are left out."""
    numeric = [s for s in streams if s.key.kind is Kind.INPUT and s.type is ValueType.NUMERIC]
    found = [[s.quantiles.get(p, math.nan) for p in PROBABILITIES] for s in numeric]
    quantiles = np.array(found, dtype=np.float64).reshape(len(numeric), len(PROBABILITIES))
    return Scaling.of_quantiles([s.key.name for s in numeric], quantiles)


def projection_tree(projection: Projection) -> list[dict[str, Any]]:
    """A projection as the file has it: an object a feature."""
    scaling = projection.scaling
    rows = zip(
        projection.features,
        scaling.centre.tolist(),
        scaling.below.tolist(),
        scaling.above.tolist(),
        projection.mean.tolist(),
        projection.residuals.tolist(),
        strict=True,
    )
    return [dict(zip(_FIELDS, row, strict=True)) for row in rows]


def read_projection(
    shapes: Sequence[FeatureShape] | None, streams: Sequence[StreamReference], check: Checks
) -> Projection | None:
    """The projection that a file holds; refuses one that does not fit the streams or itself."""
    inputs = {s.key for s in streams if s.type is ValueType.NUMERIC}
    if shapes is None or not shapes:
        joint = JOINT in {stream.key for stream in streams}
        check.that(not joint, "projection", f"the stream {JOINT.name!r} needs one")
        return None if shapes is None else NOTHING
    for i, shape in enumerate(shapes):
        _check_feature(shape, f"projection[{i}]", len(shapes), inputs, check)
    names = tuple(shape.feature for shape in shapes)
    check.that(len(set(names)) == len(names), "projection", "a feature is named twice")
    scaling = Scaling(
        names, *(np.array([getattr(s, w) for s in shapes]) for w in ("centre", "below", "above"))
    )
    mean = np.array([shape.mean for shape in shapes])
    return Projection(scaling, mean, np.array([shape.residuals for shape in shapes]))


def _check_feature(
    shape: FeatureShape, field: str, features: int, inputs: set[StreamKey], check: Checks
) -> None:
    known = StreamKey(Kind.INPUT, shape.feature) in inputs
    check.that(known, f"{field}.feature", f"{shape.feature!r} is no numeric input of the file")
    for what in ("below", "above"):
        check.that(getattr(shape, what) > 0, f"{field}.{what}", "must be positive")
    numbers = (shape.centre, shape.below, shape.above, shape.mean, *shape.residuals)
    check.that(all(map(math.isfinite, numbers)), field, "holds a number that is not finite")
    right = len(shape.residuals) == features
    check.that(right, f"{field}.residuals", f"must be {features} numbers, one a feature")
