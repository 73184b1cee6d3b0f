"""Moments as people type them: `7d` (ago), `10:20`, `2026-11-23`, `2026-11-23T10:20:00Z`."""

import re
from datetime import UTC, datetime, time, timedelta

import click

from config.units import parse_duration


def parse_moment(text: str, now_seconds: float, option: str) -> float:
    """Epoch seconds. A time of the day is the last one of that name; without a zone it is UTC.

    Raises click.BadParameter that names the option.
    """
    try:
        if re.fullmatch(r"\d+(?:\.\d+)?[a-z]+", text):
            return now_seconds - parse_duration(text)
        if re.fullmatch(r"\d\d?:\d\d(?::\d\d)?", text):
            return _last(time.fromisoformat(text.zfill(5)), now_seconds)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no duration such as 2h, nor a time such as 10:20 or 2026-11-23T10:20",
            param_hint=option,
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _last(clock: time, now_seconds: float) -> float:
    now = datetime.fromtimestamp(now_seconds, UTC)
    moment = datetime.combine(now.date(), clock, UTC)
    return (moment if moment <= now else moment - timedelta(days=1)).timestamp()
