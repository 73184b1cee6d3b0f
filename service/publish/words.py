"""Numbers and times as people say them. NaN and None, which mean not known, are a dash."""

import math
from datetime import UTC, datetime

UNKNOWN = "\N{EN DASH}"


def known(value: float | None) -> float | None:
    """The value, or None for NaN: JSON has no NaN."""
    return None if value is None or math.isnan(value) else value


def count(value: float) -> str:
    """`81,220`."""
    return f"{value:,.0f}"


def decimals(value: float | None) -> str:
    """A score or a distance to two significant digits, never in powers of ten: `6.3`, `0.012`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size < 0.001:
        return "0" if size < 0.0005 else f"{value:.3f}"
    rounded = float(f"{size:.1e}")  # 0.0999 is 0.10, not 0.100
    places = max(0, 1 - math.floor(math.log10(rounded)))
    return f"{value:,.{min(places, 3)}f}"


def percent(ratio: float | None) -> str:
    """`42 %`."""
    return UNKNOWN if ratio is None or math.isnan(ratio) else f"{100 * ratio:.0f} %"


def duration(seconds: float | None) -> str:
    """The largest unit alone, since more is noise: `4 s`, `11 min`, `3 h`, `41 d`."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def latency(seconds: float | None) -> str:
    """`17.5 ms` below a second, `1.20 s` from there."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def size(value: float) -> str:
    """Bytes in decimal units: `38 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.0f} PB"


def moment(seconds: float | None, now: float) -> str:
    """A time in UTC: `10:30:58` within a day of `now`, else `2026-11-23 10:30`."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    pattern = "%H:%M:%S" if abs(now - seconds) < 86_400 else "%Y-%m-%d %H:%M"
    return _utc(seconds).strftime(pattern)


def machine_time(seconds: float) -> str:
    """RFC 3339, for the attribute `datetime`."""
    return _utc(seconds).isoformat(timespec="seconds").replace("+00:00", "Z")


def several(number: int, one: str, many: str) -> str:
    """`1 model`, `6 models`."""
    return f"{number:,} {one if number == 1 else many}"


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0.0), 253_402_300_799.0), UTC)
