"""A score over time: logarithmic from 0.1 to 10, 1 alarms, the band below is calm."""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from service.publish.pictures.svg import Picture, Table, bar, frame, label, line, path, place
from service.publish.pictures.time_axis import TimeAxis, minute
from service.publish.words import decimals
from service.values.backtests import ScoreLine

LOWEST, HIGHEST = 0.1, 10.0
WIDTH, HEIGHT = 430.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 10.0, 10.0, 24.0
TABLE_ROWS = 24


def score_line(name: str, scores: ScoreLine, alarm_seconds: float | None) -> Picture:
    """The line, with a mark where it alarmed."""
    starts = scores.starts_seconds or (0.0,)
    axis = TimeAxis(starts[0], starts[-1] + scores.width_seconds, _LEFT, WIDTH - _RIGHT)
    top, bottom = _TOP, HEIGHT - _BOTTOM
    highest = max((s for s in scores.scores if not math.isnan(s)), default=0.0)
    parts = [
        *axis.drawn(top, bottom, 5),
        *scale(axis, top, bottom),
        drawn(axis, scores, top, bottom),
    ]
    if alarm_seconds is not None:
        x = axis.x(alarm_seconds)
        parts += [line(x, top, x, bottom, "mark"), label(x + 4, top + 11, "alarm", "alarmed")]
    description = (
        f"Score of {name} from {minute(axis.start)} to {minute(axis.end)} UTC; its highest is "
        f"{decimals(highest)}, 1 alarms."
    )
    svg = frame((WIDTH, HEIGHT), f"Score of {name} over time", description, *parts)
    return Picture(svg, score_table(name, scores))


def scale(axis: TimeAxis, top: float, bottom: float) -> list[Markup]:
    """The band below 1, the threshold, and the numbers beside them."""
    at_one = height_of(1.0, top, bottom)
    return [
        bar(axis.left, at_one, axis.right - axis.left, bottom - at_one, "calm"),
        line(axis.left, at_one, axis.right, at_one, "threshold"),
        label(axis.left - 5, top + 9, "10", anchor="end"),
        label(axis.left - 5, at_one + 4, "1", anchor="end"),
        label(axis.left - 5, bottom, "0.1", anchor="end"),
    ]


def drawn(axis: TimeAxis, scores: ScoreLine, top: float, bottom: float) -> Markup:
    """The line itself: steps as wide as its slices, with gaps where nothing was judged."""
    commands: list[str] = []
    pen_up = True
    for start, score in zip(scores.starts_seconds, scores.scores, strict=True):
        if math.isnan(score):
            pen_up = True
            continue
        y = place(height_of(score, top, bottom))
        x, end = place(axis.x(start)), place(axis.x(start + scores.width_seconds))
        commands.append(f"M{x} {y}H{end}" if pen_up else f"V{y}H{end}")
        pen_up = False
    return path("".join(commands), "score")


def height_of(score: float, top: float, bottom: float) -> float:
    """Where a score lies; beyond the scale at its end."""
    clamped = min(max(score, LOWEST), HIGHEST)
    ratio = math.log(clamped / LOWEST) / math.log(HIGHEST / LOWEST)
    return bottom - ratio * (bottom - top)


def score_table(name: str, scores: ScoreLine) -> Table:
    """The highest score of at most 24 equal parts of the time."""
    pairs = list(zip(scores.starts_seconds, scores.scores, strict=True))
    rows = tuple((minute(part[0][0]), decimals(_highest(part))) for part in parts(pairs))
    return Table(f"Highest score of {name}", ("From (UTC)", "Score"), rows)


def parts(pairs: Sequence[tuple[float, float]]) -> Iterable[Sequence[tuple[float, float]]]:
    """At most TABLE_ROWS runs of equal length."""
    size = max(1, math.ceil(len(pairs) / TABLE_ROWS))
    return (pairs[first : first + size] for first in range(0, len(pairs), size))


def _highest(part: Sequence[tuple[float, float]]) -> float:
    return max((score for _, score in part if not math.isnan(score)), default=math.nan)
