"""What a reference's order of time taught, in its file: dependence, and rows by hour."""

import math
from typing import Any

import msgspec
import numpy as np

from service.monitor.references.checks import Checks, DependenceShape, InTimeShape, SeasonShape
from service.values.references import Dependence, InTime, Season, StreamReference
from service.values.streams import Kind

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

HOURS_OF = {"day": 24, "week": 168}
"""By the period of a season, the hours that it has."""

DIGITS = 6
"""So many digits are kept of what is estimated."""


def in_time_tree(known: InTime) -> dict[str, Any]:
    """It as the file has it; what is not there is not named."""
    tree: dict[str, Any] = {
        "pane_seconds": known.pane_seconds,
        "values": _dependence_tree(known.values),
    }
    if known.quality is not None:
        tree["quality"] = _dependence_tree(known.quality)
    if known.season is not None:
        season = known.season
        names = [_hour_name(season.period, hour) for hour in season.hours]
        tree["season"] = {
            "timezone": season.timezone,
            "period": season.period,
            "days": season.days,
            "hours": dict(zip(names, season.counts.tolist(), strict=True)),
        }
    return tree


def read_in_time(
    shape: InTimeShape | None, stream: StreamReference, field: str, check: Checks
) -> InTime | None:
    """What the object at `field` of a file says of `stream`; None says nothing.

    Refuses what does not fit the stream, or itself.
    """
    if shape is None:
        return None
    sound = math.isfinite(shape.pane_seconds) and shape.pane_seconds > 0
    check.that(sound, f"{field}.pane_seconds", "must be positive")
    has_quality = shape.quality is None or stream.key.kind is Kind.INPUT
    check.that(has_quality, f"{field}.quality", "only inputs have one")
    told = [("values", shape.values), ("quality", shape.quality)]
    for what, dependence in told:
        if dependence is not None:
            _check_dependence(dependence, f"{field}.{what}", check)
    seasonal = any(dependence is not None and dependence.seasonal for _, dependence in told)
    check.that(
        seasonal == (shape.season is not None),
        f"{field}.season",
        "has to be there where something is seasonal, and only there",
    )
    return InTime(
        pane_seconds=shape.pane_seconds,
        values=_dependence(shape.values),
        quality=None if shape.quality is None else _dependence(shape.quality),
        season=None
        if shape.season is None
        else _season(shape.season, stream, f"{field}.season", check),
    )


def cells_of(stream: StreamReference) -> list[int]:
    """A stream's rows by cell: those of its values, then missing and invalid."""
    return [*stream.counts.tolist(), stream.missing, stream.invalid]


def without_hours(known: InTime | None) -> InTime | None:
    """What is still known of a stream whose values have changed: its dependence, unless that is
    about a season.
    """
    if known is None or known.values.seasonal:
        return None
    quality = known.quality if known.quality is not None and not known.quality.seasonal else None
    return msgspec.structs.replace(known, quality=quality, season=None)


def rounded(known: InTime) -> InTime:
    """As the file keeps it, so that the hash of what is read back is the same."""
    quality = None if known.quality is None else _rounded(known.quality)
    return msgspec.structs.replace(known, values=_rounded(known.values), quality=quality)


def _rounded(known: Dependence) -> Dependence:
    kept = {name: float(f"{getattr(known, name):.{DIGITS}g}") for name in _ESTIMATED}
    return msgspec.structs.replace(known, **kept)


_ESTIMATED = ("phi", "kappa", "events")


def _dependence_tree(known: Dependence) -> dict[str, Any]:
    return {
        "phi": known.phi,
        "kappa": known.kappa if math.isfinite(known.kappa) else None,
        "panes": known.panes,
        "events": known.events,
        "seasonal": known.seasonal,
    }


def _dependence(shape: DependenceShape) -> Dependence:
    kappa = math.inf if shape.kappa is None else shape.kappa
    return Dependence(shape.phi, kappa, shape.panes, shape.events, shape.seasonal)


def _check_dependence(shape: DependenceShape, field: str, check: Checks) -> None:
    sound = math.isfinite(shape.phi) and shape.phi >= 1
    check.that(sound, f"{field}.phi", "must be at least 1")
    sound = shape.kappa is None or (math.isfinite(shape.kappa) and shape.kappa > 0)
    check.that(sound, f"{field}.kappa", "must be positive, or null where there is no wander")
    check.that(shape.panes > 0, f"{field}.panes", "must be positive")
    sound = math.isfinite(shape.events) and shape.events > 0
    check.that(sound, f"{field}.events", "must be positive")


def _season(shape: SeasonShape, stream: StreamReference, field: str, check: Checks) -> Season:
    check.that(bool(shape.timezone), f"{field}.timezone", "must not be empty")
    check.that(shape.period in HOURS_OF, f"{field}.period", "must be day or week")
    check.that(shape.days > 0, f"{field}.days", "must be positive")
    known = {_hour_name(shape.period, hour): hour for hour in range(HOURS_OF[shape.period])}
    cells = cells_of(stream)
    for name, counts in shape.hours.items():
        place = f"{field}.hours[{name!r}]"
        check.that(name in known, place, f"is no hour of a {shape.period}")
        fits = len(counts) == len(cells) and all(0 <= count < 2**53 for count in counts)
        check.that(fits, place, f"must be {len(cells)} counts: the stream's, missing and invalid")
    hours = tuple(sorted(known[name] for name in shape.hours))
    check.that(bool(hours), f"{field}.hours", "must not be empty")
    rows = [shape.hours[_hour_name(shape.period, hour)] for hour in hours]
    counted = np.array(rows, dtype=np.int64)
    within = all(a <= b for a, b in zip(counted.sum(axis=0).tolist(), cells, strict=True))
    check.that(within, f"{field}.hours", "more rows are in a cell than the stream has there")
    return Season(shape.timezone, shape.period, shape.days, hours, counted)


def _hour_name(period: str, hour: int) -> str:
    return f"{hour:02}" if period == "day" else f"{DAYS[hour // 24]} {hour % 24:02}"
