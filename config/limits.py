"""Section `limits`: a bound on everything that others could make large."""

from typing import Annotated

from pydantic import Field

from config.section import Bytes, Section, Whole


class LimitsSettings(Section):
    """Bounds; whatever exceeds one is counted by reason."""

    record: Annotated[int, Bytes("1KiB", "64MiB")] = Field(
        default=1_048_576, description="Size of a record's value; a larger one is rejected."
    )
    rows_per_record: Annotated[int, Whole("1", "1000000")] = Field(
        default=10_000, description="Rows in one record; a record with more is rejected."
    )
    models: Annotated[int, Whole("1", "100000")] = Field(
        default=1000, description="Model versions; events of further ones are rejected."
    )
    features: Annotated[int, Whole("1", "100000")] = Field(
        default=2000, description="Features of a model; further ones are not watched."
    )
    categories: Annotated[int, Whole("2", "10000")] = Field(
        default=100, description="Categories of a feature; the rarer ones are counted as __other__."
    )
