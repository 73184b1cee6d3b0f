"""Durations and sizes as people write them: `30d`, `500ms`, `1h30m`; `1MiB`, `64kB`.

`parse_*` and `format_*` are inverse: parse(format(x)) == x.
"""

import re
from decimal import Decimal

_DURATION_UNITS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
_SIZE_UNITS = {
    "B": 1,
    "kB": 1000,
    "KiB": 1024,
    "MB": 1000**2,
    "MiB": 1024**2,
    "GB": 1000**3,
    "GiB": 1024**3,
}
_AMOUNT = r"\d{1,18}(?:\.\d{1,9})?"
DURATION_PATTERN = rf"^(?:{_AMOUNT}(?:ms|s|m|h|d|w))+$|^0$"
SIZE_PATTERN = rf"^{_AMOUNT}(?:B|kB|KiB|MB|MiB|GB|GiB)$|^0$"
_DURATION_PART = re.compile(rf"({_AMOUNT})(ms|s|m|h|d|w)", re.ASCII)
_SIZE = re.compile(rf"({_AMOUNT})(B|kB|KiB|MB|MiB|GB|GiB)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds of a duration with its units (`10s`, `1h30m`, `1.5d`, `0`), else ValueError."""
    if not re.fullmatch(DURATION_PATTERN, text.strip(), re.ASCII):
        raise ValueError("must be a duration with its unit: 500ms, 30s, 5m, 24h, 30d or 2w")
    parts = _DURATION_PART.findall(text)
    return float(
        sum((Decimal(amount) * _DURATION_UNITS[unit] for amount, unit in parts), Decimal(0))
    )


def format_duration(seconds: float) -> str:
    """The shortest exact text, as people say it: `500ms`, `90s`, `5m`, `24h`, `30d`; 0 is `0s`."""
    exact = Decimal(repr(float(seconds)))
    for unit, fewest in (("d", 2), ("h", 1), ("m", 1), ("s", 1), ("ms", 1)):
        amount = exact / _DURATION_UNITS[unit]
        if amount >= fewest and amount == amount.to_integral_value():
            return f"{int(amount)}{unit}"
    return f"{exact:f}s" if exact else "0s"


def parse_size(text: str) -> int:
    """Bytes of a size with its unit (`1MiB`, `64kB`, `0`). Raises ValueError otherwise."""
    if text.strip() == "0":
        return 0
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be a size with its unit: 512B, 256KiB, 1MiB, 1GiB (or kB, MB, GB)")
    size = Decimal(match[1]) * _SIZE_UNITS[match[2]]
    if size != size.to_integral_value():
        raise ValueError("must be a whole number of bytes")
    return int(size)


def format_size(size: int) -> str:
    """The shortest exact text in binary units: 1048576 -> `1MiB`, 1000 -> `1000B`."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"
