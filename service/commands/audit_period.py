"""`--from` and `--to` of an audit: months, days, or any moment."""

import re
from datetime import UTC, datetime, timedelta

import click

from service.commands.moments import parse_moment
from service.values.audits import Period
from service.values.watched import MINUTE_SECONDS

DAYS_MAX = 4000


def period_of(start: str, end: str | None, now_seconds: float) -> Period:
    """Full minutes, none of them later than now.

    Raises click.BadParameter that names the option.
    """
    first = _moment(start, now_seconds, "--from", is_end=False)
    last = now_seconds if end is None else _moment(end, now_seconds, "--to", is_end=True)
    first = first // MINUTE_SECONDS * MINUTE_SECONDS
    last = min(-(-last // MINUTE_SECONDS) * MINUTE_SECONDS, now_seconds // 60 * 60)
    if first >= last:
        later = "is now or later" if first >= now_seconds // 60 * 60 else "is not before --to"
        raise click.BadParameter(f"{start!r} {later}", param_hint="--from")
    if last - first > DAYS_MAX * 86_400:
        raise click.BadParameter(
            f"{start!r} is more than {DAYS_MAX} days before --to: ask for less at a time",
            param_hint="--from",
        )
    return Period(first, last)


def _moment(text: str, now_seconds: float, option: str, *, is_end: bool) -> float:
    """Of a month or a day its beginning, or its end."""
    if not re.fullmatch(r"\d{4}-\d\d(-\d\d)?", text, re.ASCII):
        return parse_moment(text, now_seconds, option)
    try:
        if len(text) == len("2026-01"):
            begin = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
            after = (begin + timedelta(days=32)).replace(day=1)
        else:
            begin = datetime.fromisoformat(text).replace(tzinfo=UTC)
            after = begin + timedelta(days=1)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"there is no {text}", param_hint=option) from None
    return (after if is_end else begin).timestamp()
