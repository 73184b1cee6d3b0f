"""An accepted reference in words: what was normal, what is from now on."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from rich.table import Table
from rich.text import Text

from service.monitor.references.acceptance import Accepted, Change
from service.monitor.references.kept import Seen
from service.publish import words
from service.values.references import Reference, StreamReference
from service.values.streams import ValueType

_ARROW = " \N{RIGHTWARDS ARROW} "
_SHARES_SHOWN = 2
_SHARE_WORTH_SAYING = 0.005
_SHIFT_WORTH_SAYING_SD = 0.005
_FIGURE_DIGITS = 4


def change_table(accepted: Accepted, seen: Seen) -> Table:
    """A line a stream: what was normal and what is, and how many values that rests on."""
    table = Table(title=Text(_title(accepted.reference, seen)))
    table.add_column("stream", overflow="fold")
    table.add_column("normal before and from now on", overflow="fold")
    table.add_column("values", justify="right")
    table.add_column("missing", justify="right")
    for change in accepted.changes:
        missing = _change(_percent(_missing(change.before)), _percent(_missing(change.after)))
        table.add_row(
            Text(change.after.key.name),
            Text(change_words(change)),
            words.count(change.after.valid),
            Text(missing),
        )
    return table


def change_words(change: Change) -> str:
    """`mean 52,100 → 61,300 (+0.4 sd), sd 11,000 → 12,400`, or the shares that moved most."""
    if change.after.type is ValueType.NUMERIC and change.before.type is ValueType.NUMERIC:
        return _numbers(change.before, change.after)
    return ", ".join(_shares(change.before, change.after)) or "no share moved"


def warnings(accepted: Accepted, seen: Seen, asked_seconds: float) -> list[str]:
    """What may be otherwise than one thinks, a sentence each."""
    found = []
    if seen.from_seconds > asked_seconds + 1.0:
        found.append(
            f"it begins at {moment(seen.from_seconds)}, not at {moment(asked_seconds)}: what lies "
            "further back is kept in longer steps, and a step that began before is left out"
        )
    for change in accepted.changes:
        name = f"{change.after.key.kind.value} {change.after.key.name!r}"
        if not change.after.valid:
            found.append(f"{name} had no valid value: that it has none is normal from now on")
        elif change.after.open_ended and not change.before.open_ended:
            found.append(
                f"{name} has had too many new categories to count each: they are rare ones from "
                "now on, and a further one will not count as unseen"
            )
    return found


def moment(seconds: float) -> str:
    """A time in UTC: `2026-11-23 10:20 UTC`, with its seconds where it is no whole minute."""
    return f"{_clock(seconds)} UTC"


def _title(reference: Reference, seen: Seen) -> str:
    version = "any version" if reference.version is None else f"version {reference.version}"
    return (
        f"{reference.model}, {version}: {words.count(seen.summary.rows)} rows "
        f"from {_clock(seen.from_seconds)} to {moment(seen.until_seconds)}"
    )


def _clock(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S" if at.second else "%Y-%m-%d %H:%M")


def _numbers(before: StreamReference, after: StreamReference) -> str:
    shift = (after.mean - before.mean) / before.sd if before.sd > 0 else math.nan
    told = "" if math.isnan(shift) else f" ({shift:+.2g} sd)"
    if abs(shift) < _SHIFT_WORTH_SAYING_SD:
        told = ""
    spread = _change(_figure(before.sd), _figure(after.sd))
    return f"mean {_change(_figure(before.mean), _figure(after.mean))}{told}, sd {spread}"


def _shares(before: StreamReference, after: StreamReference) -> Iterator[str]:
    """Of the categories whose share moved most."""
    then, now = _by_category(before), _by_category(after)
    names = sorted({*then, *now})
    moved = np.array([now.get(name, 0.0) - then.get(name, 0.0) for name in names])
    for place in np.argsort(-np.abs(moved), kind="stable")[:_SHARES_SHOWN].tolist():
        if abs(moved[place]) >= _SHARE_WORTH_SAYING:
            name = names[place]
            change = _change(_percent(then.get(name, 0.0)), _percent(now.get(name, 0.0)))
            yield f"share of {name} {change}"


def _by_category(stream: StreamReference) -> dict[str, float]:
    if stream.type is ValueType.NUMERIC:
        return {"numbers": 1.0 if stream.valid else 0.0}
    names = (*stream.categories, "rare categories")
    shares = stream.counts / max(1, stream.valid)
    return dict(zip(names, shares.tolist(), strict=True))


def _missing(stream: StreamReference) -> float:
    rows = stream.valid + stream.missing + stream.invalid
    return stream.missing / rows if rows else math.nan


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before}{_ARROW}{after}"


def _percent(ratio: float) -> str:
    return words.UNKNOWN if math.isnan(ratio) else f"{100 * ratio:.3g} %"


def _figure(value: float) -> str:
    """`52,100`, `0.4127`, `1.2e-07`."""
    if not math.isfinite(value):
        return words.UNKNOWN
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -_FIGURE_DIGITS <= size < 15:
        return f"{value:.{_FIGURE_DIGITS}g}"
    places = max(0, _FIGURE_DIGITS - 1 - size)
    rounded = round(value, _FIGURE_DIGITS - 1 - size)
    text = f"{rounded:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
