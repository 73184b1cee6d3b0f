"""How much of each day was watched, and how much was not and why: a column a day."""

from collections.abc import Sequence

from markupsafe import Markup

from service.publish.audit_sentences import FATE_WORDS
from service.publish.pictures.svg import Picture, Table, bar, frame, label, line
from service.publish.words import count
from service.values.audits import Day, Fate

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 1000.0, 170.0, 10.0, 140.0
_LEFT = 44.0
_DRAWN = (
    (Fate.WATCHED, "found"),
    (Fate.LEARNING, "unwatched"),
    (Fate.UNREFERENCED, "unwatched"),
    (Fate.SILENT, "lane"),
    (Fate.DOWN, "episode"),
    (Fate.UNRECORDED, "missed"),
)
"""From the bottom up, with the class that gives each its look."""

_LABELS_MAX = 10
_MINUTES = 1440


def watch_days(name: str, days: Sequence[Day]) -> Picture:
    """A day that is not whole in the period has a shorter column."""
    step = (_WIDTH - _LEFT) / max(1, len(days))
    parts = [label(0, _BOTTOM, "0 h"), label(0, _TOP + 10, "24 h")]
    every = -(-len(days) // _LABELS_MAX)
    for number, day in enumerate(days):
        x = _LEFT + number * step
        parts += _column(day, x, max(step - 1.0, step * 0.8))
        if number % every == 0:
            parts.append(label(x, _BOTTOM + 16, day.day))
    parts.append(line(_LEFT, _BOTTOM, _WIDTH, _BOTTOM, "axis"))
    title = f"Minutes of each day in which {name} was watched"
    watched = sum(day.minutes.of(Fate.WATCHED) for day in days)
    described = f"{count(watched)} minutes were watched in {len(days)} days."
    return Picture(frame((_WIDTH, _HEIGHT), title, described, *parts), _table(title, days))


def _column(day: Day, x: float, width: float) -> list[Markup]:
    parts = []
    bottom = _BOTTOM
    for fate, kind in _DRAWN:
        height = day.minutes.of(fate) / _MINUTES * (_BOTTOM - _TOP)
        parts.append(bar(x, bottom - height, width, height, kind))
        bottom -= height
    return parts


def _table(title: str, days: Sequence[Day]) -> Table:
    fates = [fate for fate in Fate if any(day.minutes.of(fate) for day in days)]
    return Table(
        caption=title,
        headings=(
            "Day",
            *(FATE_WORDS[fate] for fate in fates),
            "late",
            "read afterwards",
            "some feature muted",
            "rows judged",
        ),
        rows=tuple(
            (
                day.day,
                *(count(day.minutes.of(fate)) for fate in fates),
                count(day.minutes.late),
                count(day.minutes.afterwards),
                count(day.minutes.muted),
                count(day.rows),
            )
            for day in days
        ),
    )
