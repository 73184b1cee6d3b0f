"""Where events come from, and where in a foreign record each part of an event sits."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LATER_KEYS = ("part", "pair", "outputs", "segments", "kpis")
"""Keys of the product's mapping that this version knows of and does not understand yet."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


_OneOrMore = str | tuple[str, ...]

Where = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_tuple, json_schema_input_type=_OneOrMore),
    Field(min_length=1),
]
"""One place or a list of places, of which the first that is there counts."""

Globs = Annotated[tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=_OneOrMore)]

Scalar = str | bool | int | float | None


class Section(BaseModel):
    """A frozen part of the configuration that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TopicPattern(Section):
    """Topics by name: every topic whose whole name `pattern` matches.

    Its named groups can be used as `topic.<group>`.
    """

    pattern: str = Field(min_length=1)

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        _is_pattern(self.pattern)
        return self


class RowsSettings(Section):
    """How one half of a record (its features or its prediction) is laid out.

    `rows` is where the value sits: many rows in `layout`, which is one of auto, records, matrix,
    split, csv, or `single`: the value is one row (what a path written alone means). Decoding stages
    stand in front when the value is text ("json+auto", "base64+csv"). A mapping tells the layout by
    what is found at its key `from`.
    `columns` name positions (of a prediction: classes). `take` is a path inside each row.
    """

    rows: Where | None = None
    layout: str | Mapping[str, str] = "auto"
    columns: tuple[str, ...] = ()
    take: str | None = None

    @model_validator(mode="after")
    def _switch_says_from_where(self) -> Self:
        if isinstance(self.layout, Mapping) and "from" not in self.layout:
            raise ValueError("a layout with cases needs the key `from`: where the case is found")
        return self


class FeatureSettings(RowsSettings):
    """Where the features are: under `rows`, or the fields of a flat record that `include` names.

    `include` are globs of fields ("value.f_*"), `strip_prefix` is taken off their names,
    `exclude` are globs of feature names never looked at.
    """

    include: Globs = ()
    strip_prefix: str = ""
    exclude: Globs = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.include and self.rows:
            raise ValueError("features have either `rows` or `include`")
        if self.strip_prefix and not self.include:
            raise ValueError("`strip_prefix` belongs to `include`")
        return self


class WeightSettings(Section):
    """How many predictions a record stands for; `inverse`: the field is the share that was kept."""

    path: Where
    inverse: bool = False


class LatencySettings(Section):
    """Where the model's own latency is, and its unit."""

    path: Where
    unit: Literal["s", "ms", "us"] = "s"


def _as_rows(value: Any) -> Any:
    return {"rows": value, "layout": "single"} if isinstance(value, str | list | tuple) else value


def _as_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | list | tuple) else value


Conditions = Mapping[str, Literal["present"] | tuple[Scalar, ...]]
"""Where -> the values it may have, or `present`."""


class SourceSettings(Section):
    """One source of events. What is not said is as in the native event (`format: native`).

    Exactly one of `topics` and `files`. `missing` are sentinels that mean "not there".
    `version_pattern`: its first group is the version. `text_numbers`: numbers and booleans inside
    strings are read, and an empty string is missing (as in CSV).
    """

    name: str = Field(min_length=1)
    topics: TopicPattern | Globs | None = None
    files: Globs | None = None
    path_pattern: (
        Annotated[str, BeforeValidator(_is_pattern, json_schema_input_type=str)] | None
    ) = None
    format: Literal["native"] = "native"
    decode: Globs = ("json",)
    model: Where = ("value.model",)
    version: Where = ("value.version",)
    version_pattern: (
        Annotated[str, BeforeValidator(_is_pattern, json_schema_input_type=str)] | None
    ) = None
    id: Where = ("value.id",)
    time: Where = ("value.timestamp",)
    features: Annotated[
        FeatureSettings,
        BeforeValidator(_as_rows, json_schema_input_type=_OneOrMore | FeatureSettings),
    ] = FeatureSettings(rows=("value.features",), layout="single")
    prediction: Annotated[
        RowsSettings, BeforeValidator(_as_rows, json_schema_input_type=_OneOrMore | RowsSettings)
    ] = RowsSettings(rows=("value.prediction",), layout="single")
    latency: Annotated[
        LatencySettings,
        BeforeValidator(_as_path, json_schema_input_type=_OneOrMore | LatencySettings),
    ] = LatencySettings(path=("value.latency_ms",), unit="ms")
    keep_if: Conditions = {}
    drop_if: Conditions = {}
    weight: (
        Annotated[
            WeightSettings,
            BeforeValidator(_as_path, json_schema_input_type=_OneOrMore | WeightSettings),
        ]
        | None
    ) = None
    missing: tuple[float | str, ...] = ()
    text_numbers: bool = False

    @model_validator(mode="before")
    @classmethod
    def _later_keys_are_named(cls, given: Any) -> Any:
        later = [key for key in LATER_KEYS if isinstance(given, Mapping) and key in given]
        if later:
            names = ", ".join(f"`{key}`" for key in later)
            raise ValueError(f"{names}: known, comes with a later version; take it out for now")
        return given

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if bool(self.topics) == bool(self.files):
            raise ValueError(f"source {self.name!r} needs exactly one of `topics` and `files`")
        if self.path_pattern and not self.files:
            raise ValueError("`path_pattern` belongs to `files`")
        return self

    @property
    def patterns(self) -> tuple[str | None, str | None]:
        """The patterns whose named groups are `topic.<group>` and `path.<group>`."""
        topic = self.topics.pattern if isinstance(self.topics, TopicPattern) else None
        return topic, self.path_pattern
