"""A stream before and now: the reference filled, live as an outline, and what changed hatched.

Numbers lie on the axis of their values, and a bar's area is its share: the cells are quantiles of
the reference, so that bars of their shares would be a flat line that nobody recognises. What lies
outside the outermost edges (1 % of the reference each, as a rule), what is missing and what is
invalid have bars of their own, of the same area for the same share.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup
from msgspec import Struct

from service.publish.pictures.categories import category_pair
from service.publish.pictures.shares import Cell, cells_of, changed
from service.publish.pictures.svg import (
    Picture,
    Table,
    bar,
    frame,
    label,
    line,
    path,
    place,
    value_text,
)
from service.values.backtests import Histogram
from service.values.streams import ValueType

WIDTH, HEIGHT = 430.0, 190.0
_TOP, _BOTTOM = 12.0, 38.0
_OUTER, _GAP, _WIDE_GAP = 20.0, 5.0, 18.0
_NARROWEST = 1.5
_EDGES_MIN = 3
"""With fewer edges there is no axis worth drawing: then the cells are drawn like categories."""


class _Bar(Struct, frozen=True):
    cell: Cell
    x: float
    width: float


def histogram_pair(name: str, histogram: Histogram) -> Picture:
    """The picture of one stream, with the counts of its cells as the table."""
    cells = cells_of(histogram)
    table = _table(name, cells)
    if histogram.type is not ValueType.NUMERIC or len(histogram.edges) < _EDGES_MIN:
        return Picture(category_pair(name, cells), table)
    return Picture(_numeric(name, histogram, cells), table)


def _numeric(name: str, histogram: Histogram, cells: Sequence[Cell]) -> Markup:
    bars = _bars(histogram.edges, cells)
    bottom = HEIGHT - _BOTTOM
    densest = max(max(b.cell.before, b.cell.after) / b.width for b in bars)
    factor = (bottom - _TOP) / densest if densest else 0.0
    wild = changed(cells)
    parts = [line(0, bottom, WIDTH, bottom, "axis")]
    for b in bars:
        height = b.cell.before / b.width * factor
        parts.append(bar(b.x, bottom - height, b.width, height, "before"))
        if b.cell in wild:
            top = max(b.cell.before, b.cell.after) / b.width * factor
            parts.append(bar(b.x, bottom - top, b.width, top, "changed"))
    parts.append(path(_outline(bars, bottom, factor), "after"))
    parts += _numbers(histogram.edges, bars, bottom)
    description = (
        f"{name}: the reference filled, live outlined, on the axis of its values from "
        f"{value_text(histogram.edges[0])} to {value_text(histogram.edges[-1])}; " + _told(wild)
    )
    return frame((WIDTH, HEIGHT), f"{name}, reference and live", description, *parts)


def _bars(edges: Sequence[float], cells: Sequence[Cell]) -> list[_Bar]:
    """Below, the inner cells by their values, above; after a gap missing and invalid."""
    left, right = _OUTER + _GAP, WIDTH - 3 * _OUTER - _WIDE_GAP - 2 * _GAP
    span = (edges[-1] - edges[0]) or 1.0
    bars = [_Bar(cells[0], 0.0, _OUTER)]
    for cell, (low, high) in zip(cells[1:], pairwise(edges), strict=False):
        x = left + (low - edges[0]) / span * (right - left)
        width = (high - low) / span * (right - left)
        bars.append(_Bar(cell, x, max(width, _NARROWEST)))
    bars.append(_Bar(cells[len(edges)], right + _GAP, _OUTER))
    first = right + _GAP + _OUTER + _WIDE_GAP
    bars += [_Bar(cells[-2], first, _OUTER), _Bar(cells[-1], first + _OUTER + _GAP, _OUTER)]
    return bars


def _outline(bars: Sequence[_Bar], bottom: float, factor: float) -> str:
    """One line around neighbouring bars, a new one after each gap."""
    commands: list[str] = []
    end = -math.inf
    for b in bars:
        y = place(bottom - b.cell.after / b.width * factor)
        if b.x - end > 1:
            if commands:
                commands.append(f"V{place(bottom)}")
            commands.append(f"M{place(b.x)} {place(bottom)}")
        commands.append(f"V{y}H{place(b.x + b.width)}")
        end = b.x + b.width
    return "".join(commands) + f"V{place(bottom)}"


def _numbers(edges: Sequence[float], bars: Sequence[_Bar], bottom: float) -> list[Markup]:
    """The outermost edges, and what stands right of the gap."""
    below, above, missing, invalid = bars[0], bars[-3], bars[-2], bars[-1]
    first, last = below.x + _OUTER + _GAP, above.x - _GAP
    middle = (edges[0] + edges[-1]) / 2
    return [
        label(first, bottom + 14, value_text(edges[0])),
        label((first + last) / 2, bottom + 14, value_text(middle), anchor="middle"),
        label(last, bottom + 14, value_text(edges[-1]), anchor="end"),
        label(0, bottom + 31, "below"),
        label(above.x + _OUTER, bottom + 31, "above", anchor="end"),
        label(missing.x + _OUTER / 2, bottom + 14, "m", anchor="middle"),
        label(invalid.x + _OUTER / 2, bottom + 14, "i", anchor="middle"),
    ]


def _told(wild: Sequence[Cell]) -> str:
    if not wild:
        return "no cell changed much."
    told = ", ".join(f"{c.name} from {c.before:.1%} to {c.after:.1%}" for c in wild)
    return f"most changed: {told}.".replace("%", " %")


def _table(name: str, cells: Sequence[Cell]) -> Table:
    rows = tuple(
        (
            cell.name,
            f"{cell.rows_before:,}",
            f"{cell.before:.1%}".replace("%", " %"),
            f"{cell.rows_after:,}",
            f"{cell.after:.1%}".replace("%", " %"),
        )
        for cell in cells
    )
    headings = ("Cell", "Reference rows", "Share", "Live rows", "Share")
    return Table(f"Cells of {name}", headings, rows)
