"""Section `privacy`: what of the values of events leaves the process."""

from typing import Literal

from pydantic import Field

from config.section import Section

Values = Literal["shown", "hidden"]


class PrivacySettings(Section):
    """What is told of values, beside how many there are and how far they have moved."""

    values: Values = Field(
        default="shown",
        description="hidden: no names of categories, edges of bins or quantiles in pages, metrics, "
        "logs, the reasons of dead letters, the record of episodes, and reports of audits and "
        "replays; words say `a category` and `a bin`. shown: they are told, but for features with "
        "`values: hidden`. No feature undoes hidden.",
    )
