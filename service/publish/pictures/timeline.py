"""The whole time of one model on one axis: events, its worst score, alarms, known incidents."""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup
from msgspec import Struct

from service.publish.pictures import scores as score_pictures
from service.publish.pictures.svg import (
    Picture,
    Table,
    bar,
    frame,
    label,
    path,
    place,
    shortened,
)
from service.publish.pictures.time_axis import TimeAxis, minute
from service.publish.words import count, decimals, duration
from service.values.backtests import History

WIDTH = 960.0
_LEFT, _RIGHT = 118.0, 12.0
_EVENTS, _SCORES, _STRIP, _SPACE = 44.0, 110.0, 18.0, 12.0


class Strip(Struct, frozen=True):
    """A lane of spans of time: its name, `(start, end, class, words)` of each, in order of time."""

    name: str
    spans: tuple[tuple[float, float, str, str], ...]


def timeline(name: str, history: History, strips: Sequence[Strip], sentence: str) -> Picture:
    """All lanes; `sentence` says what there is to see."""
    scores = history.scores
    starts = scores.starts_seconds or (0.0,)
    axis = TimeAxis(starts[0], starts[-1] + scores.width_seconds, _LEFT, WIDTH - _RIGHT)
    bottom = 8 + _EVENTS + _SPACE + _SCORES + len(strips) * (_STRIP + _SPACE) + _SPACE
    parts = axis.drawn(8, bottom, 9)
    parts += _events(axis, history, 8, 8 + _EVENTS)
    top = 8 + _EVENTS + _SPACE
    parts += score_pictures.scale(axis, top, top + _SCORES)
    parts += [
        label(0, top + _SCORES / 2, "worst score"),
        score_pictures.drawn(axis, scores, top, top + _SCORES),
    ]
    if not math.isnan(history.judged_from_seconds):
        parts += _learning(axis, history, top)
    y = top + _SCORES + _SPACE
    for strip in strips:
        parts += _strip(axis, strip, y)
        y += _STRIP + _SPACE
    svg = frame((WIDTH, bottom + 22), f"Timeline of {name}", sentence, *parts)
    return Picture(svg, _table(name, history))


def sparkline(name: str, scores: Sequence[float]) -> Markup:
    """A score over the whole time, small: the highest of each of 120 parts."""
    width, height = 122.0, 24.0
    size = max(1, math.ceil(len(scores) / 120))
    step = (width - 2) / max(1, math.ceil(len(scores) / size))
    commands, pen_up = [], True
    for number, first in enumerate(range(0, len(scores), size)):
        known = [score for score in scores[first : first + size] if not math.isnan(score)]
        if not known:
            pen_up = True
            continue
        y = place(score_pictures.height_of(max(known), 1, height - 1))
        x, end = place(1 + number * step), place(1 + (number + 1) * step)
        commands.append(f"{'M' if pen_up else 'L'}{x} {y}H{end}")
        pen_up = False
    at_one = score_pictures.height_of(1.0, 1, height - 1)
    highest = max((score for score in scores if not math.isnan(score)), default=math.nan)
    return frame(
        (width, height),
        f"Score of {name}",
        f"Its highest is {decimals(highest)}, 1 alarms.",
        bar(0, at_one, width, height - at_one, "calm"),
        path("".join(commands), "score"),
    )


def _events(axis: TimeAxis, history: History, top: float, bottom: float) -> list[Markup]:
    most = max(history.rows, default=0) or 1
    width = history.scores.width_seconds
    commands = [f"M{place(axis.left)} {place(bottom)}"]
    for start, rows in zip(history.scores.starts_seconds, history.rows, strict=True):
        y = place(bottom - rows / most * (bottom - top))
        commands.append(f"L{place(axis.x(start))} {y}H{place(axis.x(start + width))}")
    commands.append(f"V{place(bottom)}Z")
    busiest = f"to {count(most)} in {duration(width)}"
    return [
        path("".join(commands), "events"),
        label(0, top + 16, "events"),
        label(0, top + 33, busiest, "figure"),
    ]


def _learning(axis: TimeAxis, history: History, top: float) -> list[Markup]:
    """From the first event to the first pane that met a reference."""
    start, end = axis.x(history.first_seconds), axis.x(history.judged_from_seconds)
    words = label(start + 4, top + 14, "learning") if end - start > 60 else Markup("")
    return [bar(start, top, end - start, _SCORES, "unwatched"), words]


def _strip(axis: TimeAxis, strip: Strip, y: float) -> list[Markup]:
    """Spans of one class that fall on the same pixels are drawn as one."""
    parts = [
        label(0, y + 13, strip.name),
        bar(axis.left, y, axis.right - axis.left, _STRIP, "lane"),
    ]
    for kind in sorted({kind for _, _, kind, _ in strip.spans}):
        spans = [(axis.x(s), axis.x(e)) for s, e, k, _ in strip.spans if k == kind]
        parts += [bar(x, y, max(end - x, 3.0), _STRIP, kind) for x, end in _joined(spans)]
    room = -math.inf
    for start, _, _, words in strip.spans:
        x = axis.x(start)
        if words and x > room:
            text = shortened(words, 18)
            parts.append(label(x + 5, y + 13, text, "onbar"))
            room = x + 7 * len(text) + 12
    return parts


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for x, end in sorted(spans):
        if joined and x <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((x, end))
    return joined


def _table(name: str, history: History) -> Table:
    scores = history.scores
    points = list(zip(scores.starts_seconds, scores.scores, strict=True))
    rows = list(zip(scores.starts_seconds, map(float, history.rows), strict=True))
    told = tuple(
        (
            minute(part[0][0]),
            count(sum(events for _, events in own)),
            decimals(max((s for _, s in part if not math.isnan(s)), default=math.nan)),
        )
        for part, own in zip(score_pictures.parts(points), score_pictures.parts(rows), strict=True)
    )
    return Table(f"Events and worst score of {name}", ("From (UTC)", "Events", "Score"), told)
