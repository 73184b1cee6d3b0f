"""Categories before and now: a pair of bars each, the largest first."""

from collections.abc import Sequence

from markupsafe import Markup

from service.publish.pictures.shares import Cell, changed
from service.publish.pictures.svg import bar, frame, label, line, shortened

WIDTH, ROW = 430.0, 22.0
SHOWN_MAX = 10
_LEFT, _RIGHT = 132.0, 96.0
_ALWAYS = 2
"""Missing and invalid are always drawn, even at 0."""


def category_pair(name: str, cells: Sequence[Cell]) -> Markup:
    """The largest cells and those that changed, the others as one; then missing and invalid."""
    values, always = cells[:-_ALWAYS], cells[-_ALWAYS:]
    shown = _shown(values)
    rest = [cell for cell in values if cell not in shown]
    rows = [
        *shown,
        *([_together(rest)] if any(c.rows_before or c.rows_after for c in rest) else []),
    ]
    wild = changed(cells)
    largest = max(max(cell.before, cell.after) for cell in [*rows, *always]) or 1.0
    scale = (WIDTH - _LEFT - _RIGHT) / largest
    parts: list[Markup] = []
    y = 4.0
    for cell in rows:
        parts += _row(cell, y, scale, cell in wild)
        y += ROW
    y += ROW / 3
    for cell in always:
        parts += _row(cell, y, scale, cell in wild)
        y += ROW
    parts.append(line(_LEFT, 0, _LEFT, y, "axis"))
    told = ", ".join(f"{c.name} from {c.before:.1%} to {c.after:.1%}" for c in wild)
    description = f"{name}: shares in the reference filled, live outlined; " + (
        f"most changed: {told}.".replace("%", " %") if told else "no category changed much."
    )
    return frame((WIDTH, y + 4), f"{name}, reference and live", description, *parts)


def _shown(values: Sequence[Cell]) -> list[Cell]:
    wild = changed(values)
    ranked = sorted(values, key=lambda cell: (cell not in wild, -max(cell.before, cell.after)))
    kept = [cell for cell in ranked[:SHOWN_MAX] if cell.rows_before or cell.rows_after]
    return [cell for cell in values if cell in kept]


def _together(cells: Sequence[Cell]) -> Cell:
    seen = [cell for cell in cells if cell.rows_before or cell.rows_after]
    return Cell(
        f"{len(seen)} more",
        sum(cell.rows_before for cell in cells),
        sum(cell.rows_after for cell in cells),
        sum(cell.before for cell in cells),
        sum(cell.after for cell in cells),
        cells[0].live_rows,
    )


def _row(cell: Cell, y: float, scale: float, is_changed: bool) -> list[Markup]:
    before, after = cell.before * scale, cell.after * scale
    told = f"{cell.before:.1%} → {cell.after:.1%}".replace("%", " %")
    return [
        label(_LEFT - 6, y + 12, shortened(cell.name, 20), anchor="end"),
        bar(_LEFT, y, before, 8, "before"),
        bar(_LEFT, y + 8, after, 8, "changed" if is_changed else "live"),
        bar(_LEFT, y + 8, after, 8, "after"),
        label(_LEFT + max(before, after) + 5, y + 12, told, "figure"),
    ]
