"""Section `policy`: the fixed limits that a model-risk policy names, beside the budget."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from config.section import Real, Seconds, Section, Whole, refuse


def _gives_equal_shares(bins: int) -> int:
    if 10 % bins:
        raise ValueError(
            "must be 2, 5 or 10: counts are kept between the deciles of the reference, "
            "and other shares cannot be made of these"
        )
    return bins


class PolicySettings(Section):
    """A distance over a long window, and two limits that it is held against. No episode comes."""

    method: Literal["psi", "jensen_shannon", "ks", "wasserstein_sd"] = Field(
        default="psi",
        description="The distance to the reference: psi and jensen_shannon of any feature or "
        "output, ks and wasserstein_sd of numeric ones only.",
    )
    bins: Annotated[int, Whole("2", "10"), AfterValidator(_gives_equal_shares)] = Field(
        default=10,
        description="Bins of equal share of the reference that psi and jensen_shannon of numeric "
        "values are taken over: 10 are its deciles; or 5, or 2. Categories are taken as they are.",
    )
    window: Annotated[float, Seconds("1h", "400d")] = Field(
        default=30 * 86_400.0, description="How far back it looks, in steps of a thirtieth of it."
    )
    amber: Annotated[float, Real("0", "1000")] = Field(
        default=0.10, description="From here on it is amber."
    )
    red: Annotated[float, Real("0", "1000")] = Field(
        default=0.25, description="From here on it is red."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        refuse((self.red <= self.amber, "red", "must be above amber"))
        return self
