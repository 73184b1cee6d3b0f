"""Segments: by which features the predictions of a model are told apart, and how finely."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from config.section import Section, Whole

SEGMENTATIONS_MAX = 8
CUTS_MAX = 19

_WITH_CUTS = re.compile(r"(?P<feature>[^=]+): \[(?P<cuts>[^\]]*)\]")


class SegmentSettings(Section):
    """How finely predictions are told apart, where models ask for it (`models.M.segments`)."""

    top: Annotated[int, Whole("2", "100")] = Field(
        default=20,
        description="Segments by one feature: its most frequent categories. The others, and those "
        "with less than 0.5 % of the reference's rows, are one segment, __other__.",
    )
    series: Annotated[int, Whole("0", "1000000")] = Field(
        default=5000,
        description="Most series about segments on the page; those of the segments with the fewest "
        "predictions are left out and counted.",
    )


class Segmentation(NamedTuple):
    """A feature and, if it is numeric, where it is cut: ascending."""

    feature: str
    cuts: tuple[float, ...]


def segmentation(text: str) -> Segmentation:
    """What a text says: `region`, or `age: [18, 25, 40, 65]`. Raises ValueError."""
    found = _WITH_CUTS.fullmatch(text)
    if found is None:
        if not text or "=" in text or text.endswith("]"):
            raise ValueError(f"{text!r} is neither a feature nor `feature: [18, 25, 40, 65]`")
        return Segmentation(text, ())
    try:
        cuts = tuple(float(cut) for cut in found["cuts"].split(","))
    except ValueError:
        raise ValueError(f"{found['cuts']!r} are no numbers with commas between them") from None
    return Segmentation(found["feature"], _checked(cuts))


def _checked(cuts: tuple[float, ...]) -> tuple[float, ...]:
    if not all(map(math.isfinite, cuts)) or list(cuts) != sorted(set(cuts)):
        raise ValueError(f"cuts must ascend, each a finite number: {list(cuts)} do not")
    if len(cuts) > CUTS_MAX:
        raise ValueError(f"{len(cuts)} cuts are more than {CUTS_MAX}")
    return cuts


def _as_text(value: Any) -> Any:
    """`age: [18, 65]` in YAML is a mapping of one key, and means the same as the text."""
    if not isinstance(value, Mapping):
        return value
    told = [f"{name}: [{', '.join(_number(cut) for cut in cuts)}]" for name, cuts in _items(value)]
    if len(told) != 1:
        raise ValueError("must be one feature with its cuts: `age: [18, 25, 40, 65]`")
    return told[0]


def _items(value: Mapping[Any, Any]) -> list[tuple[str, list[Any]]]:
    if not all(isinstance(cuts, list | tuple) and cuts for cuts in value.values()):
        raise ValueError("must be one feature with its cuts: `age: [18, 25, 40, 65]`")
    return [(str(name), list(cuts)) for name, cuts in value.items()]


def _number(cut: Any) -> str:
    if isinstance(cut, bool) or not isinstance(cut, int | float):
        raise ValueError(f"{cut!r} is not a number")  # noqa: TRY004 - pydantic wants it
    return f"{cut:.12g}"


def _is_one(text: str) -> str:
    segmentation(text)
    return text


def _are_different(texts: tuple[str, ...]) -> tuple[str, ...]:
    features = [segmentation(text).feature for text in texts]
    if len(set(features)) < len(features):
        raise ValueError("a feature is there twice")
    return texts


Segmentations = Annotated[
    tuple[
        Annotated[
            str,
            BeforeValidator(_as_text, json_schema_input_type=str | dict[str, list[float]]),
            AfterValidator(_is_one),
        ],
        ...,
    ],
    AfterValidator(_are_different),
]
"""Texts that `segmentation` reads."""
