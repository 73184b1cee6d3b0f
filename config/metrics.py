"""Section `metrics`: how much is told on `/metrics`."""

from typing import Annotated, Literal

from pydantic import Field

from config.section import Section, Whole


class MetricsSettings(Section):
    """How much is told on `/metrics`."""

    detail: Literal["summary", "episode", "full", "auto"] = Field(
        default="auto",
        description="summary: one score a feature. episode: also all distances of what has "
        "drifted. full: everything. auto: full while that fits half of `series`, then episode, "
        "then summary; the page says which.",
    )
    series: Annotated[int, Whole("100", "5000000")] = Field(
        default=50_000,
        description="Most series on the page; what does not fit is left out and counted.",
    )
