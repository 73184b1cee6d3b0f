"""Section `season`: what streams may follow without having drifted."""

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from config.section import Section


def is_date(value: Any) -> Any:
    """Dates in full alone: a text that is longer or shorter is none."""
    if isinstance(value, str) and len(value) != 10:
        raise ValueError("must be a date such as 2026-12-31")
    return value


def _is_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(
            "must be a time zone such as Europe/London, known to this system"
        ) from error
    return value


class SeasonSettings(Section):
    """A daily or weekly season: what is usual by the hour, told by a reference or learned live."""

    period: Literal["week", "day", "none"] = Field(
        default="week",
        description="What a stream may follow: the hour of the week, once two weeks are known (of "
        "the day, once two days are); the hour of the day; or none, so that a season alarms.",
    )
    timezone: Annotated[str, AfterValidator(_is_zone)] = Field(
        default="UTC", description="Whose hours: an IANA name such as Europe/London."
    )
    holidays: tuple[Annotated[date, BeforeValidator(is_date)], ...] = Field(
        default=(), description="Days on which all is as on a Sunday: [2026-12-25]."
    )
