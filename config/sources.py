"""Section `sources`: where events come from, and where in a record each part of one sits."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.section import Section, later_values
from config.sentinels import Sentinels


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _as_rows(value: Any) -> Any:
    return {"rows": value, "layout": "single"} if isinstance(value, str | list | tuple) else value


def _as_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | list | tuple) else value


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


_OneOrMore = str | tuple[str, ...]

Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=_OneOrMore)]
"""One name or glob, or a list of them."""

Where = Annotated[Names, Field(min_length=1)]
"""One place or a list of places, of which the first that is there counts."""

Pattern = Annotated[str, AfterValidator(_is_pattern)]
"""A regular expression."""

Scalar = str | bool | int | float | None

Conditions = Mapping[str, Literal["present"] | tuple[Scalar, ...]]
"""Where -> the values it may have, or `present`."""


class TopicPattern(Section):
    """Topics by name."""

    pattern: Annotated[Pattern, Field(min_length=1)] = Field(
        description="Every topic that it matches from its beginning. Its named groups can be used "
        "as topic.<group>."
    )


class RowsSettings(Section):
    """How one half of a record (its features or its prediction) is laid out."""

    later: ClassVar[frozenset[str]] = frozenset({"request", "response"})

    rows: Where | None = Field(default=None, description="Where the value sits.")
    layout: str | Mapping[str, str] = Field(
        default="auto",
        description="Many rows: auto, records, matrix, split or csv; single: the value is one row "
        "(what a path alone means). Decoding stages stand in front when the value is text: "
        "json+auto, base64+csv. A mapping tells the layout by what is found at its key `from`.",
    )
    columns: tuple[str, ...] = Field(
        default=(), description="Names of positions; of a prediction: its classes."
    )
    take: str | None = Field(default=None, description="A path inside each row.")

    @model_validator(mode="after")
    def _switch_says_from_where(self) -> Self:
        if isinstance(self.layout, Mapping) and "from" not in self.layout:
            raise ValueError("a layout with cases needs the key `from`: where the case is found")
        return self


class FeatureSettings(RowsSettings):
    """Where the features are: under `rows`, or the fields of a flat record that `include` names."""

    include: Names = Field(
        default=(), description="Instead of rows: globs of fields of a flat record, value.f_*."
    )
    strip_prefix: str = Field(default="", description="Taken off the names of these fields.")
    exclude: Names = Field(default=(), description="Globs of features never looked at.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.include and self.rows:
            raise ValueError("features have either `rows` or `include`")
        if self.strip_prefix and not self.include:
            raise ValueError("`strip_prefix` belongs to `include`")
        return self


class WeightSettings(Section):
    """How many predictions a record stands for."""

    path: Where = Field(description="Where the number is.")
    inverse: bool = Field(
        default=False, description="True: it is the share that was kept, 0.1 stands for ten."
    )


class LatencySettings(Section):
    """How long the model took."""

    path: Where = Field(description="Where the number is.")
    unit: Literal["s", "ms", "us"] = Field(default="s", description="Its unit: s, ms or us.")


class SourceSettings(Section):
    """One source of events. What is not said is as in the native event."""

    later: ClassVar[frozenset[str]] = frozenset({"part", "pair", "outputs", "segments", "kpis"})

    name: str = Field(min_length=1, description="Unique; in messages and logs.")
    topics: TopicPattern | Names | None = Field(
        default=None, description="Topics by name, or {pattern: ...}. Either these or files."
    )
    files: Names | None = Field(default=None, description="Files by glob, for replay.")
    path_pattern: Pattern | None = Field(
        default=None,
        description="Matched in the path of a file; its named groups can be used as path.<group>.",
    )
    format: Annotated[
        Literal["native"],
        later_values(
            *("kserve", "seldon", "mlserver", "hopsworks", "sagemaker", "databricks"),
            write="native, and below it where in the record things sit",
        ),
    ] = Field(default="native", description="What a record looks like, unless said below: native.")
    decode: Names = Field(default=("json",), description="Stages from bytes to a value.")
    model: Where = Field(default=("value.model",), description="Where the model's name is.")
    version: Where = Field(default=("value.version",), description="Where its version is.")
    version_pattern: Pattern | None = Field(
        default=None, description="Its first group is the version, so that 3.1.7 can count as 3."
    )
    id: Where = Field(default=("value.id",), description="Where the prediction's id is.")
    time: Where = Field(
        default=("value.timestamp",),
        description="When it was made: RFC 3339, epoch seconds or milliseconds; else Kafka's time.",
    )
    features: Annotated[
        FeatureSettings,
        BeforeValidator(_as_rows, json_schema_input_type=_OneOrMore | FeatureSettings),
    ] = Field(
        default=FeatureSettings(rows=("value.features",), layout="single"),
        description="Where the features are; a place alone means one row.",
    )
    prediction: Annotated[
        RowsSettings, BeforeValidator(_as_rows, json_schema_input_type=_OneOrMore | RowsSettings)
    ] = Field(
        default=RowsSettings(rows=("value.prediction",), layout="single"),
        description="Where the prediction is; a place alone means one row.",
    )
    latency: Annotated[
        LatencySettings,
        BeforeValidator(_as_path, json_schema_input_type=_OneOrMore | LatencySettings),
    ] = Field(
        default=LatencySettings(path=("value.latency_ms",), unit="ms"),
        description="Where the model's own latency is; a place alone means seconds.",
    )
    keep_if: Conditions = Field(
        default={}, description="Keep a record only if each place has one of these values."
    )
    drop_if: Conditions = Field(
        default={}, description="Drop a record if any place has one of these values."
    )
    weight: (
        Annotated[
            WeightSettings,
            BeforeValidator(_as_path, json_schema_input_type=_OneOrMore | WeightSettings),
        ]
        | None
    ) = Field(
        default=None, description="How many predictions a record stands for; none: each is one."
    )
    missing: Sentinels = Field(default=(), description="Sentinels that mean `not there`.")
    text_numbers: bool = Field(
        default=False,
        description="True: numbers and booleans inside texts are read, and an empty text is "
        "missing, as in CSV.",
    )

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
