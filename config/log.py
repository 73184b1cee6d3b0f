"""Section `log`: what is written to standard error."""

from typing import Literal

from pydantic import Field

from config.section import Section


class LogSettings(Section):
    """Structured log on standard error."""

    format: Literal["json", "console"] = Field(
        default="json", description="json: an object a line; console: for people."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is written: debug, info, warning or error."
    )
